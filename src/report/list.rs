//! Runs as a table, a line each.

use std::fmt::Write as _;
use std::path::Path;

use chrono::DateTime;
use serde::Serialize;
use shiftproof_search::event::{AuditedPrompt, RunEnding, ScoreDifference};
use shiftproof_search::ledger::{RunRecord, RunStatus};
use shiftproof_tasks::PromptId;

use super::facts::machine;
use super::ground::AuditGround;
use super::{RunSummary, VerdictTone, grouped};
use crate::wording::printed_commands::{resume_line, store_flag};
use crate::wording::shown::visible;
use crate::wording::table::{TextColumn, TextTable};

/// One run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RunRow {
    /// Its name.
    pub run: String,
    /// Its study.
    pub study: String,
    /// Its random seed.
    pub seed: u64,
    /// When it began, in milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// The same day, in UTC.
    pub started: String,
    /// The method; absent before the first event, as all below.
    pub method: Option<String>,
    /// The whole identity of the model that does the task.
    pub task_model: Option<String>,
    /// The selected prompt.
    pub selected: Option<PromptId>,
    /// Audited score of the worst target group.
    pub worst: WorstTargetScores,
    /// How the selected prompt stands against the seed.
    pub verdict: String,
    /// Calls spent; of a run that came to its end.
    pub calls: Option<u64>,
    /// How it stands.
    pub status: ListedStatus,
    /// Why it stopped.
    pub reason: Option<String>,
    #[serde(skip)]
    word: &'static str,
    /// It is in the folder of another process, which alone can go on with it.
    #[serde(skip)]
    elsewhere: bool,
    /// The other process in which it is under way.
    #[serde(skip)]
    holder: Option<String>,
}

/// Audited scores of the worst target group.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct WorstTargetScores {
    /// Of the seed prompt.
    pub seed: Option<f64>,
    /// Of the selected prompt.
    pub selected: Option<f64>,
    /// Selected − seed.
    pub difference: Option<ScoreDifference>,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ListedStatus {
    /// All phases were done.
    Finished,
    /// It ended with the best so far.
    BudgetExhausted,
    /// It stopped and can be resumed.
    Stopped,
    /// Its process was killed; it can be resumed.
    Killed,
    /// A process is at work on it.
    Running,
}

/// How a run without a usable proposal tells why (`RunError::Proposals`).
const PROPOSALS: &str = "no proposal of";

/// How a run that its own budget stopped tells why (`RunError::Budget`).
const BUDGET: &str = "the budget is exhausted";

impl RunRow {
    /// The line of a run.
    pub fn of(record: &RunRecord, summary: &RunSummary) -> Self {
        let of = |contestant| summary.worst_of(contestant)?.value;
        let verdict = summary.verdict();
        let ground = summary.ground();
        let started = summary.started.as_ref();
        let (status, reason) = match &record.status {
            RunStatus::Running => (ListedStatus::Killed, None),
            RunStatus::Stopped(reason) => (ListedStatus::Stopped, Some(reason.clone())),
            RunStatus::Finished if summary.ending == Some(RunEnding::BudgetExhausted) => {
                (ListedStatus::BudgetExhausted, None)
            }
            RunStatus::Finished => (ListedStatus::Finished, None),
        };
        Self {
            run: record.id.clone(),
            study: record.study.clone(),
            seed: record.seed,
            started_ms: record.started_ms,
            started: day(record.started_ms),
            method: started.map(|started| started.method.clone()),
            task_model: started.map(|started| started.task_model.clone()),
            selected: summary.selected,
            worst: WorstTargetScores {
                seed: of(AuditedPrompt::Seed),
                selected: of(AuditedPrompt::Selected),
                difference: summary
                    .worst
                    .clone()
                    .filter(|_| ground != AuditGround::SourceOnly),
            },
            verdict: verdict.sentence,
            calls: summary.spent.map(|spent| spent.calls),
            status,
            reason,
            elsewhere: false,
            holder: None,
            word: match verdict.tone {
                _ if summary.worst.is_some() && summary.selected == summary.seed() => "seed stays",
                VerdictTone::Better if ground == AuditGround::SomeTargets => "better, in part",
                VerdictTone::Better => "better",
                VerdictTone::WithinChance => "within chance",
                VerdictTone::NotBetter => "not better",
                VerdictTone::Worse => "WORSE",
                VerdictTone::Unverified => "unverified",
                VerdictTone::Open if summary.ending.is_some() => "no audit",
                VerdictTone::Open => "–",
            },
        }
    }

    /// The same of a run that a process is at work on.
    #[must_use]
    pub fn running(self) -> Self {
        Self {
            status: ListedStatus::Running,
            reason: None,
            ..self
        }
    }

    /// The same of a run in the folder of another process.
    #[must_use]
    pub fn elsewhere(self, holder: Option<String>) -> Self {
        let status = match holder {
            Some(_) => ListedStatus::Running,
            None => self.status,
        };
        Self {
            status,
            elsewhere: true,
            holder,
            ..self
        }
    }

    /// What is said of a run that can go on, beneath its line.
    fn remark(&self, store: &Path) -> Option<String> {
        if let Some(holder) = &self.holder {
            return Some(format!("under way in the process {holder}"));
        }
        let how = match (self.status, &self.reason) {
            // The limits of a run are part of it.
            (ListedStatus::Stopped, Some(reason)) if reason.starts_with(BUDGET) => {
                let reason = reason.lines().next().unwrap_or_default();
                return Some(format!(
                    "stopped ({reason}): start a new run with a larger budget; `shiftproof estimate` \
                     tells the smallest"
                ));
            }
            (ListedStatus::Stopped, Some(reason)) if reason.starts_with(PROPOSALS) => {
                let reason = reason.lines().next().unwrap_or_default();
                return Some(format!(
                    "stopped ({reason}): start a new run with another proposer"
                ));
            }
            (ListedStatus::Stopped | ListedStatus::Killed, _) if self.elsewhere => {
                return Some(
                    "of another process, in whose folder it can be resumed; a new run of the study \
                     takes over all its answers"
                        .to_owned(),
                );
            }
            (ListedStatus::Stopped, Some(reason)) => {
                let reason = reason.lines().next().unwrap_or_default();
                format!("stopped ({reason}), can be resumed")
            }
            (ListedStatus::Killed, _) => "killed, can be resumed".to_owned(),
            (ListedStatus::Running, _) => {
                return Some(format!(
                    "running now: shiftproof watch {}{}",
                    self.run,
                    store_flag(store)
                ));
            }
            _ => return None,
        };
        Some(format!("{how}: {}", resume_line(store, &self.run, "")))
    }
}

impl ListedStatus {
    const fn word(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::BudgetExhausted => "budget ran out",
            Self::Stopped => "stopped",
            Self::Killed => "killed",
            Self::Running => "running",
        }
    }
}

/// Widest line, where names allow.
const WIDTH: usize = 100;
/// The column that gives way.
const MODEL: usize = 3;

/// The table for a terminal. A model's name gives way where the line would be too
/// wide; a run's does not, for it is typed. `store` is
/// where they are, for commands.
pub(crate) fn table(rows: &[RunRow], store: &Path) -> String {
    if rows.is_empty() {
        return "no runs yet\n".to_owned();
    }
    let points = |value: Option<f64>| {
        value.map_or_else(|| "–".to_owned(), |value| format!("{:.1}", value * 100.0))
    };
    // Figures stand to the right.
    let columns: [TextColumn; 8] = std::array::from_fn(|at| {
        if at == 6 {
            TextColumn::right()
        } else {
            TextColumn::left()
        }
    });
    let mut table = TextTable::new(columns);
    table.row([
        "run",
        "started",
        "method",
        "model",
        "worst target",
        "verdict",
        "calls",
        "status",
    ]);
    for row in rows {
        let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
        table.row([
            row.run.clone(),
            row.started.clone(),
            or(&row.method),
            row.task_model
                .as_deref()
                .map_or_else(|| "–".to_owned(), |model| name(&machine(model)).to_owned()),
            match (row.worst.seed, row.worst.selected) {
                (None, None) => "–".to_owned(),
                (seed, selected) => format!("{} → {}", points(seed), points(selected)),
            },
            row.word.to_owned(),
            row.calls.map_or_else(|| "–".to_owned(), grouped),
            row.status.word().to_owned(),
        ]);
    }
    let widths = table.widths();
    let others: usize = widths.iter().sum::<usize>() - widths[MODEL] + 2 * 7;
    table.limit(MODEL, WIDTH.saturating_sub(others).max(8));
    let mut out = String::new();
    for (number, line) in table.lines().into_iter().enumerate() {
        let _ = writeln!(out, "{line}");
        let remark = number.checked_sub(1).and_then(|at| rows[at].remark(store));
        if let Some(remark) = remark {
            let _ = writeln!(out, "  {}", visible(&remark));
        }
    }
    out
}

/// A model's name without where it runs, for which a line has no room.
fn name(machine: &str) -> &str {
    machine.rsplit_once(" (").map_or(machine, |(name, _)| name)
}

/// `2026-01-31`, of milliseconds since the Unix epoch.
fn day(ms: u64) -> String {
    let day = i64::try_from(ms).ok();
    let day = day.and_then(DateTime::from_timestamp_millis);
    day.map_or_else(String::new, |day| day.format("%F").to_string())
}

#[cfg(test)]
mod tests {
    use shiftproof_search::event::Event;

    use super::*;
    use crate::report::fixture;

    fn row(id: &str, status: RunStatus, events: &[Event]) -> RunRow {
        let record = RunRecord {
            id: id.into(),
            study: "reviews".into(),
            spec: String::new(),
            seed: 1,
            version: "0.1.0".into(),
            started_ms: 1_709_164_800_000,
            status,
            kills: 0,
            losses: Vec::new(),
            models: None,
            begins_anew: false,
        };
        RunRow::of(&record, &RunSummary::of(events))
    }

    #[test]
    fn leap_years_are_counted() {
        for (ms, date) in [
            (0, "1970-01-01"),
            (951_782_400_000, "2000-02-29"),
            (1_709_164_799_999, "2024-02-28"),
            (1_709_164_800_000, "2024-02-29"),
            (4_107_542_400_000, "2100-03-01"),
        ] {
            assert_eq!(day(ms), date);
        }
    }

    #[test]
    fn runs_are_listed_with_results() {
        let whole = fixture::events("gpo", 1, 0.1);
        let mut short = fixture::events("ape-ut", 2, 0.02);
        for event in &mut short {
            if let Event::Started(started) = event {
                started.task_model =
                    "openai http://127.0.0.1:8080/v1 a-model-with-a-long-name scores".into();
            }
            if let Event::Finished { ending, .. } = event {
                *ending = RunEnding::BudgetExhausted;
            }
        }
        let rows = [
            row("reviews-s1-1", RunStatus::Finished, &whole),
            row("reviews-s2-1", RunStatus::Finished, &short),
            row(
                "reviews-s3-1",
                RunStatus::Stopped("interrupted".into()),
                &whole[..9],
            ),
            row("reviews-s4-1", RunStatus::Running, &[]),
            row("reviews-s5-1", RunStatus::Running, &whole[..9]).running(),
        ];
        let table = table(&rows, Path::new("/data/store"));
        insta::assert_snapshot!(table);
        let mut runs = table.lines().filter(|line| !line.starts_with("  "));
        assert!(runs.all(|line| line.chars().count() <= WIDTH), "{table}");
        let json = serde_json::to_value(&rows).unwrap();
        assert_eq!(json[1]["status"], "budget-exhausted");
        assert_eq!(json[1]["worst"]["seed"], 0.6);
        assert_eq!(json[2]["reason"], "interrupted");
        assert_eq!(json[4]["status"], "running");
    }
}
