//! What the outcomes say of every candidate's main effect, likeness included.

use crate::text_kernel::TextKernel;

/// Rank of the likeness kept: enough for families of paraphrases, and the cost
/// of a fit stays at candidates × rank².
const RANK: usize = 32;
/// Shares of the prompts' variance that likeness may explain. Never all: at
/// full information the own outcomes must be able to win.
const SHARES: [f64; 4] = [0.0, 0.15, 0.3, 0.5];
/// Variances of main effects tried: standard deviations of 2 to 32 points.
const VARIANCES: [f64; 6] = [0.0005, 0.0015, 0.005, 0.015, 0.04, 0.1];
/// Prior: a standard deviation of 10 points, give or take a factor e, and even
/// odds that texts say nothing.
const PRIOR_VARIANCE: f64 = 0.01;

/// Likeness K ≈ L Lᵀ + diag(rest), by pivoted Cholesky.
#[derive(Debug, Clone)]
pub(crate) struct LowRankKernel {
    rank: usize,
    factor: Vec<f64>,
    rest: Vec<f64>,
}

impl LowRankKernel {
    pub(crate) fn new(kernel: &TextKernel) -> Self {
        let n = kernel.size();
        let rank = RANK.min(n - 1);
        let mut factor = vec![0.0; n * rank];
        let mut rest: Vec<f64> = (0..n).map(|i| kernel.get(i, i)).collect();
        for column in 0..rank {
            let pivot = (0..n)
                .max_by(|&a, &b| rest[a].total_cmp(&rest[b]))
                .unwrap_or(0);
            if rest[pivot] < 1e-9 {
                break;
            }
            let scale = rest[pivot].sqrt();
            let row: Vec<f64> = factor[pivot * rank..pivot * rank + column].to_vec();
            for i in 0..n {
                let own = &factor[i * rank..i * rank + column];
                let known: f64 = own.iter().zip(&row).map(|(a, b)| a * b).sum();
                let value = (kernel.get(i, pivot) - known) / scale;
                factor[i * rank + column] = value;
                rest[i] = (rest[i] - value * value).max(0.0);
            }
        }
        Self { rank, factor, rest }
    }
}

/// Posterior mean and variance of one main effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GpPosterior {
    pub(crate) mean: f64,
    pub(crate) variance: f64,
}

/// Posterior of the main effects from their estimates (value, variance;
/// infinite variance where unseen): Gaussian-process regression (Rasmussen and
/// Williams 2006, §2, §5.4) with θ ~ N(μ, ω²(h K + (1−h) I)), averaged over a
/// grid of ω² and h by their evidence.
pub(crate) fn believe(effects: &[(f64, f64)], basis: Option<&LowRankKernel>) -> Vec<GpPosterior> {
    let mut fits: Vec<(f64, Vec<GpPosterior>)> = Vec::new();
    let shares = if basis.is_some() {
        &SHARES[..]
    } else {
        &SHARES[..1]
    };
    for &variance in &VARIANCES {
        for &share in shares {
            let (evidence, beliefs) = LinearRegression {
                basis,
                variance,
                share,
            }
            .fit(effects);
            let odds = if share > 0.0 {
                -((SHARES.len() - 1) as f64).ln()
            } else {
                0.0
            };
            let prior = -0.125 * (variance / PRIOR_VARIANCE).ln().powi(2) + odds;
            fits.push((evidence + prior, beliefs));
        }
    }
    let best = fits.iter().map(|f| f.0).fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = fits.iter().map(|f| (f.0 - best).exp()).sum();
    let mut mixed = vec![
        GpPosterior {
            mean: 0.0,
            variance: 0.0
        };
        effects.len()
    ];
    for (evidence, beliefs) in &fits {
        let weight = (evidence - best).exp() / total;
        for (mixed, belief) in mixed.iter_mut().zip(beliefs) {
            mixed.mean += weight * belief.mean;
            mixed.variance += weight * (belief.variance + belief.mean * belief.mean);
        }
    }
    for belief in &mut mixed {
        belief.variance = (belief.variance - belief.mean * belief.mean).max(1e-12);
    }
    mixed
}

/// One point of the grid, as Bayesian linear regression on the factor's columns
/// and a constant, with the rest of the prior as an extra variance per
/// candidate (the Woodbury form of the Gaussian process).
struct LinearRegression<'a> {
    basis: Option<&'a LowRankKernel>,
    variance: f64,
    share: f64,
}

impl LinearRegression<'_> {
    fn rank(&self) -> usize {
        self.basis
            .filter(|_| self.share > 0.0)
            .map_or(0, |b| b.rank)
    }

    /// Features of a candidate: scaled factor row, then the constant with a
    /// prior of one unit of score.
    fn features(&self, candidate: usize, row: &mut [f64]) {
        let rank = self.rank();
        if let Some(basis) = self.basis.filter(|_| rank > 0) {
            let scale = (self.variance * self.share).sqrt();
            let own = &basis.factor[candidate * basis.rank..(candidate + 1) * basis.rank];
            row.iter_mut().zip(own).for_each(|(r, x)| *r = scale * x);
        }
        row[rank] = 1.0;
    }

    /// Prior variance the features do not carry.
    fn own(&self, candidate: usize) -> f64 {
        let rest = self
            .basis
            .filter(|_| self.share > 0.0)
            .map_or(0.0, |b| b.rest[candidate]);
        self.variance * (1.0 - self.share + self.share * rest)
    }

    fn fit(&self, effects: &[(f64, f64)]) -> (f64, Vec<GpPosterior>) {
        let size = self.rank() + 1;
        let mut precision = vec![0.0; size * size];
        (0..size).for_each(|k| precision[k * size + k] = 1.0);
        let mut right = vec![0.0; size];
        let mut row = vec![0.0; size];
        let mut evidence = 0.0;
        for (p, &(value, noise)) in effects.iter().enumerate().filter(|e| e.1.1.is_finite()) {
            let variance = self.own(p) + noise;
            self.features(p, &mut row);
            evidence -= 0.5 * (variance.ln() + value * value / variance);
            for i in 0..size {
                let scaled = row[i] / variance;
                right[i] += scaled * value;
                for j in 0..=i {
                    precision[i * size + j] += scaled * row[j];
                }
            }
        }
        let factor = LowerCholesky::cholesky(precision, size);
        evidence -= factor.log_diagonal();
        factor.forward(&mut right);
        evidence += 0.5 * right.iter().map(|x| x * x).sum::<f64>();
        factor.backward(&mut right);
        let beliefs = effects
            .iter()
            .enumerate()
            .map(|(p, &(value, noise))| {
                self.features(p, &mut row);
                let line: f64 = row.iter().zip(&right).map(|(x, w)| x * w).sum();
                factor.forward(&mut row);
                let open: f64 = row.iter().map(|x| x * x).sum();
                let own = self.own(p);
                let gain = if noise.is_finite() {
                    own / (own + noise)
                } else {
                    0.0
                };
                let step = if noise.is_finite() {
                    gain * (value - line)
                } else {
                    0.0
                };
                GpPosterior {
                    mean: line + step,
                    variance: own * (1.0 - gain) + (1.0 - gain).powi(2) * open,
                }
            })
            .collect();
        (evidence, beliefs)
    }
}

/// Lower Cholesky factor, row-major.
struct LowerCholesky {
    size: usize,
    values: Vec<f64>,
}

impl LowerCholesky {
    fn cholesky(mut values: Vec<f64>, size: usize) -> Self {
        for i in 0..size {
            for j in 0..=i {
                let (head, tail) = values.split_at(i * size);
                let (own, other) = (
                    &tail[..j],
                    if i == j {
                        &tail[..j]
                    } else {
                        &head[j * size..j * size + j]
                    },
                );
                let known: f64 = own.iter().zip(other).map(|(a, b)| a * b).sum();
                let left = tail[j] - known;
                values[i * size + j] = if i == j {
                    left.max(1e-12).sqrt()
                } else {
                    left / values[j * size + j]
                };
            }
        }
        Self { size, values }
    }

    fn log_diagonal(&self) -> f64 {
        (0..self.size)
            .map(|i| self.values[i * self.size + i].ln())
            .sum()
    }

    /// Solves L x = v in place.
    fn forward(&self, v: &mut [f64]) {
        for i in 0..self.size {
            let row = &self.values[i * self.size..i * self.size + i];
            let known: f64 = row.iter().zip(&*v).map(|(a, x)| a * x).sum();
            v[i] = (v[i] - known) / self.values[i * self.size + i];
        }
    }

    /// Solves Lᵀ x = v in place.
    fn backward(&self, v: &mut [f64]) {
        for i in (0..self.size).rev() {
            let known: f64 = (i + 1..self.size)
                .map(|k| self.values[k * self.size + i] * v[k])
                .sum();
            v[i] = (v[i] - known) / self.values[i * self.size + i];
        }
    }
}
