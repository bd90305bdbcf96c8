//! The search loop: propose prompts, evaluate them on labelled source groups
//! and shifted target groups, select the one that holds.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod llm;
pub mod replay;
pub mod select;
pub mod stats;

pub use llm::{Call, Capabilities, Llm, LlmError, Sampling};
