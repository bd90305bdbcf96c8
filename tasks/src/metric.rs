use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Answer, Label, Outcome};

/// How the outcomes of one group become one number; all lie in `0..=1` and
/// higher is better.
///
/// In every metric a failed call counts in no score, and an unparseable answer
/// counts as wrong, so that a prompt cannot win by making the model evade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Metric {
    /// The mean of the grades: for classes the share of correct answers, for
    /// rankings the mean reciprocal rank. An unparseable answer has grade 0.
    #[default]
    Accuracy,
    /// The unweighted mean, over the classes that occur as a truth or as an
    /// answer, of F1 = 2TP / (2TP + FP + FN) (the averaged F1 of Opitz and
    /// Burst, "Macro F1 and Macro F1", 2019). An unparseable answer is a false
    /// negative of its true class.
    MacroF1,
    /// Area under the ROC curve of two classes by the rank-sum statistic
    /// with midranks for ties (Mann and Whitney, 1947): the chance that a
    /// random example of one class scores above a random one of the other, ties
    /// counted half. Examples are ordered by the answers' margins; where any
    /// answer lacks one, all are ordered by the hard answer alone. An
    /// unparseable answer ranks on the wrong side of everything. Undefined
    /// unless exactly two classes occur as truths.
    Auc,
}

/// One outcome with what is needed to reduce it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation<'a> {
    /// The result of the evaluation.
    pub outcome: &'a Outcome,
    /// The truth.
    pub label: &'a Label,
    /// What is resampled as one, usually the user.
    pub cluster: Option<&'a str>,
}

/// One group's score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GroupScore {
    /// In `0..=1`; `None` where the metric is undefined on these outcomes, such
    /// as on none at all or for AUC on a single class.
    pub value: Option<f64>,
    /// Outcomes that count: scored and unparseable ones.
    pub n: usize,
    /// Those of `n` that were unparseable.
    pub unparseable: usize,
    /// Failed calls, outside `n`.
    pub failed: usize,
}

impl Metric {
    /// The name as a study file spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::MacroF1 => "macro-f1",
            Self::Auc => "auc",
        }
    }

    /// Whether the score is a mean of per-example grades, so that two prompts
    /// can be compared example by example.
    pub const fn is_mean(self) -> bool {
        matches!(self, Self::Accuracy)
    }

    /// Reduces the outcomes of one group. The result depends on the outcomes
    /// alone, not on their order (up to rounding).
    pub fn reduce(self, observations: &[Observation<'_>]) -> GroupScore {
        let count = |state: fn(&Outcome) -> bool| {
            observations
                .iter()
                .filter(|observation| state(observation.outcome))
                .count()
        };
        let unparseable = count(|outcome| matches!(outcome, Outcome::Unparseable { .. }));
        let failed = count(|outcome| matches!(outcome, Outcome::Failed { .. }));
        GroupScore {
            value: match self {
                Self::Accuracy => mean(observations),
                Self::MacroF1 => macro_f1(observations),
                Self::Auc => auc(observations),
            },
            n: observations.len() - failed,
            unparseable,
            failed,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

fn mean(observations: &[Observation<'_>]) -> Option<f64> {
    let (mut sum, mut n) = (0.0, 0_usize);
    for value in observations
        .iter()
        .filter_map(|observation| observation.outcome.value())
    {
        sum += value;
        n += 1;
    }
    (n > 0).then(|| sum / n as f64)
}

/// An outcome seen as a classification.
#[derive(Clone, Copy)]
enum Said<'a> {
    Class { label: &'a str, margin: Option<f64> },
    Unparseable,
}

/// The classified observations; `None` if one is no classification.
fn classified<'a>(observations: &[Observation<'a>]) -> Option<Vec<(&'a str, Said<'a>)>> {
    let mut pairs = Vec::with_capacity(observations.len());
    for observation in observations {
        let said = match observation.outcome {
            Outcome::Failed { .. } => continue,
            Outcome::Unparseable { .. } => Said::Unparseable,
            Outcome::Scored(scored) => match &scored.answer {
                Answer::Class { label, margin } => Said::Class {
                    label,
                    margin: *margin,
                },
                _ => return None,
            },
        };
        let Label::Class(truth) = observation.label else {
            return None;
        };
        pairs.push((truth.as_str(), said));
    }
    Some(pairs)
}

fn macro_f1(observations: &[Observation<'_>]) -> Option<f64> {
    // Per class: true positives, and false positives plus false negatives.
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (truth, said) in classified(observations)? {
        match said {
            Said::Class { label, .. } if label == truth => counts.entry(truth).or_default().0 += 1,
            said => {
                counts.entry(truth).or_default().1 += 1;
                if let Said::Class { label, .. } = said {
                    counts.entry(label).or_default().1 += 1;
                }
            }
        }
    }
    let sum: f64 = counts
        .values()
        .map(|&(hits, misses)| (2 * hits) as f64 / (2 * hits + misses) as f64)
        .sum();
    (!counts.is_empty()).then(|| sum / counts.len() as f64)
}

fn auc(observations: &[Observation<'_>]) -> Option<f64> {
    let pairs = classified(observations)?;
    let mut classes: Vec<_> = pairs.iter().map(|(truth, _)| *truth).collect();
    classes.sort_unstable();
    classes.dedup();
    let &[_, positive] = classes.as_slice() else {
        return None;
    };
    let graded = pairs.iter().all(|(_, said)| {
        matches!(
            said,
            Said::Unparseable
                | Said::Class {
                    margin: Some(_),
                    ..
                }
        )
    });
    // The answer is the class its margin favours, so the size of the margin and
    // the answer together order the examples whichever label comes first.
    let mut scores: Vec<(f64, bool)> = pairs
        .iter()
        .map(|&(truth, said)| {
            let is_positive = truth == positive;
            let score = match said {
                Said::Unparseable if is_positive => f64::NEG_INFINITY,
                Said::Unparseable => f64::INFINITY,
                Said::Class { label, margin } => {
                    let size = if graded {
                        margin.map_or(1.0, f64::abs)
                    } else {
                        1.0
                    };
                    if label == positive { size } else { 0.0 - size }
                }
            };
            (score, is_positive)
        })
        .collect();
    rank_auc(&mut scores)
}

/// U / (n₁ n₀), with U from the midranks of the positives.
fn rank_auc(scores: &mut [(f64, bool)]) -> Option<f64> {
    scores.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut rank_sum, mut positives) = (0_usize, 0.0, 0_usize);
    for tied in scores.chunk_by(|a, b| a.0 == b.0) {
        let hits = tied.iter().filter(|(_, positive)| *positive).count();
        // Ranks below+1 ..= below+len share their mean.
        let midrank = below as f64 + (tied.len() + 1) as f64 / 2.0;
        rank_sum += midrank * hits as f64;
        positives += hits;
        below += tied.len();
    }
    let negatives = scores.len() - positives;
    let pairs = (positives * negatives) as f64;
    let u = rank_sum - (positives * (positives + 1)) as f64 / 2.0;
    (pairs > 0.0).then(|| (u / pairs).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests;
