//! Which groups a search looks at, by how much is lost there.

use std::collections::BTreeMap;

use crate::run::GroupStanding;

/// η of the weights, for steps that are few: a loss larger by a tenth weighs twice as
/// much after one round.
const STEP: f64 = 7.0;
/// C of the weights: what a group of few examples is suspected of.
const SUSPICION: f64 = 0.25;

/// Group DRO's weights, by group.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct GroupWeights(BTreeMap<String, f64>);

impl GroupWeights {
    /// One step towards the groups that the best prompt does worst in.
    pub fn update(&mut self, standings: &[GroupStanding]) {
        // A group with true and voted labels stands twice, and steps once.
        let mut losses: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for GroupStanding { group, estimate } in standings {
            let loss = 1.0 - estimate.mean + SUSPICION / estimate.count.max(1.0).sqrt();
            let (sum, weight) = losses.entry(group).or_default();
            *sum += estimate.weight * loss;
            *weight += estimate.weight;
        }
        for (group, (sum, weight)) in losses {
            let step = (STEP * sum / weight).exp();
            *self.0.entry(group.to_owned()).or_insert(1.0) *= step;
        }
        let all: f64 = self.0.values().sum();
        for weight in self.0.values_mut() {
            *weight /= all;
        }
    }

    pub fn of(&self, group: &str) -> f64 {
        self.0.get(group).copied().unwrap_or(0.0)
    }

    /// Shares `count` out over some groups, by largest remainder.
    pub fn shares(&self, groups: &[&str], count: usize) -> Vec<usize> {
        let all: f64 = groups.iter().map(|group| self.of(group)).sum();
        let wanted: Vec<f64> = groups
            .iter()
            .map(|group| {
                // Groups that no race has seen count alike.
                let share = if all > 0.0 {
                    self.of(group) / all
                } else {
                    1.0 / groups.len() as f64
                };
                share * count as f64
            })
            .collect();
        let mut shares: Vec<usize> = wanted.iter().map(|wanted| *wanted as usize).collect();
        let mut order: Vec<usize> = (0..groups.len()).collect();
        let left = |at: usize| wanted[at] - wanted[at].floor();
        order.sort_by(|&a, &b| left(b).total_cmp(&left(a)).then(a.cmp(&b)));
        let given: usize = shares.iter().sum();
        for &at in order.iter().cycle().take(count.saturating_sub(given)) {
            shares[at] += 1;
        }
        shares
    }

    /// The weightiest group, in words.
    pub fn told(&self) -> String {
        let top = self.0.iter().max_by(|a, b| a.1.total_cmp(b.1));
        top.map_or_else(
            || "no group scored yet".to_owned(),
            |(group, weight)| format!("{group} weighs {:.0} %", weight * 100.0),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::select::{GroupEstimate, LabelRole};

    fn standing(group: &str, mean: f64, count: f64) -> GroupStanding {
        GroupStanding {
            group: group.to_owned(),
            estimate: GroupEstimate {
                mean,
                variance: 0.0,
                raw: mean,
                count,
                level: 0.0,
                weight: 1.0,
                role: LabelRole::Source,
            },
        }
    }

    #[test]
    fn weights_move_to_weak_groups() {
        let mut weights = GroupWeights::default();
        let standings = [standing("a", 0.9, 30.0), standing("b", 0.8, 30.0)];
        weights.update(&standings);
        // A tenth more loss: exp(0.7), about twice.
        assert!((weights.of("b") / weights.of("a") - 0.7_f64.exp()).abs() < 1e-9);
        weights.update(&standings);
        assert!((weights.of("b") / weights.of("a") - 1.4_f64.exp()).abs() < 1e-9);
        assert!((weights.of("a") + weights.of("b") - 1.0).abs() < 1e-12);
        // Of two that lose alike the smaller is suspected.
        let mut weights = GroupWeights::default();
        weights.update(&[standing("a", 0.8, 100.0), standing("b", 0.8, 4.0)]);
        assert!(weights.of("b") > weights.of("a"));
        assert_eq!(GroupWeights::default().told(), "no group scored yet");
        assert_eq!(weights.told(), "b weighs 67 %");
    }

    #[test]
    fn texts_go_where_the_weight_is() {
        let weights = GroupWeights(BTreeMap::from([
            ("a".to_owned(), 0.1),
            ("b".to_owned(), 0.6),
            ("c".to_owned(), 0.3),
        ]));
        assert_eq!(weights.shares(&["a", "b", "c"], 8), [1, 5, 2]);
        assert_eq!(weights.shares(&["b"], 3), [3]);
        assert_eq!(weights.shares(&["x", "y"], 3), [2, 1]);
        assert_eq!(weights.shares(&[], 3), [0; 0]);
        for count in 0..20 {
            assert_eq!(
                weights
                    .shares(&["a", "b", "c"], count)
                    .iter()
                    .sum::<usize>(),
                count
            );
        }
    }
}
