//! Ours: halving on the posterior of a hierarchical model.

use std::sync::Arc;

use crate::blocks::BlockStream;
use crate::empirical_bayes::GroupEstimates;
use crate::gaussian_process::{GpPosterior, LowRankKernel, believe};
use crate::halving::affordable;
use crate::objective::{MeanObjective, Objective};
use crate::problem::{AllocationRule, AllocationStep, Elimination, Selection, SelectionProblem};
use crate::scores::OutcomeTable;
use crate::stats::rng::SplitMix;
use crate::stats::special::normal_cdf;
use crate::text_kernel::TextKernel;

/// Evaluations in the budget per entrant, at least: with fewer the race buys
/// one look at many and cannot tell luck from merit. 3 to 5 measured alike.
const PER_ENTRANT: usize = 4;
/// Price of one standard deviation of interaction above the typical, when it is
/// known exactly. 1 to 2 measured alike on recorded outcomes.
const PRICE: f64 = 1.5;
/// Fewest prior degrees of freedom behind the pooled interaction variance.
const LEAST_FREEDOM: f64 = 12.0;
/// Standard deviations added while halving, so that the unsure stay in.
const OPTIMISM: f64 = 1.0;
/// From how many candidates on the texts are read: with fewer, 32 directions of
/// likeness explain anything.
const TEXTS: usize = 40;

/// Posterior halving: sequential halving on paired, group-balanced blocks,
/// ranked by a robust score under a hierarchical model instead of raw means.
///
/// Each round fits item, main, interaction and noise effects ([`GroupEstimates`]),
/// takes the posterior of the main effects (pulling alike prompts together
/// where there are many) and scores the mean of the shrunk groups less a charge
/// for the standard deviation of the candidate's interaction, as far as it
/// exceeds the typical one. The charge is moderated (Smyth 2004) and scaled by how reliably interactions are known: it
/// vanishes at small budgets, where paying it costs more than it saves, and
/// counts in full once group means are known.
#[derive(Debug)]
pub struct PosteriorRule {
    rng: SplitMix,
    objective: Option<Arc<dyn Objective>>,
    state: Option<PosteriorState>,
}

#[derive(Debug)]
struct PosteriorState {
    stream: BlockStream,
    basis: Option<LowRankKernel>,
    /// In the race.
    alive: Vec<usize>,
    /// Never entered; may yet be called in by likeness.
    waiting: Vec<usize>,
    rounds_left: usize,
}

/// A candidate's standing.
#[derive(Debug, Clone, Copy)]
struct PosteriorScore {
    score: f64,
    spread: f64,
}

impl PosteriorRule {
    /// The default rule with its seed.
    pub const fn new(seed: u64) -> Self {
        Self {
            rng: SplitMix::new(seed),
            objective: None,
            state: None,
        }
    }

    /// Ranks by an objective over the shrunk group estimates instead of the
    /// built-in mean less interaction charge.
    pub fn with_objective(seed: u64, objective: Arc<dyn Objective>) -> Self {
        Self {
            rng: SplitMix::new(seed),
            objective: Some(objective),
            state: None,
        }
    }

    fn judge(
        &self,
        problem: &SelectionProblem,
        scores: &OutcomeTable,
        basis: Option<&LowRankKernel>,
    ) -> Vec<PosteriorScore> {
        let estimates = GroupEstimates::fit(problem, scores);
        let effects: Vec<(f64, f64)> = (0..problem.candidates)
            .map(|p| estimates.main_effect(p))
            .collect();
        let beliefs = believe(&effects, basis);
        let charges = charges(&estimates);
        beliefs
            .iter()
            .zip(&charges)
            .enumerate()
            .map(|(p, (&GpPosterior { mean, variance }, charge))| {
                let groups = estimates.groups_given(p, (mean, variance));
                PosteriorScore {
                    score: match &self.objective {
                        Some(objective) => objective.score(&groups),
                        // With target labels the belief is the target's.
                        None if estimates.shift.is_finite() => mean - charge,
                        None => MeanObjective.score(&groups) - charge,
                    },
                    spread: variance.sqrt(),
                }
            })
            .collect()
    }

    fn start(&mut self, problem: &SelectionProblem, budget: usize) -> PosteriorState {
        let stream = BlockStream::target_first(problem, &mut self.rng);
        let alive = affordable(problem, budget / PER_ENTRANT, &mut self.rng);
        let waiting = (0..problem.candidates)
            .filter(|p| !alive.contains(p))
            .collect();
        let rounds_left = alive.len().max(2).next_power_of_two().ilog2() as usize;
        let readable = |l: &&TextKernel| l.size() == problem.candidates && l.size() >= TEXTS;
        let basis = problem
            .kernel
            .as_deref()
            .filter(readable)
            .map(LowRankKernel::new);
        PosteriorState {
            stream,
            basis,
            alive,
            waiting,
            rounds_left,
        }
    }
}

/// What each candidate pays for its interaction: the square root of its
/// moderated variance, less that of the typical candidate, so that one hardly
/// measured is neither charged nor favoured.
fn charges(estimates: &GroupEstimates) -> Vec<f64> {
    let pooled = estimates.interaction;
    // Per candidate: variance over its groups less noise, and the variance
    // that this estimate has from chance alone.
    let spreads: Vec<Option<(f64, f64, f64)>> = (0..estimates.candidates())
        .map(|p| {
            let (mut groups, mut squares, mut noise) = (0.0, 0.0, 0.0);
            for (interaction, count) in estimates.interactions(p) {
                groups += 1.0;
                squares += interaction * interaction;
                noise += estimates.noise / count;
            }
            noise /= groups;
            let chance = 2.0 * (pooled + noise).powi(2) / (groups - 1.0);
            (groups > 1.0 && pooled > 0.0).then(|| {
                (
                    squares / (groups - 1.0) - noise,
                    chance,
                    pooled / (pooled + noise),
                )
            })
        })
        .collect();
    // How much candidates truly differ in spread, by moments.
    let known = spreads.iter().flatten();
    let excess = known
        .clone()
        .map(|(s, chance, _)| (s - pooled).powi(2) - chance)
        .sum::<f64>();
    let truth = (excess / (known.count() as f64).max(1.0))
        .clamp(0.0, 2.0 * pooled * pooled / LEAST_FREEDOM);
    spreads
        .iter()
        .enumerate()
        .map(|(p, spread)| {
            // What target labels say of the target needs no guess from the source.
            let share = estimates.source_share(p);
            let Some((variance, chance, reliability)) = *spread else {
                return 0.0;
            };
            let own = if truth > 0.0 {
                truth / (truth + chance)
            } else {
                0.0
            };
            let moderated = (pooled + own * (variance - pooled)).max(0.1 * pooled);
            PRICE * reliability * reliability * share * (moderated.sqrt() - pooled.sqrt())
        })
        .collect()
}

impl PosteriorState {
    /// Keeps the better half and says why the others go.
    fn halve(
        &mut self,
        standings: &[PosteriorScore],
        problem: &SelectionProblem,
        dropped: &mut Vec<Elimination>,
    ) {
        let half = self.alive.len().div_ceil(2).max(2);
        let hopeful: Vec<usize> = self.alive.iter().chain(&self.waiting).copied().collect();
        let ranking = problem.ranked(&hopeful, |p| {
            standings[p].score + OPTIMISM * standings[p].spread
        });
        let leader = problem.ranked(&hopeful, |p| standings[p].score)[0];
        let next: Vec<usize> = ranking
            .iter()
            .enumerate()
            .filter(|&(at, p)| at < half || problem.keep.contains(p))
            .map(|(_, &p)| p)
            .collect();
        for &p in self.alive.iter().filter(|p| !next.contains(p)) {
            let (own, best) = (standings[p], standings[leader]);
            let gap = best.score - own.score;
            let chance = normal_cdf(-gap / own.spread.hypot(best.spread).max(1e-9));
            dropped.push(Elimination {
                candidate: p,
                reason: format!(
                    "an estimated {:.1} points behind the leader, {:.0}% chance to be better",
                    100.0 * gap,
                    100.0 * chance
                ),
            });
        }
        self.waiting.retain(|p| !next.contains(p));
        self.alive = next;
        self.rounds_left -= 1;
    }
}

impl AllocationRule for PosteriorRule {
    fn name(&self) -> &'static str {
        "posterior"
    }

    fn next(
        &mut self,
        problem: &SelectionProblem,
        scores: &OutcomeTable,
        remaining: usize,
        dropped: &mut Vec<Elimination>,
    ) -> AllocationStep {
        let fresh = self.state.is_none();
        let mut state = match self.state.take() {
            Some(state) => state,
            None => self.start(problem, remaining),
        };
        if !fresh && state.rounds_left > 0 {
            let standings = self.judge(problem, scores, state.basis.as_ref());
            state.halve(&standings, problem, dropped);
        }
        if state.rounds_left > 0 && state.alive.len() > 1 {
            let each = remaining / state.alive.len();
            let count = (each / state.rounds_left).max(1).min(each);
            let asks = state.stream.ask(&state.alive, count, scores);
            if !asks.is_empty() {
                self.state = Some(state);
                return AllocationStep::Evaluate(asks);
            }
        }
        let standings = self.judge(problem, scores, state.basis.as_ref());
        // The pick has been through the race; the rest are ranked for the record.
        let mut ranking = problem.ranked(&state.alive, |p| standings[p].score);
        let rest: Vec<usize> = (0..problem.candidates)
            .filter(|p| !state.alive.contains(p))
            .collect();
        ranking.extend(problem.ranked(&rest, |p| standings[p].score));
        let candidate = ranking[0];
        let reason = ranking.get(1).map_or_else(
            || "the only candidate".into(),
            |&next| {
                format!(
                    "{:.1} points ahead of the next by the shrunk robust score",
                    100.0 * (standings[candidate].score - standings[next].score)
                )
            },
        );
        self.state = Some(PosteriorState {
            rounds_left: 0,
            ..state
        });
        AllocationStep::Pick(Selection {
            candidate,
            ranking,
            reason,
        })
    }
}
