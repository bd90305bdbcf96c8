//! A scripted model behind the gateway.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use shiftproof_tasks::{AnswerForm, Message, Reply, Request, Usage};

use super::*;
use crate::budget::Price;
use crate::llm::{Capabilities, Llm, LlmError};

/// Answers a text with itself. One with "refuse" is refused, one with "down" meets
/// an outage, until the model is well.
struct Echo {
    is_well: AtomicBool,
    /// What was asked, in the order of arrival.
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Llm for Echo {
    fn identity(&self) -> &'static str {
        "echo"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            batch: 1,
            concurrency: 4,
            ..Capabilities::default()
        }
    }

    fn estimate_tokens(&self, _: &Request) -> u64 {
        10
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        let text = call.request.messages[0].content.clone();
        self.asked.lock().unwrap().push(text.clone());
        // The first of a wave are the last to be answered.
        let number = text.rsplit(' ').next().and_then(|n| n.parse().ok());
        tokio::time::sleep(Duration::from_millis(20 - number.unwrap_or(0).min(20))).await;
        let is_well = self.is_well.load(Ordering::Relaxed);
        if text.contains("down") && !is_well {
            return Err(LlmError::Unavailable("overloaded".into()));
        }
        if text.contains("refuse") && !is_well {
            return Err(LlmError::Request("against the rules".into()));
        }
        Ok(Reply {
            usage: Usage {
                prompt_tokens: 4,
                completion_tokens: 1,
                ..Usage::default()
            },
            ..Reply::text(text)
        })
    }
}

/// A model and what it is asked through.
struct Bench {
    llm: Arc<Echo>,
    model: PricedModel,
    ledger: Arc<Ledger>,
}

impl Bench {
    fn new() -> Self {
        let llm = Arc::new(Echo {
            is_well: AtomicBool::new(false),
            asked: Mutex::new(Vec::new()),
        });
        let price = Price::per_million(1.0, 2.0);
        Self {
            model: PricedModel {
                llm: llm.clone(),
                price,
            },
            llm,
            ledger: Arc::new(Ledger::in_memory()),
        }
    }

    /// A new run over the same ledger.
    fn gateway(&self, calls: Option<u64>, killed_in_flight: Option<u64>) -> Gateway {
        let limits = BudgetLimits {
            calls,
            ..BudgetLimits::default()
        };
        self.limited(limits, killed_in_flight)
    }

    fn limited(&self, limits: BudgetLimits, killed_in_flight: Option<u64>) -> Gateway {
        Gateway::new(
            self.ledger.clone(),
            EventLog::unlogged(vec![]),
            Meter::new(limits),
            RunControl::new(),
            killed_in_flight,
            Vec::new(),
        )
    }

    fn asked(&self) -> usize {
        self.llm.asked.lock().unwrap().len()
    }
}

fn calls(texts: &[&str]) -> Vec<ModelCall> {
    let call = |text: &&str| {
        ModelCall::greedy(
            Request {
                messages: vec![Message::user(*text)],
                answer: AnswerForm::Text { max_tokens: 5 },
            },
            5,
        )
    };
    texts.iter().map(call).collect()
}

/// What came of the calls, in short.
fn shown(outcomes: &[CallOutcome]) -> Vec<&str> {
    fn short(outcome: &CallOutcome) -> &str {
        match outcome {
            CallOutcome::Reply(reply) => &reply.text,
            CallOutcome::Refused(_) => "refused",
            CallOutcome::Unaffordable => "unaffordable",
        }
    }
    outcomes.iter().map(short).collect()
}

#[tokio::test]
async fn answers_keep_call_order() {
    let bench = Bench::new();
    let gateway = bench.gateway(None, None);
    let texts = ["say 1", "say 9", "refuse 5", "say 17", "say 1"];
    let outcomes = gateway.ask(&bench.model, &calls(&texts)).await.unwrap();
    let expected = ["say 1", "say 9", "refused", "say 17", "say 1"];
    assert_eq!(shown(&outcomes), expected);
    // Equal calls are one call.
    assert_eq!((bench.asked(), gateway.spent().calls), (4, 4));
}

#[tokio::test]
async fn stored_answers_are_charged_unsent() {
    let bench = Bench::new();
    let texts = calls(&["say 1", "say 2", "refuse 3"]);
    let first = bench.gateway(None, None);
    let outcomes = first.ask(&bench.model, &texts).await.unwrap();
    assert_eq!(first.ask(&bench.model, &texts).await.unwrap(), outcomes);
    // A refusal is a call without tokens.
    assert_eq!((first.spent().calls, first.spent().prompt_tokens), (3, 8));
    let again = bench.gateway(None, None);
    assert_eq!(again.ask(&bench.model, &texts).await.unwrap(), outcomes);
    // What a run costs does not depend on what the store knows.
    assert_eq!(again.spent(), first.spent());
    assert_eq!((again.sent(), bench.asked()), (0, 3));
}

#[tokio::test]
async fn budget_cuts_from_front() {
    let bench = Bench::new();
    let gateway = bench.gateway(Some(2), None);
    let texts = calls(&["say 1", "say 2", "say 3", "say 1"]);
    let outcomes = gateway.ask(&bench.model, &texts).await.unwrap();
    // The last one is paid for already, but stands behind one that is not.
    let expected = ["say 1", "say 2", "unaffordable", "unaffordable"];
    assert_eq!(shown(&outcomes), expected);
    assert_eq!(bench.asked(), 2);
}

#[tokio::test]
async fn held_back_money_comes_back() {
    let bench = Bench::new();
    let gateway = bench.gateway(Some(3), None);
    let texts = calls(&["say 1", "say 2", "say 3"]);
    let worst = bench.model.worst_case(&texts[0]);
    gateway.hold_back(worst + worst);
    let outcomes = gateway.ask(&bench.model, &texts).await.unwrap();
    let expected = ["say 1", "unaffordable", "unaffordable"];
    assert_eq!(shown(&outcomes), expected);
    gateway.release();
    let outcomes = gateway.ask(&bench.model, &texts).await.unwrap();
    assert_eq!(shown(&outcomes), ["say 1", "say 2", "say 3"]);
    // More than there is cannot be held back, and holds nothing back.
    let gateway = bench.gateway(Some(1), None);
    gateway.hold_back(worst + worst);
    let outcomes = gateway.ask(&bench.model, &texts[..1]).await.unwrap();
    assert_eq!(shown(&outcomes), ["say 1"]);
}

/// Worst cases are several times what is used. An audit whose worst case passes the
/// whole limit has the larger part of it set aside, and never all of it.
#[tokio::test]
async fn tokens_are_held_back_in_part() {
    let bench = Bench::new();
    let texts: Vec<ModelCall> = (0..40)
        .map(|number| calls(&[&format!("say {number}")]).remove(0))
        .collect();
    let worst = bench.model.worst_case(&texts[0]);
    assert!(worst.tokens() > 2 * 5, "{worst:?}");
    for audit in [8, 10, 12, 24, 200_u64] {
        let limits = BudgetLimits {
            tokens: Some(12 * worst.tokens()),
            ..BudgetLimits::default()
        };
        let gateway = bench.limited(limits, None);
        gateway.hold_back(worst.share(audit, 1));
        let searched = gateway.ask(&bench.model, &texts[..30]).await.unwrap();
        let spent = gateway.spent().tokens();
        assert!(
            shown(&searched)[0] != "unaffordable",
            "{audit}: nothing is left to search with"
        );
        gateway.release();
        let left = 12 * worst.tokens() - spent;
        assert!(left >= 7 * worst.tokens(), "{audit}: {left}");
    }
}

/// Once it is known what calls use, no more is held back than half as much again.
#[tokio::test]
async fn worst_cases_that_are_not_met_are_given_back() {
    let bench = Bench::new();
    let texts: Vec<ModelCall> = (0..400)
        .map(|number| calls(&[&format!("say {number}")]).remove(0))
        .collect();
    let worst = bench.model.worst_case(&texts[0]).tokens();
    // A reply uses five tokens, an audit of forty calls 200.
    let limits = BudgetLimits {
        tokens: Some(100 * worst),
        ..BudgetLimits::default()
    };
    let gateway = bench.limited(limits, None);
    gateway.hold_back(bench.model.worst_case(&texts[0]).share(40, 1));
    let searched = gateway.ask(&bench.model, &texts).await.unwrap();
    let asked = shown(&searched);
    let asked = asked.iter().filter(|told| **told != "unaffordable").count() as u64;
    let held = 40 * 5 * 3 / 2;
    assert!(
        5 * asked + held + worst + 2 >= 100 * worst,
        "{asked} of {worst} each"
    );
    assert!(5 * asked + held <= 100 * worst, "{asked}");
    gateway.release();
    let audited = gateway.ask(&bench.model, &texts[360..]).await.unwrap();
    assert!(shown(&audited).iter().all(|told| *told != "unaffordable"));
}

#[tokio::test]
async fn refusals_are_retried_on_request() {
    let bench = Bench::new();
    let texts = calls(&["refuse 1", "say 2"]);
    let gateway = bench.gateway(None, None);
    gateway.ask(&bench.model, &texts).await.unwrap();
    bench.llm.is_well.store(true, Ordering::Relaxed);
    let stubborn = bench.gateway(None, None);
    let outcomes = stubborn.ask(&bench.model, &texts).await.unwrap();
    assert_eq!(shown(&outcomes), ["refused", "say 2"]);
    let retrying = bench.gateway(None, None).retrying_refused(true);
    let outcomes = retrying.ask(&bench.model, &texts).await.unwrap();
    assert_eq!(shown(&outcomes), ["refuse 1", "say 2"]);
    // The reply was not asked for again.
    assert_eq!((retrying.sent(), bench.asked()), (1, 3));
    let later = bench.gateway(None, None);
    let outcomes = later.ask(&bench.model, &texts).await.unwrap();
    assert_eq!(shown(&outcomes), ["refuse 1", "say 2"]);
}

#[tokio::test]
async fn refusal_is_retried_once() {
    let bench = Bench::new();
    let texts = calls(&["refuse 1"]);
    let gateway = bench.gateway(None, None).retrying_refused(true);
    for _ in 0..3 {
        let outcomes = gateway.ask(&bench.model, &texts).await.unwrap();
        assert_eq!(shown(&outcomes), ["refused"]);
    }
    assert_eq!(bench.asked(), 1);
}

#[tokio::test]
async fn outage_keeps_paid_replies() {
    let bench = Bench::new();
    let texts = calls(&["say 1", "down 2", "say 3"]);
    let gateway = bench.gateway(None, None);
    let stopped = gateway.ask(&bench.model, &texts).await.unwrap_err();
    let RunError::Provider { model, reason } = stopped else {
        panic!("{stopped}");
    };
    assert_eq!((model.as_str(), reason.as_str()), ("echo", "overloaded"));
    let kept = gateway.spent().calls;
    assert!(kept < 3, "{kept}");
    bench.llm.is_well.store(true, Ordering::Relaxed);
    let asked = bench.asked();
    let resumed = bench.gateway(None, None);
    let outcomes = resumed.ask(&bench.model, &texts).await.unwrap();
    assert_eq!(shown(&outcomes), ["say 1", "down 2", "say 3"]);
    assert_eq!(bench.asked() - asked, 3 - kept as usize);
}

#[tokio::test]
async fn kill_charges_calls_in_flight() {
    let bench = Bench::new();
    let texts = calls(&["say 1", "say 2", "say 3", "say 4"]);
    // The killed process kept the first reply; two may have been in flight.
    let killed = bench.gateway(None, None);
    killed.ask(&bench.model, &texts[..1]).await.unwrap();
    let resumed = bench.gateway(None, Some(2));
    resumed.ask(&bench.model, &texts).await.unwrap();
    let losses = resumed.losses();
    assert_eq!(losses.len(), 1);
    let worst = bench.model.worst_case(&texts[1]);
    assert_eq!(losses[0].worst, worst + worst);
    // The loss is apart from what was spent.
    assert_eq!(resumed.spent().calls, 4);
    // An orderly predecessor lost nothing.
    let orderly = bench.gateway(None, Some(0));
    orderly.ask(&bench.model, &texts).await.unwrap();
    assert!(orderly.losses().iter().all(|loss| loss.worst.calls == 0));
}

#[tokio::test]
async fn interrupted_run_sends_nothing() {
    let bench = Bench::new();
    let control = RunControl::new();
    let gateway = Gateway::new(
        bench.ledger.clone(),
        EventLog::unlogged(vec![]),
        Meter::new(BudgetLimits::default()),
        control.clone(),
        None,
        Vec::new(),
    );
    let texts = calls(&["say 1"]);
    gateway.ask(&bench.model, &texts).await.unwrap();
    control.stop();
    // What is stored is still answered.
    assert!(gateway.ask(&bench.model, &texts).await.is_ok());
    let stopped = gateway.ask(&bench.model, &calls(&["say 2"])).await;
    assert!(matches!(stopped, Err(RunError::Interrupted)), "{stopped:?}");
    assert_eq!(bench.asked(), 1);
}

#[test]
fn worst_case_prices_cache_writes() {
    let mut bench = Bench::new();
    let call = &calls(&["say 1"])[0];
    // Ten prompt tokens at one, five completion tokens at two dollars a million.
    assert_eq!(bench.model.worst_case(call).picodollars, 20_000_000);
    bench.model.price.cache_write = Some(1.25);
    assert_eq!(bench.model.worst_case(call).picodollars, 22_500_000);
    // A cheaper write is not the worst case.
    bench.model.price.cache_write = Some(0.5);
    assert_eq!(bench.model.worst_case(call).picodollars, 20_000_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However calls repeat and whatever is stored, a limit on calls is the number
    /// of different calls that are answered at most.
    #[test]
    fn limit_counts_different_calls(
        texts in prop::collection::vec(0..8_u8, 0..16),
        stored in prop::collection::vec(0..8_u8, 0..4),
        limit in 1..10_u64,
    ) {
        let texts: Vec<String> = texts.iter().map(|n| format!("say 2{n}")).collect();
        let stored: Vec<String> = stored.iter().map(|n| format!("say 2{n}")).collect();
        let of = |texts: &[String]| calls(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            bench.gateway(None, None).ask(&bench.model, &of(&stored)).await.unwrap();
            let gateway = bench.gateway(Some(limit), None);
            let outcomes = gateway.ask(&bench.model, &of(&texts)).await.unwrap();
            let mut seen = HashSet::new();
            let mut is_over = false;
            for (text, outcome) in texts.iter().zip(&outcomes) {
                is_over |= !seen.contains(text) && seen.len() as u64 == limit;
                seen.insert(text);
                let expected = if is_over { "unaffordable" } else { text.as_str() };
                assert_eq!(shown(std::slice::from_ref(outcome)), [expected]);
            }
            assert!(gateway.spent().calls <= limit);
        });
    }
}
