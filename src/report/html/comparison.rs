//! Several runs side by side.

use maud::{Markup, html};

use super::charts::{DotPlotRow as PlotRow, dot_plot};
use super::scrolling;
use crate::report::compare::{RunComparison, SeedSpread};
use crate::report::{NamedRun, grouped};
use shiftproof_search::event::AuditedPrompt;

pub(super) fn section(comparison: &RunComparison, runs: &[NamedRun]) -> Markup {
    html! {
        header {
            p.kind { "shiftproof comparison" }
            h1 { (runs.len()) " runs" }
        }
        @for caution in &comparison.cautions {
            p.caution { strong { "Caution. " } (caution) }
        }
        section {
            h2 { "Means over seeds" }
            (scrolling("Means over seeds", &table(comparison)))
            p.note {
                "Points of a hundred on the sealed audit, mean ± standard deviation over runs (lowest to highest below). \
                 The audit's examples are the same for every seed, so the spread is that of the search, not of the examples."
            }
        }
        section {
            h2 { "Worst target group, run by run" }
            (plot(runs))
        }
    }
}

fn table(comparison: &RunComparison) -> Markup {
    html! {
        table {
            thead { tr {
                th.l scope="col" { "method" }
                th scope="col" { "runs" }
                @for (name, role) in &comparison.groups {
                    th scope="col" { (name) small { (role) } }
                }
                th scope="col" { "worst target" }
                th scope="col" { "selected − seed" small { "worst target" } }
                th scope="col" { "calls" }
            } }
            tbody {
                @for row in &comparison.rows {
                    tr {
                        th.l scope="row" { (row.label) }
                        td { (row.runs.len()) }
                        @for spread in &row.groups { td { (points(spread.as_ref(), false)) } }
                        td { (points(row.worst.as_ref(), false)) }
                        td { (points(row.gain.as_ref(), true)) }
                        td {
                            @match row.calls {
                                Some(calls) => (grouped(calls.mean.round() as u64)),
                                None => "–",
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A mean over seeds with its range.
pub(crate) fn points(spread: Option<&SeedSpread>, sign: bool) -> Markup {
    html! {
        @match spread {
            Some(spread) => {
                (spread.points(sign))
                @if spread.n > 1 {
                    @let (min, max) = (spread.min * 100.0, spread.max * 100.0);
                    small {
                        @if sign { (format!("{min:+.1} to {max:+.1}")) }
                        @else { (format!("{min:.1} to {max:.1}")) }
                    }
                }
            },
            None => "–",
        }
    }
}

fn plot(runs: &[NamedRun]) -> Markup {
    let rows: Vec<PlotRow<'_>> = runs
        .iter()
        .filter_map(|run| {
            let mark = |contestant| {
                let group = run.summary.worst_of(contestant)?;
                Some([group.value?, group.low?, group.high?])
            };
            let started = run.summary.started.as_ref()?;
            let selected = mark(AuditedPrompt::Selected)?;
            Some(PlotRow {
                label: &run.name,
                note: format!("{}, seed {}", started.method, started.seed),
                marks: vec![mark(AuditedPrompt::Seed), Some(selected)],
            })
        })
        .collect();
    html! {
        figure {
            (dot_plot(&["seed prompt", "selected prompt"], &rows, "Worst target group of every run, the figures are in the runs' own tables below"))
            figcaption { "Score of each run's worst target group with its 95% interval, in points." }
        }
    }
}
