//! The journal: what is appended comes back, torn tails are trimmed, damage is located.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use shiftproof_store::journal::{Appended, Entry, MAX_RECORD, Reader, Recovered, recover};
use shiftproof_store::{Error, Journal, Position};

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
fn write(path: &Path, groups: &[&[&[u8]]]) -> Vec<Appended> {
    let mut journal = Journal::open(path).unwrap();
    groups
        .iter()
        .map(|group| journal.append_all(group).unwrap())
        .collect()
}

fn payloads(path: &Path) -> Vec<Vec<u8>> {
    let reader = Reader::open(path, Position::START).unwrap();
    reader.map(|entry| entry.unwrap().payload).collect()
}

const GROUPS: [&[&[u8]]; 3] = [
    &[b"first", b"", b"third"],
    &[b"alone"],
    &[b"fifth", b"last"],
];

#[test]
fn what_is_appended_comes_back_from_every_position() {
    let place = place();
    let appended = write(&place.path, &GROUPS);
    let mut journal = Journal::open(&place.path).unwrap();
    assert_eq!(journal.trimmed(), None);
    assert_eq!(journal.position(), appended[2].end);

    let records: Vec<&[u8]> = GROUPS.concat();
    let positions: Vec<Position> = appended.iter().flat_map(|group| group.at.clone()).collect();
    for (index, &position) in positions.iter().enumerate() {
        assert_eq!(journal.read_at(position).unwrap(), records[index]);
        let rest: Vec<Entry> = journal
            .read_from(position)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let expected: Vec<Entry> = (index..records.len())
            .map(|i| Entry {
                position: positions[i],
                payload: records[i].to_vec(),
            })
            .collect();
        assert_eq!(rest, expected);
        assert_eq!(Position::from_offset(position.offset()), position);
    }
    assert_eq!(journal.read_from(journal.position()).unwrap().count(), 0);

    let nothing = journal.append_all::<&[u8]>(&[]).unwrap();
    assert_eq!((nothing.at, nothing.end), (vec![], appended[2].end));
}

#[test]
fn a_position_no_record_starts_at_is_refused() {
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
        let position = Position::from_offset(offset);
        assert!(
            matches!(journal.read_from(position), Err(Error::Position { .. })),
            "{offset}"
        );
        assert!(
            matches!(journal.read_at(position), Err(Error::Position { .. })),
            "{offset}"
        );
    }
}

#[test]
fn a_reader_needs_no_lock_and_sees_whole_groups() {
    let place = place();
    let mut journal = Journal::open(&place.path).unwrap();
    assert_eq!(payloads(&place.path), Vec::<Vec<u8>>::new());
    journal.append_all(GROUPS[0]).unwrap();
    let mut reader = Reader::open(&place.path, Position::START).unwrap();
    journal.append_all(GROUPS[1]).unwrap();
    assert_eq!(
        reader.by_ref().count(),
        3,
        "what was there when it was opened"
    );
    let rest = Reader::open(&place.path, reader.position()).unwrap();
    assert_eq!(rest.count(), 1);
}

#[test]
fn a_second_writer_is_told_who_has_the_journal() {
    let place = place();
    let journal = Journal::open(&place.path).unwrap();
    let Err(Error::Locked {
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
fn records_at_the_limit_are_kept_and_larger_ones_refused() {
    let place = place();
    let mut journal = Journal::open(&place.path).unwrap();
    let largest = vec![0x5a; MAX_RECORD];
    let position = journal.append_all(&[&largest]).unwrap().at[0];
    let end = journal.position();
    let large = vec![0; MAX_RECORD + 1];
    assert!(matches!(
        journal.append_all(&[&b"ok"[..], &large]),
        Err(Error::Invalid(_))
    ));
    assert!(matches!(
        journal.append_all(&[&largest; 4]),
        Err(Error::Invalid(_))
    ));
    assert_eq!(journal.position(), end);
    assert_eq!(journal.read_at(position).unwrap(), largest);
}

/// A crash may leave any prefix of the last group: the groups before it survive, it vanishes, its
/// bytes are kept aside, and the journal goes on.
#[test]
fn a_tail_torn_at_any_byte_is_trimmed() {
    let original = place();
    let appended = write(&original.path, &GROUPS);
    let bytes = fs::read(&original.path).unwrap();
    let good = appended[1].end.offset() as usize;
    for len in good..bytes.len() {
        let place = place();
        fs::write(&place.path, &bytes[..len]).unwrap();
        assert_eq!(
            payloads(&place.path),
            GROUPS[..2].concat(),
            "a reader stops before it"
        );

        let mut journal = Journal::open(&place.path).unwrap();
        match journal.trimmed() {
            None => assert_eq!(len, good),
            Some(trimmed) => {
                assert_eq!(trimmed.bytes as usize, len - good);
                assert_eq!(trimmed.end, appended[1].end);
                assert_eq!(fs::read(&trimmed.saved_to).unwrap(), &bytes[good..len]);
            }
        }
        journal.append_all(&["after"]).unwrap();
        drop(journal);
        assert_eq!(Journal::open(&place.path).unwrap().trimmed(), None);
        let expected = [&GROUPS[..2].concat()[..], &[b"after"]].concat();
        assert_eq!(payloads(&place.path), expected);
    }
}

#[test]
fn tails_torn_twice_at_one_place_are_both_kept() {
    let place = place();
    write(&place.path, &GROUPS[..1]);
    let mut saved = Vec::new();
    for garbage in [&b"one"[..], b"two"] {
        let whole = fs::read(&place.path).unwrap();
        fs::write(&place.path, [&whole[..], garbage].concat()).unwrap();
        let journal = Journal::open(&place.path).unwrap();
        saved.push(fs::read(&journal.trimmed().unwrap().saved_to).unwrap());
    }
    assert_eq!(saved, [b"one", b"two"]);
}

/// After a power failure blocks of an unsynced group may be missing at its front, too.
#[test]
fn a_torn_group_whose_end_survived_is_still_torn() {
    let place = place();
    let appended = write(&place.path, &GROUPS);
    let mut bytes = fs::read(&place.path).unwrap();
    let (from, to) = (
        appended[2].at[0].offset() as usize,
        appended[2].at[1].offset() as usize,
    );
    bytes[from..to].fill(0);
    fs::write(&place.path, &bytes).unwrap();
    let journal = Journal::open(&place.path).unwrap();
    assert_eq!(journal.trimmed().unwrap().end, appended[1].end);
    assert_eq!(payloads(&place.path), GROUPS[..2].concat());
}

/// A flipped bit in every byte: in the last group it reads as torn, before that it is located, and
/// recovery loses the one record hit, no other.
#[test]
fn a_flipped_bit_is_noticed_and_costs_one_record() {
    let original = place();
    let appended = write(&original.path, &GROUPS);
    let bytes = fs::read(&original.path).unwrap();
    let starts: Vec<usize> = appended
        .iter()
        .flat_map(|group| group.at.iter().map(|at| at.offset() as usize))
        .collect();
    let records: Vec<&[u8]> = GROUPS.concat();
    let place = place();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&place.path, &damaged).unwrap();

        let hit = starts.iter().rposition(|&start| start <= at);
        let opened = Journal::open(&place.path);
        match hit {
            None => assert!(opened.unwrap_err().is_corruption()),
            Some(hit) if hit < 4 => {
                let error = opened.unwrap_err();
                assert!(error.is_corruption());
                let expected = format!("byte {} ", starts[hit]);
                assert!(
                    error.to_string().contains(&expected),
                    "{error}, not {expected}"
                );
                let read: Vec<_> = Reader::open(&place.path, Position::START)
                    .unwrap_or_else(|error| {
                        // The very first record.
                        assert!(hit == 0, "{error}");
                        Reader::open(&place.path, appended[0].end).unwrap()
                    })
                    .collect();
                assert!(hit == 0 || read.last().unwrap().is_err());
                for entry in read.iter().flatten() {
                    let index = starts
                        .iter()
                        .position(|&s| s as u64 == entry.position.offset());
                    assert_eq!(entry.payload, records[index.unwrap()]);
                }
            }
            Some(_) => {
                let trimmed = opened.unwrap().trimmed().cloned().unwrap();
                assert_eq!(trimmed.end, appended[1].end);
                assert_eq!(
                    fs::read(trimmed.saved_to).unwrap(),
                    &damaged[trimmed.end.offset() as usize..]
                );
            }
        }

        fs::write(&place.path, &damaged).unwrap();
        let mut expected: Vec<Option<&[u8]>> = records.iter().copied().map(Some).collect();
        if let Some(hit) = hit {
            expected[hit] = None;
        }
        let mut survivors: Vec<Option<Vec<u8>>> = recover(&place.path)
            .unwrap()
            .map(|item| match item.unwrap() {
                Recovered::Record(entry) => Some(entry.payload),
                Recovered::Damaged { from, to } => {
                    assert!((from..to).contains(&(at as u64)));
                    None
                }
            })
            .collect();
        if hit.is_none() {
            assert_eq!(survivors.remove(0), None, "the file's header");
        }
        let survivors: Vec<_> = survivors.iter().map(|record| record.as_deref()).collect();
        assert_eq!(survivors, expected, "byte {at}");
    }
}

#[test]
fn a_file_that_is_no_whole_journal_is_corrupt_never_new() {
    let place = place();
    write(&place.path, &GROUPS);
    let bytes = fs::read(&place.path).unwrap();
    for len in 0..16 {
        fs::write(&place.path, &bytes[..len]).unwrap();
        let error = Journal::open(&place.path).unwrap_err();
        assert!(error.is_corruption(), "{len}: {error}");
        assert_eq!(
            fs::read(&place.path).unwrap(),
            &bytes[..len],
            "left as it was"
        );
    }
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let place = place();
    let mut header = b"spjrnl\r\n\x02\x00\x00\x00".to_vec();
    header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
    fs::write(&place.path, header).unwrap();
    let error = Journal::open(&place.path).unwrap_err();
    assert!(matches!(
        error,
        Error::NewerFormat {
            found: 2,
            supported: 1,
            ..
        }
    ));
    assert!(matches!(
        Reader::open(&place.path, Position::START),
        Err(Error::NewerFormat { .. })
    ));
}

/// A journal kept inside a journal: the inner records must never be taken for outer ones.
#[test]
fn a_quoted_journal_does_not_mislead_recovery() {
    let inner = place();
    write(&inner.path, &GROUPS);
    let quoted = fs::read(&inner.path).unwrap();
    let place = place();
    let appended = write(&place.path, &[&[&quoted], &[b"next"]]);
    let mut bytes = fs::read(&place.path).unwrap();
    bytes[appended[0].at[0].offset() as usize] ^= 0xff;
    fs::write(&place.path, bytes).unwrap();
    let items: Vec<_> = recover(&place.path).unwrap().map(Result::unwrap).collect();
    assert_eq!(
        items,
        [
            Recovered::Damaged {
                from: appended[0].at[0].offset(),
                to: appended[0].end.offset()
            },
            Recovered::Record(Entry {
                position: appended[1].at[0],
                payload: b"next".to_vec()
            })
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Whatever happens to the bytes, nothing is read that was not written, and recovery covers
    /// the file from end to end.
    #[test]
    fn no_damage_invents_a_record(
        groups in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..4), 1..5),
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..20)), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let place = place();
        let groups: Vec<Vec<&[u8]>> = groups.iter().map(|g| g.iter().map(Vec::as_slice).collect()).collect();
        let groups: Vec<&[&[u8]]> = groups.iter().map(Vec::as_slice).collect();
        let appended = write(&place.path, &groups);
        let written: std::collections::BTreeMap<Position, &[u8]> = appended
            .iter()
            .flat_map(|group| group.at.clone())
            .zip(groups.concat())
            .collect();
        let mut bytes = fs::read(&place.path).unwrap();
        for (index, edit) in &edits {
            let at = index.index(bytes.len());
            let end = bytes.len().min(at + edit.len());
            bytes[at..end].copy_from_slice(&edit[..end - at]);
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        fs::write(&place.path, &bytes).unwrap();

        let mut covered = 16.min(bytes.len()) as u64;
        for item in recover(&place.path).unwrap() {
            match item.unwrap() {
                Recovered::Record(entry) => {
                    prop_assert_eq!(entry.position.offset(), covered);
                    prop_assert_eq!(written.get(&entry.position), Some(&&entry.payload[..]));
                    covered += 24 + entry.payload.len() as u64;
                }
                Recovered::Damaged { from, to } => {
                    prop_assert!(from == 0 || from == covered);
                    prop_assert!(to > from);
                    covered = to;
                }
            }
        }
        prop_assert_eq!(covered, bytes.len() as u64);

        if let Ok(journal) = Journal::open(&place.path) {
            for entry in journal.read_from(Position::START).unwrap() {
                let entry = entry.unwrap();
                prop_assert_eq!(written.get(&entry.position), Some(&&entry.payload[..]));
            }
        }
    }
}
