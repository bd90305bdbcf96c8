//! The comparison as a page.

use maud::{Markup, html};

use super::rows::PairedScores;
use super::study::{CellRow, PaperRow, StudyComparison};
use super::text::{cost_cells, score_cells, steady};
use super::told::{AUDIT_USED, BELOW_SEED, HOW_TO_READ, MethodComparison};
use crate::report::html::{RisingLine, figure, page, points, rising_lines, scrolling};
use crate::report::{difference, machine};

pub(super) fn report(comparison: &MethodComparison) -> String {
    let seeds: Vec<String> = comparison.seeds.iter().map(u64::to_string).collect();
    let body = html! {
        header {
            p.kind { "shiftproof comparison" }
            h1 { "Methods at equal budgets" }
            p.dim {
                "random seeds " (seeds.join(", "))
                @if comparison.library { " · with the library of generic prompts" }
            }
        }
        @for study in &comparison.studies { (section(study)) }
        @if comparison.has_scores() {
            p.note { (HOW_TO_READ) " " (BELOW_SEED) }
            p.note { (AUDIT_USED) }
        }
    };
    page("Methods compared · shiftproof", &body)
}

fn section(study: &StudyComparison) -> Markup {
    html! {
        section {
            h2 { (study.study) }
            p.dim {
                @if let Some(fact) = &study.metric { (fact) " · " }
                @if let Some(model) = &study.task_model { (machine(model)) " · " }
                (study.limits) " a cell"
            }
            @for caution in &study.cautions {
                p.caution { strong { "Caution. " } (caution) }
            }
            @if study.has_scores() {
                (scrolling(&format!("{}: scores", study.study), &scores(study)))
                @if let Some(sentence) = study.best_others() { p.note { (sentence) } }
                (curves(study))
                h3 { "Cost" }
                (scrolling(&format!("{}: cost", study.study), &costs(study)))
                @if let Some(sentence) = study.level_told() { p.note { (sentence) } }
                h3 { "By group" }
                (scrolling(&format!("{}: by group", study.study), &by_group(study)))
                p.note { "Top 1 is the selected prompt, Ensemble the finalists' vote; beneath each mean the lowest to the highest of its runs." }
            }
            (cells(study))
        }
    }
}

fn scores(study: &StudyComparison) -> Markup {
    let both = |scores: Option<&PairedScores>| {
        html! {
            @match scores {
                Some(scores) => {
                    (figure(&difference(&scores.worst)))
                    small { "mean " (difference(&scores.mean)) }
                },
                None => "–",
            }
        }
    };
    html! {
        table {
            thead { tr {
                th.l scope="col" { "method" }
                th scope="col" { "runs" }
                th scope="col" { (study.mean_name()) }
                th scope="col" { (study.worst_name) }
                th scope="col" { "− seed prompt" small { (study.worst_name) } }
                th scope="col" { "− best other" small { (study.worst_name) } }
                th scope="col" { "below seed" }
            } }
            tbody {
                tr {
                    th.l scope="row" { "seed prompt" }
                    td { "–" }
                    td { (steady(study.seed_mean)) }
                    td { (steady(study.seed_worst)) }
                    td {} td {} td {}
                }
                @for row in &study.rows {
                    @let cells = score_cells(row);
                    tr {
                        th.l scope="row" { (row.method) }
                        td { (cells[1]) }
                        td { (points(row.mean.as_ref(), false)) }
                        td { (points(row.worst.as_ref(), false)) }
                        td { (both(row.over_seed.as_ref())) }
                        td {
                            (both(row.over_other.as_ref().map(|other| &other.scores)))
                            @if let Some(other) = &row.over_other { small { "to " (other.method) } }
                        }
                        td { (cells[6]) }
                    }
                }
            }
        }
    }
}

fn curves(study: &StudyComparison) -> Markup {
    let lines: Vec<RisingLine<'_>> = study
        .curves
        .iter()
        .map(|curve| RisingLine {
            label: &curve.method,
            points: curve
                .points
                .iter()
                .map(|point| (point.calls, point.score))
                .collect(),
        })
        .collect();
    if lines.is_empty() {
        return html! {};
    }
    let ends: Vec<String> = study
        .curves
        .iter()
        .filter_map(|curve| {
            let last = curve.points.last()?;
            Some(format!(
                "{} {:.1} after {} calls",
                curve.method,
                last.score * 100.0,
                last.calls
            ))
        })
        .collect();
    let summary = format!("Score of the leader against calls: {}", ends.join("; "));
    let level = study.level.map(|level| ("level", level));
    html! {
        figure {
            (rising_lines(&lines, "calls", level, &summary))
            figcaption {
                "Score of the leader against the calls spent, the mean over random seeds, from where every run has a leader. "
                "It is the objective as the search estimates it, on its own examples: it falls where a later race knows better, and it is not the audit's."
            }
        }
    }
}

fn costs(study: &StudyComparison) -> Markup {
    html! {
        table {
            thead { tr {
                th.l scope="col" { "method" }
                @for head in ["calls", "tokens", "money", "calls to the level"] {
                    th scope="col" { (head) }
                }
            } }
            tbody {
                @for row in &study.rows {
                    @let [method, rest @ ..] = cost_cells(row);
                    tr {
                        th.l scope="row" { (method) }
                        @for cell in rest { td { (cell) } }
                    }
                }
            }
        }
    }
}

fn by_group(study: &StudyComparison) -> Markup {
    let row = |row: &PaperRow| {
        html! {
            tr {
                th.l scope="row" { (row.method) }
                @for (top, ensemble) in row.top.iter().zip(&row.ensemble) {
                    td { (points(top.as_ref(), false)) }
                    td { (points(ensemble.as_ref(), false)) }
                }
            }
        }
    };
    html! {
        table {
            thead {
                tr {
                    th.l scope="col" rowspan="2" { "method" }
                    @for (group, role) in &study.groups {
                        th scope="colgroup" colspan="2" { (group) small { (role) } }
                    }
                }
                tr {
                    @for _ in &study.groups {
                        th scope="col" { "Top 1" }
                        th scope="col" { "Ensemble" }
                    }
                }
            }
            tbody { @for one in &study.by_group { (row(one)) } }
        }
    }
}

fn cells(study: &StudyComparison) -> Markup {
    let told = |cell: &CellRow| match cell.worst {
        Some(worst) => format!("{:.1}", worst * 100.0),
        None if cell.state == "finished" => "–".to_owned(),
        None => cell.told(),
    };
    let missing = study.missing().count();
    html! {
        details open[missing > 0] {
            summary {
                (study.cells.len()) " runs"
                @if missing > 0 { ", " (missing) " of them not in the table" }
            }
            (scrolling(&format!("{}: runs", study.study), &html! {
                table {
                    thead { tr {
                        th.l scope="col" { "method" }
                        th scope="col" { "random seed" }
                        th.l scope="col" { "run" }
                        th.l scope="col" { (study.worst_name) ", or what became of it" }
                    } }
                    tbody {
                        @for cell in &study.cells {
                            tr {
                                th.l scope="row" { (cell.method) }
                                td { (cell.seed) }
                                td.l { (cell.run.as_deref().unwrap_or("–")) }
                                td.l.wrap { (told(cell)) }
                            }
                        }
                    }
                }
            }))
        }
    }
}
