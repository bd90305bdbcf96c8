//! Replaying selection rules over recorded outcomes, without a model.

mod matrix;
mod planted;
mod recorded;
mod report;
mod run;
mod setting;
mod world;

pub use matrix::{Kind, Matrix, MatrixError, find, load};
pub use planted::Planted;
pub use report::{Estimate, Report, Row, SettingReport};
pub use run::{Contestant, Plan, Regret, Regrets, replay};
pub use setting::{Setting, Split, settings};

#[cfg(test)]
mod tests;
