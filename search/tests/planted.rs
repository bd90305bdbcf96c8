//! The loop on planted worlds: what is claimed of it must come out.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use shiftproof_search::budget::{BudgetLimits, Meter, Price};
use shiftproof_search::event::{AuditedPrompt, Event, GroupInfo};
use shiftproof_search::event_log::EventLog;
use shiftproof_search::fit::fitted;
use shiftproof_search::gateway::{Gateway, PricedModel, RunError};
use shiftproof_search::ledger::Ledger;
use shiftproof_search::methods::{MethodRegistry, SearchMethod};
use shiftproof_search::run::{Run, RunResult};
use shiftproof_search::simulate::{SOURCE, SimulatedTask, SimulatedWorld, TARGET};
use shiftproof_search::spec::{MethodName, RuleName, SearchSpec};
use shiftproof_search::{Capabilities, Llm, LlmError, ModelCall};
use shiftproof_tasks::{
    AnswerForm, Data, Example, Fitting, Input, Label, LabelledTarget, Prompt, Reply, Task,
};
use tokio_util::sync::CancellationToken;

struct Outcome {
    ended: RunResult,
    events: Vec<Event>,
    target_labels_read: u64,
    asked: Vec<ModelCall>,
}

async fn run(world: &SimulatedWorld, spec: SearchSpec, seed: u64, limits: BudgetLimits) -> Outcome {
    try_run(world, spec, seed, limits).await.unwrap()
}

async fn try_run(
    world: &SimulatedWorld,
    spec: SearchSpec,
    seed: u64,
    limits: BudgetLimits,
) -> Result<Outcome, RunError> {
    try_task(Arc::new(SimulatedTask), world, spec, seed, limits).await
}

async fn try_task(
    task: Arc<dyn Task>,
    world: &SimulatedWorld,
    spec: SearchSpec,
    seed: u64,
    limits: BudgetLimits,
) -> Result<Outcome, RunError> {
    try_data(task, world, world.data(120), spec, seed, limits).await
}

/// The planted model, which keeps what it was asked.
struct Listening {
    world: SimulatedWorld,
    asked: Arc<Mutex<Vec<ModelCall>>>,
}

#[async_trait]
impl Llm for Listening {
    fn identity(&self) -> &str {
        self.world.identity()
    }

    fn capabilities(&self) -> Capabilities {
        self.world.capabilities()
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        self.asked.lock().unwrap().push(call.clone());
        self.world.call(call).await
    }
}

async fn try_data(
    task: Arc<dyn Task>,
    world: &SimulatedWorld,
    (data, groups): (Data, Vec<GroupInfo>),
    spec: SearchSpec,
    seed: u64,
    limits: BudgetLimits,
) -> Result<Outcome, RunError> {
    let gateway = Gateway::new(
        Arc::new(Ledger::in_memory()),
        EventLog::unlogged(vec![]),
        Meter::new(limits),
        CancellationToken::new(),
        None,
        Vec::new(),
    );
    let asked = Arc::default();
    let model = PricedModel {
        llm: Arc::new(Listening {
            world: world.clone(),
            asked: Arc::clone(&asked),
        }),
        price: Price::default(),
    };
    let reads = data.reads.clone();
    let ended = Run {
        study: "planted".into(),
        task,
        data,
        groups,
        baselines: vec![],
        method: method(&spec),
        spec,
        human: vec![],
        seed,
        task_model: model.clone(),
        proposer_model: model,
        gateway: &gateway,
        earlier: None,
        judge: None,
        fitted: false,
        keep_going: false,
    }
    .execute()
    .await?;
    let events = gateway.emitted();
    let Some(Event::Finished {
        target_labels_read,
        audit_labels_read,
        ..
    }) = events.last()
    else {
        panic!("the run did not finish: {:?}", events.last());
    };
    assert_eq!(target_labels_read + audit_labels_read, reads.count());
    Ok(Outcome {
        ended,
        target_labels_read: *target_labels_read,
        events,
        asked: std::mem::take(&mut *asked.lock().unwrap()),
    })
}

fn method(spec: &SearchSpec) -> Arc<dyn SearchMethod> {
    MethodRegistry::default().get(spec.method.as_str()).unwrap()
}

fn spec(method: &str) -> SearchSpec {
    SearchSpec {
        method: MethodName::new(method),
        ensemble: 0,
        library: false,
        ..SearchSpec::default()
    }
}

/// Mean true accuracy of the selected prompt on (source, target) over worlds.
async fn accuracy(method: &str, threshold: f64, noise: f64) -> (f64, f64) {
    // Of 12 or 24 worlds chance takes away half the gain.
    const WORLDS: u64 = 72;
    let (mut source, mut target) = (0.0, 0.0);
    for seed in 0..WORLDS {
        let world = SimulatedWorld::new(seed, noise);
        // APE has no vote to pay for and no second round: it gets the same
        // number of calls as evaluations and proposals instead.
        let mut spec = SearchSpec {
            threshold,
            ..spec(method)
        };
        if method != "gpo" {
            spec.evaluations += spec.chunks * 120;
            spec.proposals *= 2;
        }
        let outcome = run(&world, spec, seed, BudgetLimits::default()).await;
        assert_eq!(
            outcome.target_labels_read, 0,
            "the search read target labels"
        );
        source += world.accuracy(&outcome.ended.selected, SOURCE);
        target += world.target_accuracy(&outcome.ended.selected);
    }
    (source / WORLDS as f64, target / WORLDS as f64)
}

#[tokio::test]
async fn gpo_beats_ape_on_target() {
    let ape = accuracy("ape", 0.83, 0.0).await;
    let gpo = accuracy("gpo", 0.83, 0.0).await;
    println!(
        "APE source {:.3} target {:.3}; GPO source {:.3} target {:.3}",
        ape.0, ape.1, gpo.0, gpo.1
    );
    assert!(
        gpo.1 >= ape.1 + 0.05,
        "target: GPO {:.3}, APE {:.3}",
        gpo.1,
        ape.1
    );
    // APE spends all its calls on the source; over 72 worlds it is 3 points better
    // there.
    assert!(
        gpo.0 >= ape.0 - 0.05,
        "source: GPO {:.3}, APE {:.3}",
        gpo.0,
        ape.0
    );
}

#[tokio::test]
async fn credulous_voting_shrinks_gain() {
    let gain = async |threshold, noise| {
        accuracy("gpo", threshold, noise).await.1 - accuracy("ape", 0.83, noise).await.1
    };
    let sound = gain(0.83, 0.0).await;
    let credulous = gain(0.0, 0.6).await;
    println!("target gain: T=0.83 without noise {sound:.3}, T=0 with noise {credulous:.3}");
    assert!(credulous < 0.5 * sound, "{credulous:.3} against {sound:.3}");
}

#[tokio::test]
async fn same_seed_gives_same_events() {
    let world = SimulatedWorld::new(3, 0.1);
    let first = run(&world, spec("gpo"), 3, BudgetLimits::default()).await;
    let second = run(&world, spec("gpo"), 3, BudgetLimits::default()).await;
    let text = |outcome: &Outcome| serde_json::to_string(&outcome.events).unwrap();
    assert_eq!(text(&first), text(&second));
    let other = run(&world, spec("gpo"), 4, BudgetLimits::default()).await;
    assert_ne!(text(&first), text(&other));
}

#[tokio::test]
async fn small_budget_still_audits() {
    let world = SimulatedWorld::new(5, 0.1);
    for calls in [700, 900, 1500] {
        let limits = BudgetLimits {
            calls: Some(calls),
            ..BudgetLimits::default()
        };
        let outcome = run(&world, spec("gpo"), 5, limits).await;
        assert!(
            outcome.ended.spent.calls <= calls,
            "{:?}",
            outcome.ended.spent
        );
        let audited: Vec<AuditedPrompt> = outcome
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Audited { contestant, groups } => {
                    assert!(groups.iter().all(|group| group.n == 120));
                    Some(*contestant)
                }
                _ => None,
            })
            .collect();
        assert_eq!(audited, [AuditedPrompt::Seed, AuditedPrompt::Selected]);
    }
}

/// The least limit that is foretold works, and none below it.
#[tokio::test]
async fn smallest_budget_is_least() {
    let world = SimulatedWorld::new(5, 0.1);
    let (data, _) = world.data(120);
    let of = |method, rule| SearchSpec {
        library: true,
        rule,
        ..spec(method)
    };
    let within = |calls| BudgetLimits {
        calls: Some(calls),
        ..BudgetLimits::default()
    };
    let specs = [
        of("gpo", RuleName::Posterior),
        of("ape", RuleName::Posterior),
        of("ape-ut", RuleName::Racing),
        of("edits", RuleName::Halving),
        of("gpo", RuleName::TripleCr),
        of("gpo", RuleName::Uniform),
    ];
    for spec in specs {
        let what = format!("{} {}", spec.method, spec.rule.name());
        let plan = |calls| {
            fitted(
                method(&spec).as_ref(),
                &spec,
                &data,
                &SimulatedTask,
                0,
                calls,
            )
        };
        let smallest = plan(None).smallest.unwrap();
        let least = plan(Some(smallest));
        assert!(least.scaled && least.calls() <= smallest, "{least:?}");
        let outcome = run(&world, spec.clone(), 5, within(smallest)).await;
        assert!(outcome.ended.spent.calls <= smallest, "{what}");
        let audited = outcome.events.iter().any(|event| {
            matches!(event, Event::Audited { contestant: AuditedPrompt::Seed, groups }
                if groups.iter().all(|group| group.n == 120))
        });
        assert!(audited, "{what}");
        // With GPO votes can stand in for a final that nothing is left for.
        if spec.method.as_str() == "gpo" {
            continue;
        }
        let stopped = try_run(&world, spec.clone(), 5, within(smallest - 1)).await;
        assert!(matches!(stopped, Err(RunError::Budget(_))), "{what}");
    }
}

/// What observers are told of single answers gives no target label away before
/// the audit, agrees with the scores, and names each input once.
#[tokio::test]
async fn answers_hide_target_labels() {
    use shiftproof_search::event::{AnswerVerdict, GroupRole, Phase};

    let world = SimulatedWorld::new(3, 0.1);
    let mut data_spec = spec("gpo");
    data_spec.evaluations = 600;
    let outcome = run(&world, data_spec, 1, BudgetLimits::default()).await;
    let (mut inputs, mut kept, mut ids) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    let mut graded: BTreeMap<(String, bool), usize> = BTreeMap::new();
    let (mut phase, mut audited, mut leads) = (Phase::Propose, BTreeMap::new(), 0);
    let roles: BTreeMap<String, GroupRole> = match &outcome.events[0] {
        Event::Started(started) => started
            .groups
            .iter()
            .map(|group| (group.name.clone(), group.role))
            .collect(),
        other => panic!("a run begins with {other:?}"),
    };
    for event in &outcome.events {
        match event {
            Event::Phase { phase: next, .. } => phase = *next,
            Event::Voted(voted) => {
                kept.extend(
                    voted
                        .votes
                        .iter()
                        .filter(|v| v.kept)
                        .map(|v| v.input.clone()),
                );
            }
            Event::Inputs { inputs: fresh } => {
                for input in fresh {
                    assert!(ids.insert(input.id.clone()), "{} is told twice", input.id);
                    let target = roles[&input.group] == GroupRole::Target;
                    assert_eq!(input.label.is_none(), target && phase != Phase::Audit);
                    inputs.push(input.clone());
                }
            }
            Event::Answered {
                texts,
                answers,
                candidate,
                ..
            } => {
                for answer in answers {
                    let input = &inputs[answer.input as usize];
                    assert!((answer.text as usize) < texts.len());
                    let target = roles[&input.group] == GroupRole::Target;
                    if let AnswerVerdict::Graded(value) = answer.verdict {
                        assert!(
                            !target || phase == Phase::Audit || kept.contains(&input.id),
                            "a grade of {} before the audit",
                            input.id
                        );
                        *graded.entry((input.group.clone(), target)).or_default() += 1;
                        if phase == Phase::Audit {
                            let sum: &mut (f64, usize) = audited
                                .entry((*candidate, input.group.clone()))
                                .or_default();
                            *sum = (sum.0 + value, sum.1 + 1);
                        }
                    }
                }
            }
            Event::Leading { calls, .. } => {
                assert!(*calls > 0);
                leads += 1;
            }
            _ => {}
        }
    }
    assert!(leads > 8, "the leader was told {leads} times");
    assert!(graded.keys().any(|(_, target)| *target), "{graded:?}");
    let scores = outcome.events.iter().find_map(|event| match event {
        Event::Audited {
            contestant: AuditedPrompt::Selected,
            groups,
        } => Some(groups),
        _ => None,
    });
    let selected = outcome.ended.selected.id();
    for group in scores.unwrap() {
        let (sum, n) = audited[&(selected, group.group.clone())];
        assert!(
            (sum / n as f64 - group.value.unwrap()).abs() < 1e-9,
            "{group:?}"
        );
    }
}

/// Where the target has labels, the selector reads each of them once and the proposer
/// none: no request for a prompt says what the label of a target's text is.
#[tokio::test]
async fn proposers_see_no_target_label() {
    const LABELLED: usize = 24;
    for method in MethodRegistry::default().names() {
        let world = SimulatedWorld::new(5, 0.1);
        let (mut data, groups) = world.data(60);
        let labelled: Vec<Example> = (0..LABELLED)
            .map(|number| {
                // Told from words: nothing but a label says so.
                let text = format!("{TARGET} labelled {number}");
                Input::new(text.clone(), TARGET)
                    .with_field("text", text)
                    .with_label(Label::Class(
                        if number % 2 == 0 { "yes" } else { "no" }.into(),
                    ))
            })
            .collect();
        data.labelled_target = LabelledTarget::new(labelled, data.reads.clone());
        let mut spec = spec(method);
        (spec.evaluations, spec.proposals) = (500, 12);
        let limits = BudgetLimits::default();
        let task = Arc::new(SimulatedTask);
        let outcome = try_data(task, &world, (data, groups), spec, 1, limits).await;
        let outcome = outcome.unwrap_or_else(|error| panic!("{method}: {error}"));
        assert_eq!(outcome.target_labels_read, LABELLED as u64, "{method}");
        let scored = |call: &&ModelCall| call.request.answer.labels().is_some();
        let text = |call: &ModelCall| {
            let texts = call
                .request
                .messages
                .iter()
                .map(|message| message.content.as_str());
            texts.collect::<Vec<_>>().join("\n")
        };
        let looked = outcome.asked.iter().filter(scored);
        let looked = looked.filter(|call| text(call).contains("target labelled"));
        assert!(looked.count() >= LABELLED, "{method} scores nobody on them");
        for call in outcome.asked.iter().filter(|call| !scored(call)) {
            assert!(
                !text(call).contains("target labelled"),
                "{method}: {}",
                text(call)
            );
        }
    }
}

/// The planted task with a setting to learn, which notes what it learns from.
#[derive(Default)]
struct Learning {
    seen: Mutex<BTreeMap<String, Vec<f64>>>,
}

impl Task for Learning {
    fn name(&self) -> &str {
        SimulatedTask.name()
    }

    fn seed(&self) -> Prompt {
        SimulatedTask.seed()
    }

    fn answer_form(&self, input: &Input) -> AnswerForm {
        SimulatedTask.answer_form(input)
    }

    fn fitting(&self) -> Option<&dyn Fitting> {
        Some(self)
    }
}

impl Fitting for Learning {
    fn fit(&self, graded: &[(&Example, &Reply)]) -> Option<Vec<f64>> {
        let fit = vec![graded.len() as f64];
        let mut seen = self.seen.lock().unwrap();
        for (example, _) in graded {
            seen.insert(example.input.id.clone(), fit.clone());
        }
        Some(fit)
    }

    fn describe(&self, _: Option<&[f64]>) -> String {
        String::new()
    }

    /// A fit that was learnt is applied: without one every answer is withheld.
    fn apply(&self, _: &Input, reply: Reply, fit: &[f64]) -> Reply {
        assert!(fit[0] > 0.0, "learnt from nothing");
        reply
    }
}

/// What a task learns about reading replies it learns from source examples that
/// no audit has, and never from votes.
#[tokio::test]
async fn adjustments_are_learnt_outside_audit() {
    let world = SimulatedWorld::new(2, 0.1);
    let task = Arc::new(Learning::default());
    let mut spec = spec("gpo");
    spec.evaluations = 600;
    let outcome = try_task(task.clone(), &world, spec, 1, BudgetLimits::default())
        .await
        .unwrap();
    assert_eq!(outcome.target_labels_read, 0);
    let (data, _) = world.data(120);
    let source: BTreeSet<String> = data
        .source
        .validation
        .iter()
        .map(|example| example.input.id.clone())
        .collect();
    let seen = task.seen.lock().unwrap();
    assert!(seen.len() > 20, "{}", seen.len());
    let foreign: Vec<&String> = seen.keys().filter(|id| !source.contains(*id)).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}
