//! `ProTeGi`: prompt optimisation with textual gradients.

use async_trait::async_trait;

use super::rounds::{Rounds, expect_proposals, minibatch, traces};
use super::{DataCounts, MethodPlan, SearchMethod};
use crate::event::Phase;
use crate::gateway::RunError;
use crate::propose::{GradientCase, GradientProposer};
use crate::run::{CandidateIndex, SearchContext};
use crate::spec::SearchSpec;

/// Prompts edited against what a model says is wrong with them, and the best kept in a
/// beam (Pryzant et al. 2023, "Automatic Prompt Optimization with 'Gradient Descent'
/// and Beam Search", also called APO).
///
/// A round: each prompt of the beam answers a minibatch of training examples; of its
/// errors up to four are shown to the proposer, which gives reasons why the prompt
/// failed; the prompt is edited against each reason, the edits are said in other
/// words, and all of them race against the beam. As published: a beam of four, groups
/// of four errors, four reasons a request, gradients from errors alone.
///
/// Departures:
///
/// - The study's allocation rule takes the place of the paper's UCB bandit, so that
///   methods differ in what they propose and not in how they measure; the seed stays in
///   every race.
/// - Three rounds instead of six, of `search.proposals` texts in all, requests for
///   reasons among them; each of the best two of the beam gets one request for reasons,
///   three edits and two paraphrases in a round of twelve texts, where the authors' code
///   makes up to eight successors of every prompt of the beam.
/// - Minibatches are balanced over groups and classes, and at most as large as a
///   quarter of a round's evaluations allows; the paper draws 64 examples.
/// - Requests are worded for any form of answer, and forbid to name single inputs.
/// - A proposer that cannot be asked for a whole prompt goes on from an opening, with
///   errors and successes before it, all with right outputs, and gives no reasons.
#[derive(Debug, Clone, Copy)]
pub struct Protegi;

const BEAM: usize = 4;
const ROUNDS: usize = 3;
/// Texts of a round: reasons, an edit and a paraphrase of one prompt.
const LEAST_TEXTS: usize = 3;
/// Errors shown in one request.
const ERRORS: usize = 4;
/// Examples of a minibatch at most.
const MINIBATCH: usize = 64;
/// The part of a round's evaluations that looks for errors.
const LOOK: f64 = 0.25;
const REFINE: f64 = 0.75;
const FINAL: f64 = 0.25;

fn rounds(spec: &SearchSpec) -> Rounds {
    Rounds::of(spec.proposals, ROUNDS, LEAST_TEXTS)
}

#[async_trait]
impl SearchMethod for Protegi {
    fn name(&self) -> &'static str {
        "protegi"
    }

    fn plan(&self, spec: &SearchSpec, _: &DataCounts) -> MethodPlan {
        MethodPlan {
            steps: vec![rounds(spec).step("reasons why prompts fail, edits against them", REFINE)],
            final_share: FINAL,
        }
    }

    async fn search(
        &self,
        context: &mut SearchContext<'_>,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        let rounds = rounds(context.spec());
        let mut best = context.candidates();
        for round in 0..rounds.times {
            let beam: Vec<CandidateIndex> = best.iter().take(BEAM).copied().collect();
            context.enter_phase(
                Phase::Refine,
                rounds.told(
                    round,
                    &format!("errors of {} prompts, {} texts", beam.len(), rounds.texts),
                ),
            )?;
            let before = context.evaluations_left();
            let most = rounds.evaluations(context, round);
            let cases = cases(context, &beam, round, most).await?;
            let stream = format!("protegi {round}");
            let proposer = GradientProposer { cases };
            let found = context
                .propose(&proposer, &beam, rounds.texts, &stream)
                .await?;
            let used = before - context.evaluations_left();
            if found.is_empty() && round > 0 {
                continue;
            }
            let keep = BEAM.max(context.spec().finalists);
            let entrants = [best, found].concat();
            if entrants.len() == 1 {
                best = entrants;
                continue;
            }
            best = context
                .race_within(entrants, keep, most.saturating_sub(used))
                .await?;
        }
        expect_proposals(context)?;
        Ok(best)
    }
}

/// The prompts of the beam with some of their errors.
async fn cases(
    context: &mut SearchContext<'_>,
    beam: &[CandidateIndex],
    round: usize,
    most: usize,
) -> Result<Vec<GradientCase>, RunError> {
    let size = (most as f64 * LOOK) as usize / beam.len().max(1);
    let batch = minibatch(
        context,
        &format!("protegi {round}"),
        size.clamp(1, MINIBATCH),
    );
    context.evaluate(beam, &batch).await?;
    Ok(beam
        .iter()
        .map(|&candidate| {
            let (mut errors, mut successes) = traces(context, candidate, &batch);
            errors.truncate(ERRORS);
            successes.truncate(ERRORS);
            GradientCase {
                parent: context.prompt(candidate).clone(),
                errors,
                successes,
            }
        })
        .collect())
}
