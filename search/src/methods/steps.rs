//! Steps that several methods take, each beside what it plans.

use super::{MethodPlan, PlannedStep};
use crate::event::Phase;
use crate::gateway::RunError;
use crate::propose::{
    CrossoverProposer, EditProposer, InductionProposer, ParaphraseProposer, Proposer, TargetUse,
};
use crate::run::{CandidateIndex, SearchContext};
use crate::spec::SearchSpec;

/// Induction from `search.shots` demonstrations in `search.chunks` chunks.
pub(super) fn induction(spec: &SearchSpec, target: TargetUse) -> InductionProposer {
    InductionProposer {
        shots: spec.shots,
        chunks: spec.chunks,
        target,
    }
}

/// The plan of [`search_source`]: what `proposed` asks for, one race, refinement.
pub(super) fn source_plan(spec: &SearchSpec, proposed: PlannedStep) -> MethodPlan {
    MethodPlan {
        steps: vec![proposed, screened(0.55), refined(spec, 0.2)],
        final_share: 0.25,
    }
}

/// The search of methods that propose once, race, and refine the best.
pub(super) async fn search_source(
    context: &mut SearchContext<'_>,
    proposer: &dyn Proposer,
) -> Result<Vec<CandidateIndex>, RunError> {
    let best = propose_and_screen(context, proposer).await?;
    refine(context, best).await
}

/// What [`propose_and_screen`] asks of a proposer with a model.
pub(super) fn induced(spec: &SearchSpec) -> PlannedStep {
    PlannedStep {
        texts: spec.proposals,
        prompts: spec.proposals,
        ..PlannedStep::new(Phase::Propose, "prompts from source demonstrations")
    }
}

/// The race of [`propose_and_screen`].
pub(super) fn screened(share: f64) -> PlannedStep {
    PlannedStep {
        share,
        ..PlannedStep::new(Phase::Screen, "the first race")
    }
}

/// `search.proposals` prompts, which race against those that were there. Returns
/// the best, as many as vote or are finalists.
pub(super) async fn propose_and_screen(
    context: &mut SearchContext<'_>,
    proposer: &dyn Proposer,
) -> Result<Vec<CandidateIndex>, RunError> {
    let given = context.candidates();
    let count = context.spec().proposals;
    let proposed = propose(context, proposer, &given, count).await?;
    let entrants = [given, proposed].concat();
    if entrants.len() == 1 && nothing_to_come(context, proposer) {
        return Err(context.nothing_proposed());
    }
    let keep = context.spec().chunks.max(context.spec().finalists);
    screen(context, entrants, keep).await
}

/// The first proposals of a method.
pub(super) async fn propose(
    context: &mut SearchContext<'_>,
    proposer: &dyn Proposer,
    parents: &[CandidateIndex],
    count: usize,
) -> Result<Vec<CandidateIndex>, RunError> {
    context.enter_phase(
        Phase::Propose,
        format!("{}: {count} texts", proposer.name()),
    )?;
    context.propose(proposer, parents, count, "propose").await
}

/// The first race. Returns the `keep` best, best first.
pub(super) async fn screen(
    context: &mut SearchContext<'_>,
    mut entrants: Vec<CandidateIndex>,
    keep: usize,
) -> Result<Vec<CandidateIndex>, RunError> {
    entrants.sort_unstable();
    entrants.dedup();
    context.enter_phase(Phase::Screen, to_keep(entrants.len(), keep))?;
    context.race(entrants, keep).await
}

/// What a first race is about to do. There may be room for more prompts than there are; the
/// text is part of the log that a run which goes on is held against.
pub(super) fn to_keep(entrants: usize, keep: usize) -> String {
    format!("{entrants} prompts, {keep} of them to keep")
}

/// Whether a search with the seed alone in it has nothing to live on, while next
/// to nothing is spent.
pub(super) fn nothing_to_come(context: &SearchContext<'_>, proposer: &dyn Proposer) -> bool {
    let spec = context.spec();
    // Edits of the seed may still come to something.
    if spec.rounds > 0 && spec.edits > 0 {
        return false;
    }
    // Where nothing could be asked it is the budget's fault, and the race will say so.
    let unaffordable = context.is_fitted() || spec.proposals > 0;
    !(proposer.asks_model() && context.texts_answered() == 0 && unaffordable)
}

/// The error of a search that has asked for everything and has the seed alone.
pub(super) fn check_proposed(context: &SearchContext<'_>) -> Result<(), RunError> {
    if context.candidates().len() == 1 && !context.is_fitted() {
        return Err(context.nothing_proposed());
    }
    Ok(())
}

/// What all rounds of [`refine`] ask; `share`: of all rounds together.
pub(super) fn refined(spec: &SearchSpec, share: f64) -> PlannedStep {
    PlannedStep {
        times: spec.rounds,
        texts: spec.paraphrases,
        prompts: spec.edits + spec.paraphrases,
        share: if spec.rounds == 0 {
            0.0
        } else {
            share / spec.rounds as f64
        },
        ..PlannedStep::new(Phase::Refine, "paraphrases of the best")
    }
}

/// `search.rounds` rounds of edits, crossovers and paraphrases around the best.
/// Returns the finalists.
pub(super) async fn refine(
    context: &mut SearchContext<'_>,
    mut best: Vec<CandidateIndex>,
) -> Result<Vec<CandidateIndex>, RunError> {
    let spec = context.spec();
    let crossovers = spec.edits / 3;
    let proposers: [(&dyn Proposer, usize); 3] = [
        (&EditProposer, spec.edits - crossovers),
        (&CrossoverProposer, crossovers),
        (&ParaphraseProposer, spec.paraphrases),
    ];
    for round in 0..spec.rounds {
        context.enter_phase(
            Phase::Refine,
            format!(
                "round {} of {}: {} edits and crossovers, {} paraphrases of {} prompts",
                round + 1,
                spec.rounds,
                spec.edits,
                spec.paraphrases,
                best.len()
            ),
        )?;
        let mut entrants = best.clone();
        for (proposer, count) in proposers {
            let stream = format!("refine {round} {}", proposer.name());
            entrants.extend(context.propose(proposer, &best, count, &stream).await?);
        }
        let last = round + 1 == spec.rounds;
        if last {
            check_proposed(context)?;
        }
        best = context.race(entrants, spec.finalists).await?;
    }
    Ok(best)
}
