//! What a run leaves in its folder and its record, whole and durable.

use std::path::Path;

use serde::{Deserialize, Serialize};
use shiftproof_search::event::RunObserver;
use shiftproof_search::event_log::{self, EventLog, LogError};
use shiftproof_search::gateway::{Gateway, RunError};
use shiftproof_search::ledger::{CandidateRecord, Ledger, RunRecord};
use shiftproof_store::create_dir_all;

use crate::exit::Failure;
use crate::gate::holdout_log::HoldoutAccess;
use crate::llm::http::ServerAbilities;
use crate::report::{NamedRun, ReportFormat, RunSummary, render};
use crate::runs::durable;
use crate::runs::stored::{self, LOG};

/// What was found out about a run's models when it began.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct FoundModels {
    #[serde(default)]
    pub task: Option<ServerAbilities>,
    #[serde(default)]
    pub proposer: Option<ServerAbilities>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<ServerAbilities>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knowledge: Option<ServerAbilities>,
}

impl FoundModels {
    pub fn of(record: &RunRecord) -> Result<Self, Failure> {
        let Some(found) = &record.models else {
            return Ok(Self::default());
        };
        serde_json::from_str(found).map_err(|error| {
            Failure::data(format!(
                "what the record of run {} holds about its models cannot be read: {error}",
                record.id
            ))
            .caused_by(error)
        })
    }
}

/// The event log in a run's folder, with the study beside it for those who read a
/// run without opening the store. A log that is damaged is told anew from the stored
/// replies, as is one that tells of what is asked again.
pub(super) fn open_log(
    folder: &Path,
    record: &RunRecord,
    anew: bool,
    observers: Vec<Box<dyn RunObserver>>,
) -> Result<EventLog, LogError> {
    create_dir_all(folder).map_err(|error| LogError::Io {
        path: folder.to_owned(),
        source: std::io::Error::other(error),
    })?;
    durable::write(&folder.join("study.json"), record.spec.as_bytes())?;
    stored::unseal(folder)?;
    let path = folder.join(LOG);
    let damaged = path.exists()
        && matches!(
            event_log::read(&path),
            Err(LogError::Damaged { .. } | LogError::Malformed { .. })
        );
    if anew {
        set_log_aside(folder, "events.before-retry")?;
    } else if damaged {
        set_log_aside(folder, "events.damaged")?;
    }
    EventLog::logged(&path, observers)
}

/// Everything that a finished run leaves, durable.
pub(super) async fn close(
    gateway: &Gateway,
    ledger: &Ledger,
    record: &RunRecord,
    folder: Option<&Path>,
    opening: HoldoutAccess,
    summary: &RunSummary,
) -> Result<(), RunError> {
    ledger
        .save_candidates(&record.id, &records(summary))
        .await?;
    let Some(folder) = folder else { return Ok(()) };
    gateway.sync_events()?;
    if let Some(store) = folder.parent().and_then(Path::parent) {
        opening
            .record_run(store, &record.id, summary)
            .map_err(|failure| unwritten(store, failure))?;
    }
    let run = NamedRun::new(&record.id, summary.clone());
    for file in ["report.txt", "report.json"] {
        let path = folder.join(file);
        let report = ReportFormat::of(&path)
            .and_then(|form| render(form, std::slice::from_ref(&run)))
            .map_err(|failure| unwritten(&path, failure))?;
        durable::write(&path, report.as_bytes())?;
    }
    Ok(stored::seal(folder, gateway.emitted().len())?)
}

fn unwritten(path: &Path, failure: Failure) -> RunError {
    LogError::Io {
        path: path.to_owned(),
        source: std::io::Error::other(failure),
    }
    .into()
}

/// Keeps the log of a run whose refused calls are asked again under another name:
/// what is answered now may lead elsewhere. Everything else is told anew from the
/// stored replies.
fn set_log_aside(folder: &Path, name: &str) -> Result<(), LogError> {
    let path = folder.join(LOG);
    if !path.exists() {
        return Ok(());
    }
    let aside = (1..=u64::MAX)
        .map(|n| folder.join(format!("{name}-{n}.jsonl")))
        .find(|aside| !aside.exists())
        .expect("there are more numbers than files");
    std::fs::rename(&path, aside).map_err(|source| LogError::Io { path, source })
}

fn records(summary: &RunSummary) -> Vec<CandidateRecord> {
    summary
        .candidates
        .values()
        .map(|standing| CandidateRecord {
            prompt: standing.prompt.clone(),
            origin: standing.origin,
            parents: standing.parents.clone(),
            score: standing.score,
            groups: standing.groups.clone(),
            reason: standing.reason.clone(),
        })
        .collect()
}
