//! The order in which examples are shown.

use crate::problem::{EvaluationRequest, ExampleGroup, LabelRole, SelectionProblem};
use crate::scores::OutcomeTable;
use crate::stats::rng::SplitMix;

/// Examples in a seeded order that is balanced over groups at every prefix
/// (largest deficit to the group's weight first), the same for all candidates.
#[derive(Debug, Clone)]
pub(crate) struct BlockStream {
    order: Vec<u32>,
    next: usize,
}

impl BlockStream {
    /// Every group by its weight.
    pub(crate) fn new(problem: &SelectionProblem, rng: &mut SplitMix) -> Self {
        Self::of(problem, rng, |_| true)
    }

    /// The labelled target's examples first, then the others: each says of the
    /// target what many source examples only hint at, and there are few.
    pub(crate) fn target_first(problem: &SelectionProblem, rng: &mut SplitMix) -> Self {
        let mut stream = Self::of(problem, rng, |g| g.role == LabelRole::LabelledTarget);
        let rest = Self::of(problem, rng, |g| g.role != LabelRole::LabelledTarget);
        stream.order.extend(rest.order);
        stream
    }

    fn of(
        problem: &SelectionProblem,
        rng: &mut SplitMix,
        take: impl Fn(&ExampleGroup) -> bool,
    ) -> Self {
        let mut groups: Vec<(f64, Vec<u32>)> = problem
            .groups
            .iter()
            .filter(|g| take(g) && g.weight > 0.0 && !g.examples.is_empty())
            .map(|g| (g.weight, g.examples.clone()))
            .collect();
        // Which group comes first must not depend on their order.
        rng.shuffle(&mut groups);
        for (_, examples) in &mut groups {
            rng.shuffle(examples);
        }
        let mut order = Vec::with_capacity(groups.iter().map(|g| g.1.len()).sum());
        let mut given = vec![0.0; groups.len()];
        let ahead = |given: &[f64], g: usize, weight: f64| (given[g] + 0.5) / weight;
        while let Some(at) = (0..groups.len())
            .filter(|&g| !groups[g].1.is_empty())
            .min_by(|&a, &b| {
                ahead(&given, a, groups[a].0).total_cmp(&ahead(&given, b, groups[b].0))
            })
        {
            given[at] += 1.0;
            order.extend(groups[at].1.pop());
        }
        Self { order, next: 0 }
    }

    /// The next `count` examples, fewer at the end.
    fn take(&mut self, count: usize) -> &[u32] {
        let from = self.next;
        self.next = (from + count).min(self.order.len());
        &self.order[from..self.next]
    }

    /// Every candidate on the next `count` examples, less what is known
    /// already; goes on to later examples while all is known. Empty at the end.
    pub(crate) fn ask(
        &mut self,
        candidates: &[usize],
        count: usize,
        scores: &OutcomeTable,
    ) -> Vec<EvaluationRequest> {
        while count > 0 && self.next < self.order.len() {
            let asks = block(candidates, self.take(count), scores);
            if !asks.is_empty() {
                return asks;
            }
        }
        Vec::new()
    }
}

/// One seeded order of examples through which every candidate goes at its own
/// pace: what two have seen in common is all that the slower one has seen, so
/// that one who rested comes back to examples whose difficulty is known.
#[derive(Debug, Clone)]
pub(crate) struct PacedStream {
    order: Vec<u32>,
    next: Vec<usize>,
}

impl PacedStream {
    /// Labelled target examples first, as [`BlockStream::target_first`].
    pub(crate) fn target_first(problem: &SelectionProblem, rng: &mut SplitMix) -> Self {
        Self {
            order: BlockStream::target_first(problem, rng).order,
            next: vec![0; problem.candidates],
        }
    }

    /// Each candidate on the next `count` examples that it has no outcome on,
    /// fewer at the end; examples in order, and for each the candidates.
    pub(crate) fn ask(
        &mut self,
        candidates: &[usize],
        count: usize,
        scores: &OutcomeTable,
    ) -> Vec<EvaluationRequest> {
        let mut asks: Vec<(usize, usize)> = Vec::new();
        for &candidate in candidates {
            let next = &mut self.next[candidate];
            let mut taken = 0;
            while taken < count && *next < self.order.len() {
                if scores.get(candidate, self.order[*next]).is_none() {
                    asks.push((*next, candidate));
                    taken += 1;
                }
                *next += 1;
            }
        }
        asks.sort_unstable();
        asks.into_iter()
            .map(|(place, candidate)| EvaluationRequest {
                candidate,
                example: self.order[place],
            })
            .collect()
    }
}

fn block(candidates: &[usize], examples: &[u32], scores: &OutcomeTable) -> Vec<EvaluationRequest> {
    examples
        .iter()
        .flat_map(|&example| {
            candidates
                .iter()
                .map(move |&candidate| EvaluationRequest { candidate, example })
        })
        .filter(|ask| scores.get(ask.candidate, ask.example).is_none())
        .collect()
}
