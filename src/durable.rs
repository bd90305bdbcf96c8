//! Files that last: whole or not there, also after a power failure.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use shiftproof_search::event_log::LogError;
use shiftproof_store::files;

/// Replaces the file at `path` whole, for its owner to read; durable when it returns.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), LogError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let written = files::create(&new).and_then(|mut file| {
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
pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    // Elsewhere a folder cannot be opened as a file.
    match path.parent() {
        Some(folder) if cfg!(unix) && !folder.as_os_str().is_empty() => {
            fs::File::open(folder)?.sync_all()
        }
        _ => Ok(()),
    }
}
