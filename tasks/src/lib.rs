//! What shiftproof optimises, and nothing else: prompts, examples, groups and
//! their roles, answer forms, outcomes, metrics and the [`Task`] trait.
//!
//! This crate is pure. It knows no model, no store and no search; it performs
//! no I/O beyond reading data files. A task author depends on it alone.
//!
//! The flow of one evaluation, in types:
//!
//! ```text
//! Prompt + Input --Task::request--> Request --(a model)--> Reply
//! Reply          --Task::parse----> Answer
//! Answer + Label --Task::grade----> Outcome --Metric--> a group's score
//! ```
//!
//! The label enters only in the last step, so the same code answers for
//! examples whose label is unknown.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod example;
mod outcome;
mod prompt;
mod reply;
mod request;
mod roles;
mod task;

pub use example::{Example, Input, Label};
pub use outcome::{Answer, Outcome, Scored};
pub use prompt::{Demonstration, Prompt, PromptId};
pub use reply::{Finish, Reply, Usage};
pub use request::{AnswerForm, Message, Request, Role};
pub use roles::{Data, LabelReads, LabelledTarget, SealedAudit, Source, UnlabelledTarget};
pub use task::Task;
