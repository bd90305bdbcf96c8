//! Uniform spending and sequential halving, on paired blocks.

use crate::blocks::BlockStream;
use crate::problem::{AllocationRule, AllocationStep, Elimination, Selection, SelectionProblem};
use crate::scores::OutcomeTable;
use crate::stats::rng::SplitMix;

/// Every candidate sees the same examples until the budget is spent; the best
/// group-balanced mean wins. The rule to beat.
#[derive(Debug)]
pub struct UniformRule {
    seed: u64,
    done: bool,
}

impl UniformRule {
    /// A rule with its seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed, done: false }
    }
}

/// Candidates to look at when the budget does not reach all: the kept ones and
/// a random rest.
pub(crate) fn affordable(
    problem: &SelectionProblem,
    budget: usize,
    rng: &mut SplitMix,
) -> Vec<usize> {
    let mut order: Vec<usize> = (0..problem.candidates).collect();
    if order.len() > budget {
        rng.shuffle(&mut order);
        order.sort_by_key(|p| !problem.keep.contains(p));
        order.truncate(budget.max(1));
        order.sort_unstable();
    }
    order
}

fn weighted(problem: &SelectionProblem, scores: &OutcomeTable, candidate: usize) -> f64 {
    scores.balanced_mean(candidate, |g| problem.groups[g].weight)
}

fn pick_by_mean(
    problem: &SelectionProblem,
    scores: &OutcomeTable,
    alive: &[usize],
    out: &[usize],
) -> Selection {
    let mut ranking = problem.ranked(alive, |p| weighted(problem, scores, p));
    ranking.extend(out.iter().rev());
    let candidate = ranking[0];
    Selection {
        candidate,
        reason: format!(
            "highest group-balanced mean, {:.3}, of the {} left",
            weighted(problem, scores, candidate),
            alive.len()
        ),
        ranking,
    }
}

impl AllocationRule for UniformRule {
    fn name(&self) -> &'static str {
        "uniform"
    }

    fn next(
        &mut self,
        problem: &SelectionProblem,
        scores: &OutcomeTable,
        remaining: usize,
        _dropped: &mut Vec<Elimination>,
    ) -> AllocationStep {
        let all: Vec<usize> = (0..problem.candidates).collect();
        if !self.done {
            self.done = true;
            let mut rng = SplitMix::new(self.seed);
            let mut stream = BlockStream::new(problem, &mut rng);
            let alive = affordable(problem, remaining, &mut rng);
            let asks = stream.ask(&alive, remaining / alive.len().max(1), scores);
            if !asks.is_empty() {
                return AllocationStep::Evaluate(asks);
            }
        }
        AllocationStep::Pick(pick_by_mean(problem, scores, &all, &[]))
    }
}

/// Stratified paired sequential halving (Karnin, Koren and Somekh 2013): in
/// each of ⌈log₂ K⌉ rounds the candidates left share an equal part of the
/// budget on the same new examples, balanced over groups; the better half by
/// group-balanced mean goes on.
#[derive(Debug)]
pub struct HalvingRule {
    rng: SplitMix,
    state: Option<HalvingState>,
}

#[derive(Debug)]
struct HalvingState {
    stream: BlockStream,
    alive: Vec<usize>,
    out: Vec<usize>,
    rounds_left: usize,
}

impl HalvingRule {
    /// A rule with its seed.
    pub const fn new(seed: u64) -> Self {
        Self {
            rng: SplitMix::new(seed),
            state: None,
        }
    }

    fn start(&mut self, problem: &SelectionProblem, budget: usize) -> HalvingState {
        let stream = BlockStream::new(problem, &mut self.rng);
        let alive = affordable(problem, budget, &mut self.rng);
        let out = (0..problem.candidates)
            .filter(|p| !alive.contains(p))
            .collect();
        let rounds_left = alive.len().max(2).next_power_of_two().ilog2() as usize;
        HalvingState {
            stream,
            alive,
            out,
            rounds_left,
        }
    }
}

impl AllocationRule for HalvingRule {
    fn name(&self) -> &'static str {
        "halving"
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
        if !fresh {
            let ranking = problem.ranked(&state.alive, |p| weighted(problem, scores, p));
            let half = state.alive.len().div_ceil(2);
            let bar = weighted(problem, scores, ranking[half - 1]);
            let mut gone = Vec::new();
            for &p in &ranking[half..] {
                if !problem.keep.contains(&p) {
                    gone.push(p);
                    dropped.push(Elimination {
                        candidate: p,
                        reason: format!(
                            "mean {:.3} is in the lower half; {bar:.3} was needed",
                            weighted(problem, scores, p)
                        ),
                    });
                }
            }
            state.alive.retain(|p| !gone.contains(p));
            state.out.extend(gone.into_iter().rev());
            state.rounds_left = state.rounds_left.saturating_sub(1);
        }
        if state.alive.len() > 1 && state.rounds_left > 0 {
            // A budget too small for its rounds still buys one example each
            // while it lasts.
            let share = remaining / state.rounds_left / state.alive.len();
            let count = share.max(1).min(remaining / state.alive.len());
            let asks = state.stream.ask(&state.alive, count, scores);
            if !asks.is_empty() {
                self.state = Some(state);
                return AllocationStep::Evaluate(asks);
            }
        }
        let pick = pick_by_mean(problem, scores, &state.alive, &state.out);
        self.state = Some(HalvingState {
            rounds_left: 0,
            ..state
        });
        AllocationStep::Pick(pick)
    }
}
