//! Values from tables and closed forms, and what must hold whatever the numbers.

use proptest::prelude::*;

use super::rng::SplitMix;
use super::*;

#[track_caller]
fn near(got: f64, want: f64, within: f64) {
    assert!((got - want).abs() <= within, "got {got}, want {want}");
}

#[test]
fn normal_and_student_tables() {
    near(special::normal_cdf(0.0), 0.5, 1e-15);
    near(special::normal_cdf(1.0), 0.841_344_746_068_543, 1e-12);
    near(special::normal_quantile(0.975), 1.959_963_984_540_054, 1e-9);
    // One degree of freedom is Cauchy's: F(t) = ½ + atan(t)/π.
    for t in [-3.0_f64, -0.5, 0.0, 1.0, 7.0] {
        let cauchy = 0.5 + t.atan() / std::f64::consts::PI;
        near(special::t_cdf(t, 1.0), cauchy, 1e-10);
    }
    // Two degrees: F(t) = ½ + t/(2√(2 + t²)).
    for t in [-2.0_f64, 0.3, 4.0] {
        let closed = 0.5 + t / (2.0 * (2.0 + t * t).sqrt());
        near(special::t_cdf(t, 2.0), closed, 1e-10);
    }
    near(
        special::t_quantile(0.975, 10.0),
        2.228_138_851_964_939,
        1e-8,
    );
    // Many degrees: the normal's.
    near(
        special::t_quantile(0.95, 1e7),
        special::normal_quantile(0.95),
        1e-5,
    );
}

#[test]
fn gamma_and_beta_closed_forms() {
    // Γ(n + 1) = n!, Γ(½) = √π.
    let mut factorial = 1.0_f64;
    for n in 1..15 {
        factorial *= f64::from(n);
        near(special::ln_gamma(f64::from(n) + 1.0), factorial.ln(), 1e-10);
    }
    near(
        special::ln_gamma(0.5),
        0.5 * std::f64::consts::PI.ln(),
        1e-12,
    );
    // I_x(1, 1) = x; I_x(2, 1) = x²; I_x(1, 3) = 1 − (1 − x)³.
    for x in [0.0, 0.1, 0.5, 0.93, 1.0_f64] {
        near(special::beta_cdf(x, 1.0, 1.0), x, 1e-12);
        near(special::beta_cdf(x, 2.0, 1.0), x * x, 1e-12);
        near(
            special::beta_cdf(x, 1.0, 3.0),
            1.0 - (1.0 - x).powi(3),
            1e-12,
        );
    }
}

proptest! {
    #[test]
    fn quantiles_invert(p in 0.001_f64..0.999, df in 1.0_f64..200.0, a in 0.3_f64..40.0, b in 0.3_f64..40.0) {
        prop_assert!((special::normal_cdf(special::normal_quantile(p)) - p).abs() < 1e-10);
        prop_assert!((special::t_cdf(special::t_quantile(p, df), df) - p).abs() < 1e-7);
        prop_assert!((special::beta_cdf(special::beta_quantile(p, a, b), a, b) - p).abs() < 1e-7);
        // Symmetry.
        prop_assert!((special::normal_quantile(p) + special::normal_quantile(1.0 - p)).abs() < 1e-8);
        let x = special::beta_quantile(p, a, b);
        let mirrored = 1.0 - special::beta_cdf(1.0 - x, b, a);
        prop_assert!((special::beta_cdf(x, a, b) - mirrored).abs() < 1e-9);
    }

    #[test]
    fn intervals_mirror(k in 0_u32..=60, more in 0_u32..60, level in 0.5_f64..0.995) {
        let n = f64::from(k + more).max(1.0);
        let k = f64::from(k).min(n);
        for of in [wilson, exact] {
            let (own, other) = (of(k, n, level), of(n - k, n, level));
            prop_assert!((own.low - (1.0 - other.high)).abs() < 1e-7);
            prop_assert!((own.high - (1.0 - other.low)).abs() < 1e-7);
            prop_assert!(own.low <= k / n + 1e-9 && k / n <= own.high + 1e-9);
        }
        // The guarantee at every rate is paid for with width.
        prop_assert!(exact(k, n, level).width() + 1e-9 >= beta(k, n, (0.5, 0.5), level).width() - 1e-6);
    }

    #[test]
    fn independent_outcomes_are_their_own_clusters(k in 1_u32..40, more in 1_u32..40) {
        let row = |sum| ClusterTotals { sum, size: 1.0 };
        let ones = (0..k).map(|_| row(1.0));
        let rows: Vec<ClusterTotals> = ones.chain((0..more).map(|_| row(0.0))).collect();
        let apart = clustered(&rows, 0.95);
        let n = f64::from(k + more);
        prop_assert!(apart.contains(f64::from(k) / n));
        // The same outcomes as pairs that always agree know half as much.
        let pairs: Vec<ClusterTotals> = rows
            .iter()
            .map(|r| ClusterTotals { sum: 2.0 * r.sum, size: 2.0 })
            .collect();
        let alike = clustered(&pairs, 0.95);
        prop_assert!((alike.width() - apart.width()).abs() < 0.35 * apart.width());
        prop_assert!(alike.width() > wilson(2.0 * f64::from(k), 2.0 * n, 0.95).width());
    }

    #[test]
    fn holm_by_definition(p in prop::collection::vec(0.0_f64..1.0, 1..12), alpha in 0.01_f64..0.3) {
        let adjusted = holm(&p);
        // Step down by hand: the smallest against α/m, the next against α/(m − 1), …
        let mut order: Vec<usize> = (0..p.len()).collect();
        order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
        let mut open = true;
        for (rank, &at) in order.iter().enumerate() {
            open &= p[at] <= alpha / (p.len() - rank) as f64;
            // Rounding may part what is equal.
            if (adjusted[at] - alpha).abs() > 1e-9 {
                prop_assert_eq!(adjusted[at] <= alpha, open);
            }
        }
    }
}

/// Wilson's, Clopper-Pearson's and the rule of three at the edges.
#[test]
fn interval_tables() {
    // z²/(n + z²) at no success in ten.
    near(wilson(0.0, 10.0, 0.95).high, 0.277_532_799, 1e-6);
    near(wilson(5.0, 10.0, 0.95).low, 0.236_593_091, 1e-6);
    // 1 − (α/2)^(1/n).
    near(exact(0.0, 10.0, 0.95).high, 1.0 - 0.025_f64.powf(0.1), 1e-8);
    near(exact(5.0, 10.0, 0.95).low, 0.187_086_028, 1e-6);
    // A flat prior after ten successes: Beta(11, 1), low (α/2)^(1/11).
    let flat = beta(10.0, 10.0, (1.0, 1.0), 0.95);
    near(flat.low, 0.025_f64.powf(1.0 / 11.0), 1e-8);
    assert_eq!(flat.high, 1.0);
    for nothing in [
        wilson(0.0, 0.0, 0.95),
        exact(0.0, f64::NAN, 0.95),
        clustered(&[], 0.9),
    ] {
        assert_eq!(nothing, Interval::UNKNOWN);
    }
    assert_eq!(Interval::UNKNOWN.width(), 1.0);
}

#[test]
fn holm_by_hand() {
    let adjusted = holm(&[0.01, 0.04, 0.03]);
    for (got, want) in adjusted.iter().zip([0.03, 0.06, 0.06]) {
        near(*got, want, 1e-12);
    }
    assert_eq!(holm(&[f64::NAN, 0.2]), [1.0, 0.4]);
    assert!(holm(&[]).is_empty());
}

/// Proxies that are the truth: the estimate is theirs. Proxies that know nothing
/// get no weight: the mean of the labels. A bias of the proxies cancels.
#[test]
fn ppi_at_its_ends() {
    let mut rng = SplitMix::new(9);
    let coin = |rng: &mut SplitMix, chance| f64::from(u8::from(rng.unit() < chance));
    let labelled: Vec<(f64, f64)> = (0..200)
        .map(|_| {
            let y = coin(&mut rng, 0.6);
            (y, y)
        })
        .collect();
    let many: Vec<f64> = (0..20_000).map(|_| coin(&mut rng, 0.6)).collect();
    let proxy_mean = many.iter().sum::<f64>() / 20_000.0;
    let perfect = ppi(&labelled, &many, 0.95).unwrap();
    near(perfect.weight, 1.0 / 1.01, 1e-9);
    near(perfect.estimate, proxy_mean, 0.01);
    let noise: Vec<(f64, f64)> = labelled
        .iter()
        .map(|(y, _)| (*y, coin(&mut rng, 0.5)))
        .collect();
    let useless = ppi(&noise, &many, 0.95).unwrap();
    let mean = labelled.iter().map(|p| p.0).sum::<f64>() / 200.0;
    near(useless.estimate, mean, 0.02);
    assert!(useless.weight < 0.2 && useless.error > 2.0 * perfect.error);
    let moved: Vec<(f64, f64)> = labelled.iter().map(|(y, f)| (*y, f + 0.3)).collect();
    let many: Vec<f64> = many.iter().map(|f| f + 0.3).collect();
    near(
        ppi(&moved, &many, 0.95).unwrap().estimate,
        perfect.estimate,
        1e-9,
    );
}

/// Source and target alike: all weights near one. A target that is one half of the
/// source: that half weighs, the other hardly.
#[test]
fn shift_weights_follow_the_target() {
    let mut rng = SplitMix::new(3);
    let mut rows = |n: usize, from: f64| -> Vec<Vec<f64>> {
        (0..n)
            .map(|_| vec![from + rng.unit(), rng.unit()])
            .collect()
    };
    let source = rows(400, 0.0);
    let alike = shift_weights(&source, &rows(400, 0.0), 1.0).unwrap();
    assert!(alike.weights.iter().all(|w| (0.5..2.0).contains(w)));
    assert!(alike.effective > 350.0, "{}", alike.effective);
    near(alike.weights.iter().sum::<f64>() / 400.0, 1.0, 1e-9);
    let right = shift_weights(&source, &rows(400, 0.4), 1.0).unwrap();
    let (mut low, mut high) = (0.0, 0.0);
    for (row, weight) in source.iter().zip(&right.weights) {
        if row[0] < 0.4 {
            low += weight;
        } else if row[0] > 0.6 {
            high += weight;
        }
    }
    assert!(high > 5.0 * low, "{high} {low}");
    assert!(right.effective < alike.effective);
    // Constant features tell nothing; ridge must be positive.
    let flat = vec![vec![1.0]; 100];
    let same = shift_weights(&flat, &flat, 1.0).unwrap();
    assert!(same.weights.iter().all(|w| (w - 1.0).abs() < 1e-9));
    assert_eq!(shift_weights(&flat, &flat, 0.0), Err(ShiftError::Shape));
    assert_eq!(shift_weights(&[], &flat, 1.0), Err(ShiftError::Shape));
    let broken = vec![vec![f64::NAN]; 3];
    assert_eq!(shift_weights(&flat, &broken, 1.0), Err(ShiftError::Shape));
}

/// Differences swap their sign with the prompts, a prompt does not differ from
/// itself, and more replicates change nothing but the noise of bounds.
#[test]
fn differences_are_antisymmetric() {
    let mut rng = SplitMix::new(14);
    let mut sample = ClusteredSample::new(2, 2);
    for e in 0..300_u64 {
        let row = [rng.unit(), 0.1 + 0.9 * rng.unit()];
        assert!(sample.push((e % 2) as usize, e, &row));
    }
    assert!(!sample.push(2, 1, &[0.0, 0.0]) && !sample.push(0, 1, &[0.0]));
    assert!(!sample.push(0, 1, &[0.0, f64::NAN]));
    assert_eq!(
        (sample.prompts(), sample.groups(), sample.examples(0)),
        (2, 2, 150)
    );
    let mean = |m: &[f64]| m.iter().sum::<f64>() / m.len() as f64;
    let how = |replicates| PairedBootstrap {
        replicates,
        seed: 1,
    };
    let ahead = paired_bootstrap(&sample, 0, how(8_000), mean).unwrap();
    let behind = paired_bootstrap(&sample, 1, how(8_000), mean).unwrap();
    near(ahead.robust[1].estimate, -behind.robust[0].estimate, 1e-12);
    near(
        ahead.robust[1].lower(0.95),
        -behind.robust[0].upper(0.95),
        0.01,
    );
    near(ahead.robust[0].estimate, 0.0, 1e-15);
    assert!(ahead.robust[0].interval(0.95).contains(0.0));
    let more = paired_bootstrap(&sample, 0, how(40_000), mean).unwrap();
    near(ahead.robust[1].variance(), more.robust[1].variance(), 5e-5);
    let p = ahead.robust[1].p_value(-1.0);
    assert!(p < 0.001, "{p}");
    assert!(ahead.robust[1].p_value(1.0) > 0.99);
}
