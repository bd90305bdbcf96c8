//! Damaged sled directories: whatever happens to the files, what is read is what was committed, or
//! an error. Never a wrong value, never a silent absence.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use shiftproof_store::{Kv, Pair, SledKv, StoreError, WriteBatch, quarantine};

/// A store whose log has seen overwrites, deletes and values of several parts.
fn build(dir: &Path) -> Vec<Pair> {
    let store = SledKv::open(dir).unwrap();
    for round in 0..12_u8 {
        let mut batch = WriteBatch::new();
        for i in 0..30_u8 {
            batch.put(
                format!("run/{i:03}"),
                vec![round ^ i; 20 + usize::from(i) * 9],
            );
        }
        batch.put(format!("large/{round:02}"), vec![round; 9000]);
        batch.delete(format!("run/{:03}", round * 2));
        store.apply(batch).unwrap();
    }
    store.scan(b"").map(Result::unwrap).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[derive(Debug, Default)]
struct Tally {
    refused: usize,
    harmless: usize,
}

/// Opens a store after damage: it must be refused, or hold exactly `expected`.
fn judge(dir: &Path, expected: &[Pair], tally: &mut Tally, what: &str) {
    match SledKv::open(dir) {
        Err(StoreError::Locked { .. }) => panic!("{what}: locked"),
        Err(_) => tally.refused += 1,
        Ok(store) => {
            let found: Vec<Pair> = store.scan(b"").map(Result::unwrap).collect();
            assert!(found == expected, "{what}: wrong content");
            for (key, value) in expected {
                assert_eq!(store.get(key).unwrap().as_ref(), Some(value), "{what}");
            }
            tally.harmless += 1;
        }
    }
}

/// Offsets spread over the bytes that are not zero: the rest of a segment is padding.
fn spread(bytes: &[u8], count: usize) -> Vec<usize> {
    let used: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at] != 0).collect();
    (0..count.min(used.len()))
        .map(|i| used[i * used.len() / count.min(used.len())])
        .collect()
}

#[test]
fn flipped_bits_are_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let original = dir.path().join("original");
    let expected = build(&original);
    let mut tally = Tally::default();
    for (serial, file) in files(&original).into_iter().enumerate() {
        let name = file.strip_prefix(&original).unwrap();
        let bytes = fs::read(&file).unwrap();
        for at in spread(&bytes, 60) {
            let damaged = dir.path().join(format!("{serial}-{at}"));
            copy(&original, &damaged);
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(damaged.join(name), bytes).unwrap();
            judge(
                &damaged,
                &expected,
                &mut tally,
                &format!("{} at {at}", name.display()),
            );
            fs::remove_dir_all(damaged).unwrap();
        }
    }
    // Flips in the lock file, the witness, or overwritten records harm nothing; others must show.
    assert!(tally.refused > 30 && tally.harmless > 10, "{tally:?}");
}

#[test]
fn truncated_file_is_corrupt() {
    let dir = tempfile::tempdir().unwrap();
    let original = dir.path().join("original");
    let expected = build(&original);
    let whole = fs::read(original.join("sled/db")).unwrap();
    let used = whole.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    let mut tally = Tally::default();
    let lengths = (0..24)
        .map(|i| i * used / 24)
        .chain([1, 20, used - 1, used]);
    for (len, snapshots) in lengths.flat_map(|len| [(len, true), (len, false)]) {
        let damaged = dir.path().join("damaged");
        copy(&original, &damaged);
        fs::write(damaged.join("sled/db"), &whole[..len]).unwrap();
        if !snapshots {
            // Without them sled starts from the log alone, and finds an empty one plausible.
            for file in files(&damaged.join("sled")) {
                if file
                    .file_name()
                    .unwrap()
                    .to_string_lossy()
                    .starts_with("snap")
                {
                    fs::remove_file(file).unwrap();
                }
            }
        }
        let before = tally.refused;
        judge(
            &damaged,
            &expected,
            &mut tally,
            &format!("cut to {len}, {snapshots}"),
        );
        if len < used * 9 / 10 {
            assert_eq!(
                tally.refused,
                before + 1,
                "a store cut to {len} of {used} bytes opened"
            );
        }
        fs::remove_dir_all(damaged).unwrap();
    }
}

#[test]
fn missing_files_are_corrupt() {
    let dir = tempfile::tempdir().unwrap();
    let original = dir.path().join("original");
    let expected = build(&original);
    let mut tally = Tally::default();
    for file in files(&original) {
        let name = file.strip_prefix(&original).unwrap();
        let damaged = dir.path().join("damaged");
        copy(&original, &damaged);
        fs::remove_file(damaged.join(name)).unwrap();
        judge(&damaged, &expected, &mut tally, &name.display().to_string());
        fs::remove_dir_all(damaged).unwrap();
    }
    let damaged = dir.path().join("damaged");
    copy(&original, &damaged);
    fs::remove_dir_all(damaged.join("sled")).unwrap();
    assert!(SledKv::open(&damaged).unwrap_err().is_corruption());
}

/// sled opens an older log without complaint; the witness knows better.
#[test]
fn lost_commits_are_corrupt() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("store"), dir.path().join("old"));
    build(&path);
    copy(&path.join("sled"), &old);
    let store = SledKv::open(&path).unwrap();
    let mut batch = WriteBatch::new();
    batch.put("paid", "reply");
    store.apply(batch).unwrap();
    drop(store);
    fs::remove_dir_all(path.join("sled")).unwrap();
    fs::rename(&old, path.join("sled")).unwrap();
    let error = SledKv::open(&path).unwrap_err();
    assert!(error.is_corruption());
    assert!(
        error
            .to_string()
            .contains("last 1 acknowledged commits of 13"),
        "{error}"
    );
}

#[test]
fn foreign_directory_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let thesis = dir.path().join("thesis.txt");
    fs::write(&thesis, "precious").unwrap();
    for refused in [
        SledKv::open(dir.path()).map(drop),
        quarantine(dir.path()).map(drop),
    ] {
        let error = refused.unwrap_err();
        assert!(matches!(&error, StoreError::NotAStore { found, .. } if found == "thesis.txt"));
        assert!(!error.is_corruption(), "nobody should move it aside");
    }
    assert_eq!(files(dir.path()), [thesis]);
}

#[test]
fn interrupted_creation_blocks_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("creating-1")).unwrap();
    fs::write(dir.path().join("creating-1/db"), "half").unwrap();
    fs::write(dir.path().join("LOCK"), "").unwrap();
    let store = SledKv::open(dir.path()).unwrap();
    assert_eq!(store.count().unwrap(), 0);
}

#[test]
fn quarantine_moves_whole_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    for expected in ["store.corrupt-1", "store.corrupt-2"] {
        build(&path);
        fs::write(path.join("sled/db"), "").unwrap();
        let damaged = files(&path).len();
        assert!(SledKv::open(&path).unwrap_err().is_corruption());
        let aside = quarantine(&path).unwrap();
        assert_eq!(aside, dir.path().join(expected));
        assert!(!path.exists() && files(&aside).len() >= damaged);
    }
    assert_eq!(
        SledKv::open(&path).unwrap().count().unwrap(),
        0,
        "a new store takes its place"
    );
    assert!(matches!(
        quarantine(dir.path().join("absent")),
        Err(StoreError::Io { .. })
    ));
}
