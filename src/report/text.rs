//! The summary as text for a terminal.

use std::fmt::{self, Write as _};

use shiftproof_search::budget::Spend;
use shiftproof_search::event::{AuditedPrompt, GroupOutcome, ScoreDifference};
use shiftproof_tasks::Metric;

use super::compare::RunComparison;
use super::facts::{budget_ending, machine};
use super::{NamedRun, RunSummary, capital, ends, worst};
use crate::wording::shown::{line, visible};
use crate::wording::table::{TextColumn, TextTable};
use crate::wording::unusable::counts;
use crate::wording::word_diff::flat;

impl RunSummary {
    /// The final report: per-group table, selected prompt, cost.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let Some(started) = &self.started else {
            return Ok(());
        };
        writeln!(
            out,
            "{} · {} · {} · objective {} · seed {}",
            started.study, started.method, started.metric, started.objective, started.seed
        )?;
        writeln!(out, "task model {}", machine(&started.task_model))?;
        if started.proposer_model != started.task_model {
            writeln!(out, "proposer   {}", machine(&started.proposer_model))?;
        }
        for told in self.proposing_told() {
            writeln!(out, "{told}")?;
        }
        self.write_vote(out)?;
        self.write_table(out)?;
        super::baselines::write(&started.metric, &self.baselines, out)?;
        self.write_verdict(out)?;
        for note in self.told_notes() {
            writeln!(out, "Note: {}", visible(&note))?;
        }
        if let (Some(prompt), Some(id)) = (self.selected_prompt(), self.selected) {
            let origin = self
                .candidates
                .get(&id)
                .map(|standing| standing.origin.to_string());
            writeln!(
                out,
                "\nSelected prompt {id:#} ({}; {})",
                origin.unwrap_or_default(),
                self.reason.as_deref().unwrap_or("")
            )?;
            for line in flat(prompt).lines() {
                writeln!(out, "{}", format!("  {}", visible(line)).trim_end())?;
            }
        }
        if let Some(spent) = &self.spent {
            write!(
                out,
                "\nSpent {} calls, {} tokens",
                grouped(spent.calls),
                grouped(spent.tokens())
            )?;
            if let Some(money) = money(spent) {
                write!(out, ", {money}")?;
            }
            writeln!(
                out,
                ". Target labels read by the search: {}; by the audit: {}.",
                self.target_labels_read, self.audit_labels_read
            )?;
            let told = [estimated(spent), unanswered(&self.unanswered)];
            for sentence in told.into_iter().flatten() {
                writeln!(out, "{sentence}")?;
            }
        }
        if let Some(told) = budget_ending(self) {
            writeln!(out, "{told}")?;
        }
        Ok(())
    }

    fn write_vote(&self, out: &mut String) -> fmt::Result {
        let Some(voted) = &self.voted else {
            return Ok(());
        };
        write!(
            out,
            "\nVote: {} prompts labelled {} of {} target inputs (share of votes > {:.2})",
            voted.voters.len(),
            voted.kept,
            voted.inputs,
            voted.threshold
        )?;
        for class in &voted.classes {
            write!(out, "; {} {}/{}", line(&class.label), class.kept, class.won)?;
        }
        writeln!(out)
    }

    fn write_table(&self, out: &mut String) -> fmt::Result {
        let (Some(seed), Some(selected)) = (
            self.audited(AuditedPrompt::Seed),
            self.audited(AuditedPrompt::Selected),
        ) else {
            return writeln!(out, "\n{}.", capital(&self.verdict().sentence));
        };
        let metric = self.started.as_ref().map_or("", |started| &started.metric);
        let shown = |group: &GroupOutcome| score_as(metric, group);
        let ensemble = self.audited(AuditedPrompt::Ensemble);
        let mut columns = vec![
            TextColumn::left().at_least(18),
            TextColumn::right().at_least(4),
        ];
        columns.extend([15, 15, 17].map(|least| TextColumn::right().at_least(least)));
        columns.extend(ensemble.map(|_| TextColumn::right().at_least(15)));
        columns.push(TextColumn::left());
        let mut table = TextTable::new(columns);
        let mut row = |cells: [String; 5], voted: Option<String>, remark: Option<String>| {
            let cells = cells
                .into_iter()
                .chain(voted.filter(|_| ensemble.is_some()));
            table.row(cells.chain(remark));
        };
        row(
            ["group", "n", "seed", "selected", "selected − seed"].map(str::to_owned),
            Some(format!("ensemble of {}", self.ensemble.len())),
            None,
        );
        for group in selected {
            let of = |groups: &[GroupOutcome]| {
                groups
                    .iter()
                    .find(|other| other.group == group.group)
                    .map_or_else(|| "-".into(), shown)
            };
            let delta = self.compared.iter().find(|row| row.group == group.group);
            let mut remark = group.role.to_string();
            remark.push_str(&counts(group));
            row(
                [
                    group.group.clone(),
                    group.n.to_string(),
                    of(seed),
                    of(selected),
                    delta.map_or_else(|| "-".into(), difference),
                ],
                ensemble.map(of),
                Some(remark),
            );
        }
        let of = |groups: &[GroupOutcome]| worst(groups).map_or_else(|| "-".into(), shown);
        let least = self.worst.as_ref().map_or_else(|| "-".into(), difference);
        row(
            [
                self.worst_name().into(),
                String::new(),
                of(seed),
                of(selected),
                least,
            ],
            ensemble.map(of),
            None,
        );
        if selected.len() > 1 {
            let of =
                |groups: &[GroupOutcome]| spread_as(metric, groups).unwrap_or_else(|| "-".into());
            row(
                [
                    "spread over groups".into(),
                    String::new(),
                    of(seed),
                    of(selected),
                    "-".into(),
                ],
                ensemble.map(of),
                None,
            );
        }
        write!(out, "\n{}", table.text())?;
        writeln!(
            out,
            "Brackets: 95% intervals on sealed examples that no choice was made on."
        )
    }

    fn write_verdict(&self, out: &mut String) -> fmt::Result {
        if self.worst.is_none() {
            return Ok(());
        }
        writeln!(out, "Verdict: {}.", self.verdict().sentence)
    }
}

/// The comparison as a table, then each run's report.
pub(super) fn comparison(comparison: &RunComparison, runs: &[NamedRun]) -> String {
    let mut head: Vec<String> = vec!["method".into(), "runs".into()];
    head.extend(comparison.groups.iter().map(|group| group.0.clone()));
    head.extend(["worst target", "selected − seed", "calls"].map(str::to_owned));
    let figures = std::iter::repeat_n(TextColumn::right(), head.len() - 1);
    let mut table = TextTable::new(std::iter::once(TextColumn::left()).chain(figures));
    table.row(head);
    for row in &comparison.rows {
        let points = |spread: &Option<_>| -> String {
            spread.as_ref().map_or_else(
                || "-".into(),
                |spread: &super::compare::SeedSpread| spread.points(false),
            )
        };
        let mut cells = vec![row.label.clone(), row.runs.len().to_string()];
        cells.extend(row.groups.iter().map(points));
        cells.push(points(&row.worst));
        cells.push(
            row.gain
                .map_or_else(|| "-".into(), |gain| gain.points(true)),
        );
        cells.push(
            row.calls
                .map_or_else(|| "-".into(), |calls| grouped(calls.mean.round() as u64)),
        );
        table.row(cells);
    }
    let mut out = table.text();
    out.push_str("Means over runs ± standard deviation, in points on the sealed audit.\n");
    for caution in &comparison.cautions {
        let _ = writeln!(out, "Caution: {caution}");
    }
    for run in runs {
        let _ = writeln!(out, "\n== {} ==\n", run.name);
        out.push_str(&run.summary.text());
    }
    out
}

/// A score by its metric's name: of an error the error itself, in the unit of the
/// labels and lower is better; else as [`score`] shows it.
pub(crate) fn score_as(metric: &str, group: &GroupOutcome) -> String {
    let error = |value: Option<f64>| metric.parse::<Metric>().ok()?.error(value?);
    match (error(group.value), error(group.high), error(group.low)) {
        (Some(value), Some(low), Some(high)) => format!("{value:.3} [{low:.2}, {high:.2}]"),
        _ => score(group),
    }
}

/// The [`spread`](super::spread) over groups by the metric's name: of an error in
/// the unit of the labels, else in points.
pub(crate) fn spread_as(metric: &str, groups: &[GroupOutcome]) -> Option<String> {
    let [best, worst] = ends(groups)?;
    let metric = metric.parse::<Metric>().ok();
    let error = |value| metric?.error(value);
    Some(match (error(best), error(worst)) {
        (Some(least), Some(most)) => format!("{:.3}", most - least),
        _ => format!("{:.1}", (best - worst) * 100.0),
    })
}

/// A score with its interval, in points of a hundred; the interval in whole
/// points, which is finer than it is known.
pub(crate) fn score(group: &GroupOutcome) -> String {
    match (group.value, group.low, group.high) {
        (Some(value), Some(low), Some(high)) => {
            format!(
                "{:.1} [{:.0}, {:.0}]",
                value * 100.0,
                low * 100.0,
                high * 100.0
            )
        }
        // Different items counted: no resampling tells how sure that is.
        (Some(value), ..) => format!("{:.1}", value * 100.0),
        _ => "undefined".into(),
    }
}

/// A difference with its interval, in points of a hundred.
pub(crate) fn difference(row: &ScoreDifference) -> String {
    format!(
        "{:+.1} [{:+.0}, {:+.0}]",
        row.value * 100.0,
        row.low * 100.0,
        row.high * 100.0
    )
}

/// Money spent, for people; none where nothing costs anything. Calls whose price
/// nobody knows are told, for they are not in the sum.
pub(crate) fn money(spent: &Spend) -> Option<String> {
    match (spent.picodollars, spent.unpriced) {
        (0, 0) => None,
        (0, _) => Some("price unknown".to_owned()),
        (_, 0) => Some(format!("${:.4}", spent.usd())),
        (_, calls) => Some(format!(
            "${:.4} and {} calls of unknown price",
            spent.usd(),
            grouped(calls)
        )),
    }
}

/// Calls whose tokens nobody told, for people; `None` where there are none.
pub(crate) fn estimated(spent: &Spend) -> Option<String> {
    (spent.estimated > 0).then(|| {
        format!(
            "The tokens of {} of these calls are estimated from their texts: none were reported, or \
             what cannot be.",
            grouped(spent.estimated)
        )
    })
}

/// Requests that brought no answer, for people; `None` where there are none.
pub(crate) fn unanswered(lost: &Spend) -> Option<String> {
    if lost.is_nothing() {
        return None;
    }
    let mut sentence = format!("Beside these, up to {} requests", grouped(lost.calls));
    if lost.tokens() > 0 {
        sentence = format!("{sentence} ({} tokens)", grouped(lost.tokens()));
    }
    Some(format!(
        "{sentence} brought no answer: questions on what the models can do, retries, and what was \
         on the way at a kill. They count against the limits."
    ))
}

/// A count with its thousands set apart.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimated_tokens_are_told() {
        let spent = |estimated| Spend {
            calls: 2000,
            estimated,
            ..Spend::default()
        };
        assert_eq!(estimated(&spent(0)), None);
        let told = estimated(&spent(1_200)).unwrap();
        assert!(told.starts_with("The tokens of 1,200 of these calls are estimated"));
    }

    #[test]
    fn unknown_money_is_never_zero() {
        let told = |picodollars, unpriced| {
            money(&Spend {
                calls: 2000,
                picodollars,
                unpriced,
                ..Spend::default()
            })
        };
        assert_eq!(told(0, 0), None);
        assert_eq!(told(0, 2000).as_deref(), Some("price unknown"));
        assert_eq!(told(1_250_000_000_000, 0).as_deref(), Some("$1.2500"));
        assert_eq!(
            told(1_250_000_000_000, 1200).as_deref(),
            Some("$1.2500 and 1,200 calls of unknown price")
        );
    }
}
