//! The directory around sled: creating it, opening it with suspicion, moving it aside.
//!
//! ```text
//! <dir>/LOCK         who has it open
//! <dir>/COMMITS      the witness: number of the last acknowledged commit
//! <dir>/sled/        sled's own files
//! <dir>/creating-N/  what an interrupted creation left behind; nobody reads it
//! ```

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::meta::StoreMeta;
use super::record;
use crate::contain::contain;
use crate::error::{Result, StoreError};
use crate::lock::FileLock;
use crate::{files, fsync};

/// sled's page cache, in bytes. Its own default is 1 GiB.
const CACHE: u64 = 64 * 1024 * 1024;
/// How long to wait for the threads of an earlier handle to let go of sled's file.
const PATIENCE: Duration = Duration::from_secs(5);

const DATA: &str = "sled";
const LOCK: &str = "LOCK";
const CREATING: &str = "creating-";

pub(super) fn witness_path(dir: &Path) -> PathBuf {
    dir.join("COMMITS")
}

pub(super) fn lock(dir: &Path) -> Result<FileLock> {
    FileLock::acquire(&dir.join(LOCK))
}

/// Opens sled in `dir`, creating the store if the directory is new.
pub(super) fn open(dir: &Path) -> Result<(::sled::Db, File)> {
    let data = dir.join(DATA);
    if !exists(dir)? {
        create(dir, &data)?;
    }
    let db = start(&data)?;
    files::restrict(dir);
    // sled's flush leaves the data in the page cache; syncing takes a handle of our own.
    let file = open_file(&data, "db")?;
    // sled has just written a snapshot and may have renamed files.
    file.sync_all().map_err(StoreError::io("sync", &data))?;
    fsync::dir(&data)?;
    Ok((db, file))
}

fn open_file(data: &Path, name: &str) -> Result<File> {
    let path = data.join(name);
    OpenOptions::new()
        .write(true)
        .open(&path)
        .map_err(StoreError::io("open", &path))
}

/// Makes a new store under another name and gives it its own only when it is complete, so that a
/// store without schema record is always damage, never a creation that was cut short.
fn create(dir: &Path, data: &Path) -> Result<()> {
    let temporary = free_name(dir, CREATING);
    let db = start(&temporary)?;
    let meta = record::encode(record::META, &StoreMeta::default().encode());
    contain(|| db.insert(record::META, meta).and_then(|_| db.flush()))
        .map_err(|panic| StoreError::corrupt(&temporary, panic))?
        .map_err(|error| failure(&temporary, error))?;
    for name in ["db", "conf"] {
        open_file(&temporary, name)?
            .sync_all()
            .map_err(StoreError::io("sync", &temporary))?;
    }
    contain(|| drop(db)).map_err(|panic| StoreError::corrupt(&temporary, panic))?;
    fsync::dir(&temporary)?;
    fs::rename(&temporary, data).map_err(StoreError::io("rename into place", data))?;
    fsync::dir(dir)
}

/// Whether `dir` has a store already; otherwise it must be as good as empty.
pub(super) fn exists(dir: &Path) -> Result<bool> {
    let data = dir.join(DATA);
    if data.is_dir() {
        // sled would make a new, empty one.
        if !data.join("db").is_file() {
            return Err(StoreError::corrupt(dir, "its file sled/db is missing"));
        }
        return Ok(true);
    }
    if witness_path(dir).exists() {
        return Err(StoreError::corrupt(dir, "its directory sled/ is missing"));
    }
    for entry in fs::read_dir(dir).map_err(StoreError::io("list", dir))? {
        let name = entry.map_err(StoreError::io("list", dir))?.file_name();
        let name = name.to_string_lossy();
        if name != LOCK && !name.starts_with(CREATING) {
            return Err(StoreError::NotAStore {
                path: dir.to_owned(),
                found: name.into_owned(),
            });
        }
    }
    Ok(false)
}

/// The first of `<prefix>1`, `<prefix>2`, … in `dir` that does not exist.
fn free_name(dir: &Path, prefix: &str) -> PathBuf {
    let mut serial = 1_u32;
    loop {
        let path = dir.join(format!("{prefix}{serial}"));
        if path.symlink_metadata().is_err() {
            return path;
        }
        serial += 1;
    }
}

fn start(data: &Path) -> Result<::sled::Db> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let config = ::sled::Config::default().path(data).cache_capacity(CACHE);
        match contain(|| config.open()) {
            Ok(Ok(db)) => return Ok(db),
            // We hold the store's own lock, so this is a thread of a handle just dropped.
            Ok(Err(::sled::Error::Io(error)))
                if error.to_string().contains("could not acquire lock")
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok(Err(error)) => return Err(failure(data, error)),
            Err(panic) => {
                return Err(StoreError::corrupt(
                    data,
                    format!("sled cannot open it: {panic}"),
                ));
            }
        }
    }
}

/// Translates sled's error.
pub(super) fn failure(path: &Path, error: ::sled::Error) -> StoreError {
    match error {
        ::sled::Error::Io(source) if source.kind() == std::io::ErrorKind::UnexpectedEof => {
            StoreError::corrupt(path, format!("a file of it is cut off: {source}"))
        }
        ::sled::Error::Io(source) => StoreError::io("access", path)(source),
        other => StoreError::corrupt(path, other.to_string()),
    }
}

/// Moves a corrupt store out of the way, whole, so that a new one can take its place. Returns where
/// it is now: `<dir>.corrupt-N`, with the first free N.
///
/// # Errors
/// [`StoreError::Locked`] if a process has it open, [`StoreError::NotAStore`] if something else is there,
/// [`StoreError::Io`] if it cannot be renamed.
pub fn quarantine(dir: impl AsRef<Path>) -> Result<PathBuf> {
    let dir = dir.as_ref();
    if let Err(error @ (StoreError::NotAStore { .. } | StoreError::Io { .. })) = exists(dir) {
        return Err(error);
    }
    let held = lock(dir)?;
    if cfg!(windows) {
        // There a directory with an open file in it cannot be renamed.
        drop(held);
    }
    let name = dir.file_name().map_or_else(
        || "store".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    );
    let parent = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let aside = free_name(parent, &format!("{name}.corrupt-"));
    fs::rename(dir, &aside).map_err(StoreError::io("move aside", dir))?;
    fsync::dir(parent)?;
    Ok(aside)
}
