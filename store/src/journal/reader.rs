//! Reading a journal: strictly, or around damage.

use std::path::Path;

use super::frame::{FILE_HEADER, JournalFile, damaged};
use super::{JournalEntry, JournalPosition};
use crate::error::{Result, StoreError};

/// Streams the complete groups of a journal from a position on, one record in memory at a time.
///
/// It needs no lock: another process may be appending meanwhile. It ends where the file's last
/// complete group ended when it was opened. Damage is one [`StoreError::Corrupt`], and the end.
#[derive(Debug)]
pub struct JournalReader {
    source: JournalFile,
    at: u64,
    /// Up to here the current group is known to be complete.
    complete: u64,
    done: bool,
}

impl JournalReader {
    /// Reads the journal at `path` from `position` on: a record's, or the journal's end.
    ///
    /// # Errors
    /// [`StoreError::Position`] if no record starts there, in particular if the journal ends before:
    /// then records that were acknowledged are missing. [`StoreError::Corrupt`] and
    /// [`StoreError::NewerFormat`] by the file's header.
    pub fn open(path: impl AsRef<Path>, position: JournalPosition) -> Result<Self> {
        let mut source = JournalFile::open(path.as_ref())?;
        source.check_file_header()?;
        let at = position.offset();
        let missing = if at > source.len() {
            Some(format!("it ends at {}", source.len()))
        } else if at == source.len() || at == FILE_HEADER || source.header(at)?.is_some() {
            None
        } else {
            Some("no valid record starts there".to_owned())
        };
        match missing {
            None => Ok(Self {
                source,
                at,
                complete: at,
                done: false,
            }),
            Some(detail) => Err(StoreError::Position {
                path: source.path().to_owned(),
                position: at,
                detail,
            }),
        }
    }

    /// Where the next record will be read.
    pub fn position(&self) -> JournalPosition {
        JournalPosition(self.at)
    }

    fn step(&mut self) -> Result<Option<JournalEntry>> {
        if self.at == self.source.len() {
            return Ok(None);
        }
        if self.at == self.complete {
            match group_end(&mut self.source, self.at)? {
                RecordGroup::Complete(end) => self.complete = end,
                RecordGroup::Torn => return Ok(None),
                RecordGroup::Damaged(offset) => return Err(damaged(self.source.path(), offset)),
            }
        }
        match self.source.header(self.at)? {
            Some(header) => match self.source.payload(self.at, header)? {
                Some(payload) => {
                    let position = JournalPosition(self.at);
                    self.at = header.next(self.at);
                    Ok(Some(JournalEntry { position, payload }))
                }
                None => Err(damaged(self.source.path(), self.at)),
            },
            None => Err(damaged(self.source.path(), self.at)),
        }
    }
}

impl Iterator for JournalReader {
    type Item = Result<JournalEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let item = self.step().transpose();
        self.done = !matches!(item, Some(Ok(_)));
        item
    }
}

/// How a group turned out, by its headers alone.
pub(super) enum RecordGroup {
    /// All its records are there; it ends here.
    Complete(u64),
    /// It is the last one and incomplete: it was never acknowledged.
    Torn,
    /// The record at this offset is damaged, although later groups were acknowledged.
    Damaged(u64),
}

/// Inspects the group at `start`, or the rest of it if `start` is inside one.
pub(super) fn group_end(source: &mut JournalFile, start: u64) -> Result<RecordGroup> {
    let mut at = start;
    let mut first = None;
    let mut expected = None;
    loop {
        let header = source.header(at)?.filter(|header| {
            let group = header.group(at);
            expected.is_none_or(|left| header.left == left)
                && *first.get_or_insert(group) == group
                && group <= start
        });
        let Some(header) = header else {
            return broken(source, first.unwrap_or(start), at);
        };
        at = header.next(at);
        match header.left.checked_sub(1) {
            Some(left) => expected = Some(left),
            None => return Ok(RecordGroup::Complete(at)),
        }
    }
}

/// Tells a torn group from a damaged one. Groups are appended one after the other, each synced
/// before the next is written, so a group that is followed by another was once complete.
pub(super) fn broken(source: &mut JournalFile, group: u64, at: u64) -> Result<RecordGroup> {
    let later = source.find(at + 1, |offset, header| header.group(offset) > group)?;
    Ok(later.map_or(RecordGroup::Torn, |_| RecordGroup::Damaged(at)))
}

/// A stretch of a damaged journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecoveredStretch {
    /// An intact record.
    Record(JournalEntry),
    /// Bytes that belong to no intact record.
    Damaged {
        /// Offset of the first damaged byte.
        from: u64,
        /// Offset after the last one.
        to: u64,
    },
}

/// Reads every intact record of a journal, whatever lies between them. Changes nothing.
///
/// To mend a journal, append what this yields to a new one. Intact records of a torn last group
/// are included: they were paid for, though never acknowledged.
///
/// # Errors
/// Only if the file cannot be read. Items are errors for the same reason alone.
pub fn recover(path: impl AsRef<Path>) -> Result<JournalRecovery> {
    Ok(JournalRecovery {
        source: JournalFile::open(path.as_ref())?,
        at: 0,
    })
}

/// The iterator of [`recover`].
#[derive(Debug)]
pub struct JournalRecovery {
    source: JournalFile,
    at: u64,
}

impl JournalRecovery {
    fn step(&mut self) -> Result<Option<RecoveredStretch>> {
        if self.at == 0 {
            let to = FILE_HEADER.min(self.source.len());
            self.at = to;
            match self.source.check_file_header() {
                Err(StoreError::Corrupt { .. }) if to > 0 => {
                    return Ok(Some(RecoveredStretch::Damaged { from: 0, to }));
                }
                Err(StoreError::Corrupt { .. }) | Ok(()) => {}
                Err(error) => return Err(error),
            }
        }
        let from = self.at;
        if from == self.source.len() {
            return Ok(None);
        }
        if let Some(header) = self.source.header(from)? {
            self.at = header.next(from);
            if let Some(payload) = self.source.payload(from, header)? {
                let position = JournalPosition(from);
                return Ok(Some(RecoveredStretch::Record(JournalEntry {
                    position,
                    payload,
                })));
            }
        } else {
            let next = self.source.find(from + 1, |_, _| true)?;
            self.at = next.unwrap_or(self.source.len());
        }
        Ok(Some(RecoveredStretch::Damaged { from, to: self.at }))
    }
}

impl Iterator for JournalRecovery {
    type Item = Result<RecoveredStretch>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.step().transpose();
        if matches!(item, Some(Err(_))) {
            self.at = self.source.len();
        }
        item
    }
}
