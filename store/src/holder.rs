//! A name for whoever came first.

use std::fmt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use serde::{Deserialize, Serialize};

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
    /// This process, as it is told to others.
    pub(crate) fn this_process() -> Self {
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
}
