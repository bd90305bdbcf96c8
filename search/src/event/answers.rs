//! Answers as they are told: bounded, by place, with what they were worth.

use serde::{Deserialize, Serialize};

use crate::unusable::AnswerFault;

/// An input as screens and reports show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownInput {
    /// Its name in the data.
    pub id: String,
    /// Its group.
    pub group: String,
    /// What the model sees of it, cut to [`SHOWN_INPUT`] characters.
    pub text: String,
    /// The true label, cut alike: of source examples, and of audited ones once
    /// the seal is open. A label that a target input won by vote is in [`VoteSummary`](super::VoteSummary).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// Characters of an input that are told.
pub const SHOWN_INPUT: usize = 240;
/// Characters of an answer that are told.
pub const SHOWN_ANSWER: usize = 80;

/// One answer. A run tells very many: it is written as `[input, text, verdict]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "(u32, u32, AnswerVerdict)", into = "(u32, u32, AnswerVerdict)")]
pub struct ShownAnswer {
    /// Place of the input among all inputs told.
    pub input: u32,
    /// Place of the answer's text among the event's texts.
    pub text: u32,
    /// What it was worth.
    pub verdict: AnswerVerdict,
}

impl From<(u32, u32, AnswerVerdict)> for ShownAnswer {
    fn from((input, text, verdict): (u32, u32, AnswerVerdict)) -> Self {
        Self {
            input,
            text,
            verdict,
        }
    }
}

impl From<ShownAnswer> for (u32, u32, AnswerVerdict) {
    fn from(answer: ShownAnswer) -> Self {
        (answer.input, answer.text, answer.verdict)
    }
}

/// What an answer was worth: a number where it was graded, else a word.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AnswerVerdict {
    /// Graded, in `0..=1`, higher is better.
    Graded(f64),
    /// Not graded; why.
    Ungraded(UngradedReason),
}

impl AnswerVerdict {
    /// Whether the answer was of the form asked for.
    pub const fn is_readable(self) -> bool {
        matches!(
            self,
            Self::Graded(_) | Self::Ungraded(UngradedReason::Unlabelled)
        )
    }
}

/// Why an answer has no grade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UngradedReason {
    /// Not of the form asked for. It counts as wrong.
    Unparseable,
    /// Cut off before it could be read. It counts in no score.
    Truncated,
    /// The call can never be answered. It counts in no score.
    Failed,
    /// No label is known, or the label is not to be told before the audit.
    Unlabelled,
}

impl From<AnswerFault> for UngradedReason {
    fn from(fault: AnswerFault) -> Self {
        match fault {
            AnswerFault::Unparseable => Self::Unparseable,
            AnswerFault::Truncated => Self::Truncated,
            AnswerFault::Failed => Self::Failed,
        }
    }
}
