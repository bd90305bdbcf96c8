//! The report as a page: scores over the days, with the moments of alarm, labelling and
//! update.

use maud::{Markup, html};
use shiftproof_search::stats::wilson;

use super::text::cells;
use super::{DayRecord, DriftReport};
use crate::report::html::page;
use crate::wording::shown::visible;

/// Pixels of the field.
const FIELD: f64 = 220.0;
/// Pixels above it for marks.
const TOP: f64 = 40.0;
/// Per cent of the width before the first and behind the last day.
const LEFT: f64 = 8.0;
const RIGHT: f64 = 4.0;

impl DriftReport {
    /// The report as a page without a script.
    pub fn html(&self) -> String {
        let title = format!("{} · drift", self.study);
        let body = html! {
            h1 { (visible(&self.last_line())) }
            p {
                (self.study) " · prompt " code { (format!("{:#}", self.prompt)) } " · " (self.metric)
                " · " (self.model) " · day " (visible(&self.batch)) ", " (self.stream()) " so far"
            }
            @for told in self.told() { p { (told) } }
            @if !self.next.is_empty() { pre { (self.next.join("\n")) } }
            @for group in &self.groups {
                @if self.days.iter().any(|day| day.groups.contains_key(&group.group)) {
                    section {
                        h2 { (visible(&group.group)) }
                        (chart(&group.group, group.reference.map(|(score, _)| score), &self.days))
                    }
                }
            }
            table {
                thead { tr {
                    @for head in ["group", "committed", "last day", "all days", "score fell", "answers moved"] {
                        th { (head) }
                    }
                } }
                tbody {
                    @for group in &self.groups {
                        tr { @for cell in cells(group) { td { (cell) } } }
                    }
                }
            }
            @if let Some(days) = self.day_table() {
                table {
                    thead { tr { @for head in &days.head { th { (head) } } } }
                    tbody { @for row in &days.rows { tr { @for cell in row { td { (cell) } } } } }
                }
            }
            p {
                "The chance of any false alarm over all days, groups and kinds is " (self.alpha)
                ". Bars in the charts: 95% intervals of the day alone; the interval of all days \
                 holds on all days at once. Evidence is the capital of a wager against no change."
            }
            @for note in &self.notes { p { (visible(note)) } }
        };
        page(&title, &body)
    }
}

/// One group's scores over the days.
fn chart(group: &str, reference: Option<f64>, days: &[DayRecord]) -> Markup {
    let places = days.len().max(2) - 1;
    let x = |day: usize| {
        let share = day as f64 / places as f64;
        format!("{:.2}%", LEFT + share * (100.0 - LEFT - RIGHT))
    };
    let y = |score: f64| format!("{:.1}", TOP + (1.0 - score) * FIELD);
    let scores: Vec<Option<[f64; 3]>> = days
        .iter()
        .map(|day| {
            let count = day.groups.get(group)?;
            let score = count.score()?;
            let interval = wilson(count.right, count.labels, 0.95);
            Some([score, interval.low, interval.high])
        })
        .collect();
    let marks: Vec<Vec<&str>> = (0..days.len()).map(|at| marks(group, days, at)).collect();
    let told: Vec<String> = (0..days.len())
        .map(|at| {
            let score =
                scores[at].map_or("no label".to_owned(), |s| format!("{:.0}", s[0] * 100.0));
            format!("{} {score} {}", days[at].batch, marks[at].join(", "))
        })
        .collect();
    let summary = format!("Scores of {group} by day: {}", told.join("; "));
    html! {
        svg.plot role="img" aria-label=(summary) height=(format!("{:.0}", TOP + FIELD + 24.0)) {
            @for tick in [0, 25, 50, 75, 100] {
                @let at = y(f64::from(tick) / 100.0);
                line.grid x1=(x(0)) x2="100%" y1=(at) y2=(at) {}
                text.dim x="6.5%" y=(at) dy="4" text-anchor="end" { (tick) }
            }
            @if let Some(score) = reference {
                line x1=(x(0)) x2="100%" y1=(y(score)) y2=(y(score))
                    style="stroke:var(--dim);stroke-width:1;stroke-dasharray:2 4" {}
                text.dim x="100%" y=(y(score)) dy="-4" text-anchor="end" { "when committed" }
            }
            @for (at, day) in days.iter().enumerate() {
                @if at > 0 && days[at - 1].prompt != day.prompt {
                    line x1=(x(at)) x2=(x(at)) y1=(y(1.0)) y2=(y(0.0))
                        style="stroke:var(--pick);stroke-width:1" {}
                }
                @if let Some([score, low, high]) = scores[at] {
                    line x1=(x(at)) x2=(x(at)) y1=(y(low)) y2=(y(high)) style="stroke:var(--ink);stroke-width:1" {}
                    circle cx=(x(at)) cy=(y(score)) r="4" style=(fill(&marks[at])) {}
                    @if let Some([before, ..]) = at.checked_sub(1).and_then(|at| scores[at]) {
                        line x1=(x(at - 1)) y1=(y(before)) x2=(x(at)) y2=(y(score))
                            style="stroke:var(--ink);stroke-width:2" {}
                    }
                }
                @for (row, mark) in marks[at].iter().enumerate() {
                    text x=(x(at)) y=(12 * (row + 1)) text-anchor="middle" { (mark) }
                }
                text.dim x=(x(at)) y=(format!("{:.0}", TOP + FIELD + 18.0)) text-anchor="middle" {
                    (visible(&day.batch))
                }
            }
        }
    }
}

fn fill(marks: &[&str]) -> &'static str {
    if marks.contains(&"alarm") {
        "fill:var(--bad)"
    } else {
        "fill:var(--ink)"
    }
}

/// What happened on a day: an alarm that is new, labels, another prompt.
fn marks<'a>(group: &str, days: &[DayRecord], at: usize) -> Vec<&'a str> {
    let own = |day: &DayRecord| {
        let ends = |mark: &String| mark.split_once(':').is_some_and(|(_, of)| of == group);
        day.alarms.iter().any(ends)
    };
    let (day, before) = (&days[at], at.checked_sub(1).map(|at| &days[at]));
    let is_update = before.is_some_and(|before| before.prompt != day.prompt);
    let is_new = before.is_none_or(|before| is_update || !own(before));
    [
        ("update", is_update),
        ("alarm", own(day) && is_new),
        ("labels", day.labelled),
    ]
    .into_iter()
    .filter(|(_, is)| *is)
    .map(|(mark, _)| mark)
    .collect()
}
