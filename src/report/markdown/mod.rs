//! The report as GitHub-flavoured Markdown, for a comment under a change.
//!
//! Whatever a study or a model wrote stands in code spans or fenced blocks,
//! where it can neither format, link nor mention.

mod failures;
mod text;

use std::fmt::Write as _;

use shiftproof_search::event::{AuditedPrompt, GroupOutcome};

use self::text::fenced;
pub(crate) use self::text::{capital, code, inline};
use super::compare::RunComparison;
use super::facts::{budget_ending, command, gaps, lineage, machine, regressed};
use super::{
    NamedRun, RunSummary, difference, estimated, grouped, money, score, spread, unanswered, worst,
};
use crate::wording::table::write_markdown;
use crate::wording::unusable::counts;
use crate::wording::vote_notes;
use crate::wording::word_diff::{flat, one_line};

/// The report of one run, or of several with their comparison first.
pub(super) fn report(runs: &[NamedRun]) -> String {
    let mut out = String::new();
    if let [run] = runs {
        write_run(&mut out, run, "##");
        return out;
    }
    out.push_str("## shiftproof: comparison of ");
    let _ = writeln!(out, "{} runs\n", runs.len());
    write_comparison(&mut out, &RunComparison::of(runs));
    for run in runs {
        out.push('\n');
        write_run(&mut out, run, "###");
    }
    out
}

fn write_comparison(out: &mut String, comparison: &RunComparison) {
    let mut head = vec!["method".to_owned(), "runs".to_owned()];
    for (name, role) in &comparison.groups {
        head.push(format!("{} ({role})", code(name)));
    }
    head.extend(["worst target", "selected − seed", "calls"].map(str::to_owned));
    let rows = comparison.rows.iter().map(|row| {
        let mut cells = vec![code(&row.label), row.runs.len().to_string()];
        let points = |spread: &Option<super::compare::SeedSpread>| {
            spread.map_or_else(|| "–".to_owned(), |spread| spread.points(false))
        };
        cells.extend(row.groups.iter().map(points));
        cells.push(format!("**{}**", points(&row.worst)));
        cells.push(
            row.gain
                .map_or_else(|| "–".into(), |gain| gain.points(true)),
        );
        let calls = row.calls.map(|calls| grouped(calls.mean.round() as u64));
        cells.push(calls.unwrap_or_else(|| "–".into()));
        cells
    });
    write_markdown(out, &head, 1.., rows);
    out.push_str(
        "\nMeans over runs ± standard deviation, in points on the sealed audit, which is the same for every seed.\n",
    );
    for caution in &comparison.cautions {
        let _ = writeln!(out, "\n> **Caution:** {}", inline(caution));
    }
}

fn write_run(out: &mut String, run: &NamedRun, heading: &str) {
    let summary = &run.summary;
    let Some(started) = &summary.started else {
        let _ = writeln!(
            out,
            "{heading} {}\n\nThis run has not begun.",
            code(&run.name)
        );
        return;
    };
    let _ = writeln!(out, "{heading} shiftproof: {}\n", code(&run.name));
    let verdict = inline(&capital(&summary.verdict().sentence));
    let _ = write!(out, "**{verdict}.**");
    if let Some(line) = worst_line(summary) {
        let _ = write!(out, " {line}");
    }
    let losers: Vec<String> = regressed(summary)
        .into_iter()
        .map(|row| format!("{} {}", code(&row.group), difference(row)))
        .collect();
    if !losers.is_empty() {
        let _ = write!(out, " **Worse beyond chance** on {}.", losers.join(", "));
    }
    let _ = writeln!(
        out,
        "\n\nStudy {} · {} · {} · objective {} · seed {} · {}\n",
        code(&started.study),
        inline(&started.method),
        inline(&started.metric),
        inline(&started.objective),
        started.seed,
        code(&machine(&started.task_model))
    );
    write_scores(out, summary);
    for note in summary.told_notes() {
        let _ = writeln!(out, "\n> **Note:** {}", inline(&note));
    }
    write_prompt(out, summary);
    failures::write(out, run);
    write_details(out, run);
}

/// The worst target group in numbers.
fn worst_line(summary: &RunSummary) -> Option<String> {
    let of = |contestant| summary.worst_of(contestant);
    let (seed, selected) = (of(AuditedPrompt::Seed)?, of(AuditedPrompt::Selected)?);
    let row = summary.worst.as_ref()?;
    let group = capital(summary.worst_name());
    Some(format!(
        "{group} group: {} for the seed prompt, {} for the selected one; difference {} points.",
        score(seed),
        score(selected),
        difference(row)
    ))
}

fn write_scores(out: &mut String, summary: &RunSummary) {
    let (Some(seed), Some(selected)) = (
        summary.audited(AuditedPrompt::Seed),
        summary.audited(AuditedPrompt::Selected),
    ) else {
        return;
    };
    let ensemble = summary.audited(AuditedPrompt::Ensemble);
    let mut head: Vec<String> = ["group", "role", "n", "seed", "selected", "selected − seed"]
        .map(str::to_owned)
        .to_vec();
    if ensemble.is_some() {
        head.push(format!("ensemble of {}", summary.ensemble.len()));
    }
    let of = |groups: &[GroupOutcome], name: &str| {
        let group = groups.iter().find(|group| group.group == name);
        group.map_or_else(|| "–".to_owned(), score)
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for group in selected {
        let delta = summary.compared.iter().find(|row| row.group == group.group);
        let role = format!("{}{}", group.role, counts(group));
        let mut cells = vec![
            code(&group.group),
            role,
            group.n.to_string(),
            of(seed, &group.group),
            of(selected, &group.group),
            delta.map_or_else(|| "–".into(), difference),
        ];
        cells.extend(ensemble.map(|ensemble| of(ensemble, &group.group)));
        rows.push(cells);
    }
    let least = |groups: &[GroupOutcome]| worst(groups).map_or_else(|| "–".into(), score);
    let mut last = vec![
        format!("**{}**", summary.worst_name()),
        String::new(),
        String::new(),
        least(seed),
        format!("**{}**", least(selected)),
        summary
            .worst
            .as_ref()
            .map_or_else(|| "–".into(), |row| format!("**{}**", difference(row))),
    ];
    last.extend(ensemble.map(least));
    rows.push(last);
    if selected.len() > 1 {
        let wide = |groups: &[GroupOutcome]| {
            spread(groups).map_or_else(|| "–".into(), |spread| format!("{:.1}", spread * 100.0))
        };
        let mut last = vec!["**spread over groups**".to_owned()];
        last.extend(["", "", &wide(seed), &wide(selected), ""].map(str::to_owned));
        last.extend(ensemble.map(wide));
        rows.push(last);
    }
    write_markdown(out, &head, 2.., rows);
    out.push_str(
        "\nPoints of a hundred; brackets are 95% intervals on sealed examples that no choice was made on.\n",
    );
}

fn write_prompt(out: &mut String, summary: &RunSummary) {
    let Some(id) = summary.selected else {
        return;
    };
    let (Some(selected), seed) = (summary.candidates.get(&id), summary.seed()) else {
        return;
    };
    let _ = writeln!(
        out,
        "\n**Prompt** {} ({}; {})\n",
        code(&format!("{id:#}")),
        selected.origin,
        inline(summary.reason.as_deref().unwrap_or("no reason told"))
    );
    let new = flat(&selected.prompt);
    let old = seed
        .and_then(|seed| summary.candidates.get(&seed))
        .map(|seed| flat(&seed.prompt))
        .filter(|old| *old != new);
    let mut text = String::new();
    for line in old.iter().flat_map(|old| old.lines()) {
        let _ = writeln!(text, "- {line}");
    }
    let sign = if old.is_some() { "+ " } else { "" };
    for line in new.lines() {
        let _ = writeln!(text, "{sign}{line}");
    }
    fenced(out, if old.is_some() { "diff" } else { "text" }, &text);
}

fn write_details(out: &mut String, run: &NamedRun) {
    let summary = &run.summary;
    let gaps = gaps(summary);
    if !gaps.is_empty() {
        details(out, "Gap between source and target", |out| {
            let head = ["target group", "seed", "selected"].map(str::to_owned);
            let rows = gaps.iter().map(|gap| {
                let shown = |gap: &Option<_>| gap.as_ref().map_or_else(|| "–".into(), difference);
                vec![code(&gap.group), shown(&gap.seed), shown(&gap.selected)]
            });
            write_markdown(out, &head, 1.., rows);
            out.push_str("\nMean of the source groups less the target group, in points.\n");
        });
    }
    if let Some(voted) = &summary.voted {
        details(out, "Pseudo-labels", |out| {
            let _ = writeln!(
                out,
                "{} prompts labelled {} of {} target inputs (share of votes above {:.2}).",
                voted.voters.len(),
                voted.kept,
                voted.inputs,
                voted.threshold
            );
            if let Some(accuracy) = vote_notes::accuracy(voted) {
                let _ = writeln!(out, "Such votes on labelled source examples: {accuracy}.");
            } else if let Some(accuracy) = voted.source_accuracy {
                let _ = writeln!(
                    out,
                    "On labelled source examples such votes are right in {:.1}% of cases.",
                    accuracy * 100.0
                );
            }
            if let Some(voices) = vote_notes::voices(voted) {
                let _ = writeln!(out, "{voices}.");
            }
            out.push('\n');
            let head = ["class", "won", "kept"].map(str::to_owned);
            let rows = voted.classes.iter().map(|class| {
                vec![
                    code(&class.label),
                    class.won.to_string(),
                    class.kept.to_string(),
                ]
            });
            write_markdown(out, &head, 1.., rows);
        });
    }
    if summary.phases.iter().any(|phase| !phase.race.is_empty()) {
        details(out, "Search", |out| write_search(out, summary));
    }
    details(out, "Cost and how to reproduce", |out| {
        write_reproduce(out, run);
    });
}

fn write_search(out: &mut String, summary: &RunSummary) {
    let head = [
        "phase",
        "prompts",
        "answers",
        "leader",
        "its score",
        "seed's score",
    ];
    let rows = summary.phases.iter().map(|phase| {
        let of = |id| {
            phase
                .race
                .iter()
                .find(|ranked| Some(ranked.candidate) == id)
        };
        let points = |score: Option<f64>| {
            score.map_or_else(|| "–".to_owned(), |score| format!("{:.1}", score * 100.0))
        };
        let leader = phase.race.first();
        vec![
            phase.phase.to_string(),
            phase.race.len().to_string(),
            grouped(phase.answers),
            leader.map_or_else(
                || "–".into(),
                |ranked| code(&format!("{:#}", ranked.candidate)),
            ),
            points(leader.map(|ranked| ranked.score)),
            points(of(summary.seed()).map(|ranked| ranked.score)),
        ]
    });
    write_markdown(out, &head, 1.., rows);
    for told in summary.proposing_told() {
        let _ = write!(out, "\n{}\n", inline(&told));
    }
    let ancestors = lineage(summary);
    if ancestors.len() > 1 {
        out.push_str("\nLineage of the selected prompt:\n\n");
        let mut text = String::new();
        for ancestor in &ancestors {
            let indent = "  ".repeat(ancestor.depth);
            let standing = ancestor.standing;
            let shown = one_line(&standing.prompt);
            let _ = writeln!(
                text,
                "{indent}{:#} {}: {shown}",
                ancestor.id, standing.origin
            );
        }
        fenced(out, "text", &text);
    }
}

fn write_reproduce(out: &mut String, run: &NamedRun) {
    let summary = &run.summary;
    if let Some(spent) = &summary.spent {
        let _ = write!(
            out,
            "Spent {} calls, {} prompt and {} completion tokens",
            grouped(spent.calls),
            grouped(spent.prompt_tokens),
            grouped(spent.completion_tokens)
        );
        if let Some(money) = money(spent) {
            let _ = write!(out, ", {money}");
        }
        let _ = writeln!(
            out,
            ". Target labels read by the search: {}; by the audit: {}.\n",
            summary.target_labels_read, summary.audit_labels_read
        );
        let told = [estimated(spent), unanswered(&summary.unanswered)];
        for sentence in told.into_iter().flatten() {
            let _ = writeln!(out, "{sentence}\n");
        }
    }
    if let Some(told) = budget_ending(summary) {
        let _ = writeln!(out, "{told}\n");
    }
    if let Some(started) = &summary.started {
        fenced(out, "sh", &(command(started, run.study.argument()) + "\n"));
        let _ = writeln!(
            out,
            "\nshiftproof {} · task model {} · proposer {}",
            inline(&started.version),
            code(&started.task_model),
            if started.proposer_model == started.task_model {
                "the same".to_owned()
            } else {
                code(&started.proposer_model)
            }
        );
    }
    if let Some(judge) = &run.study.judge {
        let _ = writeln!(
            out,
            "\nJudge {}, {}, by this rubric:\n",
            code(&judge.model),
            inline(&judge.verdicts)
        );
        fenced(out, "text", &(judge.rubric.clone() + "\n"));
    }
}

fn details(out: &mut String, title: &str, body: impl FnOnce(&mut String)) {
    let _ = write!(out, "\n<details><summary>{title}</summary>\n\n");
    body(out);
    out.push_str("\n</details>\n");
}
