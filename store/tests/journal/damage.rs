//! What a journal does about damage.

use std::fs;

use proptest::prelude::*;
use shiftproof_store::journal::{JournalEntry, JournalReader, RecoveredStretch, recover};
use shiftproof_store::{Journal, JournalPosition, StoreError};

use super::{GROUPS, payloads, place, write};

/// A crash may leave any prefix of the last group: the groups before it survive, it vanishes, its
/// bytes are kept aside, and the journal goes on.
#[test]
fn torn_tail_is_trimmed() {
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
fn twice_torn_tails_are_kept() {
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
fn torn_group_stays_torn() {
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
fn flipped_bit_costs_one_record() {
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
                let read: Vec<_> = JournalReader::open(&place.path, JournalPosition::START)
                    .unwrap_or_else(|error| {
                        // The very first record.
                        assert!(hit == 0, "{error}");
                        JournalReader::open(&place.path, appended[0].end).unwrap()
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
                RecoveredStretch::Record(entry) => Some(entry.payload),
                RecoveredStretch::Damaged { from, to } => {
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
fn foreign_file_is_corrupt() {
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
fn newer_journal_format_is_refused() {
    let place = place();
    let mut header = b"spjrnl\r\n\x02\x00\x00\x00".to_vec();
    header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
    fs::write(&place.path, header).unwrap();
    let error = Journal::open(&place.path).unwrap_err();
    assert!(matches!(
        error,
        StoreError::NewerFormat {
            found: 2,
            supported: 1,
            ..
        }
    ));
    assert!(matches!(
        JournalReader::open(&place.path, JournalPosition::START),
        Err(StoreError::NewerFormat { .. })
    ));
}

/// A journal kept inside a journal: the inner records must never be taken for outer ones.
#[test]
fn quoted_journal_misleads_nobody() {
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
            RecoveredStretch::Damaged {
                from: appended[0].at[0].offset(),
                to: appended[0].end.offset()
            },
            RecoveredStretch::Record(JournalEntry {
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
    fn damage_invents_no_record(
        groups in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..4), 1..5),
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..20)), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let place = place();
        let groups: Vec<Vec<&[u8]>> = groups.iter().map(|g| g.iter().map(Vec::as_slice).collect()).collect();
        let groups: Vec<&[&[u8]]> = groups.iter().map(Vec::as_slice).collect();
        let appended = write(&place.path, &groups);
        let written: std::collections::BTreeMap<JournalPosition, &[u8]> = appended
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
                RecoveredStretch::Record(entry) => {
                    prop_assert_eq!(entry.position.offset(), covered);
                    prop_assert_eq!(written.get(&entry.position), Some(&&entry.payload[..]));
                    covered += 24 + entry.payload.len() as u64;
                }
                RecoveredStretch::Damaged { from, to } => {
                    prop_assert!(from == 0 || from == covered);
                    prop_assert!(to > from);
                    covered = to;
                }
            }
        }
        prop_assert_eq!(covered, bytes.len() as u64);

        if let Ok(journal) = Journal::open(&place.path) {
            for entry in journal.read_from(JournalPosition::START).unwrap() {
                let entry = entry.unwrap();
                prop_assert_eq!(written.get(&entry.position), Some(&&entry.payload[..]));
            }
        }
    }
}
