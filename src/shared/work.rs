//! Cells of comparisons that any process may work through.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shiftproof_store::shared::{SharedStore, WorkItem, WorkState, WorkStatus};

use crate::exit::{ExitStatus, Failure};
use crate::study::ResolvedStudy;

/// A cell as a queue holds it: all that a process needs which has the data, too.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CellWork {
    /// What its progress begins with.
    pub label: String,
    /// The study file, for messages.
    pub path: PathBuf,
    /// The study as its run keeps it.
    pub resolved: ResolvedStudy,
    /// Whether it goes on where hardly an answer can be used.
    pub keep_going: bool,
    /// A name for the audited examples that it is compared on: whoever has others must not
    /// run it.
    pub audit: String,
    /// The shared budget that the comparison draws on.
    #[serde(default)]
    pub budget: Option<String>,
}

impl CellWork {
    /// Its name in its queue: equal for equal studies with an equal audit, wherever their
    /// files are.
    pub(crate) fn id(&self) -> Result<String, Failure> {
        let study = placeless_id(&self.resolved)?;
        let hash = blake3::hash(format!("{study} {}", self.audit).as_bytes());
        Ok(hash.to_hex()[..32].to_owned())
    }
}

/// A name for a study as a run keeps it, wherever its files are.
pub(crate) fn placeless_id(resolved: &ResolvedStudy) -> Result<String, Failure> {
    let placeless = ResolvedStudy {
        folder: PathBuf::new(),
        began_in: None,
        file: None,
        ..resolved.clone()
    };
    let text = serde_json::to_string(&placeless);
    let text = text.map_err(Failure::from_error(ExitStatus::Internal))?;
    Ok(blake3::hash(text.as_bytes()).to_hex()[..32].to_owned())
}

/// What came of a cell that will not be tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CellResult {
    /// By this run.
    Finished(String),
    /// Another try would fail, too.
    Failed {
        /// Why.
        reason: String,
        /// The code that its run would have ended `optimize` with.
        exit: ExitStatus,
    },
}

impl CellResult {
    /// As a queue holds it; `None` for what cannot be read.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// The cells of one comparison.
#[derive(Clone)]
pub(crate) struct CellQueue {
    store: Arc<dyn SharedStore>,
    name: String,
}

impl CellQueue {
    /// The queue of this name.
    pub(crate) fn new(store: Arc<dyn SharedStore>, name: impl Into<String>) -> Self {
        Self {
            store,
            name: name.into(),
        }
    }

    /// Adds cells, each with its id. Those that have failed wait again.
    pub(crate) fn add(&self, cells: &[(String, CellWork)]) -> Result<(), Failure> {
        let item = |(id, work): &(String, CellWork)| {
            let payload = serde_json::to_vec(work);
            Ok(WorkItem {
                id: id.clone(),
                payload: payload.map_err(Failure::from_error(ExitStatus::Internal))?,
            })
        };
        let items: Vec<WorkItem> = cells.iter().map(item).collect::<Result<_, Failure>>()?;
        self.store.add_work(&self.name, &items)?;
        for cell in self.cells()? {
            let has_failed = match &cell.state {
                WorkState::PutAside(_) => true,
                WorkState::Done(result) => {
                    !matches!(CellResult::read(result), Some(CellResult::Finished(_)))
                }
                WorkState::Waiting | WorkState::Taken { .. } => false,
            };
            if has_failed && cells.iter().any(|(id, _)| *id == cell.item.id) {
                self.store.reopen_work(&self.name, &cell.item.id)?;
            }
        }
        Ok(())
    }

    /// Takes the next cell that is free.
    pub(crate) fn take(&self) -> Result<Option<(String, CellWork)>, Failure> {
        let Some(item) = self.store.take_work(&self.name)? else {
            return Ok(None);
        };
        match serde_json::from_slice(&item.payload) {
            Ok(work) => Ok(Some((item.id, work))),
            Err(error) => {
                let reason = format!("the item cannot be read: {error}");
                self.store.end_work(&self.name, &item.id, Err(&reason))?;
                Err(Failure::data(format!(
                    "{}: the item {} of {:?} cannot be read by this version: {error}",
                    self.store.address(),
                    item.id,
                    self.name
                ))
                .caused_by(error))
            }
        }
    }

    /// A cell has ended, and how.
    pub(crate) fn ended(&self, id: &str, result: &CellResult) -> Result<(), Failure> {
        let result =
            serde_json::to_vec(result).map_err(Failure::from_error(ExitStatus::Internal))?;
        self.store.end_work(&self.name, id, Ok(&result))?;
        Ok(())
    }

    /// A cell failed, and may not when it is tried again.
    pub(crate) fn failed(&self, id: &str, reason: &str) -> Result<(), Failure> {
        self.store.end_work(&self.name, id, Err(reason))?;
        Ok(())
    }

    /// A cell is given back.
    pub(crate) fn give_back(&self, id: &str) -> Result<(), Failure> {
        Ok(self.store.return_work(&self.name, id)?)
    }

    /// All cells as they stand.
    pub(crate) fn cells(&self) -> Result<Vec<WorkStatus>, Failure> {
        Ok(self.store.work(&self.name)?)
    }

    /// A cell is to be run anew.
    pub(crate) fn reopen(&self, id: &str) -> Result<(), Failure> {
        Ok(self.store.reopen_work(&self.name, id)?)
    }
}

#[cfg(test)]
mod tests {
    use shiftproof_store::shared::MemorySharedStore;

    use super::*;

    fn work(folder: &str, seed: u64, audit: &str) -> CellWork {
        let study = "name = \"s\"\n[task]\nkind = \"classify\"\nlabels = [\"a\", \"b\"]\nprompt = \"p\"\n\
                     [data]\nfile = \"d.csv\"\n[groups]\nsource = [\"x\"]\n";
        let study: crate::study::Study = toml::from_str(study).unwrap();
        let mut resolved = ResolvedStudy::new(study, folder.into(), seed);
        resolved.began_in = Some(folder.into());
        CellWork {
            label: "[1/1]".into(),
            path: "study.toml".into(),
            resolved,
            keep_going: false,
            audit: audit.into(),
            budget: None,
        }
    }

    #[test]
    fn cells_are_named_by_what_is_run() {
        let id = |folder, seed, audit| work(folder, seed, audit).id().unwrap();
        assert_eq!(id("/a", 1, "audit"), id("/b", 1, "audit"));
        assert_ne!(id("/a", 1, "audit"), id("/a", 2, "audit"));
        assert_ne!(id("/a", 1, "audit"), id("/a", 1, "other"));
    }

    #[test]
    fn failed_cells_are_tried_again_and_put_aside() {
        let store = Arc::new(MemorySharedStore::new());
        let queue = CellQueue::new(store, "compare");
        let cells = [("one".to_owned(), work("/a", 1, "audit"))];
        queue.add(&cells).unwrap();
        for _ in 0..3 {
            let (id, _) = queue.take().unwrap().unwrap();
            queue.failed(&id, "no server").unwrap();
        }
        assert!(queue.take().unwrap().is_none());
        let state = queue.cells().unwrap().remove(0).state;
        assert_eq!(state, WorkState::PutAside("no server".into()));
        // Who asks for it again has mended that.
        queue.add(&cells).unwrap();
        let (id, _) = queue.take().unwrap().unwrap();
        let hopeless = CellResult::Failed {
            reason: "a budget too small".into(),
            exit: ExitStatus::Budget,
        };
        queue.ended(&id, &hopeless).unwrap();
        assert!(queue.take().unwrap().is_none(), "nobody tries it again");
        queue.add(&cells).unwrap();
        let (id, _) = queue.take().unwrap().unwrap();
        let finished = CellResult::Finished("s-s1-1".into());
        queue.ended(&id, &finished).unwrap();
        queue.add(&cells).unwrap();
        assert!(queue.take().unwrap().is_none(), "what is finished stays so");
        let WorkState::Done(result) = queue.cells().unwrap().remove(0).state else {
            panic!("it is done");
        };
        assert_eq!(CellResult::read(&result), Some(finished));
    }
}
