//! What a run must remember of its requests to keep its limits when it goes on.

use serde::{Deserialize, Serialize};

use super::LedgerError;
use crate::budget::Spend;
use crate::gateway::LostCalls;

/// What a run's requests have cost, as far as a server can have counted them.
/// Written before requests are sent, so small that it can be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestTally {
    /// All that were or may have been sent, each at its cost or its worst case.
    pub sent: Spend,
    /// Those of them whose answers are stored.
    pub kept: Spend,
}

/// Where requests that brought no answer count in a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAccount {
    /// Requests without an answer, in the order of the run.
    #[serde(default)]
    pub losses: Vec<LostCalls>,
    /// Where the limits ended a wave of calls before its time.
    #[serde(default)]
    pub cuts: Vec<WaveCut>,
}

/// A wave of calls that ended before one of them: its requests had used up what
/// was there for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaveCut {
    /// Calls the run had been charged for when the wave began.
    pub after: u64,
    /// [Key](super::CallKey::to_hex) of the first call that was not afforded.
    pub before: String,
}

/// The version the tally begins with.
const VERSION: u8 = 1;

impl RequestTally {
    /// Positional, unlike other records: it is written with every few calls.
    pub(super) fn encode(&self) -> Result<Vec<u8>, LedgerError> {
        let mut bytes = vec![VERSION];
        let numbers = [numbers(self.sent), numbers(self.kept)];
        rmp_serde::encode::write(&mut bytes, &numbers).map_err(unreadable)?;
        Ok(bytes)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, LedgerError> {
        match bytes.split_first() {
            Some((&VERSION, body)) => {
                let [sent, kept]: [[u64; 5]; 2] =
                    rmp_serde::from_slice(body).map_err(unreadable)?;
                Ok(Self {
                    sent: spend(sent),
                    kept: spend(kept),
                })
            }
            _ => Err(unreadable(format!("this program reads version {VERSION}"))),
        }
    }
}

const fn numbers(spend: Spend) -> [u64; 5] {
    [
        spend.calls,
        spend.prompt_tokens,
        spend.completion_tokens,
        spend.picodollars,
        spend.unpriced,
    ]
}

const fn spend(numbers: [u64; 5]) -> Spend {
    let [
        calls,
        prompt_tokens,
        completion_tokens,
        picodollars,
        unpriced,
    ] = numbers;
    Spend {
        calls,
        prompt_tokens,
        completion_tokens,
        picodollars,
        unpriced,
        // What is set aside is a bound, no estimate.
        estimated: 0,
    }
}

#[allow(clippy::needless_pass_by_value)] // For `map_err`.
fn unreadable(reason: impl ToString) -> LedgerError {
    LedgerError::Record {
        what: "a run's requests".into(),
        reason: reason.to_string(),
    }
}
