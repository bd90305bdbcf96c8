//! TRIPLE's continuous rejects.

use crate::blocks::BlockStream;
use crate::halving::affordable;
use crate::problem::{AllocationRule, AllocationStep, Elimination, Selection, SelectionProblem};
use crate::scores::OutcomeTable;
use crate::stats::rng::SplitMix;

/// Continuous rejects (Wang, Tzeng and Proutiere 2023, CR-C; the rule of
/// TRIPLE-CR, arXiv 2402.09723): candidates are sampled in turn; the worst is
/// rejected as soon as its gap to the average of the others is large for the
/// evaluations behind it, G(β) = 1/√β − 1.
#[derive(Debug)]
pub struct TripleCr {
    rng: SplitMix,
    state: Option<TripleState>,
}

#[derive(Debug)]
struct TripleState {
    stream: BlockStream,
    alive: Vec<usize>,
    out: Vec<usize>,
    budget: usize,
    /// Evaluations spent on candidates already rejected.
    sunk: f64,
    /// Most evaluations spent on a rejected one; the next must have seen more.
    most: f64,
}

impl TripleCr {
    /// A rule with its seed.
    pub const fn new(seed: u64) -> Self {
        Self {
            rng: SplitMix::new(seed),
            state: None,
        }
    }
}

/// ½ + Σ_{k=2..K} 1/k.
fn log_bar(candidates: usize) -> f64 {
    0.5 + (2..=candidates).map(|k| 1.0 / k as f64).sum::<f64>()
}

impl AllocationRule for TripleCr {
    fn name(&self) -> &'static str {
        "triple-cr"
    }

    fn next(
        &mut self,
        problem: &SelectionProblem,
        scores: &OutcomeTable,
        remaining: usize,
        dropped: &mut Vec<Elimination>,
    ) -> AllocationStep {
        let mean =
            |p: usize| scores.balanced_mean(p, |g| problem.groups[g].weight) - problem.charge(p);
        let mut state = self.state.take().unwrap_or_else(|| {
            let stream = BlockStream::new(problem, &mut self.rng);
            let alive = affordable(problem, remaining / 2, &mut self.rng);
            let out = (0..problem.candidates)
                .filter(|p| !alive.contains(p))
                .collect();
            TripleState {
                stream,
                alive,
                out,
                budget: remaining,
                sunk: 0.0,
                most: 0.0,
            }
        });
        while state.alive.len() > 1 {
            let order = problem.ranked(&state.alive, |p| mean(p) + problem.charge(p));
            let left = state.alive.len() as f64;
            let Some(&worst) = order.iter().rev().find(|p| !problem.keep.contains(p)) else {
                break;
            };
            let pulls = scores.seen(worst).len() as f64;
            let others = order
                .iter()
                .filter(|&&p| p != worst)
                .map(|&p| mean(p))
                .sum::<f64>();
            let gap = others / (left - 1.0) - mean(worst);
            // β: what the candidates left have used of what is theirs to use.
            let used: f64 = state
                .alive
                .iter()
                .map(|&p| scores.seen(p).len() as f64)
                .sum();
            let share = used * log_bar(state.alive.len()) / (state.budget as f64 - state.sunk);
            let bar = 1.0 / share.max(1e-9).sqrt() - 1.0;
            if pulls < 1.0 || pulls <= state.most || gap.is_nan() || gap <= bar {
                break;
            }
            state.alive.retain(|&p| p != worst);
            state.out.push(worst);
            state.sunk += pulls;
            state.most = pulls;
            dropped.push(Elimination {
                candidate: worst,
                reason: format!("mean {:.3} is {gap:.3} under the others'", mean(worst)),
            });
        }
        if state.alive.len() > 1 && remaining >= state.alive.len() {
            // Steps of at most a twentieth of the budget keep it continuous
            // while a step is still worth a round of parallel calls.
            let count = (state.budget / 20 / state.alive.len()).max(1);
            let count = count.min(remaining / state.alive.len());
            let asks = state.stream.ask(&state.alive, count, scores);
            if !asks.is_empty() {
                self.state = Some(state);
                return AllocationStep::Evaluate(asks);
            }
        }
        let mut ranking = problem.ranked(&state.alive, |p| mean(p) + problem.charge(p));
        ranking.extend(state.out.iter().rev());
        let reason = format!("highest mean of the {} never rejected", state.alive.len());
        self.state = Some(state);
        AllocationStep::Pick(Selection {
            candidate: ranking[0],
            ranking,
            reason,
        })
    }
}
