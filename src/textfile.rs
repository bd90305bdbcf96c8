//! The one reader of text that people write: studies and prompts.

use std::io::ErrorKind;
use std::path::Path;

use shiftproof_tasks::text::plain;

/// Why a file is no text.
pub(crate) enum UnreadableFile {
    /// There is none.
    Missing(std::io::Error),
    /// It cannot be read.
    Io(std::io::Error),
    /// It is not UTF-8, from this line on (and this byte of the file).
    NotText { line: usize, byte: usize },
}

impl UnreadableFile {
    /// In words, after the file's name.
    pub fn message(&self, path: &Path) -> String {
        match self {
            Self::Missing(error) | Self::Io(error) => format!("{}: {error}", path.display()),
            Self::NotText { line, byte } => {
                format!("{}:{line}: not UTF-8 (byte {byte})", path.display())
            }
        }
    }
}

/// The text of a file, without what an editor adds to it: a byte order mark,
/// carriage returns.
pub(crate) fn read(path: &Path) -> Result<String, UnreadableFile> {
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => UnreadableFile::Missing(error),
        _ => UnreadableFile::Io(error),
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let byte = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..byte]
            .split(|byte| *byte == b'\n')
            .count();
        UnreadableFile::NotText { line, byte }
    })?;
    Ok(plain(&text).into_owned())
}
