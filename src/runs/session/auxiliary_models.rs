//! Whom a study's evaluations ask beside its model: a judge, programs that score or
//! render.

use std::path::Path;

use serde::Deserialize;
use shiftproof_search::budget::Price;
use shiftproof_search::gateway::AuxiliaryModels;
use shiftproof_tasks::{ProgramSpec, ProgramStep};

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
}

impl ConnectedAuxiliaryModels {
    /// As evaluations ask them.
    pub fn priced(&self) -> AuxiliaryModels {
        let model = |connected: &ConnectedModel| connected.model.clone();
        AuxiliaryModels {
            grader: self.grader.as_ref().map(model),
            renderer: self.renderer.as_ref().map(model),
        }
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

impl ConnectedAuxiliaryModels {
    /// Starts a program.
    fn program(&mut self, config: CommandConfig) -> Result<ConnectedModel, Failure> {
        let report = format!("{}, a program of your own", config.identity);
        let started = connect_program::start(config)?;
        self.programs.push(started.clone());
        Ok(ConnectedModel::assumed(
            started.llm,
            Price::default(),
            report,
        ))
    }

    /// Fails where a program has failed by now that nobody has asked anything.
    pub(super) fn check_programs(&self) -> Result<(), Failure> {
        self.programs.iter().try_for_each(StartedProgram::check)
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
pub(super) fn start(study: &Study, folder: &Path) -> Result<ConnectedAuxiliaryModels, Failure> {
    let mut auxiliary_models = ConnectedAuxiliaryModels::default();
    if let Some(metric) = &study.metric {
        let key = "metric.command";
        let config = connect_program::of_lines(&metric.command, metric.options(), folder, key)?;
        auxiliary_models.grader = Some(auxiliary_models.program(config)?);
    }
    if let Some((spec, options)) = own_program(study) {
        let config = connect_program::of_lines(&spec.command, options, folder, "task.command")?;
        let own = auxiliary_models.program(config)?;
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
pub(super) fn assume(study: &Study) -> Result<ConnectedAuxiliaryModels, Failure> {
    let Some(judge) = &study.judge else {
        return Ok(ConnectedAuxiliaryModels::default());
    };
    Ok(ConnectedAuxiliaryModels {
        grader: Some(assumed(&judging(study, judge))?),
        is_judge: true,
        ..ConnectedAuxiliaryModels::default()
    })
}
