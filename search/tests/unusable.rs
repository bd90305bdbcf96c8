//! Answers that are cut off, refused or not to be read: what they cost, what they
//! count for, and when a run stops for them.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use async_trait::async_trait;
use shiftproof_search::budget::{BudgetLimits, Meter, Price};
use shiftproof_search::calibrate::{Calibration, CalibrationSet};
use shiftproof_search::control::RunControl;
use shiftproof_search::evaluate::{PromptEvaluation, PromptEvaluator};
use shiftproof_search::event::Event;
use shiftproof_search::event_log::EventLog;
use shiftproof_search::gateway::{Gateway, PricedModel, RunError};
use shiftproof_search::ledger::Ledger;
use shiftproof_search::methods::Ape;
use shiftproof_search::run::{Run, RunResult};
use shiftproof_search::simulate::{SimulatedTask, SimulatedWorld};
use shiftproof_search::spec::SearchSpec;
use shiftproof_search::unusable::AnswerFault;
use shiftproof_search::{Capabilities, Llm, LlmError, ModelCall};
use shiftproof_tasks::{Finish, Reply, Request, Task, Usage};

type Manner = dyn Fn(&ModelCall, Reply) -> Result<Reply, LlmError> + Send + Sync;

/// The planted model with manners of its own when it is asked for an answer.
struct Odd {
    world: SimulatedWorld,
    max_tokens: Option<u32>,
    calls: AtomicUsize,
    manner: Box<Manner>,
}

#[async_trait]
impl Llm for Odd {
    fn identity(&self) -> &'static str {
        "odd"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            max_tokens: self.max_tokens,
            ..self.world.capabilities()
        }
    }

    fn estimate_tokens(&self, request: &Request) -> u64 {
        self.world.estimate_tokens(request)
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        self.calls.fetch_add(1, SeqCst);
        let reply = self.world.call(call).await?;
        if call.request.answer.labels().is_none() {
            return Ok(reply);
        }
        (self.manner)(call, reply)
    }
}

/// A model that thinks for so many tokens before it answers.
fn thinks(tokens: u32) -> impl Fn(&ModelCall, Reply) -> Result<Reply, LlmError> + Send + Sync {
    move |call, reply| {
        let most = call.sampling.max_tokens;
        let usage = Usage {
            completion_tokens: u64::from(most.min(tokens + 1)),
            ..reply.usage
        };
        Ok(if most <= tokens {
            Reply {
                finish: Finish::Length,
                usage,
                ..Reply::text("")
            }
        } else {
            Reply { usage, ..reply }
        })
    }
}

struct Scene {
    model: PricedModel,
    llm: Arc<Odd>,
    ledger: Arc<Ledger>,
}

impl Scene {
    fn new(
        max_tokens: Option<u32>,
        manner: impl Fn(&ModelCall, Reply) -> Result<Reply, LlmError> + Send + Sync + 'static,
    ) -> Self {
        let llm = Arc::new(Odd {
            world: SimulatedWorld::new(3, 0.0),
            max_tokens,
            calls: AtomicUsize::new(0),
            manner: Box::new(manner),
        });
        Self {
            model: PricedModel {
                llm: llm.clone(),
                price: Price::default(),
            },
            llm,
            ledger: Arc::new(Ledger::in_memory()),
        }
    }

    fn calls(&self) -> usize {
        self.llm.calls.load(SeqCst)
    }

    fn gateway(&self, limits: BudgetLimits) -> Gateway {
        Gateway::new(
            self.ledger.clone(),
            EventLog::unlogged(vec![]),
            Meter::new(limits),
            RunControl::new(),
            None,
            Vec::new(),
        )
    }

    /// Scores the seed prompt on 40 examples a group.
    async fn score(
        &self,
        gateway: &Gateway,
        keep_going: bool,
    ) -> Result<PromptEvaluation, RunError> {
        let (data, groups) = self.llm.world.data(40);
        let evaluator = PromptEvaluator {
            task: &SimulatedTask,
            gateway,
            model: &self.model,
            calibration: Calibration::None,
            groups: &groups,
            settle_on: CalibrationSet::of(&data),
            keep_going,
        };
        let prompts = [SimulatedTask.seed()];
        evaluator.score(&prompts, &data.audit.clone().open()).await
    }

    async fn run(&self, gateway: &Gateway, keep_going: bool) -> Result<RunResult, RunError> {
        self.search(gateway, keep_going, 12).await
    }

    async fn search(
        &self,
        gateway: &Gateway,
        keep_going: bool,
        proposals: usize,
    ) -> Result<RunResult, RunError> {
        let (data, groups) = self.llm.world.data(60);
        Run {
            study: "odd".into(),
            task: Arc::new(SimulatedTask),
            data,
            groups,
            baselines: vec![],
            method: Arc::new(Ape),
            spec: SearchSpec {
                ensemble: 0,
                library: false,
                proposals,
                evaluations: 300,
                edits: 0,
                ..SearchSpec::default()
            },
            human: vec![],
            seed: 1,
            task_model: self.model.clone(),
            proposer_model: self.model.clone(),
            gateway,
            earlier: None,
            judge: None,
            fitted: false,
            keep_going,
        }
        .execute()
        .await
    }
}

#[track_caller]
fn hopeless(result: Result<impl Sized, RunError>, fault: AnswerFault) -> (usize, Option<u32>) {
    match result.map(drop) {
        Err(RunError::Unusable(hopeless)) => {
            let first = &hopeless.survey.faults[0];
            assert_eq!(first.fault, fault);
            assert!(!first.examples[0].input.is_empty());
            (hopeless.survey.answers, hopeless.max_tokens)
        }
        other => panic!("{other:?}"),
    }
}

/// Given room, a model that thinks scores what it would score anyway.
#[tokio::test]
async fn truncated_answers_are_asked_again() {
    let plain = Scene::new(None, |_, reply| Ok(reply));
    let gateway = plain.gateway(BudgetLimits::default());
    let truth = plain.score(&gateway, false).await.unwrap();
    let slow = Scene::new(None, thinks(1000));
    let gateway = slow.gateway(BudgetLimits::default());
    let got = slow.score(&gateway, false).await.unwrap();
    assert_eq!(got.grades, truth.grades);
    assert!(got.surveys[0].faults.is_empty(), "{:?}", got.surveys);
    // Both calls of every answer are paid for, and both are kept.
    assert_eq!((plain.calls(), slow.calls()), (80, 160));
    assert_eq!(gateway.spent().calls, 160);
    let again = slow.gateway(BudgetLimits::default());
    slow.score(&again, false).await.unwrap();
    assert_eq!((slow.calls(), again.spent().calls), (160, 160));
}

#[tokio::test]
async fn user_limit_stops_early() {
    let scene = Scene::new(Some(16), thinks(200));
    let gateway = scene.gateway(BudgetLimits::default());
    let got = scene.score(&gateway, false).await;
    let (answers, limit) = hopeless(got, AnswerFault::Truncated);
    assert_eq!((answers, limit, scene.calls()), (20, Some(16), 20));
    // Whoever wants to go on is told, and gets no score.
    let gateway = scene.gateway(BudgetLimits::default());
    let got = scene.score(&gateway, true).await.unwrap();
    assert_eq!(scene.calls(), 80);
    assert!(
        got.scores[0]
            .iter()
            .all(|group| group.value.is_none() && group.truncated == 40)
    );
    assert!(got.grades[0].iter().all(Option::is_none));
    assert_eq!(got.surveys[0].faults[0].examples[0].tokens, Some(16));
}

#[tokio::test]
async fn asking_again_respects_limits() {
    for limit in (0..20_000).step_by(1_700) {
        for calls in [0, 1, 19, 20, 21, 90, 161] {
            let scene = Scene::new(None, thinks(900));
            let gateway = scene.gateway(BudgetLimits {
                tokens: Some(limit * 5),
                calls: Some(calls),
                usd: None,
            });
            // With nothing but cut-off answers to show it may also stop.
            let _ = scene.score(&gateway, false).await;
            let spent = gateway.spent();
            assert!(
                spent.tokens() <= limit * 5 && spent.calls <= calls,
                "{spent:?}"
            );
            assert_eq!(scene.calls() as u64, spent.calls);
        }
    }
}

/// A few answers are asked of every prompt before the rest; one prompt that the
/// model does not understand stops no search for a better one.
#[tokio::test]
async fn unusable_seed_stops_no_run() {
    let evades = |call: &ModelCall, reply: Reply| {
        let text = &call.request.messages[0].content;
        let seed = text.starts_with("Answer yes or no.\n");
        Ok(if seed {
            Reply::text("Well, it depends.")
        } else {
            reply
        })
    };
    let scene = Scene::new(None, evades);
    let gateway = scene.gateway(BudgetLimits::default());
    let ended = scene.run(&gateway, false).await.unwrap();
    assert_ne!(ended.selected, SimulatedTask.seed());
    let told = gateway
        .emitted()
        .into_iter()
        .filter_map(|event| match event {
            Event::Unusable { survey, .. } => Some(survey),
            _ => None,
        });
    let surveys: Vec<_> = told.collect();
    // Every answer is looked at once, and only the seed's are of no use.
    let seed = SimulatedTask.seed().id();
    for faulty in surveys.iter().flat_map(|survey| &survey.faults) {
        assert_eq!(faulty.fault, AnswerFault::Unparseable);
        assert!(
            faulty.examples.iter().all(|own| own.candidate == seed),
            "{faulty:?}"
        );
    }
    let audited = gateway.emitted().into_iter().find_map(|event| match event {
        Event::Audited { groups, .. } => Some(groups),
        _ => None,
    });
    assert!(
        audited
            .unwrap()
            .iter()
            .all(|group| group.unparseable == group.n)
    );
}

#[tokio::test]
async fn unusable_run_stops_early_alike() {
    let refuse = |_: &ModelCall, _: Reply| Err(LlmError::Request("no system prompts here".into()));
    let prose = |_: &ModelCall, _: Reply| Ok(Reply::text("I would rather not say."));
    let manners: [(Box<Manner>, AnswerFault); 2] = [
        (Box::new(refuse), AnswerFault::Failed),
        (Box::new(prose), AnswerFault::Unparseable),
    ];
    for (manner, fault) in manners {
        let scene = Scene::new(None, manner);
        let gateway = scene.gateway(BudgetLimits::default());
        let (answers, _) = hopeless(scene.run(&gateway, false).await, fault);
        assert!((20..=40).contains(&answers), "{answers}");
        let told = gateway.emitted();
        assert!(
            matches!(told.last(), Some(Event::Unusable { .. })),
            "{:?}",
            told.last()
        );
        // Executed again it takes the same course, and asks nothing.
        let (calls, again) = (scene.calls(), scene.gateway(BudgetLimits::default()));
        hopeless(scene.run(&again, false).await, fault);
        assert_eq!((scene.calls(), again.emitted()), (calls, told.clone()));
        // Going on, it begins with the same events.
        let on = scene.gateway(BudgetLimits::default());
        let _ = scene.run(&on, true).await;
        assert_eq!(on.emitted()[..told.len()], told);
    }
}

/// Where nothing is proposed there is nothing to compare the seed with, and that is
/// said before a call is paid for.
#[tokio::test]
async fn seed_without_rivals_stops() {
    let plain = Scene::new(None, |_, reply| Ok(reply));
    let gateway = plain.gateway(BudgetLimits::default());
    let stop = plain.search(&gateway, false, 0).await.unwrap_err();
    assert!(matches!(stop, RunError::Proposals { .. }), "{stop:?}");
    assert_eq!(
        plain.calls(),
        0,
        "nothing is measured that nothing is compared with"
    );
}

/// What was refused is asked again on demand, once, and nothing else is.
#[tokio::test]
async fn refusals_are_retried_on_demand() {
    let mended = Arc::new(AtomicBool::new(false));
    let scene = {
        let mended = mended.clone();
        Scene::new(None, move |call, reply| {
            let long = call.request.messages[0].content.contains("audit 7");
            if long && !mended.load(SeqCst) {
                return Err(LlmError::Request("the context is too small".into()));
            }
            Ok(reply)
        })
    };
    let score = async |retry: bool| {
        let gateway = scene
            .gateway(BudgetLimits::default())
            .retrying_refused(retry);
        let before = scene.calls();
        let got = scene.score(&gateway, false).await.unwrap();
        let failed: usize = got.scores[0].iter().map(|group| group.failed).sum();
        (failed, scene.calls() - before, gateway.spent().calls)
    };
    assert_eq!(score(false).await, (2, 80, 80));
    assert_eq!(score(false).await, (2, 0, 80));
    // Still refused: asked once a command, not once a look.
    assert_eq!(score(true).await, (2, 2, 80));
    mended.store(true, SeqCst);
    assert_eq!(score(false).await, (2, 0, 80));
    assert_eq!(score(true).await, (0, 2, 80));
    assert_eq!(score(true).await, (0, 0, 80));
}
