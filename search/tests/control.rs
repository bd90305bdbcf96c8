//! Pause and stop as the gateway keeps them.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use shiftproof_search::budget::{Meter, Price};
use shiftproof_search::control::Control;
use shiftproof_search::event::{Event, Observer, Tick};
use shiftproof_search::gateway::{Asked, Gateway, Model, Stop};
use shiftproof_search::ledger::Ledger;
use shiftproof_search::log::Bus;
use shiftproof_search::{Call, Capabilities, Llm, LlmError};
use shiftproof_tasks::{AnswerForm, Message, Reply, Request};

const SLOTS: usize = 4;
const CALLS: usize = 40;

/// Answers after a second, and counts.
#[derive(Default)]
struct Slow {
    sent: AtomicUsize,
}

#[async_trait]
impl Llm for Slow {
    fn identity(&self) -> &'static str {
        "slow"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            label_scores: false,
            prefill: false,
            batch: 1,
            concurrency: SLOTS,
        }
    }

    async fn call(&self, call: &Call) -> Result<Reply, LlmError> {
        self.sent.fetch_add(1, SeqCst);
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(Reply::text(&call.request.messages[0].content))
    }
}

/// Pauses or stops the run at the eighth reply, and keeps the ticks.
struct AtEight {
    control: Control,
    act: fn(&Control),
    ticks: Arc<Mutex<Vec<Tick>>>,
}

impl Observer for AtEight {
    fn event(&mut self, _: &Event, _: bool) {}

    fn tick(&mut self, tick: &Tick) {
        if tick.done == 8 && tick.ended.is_some() {
            (self.act)(&self.control);
        }
        self.ticks.lock().unwrap().push(tick.clone());
    }
}

struct Scene {
    control: Control,
    slow: Arc<Slow>,
    gateway: Arc<Gateway>,
    ticks: Arc<Mutex<Vec<Tick>>>,
}

fn scene(act: fn(&Control)) -> Scene {
    let (control, ticks) = (Control::new(), Arc::new(Mutex::new(Vec::new())));
    let observer = AtEight {
        control: control.clone(),
        act,
        ticks: ticks.clone(),
    };
    let gateway = Gateway::new(
        Arc::new(Ledger::in_memory()),
        Bus::unlogged(vec![Box::new(observer)]),
        Meter::default(),
        control.clone(),
        None,
        Vec::new(),
    );
    Scene {
        control,
        slow: Arc::new(Slow::default()),
        gateway: Arc::new(gateway),
        ticks,
    }
}

impl Scene {
    fn ask(&self) -> tokio::task::JoinHandle<Result<Vec<Asked>, Stop>> {
        let calls: Vec<Call> = (0..CALLS)
            .map(|n| {
                let request = Request {
                    messages: vec![Message::user(n.to_string())],
                    answer: AnswerForm::Text { max_tokens: 8 },
                };
                Call::greedy(request, 8)
            })
            .collect();
        let model = Model {
            llm: self.slow.clone(),
            price: Price::default(),
        };
        let gateway = self.gateway.clone();
        tokio::spawn(async move { gateway.ask(&model, &calls).await })
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_in_a_pause_and_nothing_is_lost_by_it() {
    let scene = scene(Control::pause);
    let asked = scene.ask();
    tokio::time::sleep(Duration::from_secs(100)).await;
    let sent = scene.slow.sent.load(SeqCst);
    assert!((8..8 + SLOTS + 1).contains(&sent), "{sent} calls were sent");
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(
        scene.slow.sent.load(SeqCst),
        sent,
        "a call was sent in the pause"
    );
    assert!(!asked.is_finished());
    {
        let ticks = scene.ticks.lock().unwrap();
        let last = ticks.last().unwrap();
        assert!(last.paused && last.in_flight == 0, "{last:?}");
        assert_eq!(last.done as usize, sent, "what was in flight is kept");
    }
    scene.control.resume();
    let answers = asked.await.unwrap().unwrap();
    assert_eq!(scene.slow.sent.load(SeqCst), CALLS, "a call was sent twice");
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(*answer, Asked::Reply(Reply::text(n.to_string())));
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_run_can_be_stopped_and_keeps_what_it_paid_for() {
    let scene = scene(Control::pause);
    let asked = scene.ask();
    tokio::time::sleep(Duration::from_secs(100)).await;
    let sent = scene.slow.sent.load(SeqCst);
    scene.control.stop();
    let stop = asked.await.unwrap().unwrap_err();
    assert!(matches!(stop, Stop::Interrupted));
    assert_eq!(scene.slow.sent.load(SeqCst), sent);
    assert_eq!(scene.gateway.spent().calls as usize, sent);
}
