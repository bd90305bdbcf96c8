//! What is to be gained over the prompts that are there already: the one in use and the generic
//! ones. A few answers tell whether the wording matters at all on these examples, and whether a
//! search is needed to find a better one.
//!
//! It speaks of labelled source examples alone: no target label is read for it. What a prompt
//! that nobody has written yet could do is not known either; on examples that no prompt gets
//! right the labels may be wrong, the model too weak, or the right words not found.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use shiftproof_tasks::PromptId;

use crate::stats::{ClusterTotals, Interval, clustered, wilson};

/// Answers to fewer examples than this say nothing.
pub const LEAST_EXAMPLES: usize = 12;
const CONFIDENCE: f64 = 0.95;
/// Below this share of examples, of which some prompts get right what others get wrong, the
/// wording hardly matters; above its complement a prompt leaves little to gain.
const HARDLY: f64 = 0.1;

/// A mean in `0..=1` with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanEstimate {
    /// The mean.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Examples it is of.
    pub n: usize,
}

/// The best of the generic prompts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GenericPrompt {
    /// Which.
    pub candidate: PromptId,
    /// Its mean; it is the best of several, and so flattered.
    pub own: MeanEstimate,
    /// Its mean less the seed's on the examples that both answered; the interval allows for
    /// the choice among [`among`](Self::among).
    pub gain: MeanEstimate,
    /// Generic prompts with enough answers.
    pub among: usize,
}

/// What the answers say in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadroomVerdict {
    /// Too few answers.
    Unknown,
    /// The prompt in use leaves little to gain, or the wording hardly matters.
    Little,
    /// A generic prompt is better beyond chance: no search is needed for that much.
    Generic,
    /// Some prompts get right what others get wrong.
    Some,
}

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeadroomEstimate {
    /// In a word.
    pub verdict: HeadroomVerdict,
    /// Prompts that were asked, the seed among them.
    pub asked: usize,
    /// Those with enough answers.
    pub prompts: usize,
    /// Graded answers that this rests on.
    pub answers: usize,
    /// The prompt in use; absent where it has no graded answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<MeanEstimate>,
    /// The best generic prompt; absent where none has enough answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generic: Option<GenericPrompt>,
    /// Examples that some of the prompts get right and others wrong, of those that all
    /// answered; absent for a single prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixed: Option<MeanEstimate>,
    /// The mean of the best answer to each of these examples: what a perfect choice among
    /// these prompts, example by example, would come to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<MeanEstimate>,
}

/// A prompt's grades on the examples of an estimate, `None` where there is none.
#[derive(Debug, Clone, PartialEq)]
pub struct TriedPrompt {
    /// The prompt.
    pub candidate: PromptId,
    /// Whether it is one of the generic ones.
    pub generic: bool,
    /// One grade an example, in `0..=1`.
    pub grades: Vec<Option<f64>>,
}

impl HeadroomEstimate {
    /// From grades of the seed (first) and other prompts on the same examples; `clusters`:
    /// a number an example, shared within its cluster.
    pub fn of(tried: &[TriedPrompt], clusters: &[u64]) -> Self {
        let enough = |own: &&TriedPrompt| own.grades.iter().flatten().count() >= LEAST_EXAMPLES;
        let known: Vec<&TriedPrompt> = tried.iter().filter(enough).collect();
        let seed = tried
            .first()
            .and_then(|seed| mean(&graded(seed, clusters), CONFIDENCE));
        let generic = tried
            .first()
            .filter(|seed| enough(seed))
            .and_then(|seed| best(seed, &known, clusters));
        let common: Vec<(u64, Vec<f64>)> = clusters
            .iter()
            .enumerate()
            .filter_map(|(at, &cluster)| {
                let grades: Option<Vec<f64>> = known.iter().map(|own| own.grades[at]).collect();
                Some((cluster, grades?))
            })
            .collect();
        let several = known.len() > 1 && common.len() >= LEAST_EXAMPLES;
        let over = |value: &dyn Fn(&[f64]) -> f64| {
            let values: Vec<(u64, f64)> = common
                .iter()
                .map(|(cluster, grades)| (*cluster, value(grades)))
                .collect();
            mean(&values, CONFIDENCE).filter(|_| several)
        };
        let most = |grades: &[f64]| grades.iter().copied().fold(0.0, f64::max);
        let least = |grades: &[f64]| grades.iter().copied().fold(1.0, f64::min);
        let mut estimate = Self {
            verdict: HeadroomVerdict::Unknown,
            asked: tried
                .iter()
                .filter(|own| own.grades.iter().any(Option::is_some))
                .count(),
            prompts: known.len(),
            answers: tried.iter().flat_map(|own| &own.grades).flatten().count(),
            seed,
            generic,
            mixed: over(&|grades| f64::from(most(grades) - least(grades) >= 0.5)),
            ceiling: over(&most),
        };
        estimate.verdict = estimate.judged();
        estimate
    }

    fn judged(&self) -> HeadroomVerdict {
        let Some(seed) = self.seed.filter(|seed| seed.n >= LEAST_EXAMPLES) else {
            return HeadroomVerdict::Unknown;
        };
        if self.generic.is_some_and(|generic| generic.gain.low > 0.0) {
            return HeadroomVerdict::Generic;
        }
        let settled = self.mixed.is_some_and(|mixed| mixed.high <= HARDLY);
        if seed.low >= 1.0 - HARDLY || settled {
            return HeadroomVerdict::Little;
        }
        match self.mixed {
            Some(mixed) if mixed.mean > 0.0 => HeadroomVerdict::Some,
            _ => HeadroomVerdict::Unknown,
        }
    }
}

fn graded(tried: &TriedPrompt, clusters: &[u64]) -> Vec<(u64, f64)> {
    let grades = clusters.iter().zip(&tried.grades);
    grades
        .filter_map(|(cluster, grade)| Some((*cluster, (*grade)?)))
        .collect()
}

/// The generic prompt of the highest mean gain over the seed.
fn best(seed: &TriedPrompt, known: &[&TriedPrompt], clusters: &[u64]) -> Option<GenericPrompt> {
    let generic: Vec<&&TriedPrompt> = known.iter().filter(|own| own.generic).collect();
    let among = generic.len();
    // Bonferroni: the best of so many is looked at.
    let confidence = 1.0 - (1.0 - CONFIDENCE) / among.max(1) as f64;
    let measured = generic.iter().filter_map(|own| {
        let both: Vec<(u64, f64)> = clusters
            .iter()
            .zip(own.grades.iter().zip(&seed.grades))
            .filter_map(|(cluster, (own, seed))| {
                // A difference as a grade, so that one interval serves for both.
                Some((*cluster, f64::midpoint((*own)? - (*seed)?, 1.0)))
            })
            .collect();
        if both.len() < LEAST_EXAMPLES {
            return None;
        }
        let scaled = mean(&both, confidence)?;
        let back = |value: f64| 2.0 * value - 1.0;
        Some(GenericPrompt {
            candidate: own.candidate,
            own: mean(&graded(own, clusters), CONFIDENCE)?,
            gain: MeanEstimate {
                mean: back(scaled.mean),
                low: back(scaled.low),
                high: back(scaled.high),
                n: scaled.n,
            },
            among,
        })
    });
    // Of equal ones the first.
    measured.reduce(|best, next| {
        if next.gain.mean > best.gain.mean {
            next
        } else {
            best
        }
    })
}

/// The mean of values by cluster; `None` of none.
fn mean(values: &[(u64, f64)], confidence: f64) -> Option<MeanEstimate> {
    if values.is_empty() {
        return None;
    }
    let n = values.len();
    let sum: f64 = values.iter().map(|(_, value)| value).sum();
    let distinct: BTreeSet<u64> = values.iter().map(|(cluster, _)| *cluster).collect();
    let binary = values
        .iter()
        .all(|(_, value)| *value == 0.0 || *value == 1.0);
    let Interval { low, high } = if binary && distinct.len() == n {
        wilson(sum, n as f64, confidence)
    } else {
        let mut totals: BTreeMap<u64, ClusterTotals> = BTreeMap::new();
        for (cluster, value) in values {
            let own = totals.entry(*cluster).or_insert(ClusterTotals {
                sum: 0.0,
                size: 0.0,
            });
            own.sum += value;
            own.size += 1.0;
        }
        let totals: Vec<ClusterTotals> = totals.into_values().collect();
        clustered(&totals, confidence)
    };
    Some(MeanEstimate {
        mean: sum / n as f64,
        low,
        high,
        n,
    })
}

#[cfg(test)]
mod tests {
    use shiftproof_tasks::Prompt;

    use super::*;

    /// A prompt that is right where `grades` has a 1; of a space nothing is known.
    fn tried(name: &str, generic: bool, grades: &str) -> TriedPrompt {
        TriedPrompt {
            candidate: Prompt::new(name).id(),
            generic,
            grades: grades
                .chars()
                .map(|c| c.to_digit(10).map(f64::from))
                .collect(),
        }
    }

    fn estimate(prompts: &[TriedPrompt]) -> HeadroomEstimate {
        let clusters: Vec<u64> = (0..prompts[0].grades.len() as u64).collect();
        HeadroomEstimate::of(prompts, &clusters)
    }

    #[track_caller]
    fn check(prompts: &[(&str, bool)], expect: HeadroomVerdict) -> HeadroomEstimate {
        let named = prompts.iter().enumerate();
        let prompts: Vec<TriedPrompt> = named
            .map(|(at, (grades, generic))| tried(&format!("prompt {at}"), *generic, grades))
            .collect();
        let estimate = estimate(&prompts);
        assert_eq!(estimate.verdict, expect, "{estimate:?}");
        estimate
    }

    fn times(grades: &str, count: usize) -> String {
        grades.repeat(count)
    }

    #[test]
    fn differing_prompts_leave_room() {
        let found = check(
            &[
                (&times("1100", 6), false),
                (&times("1010", 6), true),
                (&times("0110", 6), true),
            ],
            HeadroomVerdict::Some,
        );
        assert_eq!((found.prompts, found.answers), (3, 72));
        assert_eq!(found.seed.unwrap().mean, 0.5);
        assert_eq!(found.mixed.unwrap().mean, 0.75);
        assert_eq!(found.ceiling.unwrap().mean, 0.75);
        let generic = found.generic.unwrap();
        assert_eq!((generic.among, generic.gain.mean), (2, 0.0));
        assert!(generic.gain.low < 0.0 && generic.gain.high > 0.0);
        // The first of equal ones.
        assert_eq!(generic.candidate, Prompt::new("prompt 1").id());
    }

    #[test]
    fn better_generic_prompt_is_told() {
        let found = check(
            &[
                (&times("1000", 12), false),
                (&times("1110", 12), true),
                (&times("1000", 12), true),
            ],
            HeadroomVerdict::Generic,
        );
        let generic = found.generic.unwrap();
        assert_eq!((generic.own.mean, generic.gain.mean), (0.75, 0.5));
        assert!(
            generic.gain.low > 0.2 && generic.gain.high < 0.8,
            "{generic:?}"
        );
    }

    #[test]
    fn agreeing_prompts_leave_little() {
        let right = times("1", 48);
        check(&[(&right, false), (&right, true)], HeadroomVerdict::Little);
        // All are wrong about the same half: words change nothing.
        let half = times("10", 24);
        check(&[(&half, false), (&half, true)], HeadroomVerdict::Little);
        // A sure seed beside a bad generic prompt.
        check(
            &[(&right, false), (&times("0", 48), true)],
            HeadroomVerdict::Little,
        );
    }

    #[test]
    fn few_answers_say_nothing() {
        check(
            &[("11110000111", false), ("00001111000", true)],
            HeadroomVerdict::Unknown,
        );
        check(&[(&times(" ", 30), false)], HeadroomVerdict::Unknown);
        // One prompt alone cannot show that words matter.
        let lone = check(&[(&times("1100", 6), false)], HeadroomVerdict::Unknown);
        assert_eq!((lone.mixed, lone.generic), (None, None));
        assert_eq!(lone.seed.unwrap().n, 24);
        // What agrees on a dozen examples may differ on the next.
        check(
            &[(&times("10", 6), false), (&times("10", 6), true)],
            HeadroomVerdict::Unknown,
        );
    }

    #[test]
    fn clusters_widen_intervals() {
        let prompts = [
            tried("a", false, &times("1100", 12)),
            tried("b", true, &times("1010", 12)),
        ];
        let alone: Vec<u64> = (0..48).collect();
        // Four examples a user, of whom half are right throughout.
        let users: Vec<u64> = (0..48).map(|at| (at / 2) % 6).collect();
        let width = |clusters: &[u64]| {
            let seed = HeadroomEstimate::of(&prompts, clusters).seed.unwrap();
            seed.high - seed.low
        };
        assert!(width(&users) > 1.3 * width(&alone));
    }

    #[test]
    fn missing_grades_are_left_out() {
        let prompts = [
            tried("a", false, &times("11 0", 8)),
            tried("b", true, &times("1 10", 8)),
        ];
        let found = estimate(&prompts);
        assert_eq!(found.seed.unwrap().n, 24);
        assert_eq!(found.mixed.unwrap().n, 16);
        assert_eq!(found.generic.unwrap().gain.n, 16);
    }

    #[test]
    fn estimates_survive_json() {
        for found in [
            estimate(&[tried("a", false, &times("10", 12))]),
            estimate(&[
                tried("a", false, &times("10", 12)),
                tried("b", true, &times("01", 12)),
            ]),
        ] {
            let json = serde_json::to_string(&found).unwrap();
            let back: HeadroomEstimate = serde_json::from_str(&json).unwrap();
            assert_eq!(back, found);
        }
    }
}
