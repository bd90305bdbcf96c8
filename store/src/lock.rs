//! One process at a time, and a name for whoever came first.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};

/// Who holds a lock, as they wrote it into the lock file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    /// Process id.
    pub pid: u32,
    /// Program name and subcommand. Never the whole command line: arguments may be secret.
    pub command: String,
    /// When the lock was taken, in seconds since 1970-01-01 UTC.
    pub started: u64,
}

impl LockHolder {
    fn this_process() -> Self {
        let mut args = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned());
        let program = args.next().unwrap_or_default();
        let mut command = Path::new(&program)
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let is_word = |arg: &String| {
            arg.len() <= 32 && arg.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        };
        if let Some(subcommand) = args
            .next()
            .filter(|arg| !arg.starts_with('-'))
            .filter(is_word)
        {
            command.push(' ');
            command.push_str(&subcommand);
        }
        Self {
            pid: std::process::id(),
            command,
            started: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
        }
    }
}

impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let started = i64::try_from(self.started).ok();
        let started = started.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        write!(f, "process {} ({})", self.pid, self.command)?;
        // A lock file may say anything.
        started.map_or(Ok(()), |started| {
            write!(f, " since {}", started.format("%F %T UTC"))
        })
    }
}

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
        let mut file = OpenOptions::new()
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
    fn holders_tell_since_when() {
        let told = |started| {
            let holder = LockHolder {
                pid: 7,
                command: "shiftproof optimize".into(),
                started,
            };
            holder.to_string()
        };
        let who = "process 7 (shiftproof optimize)";
        let since = format!("{who} since 2024-02-29 00:00:09 UTC");
        assert_eq!(told(1_709_164_809), since);
        assert_eq!(told(u64::MAX), who);
    }

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
