//! Metrics of classes.

use std::collections::BTreeMap;

use super::GradedOutcome;
use crate::{Answer, Label, Outcome};

/// An outcome seen as a classification.
#[derive(Clone, Copy)]
enum PredictedClass<'a> {
    Class { label: &'a str, margin: Option<f64> },
    Unparseable,
}

/// The classified observations; `None` if one is no classification.
fn classified<'a>(
    observations: &[GradedOutcome<'a>],
) -> Option<Vec<(&'a str, PredictedClass<'a>)>> {
    let mut pairs = Vec::with_capacity(observations.len());
    for observation in observations {
        let said = match observation.outcome {
            Outcome::Truncated { .. } | Outcome::Failed { .. } => continue,
            Outcome::Unparseable { .. } => PredictedClass::Unparseable,
            Outcome::Scored(scored) => match &scored.answer {
                Answer::Class { label, margin } => PredictedClass::Class {
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

pub(super) fn macro_f1(observations: &[GradedOutcome<'_>]) -> Option<f64> {
    // Per class: true positives, and false positives plus false negatives.
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (truth, said) in classified(observations)? {
        match said {
            PredictedClass::Class { label, .. } if label == truth => {
                counts.entry(truth).or_default().0 += 1;
            }
            said => {
                counts.entry(truth).or_default().1 += 1;
                if let PredictedClass::Class { label, .. } = said {
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

pub(super) fn auc(observations: &[GradedOutcome<'_>]) -> Option<f64> {
    let mut classes: Vec<_> = classified(observations)?
        .iter()
        .map(|(truth, _)| *truth)
        .collect();
    classes.sort_unstable();
    classes.dedup();
    let &[_, positive] = classes.as_slice() else {
        return None;
    };
    let mut scores: Vec<(f64, bool)> = observations
        .iter()
        .zip(signed(observations, positive)?)
        .filter_map(|(observation, score)| {
            Some((score?, observation.label.class() == Some(positive)))
        })
        .collect();
    rank_auc(&mut scores)
}

/// How far each observation speaks for the class `positive`, `None` for those that count in
/// no score; `None` altogether if one is no classification. Evasions lie on the wrong side of
/// everything.
pub(super) fn signed(
    observations: &[GradedOutcome<'_>],
    positive: &str,
) -> Option<Vec<Option<f64>>> {
    let graded = classified(observations)?.iter().all(|(_, said)| {
        matches!(
            said,
            PredictedClass::Unparseable
                | PredictedClass::Class {
                    margin: Some(_),
                    ..
                }
        )
    });
    let score = |observation: &GradedOutcome<'_>| -> Option<f64> {
        let (truth, said) = *classified(std::slice::from_ref(observation))?.first()?;
        Some(match said {
            PredictedClass::Unparseable if truth == positive => f64::NEG_INFINITY,
            PredictedClass::Unparseable => f64::INFINITY,
            // The answer is the class its margin favours, so the size of the margin and
            // the answer together order the examples whichever label comes first.
            PredictedClass::Class { label, margin } => {
                let size = margin.filter(|_| graded).map_or(1.0, f64::abs);
                if label == positive { size } else { 0.0 - size }
            }
        })
    };
    Some(observations.iter().map(score).collect())
}

/// Least chance that counts for the truth, so that one wrong answer in a million costs no
/// more than that.
const LEAST_CHANCE: f64 = 1e-6;

/// Mean -ln p of the truth, p = 1 / (1 + e^-margin); `None` where an answer has no margin.
pub(super) fn log_loss(observations: &[GradedOutcome<'_>]) -> Option<f64> {
    let pairs = classified(observations)?;
    let mut losses = Vec::with_capacity(pairs.len());
    for (truth, said) in pairs {
        let chance = match said {
            PredictedClass::Unparseable => 0.0,
            PredictedClass::Class { label, margin } => {
                let answered = 1.0 / (1.0 + (-margin?.abs()).exp());
                if label == truth {
                    answered
                } else {
                    1.0 - answered
                }
            }
        };
        losses.push(-chance.clamp(LEAST_CHANCE, 1.0 - LEAST_CHANCE).ln());
    }
    (!losses.is_empty()).then(|| losses.iter().sum::<f64>() / losses.len() as f64)
}

/// U / (n₁ n₀), with U from the midranks of the positives.
pub(super) fn rank_auc(scores: &mut [(f64, bool)]) -> Option<f64> {
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
