//! Prediction-powered estimates: a few true labels, many proxy ones.

use serde::{Deserialize, Serialize};

use super::interval::Interval;
use super::special::t_quantile;

/// A mean estimated from audited labels with the help of proxies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PpiEstimate {
    /// The estimate.
    pub estimate: f64,
    /// Its standard error.
    pub error: f64,
    /// Average weight λ of the proxies; 0 is the plain mean of the labels.
    pub weight: f64,
    /// Interval at the confidence asked for, Student's with n − 1 degrees.
    pub interval: Interval,
}

/// Folds of the cross-fitting.
const FOLDS: usize = 5;

/// PPI++ (Angelopoulos, Duchi and Zrnic 2023, arXiv 2311.01453) for a mean, λ
/// cross-fitted.
///
/// `labelled` holds (true outcome, proxy outcome) of the audited examples,
/// `proxies` the proxy outcomes of further examples of the same group. Proxies
/// must not come from the prompts compared (a prompt agrees with itself).
/// λ is clipped to `[0, 1]` and each fold uses the λ of the others, so the
/// estimate stays unbiased however few the labels. `None` below two labels;
/// without proxies the plain mean.
pub fn ppi(labelled: &[(f64, f64)], proxies: &[f64], confidence: f64) -> Option<PpiEstimate> {
    let n = labelled.len();
    if n < 2 {
        return None;
    }
    let many = proxies.len() as f64;
    let count = n as f64;
    let proxy_mean = if proxies.is_empty() {
        0.0
    } else {
        proxies.iter().sum::<f64>() / many
    };
    let folds = FOLDS.min(n);
    let weights: Vec<f64> = (0..folds)
        .map(|fold| {
            let others = labelled
                .iter()
                .enumerate()
                .filter(|(i, _)| i % folds != fold);
            if proxies.is_empty() {
                0.0
            } else {
                tuned(others.map(|(_, &pair)| pair), count / many)
            }
        })
        .collect();
    let weight = (0..n).map(|i| weights[i % folds]).sum::<f64>() / count;
    let left: Vec<f64> = labelled
        .iter()
        .enumerate()
        .map(|(i, (y, f))| y - weights[i % folds] * f)
        .collect();
    let base = left.iter().sum::<f64>() / count;
    let estimate = base + weight * proxy_mean;
    // Half a proxy error in each direction, in the variance only: a handful of
    // errors among 50 labels says little of their rate (Wald's trouble).
    let errors = 0.5 * ((1.0 - base).powi(2) + (weight + base).powi(2));
    let spread = (left.iter().map(|x| (x - base).powi(2)).sum::<f64>() + errors) / count;
    let proxy_spread = if proxies.len() > 1 {
        proxies
            .iter()
            .map(|x| (x - proxy_mean).powi(2))
            .sum::<f64>()
            / (many - 1.0)
    } else {
        0.25
    };
    let proxy_part = if proxies.is_empty() {
        0.0
    } else {
        weight * weight * proxy_spread / many
    };
    let error = (spread / count + proxy_part).sqrt();
    let reach = -t_quantile(0.5 * (1.0 - confidence), count - 1.0) * error;
    let interval = Interval {
        low: estimate - reach,
        high: estimate + reach,
    };
    Some(PpiEstimate {
        estimate,
        error,
        weight,
        interval,
    })
}

/// λ̂ = Cov(Y, Ỹ) / ((1 + n/N) Var Ỹ), in `[0, 1]`.
fn tuned(pairs: impl Iterator<Item = (f64, f64)> + Clone, ratio: f64) -> f64 {
    let n = pairs.clone().count() as f64;
    let (y, f) = pairs
        .clone()
        .fold((0.0, 0.0), |s, p| (s.0 + p.0 / n, s.1 + p.1 / n));
    let (covariance, variance) = pairs.fold((0.0, 0.0), |s, p| {
        (s.0 + (p.0 - y) * (p.1 - f), s.1 + (p.1 - f).powi(2))
    });
    if variance <= 0.0 {
        0.0
    } else {
        (covariance / ((1.0 + ratio) * variance)).clamp(0.0, 1.0)
    }
}
