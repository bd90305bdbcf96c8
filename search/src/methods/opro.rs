//! OPRO: optimisation by prompting.

use async_trait::async_trait;

use super::generations::{self, GenerationPlan};
use super::{DataCounts, MethodPlan, SearchMethod, ShownCounts, steps};
use crate::event::Phase;
use crate::gateway::RunError;
use crate::propose::{TargetUse, TrajectoryEntry, TrajectoryProposer};
use crate::run::{CandidateIndex, SearchContext};
use crate::spec::SearchSpec;

/// The proposer is shown the prompts so far with their scores, the lowest first, and
/// some examples, and asked for better ones, eight a step (Yang et al. 2023, "Large
/// Language Models as Optimizers", arXiv 2309.03409, §4–5).
///
/// Where it departs from the paper: the steps are as many as `search.proposals`
/// allows, and what is left over of eights begins the trajectory with induced
/// prompts; new prompts are raced against the best under the study's allocation rule
/// instead of being scored on a fixed sample; the scores shown, as whole numbers in
/// `0..=100`, are means over the groups of what the races measured, drawn towards
/// each other where little was asked; the prompts shown are the twenty best that fit
/// into 6,000 tokens.
#[derive(Debug, Clone, Copy)]
pub struct Opro;

/// Texts of a step (§5.1 of the paper).
const STEP: usize = 8;
const SCREEN: f64 = 0.15;
const REFINE: f64 = 0.6;

fn dealt(spec: &SearchSpec) -> GenerationPlan {
    GenerationPlan::of(spec, 0, STEP)
}

#[async_trait]
impl SearchMethod for Opro {
    fn name(&self) -> &'static str {
        "opro"
    }

    fn shown(&self) -> ShownCounts {
        ShownCounts {
            prompts: 10,
            demonstrations: 0,
        }
    }

    fn plan(&self, spec: &SearchSpec, _: &DataCounts) -> MethodPlan {
        dealt(spec).plan(SCREEN, REFINE, "prompts from scored prompts")
    }

    async fn search(
        &self,
        context: &mut SearchContext<'_>,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        let spec = context.spec();
        let GenerationPlan { start, rounds, .. } = dealt(spec);
        let given = context.candidates();
        context.enter_phase(
            Phase::Propose,
            format!("{start} texts beside {} given prompts", given.len()),
        )?;
        let induction = steps::induction(spec, TargetUse::Nothing);
        context
            .propose(&induction, &given, start, "opro start")
            .await?;
        let entrants = context.candidates();
        let mut best = generations::screen(context, entrants, spec.finalists).await?;
        for round in 0..rounds {
            best = step(context, best, round, rounds).await?;
        }
        Ok(best)
    }
}

/// One step: new prompts from the trajectory, raced against the best.
async fn step(
    context: &mut SearchContext<'_>,
    best: Vec<CandidateIndex>,
    round: usize,
    rounds: usize,
) -> Result<Vec<CandidateIndex>, RunError> {
    let spec = context.spec();
    let tried = trajectory(context);
    let texts = dealt(spec).each;
    context.enter_phase(
        Phase::Refine,
        format!(
            "step {} of {rounds}: {texts} texts from {} scored prompts",
            round + 1,
            tried.len()
        ),
    )?;
    let parents = parents(context, &best);
    let proposer = TrajectoryProposer { tried, step: round };
    let fresh = context
        .propose(&proposer, &parents, texts, &format!("opro {round}"))
        .await?;
    if round + 1 == rounds {
        steps::check_proposed(context)?;
    }
    context.race([best, fresh].concat(), spec.finalists).await
}

/// The best first, then everything else that may be shown.
fn parents(context: &SearchContext<'_>, best: &[CandidateIndex]) -> Vec<CandidateIndex> {
    let others = context.candidates().into_iter();
    let others = others.filter(|candidate| !best.contains(candidate));
    best.iter().copied().chain(others).collect()
}

/// What was tried, with its score as a whole number.
fn trajectory(context: &SearchContext<'_>) -> Vec<TrajectoryEntry> {
    generations::scores(context, &context.candidates())
        .into_iter()
        .map(|(candidate, score)| TrajectoryEntry {
            prompt: context.prompt(candidate).clone(),
            score: (100.0 * score).round() as u32,
        })
        .collect()
}
