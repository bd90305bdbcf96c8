//! `EvoPrompt` by differential evolution.

use std::collections::BTreeSet;

use async_trait::async_trait;
use rand::seq::IndexedRandom;

use super::evoprompt_ga::{REFINE, SCREEN, dealt};
use super::generations::{self, population_size};
use super::{DataCounts, MethodPlan, SearchMethod, ShownCounts, steps};
use crate::event::Phase;
use crate::gateway::RunError;
use crate::propose::{DifferentialProposer, DifferentialTrial};
use crate::run::{CandidateIndex, SearchContext};
use crate::seeds;
use crate::spec::SearchSpec;

/// A population of prompts: for each of them in turn the model mutates what two
/// others differ in, puts it into the best and crosses that with the current one,
/// which the outcome replaces if it is better (Guo et al., ICLR 2024, arXiv
/// 2309.08532, §3.3, algorithm 3).
///
/// It departs from the paper as [`EvoPromptGa`](super::EvoPromptGa) does. Better is
/// who ranks higher in the race of the generation; and only as many prompts of the
/// population are tried a generation as it has texts, in turn.
#[derive(Debug, Clone, Copy)]
pub struct EvoPromptDe;

#[async_trait]
impl SearchMethod for EvoPromptDe {
    fn name(&self) -> &'static str {
        "evoprompt-de"
    }

    fn shown(&self) -> ShownCounts {
        ShownCounts {
            prompts: 4,
            demonstrations: 0,
        }
    }

    fn plan(&self, spec: &SearchSpec, _: &DataCounts) -> MethodPlan {
        dealt(spec).plan(SCREEN, REFINE, "mutated differences")
    }

    async fn search(
        &self,
        context: &mut SearchContext<'_>,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        let spec = context.spec();
        let (dealt, size) = (dealt(spec), population_size(spec));
        let entrants = generations::populate(context, dealt.start).await?;
        let mut population = generations::screen(context, entrants, size).await?;
        let mut turn = 0;
        for round in 0..dealt.rounds {
            context.enter_phase(
                Phase::Refine,
                format!(
                    "generation {} of {}: {} trials in {} prompts",
                    round + 1,
                    dealt.rounds,
                    dealt.each,
                    population.len()
                ),
            )?;
            let proposer = DifferentialProposer {
                trials: trials(context, &population, (turn, dealt.each)),
            };
            turn += dealt.each;
            let children = context
                .propose(&proposer, &population, dealt.each, &format!("de {round}"))
                .await?;
            if round + 1 == dealt.rounds {
                steps::check_proposed(context)?;
            }
            let entrants = [population, children.clone()].concat();
            let all = entrants.len();
            let ranked = context.race(entrants.clone(), all).await?;
            population = next(context, &ranked, &entrants, &children);
        }
        population.truncate(spec.finalists);
        Ok(population)
    }
}

/// Trials for the next prompts of the population from `turn` on; `population`: best
/// first.
fn trials(
    context: &SearchContext<'_>,
    population: &[CandidateIndex],
    (turn, count): (usize, usize),
) -> Vec<DifferentialTrial> {
    let prompt = |candidate: CandidateIndex| context.prompt(candidate).clone();
    // By entry, so that a prompt that moves up or down is not passed over.
    let mut slots = population.to_vec();
    slots.sort_unstable();
    (turn..turn + count)
        .map(|at| {
            let current = slots[at % slots.len()];
            let mut rng = seeds::stream(context.stream("donors"), &format!("trial {at}"));
            let others: Vec<CandidateIndex> = population
                .iter()
                .copied()
                .filter(|&other| other != current)
                .collect();
            let drawn: Vec<CandidateIndex> = others.sample(&mut rng, 2).copied().collect();
            // Of a population of fewer than three there are no two others.
            let donor = |index: usize| drawn.get(index).copied().unwrap_or(current);
            DifferentialTrial {
                current: prompt(current),
                donors: [prompt(donor(0)), prompt(donor(1))],
                best: prompt(population[0]),
            }
        })
        .collect()
}

/// The next population out of a race's ranking, best first: of the children made for
/// a place and the prompt that has it, the one that ranks highest.
fn next(
    context: &SearchContext<'_>,
    ranked: &[CandidateIndex],
    entrants: &[CandidateIndex],
    children: &[CandidateIndex],
) -> Vec<CandidateIndex> {
    let mut taken = BTreeSet::new();
    let mut population = Vec::new();
    for &candidate in ranked {
        // The seed is in every race, whether its place was taken or not.
        if !entrants.contains(&candidate) {
            continue;
        }
        let place = match context.parents(candidate).first() {
            Some(&current) if children.contains(&candidate) => current,
            _ => context.prompt(candidate).id(),
        };
        if taken.insert(place) {
            population.push(candidate);
        }
    }
    // Where no entrant has an answer yet, the seed has.
    if population.is_empty() {
        population.extend_from_slice(ranked);
    }
    population
}
