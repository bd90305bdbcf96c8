//! Replaying selection rules over recorded outcomes, without a model.

mod matrix;
mod run;
mod setting;

pub use matrix::{Kind, Matrix, MatrixError, find, load};
pub use run::{MakeRule, Plan, Regret, Regrets, replay};
pub use setting::{Setting, Split, settings};
