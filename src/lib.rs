//! shiftproof: prompt optimisation that holds when the data shifts.
//!
//! The program is thin: the loop lives in [`shiftproof_search`], what is
//! optimised in [`shiftproof_tasks`], the store in [`shiftproof_store`], the clients
//! that talk to models in [`shiftproof_llm`]. Here are the studies, the command
//! line and the reports. [`App`] is all of it for a binary with tasks of its own.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod app;
mod assumed;
mod calibration_notes;
pub mod cli;
mod commands;
mod compare;
pub mod connect_model;
mod connect_program;
pub mod datasets;
mod draft;
mod drift;
mod durable;
pub mod exit;
mod export;
pub mod fetch;
pub mod gate;
mod headroom;
pub mod heartbeat;
mod import;
mod judge;
pub mod labels;
mod pace;
mod pasted;
mod prices;
pub mod progress;
pub mod report;
pub mod session;
mod shown;
mod stored;
pub mod study;
mod table;
pub mod tail;
pub mod task_registry;
mod textfile;
#[cfg_attr(not(feature = "tui"), path = "no_tui.rs")]
pub mod tui;
mod unusable;
mod vote_notes;
mod word_diff;

pub use app::App;
pub use shiftproof_llm as llm;
