//! Room that is kept for a disk that runs full.
//!
//! A reply that arrives when the disk is full was paid for and cannot be refused. A
//! file of no use is therefore kept beside the journal; on a full disk it makes way for
//! what is on its way, and whoever writes learns that it is time to stop.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::error::is_full;
use crate::files;

/// Bytes kept: the answers of a few hundred calls in flight, with their log-probabilities.
pub(super) const RESERVE: u64 = 1024 * 1024;

/// The file that is kept.
#[derive(Debug)]
pub(super) struct SpaceReserve {
    path: PathBuf,
    is_kept: bool,
}

impl SpaceReserve {
    /// Keeps room beside the journal at `journal`; [`is_kept`](Self::is_kept) tells whether there
    /// was any.
    pub(super) fn keep(journal: &Path) -> Self {
        let path = super::with_suffix(journal, ".reserve");
        let there = fs::metadata(&path).is_ok_and(|about| about.len() == RESERVE);
        let is_kept = there || write(&path).is_ok();
        if !is_kept {
            let _ = fs::remove_file(&path);
        }
        Self { path, is_kept }
    }

    /// Whether there is room.
    pub(super) const fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Writes by `write`, which may be tried twice: where the disk is full, once more after the
    /// room was given up.
    pub(super) fn backed<T>(&mut self, mut write: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        match write() {
            Err(error) if is_full(&error) && self.is_kept => {
                self.is_kept = false;
                fs::remove_file(&self.path)?;
                write()
            }
            written => written,
        }
    }
}

/// Numbers without a pattern: a file system may store zeros, or what repeats, in no room at all.
fn write(path: &Path) -> io::Result<()> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let bytes: Vec<u8> = (0..RESERVE / 8)
        .flat_map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        })
        .collect();
    let mut file = files::create(path)?;
    file.write_all(&bytes)?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> io::Error {
        io::ErrorKind::StorageFull.into()
    }

    #[test]
    fn room_serves_once() {
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join("j");
        let mut reserve = SpaceReserve::keep(&journal);
        let kept = dir.path().join("j.reserve");
        assert!(reserve.is_kept());
        assert_eq!(fs::metadata(&kept).unwrap().len(), RESERVE);
        // What room cannot help is tried once.
        let mut tries = 0;
        let denied = reserve.backed(|| {
            tries += 1;
            Err::<(), _>(io::ErrorKind::PermissionDenied.into())
        });
        assert_eq!((denied.is_err(), tries, kept.exists()), (true, 1, true));
        let mut tries = 0;
        let written = reserve.backed(|| {
            tries += 1;
            if kept.exists() { Err(full()) } else { Ok(()) }
        });
        assert_eq!((written.is_ok(), tries), (true, 2));
        assert!(!reserve.is_kept());
        let mut tries = 0;
        let refused = reserve.backed(|| {
            tries += 1;
            Err::<(), _>(full())
        });
        assert_eq!((refused.is_err(), tries), (true, 1));
        // Whoever opens it when there is room again has it again.
        assert!(SpaceReserve::keep(&journal).is_kept());
        assert!(kept.exists());
    }
}
