//! Agreement against statsmodels, and what a judge's scores are worth beside a person's.

use serde_json::Value;

use super::rng::SplitMix;
use super::special::normal_quantile;
use super::*;

fn levels(value: &Value) -> Vec<usize> {
    let values = value.as_array().unwrap().iter();
    values.map(|x| x.as_u64().unwrap() as usize).collect()
}

#[test]
fn kappa_matches_statsmodels() {
    let all: Value = serde_json::from_str(include_str!("../../tests/fixtures/stats.json")).unwrap();
    let cases = all["kappa"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let (first, second) = (levels(&case[1]), levels(&case[2]));
        let pairs: Vec<_> = first.into_iter().zip(second).collect();
        let got = agreement(&pairs, case[0].as_u64().unwrap() as usize, 0.95).unwrap();
        let (kappa, error) = (case[3].as_f64().unwrap(), case[4].as_f64().unwrap());
        assert!((got.kappa.unwrap() - kappa).abs() < 1e-10, "{got:?}");
        let low = (kappa - normal_quantile(0.975) * error).max(-1.0);
        assert!(
            (got.kappa_interval.unwrap().low - low).abs() < 1e-10,
            "{got:?}"
        );
    }
}

#[test]
fn agreement_at_its_ends() {
    assert!(agreement(&[], 2, 0.95).is_none());
    // All alike and all one: chance would do as well.
    let one = agreement(&[(1, 1); 9], 2, 0.95).unwrap();
    assert_eq!((one.share, one.kappa), (1.0, None));
    let both = agreement(&[(0, 0), (1, 1), (0, 0)], 2, 0.95).unwrap();
    assert_eq!(both.kappa, Some(1.0));
    let never = agreement(&[(0, 1), (1, 0)], 2, 0.95).unwrap();
    assert_eq!((never.share, never.kappa), (0.0, Some(-1.0)));
    // A level that there is not.
    assert_eq!(agreement(&[(0, 7)], 2, 0.95).unwrap().kappa, None);
}

/// A judge that passes two of five wrong answers: its own mean is far off, and the
/// corrected interval holds the person's mean about as often as it says.
#[test]
fn corrected_judges_cover_the_persons_mean() {
    let (truth, runs) = (0.6, 400);
    let mut draw = SplitMix::new(5);
    let mut uniform = || draw.unit();
    let (mut covered, mut naive) = (0, 0);
    for _ in 0..runs {
        let mut pair = || {
            let right = uniform() < truth;
            let passed = if right {
                uniform() < 0.95
            } else {
                uniform() < 0.4
            };
            (f64::from(right), f64::from(passed))
        };
        let calibration: Vec<(f64, f64)> = (0..60).map(|_| pair()).collect();
        let judged: Vec<f64> = (0..300).map(|_| pair().1).collect();
        let own = judged.iter().sum::<f64>() / 300.0;
        naive += usize::from(wilson(own * 300.0, 300.0, 0.95).contains(truth));
        let corrected = ppi(&calibration, &judged, 0.95).unwrap();
        covered += usize::from(corrected.interval.contains(truth));
    }
    let share = covered as f64 / f64::from(runs);
    assert!((0.92..=0.99).contains(&share), "{share}");
    assert!(naive < covered / 4, "{naive}");
}
