//! GPO: generalised prompt optimisation.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::{DataCounts, MethodPlan, PlannedStep, SearchMethod, steps};
use crate::event::Phase;
use crate::gateway::RunError;
use crate::propose::{Proposer, TargetUse};
use crate::run::{
    CandidateIndex, SearchContext, VoteCounting, shift_check_count, voter_check_count,
};
use crate::spec::SearchSpec;

/// Generalised prompt optimisation (Li et al. 2023, "Robust Prompt Optimization for
/// Large Language Models Against Distribution Shifts", §4), with guards: prompts
/// induced from chunks of source demonstrations label the target inputs by vote,
/// prompts are induced again from the mix of source and voted target, and all of
/// them race on source and target.
///
/// Where it departs from the paper ([`GpoPaper`] does not):
/// - votes are [weighted](VoteCounting::Weighted): by how often a voter is right on
///   source examples, and voters that answer alike as about one;
/// - the prompts of the first step stay in the race. Nobody is judged by a label that
///   its own vote, or one of its like, helped to make;
/// - nothing is decided before the vote: the source alone would throw out the prompts
///   that hold on the target, and keep those that fit the source too well;
/// - voted groups together never outvote the labelled ones;
/// - prompts that hold on the source and not on the target, as far as their answers
///   can tell, are [passed over](SearchContext::drop_shifted);
/// - the best are edited and recombined once more, as in the other methods.
#[derive(Debug, Clone, Copy)]
pub struct Gpo;

#[async_trait]
impl SearchMethod for Gpo {
    fn name(&self) -> &'static str {
        "gpo"
    }

    fn needs_target(&self) -> bool {
        true
    }

    fn plan(&self, spec: &SearchSpec, data: &DataCounts) -> MethodPlan {
        let inputs = shift_check_count(data.target_inputs);
        let asked = inputs + voter_check_count(inputs);
        let mut voted = voted(spec, data);
        if data.labelled_target == 0 {
            voted.extra += (2 * spec.finalists + 1) * asked;
        }
        MethodPlan {
            steps: vec![
                steps::induced(spec),
                voted,
                joint(spec.proposals),
                steps::screened(0.55),
                steps::refined(spec, 0.2),
            ],
            final_share: 0.25,
        }
    }

    async fn search(
        &self,
        context: &mut SearchContext<'_>,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        let given = context.candidates();
        let count = context.spec().proposals;
        let proposer = steps::induction(context.spec(), TargetUse::Nothing);
        let induced = steps::propose(context, &proposer, &given, count).await?;
        vote(context, &induced, VoteCounting::Weighted).await?;
        let joint = repropose(context, &given, count).await?;
        let entrants = [given, induced, joint].concat();
        if entrants.len() == 1 && steps::nothing_to_come(context, &proposer) {
            return Err(context.nothing_proposed());
        }
        let keep = context.spec().finalists;
        // The first of those that hold may be far down where a family of prompts fits
        // the source too well.
        let ranking = steps::screen(context, entrants, RANKED * keep).await?;
        let mut best = context.drop_shifted(&ranking, keep).await?;
        if best.is_empty() {
            best.push(context.seed_candidate());
        }
        steps::refine(context, best).await
    }
}

/// Ranked prompts that are asked whether they hold, for each finalist.
const RANKED: usize = 3;

/// GPO as published: `search.chunks` requests at temperature 0, whose prompts vote
/// and do nothing else; the plurality labels an input where more than
/// `search.threshold` of all votes are for it; as many requests from chunks of the
/// mix; and the joint prompts alone race, on source and voted target alike. With
/// `search.ensemble` as large as `search.chunks` it is also the paper's *Ensemble*.
///
/// What differs: chunks of the mix are half source, half target each where the paper
/// shuffles; the study's allocation rule picks where the paper takes the best mean;
/// and the prompt in use stays in the race, as in every run. With no joint prompt the
/// prompts of the chunks race.
#[derive(Debug, Clone, Copy)]
pub struct GpoPaper;

#[async_trait]
impl SearchMethod for GpoPaper {
    fn name(&self) -> &'static str {
        "gpo-paper"
    }

    fn needs_target(&self) -> bool {
        true
    }

    fn plan(&self, spec: &SearchSpec, data: &DataCounts) -> MethodPlan {
        let induced = PlannedStep {
            texts: one_each(spec),
            prompts: one_each(spec),
            ..steps::induced(spec)
        };
        MethodPlan {
            steps: vec![
                induced,
                voted(spec, data),
                joint(one_each(spec)),
                steps::screened(0.75),
            ],
            final_share: 0.25,
        }
    }

    async fn search(
        &self,
        context: &mut SearchContext<'_>,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        let seed = [context.seed_candidate()];
        let count = one_each(context.spec());
        let proposer = steps::induction(context.spec(), TargetUse::Nothing);
        let induced = steps::propose(context, &proposer, &seed, count).await?;
        if induced.is_empty() {
            return Err(context.nothing_proposed());
        }
        vote(context, &induced, VoteCounting::Heads).await?;
        let joint = repropose(context, &seed, count).await?;
        let pool = if joint.is_empty() { induced } else { joint };
        let keep = context.spec().finalists.max(context.spec().ensemble);
        steps::screen(context, pool, keep).await
    }
}

/// One text a chunk, as far as the study's proposals go.
fn one_each(spec: &SearchSpec) -> usize {
    spec.chunks.min(spec.proposals)
}

/// The plan of [`vote`].
fn voted(spec: &SearchSpec, data: &DataCounts) -> PlannedStep {
    PlannedStep {
        extra: spec.chunks * (data.target_inputs + voter_check_count(data.target_inputs)),
        ..PlannedStep::new(
            Phase::Vote,
            "target inputs labelled by vote, voters checked",
        )
    }
}

/// The plan of [`repropose`].
fn joint(count: usize) -> PlannedStep {
    PlannedStep {
        texts: count,
        prompts: count,
        ..PlannedStep::new(Phase::Repropose, "prompts from source and voted target")
    }
}

/// One prompt of each chunk labels the target inputs: prompts from the same
/// demonstrations err alike, and their votes would count one opinion several times.
/// The first of each, whatever it is worth: to choose voters by their scores would
/// make what is then said of their accuracy flatter.
async fn vote(
    context: &mut SearchContext<'_>,
    induced: &[CandidateIndex],
    counting: VoteCounting,
) -> Result<(), RunError> {
    let mut chunks = BTreeSet::new();
    let voters: Vec<CandidateIndex> = induced
        .iter()
        .copied()
        .filter(|&candidate| context.chunk(candidate).is_some_and(|c| chunks.insert(c)))
        .collect();
    let inputs = context.target_examples().len();
    if voters.len() < 2 {
        let none = format!(
            "no vote: {} prompts of chunks, and two are needed",
            voters.len()
        );
        return context.enter_phase(Phase::Vote, none);
    }
    context.enter_phase(
        Phase::Vote,
        format!("{} prompts label {inputs} target inputs", voters.len()),
    )?;
    context.vote(&voters, counting).await
}

/// Prompts from the mix of source and voted target.
async fn repropose(
    context: &mut SearchContext<'_>,
    parents: &[CandidateIndex],
    count: usize,
) -> Result<Vec<CandidateIndex>, RunError> {
    let proposer = steps::induction(context.spec(), TargetUse::Voted);
    let voted = context.pseudo_labelled_train().len();
    if voted == 0 {
        // The mix would be the source once more.
        context.enter_phase(Phase::Repropose, "no target input has a label".into())?;
        return Ok(Vec::new());
    }
    context.enter_phase(
        Phase::Repropose,
        format!(
            "{}: {count} texts from {voted} voted and as many source examples",
            proposer.name(),
        ),
    )?;
    context
        .propose(&proposer, parents, count, "repropose")
        .await
}
