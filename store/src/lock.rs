//! One process at a time.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{Result, StoreError};
use crate::holder::LockHolder;

/// An exclusive lock, held until dropped or until the process ends, however it ends.
///
/// The operating system's lock decides; what the file says only serves the error message, so a
/// stale text does no harm.
#[derive(Debug)]
pub(crate) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock at `path`, creating the file if needed.
    pub(crate) fn acquire(path: &Path) -> Result<Self> {
        let mut file = crate::files::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(StoreError::io("open lock file", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked {
                    path: path.to_owned(),
                    holder: read_holder(&mut file),
                });
            }
            Err(TryLockError::Error(error)) => return Err(StoreError::io("lock", path)(error)),
        }
        // The text is a courtesy: on a full disk the lock must still be had.
        let _ = write_holder(&mut file);
        Ok(Self { _file: file })
    }
}

/// The path of the lock that guards the file at `path`.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn read_holder(file: &mut File) -> Option<LockHolder> {
    let mut text = String::new();
    file.take(4096).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write_holder(file: &mut File) -> std::io::Result<()> {
    let text = serde_json::to_vec(&LockHolder::this_process())?;
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_handle_learns_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("LOCK");
        let held = FileLock::acquire(&path).unwrap();
        let Err(StoreError::Locked { holder, .. }) = FileLock::acquire(&path) else {
            panic!("two locks at once");
        };
        assert_eq!(holder.unwrap().pid, std::process::id());
        drop(held);
        FileLock::acquire(&path).unwrap();
    }

    #[test]
    fn stale_text_does_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("LOCK");
        std::fs::write(&path, "{\"pid\": 1, not json").unwrap();
        let _held = FileLock::acquire(&path).unwrap();
    }
}
