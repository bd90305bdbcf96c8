//! Files that last: whole or not there, also after a power failure.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
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

/// Adds whole lines to the file that `options` open for appending at `path`, which need
/// not be there; durable when it returns. A file that ends within a line, as a power
/// failure or an editor leaves it, is given that line's end first.
pub(crate) fn append(
    mut options: fs::OpenOptions,
    path: &Path,
    lines: &[u8],
) -> std::io::Result<()> {
    let mut file = options.create(true).read(true).append(true).open(path)?;
    let mut added = Vec::with_capacity(lines.len() + 1);
    if file.metadata()?.len() > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            added.push(b'\n');
        }
    }
    added.extend_from_slice(lines);
    file.write_all(&added)?;
    file.sync_all()?;
    sync_folder(path)
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
