//! The bytes of a journal file, format version 1. All integers are little endian.
//!
//! ```text
//! file    = magic[8] version:u32 crc32(magic version):u32 record*
//! record  = header payload
//! header  = marker[4] len:u32 back:u32 left:u32 crc32(payload):u32 crc32(offset:u64 header[..20]):u32
//! ```
//!
//! `len` is the payload's length, `back` the distance in bytes to the first record of the group,
//! `left` how many records of the group follow. The header's checksum covers the record's own
//! offset in the file, so a record quoted inside a payload is never taken for one.

use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::MAX_RECORD;
use crate::error::{Result, StoreError};

pub(super) const VERSION: u32 = 1;
pub(super) const FILE_HEADER: u64 = 16;
pub(super) const RECORD_HEADER: usize = 24;

/// The line ending shows up a transfer that "corrected" line endings.
const MAGIC: [u8; 8] = *b"spjrnl\r\n";
const MARKER: [u8; 4] = [0xf1, b'r', b'e', 0xc9];

/// The first bytes of a journal.
pub(super) fn file_header(version: u32) -> [u8; FILE_HEADER as usize] {
    let mut bytes = [0; FILE_HEADER as usize];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&version.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..12]);
    bytes[12..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// What precedes a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) len: u32,
    pub(super) back: u32,
    pub(super) left: u32,
    pub(super) payload_crc: u32,
}

impl FrameHeader {
    pub(super) fn encode(self, offset: u64) -> [u8; RECORD_HEADER] {
        let mut bytes = [0; RECORD_HEADER];
        bytes[..4].copy_from_slice(&MARKER);
        let fields = [self.len, self.back, self.left, self.payload_crc];
        for (slot, field) in bytes[4..20].chunks_exact_mut(4).zip(fields) {
            slot.copy_from_slice(&field.to_le_bytes());
        }
        let crc = header_crc(offset, &bytes);
        bytes[20..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(offset: u64, bytes: &[u8; RECORD_HEADER]) -> Option<Self> {
        let field = |at: usize| {
            let mut word = [0; 4];
            word.copy_from_slice(&bytes[at..at + 4]);
            u32::from_le_bytes(word)
        };
        let header = Self {
            len: field(4),
            back: field(8),
            left: field(12),
            payload_crc: field(16),
        };
        let valid = bytes[..4] == MARKER
            && field(20) == header_crc(offset, bytes)
            && header.len as usize <= MAX_RECORD
            && u64::from(header.back) + FILE_HEADER <= offset;
        valid.then_some(header)
    }

    /// Where the next record would start.
    pub(super) fn next(self, offset: u64) -> u64 {
        offset + RECORD_HEADER as u64 + u64::from(self.len)
    }

    /// Where the group of the record at `offset` starts.
    pub(super) fn group(self, offset: u64) -> u64 {
        offset - u64::from(self.back)
    }
}

fn header_crc(offset: u64, bytes: &[u8; RECORD_HEADER]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&offset.to_le_bytes());
    hasher.update(&bytes[..20]);
    hasher.finalize()
}

pub(super) fn damaged(path: &Path, offset: u64) -> StoreError {
    StoreError::corrupt(
        path,
        format!("the record at byte {offset} is damaged; journal::recover reads around it"),
    )
}

/// A journal file to read from, at any offset, up to a fixed length.
#[derive(Debug)]
pub(super) struct JournalFile {
    path: PathBuf,
    file: BufReader<File>,
    at: u64,
    len: u64,
}

impl JournalFile {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(StoreError::io("open journal", path))?;
        let len = file
            .metadata()
            .map_err(StoreError::io("inspect journal", path))?
            .len();
        Ok(Self {
            path: path.to_owned(),
            file: BufReader::with_capacity(64 * 1024, file),
            at: 0,
            len,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file's length in bytes when it was opened.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Checks the file's own header.
    pub(super) fn check_file_header(&mut self) -> Result<()> {
        let mut bytes = [0; FILE_HEADER as usize];
        if !self.read(0, &mut bytes)? {
            return Err(StoreError::corrupt(&self.path, "its header is cut off"));
        }
        let mut version = [0; 4];
        version.copy_from_slice(&bytes[8..12]);
        let version = u32::from_le_bytes(version);
        if bytes != file_header(version) {
            return Err(StoreError::corrupt(
                &self.path,
                "its first 16 bytes are not a journal's header",
            ));
        }
        if version > VERSION {
            return Err(StoreError::NewerFormat {
                path: self.path.clone(),
                found: version,
                supported: VERSION,
            });
        }
        Ok(())
    }

    /// The valid record header at `offset` whose payload lies within the file, if there is one.
    pub(super) fn header(&mut self, offset: u64) -> Result<Option<FrameHeader>> {
        let mut bytes = [0; RECORD_HEADER];
        if offset < FILE_HEADER || !self.read(offset, &mut bytes)? {
            return Ok(None);
        }
        Ok(FrameHeader::decode(offset, &bytes).filter(|header| header.next(offset) <= self.len))
    }

    /// The payload behind `header` at `offset`, or `None` if it fails its checksum.
    pub(super) fn payload(&mut self, offset: u64, header: FrameHeader) -> Result<Option<Vec<u8>>> {
        let mut payload = vec![0; header.len as usize];
        let intact = self.read(offset + RECORD_HEADER as u64, &mut payload)?
            && crc32fast::hash(&payload) == header.payload_crc;
        Ok(intact.then_some(payload))
    }

    /// The first offset from `from` on where a valid record header that satisfies `wanted` stands.
    pub(super) fn find(
        &mut self,
        mut from: u64,
        wanted: impl Fn(u64, FrameHeader) -> bool,
    ) -> Result<Option<u64>> {
        let mut chunk = vec![0; 64 * 1024];
        while from + RECORD_HEADER as u64 <= self.len {
            let size = chunk.len().min((self.len - from) as usize);
            if !self.read(from, &mut chunk[..size])? {
                break;
            }
            for (index, window) in chunk[..size].windows(MARKER.len()).enumerate() {
                let offset = from + index as u64;
                if window == MARKER
                    && let Some(header) = self.header(offset)?
                    && wanted(offset, header)
                {
                    return Ok(Some(offset));
                }
            }
            // A marker may straddle two chunks.
            from += (size - (MARKER.len() - 1)) as u64;
        }
        Ok(None)
    }

    /// Fills `buffer` from `offset`; false if the file is too short for that.
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<bool> {
        // Offsets come from outside: subtracting cannot overflow.
        if self.len.saturating_sub(offset) < buffer.len() as u64 {
            return Ok(false);
        }
        let seek = match i64::try_from(i128::from(offset) - i128::from(self.at)) {
            Ok(distance) => self.file.seek_relative(distance),
            Err(_) => self.file.seek(SeekFrom::Start(offset)).map(drop),
        };
        seek.and_then(|()| self.file.read_exact(buffer))
            .map_err(StoreError::io("read journal", &self.path))?;
        self.at = offset + buffer.len() as u64;
        Ok(true)
    }
}
