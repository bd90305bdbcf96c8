//! Runs that other machines can see: their records and files.

use std::fs;
use std::path::Path;

use shiftproof_search::ledger::{Ledger, RunRecord};
use shiftproof_store::shared::{MAX_PIECE, SharedStore};
use shiftproof_store::{WriteBatch, create_dir_all, files};

use super::{StoreLocation, connect_to_read, store_of};
use crate::exit::{ExitStatus, Failure};
use crate::runs::durable;
use crate::runs::heartbeat;
use crate::runs::stored::LOG;

const RUN: &str = "u/";

fn folder_of(run: &str) -> String {
    format!("runs/{run}")
}

/// Takes the run for this process alone. Without a shared store the folder's own lock sees to
/// that.
pub(crate) fn hold_run(ledger: &Ledger, run: &str) -> Result<(), Failure> {
    let Some(store) = store_of(ledger) else {
        return Ok(());
    };
    let lock = store.lock(&folder_of(run))?;
    lock.map_err(|holder| {
        Failure::data(format!(
            "the run {run} is under way in the process {holder}; wait until it ends, or stop it"
        ))
    })
}

/// The records of all shared runs.
pub(crate) fn records(store: &dyn SharedStore) -> Result<Vec<RunRecord>, Failure> {
    let mut records = Vec::new();
    for record in store.scan(RUN.as_bytes()) {
        let (key, value) = record?;
        records.push(serde_json::from_slice(&value).map_err(|error| {
            let key = String::from_utf8_lossy(&key).into_owned();
            Failure::data(format!("{}: the record {key}: {error}", store.address()))
                .caused_by(error)
        })?);
    }
    records.sort_by(|a: &RunRecord, b| (a.started_ms, &a.id).cmp(&(b.started_ms, &b.id)));
    Ok(records)
}

/// The names of all shared runs; none without a shared store.
pub(crate) fn names(ledger: &Ledger) -> Result<Vec<String>, Failure> {
    let Some(store) = store_of(ledger) else {
        return Ok(Vec::new());
    };
    Ok(records(&**store)?.into_iter().map(|run| run.id).collect())
}

/// Shows a run to the others as it stands: its record, and its files as far as they do not have
/// them. Without a shared store nothing is done.
pub(crate) fn push_run(ledger: &Ledger, record: &RunRecord) -> Result<(), Failure> {
    let Some(store) = store_of(ledger) else {
        return Ok(());
    };
    if let Some(folder) = ledger.run_dir(&record.id).filter(|folder| folder.is_dir()) {
        push_files(&**store, &folder, &folder_of(&record.id))?;
    }
    let mut batch = WriteBatch::new();
    // What lasts is told last: a record that says "finished" has its files.
    let value = serde_json::to_vec(record).map_err(Failure::from_error(ExitStatus::Internal))?;
    batch.put(format!("{RUN}{}", record.id), value);
    store.apply(batch).map_err(Failure::from)
}

fn push_files(store: &dyn SharedStore, folder: &Path, name: &str) -> Result<(), Failure> {
    let read =
        |path: &Path| fs::read(path).map_err(Failure::from_io(ExitStatus::Data, "read", path));
    let entries =
        fs::read_dir(folder).map_err(Failure::from_io(ExitStatus::Data, "read", folder))?;
    for entry in entries.flatten() {
        let path = entry.path();
        let Some(file) = entry.file_name().to_str().map(ToOwned::to_owned) else {
            continue;
        };
        // Who is alive is told by locks, and what is being written is no file yet.
        let is_unfinished = path.extension().is_some_and(|end| end == "new");
        if !path.is_file() || is_unfinished || file == heartbeat::FILE {
            continue;
        }
        let bytes = read(&path)?;
        let pieces = bytes.chunks(MAX_PIECE);
        for (piece, offset) in pieces.zip((0_u64..).step_by(MAX_PIECE)) {
            store.write_file(name, &file, offset, piece)?;
        }
        if bytes.is_empty() {
            store.write_file(name, &file, 0, &[])?;
        }
    }
    Ok(())
}

/// Copies the shared runs that are not in the folder `location` into it, for who reads them
/// there; where nothing is shared, nothing is done. A run that is named and is nowhere is for
/// the reader to tell.
pub(crate) fn fetch_runs<'a>(
    location: &StoreLocation,
    runs: impl IntoIterator<Item = &'a str>,
) -> Result<(), Failure> {
    let is_here = |run: &&str| location.join("runs").join(run).join(LOG).is_file();
    let missing: Vec<&str> = runs.into_iter().filter(|run| !is_here(run)).collect();
    // Who has all of it needs no database.
    if missing.is_empty() {
        return Ok(());
    }
    let Some(store) = connect_to_read(location)? else {
        return Ok(());
    };
    for run in missing {
        let store = &*store;
        if pull_run(store, location, run)? && !is_here(&run) {
            let place = under_way(store, run).map_or_else(
                || "in the folder of another process".to_owned(),
                |holder| format!("under way in the process {holder}"),
            );
            return Err(Failure::usage(format!(
                "the run {run} is {place}: it can be read here once it has ended"
            )));
        }
    }
    Ok(())
}

/// The process in which a run is under way, if it is and that can be told: who may only look
/// at a store cannot ask for a name.
pub(crate) fn under_way(store: &dyn SharedStore, run: &str) -> Option<String> {
    let name = folder_of(run);
    match store.lock(&name).ok()? {
        Ok(()) => {
            // At the latest it is let go when this process ends.
            let _ = store.unlock(&name);
            None
        }
        Err(holder) => Some(holder),
    }
}

/// Removes a run for all; its answers stay.
pub(crate) fn remove_run(ledger: &Ledger, run: &str) -> Result<(), Failure> {
    let Some(store) = store_of(ledger) else {
        return Ok(());
    };
    hold_run(ledger, run)?;
    let mut batch = WriteBatch::new();
    batch.delete(format!("{RUN}{run}"));
    store.apply(batch)?;
    store.remove_folder(&folder_of(run))?;
    Ok(store.unlock(&folder_of(run))?)
}

/// Copies a shared run into the folder `to` of a process; whether there is such a run.
pub(crate) fn pull_run(store: &dyn SharedStore, to: &Path, run: &str) -> Result<bool, Failure> {
    let value = store.get(format!("{RUN}{run}").as_bytes())?;
    if value.is_none() {
        return Ok(false);
    }
    let folder = to.join("runs").join(run);
    create_dir_all(&folder)?;
    files::restrict(&folder);
    let name = folder_of(run);
    for file in store.files(&name)? {
        let path = folder.join(&file.name);
        let mut bytes = Vec::with_capacity(file.len as usize);
        while let Some(piece) = store
            .read_file(&name, &file.name, bytes.len() as u64)?
            .filter(|piece| !piece.is_empty())
        {
            bytes.extend_from_slice(&piece);
        }
        durable::write(&path, &bytes).map_err(Failure::from_error(ExitStatus::Data))?;
    }
    Ok(true)
}
