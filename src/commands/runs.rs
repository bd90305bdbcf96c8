use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use shiftproof_search::ledger::{Ledger, RunRecord, RunStatus};

use super::{note, open_ledger, print, tell_opened};
use crate::cli::{RunsAction, RunsArgs};
use crate::exit::{ExitStatus, Failure};
use crate::report::list::{self, RunRow};
use crate::report::{RunSummary, to_json};
use crate::runs::heartbeat;
use crate::runs::stored;
use crate::shared::{self, StoreLocation};

pub(super) async fn run(args: RunsArgs) -> Result<ExitStatus, Failure> {
    let store = &args.store.store;
    if !store.exists() {
        return Err(Failure::data(format!(
            "there is no store at {}",
            store.display()
        )));
    }
    match args.action {
        None => list(store, args.json)?,
        Some(RunsAction::List { json }) => list(store, json || args.json)?,
        Some(RunsAction::Show { run, json }) => {
            shared::fetch_runs(store, [run.as_str()])?;
            let summary = stored::read(&stored::folder(store, &run)?)?.summary;
            if json || args.json {
                print(&to_json(&summary)?)?;
            } else {
                print(&summary.text())?;
            }
        }
        Some(RunsAction::Rm { run }) => {
            let ledger = open_ledger(&args.store)?;
            let is_shared = shared::names(&ledger)?.contains(&run);
            shared::remove_run(&ledger, &run)?;
            // Of a process that was killed at once there may be the folder alone.
            if ledger.run(&run)?.is_some() {
                ledger.remove_run(&run).await?;
            } else if !is_shared && !stored::names(store).contains(&run) {
                return Err(stored::unknown(store, &run));
            }
            if let Some(folder) = ledger.run_dir(&run).filter(|folder| folder.exists()) {
                std::fs::remove_dir_all(&folder).map_err(Failure::from_io(
                    ExitStatus::Data,
                    "remove",
                    &folder,
                ))?;
            }
            note(&format!(
                "removed {run}; its paid replies stay for other runs"
            ));
        }
    }
    Ok(ExitStatus::Done)
}

fn list(store: &StoreLocation, json: bool) -> Result<(), Failure> {
    let others = OtherRuns::of(store)?;
    let rows = match Ledger::open(store) {
        Ok(ledger) => stored_rows(&tell_opened(ledger), others, store)?,
        // Runs are read beside one that is under way, from what each has of its own.
        Err(error) if error.holder().is_some() => found_rows(store)?,
        Err(error) => return Err(error.into()),
    };
    print(&if json {
        to_json(&rows)?
    } else {
        list::table(&rows, store)
    })
}

/// The runs as the store has them.
fn stored_rows(ledger: &Ledger, others: OtherRuns, store: &Path) -> Result<Vec<RunRow>, Failure> {
    let mut rows = Vec::new();
    let mut records = ledger.runs()?;
    let own: BTreeSet<String> = records.iter().map(|record| record.id.clone()).collect();
    let is_other = |record: &RunRecord| !own.contains(&record.id);
    records.extend(others.records.into_iter().filter(is_other));
    records.sort_by(|a, b| (a.started_ms, &a.id).cmp(&(b.started_ms, &b.id)));
    let known: BTreeSet<&str> = records.iter().map(|record| record.id.as_str()).collect();
    let orphans: Vec<String> = stored::names(store)
        .into_iter()
        .filter(|name| !known.contains(name.as_str()))
        .collect();
    if !orphans.is_empty() {
        note(&format!(
            "folders of no run that is stored, as a process leaves that is killed at once: {}; \
             `shiftproof runs rm NAME{}` removes one",
            orphans.join(", "),
            stored::store_flag(store)
        ));
    }
    for record in records {
        // A run that was stopped before it began, or whose folder was moved
        // away, has no log.
        let folder = ledger.run_dir(&record.id);
        folder.as_deref().map_or(Ok(()), stored::not_lost)?;
        let summary = match folder {
            Some(folder) if folder.join(stored::LOG).is_file() => stored::brief(&folder)?,
            _ => RunSummary::default(),
        };
        let row = RunRow::of(&record, &summary);
        rows.push(if own.contains(&record.id) {
            row
        } else {
            row.elsewhere(others.under_way.get(&record.id).cloned())
        });
    }
    Ok(rows)
}

/// The runs of all who share the store; none where nothing is shared.
#[derive(Default)]
struct OtherRuns {
    records: Vec<RunRecord>,
    /// In which process, for those that are.
    under_way: BTreeMap<String, String>,
}

impl OtherRuns {
    /// All of them, those that are finished copied to where they can be read.
    fn of(location: &StoreLocation) -> Result<Self, Failure> {
        let Some(store) = shared::connect_to_read(location)? else {
            return Ok(Self::default());
        };
        let store = &*store;
        let records = shared::records(store)?;
        let mut under_way = BTreeMap::new();
        for record in &records {
            if record.status == RunStatus::Running
                && let Some(holder) = shared::under_way(store, &record.id)
            {
                under_way.insert(record.id.clone(), holder);
            }
        }
        let finished = records
            .iter()
            .filter(|run| run.status == RunStatus::Finished);
        shared::fetch_runs(location, finished.map(|run| run.id.as_str()))?;
        Ok(Self { records, under_way })
    }
}

/// The runs as their folders have them, in the order of their beginning.
fn found_rows(store: &Path) -> Result<Vec<RunRow>, Failure> {
    let mut rows = Vec::new();
    for name in stored::names(store) {
        let folder = store.join("runs").join(&name);
        stored::not_lost(&folder)?;
        let (is_told, is_running) = (
            folder.join(stored::LOG).is_file(),
            heartbeat::is_running(&folder),
        );
        if !is_told && !is_running {
            continue;
        }
        let summary = if is_told {
            stored::brief(&folder)?
        } else {
            RunSummary::default()
        };
        let row = RunRow::of(&stored::found_record(&folder, &name, &summary), &summary);
        rows.push(if is_running { row.running() } else { row });
    }
    rows.sort_by_key(|row| row.started_ms);
    Ok(rows)
}
