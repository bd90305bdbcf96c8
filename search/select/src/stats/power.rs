//! What a gate can decide at all, before it is asked.

use super::bootstrap::paired_bootstrap;
use super::gate::ShipGate;
use super::sample::{ClusteredSample, PairedBootstrap};
use super::special::{normal_cdf, t_quantile};

/// Share of outcomes that a typical prompt gets right, and how alike two prompts
/// answer the same examples: for a forecast made before anything is measured.
const TYPICAL: (f64, f64) = (0.75, 0.6);
/// Most clusters tried.
const MOST_CLUSTERS: usize = 4096;
/// The chance that "likely" means.
const LIKELY: f64 = 0.8;

/// Fewest clusters (examples, where they stand alone) in a group with which a
/// candidate that is right on all of them can ship against an incumbent that is
/// right on none: with fewer no data can convince a gate of so many finalists.
/// `None` where no number can, because α is below what the replicates resolve.
pub fn smallest_audit(demand: &ShipGate, finalists: usize) -> Option<usize> {
    let enough = |clusters: usize| {
        let mut sample = ClusteredSample::new(2, 1);
        for cluster in 0..clusters {
            let _added = sample.push(0, cluster as u64, &[0.0, 1.0]);
        }
        let how = PairedBootstrap { ..demand.bootstrap };
        paired_bootstrap(&sample, 0, how, |means| means[0]).is_some_and(|drawn| {
            drawn.robust[1].p_value(0.0) * finalists.max(1) as f64 <= demand.alpha
        })
    };
    let mut most = 1;
    while !enough(most) {
        most *= 2;
        if most > MOST_CLUSTERS {
            return None;
        }
    }
    let (mut few, mut many) = (most / 2, most);
    while many - few > 1 {
        let middle = usize::midpoint(few, many);
        if enough(middle) {
            many = middle;
        } else {
            few = middle;
        }
    }
    Some(many)
}

/// Gain in every group with which a candidate likely (four times in five) ships,
/// where groups have these clusters, in units of the score; `None` without groups,
/// where one is empty, or where not even a gain of 1 does.
///
/// A forecast by normal theory for prompts that are right three times in four and
/// answer alike three times in five: an example's difference has variance
/// v = 2 · 0.75 · 0.25 · 0.4 + 0.6 · gain, Δ̂ of n clusters v/n, and the bootstrap
/// with its two added rows takes it for (nv + 2)/(n + 2)². All groups must clear −δ
/// and, groups being level, their mean 0, each at Student's quantile of α over
/// finalists.
pub fn likely_gain(demand: &ShipGate, finalists: usize, clusters: &[usize]) -> Option<f64> {
    if clusters.is_empty() || clusters.contains(&0) {
        return None;
    }
    let level = 1.0 - demand.alpha / finalists.max(1) as f64;
    let (groups, all) = (clusters.len() as f64, clusters.iter().sum::<usize>());
    let mean_of = |of: &dyn Fn(usize) -> f64| {
        clusters.iter().map(|&n| of(n)).sum::<f64>() / (groups * groups)
    };
    let chance = |gain: f64| {
        let (right, alike) = TYPICAL;
        let one = 2.0 * right * (1.0 - right) * (1.0 - alike) + alike * gain;
        let own = |n: usize| one / n as f64;
        let seen = |n: usize| (n as f64 * one + 2.0) / (n as f64 + 2.0).powi(2);
        let clears = |room: f64, own: f64, seen: f64, n: usize| {
            let reach = t_quantile(level, (n as f64 - 1.0).max(1.0));
            normal_cdf((room - reach * seen.sqrt()) / own.sqrt())
        };
        let held = clusters
            .iter()
            .map(|&n| clears(gain + demand.tolerance, own(n), seen(n), n));
        held.product::<f64>() * clears(gain, mean_of(&own), mean_of(&seen), all)
    };
    if chance(1.0) < LIKELY {
        return None;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if chance(middle) < LIKELY {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(high)
}

/// α of the `question`th question (from 1) put to one audit: α/(k(k + 1)), which
/// sums to α over any number of them.
pub fn spent_alpha(alpha: f64, question: usize) -> f64 {
    let k = question.max(1) as f64;
    alpha / (k * (k + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{ShipDecision, gate, rng::SplitMix, special::normal_quantile};

    #[test]
    fn spent_alpha_sums_to_alpha() {
        assert!((spent_alpha(0.05, 1) - 0.025).abs() < 1e-15);
        assert!((spent_alpha(0.05, 2) - 0.05 / 6.0).abs() < 1e-15);
        assert_eq!(spent_alpha(0.05, 0), spent_alpha(0.05, 1));
        let all: f64 = (1..=1000).map(|k| spent_alpha(0.05, k)).sum();
        // 1 − 1/(n + 1) of it after n questions.
        assert!((all - 0.05 * (1.0 - 1.0 / 1001.0)).abs() < 1e-12);
    }

    /// A perfect candidate ships from the smallest audit on, in any number of
    /// groups, and not one example below it.
    #[test]
    fn smallest_audit_can_ship() {
        for (alpha, finalists) in [(0.05, 1), (0.05, 5), (0.025, 2)] {
            let demand = ShipGate {
                alpha,
                bootstrap: PairedBootstrap {
                    replicates: 2_000,
                    seed: 0,
                },
                ..ShipGate::default()
            };
            let least = smallest_audit(&demand, finalists).unwrap();
            for groups in [1, 4, 16] {
                let decide = |each: usize| {
                    let mut sample = ClusteredSample::new(finalists + 1, groups);
                    let mut row = vec![1.0; finalists + 1];
                    row[0] = 0.0;
                    for group in 0..groups {
                        for example in 0..each {
                            let cluster = (group * each + example) as u64;
                            assert!(sample.push(group, cluster, &row));
                        }
                    }
                    let judged: Vec<usize> = (1..=finalists).collect();
                    let mean = |m: &[f64]| m.iter().sum::<f64>() / m.len() as f64;
                    gate(&sample, 0, &judged, demand, mean).unwrap().decision
                };
                // Groups are drawn by seeds of their own: one example of slack.
                let ships = |each| matches!(decide(each), ShipDecision::Ship { .. });
                assert!(ships(least + 1), "{groups} groups of {}", least + 1);
                assert!(!ships(least - 2), "{groups} groups of {}", least - 2);
            }
        }
        let hopeless = ShipGate {
            alpha: 1e-9,
            ..ShipGate::default()
        };
        assert_eq!(smallest_audit(&hopeless, 1), None);
    }

    /// The forecast against drawn worlds of its own assumptions.
    #[test]
    fn likely_gain_ships_likely() {
        let demand = |seed| ShipGate {
            bootstrap: PairedBootstrap {
                replicates: 500,
                seed,
            },
            ..ShipGate::default()
        };
        let mut rng = SplitMix::new(12);
        for (groups, each) in [(2, 200), (4, 120)] {
            let gain = likely_gain(&demand(0), 1, &vec![each; groups]).unwrap();
            let worlds = 120;
            let shipped = (0..worlds).filter(|&seed| {
                let mut sample = ClusteredSample::new(2, groups);
                for group in 0..groups {
                    for example in 0..each {
                        // Both by one number three times in five: ρ = 0.6.
                        let (a, b) = (rng.unit(), rng.unit());
                        let b = if rng.unit() < 0.6 { a } else { b };
                        let level = 0.75 - 0.5 * gain;
                        let right = |u: f64, chance| f64::from(u8::from(u < chance));
                        let row = [right(a, level), right(b, level + gain)];
                        assert!(sample.push(group, (group * each + example) as u64, &row));
                    }
                }
                let mean = |m: &[f64]| m.iter().sum::<f64>() / m.len() as f64;
                gate(&sample, 0, &[1], demand(seed), mean)
                    .unwrap()
                    .finalists[0]
                    .ships
            });
            let share = shipped.count() as f64 / worlds as f64;
            assert!((0.65..=0.95).contains(&share), "{groups} × {each}: {share}");
        }
    }

    #[test]
    fn likely_gain_follows_the_design() {
        let demand = ShipGate::default();
        let of = |groups: usize, each: usize| likely_gain(&demand, 1, &vec![each; groups]).unwrap();
        assert!(of(4, 300) < of(4, 100) && of(4, 100) < of(8, 100));
        let five = likely_gain(&demand, 5, &[100; 4]).unwrap();
        assert!(five > of(4, 100));
        // One group by hand, δ 0, so that both demands are the same difference's:
        // each is met with a chance of √0.8.
        let plain = ShipGate {
            tolerance: 0.0,
            ..demand
        };
        let gain = likely_gain(&plain, 1, &[100]).unwrap();
        let one = 0.15 + 0.6 * gain;
        let (own, seen) = (one / 100.0, (100.0 * one + 2.0) / (102.0 * 102.0));
        // Student's 0.95 quantile of 99 degrees of freedom.
        let by_hand = 1.660_391_156 * seen.sqrt() + normal_quantile(0.8_f64.sqrt()) * own.sqrt();
        assert!((gain - by_hand).abs() < 1e-6, "{gain} {by_hand}");
        assert_eq!(likely_gain(&demand, 1, &[]), None);
        assert_eq!(likely_gain(&demand, 1, &[100, 0]), None);
        assert_eq!(likely_gain(&demand, 1, &[1]), None);
    }
}
