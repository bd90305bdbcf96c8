//! One run from verdict to reproduction.

use maud::{Markup, html};
use shiftproof_search::event::{AuditedPrompt, GroupOutcome};

use super::charts::{DotPlotRow, dot_plot};
use super::{cost, failures};
use super::{diff, figure, scrolling, search, sentence};
use crate::report::capital;
use crate::report::facts::{budget_ending, gaps, machine, regressed};
use crate::report::{
    NamedRun, RunSummary, VerdictTone, difference, grouped, money, score, spread, worst,
};
use crate::wording::word_diff::{flat, pieces};

/// A page's body.
pub(super) fn whole(run: &NamedRun) -> Markup {
    html! {
        header {
            p.kind { "shiftproof report" }
            h1 { (run.name) }
            (subtitle(&run.summary))
        }
        (sections(run))
    }
}

/// One of several runs on a page, folded up but for its verdict.
pub(super) fn folded(run: &NamedRun, index: usize) -> Markup {
    html! {
        details.run id=(format!("run-{}", index + 1)) {
            summary {
                h2 { (run.name) }
                " " span.dim { (capital(&run.summary.verdict().sentence)) "." }
            }
            (subtitle(&run.summary))
            (sections(run))
        }
    }
}

fn subtitle(summary: &RunSummary) -> Markup {
    html! {
        @if let Some(started) = &summary.started {
            p.dim {
                "study " (started.study) " · " (started.method) " · " (started.metric)
                " · objective " (started.objective) " · seed " (started.seed)
                " · " (machine(&started.task_model))
            }
        }
    }
}

fn sections(run: &NamedRun) -> Markup {
    let summary = &run.summary;
    let Some(started) = &summary.started else {
        return html! { p { "This run has not begun." } };
    };
    html! {
        (verdict(summary))
        (figures(summary))
        (prompt(summary))
        (scores(summary))
        (failures::section(run))
        (transfer(summary))
        (search::curve(summary))
        (search::votes(summary))
        (search::descent(summary))
        (search::candidates(summary))
        (cost::section(summary, started))
        (cost::reproduce(started, &run.study))
    }
}

fn verdict(summary: &RunSummary) -> Markup {
    let verdict = summary.verdict();
    // A word and a sign of its own for each: colour alone would not do.
    let (class, mark) = match verdict.tone {
        VerdictTone::Better => ("t-better", "▲"),
        VerdictTone::WithinChance => ("t-within", "△"),
        VerdictTone::NotBetter => ("t-not", "="),
        VerdictTone::Worse => ("t-worse", "▼"),
        VerdictTone::Unverified => ("t-open", "?"),
        VerdictTone::Open => ("t-open", "…"),
    };
    html! {
        section class=(format!("verdict {class}")) {
            p.lead { span.mark aria-hidden="true" { (mark) } " " (capital(&verdict.sentence)) "." }
            @if let Some(worst) = &summary.worst {
                p {
                    "Selected − seed: " strong { (difference(worst)) } " points on the " (summary.worst_name()) " group. "
                    "The bracket is a 95% interval on sealed examples that no choice was made on."
                }
            }
            @let losers = regressed(summary);
            @if !losers.is_empty() {
                p {
                    strong { "Worse beyond chance" } " on "
                    @for (index, row) in losers.iter().enumerate() {
                        @if index > 0 { ", " }
                        (row.group) " " (difference(row))
                    }
                    "."
                }
            }
            @if let Some(told) = budget_ending(summary) {
                p { (told) }
            }
            @for note in summary.told_notes() {
                p { strong { "Note: " } (sentence(&note)) }
            }
        }
    }
}

fn figures(summary: &RunSummary) -> Markup {
    let of = |contestant| summary.worst_of(contestant);
    let name = capital(summary.worst_name());
    html! {
        dl.figures {
            @if let (Some(seed), Some(selected)) = (of(AuditedPrompt::Seed), of(AuditedPrompt::Selected)) {
                div { dt { (name) ", seed" } dd { (points(seed)) small { (interval(seed)) " · " (seed.group) } } }
                div { dt { (name) ", selected" } dd { (points(selected)) small { (interval(selected)) " · " (selected.group) } } }
            }
            @if let Some(spent) = &summary.spent {
                div { dt { "Calls" } dd { (grouped(spent.calls)) small { (grouped(spent.tokens())) " tokens" } } }
                @if let Some(money) = money(spent) { div { dt { "Cost" } dd { (money) } } }
            }
            @if summary.ending.is_some() {
                div { dt { "Target labels read" } dd { (grouped(summary.target_labels_read)) small { "by the search; " (grouped(summary.audit_labels_read)) " by the audit" } } }
            }
        }
    }
}

fn prompt(summary: &RunSummary) -> Markup {
    let Some(selected) = summary.leader() else {
        return html! {};
    };
    let id = selected.prompt.id();
    let new = flat(&selected.prompt);
    let old = summary
        .seed()
        .and_then(|seed| summary.candidates.get(&seed))
        .map(|seed| flat(&seed.prompt));
    html! {
        section {
            h2 { "Prompt" }
            p.dim {
                @if summary.selected.is_some() { "Selected: " } @else { "Leading so far: " }
                code { (format!("{id:#}")) } " (" (selected.origin)
                @if let Some(reason) = &summary.reason { "; " (reason) }
                ")"
            }
            pre.prompt { (new) }
            @match old {
                Some(old) if old == new => p { "It is the seed prompt, unchanged." },
                Some(old) => {
                    h3 { "What changed" }
                    p.note { del { "struck out" } ": in the seed prompt only; " ins { "underlined" } ": new." }
                    div.prompt { (diff(&pieces(&old, &new))) }
                },
                None => {},
            }
        }
    }
}

fn scores(summary: &RunSummary) -> Markup {
    let (Some(seed), Some(selected)) = (
        summary.audited(AuditedPrompt::Seed),
        summary.audited(AuditedPrompt::Selected),
    ) else {
        return html! {
            section {
                h2 { "Groups" }
                p { (capital(&summary.verdict().sentence)) "." }
            }
        };
    };
    let ensemble = summary.audited(AuditedPrompt::Ensemble);
    let trio = format!("ensemble of {}", summary.ensemble.len());
    let mut series = vec!["seed prompt", "selected prompt"];
    series.extend(ensemble.map(|_| trio.as_str()));
    let contestants: Vec<&[GroupOutcome]> = [Some(seed), Some(selected), ensemble]
        .into_iter()
        .flatten()
        .collect();
    let mark = |group: &GroupOutcome| Some([group.value?, group.low?, group.high?]);
    let mut rows: Vec<DotPlotRow<'_>> = selected
        .iter()
        .map(|group| DotPlotRow {
            label: &group.group,
            note: format!("{}, n {}", group.role, group.n),
            marks: contestants
                .iter()
                .map(|scores| find(scores, &group.group).and_then(mark))
                .collect(),
        })
        .collect();
    rows.push(DotPlotRow {
        label: summary.worst_name(),
        note: "each prompt's own".into(),
        marks: contestants
            .iter()
            .map(|scores| worst(scores).and_then(mark))
            .collect(),
    });
    html! {
        section {
            h2 { "Groups" }
            figure {
                (dot_plot(&series, &rows, "Scores per group with 95% intervals; the table below has the same figures"))
                figcaption { "Score with 95% interval, in points, on the sealed audit." }
            }
            (scrolling("Scores per group", &score_table(summary, seed, selected, ensemble)))
        }
    }
}

fn score_table(
    summary: &RunSummary,
    seed: &[GroupOutcome],
    selected: &[GroupOutcome],
    ensemble: Option<&[GroupOutcome]>,
) -> Markup {
    // Named in every cell too: on a phone a row is a list.
    let trio = format!("ensemble of {}", summary.ensemble.len());
    let cell = |name: &str, group: Option<&GroupOutcome>| html! { td data-name=(name) { (figure(&group.map_or_else(|| "–".into(), score))) } };
    let wide = |name: &str, groups: &[GroupOutcome]| {
        let points = spread(groups).map(|spread| format!("{:.1}", spread * 100.0));
        html! { td data-name=(name) { (points.as_deref().unwrap_or("–")) } }
    };
    let losses = selected.iter().any(|group| group.unusable() > 0);
    let cut = selected.iter().any(|group| group.truncated > 0);
    let lost = if cut {
        "unparseable / truncated / failed"
    } else {
        "unparseable / failed"
    };
    html! {
        table.stack {
            thead { tr {
                th.l scope="col" { "group" }
                th scope="col" { "n" }
                th scope="col" { "seed" }
                th scope="col" { "selected" }
                th scope="col" { "selected − seed" }
                @if ensemble.is_some() { th scope="col" { (trio) } }
                @if losses { th scope="col" { (lost) } }
            } }
            tbody {
                @for group in selected {
                    tr {
                        th.l scope="row" { (group.group) small { (group.role) } }
                        td data-name="n" { (group.n) }
                        (cell("seed", find(seed, &group.group)))
                        (cell("selected", Some(group)))
                        td data-name="selected − seed" {
                            @match summary.compared.iter().find(|row| row.group == group.group) {
                                Some(row) => (figure(&difference(row))),
                                None => "–",
                            }
                        }
                        @if let Some(ensemble) = ensemble { (cell(&trio, find(ensemble, &group.group))) }
                        @if losses { td data-name=(lost) { (group.unparseable) " / " @if cut { (group.truncated) " / " } (group.failed) } }
                    }
                }
                tr.sum {
                    th.l scope="row" { (summary.worst_name()) }
                    td {}
                    (cell("seed", worst(seed)))
                    (cell("selected", worst(selected)))
                    td data-name="selected − seed" { (figure(&summary.worst.as_ref().map_or_else(|| "–".into(), difference))) }
                    @if let Some(ensemble) = ensemble { (cell(&trio, worst(ensemble))) }
                    @if losses { td {} }
                }
                @if selected.len() > 1 {
                    tr {
                        th.l scope="row" { "spread over groups" small { "best − worst" } }
                        td {}
                        (wide("seed", seed))
                        (wide("selected", selected))
                        td {}
                        @if let Some(ensemble) = ensemble { (wide(&trio, ensemble)) }
                        @if losses { td {} }
                    }
                }
            }
        }
    }
}

fn transfer(summary: &RunSummary) -> Markup {
    let gaps = gaps(summary);
    if gaps.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "From source to target" }
            (scrolling("Gap between source and target", &html! {
                table {
                    thead { tr {
                        th.l scope="col" { "target group" }
                        th scope="col" { "gap with the seed" }
                        th scope="col" { "gap with the selected prompt" }
                    } }
                    tbody {
                        @for gap in &gaps {
                            tr {
                                th.l scope="row" { (gap.group) }
                                td { (figure(&gap.seed.as_ref().map_or_else(|| "–".into(), difference))) }
                                td { (figure(&gap.selected.as_ref().map_or_else(|| "–".into(), difference))) }
                            }
                        }
                    }
                }
            }))
            p.note {
                "Mean of the source groups less the target group, in points; positive: the prompt does worse where the data shifted. "
                "A gap can grow because the source gained more; what counts is the table above."
            }
        }
    }
}

fn find<'a>(groups: &'a [GroupOutcome], name: &str) -> Option<&'a GroupOutcome> {
    groups.iter().find(|group| group.group == name)
}

fn points(group: &GroupOutcome) -> String {
    group
        .value
        .map_or_else(|| "–".into(), |value| format!("{:.1}", value * 100.0))
}

fn interval(group: &GroupOutcome) -> String {
    match (group.low, group.high) {
        (Some(low), Some(high)) => format!("[{:.0}, {:.0}]", low * 100.0, high * 100.0),
        _ => "no interval".into(),
    }
}
