//! A comparison that several processes work through: its cells are in a queue of the shared
//! store, and whoever finishes one shows its run to all.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::stream::{self, LocalBoxStream, StreamExt};
use shiftproof_search::control::RunControl;
use shiftproof_search::ledger::Ledger;
use shiftproof_store::shared::WorkState;

use super::cells::{CellEnd, CellRunner, PendingCell, finished_run};
use super::studies::ComparedStudy;
use crate::compare::CellState;
use crate::exit::Failure;
use crate::shared;
use crate::shared::work::{CellQueue, CellResult, CellWork};

/// How often it is looked whether others are done.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How a cell ended, and how long it took.
pub(super) type EndedCell = (PendingCell, Duration, Result<CellEnd, Failure>);

/// The cells of a comparison in a shared store.
pub(super) struct SharedCells {
    queue: CellQueue,
    /// By study and cell; a cell that cannot be run has none.
    ids: BTreeMap<(usize, usize), String>,
}

impl SharedCells {
    /// Of these studies; `None` where nothing is shared.
    pub fn of(ledger: &Ledger, studies: &[ComparedStudy]) -> Result<Option<Self>, Failure> {
        let Some(store) = shared::store_of(ledger) else {
            return Ok(None);
        };
        let mut ids = BTreeMap::new();
        for (at, study) in studies.iter().enumerate() {
            let audit = study.audit.fingerprint();
            for (cell, resolved) in study.resolved.iter().enumerate() {
                let Ok(resolved) = resolved else { continue };
                let work = CellWork {
                    label: String::new(),
                    path: study.path.clone(),
                    resolved: resolved.clone(),
                    keep_going: false,
                };
                ids.insert((at, cell), work.id(&audit)?);
            }
        }
        // Whoever compares the same takes part in the same; others have a queue of their own.
        let all: Vec<&str> = ids.values().map(String::as_str).collect();
        let hash = blake3::hash(all.join(" ").as_bytes()).to_hex();
        let names: Vec<&str> = studies.iter().map(|study| study.name.as_str()).collect();
        let name = format!("compare {} ({})", names.join(", "), &hash[..8]);
        let name = name.chars().take(200).collect::<String>();
        Ok(Some(Self {
            queue: CellQueue::new(store.clone(), name),
            ids,
        }))
    }

    /// Adds the cells that are to be run.
    pub fn add(&self, pending: &[PendingCell], keep_going: bool) -> Result<(), Failure> {
        let item = |cell: &PendingCell| {
            let id = self.ids.get(&cell.at)?.clone();
            Some((id, cell.work(keep_going)?))
        };
        let items: Vec<_> = pending.iter().filter_map(item).collect();
        self.queue.add(&items)
    }

    /// Reads what all have done so far.
    pub fn read(
        &self,
        ledger: &Ledger,
        folder: &Path,
        studies: &mut [ComparedStudy],
    ) -> Result<(), Failure> {
        let Some(store) = shared::store_of(ledger) else {
            return Ok(());
        };
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
                        if let Some(run) = finished_run(ledger, study, &run) {
                            study.cells[cell].state = CellState::Finished(Box::new(run));
                        }
                    }
                    Some(CellResult::Failed(reason)) => {
                        study.cells[cell].state = CellState::Failed { run: None, reason };
                    }
                    None => {}
                },
                Some(WorkState::PutAside(reason)) => {
                    study.cells[cell].state = CellState::Failed {
                        run: None,
                        reason: reason.clone(),
                    };
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Runs cells as long as there are any that nobody else has, `jobs` at once, and waits for
    /// those that others have: should they die, there is more to do.
    pub fn ends<'a>(
        &'a self,
        runner: &'a CellRunner<'a>,
        control: &'a RunControl,
        pending: Vec<PendingCell>,
        jobs: usize,
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
                    let came = self.runner.run_taken(cell, &self.shared.queue, &id).await;
                    return Some((cell.clone(), began.elapsed(), came));
                }
                Ok(None) => match self.shared.queue.is_under_way() {
                    Ok(true) => tokio::time::sleep(LOOK_AGAIN).await,
                    Ok(false) => return None,
                    Err(failure) => return failed(failure),
                },
                Err(failure) => return failed(failure),
            }
        }
    }
}
