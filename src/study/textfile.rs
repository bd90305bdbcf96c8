//! The one reader of text that people write: studies and prompts.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use shiftproof_tasks::files;
use shiftproof_tasks::text::plain;

/// Why a file is no text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnreadableFile {
    /// There is none.
    #[error("{}: {source}", path.display())]
    Missing {
        path: PathBuf,
        source: std::io::Error,
    },
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    /// It is not UTF-8, from this line on (and this byte of the file).
    #[error("{}:{line}: not UTF-8 (byte {byte})", path.display())]
    NotText {
        path: PathBuf,
        line: usize,
        byte: usize,
        source: std::str::Utf8Error,
    },
}

/// The text of a file, without what an editor adds to it: a byte order mark,
/// carriage returns.
pub(crate) fn read(path: &Path) -> Result<String, UnreadableFile> {
    let bytes = files::read(path).map_err(|source| {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::NotFound => UnreadableFile::Missing { path, source },
            _ => UnreadableFile::Io { path, source },
        }
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let byte = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..byte]
            .split(|byte| *byte == b'\n')
            .count();
        UnreadableFile::NotText {
            path: path.to_owned(),
            line,
            byte,
            source: error.utf8_error(),
        }
    })?;
    Ok(plain(&text).into_owned())
}
