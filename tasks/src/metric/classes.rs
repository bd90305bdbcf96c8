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
            PredictedClass::Unparseable
                | PredictedClass::Class {
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
                PredictedClass::Unparseable if is_positive => f64::NEG_INFINITY,
                PredictedClass::Unparseable => f64::INFINITY,
                PredictedClass::Class { label, margin } => {
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
