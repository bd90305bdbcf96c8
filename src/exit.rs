//! Exit codes: the program's contract with scripts and CI.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use shiftproof_search::gateway::RunError;
use shiftproof_search::ledger::LedgerError;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum ExitStatus {
    /// Done; every bar that was set is reached.
    Done = 0,
    /// A fault of the program itself.
    Internal = 1,
    /// The command line or the study file is wrong.
    Usage = 2,
    /// The budget ran out before a decision.
    Budget = 3,
    /// The model's service failed or refused, or sent nothing of use.
    Provider = 4,
    /// The store, a data file or the cache failed.
    Data = 5,
    /// The model answers, and hardly an answer can be used: refused, cut off, or not
    /// to be read.
    Unusable = 6,
    /// Calls were submitted as a batch; the run goes on with --resume.
    Waiting = 75,
    /// A score is below the bar that was set.
    Below = 100,
    /// A better prompt was required and none is better beyond doubt.
    NoWinner = 101,
    /// The data or the prompt's score are shown to have moved.
    Drifted = 102,
    /// Interrupted; the run can be resumed.
    Interrupted = 130,
}

impl ExitStatus {
    /// The code of a run that stopped before its end.
    pub const fn of(stop: &RunError) -> Self {
        match stop {
            RunError::Interrupted => Self::Interrupted,
            RunError::Provider { .. } | RunError::Proposals { .. } => Self::Provider,
            RunError::Batch { .. } => Self::Waiting,
            RunError::Budget(_) | RunError::Ledger(LedgerError::SharedBudget { .. }) => {
                Self::Budget
            }
            RunError::Plan(_) | RunError::NoBar(_) => Self::Usage,
            RunError::Unusable(_) | RunError::Knowledge { .. } => Self::Unusable,
            RunError::Method { .. } => Self::Internal,
            RunError::Ledger(_) | RunError::Log(_) => Self::Data,
        }
    }
}

impl ExitStatus {
    /// The code of data that cannot be used: a study that asks for what is not there is
    /// mended in the study.
    pub fn of_data(error: &shiftproof_tasks::DataError) -> Self {
        if error.is_about_study() {
            Self::Usage
        } else {
            Self::Data
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(exit: ExitStatus) -> Self {
        Self::from(exit as u8)
    }
}

/// All codes with their meaning, for `--help`.
pub const HELP: &str = "\
Exit codes:
  0    done; every bar that was set is reached
  1    a fault of the program itself
  2    the command line or the study file is wrong
  3    the budget ran out before a decision
  4    the model's service failed or refused, or no proposal could be used
  5    the store, a data file or the cache failed
  6    answers that cannot be used: refused, cut off, or not to be read
  75   calls were submitted as a batch (--batch-exit); go on with --resume
  100  a score is below the bar that was set
  101  a better prompt was required and none is better beyond doubt
  102  the prompt in use or its data are shown to have drifted (drift)
  130  interrupted; the run can be resumed";

/// An error on its way to the user: what failed, how to mend it, the exit code.
#[derive(Debug)]
pub struct Failure {
    /// The code to exit with.
    pub exit: ExitStatus,
    /// What failed, in one or more lines.
    pub message: String,
    /// What it came from; the message tells that too.
    source: Option<FailureSource>,
}

type FailureSource = Box<dyn Error + Send + Sync>;

impl Failure {
    /// A failure with its code.
    pub fn new(exit: ExitStatus, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            source: None,
        }
    }

    /// The command line or study is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitStatus::Usage, message)
    }

    /// A file, the store or the cache failed.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(ExitStatus::Data, message)
    }

    /// With the error it came from, which its message has told already.
    #[must_use]
    pub fn caused_by(self, source: impl Into<FailureSource>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }

    /// The same failure told in other words.
    #[must_use]
    pub fn told_as(self, tell: impl FnOnce(&str) -> String) -> Self {
        Self {
            message: tell(&self.message),
            ..self
        }
    }

    /// Turns an error that says all there is to say into a failure.
    pub fn from_error<E: Into<FailureSource>>(exit: ExitStatus) -> impl Fn(E) -> Self {
        move |error| {
            let error = error.into();
            Self::new(exit, error.to_string()).caused_by(error)
        }
    }

    /// Turns an error of `action` on a file into a failure: `cannot read FILE: …`.
    pub fn from_io(exit: ExitStatus, action: &str, path: &Path) -> impl Fn(io::Error) -> Self {
        move |error| {
            let message = format!("cannot {action} {}: {error}", path.display());
            Self::new(exit, message).caused_by(error)
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

impl From<shiftproof_search::ledger::LedgerError> for Failure {
    fn from(error: shiftproof_search::ledger::LedgerError) -> Self {
        Self::from_error(ExitStatus::Data)(error)
    }
}

impl From<shiftproof_store::StoreError> for Failure {
    fn from(error: shiftproof_store::StoreError) -> Self {
        Self::from_error(ExitStatus::Data)(error)
    }
}

impl From<shiftproof_tasks::DataError> for Failure {
    fn from(error: shiftproof_tasks::DataError) -> Self {
        Self::from_error(ExitStatus::of_data(&error))(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_keep_their_source() {
        let unread = io::Error::new(io::ErrorKind::PermissionDenied, "locked");
        let failure = Failure::from_io(ExitStatus::Data, "read", Path::new("a.csv"))(unread);
        assert_eq!(failure.to_string(), "cannot read a.csv: locked");
        let source = failure
            .source()
            .and_then(|it| it.downcast_ref::<io::Error>());
        let kind = source.map(io::Error::kind);
        assert_eq!(kind, Some(io::ErrorKind::PermissionDenied));
        assert!(Failure::usage("a word is missing").source().is_none());
    }
}
