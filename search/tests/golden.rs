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

/// The first version whose runs take the course that they take today. Older ones
/// chose by other rules: what they stored is read, and their replies are used.
const SAME_COURSE: u32 = 2;

/// The methods that a version wrote runs of.
fn methods(version: u32) -> Vec<String> {
    match version {
        1 => ["ape", "ape-ut", "gpo", "edits"]
            .map(str::to_owned)
            .to_vec(),
        _ => MethodRegistry::default()
            .names()
            .map(str::to_owned)
            .collect(),
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
async fn execute(dir: &Path, method: &str, log: &str) -> usize {
    let ledger = Arc::new(Ledger::open(dir).unwrap());
    let log = dir.join(log);
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
        earlier: None,
        judge: None,
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
        // A method may find every answer in the store of those before it.
        execute(&dir, &method, &format!("{method}.jsonl")).await;
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

/// A version's folder, copied; its methods, each with its log.
fn opened(version: u32) -> (tempfile::TempDir, Vec<(String, String)>) {
    let dir = tempfile::tempdir().unwrap();
    copy(&golden(version), dir.path());
    let logs = methods(version).into_iter().map(|method| {
        let log = fs::read_to_string(dir.path().join(format!("{method}.jsonl"))).unwrap();
        (method, log)
    });
    let logs = logs.collect();
    (dir, logs)
}

#[test]
fn old_logs_read_alike() {
    for version in 1..=VERSION {
        let (dir, logs) = opened(version);
        for (method, log) in logs {
            for piece in ["\"truncated\"", "\"unparseable\"", "\"failed\""] {
                assert!(
                    log.contains(piece),
                    "{method} of version {version}: {piece}"
                );
            }
            let path = dir.path().join(format!("{method}.jsonl"));
            for (line, read) in log.lines().zip(event_log::read(&path).unwrap()) {
                // The checksum is of the line, and no part of what it says.
                let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
                line.as_object_mut().unwrap().remove("sum");
                let read = serde_json::to_value(&read).unwrap();
                assert_eq!(read, line, "version {version}");
            }
        }
    }
}

#[tokio::test]
async fn stores_answer_every_call() {
    for version in SAME_COURSE..=VERSION {
        let (dir, logs) = opened(version);
        for (method, before) in logs {
            // A log that is told again must be told alike, event by event.
            let log = format!("{method}.jsonl");
            let calls = execute(dir.path(), &method, &log).await;
            assert_eq!(calls, 0, "{method} of version {version} paid again");
            assert_eq!(fs::read_to_string(dir.path().join(log)).unwrap(), before);
        }
    }
}

#[tokio::test]
async fn older_replies_are_used() {
    for version in 1..SAME_COURSE {
        let (dir, logs) = opened(version);
        for (method, _) in logs {
            let empty = tempfile::tempdir().unwrap();
            let fresh = execute(empty.path(), &method, "again.jsonl").await;
            let calls = execute(dir.path(), &method, &format!("{method}-again.jsonl")).await;
            assert!(
                calls < fresh,
                "{method} of version {version}: {calls} of {fresh}"
            );
        }
    }
}
