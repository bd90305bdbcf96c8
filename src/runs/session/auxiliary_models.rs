//! Whom a study's evaluations ask beside its model: a judge, programs that score or
//! render, a model that writes about inputs.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use shiftproof_search::budget::Price;
use shiftproof_search::gateway::{AuxiliaryModels, KnowledgeSource, PricedModel};
use shiftproof_tasks::{Augmentation, ProgramSpec, ProgramStep};

use crate::assets;
use crate::exit::Failure;
use crate::llm::command::CommandConfig;
use crate::llm::http::{AbilityMode, ServerAbilities};
use crate::models::assumed::assumed;
use crate::models::connect_model::{self, ConnectedModel};
use crate::models::connect_program::{self, StartedProgram};
use crate::study::{JudgeSpec, ModelSpec, ProgramOptions, Study};

/// Who is asked beside the task model.
#[derive(Default)]
pub struct ConnectedAuxiliaryModels {
    grader: Option<ConnectedModel>,
    renderer: Option<ConnectedModel>,
    is_judge: bool,
    /// The programs among them.
    programs: Vec<StartedProgram>,
    writer: Option<KnowledgeWriter>,
}

/// Who writes about inputs.
struct KnowledgeWriter {
    connected: ConnectedModel,
    augmentation: Arc<dyn Augmentation>,
    /// Whether it is a model of its own, not the one that does the task.
    is_own: bool,
}

impl ConnectedAuxiliaryModels {
    /// As evaluations ask them.
    pub fn priced(&self) -> AuxiliaryModels {
        let model = |connected: &ConnectedModel| connected.model.clone();
        AuxiliaryModels {
            grader: self.grader.as_ref().map(model),
            renderer: self.renderer.as_ref().map(model),
            knowledge: self.writer.as_ref().map(|writer| KnowledgeSource {
                model: model(&writer.connected),
                augmentation: writer.augmentation.clone(),
            }),
        }
    }

    /// The same with somebody who writes about inputs: the model `own`, or else the one
    /// that does the task, without the bound that the study sets on its answers.
    pub(super) fn with_writer(
        self,
        own: Option<ConnectedModel>,
        task_model: &ConnectedModel,
        augmentation: Arc<dyn Augmentation>,
    ) -> Self {
        let is_own = own.is_some();
        let connected = own.or_else(|| task_model.proposing()).unwrap_or_else(|| {
            let PricedModel { llm, price } = task_model.model.clone();
            ConnectedModel::assumed(llm, price, task_model.report.clone())
        });
        Self {
            writer: Some(KnowledgeWriter {
                connected,
                augmentation,
                is_own,
            }),
            ..self
        }
    }

    /// Who writes about inputs, where somebody does.
    pub fn writer(&self) -> Option<&ConnectedModel> {
        Some(&self.writer.as_ref()?.connected)
    }

    /// The same where it is a model of its own.
    pub fn own_writer(&self) -> Option<&ConnectedModel> {
        let writer = self.writer.as_ref().filter(|writer| writer.is_own)?;
        Some(&writer.connected)
    }

    /// What was found out about the server of that model.
    pub(super) fn writer_found(&self) -> Option<ServerAbilities> {
        self.own_writer()?.found.clone()
    }

    /// Who grades: a judge or a program.
    pub fn grader(&self) -> Option<&ConnectedModel> {
        self.grader.as_ref()
    }

    /// The model that judges, where one does.
    pub fn judge(&self) -> Option<&ConnectedModel> {
        self.grader.as_ref().filter(|_| self.is_judge)
    }

    /// Who renders requests.
    pub fn renderer(&self) -> Option<&ConnectedModel> {
        self.renderer.as_ref()
    }

    /// What was found out about the judge's server.
    pub(super) fn found(&self) -> Option<ServerAbilities> {
        self.judge()?.found.clone()
    }
}

/// What `[task]` says of its program, where it is of kind `command`.
fn own_program(study: &Study) -> Option<(ProgramSpec, ProgramOptions)> {
    let table = &study.task;
    if table.get("kind").and_then(toml::Value::as_str) != Some("command") {
        return None;
    }
    let mut options = table.clone();
    for key in std::iter::once("kind").chain(crate::study::task_registry::FRAME_KEYS) {
        options.remove(key);
    }
    // It was read when the task was made.
    let run = ProgramOptions::deserialize(toml::Value::Table(options.clone())).ok()?;
    let spec = ProgramSpec::deserialize(toml::Value::Table(options)).ok()?;
    Some((spec, run))
}

/// The judge's model: labels are read from its text, for what it says before them is
/// what they rest on.
fn judging(study: &Study, judge: &JudgeSpec) -> ModelSpec {
    let mut spec = judge.model.clone().unwrap_or_else(|| study.model.clone());
    if spec.label_scores == AbilityMode::Auto {
        spec.label_scores = AbilityMode::Off;
    }
    // The study's bound on the task's answers is none on reasons.
    if judge.model.is_none() {
        spec.max_tokens = None;
    }
    spec
}

/// The model that writes about inputs, where it is one of its own: it writes texts alone.
pub(super) fn writing(study: &Study) -> Option<ModelSpec> {
    let mut spec = study.augment.as_ref()?.model.clone()?;
    for mode in [&mut spec.label_scores, &mut spec.prefill] {
        if *mode == AbilityMode::Auto {
            *mode = AbilityMode::Off;
        }
    }
    Some(spec)
}

impl ConnectedAuxiliaryModels {
    /// Starts a program.
    async fn program(&mut self, config: CommandConfig) -> Result<ConnectedModel, Failure> {
        let report = format!("{}, a program of your own", config.identity);
        let started = connect_program::start(config).await?;
        self.programs.push(started.clone());
        Ok(ConnectedModel::assumed(
            started.llm,
            Price::default(),
            report,
        ))
    }

    /// Fails where a program has failed by now that nobody has asked anything.
    pub(super) async fn check_programs(&self) -> Result<(), Failure> {
        for program in &self.programs {
            program.check().await?;
        }
        Ok(())
    }

    /// With the study's judge, where it has one; `known`: what is known of its server.
    pub(super) async fn with_judge(
        mut self,
        study: &Study,
        folder: &Path,
        known: Option<ServerAbilities>,
        progress: assets::OnProgress<'_>,
    ) -> Result<Self, Failure> {
        let Some(judge) = &study.judge else {
            return Ok(self);
        };
        let spec = judging(study, judge);
        let connected = connect_model::connect(&spec, folder, known, progress).await;
        let connected = connected.map_err(|failure| {
            let server = connect_model::default_server(&spec);
            failure.told_as(|message| match (&judge.model, server) {
                (Some(_), Some(address)) => format!(
                    "judge.model: {message}\n  judge.model has no base_url, so it is asked of \
                     {address}; for another server write model = {{ name = …, base_url = … }}"
                ),
                (Some(_), None) => format!("judge.model: {message}"),
                (None, _) => message.to_owned(),
            })
        });
        self.grader = Some(connected?);
        self.is_judge = true;
        Ok(self)
    }
}

/// Starts the programs: before a model is asked, so that one that cannot be started
/// costs nothing.
pub(super) async fn start(
    study: &Study,
    folder: &Path,
) -> Result<ConnectedAuxiliaryModels, Failure> {
    let mut auxiliary_models = ConnectedAuxiliaryModels::default();
    if let Some(metric) = &study.metric {
        let key = "metric.command";
        let config = connect_program::of_lines(&metric.command, metric.options(), folder, key)?;
        auxiliary_models.grader = Some(auxiliary_models.program(config).await?);
    }
    if let Some((spec, options)) = own_program(study) {
        let config = connect_program::of_lines(&spec.command, options, folder, "task.command")?;
        let own = auxiliary_models.program(config).await?;
        if spec.does.contains(&ProgramStep::Render) {
            auxiliary_models.renderer = Some(ConnectedModel::assumed(
                own.model.llm.clone(),
                own.model.price,
                own.report.clone(),
            ));
        }
        if spec.does.contains(&ProgramStep::Score) {
            auxiliary_models.grader = Some(own);
        }
    }
    Ok(auxiliary_models)
}

/// Nobody is asked, and no program is started: what the judge will cost is assumed.
pub(super) fn assume(
    study: &Study,
    augmentation: Option<Arc<dyn Augmentation>>,
) -> Result<ConnectedAuxiliaryModels, Failure> {
    let mut auxiliary_models = ConnectedAuxiliaryModels::default();
    if let Some(judge) = &study.judge {
        auxiliary_models.grader = Some(assumed(&judging(study, judge))?);
        auxiliary_models.is_judge = true;
    }
    if let Some(augmentation) = augmentation {
        let own = writing(study);
        let unbounded = ModelSpec {
            max_tokens: None,
            ..study.model.clone()
        };
        auxiliary_models.writer = Some(KnowledgeWriter {
            connected: assumed(own.as_ref().unwrap_or(&unbounded))?,
            augmentation,
            is_own: own.is_some(),
        });
    }
    Ok(auxiliary_models)
}
