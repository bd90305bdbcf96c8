//! Stores and logs that earlier programs wrote: a run is executed again from its
//! stored replies alone, and tells the same events.
//!
//! A folder in `golden/` is evidence of what a program of its time wrote, and is
//! never rewritten. To add one, raise `VERSION` and run
//! `cargo test -p shiftproof-search --test golden -- --ignored`.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use async_trait::async_trait;
use shiftproof_search::budget::{BudgetLimits, Meter, Price};
use shiftproof_search::control::RunControl;
use shiftproof_search::event_log::{self, EventLog};
use shiftproof_search::gateway::{Gateway, PricedModel};
use shiftproof_search::ledger::Ledger;
use shiftproof_search::methods::MethodRegistry;
use shiftproof_search::run::Run;
use shiftproof_search::simulate::{SimulatedTask, SimulatedWorld};
use shiftproof_search::spec::SearchSpec;
use shiftproof_search::{Capabilities, Llm, LlmError, ModelCall};
use shiftproof_tasks::{Finish, Reply, Request};

const VERSION: u32 = 2;

/// The methods that came with a version.
fn methods(version: u32) -> &'static [&'static str] {
    match version {
        1 => &["ape", "ape-ut", "gpo", "edits"],
        _ => &["protegi", "gepa", "group-reflective"],
    }
}

fn golden(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/v{version}"))
}

/// The planted model, which cuts some answers off, evades some and refuses some,
/// and counts what it is asked.
struct Uneven {
    world: SimulatedWorld,
    calls: AtomicUsize,
}

#[async_trait]
impl Llm for Uneven {
    fn identity(&self) -> &'static str {
        "uneven"
    }

    fn capabilities(&self) -> Capabilities {
        self.world.capabilities()
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
        let text = &call.request.messages[0].content;
        match text.rsplit(' ').next().and_then(|n| n.parse::<u32>().ok()) {
            Some(3) => Ok(Reply {
                finish: Finish::Length,
                ..Reply::text("")
            }),
            Some(5) => Ok(Reply::text("Well, it depends.")),
            Some(7) => Err(LlmError::Request("the context is too small".into())),
            _ => Ok(reply),
        }
    }
}

/// Executes a run of `method` in a store, and returns how many calls it made.
async fn execute(dir: &Path, method: &str) -> usize {
    let ledger = Arc::new(Ledger::open(dir).unwrap());
    let log = dir.join(format!("{method}.jsonl"));
    let gateway = Gateway::new(
        ledger,
        EventLog::logged(&log, vec![]).unwrap(),
        Meter::new(BudgetLimits::default()),
        RunControl::new(),
        None,
        Vec::new(),
    );
    let llm = Arc::new(Uneven {
        world: SimulatedWorld::new(3, 0.1),
        calls: AtomicUsize::new(0),
    });
    let model = PricedModel {
        llm: llm.clone(),
        price: Price::default(),
    };
    let (data, groups) = llm.world.data(24);
    Run {
        study: "golden".into(),
        task: Arc::new(SimulatedTask),
        data,
        groups,
        baselines: vec![],
        method: MethodRegistry::default().get(method).unwrap(),
        spec: SearchSpec {
            library: false,
            proposals: 6,
            evaluations: 160,
            ..SearchSpec::default()
        },
        human: vec![],
        seed: 1,
        task_model: model.clone(),
        proposer_model: model,
        gateway: &gateway,
        fitted: false,
        keep_going: false,
    }
    .execute()
    .await
    .unwrap();
    llm.calls.load(SeqCst)
}

#[tokio::test]
#[ignore = "writes the golden files of a new version"]
async fn write_golden_files() {
    let dir = golden(VERSION);
    if dir.exists() {
        return;
    }
    fs::create_dir_all(&dir).unwrap();
    for method in methods(VERSION) {
        assert!(execute(&dir, method).await > 0);
    }
}

/// On a copy, since opening takes locks and completes the index.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[tokio::test]
async fn old_stores_answer_every_call() {
    for version in 1..=VERSION {
        let dir = tempfile::tempdir().unwrap();
        copy(&golden(version), dir.path());
        for method in methods(version) {
            let log = dir.path().join(format!("{method}.jsonl"));
            let before = fs::read_to_string(&log).unwrap();
            let text = before.as_str();
            for piece in ["\"truncated\"", "\"unparseable\"", "\"failed\""] {
                assert!(
                    text.contains(piece),
                    "{method} of version {version}: {piece}"
                );
            }
            // A log that is told again must be told alike, event by event.
            let calls = execute(dir.path(), method).await;
            assert_eq!(calls, 0, "{method} of version {version} paid again");
            assert_eq!(fs::read_to_string(&log).unwrap(), before);
            for (line, read) in before.lines().zip(event_log::read(&log).unwrap()) {
                let written = serde_json::to_string(&read).unwrap();
                assert_eq!(written, line, "version {version}");
            }
        }
    }
}
