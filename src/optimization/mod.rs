//! The search as a library: data in memory, models and tasks of one's own, a result as
//! a value.

mod builder;
mod checks;
mod error;
mod model;
mod result;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use shiftproof_search::control::RunControl;
use shiftproof_search::event::RunObserver;
use shiftproof_search::gateway::RunError;
use shiftproof_search::ledger::{Ledger, RunRecord, RunStatus};
use shiftproof_search::spec::MethodName;
use shiftproof_tasks::lint::LintSeverity;

pub use self::builder::OptimizationBuilder;
pub use self::error::OptimizationError;
pub use self::model::ModelChoice;
pub use self::result::{GroupResult, RunResult};

use self::builder::StorePlace;
use crate::assets::FetchProgress;
use crate::commands::execute::{ExecutionError, RunExecution};
use crate::models::prices;
use crate::runs::session::auxiliary_models::ConnectedAuxiliaryModels;
use crate::runs::session::{
    OwnModels, StudySession, UnusablePolicy, check_options, connect_models,
};
use crate::runs::stored;
use crate::study::places::GivenPrompt;
use crate::study::task_registry::TaskInstance;
use crate::study::{ResolvedStudy, Study, deal_examples, differing};

/// How the log of opened audits names a run of a program that uses the library.
const BY: &str = "library";

/// A search that is ready to run: its data are dealt out, its models connected.
///
/// It is what `shiftproof optimize` runs, with the same loop, the same promises (what is
/// paid for is stored before it is used, a failed call is never a score, no proposer sees
/// a target's label, the audit is opened once) and the same defaults. `docs/library.md`
/// tells more.
///
/// ```
/// use async_trait::async_trait;
/// use shiftproof::tasks::{AnswerForm, Example, Input, Label, Prompt, Reply, Task};
/// use shiftproof::{Capabilities, GroupsSpec, Llm, LlmError, ModelCall, ModelChoice, Optimization};
///
/// struct Mood;
///
/// impl Task for Mood {
///     fn name(&self) -> &str { "mood" }
///     fn seed(&self) -> Prompt { Prompt::new("Is this happy or sad?") }
///     fn answer_form(&self, _: &Input) -> AnswerForm { AnswerForm::choice(["happy", "sad"]) }
/// }
///
/// /// Stands for a client of yours; it proposes nothing of use.
/// struct Model;
///
/// #[async_trait]
/// impl Llm for Model {
///     fn identity(&self) -> &str { "my-model" }
///     fn capabilities(&self) -> Capabilities { Capabilities { batch: 1, concurrency: 4, ..Capabilities::default() } }
///     async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
///         let text = &call.request.messages[0].content;
///         Ok(Reply::text(if text.contains("tears") { "sad" } else { "happy" }))
///     }
/// }
///
/// fn example(n: usize, group: &str) -> Example {
///     let (what, label) = [("tears", "sad"), ("laughter", "happy")][n % 2];
///     Input::new(format!("{group}-{n}"), group)
///         .with_field("text", format!("{group}: {what} on page {n}"))
///         .with_label(Label::Class(label.into()))
/// }
///
/// let result = Optimization::builder()
///     .task(Mood)
///     .examples((0..80).map(|n| example(n, "novels")))
///     .examples((0..60).map(|n| example(n, "letters")))
///     .groups(GroupsSpec {
///         source: vec!["novels".into()],
///         target: vec!["letters".into()],
///         train: Some(20), validation: Some(30), unlabelled: Some(20), audit: Some(30),
///         ..GroupsSpec::default()
///     })
///     .model(ModelChoice::llm(Model))
///     .method("edits")                    // without a proposer: deletions, swaps, crossovers
///     .in_memory()
///     .run_blocking()?;
///
/// println!("{}: {}", result.verdict.sentence, result.selected.instruction);
/// for group in &result.groups {
///     println!("{} {:?}", group.name, group.difference);
/// }
/// # Ok::<(), shiftproof::OptimizationError>(())
/// ```
pub struct Optimization {
    session: StudySession,
    ledger: Arc<Ledger>,
    /// The run that goes on.
    resumed: Option<RunRecord>,
    observers: Vec<Box<dyn RunObserver>>,
    control: RunControl,
    trouble: UnusablePolicy,
}

impl Optimization {
    /// A search with everything still to be said.
    pub fn builder() -> OptimizationBuilder {
        OptimizationBuilder::new()
    }

    /// See [`OptimizationBuilder::prepare`].
    async fn prepare(builder: OptimizationBuilder) -> Result<Self, OptimizationError> {
        let checked = checks::check(builder)?;
        let builder = checked.settings;
        let mut study = Study::in_memory(builder.name, checked.task.name());
        study.groups = builder.groups;
        study.data.leaks = builder.leaks;
        study.prompts = builder.prompts;
        study.search = builder.search;
        study.budget = builder.budget;
        study.model = checked.model.spec.clone();
        study.proposer = builder.proposer.as_ref().map(|model| model.spec.clone());
        if study.groups.target.is_empty() && checked.method.needs_target() {
            study.search.method = MethodName::new("ape");
        }
        let method = builder
            .methods
            .get(study.search.method.as_str())
            .map_err(|unknown| OptimizationError::settings(format!("method: {unknown}")))?;
        prices::fill(&mut study, None);
        let resolved = ResolvedStudy::new(study, PathBuf::new(), builder.seed);
        let ledger = match &checked.store {
            StorePlace::Folder(folder) => Ledger::open(folder)?,
            StorePlace::Memory => Ledger::in_memory(),
        };
        let resumed = if builder.resume {
            unfinished(&ledger, &resolved)?
        } else {
            None
        };
        let built = TaskInstance {
            task: checked.task,
            fields: Vec::new(),
            templates: None,
            mentions: Vec::new(),
            augmentation: None,
        };
        if built.task.options().is_some() {
            check_options(&resolved.study)?;
        }
        let mut loaded = deal_examples(
            builder.examples,
            builder.inputs,
            built.task.as_ref(),
            &resolved,
        )?;
        loaded.baselines = builder.baselines;
        loaded.notes.extend(prices::unbound(&resolved.study));
        let own = OwnModels {
            task: checked.model.connected(),
            proposer: builder.proposer.as_ref().and_then(ModelChoice::connected),
        };
        let mut fetch = |_: FetchProgress| ControlFlow::Continue(());
        let known = resumed.as_ref();
        let (task_model, proposer_model) =
            connect_models(&resolved, &built, &loaded, known, own, &mut fetch).await?;
        let mut session = StudySession {
            resolved,
            built,
            method,
            loaded,
            task_model,
            proposer_model,
            // A program that has a task of its own grades by it.
            auxiliary_models: ConnectedAuxiliaryModels::default(),
            graded_by_person: Vec::new(),
            holds_bar: false,
        };
        check_places(&mut session)?;
        Ok(Self {
            session,
            ledger: Arc::new(ledger),
            resumed,
            observers: builder.observers,
            control: builder.control,
            trouble: UnusablePolicy {
                keep_going: builder.keep_going,
                retry_failed: false,
            },
        })
    }

    /// Calls of the plan at most, as the limit on calls leaves it.
    pub fn planned_calls(&self) -> u64 {
        self.session.plan().calls()
    }

    /// What can be foreseen, as sentences: groups that nothing will verify, roles that
    /// are smaller than usual, what is odd about the data.
    pub fn notes(&self) -> Vec<String> {
        let warnings = self.session.loaded.findings.iter();
        let warnings = warnings.filter(|finding| finding.severity == LintSeverity::Warning);
        let mut notes = stored::mended(self.ledger.opened());
        notes.extend(self.session.foreseen());
        notes.extend(warnings.map(ToString::to_string));
        notes
    }

    /// A handle to pause, stop or abort the run with.
    pub fn control(&self) -> RunControl {
        self.control.clone()
    }

    /// Searches, selects and audits.
    ///
    /// # Errors
    /// [`Stopped`](OptimizationError::Stopped) where the run does not come to its end,
    /// [`Store`](OptimizationError::Store) where it cannot be written down.
    pub async fn run(self) -> Result<RunResult, OptimizationError> {
        let seed = self.session.built.task.seed();
        let record = match self.resumed {
            Some(record) => record,
            None => self.session.new_run(&self.ledger)?,
        };
        let run = record.id.clone();
        let execution = RunExecution {
            session: self.session,
            ledger: self.ledger,
            record,
            observers: self.observers,
            control: self.control,
            trouble: self.trouble,
            by: BY,
        };
        match Box::pin(execution.execute()).await {
            Ok(Some(done)) => Ok(RunResult::of(run, seed, done)),
            // Aborted: everything paid for before is stored.
            Ok(None) => Err(OptimizationError::Stopped {
                run,
                stop: RunError::Interrupted,
            }),
            Err(ExecutionError::Stopped(stop, _)) => Err(OptimizationError::Stopped { run, stop }),
            Err(ExecutionError::Failed(failure)) => Err(failure.into()),
        }
    }
}

/// The latest run of this name that is not finished, if its settings are these.
fn unfinished(
    ledger: &Ledger,
    resolved: &ResolvedStudy,
) -> Result<Option<RunRecord>, OptimizationError> {
    let name = &resolved.study.name;
    let runs = ledger.runs()?.into_iter().rev();
    let mut waiting = runs.filter(|run| run.study == *name && run.status != RunStatus::Finished);
    let Some(record) = waiting.next() else {
        return Ok(None);
    };
    let begun: ResolvedStudy = serde_json::from_str(&record.spec).map_err(|error| {
        OptimizationError::settings(format!(
            "resume: the record of run {} cannot be read: {error}",
            record.id
        ))
    })?;
    let mut other: Vec<String> = differing(&begun.study, &resolved.study)
        .iter()
        .map(ToString::to_string)
        .collect();
    if begun.seed != resolved.seed {
        other.push(format!("seed ({} | {})", begun.seed, resolved.seed));
    }
    if other.is_empty() {
        return Ok(Some(record));
    }
    Err(OptimizationError::settings(format!(
        "resume: the run {} was begun with other settings (then | now): {}; bring them back, or \
         leave resume out: answers that are stored cost nothing",
        record.id,
        other.join("; ")
    )))
}

/// Refuses prompts with places that no field fills; what is merely odd about them joins
/// the findings.
fn check_places(session: &mut StudySession) -> Result<(), OptimizationError> {
    let seed = session.built.task.seed();
    let further = session.resolved.study.prompts.clone();
    let mut given = vec![GivenPrompt {
        place: "the seed prompt of the task".to_owned(),
        text: &seed.instruction,
    }];
    given.extend(further.iter().enumerate().map(|(n, text)| GivenPrompt {
        place: format!("prompt {} of prompts", n + 1),
        text,
    }));
    let found = session.check_given(&given)?;
    session.loaded.findings.extend(found);
    Ok(())
}
