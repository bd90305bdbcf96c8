//! Answers as they are told: bounded, by place, with what they were worth.

use serde::{Deserialize, Serialize};
use shiftproof_tasks::PromptId;

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

/// Characters of a text that an [`AnswerDetail`] holds.
pub const SHOWN_DETAIL: usize = 600;

/// What there is to see of an answer that is not right, where the event's own texts are
/// cut short or hold only what was read: for observers, and in no log. An answer whose
/// event says all of it has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerDetail {
    /// The candidate.
    pub candidate: PromptId,
    /// Place of the input among all inputs told.
    pub input: u32,
    /// The input as the model sees it, where more of it than [`SHOWN_INPUT`] characters
    /// is told; like every text here on one line and cut to [`SHOWN_DETAIL`] characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The true label, where it may be told and is longer than [`SHOWN_ANSWER`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The answer as it was read, where it is longer than [`SHOWN_ANSWER`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Why there is no grade, where the reply alone does not show it; of a grade below 1
    /// what the grader said for it, where the label may be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The reply as it came, where it is not what was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// Parts of the answer that are not right, where it has parts and they may be told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wrong: Vec<String>,
}

impl AnswerDetail {
    /// Whether it says anything that the events do not.
    pub const fn is_empty(&self) -> bool {
        self.text.is_none()
            && self.label.is_none()
            && self.answer.is_none()
            && self.reason.is_none()
            && self.reply.is_none()
            && self.wrong.is_empty()
    }
}

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

    /// Whether the answer is known not to be right: a grade below 1, or none because
    /// there is no answer to grade.
    pub const fn is_failure(self) -> bool {
        match self {
            Self::Graded(grade) => grade < 1.0,
            Self::Ungraded(why) => !matches!(why, UngradedReason::Unlabelled),
        }
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
