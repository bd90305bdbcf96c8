//! Records, keys, and the writer behind them.

use std::collections::BTreeSet;

use shiftproof_store::{PrefixScan, WriteBatch};
use shiftproof_tasks::{AnswerForm, Message, Prompt, Reply};
use std::sync::atomic::{AtomicBool, Ordering};

use super::writer::{INDEX_EVERY, LedgerWriter};
use super::*;
use crate::event::{GroupOutcome, GroupRole, Origin};
use crate::llm::ModelCall;
use crate::scripted::text_call;

fn key(text: &str) -> CallKey {
    CallKey::of("model", &text_call(text, 5))
}

fn answer(text: &str) -> StoredAnswer {
    StoredAnswer::Reply(Reply::text(text))
}

fn run(id: &str, started_ms: u64) -> RunRecord {
    RunRecord {
        id: id.into(),
        study: "study".into(),
        spec: "{}".into(),
        seed: 7,
        version: "0.1.0".into(),
        started_ms,
        status: RunStatus::Stopped("outage".into()),
        kills: 2,
        losses: Vec::new(),
        models: None,
        begins_anew: false,
    }
}

fn candidate(instruction: &str) -> CandidateRecord {
    CandidateRecord {
        prompt: Prompt::new(instruction),
        origin: Origin::Crossover,
        parents: vec![Prompt::new("a").id(), Prompt::new("b").id()],
        score: Some(0.1 + 0.2),
        groups: vec![GroupOutcome {
            group: "target".into(),
            role: GroupRole::Target,
            voted: true,
            value: None,
            low: None,
            high: Some(f64::MIN_POSITIVE),
            n: 3,
            unparseable: 1,
            truncated: 1,
            failed: 2,
        }],
        reason: Some("rank 1 of 2".into()),
    }
}

fn batch(tag: &str) -> BatchRecord {
    BatchRecord {
        tag: tag.into(),
        model: "model".into(),
        calls: vec![key("x").to_hex()],
        id: None,
    }
}

#[tokio::test]
async fn every_record_reads_back() {
    let ledger = Ledger::in_memory();
    let refused = StoredAnswer::Refused("too long: 9,000 tokens".into());
    let answers = vec![(key("x"), answer("äöü \u{0}")), (key("y"), refused.clone())];
    ledger.record(&answers).await.unwrap();
    assert_eq!(ledger.reply(&key("x")).unwrap(), Some(answer("äöü \u{0}")));
    assert_eq!(ledger.reply(&key("y")).unwrap(), Some(refused));
    assert_eq!(ledger.reply(&key("z")).unwrap(), None);
    assert!(ledger.has_reply(&key("y")).unwrap() && !ledger.has_reply(&key("z")).unwrap());
    ledger.save_run(&run("one", 5)).await.unwrap();
    assert_eq!(ledger.run("one").unwrap(), Some(run("one", 5)));
    assert_eq!(ledger.run("on").unwrap(), None);
    let candidates = [candidate("first"), candidate("second")];
    ledger.save_candidates("one", &candidates).await.unwrap();
    let mut read = ledger.candidates("one").unwrap();
    read.sort_by(|a, b| a.prompt.cmp(&b.prompt));
    assert_eq!(read, candidates);
    ledger.save_batch(&batch("t")).await.unwrap();
    assert_eq!(ledger.batches().unwrap(), [batch("t")]);
    assert_eq!(ledger.run_dir("one"), None, "nothing is on disk");
}

#[tokio::test]
async fn latest_write_counts() {
    let ledger = Ledger::in_memory();
    let refused = StoredAnswer::Refused("overloaded".into());
    ledger.record(&[(key("x"), refused)]).await.unwrap();
    ledger.record(&[(key("x"), answer("yes"))]).await.unwrap();
    assert_eq!(ledger.reply(&key("x")).unwrap(), Some(answer("yes")));
    let submitted = BatchRecord {
        id: Some("batch-1".into()),
        ..batch("t")
    };
    ledger.save_batch(&batch("t")).await.unwrap();
    ledger.save_batch(&submitted).await.unwrap();
    assert_eq!(ledger.batches().unwrap(), [submitted]);
    ledger.remove_batch("t").await.unwrap();
    assert!(ledger.batches().unwrap().is_empty());
}

#[tokio::test]
async fn runs_sort_by_start() {
    let ledger = Ledger::in_memory();
    for (id, started) in [("b", 9), ("a", 9), ("z", 1), ("m", 30)] {
        ledger.save_run(&run(id, started)).await.unwrap();
    }
    let ids: Vec<String> = ledger
        .runs()
        .unwrap()
        .into_iter()
        .map(|own| own.id)
        .collect();
    assert_eq!(ids, ["z", "a", "b", "m"]);
}

#[tokio::test]
async fn removed_run_keeps_replies() {
    let ledger = Ledger::in_memory();
    ledger.record(&[(key("x"), answer("yes"))]).await.unwrap();
    for id in ["run-1", "run-10"] {
        ledger.save_run(&run(id, 1)).await.unwrap();
        ledger.save_candidates(id, &[candidate("p")]).await.unwrap();
    }
    ledger.remove_run("run-1").await.unwrap();
    assert_eq!(ledger.run("run-1").unwrap(), None);
    assert!(ledger.candidates("run-1").unwrap().is_empty());
    let left: Vec<String> = ledger
        .runs()
        .unwrap()
        .into_iter()
        .map(|own| own.id)
        .collect();
    assert_eq!(left, ["run-10"]);
    assert_eq!(ledger.candidates("run-10").unwrap().len(), 1);
    assert!(ledger.has_reply(&key("x")).unwrap());
}

#[test]
fn keys_tell_calls_apart() {
    let call = text_call("say yes", 5);
    let change = |change: fn(&mut ModelCall)| {
        let mut other = call.clone();
        change(&mut other);
        CallKey::of("model", &other)
    };
    let keys = [
        CallKey::of("model", &call),
        CallKey::of("model ", &call),
        CallKey::of("other", &call),
        change(|call| call.sample = 1),
        change(|call| call.sampling.temperature = 0.1),
        change(|call| call.sampling.top_p = 0.9),
        change(|call| call.sampling.max_tokens = 6),
        change(|call| call.sampling.seed = 1),
        change(|call| call.request.answer = AnswerForm::choice(["yes"])),
        change(|call| call.request.messages[0] = Message::system("say yes")),
        change(|call| call.request.messages.push(Message::assistant(""))),
    ];
    let different: BTreeSet<CallKey> = keys.into_iter().collect();
    assert_eq!(different.len(), keys.len());
    assert_eq!(CallKey::of("model", &call.clone()), keys[0]);
    for key in keys {
        let digits = key.to_hex();
        assert_eq!((digits.len(), CallKey::from_hex(&digits)), (64, Some(key)));
        assert!(digits.starts_with(&key.to_string()));
    }
    assert_eq!(CallKey::from_hex("abc"), None);
    assert_eq!(CallKey::from_hex(&"x".repeat(64)), None);
}

#[test]
fn foreign_records_are_refused() {
    let told = |bytes: &[u8]| {
        let read: Result<RunRecord, _> = decode(bytes, || "the run one".into());
        read.unwrap_err().to_string()
    };
    let mut newer = encode(&run("one", 1)).unwrap();
    newer[0] = RECORD_VERSION + 1;
    assert_eq!(
        told(&newer),
        "cannot read the record of the run one: it has version 2; this program reads version 1"
    );
    assert!(told(&[]).ends_with("it is empty"));
    let torn = encode(&run("one", 1)).unwrap();
    assert!(told(&torn[..torn.len() / 2]).starts_with("cannot read the record of the run one: "));
}

/// What was written before a field was there.
#[test]
fn missing_fields_have_defaults() {
    #[derive(Serialize)]
    struct Before {
        id: &'static str,
        study: &'static str,
        spec: &'static str,
        seed: u64,
        version: &'static str,
        started_ms: u64,
        status: RunStatus,
        gone: &'static str,
    }
    let bytes = encode(&Before {
        id: "one",
        study: "study",
        spec: "{}",
        seed: 7,
        version: "0.1.0",
        started_ms: 5,
        status: RunStatus::Stopped("outage".into()),
        gone: "a field of another time",
    })
    .unwrap();
    let read: RunRecord = decode(&bytes, String::new).unwrap();
    let expected = RunRecord {
        kills: 0,
        ..run("one", 5)
    };
    assert_eq!(read, expected);
}

#[tokio::test]
async fn large_replies_survive_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let long = "A prompt of a few hundred kilobytes. ".repeat(10_000);
    let ledger = Ledger::open(dir.path()).unwrap();
    assert_eq!(ledger.opened(), &LedgerOpening::default());
    let answers = vec![(key("long"), answer(&long)), (key("short"), answer("yes"))];
    ledger.record(&answers).await.unwrap();
    assert_eq!(ledger.reply(&key("long")).unwrap(), Some(answer(&long)));
    drop(ledger);
    let ledger = Ledger::open(dir.path()).unwrap();
    assert_eq!(ledger.opened().reindexed, 0, "an orderly end indexes all");
    assert_eq!(ledger.reply(&key("long")).unwrap(), Some(answer(&long)));
    assert_eq!(ledger.reply(&key("short")).unwrap(), Some(answer("yes")));
    assert_eq!(
        ledger.run_dir("one"),
        Some(dir.path().join("runs").join("one"))
    );
}

#[tokio::test]
async fn lost_index_is_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path()).unwrap();
    for text in ["x", "y", "x"] {
        ledger.record(&[(key(text), answer(text))]).await.unwrap();
    }
    ledger.save_run(&run("one", 5)).await.unwrap();
    drop(ledger);
    std::fs::remove_dir_all(dir.path().join("db")).unwrap();
    let ledger = Ledger::open(dir.path()).unwrap();
    assert_eq!(ledger.opened().reindexed, 4);
    assert_eq!(ledger.reply(&key("y")).unwrap(), Some(answer("y")));
    assert_eq!(ledger.runs().unwrap(), [run("one", 5)]);
}

/// A store whose disk is full until it is told otherwise.
#[derive(Debug)]
struct Unwilling {
    kv: MemoryKv,
    is_full: AtomicBool,
}

impl Kv for Unwilling {
    fn get(&self, key: &[u8]) -> shiftproof_store::Result<Option<Vec<u8>>> {
        self.kv.get(key)
    }

    fn scan(&self, prefix: &[u8]) -> PrefixScan<'_> {
        self.kv.scan(prefix)
    }

    fn apply(&self, batch: WriteBatch) -> shiftproof_store::Result<()> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(shiftproof_store::StoreError::Invalid("disk full".into()));
        }
        self.kv.apply(batch)
    }

    fn count(&self) -> shiftproof_store::Result<u64> {
        self.kv.count()
    }
}

fn pairs(from: usize, count: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    (from..from + count)
        .map(|at| (format!("k{at:05}").into_bytes(), at.to_be_bytes().to_vec()))
        .collect()
}

#[tokio::test]
async fn full_index_loses_nothing() {
    let kv = Arc::new(Unwilling {
        kv: MemoryKv::new(),
        is_full: AtomicBool::new(true),
    });
    let writer = LedgerWriter::start(kv.clone(), None);
    writer.put(pairs(0, INDEX_EVERY)).await.unwrap();
    writer.put(pairs(INDEX_EVERY, 1)).await.unwrap();
    assert_eq!(kv.count().unwrap(), 0);
    assert_eq!(writer.scan(b"k").unwrap().len(), INDEX_EVERY + 1);
    assert_eq!(
        writer.get(b"k00007").unwrap(),
        Some(7_usize.to_be_bytes().to_vec())
    );
    kv.is_full.store(false, Ordering::SeqCst);
    drop(writer);
    assert_eq!(kv.count().unwrap(), INDEX_EVERY as u64 + 1);
}

#[tokio::test]
async fn concurrent_writes_are_all_kept() {
    let writer = LedgerWriter::start(Arc::new(MemoryKv::new()), None);
    let writes = (0..900).map(|at| writer.put(pairs(at * 2, 2)));
    for write in futures::future::join_all(writes).await {
        write.unwrap();
    }
    let kept = writer.scan(b"k").unwrap();
    assert_eq!(kept, pairs(0, 1800), "in the order of their keys");
}

#[test]
fn malformed_index_is_named() {
    let check = |value: &[u8], expected: &str| {
        let kv = MemoryKv::new();
        let mut batch = WriteBatch::new();
        batch.put("k", value);
        kv.apply(batch).unwrap();
        let writer = LedgerWriter::start(Arc::new(kv), None);
        let told = writer.get(b"k").unwrap_err().to_string();
        assert_eq!(
            told,
            format!("cannot read the record of an index entry: {expected}")
        );
        assert!(writer.scan(b"k").is_err());
    };
    check(&[], "its kind is unknown");
    check(&[9, 1], "its kind is unknown");
    check(&[1, 0, 0], "its position is cut");
    check(&[1, 0, 0, 0, 0, 0, 0, 0, 8], "there is no journal");
}
