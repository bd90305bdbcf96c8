//! shiftproof
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod fetch;
pub mod llm;
