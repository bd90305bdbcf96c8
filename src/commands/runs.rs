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
        None => list(&ledger, args.json)?,
        Some(RunsAction::List { json }) => list(&ledger, json || args.json)?,
        Some(RunsAction::Show { run, json }) => {
            let summary = stored::read(&stored::folder(store, &run)?)?.summary;
            if json || args.json {
                print(&to_json(&summary)?)?;
            } else {
                print(&summary.text())?;
            }
        }
        Some(RunsAction::Rm { run }) => {
            if ledger.run(&run)?.is_none() {
                return Err(stored::unknown(store, &run));
            }
            ledger.remove_run(&run).await?;
            if let Some(folder) = ledger.run_dir(&run) {
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

fn list(ledger: &Ledger, json: bool) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for record in ledger.runs()? {
        // A run that was stopped before it began, or whose folder was moved
        // away, has no log.
        let summary = match ledger.run_dir(&record.id) {
            Some(folder) if folder.join(stored::LOG).is_file() => stored::brief(&folder)?,
            _ => crate::report::RunSummary::default(),
        };
        rows.push(list::RunRow::of(&record, &summary));
    }
    print(&if json {
        to_json(&rows)?
    } else {
        list::table(&rows)
    })
}
