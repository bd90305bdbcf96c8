use proptest::prelude::*;
use serde_json::Value;

use super::rng::SplitMix;
use super::*;

fn fixtures() -> Value {
    serde_json::from_str(include_str!("../../tests/fixtures/stats.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect()
}

fn rows(name: &str) -> Vec<Vec<f64>> {
    fixtures()[name]
        .as_array()
        .unwrap()
        .iter()
        .map(numbers)
        .collect()
}

#[track_caller]
fn close(got: f64, want: f64, tolerance: f64, what: &str) {
    let scale = want.abs().max(1e-3);
    assert!(
        (got - want).abs() <= tolerance * scale,
        "{what}: got {got}, want {want}"
    );
}

#[test]
fn special_functions_match_scipy() {
    for r in rows("erfc") {
        close(special::erfc(r[0]), r[1], 1e-12, "erfc");
    }
    for r in rows("ln_gamma") {
        close(special::ln_gamma(r[0]), r[1], 1e-11, "ln_gamma");
    }
    for r in rows("normal_cdf") {
        close(special::normal_cdf(r[0]), r[1], 1e-12, "normal_cdf");
    }
    for r in rows("normal_quantile") {
        close(
            special::normal_quantile(r[0]),
            r[1],
            1e-11,
            "normal_quantile",
        );
    }
    for r in rows("beta") {
        close(special::beta_cdf(r[0], r[1], r[2]), r[3], 1e-10, "beta_cdf");
    }
    for r in rows("beta_quantile") {
        close(
            special::beta_quantile(r[0], r[1], r[2]),
            r[3],
            1e-10,
            "beta_quantile",
        );
    }
    for r in rows("t_quantile") {
        close(special::t_quantile(r[0], r[1]), r[2], 1e-9, "t_quantile");
        close(special::t_cdf(r[2], r[1]), r[0], 1e-9, "t_cdf");
    }
}

#[test]
fn intervals_match_statsmodels() {
    type Method = fn(f64, f64, f64) -> Interval;
    let methods: [(&str, Method); 3] = [
        ("wilson", wilson),
        ("exact", exact),
        ("jeffreys", |k, n, c| beta(k, n, (0.5, 0.5), c)),
    ];
    for (name, method) in methods {
        for r in rows(name) {
            let got = method(r[0], r[1], r[2]);
            assert!((got.low - r[3]).abs() < 1e-9, "{name} {r:?}: {got:?}");
            assert!((got.high - r[4]).abs() < 1e-9, "{name} {r:?}: {got:?}");
        }
    }
}

#[test]
fn clustered_intervals_match_statsmodels() {
    for case in fixtures()["clustered"].as_array().unwrap() {
        let clusters: Vec<ClusterTotals> = numbers(&case[0])
            .into_iter()
            .zip(numbers(&case[1]))
            .map(|(sum, size)| ClusterTotals { sum, size })
            .collect();
        let got = clustered(&clusters, 0.95);
        close(got.low, case[2].as_f64().unwrap(), 1e-9, "low");
        close(got.high, case[3].as_f64().unwrap(), 1e-9, "high");
    }
}

#[test]
fn generator_matches_its_authors() {
    for case in fixtures()["splitmix"].as_array().unwrap() {
        let mut rng = SplitMix::new(case[0].as_u64().unwrap());
        for want in case[1].as_array().unwrap() {
            assert_eq!(rng.next_u64(), want.as_u64().unwrap());
        }
    }
}

#[test]
fn holm_matches_statsmodels() {
    for case in fixtures()["holm"].as_array().unwrap() {
        let (got, want) = (holm(&numbers(&case[0])), numbers(&case[1]));
        for (g, w) in got.iter().zip(&want) {
            close(*g, *w, 1e-12, "holm");
        }
    }
    assert_eq!(holm(&[f64::NAN, 0.01]), [1.0, 0.02]);
}

fn soft_min(means: &[f64]) -> f64 {
    let sum: f64 = means.iter().map(|m| (-m / 0.05).exp()).sum();
    -0.05 * (sum / means.len() as f64).ln()
}

/// The recorded paired outcomes of two prompts.
pub(super) fn recorded() -> ClusteredSample {
    let fixture = &fixtures()["bootstrap"];
    let groups = fixture["groups"].as_array().unwrap();
    let mut sample = ClusteredSample::new(2, groups.len());
    for (g, group) in groups.iter().enumerate() {
        let (users, base, other) = (
            numbers(&group["user"]),
            numbers(&group["baseline"]),
            numbers(&group["candidate"]),
        );
        for i in 0..users.len() {
            assert!(sample.push(g, g as u64 * 1000 + users[i] as u64, &[base[i], other[i]]));
        }
    }
    sample
}

#[test]
fn bootstrap_matches_numpy() {
    let fixture = &fixtures()["bootstrap"];
    let sample = recorded();
    let how = PairedBootstrap {
        replicates: 40_000,
        seed: 3,
    };
    let got = paired_bootstrap(&sample, 0, how, soft_min).unwrap();
    let levels = numbers(&fixture["levels"]);
    for (g, want) in fixture["per_group"].as_array().unwrap().iter().enumerate() {
        for (level, want) in levels.iter().zip(numbers(want)) {
            let got = got.groups[1][g].percentile(*level);
            // Monte-Carlo error of both sides, and the step of small groups.
            assert!(
                (got - want).abs() < 0.006,
                "group {g} at {level}: {got} vs {want}"
            );
        }
    }
    for (level, want) in levels.iter().zip(numbers(&fixture["robust"])) {
        let got = got.robust[1].percentile(*level);
        assert!(
            (got - want).abs() < 0.004,
            "robust at {level}: {got} vs {want}"
        );
    }
    assert_eq!(
        got.robust[0].lower(0.95),
        0.0,
        "the baseline against itself"
    );
}

#[test]
fn bootstrap_refuses_bad_input() {
    let mut sample = ClusteredSample::new(2, 1);
    assert!(paired_bootstrap(&sample, 0, PairedBootstrap::default(), soft_min).is_none());
    assert!(
        !sample.push(0, 1, &[0.5, f64::NAN]),
        "a failed call is no outcome"
    );
    assert!(!sample.push(1, 1, &[0.5, 0.5]), "no such group");
    assert!(!sample.push(0, 1, &[0.5]), "one outcome per prompt");
    assert_eq!(sample.clusters(0), 0);
}

/// Paired outcomes where the candidate wins and loses with given chances, and
/// whole users move together when `together`.
fn world(rng: &mut SplitMix, users: usize, win: f64, loss: f64, together: bool) -> ClusteredSample {
    let mut sample = ClusteredSample::new(2, 1);
    for user in 0..users {
        let shared = rng.unit();
        for _ in 0..if together { 1 + rng.below(6) } else { 1 } {
            let u = if together && rng.unit() < 0.5 {
                shared
            } else {
                rng.unit()
            };
            let base = if u < win {
                0.0
            } else if u < win + loss {
                1.0
            } else {
                (rng.unit() < 0.5).into()
            };
            let other = if u < win {
                1.0
            } else if u < win + loss {
                0.0
            } else {
                base
            };
            assert!(sample.push(0, user as u64, &[base, other]));
        }
    }
    sample
}

#[test]
fn difference_bounds_cover() {
    // One-sided 95% bounds on both sides. A world shows a binomial share, so
    // three standard errors below 94% are allowed: 92.4% of 2,000.
    for users in [10, 30] {
        for together in [false, true] {
            for (win, loss) in [(0.05, 0.05), (0.1, 0.2), (0.3, 0.1)] {
                let mut rng = SplitMix::new(17);
                let held = (0..2_000)
                    .map(|seed| {
                        let sample = world(&mut rng, users, win, loss, together);
                        let how = PairedBootstrap {
                            replicates: 400,
                            seed,
                        };
                        let got = paired_bootstrap(&sample, 0, how, |m| m[0]).unwrap();
                        let difference = &got.groups[1][0];
                        let truth = win - loss;
                        [
                            usize::from(difference.lower(0.95) <= truth),
                            usize::from(difference.upper(0.95) >= truth),
                        ]
                    })
                    .fold([0, 0], |sum, held| [sum[0] + held[0], sum[1] + held[1]]);
                assert!(
                    held.iter().all(|&count| count >= 1_848),
                    "{users} users, together {together}, {win} {loss}: {held:?} of 2000"
                );
            }
        }
    }
}

proptest! {
    #[test]
    fn intervals_hold_estimates_and_tighten(k in 0_u32..200, extra in 0_u32..200, level in 0.5_f64..0.999) {
        let n = f64::from(k + extra).max(1.0);
        let k = f64::from(k);
        for interval in [wilson(k, n, level), exact(k, n, level), beta(k, n, (0.5, 0.5), level)] {
            prop_assert!(0.0 <= interval.low && interval.high <= 1.0);
            prop_assert!(interval.low <= k / n + 1e-12 && k / n <= interval.high + 1e-12);
        }
        prop_assert!(wilson(k * 4.0, n * 4.0, level).width() <= wilson(k, n, level).width() + 1e-12);
        // Wilson is symmetric under swapping success and failure.
        let (a, b) = (wilson(k, n, level), wilson(n - k, n, level));
        prop_assert!((a.low - (1.0 - b.high)).abs() < 1e-12);
    }

    #[test]
    fn holm_is_monotone_above_raw(p in prop::collection::vec(0.0_f64..1.0, 1..20)) {
        let adjusted = holm(&p);
        for (i, a) in p.iter().enumerate() {
            prop_assert!(adjusted[i] >= *a && adjusted[i] <= 1.0);
            for (j, b) in p.iter().enumerate() {
                prop_assert!(a > b || adjusted[i] <= adjusted[j]);
            }
        }
    }

    #[test]
    fn p_value_and_bound_agree(seed in 0_u64..50, bound in -0.3_f64..0.3) {
        let mut rng = SplitMix::new(seed);
        let sample = world(&mut rng, 40, 0.2, 0.1, true);
        let got = paired_bootstrap(&sample, 0, PairedBootstrap { replicates: 999, seed }, |m| m[0]).unwrap();
        let difference = &got.groups[1][0];
        let p = difference.p_value(bound);
        // Below that the bound is the smallest replicate, whatever the level.
        if p > 0.01 && p < 0.45 {
            prop_assert!(difference.lower(1.0 - (p * 1.1 + 0.01)) >= bound - 1e-6);
            prop_assert!(difference.lower(1.0 - (p * 0.9 - 0.005).max(1e-6)) <= bound + 1e-6);
        }
    }
}
