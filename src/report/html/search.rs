//! How the search went: races, votes, descent, candidates.

use std::collections::BTreeMap;

use maud::{Markup, html};
use shiftproof_search::event::VoteSummary;
use shiftproof_tasks::PromptId;

use super::charts::{CurveStep, learning_curve};
use super::{diff, scrolling};
use crate::report::facts::lineage;
use crate::report::{CandidateStanding, PhaseSummary, RunSummary, grouped};
use crate::wording::vote_notes;
use crate::wording::word_diff::{flat, pieces};

/// The leader and the seed prompt after each race.
pub(super) fn curve(summary: &RunSummary) -> Markup {
    let races: Vec<&PhaseSummary> = summary
        .phases
        .iter()
        .filter(|phase| !phase.race.is_empty())
        .collect();
    if races.is_empty() {
        return html! {};
    }
    let of = |phase: &PhaseSummary, id: Option<PromptId>| {
        let ranked = phase
            .race
            .iter()
            .find(|ranked| Some(ranked.candidate) == id);
        ranked.map(|ranked| ranked.score)
    };
    let mut total = 0;
    let steps: Vec<CurveStep> = races
        .iter()
        .enumerate()
        .map(|(index, phase)| {
            total += phase.answers;
            CurveStep {
                // More names than that would run into each other on a phone.
                label: if races.len() > 5 {
                    (index + 1).to_string()
                } else {
                    phase.phase.to_string()
                },
                note: grouped(total),
                all: phase.race.iter().map(|ranked| ranked.score).collect(),
                marks: [
                    of(phase, summary.seed()),
                    phase.race.first().map(|ranked| ranked.score),
                ],
            }
        })
        .collect();
    let objective = summary
        .started
        .as_ref()
        .map_or("", |started| started.objective.as_str());
    html! {
        section {
            h2 { "Search" }
            figure {
                (learning_curve(&steps, "Score of the leader and of the seed prompt after each race; the table below has the same figures"))
                figcaption {
                    "The objective (" (objective) ", in points) after each race, every entrant a dot; below, how many answers were looked at so far. "
                    "Races are on different examples, and the final on ones no race has used: heights compare within a race, not across."
                    @match CurveStep::undrawn(&steps) {
                        0 => {},
                        1 => " One entrant far below is not drawn.",
                        n => { " " (n) " entrants far below are not drawn." },
                    }
                }
            }
            (scrolling("Races", &html! {
                table {
                    thead { tr {
                        th.l scope="col" { "race" }
                        th scope="col" { "prompts" }
                        th scope="col" { "leader" }
                        th scope="col" { "its score" }
                        th scope="col" { "seed's score" }
                    } }
                    tbody {
                        @for (index, (phase, step)) in races.iter().zip(&steps).enumerate() {
                            tr {
                                th.l scope="row" { @if races.len() > 5 { (index + 1) " " } (phase.phase) }
                                td { (phase.race.len()) }
                                td { @if let Some(ranked) = phase.race.first() { code { (format!("{:#}", ranked.candidate)) } } }
                                td { (points(step.marks[1])) }
                                td { (points(step.marks[0])) }
                            }
                        }
                    }
                }
            }))
            @for told in summary.proposing_told() {
                p.note { (told) }
            }
            (thrown_away(summary))
        }
    }
}

/// What was proposed and did not race, by rule, the most first.
fn thrown_away(summary: &RunSummary) -> Markup {
    let rules = summary.thrown_by_rule();
    if rules.is_empty() {
        return html! {};
    }
    let all: u64 = rules.iter().map(|rule| rule.count).sum();
    html! {
        details {
            summary { (grouped(all)) " proposed texts that did not race, and why" }
            (scrolling("Texts that did not race", &html! {
                table {
                    thead { tr {
                        th.l scope="col" { "why" } th scope="col" { "texts" } th.l scope="col" { "one of them" }
                    } }
                    tbody {
                        @for rule in &rules {
                            tr {
                                th.l.why scope="row" { (rule.rule) }
                                td { (grouped(rule.count)) }
                                td.l.wrap { (rule.example) }
                            }
                        }
                    }
                }
            }))
        }
    }
}

/// What the pseudo-labels were worth.
pub(super) fn votes(summary: &RunSummary) -> Markup {
    let Some(voted) = &summary.voted else {
        return html! {};
    };
    let share = |part: usize, of: usize| {
        if of == 0 {
            "–".to_owned()
        } else {
            format!("{:.0}%", 100.0 * part as f64 / of as f64)
        }
    };
    html! {
        section {
            h2 { "Pseudo-labels" }
            p {
                (voted.voters.len()) " prompts labelled " strong { (voted.kept) " of " (voted.inputs) }
                " target inputs (" (share(voted.kept, voted.inputs)) "): those whose winner had more than "
                (format!("{:.2}", voted.threshold)) " of the votes."
            }
            p {
                @match (vote_notes::accuracy(voted), voted.source_accuracy) {
                    (Some(accuracy), _) => {
                        "Such votes on labelled source examples: "
                        strong { (accuracy) }
                        "; voted labels weigh accordingly. On the target they may be right less often."
                    },
                    (None, Some(accuracy)) => {
                        "On labelled source examples such votes are right in "
                        strong { (format!("{:.1}%", accuracy * 100.0)) }
                        " of cases; voted labels weigh accordingly. On the target they may be right less often."
                    },
                    _ => "None of the votes on labelled source examples was kept, so these could not be checked and weigh nothing.",
                }
                @if let Some(voices) = vote_notes::voices(voted) { " " (voices) "." }
            }
            (scrolling("Votes by class", &html! {
                table {
                    thead { tr {
                        th.l scope="col" { "class" } th scope="col" { "inputs won" }
                        th scope="col" { "kept" } th scope="col" { "acceptance" }
                    } }
                    tbody {
                        @for class in &voted.classes {
                            tr {
                                th.l scope="row" { (class.label) }
                                td { (class.won) } td { (class.kept) }
                                td { (share(class.kept, class.won)) }
                            }
                        }
                    }
                }
            }))
            details {
                summary { "Agreement and voters" }
                (agreement(voted))
                ul {
                    @for id in &voted.voters {
                        li { code { (format!("{id:#}")) } " " (text_of(summary, *id)) }
                    }
                }
            }
        }
    }
}

/// How many inputs had which share of the votes.
fn agreement(voted: &VoteSummary) -> Markup {
    let mut shares: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
    for vote in &voted.votes {
        let entry = shares
            .entry((vote.share * 1000.0).round() as u32)
            .or_default();
        entry.0 += 1;
        entry.1 += usize::from(vote.kept);
    }
    html! {
        (scrolling("Agreement of the voters", &html! {
            table {
                thead { tr { th.l scope="col" { "winner's share of the votes" } th scope="col" { "inputs" } th scope="col" { "kept" } } }
                tbody {
                    @for (share, (inputs, kept)) in shares.iter().rev() {
                        tr {
                            th.l scope="row" { (format!("{:.0}%", f64::from(*share) / 10.0)) }
                            td { (inputs) } td { (kept) }
                        }
                    }
                }
            }
        }))
    }
}

/// What the selected prompt was made from.
pub(super) fn descent(summary: &RunSummary) -> Markup {
    let ancestors = lineage(summary);
    if ancestors.len() < 2 {
        return html! {};
    }
    html! {
        section {
            h2 { "Lineage" }
            p.note { "The selected prompt first, what it was made from indented below, with what changed at each step." }
            ul.tree {
                @for ancestor in &ancestors {
                    li style=(format!("margin-left:{}rem", ancestor.depth.min(6))) {
                        code { (format!("{:#}", ancestor.id)) } " " span.dim { (ancestor.standing.origin) }
                        br;
                        (step(summary, ancestor.standing))
                    }
                }
            }
        }
    }
}

/// A prompt against the first of its parents.
fn step(summary: &RunSummary, standing: &CandidateStanding) -> Markup {
    let text = flat(&standing.prompt);
    let parent = standing
        .parents
        .first()
        .and_then(|id| summary.candidates.get(id));
    html! {
        @match parent {
            Some(parent) => (diff(&pieces(&flat(&parent.prompt), &text))),
            None => (text),
        }
    }
}

/// Every prompt that raced, the best last score first, with the race it is of: scores of
/// different races are on different examples.
pub(super) fn candidates(summary: &RunSummary) -> Markup {
    if summary.candidates.is_empty() {
        return html! {};
    }
    let races = summary.last_races();
    let race = |id: &PromptId| races.get(id).and_then(|at| summary.phases.get(*at));
    let mut rows: Vec<(&PromptId, &CandidateStanding)> = summary.candidates.iter().collect();
    rows.sort_by(|a, b| {
        let key = |row: &(&PromptId, &CandidateStanding)| {
            (
                Some(*row.0) == summary.selected,
                row.1.kept && row.1.score.is_some(),
                row.1.score.unwrap_or(f64::NEG_INFINITY),
            )
        };
        let (a, b) = (key(a), key(b));
        (b.0, b.1).cmp(&(a.0, a.1)).then(b.2.total_cmp(&a.2))
    });
    html! {
        section {
            h2 { "Candidates" }
            details {
                summary { "All " (rows.len()) " prompts that raced" }
                (scrolling("Candidates", &html! {
                    table {
                        thead { tr {
                            th.l scope="col" { "prompt" } th.l scope="col" { "origin" }
                            th.l scope="col" { "last race" } th scope="col" { "last score" }
                            th.l scope="col" { "state" }
                        } }
                        tbody {
                            @for (id, standing) in rows {
                                tr {
                                    th.l.wrap scope="row" {
                                        code { (format!("{id:#}")) } " "
                                        (flat(&standing.prompt))
                                    }
                                    td.l { (standing.origin) }
                                    td.l { @match race(id) { Some(phase) => (phase.phase), None => "–" } }
                                    td { (points(standing.score)) }
                                    td.l.wrap {
                                        @if Some(*id) == summary.selected { strong { "selected" } " · " }
                                        @else if standing.score.is_none() { "never scored" }
                                        @else if standing.kept { "kept · " }
                                        @else { "left · " }
                                        @if let Some(reason) = &standing.reason { (reason) }
                                    }
                                }
                            }
                        }
                    }
                }))
                p.note { "A score is the objective's value in the last race of that prompt, in points; prompts that left early were scored on other examples than the finalists." }
            }
        }
    }
}

fn text_of(summary: &RunSummary, id: PromptId) -> String {
    summary
        .candidates
        .get(&id)
        .map_or_else(|| "(not told)".into(), |standing| flat(&standing.prompt))
}

fn points(score: Option<f64>) -> String {
    score.map_or_else(|| "–".into(), |score| format!("{:.1}", score * 100.0))
}
