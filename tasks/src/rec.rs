//! Recommendation data: users, items and what happened between them, as the
//! ordinary [`Example`](crate::Example)s that every task reads.
//!
//! ```text
//! files --load--> Interactions --Split--> targets, each with what came before it
//! target + history --Form--> Example, its group given by a Shift
//! training events --> Catalogue (items, popularity) and baselines' predictions
//! ```
//!
//! An example shows only what happened before its target event; the catalogue
//! and the baselines know the training part only.

mod baseline;
mod catalogue;
pub mod field;
pub mod bm25;
pub mod fairness;
pub mod ground;
pub mod history;
mod interactions;
pub mod lists;
pub mod tasks;

pub use baseline::{Baseline, Prediction};
pub use catalogue::Catalogue;
pub use interactions::{Interaction, Interactions, Item, User};
