//! The decision as one HTML page.

use maud::{Markup, html};
use shiftproof_search::stats::BoundedDifference;

use super::{GateReport, JudgedPrompt, ScoredPrompt, points, score, state_name};
use crate::commands::score::origin;
use crate::report::html::{DotPlotRow, diff, dot_plot, page, scrolling};
use crate::report::{estimated, grouped};
use crate::wording::unusable::counts;
use crate::wording::word_diff::{flat, pieces};

impl GateReport {
    /// The report as a page that needs nothing beside it.
    pub fn html(&self) -> String {
        let headline = self.decision.headline();
        let body = html! {
            h1 { "Prompt gate " (self.study) ": " (headline) }
            p.verdict { (self.reason) }
            @for note in &self.notes {
                p { strong { "Note: " } (note) }
            }
            @for candidate in &self.candidates {
                (self.candidate(candidate))
            }
            @if self.candidates.is_empty() {
                section {
                    h2 { "Scores" }
                    (alone(&self.incumbent))
                }
            }
            section {
                h2 { "How it was decided" }
                p {
                    "Points of " (self.metric) ", robust score: " (self.demand.objective)
                    ". Differences are paired on the same sealed examples. Each bound alone holds with "
                    (format!("{:.1}%", 100.0 * (1.0 - self.demand.level)))
                    " confidence; a candidate ships where all its demands hold at once (Holm over candidates), and what is said of single groups holds together (Holm). A group may lose "
                    (score(self.demand.tolerance)) " points."
                }
                p {
                    "Model " (self.model) ". " (grouped(self.audit.target_labels_read))
                    " target labels read. Spent " (grouped(self.spent.calls)) " calls, "
                    (grouped(self.spent.tokens())) " tokens: " (origin(self.spent, self.sent)) "."
                    @if let Some(told) = estimated(&self.spent) { " " (told) }
                }
            }
        };
        page(&format!("{}: {headline} · shiftproof", self.study), &body)
    }

    fn candidate(&self, candidate: &JudgedPrompt) -> Markup {
        let contender = &candidate.contender;
        let (before, after) = (flat(&self.incumbent.prompt), flat(&contender.prompt));
        let rows: Vec<DotPlotRow<'_>> = candidate
            .compared
            .iter()
            .map(|row| DotPlotRow {
                label: &row.group,
                note: format!("{} · {} pairs", row.role, row.pairs),
                marks: [&self.incumbent, contender]
                    .map(|c| ends(c, &row.group))
                    .into(),
            })
            .collect();
        html! {
            section {
                h2 { "Candidate " (format!("{:#}", contender.id)) }
                @if contender.id != self.incumbent.id {
                    div.prompt { (diff(&pieces(&before, &after))) }
                }
                (dot_plot(
                    &["incumbent", "candidate"],
                    &rows,
                    "Scores of incumbent and candidate per group with 95% intervals; the table below has the figures.",
                ))
                (scrolling("Incumbent and candidate per group", &self.table(candidate)))
            }
        }
    }

    fn table(&self, candidate: &JudgedPrompt) -> Markup {
        let value = |c: &ScoredPrompt, group: &str| {
            let found = c.groups.iter().find(|g| g.group == group);
            found.and_then(|g| g.value).map_or_else(dash, score)
        };
        let whole = |c: &ScoredPrompt| c.score.map_or_else(dash, score);
        html! {
            table {
                thead { tr {
                    th scope="col" { "group" }
                    th scope="col" { "role" }
                    th scope="col" { "pairs" }
                    th scope="col" { "incumbent" }
                    th scope="col" { "candidate" }
                    th scope="col" { "difference [bounds]" }
                    th scope="col" { "judgement" }
                } }
                tbody {
                    @for row in &candidate.compared {
                        tr {
                            th scope="row" { (row.group) }
                            td { (row.role) }
                            td { (row.pairs) }
                            td { (value(&self.incumbent, &row.group)) }
                            td { (value(&candidate.contender, &row.group)) }
                            td { (bounds(row.difference.as_ref())) }
                            td { (state_name(row.state)) (trouble(&candidate.contender, &row.group)) }
                        }
                    }
                    tr {
                        th scope="row" { "robust score" }
                        td { (self.demand.objective) }
                        td {}
                        td { (whole(&self.incumbent)) }
                        td { (whole(&candidate.contender)) }
                        td { (bounds(candidate.robust.as_ref())) }
                        td { @if let Some(robust) = candidate.robust {
                            "p = " (format!("{:.4}", robust.p))
                        } }
                    }
                }
            }
        }
    }
}

/// One prompt's groups, compared with nothing.
fn alone(contender: &ScoredPrompt) -> Markup {
    let table = html! {
        table {
            thead { tr {
                th scope="col" { "group" }
                th scope="col" { "role" }
                th scope="col" { "n" }
                th scope="col" { "score" }
            } }
            tbody {
                @for group in &contender.groups {
                    tr {
                        th scope="row" { (group.group) }
                        td { (group.role) (counts(group)) }
                        td { (group.n) }
                        td { (crate::report::score(group)) }
                    }
                }
            }
        }
    };
    scrolling("Scores per group", &table)
}

/// Counts of a group's answers that cannot be used.
fn trouble(contender: &ScoredPrompt, group: &str) -> String {
    let found = contender.groups.iter().find(|g| g.group == group);
    found.map_or_else(String::new, counts)
}

fn ends(contender: &ScoredPrompt, group: &str) -> Option<[f64; 3]> {
    let found = contender.groups.iter().find(|g| g.group == group)?;
    Some([found.value?, found.low?, found.high?])
}

fn bounds(difference: Option<&BoundedDifference>) -> String {
    difference.map_or_else(dash, |d| {
        format!(
            "{} [{}, {}]",
            points(d.estimate),
            points(d.lower),
            points(d.upper)
        )
    })
}

fn dash() -> String {
    "–".into()
}
