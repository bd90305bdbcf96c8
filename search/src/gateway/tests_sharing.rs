//! Several processes with answers in common.

use std::time::Duration;

use async_trait::async_trait;
use shiftproof_store::Kv;
use shiftproof_store::shared::{AmountLimits, MemorySharedStore, SharedStore};
use shiftproof_tasks::{Reply, Request, Usage};

use super::*;
use crate::ledger::SharedAnswers;
use crate::llm::{Capabilities, FailedRequest, Llm, LlmError, RequestAllowance};
use crate::scripted::{text, text_call};

/// What a call costs at most, in tokens; an answer costs a tenth.
const WORST: u64 = 30;

/// A server that all processes ask. It counts requests, and fails each `fault`th.
struct Server {
    fault: u64,
    requests: AtomicU64,
    /// Texts that are being answered: none twice at once.
    under_way: Mutex<HashSet<String>>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Llm for Server {
    fn identity(&self) -> &'static str {
        "server"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            batch: 1,
            concurrency: 4,
            ..Capabilities::default()
        }
    }

    fn estimate_tokens(&self, _: &Request) -> u64 {
        WORST - 10
    }

    async fn call(&self, _: &ModelCall) -> Result<Reply, LlmError> {
        unreachable!("the gateway asks within an allowance")
    }

    async fn call_within(
        &self,
        call: &ModelCall,
        allowance: &dyn RequestAllowance,
    ) -> Result<Reply, LlmError> {
        let text = text(call).to_owned();
        assert!(
            self.under_way.lock().unwrap().insert(text.clone()),
            "asked twice at once"
        );
        self.asked.lock().unwrap().push(text.clone());
        loop {
            let nth = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::time::sleep(Duration::from_millis(2 + nth % 5)).await;
            if !nth.is_multiple_of(self.fault) {
                break;
            }
            allowance.failed(FailedRequest::Billed);
            if !allowance.another().await {
                self.under_way.lock().unwrap().remove(&text);
                return Err(LlmError::Unaffordable("a gateway gave up".into()));
            }
        }
        self.under_way.lock().unwrap().remove(&text);
        Ok(Reply {
            usage: Usage {
                prompt_tokens: 2,
                completion_tokens: 1,
                ..Usage::default()
            },
            ..Reply::text(text)
        })
    }
}

struct World {
    server: Arc<Server>,
    model: PricedModel,
    shared: MemorySharedStore,
}

impl World {
    fn new(fault: u64) -> Self {
        let server = Arc::new(Server {
            fault,
            requests: AtomicU64::new(0),
            under_way: Mutex::default(),
            asked: Mutex::default(),
        });
        Self {
            model: PricedModel {
                llm: server.clone(),
                price: crate::budget::Price::default(),
            },
            server,
            shared: MemorySharedStore::new(),
        }
    }

    fn limit(&self, calls: u64) {
        let limits = AmountLimits {
            calls: Some(calls),
            ..AmountLimits::default()
        };
        self.shared.set_budget("team", limits).unwrap();
    }

    /// A process of its own, with an empty folder; what it draws on.
    fn process(&self, budget: Option<&str>) -> Gateway {
        Self::process_of(self.shared.join(), budget)
    }

    fn process_of(worker: MemorySharedStore, budget: Option<&str>) -> Gateway {
        let shared = SharedAnswers::new(Arc::new(worker), budget);
        let ledger = Ledger::in_memory().sharing(shared);
        Gateway::new(
            Arc::new(ledger),
            EventLog::unlogged(vec![]),
            Meter::new(BudgetLimits::default()),
            RunControl::new(),
            None,
            Vec::new(),
        )
    }

    fn requests(&self) -> u64 {
        self.server.requests.load(Ordering::SeqCst)
    }

    fn budget(&self) -> shiftproof_store::shared::SharedBudget {
        self.shared.budget("team").unwrap().unwrap()
    }
}

fn calls(numbers: std::ops::Range<u32>) -> Vec<ModelCall> {
    numbers
        .map(|number| text_call(&format!("say {number}"), 10))
        .collect()
}

/// Every text that was answered, each once.
fn replies(outcomes: &[CallOutcome]) -> Vec<String> {
    let reply = |outcome: &CallOutcome| match outcome {
        CallOutcome::Reply(reply) => reply.text.clone(),
        other => panic!("{other:?} is no reply"),
    };
    outcomes.iter().map(reply).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_ask_for_each_answer_once() {
    let world = World::new(u64::MAX);
    let processes: Vec<Gateway> = (0..4).map(|_| world.process(None)).collect();
    let asked = calls(0..60);
    let asking = processes
        .iter()
        .map(|process| process.ask(&world.model, &asked));
    let came = futures::future::join_all(asking).await;
    let expected: Vec<String> = (0..60).map(|number| format!("say {number}")).collect();
    for outcomes in came {
        assert_eq!(replies(&outcomes.unwrap()), expected);
    }
    assert_eq!(world.requests(), 60);
    // Each is charged for all of it, as it would be alone.
    for process in &processes {
        assert_eq!((process.spent().calls, process.spent().tokens()), (60, 180));
    }
    let sent: u64 = processes.iter().map(Gateway::sent).sum();
    assert_eq!(sent, 60);
    // Who comes later asks nobody.
    let late = world.process(None);
    assert_eq!(
        replies(&late.ask(&world.model, &asked).await.unwrap()),
        expected
    );
    assert_eq!((world.requests(), late.sent()), (60, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shared_budget_is_never_overdrawn() {
    for fault in [u64::MAX, 7, 3] {
        let world = World::new(fault);
        world.limit(50);
        let processes: Vec<Gateway> = (0..3).map(|_| world.process(Some("team"))).collect();
        let shares = [calls(0..40), calls(20..60), calls(40..80)];
        let asking = processes.iter().zip(&shares);
        let came = asking.map(|(process, asked)| process.ask(&world.model, asked));
        let came = futures::future::join_all(came).await;
        let is_told =
            |error: &RunError| matches!(error, RunError::Ledger(LedgerError::SharedBudget { .. }));
        assert!(
            came.iter()
                .filter_map(|came| came.as_ref().err())
                .any(is_told),
            "80 answers are more than 50 requests: {came:?}"
        );
        assert!(world.requests() <= 50, "{} requests", world.requests());
        let budget = world.budget();
        assert_eq!(budget.used.calls, world.requests());
        // Nothing stays set aside, nothing is lost.
        assert_eq!((budget.reserved.calls, budget.lost.calls), (0, 0));
        assert!(budget.used.calls >= 46, "{budget:?}");
        // What was paid for is everybody's, and with more room they go on.
        world.limit(400);
        for (process, asked) in processes.iter().zip(&shares) {
            process.ask(&world.model, asked).await.unwrap();
        }
        assert_eq!(
            world
                .server
                .asked
                .lock()
                .unwrap()
                .iter()
                .collect::<HashSet<_>>()
                .len(),
            80
        );
        assert_eq!(world.budget().used.calls, world.requests());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_the_dead_were_asking_is_asked_again() {
    let world = World::new(u64::MAX);
    world.limit(100);
    let doomed = world.shared.join();
    let dies = World::process_of(doomed.clone_worker(), Some("team"));
    let asked = calls(0..8);
    {
        // It is killed while four calls are on their way.
        let asking = dies.ask(&world.model, &asked);
        tokio::select! {
            _ = asking => panic!("it should be amid its calls"),
            () = tokio::time::sleep(Duration::from_millis(1)) => {}
        }
    }
    let held = world.budget().reserved;
    assert!(held.calls > 0);
    world.server.under_way.lock().unwrap().clear();
    // As long as it may live, others wait for it.
    let heir = world.process(Some("team"));
    let asking = heir.ask(&world.model, &asked);
    tokio::pin!(asking);
    tokio::select! {
        _ = &mut asking => panic!("somebody else has claimed these"),
        () = tokio::time::sleep(Duration::from_millis(400)) => {}
    }
    doomed.die();
    assert_eq!(replies(&asking.await.unwrap()).len(), 8);
    let budget = world.budget();
    assert_eq!(
        (budget.lost, budget.reserved),
        (held, shiftproof_store::shared::Amount::default())
    );
    assert_eq!(budget.used.calls, 8);
}

#[tokio::test]
async fn records_and_answers_do_not_meet() {
    let world = World::new(u64::MAX);
    let process = world.process(None);
    process.ask(&world.model, &calls(0..3)).await.unwrap();
    assert_eq!(world.shared.count().unwrap(), 0);
}
