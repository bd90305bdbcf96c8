//! What several processes share, shown, and its budgets.

use serde::Serialize;
use shiftproof_store::shared::{Amount, AmountLimits, SharedBudget, SharedStore, WorkState};

use super::print;
use crate::cli::{BudgetArgs, SharedAction, SharedArgs};
use crate::exit::{ExitStatus, Failure};
use crate::report::{grouped, to_json};
use crate::shared;
use crate::shared::work::{CellResult, CellWork};
use crate::wording::table::{TextColumn, TextTable};

/// Picodollars in a dollar.
const PICO: f64 = 1e12;

pub(super) fn run(args: &SharedArgs) -> Result<ExitStatus, Failure> {
    let location = &args.store.store;
    let Some(store) = shared::connect_to_read(location)? else {
        return Err(Failure::usage(format!(
            "{} is the folder of one process, and nothing in it is shared; name a database with \
             --store postgres://USER@HOST/DATABASE",
            location.display()
        )));
    };
    let store = &*store;
    if let Some(SharedAction::Budget { name, limits }) = &args.action {
        let before = store.budget(name)?.map(|budget| budget.limits);
        let limits = amounts(*limits, name)?;
        // Those that are not named stay.
        let before = before.unwrap_or_default();
        let limits = AmountLimits {
            calls: limits.calls.or(before.calls),
            tokens: limits.tokens.or(before.tokens),
            picodollars: limits.picodollars.or(before.picodollars),
        };
        store.set_budget(name, limits)?;
    }
    let shown = SharedStatus::of(store)?;
    print(&if args.json {
        to_json(&shown)?
    } else {
        shown.text()
    })?;
    Ok(ExitStatus::Done)
}

fn amounts(limits: BudgetArgs, name: &str) -> Result<AmountLimits, Failure> {
    if !limits.is_given() {
        return Err(Failure::usage(format!(
            "what may {name} spend? Set --max-calls, --max-tokens or --max-usd"
        )));
    }
    let usd = limits.max_usd.map(|usd| {
        (usd.is_finite() && usd >= 0.0)
            .then(|| (usd * PICO).round() as u64)
            .ok_or_else(|| Failure::usage("--max-usd is a number of dollars, 0 or more"))
    });
    Ok(AmountLimits {
        calls: limits.max_calls,
        tokens: limits.max_tokens,
        picodollars: usd.transpose()?,
    })
}

/// What is shared, as it stands.
#[derive(Debug, Serialize)]
struct SharedStatus {
    database: String,
    workers: Vec<WorkerRow>,
    budgets: Vec<BudgetRow>,
    comparisons: Vec<ComparisonRow>,
}

#[derive(Debug, Serialize)]
struct WorkerRow {
    name: String,
    /// Seconds since it showed that it is there.
    seen_s: f64,
    alive: bool,
    /// Answers that it is getting.
    asking: u64,
}

#[derive(Debug, Serialize)]
struct BudgetRow {
    name: String,
    limits: AmountRow,
    used: AmountRow,
    reserved: AmountRow,
    lost: AmountRow,
}

/// Calls, tokens and dollars; an absent limit is none.
#[derive(Debug, Serialize)]
struct AmountRow {
    calls: Option<u64>,
    tokens: Option<u64>,
    usd: Option<f64>,
}

#[derive(Debug, Serialize)]
struct ComparisonRow {
    name: String,
    waiting: usize,
    under_way: Vec<CellRow>,
    finished: usize,
    /// Those that will not be tried again until somebody asks for the comparison anew.
    failed: Vec<CellRow>,
}

#[derive(Debug, Serialize)]
struct CellRow {
    cell: String,
    /// Who is at it, or why it failed.
    by: String,
    attempts: u32,
}

impl From<Amount> for AmountRow {
    fn from(amount: Amount) -> Self {
        Self {
            calls: Some(amount.calls),
            tokens: Some(amount.tokens),
            usd: Some(amount.picodollars as f64 / PICO),
        }
    }
}

impl AmountRow {
    /// The number of this unit, if there is one.
    fn told(&self, unit: &str) -> Option<String> {
        match unit {
            "calls" => self.calls.map(grouped),
            "tokens" => self.tokens.map(grouped),
            _ => self.usd.map(|usd| format!("{usd:.4}")),
        }
    }
}

impl BudgetRow {
    fn of((name, budget): (String, SharedBudget)) -> Self {
        Self {
            name,
            limits: AmountRow {
                calls: budget.limits.calls,
                tokens: budget.limits.tokens,
                usd: budget.limits.picodollars.map(|limit| limit as f64 / PICO),
            },
            used: budget.used.into(),
            reserved: budget.reserved.into(),
            lost: budget.lost.into(),
        }
    }
}

impl SharedStatus {
    fn of(store: &dyn SharedStore) -> Result<Self, Failure> {
        // Whoever asks is one, too, and of no interest.
        let others = store.workers()?.into_iter();
        let others = others.filter(|worker| worker.name != shared::worker_name());
        let workers = others.map(|worker| WorkerRow {
            name: worker.name,
            seen_s: worker.seen.as_secs_f64(),
            alive: worker.is_alive,
            asking: worker.claims,
        });
        let budgets = store.budgets()?.into_iter().map(BudgetRow::of);
        let comparisons = store.queues()?.into_iter().map(|name| {
            let mut row = ComparisonRow {
                waiting: 0,
                under_way: Vec::new(),
                finished: 0,
                failed: Vec::new(),
                name,
            };
            for cell in store.work(&row.name)? {
                let work: Option<CellWork> = serde_json::from_slice(&cell.item.payload).ok();
                let told = |by: String| CellRow {
                    cell: work.map_or_else(|| cell.item.id.clone(), |work| work.label),
                    by,
                    attempts: cell.attempts,
                };
                match cell.state {
                    WorkState::Waiting => row.waiting += 1,
                    WorkState::Done(result) => match CellResult::read(&result) {
                        Some(CellResult::Failed { reason, .. }) => row.failed.push(told(reason)),
                        _ => row.finished += 1,
                    },
                    WorkState::Taken { worker } => row.under_way.push(told(worker)),
                    WorkState::PutAside(reason) => row.failed.push(told(reason)),
                }
            }
            Ok(row)
        });
        Ok(Self {
            database: store.address(),
            workers: workers.collect(),
            budgets: budgets.collect(),
            comparisons: comparisons.collect::<Result<_, Failure>>()?,
        })
    }

    fn text(&self) -> String {
        let mut text = format!("{}\n", self.database);
        let mut table =
            TextTable::new([TextColumn::left(), TextColumn::right(), TextColumn::right()]);
        table.row(["worker", "last seen", "asking"]);
        for worker in &self.workers {
            let seen = if worker.alive {
                format!("{:.0} s ago", worker.seen_s)
            } else {
                format!("dead, {:.0} s ago", worker.seen_s)
            };
            table.row([worker.name.as_str(), &seen, &worker.asking.to_string()]);
        }
        text.push('\n');
        text.push_str(&table.text());
        if !self.budgets.is_empty() {
            text.push('\n');
            text.push_str(&self.budget_table());
        }
        for comparison in &self.comparisons {
            text.push_str(&comparison.text());
        }
        text
    }

    fn budget_table(&self) -> String {
        let columns = std::iter::once(TextColumn::left());
        let mut table = TextTable::new(columns.chain([TextColumn::right(); 4]));
        table.row(["budget", "limit", "used", "set aside", "lost"]);
        for budget in &self.budgets {
            for unit in ["calls", "tokens", "US dollars"] {
                let Some(limit) = budget.limits.told(unit) else {
                    continue;
                };
                let told = |row: &AmountRow| row.told(unit).unwrap_or_default();
                let name = format!("{}, {unit}", budget.name);
                table.row([
                    name,
                    limit,
                    told(&budget.used),
                    told(&budget.reserved),
                    told(&budget.lost),
                ]);
            }
        }
        table.text()
    }
}

impl ComparisonRow {
    fn text(&self) -> String {
        let all = self.waiting + self.under_way.len() + self.finished + self.failed.len();
        let mut text = format!(
            "\n{}: {} of {all} cells finished, {} waiting\n",
            self.name, self.finished, self.waiting
        );
        let mut table = TextTable::new([TextColumn::left(), TextColumn::left()]).indented(2);
        for cell in &self.under_way {
            table.row([cell.cell.clone(), format!("under way: {}", cell.by)]);
        }
        for cell in &self.failed {
            let reason = cell.by.lines().next().unwrap_or_default();
            let told = match cell.attempts {
                1 => format!("failed: {reason}"),
                tries => format!("failed {tries} times: {reason}"),
            };
            table.row([cell.cell.clone(), told]);
        }
        text.push_str(&table.text());
        text
    }
}
