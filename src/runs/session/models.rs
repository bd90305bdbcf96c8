//! The models of a session: named by its study, or brought along.

use shiftproof_search::ModelCall;
use shiftproof_search::ledger::RunRecord;

use super::keeping::FoundModels;
use crate::assets;
use crate::exit::Failure;
use crate::models::connect_model::{ConnectedModel, connect, with_embedder};
use crate::study::task_registry::TaskInstance;
use crate::study::{LoadedData, ResolvedStudy};

/// Models that a program brings itself, in place of those that a study names.
#[derive(Default)]
pub(crate) struct OwnModels {
    /// Does the task.
    pub task: Option<ConnectedModel>,
    /// Proposes.
    pub proposer: Option<ConnectedModel>,
}

/// The models of a study, `own` ones in place of those it names: the one that does the
/// task, and the one that proposes where that is another. What the record `known` of a
/// run holds about them is not asked again.
pub(crate) async fn connect_models(
    resolved: &ResolvedStudy,
    built: &TaskInstance,
    loaded: &LoadedData,
    known: Option<&RunRecord>,
    own: OwnModels,
    progress: assets::OnProgress<'_>,
) -> Result<(ConnectedModel, Option<ConnectedModel>), Failure> {
    let (study, folder) = (&resolved.study, &resolved.folder);
    let known = known.map(FoundModels::of).transpose()?.unwrap_or_default();
    let is_own = own.task.is_some();
    let mut task_model = if let Some(own) = own.task {
        own
    } else {
        let is_known = known.task.is_some();
        let connected = connect(&study.model, folder, known.task, progress).await?;
        if is_known {
            connected
        } else {
            connected.rehearse(&rehearsal(built, loaded)).await?
        }
    };
    let proposer_model = match (own.proposer, &study.proposer) {
        (Some(own), _) => Some(own),
        (None, Some(spec)) => Some(connect(spec, folder, known.proposer, progress).await?),
        (None, None) => task_model.proposing(),
    };
    if built.task.embeds() && !is_own {
        task_model = with_embedder(&study.model, task_model, progress).await?;
    }
    Ok((task_model, proposer_model))
}

/// Calls of a study that a client is tried on before a run.
pub(crate) const REHEARSED: usize = 4;

/// The seed prompt on a few source examples: the first calls a run would send.
fn rehearsal(built: &TaskInstance, loaded: &LoadedData) -> Vec<ModelCall> {
    let seed = built.task.seed();
    let requests = loaded
        .data
        .source
        .validation
        .iter()
        .take(REHEARSED)
        .map(|example| built.task.request(&seed, &example.input));
    requests
        .filter(|request| request.answer.labels().is_some())
        .map(|request| ModelCall::greedy(request, 16))
        .collect()
}
