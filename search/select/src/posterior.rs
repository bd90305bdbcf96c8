//! Ours: halving on the posterior of a hierarchical model.

use std::sync::Arc;

use crate::blocks::PacedStream;
use crate::empirical_bayes::GroupEstimates;
use crate::gaussian_process::{GpPosterior, LowRankKernel, believe};
use crate::halving::affordable;
use crate::objective::{MeanObjective, Objective};
use crate::problem::{AllocationRule, AllocationStep, Elimination, Selection, SelectionProblem};
use crate::scores::OutcomeTable;
use crate::stats::rng::SplitMix;
use crate::stats::special::{normal_cdf, normal_quantile};
use crate::text_kernel::TextKernel;
use crate::unevenness::charges;

/// Evaluations in the budget per entrant, at least: with fewer the race buys
/// one look at many and cannot tell luck from merit. 3 to 5 measured alike.
const PER_ENTRANT: usize = 4;
/// From how many candidates on the texts are read: with fewer, 32 directions of
/// likeness explain anything.
const TEXTS: usize = 40;

/// Constants of [`PosteriorRule`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PosteriorConstants {
    /// Price of one standard deviation of interaction above the typical, when it
    /// is known exactly. At 0 nothing is charged.
    pub unevenness: f64,
    /// Standard deviations added while halving, so that the unsure are asked on.
    pub optimism: f64,
    /// Chance to be better than the leader below which a candidate is dropped.
    pub least_chance: f64,
    /// Steps of the last stage, among two; in each the likeliest two are asked.
    pub last_steps: usize,
}

impl Default for PosteriorConstants {
    fn default() -> Self {
        Self {
            unevenness: 0.0,
            optimism: 0.0,
            least_chance: 0.05,
            last_steps: 1,
        }
    }
}

impl PosteriorConstants {
    /// Price of unevenness under an objective that asks for the tail: the groups
    /// that come are others than those measured, and whoever is uneven among
    /// these will be among them.
    pub const TAIL_UNEVENNESS: f64 = 1.5;
}

/// Posterior halving: sequential halving on paired, group-balanced blocks,
/// ranked by a score under a hierarchical model instead of raw means.
///
/// Each round fits item, main, interaction and noise effects ([`GroupEstimates`]),
/// takes the posterior of the main effects (pulling alike prompts together
/// where there are many) and scores the mean of the shrunk groups. The better
/// half by optimistic score is asked on. Who is not asked is not out: it is
/// dropped only where its chance to be better than the leader is small, and comes
/// back, to the examples that the others have seen, once it is among the better
/// half again. The incumbent has no share of its own; it is asked as long as it is
/// a contender. The pick is the best posterior score.
///
/// Objectives of the tail also charge for the standard deviation of a candidate's
/// interaction, as far as it exceeds the typical one. That charge is moderated
/// (Smyth 2004) and scaled by how reliably interactions are known: it vanishes at
/// small budgets, where paying it costs more than it saves, and counts in full
/// once group means are known.
#[derive(Debug)]
pub struct PosteriorRule {
    rng: SplitMix,
    objective: Option<Arc<dyn Objective>>,
    constants: PosteriorConstants,
    state: Option<PosteriorState>,
}

#[derive(Debug)]
struct PosteriorState {
    stream: PacedStream,
    basis: Option<LowRankKernel>,
    /// How many are asked in the next round.
    contenders: usize,
    active: Vec<usize>,
    /// Out of the race.
    dropped: Vec<bool>,
    rounds_left: usize,
}

/// A candidate's standing.
#[derive(Debug, Clone, Copy)]
struct PosteriorScore {
    score: f64,
    spread: f64,
}

impl PosteriorScore {
    /// Chance to be better than another.
    fn chance_against(self, other: Self) -> f64 {
        normal_cdf((self.score - other.score) / self.spread.hypot(other.spread).max(1e-9))
    }
}

impl PosteriorRule {
    /// The default rule with its seed.
    pub fn new(seed: u64) -> Self {
        Self::with_constants(seed, PosteriorConstants::default())
    }

    /// The rule with other constants, for measuring them.
    pub const fn with_constants(seed: u64, constants: PosteriorConstants) -> Self {
        Self {
            rng: SplitMix::new(seed),
            objective: None,
            constants,
            state: None,
        }
    }

    /// Ranks by an objective over the shrunk group estimates instead of their mean.
    pub fn with_objective(seed: u64, objective: Arc<dyn Objective>) -> Self {
        let tail = matches!(objective.name(), "worst" | "soft-min" | "cvar");
        let constants = PosteriorConstants {
            unevenness: if tail {
                PosteriorConstants::TAIL_UNEVENNESS
            } else {
                0.0
            },
            ..PosteriorConstants::default()
        };
        Self {
            objective: Some(objective),
            ..Self::with_constants(seed, constants)
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
        let charges = charges(&estimates, self.constants.unevenness);
        beliefs
            .iter()
            .zip(&charges)
            .enumerate()
            .map(|(p, (&GpPosterior { mean, variance }, charge))| {
                let groups = estimates.groups_given(p, (mean, variance));
                PosteriorScore {
                    score: match &self.objective {
                        Some(objective) => objective.score(&groups) - charge,
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
        let stream = PacedStream::target_first(problem, &mut self.rng);
        let active = affordable(problem, budget / PER_ENTRANT, &mut self.rng);
        let halvings = active.len().max(2).next_power_of_two().ilog2() as usize;
        let readable = |l: &&TextKernel| l.size() == problem.candidates && l.size() >= TEXTS;
        let basis = problem
            .kernel
            .as_deref()
            .filter(readable)
            .map(LowRankKernel::new);
        PosteriorState {
            stream,
            basis,
            contenders: active.len(),
            active,
            dropped: vec![false; problem.candidates],
            rounds_left: halvings - 1 + self.constants.last_steps.max(1),
        }
    }
}

/// The chance that `candidate` is better than `incumbent` by `objective`, `None` for
/// the rule's own ([`PosteriorRule`]), less what each pays for its length, after all that
/// `scores` holds: what speaks for giving up a prompt that is in use. `None` where either has no outcome.
pub fn chance_to_beat(
    problem: &SelectionProblem,
    scores: &OutcomeTable,
    (candidate, incumbent): (usize, usize),
    objective: Option<Arc<dyn Objective>>,
) -> Option<f64> {
    let asked = |p: usize| !scores.seen(p).is_empty();
    if !asked(candidate) || !asked(incumbent) {
        return None;
    }
    let rule = match objective {
        Some(objective) => PosteriorRule::with_objective(0, objective),
        None => PosteriorRule::new(0),
    };
    let standings = rule.judge(problem, scores, None);
    let net = |p: usize| PosteriorScore {
        score: standings[p].score - problem.charge(p),
        ..standings[p]
    };
    Some(net(candidate).chance_against(net(incumbent)))
}

impl PosteriorState {
    /// Who is asked next, and who is out.
    fn halve(
        &mut self,
        constants: &PosteriorConstants,
        standings: &[PosteriorScore],
        problem: &SelectionProblem,
        dropped: &mut Vec<Elimination>,
    ) {
        self.contenders = self.contenders.div_ceil(2).max(2);
        let hopeful: Vec<usize> = (0..problem.candidates)
            .filter(|&p| !self.dropped[p])
            .collect();
        let leader = problem.ranked(&hopeful, |p| standings[p].score)[0];
        let mut ranking = problem.ranked(&hopeful, |p| {
            standings[p].score + constants.optimism * standings[p].spread
        });
        ranking.retain(|&p| p != leader);
        ranking.insert(0, leader);
        // All of the half, though some have a small chance by now: asking only
        // those with a real one measured worse, for the model knows of no shift
        // that it was not shown.
        self.active = ranking[..self.contenders.min(ranking.len())].to_vec();
        let best = standings[leader];
        for &p in &ranking[self.active.len()..] {
            let own = standings[p];
            let chance = own.chance_against(best);
            if chance >= constants.least_chance || problem.keep.contains(&p) {
                continue;
            }
            self.dropped[p] = true;
            dropped.push(Elimination {
                candidate: p,
                reason: format!(
                    "an estimated {:.1} points behind the leader, {:.0}% chance to be better",
                    100.0 * (best.score - own.score),
                    100.0 * chance
                ),
            });
        }
        self.rounds_left -= 1;
    }
}

impl AllocationRule for PosteriorRule {
    fn name(&self) -> &'static str {
        "posterior"
    }

    fn reads_texts(&self, candidates: usize) -> bool {
        candidates >= TEXTS
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
            state.halve(&self.constants, &standings, problem, dropped);
        }
        if state.rounds_left > 0 && state.active.len() > 1 {
            let each = remaining / state.active.len();
            let count = (each / state.rounds_left).max(1).min(each);
            let asks = state.stream.ask(&state.active, count, scores);
            if !asks.is_empty() {
                self.state = Some(state);
                return AllocationStep::Evaluate(asks);
            }
        }
        let standings = self.judge(problem, scores, state.basis.as_ref());
        let selection = select(problem, scores, &state, &standings);
        self.state = Some(PosteriorState {
            rounds_left: 0,
            ..state
        });
        AllocationStep::Pick(selection)
    }
}

/// The best of those still in the race; the others are ranked for the record.
fn select(
    problem: &SelectionProblem,
    scores: &OutcomeTable,
    state: &PosteriorState,
    standings: &[PosteriorScore],
) -> Selection {
    let score = |p: usize| standings[p].score;
    let (gone, left): (Vec<usize>, Vec<usize>) =
        (0..problem.candidates).partition(|&p| state.dropped[p]);
    let mut ranking = problem.ranked(&left, score);
    ranking.extend(problem.ranked(&gone, score));
    let candidate = ranking[0];
    // Of all that were asked, whether they left early or not.
    let rivals: Vec<usize> = (0..problem.candidates)
        .filter(|&p| p != candidate && !scores.seen(p).is_empty())
        .collect();
    let runner_up = problem.ranked(&rivals, score).first().copied();
    let reason = runner_up.map_or_else(
        || "no other candidate has an answer".into(),
        |next| lead(standings[candidate], standings[next]),
    );
    Selection {
        candidate,
        ranking,
        reason,
    }
}

/// How far the first is ahead of the second, and how sure that is.
fn lead(first: PosteriorScore, second: PosteriorScore) -> String {
    let gap = first.score - second.score;
    let reach = normal_quantile(0.975) * first.spread.hypot(second.spread);
    // Scores lie within 0 to 1, and so do their differences.
    let bound = |x: f64| 100.0 * x.clamp(-1.0, 1.0);
    format!(
        "{:.1} points ahead of the runner-up (95% interval {:+.1} to {:+.1}), {:.0}% chance to be \
         the better one",
        bound(gap),
        bound(gap - reach),
        bound(gap + reach),
        100.0 * first.chance_against(second)
    )
}

#[cfg(test)]
#[path = "posterior_tests.rs"]
mod tests;
