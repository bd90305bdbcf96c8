//! What the model was really asked, against the limits.

use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use shiftproof_tasks::{Reply, Request, Usage};

use super::*;
use crate::ledger::RequestTally;
use crate::llm::{Capabilities, FailedRequest, Llm, LlmError, RequestAllowance};
use crate::scripted::{text, text_call};

const SLOTS: usize = 6;
const WORST: u64 = 30;

/// A server that counts what reaches it, and its client: every `fault`th request up to
/// the `mended`th fails, and is repeated as long as there is room.
struct Counting {
    fault: u64,
    mended: u64,
    requests: AtomicU64,
    tokens: AtomicU64,
    latency: Duration,
}

#[async_trait]
impl Llm for Counting {
    fn identity(&self) -> &'static str {
        "counting"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            batch: 1,
            concurrency: SLOTS,
            ..Capabilities::default()
        }
    }

    fn estimate_tokens(&self, _: &Request) -> u64 {
        20
    }

    async fn call(&self, _: &ModelCall) -> Result<Reply, LlmError> {
        unreachable!("the gateway asks within an allowance")
    }

    async fn call_within(
        &self,
        call: &ModelCall,
        allowance: &dyn RequestAllowance,
    ) -> Result<Reply, LlmError> {
        loop {
            let nth = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::time::sleep(self.latency.mul_f64(1.0 + (nth % 4) as f64 / 4.0)).await;
            if nth.is_multiple_of(self.fault) && nth <= self.mended {
                // Billed to the last token.
                self.tokens.fetch_add(WORST, Ordering::SeqCst);
                allowance.failed(FailedRequest::Billed);
                if allowance.another().await {
                    continue;
                }
                return Err(LlmError::Unaffordable("a gateway gave up".into()));
            }
            let usage = Usage {
                prompt_tokens: 12,
                completion_tokens: 4,
                ..Usage::default()
            };
            self.tokens.fetch_add(usage.tokens(), Ordering::SeqCst);
            return Ok(Reply {
                usage,
                ..Reply::text(text(call))
            });
        }
    }
}

struct World {
    llm: Arc<Counting>,
    model: PricedModel,
    ledger: Arc<Ledger>,
    limits: BudgetLimits,
}

impl World {
    fn new(fault: u64, limits: BudgetLimits) -> Self {
        Self::mended_at(u64::MAX, fault, limits)
    }

    fn mended_at(mended: u64, fault: u64, limits: BudgetLimits) -> Self {
        let llm = Arc::new(Counting {
            fault,
            mended,
            requests: AtomicU64::new(0),
            tokens: AtomicU64::new(0),
            latency: Duration::from_millis(2),
        });
        Self {
            model: PricedModel {
                llm: llm.clone(),
                price: crate::budget::Price::default(),
            },
            llm,
            ledger: Arc::new(Ledger::in_memory()),
            limits,
        }
    }

    /// The next process of the run.
    async fn gateway(&self) -> Gateway {
        self.probed_gateway(0).await
    }

    /// The same, after requests that found out what the models can do.
    async fn probed_gateway(&self, probes: u64) -> Gateway {
        let gateway = Gateway::new(
            self.ledger.clone(),
            EventLog::unlogged(vec![]),
            Meter::new(self.limits),
            RunControl::new(),
            None,
            Vec::new(),
        );
        let account = self.ledger.account("run").unwrap();
        gateway.accounting("run", account, probes).await.unwrap()
    }

    /// A run of waves that holds some money back for the last; what it came to.
    async fn run(&self, waves: &[Vec<ModelCall>]) -> (Vec<Vec<CallOutcome>>, Spend, Spend) {
        let gateway = self.gateway().await;
        let last = waves.len() - 1;
        gateway.hold_back(
            waves[last]
                .iter()
                .map(|call| self.model.worst_case(call))
                .sum(),
        );
        let mut outcomes = Vec::new();
        for (at, wave) in waves.iter().enumerate() {
            if at == last {
                gateway.release();
            }
            outcomes.push(gateway.ask(&self.model, wave).await.unwrap());
        }
        gateway.close_account().await.unwrap();
        (outcomes, gateway.spent(), gateway.lost())
    }

    fn requests(&self) -> u64 {
        self.llm.requests.load(Ordering::SeqCst)
    }

    fn tokens(&self) -> u64 {
        self.llm.tokens.load(Ordering::SeqCst)
    }
}

fn waves(sizes: &[usize]) -> Vec<Vec<ModelCall>> {
    let mut number = 0;
    let mut call = || {
        number += 1;
        text_call(&format!("say {number}"), 10)
    };
    sizes
        .iter()
        .map(|&size| (0..size).map(|_| call()).collect())
        .collect()
}

fn answered(outcomes: &[CallOutcome]) -> usize {
    let replies = outcomes.iter();
    replies
        .filter(|outcome| matches!(outcome, CallOutcome::Reply(_)))
        .count()
}

const fn calls(limit: u64) -> BudgetLimits {
    BudgetLimits {
        calls: Some(limit),
        tokens: None,
        usd: None,
    }
}

#[tokio::test]
async fn retries_are_within_the_limit() {
    for (fault, limit, least) in [(2, 40, 1), (3, 60, 8), (5, 60, 12), (1000, 50, 30)] {
        let world = World::new(fault, calls(limit));
        let (outcomes, spent, lost) = world.run(&waves(&[8, 30, 30])).await;
        assert!(world.requests() <= limit, "{} of {limit}", world.requests());
        // The account is what the server counted, and nothing was left lying.
        assert_eq!(
            spent.calls + lost.calls,
            world.requests(),
            "every {fault}th"
        );
        assert_eq!(world.requests(), limit, "every {fault}th");
        // What is held back pays for the last wave, its repetitions included, as far as
        // a quarter more reaches.
        let last = answered(&outcomes[2]);
        assert!(last >= least, "{last}, every {fault}th");
    }
}

/// Probes are no failure rate: the search has all that the audit does not need.
#[tokio::test]
async fn probes_hold_nothing_back() {
    let world = World::new(u64::MAX, calls(100));
    let gateway = world.probed_gateway(6).await;
    gateway.hold_back(Spend {
        calls: 40,
        ..Spend::default()
    });
    let waves = waves(&[1, 1, 2, 100, 60]);
    let (audit, search) = waves.split_last().unwrap();
    let mut searched = 0;
    for wave in search {
        searched += answered(&gateway.ask(&world.model, wave).await.unwrap());
    }
    assert_eq!(searched, 100 - 6 - 40);
    gateway.release();
    let audited = gateway.ask(&world.model, audit).await.unwrap();
    assert_eq!(answered(&audited), 40);
}

/// What a failure at the beginning holds back is given back where it was no rule.
#[tokio::test]
async fn mended_servers_hold_little_back() {
    let world = World::mended_at(2, 2, calls(300));
    let gateway = world.gateway().await;
    gateway.hold_back(Spend {
        calls: 100,
        ..Spend::default()
    });
    let mut searched = 0;
    for wave in waves(&[1, 4, 4, 40, 400]) {
        searched += answered(&gateway.ask(&world.model, &wave).await.unwrap());
    }
    // Less the one that failed, and what one failure in fifty holds back.
    assert!((195..200).contains(&searched), "{searched}");
}

#[tokio::test]
async fn nothing_answered_is_told_when_all_fail() {
    let world = World::new(1, calls(20));
    let (outcomes, spent, lost) = world.run(&waves(&[5, 5])).await;
    assert_eq!((spent.calls, lost.calls, world.requests()), (0, 20, 20));
    assert_eq!(outcomes.concat().len(), 10);
    assert!(
        outcomes
            .concat()
            .iter()
            .all(|own| *own == CallOutcome::Unaffordable)
    );
}

#[tokio::test]
async fn tokens_of_failures_count() {
    let limits = BudgetLimits {
        tokens: Some(900),
        ..BudgetLimits::default()
    };
    let world = World::new(4, limits);
    let (_, spent, lost) = world.run(&waves(&[10, 20, 20])).await;
    assert!(world.tokens() <= 900, "{}", world.tokens());
    assert_eq!(spent.tokens() + lost.tokens(), world.tokens());
    assert!(world.tokens() > 700, "{}", world.tokens());
}

#[tokio::test]
async fn executing_again_sends_nothing_and_decides_alike() {
    for fault in [2, 3, 7] {
        let world = World::new(fault, calls(45));
        let waves = waves(&[8, 16, 30]);
        let first = world.run(&waves).await;
        let asked = world.requests();
        for _ in 0..2 {
            assert_eq!(world.run(&waves).await, first);
        }
        assert_eq!(world.requests(), asked);
    }
}

#[tokio::test]
async fn answers_of_another_run_count_as_before() {
    let world = World::new(1000, calls(20));
    let waves = waves(&[8, 16]);
    let first = world.run(&waves).await;
    let other = World {
        llm: world.llm.clone(),
        model: world.model.clone(),
        ledger: world.ledger.clone(),
        limits: calls(20),
    };
    other
        .ledger
        .save_account(
            "run",
            &crate::ledger::RunAccount::default(),
            &RequestTally::default(),
        )
        .await
        .unwrap();
    assert_eq!(other.run(&waves).await, first);
}

#[tokio::test]
async fn probes_count_from_the_beginning() {
    let world = World::new(1000, calls(20));
    let gateway = |probes| {
        let gateway = Gateway::new(
            world.ledger.clone(),
            EventLog::unlogged(vec![]),
            Meter::new(world.limits),
            RunControl::new(),
            None,
            Vec::new(),
        );
        let account = world.ledger.account("run").unwrap();
        gateway.accounting("run", account, probes)
    };
    let first = gateway(3).await.unwrap();
    assert_eq!(first.lost().calls, 3);
    let wave = &waves(&[30])[0];
    let outcomes = first.ask(&world.model, wave).await.unwrap();
    assert_eq!(answered(&outcomes), 17);
    // Those of a later process change nothing that is decided.
    let second = gateway(2).await.unwrap();
    assert_eq!(second.ask(&world.model, wave).await.unwrap(), outcomes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// However often the process dies, and whatever fails, the server never sees more
    /// than the limit, and a run that came to its end decides alike when it is
    /// executed again.
    #[test]
    fn no_history_exceeds_the_limit(
        fault in 2..9_u64,
        limit in 20..90_u64,
        kills in prop::collection::vec(0..40_u64, 0..7),
        sizes in prop::collection::vec(1..30_usize, 2..5),
        tokens in prop::option::of(600..2000_u64),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let world = World::new(fault, BudgetLimits { tokens, ..calls(limit) });
            let waves = waves(&sizes);
            for kill in kills {
                // What is on the way when the future is dropped is lost.
                let _ = tokio::time::timeout(Duration::from_millis(kill), world.run(&waves)).await;
            }
            let first = world.run(&waves).await;
            assert!(world.requests() <= limit, "{} requests, limit {limit}", world.requests());
            assert!(tokens.is_none_or(|most| world.tokens() <= most), "{}", world.tokens());
            assert!(first.1.calls + first.2.calls >= world.requests(), "the account is too low");
            let asked = world.requests();
            assert_eq!(world.run(&waves).await, first);
            assert_eq!(world.requests(), asked);
        });
    }
}
