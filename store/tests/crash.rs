//! What survives `kill -9`, a full disk and a second process: tests with real processes.
//!
//! The children are this same test binary, run again for one of the ignored tests below.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use shiftproof_store::{Journal, JournalPosition, Kv, SledKv, StoreError, WriteBatch};

const DIR: &str = "SHIFTPROOF_STORE_TEST_DIR";

/// Starts `test` of this binary as a process that works in `dir`; `setup` runs in a shell before.
fn child(test: &str, dir: &Path, setup: &str) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new("sh")
        .args(["-c", &format!("{setup} exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", test])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

/// `None` if this is no child: someone runs all ignored tests.
fn dir() -> Option<PathBuf> {
    std::env::var_os(DIR).map(Into::into)
}

/// Tells the parent, without the delay of a buffer.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n@{line}").unwrap();
    out.flush().unwrap();
}

/// The lines the child said; the harness prints others.
fn said(output: BufReader<ChildStdout>) -> impl Iterator<Item = String> {
    output
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix('@').map(str::to_owned))
}

/// The records of batch `n`. Some take several entries of sled's tree, and every third batch
/// several segments of its log.
fn records(n: u32) -> Vec<(Vec<u8>, Vec<u8>)> {
    let large = if n.is_multiple_of(3) { 50_000 } else { 1000 };
    (0..16_u8)
        .map(|i| {
            let len = if i % 2 == 0 {
                usize::from(i) * 50
            } else {
                large + usize::from(i)
            };
            let key = [&n.to_be_bytes()[..], &[i]].concat();
            (key, vec![n as u8 ^ i; len])
        })
        .collect()
}

fn batch(n: u32) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for (key, value) in records(n) {
        batch.put(key, value);
    }
    batch.put("latest", n.to_be_bytes());
    batch
}

fn latest(store: &SledKv) -> u32 {
    let bytes = store.get(b"latest").unwrap();
    bytes.map_or(0, |bytes| u32::from_be_bytes(bytes.try_into().unwrap()))
}

#[test]
#[ignore = "a child process of the tests below"]
fn child_commits() {
    let Some(dir) = dir() else { return };
    let store = SledKv::open(dir.join("store")).unwrap();
    let mut journal = Journal::open(dir.join("journal")).unwrap();
    for n in latest(&store) + 1.. {
        let payloads: Vec<_> = records(n).into_iter().map(|(_, value)| value).collect();
        journal.append_all(&payloads).unwrap();
        say(&format!("journal {n}"));
        store.apply(batch(n)).unwrap();
        say(&format!("store {n}"));
    }
}

/// Sixteen kills at spread moments: every acknowledged batch and group is there, whole, and
/// nothing else but at most the one that was under way.
#[test]
fn acknowledged_writes_survive_kill() {
    let dir = tempfile::tempdir().unwrap();
    let (mut stored, mut journalled) = (0, 0);
    for round in 0..16_u64 {
        let (mut child, output) = child("child_commits", dir.path(), "");
        let killer = std::thread::spawn(move || {
            // From "still opening" to "hundreds of commits", in uneven steps.
            std::thread::sleep(Duration::from_millis(20 + round * round * 7 % 300));
            child.kill().unwrap();
            child.wait().unwrap();
        });
        let mut appended = journalled;
        for line in said(output) {
            let (what, n) = line.split_once(' ').unwrap();
            match what {
                "store" => stored = n.parse().unwrap(),
                _ => appended += 1,
            }
        }
        killer.join().unwrap();

        let store = SledKv::open(dir.path().join("store")).unwrap();
        let found = latest(&store);
        assert!(
            found == stored || found == stored + 1,
            "acknowledged {stored}, found {found}"
        );
        let expected: Vec<_> = (1..=found).flat_map(records).collect();
        assert_eq!(
            store.count().unwrap(),
            expected.len() as u64 + u64::from(found > 0)
        );
        let kept = store.scan(b"\0").map(Result::unwrap);
        assert!(kept.eq(expected), "round {round}");
        stored = found;

        let journal = Journal::open(dir.path().join("journal")).unwrap();
        let kept = journal
            .read_from(JournalPosition::START)
            .unwrap()
            .map(Result::unwrap)
            .count();
        assert_eq!(kept % 16, 0, "groups are whole");
        assert!(
            (appended..=appended + 1).contains(&(kept / 16)),
            "{appended} groups, {kept} records"
        );
        journalled = kept / 16;
    }
    assert!(stored > 16, "the children got to work: {stored} commits");
}

#[test]
#[ignore = "a child process of the test below"]
fn child_holds_lock() {
    let Some(dir) = dir() else { return };
    let _store = SledKv::open(dir).unwrap();
    say("open");
    // Until the parent kills it.
    std::thread::sleep(Duration::from_mins(1));
}

#[test]
fn second_process_learns_holder() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, output) = child("child_holds_lock", dir.path(), "");
    assert_eq!(said(output).next().unwrap(), "open");
    let error = SledKv::open(dir.path()).unwrap_err();
    let moved = shiftproof_store::quarantine(dir.path()).unwrap_err();
    child.kill().unwrap();
    child.wait().unwrap();

    let text = error.to_string();
    let StoreError::Locked {
        holder: Some(holder),
        ..
    } = error
    else {
        panic!("{text}");
    };
    assert_eq!(holder.pid, child.id());
    assert!(holder.command.starts_with("crash-"), "{}", holder.command);
    assert!(text.contains(&format!("process {} (crash-", child.id())) && text.contains(" since 2"));
    assert!(
        matches!(moved, StoreError::Locked { .. }),
        "nobody moves an open store"
    );
    // The lock died with its holder.
    SledKv::open(dir.path()).unwrap();
}

#[test]
#[ignore = "a child process of the test below"]
fn child_fills_disk() {
    let Some(dir) = dir() else { return };
    let mut journal = Journal::open(dir.join("journal")).unwrap();
    let failed = (0..).find_map(|_| journal.append_all(&[vec![1; 30_000]]).err());
    let failed = failed.expect("the limit was reached");
    assert!(matches!(failed, StoreError::Io { .. }));
    assert!(failed.to_string().contains("stays usable"), "{failed}");
    journal.append_all(&["small"]).unwrap();
    say(&format!("journal {}", journal.position().offset()));

    let store = SledKv::open(dir.join("store")).unwrap();
    for n in 1.. {
        match store.apply(batch(n)) {
            Ok(()) => say(&format!("store {n}")),
            Err(error) => {
                assert!(
                    matches!(error, StoreError::Io { .. } | StoreError::Corrupt { .. }),
                    "{error}"
                );
                assert!(matches!(
                    store.apply(batch(n)),
                    Err(StoreError::Closed { .. })
                ));
                assert!(matches!(
                    store.get(b"latest"),
                    Err(StoreError::Closed { .. })
                ));
                say(&format!("failed {error}"));
                return;
            }
        }
    }
}

/// A limit on file sizes stands for the full disk. The write fails, the child lives to say so, and
/// what was acknowledged before is there.
#[test]
fn full_disk_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    // In units of 512 bytes or 1 KiB, by shell; ignoring the signal turns it into an error.
    let (mut child, output) = child(
        "child_fills_disk",
        dir.path(),
        "trap '' XFSZ; ulimit -f 1700;",
    );
    let lines: Vec<String> = said(output).collect();
    assert!(child.wait().unwrap().success(), "{lines:?}");
    assert!(lines.last().unwrap().starts_with("failed "), "{lines:?}");

    let journal = Journal::open(dir.path().join("journal")).unwrap();
    assert_eq!(journal.trimmed(), None);
    assert_eq!(lines[0], format!("journal {}", journal.position().offset()));
    let last = journal
        .read_from(JournalPosition::START)
        .unwrap()
        .last()
        .unwrap();
    assert_eq!(last.unwrap().payload, b"small");

    let acknowledged = lines.len() as u32 - 2;
    let store = SledKv::open(dir.path().join("store")).unwrap();
    assert!(acknowledged > 0 && latest(&store) >= acknowledged);
    let expected: Vec<_> = (1..=latest(&store)).flat_map(records).collect();
    assert!(store.scan(b"\0").map(Result::unwrap).eq(expected));
}
