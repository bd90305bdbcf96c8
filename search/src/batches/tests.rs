use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use shiftproof_tasks::{Message, Reply, Request, Usage};

use super::*;
use crate::budget::{BudgetLimits, Meter, Price};
use crate::control::RunControl;
use crate::event_log::EventLog;
use crate::gateway::CallOutcome;
use crate::ledger::Ledger;
use crate::llm::{BatchProgress, Capabilities, Llm};

/// A provider of batches that outlives the processes which use it.
#[derive(Default)]
struct Provider {
    /// Tag and names of every batch submitted, by id.
    batches: Mutex<BTreeMap<String, (String, Vec<String>)>>,
    submissions: AtomicUsize,
    direct: AtomicUsize,
    /// Looks at a batch before it has ended.
    looks: AtomicUsize,
    /// Answers every n-th call of a batch only.
    every: usize,
    /// The answer to a submission is lost, though it arrived.
    loses_answers: bool,
    cannot_find: bool,
}

impl Provider {
    fn answering(every: usize) -> Self {
        Self {
            every,
            ..Self::default()
        }
    }

    fn counts(&self) -> (usize, usize) {
        (self.submissions.load(SeqCst), self.direct.load(SeqCst))
    }
}

/// One process's client of it.
struct Client {
    provider: Arc<Provider>,
    waits: bool,
}

#[async_trait]
impl Llm for Client {
    fn identity(&self) -> &'static str {
        "batching"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            batch: 1,
            concurrency: 4,
            ..Capabilities::default()
        }
    }

    fn batches(&self) -> Option<&dyn BatchInterface> {
        Some(self)
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        self.provider.direct.fetch_add(1, SeqCst);
        Ok(Reply::text(&call.request.messages[0].content))
    }
}

#[async_trait]
impl BatchInterface for Client {
    fn least(&self) -> usize {
        2
    }

    fn most(&self) -> usize {
        8
    }

    fn waits(&self) -> bool {
        self.waits
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(1)
    }

    async fn submit(&self, tag: &str, calls: &[(String, &ModelCall)]) -> Result<String, LlmError> {
        let nth = self.provider.submissions.fetch_add(1, SeqCst);
        let id = format!("batch-{nth}");
        let names = calls.iter().map(|(name, _)| name.clone()).collect();
        let mut batches = self.provider.batches.lock().unwrap();
        batches.insert(id.clone(), (tag.to_owned(), names));
        if self.provider.loses_answers {
            return Err(LlmError::Unavailable("the line broke".into()));
        }
        Ok(id)
    }

    async fn find(&self, tag: &str, _: usize) -> Result<Option<String>, LlmError> {
        if self.provider.cannot_find {
            return Err(LlmError::Request("there is no list".into()));
        }
        let batches = self.provider.batches.lock().unwrap();
        let found = batches.iter().find(|(_, (known, _))| known == tag);
        Ok(found.map(|(id, _)| id.clone()))
    }

    async fn progress(&self, id: &str) -> Result<BatchProgress, LlmError> {
        let looks = self.provider.looks.fetch_add(1, SeqCst);
        let total = self.provider.batches.lock().unwrap()[id].1.len() as u64;
        let ended = looks % 2 == 1;
        Ok(BatchProgress {
            done: if ended { total } else { 0 },
            total,
            ended: ended.then(|| "completed".to_owned()),
            refused: None,
        })
    }

    async fn collect(
        &self,
        id: &str,
        calls: &[(String, &ModelCall)],
    ) -> Result<Vec<(String, Reply)>, LlmError> {
        let names = self.provider.batches.lock().unwrap()[id].1.clone();
        let mut replies = Vec::new();
        for name in names.into_iter().step_by(self.provider.every.max(1)) {
            let Some((_, call)) = calls.iter().find(|(known, _)| *known == name) else {
                continue;
            };
            let mut reply = Reply::text(&call.request.messages[0].content);
            reply.usage = Usage {
                prompt_tokens: 100,
                completion_tokens: 10,
                batched: true,
                ..Usage::default()
            };
            replies.push((name, reply));
        }
        // In no order that means anything.
        replies.reverse();
        Ok(replies)
    }
}

pub(super) fn calls(count: usize) -> Vec<ModelCall> {
    (0..count)
        .map(|n| {
            let request = Request {
                messages: vec![Message::user(format!("text {n}"))],
                answer: AnswerForm::Text { max_tokens: 4 },
            };
            ModelCall::greedy(request, 4)
        })
        .collect()
}

/// One process: what `count` calls came to, and its gateway.
async fn process(
    provider: &Arc<Provider>,
    ledger: &Arc<Ledger>,
    count: usize,
    waits: bool,
    killed: Option<u64>,
) -> (Result<Vec<CallOutcome>, RunError>, Gateway) {
    let model = PricedModel {
        llm: Arc::new(Client {
            provider: provider.clone(),
            waits,
        }),
        price: Price {
            batch_prompt: Some(1.0),
            batch_completion: Some(5.0),
            ..Price::per_million(2.0, 10.0)
        },
    };
    let gateway = Gateway::new(
        ledger.clone(),
        EventLog::unlogged(vec![]),
        Meter::new(BudgetLimits::default()),
        RunControl::new(),
        killed,
        Vec::new(),
    );
    let asked = gateway.ask(&model, &calls(count)).await;
    (asked, gateway)
}

#[track_caller]
pub(super) fn whole(asked: &Result<Vec<CallOutcome>, RunError>, count: usize) {
    let asked = asked.as_ref().unwrap();
    assert_eq!(asked.len(), count);
    for (n, asked) in asked.iter().enumerate() {
        let CallOutcome::Reply(reply) = asked else {
            panic!("{asked:?}")
        };
        assert_eq!(reply.text, format!("text {n}"));
    }
}

#[tokio::test]
async fn waves_are_sent_as_batches() {
    let provider = Arc::new(Provider::answering(1));
    let ledger = Arc::new(Ledger::in_memory());
    let (asked, gateway) = process(&provider, &ledger, 20, true, None).await;
    whole(&asked, 20);
    // 8 + 8 + 4.
    assert_eq!(provider.counts(), (3, 0));
    // 20 × (100 × 1 + 10 × 5) millionths.
    assert_eq!(gateway.spent().picodollars, 20 * 150 * 1_000_000);
    assert!(ledger.batches().unwrap().is_empty() && gateway.remarks().is_empty());
}

#[tokio::test]
async fn small_waves_are_sent_singly() {
    let provider = Arc::new(Provider::answering(1));
    let (asked, _) = process(&provider, &Arc::new(Ledger::in_memory()), 1, true, None).await;
    whole(&asked, 1);
    assert_eq!(provider.counts(), (0, 1));
}

#[tokio::test]
async fn next_process_collects_batch() {
    let provider = Arc::new(Provider::answering(1));
    let ledger = Arc::new(Ledger::in_memory());
    let (asked, _) = process(&provider, &ledger, 8, false, None).await;
    assert!(
        matches!(&asked, Err(RunError::Batch { batch, calls: 8, .. }) if batch == "batch-0"),
        "{asked:?}"
    );
    assert_eq!(ledger.batches().unwrap().len(), 1);
    let (asked, gateway) = process(&provider, &ledger, 8, false, None).await;
    whole(&asked, 8);
    assert_eq!(provider.counts(), (1, 0), "submitted once");
    assert_eq!(gateway.spent().calls, 8);
    assert!(ledger.batches().unwrap().is_empty());
}

#[tokio::test]
async fn unanswered_batch_calls_are_repeated() {
    let provider = Arc::new(Provider::answering(2));
    let ledger = Arc::new(Ledger::in_memory());
    let (asked, gateway) = process(&provider, &ledger, 8, true, None).await;
    whole(&asked, 8);
    assert_eq!(provider.counts(), (1, 4));
    let [remark] = &gateway.remarks()[..] else {
        panic!("{:?}", gateway.remarks())
    };
    assert!(remark.contains("4 of its 8 calls"), "{remark}");
}

#[tokio::test]
async fn unconfirmed_batches_are_searched_for() {
    let provider = Arc::new(Provider {
        loses_answers: true,
        ..Provider::answering(1)
    });
    let ledger = Arc::new(Ledger::in_memory());
    let (asked, _) = process(&provider, &ledger, 8, true, None).await;
    assert!(matches!(asked, Err(RunError::Provider { .. })), "{asked:?}");
    assert_eq!(ledger.batches().unwrap()[0].id, None);
    let (asked, gateway) = process(&provider, &ledger, 8, true, Some(8)).await;
    whole(&asked, 8);
    assert_eq!(provider.counts(), (1, 0));
    assert!(gateway.losses().is_empty(), "the kill cost nothing");
}

#[tokio::test]
async fn lost_batches_are_submitted_anew() {
    let provider = Arc::new(Provider::answering(1));
    let ledger = Arc::new(Ledger::in_memory());
    let names: Vec<String> = calls(8)
        .iter()
        .map(|call| CallKey::of("batching", call).to_hex())
        .collect();
    let intent = BatchRecord {
        tag: tag("batching", &names),
        model: "batching".into(),
        calls: names,
        id: None,
    };
    ledger.save_batch(&intent).await.unwrap();
    let (asked, gateway) = process(&provider, &ledger, 8, true, None).await;
    whole(&asked, 8);
    assert_eq!(provider.counts(), (1, 0));
    assert!(gateway.losses().is_empty());
}

#[tokio::test]
async fn unfindable_batches_count_as_spent() {
    let provider = Arc::new(Provider {
        loses_answers: true,
        cannot_find: true,
        ..Provider::answering(1)
    });
    let ledger = Arc::new(Ledger::in_memory());
    let _ = process(&provider, &ledger, 8, true, None).await;
    let (_, gateway) = process(&provider, &ledger, 8, true, None).await;
    assert_eq!(gateway.losses()[0].worst.calls, 8);
    assert!(gateway.remarks()[0].contains("counts as spent"));
}

#[tokio::test]
async fn foreign_batches_are_left_alone() {
    let provider = Arc::new(Provider::answering(1));
    let ledger = Arc::new(Ledger::in_memory());
    let other = BatchRecord {
        tag: "t".into(),
        model: "another".into(),
        calls: vec![CallKey::of("batching", &calls(1)[0]).to_hex()],
        id: Some("theirs".into()),
    };
    ledger.save_batch(&other).await.unwrap();
    let (asked, _) = process(&provider, &ledger, 8, true, None).await;
    whole(&asked, 8);
    assert_eq!(ledger.batches().unwrap(), [other]);
}
