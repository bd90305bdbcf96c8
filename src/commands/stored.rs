//! A stored run, read without opening the store: another process may hold it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use shiftproof_search::event::Event;
use shiftproof_search::log;

use crate::exit::Failure;
use crate::report::{Named, Summary};
use crate::study::Resolved;

/// Runs named in a message at most.
const SHOWN: usize = 20;

/// The folder of a run: that of its name in the store, or the folder itself.
pub(super) fn folder(store: &Path, run: &str) -> Result<PathBuf, Failure> {
    let runs = store.join("runs");
    [runs.join(run), PathBuf::from(run)]
        .into_iter()
        .find(|folder| folder.join("events.jsonl").is_file())
        .ok_or_else(|| {
            let mut known: Vec<String> = std::fs::read_dir(&runs)
                .into_iter()
                .flatten()
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .collect();
            known.sort();
            let more = known.len().saturating_sub(SHOWN);
            known.truncate(SHOWN);
            let mut there = if known.is_empty() {
                "there are none; --store names another store".to_owned()
            } else {
                known.join(", ")
            };
            if more > 0 {
                let _ = write!(there, " and {more} more");
            }
            Failure::usage(format!(
                "there is no run {run} in {}\n  runs there: {there}",
                store.display()
            ))
        })
}

/// The fold of a run's events so far.
pub(super) fn read(folder: &Path) -> Result<Named, Failure> {
    let events = events(folder)?;
    let name = folder
        .canonicalize()
        .ok()
        .and_then(|folder| Some(folder.file_name()?.to_string_lossy().into_owned()))
        .unwrap_or_else(|| folder.display().to_string());
    Ok(Named::new(name, Summary::of(&events)))
}

/// A run's events so far.
pub(super) fn events(folder: &Path) -> Result<Vec<Event>, Failure> {
    let lines = log::read(&folder.join("events.jsonl"))
        .map_err(|error| Failure::data(error.to_string()))?;
    Ok(lines.into_iter().map(|line| line.event).collect())
}

/// The study a run began with; `None` for a run that kept none beside its log.
pub(super) fn study(folder: &Path) -> Result<Option<Resolved>, Failure> {
    let path = folder.join("study.json");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Failure::data(format!(
                "cannot read {}: {error}",
                path.display()
            )));
        }
    };
    serde_json::from_str(&text).map(Some).map_err(|error| {
        Failure::data(format!(
            "{}:{}: not a study of this version ({error})",
            path.display(),
            error.line()
        ))
    })
}
