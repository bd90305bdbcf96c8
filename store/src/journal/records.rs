//! Reading single records while others are appended.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::JournalPosition;
use super::frame::{self, FrameHeader, JournalFile, RECORD_HEADER};
use crate::error::{Result, StoreError};

/// Bytes read at once: most records are no longer, and are there after one read.
const FIRST: usize = 512;

/// Reads single records of a journal by their positions, from several threads at once and while
/// the journal grows. The file stays open, and no position is shared.
#[derive(Debug)]
pub struct RecordReader {
    path: PathBuf,
    file: File,
}

impl RecordReader {
    /// Opens the journal at `path`. It needs no lock.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] and [`StoreError::NewerFormat`] by the file's header,
    /// [`StoreError::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        JournalFile::open(path)?.check_file_header()?;
        Ok(Self {
            path: path.to_owned(),
            file: File::open(path).map_err(StoreError::io("open journal", path))?,
        })
    }

    /// The payload of the record at `position`, verified.
    ///
    /// # Errors
    /// [`StoreError::Position`] if no record starts there, [`StoreError::Corrupt`] if it is
    /// damaged, [`StoreError::Io`].
    pub fn read(&self, position: JournalPosition) -> Result<Vec<u8>> {
        let offset = position.offset();
        let mut first = [0; FIRST];
        let found = self.fill(offset, &mut first)?;
        let header = first[..found]
            .first_chunk::<RECORD_HEADER>()
            .and_then(|bytes| FrameHeader::decode(offset, bytes))
            .ok_or_else(|| StoreError::Position {
                path: self.path.clone(),
                position: offset,
                detail: "no valid record starts there".to_owned(),
            })?;
        let length = header.len as usize;
        let here = &first[RECORD_HEADER..found.min(RECORD_HEADER + length)];
        let mut payload = Vec::with_capacity(length);
        payload.extend_from_slice(here);
        if payload.len() < length {
            let read = payload.len();
            payload.resize(length, 0);
            let rest = offset + (RECORD_HEADER + read) as u64;
            let found = self.fill(rest, &mut payload[read..])?;
            payload.truncate(read + found);
        }
        if payload.len() < length || crc32fast::hash(&payload) != header.payload_crc {
            return Err(frame::damaged(&self.path, offset));
        }
        Ok(payload)
    }

    /// Fills `buffer` from `offset`, as far as the file reaches; returns how far.
    fn fill(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        // No file reaches as far as a signed offset, and the system refuses to look there.
        let beyond = i64::MAX.unsigned_abs().saturating_sub(buffer.len() as u64);
        if offset >= beyond {
            return Ok(0);
        }
        let mut filled = 0;
        while filled < buffer.len() {
            match read_at(&self.file, offset + filled as u64, &mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(StoreError::io("read journal", &self.path)(error)),
            }
        }
        Ok(filled)
    }
}

#[cfg(unix)]
fn read_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

/// The cursor moves with it, and nobody uses the cursor.
#[cfg(windows)]
fn read_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Journal;

    #[test]
    fn records_are_read_while_the_journal_grows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        let mut journal = Journal::open(&path).unwrap();
        let lengths = [
            0,
            1,
            FIRST - RECORD_HEADER,
            FIRST - RECORD_HEADER + 1,
            70_000,
        ];
        let payload = |length: usize| vec![length as u8; length];
        let payloads = lengths.map(payload);
        let first = journal.append_all(&payloads).unwrap();
        let records = RecordReader::open(&path).unwrap();
        let second = journal.append_all(&payloads).unwrap();
        let at = first.at.iter().chain(&second.at);
        for (position, payload) in at.zip(payloads.iter().chain(&payloads)) {
            assert_eq!(records.read(*position).unwrap(), *payload);
        }
        for wrong in [0, 17, second.end.offset(), u64::MAX / 2] {
            let told = records.read(JournalPosition::from_offset(wrong));
            assert!(matches!(told, Err(StoreError::Position { .. })), "{told:?}");
        }
    }

    #[test]
    fn damage_is_no_record() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        let mut journal = Journal::open(&path).unwrap();
        let at = journal
            .append_all(&["short", &"long ".repeat(500)])
            .unwrap()
            .at;
        let whole = std::fs::read(&path).unwrap();
        let records = RecordReader::open(&path).unwrap();
        for (position, inside) in [(at[0], RECORD_HEADER + 2), (at[1], RECORD_HEADER + 1_000)] {
            let mut bytes = whole.clone();
            bytes[position.offset() as usize + inside] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            let told = records.read(position);
            assert!(matches!(told, Err(StoreError::Corrupt { .. })), "{told:?}");
        }
        // Cut off in the middle of a payload.
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let told = records.read(at[1]);
        assert!(matches!(told, Err(StoreError::Corrupt { .. })), "{told:?}");
    }

    #[test]
    fn records_are_shown_on_opening_but_not_a_torn_group() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        let mut journal = Journal::open(&path).unwrap();
        let mut at = journal.append_all(&["a", "b"]).unwrap().at;
        at.extend(journal.append_all(&["c"]).unwrap().at);
        journal.append_all(&["torn", "off"]).unwrap();
        drop(journal);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let mut shown = Vec::new();
        let journal = Journal::open_reading(&path, |position, payload| {
            shown.push((position, payload.to_vec()));
        })
        .unwrap();
        assert!(journal.trimmed().is_some());
        let expected = ["a", "b", "c"].map(|payload| payload.as_bytes().to_vec());
        assert_eq!(shown, at.into_iter().zip(expected).collect::<Vec<_>>());
    }
}
