//! shiftproof: prompt optimisation that holds when the data shifts.
//!
//! Two ways in are stable:
//!
//! - [`Optimization`] is the search as a library: examples in memory, models and tasks of
//!   one's own, a [`RunResult`] as a value. `docs/library.md` is its page.
//! - [`App`] is the whole program for a binary with tasks and search methods of its own.
//!
//! Both run the same loop. It lives in [`search`], what is optimised in [`tasks`],
//! recommendation in [`rec`], the clients that talk to models in [`llm`], the embedded
//! store in [`shiftproof_store`]. What their signatures name most often is here at the
//! root. Modules that are not in this documentation are the program's own: they are open
//! to its tests and benchmarks, and change without notice.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod app;
#[doc(hidden)]
pub mod assets;
#[doc(hidden)]
pub mod cli;
mod commands;
mod compare;
mod draft;
mod drift;
pub mod exit;
mod failures;
mod gate;
mod interop;
mod judge;
mod labels;
mod models;
mod optimization;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod runs;
mod shared;
#[doc(hidden)]
pub mod study;
#[cfg_attr(not(feature = "tui"), path = "no_tui.rs")]
#[doc(hidden)]
pub mod tui;
mod wording;

pub use shiftproof_llm as llm;
pub use shiftproof_rec as rec;
pub use shiftproof_search as search;
pub use shiftproof_tasks as tasks;

pub use app::App;
pub use async_trait::async_trait;
pub use optimization::{
    GroupResult, ModelChoice, Optimization, OptimizationBuilder, OptimizationError, RunResult,
};
pub use report::{
    AuditedScores, BaselineScores, CandidateStanding, ReportFormat, RunSummary, RunVerdict,
    VerdictTone,
};
pub use shiftproof_search::budget::{BudgetLimits, Price, Spend};
pub use shiftproof_search::control::RunControl;
pub use shiftproof_search::event::{Event, RunObserver};
pub use shiftproof_search::spec::{ObjectiveName, SearchSpec};
pub use shiftproof_search::{Capabilities, Llm, LlmError, ModelCall};
pub use shiftproof_tasks::{GroupsSpec, Task};
pub use study::LeakPolicy;
