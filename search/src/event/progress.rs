//! Signs of life.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::words::Phase;
use crate::budget::Spend;
use crate::llm::ClientTraffic;

/// How the work is going right now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProgressTick {
    /// The phase.
    pub phase: Phase,
    /// Calls of the current block answered so far.
    pub done: u64,
    /// Calls of the current block.
    pub total: u64,
    /// Calls sent to a model since the process started; the rest came from the
    /// store.
    pub sent: u64,
    /// What the run has spent: calls as they were settled, to which `done` is added,
    /// tokens and money of answers under way too.
    pub spent: Spend,
    /// The call or batch that just ended; `None` for a mere sign of life.
    pub ended: Option<EndedBatch>,
    /// Calls that wait for their answer now.
    pub in_flight: u64,
    /// Calls that may wait for their answer at once.
    pub slots: u64,
    /// What the model's client counts, where it counts.
    pub traffic: Option<ClientTraffic>,
    /// Whether the user has paused the run.
    pub paused: bool,
    /// What the model's client is busy with beside answering.
    pub status: Option<String>,
}

/// A call, or a batch of calls sent together, that just ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedBatch {
    /// Calls in it.
    pub calls: u64,
    /// How long it took.
    pub latency: Duration,
    /// Tokens of its prompts and completions; of failed calls, none.
    pub tokens: u64,
    /// Calls that can never be answered.
    pub failed: u64,
    /// What was said of a call without a reply, whether it ends the run or not.
    pub error: Option<String>,
}
