use shiftproof_store::{Journal, Kv, SledKv, WriteBatch};
use shiftproof_tasks::Reply;

use super::*;
use crate::ledger::{CallKey, Ledger, StoredAnswer, encode, reply_key};

fn key(text: &str) -> CallKey {
    CallKey::from_hex(&blake3::hash(text.as_bytes()).to_hex()).unwrap()
}

fn answer(text: &str) -> StoredAnswer {
    StoredAnswer::Reply(Reply::text(text))
}

async fn record(ledger: &Ledger, text: &str) {
    let answers = [(key(text), answer(text))];
    ledger.record(&answers).await.unwrap();
}

fn index(dir: &Path) -> SledKv {
    SledKv::open(dir.join("db")).unwrap()
}

/// Adds an answer as versions did that kept answers in the index, too.
fn add_as_before(dir: &Path, text: &str) {
    let (key, value) = (reply_key(&key(text)), encode(&answer(text)).unwrap());
    let mut record = (key.len() as u16).to_be_bytes().to_vec();
    record.extend_from_slice(&key);
    record.extend_from_slice(&value);
    let mut journal = Journal::open(dir.join("replies.journal")).unwrap();
    let end = journal.append_all(&[record]).unwrap().end;
    let mut batch = WriteBatch::new();
    batch.put(key, [&[0], value.as_slice()].concat());
    batch.put("journal-end", end.offset().to_be_bytes());
    index(dir).apply(batch).unwrap();
}

#[tokio::test]
async fn stores_of_earlier_versions_go_on() {
    let dir = tempfile::tempdir().unwrap();
    add_as_before(dir.path(), "old");
    let end = index(dir.path()).get(b"journal-end").unwrap();
    let ledger = Ledger::open(dir.path()).unwrap();
    assert_eq!(ledger.opened().reindexed, 0);
    assert_eq!(ledger.reply(&key("old")).unwrap(), Some(answer("old")));
    record(&ledger, "new").await;
    drop(ledger);
    // A program of the earlier version would go on where it ended, and find the rest.
    let kv = index(dir.path());
    assert_eq!(kv.get(b"journal-end").unwrap(), end);
    assert!(kv.get(b"journal-index-end").unwrap() > end);
    assert_eq!(kv.get(&reply_key(&key("new"))).unwrap(), None);
    drop(kv);
    add_as_before(dir.path(), "old again");
    let ledger = Ledger::open(dir.path()).unwrap();
    for text in ["old", "new", "old again"] {
        assert!(ledger.has_reply(&key(text)).unwrap());
        assert_eq!(ledger.reply(&key(text)).unwrap(), Some(answer(text)));
    }
}

#[tokio::test]
async fn what_is_forgotten_stays_so() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path()).unwrap();
    for text in ["a", "b", "c"] {
        record(&ledger, text).await;
    }
    ledger.forget(&[key("a"), key("b")]).await.unwrap();
    record(&ledger, "b").await;
    drop(ledger);
    for _ in 0..2 {
        let ledger = Ledger::open(dir.path()).unwrap();
        assert_eq!(ledger.reply(&key("a")).unwrap(), None);
        assert!(!ledger.has_reply(&key("a")).unwrap());
        assert_eq!(ledger.reply(&key("b")).unwrap(), Some(answer("b")));
        assert_eq!(ledger.reply(&key("c")).unwrap(), Some(answer("c")));
    }
}

/// What cannot happen by chance is not taken for an answer either.
#[tokio::test]
async fn half_a_key_is_no_key() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path()).unwrap();
    record(&ledger, "a").await;
    let mut digits = key("a").to_hex();
    digits.replace_range(63.., if digits.ends_with('0') { "1" } else { "0" });
    let told = ledger
        .reply(&CallKey::from_hex(&digits).unwrap())
        .unwrap_err();
    assert!(told.to_string().contains("answers another call"), "{told}");
}

/// Bytes of all files but the room kept for a full disk.
fn bytes(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap());
    let size = |file: std::fs::DirEntry| match file.metadata().unwrap() {
        about if about.is_dir() => bytes(&file.path()),
        _ if file
            .path()
            .extension()
            .is_some_and(|ending| ending == "reserve") =>
        {
            0
        }
        about => about.len(),
    };
    files.map(size).sum()
}

/// A store is a journal of the answers, and of each little more than it says.
#[tokio::test]
async fn an_answer_takes_little_room() {
    let dir = tempfile::tempdir().unwrap();
    let size = || bytes(dir.path());
    drop(Ledger::open(dir.path()).unwrap());
    let empty = size();
    let ledger = Ledger::open(dir.path()).unwrap();
    let answers: Vec<_> = (0..5_000)
        .map(|number| (key(&number.to_string()), answer("positive")))
        .collect();
    ledger.record(&answers).await.unwrap();
    drop(ledger);
    let each = (size() - empty) / 5_000;
    assert!(each <= 250, "{each} bytes an answer");
}
