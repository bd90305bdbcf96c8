//! Measuring allocation rules over recorded or planted outcomes, without a model.

mod families;
mod matrix;
mod planted;
mod report;
mod run;
mod setting;
mod world;
mod writer;

pub use families::{
    HeldOutFamily, HeldOutRegret, HeldOutReport, constants_grid, family, leave_one_family_out,
};
pub use matrix::{ColumnKind, MatrixError, OutcomeMatrix, find, load};
pub use planted::SyntheticEffects;
pub use report::{BenchReport, MeanWithError, RuleRegrets, SettingReport};
pub use run::{Regrets, replay};
pub use setting::{BenchPlan, BenchSetting, GroupSplit, PickRegret, TestedRule, settings};

#[cfg(test)]
mod tests;
