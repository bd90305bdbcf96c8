//! One number per candidate from its groups.
//!
//! All read the *shrunk* means of [`GroupEstimate`]: a minimum over raw means of
//! few outcomes picks the luckiest worst group, not the most robust prompt.

// Formulas in the docs.
#![allow(clippy::doc_markdown)]

use std::fmt;

use crate::empirical_bayes::GroupEstimate;
use crate::problem::LabelRole;

/// Reduces a candidate's group estimates to one score, higher is better.
pub trait Objective: fmt::Debug + Send + Sync {
    /// Name in settings and reports.
    fn name(&self) -> &'static str;

    /// The score; NaN when there is no group.
    fn score(&self, groups: &[GroupEstimate]) -> f64;
}

fn total_weight(groups: &[GroupEstimate]) -> f64 {
    groups.iter().map(|g| g.weight).sum()
}

fn weighted(groups: &[GroupEstimate], value: impl Fn(&GroupEstimate) -> f64) -> f64 {
    groups.iter().map(|g| g.weight * value(g)).sum::<f64>() / total_weight(groups)
}

/// Σ_g q_g m_g, q the groups' weights scaled to 1.
#[derive(Debug, Clone, Copy, Default)]
pub struct MeanObjective;

impl Objective for MeanObjective {
    fn name(&self) -> &'static str {
        "mean"
    }

    fn score(&self, groups: &[GroupEstimate]) -> f64 {
        weighted(groups, |g| g.mean)
    }
}

/// min_g m_g over shrunk means.
#[derive(Debug, Clone, Copy, Default)]
pub struct WorstObjective;

impl Objective for WorstObjective {
    fn name(&self) -> &'static str {
        "worst"
    }

    fn score(&self, groups: &[GroupEstimate]) -> f64 {
        groups
            .iter()
            .map(|g| g.mean)
            .reduce(f64::min)
            .unwrap_or(f64::NAN)
    }
}

/// −τ log Σ_g q_g exp(−m_g/τ): the minimum as τ → 0, the mean as τ → ∞ (tilted
/// empirical risk, Li et al. 2021, arXiv 2007.01162).
#[derive(Debug, Clone, Copy)]
pub struct SoftMin {
    /// Temperature τ > 0, in units of the score.
    pub temperature: f64,
}

impl Default for SoftMin {
    fn default() -> Self {
        Self { temperature: 0.05 }
    }
}

impl SoftMin {
    /// The soft minimum of plain values with equal weights.
    pub fn of(self, values: &[f64]) -> f64 {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let sum: f64 = values
            .iter()
            .map(|v| ((low - v) / self.temperature).exp())
            .sum();
        low - self.temperature * (sum / values.len() as f64).ln()
    }
}

impl Objective for SoftMin {
    fn name(&self) -> &'static str {
        "soft-min"
    }

    fn score(&self, groups: &[GroupEstimate]) -> f64 {
        // Relative to the minimum, so that small τ does not underflow.
        let low = WorstObjective.score(groups);
        low - self.temperature
            * weighted(groups, |g| ((low - g.mean) / self.temperature).exp()).ln()
    }
}

/// Mean of the worst share of weighted values (Rockafellar and Uryasev 2000);
/// `values` are (value, weight). NaN when empty.
pub(crate) fn tail_mean(values: &mut [(f64, f64)], share: f64) -> f64 {
    values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mass = share * values.iter().map(|v| v.1).sum::<f64>();
    let (mut left, mut sum) = (mass, 0.0);
    for &(value, weight) in values.iter() {
        let part = weight.min(left);
        sum += part * value;
        left -= part;
        if left <= 0.0 {
            break;
        }
    }
    sum / (mass - left.max(0.0))
}

/// `CVaR_α` over groups: the mean of the worst α of group weight, a group cut
/// where α falls inside it.
#[derive(Debug, Clone, Copy)]
pub struct CvarObjective {
    /// Share of group weight α in (0, 1].
    pub share: f64,
}

impl Default for CvarObjective {
    fn default() -> Self {
        Self { share: 0.1 }
    }
}

impl Objective for CvarObjective {
    fn name(&self) -> &'static str {
        "cvar"
    }

    fn score(&self, groups: &[GroupEstimate]) -> f64 {
        tail_mean(
            &mut groups
                .iter()
                .map(|g| (g.mean, g.weight))
                .collect::<Vec<_>>(),
            self.share,
        )
    }
}

/// Largest value of a unimodal function on an interval, by golden section.
fn maximum(f: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    let golden = 0.5 * (5.0_f64.sqrt() - 1.0);
    for _ in 0..100 {
        let step = golden * (high - low);
        if f(high - step) < f(low + step) {
            low = high - step;
        } else {
            high = low + step;
        }
    }
    f(0.5 * (low + high))
}

/// min_q Σ q_g m_g over KL(q ‖ weights) ≤ ρ, through its dual
/// max_τ −τ log Σ w_g exp(−m_g/τ) − τρ (Ben-Tal et al. 2013; Hu and Hong 2013).
#[derive(Debug, Clone, Copy)]
pub struct KlBall {
    /// Radius ρ ≥ 0 in nats.
    pub radius: f64,
}

impl Default for KlBall {
    fn default() -> Self {
        Self { radius: 0.1 }
    }
}

impl Objective for KlBall {
    fn name(&self) -> &'static str {
        "kl-ball"
    }

    fn score(&self, groups: &[GroupEstimate]) -> f64 {
        let low = WorstObjective.score(groups);
        if groups.is_empty() {
            return f64::NAN;
        }
        let dual = |log_tau: f64| {
            let temperature = log_tau.exp();
            SoftMin { temperature }.score(groups) - temperature * self.radius
        };
        // Concave in τ, so unimodal in log τ.
        maximum(dual, 1e-5_f64.ln(), 1e3_f64.ln()).max(low)
    }
}

/// min_q Σ q_g m_g over χ²(q ‖ weights) = Σ (q−w)²/w ≤ ρ (Namkoong and Duchi
/// 2017): mean − √(ρ Var_w m) while no q is negative, else by the dual
/// max_η η − √(1+ρ) · √(Σ w (η − m)₊²).
#[derive(Debug, Clone, Copy)]
pub struct ChiSquareBall {
    /// Radius ρ ≥ 0.
    pub radius: f64,
}

impl Default for ChiSquareBall {
    fn default() -> Self {
        Self { radius: 0.25 }
    }
}

impl Objective for ChiSquareBall {
    fn name(&self) -> &'static str {
        "chi2-ball"
    }

    fn score(&self, groups: &[GroupEstimate]) -> f64 {
        if groups.is_empty() {
            return f64::NAN;
        }
        let low = WorstObjective.score(groups);
        let scale = (1.0 + self.radius).sqrt();
        let dual =
            |eta: f64| eta - scale * weighted(groups, |g| (eta - g.mean).max(0.0).powi(2)).sqrt();
        // Concave with its maximum between the minimum and mean + √(Var/ρ).
        let mean = MeanObjective.score(groups);
        let spread = weighted(groups, |g| (g.mean - mean).powi(2)).sqrt();
        let high = mean + spread / self.radius.max(1e-9).sqrt() + 1e-9;
        maximum(dual, low, high).max(low)
    }
}

/// Σ q m − λ · √(Σ q (interaction)²): a prompt pays for working in some groups
/// and not in others, but not for groups being hard. Interactions come from
/// shrunk means, so their noise is already out.
#[derive(Debug, Clone, Copy)]
pub struct InteractionPenalty {
    /// Price λ ≥ 0 of one standard deviation.
    pub price: f64,
}

impl Default for InteractionPenalty {
    fn default() -> Self {
        Self { price: 0.5 }
    }
}

impl Objective for InteractionPenalty {
    fn name(&self) -> &'static str {
        "interaction"
    }

    fn score(&self, groups: &[GroupEstimate]) -> f64 {
        let effect = weighted(groups, |g| g.mean - g.level);
        let variance = weighted(groups, |g| (g.mean - g.level - effect).powi(2));
        MeanObjective.score(groups) - self.price * variance.sqrt()
    }
}

/// An objective with its default parameters by name; `None` when unknown.
pub fn by_name(name: &str) -> Option<Box<dyn Objective>> {
    Some(match name {
        "mean" => Box::new(MeanObjective),
        "worst" => Box::new(WorstObjective),
        "soft-min" => Box::new(SoftMin::default()),
        "cvar" => Box::new(CvarObjective::default()),
        "kl-ball" => Box::new(KlBall::default()),
        "chi2-ball" => Box::new(ChiSquareBall::default()),
        "interaction" => Box::new(InteractionPenalty::default()),
        _ => return None,
    })
}

/// Names [`by_name`] knows.
pub const fn objective_names() -> [&'static str; 7] {
    [
        "mean",
        "worst",
        "soft-min",
        "cvar",
        "kl-ball",
        "chi2-ball",
        "interaction",
    ]
}

/// An objective as a function of plain group means, equal weights, for the gate
/// and for reports; `None` where the name needs more than means (several
/// candidates).
pub fn of_means(name: &str) -> Option<impl Fn(&[f64]) -> f64 + use<>> {
    let objective = by_name(name).filter(|_| mean_names().contains(&name))?;
    Some(move |means: &[f64]| {
        let groups: Vec<GroupEstimate> = means
            .iter()
            .map(|&mean| GroupEstimate {
                mean,
                variance: 0.0,
                raw: mean,
                count: 1.0,
                level: 0.0,
                weight: 1.0,
                role: LabelRole::Source,
            })
            .collect();
        objective.score(&groups)
    })
}

/// Names [`of_means`] knows, the default first.
pub const fn mean_names() -> [&'static str; 6] {
    ["soft-min", "mean", "worst", "cvar", "kl-ball", "chi2-ball"]
}
