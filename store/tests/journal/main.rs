//! The journal: what is appended comes back, torn tails are trimmed, damage is located.
#![allow(clippy::unwrap_used)]

mod damage;

use std::path::{Path, PathBuf};

use shiftproof_store::journal::{AppendedGroup, JournalEntry, JournalReader, MAX_RECORD};
use shiftproof_store::{Journal, JournalPosition, StoreError};

struct Place {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replies.journal");
    Place { _dir: dir, path }
}

/// Writes `groups` into a new journal and returns what each append said.
fn write(path: &Path, groups: &[&[&[u8]]]) -> Vec<AppendedGroup> {
    let mut journal = Journal::open(path).unwrap();
    groups
        .iter()
        .map(|group| journal.append_all(group).unwrap())
        .collect()
}

fn payloads(path: &Path) -> Vec<Vec<u8>> {
    let reader = JournalReader::open(path, JournalPosition::START).unwrap();
    reader.map(|entry| entry.unwrap().payload).collect()
}

const GROUPS: [&[&[u8]]; 3] = [
    &[b"first", b"", b"third"],
    &[b"alone"],
    &[b"fifth", b"last"],
];

#[test]
fn appended_records_come_back() {
    let place = place();
    let appended = write(&place.path, &GROUPS);
    let mut journal = Journal::open(&place.path).unwrap();
    assert_eq!(journal.trimmed(), None);
    assert_eq!(journal.position(), appended[2].end);

    let records: Vec<&[u8]> = GROUPS.concat();
    let positions: Vec<JournalPosition> =
        appended.iter().flat_map(|group| group.at.clone()).collect();
    for (index, &position) in positions.iter().enumerate() {
        assert_eq!(journal.read_at(position).unwrap(), records[index]);
        let rest: Vec<JournalEntry> = journal
            .read_from(position)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let expected: Vec<JournalEntry> = (index..records.len())
            .map(|i| JournalEntry {
                position: positions[i],
                payload: records[i].to_vec(),
            })
            .collect();
        assert_eq!(rest, expected);
        assert_eq!(JournalPosition::from_offset(position.offset()), position);
    }
    assert_eq!(journal.read_from(journal.position()).unwrap().count(), 0);

    let nothing = journal.append_all::<&[u8]>(&[]).unwrap();
    assert_eq!((nothing.at, nothing.end), (vec![], appended[2].end));
}

#[test]
fn odd_position_is_refused() {
    let place = place();
    let appended = write(&place.path, &GROUPS);
    let journal = Journal::open(&place.path).unwrap();
    let beyond = appended[2].end.offset() + 1;
    for offset in [
        0,
        1,
        15,
        17,
        appended[1].at[0].offset() + 1,
        beyond,
        u64::MAX,
    ] {
        let position = JournalPosition::from_offset(offset);
        assert!(
            matches!(
                journal.read_from(position),
                Err(StoreError::Position { .. })
            ),
            "{offset}"
        );
        assert!(
            matches!(journal.read_at(position), Err(StoreError::Position { .. })),
            "{offset}"
        );
    }
}

#[test]
fn readers_see_whole_groups() {
    let place = place();
    let mut journal = Journal::open(&place.path).unwrap();
    assert_eq!(payloads(&place.path), Vec::<Vec<u8>>::new());
    journal.append_all(GROUPS[0]).unwrap();
    let mut reader = JournalReader::open(&place.path, JournalPosition::START).unwrap();
    journal.append_all(GROUPS[1]).unwrap();
    assert_eq!(
        reader.by_ref().count(),
        3,
        "what was there when it was opened"
    );
    let rest = JournalReader::open(&place.path, reader.position()).unwrap();
    assert_eq!(rest.count(), 1);
}

#[test]
fn second_writer_learns_holder() {
    let place = place();
    let journal = Journal::open(&place.path).unwrap();
    let Err(StoreError::Locked {
        holder: Some(holder),
        ..
    }) = Journal::open(&place.path)
    else {
        panic!("two writers at once");
    };
    assert_eq!(holder.pid, std::process::id());
    drop(journal);
    Journal::open(&place.path).unwrap();
}

#[test]
fn largest_record_is_kept() {
    let place = place();
    let mut journal = Journal::open(&place.path).unwrap();
    let largest = vec![0x5a; MAX_RECORD];
    let position = journal.append_all(&[&largest]).unwrap().at[0];
    let end = journal.position();
    let large = vec![0; MAX_RECORD + 1];
    assert!(matches!(
        journal.append_all(&[&b"ok"[..], &large]),
        Err(StoreError::Invalid(_))
    ));
    assert!(matches!(
        journal.append_all(&[&largest; 4]),
        Err(StoreError::Invalid(_))
    ));
    assert_eq!(journal.position(), end);
    assert_eq!(journal.read_at(position).unwrap(), largest);
}
