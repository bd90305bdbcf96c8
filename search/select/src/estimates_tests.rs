//! Outcomes, group estimates and beliefs against values known by hand.

use proptest::prelude::*;

use super::*;
use crate::gaussian_process::{GpPosterior, LowRankKernel, believe};
use crate::stats::rng::SplitMix;
use crate::unevenness::charges;

fn coin(right: bool) -> f64 {
    f64::from(u8::from(right))
}

#[test]
fn table_counts_what_it_is_given() {
    let mut table = OutcomeTable::new(2, vec![0, 0, 1], 2);
    assert!(table.is_empty() && table.balanced_mean(0, |_| 1.0).is_nan());
    assert!(table.push(0, 0, 1.0) && table.push(0, 2, 0.25) && table.push(1, 1, 7.0));
    assert!(!table.push(0, 0, 0.0), "known already");
    assert!(!table.push(0, 1, f64::NAN) && !table.push(2, 0, 1.0) && !table.push(0, 3, 1.0));
    assert_eq!(table.get(0, 0), Some(1.0));
    assert_eq!(table.get(1, 1), Some(1.0), "clamped");
    assert_eq!(
        (table.get(0, 1), table.get(5, 0), table.get(0, 9)),
        (None, None, None)
    );
    assert_eq!((table.len(), table.examples(), table.groups()), (3, 3, 2));
    assert_eq!(table.seen(0), [0, 2]);
    assert_eq!((table.count(0, 0), table.mean(0, 1)), (1.0, 0.25));
    assert!(table.mean(1, 1).is_nan());
    // (1 · 1 + 3 · ¼) / 4.
    let weighted = table.balanced_mean(0, |g| if g == 0 { 1.0 } else { 3.0 });
    assert!((weighted - 0.4375).abs() < 1e-12);
    assert_eq!(table.grow(3), 2);
    assert_eq!(table.candidates(), 5);
    assert!(table.push(4, 0, 0.5));
    assert_eq!(table.cluster_of(2), 2);
    let users = OutcomeTable::clustered(1, vec![0, 0], vec![9, 9], 1);
    assert_eq!((users.cluster_of(0), users.cluster_of(1)), (9, 9));
}

proptest! {
    #[test]
    fn table_means_are_means(outcomes in prop::collection::vec((0_u32..20, 0.0_f64..=1.0), 0..60)) {
        let group_of: Vec<u32> = (0..20).map(|e| e % 3).collect();
        let mut table = OutcomeTable::new(1, group_of, 3);
        let mut kept: Vec<(u32, f64)> = Vec::new();
        for (example, outcome) in outcomes {
            let fresh = kept.iter().all(|(e, _)| *e != example);
            prop_assert_eq!(table.push(0, example, outcome), fresh);
            if fresh {
                kept.push((example, outcome));
            }
        }
        prop_assert_eq!(table.len(), kept.len());
        for g in 0..3 {
            let own: Vec<f64> = kept.iter().filter(|k| k.0 % 3 == g).map(|k| k.1).collect();
            prop_assert_eq!(table.count(0, g as usize), own.len() as f64);
            if !own.is_empty() {
                let mean = own.iter().sum::<f64>() / own.len() as f64;
                prop_assert!((table.mean(0, g as usize) - mean).abs() < 1e-9);
            }
        }
    }
}

/// `groups` source groups of `each` examples; outcomes by (candidate, example, group).
fn fitted(
    candidates: usize,
    groups: u32,
    each: u32,
    outcome: impl Fn(usize, u32, u32) -> Option<f64>,
) -> (SelectionProblem, OutcomeTable) {
    let group_of: Vec<u32> = (0..groups * each).map(|e| e / each).collect();
    let problem = SelectionProblem {
        candidates,
        groups: (0..groups)
            .map(|g| ExampleGroup {
                name: format!("g{g}"),
                role: LabelRole::Source,
                weight: 1.0,
                examples: (g * each..(g + 1) * each).collect(),
            })
            .collect(),
        ..SelectionProblem::default()
    };
    let mut scores = OutcomeTable::new(candidates, group_of, groups as usize);
    for p in 0..candidates {
        for e in 0..groups * each {
            if let Some(y) = outcome(p, e, e / each) {
                scores.push(p, e, y);
            }
        }
    }
    (problem, scores)
}

/// Two candidates that saw different halves of the examples, the one the hard, the
/// other the easy, with a third who saw all: raw means say one thing, effects that
/// know how hard examples are the other.
#[test]
fn effects_are_adjusted_for_difficulty() {
    let easy = |e: u32| e.is_multiple_of(2);
    // On equal examples 0 is better than 1 by a quarter.
    let (problem, scores) = fitted(3, 1, 80, |p, e, _| {
        let base = if easy(e) { 0.75 } else { 0.25 };
        match p {
            0 => (!easy(e)).then_some(base + 0.25),
            1 => easy(e).then_some(base),
            _ => Some(base),
        }
    });
    assert!(scores.mean(0, 0) < scores.mean(1, 0), "the raw means");
    let estimates = GroupEstimates::fit(&problem, &scores);
    let (first, second) = (estimates.main_effect(0).0, estimates.main_effect(1).0);
    assert!(first > second + 0.1, "{first} {second}");
}

/// Known variances come back: 24 prompts with deviations of 8 points, groups of 5.
#[test]
fn variance_components_are_recovered() {
    let mut rng = SplitMix::new(31);
    let normal = |rng: &mut SplitMix| (0..12).map(|_| rng.unit()).sum::<f64>() - 6.0;
    let main: Vec<f64> = (0..24).map(|_| 0.08 * normal(&mut rng)).collect();
    let own: Vec<f64> = (0..24 * 8).map(|_| 0.05 * normal(&mut rng)).collect();
    let (problem, scores) = fitted(24, 8, 120, |p, e, g| {
        let chance = 0.5 + main[p] + own[p * 8 + g as usize];
        let u = SplitMix::fork(p as u64, u64::from(e)).unit();
        Some(coin(u < chance))
    });
    let estimates = GroupEstimates::fit(&problem, &scores);
    assert!((estimates.noise - 0.24).abs() < 0.02, "{}", estimates.noise);
    assert!(
        (estimates.interaction.sqrt() - 0.05).abs() < 0.015,
        "{}",
        estimates.interaction
    );
    let spread = |xs: &[f64]| {
        let mean = xs.iter().sum::<f64>() / xs.len() as f64;
        (xs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (xs.len() - 1) as f64).sqrt()
    };
    assert!(
        (estimates.main.sqrt() - spread(&main)).abs() < 0.03,
        "{}",
        estimates.main
    );
    // Shrunk means are nearer to the truth than raw ones.
    let (mut shrunk, mut raw) = (0.0, 0.0);
    for p in 0..24 {
        for (g, estimate) in estimates.groups(p).iter().enumerate() {
            let truth = 0.5 + main[p] + own[p * 8 + g];
            shrunk += (estimate.mean - truth).powi(2);
            raw += (estimate.raw - truth).powi(2);
            assert_eq!(estimate.count, 120.0);
        }
    }
    assert!(shrunk < raw, "{shrunk} {raw}");
}

/// Nothing was seen: every group at the overall level, nothing known of anyone.
#[test]
fn empty_table_has_estimates_too() {
    let (problem, scores) = fitted(3, 2, 5, |_, _, _| None);
    let estimates = GroupEstimates::fit(&problem, &scores);
    assert_eq!(estimates.candidates(), 3);
    assert!(estimates.main_effect(1).1.is_infinite());
    for estimate in estimates.groups(1) {
        assert!((estimate.mean - 0.5).abs() < 1e-9 && estimate.raw.is_nan());
        assert_eq!(estimate.count, 0.0);
    }
    assert_eq!(charges(&estimates, 1.5), [0.0; 3]);
}

/// A candidate that is uneven over groups pays, even ones do not, and where little
/// is known nobody does.
#[test]
fn unevenness_is_charged_where_it_is_known() {
    let chance = |p: usize, g: u32| match p {
        0 if g.is_multiple_of(2) => 0.95,
        0 => 0.45,
        _ => 0.7,
    };
    let at = |each: u32| {
        let (problem, scores) = fitted(8, 6, each, |p, e, g| {
            let u = SplitMix::fork(p as u64 + 50, u64::from(e)).unit();
            Some(coin(u < chance(p, g)))
        });
        charges(&GroupEstimates::fit(&problem, &scores), 1.5)
    };
    let known = at(300);
    assert!(known[0] > 0.05, "{known:?}");
    assert!(
        known[1..].iter().all(|c| c.abs() < 0.5 * known[0]),
        "{known:?}"
    );
    let free = {
        let (problem, scores) = fitted(8, 6, 300, |p, _, g| Some(chance(p, g)));
        charges(&GroupEstimates::fit(&problem, &scores), 0.0)
    };
    assert_eq!(free, [0.0; 8]);
    assert!(at(2)[0] < 0.5 * known[0]);
}

/// Two effects without likeness, by hand at one point of the grid's mixture: the
/// posterior lies between the constant and the effect, nearer the better known.
#[test]
fn beliefs_shrink_by_their_noise() {
    let effects = [
        (0.2, 0.0001),
        (-0.1, 0.0001),
        (0.2, 0.05),
        (0.0, f64::INFINITY),
    ];
    let beliefs = believe(&effects, None);
    assert!((beliefs[0].mean - 0.2).abs() < 0.01, "{:?}", beliefs[0]);
    assert!(beliefs[2].mean < 0.2 && beliefs[2].mean > beliefs[3].mean - 1e-9);
    assert!(beliefs[0].variance < beliefs[2].variance);
    assert!(
        beliefs[2].variance < beliefs[3].variance,
        "the unseen is least known"
    );
    for GpPosterior { mean, variance } in beliefs {
        assert!(mean.is_finite() && variance > 0.0);
    }
}

/// An unseen candidate that reads like a good one is believed to be good.
#[test]
fn likeness_carries_beliefs() {
    let n = 40;
    // Two families of twenty: alike within, unlike across.
    let values: Vec<f64> = (0..n * n)
        .map(|at| if at / n / 20 == at % n / 20 { 1.0 } else { 0.0 })
        .collect();
    let kernel = TextKernel::from_matrix(n, values).unwrap();
    let basis = LowRankKernel::new(&kernel);
    let effects: Vec<(f64, f64)> = (0..n)
        .map(|p| {
            let good = if p < 20 { 0.1 } else { -0.1 };
            if p % 20 == 0 {
                (0.0, f64::INFINITY)
            } else {
                (good, 0.002)
            }
        })
        .collect();
    let with = believe(&effects, Some(&basis));
    assert!(
        with[0].mean > 0.03 && with[20].mean < -0.03,
        "{:?} {:?}",
        with[0],
        with[20]
    );
    let without = believe(&effects, None);
    assert!((without[0].mean - without[20].mean).abs() < 1e-9);
}

#[test]
fn text_kernel_knows_paraphrases() {
    let texts = [
        "Decide whether the review is positive or negative.",
        "Decide whether this review is positive or negative!",
        "List the planets of the solar system by mass.",
        "Name the capital of the country that is given.",
    ];
    let kernel = TextKernel::of_texts(&texts).unwrap();
    assert_eq!(kernel.size(), 4);
    assert!(kernel.get(0, 1) > kernel.get(0, 2) + 0.5);
    for a in 0..4 {
        let row: f64 = (0..4).map(|b| kernel.get(a, b)).sum();
        assert!(row.abs() < 1e-9, "centred: {row}");
        for b in 0..4 {
            assert!((kernel.get(a, b) - kernel.get(b, a)).abs() < 1e-12);
        }
    }
    let trace = (0..4).map(|a| kernel.get(a, a)).sum::<f64>() / 4.0;
    assert!((trace - 1.0).abs() < 1e-9, "{trace}");
    let turned = kernel.reordered(&[3, 2, 1, 0]).unwrap();
    assert_eq!(turned.get(3, 2), kernel.get(0, 1));
    let twice = turned.reordered(&[3, 2, 1, 0]).unwrap();
    assert_eq!(twice.get(0, 1), kernel.get(0, 1));
    assert!(kernel.reordered(&[4]).is_none());
    assert!(TextKernel::of_texts(&["a", "b"]).is_none(), "too few");
    assert!(
        TextKernel::of_texts(&["same words"; 5]).is_none(),
        "all alike"
    );
}

/// Worked out pair by pair and centred by hand from the same cosines.
#[test]
fn kernel_of_a_matrix_is_centred() {
    let values = vec![1.0, 0.5, 0.0, 0.5, 1.0, 0.25, 0.0, 0.25, 1.0];
    let kernel = TextKernel::from_matrix(3, values.clone()).unwrap();
    let mean = |a: usize| values[a * 3..a * 3 + 3].iter().sum::<f64>() / 3.0;
    let grand = (0..3).map(mean).sum::<f64>() / 3.0;
    let centred = |a: usize, b: usize| values[a * 3 + b] - mean(a) - mean(b) + grand;
    let trace = (0..3).map(|a| centred(a, a)).sum::<f64>() / 3.0;
    for (a, b) in [(0, 0), (0, 1), (1, 2), (2, 0)] {
        assert!((kernel.get(a, b) - centred(a, b) / trace).abs() < 1e-12);
    }
    assert!(TextKernel::from_matrix(3, vec![1.0; 8]).is_none());
    assert!(TextKernel::from_matrix(3, vec![f64::NAN; 9]).is_none());
    assert!(
        TextKernel::from_matrix(3, vec![1.0; 9]).is_none(),
        "nothing differs"
    );
}
