//! shiftproof
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod datasets;
pub mod fetch;
pub mod llm;
