//! A name for whoever came first.

use std::fmt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

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
        let (date, time) = (civil(self.started / 86_400), self.started % 86_400);
        write!(
            f,
            "process {} ({}) since {date} {:02}:{:02}:{:02} UTC",
            self.pid,
            self.command,
            time / 3600,
            time / 60 % 60,
            time % 60
        )
    }
}

/// The Gregorian date of a day counted from 1970-01-01, as `YYYY-MM-DD`.
fn civil(mut day: u64) -> String {
    let leap = |year: u64| {
        (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400)
    };
    // 400 years repeat exactly; whole cycles first keeps the loop short for any input.
    let mut year = 1970 + day / 146_097 * 400;
    day %= 146_097;
    while day >= 365 + u64::from(leap(year)) {
        day -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < days {
            break;
        }
        day -= days;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_gregorian() {
        for (seconds, expected) in [
            (0_u64, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_709_164_800, "2024-02-29"),
            (1_735_603_200, "2024-12-31"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(civil(seconds / 86_400), expected);
        }
    }
}
