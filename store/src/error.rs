//! The one error type of the crate.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use crate::holder::LockHolder;

/// A result of this crate.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why the store could not do what was asked. Messages read as the rest of "failed to …: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused: full disk, missing permission, unreadable medium.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb phrase.
        action: &'static str,
        /// The file or directory concerned.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file or directory is not what this crate wrote there.
    #[error("{} is corrupt: {detail}", path.display())]
    Corrupt {
        /// The file or directory concerned.
        path: PathBuf,
        /// What is wrong, with the byte offset where there is one.
        detail: String,
    },
    /// The directory holds something else than a store, so it was left alone.
    #[error("{} holds {found} but no store; name a new or empty directory", path.display())]
    NotAStore {
        /// The directory.
        path: PathBuf,
        /// What is in it, for one.
        found: String,
    },
    /// One record fails its checksum.
    #[error("record {key} in {} is corrupt: {detail}", path.display())]
    CorruptRecord {
        /// The store's directory.
        path: PathBuf,
        /// The key, non-printable bytes as `\xNN`.
        key: String,
        /// What is wrong.
        detail: String,
    },
    /// The data was written by a newer version of this program.
    #[error(
        "{} has format version {found}, this program reads up to {supported}; use a newer release",
        path.display()
    )]
    NewerFormat {
        /// The file or directory concerned.
        path: PathBuf,
        /// The version found.
        found: u32,
        /// The newest version this code reads.
        supported: u32,
    },
    /// Another process (or another handle in this one) has it open.
    #[error(
        "{} is in use by {}; wait until it ends, or stop it",
        path.display(),
        holder.as_ref().map_or_else(|| "another process".to_owned(), ToString::to_string)
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Who holds it, where the lock file says so.
        holder: Option<LockHolder>,
    },
    /// An earlier failure left the handle in a state that cannot be trusted.
    #[error("{} was closed by an earlier failure ({reason}); reopen it", path.display())]
    Closed {
        /// The store's directory or file.
        path: PathBuf,
        /// The failure that closed it.
        reason: String,
    },
    /// The caller handed over something too large, empty or malformed. Nothing was written.
    #[error("{0}")]
    Invalid(String),
    /// A database could not do it: out of reach, not ours, or it refused.
    #[error("the database {address}: {detail}")]
    Database {
        /// Its address, without a password.
        address: String,
        /// What is wrong, and how to mend it where that is known.
        detail: String,
    },
    /// A journal position that no record starts at.
    #[error("{} has no record at position {position}: {detail}", path.display())]
    Position {
        /// The journal file.
        path: PathBuf,
        /// The byte offset asked for.
        position: u64,
        /// What is there instead.
        detail: String,
    },
}

impl StoreError {
    /// Builds the adapter from an I/O error to [`StoreError::Io`].
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    /// Builds [`StoreError::Corrupt`].
    pub(crate) fn corrupt(path: &Path, detail: impl Into<String>) -> Self {
        Self::Corrupt {
            path: path.to_owned(),
            detail: detail.into(),
        }
    }

    /// Whether no room on the disk, or none left to this user, is why it failed.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_full(source))
    }

    /// Whether stored data is damaged, as opposed to out of reach or out of limits. The remedy is
    /// then [`quarantine`](crate::quarantine) or [`journal::recover`](crate::journal::recover).
    pub fn is_corruption(&self) -> bool {
        matches!(self, Self::Corrupt { .. } | Self::CorruptRecord { .. })
    }
}

/// Whether no room is why it failed.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// A key as people can read it: printable ASCII as it is, any other byte as `\xNN`.
pub fn readable(key: &[u8]) -> String {
    let mut out = String::with_capacity(key.len());
    for &byte in key {
        if byte.is_ascii_graphic() && byte != b'\\' {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}
