//! What a run cost, and how it is done again.

use maud::{Markup, html};
use shiftproof_search::event::RunStarted;

use super::scrolling;
use crate::report::facts::command;
use crate::report::study::ReportedStudy;
use crate::report::{RunSummary, estimated, grouped, money, unanswered};

pub(super) fn section(summary: &RunSummary, started: &RunStarted) -> Markup {
    let phases: Vec<_> = summary
        .phases
        .iter()
        .filter(|phase| phase.answers > 0)
        .collect();
    let answers: u64 = phases.iter().map(|phase| phase.answers).sum();
    html! {
        section {
            h2 { "Cost" }
            @match &summary.spent {
                Some(spent) => p {
                    strong { (grouped(spent.calls)) } " calls, " (grouped(spent.prompt_tokens)) " prompt and "
                    (grouped(spent.completion_tokens)) " completion tokens"
                    @if let Some(money) = money(spent) { ", " (money) }
                    "." (limits(started))
                    @if let Some(sentence) = estimated(spent) { " " (sentence) }
                    @if let Some(sentence) = unanswered(&summary.unanswered) { " " (sentence) }
                },
                None => p { "The run has not finished; its cost is told at the end." },
            }
            @if !phases.is_empty() {
                (scrolling("Answers by phase", &html! {
                    table {
                        caption { "Answers of the task model by the phase that first looked at them" }
                        thead { tr { th.l scope="col" { "phase" } th scope="col" { "answers" } th.l scope="col" { "plan" } } }
                        tbody {
                            @for phase in &phases {
                                tr {
                                    th.l scope="row" { (phase.phase) }
                                    td { (grouped(phase.answers)) }
                                    td.l.wrap { (phase.plan) }
                                }
                            }
                            @if let Some(rest) = summary.spent.as_ref().and_then(|spent| spent.calls.checked_sub(answers)) {
                                tr {
                                    th.l scope="row" { "other calls" }
                                    td { (grouped(rest)) }
                                    td.l.wrap { "proposals, calibration, and answers that a race did not rank by" }
                                }
                            }
                        }
                    }
                }))
            }
        }
    }
}

fn limits(started: &RunStarted) -> String {
    let limits = &started.limits;
    let told: Vec<String> = [
        limits.calls.map(|n| format!("{} calls", grouped(n))),
        limits.tokens.map(|n| format!("{} tokens", grouped(n))),
        limits.usd.map(|usd| format!("${usd}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    if told.is_empty() {
        String::new()
    } else {
        format!(" Limit: {}.", told.join(", "))
    }
}

pub(super) fn reproduce(started: &RunStarted, study: &ReportedStudy) -> Markup {
    let labelled = started.groups.iter().any(|group| group.labelled > 0);
    html! {
        section {
            h2 { "How to reproduce" }
            pre { code { (command(started, study.argument())) } }
            p.note {
                @if study.file.is_none() { "STUDY.toml is the study " code { (started.study) } ". " }
                "Same study, data, seed, version and replies: same run, event by event."
            }
            dl.facts {
                dt { "program" } dd { "shiftproof " (started.version) }
                dt { "task" } dd { (started.task) }
                dt { "task model" } dd { (started.task_model) }
                dt { "proposer" }
                dd {
                    @if started.proposer_model == started.task_model { "the task model" }
                    @else { (started.proposer_model) }
                }
                @if let Some(judge) = &study.judge {
                    dt { "judge" } dd { (judge.model) "; " (judge.verdicts) }
                }
            }
            @if let Some(judge) = &study.judge {
                details {
                    summary { "The judge's rubric" }
                    pre { (judge.rubric) }
                }
            }
            (scrolling("Examples by group and role", &html! {
                table {
                    caption { "Examples by group and role" }
                    thead { tr {
                        th.l scope="col" { "group" } th.l scope="col" { "role" }
                        th scope="col" { "train" } th scope="col" { "validation" }
                        @if labelled { th scope="col" { "labelled" } }
                        th scope="col" { "unlabelled" } th scope="col" { "audit" }
                    } }
                    tbody {
                        @for group in &started.groups {
                            tr {
                                th.l scope="row" { (group.name) }
                                td.l { (group.role) }
                                td { (group.train) } td { (group.validation) }
                                @if labelled { td { (group.labelled) } }
                                td { (group.unlabelled) } td { (group.audit) }
                            }
                        }
                    }
                }
            }))
        }
    }
}
