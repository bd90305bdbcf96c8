//! Weights that make source examples look like the target.

use thiserror::Error;

/// Fewest effective examples a reweighted mean may rest on.
pub const LEAST_EFFECTIVE: f64 = 30.0;
/// Largest weight, in multiples of the mean weight.
const CLIP: f64 = 20.0;
/// Newton steps of the classifier; ridge-regularised, it converges in a few.
const STEPS: usize = 25;

/// Why there are no weights.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ShiftError {
    /// No rows on one side, or rows of different lengths, or not finite.
    #[error("weigh examples: source and target need rows of one length, all finite")]
    Shape,
    /// Source and target hardly overlap.
    #[error(
        "weigh examples: {effective:.0} effective examples of {count}, 30 are needed; \
         source and target hardly overlap, so label some target examples instead"
    )]
    Overlap {
        /// Effective sample size reached.
        effective: f64,
        /// Source examples.
        count: usize,
    },
}

/// Covariate-shift weights.
#[derive(Debug, Clone, PartialEq)]
pub struct ShiftWeights {
    /// One weight per source row, mean 1, at most 20 before rescaling.
    pub weights: Vec<f64>,
    /// Kish's effective sample size (Σw)²/Σw², before clipping, times the share
    /// of the target that the source covers (the mean density ratio, at most 1).
    pub effective: f64,
}

/// Weighs source rows by p(target | x)/p(source | x) of a ridge logistic
/// regression (Bickel, Brückner and Scheffer 2009), clipped. Features are
/// standardised first; `ridge` > 0 is the penalty per coefficient (1 is a good
/// start). Valid when labels depend on the features alone, not on the group.
pub fn shift_weights(
    source: &[Vec<f64>],
    target: &[Vec<f64>],
    ridge: f64,
) -> Result<ShiftWeights, ShiftError> {
    let width = source.first().map_or(0, Vec::len);
    let fine = |row: &Vec<f64>| row.len() == width && row.iter().all(|x| x.is_finite());
    let usable = !source.is_empty() && !target.is_empty() && ridge > 0.0;
    if !usable || !source.iter().chain(target).all(fine) {
        return Err(ShiftError::Shape);
    }
    let rows = standardise(source, target, width);
    let labels = |i: usize| f64::from(u8::from(i >= source.len()));
    let coefficients = logistic(&rows, labels, ridge);
    let odds = |row: &[f64]| {
        row.iter()
            .zip(&coefficients)
            .map(|(x, b)| x * b)
            .sum::<f64>()
            .exp()
    };
    let mut weights: Vec<f64> = rows[..source.len()].iter().map(|row| odds(row)).collect();
    let count = weights.len() as f64;
    // Before clipping, which would hide that a few examples carry all weight.
    // Density ratios average 1 over the source; what is missing is target no
    // source example stands for.
    let total = weights.iter().sum::<f64>();
    let covered = (total / target.len() as f64).min(1.0);
    let effective = covered * total * total / weights.iter().map(|w| w * w).sum::<f64>();
    let mean = weights.iter().sum::<f64>() / count;
    for weight in &mut weights {
        *weight = (*weight / mean).min(CLIP);
    }
    let mean = weights.iter().sum::<f64>() / count;
    for weight in &mut weights {
        *weight /= mean;
    }
    if effective < LEAST_EFFECTIVE {
        return Err(ShiftError::Overlap {
            effective,
            count: source.len(),
        });
    }
    Ok(ShiftWeights { weights, effective })
}

/// All rows, standardised over both sides, with a constant last.
fn standardise(source: &[Vec<f64>], target: &[Vec<f64>], width: usize) -> Vec<Vec<f64>> {
    let n = (source.len() + target.len()) as f64;
    let all = || source.iter().chain(target);
    let scale: Vec<(f64, f64)> = (0..width)
        .map(|k| {
            let mean = all().map(|r| r[k]).sum::<f64>() / n;
            let spread = (all().map(|r| (r[k] - mean).powi(2)).sum::<f64>() / n).sqrt();
            (mean, if spread > 0.0 { spread } else { 1.0 })
        })
        .collect();
    all()
        .map(|row| {
            let scaled = row
                .iter()
                .zip(&scale)
                .map(|(x, (mean, spread))| (x - mean) / spread);
            scaled.chain([1.0]).collect()
        })
        .collect()
}

/// Newton's method on the ridge-penalised likelihood; the constant is free.
fn logistic(rows: &[Vec<f64>], label: impl Fn(usize) -> f64, ridge: f64) -> Vec<f64> {
    let size = rows[0].len();
    let mut beta = vec![0.0; size];
    for _ in 0..STEPS {
        let mut hessian = vec![vec![0.0; size]; size];
        let mut gradient = vec![0.0; size];
        for (i, row) in rows.iter().enumerate() {
            let line: f64 = row.iter().zip(&beta).map(|(x, b)| x * b).sum();
            let p = 1.0 / (1.0 + (-line).exp());
            let weight = (p * (1.0 - p)).max(1e-9);
            for a in 0..size {
                gradient[a] += (label(i) - p) * row[a];
                for b in 0..size {
                    hessian[a][b] += weight * row[a] * row[b];
                }
            }
        }
        for k in 0..size - 1 {
            hessian[k][k] += ridge;
            gradient[k] -= ridge * beta[k];
        }
        let step = solve(hessian, gradient);
        beta.iter_mut().zip(&step).for_each(|(b, s)| *b += s);
        if step.iter().all(|s| s.abs() < 1e-10) {
            break;
        }
    }
    beta
}

/// Gaussian elimination with pivoting; the matrix is positive definite.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let n = right.len();
    for column in 0..n {
        let size = |r: usize, m: &[Vec<f64>]| m[r][column].abs();
        let pivot = (column..n)
            .max_by(|&a, &b| size(a, &matrix).total_cmp(&size(b, &matrix)))
            .unwrap_or(column);
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        for row in column + 1..n {
            let (upper, lower) = matrix.split_at_mut(row);
            let factor = lower[0][column] / upper[column][column];
            lower[0]
                .iter_mut()
                .zip(&upper[column])
                .for_each(|(x, u)| *x -= factor * u);
            right[row] -= factor * right[column];
        }
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|k| matrix[row][k] * right[k]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    right
}
