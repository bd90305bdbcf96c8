//! Recommendation data: users, items and what happened between them, as the
//! ordinary [`Example`](shiftproof_tasks::Example)s that every task reads.
//!
//! ```text
//! files --Source::read--> Interactions --RecSpec::prepare--> Prepared
//!                                          examples, grouped by a Shift
//!                                          Catalogue: items, popularity
//!                                          Baselines: predictions without a model
//! ```
//!
//! An example shows only what happened before its target event; the catalogue
//! and the baselines know the training part only. All draws are seeded by the
//! study's data, never by a run, and depend on ids, not on the order of files.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod baseline_scores;
mod baselines;
mod batch;
pub mod bm25;
mod candidates;
mod catalogue;
mod core_events;
pub mod history;
mod intention;
mod interactions;
pub mod kar;
mod leave_one_out;
mod list_builder;
mod load;
mod moments;
mod neighbours;
mod prepare;
mod recommender;
mod seeded;
mod sequences;
mod shift;
mod spec;
mod target_findings;
pub mod tasks;
mod templates;
mod text;
mod title_columns;

pub use baseline_scores::BaselineMeasures;
pub use batch::{BatchFiles, PreparedBatch};
pub use catalogue::ItemCatalogue;
pub use interactions::{Interaction, Interactions, Item, User};
pub use load::RecommendationFiles;
pub use prepare::PreparedExamples;
pub use recommender::{RecommenderKind, SequenceRecommender};
pub use sequences::SequencePart;
pub use spec::{
    CandidateSource, EventSplit, ExampleForm, FileLayout, GroupShift, HeldOutPart,
    NegativeSampling, PointwiseTarget, RecSpec, RepeatPolicy, TieOrder,
};
pub use templates::{ExampleNeeds, PromptTemplates, TemplateGrouping};

#[cfg(test)]
mod tests;
