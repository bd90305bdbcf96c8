//! A stored run from its first event to its last, whoever watches it.

use std::path::Path;
use std::sync::Arc;

use shiftproof_search::control::RunControl;
use shiftproof_search::event::RunObserver;
use shiftproof_search::gateway::RunError;
use shiftproof_search::ledger::{Ledger, RunRecord};

use super::write;
use crate::exit::{ExitStatus, Failure};
use crate::report::{NamedRun, ReportFormat, render};
use crate::runs::heartbeat::LiveFile;
use crate::runs::session::{FinishedRun, StudySession, UnusablePolicy};
use crate::shared;
use crate::study::BatchMode;

/// A run about to be executed.
pub(crate) struct RunExecution {
    pub session: StudySession,
    pub ledger: Arc<Ledger>,
    pub record: RunRecord,
    pub observers: Vec<Box<dyn RunObserver>>,
    pub control: RunControl,
    pub trouble: UnusablePolicy,
    /// The command, as the log of opened audits names it.
    pub by: &'static str,
}

/// Why there is no result.
pub(crate) enum ExecutionError {
    /// The run stopped; its record says how it stands.
    Stopped(RunError, Box<RunRecord>),
    /// What is kept beside the run could not be written.
    Failed(Failure),
}

impl From<Failure> for ExecutionError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl RunExecution {
    /// Executes it. While it lasts, others can see that it lives. `None`: aborted.
    pub async fn execute(mut self) -> Result<Option<FinishedRun>, ExecutionError> {
        let study = &self.session.resolved.study;
        let sends_batches = study.models().any(|spec| spec.batch != BatchMode::Off);
        if sends_batches && shared::store_of(&self.ledger).is_some() {
            return Err(Failure::usage(
                "calls of a batch are with the provider for hours, claimed by nobody and in no \
                 shared budget; take --batch or model.batch out, or a folder as the store",
            )
            .into());
        }
        let folder = self.ledger.run_dir(&self.record.id);
        let (ledger, id) = (self.ledger.clone(), self.record.id.clone());
        // Before there is a folder to be seen: a run that is killed in between can be
        // listed, resumed and removed.
        self.ledger
            .save_run(&self.record)
            .await
            .map_err(Failure::from)?;
        tell_others(&ledger, &id).await?;
        if let Some(folder) = &folder {
            let planned = self.session.plan().calls();
            let live = LiveFile::create(folder, planned).map_err(Failure::from_io(
                ExitStatus::Data,
                "write to",
                folder,
            ))?;
            self.observers.insert(0, Box::new(live));
        }
        let control = self.control.clone();
        let done = tokio::select! {
            // Who aborts does not wait for what comes of it.
            biased;
            () = control.aborted() => return Ok(None),
            // Moved in: whoever still looks at the screen keeps no one from the store.
            done = self.session.run(self.ledger, self.record, self.observers, control.clone(), self.trouble, self.by) => done,
        };
        tell_others(&ledger, &id).await?;
        let done =
            done.map_err(|(stop, record)| ExecutionError::Stopped(stop, Box::new(record)))?;
        Ok(Some(done))
    }
}

/// Shows the run as it stands to those who share the store, and what it opened.
async fn tell_others(ledger: &Arc<Ledger>, run: &str) -> Result<(), Failure> {
    if shared::store_of(ledger).is_none() {
        return Ok(());
    }
    let (ledger, run) = (ledger.clone(), run.to_owned());
    let told = tokio::task::spawn_blocking(move || {
        if let Some(record) = ledger.run(&run)? {
            shared::push_run(&ledger, &record)?;
        }
        let folder = ledger.run_dir(&run);
        let store = folder
            .as_deref()
            .and_then(Path::parent)
            .and_then(Path::parent);
        store.map_or(Ok(()), |store| shared::exchange_openings(&ledger, store))
    });
    told.await
        .map_err(Failure::from_error(ExitStatus::Internal))?
}

/// One run's report in the form that the file's ending asks for.
pub(super) fn write_report(path: &Path, run: &NamedRun) -> Result<(), Failure> {
    write(
        path,
        &render(ReportFormat::of(path)?, std::slice::from_ref(run))?,
    )
}
