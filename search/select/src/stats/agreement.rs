//! How far two who grade the same answers agree.

use serde::{Deserialize, Serialize};

use super::interval::{Interval, wilson};
use super::special::normal_quantile;

/// Agreement of two raters on the same items.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Items that both rated.
    pub n: usize,
    /// Share of them rated exactly alike, in `0..=1`.
    pub share: f64,
    /// Wilson's interval of that share.
    pub share_interval: Interval,
    /// Cohen's kappa: agreement beyond what the raters' own frequencies would bring by
    /// chance, at most 1; of more than two levels with quadratic weights, for which a
    /// near miss is nearly agreement. `None` where either rater gave all items one
    /// rating, so that chance alone agrees or there is nothing to agree on.
    pub kappa: Option<f64>,
    /// Its interval by the large-sample error, cut at −1 and 1.
    pub kappa_interval: Option<Interval>,
}

/// Agreement on items with these pairs of levels, each below `levels` (at least 2).
/// `None` without an item.
///
/// Kappa: Cohen, Psychological Bulletin 70 (1968); its error: Fleiss, Cohen and
/// Everitt, Psychological Bulletin 72 (1969), formula 9.
pub fn agreement(pairs: &[(usize, usize)], levels: usize, confidence: f64) -> Option<Agreement> {
    let n = pairs.len();
    if n == 0 {
        return None;
    }
    let same = pairs.iter().filter(|(a, b)| a == b).count();
    let kappa = kappa(pairs, levels.max(2));
    let reach = normal_quantile(0.5 + 0.5 * confidence);
    Some(Agreement {
        n,
        share: same as f64 / n as f64,
        share_interval: wilson(same as f64, n as f64, confidence),
        kappa: kappa.map(|(kappa, _)| kappa),
        kappa_interval: kappa.map(|(kappa, error)| Interval {
            low: (kappa - reach * error).max(-1.0),
            high: (kappa + reach * error).min(1.0),
        }),
    })
}

/// Weighted kappa and its standard error.
fn kappa(pairs: &[(usize, usize)], levels: usize) -> Option<(f64, f64)> {
    let n = pairs.len() as f64;
    let mut table = vec![vec![0.0; levels]; levels];
    for &(a, b) in pairs {
        *table.get_mut(a)?.get_mut(b)? += 1.0 / n;
    }
    let rows: Vec<f64> = table.iter().map(|row| row.iter().sum()).collect();
    let columns: Vec<f64> = (0..levels)
        .map(|at| table.iter().map(|row| row[at]).sum())
        .collect();
    // For two levels these are Cohen's own weights.
    let far = (levels - 1) as f64;
    let weight = |i: usize, j: usize| 1.0 - ((i as f64 - j as f64) / far).powi(2);
    let all = || (0..levels).flat_map(|i| (0..levels).map(move |j| (i, j)));
    let observed: f64 = all().map(|(i, j)| weight(i, j) * table[i][j]).sum();
    let chance: f64 = all()
        .map(|(i, j)| weight(i, j) * rows[i] * columns[j])
        .sum();
    let beyond = 1.0 - chance;
    if beyond < 1e-12 {
        return None;
    }
    let by_column = |i: usize| -> f64 { (0..levels).map(|j| weight(i, j) * columns[j]).sum() };
    let by_row = |j: usize| -> f64 { (0..levels).map(|i| weight(i, j) * rows[i]).sum() };
    let spread: f64 = all()
        .map(|(i, j)| {
            let expected = by_column(i) + by_row(j);
            table[i][j] * (weight(i, j) * beyond - expected * (1.0 - observed)).powi(2)
        })
        .sum();
    let centre = observed * chance - 2.0 * chance + observed;
    let variance = (spread - centre.powi(2)) / (n * beyond.powi(4));
    Some(((observed - chance) / beyond, variance.max(0.0).sqrt()))
}
