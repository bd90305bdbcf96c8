//! Making names and contents survive a power failure.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use crate::error::{Result, StoreError};

/// Makes the entries of `dir` durable: files created, renamed or removed in it.
pub(crate) fn dir(dir: &Path) -> Result<()> {
    // Elsewhere a directory cannot be opened as a file, and its entries are journalled by the
    // file system.
    if cfg!(unix) {
        File::open(dir)
            .and_then(|dir| dir.sync_all())
            .map_err(StoreError::io("sync directory", dir))?;
    }
    Ok(())
}

/// Makes the entry of `path` in its parent directory durable.
pub(crate) fn parent(path: &Path) -> Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => dir(parent),
        _ => dir(Path::new(".")),
    }
}

/// Creates the folder `path` with its missing parents, all of them durable and for their owner
/// alone.
pub fn create_dir_all(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
        create_dir_all(above)?;
    }
    match crate::files::create_dir(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(StoreError::io("create directory", path)(error))
        }
        _ => parent(path),
    }
}

/// Writes `bytes` to `temporary`, then renames it to `path`: a reader, or a restart after a crash,
/// finds the whole file or none.
pub(crate) fn write_whole(temporary: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    crate::files::create(temporary)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .map_err(StoreError::io("write", temporary))?;
    fs::rename(temporary, path).map_err(StoreError::io("rename into place", path))?;
    parent(path)
}
