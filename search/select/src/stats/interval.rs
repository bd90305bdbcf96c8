//! Intervals for one group's mean outcome.

use serde::{Deserialize, Serialize};

use super::special::{beta_quantile, normal_quantile, t_quantile};

/// A two-sided interval, `low <= high`, in the units of the score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower limit.
    pub low: f64,
    /// Upper limit.
    pub high: f64,
}

impl Interval {
    /// Nothing is known of a score in `[0, 1]`.
    pub const UNKNOWN: Self = Self {
        low: 0.0,
        high: 1.0,
    };

    /// Whether `value` lies inside, ends included.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// High minus low.
    pub fn width(&self) -> f64 {
        self.high - self.low
    }
}

fn tail(confidence: f64) -> f64 {
    0.5 * (1.0 - confidence.clamp(0.0, 1.0 - 1e-12))
}

/// Wilson's score interval (1927) for `successes` out of `n`, both possibly
/// fractional (effective counts). Without observations: [`Interval::UNKNOWN`].
///
/// Covers the nominal level on average over p from n = 10 on; for a guarantee
/// at every p use [`exact`].
pub fn wilson(successes: f64, n: f64, confidence: f64) -> Interval {
    if n.is_nan() || n <= 0.0 {
        return Interval::UNKNOWN;
    }
    wilson_at(successes / n, n, -normal_quantile(tail(confidence)))
}

fn wilson_at(mean: f64, n: f64, z: f64) -> Interval {
    let mean = mean.clamp(0.0, 1.0);
    let z2 = z * z;
    let centre = (mean + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = z / (1.0 + z2 / n) * (mean * (1.0 - mean) / n + z2 / (4.0 * n * n)).sqrt();
    let low = if mean == 0.0 {
        0.0
    } else {
        (centre - half).max(0.0)
    };
    let high = if mean == 1.0 {
        1.0
    } else {
        (centre + half).min(1.0)
    };
    Interval { low, high }
}

/// Equal-tailed credible interval of a success rate under a Beta(`prior.0`,
/// `prior.1`) prior; (0.5, 0.5) is Jeffreys', whose ends are pulled to 0 and 1
/// when no success, or only successes, were seen (Brown, Cai and `DasGupta` 2001).
pub fn beta(successes: f64, n: f64, prior: (f64, f64), confidence: f64) -> Interval {
    if n.is_nan() || n <= 0.0 {
        return Interval::UNKNOWN;
    }
    let (a, b) = (successes + prior.0, n - successes + prior.1);
    let p = tail(confidence);
    Interval {
        low: if successes <= 0.0 {
            0.0
        } else {
            beta_quantile(p, a, b)
        },
        high: if successes >= n {
            1.0
        } else {
            beta_quantile(1.0 - p, a, b)
        },
    }
}

/// Clopper-Pearson's exact interval (1934): covers at least the nominal level
/// at every p and n, and is wider for it.
pub fn exact(successes: f64, n: f64, confidence: f64) -> Interval {
    if n.is_nan() || n <= 0.0 {
        return Interval::UNKNOWN;
    }
    let p = tail(confidence);
    Interval {
        low: if successes <= 0.0 {
            0.0
        } else {
            beta_quantile(p, successes, n - successes + 1.0)
        },
        high: if successes >= n {
            1.0
        } else {
            beta_quantile(1.0 - p, successes + 1.0, n - successes)
        },
    }
}

/// Totals of one cluster (one user): the sum of its outcomes and how many.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClusterTotals {
    /// Sum of outcomes, each in `[0, 1]`.
    pub sum: f64,
    /// Number of outcomes, at least one.
    pub size: f64,
}

/// Interval for the mean of outcomes in `[0, 1]`, binary or not, that come in
/// clusters (one cluster per outcome when independent).
///
/// Wilson's interval at the effective number of observations, with Student's
/// quantile at (clusters − 1) degrees of freedom; the design effect is that of
/// the linearised cluster variance (Korn and Graubard 1998; Franco et al. 2019).
/// Two half-clusters at 0 and 1 keep the variance of a handful of equal
/// outcomes from vanishing.
pub fn clustered(clusters: &[ClusterTotals], confidence: f64) -> Interval {
    let k = clusters.len() as f64;
    let n: f64 = clusters.iter().map(|c| c.size).sum();
    if n.is_nan() || n <= 0.0 {
        return Interval::UNKNOWN;
    }
    let mean = clusters.iter().map(|c| c.sum).sum::<f64>() / n;
    let t = if clusters.len() > 1 {
        -t_quantile(tail(confidence), k - 1.0)
    } else {
        -t_quantile(tail(confidence), 1.0)
    };
    let size = n / k;
    // The added halves enter the variance only, so the estimate stays put.
    let centre = (mean * n + 0.5 * size) / (n + size);
    let spread: f64 = clusters
        .iter()
        .map(|c| (c.sum - centre * c.size).powi(2))
        .sum::<f64>()
        + 0.5 * size * size * (centre.powi(2) + (1.0 - centre).powi(2));
    let variance = spread * (k + 1.0) / k / (n + size).powi(2);
    let binomial = centre * (1.0 - centre);
    // Never more than the outcomes seen, were they all binary and independent:
    // a design effect below one is mostly luck when clusters are few, while a
    // graded score truly varies less than a coin, which `graded` lets through.
    let graded = clusters.iter().any(|c| c.sum.fract() != 0.0);
    let effective = binomial / variance;
    let effective = if graded { effective } else { effective.min(n) };
    wilson_at(mean, effective.max(1.0), t)
}
