//! The search loop: propose prompts, evaluate them on labelled source groups
//! and shifted target groups, select the one that holds.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod budget;
pub mod event;
pub mod gateway;
pub mod ledger;
pub mod llm;
pub mod log;

pub use llm::{Call, Capabilities, Llm, LlmError, Sampling};
