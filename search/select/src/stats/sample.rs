//! Outcomes to resample, summed per cluster.

use std::collections::HashMap;

/// Outcomes of several prompts on the same examples, summed per cluster.
///
/// Complete blocks only: an example enters when *every* prompt has an outcome
/// for it, so that differences are paired and a failed call is never a score.
#[derive(Debug, Clone)]
pub struct ClusteredSample {
    pub(super) prompts: usize,
    pub(super) strata: Vec<SampleStratum>,
    /// Largest difference between two prompts on one example.
    pub(super) outcome_range: f64,
}

#[derive(Debug, Clone, Default)]
pub(super) struct SampleStratum {
    rows: HashMap<u64, usize>,
    /// Cluster of every row.
    pub(super) clusters: Vec<u64>,
    /// One row per cluster: a sum per prompt, then the number of examples.
    pub(super) sums: Vec<Vec<f64>>,
}

impl SampleStratum {
    pub(super) fn totals(&self, columns: usize) -> Vec<f64> {
        let mut totals = vec![0.0; columns];
        for row in &self.sums {
            totals.iter_mut().zip(row).for_each(|(t, x)| *t += x);
        }
        totals
    }
}

impl ClusteredSample {
    /// An empty sample of `prompts` prompts over `groups` groups.
    pub fn new(prompts: usize, groups: usize) -> Self {
        Self {
            prompts,
            strata: vec![SampleStratum::default(); groups],
            outcome_range: 0.0,
        }
    }

    /// Adds one example: its group, the cluster it belongs to (unique numbers
    /// when examples are independent) and one outcome in `[0, 1]` per prompt.
    /// Returns false, and adds nothing, unless there is a finite outcome for
    /// every prompt and the group exists.
    #[must_use = "a refused example belongs in the count of dropped ones"]
    pub fn push(&mut self, group: usize, cluster: u64, outcomes: &[f64]) -> bool {
        let complete = outcomes.len() == self.prompts && outcomes.iter().all(|x| x.is_finite());
        let Some(stratum) = self
            .strata
            .get_mut(group)
            .filter(|_| complete && !outcomes.is_empty())
        else {
            return false;
        };
        let columns = self.prompts + 1;
        let fresh = stratum.sums.len();
        let row = *stratum.rows.entry(cluster).or_insert(fresh);
        if row == fresh {
            stratum.sums.push(vec![0.0; columns]);
            stratum.clusters.push(cluster);
        }
        let sums = &mut stratum.sums[row];
        sums.iter_mut().zip(outcomes).for_each(|(s, x)| *s += x);
        sums[columns - 1] += 1.0;
        let (low, high) = outcomes
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &x| {
                (l.min(x), h.max(x))
            });
        self.outcome_range = self.outcome_range.max(high - low);
        true
    }

    /// Number of prompts compared.
    pub const fn prompts(&self) -> usize {
        self.prompts
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.strata.len()
    }

    /// Number of clusters seen in a group.
    pub fn clusters(&self, group: usize) -> usize {
        self.strata[group].sums.len()
    }

    /// Numbers of the clusters, and for every group whether some of its clusters
    /// have examples in other groups too.
    pub(super) fn shared(&self) -> (HashMap<u64, usize>, Vec<bool>) {
        let mut numbers: HashMap<u64, usize> = HashMap::new();
        let mut groups_of: Vec<usize> = Vec::new();
        for cluster in self.strata.iter().flat_map(|s| &s.clusters) {
            let next = numbers.len();
            let number = *numbers.entry(*cluster).or_insert(next);
            if number == next {
                groups_of.push(0);
            }
            groups_of[number] += 1;
        }
        let spans = |cluster: &u64| groups_of[numbers[cluster]] > 1;
        let shared = self.strata.iter().map(|s| s.clusters.iter().any(spans));
        let shared = shared.collect();
        (numbers, shared)
    }

    /// Number of examples seen in a group.
    pub fn examples(&self, group: usize) -> usize {
        self.strata[group]
            .sums
            .iter()
            .map(|r| r[self.prompts] as usize)
            .sum()
    }

    /// Mean outcome of every prompt in a group; NaN without examples.
    pub fn means(&self, group: usize) -> Vec<f64> {
        let totals = self.strata[group].totals(self.prompts + 1);
        totals[..self.prompts]
            .iter()
            .map(|t| t / totals[self.prompts])
            .collect()
    }
}

/// How to resample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedBootstrap {
    /// Number of replicates B.
    pub replicates: usize,
    /// Seed; the same sample and seed give the same replicates.
    pub seed: u64,
}

impl Default for PairedBootstrap {
    fn default() -> Self {
        Self {
            replicates: 10_000,
            seed: 0,
        }
    }
}
