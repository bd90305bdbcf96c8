//! What the store knows about its own content: the evidence that nothing is missing.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use crate::error::{Result, StoreError};

/// The format version this code writes.
pub(super) const FORMAT: u32 = 1;

/// Committed with every batch, in the same sled batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StoreMeta {
    /// Batches committed so far.
    pub(super) commits: u64,
    pub(super) content: ContentSummary,
}

/// A summary of all records that does not depend on their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ContentSummary {
    /// How many there are.
    pub(super) count: u64,
    /// The wrapping sum of their hashes.
    digest: u64,
}

impl ContentSummary {
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.count = self.count.wrapping_add(1);
        self.digest = self.digest.wrapping_add(hash(key, value));
    }

    pub(super) fn remove(&mut self, key: &[u8], value: &[u8]) {
        self.count = self.count.wrapping_sub(1);
        self.digest = self.digest.wrapping_sub(hash(key, value));
    }
}

fn hash(key: &[u8], value: &[u8]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(key.len() as u64).to_le_bytes());
    hasher.update(key);
    hasher.update(value);
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

impl StoreMeta {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut bytes = FORMAT.to_le_bytes().to_vec();
        for field in [self.commits, self.content.count, self.content.digest] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        bytes
    }

    pub(super) fn decode(dir: &Path, bytes: &[u8]) -> Result<Self> {
        let Some((format, fields)) = bytes.split_first_chunk::<4>() else {
            return Err(StoreError::corrupt(dir, "its schema record is cut off"));
        };
        let format = u32::from_le_bytes(*format);
        if format > FORMAT {
            return Err(newer(dir, format));
        }
        let [commits, count, digest] = *fields.as_chunks::<8>().0 else {
            return Err(StoreError::corrupt(
                dir,
                "its schema record has the wrong size",
            ));
        };
        Ok(Self {
            commits: u64::from_le_bytes(commits),
            content: ContentSummary {
                count: u64::from_le_bytes(count),
                digest: u64::from_le_bytes(digest),
            },
        })
    }
}

pub(super) fn newer(dir: &Path, found: u32) -> StoreError {
    StoreError::NewerFormat {
        path: dir.to_owned(),
        found,
        supported: FORMAT,
    }
}

/// A small file outside sled that holds the number of the last acknowledged commit.
///
/// If sled's log loses its tail, sled opens a consistent but older store; its own records cannot
/// tell. The witness can. It is written after the commit is durable and not synced itself, so it
/// is never ahead of the truth and costs no second sync; after a power failure it may lag, and
/// then proves less.
#[derive(Debug)]
pub(super) struct CommitWitness {
    file: File,
}

impl CommitWitness {
    /// Opens the witness and reads what it says, `None` if it is missing or unreadable.
    pub(super) fn open(path: &Path) -> Result<(Self, Option<u64>)> {
        let mut file = crate::files::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(StoreError::io("open", path))?;
        let mut bytes = [0; 12];
        let said = file.read_exact(&mut bytes).is_ok().then(|| {
            let (commits, crc) = bytes.split_at(8);
            (crc32fast::hash(commits).to_le_bytes() == *crc).then(|| {
                let mut number = [0; 8];
                number.copy_from_slice(commits);
                u64::from_le_bytes(number)
            })
        });
        Ok((Self { file }, said.flatten()))
    }

    pub(super) fn write(&mut self, commits: u64) -> std::io::Result<()> {
        let mut bytes = commits.to_le_bytes().to_vec();
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&bytes)
    }
}
