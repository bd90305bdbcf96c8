//! Files that last: whole or not there, also after a power failure.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use shiftproof_search::event_log::LogError;

/// Replaces the file at `path` whole; durable when it returns.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), LogError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written
        .and_then(|()| fs::rename(&new, path))
        .and_then(|()| sync_folder(path))
        .map_err(|source| LogError::Io {
            path: path.to_owned(),
            source,
        })
}

/// Makes the entries of the folder that `path` is in durable.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    // Elsewhere a folder cannot be opened as a file.
    match path.parent() {
        Some(folder) if cfg!(unix) && !folder.as_os_str().is_empty() => {
            File::open(folder)?.sync_all()
        }
        _ => Ok(()),
    }
}
