//! The paired bootstrap, stratified by group and clustered by user.

use super::interval::Interval;
use super::resample::draws;
use super::sample::{ClusteredSample, PairedBootstrap};
use super::special::{normal_cdf, normal_quantile, t_cdf, t_quantile};

/// One bootstrapped difference to the baseline prompt.
#[derive(Debug, Clone)]
pub struct BootstrapDifference {
    /// The difference on the data as they are.
    pub estimate: f64,
    /// Degrees of freedom behind it: clusters − 1, by Welch-Satterthwaite over
    /// the groups for a robust score.
    pub freedom: f64,
    /// Replicates in ascending order.
    sorted: Vec<f32>,
}

impl BootstrapDifference {
    /// The α at which a percentile is read so that its reach equals Student's:
    /// with k clusters the plain percentile interval is narrow by
    /// √((k−1)/k) · z/t (Hesterberg 2015, the expanded percentile interval).
    fn expanded(&self, alpha: f64) -> f64 {
        let k = self.freedom + 1.0;
        normal_cdf((k / self.freedom).sqrt() * t_quantile(alpha, self.freedom))
    }

    pub(super) fn percentile(&self, p: f64) -> f64 {
        // Conservative at both ends: never interpolates inwards.
        let last = self.sorted.len() - 1;
        let at = p * (last + 2) as f64 - 1.0;
        let at = if p < 0.5 { at.floor() } else { at.ceil() };
        f64::from(self.sorted[at.clamp(0.0, last as f64) as usize])
    }

    /// One-sided lower limit at the given confidence (0.95: wrong at most one
    /// time in twenty).
    pub fn lower(&self, confidence: f64) -> f64 {
        self.percentile(self.expanded(1.0 - confidence))
    }

    /// One-sided upper limit at the given confidence.
    pub fn upper(&self, confidence: f64) -> f64 {
        self.percentile(1.0 - self.expanded(1.0 - confidence))
    }

    /// Two-sided interval at the given confidence.
    pub fn interval(&self, confidence: f64) -> Interval {
        let alpha = self.expanded(0.5 * (1.0 - confidence));
        Interval {
            low: self.percentile(alpha),
            high: self.percentile(1.0 - alpha),
        }
    }

    /// One-sided p-value against "the difference is at most `bound`": the
    /// smallest α at which [`BootstrapDifference::lower`] exceeds the bound.
    pub fn p_value(&self, bound: f64) -> f64 {
        self.tail(self.sorted.partition_point(|&x| f64::from(x) <= bound))
    }

    /// One-sided p-value against "the difference is at least `bound`": the
    /// smallest α at which [`BootstrapDifference::upper`] falls below the bound.
    pub fn p_below(&self, bound: f64) -> f64 {
        let below = self.sorted.partition_point(|&x| f64::from(x) < bound);
        self.tail(self.sorted.len() - below)
    }

    /// The p-value when this many replicates speak against the claim.
    fn tail(&self, against: usize) -> f64 {
        let raw = (against + 1) as f64 / (self.sorted.len() + 1) as f64;
        if raw >= 0.5 {
            return raw.min(1.0);
        }
        let z = normal_quantile(raw);
        let k = self.freedom + 1.0;
        t_cdf(z / (k / self.freedom).sqrt(), self.freedom)
    }
}

/// Bootstrapped differences of every prompt to the baseline.
#[derive(Debug, Clone)]
pub struct BootstrapReplicates {
    /// Per prompt, per group; the baseline's own entries are zero.
    pub groups: Vec<Vec<BootstrapDifference>>,
    /// Per prompt: the robust score.
    pub robust: Vec<BootstrapDifference>,
}

/// Resamples clusters within each group, the same draw for every prompt; a cluster
/// (user) with examples in several groups gets the same weight in all of them. Returns the differences to prompt `baseline` per group and for the robust
/// score `objective(group means)` (Efron and Tibshirani 1993, §8, §16).
///
/// Groups whose clusters are all their own are drawn from with replacement. In
/// groups that share clusters every cluster has one Poisson weight of mean 1 a
/// replicate (Chamandy et al. 2012), for drawing from each group apart would take
/// what a user does everywhere for as many independent findings.
///
/// Two added rows per group, at the estimate ± the largest difference seen
/// (1 when none was), keep ten examples without a difference from claiming
/// certainty; they leave the estimate where it is. Groups without examples are
/// not resampled: their differences are NaN and `objective` never sees them.
///
/// `None` when there is no replicate, no such baseline or no example at all.
pub fn paired_bootstrap(
    sample: &ClusteredSample,
    baseline: usize,
    how: PairedBootstrap,
    objective: impl Fn(&[f64]) -> f64,
) -> Option<BootstrapReplicates> {
    let (prompts, count) = (sample.prompts, how.replicates);
    let seen: Vec<usize> = (0..sample.groups())
        .filter(|&g| sample.clusters(g) > 0)
        .collect();
    if count == 0 || baseline >= prompts || seen.is_empty() {
        return None;
    }
    let means: Vec<Vec<f64>> = seen.iter().map(|&g| sample.means(g)).collect();
    // Per group, replicate-major: one mean per prompt.
    let (numbers, shared) = sample.shared();
    let distinct = numbers.len();
    let draws = draws(sample, (&numbers, &shared), (&seen, &means), baseline, how);
    let mut groups = Vec::with_capacity(prompts);
    let mut robust = Vec::with_capacity(prompts);
    let mut column = vec![0.0; seen.len()];
    let mut score = |replicate: usize, prompt: usize| {
        for (value, draw) in column.iter_mut().zip(&draws) {
            *value = f64::from(draw[replicate * prompts + prompt]);
        }
        objective(&column)
    };
    let base: Vec<f64> = (0..count).map(|b| score(b, baseline)).collect();
    for prompt in 0..prompts {
        let own: Vec<f64> = means.iter().map(|m| m[prompt]).collect();
        let reference: Vec<f64> = means.iter().map(|m| m[baseline]).collect();
        let mut per_group: Vec<BootstrapDifference> =
            (0..sample.groups()).map(|_| unseen()).collect();
        let mut variances = vec![0.0; seen.len()];
        for (at, &g) in seen.iter().enumerate() {
            let delta =
                |b: usize| draws[at][b * prompts + prompt] - draws[at][b * prompts + baseline];
            let estimate = own[at] - reference[at];
            let freedom = (sample.clusters(g) as f64 - 1.0).max(1.0);
            let difference =
                BootstrapDifference::new(estimate, freedom, (0..count).map(delta).collect());
            variances[at] = difference.variance();
            per_group[g] = difference;
        }
        let freedom = satterthwaite(&own, &objective, &variances, |at| {
            (sample.clusters(seen[at]) as f64 - 1.0).max(1.0)
        });
        // Groups that share users are not so many independent ones.
        let freedom = freedom.min((distinct as f64 - 1.0).max(1.0));
        let deltas = (0..count)
            .map(|b| (score(b, prompt) - base[b]) as f32)
            .collect();
        let estimate = objective(&own) - objective(&reference);
        robust.push(BootstrapDifference::new(estimate, freedom, deltas));
        groups.push(per_group);
    }
    Some(BootstrapReplicates { groups, robust })
}

fn unseen() -> BootstrapDifference {
    BootstrapDifference {
        estimate: f64::NAN,
        freedom: 1.0,
        sorted: vec![f32::NAN],
    }
}

impl BootstrapDifference {
    fn new(estimate: f64, freedom: f64, mut replicates: Vec<f32>) -> Self {
        replicates.sort_unstable_by(f32::total_cmp);
        Self {
            estimate,
            freedom,
            sorted: replicates,
        }
    }

    /// Variance of the replicates.
    pub fn variance(&self) -> f64 {
        let n = self.sorted.len() as f64;
        let mean = self.sorted.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        self.sorted
            .iter()
            .map(|&x| (f64::from(x) - mean).powi(2))
            .sum::<f64>()
            / n
    }
}

/// Degrees of freedom of a smooth function of group means, its gradient taken
/// numerically.
fn satterthwaite(
    means: &[f64],
    objective: &impl Fn(&[f64]) -> f64,
    variances: &[f64],
    freedom: impl Fn(usize) -> f64,
) -> f64 {
    const STEP: f64 = 1e-4;
    let mut moved = means.to_vec();
    let (mut total, mut divided) = (0.0, 0.0);
    for (at, &mean) in means.iter().enumerate() {
        moved[at] = mean + STEP;
        let up = objective(&moved);
        moved[at] = mean - STEP;
        let slope = (up - objective(&moved)) / (2.0 * STEP);
        moved[at] = mean;
        let part = slope * slope * variances[at];
        total += part;
        divided += part * part / freedom(at);
    }
    if divided > 0.0 {
        (total * total / divided).max(1.0)
    } else {
        1.0
    }
}
