//! What a model wrote about the inputs of a run.

use serde::{Deserialize, Serialize};

/// What was written for one field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenKnowledge {
    /// The field.
    pub field: String,
    /// Different questions.
    pub asked: usize,
    /// Those that were answered with something to show.
    pub written: usize,
    /// Those to which the model said that it does not know.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unknown: usize,
    /// Those that the service or the model refused.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refused: usize,
    /// Those whose answer was cut off, with more room too.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub truncated: usize,
    /// Those whose answer is none: blank, or the question again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unreadable: usize,
    /// Inputs of which nothing was written in this field.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub empty: usize,
    /// All inputs.
    pub inputs: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
const fn is_zero(count: &usize) -> bool {
    *count == 0
}
