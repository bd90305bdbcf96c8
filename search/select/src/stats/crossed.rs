//! Two methods over several runs, all judged on the same examples.
//!
//! Runs that differ in their random seed select different prompts, and every prompt
//! answers every example: seeds and examples are *crossed*, not nested. Chance comes
//! from both. A bootstrap that draws examples anew within each seed would take the
//! examples' part for as many independent ones as there are seeds, and the interval
//! would be too narrow; one that draws examples alone would say nothing about another
//! random seed.

use std::collections::HashMap;

use super::interval::Interval;
use super::rng::SplitMix;
use super::special::t_quantile;

/// Outcomes of two contestants in each of several runs on the same examples, summed
/// per cluster and group.
///
/// Complete blocks only: an example enters when both contestants have an outcome for
/// it in every run.
#[derive(Debug, Clone)]
pub struct CrossedSample {
    runs: usize,
    /// Runs in which the two contestants are one and the same prompt.
    same: Vec<bool>,
    strata: Vec<CrossedStratum>,
    /// Largest difference of the two on one example.
    reach: f64,
}

#[derive(Debug, Clone, Default)]
struct CrossedStratum {
    rows: HashMap<u64, usize>,
    /// One row per cluster: both contestants' sums run by run, then the number of
    /// examples.
    sums: Vec<Vec<f64>>,
}

/// A difference `first − second`, the mean over runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrossedDifference {
    /// The difference on the data as they are.
    pub estimate: f64,
    /// Its standard error, for other random seeds and other examples.
    pub error: f64,
    /// Degrees of freedom behind the standard error.
    pub freedom: f64,
    /// Runs.
    pub runs: usize,
    /// Examples that count.
    pub examples: usize,
}

impl CrossedDifference {
    /// Student's interval at the given confidence, in `0..1`.
    pub fn interval(&self, confidence: f64) -> Interval {
        let reach = if self.error > 0.0 {
            -t_quantile(0.5 * (1.0 - confidence), self.freedom) * self.error
        } else {
            0.0
        };
        Interval {
            low: self.estimate - reach,
            high: self.estimate + reach,
        }
    }
}

impl CrossedSample {
    /// An empty sample over `groups` groups. `same`: run by run, whether the two
    /// contestants are one prompt, which differs from itself by nothing for certain.
    pub fn new(same: Vec<bool>, groups: usize) -> Self {
        Self {
            runs: same.len(),
            same,
            strata: vec![CrossedStratum::default(); groups],
            reach: 0.0,
        }
    }

    /// Adds one example: its group, its cluster (unique numbers when examples are
    /// independent), and the two contestants' outcomes in `[0, 1]`, run by run.
    /// Returns false, and adds nothing, unless all of them are finite numbers and the
    /// group exists.
    #[must_use = "a refused example belongs in the count of dropped ones"]
    pub fn push(&mut self, group: usize, cluster: u64, outcomes: &[[f64; 2]]) -> bool {
        let finite = outcomes.iter().flatten().all(|x| x.is_finite());
        let complete = finite && outcomes.len() == self.runs && self.runs > 0;
        let Some(stratum) = self.strata.get_mut(group).filter(|_| complete) else {
            return false;
        };
        let columns = 2 * self.runs + 1;
        let fresh = stratum.sums.len();
        let row = *stratum.rows.entry(cluster).or_insert(fresh);
        if row == fresh {
            stratum.sums.push(vec![0.0; columns]);
        }
        let sums = &mut stratum.sums[row];
        let flat = outcomes.iter().flatten();
        sums.iter_mut().zip(flat).for_each(|(sum, x)| *sum += x);
        sums[columns - 1] += 1.0;
        for [first, second] in outcomes {
            self.reach = self.reach.max((first - second).abs());
        }
        true
    }

    /// Examples that count.
    pub fn examples(&self) -> usize {
        let rows = self.strata.iter().flat_map(|stratum| &stratum.sums);
        rows.map(|row| row[2 * self.runs] as usize).sum()
    }

    /// The difference of `objective(group means)` between the two contestants, the
    /// mean over runs. `objective` sees the groups that have examples, in their order.
    ///
    /// The variance is that of a two-way crossed layout (Searle, Casella and `McCulloch`
    /// 1992, *Variance Components*, §4.3): what the runs' differences vary by, and what
    /// examples make them all vary by together, less the part that both hold. With
    /// d̄ the mean of n runs' differences d₁…dₙ, *v* variances over bootstrap draws of
    /// clusters within groups, the same draw for every run (Efron and Tibshirani 1993,
    /// §8), and s² the sample variance of d₁…dₙ:
    ///
    /// ```text
    /// shared = v(d̄)            own = (mean of v(dᵢ) − v(d̄)) / (n − 1)
    /// variance = shared + max(0, s²/n − own)
    /// ```
    ///
    /// Degrees of freedom are Satterthwaite's (1946). One run says nothing about other
    /// seeds: then the variance is that of the examples alone.
    ///
    /// Two added rows per group, at the means ± the largest difference seen (1 where
    /// none was), keep a few examples without a difference from claiming certainty.
    ///
    /// `None` without an example or a replicate.
    pub fn difference(
        &self,
        replicates: usize,
        seed: u64,
        objective: impl Fn(&[f64]) -> f64,
    ) -> Option<CrossedDifference> {
        let seen: Vec<usize> = (0..self.strata.len())
            .filter(|&group| !self.strata[group].sums.is_empty())
            .collect();
        if seen.is_empty() || replicates == 0 {
            return None;
        }
        let means: Vec<Vec<f64>> = seen.iter().map(|&g| self.means(g)).collect();
        let own = self.differences(&means, &objective);
        let runs = self.runs as f64;
        let estimate = own.iter().sum::<f64>() / runs;
        let spread = if self.runs > 1 {
            let squares: f64 = own.iter().map(|d| (d - estimate).powi(2)).sum();
            squares / (runs - 1.0) / runs
        } else {
            0.0
        };
        let drawn = self.resampled(&seen, &means, (replicates, seed), &objective);
        let together = drawn.iter().map(|d| d.iter().sum::<f64>() / runs);
        let shared = variance(together);
        let apart: f64 = (0..self.runs)
            .map(|run| variance(drawn.iter().map(|d| d[run])))
            .sum::<f64>()
            / runs;
        let clusters: usize = seen.iter().map(|&g| self.strata[g].sums.len()).sum();
        let of_examples = (clusters as f64 - seen.len() as f64).max(1.0);
        let mixed = if self.runs > 1 {
            ((apart - shared) / (runs - 1.0)).max(0.0)
        } else {
            0.0
        };
        let total = shared + (spread - mixed).max(0.0);
        let part = |variance: f64, freedom: f64| variance * variance / freedom.max(1.0);
        let divided = part(shared, of_examples)
            + part(spread, runs - 1.0)
            + part(mixed, (runs - 1.0) * of_examples);
        Some(CrossedDifference {
            estimate,
            error: total.sqrt(),
            freedom: if divided > 0.0 {
                (total * total / divided).max(1.0)
            } else {
                1.0
            },
            runs: self.runs,
            examples: self.examples(),
        })
    }

    /// Mean outcomes in a group, run by run, the two contestants in turn.
    fn means(&self, group: usize) -> Vec<f64> {
        let columns = 2 * self.runs;
        let mut totals = vec![0.0; columns + 1];
        for row in &self.strata[group].sums {
            totals.iter_mut().zip(row).for_each(|(t, x)| *t += x);
        }
        totals[..columns]
            .iter()
            .map(|total| total / totals[columns])
            .collect()
    }

    /// Run by run, the difference of the objective, from each group's means.
    fn differences(&self, means: &[Vec<f64>], objective: &impl Fn(&[f64]) -> f64) -> Vec<f64> {
        let of = |column: usize| {
            let column: Vec<f64> = means.iter().map(|group| group[column]).collect();
            objective(&column)
        };
        (0..self.runs)
            .map(|run| of(2 * run) - of(2 * run + 1))
            .collect()
    }

    /// Replicates of [`Self::differences`].
    fn resampled(
        &self,
        seen: &[usize],
        means: &[Vec<f64>],
        (replicates, seed): (usize, u64),
        objective: &impl Fn(&[f64]) -> f64,
    ) -> Vec<Vec<f64>> {
        let rows: Vec<Vec<Vec<f64>>> = seen
            .iter()
            .zip(means)
            .map(|(&group, means)| self.with_added(group, means))
            .collect();
        let mut streams: Vec<SplitMix> = seen
            .iter()
            .map(|&group| SplitMix::fork(seed, group as u64))
            .collect();
        let mut drawn = Vec::with_capacity(replicates);
        let mut draw = means.to_vec();
        let columns = 2 * self.runs;
        let mut totals = vec![0.0; columns + 1];
        for _ in 0..replicates {
            for ((rows, stream), mean) in rows.iter().zip(&mut streams).zip(&mut draw) {
                totals.fill(0.0);
                for _ in 0..rows.len() {
                    let row = &rows[stream.below(rows.len())];
                    totals.iter_mut().zip(row).for_each(|(t, x)| *t += x);
                }
                let size = totals[columns];
                mean.iter_mut()
                    .zip(&totals)
                    .for_each(|(m, total)| *m = total / size);
            }
            drawn.push(self.differences(&draw, objective));
        }
        drawn
    }

    /// A group's rows and the two that are added.
    fn with_added(&self, group: usize, means: &[f64]) -> Vec<Vec<f64>> {
        let mut rows = self.strata[group].sums.clone();
        let columns = 2 * self.runs;
        let size = rows.iter().map(|row| row[columns]).sum::<f64>() / rows.len() as f64;
        let reach = if self.reach > 0.0 { self.reach } else { 1.0 };
        for sign in [0.5, -0.5] {
            let mut row: Vec<f64> = means
                .iter()
                .enumerate()
                .map(|(column, mean)| {
                    let away = match (self.same[column / 2], column % 2) {
                        (true, _) => 0.0,
                        (false, 0) => sign * reach,
                        (false, _) => -sign * reach,
                    };
                    (mean + away) * size
                })
                .collect();
            row.push(size);
            rows.push(row);
        }
        rows
    }
}

/// The variance of some draws about their mean.
fn variance(draws: impl Iterator<Item = f64> + Clone) -> f64 {
    let (mut n, mut sum) = (0.0, 0.0);
    for draw in draws.clone() {
        n += 1.0;
        sum += draw;
    }
    let mean = sum / n;
    draws.map(|draw| (draw - mean).powi(2)).sum::<f64>() / n
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mean(groups: &[f64]) -> f64 {
        groups.iter().sum::<f64>() / groups.len() as f64
    }

    fn worst(groups: &[f64]) -> f64 {
        groups.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// A standard normal number, as the sum of twelve uniform ones.
    fn normal(rng: &mut SplitMix) -> f64 {
        (0..12).map(|_| rng.unit()).sum::<f64>() - 6.0
    }

    /// How much better the first contestant is in truth, and what varies.
    #[derive(Clone, Copy)]
    struct PlantedWorld {
        runs: usize,
        /// Examples of each of two groups.
        examples: usize,
        /// Standard deviation of the true difference over random seeds.
        seeds: f64,
        /// That of the examples' own share of the difference.
        items: f64,
    }

    const GAIN: f64 = 0.05;

    impl PlantedWorld {
        /// Binary outcomes whose chances are the truth.
        fn draw(&self, rng: &mut SplitMix) -> CrossedSample {
            let mut sample = CrossedSample::new(vec![false; self.runs], 2);
            let seeds: Vec<f64> = (0..self.runs).map(|_| self.seeds * normal(rng)).collect();
            for group in 0..2 {
                for example in 0..self.examples {
                    let item = self.items * normal(rng);
                    let ease = 0.25 * normal(rng);
                    let base = 0.55 + 0.1 * group as f64 + ease;
                    let right = |chance: f64, rng: &mut SplitMix| {
                        f64::from(u8::from(rng.unit() < chance.clamp(0.0, 1.0)))
                    };
                    // The prompt in use is one and the same in all runs.
                    let second = right(base, rng);
                    let outcomes: Vec<[f64; 2]> = seeds
                        .iter()
                        .map(|seed| [right(base + GAIN + seed + item, rng), second])
                        .collect();
                    assert!(sample.push(group, example as u64, &outcomes));
                }
            }
            sample
        }

        /// The share of intervals that hold the truth: with seeds and examples, and
        /// with examples alone. The truth is the mean of a great many such samples.
        fn covered(&self, objective: fn(&[f64]) -> f64, worlds: usize) -> [f64; 2] {
            let mut rng = SplitMix::new(17);
            let great = Self {
                runs: 400,
                examples: 2000,
                ..*self
            };
            let truth = great.draw(&mut rng).difference(1, 0, objective).unwrap();
            let (mut whole, mut naive) = (0.0, 0.0);
            for _ in 0..worlds {
                let sample = self.draw(&mut rng);
                let found = sample.difference(300, 5, objective).unwrap();
                let holds = |found: CrossedDifference| {
                    let interval = found.interval(0.95);
                    f64::from(u8::from(
                        (interval.low..=interval.high).contains(&truth.estimate),
                    ))
                };
                whole += holds(found);
                let (groups, seed) = ([0, 1].map(|g| sample.means(g)), 5);
                let drawn = sample.resampled(&[0, 1], &groups, (300, seed), &objective);
                let runs = self.runs as f64;
                let together = drawn.iter().map(|d| d.iter().sum::<f64>() / runs);
                naive += holds(CrossedDifference {
                    error: variance(together).sqrt(),
                    freedom: 1e6,
                    ..found
                });
            }
            [whole, naive].map(|count| count / worlds as f64)
        }
    }

    /// Intervals hold the planted truth about as often as they say, whatever it is
    /// that varies; intervals over examples alone do not where seeds do.
    #[test]
    fn planted_differences_are_covered() {
        let world = |runs, examples, seeds, items| PlantedWorld {
            runs,
            examples,
            seeds,
            items,
        };
        for (world, objective) in [
            (world(5, 60, 0.0, 0.0), mean as fn(&[f64]) -> f64),
            (world(5, 60, 0.05, 0.1), mean),
            (world(3, 60, 0.05, 0.1), mean),
            (world(10, 30, 0.1, 0.0), mean),
            (world(5, 100, 0.04, 0.1), worst),
        ] {
            let [whole, _] = world.covered(objective, 400);
            // Five standard errors of 400 worlds about 0.95, and what is too wide.
            assert!(
                (0.90..=0.995).contains(&whole),
                "{} runs, {} examples, seeds {}, items {}: {whole}",
                world.runs,
                world.examples,
                world.seeds,
                world.items
            );
        }
        let [whole, naive] = world(5, 100, 0.12, 0.0).covered(mean, 400);
        assert!(whole > 0.9 && naive < 0.75, "{whole} {naive}");
    }

    #[test]
    fn one_prompt_differs_by_nothing() {
        let mut sample = CrossedSample::new(vec![true, true], 1);
        for example in 0..20 {
            let x = f64::from(example % 2);
            assert!(sample.push(0, u64::from(example as u32), &[[x, x], [x, x]]));
        }
        let found = sample.difference(100, 1, mean).unwrap();
        let interval = found.interval(0.95);
        assert_eq!(
            (found.estimate, interval.low, interval.high),
            (0.0, 0.0, 0.0)
        );
        // Two prompts that agree on all twenty may still differ elsewhere.
        sample.same = vec![false, false];
        let interval = sample.difference(100, 1, mean).unwrap().interval(0.95);
        assert!(
            interval.low < 0.0 && interval.high > 0.0 && interval.high < 0.2,
            "{interval:?}"
        );
    }

    #[test]
    fn incomplete_examples_are_refused() {
        let mut sample = CrossedSample::new(vec![false; 2], 1);
        assert!(!sample.push(0, 0, &[[1.0, 0.0]]));
        assert!(!sample.push(1, 0, &[[1.0, 0.0], [1.0, 0.0]]));
        assert!(!sample.push(0, 0, &[[1.0, f64::NAN], [1.0, 0.0]]));
        assert!(sample.difference(10, 0, mean).is_none());
        assert!(sample.push(0, 0, &[[1.0, 0.0], [0.5, 0.0]]));
        let found = sample.difference(10, 0, mean).unwrap();
        assert_eq!((found.runs, found.examples), (2, 1));
        assert!((found.estimate - 0.75).abs() < 1e-12);
    }

    #[test]
    fn clusters_widen_intervals() {
        let error = |clustered: bool| {
            let mut rng = SplitMix::new(3);
            let mut sample = CrossedSample::new(vec![false; 3], 1);
            for document in 0..20_u64 {
                let better = rng.unit() < 0.6;
                for sentence in 0..5_u64 {
                    let cluster = if clustered {
                        document
                    } else {
                        5 * document + sentence
                    };
                    let outcome = [f64::from(u8::from(better)), 0.5];
                    assert!(sample.push(0, cluster, &[outcome; 3]));
                }
            }
            sample.difference(400, 1, mean).unwrap().error
        };
        assert!(error(true) > 1.8 * error(false));
    }

    proptest! {
        #[test]
        fn difference_turns_with_contestants(
            outcomes in prop::collection::vec(prop::array::uniform2(0.0..1.0_f64), 4..40),
        ) {
            let mut ways = [false, true].map(|turned| {
                let mut sample = CrossedSample::new(vec![false; 2], 2);
                for (at, pair) in outcomes.chunks_exact(2).enumerate() {
                    let pair: Vec<[f64; 2]> = pair
                        .iter()
                        .map(|&[a, b]| if turned { [b, a] } else { [a, b] })
                        .collect();
                    assert!(sample.push(at % 2, at as u64, &pair));
                }
                sample.difference(50, 2, worst).unwrap()
            });
            ways[1].estimate = -ways[1].estimate;
            prop_assert!((ways[0].estimate - ways[1].estimate).abs() < 1e-12);
            prop_assert!(ways.iter().all(|way| way.error > 0.0 && way.freedom >= 1.0));
        }
    }
}
