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
//!
//! The flow of a study's data:
//!
//! ```text
//! files --Table::read--> rows --Columns::examples--> examples, unlabelled inputs
//! both --GroupsSpec::split--> Data, by role --lint--> findings
//! ```
//!
//! A task is declared in a study file ([`ClassifyTask`], [`ExtractTask`], [`GenerateTask`]) or written in Rust:
//!
//! ```
//! use shiftproof_tasks::{AnswerForm, Input, Prompt, Task};
//!
//! struct Stars;
//!
//! impl Task for Stars {
//!     fn name(&self) -> &str { "stars" }
//!     fn seed(&self) -> Prompt { Prompt::new("How many stars, 1 to 5, does this review give?") }
//!     fn answer_form(&self, _: &Input) -> AnswerForm { AnswerForm::Number { min: 1.0, max: 5.0 } }
//! }
//!
//! let example = Input::new("1", "books")
//!     .with_field("text", "Could not put it down.")
//!     .with_label(shiftproof_tasks::Label::Number(5.0));
//! let reply = shiftproof_tasks::Reply::text("I would say 5/5.");
//! assert_eq!(Stars.score(&example, &reply).value(), Some(1.0));
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod baseline;
mod classify;
mod columns;
pub mod diagnostic;
mod example;
mod extract;
pub mod field;
pub mod files;
mod forward;
mod framed;
mod generate;
pub mod grade;
mod grader;
pub mod lint;
pub mod metric;
mod options;
mod outcome;
pub mod parse;
pub mod places;
mod program;
mod prompt;
pub mod render;
mod reply;
mod request;
mod roles;
mod split;
pub mod suggest;
mod table;
mod task;
mod template;
pub mod text;

pub use baseline::{BaselinePredictions, Prediction};
pub use classify::{ClassifySpec, ClassifyTask};
pub use columns::{ColumnRoles, LoadedTable, NumericBands};
pub use diagnostic::{DataError, DataProblem, DataProblems, SourceLocation};
pub use example::{Example, Input, Label};
pub use extract::{
    AnswerField, AnswerSchema, ExtractSpec, ExtractTask, FieldType, FieldValues, TextComparison,
};
pub use framed::{FramedTask, PromptFrame, PromptRole};
pub use generate::{GenerateSpec, GenerateTask};
pub use grader::{
    Grade, GradedTask, Grader, GradingCase, JudgeGrader, JudgeScale, ProgramGrader,
    ProgramRenderer, Renderer, evaluation_calls,
};
pub use metric::{GradedOutcome, GroupScore, Metric};
pub use options::OptionList;
pub use outcome::{Answer, GradedAnswer, Outcome};
pub use program::{CommandLine, ProgramSpec, ProgramStep, ProgramTask};
pub use prompt::{Demonstration, Prompt, PromptId};
pub use reply::{CandidateScore, Finish, Reply, Usage};
pub use request::{AnswerForm, Message, Request, Role};
pub use roles::{Data, LabelReads, LabelledTarget, SealedAudit, Source, UnlabelledTarget};
pub use split::{ClassShare, DataSplit, GroupsSpec, UnlabelledDraw};
pub use suggest::closest;
pub use table::{DataTable, DetectedFormat, FileFormat, MAX_RECORD, RowValues, TableRow};
pub use task::{Fitting, Task, read_and_grade};
pub use template::FieldTemplate;
