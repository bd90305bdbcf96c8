//! The search loop: propose prompts, evaluate them on labelled source groups
//! and shifted target groups, select the one that holds.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod batches;
mod board;
pub mod budget;
pub mod calibrate;
mod compare;
pub mod control;
mod converse;
pub mod counterfactual;
pub mod evaluate;
pub mod event;
pub mod fit;
pub mod gateway;
pub mod ledger;
pub mod llm;
pub mod log;
pub mod plan;
pub mod propose;
mod race;
pub mod replay;
pub mod run;
mod score;
pub mod seeds;
pub mod select;
pub mod simulate;
mod sounding;
pub mod spec;
pub mod stats;
mod tell;
pub mod unusable;
mod vote;

pub use llm::{
    BatchInterface, BatchProgress, Capabilities, ClientTraffic, Llm, LlmError, ModelCall,
    SamplingOptions,
};
