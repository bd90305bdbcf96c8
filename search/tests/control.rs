//! Pause and stop as the gateway keeps them.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use async_trait::async_trait;
use shiftproof_search::budget::{Meter, Price};
use shiftproof_search::control::RunControl;
use shiftproof_search::event::{Event, ProgressTick, RunObserver};
use shiftproof_search::event_log::EventLog;
use shiftproof_search::gateway::{CallOutcome, Gateway, PricedModel, RunError};
use shiftproof_search::ledger::Ledger;
use shiftproof_search::{Capabilities, Llm, LlmError, ModelCall};
use shiftproof_tasks::{AnswerForm, Message, Reply, Request};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const SLOTS: usize = 4;
const CALLS: usize = 40;

/// Answers as often as it is allowed to, and counts what it was sent.
struct Gated {
    sent: AtomicUsize,
    allowed: Semaphore,
}

#[async_trait]
impl Llm for Gated {
    fn identity(&self) -> &'static str {
        "gated"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            label_scores: false,
            prefill: false,
            batch: 1,
            concurrency: SLOTS,
            ..Capabilities::default()
        }
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        self.sent.fetch_add(1, SeqCst);
        self.allowed.acquire().await.unwrap().forget();
        Ok(Reply::text(&call.request.messages[0].content))
    }
}

/// Pauses the run at the eighth reply, and passes the ticks on.
struct PauseAtEight {
    control: RunControl,
    ticks: UnboundedSender<ProgressTick>,
}

impl RunObserver for PauseAtEight {
    fn event(&mut self, _: &Event, _: bool) {}

    fn tick(&mut self, tick: &ProgressTick) {
        if tick.done == 8 && tick.ended.is_some() {
            self.control.pause();
        }
        let _ = self.ticks.send(tick.clone());
    }
}

struct Scene {
    control: RunControl,
    llm: Arc<Gated>,
    gateway: Arc<Gateway>,
    ticks: UnboundedReceiver<ProgressTick>,
}

fn scene() -> Scene {
    let (control, (sender, ticks)) = (RunControl::new(), unbounded_channel());
    let observer = PauseAtEight {
        control: control.clone(),
        ticks: sender,
    };
    let gateway = Gateway::new(
        Arc::new(Ledger::in_memory()),
        EventLog::unlogged(vec![Box::new(observer)]),
        Meter::default(),
        control.clone(),
        None,
        Vec::new(),
    );
    let llm = Gated {
        sent: AtomicUsize::new(0),
        allowed: Semaphore::new(CALLS),
    };
    Scene {
        control,
        llm: Arc::new(llm),
        gateway: Arc::new(gateway),
        ticks,
    }
}

impl Scene {
    fn ask(&self) -> tokio::task::JoinHandle<Result<Vec<CallOutcome>, RunError>> {
        let calls: Vec<ModelCall> = (0..CALLS)
            .map(|n| {
                let request = Request {
                    messages: vec![Message::user(n.to_string())],
                    answer: AnswerForm::Text { max_tokens: 8 },
                };
                ModelCall::greedy(request, 8)
            })
            .collect();
        let model = PricedModel {
            llm: self.llm.clone(),
            price: Price::default(),
        };
        let gateway = self.gateway.clone();
        tokio::spawn(async move { gateway.ask(&model, &calls).await })
    }

    /// Waits until the run stands still in its pause; returns the calls sent.
    async fn paused(&mut self) -> usize {
        let still = |tick: &ProgressTick| tick.paused && tick.in_flight == 0;
        while !still(&self.ticks.recv().await.unwrap()) {}
        let sent = self.llm.sent.load(SeqCst);
        // The model would answer at once: were anything sent, it would be done
        // by the signs of life that follow, a second apart.
        for _ in 0..2 {
            let next = self.ticks.recv().await.unwrap();
            assert!(still(&next), "{next:?}");
            assert_eq!(next.done as usize, sent, "what was in flight is kept");
        }
        assert_eq!(self.llm.sent.load(SeqCst), sent, "sent in the pause");
        assert!((8..8 + SLOTS).contains(&sent), "{sent} calls were sent");
        sent
    }
}

#[tokio::test]
async fn pause_sends_and_loses_nothing() {
    let mut scene = scene();
    let asked = scene.ask();
    scene.paused().await;
    assert!(!asked.is_finished());
    scene.control.resume();
    let answers = asked.await.unwrap().unwrap();
    assert_eq!(scene.llm.sent.load(SeqCst), CALLS, "a call was sent twice");
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(*answer, CallOutcome::Reply(Reply::text(n.to_string())));
    }
}

#[tokio::test]
async fn paused_run_can_stop() {
    let mut scene = scene();
    let asked = scene.ask();
    let sent = scene.paused().await;
    scene.control.stop();
    let stop = asked.await.unwrap().unwrap_err();
    assert!(matches!(stop, RunError::Interrupted));
    assert_eq!(scene.llm.sent.load(SeqCst), sent);
    assert_eq!(scene.gateway.spent().calls as usize, sent);
}
