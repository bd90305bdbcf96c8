//! A run from study to result: data, models, store, loop.

pub mod auxiliary_models;
mod calibration_table;
mod keeping;
mod loaded;
mod models;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use shiftproof_search::budget::{BudgetLimits, Meter};
use shiftproof_search::calibrate::Calibration;
use shiftproof_search::control::RunControl;
use shiftproof_search::earlier::EarlierRun;
use shiftproof_search::event::RunObserver;
use shiftproof_search::event_log::{EventLog, LogError};
use shiftproof_search::fit::FittedPlan;
use shiftproof_search::gateway::{Gateway, RunError};
use shiftproof_search::judging::{GradedByPerson, StudyJudge};
use shiftproof_search::ledger::{Ledger, LedgerError, RunRecord, RunStatus};
use shiftproof_search::methods::SearchMethod;
use shiftproof_search::run::{Run, RunResult};
use shiftproof_tasks::lint::LintFinding;
use shiftproof_tasks::{Input, Prompt};

use self::auxiliary_models::ConnectedAuxiliaryModels;
pub(crate) use self::calibration_table::{UNCALIBRATED, uncalibrated};
use self::keeping::{FoundModels, close, open_log};
pub(crate) use self::loaded::LoadedStudy;
pub(crate) use self::models::{OwnModels, REHEARSED, connect_models};
use crate::assets;
use crate::exit::{ExitStatus, Failure};
use crate::failures::{self, DetailKeeper, PromptFailures};
use crate::gate::holdout_log::HoldoutAccess;
use crate::models::assumed::assumed;
use crate::models::connect_model::ConnectedModel;
use crate::models::prices;
use crate::report::{ReportedStudy, RunSummary};
use crate::runs::stored;
use crate::shared;
use crate::study::places::{self, GivenPrompt};
use crate::study::task_registry::{TaskInstance, TaskRegistry};
use crate::study::textfile;
use crate::study::{self, LoadedData, ResolvedStudy, Study, load_data, load_interactions, located};
use crate::wording::calibration_notes;

/// A study with its data and models at hand.
pub struct StudySession {
    /// The study and what the command line changed.
    pub resolved: ResolvedStudy,
    /// The task.
    pub built: TaskInstance,
    /// The search method.
    pub method: Arc<dyn SearchMethod>,
    /// The data.
    pub loaded: LoadedData,
    /// The model that does the task.
    pub task_model: ConnectedModel,
    /// The model that proposes; the task model where the study names none and
    /// bounds no answers.
    pub proposer_model: Option<ConnectedModel>,
    /// Who grades answers and renders requests, where the task asks somebody.
    pub auxiliary_models: ConnectedAuxiliaryModels,
    /// Answers that a person graded, to compare the judge with.
    pub graded_by_person: Vec<GradedByPerson>,
    /// Whether a run's scores are held against a bar, which asks for a judge that agrees
    /// with the person.
    pub(crate) holds_bar: bool,
}

/// What is done about answers that cannot be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnusablePolicy {
    /// Go on where hardly one of the first answers can be used.
    pub keep_going: bool,
    /// Ask again what was refused.
    pub retry_failed: bool,
}

/// A run that came to its end.
pub struct FinishedRun {
    /// What it came to.
    pub ended: RunResult,
    /// The fold of its events.
    pub summary: RunSummary,
    /// Calls this process sent to a model.
    pub sent: u64,
    /// Requests of all its processes that brought no answer, at most.
    pub lost: u64,
    /// What became of batches that did not go as they should.
    pub remarks: Vec<String>,
    /// Where its selected prompt and its seed fail.
    pub(crate) failures: Vec<PromptFailures>,
    /// What reports say of its study.
    pub(crate) study: ReportedStudy,
}

/// What cannot be where every example has options of its own.
pub(crate) fn check_options(study: &Study) -> Result<(), Failure> {
    if study.search.calibration == Calibration::Contextual {
        return Err(Failure::usage(
            "search.calibration: \"contextual\" asks about inputs that say nothing, and those have no \
             options: use \"batch\" or \"none\"",
        ));
    }
    if study.data.interactions.is_some() {
        return Err(Failure::usage(
            "data.interactions: examples made of interactions have no column of options: use a task \
             of recommendation, or task.labels",
        ));
    }
    Ok(())
}

/// The task and the data of a study, without a model. `path` is for messages: what
/// they say of its keys is told with their lines.
pub fn load(
    resolved: &ResolvedStudy,
    path: &Path,
    registry: &TaskRegistry,
    progress: assets::OnProgress<'_>,
) -> Result<(TaskInstance, LoadedData), Failure> {
    let loaded = load_unlocated(resolved, path, registry, progress);
    loaded.map_err(|failure| {
        let text = textfile::read(path).unwrap_or_default();
        failure.told_as(|message| located(message, &text, path))
    })
}

fn load_unlocated(
    resolved: &ResolvedStudy,
    path: &Path,
    registry: &TaskRegistry,
    progress: assets::OnProgress<'_>,
) -> Result<(TaskInstance, LoadedData), Failure> {
    let study = &resolved.study;
    if study.data.dataset.is_none() && study.data.files.is_empty() {
        return Err(Failure::usage(format!(
            "the data of {:?} were in the memory of a program that uses the library: only that \
             program can go on with its runs (with `resume`); reports of them can be read as usual",
            study.name
        )));
    }
    let mut prepared = load_interactions(&study.data, &resolved.folder, progress)?;
    if let Some(prepared) = &mut prepared {
        let named = registry.recommenders(&study.task, path)?;
        study::recommenders::provide(prepared, &named, progress)?;
    }
    let catalogue = prepared
        .as_ref()
        .and_then(|prepared| prepared.catalogue.clone());
    let mut built = registry.build(&study.task, &study.name, path, catalogue.as_ref())?;
    built.task = study::graded(study, built.task, path)?;
    if built.task.options().is_some() {
        check_options(study)?;
    }
    let seed = built.task.seed();
    if built.task.fills_fields() {
        let prompts = study.prompts.iter().chain([&seed.instruction]);
        let named = places::mentioned(prompts.map(String::as_str));
        built.mentions.extend(named);
    }
    if let Some(prepared) = &prepared {
        study::augment::check_columns(study, &prepared.examples)?;
    }
    study::augment::augmented(study, &mut built, path)?;
    let file = resolved.label_file();
    let hand = file.pinned(resolved.labels.as_ref())?;
    let name = file.path.display().to_string();
    let mut loaded = load_data(
        &study.data,
        prepared,
        &resolved.folder,
        &built,
        &study.groups,
        (resolved.seed, resolved.draw()),
        (hand, &name),
        progress,
    )?;
    let system = study.task.get("system").and_then(toml::Value::as_str);
    let given: Vec<GivenPrompt<'_>> = [
        ("task.prompt", Some(seed.instruction.as_str())),
        ("task.system", system),
    ]
    .into_iter()
    .chain(
        study
            .prompts
            .iter()
            .map(|text| ("prompts", Some(text.as_str()))),
    )
    .filter_map(|(key, text)| {
        let place = format!("{}: {key}", path.display());
        Some(GivenPrompt { place, text: text? })
    })
    .collect();
    study::augment::check(&built, &loaded.data)?;
    let found = places::check(built.task.as_ref(), like(&built, &loaded).as_ref(), &given)?;
    loaded.findings.extend(found);
    loaded.findings.extend(study::doubts(study));
    loaded.notes.extend(prices::unbound(study));
    Ok((built, loaded))
}

/// A source input as it will be asked about.
fn like(built: &TaskInstance, loaded: &LoadedData) -> Option<Input> {
    let source = &loaded.data.source;
    let example = source.train.first().or(source.validation.first())?;
    Some(study::augment::like(built, &example.input))
}

impl StudySession {
    /// Loads data and models.
    pub async fn prepare(
        resolved: ResolvedStudy,
        path: &Path,
        registry: &TaskRegistry,
        progress: assets::OnProgress<'_>,
    ) -> Result<Self, Failure> {
        Box::pin(Self::resume(resolved, path, registry, None, progress)).await
    }

    /// Loads data and models of a run that goes on, with what its record `known`
    /// holds about them: nothing is asked again.
    pub async fn resume(
        resolved: ResolvedStudy,
        path: &Path,
        registry: &TaskRegistry,
        known: Option<&RunRecord>,
        progress: assets::OnProgress<'_>,
    ) -> Result<Self, Failure> {
        let loaded = LoadedStudy::load(resolved, path, registry, progress)?;
        Box::pin(loaded.connect(known, progress)).await
    }

    /// Loads the data, and assumes of the models what the study says: nothing is
    /// asked of them, and nothing is fetched.
    pub fn assume(
        resolved: ResolvedStudy,
        path: &Path,
        registry: &TaskRegistry,
    ) -> Result<Self, Failure> {
        let method = registry.method(&resolved.study, path)?;
        let stay = |progress: assets::FetchProgress| match progress.step {
            assets::FetchStep::Downloading | assets::FetchStep::Waiting => ControlFlow::Break(()),
            assets::FetchStep::Verifying
            | assets::FetchStep::Unpacking
            | assets::FetchStep::Training => ControlFlow::Continue(()),
        };
        let mut missing = None;
        let mut watch = |progress: assets::FetchProgress| {
            let flow = stay(progress);
            if flow.is_break() {
                missing = Some(progress.name);
            }
            flow
        };
        let loaded = load(&resolved, path, registry, &mut watch);
        let (built, loaded) = loaded.map_err(|failure| match missing {
            Some(name) => Failure::data(format!(
                "{name} is not in the cache, and an estimate fetches nothing; fetch it with: \
                 shiftproof data fetch {name}"
            )),
            None => failure,
        })?;
        let study = &resolved.study;
        let task_model = assumed(&study.model)?;
        let proposer_model = study.proposer.as_ref().map(assumed).transpose()?;
        let auxiliary_models = auxiliary_models::assume(study, built.augmentation.clone())?;
        let graded_by_person = calibration_table::read(&resolved, &built)?;
        Ok(Self {
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

    /// Checks placeholders of prompts that the study does not hold, each with its
    /// place; what it finds is for people.
    pub(crate) fn check_given(
        &self,
        prompts: &[GivenPrompt<'_>],
    ) -> Result<Vec<LintFinding>, Failure> {
        let like = like(&self.built, &self.loaded);
        places::check(self.built.task.as_ref(), like.as_ref(), prompts)
    }

    /// What a run will ask of the models at most, under its limit on calls.
    pub fn plan(&self) -> FittedPlan {
        loaded::plan(
            &self.resolved.study,
            self.method.as_ref(),
            &self.built,
            &self.loaded,
            self.graded_by_person.len() as u64,
        )
    }

    /// What can be foreseen: of the data, and of the calibration of scored labels.
    pub fn foreseen(&self) -> Vec<String> {
        let label_scores = self.task_model.model.llm.capabilities().label_scores;
        let notes = self.loaded.notes.iter().map(|note| format!("{note}."));
        let mut notes: Vec<String> = notes.collect();
        let calibration = calibration_notes::foresee(
            self.method.as_ref(),
            &self.plan().spec,
            &self.loaded.data,
            label_scores,
        );
        notes.extend(calibration);
        notes.extend(uncalibrated(self.resolved.study.judge.as_ref()));
        notes
    }

    /// A fresh record of a run of this study.
    pub fn new_run(&self, ledger: &Ledger) -> Result<RunRecord, Failure> {
        let started_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_millis() as u64);
        let spec = serde_json::to_string(&self.resolved)
            .map_err(Failure::from_error(ExitStatus::Internal))?;
        let base = format!("{}-s{}", self.resolved.study.name, self.resolved.seed);
        let mut taken = shared::names(ledger)?;
        taken.extend(ledger.runs()?.into_iter().map(|run| run.id));
        let is_free = |id: &String| {
            !taken.contains(id)
                && ledger.run_dir(id).is_none_or(|folder| !folder.exists())
                && shared::hold_run(ledger, id).is_ok()
        };
        let id = (1..=u64::MAX)
            .map(|n| format!("{base}-{n}"))
            .find(is_free)
            .expect("there are more numbers than runs");
        Ok(RunRecord {
            id,
            study: self.resolved.study.name.clone(),
            spec,
            seed: self.resolved.seed,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_ms,
            status: RunStatus::Running,
            kills: 0,
            losses: Vec::new(),
            models: Some(self.found()?),
            begins_anew: false,
        })
    }

    /// What was found out about the models, for a run's record.
    fn found(&self) -> Result<String, Failure> {
        let found = FoundModels {
            task: self.task_model.found.clone(),
            proposer: self
                .proposer_model
                .as_ref()
                .and_then(|model| model.found.clone()),
            judge: self.auxiliary_models.found(),
            knowledge: self.auxiliary_models.writer_found(),
        };
        serde_json::to_string(&found).map_err(Failure::from_error(ExitStatus::Internal))
    }

    /// The opening of the audit at the end of a run that the command `by` begins.
    fn opening(&self, by: &str) -> HoldoutAccess {
        let audit = &self.loaded.data.audit;
        HoldoutAccess::now(
            by,
            &self.resolved.study.name,
            &audit.fingerprint(),
            self.task_model.model.llm.identity(),
            [],
            audit.len() as u64,
        )
    }

    /// The study's limits less the requests that found out what the models can do: for
    /// what asks outside a run.
    pub(crate) fn limits(&self) -> BudgetLimits {
        let limits = self.resolved.study.budget;
        BudgetLimits {
            calls: limits
                .calls
                .map(|calls| calls.saturating_sub(self.probes())),
            ..limits
        }
    }

    /// Requests that were sent to find out what the models can do.
    pub(crate) fn probes(&self) -> u64 {
        let proposer = self.proposer_model.iter();
        let models = std::iter::once(&self.task_model).chain(proposer);
        let models = models.chain(self.auxiliary_models.judge());
        let models = models.chain(self.auxiliary_models.own_writer());
        models.map(|connected| connected.model.llm.probes()).sum()
    }

    /// Runs `record` to its end, or until it is stopped; either way its record
    /// in the ledger says how it stands. `by`: the command, as the log of opened audits
    /// names it.
    pub async fn run(
        self,
        ledger: Arc<Ledger>,
        mut record: RunRecord,
        mut observers: Vec<Box<dyn RunObserver>>,
        control: impl Into<RunControl>,
        trouble: UnusablePolicy,
        by: &'static str,
    ) -> Result<FinishedRun, (RunError, RunRecord)> {
        let folder = ledger.run_dir(&record.id);
        let study = ReportedStudy::of(&self.resolved);
        let (keeper, details) = DetailKeeper::new(folder.as_deref());
        observers.push(Box::new(keeper));
        let bus = match &folder {
            Some(folder) => {
                let anew = trouble.retry_failed || record.begins_anew;
                open_log(folder, &record, anew, observers)
            }
            None => Ok(EventLog::unlogged(observers)),
        };
        record.begins_anew = false;
        let earlier = match self.earlier(&ledger) {
            Ok(earlier) => earlier,
            Err(error) => return Err((error.into(), record)),
        };
        let opening = self.opening(by);
        let bus = match bus {
            Ok(bus) => bus,
            Err(error) => return Err((error.into(), record)),
        };
        let meter = Meter::new(self.resolved.study.budget);
        // Versions that kept no account left how often they were killed.
        let killed = std::mem::take(&mut record.kills) * self.in_flight();
        record.status = RunStatus::Running;
        let gateway = Gateway::new(
            ledger.clone(),
            bus,
            meter,
            control,
            (killed > 0).then_some(killed),
            std::mem::take(&mut record.losses),
        )
        .retrying_refused(trouble.retry_failed)
        .with_auxiliary_models(self.auxiliary_models.priced());
        let gateway = match begin(gateway, &ledger, &record, self.probes()).await {
            Ok(gateway) => gateway,
            Err(error) => {
                record.status = RunStatus::Stopped(error.to_string());
                // What stopped it is what is told.
                let _ = ledger.save_run(&record).await;
                return Err((error.into(), record));
            }
        };
        let mut result = self.into_run(&gateway, earlier, trouble).execute().await;
        let events = gateway.emitted();
        let summary = RunSummary::of(&events);
        if result.is_ok() {
            // All of it before the record says "finished", which nobody looks behind.
            let closed = close(
                &gateway,
                &ledger,
                &record,
                folder.as_deref(),
                opening,
                &summary,
            );
            if let Err(error) = closed.await {
                result = Err(error);
            }
        }
        if let Err(RunError::Unusable(hopeless)) = &result
            && hopeless.is_refused()
        {
            record.begins_anew = gateway.forget_refusals().await.is_ok();
        }
        record.status = match &result {
            Ok(_) => RunStatus::Finished,
            Err(stop) => RunStatus::Stopped(stop.to_string()),
        };
        let saved = ledger.save_run(&record).await;
        let ended = match result {
            Ok(ended) => ended,
            Err(stop) => return Err((stop, record)),
        };
        if let Err(error) = saved {
            return Err((error.into(), record));
        }
        let details = details.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(FinishedRun {
            ended,
            failures: failures::of_run(&events, &summary, &details),
            study,
            summary,
            sent: gateway.sent(),
            remarks: gateway.remarks(),
            lost: gateway.lost().calls,
        })
    }

    /// The finished run that this one goes on from, as its log tells it.
    fn earlier(&self, ledger: &Ledger) -> Result<Option<EarlierRun>, LogError> {
        let Some(run) = &self.resolved.continues else {
            return Ok(None);
        };
        let Some(folder) = ledger.run_dir(run) else {
            return Ok(None);
        };
        let events = stored::events(&folder).map_err(|failure| LogError::Io {
            path: folder.join(stored::LOG),
            source: std::io::Error::other(failure),
        })?;
        Ok(Some(EarlierRun::of(run, &events)))
    }

    /// The search's own form of it.
    fn into_run(
        self,
        gateway: &Gateway,
        earlier: Option<EarlierRun>,
        trouble: UnusablePolicy,
    ) -> Run<'_> {
        let study = self.resolved.study;
        let judge = study.judge.as_ref().map(|judge| StudyJudge {
            graded: self.graded_by_person,
            scale: judge.scale(),
            min_agreement: judge.min_agreement,
            is_bar: self.holds_bar,
        });
        let task_model = self.task_model.model;
        Run {
            study: study.name,
            task: self.built.task,
            data: self.loaded.data,
            groups: self.loaded.groups,
            baselines: self.loaded.baselines,
            method: self.method,
            spec: study.search,
            human: study.prompts.iter().map(Prompt::new).collect(),
            seed: self.resolved.seed,
            proposer_model: self
                .proposer_model
                .map_or_else(|| task_model.clone(), |connected| connected.model),
            task_model,
            gateway,
            earlier,
            judge,
            fitted: false,
            keep_going: trouble.keep_going,
        }
    }

    /// Calls that can be unanswered, or answered and not yet durable, at once.
    fn in_flight(&self) -> u64 {
        let of = |connected: &ConnectedModel| {
            let capabilities = connected.model.llm.capabilities();
            (2 * capabilities.batch * capabilities.concurrency) as u64
        };
        self.proposer_model
            .as_ref()
            .map_or(0, of)
            .max(of(&self.task_model))
            .max(self.auxiliary_models.judge().map_or(0, of))
            .max(self.auxiliary_models.own_writer().map_or(0, of))
    }
}

/// The run `record` begins or goes on: its account first, so that a process that
/// dies between the two leaves one to go on from.
async fn begin(
    gateway: Gateway,
    ledger: &Ledger,
    record: &RunRecord,
    probes: u64,
) -> Result<Gateway, LedgerError> {
    let account = ledger.account(&record.id)?;
    let gateway = gateway.accounting(&record.id, account, probes).await?;
    ledger.save_run(record).await?;
    Ok(gateway)
}
