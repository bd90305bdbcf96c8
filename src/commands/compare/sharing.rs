//! A comparison that several processes work through: its cells are in a queue of the shared
//! store, and whoever finishes one shows its run to all.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::stream::{self, LocalBoxStream, StreamExt};
use shiftproof_search::control::RunControl;
use shiftproof_search::ledger::Ledger;
use shiftproof_store::shared::{WorkState, WorkStatus};

use super::cells::{CellEnd, CellRunner, PendingCell, finished_run};
use super::studies::ComparedStudy;
use crate::commands::note;
use crate::commands::signals::wait_unless_stopped;
use crate::compare::CellState;
use crate::exit::{ExitStatus, Failure};
use crate::shared;
use crate::shared::work::{CellQueue, CellResult, CellWork};

/// How often it is looked whether others are done.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long whoever found a service down leaves its cell to others.
const AFTER_FAILURE: Duration = Duration::from_secs(3);

/// How a cell ended, and how long it took.
pub(super) type EndedCell = (PendingCell, Duration, Result<CellEnd, Failure>);

/// The cells of a comparison in a shared store.
pub(super) struct SharedCells {
    queue: CellQueue,
    /// By study and cell; a cell that cannot be run has none.
    ids: BTreeMap<(usize, usize), String>,
    /// A name for the audited examples of each study.
    audits: Vec<String>,
    /// The shared budget that is drawn on.
    budget: Option<String>,
}

/// A study, its methods and how many random seeds.
fn told(study: &ComparedStudy) -> String {
    let mut methods: Vec<&str> = study
        .cells
        .iter()
        .map(|cell| cell.method.as_str())
        .collect();
    methods.dedup();
    let seeds = study.cells.len() / methods.len().max(1);
    let s = if seeds == 1 { "" } else { "s" };
    format!(
        "{}: {}, {seeds} random seed{s}",
        study.name,
        methods.join(", ")
    )
}

impl SharedCells {
    /// Of these studies; `None` where nothing is shared.
    pub fn of(ledger: &Ledger, studies: &[ComparedStudy]) -> Result<Option<Self>, Failure> {
        let Some(store) = shared::store_of(ledger) else {
            return Ok(None);
        };
        let (mut ids, mut audits) = (BTreeMap::new(), Vec::new());
        for (at, study) in studies.iter().enumerate() {
            let audit = study.audit.fingerprint();
            audits.push(audit.clone());
            for (cell, resolved) in study.resolved.iter().enumerate() {
                let Ok(resolved) = resolved else { continue };
                let work = CellWork {
                    label: String::new(),
                    path: study.path.clone(),
                    resolved: resolved.clone(),
                    keep_going: false,
                    audit: audit.clone(),
                    budget: None,
                };
                ids.insert((at, cell), work.id()?);
            }
        }
        // Whoever compares the same takes part in the same; others have a queue of their own.
        let all: Vec<&str> = ids.values().map(String::as_str).collect();
        let hash = blake3::hash(all.join(" ").as_bytes()).to_hex();
        let told: Vec<String> = studies.iter().map(told).collect();
        let name = format!("compare {} ({})", told.join("; "), &hash[..8]);
        let name = name.chars().take(200).collect::<String>();
        Ok(Some(Self {
            queue: CellQueue::new(store.clone(), name),
            ids,
            audits,
            budget: ledger
                .shared()
                .and_then(|shared| shared.budget())
                .map(ToOwned::to_owned),
        }))
    }

    /// Adds the cells that are to be run.
    pub fn add(&self, pending: &[PendingCell], keep_going: bool) -> Result<(), Failure> {
        let item = |cell: &PendingCell| {
            let id = self.ids.get(&cell.at)?.clone();
            let audit = self.audits[cell.at.0].clone();
            Some((id, cell.work(keep_going, audit, self.budget.as_deref())?))
        };
        let items: Vec<_> = pending.iter().filter_map(item).collect();
        self.queue.add(&items)
    }

    /// Reads what all have done so far. Returns the code that the first cell that failed would
    /// have ended `optimize` with.
    pub fn read(
        &self,
        ledger: &Ledger,
        folder: &Path,
        studies: &mut [ComparedStudy],
    ) -> Result<Option<ExitStatus>, Failure> {
        let Some(store) = shared::store_of(ledger) else {
            return Ok(None);
        };
        let mut failure = None;
        let cells = self.queue.cells()?;
        let states: BTreeMap<&str, &WorkState> = cells
            .iter()
            .map(|cell| (cell.item.id.as_str(), &cell.state))
            .collect();
        for (&(at, cell), id) in &self.ids {
            let study = &mut studies[at];
            if study.cells[cell].state.finished().is_some() {
                continue;
            }
            match states.get(id.as_str()) {
                Some(WorkState::Done(result)) => match CellResult::read(result) {
                    Some(CellResult::Finished(run)) => {
                        shared::pull_run(&**store, folder, &run)?;
                        match finished_run(ledger, study, &run) {
                            Some(run) => {
                                study.cells[cell].state = CellState::Finished(Box::new(run));
                            }
                            // Of other data, or lost: it is to be run anew.
                            None => self.queue.reopen(id)?,
                        }
                    }
                    Some(CellResult::Failed { reason, exit }) => {
                        failure.get_or_insert(exit);
                        study.cells[cell].state = CellState::Failed { run: None, reason };
                    }
                    None => {}
                },
                Some(WorkState::PutAside(reason)) => {
                    // Nothing else is tried again.
                    failure.get_or_insert(ExitStatus::Provider);
                    study.cells[cell].state = CellState::Failed {
                        run: None,
                        reason: reason.clone(),
                    };
                }
                _ => {}
            }
        }
        Ok(failure)
    }

    /// Runs cells as long as there are any that nobody else has, `jobs` at once, and waits for
    /// those that others have: should they die, there is more to do.
    pub fn ends<'a>(
        &'a self,
        runner: &'a CellRunner<'a>,
        control: &'a RunControl,
        pending: Vec<PendingCell>,
        jobs: usize,
        quiet: bool,
    ) -> LocalBoxStream<'a, EndedCell> {
        let (cells, hopeless): (Vec<_>, Vec<_>) = pending
            .into_iter()
            .partition(|cell| self.ids.contains_key(&cell.at));
        let cells: BTreeMap<String, PendingCell> = cells
            .into_iter()
            .map(|cell| (self.ids[&cell.at].clone(), cell))
            .collect();
        let taking = std::rc::Rc::new(CellTaking {
            shared: self,
            runner,
            control,
            cells,
            hopeless: Mutex::new(hopeless),
            waiting: (!quiet).then(Mutex::default),
        });
        let job = |_| {
            stream::unfold(taking.clone(), |taking| async move {
                let ended = Box::pin(taking.next()).await?;
                Some((ended, taking))
            })
            .boxed_local()
        };
        stream::select_all((0..jobs).map(job)).boxed_local()
    }
}

struct CellTaking<'a> {
    shared: &'a SharedCells,
    runner: &'a CellRunner<'a>,
    control: &'a RunControl,
    /// By their ids.
    cells: BTreeMap<String, PendingCell>,
    /// Those that no run can be made of.
    hopeless: Mutex<Vec<PendingCell>>,
    /// What was said last of those that others have; `None`: nothing is to be said.
    waiting: Option<Mutex<String>>,
}

impl CellTaking<'_> {
    async fn next(&self) -> Option<EndedCell> {
        let began = Instant::now();
        let hopeless = self
            .hopeless
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        if let Some(cell) = hopeless {
            let came = self.runner.run(&cell).await;
            return Some((cell, began.elapsed(), came));
        }
        let any = self.cells.values().next()?;
        // An error that every cell would meet is told of the first.
        let failed = |failure| Some((any.clone(), Duration::ZERO, Err(failure)));
        loop {
            if self.control.is_stopped() {
                return None;
            }
            match self.shared.queue.take() {
                Ok(Some((id, _))) => {
                    let Some(cell) = self.cells.get(&id) else {
                        // Finished here before, and still open there.
                        if let Err(failure) = self.shared.queue.give_back(&id) {
                            return failed(failure);
                        }
                        return None;
                    };
                    let began = Instant::now();
                    let queue = &self.shared.queue;
                    let came = self.runner.run_taken(cell, queue, &id, false).await;
                    let took = began.elapsed();
                    if came.as_ref().is_ok_and(CellEnd::has_failed) {
                        // A service that is down is not well again at once.
                        wait_unless_stopped(AFTER_FAILURE, self.control).await;
                    }
                    return Some((cell.clone(), took, came));
                }
                Ok(None) => match self.shared.queue.cells() {
                    Ok(cells) if cells.iter().any(is_open) => {
                        self.tell_waiting(&cells);
                        wait_unless_stopped(LOOK_AGAIN, self.control).await;
                    }
                    Ok(_) => return None,
                    Err(failure) => return failed(failure),
                },
                Err(failure) => return failed(failure),
            }
        }
    }

    /// Says who has the cells that are waited for, once and whenever that changes.
    fn tell_waiting(&self, cells: &[WorkStatus]) {
        let Some(waiting) = &self.waiting else {
            return;
        };
        let held = cells.iter().filter_map(|cell| {
            let WorkState::Taken { worker } = &cell.state else {
                return None;
            };
            let label = &self.cells.get(&cell.item.id)?.label;
            Some(format!("{label} ({worker})"))
        });
        let held: Vec<String> = held.collect();
        let told = format!("waiting for what others have: {}", held.join("; "));
        let mut last = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.is_empty() && *last != told {
            note(&told);
            *last = told;
        }
    }
}

/// Whether somebody is at work on it, or may be.
fn is_open(cell: &WorkStatus) -> bool {
    matches!(cell.state, WorkState::Taken { .. } | WorkState::Waiting)
}
