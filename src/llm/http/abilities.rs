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
