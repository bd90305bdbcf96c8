use std::collections::BTreeSet;
use std::path::Path;

use shiftproof_search::ledger::Ledger;

use super::{note, open_ledger, print};
use crate::cli::{RunsAction, RunsArgs};
use crate::exit::{ExitStatus, Failure};
use crate::report::{list, to_json};
use crate::stored;

pub(super) async fn run(args: RunsArgs) -> Result<ExitStatus, Failure> {
    let store = &args.store.store;
    if !store.exists() {
        return Err(Failure::data(format!(
            "there is no store at {}",
            store.display()
        )));
    }
    let ledger = open_ledger(store)?;
    match args.action {
        None => list(&ledger, store, args.json)?,
        Some(RunsAction::List { json }) => list(&ledger, store, json || args.json)?,
        Some(RunsAction::Show { run, json }) => {
            let summary = stored::read(&stored::folder(store, &run)?)?.summary;
            if json || args.json {
                print(&to_json(&summary)?)?;
            } else {
                print(&summary.text())?;
            }
        }
        Some(RunsAction::Rm { run }) => {
            // Of a process that was killed at once there may be the folder alone.
            if ledger.run(&run)?.is_some() {
                ledger.remove_run(&run).await?;
            } else if !stored::names(store).contains(&run) {
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

fn list(ledger: &Ledger, store: &Path, json: bool) -> Result<(), Failure> {
    let mut rows = Vec::new();
    let records = ledger.runs()?;
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
            _ => crate::report::RunSummary::default(),
        };
        rows.push(list::RunRow::of(&record, &summary));
    }
    print(&if json {
        to_json(&rows)?
    } else {
        list::table(&rows, &stored::store_flag(store))
    })
}
