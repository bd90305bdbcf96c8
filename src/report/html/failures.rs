//! Examples on which the selected prompt and the seed fail.

use maud::{Markup, html};

use super::sentence;
use crate::failures::{FailingAnswer, GroupFailures, PromptFailures};
use crate::report::{NamedRun, failing_note, grouped, score_as};

/// The selected prompt's failures, and the seed's, each folded up.
pub(super) fn section(run: &NamedRun) -> Markup {
    if run.failures.is_empty() {
        return html! {};
    }
    let metric = run.summary.started.as_ref();
    let metric = metric.map_or("", |started| started.metric.as_str());
    html! {
        section {
            h2 { "Where it fails" }
            p.note { (sentence(&failing_note(&run.failures))) }
            @for own in &run.failures {
                (of_prompt(own, run.summary.selected.is_some(), metric))
            }
        }
    }
}

fn of_prompt(own: &PromptFailures, decided: bool, metric: &str) -> Markup {
    let all: usize = own.groups.iter().map(|group| group.failing).sum();
    html! {
        details {
            summary {
                (own.title(decided)) ": " (grouped(all as u64))
                @if all == 1 { " answer is" } @else { " answers are" } " not right"
            }
            @if let Some(told) = own.fields_told() { p { (told) } }
            @for group in &own.groups { (of_group(group, metric)) }
        }
    }
}

fn of_group(group: &GroupFailures, metric: &str) -> Markup {
    html! {
        h3 { (group.group) }
        p.dim {
            @if let Some(score) = &group.score { (score_as(metric, score)) " · " }
            (group.counted())
        }
        @for answer in &group.shown { (failing(answer)) }
    }
}

fn failing(answer: &FailingAnswer) -> Markup {
    html! {
        div.failing {
            p { code { (answer.id) } " · " strong { (answer.state_told()) }
                @if answer.audited { " · " span.dim { "sealed audit" } } }
            dl.facts {
                @for (name, text) in answer.told() {
                    dt { (name) }
                    dd { (text) }
                }
            }
        }
    }
}
