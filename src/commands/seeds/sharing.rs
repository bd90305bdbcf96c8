//! Random seeds that several processes of a shared store work through: each takes those that
//! nobody has, and reads what others came to.

use std::time::Duration;

use shiftproof_search::ledger::RunStatus;
use shiftproof_store::shared::SharedStore;

use super::SeededRuns;
use crate::commands::note;
use crate::exit::Failure;
use crate::report::NamedRun;
use crate::runs::stored;
use crate::shared;
use crate::shared::work::placeless_id;
use crate::study::ResolvedStudy;

/// How often it is looked whether others are done.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How a process stands with a random seed.
pub(super) enum SeedTurn {
    /// Its run is at its end; `None`: interrupted.
    Ended(Option<Box<NamedRun>>),
    /// Another process has it: which.
    Held(String),
}

impl SeededRuns<'_> {
    /// The run of one seed, from the store or to its end, unless another process has it.
    pub(super) async fn take(
        &self,
        resolved: &ResolvedStudy,
        label: &str,
    ) -> Result<SeedTurn, Failure> {
        let Some(store) = shared::store_of(&self.ledger) else {
            let ended = Box::pin(self.run(resolved, label)).await?;
            return Ok(SeedTurn::Ended(ended.map(Box::new)));
        };
        let id = placeless_id(resolved)?;
        let name = format!("seed {id}");
        if let Err(holder) = store.lock(&name)? {
            return Ok(SeedTurn::Held(holder));
        }
        let mut ended = self.finished_by_others(&**store, &id, label)?;
        if ended.is_none() {
            shared::check_budget(&self.ledger)?;
            ended = Box::pin(self.run(resolved, label)).await?;
        }
        store.unlock(&name)?;
        Ok(SeedTurn::Ended(ended.map(Box::new)))
    }

    /// The run that another process finished of the same study, if one did.
    fn finished_by_others(
        &self,
        store: &dyn SharedStore,
        id: &str,
        label: &str,
    ) -> Result<Option<NamedRun>, Failure> {
        if self.args.trouble.retry_failed {
            return Ok(None);
        }
        for record in shared::records(store)?.into_iter().rev() {
            let is_same = record.status == RunStatus::Finished
                && self.ledger.run(&record.id)?.is_none()
                && serde_json::from_str::<ResolvedStudy>(&record.spec)
                    .is_ok_and(|own| placeless_id(&own).is_ok_and(|own| own == id));
            if !is_same {
                continue;
            }
            let folder = &self.args.store.store;
            shared::pull_run(store, folder, &record.id)?;
            let run = stored::read(&stored::folder(folder, &record.id)?)?;
            if run.summary.ending.is_some() {
                if !self.args.verbosity.quiet {
                    note(&format!(
                        "{label}: another process finished run {}",
                        record.id
                    ));
                }
                return Ok(Some(run));
            }
        }
        Ok(None)
    }
}
