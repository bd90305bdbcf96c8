//! Groups that lend each other what they know: the chance that one of them loses.

use super::special::normal_cdf;

/// Scale of the half-normal prior of how far groups differ, in units of the score.
const SPREAD: f64 = 0.05;
/// Steps of the grid over that spread, and how far it reaches in scales.
const STEPS: usize = 200;
const REACH: f64 = 5.0;

/// Per group: the chance that its difference is at or below −`tolerance`.
///
/// `differences` are (estimate, variance) with positive variances. The model is
/// `d̂_g` ~ N(`d_g`, `s_g`²), `d_g` ~ N(μ, τ²), μ flat, τ half-normal with scale 0.05, summed
/// over a grid of τ with μ integrated out (the normal hierarchical model of Gelman et
/// al., "Bayesian Data Analysis", 3rd ed., section 5.4).
pub fn chance_of_loss(differences: &[(f64, f64)], tolerance: f64) -> Vec<f64> {
    let mut chances = vec![0.0; differences.len()];
    let (mut all, mut terms) = (0.0, Vec::new());
    for step in 0..=STEPS {
        let spread = SPREAD * REACH * step as f64 / STEPS as f64;
        let pooled = Pooled::at(differences, spread);
        // The ends of the grid have half a step each (trapezoid rule).
        let end = step == 0 || step == STEPS;
        let width = if end { 0.5_f64.ln() } else { 0.0 };
        let prior = width - 0.5 * (spread / SPREAD).powi(2);
        terms.push((prior + pooled.ln_likelihood, spread, pooled));
    }
    let most = terms
        .iter()
        .map(|term| term.0)
        .fold(f64::NEG_INFINITY, f64::max);
    for (weight, spread, pooled) in terms {
        let weight = (weight - most).exp();
        all += weight;
        for (chance, &(estimate, variance)) in chances.iter_mut().zip(differences) {
            let own = spread * spread / (spread * spread + variance);
            let mean = own * estimate + (1.0 - own) * pooled.mean;
            let spread = (own * variance + (1.0 - own).powi(2) * pooled.variance).sqrt();
            *chance += weight * normal_cdf((-tolerance - mean) / spread);
        }
    }
    for chance in &mut chances {
        *chance /= all;
    }
    chances
}

/// What all groups say of their common mean where they differ by so much.
struct Pooled {
    mean: f64,
    variance: f64,
    ln_likelihood: f64,
}

impl Pooled {
    fn at(differences: &[(f64, f64)], spread: f64) -> Self {
        let weight = |variance: f64| 1.0 / (variance + spread * spread);
        let all: f64 = differences.iter().map(|d| weight(d.1)).sum();
        let mean = differences.iter().map(|d| weight(d.1) * d.0).sum::<f64>() / all;
        let fit = |d: &(f64, f64)| {
            let own = weight(d.1);
            0.5 * own.ln() - 0.5 * own * (d.0 - mean).powi(2)
        };
        Self {
            mean,
            variance: 1.0 / all,
            ln_likelihood: differences.iter().map(fit).sum::<f64>() - 0.5 * all.ln(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scipy_agrees() {
        let text = include_str!("../../tests/fixtures/stats.json");
        let all: serde_json::Value = serde_json::from_str(text).unwrap();
        for row in all["chance_of_loss"].as_array().unwrap() {
            let of =
                |name: &str| -> Vec<f64> { serde_json::from_value(row[name].clone()).unwrap() };
            let pairs: Vec<(f64, f64)> = of("d").into_iter().zip(of("v")).collect();
            let ours = chance_of_loss(&pairs, row["tolerance"].as_f64().unwrap());
            for (ours, expected) in ours.iter().zip(of("p")) {
                assert!((ours - expected).abs() < 2e-4, "{ours} {expected}");
            }
        }
    }

    #[test]
    fn groups_lend_each_other() {
        let alone = chance_of_loss(&[(0.03, 0.002)], 0.02);
        let eight = chance_of_loss(&[(0.03, 0.002); 8], 0.02);
        assert!(eight[0] < 0.6 * alone[0], "{alone:?} {eight:?}");
        // One that is far behind stays suspect.
        let mut odd = vec![(0.05, 0.001); 7];
        odd.push((-0.10, 0.001));
        let chances = chance_of_loss(&odd, 0.02);
        assert!(chances[7] > 0.5 && chances[0] < 0.1, "{chances:?}");
    }
}
