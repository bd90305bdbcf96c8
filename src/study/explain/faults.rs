//! All that is wrong with a text, told in the order of its lines.

use std::path::Path;

use crate::exit::Failure;

/// Faults that are told at once: a file that is no study at all has no end of them.
const MOST: usize = 12;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Its line, from 1; none where it is the file's.
    pub line: Option<usize>,
    /// What it is.
    pub told: String,
    /// Of a key that there is not: those that there are in its table.
    pub known: Option<Vec<String>>,
}

/// What is wrong with a text.
#[derive(Debug)]
pub(crate) struct Faults {
    path: String,
    found: Vec<Fault>,
    cause: Option<Box<toml::de::Error>>,
}

impl Faults {
    /// None yet; `path` is for messages, `cause` what the first of them comes from.
    pub(super) fn new(path: &Path, cause: Option<toml::de::Error>) -> Self {
        Self {
            path: path.display().to_string(),
            found: Vec::new(),
            cause: cause.map(Box::new),
        }
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(super) fn push(&mut self, fault: Fault) {
        self.found.push(fault);
    }

    /// These and those that `other` has.
    pub(crate) fn join(&mut self, other: Self) {
        self.found.extend(other.found);
        self.cause = self.cause.take().or(other.cause);
    }

    /// Those alone that are keys which there are not.
    pub(crate) fn unknown_keys(mut self) -> Self {
        self.found.retain(|fault| fault.known.is_some());
        self
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        let Faults {
            path,
            mut found,
            cause,
        } = faults;
        found.sort_by_key(|fault| fault.line);
        found.dedup();
        let left = found.len().saturating_sub(MOST);
        found.truncate(MOST);
        let mut lines = Vec::new();
        for (index, fault) in found.iter().enumerate() {
            let place = match fault.line {
                Some(line) => format!("{path}:{line}"),
                None => path.clone(),
            };
            lines.push(format!("{place}: {}", fault.told));
            // Once for neighbours of the same table.
            let next = found.get(index + 1).and_then(|next| next.known.as_ref());
            if let Some(known) = &fault.known
                && next != Some(known)
            {
                lines.push(format!("  known here: {}", known.join(", ")));
            }
        }
        if left > 0 {
            lines.push(format!("  and {left} more"));
        }
        let failure = Self::usage(lines.join("\n"));
        match cause {
            Some(cause) => failure.caused_by(*cause),
            None => failure,
        }
    }
}
