//! Scores of groups with their intervals.

use std::collections::BTreeMap;

use rand::RngExt;
use shiftproof_tasks::{AnswerForm, GradedOutcome, Input, Metric, Outcome, Task};

use crate::event::GroupOutcome;
use crate::response_matrix::{CONFIDENCE, CandidateAnswers, InputIndex, ResponseMatrix};
use crate::{seeds, stats};

impl CandidateAnswers<'_> {
    /// Scores per group over `inputs`; groups without any outcome are left out.
    pub fn group_scores(&self, inputs: &[InputIndex]) -> Vec<GroupOutcome> {
        let outcomes: Vec<(InputIndex, Outcome)> = inputs
            .iter()
            .filter_map(|&input| Some((input, self.outcome(input)?)))
            .collect();
        group_scores(self.matrix, self.task, &outcomes)
    }
}

/// Reduces outcomes to a score per group, in the matrix's order of groups.
pub(crate) fn group_scores(
    matrix: &ResponseMatrix,
    task: &dyn Task,
    outcomes: &[(InputIndex, Outcome)],
) -> Vec<GroupOutcome> {
    let metric = task.metric();
    let mut by_group: BTreeMap<usize, Vec<&(InputIndex, Outcome)>> = BTreeMap::new();
    for pair in outcomes {
        by_group
            .entry(matrix.group_of(pair.0))
            .or_default()
            .push(pair);
    }
    by_group
        .into_iter()
        .map(|(group, mut outcomes)| {
            // Votes are no truth, and no part of a mean with it.
            let is_voted = |pair: &&(InputIndex, Outcome)| matrix.is_voted(pair.0);
            if !outcomes.iter().all(is_voted) {
                outcomes.retain(|pair| !is_voted(pair));
            }
            let observations: Vec<GradedOutcome<'_>> = outcomes
                .iter()
                .filter_map(|(input, outcome)| {
                    let label = matrix.label(*input)?;
                    let input = matrix.input(*input);
                    Some(GradedOutcome {
                        cluster: input.cluster.as_deref(),
                        list: input.list.as_deref(),
                        range: range(task, metric, input),
                        ..GradedOutcome::new(outcome, label)
                    })
                })
                .collect();
            let score = metric.reduce(&observations);
            let interval = score
                .value
                .filter(|_| metric.resamples())
                .map(|value| interval(metric, value, &observations));
            GroupOutcome {
                group: matrix.groups[group].name.clone(),
                role: matrix.groups[group].role,
                voted: outcomes.iter().any(is_voted),
                value: score.value,
                low: interval.map(|interval| interval.low),
                high: interval.map(|interval| interval.high),
                n: score.n,
                unparseable: score.unparseable,
                truncated: score.truncated,
                failed: score.failed,
            }
        })
        .collect()
}

/// The ends of the scale that answers lie on, where errors of numbers count.
fn range(task: &dyn Task, metric: Metric, input: &Input) -> Option<(f64, f64)> {
    metric.error(1.0)?;
    match task.answer_form(input) {
        AnswerForm::Number { min, max } => Some((min, max)),
        _ => None,
    }
}

/// The interval of one group's score, with a cluster (or an example that stands
/// for itself) as the unit: in closed form for a mean, else by the bootstrap
/// percentiles of the metric.
fn interval(metric: Metric, value: f64, observations: &[GradedOutcome<'_>]) -> stats::Interval {
    let mut clusters: BTreeMap<String, Vec<GradedOutcome<'_>>> = BTreeMap::new();
    for (index, observation) in observations.iter().enumerate() {
        if observation.outcome.value().is_some() {
            let name = observation
                .cluster
                .map_or_else(|| format!("\0{index}"), str::to_owned);
            clusters.entry(name).or_default().push(*observation);
        }
    }
    if metric.is_mean() {
        let independent = clusters.values().all(|members| members.len() == 1);
        let totals: Vec<stats::ClusterTotals> = clusters
            .values()
            .map(|members| stats::ClusterTotals {
                sum: members
                    .iter()
                    .filter_map(|member| member.outcome.value())
                    .sum(),
                size: members.len() as f64,
            })
            .collect();
        let binary = observations
            .iter()
            .filter_map(|observation| observation.outcome.value())
            .all(|value| value == 0.0 || value == 1.0);
        return if independent && binary {
            stats::wilson(
                totals.iter().map(|total| total.sum).sum(),
                totals.len() as f64,
                CONFIDENCE,
            )
        } else {
            stats::clustered(&totals, CONFIDENCE)
        };
    }
    let clusters: Vec<Vec<GradedOutcome<'_>>> = clusters.into_values().collect();
    let mut rng = seeds::stream(0, "interval");
    let mut replicates: Vec<f64> = (0..REPLICATES)
        .filter_map(|_| {
            let resample: Vec<GradedOutcome<'_>> = (0..clusters.len())
                .flat_map(|_| {
                    clusters[rng.random_range(0..clusters.len())]
                        .iter()
                        .copied()
                })
                .collect();
            metric.reduce(&resample).value
        })
        .collect();
    replicates.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let last = replicates.len().saturating_sub(1) as f64;
        replicates
            .get((share * last).round() as usize)
            .copied()
            .unwrap_or(value)
    };
    stats::Interval {
        low: at((1.0 - CONFIDENCE) / 2.0),
        high: at(f64::midpoint(1.0, CONFIDENCE)),
    }
}

/// Bootstrap replicates behind an interval of a metric that is no mean.
const REPLICATES: usize = 400;

#[cfg(test)]
mod tests;
