//! GPO: generalised prompt optimisation.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::{DataCounts, MethodPlan, PlannedStep, SearchMethod, steps};
use crate::event::Phase;
use crate::gateway::RunError;
use crate::propose::{Proposer, TargetUse};
use crate::run::{CandidateIndex, SearchContext};
use crate::spec::SearchSpec;

/// Generalised prompt optimisation (Li et al. 2023, "Robust Prompt Optimization for
/// Large Language Models Against Distribution Shifts", §4): induced prompts label
/// the target inputs by vote, and prompts are induced again from the mix of source
/// and voted target.
#[derive(Debug, Clone, Copy)]
pub struct Gpo;

const SCREEN: f64 = 0.35;
const RESCREEN: f64 = 0.2;
const REFINE: f64 = 0.2;
const FINAL: f64 = 0.25;

#[async_trait]
impl SearchMethod for Gpo {
    fn name(&self) -> &'static str {
        "gpo"
    }

    fn needs_target(&self) -> bool {
        true
    }

    fn plan(&self, spec: &SearchSpec, data: &DataCounts) -> MethodPlan {
        let vote = PlannedStep {
            extra: spec.chunks * data.target_inputs,
            ..PlannedStep::new(Phase::Vote, "target inputs labelled by vote")
        };
        let repropose = PlannedStep {
            texts: spec.proposals,
            prompts: spec.proposals,
            share: RESCREEN,
            ..PlannedStep::new(Phase::Repropose, "prompts from source and voted target")
        };
        MethodPlan {
            steps: vec![
                steps::induced(spec),
                steps::screened(SCREEN),
                vote,
                repropose,
                steps::refined(spec, REFINE),
            ],
            final_share: FINAL,
        }
    }

    async fn search(
        &self,
        context: &mut SearchContext<'_>,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        let proposer = steps::induction(context.spec(), TargetUse::Nothing);
        let best = steps::propose_and_screen(context, &proposer).await?;
        vote(context, &best).await?;
        let best = repropose(context, best).await?;
        steps::refine(context, best).await
    }
}

/// The best prompts label the target inputs.
async fn vote(context: &mut SearchContext<'_>, best: &[CandidateIndex]) -> Result<(), RunError> {
    let voters = voters(context, best);
    context.enter_phase(
        Phase::Vote,
        format!(
            "{} prompts label {} target inputs",
            voters.len(),
            context.target_examples().len()
        ),
    )?;
    context.vote(&voters).await
}

/// The best prompt of each chunk, then the best of the rest, `search.chunks` in
/// all. One of each chunk first: prompts from the same demonstrations err alike,
/// and their votes would count one opinion several times.
fn voters(context: &SearchContext<'_>, best: &[CandidateIndex]) -> Vec<CandidateIndex> {
    let mut chunks = BTreeSet::new();
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for &candidate in best {
        match context.chunk(candidate) {
            Some(chunk) if chunks.insert(chunk) => first.push(candidate),
            _ => rest.push(candidate),
        }
    }
    first.extend(rest);
    first.truncate(context.spec().chunks);
    first
}

/// Prompts from the mix of source and voted target race against the best so far.
async fn repropose(
    context: &mut SearchContext<'_>,
    best: Vec<CandidateIndex>,
) -> Result<Vec<CandidateIndex>, RunError> {
    let spec = context.spec();
    let proposer = steps::induction(spec, TargetUse::Voted);
    context.enter_phase(
        Phase::Repropose,
        format!(
            "{}: {} texts from {} voted and as many source examples",
            proposer.name(),
            spec.proposals,
            context.pseudo_labelled_train().len()
        ),
    )?;
    let mut entrants = best.clone();
    entrants.extend(
        context
            .propose(&proposer, &best, spec.proposals, "repropose")
            .await?,
    );
    context.race(entrants, spec.finalists).await
}
