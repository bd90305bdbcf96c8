//! A study with its data, before a model is asked anything.

use std::path::Path;
use std::sync::Arc;

use shiftproof_search::fit::{FittedPlan, fitted};
use shiftproof_search::ledger::RunRecord;
use shiftproof_search::methods::SearchMethod;

use super::keeping::FoundModels;
use super::{StudySession, load, rehearsal};
use crate::connect_model::{ConnectedModel, connect, with_embedder};
use crate::exit::Failure;
use crate::fetch;
use crate::prices;
use crate::study::{LoadedData, ResolvedStudy, Study};
use crate::task_registry::{TaskInstance, TaskRegistry};

/// A study with its data at hand. What is wrong with either is known, and nothing has
/// been asked of a model.
pub(crate) struct LoadedStudy {
    /// The study and what the command line changed.
    pub resolved: ResolvedStudy,
    /// The task.
    pub built: TaskInstance,
    /// The search method.
    pub method: Arc<dyn SearchMethod>,
    /// The data.
    pub loaded: LoadedData,
}

impl LoadedStudy {
    /// Loads the data; `path` is for messages.
    pub fn load(
        resolved: ResolvedStudy,
        path: &Path,
        registry: &TaskRegistry,
        progress: fetch::OnProgress<'_>,
    ) -> Result<Self, Failure> {
        let method = registry.method(&resolved.study, path)?;
        let (built, loaded) = load(&resolved, path, registry, progress)?;
        prices::affordable(&resolved.study)?;
        Ok(Self {
            resolved,
            built,
            method,
            loaded,
        })
    }

    /// As [`StudySession::plan`].
    pub fn plan(&self) -> FittedPlan {
        plan(
            &self.resolved.study,
            self.method.as_ref(),
            &self.built,
            &self.loaded,
        )
    }

    /// Connects the models; of those of a run that goes on its record `known` holds
    /// what was found out about them, and nothing is asked again.
    pub async fn connect(
        self,
        known: Option<&RunRecord>,
        progress: fetch::OnProgress<'_>,
    ) -> Result<StudySession, Failure> {
        let Self {
            resolved,
            built,
            method,
            loaded,
        } = self;
        let (task_model, proposer_model) = connect_models(
            &resolved,
            &built,
            &loaded,
            known,
            OwnModels::default(),
            progress,
        )
        .await?;
        Ok(StudySession {
            resolved,
            built,
            method,
            loaded,
            task_model,
            proposer_model,
        })
    }
}

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
    progress: fetch::OnProgress<'_>,
) -> Result<(ConnectedModel, Option<ConnectedModel>), Failure> {
    let (study, folder) = (&resolved.study, &resolved.folder);
    let known = known.map(FoundModels::of).transpose()?.unwrap_or_default();
    let is_own = own.task.is_some();
    let mut task_model = match own.task {
        Some(own) => own,
        None => {
            let is_known = known.task.is_some();
            let connected = connect(&study.model, folder, known.task, progress).await?;
            if is_known {
                connected
            } else {
                connected.rehearse(&rehearsal(built, loaded)).await?
            }
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

/// What a run will ask of the models at most, under its limit on calls.
pub(super) fn plan(
    study: &Study,
    method: &dyn SearchMethod,
    built: &TaskInstance,
    loaded: &LoadedData,
) -> FittedPlan {
    fitted(
        method,
        &study.search,
        &loaded.data,
        built.task.as_ref(),
        study.prompts.len(),
        study.budget.calls,
    )
}
