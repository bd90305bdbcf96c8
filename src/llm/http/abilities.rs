//! What is known of a server's abilities.

use serde::{Deserialize, Serialize};

use super::request::PrefillMode;

/// What was found out about a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerAbilities {
    pub(super) label_scores: bool,
    /// How an assistant message is continued; `None` if it is not.
    pub(super) continuation: Option<PrefillMode>,
    /// Continuations come back with what they continue, as llama.cpp sends them.
    pub(super) echoes: bool,
    /// Tokens to leave for thoughts.
    pub(super) thinking_tokens: u32,
    pub(super) report: String,
}

impl ServerAbilities {
    /// What two servers do not do alike, of what changes a reply or its price.
    pub(super) fn differ(&self, other: &Self) -> Option<&'static str> {
        if self.label_scores != other.label_scores {
            return Some("one scores labels (label_scores = \"off\" reads text from both)");
        }
        if self.continuation != other.continuation {
            return Some(
                "they continue an answer in different ways (prefill = \"off\" asks neither)",
            );
        }
        (self.thinking_tokens != other.thinking_tokens)
            .then_some("one thinks before it answers, or longer (thinking_tokens settles it)")
    }
}
