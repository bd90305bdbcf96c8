//! One cell: found in the store, gone on with, or run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use shiftproof_search::control::RunControl;
use shiftproof_search::event::{AuditedPrompt, RunObserver};
use shiftproof_search::event_log::LogError;
use shiftproof_search::gateway::RunError;
use shiftproof_search::ledger::{Ledger, RunRecord, RunStatus};
use tokio::sync::Mutex;

use super::studies::ComparedStudy;
use crate::cli::{CompareArgs, TroubleArgs, VerbosityArgs};
use crate::commands::execute::{ExecutionError, RunExecution};
use crate::commands::{fetch_progress, note};
use crate::compare::{AuditClusters, CellRun, CellState};
use crate::exit::{ExitStatus, Failure};
use crate::report::grouped;
use crate::runs::progress::{ProgressVerbosity, ProgressWriter};
use crate::runs::session::{FinishedRun, StudySession};
use crate::runs::stored;
use crate::shared::work::{CellQueue, CellResult, CellWork};
use crate::study::ResolvedStudy;
use crate::study::task_registry::TaskRegistry;
use crate::wording::unusable;

/// What a cell came to.
pub(in crate::commands) enum CellEnd {
    /// A finished run, with the calls that this process sent.
    Finished(Box<CellRun>, u64),
    /// It is no score.
    Failed {
        run: Option<String>,
        reason: String,
        exit: ExitStatus,
    },
    /// It can go on.
    Interrupted(Option<String>),
}

impl CellEnd {
    /// In a line.
    pub fn told(&self) -> String {
        match self {
            Self::Finished(run, sent) => {
                let summary = &run.run.summary;
                let points = |contestant| {
                    let worst = summary.worst_of(contestant)?.value?;
                    Some(format!("{:.1}", worst * 100.0))
                };
                let (seed, selected) =
                    (points(AuditedPrompt::Seed), points(AuditedPrompt::Selected));
                let scores = match (seed, selected) {
                    (Some(seed), Some(selected)) => {
                        format!("{} {seed} → {selected}, ", summary.worst_name())
                    }
                    _ => String::new(),
                };
                let calls = summary.spent.map_or(0, |spent| spent.calls);
                format!(
                    "{scores}{}; {} calls, {} of them sent; run {}",
                    summary.verdict().sentence,
                    grouped(calls),
                    grouped(*sent),
                    run.run.name
                )
            }
            Self::Failed { reason, .. } => format!("failed: {reason}"),
            Self::Interrupted(_) => "stopped".to_owned(),
        }
    }

    /// Whether it is a score.
    pub fn is_finished(&self) -> bool {
        matches!(self, Self::Finished(..))
    }

    /// Whether it may be tried again in a while.
    pub fn has_failed(&self) -> bool {
        matches!(
            self,
            Self::Failed {
                exit: ExitStatus::Provider,
                ..
            }
        )
    }

    pub(super) fn failed(run: Option<String>, exit: ExitStatus, reason: impl Into<String>) -> Self {
        Self::Failed {
            run,
            reason: reason.into(),
            exit,
        }
    }
}

/// How a cell stands in the store.
pub(super) fn stored_state(
    (ledger, runs): (&Ledger, &[StoredRun]),
    args: &CompareArgs,
    study: &ComparedStudy,
    cell: usize,
) -> Result<CellState, Failure> {
    let resolved = match &study.resolved[cell] {
        Ok(resolved) => resolved,
        Err(failure) => {
            return Ok(CellState::Failed {
                run: None,
                reason: failure.message.clone(),
            });
        }
    };
    let mut begun = None;
    for record in runs_of(runs, resolved)? {
        if record.status != RunStatus::Finished || args.trouble.retry_failed {
            begun.get_or_insert_with(|| begun_state(record));
        } else if let Some(run) = finished(ledger, study, record) {
            return Ok(match run.unaudited() {
                None => CellState::Finished(Box::new(run)),
                Some(reason) => CellState::Failed {
                    run: Some(record.id.clone()),
                    reason,
                },
            });
        }
    }
    Ok(begun.unwrap_or(CellState::Open))
}

/// How a run stands that is to be gone on with.
fn begun_state(record: &RunRecord) -> CellState {
    let run = record.id.clone();
    match &record.status {
        RunStatus::Stopped(reason) if *reason != RunError::Interrupted.to_string() => {
            CellState::Failed {
                run: Some(run),
                reason: reason.clone(),
            }
        }
        _ => CellState::Stopped { run },
    }
}

/// A run of the store and the study it was begun with.
pub(super) struct StoredRun {
    record: RunRecord,
    resolved: ResolvedStudy,
}

/// All runs whose study can be read, the latest first.
pub(super) fn stored_runs(ledger: &Ledger) -> Result<Vec<StoredRun>, Failure> {
    let runs = ledger.runs()?.into_iter().rev().filter_map(|record| {
        let resolved = serde_json::from_str(&record.spec).ok()?;
        Some(StoredRun { record, resolved })
    });
    Ok(runs.collect())
}

/// The runs of one resolved study, the latest first.
fn runs_of<'a>(
    runs: &'a [StoredRun],
    resolved: &ResolvedStudy,
) -> Result<Vec<&'a RunRecord>, Failure> {
    // As it is read back: what a record does not keep is no difference.
    let internal = Failure::from_error(ExitStatus::Internal);
    let kept = serde_json::to_string(resolved).map_err(&internal)?;
    let wanted: ResolvedStudy = serde_json::from_str(&kept).map_err(&internal)?;
    let same = runs.iter().filter(|run| run.resolved.is_same_as(&wanted));
    Ok(same.map(|run| &run.record).collect())
}

/// A finished run, if its log can be read and is of the study's present data.
fn finished(ledger: &Ledger, study: &ComparedStudy, record: &RunRecord) -> Option<CellRun> {
    finished_run(ledger, study, &record.id)
}

/// As [`finished`], by the run's name.
pub(super) fn finished_run(ledger: &Ledger, study: &ComparedStudy, id: &str) -> Option<CellRun> {
    let events = stored::events(&ledger.run_dir(id)?).ok()?;
    let run = CellRun::of(id, &events);
    (run.run.summary.ending.is_some() && run.is_of(&study.audit)).then_some(run)
}

/// A cell that is not finished, with all that its run needs.
#[derive(Clone)]
pub(in crate::commands) struct PendingCell {
    /// Which of the studies, and which of its cells.
    pub at: (usize, usize),
    /// What its progress begins with.
    pub label: String,
    path: PathBuf,
    /// The study as its run keeps it, or why there can be none.
    resolved: Result<ResolvedStudy, (ExitStatus, String)>,
    /// The run to go on with.
    begun: Option<String>,
    /// The name of the audited examples that it has to have.
    audit: Option<String>,
}

impl PendingCell {
    /// `None` if the cell is finished.
    pub(super) fn of(study: &ComparedStudy, at: (usize, usize), label: String) -> Option<Self> {
        let begun = match &study.cells[at.1].state {
            CellState::Finished(_) => return None,
            CellState::Stopped { run } | CellState::Failed { run: Some(run), .. } => Some(run),
            CellState::Failed { run: None, .. } | CellState::Open => None,
        };
        let resolved = study.resolved[at.1].as_ref();
        Some(Self {
            at,
            label,
            path: study.path.clone(),
            resolved: resolved
                .cloned()
                .map_err(|failure| (failure.exit, failure.message.clone())),
            begun: begun.cloned(),
            audit: None,
        })
    }

    /// A cell of somebody's comparison, gone on with where this process stopped before.
    pub fn of_work(work: CellWork, ledger: &Ledger) -> Result<Self, Failure> {
        let cell = Self {
            at: (0, 0),
            label: work.label,
            path: work.path,
            begun: None,
            audit: Some(work.audit),
            resolved: Ok(work.resolved.found_again()),
        };
        cell.going_on(ledger)
    }

    /// The same, to go on with the latest run of it that this process has and did not finish.
    pub(super) fn going_on(mut self, ledger: &Ledger) -> Result<Self, Failure> {
        if let Ok(resolved) = &self.resolved {
            let runs = stored_runs(ledger)?;
            let unfinished = |record: &&RunRecord| record.status != RunStatus::Finished;
            let begun = runs_of(&runs, resolved)?.into_iter().find(unfinished);
            self.begun = begun.map(|record| record.id.clone());
        }
        Ok(self)
    }

    /// The cell for others, if there can be a run of it.
    pub(super) fn work(
        &self,
        keep_going: bool,
        audit: String,
        budget: Option<&str>,
    ) -> Option<CellWork> {
        Some(CellWork {
            audit,
            budget: budget.map(ToOwned::to_owned),
            label: self.label.clone(),
            path: self.path.clone(),
            resolved: self.resolved.as_ref().ok()?.clone(),
            keep_going,
        })
    }
}

/// What cells are run with.
pub(in crate::commands) struct CellRunner<'a> {
    verbosity: VerbosityArgs,
    trouble: TroubleArgs,
    store: &'a Path,
    registry: &'a TaskRegistry,
    ledger: &'a Arc<Ledger>,
    control: &'a RunControl,
    /// Held while a run gets its name: cells that begin at once get different ones.
    naming: Mutex<()>,
}

impl<'a> CellRunner<'a> {
    /// What cells are run with; `store`: the folder.
    pub fn new(
        verbosity: VerbosityArgs,
        trouble: TroubleArgs,
        store: &'a Path,
        registry: &'a TaskRegistry,
        ledger: &'a Arc<Ledger>,
        control: &'a RunControl,
    ) -> Self {
        Self {
            verbosity,
            trouble,
            store,
            registry,
            ledger,
            control,
            naming: Mutex::new(()),
        }
    }

    /// Runs a cell that was taken from a queue, and says there how it ended. What is wrong
    /// with the machine of one who only `helps` is no end of a cell: it is given back, and told
    /// as an error.
    pub async fn run_taken(
        &self,
        cell: &PendingCell,
        queue: &CellQueue,
        id: &str,
        helps: bool,
    ) -> Result<CellEnd, Failure> {
        let cell = cell.clone().going_on(self.ledger)?;
        let mut came = Box::pin(self.run(&cell)).await;
        if let Ok(CellEnd::Failed { reason, exit, .. }) = &came
            && helps
            && matches!(exit, ExitStatus::Usage | ExitStatus::Data)
        {
            came = Err(Failure::new(*exit, format!("{}: {reason}", cell.label)));
        }
        match &came {
            Ok(CellEnd::Finished(run, _)) => {
                queue.ended(id, &CellResult::Finished(run.run.name.clone()))?;
            }
            // A service may be well again; what is wrong with a study stays wrong.
            Ok(CellEnd::Failed {
                reason,
                exit: ExitStatus::Provider,
                ..
            }) => queue.failed(id, reason)?,
            Ok(CellEnd::Failed { reason, exit, .. }) => {
                let (reason, exit) = (reason.clone(), *exit);
                queue.ended(id, &CellResult::Failed { reason, exit })?;
            }
            Ok(CellEnd::Interrupted(_)) => queue.give_back(id)?,
            // Why the store failed is told; that it may fail here again is not.
            Err(_) => drop(queue.give_back(id)),
        }
        came
    }

    /// Runs a cell, or goes on with its run. An error is one that no other cell
    /// would escape.
    pub async fn run(&self, cell: &PendingCell) -> Result<CellEnd, Failure> {
        let resolved = match &cell.resolved {
            Ok(resolved) => resolved,
            Err((exit, reason)) => return Ok(CellEnd::failed(None, *exit, reason)),
        };
        let begun = match &cell.begun {
            Some(run) => self.ledger.run(run)?,
            None => None,
        };
        if let Some(record) = begun {
            let came = Box::pin(self.execute(cell, resolved, Some(record))).await?;
            // The data or the program changed since: its replies are stored all the same.
            if !matches!(came, CellCourse::Diverged) {
                return Ok(came.end());
            }
            note(&format!(
                "{}: the run that stopped takes another course now; a new one begins",
                cell.label
            ));
        }
        Ok(Box::pin(self.execute(cell, resolved, None)).await?.end())
    }

    async fn execute(
        &self,
        cell: &PendingCell,
        resolved: &ResolvedStudy,
        record: Option<RunRecord>,
    ) -> Result<CellCourse, Failure> {
        let known = record.as_ref().map(|record| record.id.clone());
        let mut progress = fetch_progress(self.verbosity.quiet);
        let prepared = tokio::select! {
            prepared = StudySession::resume(resolved.clone(), &cell.path, self.registry, record.as_ref(), &mut progress) => prepared,
            () = self.control.stopped() => return Ok(CellEnd::Interrupted(known).into()),
        };
        let session = match prepared {
            Ok(session) => session,
            Err(failure) => {
                return Ok(CellEnd::failed(known, failure.exit, failure.message).into());
            }
        };
        if let Some(audit) = &cell.audit {
            let data = &session.loaded.data;
            if AuditClusters::of(data, session.built.task.as_ref()).fingerprint() != *audit {
                let told = format!(
                    "{}: the audited examples here are not those of the comparison; its data are \
                     older or newer than those of whoever asked for it",
                    cell.path.display()
                );
                return Ok(CellEnd::failed(known, ExitStatus::Data, told).into());
            }
        }
        let record = if let Some(record) = record {
            record
        } else {
            let _naming = self.naming.lock().await;
            let record = session.new_run(self.ledger)?;
            self.ledger.save_run(&record).await?;
            record
        };
        let id = record.id.clone();
        let execution = RunExecution {
            observers: vec![self.observer(&session, &cell.label)],
            session,
            ledger: self.ledger.clone(),
            record,
            control: self.control.clone(),
            trouble: self.trouble.into(),
            by: "compare",
        };
        match Box::pin(execution.execute()).await {
            Ok(Some(done)) => self.read(&id, &done).map(Into::into),
            Ok(None) => Ok(CellEnd::Interrupted(Some(id)).into()),
            Err(ExecutionError::Failed(failure)) => Err(failure),
            Err(ExecutionError::Stopped(stop, _)) => course(id, stop),
        }
    }

    fn observer(&self, session: &StudySession, label: &str) -> Box<dyn RunObserver> {
        let verbosity = match (self.verbosity.quiet, self.verbosity.verbose) {
            (true, _) => ProgressVerbosity::Quiet,
            (_, true) => ProgressVerbosity::Verbose,
            _ => ProgressVerbosity::Normal,
        };
        let planned = session.plan().calls();
        if verbosity > ProgressVerbosity::Quiet {
            note(&format!(
                "{label}: at most {} calls; {}",
                grouped(planned),
                session.task_model.report
            ));
        }
        Box::new(ProgressWriter::of_part(
            verbosity,
            planned,
            label.to_owned(),
        ))
    }

    /// The run as a comparison reads it, from its log.
    fn read(&self, id: &str, done: &FinishedRun) -> Result<CellEnd, Failure> {
        let folder = stored::folder(self.store, id)?;
        let run = CellRun::of(id, &stored::events(&folder)?);
        Ok(match run.unaudited() {
            None => CellEnd::Finished(Box::new(run), done.sent),
            Some(reason) => CellEnd::failed(Some(id.to_owned()), ExitStatus::Budget, reason),
        })
    }
}

/// An end, or a resumed run that no longer goes the way it went.
enum CellCourse {
    Ended(CellEnd),
    Diverged,
}

impl From<CellEnd> for CellCourse {
    fn from(end: CellEnd) -> Self {
        Self::Ended(end)
    }
}

impl CellCourse {
    fn end(self) -> CellEnd {
        match self {
            Self::Ended(end) => end,
            Self::Diverged => CellEnd::failed(
                None,
                ExitStatus::Data,
                "its run takes another course than its own log",
            ),
        }
    }
}

/// What becomes of a cell whose run stopped. A store that fails fails for all.
fn course(id: String, stop: RunError) -> Result<CellCourse, Failure> {
    match &stop {
        RunError::Interrupted => Ok(CellEnd::Interrupted(Some(id)).into()),
        RunError::Log(LogError::Diverged { .. }) => Ok(CellCourse::Diverged),
        RunError::Ledger(_) | RunError::Log(_) => {
            Err(Failure::new(ExitStatus::of(&stop), stop.to_string()).caused_by(stop))
        }
        _ => {
            let exit = ExitStatus::of(&stop);
            Ok(CellEnd::failed(Some(id), exit, unusable::stopped(&stop)).into())
        }
    }
}
