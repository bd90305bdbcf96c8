//! Group estimates with the noise taken out.

// Formulas in the docs.
#![allow(clippy::doc_markdown)]

use crate::class_tilt::{ClassOutcome, class_tilt};
use crate::problem::{LabelRole, SelectionProblem};
use crate::scores::OutcomeTable;

/// What is known of one candidate in one group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupEstimate {
    /// Shrunk mean outcome: what the group would show on many more examples.
    pub mean: f64,
    /// Variance of that estimate.
    pub variance: f64,
    /// Plain mean; NaN when unseen.
    pub raw: f64,
    /// Number of outcomes.
    pub count: f64,
    /// The group's level: the mean over all candidates. `mean − level`, less
    /// the candidate's average of it, is the interaction.
    pub level: f64,
    /// Share of the objective.
    pub weight: f64,
    /// What the group's labels are.
    pub role: LabelRole,
}

/// Variance components and shrunk means of candidates × groups.
///
/// Model: outcome = item + θ_p + δ_p (on the target) + γ_pg + noise, θ ~ N(0, ω²),
/// δ ~ N(0, D), γ ~ N(0, τ²), noise ~ N(0, σ²). Items are fitted by backfitting
/// over the candidates that
/// saw them (the linear Rasch model, as in `PromptEval`, arXiv 2405.17202), so
/// candidates seen on different examples stay comparable; the variances come
/// from moments (Searle, Casella and `McCulloch` 1992), the means from empirical
/// Bayes (Efron and Morris 1973).
///
/// δ is what a candidate gains or loses on the target as a whole. It is only
/// there where target groups with true labels are: then the main effect is the
/// *target's*, read from its few labels directly and from the many source
/// outcomes as far as D, the disagreement of the two over candidates, allows.
/// Where the problem has classes and the target's shares of them are known, the
/// source's outcomes are first moved to those shares ([`class_tilt`]).
/// Where source and target rank prompts alike, D is small and the source
/// decides; where they do not, a few target labels outweigh any number of
/// source ones.
#[derive(Debug, Clone)]
pub struct GroupEstimates {
    groups: Vec<GroupShape>,
    /// Noise variance σ² of one outcome.
    pub noise: f64,
    /// Variance τ² of the candidate × group interaction.
    pub interaction: f64,
    /// Variance ω² of the main effect.
    pub main: f64,
    /// Variance D of the difference between a candidate's target and source
    /// effects; infinite without target labels.
    pub shift: f64,
    /// Whether the source is read at the target's shares of classes.
    tilted: bool,
    candidates: Vec<ComponentFit>,
}

#[derive(Debug, Clone)]
struct GroupShape {
    level: f64,
    weight: f64,
    role: LabelRole,
}

#[derive(Debug, Clone, Default)]
struct ComponentFit {
    /// Item-adjusted mean per group (relative to level), and count.
    cells: Vec<(f64, f64)>,
    raw: Vec<f64>,
    /// Main effect and its variance given τ², σ² and D.
    main: EffectEstimate,
    /// The part of it that the source alone tells.
    source: EffectEstimate,
}

/// An estimate with its variance, infinite when nothing was seen.
#[derive(Debug, Clone, Copy)]
struct EffectEstimate {
    value: f64,
    variance: f64,
}

impl Default for EffectEstimate {
    fn default() -> Self {
        Self {
            value: 0.0,
            variance: f64::INFINITY,
        }
    }
}

impl EffectEstimate {
    /// Precision-weighted mean of (value, variance).
    fn pool(parts: impl Iterator<Item = (f64, f64)>) -> Self {
        let (mut sum, mut precision) = (0.0, 0.0);
        for (value, variance) in parts {
            sum += value / variance;
            precision += 1.0 / variance;
        }
        if precision > 0.0 {
            Self {
                value: sum / precision,
                variance: 1.0 / precision,
            }
        } else {
            Self::default()
        }
    }

    fn seen(self) -> bool {
        self.variance.is_finite()
    }
}

/// Sweeps of the backfitting; paired blocks converge in one.
const SWEEPS: usize = 4;
/// Prior pseudo-outcomes behind the noise variance, at the variance of a coin
/// with the observed mean: a handful of equal outcomes is no proof of none.
const PRIOR: f64 = 4.0;
/// Candidates' worth of belief that source and target differ by as much as
/// groups do among themselves.
const SHIFT_PRIOR: f64 = 4.0;
/// Candidates' worth of belief that they do not differ further once the source
/// is read at the target's shares of classes.
const TILTED_PRIOR: f64 = 12.0;

impl GroupEstimates {
    /// Fits the model to what was seen.
    pub fn fit(problem: &SelectionProblem, scores: &OutcomeTable) -> Self {
        let groups = problem.groups.len();
        let bought: Vec<bool> = problem.groups.iter().map(|g| g.weight > 0.0).collect();
        let candidates = problem.candidates;
        let items = ItemEffects::fit(candidates, &bought, scores);
        let levels = items.levels(groups, scores);
        let mut fits = Vec::with_capacity(candidates);
        let (mut within, mut seen, mut cells_seen) = (0.0, 0.0, 0.0);
        for p in 0..candidates {
            let mut sums = vec![(0.0, 0.0); groups];
            let mut squares = vec![0.0; groups];
            for (example, group, y) in visible(scores, p, &bought) {
                let left = y - items.effect[example as usize];
                sums[group].0 += left;
                sums[group].1 += 1.0;
                squares[group] += left * left;
            }
            let mut raw = vec![f64::NAN; groups];
            for (g, (sum, count)) in sums.iter_mut().enumerate() {
                if *count > 0.0 {
                    *sum /= *count;
                    within += squares[g] - *count * *sum * *sum;
                    seen += *count;
                    cells_seen += 1.0;
                    raw[g] = scores.mean(p, g);
                }
            }
            fits.push(ComponentFit {
                cells: sums,
                raw,
                ..ComponentFit::default()
            });
        }
        let freedom = (seen - items.count - cells_seen + groups as f64).max(0.0);
        let coin = items.mean * (1.0 - items.mean);
        // Residuals per item lose one degree each; with few candidates per item
        // that is much of what there is.
        let noise = (within + PRIOR * coin) / (freedom + PRIOR);
        let noise = noise.clamp(1e-6, 0.25);
        let mut estimates = Self {
            groups: problem
                .groups
                .iter()
                .zip(levels)
                .map(|(g, level)| GroupShape {
                    level,
                    weight: g.weight,
                    role: g.role,
                })
                .collect(),
            noise,
            interaction: 0.0,
            main: 0.0,
            shift: f64::INFINITY,
            tilted: false,
            candidates: fits,
        };
        estimates.tilt(problem, scores, &bought, &items);
        estimates.interaction = estimates.spread_of_groups();
        estimates.effects();
        estimates
    }

    /// Moves the source's groups to the target's shares of classes.
    fn tilt(
        &mut self,
        problem: &SelectionProblem,
        scores: &OutcomeTable,
        bought: &[bool],
        items: &ItemEffects,
    ) {
        if problem.classes.is_none() {
            return;
        }
        let seen: Vec<Vec<ClassOutcome>> = (0..problem.candidates)
            .map(|p| {
                visible(scores, p, bought)
                    .map(|(example, _, outcome)| ClassOutcome {
                        example,
                        outcome,
                        ease: items.effect[example as usize],
                    })
                    .collect()
            })
            .collect();
        let Some(tilt) = class_tilt(problem, &seen) else {
            return;
        };
        self.tilted = true;
        for (fit, tilt) in self.candidates.iter_mut().zip(tilt) {
            for (cell, shape) in fit.cells.iter_mut().zip(&self.groups) {
                if cell.1 > 0.0 && shape.role == LabelRole::Source {
                    cell.0 += tilt;
                }
            }
        }
    }

    /// τ²: spread of a candidate's groups beyond their noise. Source and target
    /// apart, for a shift between the two is no interaction of groups.
    fn spread_of_groups(&self) -> f64 {
        let (mut between, mut expected, mut scale) = (0.0, 0.0, 0.0);
        for fit in &self.candidates {
            for target in [false, true] {
                let cells = || self.side(fit, target);
                let total: f64 = cells().map(|c| c.1).sum();
                let k = cells().count() as f64;
                if k < 2.0 {
                    continue;
                }
                let mean = cells().map(|c| c.0 * c.1).sum::<f64>() / total;
                between += cells().map(|c| c.1 * (c.0 - mean).powi(2)).sum::<f64>();
                expected += (k - 1.0) * self.noise;
                scale += total - cells().map(|c| c.1 * c.1).sum::<f64>() / total;
            }
        }
        if scale > 0.0 {
            ((between - expected) / scale).max(0.0)
        } else {
            0.0
        }
    }

    /// Cells with outcomes of the labelled target, or of everything else.
    fn side<'a>(
        &'a self,
        fit: &'a ComponentFit,
        target: bool,
    ) -> impl Iterator<Item = (f64, f64)> + 'a {
        fit.cells
            .iter()
            .zip(&self.groups)
            .filter(move |(cell, shape)| {
                cell.1 > 0.0 && (shape.role == LabelRole::LabelledTarget) == target
            })
            .map(|(cell, _)| *cell)
    }

    /// Main effects, and how much candidates differ in them.
    fn effects(&mut self) {
        let (noise, interaction) = (self.noise, self.interaction);
        let sides: Vec<(EffectEstimate, EffectEstimate)> = self
            .candidates
            .iter()
            .map(|fit| {
                let source = EffectEstimate::pool(
                    self.side(fit, false)
                        .map(|(mean, count)| (mean, interaction + noise / count)),
                );
                // The target's groups are those that count, not a sample of
                // groups: their interactions are no error of their mean.
                let groups = self.side(fit, true).count() as f64;
                let cells = self.side(fit, true);
                let (sum, open) = cells.fold((0.0, 0.0), |(sum, open), (mean, count)| {
                    (sum + mean, open + noise / count)
                });
                let target = if groups > 0.0 {
                    EffectEstimate {
                        value: sum / groups,
                        variance: open / (groups * groups),
                    }
                } else {
                    EffectEstimate::default()
                };
                (source, target)
            })
            .collect();
        let (expected, weight) = if self.tilted {
            (0.0, TILTED_PRIOR)
        } else {
            (interaction, SHIFT_PRIOR)
        };
        self.shift = shift_variance(&sides, interaction, expected, weight);
        for (fit, &(source, target)) in self.candidates.iter_mut().zip(&sides) {
            fit.source = source;
            fit.main = if self.shift.is_finite() {
                let far = (source.value, source.variance + self.shift);
                EffectEstimate::pool([far, (target.value, target.variance)].into_iter())
            } else {
                source
            };
        }
        let seen = || self.candidates.iter().map(|f| f.main).filter(|e| e.seen());
        let n = seen().count() as f64;
        if n > 1.0 {
            let mean = seen().map(|e| e.value).sum::<f64>() / n;
            let spread = seen().map(|e| (e.value - mean).powi(2)).sum::<f64>() / (n - 1.0);
            let noise = seen().map(|e| e.variance).sum::<f64>() / n;
            self.main = (spread - noise).max(0.1 * spread);
        }
    }

    /// Number of candidates.
    pub fn candidates(&self) -> usize {
        self.candidates.len()
    }

    /// Main effect of a candidate relative to the others, item-adjusted and not
    /// shrunk, with its variance (infinite when unseen).
    pub fn main_effect(&self, candidate: usize) -> (f64, f64) {
        let main = self.candidates[candidate].main;
        (main.value, main.variance)
    }

    /// Share of a candidate's main effect that comes from the source, in 0 to 1;
    /// 1 without target labels.
    pub fn source_share(&self, candidate: usize) -> f64 {
        let fit = &self.candidates[candidate];
        if self.shift.is_finite() && fit.source.seen() {
            fit.main.variance / (fit.source.variance + self.shift)
        } else {
            1.0
        }
    }

    /// Per group with outcomes, the labelled target's left out: the interaction
    /// (group effect less the effect on those groups) and how many outcomes are
    /// behind it.
    pub fn interactions(&self, candidate: usize) -> impl Iterator<Item = (f64, f64)> + '_ {
        let fit = &self.candidates[candidate];
        self.side(fit, false)
            .map(|(mean, count)| (mean - fit.source.value, count))
    }

    /// Group estimates of one candidate, shrunk towards `main` (its main effect
    /// with variance), in the order of the problem's groups, those of weight 0
    /// left out.
    pub fn groups_given(&self, candidate: usize, main: (f64, f64)) -> Vec<GroupEstimate> {
        let fit = &self.candidates[candidate];
        self.groups
            .iter()
            .enumerate()
            .filter(|(_, shape)| shape.weight > 0.0)
            .map(|(g, shape)| {
                let (mean, count) = fit.cells.get(g).copied().unwrap_or_default();
                // Weight of the group's own outcomes against the main effect.
                let own = self.interaction / (self.interaction + self.noise / count.max(1e-9));
                let own = if count > 0.0 { own } else { 0.0 };
                let left = (1.0 - own).powi(2) * main.1;
                GroupEstimate {
                    mean: shape.level + main.0 + own * (mean - main.0),
                    variance: left + (1.0 - own) * self.interaction,
                    raw: fit.raw.get(g).copied().unwrap_or(f64::NAN),
                    count,
                    level: shape.level,
                    weight: shape.weight,
                    role: shape.role,
                }
            })
            .collect()
    }

    /// Group estimates of one candidate with its main effect shrunk towards the
    /// average candidate.
    pub fn groups(&self, candidate: usize) -> Vec<GroupEstimate> {
        let (effect, variance) = self.main_effect(candidate);
        let main = if variance.is_finite() {
            let own = self.main / (self.main + variance).max(1e-12);
            (own * effect, own * variance)
        } else {
            (0.0, self.main)
        };
        self.groups_given(candidate, main)
    }
}

/// D: how much target and source effects differ beyond their noise, over the
/// candidates that have both; moderated towards `expected` by `weight` candidates'
/// worth of belief, for they may be few.
fn shift_variance(
    sides: &[(EffectEstimate, EffectEstimate)],
    interaction: f64,
    expected: f64,
    weight: f64,
) -> f64 {
    if sides.iter().all(|(_, target)| !target.seen()) {
        return f64::INFINITY;
    }
    let both = || {
        sides
            .iter()
            .filter(|(source, target)| source.seen() && target.seen())
            .map(|(source, target)| {
                (
                    target.value - source.value,
                    source.variance + target.variance,
                )
            })
    };
    let centre = EffectEstimate::pool(both().map(|(gap, open)| (gap, open + interaction))).value;
    let (count, excess) = both().fold((0.0, 0.0), |(count, excess), (gap, open)| {
        (count + 1.0, excess + (gap - centre).powi(2) - open)
    });
    let freedom = (count - 1.0_f64).max(0.0);
    let known = if count > 1.0 {
        excess * freedom / count
    } else {
        0.0
    };
    ((known + weight * expected) / (freedom + weight)).max(1e-6)
}

fn visible<'a>(
    scores: &'a OutcomeTable,
    candidate: usize,
    bought: &'a [bool],
) -> impl Iterator<Item = (u32, usize, f64)> + 'a {
    scores.seen(candidate).iter().filter_map(move |&example| {
        let group = scores.group_of(example);
        Some((example, group, scores.get(candidate, example)?)).filter(|v| bought[v.1])
    })
}

/// Item effects by backfitting against main effects.
struct ItemEffects {
    effect: Vec<f64>,
    seen_by: Vec<f64>,
    count: f64,
    mean: f64,
}

impl ItemEffects {
    fn fit(candidates: usize, bought: &[bool], scores: &OutcomeTable) -> Self {
        let n = scores.examples();
        let mut main = vec![0.0; candidates];
        let mut effect = vec![0.0; n];
        let mut seen_by = vec![0.0; n];
        let (mut total, mut cells) = (0.0, 0.0);
        for sweep in 0..SWEEPS {
            effect.fill(0.0);
            for (p, main) in main.iter().enumerate() {
                for (example, _, y) in visible(scores, p, bought) {
                    effect[example as usize] += y - main;
                    if sweep == 0 {
                        seen_by[example as usize] += 1.0;
                        total += y;
                        cells += 1.0;
                    }
                }
            }
            for (e, n) in effect.iter_mut().zip(&seen_by) {
                if *n > 0.0 {
                    *e /= n;
                }
            }
            for (p, main) in main.iter_mut().enumerate() {
                let (mut sum, mut count) = (0.0, 0.0);
                for (example, _, y) in visible(scores, p, bought) {
                    sum += y - effect[example as usize];
                    count += 1.0;
                }
                *main = if count > 0.0 { sum / count } else { 0.0 };
            }
        }
        let count = seen_by.iter().filter(|&&n| n > 0.0).count() as f64;
        Self {
            effect,
            seen_by,
            count,
            mean: if cells > 0.0 { total / cells } else { 0.5 },
        }
    }

    /// Mean item effect per group; the overall mean where a group is unseen.
    fn levels(&self, groups: usize, scores: &OutcomeTable) -> Vec<f64> {
        let mut sums = vec![(0.0, 0.0); groups];
        for (e, _) in self.seen_by.iter().enumerate().filter(|(_, n)| **n > 0.0) {
            let (sum, count) = &mut sums[scores.group_of(e as u32)];
            *sum += self.effect[e];
            *count += 1.0;
        }
        sums.into_iter()
            .map(|(s, n)| if n > 0.0 { s / n } else { self.mean })
            .collect()
    }
}
