//! The event log of a run: one JSON object a line, in the run's own folder, so
//! that another process can follow it without opening the store.
//!
//! Every line ends with a checksum of what is before it, so that a damaged line is
//! an error and never another score; lines of versions without it have none.
//!
//! On resume the run is executed again from its stored replies. Each event it
//! then tells must equal the one in the log: the first that differs means that
//! the study, the data or the program is not the one that began the run.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use shiftproof_store::files;
use thiserror::Error;

use crate::event::{AnswerDetail, Event, ProgressTick, RunObserver};

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// Position in the run, from 0.
    pub seq: u64,
    /// Milliseconds since the Unix epoch at which it was first told.
    pub at_ms: u64,
    /// The event.
    pub event: Event,
}

/// Why the log cannot go on.
#[derive(Debug, Error)]
pub enum LogError {
    /// The file system refused.
    #[error("cannot use the event log {path}: {source}")]
    Io {
        /// The log file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is not an event.
    #[error("{path}:{line}: not an event of this version ({reason})")]
    Malformed {
        /// The log file.
        path: PathBuf,
        /// Line number, from 1.
        line: u64,
        /// What the parser said.
        reason: String,
    },
    /// A line is not as it was written.
    #[error("{path}:{line}: the line is damaged ({reason})")]
    Damaged {
        /// The log file.
        path: PathBuf,
        /// Line number, from 1.
        line: u64,
        /// How that is known.
        reason: String,
    },
    /// A resumed run took another course than the one it continues.
    #[error(
        "the run takes another course than the one in its log (event {seq}): the study, its data or \
         the program changed since it began; start a new run"
    )]
    Diverged {
        /// Position of the first event that differs.
        seq: u64,
    },
}

/// Reads all complete lines of a log; a torn last line is left out.
pub fn read(path: &Path) -> Result<Vec<LogLine>, LogError> {
    let io = |source| LogError::Io {
        path: path.to_owned(),
        source,
    };
    let mut reader = BufReader::new(File::open(path).map_err(io)?);
    let mut lines = Vec::new();
    let (mut text, mut checked) = (Vec::new(), false);
    loop {
        text.clear();
        reader.read_until(b'\n', &mut text).map_err(io)?;
        if text.pop() != Some(b'\n') {
            return Ok(lines);
        }
        let number = lines.len() as u64;
        let line = parse(&text, number, &mut checked).map_err(|fault| fault.at(path, number))?;
        lines.push(line);
    }
}

/// Whether a line, without its line break, is as it was written; `checked`: a line
/// before it had a checksum, so this one must have one.
pub fn is_intact(text: &[u8], checked: &mut bool) -> bool {
    verify(text, checked).is_ok()
}

fn verify(text: &[u8], checked: &mut bool) -> Result<(), &'static str> {
    match split_sum(text) {
        Some((told, sum)) if sum == line_sum(told).as_bytes() => {
            *checked = true;
            Ok(())
        }
        Some(_) => Err("its checksum does not match"),
        None if *checked => Err("its checksum is missing"),
        None => Ok(()),
    }
}

/// What is wrong with a line.
enum LineFault {
    Malformed(String),
    Damaged(String),
}

impl LineFault {
    fn at(self, path: &Path, number: u64) -> LogError {
        let (path, line) = (path.to_owned(), number + 1);
        match self {
            Self::Malformed(reason) => LogError::Malformed { path, line, reason },
            Self::Damaged(reason) => LogError::Damaged { path, line, reason },
        }
    }
}

/// Reads line `number`, from 0; `checked`: a line before it had a checksum.
fn parse(text: &[u8], number: u64, checked: &mut bool) -> Result<LogLine, LineFault> {
    verify(text, checked).map_err(|reason| LineFault::Damaged(reason.to_owned()))?;
    let line: LogLine =
        serde_json::from_slice(text).map_err(|error| LineFault::Malformed(error.to_string()))?;
    if line.seq != number {
        return Err(LineFault::Damaged(format!(
            "it is event {}, and event {number} is expected",
            line.seq
        )));
    }
    Ok(line)
}

const SUM: &[u8] = b",\"sum\":\"";
const SUM_DIGITS: usize = 16;

/// A line apart from its checksum: `…,"sum":"0123456789abcdef"}`.
fn split_sum(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = text.strip_suffix(b"\"}")?;
    let (told, sum) = rest.split_at_checked(rest.len().checked_sub(SUM_DIGITS)?)?;
    Some((told.strip_suffix(SUM)?, sum))
}

/// A JSON object on one line with a checksum of what is before it as its last field.
pub fn summed(mut object: Vec<u8>) -> Vec<u8> {
    object.pop();
    let sum = line_sum(&object);
    object.extend_from_slice(SUM);
    object.extend_from_slice(sum.as_bytes());
    object.extend_from_slice(b"\"}");
    object
}

fn line_sum(told: &[u8]) -> String {
    blake3::hash(told).to_hex()[..SUM_DIGITS].to_owned()
}

/// Tells events to the log and to observers, in one order.
pub struct EventLog {
    log: Option<(PathBuf, File)>,
    /// Events of the log that are yet to be told again.
    before: VecDeque<Event>,
    emitted: Vec<Event>,
    observers: Vec<Box<dyn RunObserver>>,
}

impl EventLog {
    /// An event log without a file, for dry runs and tests.
    pub fn unlogged(observers: Vec<Box<dyn RunObserver>>) -> Self {
        Self {
            log: None,
            before: VecDeque::new(),
            emitted: Vec::new(),
            observers,
        }
    }

    /// An event log that appends to the file at `path`, checking against what is there.
    pub fn logged(path: &Path, observers: Vec<Box<dyn RunObserver>>) -> Result<Self, LogError> {
        let io = |source| LogError::Io {
            path: path.to_owned(),
            source,
        };
        let before: Vec<LogLine> = if path.exists() {
            read(path)?
        } else {
            Vec::new()
        };
        let file = files::options()
            .create(true)
            .append(true)
            .open(path)
            .map_err(io)?;
        // A torn last line is cut off before anything is appended to it.
        let whole: u64 = complete_bytes(path).map_err(io)?;
        file.set_len(whole).map_err(io)?;
        Ok(Self {
            log: Some((path.to_owned(), file)),
            before: before.into_iter().map(|line| line.event).collect(),
            emitted: Vec::new(),
            observers,
        })
    }

    /// Tells a durable event.
    pub fn emit(&mut self, event: &Event) -> Result<(), LogError> {
        let seq = self.emitted.len() as u64;
        let replayed = match self.before.pop_front() {
            Some(before) if before == *event => true,
            Some(_) => return Err(LogError::Diverged { seq }),
            None => {
                self.append(seq, event)?;
                false
            }
        };
        for observer in &mut self.observers {
            observer.event(event, replayed);
        }
        self.emitted.push(event.clone());
        Ok(())
    }

    /// Everything told so far.
    pub fn emitted(&self) -> &[Event] {
        &self.emitted
    }

    /// Tells a sign of life.
    pub fn tick(&mut self, tick: &ProgressTick) {
        for observer in &mut self.observers {
            observer.tick(tick);
        }
    }

    /// Tells observers more of an answer than its event holds.
    pub(crate) fn detail(&mut self, detail: &AnswerDetail) {
        for observer in &mut self.observers {
            observer.detail(detail);
        }
    }

    /// Makes everything told so far durable.
    pub fn sync(&self) -> Result<(), LogError> {
        let Some((path, file)) = &self.log else {
            return Ok(());
        };
        file.sync_all().map_err(|source| LogError::Io {
            path: path.clone(),
            source,
        })
    }

    fn append(&mut self, seq: u64, event: &Event) -> Result<(), LogError> {
        let Some((path, file)) = &mut self.log else {
            return Ok(());
        };
        let at_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_millis() as u64);
        let io = |source: std::io::Error| LogError::Io {
            path: path.clone(),
            source,
        };
        let line = serde_json::to_vec(&BorrowedLine { seq, at_ms, event })
            .map_err(|error| io(error.into()))?;
        let mut line = summed(line);
        line.push(b'\n');
        file.write_all(&line).map_err(io)
    }
}

/// A [`LogLine`] on its way to the file.
#[derive(Serialize)]
struct BorrowedLine<'a> {
    seq: u64,
    at_ms: u64,
    event: &'a Event,
}

/// Length of the file up to its last line break.
fn complete_bytes(path: &Path) -> std::io::Result<u64> {
    let mut reader = BufReader::new(File::open(path)?);
    let (mut whole, mut line) = (0, Vec::new());
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok(whole);
        }
        whole += read as u64;
    }
}

#[cfg(test)]
mod tests;
