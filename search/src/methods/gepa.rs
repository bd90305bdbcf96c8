//! GEPA: reflective prompt evolution.

use std::collections::BTreeSet;

use async_trait::async_trait;
use rand::RngExt;

use super::front::instance_front;
use super::rounds::{Rounds, expect_proposals, minibatch, traces};
use super::{DataCounts, MethodPlan, SearchMethod};
use crate::event::Phase;
use crate::gateway::RunError;
use crate::propose::{MergePair, MergeProposer, ReflectionCase, ReflectionProposer, TracedAnswer};
use crate::run::{CandidateIndex, InputIndex, SearchContext, in_turn};
use crate::seeds;
use crate::spec::SearchSpec;

/// Prompts written anew by a model from what came of them, parents drawn from a Pareto
/// front over instances (Agrawal et al. 2025, "GEPA: Reflective Prompt Evolution Can
/// Outperform Reinforcement Learning", arXiv 2507.19457, algorithms 1 and 2).
///
/// A round: parents are drawn in proportion to the number of instances that they are
/// best on; each answers a minibatch of training examples; the proposer sees input,
/// answer and feedback of each and writes the prompt anew; a child that scores more
/// than its parent on the minibatch, in sum, is measured on the instances of the front
/// and joins the pool. In every second round one text merges two prompts of the front.
///
/// Departures:
///
/// - A round draws several parents and asks for several children at once, as later
///   versions of the authors' library do: one child after the other, each accepted on
///   three examples, picks what was lucky there (their own report: validation falls
///   to test by 9 points so, by 2 with proposals side by side).
/// - Minibatches have three to eight examples, as the budget allows, balanced over
///   groups and classes; the paper takes three at random. One on which the parent is
///   perfect teaches nothing and is drawn again, twice at most.
/// - Instances of the front are as many of the study's race examples as the budget can
///   measure a third of all children on; the paper measures on a validation set of its
///   own. The best by mean are the finalists, and the run's final picks.
/// - The system has one prompt, so that there is no choice among modules, and a merge
///   cannot take a module from each parent: the proposer is asked to put the two
///   prompts into one, and is shown training examples that each alone gets right. A
///   merge is kept that is no worse than the better parent on a minibatch of the front.
/// - A proposer that cannot be asked for a whole prompt goes on from an opening, with
///   the minibatch before it, right outputs alone.
#[derive(Debug, Clone, Copy)]
pub struct Gepa;

const ROUNDS: usize = 6;
/// Texts of a round at least: fewer rounds are taken instead.
const LEAST_TEXTS: usize = 4;
/// Parents of a round.
const PARENTS: usize = 3;
/// Least and most examples of a minibatch.
const MINIBATCH: (usize, usize) = (3, 8);
/// Minibatches drawn for a parent that has none wrong.
const DRAWS: usize = 3;
/// The part of the evaluations that minibatches may use.
const LOOK: f64 = 0.3;
/// The part of all children that are expected to pass the minibatch.
const PASS: f64 = 1.0 / 3.0;
const REFINE: f64 = 0.75;
const FINAL: f64 = 0.25;

fn rounds(spec: &SearchSpec) -> Rounds {
    Rounds::of(spec.proposals, ROUNDS, LEAST_TEXTS)
}

#[async_trait]
impl SearchMethod for Gepa {
    fn name(&self) -> &'static str {
        "gepa"
    }

    fn plan(&self, spec: &SearchSpec, _: &DataCounts) -> MethodPlan {
        MethodPlan {
            steps: vec![rounds(spec).step("reflection on traces, merges", REFINE)],
            final_share: FINAL,
        }
    }

    async fn search(
        &self,
        context: &mut SearchContext<'_>,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        let rounds = rounds(context.spec());
        if rounds.times == 0 {
            return Ok(context.candidates());
        }
        let mut search = GepaSearch::begin(context, rounds).await?;
        for round in 0..rounds.times {
            search.round(context, round).await?;
        }
        expect_proposals(context)?;
        Ok(search.finalists(context))
    }
}

/// The pool and what it is measured on.
struct GepaSearch {
    rounds: Rounds,
    /// Examples of a minibatch.
    minibatch: usize,
    /// The instances of the front.
    instances: Vec<InputIndex>,
    /// Candidates measured on them, in the order in which they came.
    pool: Vec<CandidateIndex>,
    /// Pairs that were merged.
    merged: BTreeSet<(CandidateIndex, CandidateIndex)>,
}

/// A parent with its minibatch.
struct Draw {
    parent: CandidateIndex,
    batch: Vec<InputIndex>,
    traces: Vec<TracedAnswer>,
}

impl GepaSearch {
    /// Measures the prompts at hand.
    async fn begin(context: &mut SearchContext<'_>, rounds: Rounds) -> Result<Self, RunError> {
        let given = context.candidates();
        context.enter_phase(
            Phase::Refine,
            format!("{} prompts at hand are measured", given.len()),
        )?;
        let all = context.evaluations_left();
        let answers = rounds.times * (PARENTS + rounds.texts);
        let looks = (all as f64 * LOOK) as usize / answers.max(1);
        let minibatch = looks.clamp(MINIBATCH.0, MINIBATCH.1);
        let measured = given.len() as f64 + (rounds.times * rounds.texts) as f64 * PASS;
        let left = all.saturating_sub(answers * minibatch);
        let mut instances = context.race_examples();
        instances.truncate(((left as f64 / measured) as usize).max(1));
        let mut pool = Vec::new();
        for candidate in given {
            if context.evaluate(&[candidate], &instances).await? {
                pool.push(candidate);
            }
        }
        if pool.is_empty() {
            pool.push(context.seed_candidate());
        }
        Ok(Self {
            rounds,
            minibatch,
            instances,
            pool,
            merged: BTreeSet::new(),
        })
    }

    async fn round(
        &mut self,
        context: &mut SearchContext<'_>,
        round: usize,
    ) -> Result<(), RunError> {
        let front = self.front(context);
        context.enter_phase(
            Phase::Refine,
            self.rounds.told(
                round,
                &format!(
                    "{} of {} prompts are on the front, {} texts",
                    front.len(),
                    self.pool.len(),
                    self.rounds.texts
                ),
            ),
        )?;
        let before = context.evaluations_left();
        let most = self.rounds.evaluations(context, round);
        let merged = if round % 2 == 1 {
            self.merge(context, round, &front).await?
        } else {
            Vec::new()
        };
        let texts = self.rounds.texts - usize::from(!merged.is_empty());
        let draws = self.draw(context, round, &front).await?;
        let cases = draws.iter().map(|draw| ReflectionCase {
            parent: context.prompt(draw.parent).clone(),
            traces: draw.traces.clone(),
        });
        let proposer = ReflectionProposer {
            cases: cases.collect(),
        };
        let parents: Vec<CandidateIndex> = draws.iter().map(|draw| draw.parent).collect();
        let children = context
            .propose(&proposer, &parents, texts, &format!("gepa {round}"))
            .await?;
        let mut accepted = merged;
        for child in children {
            let Some(draw) = context.chunk(child).and_then(|case| draws.get(case)) else {
                continue;
            };
            if !context.evaluate(&[child], &draw.batch).await? {
                break;
            }
            let gain = gain(context, child, draw.parent, &draw.batch);
            if gain > 0.0 {
                accepted.push((child, gain));
            }
        }
        // The surest first: a round's evaluations may not measure all of them, but one.
        accepted.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let used = before - context.evaluations_left();
        let each = self.instances.len();
        let affordable = (most.saturating_sub(used) / each).max(1);
        for (child, _) in accepted.into_iter().take(affordable) {
            if context.evaluate(&[child], &self.instances).await? {
                self.pool.push(child);
            }
        }
        Ok(())
    }

    /// The front with the number of instances that each is best on.
    fn front(&self, context: &SearchContext<'_>) -> Vec<(CandidateIndex, usize)> {
        let values: Vec<Vec<Option<f64>>> = self
            .pool
            .iter()
            .map(|&candidate| context.outcomes(candidate, &self.instances))
            .collect();
        let front = instance_front(&values);
        if front.is_empty() {
            return vec![(self.pool[0], 1)];
        }
        front
            .into_iter()
            .map(|(at, count)| (self.pool[at], count))
            .collect()
    }

    /// Parents with minibatches that they are not perfect on.
    async fn draw(
        &self,
        context: &mut SearchContext<'_>,
        round: usize,
        front: &[(CandidateIndex, usize)],
    ) -> Result<Vec<Draw>, RunError> {
        let mut rng = seeds::stream(context.stream("gepa"), &format!("parents {round}"));
        let mut draws = Vec::new();
        for slot in 0..PARENTS.min(self.rounds.texts) {
            let parent = weighted(front, &mut rng);
            for draw in 0..DRAWS {
                let name = format!("gepa {round} {slot} {draw}");
                let batch = minibatch(context, &name, self.minibatch);
                if !context.evaluate(&[parent], &batch).await? {
                    break;
                }
                let (wrong, right) = traces(context, parent, &batch);
                if !wrong.is_empty() {
                    draws.push(Draw {
                        parent,
                        batch,
                        traces: in_turn(&[wrong, right]),
                    });
                    break;
                }
            }
        }
        Ok(draws)
    }

    /// Has two prompts of the front merged that were not before; what is no worse than
    /// both on a minibatch of the front.
    async fn merge(
        &mut self,
        context: &mut SearchContext<'_>,
        round: usize,
        front: &[(CandidateIndex, usize)],
    ) -> Result<Vec<(CandidateIndex, f64)>, RunError> {
        let mut rng = seeds::stream(context.stream("gepa"), &format!("merge {round}"));
        let first = weighted(front, &mut rng);
        let others: Vec<(CandidateIndex, usize)> = front
            .iter()
            .filter(|(other, _)| {
                *other != first
                    && !self
                        .merged
                        .contains(&(first.min(*other), first.max(*other)))
            })
            .copied()
            .collect();
        if others.is_empty() {
            return Ok(Vec::new());
        }
        let second = weighted(&others, &mut rng);
        self.merged.insert((first.min(second), first.max(second)));
        let both = [first, second];
        let batch = minibatch(context, &format!("gepa merge {round}"), 2 * self.minibatch);
        context.evaluate(&both, &batch).await?;
        let pair = MergePair {
            prompts: both.map(|candidate| context.prompt(candidate).clone()),
            right: [
                alone(context, first, second, &batch),
                alone(context, second, first, &batch),
            ],
        };
        let proposer = MergeProposer { pairs: vec![pair] };
        let children = context
            .propose(&proposer, &both, 1, &format!("gepa merge {round}"))
            .await?;
        let gate = &self.instances[..self.instances.len().min(self.minibatch)];
        let mut accepted = Vec::new();
        for child in children {
            if context.evaluate(&[child], gate).await? {
                let least = both.map(|parent| gain(context, child, parent, gate));
                let least = least[0].min(least[1]);
                if least >= 0.0 {
                    accepted.push((child, least));
                }
            }
        }
        Ok(accepted)
    }

    /// The best by mean over the instances; of equals the shorter, then the earlier.
    fn finalists(&self, context: &SearchContext<'_>) -> Vec<CandidateIndex> {
        let mean = |candidate: CandidateIndex| {
            let values = context.outcomes(candidate, &self.instances);
            let known: Vec<f64> = values.into_iter().flatten().collect();
            known.iter().sum::<f64>() / known.len().max(1) as f64
        };
        let mut ranked: Vec<(f64, usize, CandidateIndex)> = self
            .pool
            .iter()
            .map(|&candidate| {
                let length = context.prompt(candidate).instruction.len();
                (mean(candidate), length, candidate)
            })
            .collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        ranked.truncate(context.spec().finalists);
        ranked
            .into_iter()
            .map(|(.., candidate)| candidate)
            .collect()
    }
}

/// One of them, drawn in proportion to its number.
fn weighted(front: &[(CandidateIndex, usize)], rng: &mut impl RngExt) -> CandidateIndex {
    let all: usize = front.iter().map(|(_, count)| count).sum();
    let mut drawn = rng.random_range(0..all.max(1));
    for &(candidate, count) in front {
        if drawn < count {
            return candidate;
        }
        drawn -= count;
    }
    front[0].0
}

/// How much more a child is worth than its parent, summed over the examples that both
/// have an answer to.
fn gain(
    context: &SearchContext<'_>,
    child: CandidateIndex,
    parent: CandidateIndex,
    examples: &[InputIndex],
) -> f64 {
    let child = context.outcomes(child, examples);
    let parent = context.outcomes(parent, examples);
    let both = child.into_iter().zip(parent);
    both.filter_map(|(child, parent)| Some(child? - parent?))
        .sum()
}

/// Training examples that one prompt gets right and the other wrong.
fn alone(
    context: &SearchContext<'_>,
    right: CandidateIndex,
    wrong: CandidateIndex,
    examples: &[InputIndex],
) -> Vec<TracedAnswer> {
    const SHOWN: usize = 3;
    let values = |candidate| context.outcomes(candidate, examples);
    let apart: Vec<InputIndex> = examples
        .iter()
        .zip(values(right).into_iter().zip(values(wrong)))
        .filter(|(_, (right, wrong))| {
            right.is_some_and(|value| value >= 0.5) && wrong.is_some_and(|value| value < 0.5)
        })
        .map(|(&example, _)| example)
        .collect();
    let (_, mut traced) = traces(context, right, &apart);
    traced.truncate(SHOWN);
    traced
}
