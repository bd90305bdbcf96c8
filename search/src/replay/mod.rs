//! Replaying selection rules over recorded outcomes, without a model.

mod matrix;
mod planted;
mod recorded;
mod report;
mod run;
mod setting;
mod world;

pub use matrix::{ColumnKind, MatrixError, OutcomeMatrix, find, load};
pub use planted::SyntheticEffects;
pub use report::{BenchReport, MeanWithError, RuleRegrets, SettingReport};
pub use run::{BenchPlan, PickRegret, Regrets, TestedRule, replay};
pub use setting::{BenchSetting, GroupSplit, settings};

#[cfg(test)]
mod tests;
