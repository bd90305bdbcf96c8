//! Every backend passes the contract suite, and agrees with a plain ordered map on random work.
#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use shiftproof_store::{Kv, MemoryKv, SledKv, WriteBatch, contract};

#[test]
fn memory_keeps_contract() {
    contract::check(|| Box::new(MemoryKv::new()));
    let shared = MemoryKv::new();
    contract::check_persistent(|| Box::new(shared.clone()));
}

#[test]
fn sled_keeps_contract() {
    let dir = tempfile::tempdir().unwrap();
    let serial = Cell::new(0);
    contract::check(|| {
        serial.set(serial.get() + 1);
        Box::new(SledKv::open(dir.path().join(serial.get().to_string())).unwrap())
    });
    let same = dir.path().join("same");
    contract::check_persistent(|| Box::new(SledKv::open(&same).unwrap()));
    assert_eq!(blob_files(dir.path()), NO_FILES);
}

const NO_FILES: [std::path::PathBuf; 0] = [];

/// Files that sled made for tree nodes it found too large. It neither syncs nor frees them.
fn blob_files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("blobs") {
            found.extend(
                std::fs::read_dir(path)
                    .unwrap()
                    .map(|file| file.unwrap().path()),
            );
        } else if path.is_dir() {
            found.extend(blob_files(&path));
        }
    }
    found
}

/// Records at both limits at once, rewritten often enough that sled merges and splits its nodes.
#[test]
fn largest_records_are_synced() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledKv::open(dir.path().join("s")).unwrap();
    let key = |i: u8| [&[i; 255][..], &[i.wrapping_mul(37)]].concat();
    for round in 0..6_u8 {
        let mut batch = WriteBatch::new();
        for i in 0..120 {
            batch.put(
                key(i),
                vec![round ^ i; if i % 3 == 0 { 65_536 } else { 4096 }],
            );
        }
        store.apply(batch).unwrap();
        let mut batch = WriteBatch::new();
        for i in (0..120).filter(|i| i % 6 == round) {
            batch.delete(key(i));
        }
        store.apply(batch).unwrap();
    }
    drop(store);
    let store = SledKv::open(dir.path().join("s")).unwrap();
    assert_eq!(store.scan(b"").count(), 100);
    assert_eq!(blob_files(dir.path()), NO_FILES);
}

#[derive(Clone, Debug)]
enum Step {
    Apply(Vec<(Vec<u8>, Option<Vec<u8>>)>),
    Reopen,
}

/// Few distinct bytes, so that keys collide and share prefixes often.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0, 1, b'a', 0xfe, 0xff]), 1..4)
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let len = prop_oneof![8 => 0..64_usize, 1 => 4090..4100_usize, 1 => 60_000..=65_536_usize];
    (len, any::<u8>()).prop_map(|(len, fill)| vec![fill; len])
}

fn step() -> impl Strategy<Value = Step> {
    let op = (key(), prop::option::weighted(0.7, value()));
    prop_oneof![
        6 => prop::collection::vec(op, 1..8).prop_map(Step::Apply),
        1 => Just(Step::Reopen),
    ]
}

/// Runs `steps` on the store that `open` opens and on a map, comparing after each.
fn agree(open: impl Fn() -> Box<dyn Kv>, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut model = BTreeMap::new();
    let mut kv = Some(open());
    for step in steps {
        match step {
            Step::Apply(ops) => {
                let mut batch = WriteBatch::new();
                for (key, value) in ops {
                    if let Some(value) = value {
                        batch.put(key.clone(), value.clone());
                        model.insert(key, value);
                    } else {
                        batch.delete(key.clone());
                        model.remove(&key);
                    }
                }
                kv.as_ref().unwrap().apply(batch).unwrap();
            }
            Step::Reopen => {
                drop(kv.take());
                kv = Some(open());
            }
        }
        let kv = kv.as_ref().unwrap();
        prop_assert_eq!(kv.count().unwrap(), model.len() as u64);
        for prefix in [&b""[..], b"a", b"\xff", b"\x00\x00"] {
            let scanned: Vec<_> = kv.scan(prefix).collect::<Result<_, _>>().unwrap();
            let expected: Vec<_> = model
                .iter()
                .filter(|(key, _)| key.starts_with(prefix))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            prop_assert_eq!(scanned, expected);
        }
        for key in [&b"a"[..], b"\xff\xff", b"\x00", b"aa"] {
            prop_assert_eq!(kv.get(key).unwrap(), model.get(key).cloned());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn memory_agrees_with_map(steps in prop::collection::vec(step(), 1..30)) {
        let shared = MemoryKv::new();
        agree(|| Box::new(shared.clone()), steps)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })]

    #[test]
    fn sled_agrees_with_map(steps in prop::collection::vec(step(), 1..30)) {
        let dir = tempfile::tempdir().unwrap();
        agree(|| Box::new(SledKv::open(dir.path().join("s")).unwrap()), steps)?;
    }
}
