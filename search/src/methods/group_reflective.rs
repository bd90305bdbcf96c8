//! Group-reflective search: reflection on the group that prompts are weakest in.

use async_trait::async_trait;

use super::front::group_front;
use super::group_weights::GroupWeights;
use super::rounds::{Rounds, expect_proposals, minibatch};
use super::{DataCounts, MethodPlan, PlannedStep, SearchMethod, steps};
use crate::event::Phase;
use crate::gateway::RunError;
use crate::propose::{
    GroupReflectionCase, GroupReflectionProposer, InductionProposer, Proposer, TargetUse,
    TracedAnswer,
};
use crate::run::{CandidateIndex, GroupAnswers, GroupStanding, InputIndex, SearchContext, in_turn};
use crate::spec::SearchSpec;

/// Prompts written anew from what they get wrong in their weakest group, without losing
/// what they get right; this program's own method.
///
/// A third of `search.proposals` are induced from demonstrations, with target inputs in
/// view where there are some, and race against the prompts at hand. Then, in rounds:
///
/// 1. *Where to look.* Groups carry weights as in group DRO (Sagawa et al. 2020):
///    `q_g ← q_g · exp(η (ℓ_g + C/√n_g))`, `ℓ_g` the loss of the best prompt in group g
///    as far as it can be told from noise ([`SearchContext::group_standings`]). The
///    texts of a round are shared out over the groups by these weights, so that no
///    group is singled out for a few unlucky answers.
/// 2. *What to start from.* The prompts on the Pareto front over groups, of the shrunken
///    means less a point for each thousand tokens, best by the weights first.
/// 3. *What to show.* Of the group what the prompt gets wrong on a minibatch of training
///    examples; successes there and elsewhere, to be preserved; another prompt of the
///    front that gets some of the failures right, and which; target inputs without
///    labels, as a hint of the shift. Groups whose labels were won by vote take part
///    where there was a vote, and are marked.
/// 4. *What to keep.* Proposals that mostly add rules about single examples, or copy
///    them, are thrown away; the others race on paired blocks against all that are in.
///
/// No race uses an example that was shown: a prompt gains nothing by knowing it.
#[derive(Debug, Clone, Copy)]
pub struct GroupReflective;

/// The part of the texts that are induced before anything is known to fail.
const INDUCED: usize = 3;
const ROUNDS: usize = 3;
/// Texts of a round at least: fewer rounds are taken instead.
const LEAST_TEXTS: usize = 4;
/// Prompts that the first race keeps, and every other.
const POOL: usize = 6;
/// Prompts of the front that are started from.
const PARENTS: usize = 3;
/// The part of a round's evaluations that looks for failures.
const LOOK: f64 = 0.3;
/// Failures, successes and contrasts in one request, and target inputs.
const FAILURES: usize = 4;
const SUCCESSES: usize = 3;
const CONTRASTS: usize = 2;
const TARGET_INPUTS: usize = 3;
/// What a token costs a prompt on the front, as a share of the metric's range.
const TOKEN_PRICE: f64 = 1e-5;
const SCREEN: f64 = 0.3;
const REFINE: f64 = 0.45;
const FINAL: f64 = 0.25;

fn induced(spec: &SearchSpec) -> usize {
    spec.proposals.div_ceil(INDUCED)
}

fn rounds(spec: &SearchSpec) -> Rounds {
    Rounds::of(spec.proposals - induced(spec), ROUNDS, LEAST_TEXTS)
}

#[async_trait]
impl SearchMethod for GroupReflective {
    fn name(&self) -> &'static str {
        "group-reflective"
    }

    fn plan(&self, spec: &SearchSpec, _: &DataCounts) -> MethodPlan {
        let first = PlannedStep {
            texts: induced(spec),
            prompts: induced(spec),
            ..PlannedStep::new(Phase::Propose, "prompts from demonstrations")
        };
        MethodPlan {
            steps: vec![
                first,
                steps::screened(SCREEN),
                rounds(spec).step("reflection on the weakest groups", REFINE),
            ],
            final_share: FINAL,
        }
    }

    async fn search(
        &self,
        context: &mut SearchContext<'_>,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        let rounds = rounds(context.spec());
        let mut best = start(context).await?;
        let mut weights = GroupWeights::default();
        for round in 0..rounds.times {
            let standings = context.group_standings(&best, &context.race_examples());
            weights.update(standings.first().map_or(&[], Vec::as_slice));
            let parents = parents(context, &best, &standings, &weights);
            context.enter_phase(
                Phase::Refine,
                rounds.told(
                    round,
                    &format!(
                        "failures of the {} best on the front, {}, {} texts",
                        parents.len(),
                        weights.told(),
                        rounds.texts
                    ),
                ),
            )?;
            let before = context.evaluations_left();
            let most = rounds.evaluations(context, round);
            let proposer = GroupReflectionProposer {
                cases: cases(context, &parents, &weights, (round, rounds.texts, most)).await?,
                target_inputs: TARGET_INPUTS,
            };
            let count = proposer.cases.len();
            let stream = format!("group-reflective {round}");
            let found = context.propose(&proposer, &parents, count, &stream).await?;
            let used = before - context.evaluations_left();
            let entrants = [best, found].concat();
            best = context
                .race_within(entrants, keep(context), most.saturating_sub(used))
                .await?;
        }
        expect_proposals(context)?;
        Ok(best)
    }
}

fn keep(context: &SearchContext<'_>) -> usize {
    POOL.max(context.spec().finalists)
}

/// Prompts from demonstrations race against those at hand.
async fn start(context: &mut SearchContext<'_>) -> Result<Vec<CandidateIndex>, RunError> {
    let spec = context.spec();
    let target = if context.target_examples().is_empty() {
        TargetUse::Nothing
    } else {
        TargetUse::Inputs
    };
    let proposer: InductionProposer = steps::induction(spec, target);
    let given = context.candidates();
    context.enter_phase(
        Phase::Propose,
        format!("{}: {} texts", proposer.name(), induced(spec)),
    )?;
    let found = context
        .propose(&proposer, &given, induced(spec), "propose")
        .await?;
    let entrants = [given, found].concat();
    let keep = keep(context);
    context.enter_phase(Phase::Screen, steps::to_keep(entrants.len(), keep))?;
    context.race(entrants, keep).await
}

/// The prompts on the front over groups, best by the groups' weights first.
fn parents(
    context: &SearchContext<'_>,
    best: &[CandidateIndex],
    standings: &[Vec<GroupStanding>],
    weights: &GroupWeights,
) -> Vec<CandidateIndex> {
    let points: Vec<Vec<f64>> = best
        .iter()
        .zip(standings)
        .map(|(&candidate, standings)| {
            let text = &context.prompt(candidate).instruction;
            let price = shiftproof_tasks::text::tokens(text) as f64 * TOKEN_PRICE;
            let groups = standings.iter();
            groups.map(|group| group.estimate.mean - price).collect()
        })
        .collect();
    let weighed = |at: usize| -> f64 {
        let groups = standings[at].iter().zip(&points[at]);
        groups
            .map(|(standing, point)| weights.of(&standing.group) * point)
            .sum()
    };
    let mut front = group_front(&points);
    front.sort_by(|&a, &b| weighed(b).total_cmp(&weighed(a)).then(a.cmp(&b)));
    front.truncate(PARENTS);
    front.into_iter().map(|at| best[at]).collect()
}

/// What is asked for in a round: one case a text, groups by their weights, parents in
/// turn.
async fn cases(
    context: &mut SearchContext<'_>,
    parents: &[CandidateIndex],
    weights: &GroupWeights,
    (round, texts, most): (usize, usize, usize),
) -> Result<Vec<GroupReflectionCase>, RunError> {
    let size = (most as f64 * LOOK) as usize / parents.len().max(1);
    let batch = minibatch(context, &format!("group-reflective {round}"), size.max(1));
    context.evaluate(parents, &batch).await?;
    let answers: Vec<Vec<GroupAnswers>> = parents
        .iter()
        .map(|&parent| context.answers_by_group(parent, &batch))
        .collect();
    let failing: Vec<(&str, bool)> = failing(&answers);
    let names: Vec<&str> = failing.iter().map(|(group, _)| *group).collect();
    let shares = weights.shares(&names, texts);
    let mut cases = Vec::new();
    for ((group, voted), share) in failing.into_iter().zip(shares) {
        for turn in 0..share {
            // The parents that fail there, in turn, each time from another failure on.
            let failing: Vec<usize> = (0..parents.len())
                .filter(|&at| !failures(&answers[at], group, voted).is_empty())
                .collect();
            let at = failing[turn % failing.len()];
            cases.push(case(
                context,
                (parents, &answers, &batch),
                (at, group, voted),
                turn / failing.len(),
            ));
        }
    }
    Ok(cases)
}

/// Groups in which some parent fails, true and voted labels apart.
fn failing(answers: &[Vec<GroupAnswers>]) -> Vec<(&str, bool)> {
    let mut found: Vec<(&str, bool)> = Vec::new();
    for group in answers.iter().flatten() {
        let key = (group.group.as_str(), group.pseudo_labelled);
        if !group.failures.is_empty() && !found.contains(&key) {
            found.push(key);
        }
    }
    found.sort_by_key(|(_, voted)| *voted);
    found
}

fn failures(answers: &[GroupAnswers], group: &str, voted: bool) -> Vec<TracedAnswer> {
    let own = answers
        .iter()
        .find(|own| own.group == group && own.pseudo_labelled == voted);
    own.map_or_else(Vec::new, |own| {
        let failures = own.failures.iter();
        failures
            .map(|failure| TracedAnswer::new(failure, voted))
            .collect()
    })
}

fn case(
    context: &SearchContext<'_>,
    (parents, answers, batch): (&[CandidateIndex], &[Vec<GroupAnswers>], &[InputIndex]),
    (at, group, voted): (usize, &str, bool),
    turn: usize,
) -> GroupReflectionCase {
    let mut wrong = failures(&answers[at], group, voted);
    let from = turn * FAILURES % wrong.len();
    wrong.rotate_left(from);
    wrong.truncate(FAILURES);
    GroupReflectionCase {
        parent: context.prompt(parents[at]).clone(),
        group: group.to_owned(),
        contrast: contrast(context, parents, (at, batch), &wrong),
        failures: wrong,
        successes: successes(&answers[at], group, turn),
    }
}

/// What the prompt gets right, two of the group for one of another.
fn successes(answers: &[GroupAnswers], group: &str, turn: usize) -> Vec<TracedAnswer> {
    let of = |own: bool| -> Vec<Vec<TracedAnswer>> {
        let groups = answers.iter().filter(|other| (other.group == group) == own);
        groups
            .map(|group| {
                let successes = group.successes.iter();
                successes
                    .map(|success| TracedAnswer::new(success, group.pseudo_labelled))
                    .collect()
            })
            .collect()
    };
    let (mut own, mut others) = (in_turn(&of(true)), in_turn(&of(false)));
    for list in [&mut own, &mut others] {
        let from = turn * 2 % list.len().max(1);
        list.rotate_left(from);
    }
    let (first, rest) = own.split_at(own.len().min(SUCCESSES - 1));
    let shown = first.iter().chain(&others).chain(rest);
    shown.take(SUCCESSES).cloned().collect()
}

/// The parent that gets most of these failures right, and which.
fn contrast(
    context: &SearchContext<'_>,
    parents: &[CandidateIndex],
    (at, batch): (usize, &[InputIndex]),
    wrong: &[TracedAnswer],
) -> Option<(shiftproof_tasks::Prompt, Vec<TracedAnswer>)> {
    let others = parents.iter().enumerate().filter(|(other, _)| *other != at);
    let right = others.map(|(_, &other)| {
        let groups = context.answers_by_group(other, batch);
        let mut right: Vec<TracedAnswer> = groups
            .iter()
            .flat_map(|group| group.successes.iter().map(|s| (s, group.pseudo_labelled)))
            .filter(|(success, _)| {
                let mut wrong = wrong.iter();
                wrong.any(|wrong| wrong.example.input.id == success.input.id)
            })
            .map(|(success, voted)| TracedAnswer::new(success, voted))
            .collect();
        right.truncate(CONTRASTS);
        (other, right)
    });
    let found = right.reduce(|best, next| {
        if next.1.len() > best.1.len() {
            next
        } else {
            best
        }
    })?;
    (!found.1.is_empty()).then(|| (context.prompt(found.0).clone(), found.1))
}
