//! Two prompts on the same examples.

use std::collections::BTreeMap;

use shiftproof_tasks::Outcome;

use crate::event::{GroupRole, ScoreDifference};
use crate::response_matrix::{CONFIDENCE, CandidateAnswers, InputIndex, ResponseMatrix};
use crate::stats::{self, ClusteredSample, PairedBootstrap, paired_bootstrap};

/// Differences `selected − seed` per group and of the worst target group, by
/// the paired bootstrap over examples (or their clusters) within groups.
/// `None` when no example has an outcome from both.
pub(crate) fn audit(
    matrix: &ResponseMatrix,
    seed: &CandidateAnswers<'_>,
    selected: &CandidateAnswers<'_>,
    inputs: &[InputIndex],
) -> Option<(Vec<ScoreDifference>, ScoreDifference)> {
    let same = seed.candidate() == selected.candidate();
    let mut sample = ClusteredSample::new(2, matrix.groups.len());
    let mut clusters: BTreeMap<String, u64> = BTreeMap::new();
    let value = |answers: &CandidateAnswers<'_>, input| {
        answers.outcome(input).as_ref().and_then(Outcome::value)
    };
    for &input in inputs {
        let (Some(a), Some(b)) = (value(seed, input), value(selected, input)) else {
            continue;
        };
        let name = matrix
            .input(input)
            .cluster
            .clone()
            .unwrap_or_else(|| format!("\0{input}"));
        let next = clusters.len() as u64;
        let cluster = *clusters.entry(name).or_insert(next);
        let _complete = sample.push(matrix.group_of(input), cluster, &[a, b]);
    }
    let seen: Vec<usize> = (0..matrix.groups.len())
        .filter(|&group| sample.examples(group) > 0)
        .collect();
    let target: Vec<bool> = seen
        .iter()
        .map(|&group| matrix.groups[group].role == GroupRole::Target)
        .collect();
    // Without a target group the worst of all groups is what there is to hold.
    let any_target = target.contains(&true);
    let worst = |means: &[f64]| {
        means
            .iter()
            .zip(&target)
            .filter(|(_, target)| !any_target || **target)
            .map(|(mean, _)| *mean)
            .fold(f64::INFINITY, f64::min)
    };
    let replicates = paired_bootstrap(&sample, 0, PairedBootstrap::default(), worst)?;
    let row = |name: &str, difference: &stats::BootstrapDifference, n| {
        // A prompt differs from itself by nothing, for certain; the interval of a
        // small sample would leave room for luck.
        let interval = if same {
            stats::Interval {
                low: 0.0,
                high: 0.0,
            }
        } else {
            difference.interval(CONFIDENCE)
        };
        ScoreDifference {
            group: name.to_owned(),
            value: difference.estimate,
            low: interval.low,
            high: interval.high,
            n,
        }
    };
    let groups = seen
        .iter()
        .map(|&group| {
            let difference = &replicates.groups[1][group];
            row(
                &matrix.groups[group].name,
                difference,
                sample.examples(group),
            )
        })
        .collect();
    let n = seen
        .iter()
        .zip(&target)
        .filter(|(_, target)| !any_target || **target)
        .map(|(&group, _)| sample.examples(group))
        .sum();
    let name = if any_target {
        "worst target"
    } else {
        "worst source"
    };
    Some((groups, row(name, &replicates.robust[1], n)))
}

#[cfg(test)]
mod tests;
