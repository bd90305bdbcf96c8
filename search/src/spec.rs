//! What a study may set about the search.

use serde::{Deserialize, Serialize};

use crate::calibrate::Calibration;

/// How prompts are searched and chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SearchSpec {
    /// Where prompts come from.
    pub method: Method,
    /// Labelled source examples shown to the proposer, `N` in Li et al. 2023.
    pub shots: usize,
    /// Chunks the shots are cut into, and voters, `K` in Li et al. 2023.
    pub chunks: usize,
    /// Share of the votes a target input's label must exceed to be kept, `T`.
    pub threshold: f64,
    /// Texts asked of the proposer in each proposing phase.
    pub proposals: usize,
    /// Rounds of refinement around the best prompts.
    pub rounds: usize,
    /// Phrase edits and crossovers made without a model in each round.
    pub edits: usize,
    /// Paraphrases asked of the proposer in each round.
    pub paraphrases: usize,
    /// Evaluations all races may use together; votes and the audit come on top.
    pub evaluations: usize,
    /// Prompts that reach the final.
    pub finalists: usize,
    /// Prompts that vote together in the reported ensemble; 0 for none.
    pub ensemble: usize,
    /// What a candidate's group scores are reduced to.
    pub objective: ObjectiveKind,
    /// Calibration of scored labels.
    pub calibration: Calibration,
}

impl Default for SearchSpec {
    fn default() -> Self {
        Self {
            method: Method::Gpo,
            shots: 36,
            chunks: 6,
            threshold: 0.83,
            proposals: 36,
            rounds: 1,
            edits: 12,
            paraphrases: 0,
            evaluations: 1500,
            finalists: 6,
            ensemble: 3,
            objective: ObjectiveKind::SoftMin,
            calibration: Calibration::None,
        }
    }
}

impl SearchSpec {
    /// Every reason why this cannot be run, as fragments that name the key.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |ok: bool, problem: &str| {
            if !ok {
                problems.push(problem.to_owned());
            }
        };
        check(self.chunks >= 1, "search.chunks must be at least 1");
        check(self.shots >= self.chunks, "search.shots must be at least search.chunks");
        check(
            (0.0..1.0).contains(&self.threshold),
            "search.threshold must be at least 0 and below 1 (it is a share of votes)",
        );
        check(self.finalists >= 1, "search.finalists must be at least 1");
        check(self.evaluations >= 1, "search.evaluations must be at least 1");
        problems
    }
}

/// Where prompts come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Induced from source demonstrations (Zhou et al. 2023).
    Ape,
    /// The same with unlabelled target inputs in the meta prompt.
    ApeUt,
    /// Generalised prompt optimisation (Li et al. 2023): induced, voted,
    /// induced again from the mix.
    Gpo,
    /// Phrase edits of the seed without any model calls to propose.
    Edits,
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Ape => "ape",
            Self::ApeUt => "ape-ut",
            Self::Gpo => "gpo",
            Self::Edits => "edits",
        })
    }
}

/// How group scores become one number, higher is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectiveKind {
    /// The mean over groups.
    Mean,
    /// The worst group, each shrunk towards the candidate's mean by its noise.
    Worst,
    /// `−τ log mean exp(−m/τ)` with τ = 0.05: between worst and mean.
    SoftMin,
}

impl std::fmt::Display for ObjectiveKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Mean => "mean",
            Self::Worst => "worst",
            Self::SoftMin => "soft-min",
        })
    }
}

/// Softness of [`ObjectiveKind::SoftMin`].
const TAU: f64 = 0.05;

impl ObjectiveKind {
    /// The objective's value on group scores `(value in 0..=1, n)`; `None`
    /// without any.
    ///
    /// Group values are first shrunk towards their mean by how much of their
    /// spread is sampling noise (empirical Bayes, method of moments): a raw
    /// minimum over small samples picks noise.
    pub fn value(self, groups: &[(f64, usize)]) -> Option<f64> {
        let groups: Vec<(f64, usize)> = groups.iter().copied().filter(|(_, n)| *n > 0).collect();
        if groups.is_empty() {
            return None;
        }
        let count = groups.len() as f64;
        let mean = groups.iter().map(|(value, _)| value).sum::<f64>() / count;
        if self == Self::Mean {
            return Some(mean);
        }
        let noise = |n: usize| (mean * (1.0 - mean)).max(0.01) / n as f64;
        let spread = groups.iter().map(|(value, _)| (value - mean).powi(2)).sum::<f64>()
            / (count - 1.0).max(1.0);
        let average_noise = groups.iter().map(|(_, n)| noise(*n)).sum::<f64>() / count;
        let signal = (spread - average_noise).max(0.0);
        let shrunk = groups
            .iter()
            .map(|&(value, n)| mean + (value - mean) * signal / (signal + noise(n)));
        Some(match self {
            Self::Worst => shrunk.fold(f64::INFINITY, f64::min),
            Self::SoftMin | Self::Mean => {
                -TAU * (shrunk.map(|value| (-value / TAU).exp()).sum::<f64>() / count).ln()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn defaults_are_runnable() {
        assert_eq!(SearchSpec::default().problems(), Vec::<String>::new());
        let broken = SearchSpec { chunks: 0, threshold: 1.0, ..SearchSpec::default() };
        assert_eq!(broken.problems().len(), 2);
    }

    #[test]
    fn a_raw_minimum_of_noise_is_shrunk_away() {
        // Four groups of 10 that differ as much as chance makes them.
        let noisy = [(0.6, 10), (0.7, 10), (0.8, 10), (0.7, 10)];
        assert!((ObjectiveKind::Worst.value(&noisy).unwrap() - 0.7).abs() < 1e-9);
        // Four groups of 1,000 that differ as much: no chance.
        let real = noisy.map(|(value, _)| (value, 1000));
        assert!(ObjectiveKind::Worst.value(&real).unwrap() < 0.62);
    }

    proptest! {
        #[test]
        fn objectives_are_ordered_and_bounded(
            groups in proptest::collection::vec((0.0_f64..=1.0, 1_usize..200), 1..8),
        ) {
            let value = |kind: ObjectiveKind| kind.value(&groups).unwrap();
            let (worst, soft, mean) =
                (value(ObjectiveKind::Worst), value(ObjectiveKind::SoftMin), value(ObjectiveKind::Mean));
            let low = groups.iter().map(|(value, _)| *value).fold(1.0, f64::min);
            prop_assert!(low - 1e-9 <= worst);
            prop_assert!(worst <= soft + 1e-9);
            // Shrinkage weighs groups by size, so the soft-min may exceed the
            // plain mean, but never the best group.
            let high = groups.iter().map(|(value, _)| *value).fold(0.0, f64::max);
            prop_assert!(soft <= high + 1e-9 && mean <= high + 1e-9);
        }
    }
}
