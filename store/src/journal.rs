//! An append-only log of opaque records, for what must never be lost: replies that were paid for.
//!
//! Records are appended in groups, each with one write and one `fdatasync`. A group is atomic: a
//! crash leaves all of it or none. How many records make a group, and thereby what a commit costs
//! per record, is the caller's choice.
//!
//! ```
//! # fn main() -> shiftproof_store::Result<()> {
//! # let dir = tempfile::tempdir().expect("a temporary directory");
//! # let path = dir.path().join("replies.journal");
//! use shiftproof_store::{Journal, JournalPosition};
//!
//! let mut journal = Journal::open(&path)?;
//! let group = journal.append_all(&["first reply", "second reply"])?;
//! assert_eq!(journal.read_at(group.at[1])?, b"second reply");
//!
//! // What an index missed since its watermark:
//! let watermark = JournalPosition::START;
//! let missed = journal.read_from(watermark)?.collect::<Result<Vec<_>, _>>()?;
//! assert_eq!(missed.len(), 2);
//! # Ok(())
//! # }
//! ```
//!
//! # Damage
//!
//! A last group that is incomplete or fails its checksum was in all likelihood cut short by a
//! crash, before it was acknowledged. [`Journal::open`] copies it aside, cuts it off and reports it
//! ([`Journal::trimmed`]). A damaged record that is followed by another group was once complete:
//! that is [`StoreError::Corrupt`] with its offset, nothing is changed, and [`recover`] reads all that
//! is still intact. A journal cut off exactly between two groups looks whole; whoever stored its
//! end elsewhere notices, for [`Journal::read_from`] refuses a position beyond the end.

mod frame;
mod reader;
mod records;
mod reserve;

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{Result, StoreError};
use crate::fsync;
use crate::lock::{self, FileLock};
use frame::{FILE_HEADER, FrameHeader, JournalFile, RECORD_HEADER, damaged};
pub use reader::{JournalReader, JournalRecovery, RecoveredStretch, recover};
use reader::{RecordGroup, broken, group_end};
pub use records::RecordReader;
use reserve::SpaceReserve;

/// Longest record, in bytes (16 MiB).
pub const MAX_RECORD: usize = 16 * 1024 * 1024;
/// Most bytes in one group (64 MiB), records and their headers of 24 bytes each.
pub const MAX_GROUP: usize = 64 * 1024 * 1024;

/// A place in a journal: a byte offset that stays valid for the life of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalPosition(u64);

impl JournalPosition {
    /// Where the first record of any journal is.
    pub const START: Self = Self(FILE_HEADER);

    /// The byte offset, for storing.
    pub fn offset(self) -> u64 {
        self.0
    }

    /// The position at a stored offset. Reading there checks it.
    pub fn from_offset(offset: u64) -> Self {
        Self(offset)
    }
}

/// A record and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// Where it starts.
    pub position: JournalPosition,
    /// Its bytes, as they were appended.
    pub payload: Vec<u8>,
}

/// A group that is now durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendedGroup {
    /// Where each record is, in the order given.
    pub at: Vec<JournalPosition>,
    /// The journal's end: the watermark of an index that holds these records and all before.
    pub end: JournalPosition,
}

/// An unacknowledged tail that [`Journal::open`] cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrimmedTail {
    /// Where the journal ends now.
    pub end: JournalPosition,
    /// How many bytes were cut off.
    pub bytes: u64,
    /// The file they were copied to.
    pub saved_to: PathBuf,
}

/// The writing end of a journal. One per file, held by a lock file beside it (`<path>.lock`).
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    end: u64,
    trimmed: Option<TrimmedTail>,
    closed: Option<String>,
    reserve: SpaceReserve,
    _lock: FileLock,
}

impl Journal {
    /// Opens the journal at `path` and verifies every record; creates it if there is none.
    ///
    /// # Errors
    /// [`StoreError::Locked`], [`StoreError::Corrupt`] (with the offset; see [`recover`]),
    /// [`StoreError::NewerFormat`], [`StoreError::Io`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        Self::open_reading(path, |_, _| {})
    }

    /// As [`open`](Self::open), and shows `visit` every record that stays, in order, for whoever
    /// keeps account of them: each is read for verification in any case.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_reading(
        path: impl Into<PathBuf>,
        mut visit: impl FnMut(JournalPosition, &[u8]),
    ) -> Result<Self> {
        let path = path.into();
        if let Some(parent) = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            fsync::create_dir_all(parent)?;
        }
        let lock = FileLock::acquire(&lock::beside(&path))?;
        if !path
            .try_exists()
            .map_err(StoreError::io("look for journal", &path))?
        {
            // Only a whole header ever carries the journal's name, so a shorter file is damage.
            let temporary = with_suffix(&path, ".creating");
            fsync::write_whole(&temporary, &path, &frame::file_header(frame::VERSION))?;
        }
        let mut source = JournalFile::open(&path)?;
        source.check_file_header()?;
        let end = verify(&mut source, &mut visit)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(StoreError::io("open journal", &path))?;
        let mut journal = Self {
            reserve: SpaceReserve::keep(&path),
            path,
            file,
            end,
            trimmed: None,
            closed: None,
            _lock: lock,
        };
        if source.len() > end {
            journal.trim(source.len() - end)?;
        }
        Ok(journal)
    }

    /// Appends `records` as one group, with one write and one sync. When it returns they are
    /// durable. Appending nothing does nothing.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if a record or the group is too large. After a failed write (a full disk)
    /// the file is cut back to where it was and stays usable. After a failed sync, or if cutting
    /// back failed, nobody knows what the disk holds: further appends are [`StoreError::Closed`] until
    /// the journal is reopened.
    pub fn append_all<R: AsRef<[u8]>>(&mut self, records: &[R]) -> Result<AppendedGroup> {
        if let Some(reason) = &self.closed {
            return Err(StoreError::Closed {
                path: self.path.clone(),
                reason: reason.clone(),
            });
        }
        let (bytes, at) = encode(self.end, records)?;
        if !bytes.is_empty() {
            self.write(&bytes)?;
            self.end += bytes.len() as u64;
        }
        Ok(AppendedGroup {
            at,
            end: self.position(),
        })
    }

    /// Whether room is set aside for a full disk. Once it is not, what is appended may have been
    /// written into that room, and little more will fit: make durable what is on its way and stop.
    /// The next [`open`](Self::open) sets room aside again, if there is any.
    pub fn has_reserve(&self) -> bool {
        self.reserve.is_kept()
    }

    /// Where the journal ends.
    pub fn position(&self) -> JournalPosition {
        JournalPosition(self.end)
    }

    /// The tail that [`open`](Self::open) found torn, if it did.
    pub fn trimmed(&self) -> Option<&TrimmedTail> {
        self.trimmed.as_ref()
    }

    /// Streams the records from `position` on.
    ///
    /// # Errors
    /// As [`JournalReader::open`].
    pub fn read_from(&self, position: JournalPosition) -> Result<JournalReader> {
        JournalReader::open(&self.path, position)
    }

    /// The record at `position`.
    ///
    /// # Errors
    /// [`StoreError::Position`] if none starts there, [`StoreError::Corrupt`] if it is damaged.
    pub fn read_at(&self, position: JournalPosition) -> Result<Vec<u8>> {
        let mut source = JournalFile::open(&self.path)?;
        let offset = position.offset();
        let header = source.header(offset)?.ok_or_else(|| StoreError::Position {
            path: self.path.clone(),
            position: offset,
            detail: "no valid record starts there".to_owned(),
        })?;
        let payload = source.payload(offset, header)?;
        payload.ok_or_else(|| damaged(source.path(), offset))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let (file, end) = (&self.file, self.end);
        let written = self.reserve.backed(|| {
            let mut file = file;
            file.seek(SeekFrom::Start(end))?;
            file.write_all(bytes)
        });
        if let Err(error) = written {
            let rolled_back = self
                .file
                .set_len(self.end)
                .and_then(|()| self.file.sync_all());
            return Err(match rolled_back {
                Ok(()) => StoreError::io(
                    "append to journal (nothing was appended, it stays usable)",
                    &self.path,
                )(error),
                Err(second) => self.close("append to journal", error, &second.to_string()),
            });
        }
        self.file
            .sync_data()
            .map_err(|error| self.close("sync journal", error, "its last group is in doubt"))
    }

    fn close(&mut self, action: &'static str, error: io::Error, detail: &str) -> StoreError {
        self.closed = Some(format!("{error}; {detail}"));
        StoreError::io(action, &self.path)(error)
    }

    /// Cuts off everything after the end, once it is safe elsewhere.
    fn trim(&mut self, bytes: u64) -> Result<()> {
        let (mut copy, saved_to) = create_unique(&self.path, &format!(".torn-{}", self.end))?;
        self.file
            .seek(SeekFrom::Start(self.end))
            .and_then(|_| io::copy(&mut (&self.file).take(bytes), &mut copy))
            .and_then(|_| copy.sync_all())
            .map_err(StoreError::io("save the torn journal tail to", &saved_to))?;
        fsync::parent(&saved_to)?;
        self.file
            .set_len(self.end)
            .and_then(|()| self.file.sync_all())
            .map_err(StoreError::io("trim journal", &self.path))?;
        self.trimmed = Some(TrimmedTail {
            end: self.position(),
            bytes,
            saved_to,
        });
        Ok(())
    }
}

/// Lays out `records` as one group at `start`.
fn encode<R: AsRef<[u8]>>(start: u64, records: &[R]) -> Result<(Vec<u8>, Vec<JournalPosition>)> {
    let mut total = 0;
    for (index, record) in records.iter().enumerate() {
        let len = record.as_ref().len();
        if len > MAX_RECORD {
            return Err(StoreError::Invalid(format!(
                "record {index} of the group has {len} bytes, the limit is {MAX_RECORD}"
            )));
        }
        total += RECORD_HEADER + len;
    }
    if total > MAX_GROUP {
        return Err(StoreError::Invalid(format!(
            "the group has {total} bytes, the limit is {MAX_GROUP}; split it"
        )));
    }
    let mut bytes = Vec::with_capacity(total);
    let mut at = Vec::with_capacity(records.len());
    for (index, record) in records.iter().enumerate() {
        let payload = record.as_ref();
        let offset = start + bytes.len() as u64;
        let header = FrameHeader {
            len: payload.len() as u32,
            back: bytes.len() as u32,
            left: (records.len() - 1 - index) as u32,
            payload_crc: crc32fast::hash(payload),
        };
        bytes.extend_from_slice(&header.encode(offset));
        bytes.extend_from_slice(payload);
        at.push(JournalPosition(offset));
    }
    Ok((bytes, at))
}

/// Reads the whole journal; returns where its last good group ends.
fn verify(source: &mut JournalFile, visit: &mut impl FnMut(JournalPosition, &[u8])) -> Result<u64> {
    let mut end = FILE_HEADER;
    let mut records = Vec::new();
    while end < source.len() {
        records.clear();
        match verify_group(source, end, &mut records)? {
            RecordGroup::Complete(next) => {
                // Not before: of a torn group nothing stays.
                for (position, payload) in &records {
                    visit(*position, payload);
                }
                end = next;
            }
            RecordGroup::Torn => break,
            RecordGroup::Damaged(offset) => return Err(damaged(source.path(), offset)),
        }
    }
    Ok(end)
}

/// Reads the group at `start` and puts its records in `records`.
fn verify_group(
    source: &mut JournalFile,
    start: u64,
    records: &mut Vec<(JournalPosition, Vec<u8>)>,
) -> Result<RecordGroup> {
    let group = group_end(source, start)?;
    if let RecordGroup::Complete(end) = group {
        let mut at = start;
        while at < end {
            let Some(header) = source.header(at)? else {
                return broken(source, start, at);
            };
            let Some(payload) = source.payload(at, header)? else {
                return broken(source, start, at);
            };
            records.push((JournalPosition(at), payload));
            at = header.next(at);
        }
    }
    Ok(group)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Creates `<path><suffix>`, or the first free `<path><suffix>-N`.
fn create_unique(path: &Path, suffix: &str) -> Result<(File, PathBuf)> {
    let mut candidate = with_suffix(path, suffix);
    let mut serial = 1;
    loop {
        match crate::files::options()
            .write(true)
            .create_new(true)
            .open(&candidate)
        {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                serial += 1;
                candidate = with_suffix(path, &format!("{suffix}-{serial}"));
            }
            result => {
                let file = result.map_err(StoreError::io("create", &candidate))?;
                return Ok((file, candidate));
            }
        }
    }
}
