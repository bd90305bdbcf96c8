use std::fmt::Write as _;

use shiftproof_search::ledger::RunStatus;

use super::{note, open_ledger, print, to_json};
use crate::cli::{Runs, RunsAction};
use crate::exit::{Exit, Failure};
use crate::report::Summary;
use crate::session::stored_events;

pub(super) async fn run(args: Runs) -> Result<Exit, Failure> {
    let folder = &args.store.store;
    if !folder.exists() {
        return Err(Failure::data(format!(
            "there is no store at {}",
            folder.display()
        )));
    }
    let ledger = open_ledger(folder)?;
    match args.action.unwrap_or(RunsAction::List) {
        RunsAction::List => {
            let runs = ledger.runs()?;
            let mut out = String::new();
            for run in &runs {
                let status = match &run.status {
                    RunStatus::Running => "killed, can be resumed".to_owned(),
                    RunStatus::Stopped(reason) => format!("stopped ({reason}), can be resumed"),
                    RunStatus::Finished => "finished".to_owned(),
                };
                let _ = writeln!(out, "{:24} seed {:<4} {status}", run.id, run.seed);
            }
            if runs.is_empty() {
                out.push_str("no runs yet\n");
            }
            print(&out)?;
        }
        RunsAction::Show { run, json } => {
            known(&ledger, &run)?;
            let summary = Summary::of(&stored_events(&ledger, &run)?);
            if json {
                print(&to_json(&summary)?)?;
            } else {
                print(&summary.text())?;
            }
        }
        RunsAction::Rm { run } => {
            known(&ledger, &run)?;
            ledger.remove_run(&run).await?;
            if let Some(folder) = ledger.run_dir(&run) {
                std::fs::remove_dir_all(&folder).map_err(|error| {
                    Failure::data(format!("cannot remove {}: {error}", folder.display()))
                })?;
            }
            note(&format!(
                "removed {run}; its paid replies stay for other runs"
            ));
        }
    }
    Ok(Exit::Done)
}

fn known(ledger: &shiftproof_search::ledger::Ledger, run: &str) -> Result<(), Failure> {
    match ledger.run(run)? {
        Some(_) => Ok(()),
        None => Err(Failure::usage(format!(
            "there is no run {run}; `shiftproof runs` lists all runs"
        ))),
    }
}
