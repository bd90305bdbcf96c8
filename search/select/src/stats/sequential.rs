//! Inference on a stream that may be looked at whenever there is something new: what
//! is shown holds at all times at once.
//!
//! Everything rests on one quantity. Outcomes x in `[0, 1]` whose mean is θ, whatever
//! came before, make Π (q/θ)^x ((1 − q)/(1 − θ))^(1 − x) a wager whose expected capital
//! never rises above 1: each factor is convex in x, so at most the linear
//! 1 + (q − θ)/(θ(1 − θ)) (x − θ), the bet of Waudby-Smith and Ramdas ("Estimating means
//! of bounded random variables by betting", JRSS B 2024, section 4), and equal to it for
//! 0 and 1. Mixed over q with Jeffreys' prior it depends on the sum and the number of
//! outcomes alone (Robbins 1970; Howard et al. 2021, section 3.2, for the two-point
//! case). By Ville's inequality the capital passes 1/α at any time with chance α at
//! most.

use super::interval::Interval;
use super::special::ln_gamma;

/// Outcomes in `[0, 1]` by their sum and number.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct OutcomeCount {
    /// Sum of the outcomes.
    pub total: f64,
    /// How many.
    pub n: f64,
}

impl OutcomeCount {
    /// Their mean; ½ without any.
    pub fn mean(self) -> f64 {
        if self.n > 0.0 {
            self.total / self.n
        } else {
            0.5
        }
    }

    fn ln_likelihood(self, mean: f64) -> f64 {
        ln_power(mean, self.total) + ln_power(1.0 - mean, self.n - self.total)
    }

    /// ln ∫ `q^total` (1 − q)^(n − total) under Jeffreys' prior.
    fn ln_marginal(self) -> f64 {
        ln_dirichlet(&[self.total, self.n - self.total])
    }
}

/// ln of `base` to the power of `count`; 0⁰ is 1.
fn ln_power(base: f64, count: f64) -> f64 {
    if count <= 0.0 {
        0.0
    } else if base <= 0.0 {
        f64::NEG_INFINITY
    } else {
        count * base.ln()
    }
}

/// ln of the chance of counts in their order, mixed over shares with Jeffreys' prior
/// (Dirichlet of ½).
fn ln_dirichlet(counts: &[f64]) -> f64 {
    let classes = counts.len() as f64;
    let total: f64 = counts.iter().sum();
    let each: f64 = counts
        .iter()
        .map(|count| ln_gamma(count + 0.5) - ln_gamma(0.5))
        .sum();
    ln_gamma(classes / 2.0) - ln_gamma(total + classes / 2.0) + each
}

/// Confidence sequence for the mean: the interval at any time, and at all times at
/// once, holds the mean with chance 1 − α at least. `[0, 1]` without outcomes.
pub fn mean_sequence(seen: OutcomeCount, alpha: f64) -> Interval {
    let bar = -alpha.ln();
    let inside = |mean: f64| seen.ln_marginal() - seen.ln_likelihood(mean) < bar;
    let centre = seen.mean().clamp(0.0, 1.0);
    // The capital is convex in the mean and smallest at the centre.
    let edge = |mut out: f64| {
        let mut inner = centre;
        if inside(out) {
            return out;
        }
        for _ in 0..60 {
            let middle = 0.5 * (inner + out);
            if inside(middle) {
                inner = middle;
            } else {
                out = middle;
            }
        }
        out
    };
    Interval {
        low: edge(0.0),
        high: edge(1.0),
    }
}

/// ln of the capital against "the stream's mean is no more than `tolerance` below the
/// reference's", both unknown: the mixtures of both over the likelihood where it is
/// largest under that claim (universal inference, Wasserman, Ramdas and Balakrishnan
/// 2020, with a mixture in the numerator).
pub fn ln_decline(reference: OutcomeCount, stream: OutcomeCount, tolerance: f64) -> f64 {
    if reference.n <= 0.0 || stream.n <= 0.0 {
        return 0.0;
    }
    let mixed = reference.ln_marginal() + stream.ln_marginal();
    let (of, now) = (reference.mean(), stream.mean());
    if now >= of - tolerance {
        return mixed - reference.ln_likelihood(of) - stream.ln_likelihood(now);
    }
    // On the edge of the claim: concave in the reference's mean.
    let at = |of: f64| {
        reference.ln_likelihood(of) + stream.ln_likelihood((of - tolerance).clamp(0.0, 1.0))
    };
    let (mut low, mut high) = (tolerance.max(now), of.max(tolerance));
    for _ in 0..100 {
        let (a, b) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if at(a) < at(b) {
            low = a;
        } else {
            high = b;
        }
    }
    mixed - at(0.5 * (low + high))
}

/// ln of the capital against "the stream's classes have the reference's shares", both
/// unknown; `reference` and `stream` count the same classes.
pub fn ln_shares(reference: &[f64], stream: &[f64]) -> f64 {
    let (of, now): (f64, f64) = (reference.iter().sum(), stream.iter().sum());
    if of <= 0.0 || now <= 0.0 {
        return 0.0;
    }
    let both = reference.iter().zip(stream).map(|(a, b)| a + b);
    let most: f64 = both.map(|count| ln_power(count / (of + now), count)).sum();
    ln_dirichlet(reference) + ln_dirichlet(stream) - most
}

/// ln of the capital that watches for a change which may begin with any part of a
/// stream: 1/(k(k + 1)) of it is staked on a change with part k, from 1, and what is
/// staked on parts to come is kept. `since(k)`: ln of the capital of all parts from the
/// one numbered k, from 0. Where each is a capital as above, so is the whole, for all
/// parts there will ever be.
pub fn ln_change(parts: usize, since: impl Fn(usize) -> f64) -> f64 {
    let stake = |k: usize| 1.0 / ((k + 1) as f64 * (k + 2) as f64);
    let kept = (1.0 / (parts + 1) as f64).ln();
    let each = (0..parts).map(|k| stake(k).ln() + since(k));
    let terms: Vec<f64> = each.chain([kept]).collect();
    let most = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + terms
        .iter()
        .map(|term| (term - most).exp())
        .sum::<f64>()
        .ln()
}

/// Where a change most likely began, as the part from which on the capital is largest,
/// from 0; `None` of no parts.
pub fn likely_change(parts: usize, since: impl Fn(usize) -> f64) -> Option<usize> {
    (0..parts).max_by(|&a, &b| since(a).total_cmp(&since(b)).then(b.cmp(&a)))
}
