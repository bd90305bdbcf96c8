//! `EvoPrompt` by a genetic algorithm.

use async_trait::async_trait;
use rand::RngExt;
use shiftproof_tasks::Prompt;

use super::generations::{self, GenerationPlan, population_size};
use super::{DataCounts, MethodPlan, SearchMethod, ShownCounts, steps};
use crate::event::Phase;
use crate::gateway::RunError;
use crate::propose::GeneticProposer;
use crate::run::{CandidateIndex, SearchContext};
use crate::seeds;
use crate::spec::SearchSpec;

/// A population of prompts: parents drawn by roulette, crossed and mutated by the
/// model; the best of parents and children are the next generation (Guo et al., ICLR
/// 2024, "Connecting Large Language Models with Evolutionary Algorithms Yields
/// Powerful Prompt Optimizers", arXiv 2309.08532, §3.2, algorithm 2).
///
/// Where it departs from the paper: a quarter of `search.proposals`, at most 10,
/// fills the population beside the seed, the study's prompts and the library, half
/// of it by induction and half by paraphrase; generations are as many as the rest
/// allows; parents and children race under the study's allocation rule instead of
/// being scored on all of a development set.
#[derive(Debug, Clone, Copy)]
pub struct EvoPromptGa;

/// Of the evaluations: the first race, and that of all generations.
pub(super) const SCREEN: f64 = 0.25;
pub(super) const REFINE: f64 = 0.5;

pub(super) fn dealt(spec: &SearchSpec) -> GenerationPlan {
    let size = population_size(spec);
    GenerationPlan::of(spec, size, size)
}

#[async_trait]
impl SearchMethod for EvoPromptGa {
    fn name(&self) -> &'static str {
        "evoprompt-ga"
    }

    fn shown(&self) -> ShownCounts {
        ShownCounts {
            prompts: 2,
            demonstrations: 0,
        }
    }

    fn plan(&self, spec: &SearchSpec, _: &DataCounts) -> MethodPlan {
        dealt(spec).plan(SCREEN, REFINE, "crossovers and mutations")
    }

    async fn search(
        &self,
        context: &mut SearchContext<'_>,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        let spec = context.spec();
        let (dealt, size) = (dealt(spec), population_size(spec));
        let entrants = generations::populate(context, dealt.start).await?;
        let mut population = generations::screen(context, entrants, size).await?;
        for round in 0..dealt.rounds {
            context.enter_phase(
                Phase::Refine,
                format!(
                    "generation {} of {}: {} children of {} prompts",
                    round + 1,
                    dealt.rounds,
                    dealt.each,
                    population.len()
                ),
            )?;
            let proposer = GeneticProposer {
                pairs: pairs(context, &population, dealt.each, round),
            };
            let children = context
                .propose(&proposer, &population, dealt.each, &format!("ga {round}"))
                .await?;
            if round + 1 == dealt.rounds {
                steps::check_proposed(context)?;
            }
            population.extend(children);
            population = context.race(population, size).await?;
            // The seed is in every race, and here only if it is one of the best.
            population.truncate(size);
        }
        population.truncate(spec.finalists);
        Ok(population)
    }
}

/// Pairs of different parents, each drawn with a chance in proportion to its score.
fn pairs(
    context: &SearchContext<'_>,
    population: &[CandidateIndex],
    count: usize,
    round: usize,
) -> Vec<[Prompt; 2]> {
    let scored = generations::scores(context, population);
    let mut rng = seeds::stream(context.stream("roulette"), &format!("generation {round}"));
    let mut drawn = Vec::with_capacity(count);
    for _ in 0..count {
        let Some(first) = roulette(&scored, None, &mut rng) else {
            break;
        };
        // A population of one is crossed with itself.
        let second = roulette(&scored, Some(first), &mut rng).unwrap_or(first);
        drawn.push([first, second].map(|parent| context.prompt(parent).clone()));
    }
    drawn
}

/// A candidate by its share of all scores, `but` apart; `None` of none.
fn roulette(
    scored: &[(CandidateIndex, f64)],
    but: Option<CandidateIndex>,
    rng: &mut impl RngExt,
) -> Option<CandidateIndex> {
    // Where no score is above 0 all are drawn alike.
    let weight = |score: f64| score.max(1e-9);
    let open = || {
        scored
            .iter()
            .filter(|(candidate, _)| Some(*candidate) != but)
    };
    let all: f64 = open().map(|(_, score)| weight(*score)).sum();
    let mut left = rng.random::<f64>() * all;
    let mut last = None;
    for (candidate, score) in open() {
        last = Some(*candidate);
        left -= weight(*score);
        if left < 0.0 {
            break;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roulette_follows_scores() {
        let scored = [(3, 0.9), (5, 0.3), (8, 0.0)];
        let mut rng = seeds::stream(1, "wheel");
        let mut times = [0; 9];
        for _ in 0..4000 {
            times[roulette(&scored, None, &mut rng).unwrap()] += 1;
        }
        assert!((2850..3150).contains(&times[3]), "{times:?}");
        assert_eq!(times[8], 0);
        for _ in 0..50 {
            assert_ne!(roulette(&scored, Some(3), &mut rng), Some(3));
        }
        assert_eq!(roulette(&[(4, 0.0)], Some(4), &mut rng), None);
        let nothing = [(1, 0.0), (2, 0.0)];
        let drawn: Vec<_> = (0..40)
            .map(|_| roulette(&nothing, None, &mut rng).unwrap())
            .collect();
        assert!(drawn.contains(&1) && drawn.contains(&2), "{drawn:?}");
    }
}
