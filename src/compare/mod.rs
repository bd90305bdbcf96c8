//! Methods over random seeds and studies: what stored runs come to side by side, and
//! the forms it is shown in. Which runs there are to be is the command's business.

mod curve;
#[cfg(test)]
mod fixture;
mod forms;
mod html;
mod markdown;
mod outcomes;
mod rows;
mod study;
#[cfg(test)]
mod tests;
mod text;
mod told;

pub(crate) use forms::render;
pub(crate) use outcomes::{AuditClusters, CellRun};
pub(crate) use study::{CellState, ComparedCell, StudyComparison};
pub(crate) use told::MethodComparison;

use shiftproof_search::event::{GroupOutcome, GroupRole};

/// The groups a prompt is judged by: the target groups, or all where there is none.
fn judged(groups: &[GroupOutcome]) -> Vec<&GroupOutcome> {
    let any_target = groups.iter().any(|group| group.role == GroupRole::Target);
    let judged = groups
        .iter()
        .filter(|group| !any_target || group.role == GroupRole::Target);
    judged.collect()
}

/// The mean score over the groups a prompt is judged by; none unless each has one.
fn judged_mean(groups: &[GroupOutcome]) -> Option<f64> {
    let judged = judged(groups);
    let values: Vec<f64> = judged.iter().filter_map(|group| group.value).collect();
    let complete = !values.is_empty() && values.len() == judged.len();
    complete.then(|| values.iter().sum::<f64>() / values.len() as f64)
}
