//! A study with its data, before a model is asked anything.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use shiftproof_search::fit::{FittedPlan, fitted};
use shiftproof_search::judging::GradedByPerson;
use shiftproof_search::ledger::RunRecord;
use shiftproof_search::methods::SearchMethod;

use super::keeping::FoundModels;
use super::{OwnModels, StudySession, auxiliary_models, calibration_table, connect_models, load};
use crate::assets;
use crate::exit::Failure;
use crate::models::prices;
use crate::study::task_registry::{TaskInstance, TaskRegistry};
use crate::study::{LoadedData, ResolvedStudy, Study};

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
    /// Answers that a person graded, to compare the judge with.
    graded_by_person: Vec<GradedByPerson>,
}

impl LoadedStudy {
    /// Loads the data; `path` is for messages.
    pub fn load(
        resolved: ResolvedStudy,
        path: &Path,
        registry: &TaskRegistry,
        progress: assets::OnProgress<'_>,
    ) -> Result<Self, Failure> {
        let method = registry.method(&resolved.study, path)?;
        let (built, loaded) = load(&resolved, path, registry, progress)?;
        prices::affordable(&resolved.study)?;
        let graded_by_person = calibration_table::read(&resolved, &built)?;
        Ok(Self {
            resolved,
            built,
            method,
            loaded,
            graded_by_person,
        })
    }

    /// As [`StudySession::plan`].
    pub fn plan(&self) -> FittedPlan {
        plan(
            &self.resolved.study,
            self.method.as_ref(),
            &self.built,
            &self.loaded,
            self.graded_by_person.len() as u64,
        )
    }

    /// Connects the models; of those of a run that goes on its record `known` holds
    /// what was found out about them, and nothing is asked again.
    pub async fn connect(
        self,
        known: Option<&RunRecord>,
        progress: assets::OnProgress<'_>,
    ) -> Result<StudySession, Failure> {
        let Self {
            resolved,
            built,
            method,
            loaded,
            graded_by_person,
        } = self;
        let (study, folder) = (&resolved.study, &resolved.folder);
        let auxiliary_models = auxiliary_models::start(study, folder)?;
        // Each of these takes a large place, which is none on the stack.
        let own = OwnModels::default();
        let connecting = connect_models(&resolved, &built, &loaded, known, own, progress);
        let (task_model, proposer_model) = Box::pin(connecting).await?;
        let found = known.map(FoundModels::of).transpose()?.unwrap_or_default();
        auxiliary_models.check_programs()?;
        let judge = auxiliary_models.with_judge(study, folder, found.judge, progress);
        let auxiliary_models = Box::pin(judge).await?;
        Ok(StudySession {
            resolved,
            built,
            method,
            loaded,
            task_model,
            proposer_model,
            auxiliary_models,
            graded_by_person,
            holds_bar: false,
        })
    }
}

/// What a run will ask of the models at most, under its limit on calls; `graded`: answers
/// that a person graded and the judge grades first.
pub(super) fn plan(
    study: &Study,
    method: &dyn SearchMethod,
    built: &TaskInstance,
    loaded: &LoadedData,
    graded: u64,
) -> FittedPlan {
    let limit = study.budget.calls;
    let mut plan = fitted(
        method,
        &study.search,
        &loaded.data,
        built.task.as_ref(),
        study.prompts.len(),
        limit.map(|calls| calls.saturating_sub(graded)),
    );
    if graded == 0 {
        return plan;
    }
    plan.whole += graded;
    plan.smallest = plan.smallest.map(|calls| calls + graded);
    if let Some(first) = plan.phases.first_mut() {
        first.task_calls += graded as usize;
        let _ = write!(
            first.what,
            "; the judge on {graded} answers that a person graded"
        );
    }
    plan
}
