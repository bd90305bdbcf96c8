//! Files of every released format version must stay readable.
//!
//! To add those of a new version, raise `VERSION` and run
//! `cargo test -p shiftproof-store --test golden -- --ignored`.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use shiftproof_store::{
    BlobFolder, BlobId, Journal, JournalPosition, Kv, Pair, SledKv, WriteBatch,
};

const VERSION: u32 = 1;

fn golden(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/v{version}"))
}

fn pairs() -> Vec<Pair> {
    vec![
        (b"a/1".to_vec(), b"one".to_vec()),
        (b"a/empty".to_vec(), vec![]),
        (
            b"b/large".to_vec(),
            (0..10_000_u32).map(|i| ((i * i) >> 3) as u8).collect(),
        ),
        (vec![0xff, 0], vec![0, 0xff]),
    ]
}

const RECORDS: [&[u8]; 4] = [
    b"first reply",
    b"",
    b"{\"text\": \"third\"}",
    &[0xf1, b'r', b'e', 0xc9],
];
const BLOB: &[u8] = b"larger than it looks";

#[test]
#[ignore = "writes the golden files of a new format version"]
fn write_golden_files() {
    let dir = golden(VERSION);
    if dir.exists() {
        // They are evidence of what a release wrote, so they are never rewritten.
        return;
    }
    let store = SledKv::open(dir.join("store")).unwrap();
    let mut batch = WriteBatch::new();
    batch.put("gone", "later").put("a/1", "overwritten later");
    store.apply(batch).unwrap();
    let mut batch = WriteBatch::new();
    batch.delete("gone");
    for (key, value) in pairs() {
        batch.put(key, value);
    }
    store.apply(batch).unwrap();
    let mut journal = Journal::open(dir.join("journal")).unwrap();
    journal.append_all(&RECORDS[..3]).unwrap();
    journal.append_all(&RECORDS[3..]).unwrap();
    BlobFolder::open(dir.join("blobs"))
        .unwrap()
        .put(BLOB)
        .unwrap();
}

/// On a copy, since opening takes locks and lets sled tidy up.
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

#[test]
fn every_version_opens_and_writes() {
    for version in 1..=VERSION {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path();
        copy(&golden(version), dir);

        let store = SledKv::open(dir.join("store")).unwrap();
        let found: Vec<Pair> = store.scan(b"").map(Result::unwrap).collect();
        assert_eq!(found, pairs(), "store of version {version}");
        let mut batch = WriteBatch::new();
        batch.put("new", "1").delete("b/large");
        store.apply(batch).unwrap();
        drop(store);
        assert_eq!(SledKv::open(dir.join("store")).unwrap().count().unwrap(), 4);

        let mut journal = Journal::open(dir.join("journal")).unwrap();
        assert_eq!(journal.trimmed(), None);
        let found: Vec<_> = journal
            .read_from(JournalPosition::START)
            .unwrap()
            .map(|entry| entry.unwrap().payload)
            .collect();
        assert_eq!(found, RECORDS, "journal of version {version}");
        journal.append_all(&["new"]).unwrap();

        let blobs = BlobFolder::open(dir.join("blobs")).unwrap();
        assert_eq!(blobs.get(BlobId::of(BLOB)).unwrap().unwrap(), BLOB);
    }
}
