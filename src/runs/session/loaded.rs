//! A study with its data, before a model is asked anything.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use shiftproof_search::Capabilities;
use shiftproof_search::augment;
use shiftproof_search::event::Phase;
use shiftproof_search::fit::{FittedPlan, fitted};
use shiftproof_search::judging::GradedByPerson;
use shiftproof_search::ledger::RunRecord;
use shiftproof_search::methods::SearchMethod;
use shiftproof_search::plan::PhasePlan;

use super::keeping::FoundModels;
use super::{OwnModels, StudySession, auxiliary_models, calibration_table, connect_models, load};
use crate::assets;
use crate::exit::Failure;
use crate::models::{connect_model, prices};
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
        let auxiliary_models = auxiliary_models::start(study, folder).await?;
        // Each of these takes a large place, which is none on the stack.
        let own = OwnModels::default();
        let connecting = connect_models(&resolved, &built, &loaded, known, own, progress);
        let (task_model, proposer_model) = Box::pin(connecting).await?;
        let found = known.map(FoundModels::of).transpose()?.unwrap_or_default();
        auxiliary_models.check_programs().await?;
        for model in std::iter::once(&task_model).chain(&proposer_model) {
            model.check().await?;
        }
        let judge = auxiliary_models.with_judge(study, folder, found.judge, progress);
        let auxiliary_models = Box::pin(judge).await?;
        let writer = auxiliary_models::writing(study);
        let auxiliary_models = match built.augmentation.clone() {
            Some(augmentation) => {
                let own = match &writer {
                    Some(spec) => Some(
                        Box::pin(connect_model::connect(
                            spec,
                            folder,
                            found.knowledge,
                            progress,
                        ))
                        .await?,
                    ),
                    None => None,
                };
                auxiliary_models.with_writer(own, &task_model, augmentation)
            }
            None => auxiliary_models,
        };
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
    let written = built.augmentation.as_ref().map_or(0, |augmentation| {
        let inputs = loaded.data.inputs();
        augment::calls(augmentation.as_ref(), &Capabilities::default(), inputs).len()
    });
    let apart = graded + written as u64;
    let mut plan = fitted(
        method,
        &study.search,
        &loaded.data,
        built.task.as_ref(),
        study.prompts.len(),
        limit.map(|calls| calls.saturating_sub(apart)),
    );
    plan.whole += apart;
    plan.smallest = plan.smallest.map(|calls| calls + apart);
    if let Some(first) = plan.phases.first_mut().filter(|_| graded > 0) {
        first.task_calls += graded as usize;
        let _ = write!(
            first.what,
            "; the judge on {graded} answers that a person graded"
        );
    }
    if let Some(augmentation) = built.augmentation.as_ref().filter(|_| written > 0) {
        let fields = augmentation.fields().iter();
        let names: Vec<&str> = fields.map(|field| field.name.as_str()).collect();
        let phase = PhasePlan {
            phase: Phase::Augment,
            what: format!("{}, once", names.join(" and ")),
            proposer_calls: 0,
            task_calls: written,
        };
        plan.phases.insert(0, phase);
    }
    plan
}
