//! What an optimisation is made of.

use std::path::PathBuf;
use std::sync::Arc;

use shiftproof_search::budget::BudgetLimits;
use shiftproof_search::control::RunControl;
use shiftproof_search::event::{Event, RunObserver};
use shiftproof_search::methods::{MethodRegistry, SearchMethod};
use shiftproof_search::spec::{MethodName, ObjectiveName, SearchSpec};
use shiftproof_tasks::{BaselinePredictions, Example, GroupsSpec, Input, Task};

use super::{ModelChoice, Optimization, OptimizationError, RunResult};
use crate::exit::{ExitStatus, Failure};
use crate::study::LeakPolicy;

/// Where paid replies are kept.
#[derive(Debug, Clone)]
pub(super) enum StorePlace {
    Folder(PathBuf),
    Memory,
}

/// An optimisation to be; see [`Optimization`].
///
/// Needed are a [task](Self::task), [examples](Self::examples), a
/// [model](Self::model) and a place for what is paid for: a
/// [store](Self::store) or, deliberately, [memory](Self::in_memory). Everything else has
/// the defaults of a study.
#[must_use = "an optimisation does nothing until it is run"]
pub struct OptimizationBuilder {
    pub(super) name: String,
    pub(super) task: Option<Arc<dyn Task>>,
    pub(super) examples: Vec<Example>,
    pub(super) inputs: Vec<Input>,
    pub(super) groups: GroupsSpec,
    pub(super) leaks: LeakPolicy,
    pub(super) baselines: Vec<BaselinePredictions>,
    pub(super) model: Option<ModelChoice>,
    pub(super) proposer: Option<ModelChoice>,
    pub(super) prompts: Vec<String>,
    pub(super) search: SearchSpec,
    pub(super) methods: MethodRegistry,
    pub(super) budget: BudgetLimits,
    pub(super) seed: u64,
    pub(super) store: Option<StorePlace>,
    pub(super) resume: bool,
    pub(super) keep_going: bool,
    pub(super) observers: Vec<Box<dyn RunObserver>>,
    pub(super) control: RunControl,
}

impl OptimizationBuilder {
    pub(super) fn new() -> Self {
        Self {
            name: "optimization".to_owned(),
            task: None,
            examples: Vec::new(),
            inputs: Vec::new(),
            groups: GroupsSpec::default(),
            leaks: LeakPolicy::default(),
            baselines: Vec::new(),
            model: None,
            proposer: None,
            prompts: Vec::new(),
            search: SearchSpec::default(),
            methods: MethodRegistry::default(),
            budget: BudgetLimits::default(),
            seed: 1,
            store: None,
            resume: false,
            keep_going: false,
            observers: Vec::new(),
            control: RunControl::new(),
        }
    }

    /// A short name of letters, digits, `-` and `_`; runs are named after it.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The task: what the seed prompt is, how inputs are shown, and how answers are read
    /// and graded.
    pub fn task(mut self, task: impl Task + 'static) -> Self {
        self.task = Some(Arc::new(task));
        self
    }

    /// Examples with labels, of any groups: sources need them; of a target they are the
    /// sealed audit, and what [`GroupsSpec::labelled`] lets the search use. They are
    /// added to those given before.
    pub fn examples(mut self, examples: impl IntoIterator<Item = Example>) -> Self {
        self.examples.extend(examples);
        self
    }

    /// Inputs without labels, of target groups. They are added to those given before.
    pub fn inputs(mut self, inputs: impl IntoIterator<Item = Input>) -> Self {
        self.inputs.extend(inputs);
        self
    }

    /// Groups whose labels the search may use. Where all examples are of one group, that
    /// one if none is named.
    pub fn sources(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.groups.source = names.into_iter().map(Into::into).collect();
        self
    }

    /// Shifted groups that the prompt has to hold on. The search sees their inputs; it
    /// sees no label of theirs but those that [`GroupsSpec::labelled`] gives it.
    pub fn targets(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.groups.target = names.into_iter().map(Into::into).collect();
        self
    }

    /// The groups with the sizes of their roles, in place of [`sources`](Self::sources)
    /// and [`targets`](Self::targets).
    pub fn groups(mut self, groups: GroupsSpec) -> Self {
        self.groups = groups;
        self
    }

    /// What becomes of a text that both the search and the audit would see; by default
    /// the data are refused.
    pub fn leaks(mut self, policy: LeakPolicy) -> Self {
        self.leaks = policy;
        self
    }

    /// Predictions of methods without a language model, scored beside the prompts.
    pub fn baselines(mut self, baselines: impl IntoIterator<Item = BaselinePredictions>) -> Self {
        self.baselines.extend(baselines);
        self
    }

    /// The model that does the task, by name or [one's own](ModelChoice::llm).
    pub fn model(mut self, model: impl Into<ModelChoice>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// The model that writes prompts; the task's model where none is named.
    pub fn proposer(mut self, model: impl Into<ModelChoice>) -> Self {
        self.proposer = Some(model.into());
        self
    }

    /// Further prompts of people that enter the race beside the task's seed.
    pub fn prompts(mut self, prompts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.prompts.extend(prompts.into_iter().map(Into::into));
        self
    }

    /// The search method: `"gpo"` (the default where there are targets), `"ape"`,
    /// `"gepa"`, `"protegi"`, `"opro"`, … See `docs/study.md`.
    pub fn method(mut self, name: impl Into<String>) -> Self {
        self.search.method = MethodName::new(name);
        self
    }

    /// A search method of one's own.
    pub fn own_method(mut self, method: impl SearchMethod + 'static) -> Self {
        self.search.method = MethodName::new(method.name());
        self.methods = self.methods.with(Arc::new(method));
        self
    }

    /// What the scores of all groups are reduced to.
    pub fn objective(mut self, objective: ObjectiveName) -> Self {
        self.search.objective = objective;
        self
    }

    /// All numbers of the search, [method](Self::method) and
    /// [objective](Self::objective) among them.
    pub fn search(mut self, search: SearchSpec) -> Self {
        self.search = search;
        self
    }

    /// Hard limits on what proposer and task model may spend together; none by default.
    pub fn budget(mut self, limits: BudgetLimits) -> Self {
        self.budget = limits;
        self
    }

    /// The random seed, 1 by default. The audit is the same for every seed.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Keeps replies, events and reports in this folder, as the program does: what is
    /// paid for once is never paid for again, and `shiftproof report`, `watch` and
    /// `runs` read it. One process at a time has a folder open.
    pub fn store(mut self, folder: impl Into<PathBuf>) -> Self {
        self.store = Some(StorePlace::Folder(folder.into()));
        self
    }

    /// Keeps nothing: replies are lost with the run. For models that cost nothing, and
    /// for tests.
    pub fn in_memory(mut self) -> Self {
        self.store = Some(StorePlace::Memory);
        self
    }

    /// Goes on with the latest unfinished run of this name in the store, if there is
    /// one: it keeps its account, so that its limits hold over all its processes. Its
    /// settings have to be what they were. Without one a run begins.
    pub fn resume(mut self) -> Self {
        self.resume = true;
        self
    }

    /// Goes on where hardly one of the first answers can be used, instead of stopping.
    pub fn keep_going(mut self) -> Self {
        self.keep_going = true;
        self
    }

    /// Is told everything that the run tells, as it happens.
    pub fn observer(mut self, observer: impl RunObserver + 'static) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// Is called with every durable event, as it happens.
    pub fn on_event(self, tell: impl FnMut(&Event) + Send + 'static) -> Self {
        self.observer(EventCallback(tell))
    }

    /// A handle to pause, stop or abort the run with; keep a clone of it.
    pub fn control(mut self, control: RunControl) -> Self {
        self.control = control;
        self
    }

    /// Checks the settings, deals out the data and connects the models. A model behind a
    /// server is asked a few questions on what it can do, and is told a few requests of
    /// the task; nothing else is paid for until the run.
    ///
    /// # Errors
    /// As [`OptimizationError`] says; [`Settings`](OptimizationError::Settings) tells
    /// all problems at once.
    pub async fn prepare(self) -> Result<Optimization, OptimizationError> {
        Box::pin(Optimization::prepare(self)).await
    }

    /// [Prepares](Self::prepare) and runs; needs a Tokio runtime with time and I/O
    /// enabled. Dropping the future ends the run where it stands, as a kill would.
    ///
    /// # Errors
    /// As [`OptimizationError`] says.
    pub async fn run(self) -> Result<RunResult, OptimizationError> {
        Box::pin(self.prepare().await?.run()).await
    }

    /// [Runs](Self::run) to the end in a runtime of its own, for callers without one.
    ///
    /// # Errors
    /// As [`OptimizationError`] says.
    ///
    /// # Panics
    /// Where it is called within a Tokio runtime.
    pub fn run_blocking(self) -> Result<RunResult, OptimizationError> {
        let runtime =
            tokio::runtime::Runtime::new().map_err(Failure::from_error(ExitStatus::Internal))?;
        let result = runtime.block_on(self.run());
        // An embedded model may be in the middle of a batch that nobody waits for.
        runtime.shutdown_background();
        result
    }
}

/// Passes durable events on to a closure.
struct EventCallback<F>(F);

impl<F: FnMut(&Event) + Send> RunObserver for EventCallback<F> {
    fn event(&mut self, event: &Event, _replayed: bool) {
        (self.0)(event);
    }
}
