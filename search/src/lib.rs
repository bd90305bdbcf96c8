//! The search loop: propose prompts, evaluate them on labelled source groups
//! and shifted target groups, select the one that holds.
// Scripted models answer by functions of one signature, whether they can fail or not.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::unnecessary_wraps))]

mod answer_feed;
mod asking;
pub mod augment;
mod ballots;
mod batches;
pub mod budget;
pub mod calibrate;
mod compare;
pub mod control;
pub mod earlier;
mod early_stop;
mod emitted;
pub mod evaluate;
pub mod event;
pub mod event_log;
pub mod fairness;
pub mod fit;
pub mod forecast;
pub mod gateway;
mod grading;
pub mod headroom;
mod indices;
pub mod judging;
mod kept;
pub mod ledger;
pub mod llm;
pub mod methods;
pub mod plan;
pub mod propose;
mod race;
pub mod recorded;
mod response_matrix;
pub mod run;
mod score;
pub mod seeds;
// Test support, of no product build; here because unit tests need it too.
#[cfg(test)]
#[path = "../tests/support/scripted.rs"]
mod scripted;
#[cfg(any(test, feature = "simulate"))]
#[path = "../tests/support/simulate.rs"]
pub mod simulate;
pub mod spec;
mod survey;
mod target_vote;
mod text;
mod turns;
pub mod unusable;
mod vote;

pub use shiftproof_select::{self as select, bench, stats};

pub use llm::{
    BatchInterface, BatchProgress, Capabilities, ClientTraffic, FailedRequest, Llm, LlmError,
    ModelCall, RequestAllowance, SamplingOptions, Unlimited,
};
