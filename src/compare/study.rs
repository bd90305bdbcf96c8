//! One study's comparison: its cells, and the table made of those that finished.

use serde::Serialize;
use shiftproof_search::budget::BudgetLimits;
use shiftproof_search::event::{AuditedPrompt, GroupRole};

use super::AuditClusters;
use super::curve::{self, CurvePoint};
use super::outcomes::CellRun;
use super::rows::{self, MethodRow};
use crate::report::NamedRun;
use crate::report::compare::{ComparedRuns, RunComparison, SeedSpread, budget};

/// A method with a random seed.
pub(crate) struct ComparedCell {
    /// The method.
    pub method: String,
    /// The random seed.
    pub seed: u64,
    /// How it stands.
    pub state: CellState,
}

/// How a cell stands. None but a finished one is ever a number.
pub(crate) enum CellState {
    /// Its run came to its end and was audited.
    Finished(Box<CellRun>),
    /// It came to nothing; why.
    Failed {
        /// The run, where there is one.
        run: Option<String>,
        /// The reason.
        reason: String,
    },
    /// Its run stopped and can go on.
    Stopped {
        /// The run.
        run: String,
    },
    /// There is no run yet.
    Open,
}

/// A cell in a table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CellRow {
    /// The method.
    pub method: String,
    /// The random seed.
    pub seed: u64,
    /// `finished`, `failed`, `stopped` or `open`.
    pub state: &'static str,
    /// The run's name in the store.
    pub run: Option<String>,
    /// Why it failed.
    pub reason: Option<String>,
    /// The selected prompt's score on the worst target group.
    pub worst: Option<f64>,
}

/// The mean leader of one method.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct MethodCurve {
    /// The method.
    pub method: String,
    /// Its rise.
    pub points: Vec<CurvePoint>,
}

/// One prompt of the paper's table, group by group.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct PaperRow {
    /// The method, or the seed prompt.
    pub method: String,
    /// The selected prompt, per group.
    pub top: Vec<Option<SeedSpread>>,
    /// The finalists' vote, per group.
    pub ensemble: Vec<Option<SeedSpread>>,
}

/// One study's comparison.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StudyComparison {
    /// The study.
    pub study: String,
    /// What each cell may spend, in words.
    pub limits: String,
    /// The metric; absent before the first run, as models and groups.
    pub metric: Option<String>,
    /// The whole identity of the model that does the task.
    pub task_model: Option<String>,
    /// That of the model that writes prompts.
    pub proposer_model: Option<String>,
    /// The seed prompt's mean over the target groups.
    pub seed_mean: Option<SeedSpread>,
    /// Its score on the worst target group.
    pub seed_worst: Option<SeedSpread>,
    /// What the worst group is called.
    pub worst_name: &'static str,
    /// A row a method.
    pub rows: Vec<MethodRow>,
    /// The seed prompt's score and half of the best method's gain, as the searches
    /// estimate them.
    pub level: Option<f64>,
    /// The leaders.
    pub curves: Vec<MethodCurve>,
    /// Groups in the study's order, sources first.
    pub groups: Vec<(String, GroupRole)>,
    /// The seed prompt and each method by group.
    pub by_group: Vec<PaperRow>,
    /// Every cell.
    pub cells: Vec<CellRow>,
    /// Why some figures should not be held against each other.
    pub cautions: Vec<String>,
}

impl StudyComparison {
    /// The comparison of these cells, methods in the order of their first cell.
    pub fn of(
        study: &str,
        limits: &BudgetLimits,
        cells: &[ComparedCell],
        audit: &AuditClusters,
    ) -> Self {
        let mut methods: Vec<&str> = Vec::new();
        for cell in cells {
            if !methods.contains(&cell.method.as_str()) {
                methods.push(&cell.method);
            }
        }
        let of_method = |method: &str| -> Vec<(u64, &CellRun)> {
            let own = cells.iter().filter(|cell| cell.method == method);
            own.filter_map(|cell| Some((cell.seed, cell.state.finished()?)))
                .collect()
        };
        let runs: Vec<Vec<(u64, &CellRun)>> = methods.iter().map(|m| of_method(m)).collect();
        let all: Vec<&CellRun> = runs.iter().flatten().map(|(_, run)| *run).collect();
        let started = all.iter().find_map(|run| run.run.summary.started.as_ref());
        let mut rows: Vec<MethodRow> = methods
            .iter()
            .zip(&runs)
            .map(|(method, runs)| {
                let planned = cells.iter().filter(|cell| cell.method == *method);
                MethodRow::of(method, runs, planned.count(), audit)
            })
            .collect();
        set_others(&mut rows, &runs, audit);
        let level = rows::level(&runs);
        for (row, runs) in rows.iter_mut().zip(&runs) {
            row.level = level.map(|level| rows::reached(runs, level));
        }
        let [seed_mean, seed_worst] = rows::seed_scores(&all);
        let named: Vec<NamedRun> = all.iter().map(|run| run.run.clone()).collect();
        let by_setting = RunComparison::of(&named);
        let curves = methods.iter().zip(&runs).map(|(method, runs)| {
            let curves: Vec<_> = runs.iter().map(|(_, run)| &run.curve).collect();
            MethodCurve {
                method: (*method).to_owned(),
                points: curve::mean(&curves),
            }
        });
        let mut cautions = by_setting.cautions;
        cautions.extend(own_cautions(&rows, &all, limits));
        Self {
            study: study.to_owned(),
            limits: budget(limits),
            metric: started.map(|started| started.metric.clone()),
            task_model: started.map(|started| started.task_model.clone()),
            proposer_model: started.map(|started| started.proposer_model.clone()),
            seed_mean,
            seed_worst,
            worst_name: all
                .first()
                .map_or("worst target", |run| run.run.summary.worst_name()),
            level,
            curves: curves.filter(|curve| !curve.points.is_empty()).collect(),
            by_group: by_group(&methods, &runs, &by_setting.groups),
            groups: by_setting.groups,
            cells: cells.iter().map(CellRow::of).collect(),
            rows,
            cautions,
        }
    }

    /// Cells that are not in the table.
    pub fn missing(&self) -> impl Iterator<Item = &CellRow> {
        self.cells.iter().filter(|cell| cell.state != "finished")
    }
}

impl CellState {
    /// The run, if it finished.
    pub fn finished(&self) -> Option<&CellRun> {
        match self {
            Self::Finished(run) => Some(run),
            _ => None,
        }
    }
}

impl CellRow {
    fn of(cell: &ComparedCell) -> Self {
        let (state, run, reason, worst) = match &cell.state {
            CellState::Finished(run) => {
                let worst = run.run.summary.worst_of(AuditedPrompt::Selected);
                let worst = worst.and_then(|group| group.value);
                ("finished", Some(run.run.name.clone()), None, worst)
            }
            CellState::Failed { run, reason } => {
                ("failed", run.clone(), Some(reason.clone()), None)
            }
            CellState::Stopped { run } => ("stopped", Some(run.clone()), None, None),
            CellState::Open => ("open", None, None, None),
        };
        Self {
            method: cell.method.clone(),
            seed: cell.seed,
            state,
            run,
            reason,
            worst,
        }
    }

    /// What is said of a cell without a score, in a sentence.
    pub fn told(&self) -> String {
        let run = self.run.as_ref();
        let run = run.map_or_else(String::new, |run| format!(" (run {run})"));
        match (self.state, &self.reason) {
            ("failed", Some(reason)) => {
                let reason = reason.lines().next().unwrap_or_default();
                format!("failed: {reason}{run}")
            }
            ("stopped", _) => format!("stopped; the same command goes on{run}"),
            _ => "not run yet".to_owned(),
        }
    }
}

/// Holds each method against the one with the best worst-group score among the others.
fn set_others(rows: &mut [MethodRow], runs: &[Vec<(u64, &CellRun)>], audit: &AuditClusters) {
    let scores: Vec<Option<f64>> = rows
        .iter()
        .map(|row| row.worst.map(|worst| worst.mean))
        .collect();
    let names: Vec<String> = rows.iter().map(|row| row.method.clone()).collect();
    for at in 0..rows.len() {
        let others = (0..rows.len()).filter(|&other| other != at);
        let scored = others.filter_map(|other| Some((scores[other]?, other)));
        let best = scored.reduce(|best, next| if next.0 > best.0 { next } else { best });
        rows[at].over_other = best
            .and_then(|(_, other)| rows::against(&runs[at], (&names[other], &runs[other]), audit));
    }
}

/// The paper's table: the seed prompt, then each method.
fn by_group(
    methods: &[&str],
    runs: &[Vec<(u64, &CellRun)>],
    groups: &[(String, GroupRole)],
) -> Vec<PaperRow> {
    let row = |label: &str, runs: &[&NamedRun], top: AuditedPrompt| {
        let of = |contestant| ComparedRuns::of(label.to_owned(), contestant, runs, groups).groups;
        PaperRow {
            method: label.to_owned(),
            top: of(top),
            ensemble: if top == AuditedPrompt::Selected {
                of(AuditedPrompt::Ensemble)
            } else {
                vec![None; groups.len()]
            },
        }
    };
    let all: Vec<&NamedRun> = runs.iter().flatten().map(|(_, run)| &run.run).collect();
    if all.is_empty() {
        return Vec::new();
    }
    let mut table = vec![row("seed prompt", &all, AuditedPrompt::Seed)];
    for (method, runs) in methods.iter().zip(runs) {
        let own: Vec<&NamedRun> = runs.iter().map(|(_, run)| &run.run).collect();
        table.push(row(method, &own, AuditedPrompt::Selected));
    }
    table
}

/// The part of the limit that a method's runs spent; of several limits the one that
/// they came closest to.
fn used(row: &MethodRow, limits: &BudgetLimits) -> Option<f64> {
    let share = |spent: Option<SeedSpread>, limit: Option<f64>| Some(spent?.mean / limit?);
    let shares = [
        share(row.calls, limits.calls.map(|n| n as f64)),
        share(row.tokens, limits.tokens.map(|n| n as f64)),
        share(row.usd, limits.usd),
    ];
    shares.into_iter().flatten().reduce(f64::max)
}

/// A method that spends less than this share of its limit had less to search with.
const UNUSED: f64 = 0.8;

fn own_cautions(rows: &[MethodRow], runs: &[&CellRun], limits: &BudgetLimits) -> Vec<String> {
    let mut cautions = Vec::new();
    let idle: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let share = used(row, limits).filter(|share| *share < UNUSED)?;
            Some(format!("{} ({:.0} %)", row.method, share * 100.0))
        })
        .collect();
    if !idle.is_empty() {
        cautions.push(format!(
            "Not all of the limit was spent by {}: raise search.evaluations and search.proposals, \
             or lower the limit, to compare at equal budgets.",
            idle.join(", ")
        ));
    }
    let some = |row: &&MethodRow| row.finished > 0;
    if rows.iter().filter(some).any(|row| row.finished < 2) {
        cautions.push(
            "A single random seed says nothing about another: intervals of one run cover the \
             examples alone."
                .to_owned(),
        );
    }
    let part = |row: &&MethodRow| row.finished < row.planned;
    if rows.iter().filter(some).any(|row| part(&row)) {
        cautions.push(
            "Some cells are missing: means are over the runs that finished, differences over the \
             random seeds that both methods have."
                .to_owned(),
        );
    }
    if runs.iter().any(|run| !rows::grades_make_scores(run)) {
        cautions.push(
            "The metric is no mean over examples: differences are of the mean grade per example, \
             not of the scores shown."
                .to_owned(),
        );
    }
    let versions: std::collections::BTreeSet<&str> = runs
        .iter()
        .filter_map(|run| Some(run.run.summary.started.as_ref()?.version.as_str()))
        .collect();
    if versions.len() > 1 {
        cautions.push("The runs are of different versions of the program.".to_owned());
    }
    cautions
}
