//! Why an optimisation has no result.

use shiftproof_search::gateway::RunError;
use shiftproof_search::ledger::LedgerError;
use thiserror::Error;

use crate::exit::{ExitStatus, Failure};

/// Why an optimisation has no result.
///
/// [`source`](std::error::Error::source) leads to what it came from.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OptimizationError {
    /// What was asked for contradicts itself, is out of range or is missing. Nothing
    /// was sent to a model.
    #[error("{}", problems.join("\n"))]
    Settings {
        /// Every problem found, each as a sentence that says how to mend it.
        problems: Vec<String>,
    },
    /// Data or models are not fit for a run: a group is too small, a label is none of
    /// the task's, a server refuses the key.
    #[error(transparent)]
    Preparation(#[from] Failure),
    /// The run stopped before its end: interrupted, out of budget, without an answer
    /// from the model, or with answers that cannot be used. What was paid for is in the
    /// store, and the run can be [resumed](super::OptimizationBuilder::resume).
    #[error("the run {run} stopped: {stop}")]
    Stopped {
        /// The run's name.
        run: String,
        /// Why.
        #[source]
        stop: RunError,
    },
    /// The store cannot be opened, read or written.
    #[error(transparent)]
    Store(#[from] LedgerError),
}

impl OptimizationError {
    /// The exit code that the program would end with, for callers that hand it on.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Settings { .. } => ExitStatus::Usage,
            Self::Preparation(failure) => failure.exit,
            Self::Stopped { stop, .. } => ExitStatus::of(stop),
            Self::Store(_) => ExitStatus::Data,
        }
    }

    pub(super) fn settings(problem: impl Into<String>) -> Self {
        Self::Settings {
            problems: vec![problem.into()],
        }
    }
}
