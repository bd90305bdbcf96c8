//! What is afforded, what a kill costs, and what ends a run.

use shiftproof_tasks::{Reply, Usage};
use std::sync::atomic::AtomicBool;

use super::*;
use crate::event::{EndedBatch, ProgressTick, RunObserver};
use crate::llm::{Capabilities, LlmError};
use crate::scripted::{Bench, server, text, text_call};

fn calls(texts: &[&str]) -> Vec<ModelCall> {
    texts.iter().map(|text| text_call(text, 100)).collect()
}

/// Uses ten tokens of the hundred that are reserved for its answer.
fn terse(call: &ModelCall) -> Result<Reply, LlmError> {
    let text = text(call);
    match text.split(' ').next() {
        Some("refuse") => Err(LlmError::Request("against the rules".into())),
        Some("deny") => Err(LlmError::Rejected("the key has no quota".into())),
        _ => Ok(Reply {
            usage: Usage {
                prompt_tokens: 5,
                completion_tokens: 10,
                ..Usage::default()
            },
            ..Reply::text(text)
        }),
    }
}

fn answered(outcomes: &[CallOutcome]) -> usize {
    let answered = outcomes
        .iter()
        .filter(|own| **own != CallOutcome::Unaffordable);
    answered.count()
}

/// What is reserved is more than what is used: settled calls make room for others.
#[tokio::test]
async fn settled_calls_make_room() {
    let texts: Vec<String> = (0..10).map(|at| format!("say {at}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    // A call may cost 10 + 100 tokens and costs 15.
    for (tokens, expected) in [(109, 0), (110, 1), (124, 1), (125, 2), (245, 10)] {
        let limits = BudgetLimits {
            tokens: Some(tokens),
            ..BudgetLimits::default()
        };
        let bench = Bench::with(server(), limits, terse);
        let outcomes = bench
            .gateway
            .ask(&bench.model, &calls(&texts))
            .await
            .unwrap();
        assert_eq!(answered(&outcomes), expected, "{tokens} tokens");
        assert_eq!(bench.gateway.spent().tokens(), 15 * expected as u64);
        assert_eq!(bench.asked().len(), expected);
    }
}

#[tokio::test]
async fn dollars_limit_like_tokens() {
    // At most 10 × 1 + 100 × 2 millionths, and 5 × 1 + 10 × 2 of them used.
    for (usd, expected) in [(209e-6, 0), (210e-6, 1), (235e-6, 2)] {
        let limits = BudgetLimits {
            usd: Some(usd),
            ..BudgetLimits::default()
        };
        let bench = Bench::with(server(), limits, terse);
        let asked = calls(&["say 1", "say 2", "say 3"]);
        let outcomes = bench.gateway.ask(&bench.model, &asked).await.unwrap();
        assert_eq!(answered(&outcomes), expected, "{usd}");
        assert!(bench.gateway.spent().usd() <= usd);
    }
}

#[tokio::test]
async fn rejection_stops_and_costs_its_requests() {
    let bench = Bench::limited(4, terse);
    let stop = bench
        .gateway
        .ask(&bench.model, &calls(&["deny 1", "deny 2"]))
        .await;
    let stop = stop.unwrap_err();
    assert_eq!(
        stop.to_string(),
        "the model scripted did not answer: the key has no quota"
    );
    assert_eq!(bench.gateway.spent(), Spend::default());
    assert_eq!(
        bench.gateway.lost(),
        Spend::ONE_REQUEST + Spend::ONE_REQUEST
    );
    // The server has seen two requests; what else was reserved for them is free again.
    let outcomes = bench
        .gateway
        .ask(&bench.model, &calls(&["say 1", "say 2", "say 3"]))
        .await;
    assert_eq!(answered(&outcomes.unwrap()), 2);
}

#[tokio::test]
async fn refusals_count_without_tokens() {
    let bench = Bench::new(terse);
    let outcomes = bench
        .gateway
        .ask(&bench.model, &calls(&["refuse 1"]))
        .await
        .unwrap();
    assert_eq!(outcomes, [CallOutcome::Refused("against the rules".into())]);
    let spent = bench.gateway.spent();
    assert_eq!((spent.calls, spent.tokens()), (1, 0));
}

/// A model of this process, which is handed four calls at once and forgets the last.
struct Forgetful {
    is_well: AtomicBool,
    asked: Mutex<Vec<usize>>,
}

#[async_trait::async_trait]
impl crate::llm::Llm for Forgetful {
    fn identity(&self) -> &'static str {
        "forgetful"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            batch: 4,
            concurrency: 1,
            ..server()
        }
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        terse(call)
    }

    async fn call_batch(&self, calls: &[ModelCall]) -> Vec<Result<Reply, LlmError>> {
        self.asked.lock().unwrap().push(calls.len());
        let mut answers: Vec<_> = calls.iter().map(terse).collect();
        if !self.is_well.load(Ordering::SeqCst) {
            answers.pop();
        }
        answers
    }
}

#[tokio::test]
async fn forgotten_answers_stop_resumably() {
    let llm = Arc::new(Forgetful {
        is_well: AtomicBool::new(false),
        asked: Mutex::new(Vec::new()),
    });
    let model = PricedModel {
        llm: llm.clone(),
        price: crate::budget::Price::default(),
    };
    let gateway = crate::scripted::gateway(BudgetLimits::default());
    let texts = calls(&["say 1", "refuse 2", "say 3", "say 4", "say 5", "say 6"]);
    let stop = gateway.ask(&model, &texts).await.unwrap_err().to_string();
    assert!(stop.ends_with("3 answers to 4 calls"), "{stop}");
    // One refusal discards none of its neighbours.
    assert_eq!(gateway.spent().calls, 3);
    llm.is_well.store(true, Ordering::SeqCst);
    let outcomes = gateway.ask(&model, &texts).await.unwrap();
    assert_eq!(answered(&outcomes), 6);
    assert!(matches!(outcomes[1], CallOutcome::Refused(_)));
    // The second time what is missing is asked alone: three of six.
    assert_eq!(*llm.asked.lock().unwrap(), [4, 3]);
}

/// A gateway that knows of a loss.
fn after_loss(bench: &Bench, limit: u64, after: u64, calls: u64) -> Gateway {
    let limits = BudgetLimits {
        calls: Some(limit),
        ..BudgetLimits::default()
    };
    let worst = Spend {
        calls,
        ..Spend::default()
    };
    Gateway::new(
        bench.gateway.ledger.clone(),
        EventLog::unlogged(vec![]),
        Meter::new(limits),
        RunControl::new(),
        None,
        vec![LostCalls { after, worst }],
    )
}

#[tokio::test]
async fn losses_count_from_their_place() {
    for (after, expected) in [(0, 2), (1, 2), (2, 2), (3, 3), (4, 4), (9, 5)] {
        let bench = Bench::new(terse);
        let texts: Vec<String> = (0..5).map(|at| format!("say {at}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        // Stored by the process that lost something.
        bench
            .gateway
            .ask(&bench.model, &calls(&texts))
            .await
            .unwrap();
        let gateway = after_loss(&bench, 5, after, 3);
        let mut afforded = 0;
        for at in 0..5 {
            let asked = calls(&[&format!("say {at}")]);
            afforded += answered(&gateway.ask(&bench.model, &asked).await.unwrap());
        }
        assert_eq!(afforded, expected, "after {after}");
    }
}

/// The run that found the loss and those that are told of it decide alike.
#[tokio::test]
async fn resumed_losses_decide_alike() {
    let limits = BudgetLimits {
        calls: Some(6),
        ..BudgetLimits::default()
    };
    let bench = Bench::new(terse);
    let gateway = |killed, losses| {
        Gateway::new(
            bench.gateway.ledger.clone(),
            EventLog::unlogged(vec![]),
            Meter::new(limits),
            RunControl::new(),
            killed,
            losses,
        )
    };
    let waves = [
        calls(&["say 1"]),
        calls(&["say 2", "say 3"]),
        calls(&["say 4", "say 5", "say 6"]),
    ];
    // The first reply was kept before the kill, with three more calls in flight.
    bench.gateway.ask(&bench.model, &waves[0]).await.unwrap();
    let found = gateway(Some(3), Vec::new());
    let told = gateway(None, Vec::new());
    let mut outcomes = Vec::new();
    for wave in &waves {
        outcomes.push(found.ask(&bench.model, wave).await.unwrap());
    }
    let losses = found.losses();
    // Only two were missing when they were looked for.
    assert_eq!((losses.len(), losses[0].worst.calls), (1, 2));
    assert_eq!(answered(&outcomes[2]), 1);
    let resumed = gateway(None, losses);
    for (wave, expected) in waves.iter().zip(&outcomes) {
        assert_eq!(resumed.ask(&bench.model, wave).await.unwrap(), *expected);
    }
    // Without the loss there is room for all.
    for wave in &waves {
        assert_eq!(
            answered(&told.ask(&bench.model, wave).await.unwrap()),
            wave.len()
        );
    }
}

#[derive(Clone, Default)]
struct Watcher(Arc<Mutex<Vec<ProgressTick>>>);

impl RunObserver for Watcher {
    fn event(&mut self, _: &Event, _: bool) {}

    fn tick(&mut self, tick: &ProgressTick) {
        self.0.lock().unwrap().push(tick.clone());
    }
}

#[tokio::test]
async fn ticks_add_up() {
    let bench = Bench::new(terse);
    let watcher = Watcher::default();
    let gateway = Gateway::new(
        Arc::new(Ledger::in_memory()),
        EventLog::unlogged(vec![Box::new(watcher.clone())]),
        Meter::new(BudgetLimits::default()),
        RunControl::new(),
        None,
        Vec::new(),
    );
    let phase = Event::Phase {
        phase: Phase::Screen,
        plan: String::new(),
    };
    gateway.emit(&phase).unwrap();
    let texts = calls(&["say 1", "refuse 2", "say 3", "say 1"]);
    gateway.ask(&bench.model, &texts).await.unwrap();
    let ticks = watcher.0.lock().unwrap().clone();
    let ended: Vec<&EndedBatch> = ticks.iter().filter_map(|own| own.ended.as_ref()).collect();
    // Three different calls, each told as it ends.
    assert_eq!(ended.len(), 3);
    assert_eq!(ended.iter().map(|own| own.tokens).sum::<u64>(), 30);
    let errors: Vec<&String> = ended.iter().filter_map(|own| own.error.as_ref()).collect();
    assert_eq!(errors, ["against the rules"]);
    let last = ticks.iter().rfind(|own| own.ended.is_some()).unwrap();
    assert_eq!(
        (last.done, last.total, last.in_flight, last.sent),
        (3, 3, 0, 3)
    );
    assert!(
        ticks
            .iter()
            .all(|own| own.phase == Phase::Screen && own.slots == 4 && !own.paused)
    );
    // Stored answers are no work.
    gateway.ask(&bench.model, &texts).await.unwrap();
    assert_eq!(watcher.0.lock().unwrap().len(), ticks.len());
}

#[test]
fn errors_say_what_stopped() {
    let check = |error: RunError, expected: &str| assert_eq!(error.to_string(), expected);
    check(RunError::Interrupted, "interrupted");
    check(
        RunError::Batch {
            model: "m".into(),
            batch: "batch-7".into(),
            calls: 40,
            done: 12,
        },
        "40 calls are with m as the batch batch-7 (12 of them answered)",
    );
    check(
        RunError::Budget("raise --max-calls".into()),
        "the budget is exhausted before the seed prompt is evaluated: raise --max-calls",
    );
    check(
        LedgerError::Stopped.into(),
        "the store stopped accepting writes after an earlier error",
    );
}
