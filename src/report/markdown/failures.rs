//! Examples on which the selected prompt and the seed fail.

use std::fmt::Write as _;

use super::text::{fenced, inline};
use super::{code, details};
use crate::failures::PromptFailures;
use crate::report::{NamedRun, failing_note, score_as};
use crate::wording::shown::line;

/// The selected prompt's failures, and the seed's, each folded up.
pub(super) fn write(out: &mut String, run: &NamedRun) {
    let metric = run.summary.started.as_ref();
    let metric = metric.map_or("", |started| started.metric.as_str());
    let note = failing_note(&run.failures);
    for own in &run.failures {
        let title = format!(
            "{}: where it fails",
            own.title(run.summary.selected.is_some())
        );
        details(out, &title, |out| {
            let _ = writeln!(out, "{}", inline(&note));
            write_groups(out, own, metric);
        });
    }
}

fn write_groups(out: &mut String, own: &PromptFailures, metric: &str) {
    if let Some(told) = own.fields_told() {
        let _ = writeln!(out, "\n{}", inline(&told));
    }
    for group in &own.groups {
        let _ = write!(out, "\n**{}** · ", code(&group.group));
        if let Some(score) = &group.score {
            let _ = write!(out, "{} · ", score_as(metric, score));
        }
        let _ = writeln!(out, "{}\n", inline(&group.counted()));
        let mut text = String::new();
        for answer in &group.shown {
            let _ = write!(text, "{} · {}", line(&answer.id), answer.state_told());
            text.push_str(if answer.audited {
                " · sealed audit\n"
            } else {
                "\n"
            });
            for (name, told) in answer.told() {
                let _ = writeln!(text, "  {name:<7} {}", line(&told));
            }
        }
        fenced(out, "text", &text);
    }
}
