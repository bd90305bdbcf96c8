//! Paired racing.

use crate::blocks::BlockStream;
use crate::halving::affordable;
use crate::problem::{AllocationRule, AllocationStep, Elimination, Selection, SelectionProblem};
use crate::scores::OutcomeTable;
use crate::stats::rng::SplitMix;
use crate::stats::special::t_cdf;

/// Examples per block.
const BLOCK: usize = 10;
/// One-sided level at which a candidate is dropped; CAPO's, for search only:
/// no statement about the winner follows from it.
const LEVEL: f64 = 0.2;

/// Racing with a one-sided paired t-test against the leader after every block
/// (Maron and Moore 1994; CAPO, arXiv 2504.16005, without its mask slip: the
/// test reads exactly the examples both saw).
#[derive(Debug)]
pub struct RacingRule {
    rng: SplitMix,
    state: Option<(BlockStream, Vec<usize>, Vec<usize>)>,
}

impl RacingRule {
    /// A rule with its seed.
    pub const fn new(seed: u64) -> Self {
        Self {
            rng: SplitMix::new(seed),
            state: None,
        }
    }
}

/// p-value that `a` is no worse than `b`, one-sided and paired; 1 when there
/// are too few common examples or no difference at all.
pub(crate) fn paired_p(scores: &OutcomeTable, a: usize, b: usize) -> f64 {
    let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for &example in scores.seen(a) {
        if let (Some(x), Some(y)) = (scores.get(a, example), scores.get(b, example)) {
            n += 1.0;
            sum += y - x;
            squares += (y - x) * (y - x);
        }
    }
    if n < 3.0 {
        return 1.0;
    }
    let mean = sum / n;
    let variance = (squares - n * mean * mean) / (n - 1.0);
    if variance <= 1e-12 {
        return if mean > 1e-12 { 0.0 } else { 1.0 };
    }
    t_cdf(-mean / (variance / n).sqrt(), n - 1.0)
}

impl AllocationRule for RacingRule {
    fn name(&self) -> &'static str {
        "racing"
    }

    fn next(
        &mut self,
        problem: &SelectionProblem,
        scores: &OutcomeTable,
        remaining: usize,
        dropped: &mut Vec<Elimination>,
    ) -> AllocationStep {
        let mean = |p: usize| scores.balanced_mean(p, |g| problem.groups[g].weight);
        let (mut stream, mut alive, mut out) = if let Some(state) = self.state.take() {
            state
        } else {
            let stream = BlockStream::new(problem, &mut self.rng);
            // Half the budget must reach every entrant with a few examples.
            let alive = affordable(problem, remaining / 4, &mut self.rng);
            let out = (0..problem.candidates)
                .filter(|p| !alive.contains(p))
                .collect();
            (stream, alive, out)
        };
        let order = problem.ranked(&alive, mean);
        let leader = order[0];
        for &p in order[1..].iter().rev() {
            let chance = paired_p(scores, p, leader);
            if chance < LEVEL && !problem.keep.contains(&p) {
                alive.retain(|&q| q != p);
                out.push(p);
                dropped.push(Elimination {
                    candidate: p,
                    reason: format!("behind the leader on the same examples, p = {chance:.3}"),
                });
            }
        }
        let affordable = remaining / alive.len();
        if alive.len() > 1 && affordable > 0 {
            let count = BLOCK.min(affordable.div_ceil(2).max(1));
            let asks = stream.ask(&alive, count, scores);
            if !asks.is_empty() {
                self.state = Some((stream, alive, out));
                return AllocationStep::Evaluate(asks);
            }
        }
        let mut ranking = problem.ranked(&alive, mean);
        ranking.extend(out.iter().rev());
        let reason = format!(
            "leads after the last block, {} still in the race",
            alive.len()
        );
        self.state = Some((stream, alive, out));
        AllocationStep::Pick(Selection {
            candidate: ranking[0],
            ranking,
            reason,
        })
    }
}
