//! Files that a study names: regular ones, opened without waiting for anybody.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

/// The longest text file that people write, in bytes: a study, a prompt, prices.
const MOST_TEXT: u64 = 64 << 20;

/// Opens a file to read.
///
/// # Errors
/// Of kind [`ErrorKind::InvalidInput`] where it is a folder, a pipe or a device: a pipe
/// would be waited for, and a device may never end.
pub fn open(path: &Path) -> io::Result<File> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_file() {
        return File::open(path);
    }
    let what = if kind.is_dir() {
        "it is a folder, not a file"
    } else {
        "it is a pipe or a device, not a regular file; write its content to a file first"
    };
    Err(io::Error::new(ErrorKind::InvalidInput, what))
}

/// The bytes of a file that a person wrote.
///
/// # Errors
/// As [`open`]; of kind [`ErrorKind::FileTooLarge`] where nobody can have written it.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(MOST_TEXT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_TEXT {
        let what = format!("it is longer than {} MiB", MOST_TEXT >> 20);
        return Err(io::Error::new(ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

/// The same as text.
///
/// # Errors
/// As [`read`]; of kind [`ErrorKind::InvalidData`] where it is not UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        io::Error::new(ErrorKind::InvalidData, format!("not UTF-8 (byte {at})"))
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.txt");
        std::fs::write(&file, "text").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        assert_eq!(read_to_string(&file).unwrap(), "text");
        for (path, word) in [
            (folder.path(), "folder"),
            (Path::new("/dev/zero"), "device"),
            (&link, "device"),
        ] {
            let error = read(path).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
        std::fs::write(&file, b"ab\xff").unwrap();
        assert!(
            read_to_string(&file)
                .unwrap_err()
                .to_string()
                .contains("byte 2")
        );
    }
}
