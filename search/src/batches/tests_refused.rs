//! Batches that do not go as they should.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use shiftproof_tasks::Reply;

use super::tests::{calls, whole};
use super::*;
use crate::budget::{BudgetLimits, Meter, Price};
use crate::control::RunControl;
use crate::event_log::EventLog;
use crate::gateway::CallOutcome;
use crate::ledger::Ledger;
use crate::llm::{BatchProgress, Capabilities, Llm};
use crate::scripted::server;

/// A provider that answers looks at a batch in one way.
struct Stubborn(Result<BatchProgress, LlmError>, AtomicUsize);

#[async_trait]
impl Llm for Stubborn {
    fn identity(&self) -> &'static str {
        "stubborn"
    }

    fn capabilities(&self) -> Capabilities {
        server()
    }

    fn batches(&self) -> Option<&dyn BatchInterface> {
        Some(self)
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        self.1.fetch_add(1, SeqCst);
        Ok(Reply::text(&call.request.messages[0].content))
    }
}

#[async_trait]
impl BatchInterface for Stubborn {
    fn least(&self) -> usize {
        2
    }

    fn most(&self) -> usize {
        8
    }

    fn waits(&self) -> bool {
        true
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(1)
    }

    async fn submit(&self, _: &str, _: &[(String, &ModelCall)]) -> Result<String, LlmError> {
        Ok("batch-0".into())
    }

    async fn find(&self, _: &str, _: usize) -> Result<Option<String>, LlmError> {
        Ok(Some("batch-0".into()))
    }

    async fn progress(&self, _: &str) -> Result<BatchProgress, LlmError> {
        self.0.clone()
    }

    async fn collect(
        &self,
        _: &str,
        _: &[(String, &ModelCall)],
    ) -> Result<Vec<(String, Reply)>, LlmError> {
        // Names that are nobody's, and one that is no name.
        Ok(vec![
            ("f".repeat(64), Reply::text("stray")),
            ("?".into(), Reply::text("stray")),
        ])
    }
}

fn progress(ended: Option<&str>, refused: Option<&str>) -> BatchProgress {
    BatchProgress {
        done: 3,
        total: 4,
        ended: ended.map(str::to_owned),
        refused: refused.map(str::to_owned),
    }
}

/// What four calls come to, how many were sent one by one, and what is left open.
async fn stubborn(
    progress: Result<BatchProgress, LlmError>,
    stops: bool,
) -> (Result<Vec<CallOutcome>, RunError>, usize, usize, Gateway) {
    let llm = Arc::new(Stubborn(progress, AtomicUsize::new(0)));
    let model = PricedModel {
        llm: llm.clone(),
        price: Price::default(),
    };
    let ledger = Arc::new(Ledger::in_memory());
    let control = RunControl::new();
    let gateway = Gateway::new(
        ledger.clone(),
        EventLog::unlogged(vec![]),
        Meter::new(BudgetLimits::default()),
        control.clone(),
        None,
        Vec::new(),
    );
    if stops {
        let control = control.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            control.stop();
        });
    }
    let asked = gateway.ask(&model, &calls(4)).await;
    let open = ledger.batches().unwrap().len();
    (asked, llm.1.load(SeqCst), open, gateway)
}

#[tokio::test]
async fn refused_batches_stop_uncharged() {
    let refused = progress(None, Some("the quota is used up"));
    let (asked, direct, open, gateway) = stubborn(Ok(refused), false).await;
    let stop = asked.unwrap_err().to_string();
    assert!(
        stop.contains("refused as a whole (the quota is used up)"),
        "{stop}"
    );
    assert_eq!((direct, open, gateway.spent().calls), (0, 0, 0));
}

#[tokio::test]
async fn vanished_batches_count_as_spent() {
    let gone = Err(LlmError::Request("no such batch".into()));
    let (asked, direct, open, gateway) = stubborn(gone, false).await;
    whole(&asked, 4);
    assert_eq!((direct, open, gateway.losses()[0].worst.calls), (4, 0, 4));
}

#[tokio::test]
async fn stray_replies_are_ignored() {
    let (asked, direct, open, gateway) = stubborn(Ok(progress(Some("expired"), None)), false).await;
    whole(&asked, 4);
    assert_eq!((direct, open), (4, 0));
    let remark = &gateway.remarks()[0];
    assert!(
        remark.contains("ended as expired: 0 of its 4 calls"),
        "{remark}"
    );
}

#[tokio::test]
async fn stops_leave_batches_open() {
    let (asked, direct, open, _) = stubborn(Ok(progress(None, None)), true).await;
    assert!(matches!(asked, Err(RunError::Interrupted)), "{asked:?}");
    // Whoever goes on collects it.
    assert_eq!((direct, open), (0, 1));
    let line = Err(LlmError::Unavailable("the line broke".into()));
    let (asked, direct, open, _) = stubborn(line, false).await;
    assert!(matches!(asked, Err(RunError::Provider { .. })), "{asked:?}");
    assert_eq!((direct, open), (0, 1));
}
