//! Races candidates: an allocation rule asks for evaluations, the matrix gets them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use shiftproof_tasks::{Label, Outcome, PromptId, render};

use crate::answer_feed;
use crate::ballots;
use crate::event::{Event, GroupOutcome, GroupRole, Phase};
use crate::gateway::RunError;
use crate::response_matrix::{CandidateIndex, EvalContext, InputIndex, ResponseMatrix};
use crate::select::{
    AllocationStep, Elimination, ExampleClasses, ExampleGroup, GroupEstimates, LabelRole,
    OutcomeTable, PromptLength, Selection, SelectionProblem, TextKernel, chance_to_beat,
};
use crate::spec::SearchSpec;

/// What a race is run for.
#[derive(Clone, Copy)]
pub(crate) struct Race<'a> {
    pub phase: Phase,
    pub spec: &'a SearchSpec,
    /// Labelled and voted examples to race on.
    pub inputs: &'a [InputIndex],
    /// Labelled source examples by which it is known how right those are that judge
    /// by vote.
    pub check: &'a [InputIndex],
    /// How far voted labels can be trusted, in `0..=1`: their groups' weight.
    pub pseudo_label_weight: f64,
    /// Evaluations to spend.
    pub evaluations: usize,
    /// Candidates to keep.
    pub keep: usize,
    /// The candidate that is never dropped.
    pub seed: CandidateIndex,
    /// Seed of the rule's own draws.
    pub draws: u64,
    /// Whether labels are classes: not where inputs have options of their own, whose
    /// letters say nothing.
    pub classes: bool,
}

/// A candidate and its objective's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RankedCandidate {
    pub candidate: CandidateIndex,
    pub score: f64,
}

/// How a race ended.
pub(crate) struct RaceResult {
    /// The survivors, best first, the seed among them.
    pub ranked: Vec<RankedCandidate>,
    /// Why the first is first.
    pub reason: String,
    /// Whether the budget sufficed.
    pub affordable: bool,
}

impl Race<'_> {
    /// Runs the race. Candidates without a single answer that counts are not among the
    /// ranked: the budget may leave none, or the model refuse all. The seed stays even so.
    pub async fn run(
        &self,
        matrix: &mut ResponseMatrix,
        context: EvalContext<'_>,
        mut entrants: Vec<CandidateIndex>,
    ) -> Result<RaceResult, RunError> {
        if !entrants.contains(&self.seed) {
            entrants.push(self.seed);
        }
        // A rule breaks ties by place, and who proposed first is chance. What an earlier
        // run knew and this one proposed again races once.
        entrants.sort_unstable();
        entrants.dedup();
        let mut rule = self.spec.rule(self.draws);
        let problem = self.problem(matrix, &entrants, rule.reads_texts(entrants.len()));
        if self.pseudo_label_weight > 0.0 {
            // Once a race: labels that moved with each block would be a moving mark.
            ballots::refresh_panel(matrix, context, self.check);
        }
        let mut scores = self.scores(matrix, context, &entrants, &problem);
        let (mut remaining, mut affordable) = (self.evaluations, true);
        let mut dropped = Vec::new();
        // Observers hear of the leader about twenty times a race.
        let (mut untold, often) = (0, self.evaluations.div_ceil(20));
        let pick = loop {
            // A calibrated outcome changes as replies come in: the rule sees
            // what is known now, not what was believed a block ago.
            match rule.next(&problem, &scores, remaining, &mut dropped) {
                AllocationStep::Evaluate(asks) if affordable => {
                    remaining = remaining.saturating_sub(asks.len());
                    untold += asks.len();
                    let mut wanted: BTreeMap<CandidateIndex, Vec<InputIndex>> = BTreeMap::new();
                    for ask in asks {
                        wanted
                            .entry(entrants[ask.candidate])
                            .or_default()
                            .push(self.inputs[ask.example as usize]);
                    }
                    affordable = matrix.ask_each(context, &wanted).await?;
                    if !affordable {
                        // Without money the rule can only be asked to decide.
                        remaining = 0;
                    }
                    scores = self.scores(matrix, context, &entrants, &problem);
                    if untold >= often {
                        untold = 0;
                        self.emit_leader(matrix, context, &entrants, &problem, &scores)?;
                    }
                }
                AllocationStep::Evaluate(_) => remaining = 0,
                AllocationStep::Pick(pick) => break pick,
            }
        };
        // What a rule leaves undone for lack of money is no reason to judge by few.
        if affordable {
            matrix.sound(context, true)?;
        }
        let ranked = self.standings(
            matrix,
            context,
            &entrants,
            &problem,
            &scores,
            (&pick, &dropped),
        )?;
        Ok(RaceResult {
            ranked,
            reason: pick.reason,
            affordable,
        })
    }

    /// Tells how every entrant stands, by the rule's ranking; returns those that stay.
    fn standings(
        &self,
        matrix: &mut ResponseMatrix,
        context: EvalContext<'_>,
        entrants: &[CandidateIndex],
        problem: &SelectionProblem,
        scores: &OutcomeTable,
        (pick, dropped): (&Selection, &[Elimination]),
    ) -> Result<Vec<RankedCandidate>, RunError> {
        let objective = self.spec.objective();
        let estimates = GroupEstimates::fit(problem, scores);
        let mut ranked = Vec::new();
        // An entrant that was never asked has no standing. One that was asked and has no
        // answer that counts has an estimate all the same, from prompts like it; it is
        // told as such, and takes no place from those that have one.
        let (mut rank, mut scored, mut unscored_seed) = (0, 0, None);
        for &entrant in &pick.ranking {
            let candidate = entrants[entrant];
            let groups = matrix.answers(context, candidate).group_scores(self.inputs);
            let score = shown(
                objective.score(&estimates.groups(entrant)),
                problem,
                entrant,
            );
            if groups.is_empty() || !score.is_finite() {
                continue;
            }
            let id = matrix.candidates[candidate].id;
            let seen: usize = groups.iter().map(|group| group.n).sum();
            let has_place = scored < self.keep && seen > 0;
            rank += 1;
            scored += usize::from(seen > 0);
            if scored == 1 && seen > 0 {
                self.emit_leading(context, id, score, &groups)?;
            }
            self.emit_answers(matrix, context, candidate)?;
            context.gateway.emit(&Event::Evaluated {
                candidate: id,
                phase: self.phase,
                score,
                groups,
            })?;
            let kept = has_place || candidate == self.seed;
            let place = format!("rank {rank} of {} on {seen} examples", entrants.len());
            let reason = match dropped.iter().find(|drop| drop.candidate == entrant) {
                _ if kept && !has_place => format!("{place}; the seed always stays"),
                Some(drop) => format!("{place}; {}", drop.reason),
                None if seen == 0 => format!("{place}; not one of its answers can be scored"),
                None => place,
            };
            context.gateway.emit(&Event::Decided {
                candidate: id,
                kept,
                reason,
            })?;
            if seen > 0 && kept {
                ranked.push(RankedCandidate { candidate, score });
            } else if kept {
                unscored_seed = Some(RankedCandidate { candidate, score });
            }
        }
        // It stays, and wins nothing; where nobody has a score, there is no race to stay in.
        if !ranked.is_empty() {
            ranked.extend(unscored_seed);
        }
        Ok(ranked)
    }

    /// The chance that `candidate` is better than the seed prompt, after all that was
    /// asked on these inputs; `None` where they cannot be compared. Nothing is asked.
    pub fn chance_over_seed(
        &self,
        matrix: &ResponseMatrix,
        context: EvalContext<'_>,
        entrants: &[CandidateIndex],
        candidate: CandidateIndex,
    ) -> Option<f64> {
        let place = |wanted| entrants.iter().position(|&entrant| entrant == wanted);
        let (own, seed) = (place(candidate)?, place(self.seed)?);
        let problem = self.problem(matrix, entrants, false);
        let scores = self.scores(matrix, context, entrants, &problem);
        chance_to_beat(&problem, &scores, (own, seed), self.spec.own_objective())
    }

    /// Tells who leads by the objective as things stand, and what it answered.
    fn emit_leader(
        &self,
        matrix: &mut ResponseMatrix,
        context: EvalContext<'_>,
        entrants: &[CandidateIndex],
        problem: &SelectionProblem,
        scores: &OutcomeTable,
    ) -> Result<(), RunError> {
        let objective = self.spec.objective();
        let estimates = GroupEstimates::fit(problem, scores);
        let leader = (0..entrants.len())
            .map(|entrant| {
                let score = objective.score(&estimates.groups(entrant));
                (score - problem.charge(entrant), entrant)
            })
            .filter(|(score, _)| score.is_finite())
            .reduce(|best, next| if next.0 > best.0 { next } else { best });
        let Some((score, entrant)) = leader else {
            return Ok(());
        };
        let candidate = entrants[entrant];
        let groups = matrix.answers(context, candidate).group_scores(self.inputs);
        if groups.is_empty() {
            return Ok(());
        }
        let id = matrix.candidates[candidate].id;
        self.emit_leading(context, id, score.clamp(0.0, 1.0), &groups)?;
        self.emit_answers(matrix, context, candidate)
    }

    fn emit_answers(
        &self,
        matrix: &mut ResponseMatrix,
        context: EvalContext<'_>,
        candidate: CandidateIndex,
    ) -> Result<(), RunError> {
        let adjustment = matrix.adjustment(context, candidate);
        answer_feed::answers(
            matrix,
            context,
            self.phase,
            candidate,
            self.inputs,
            adjustment,
        )
    }

    fn emit_leading(
        &self,
        context: EvalContext<'_>,
        candidate: PromptId,
        score: f64,
        groups: &[GroupOutcome],
    ) -> Result<(), RunError> {
        context.gateway.emit(&Event::Leading {
            candidate,
            phase: self.phase,
            calls: context.gateway.spent().calls,
            score,
            groups: groups.to_vec(),
        })
    }

    /// Groups of the race: a study's group with true labels and the same group
    /// with voted ones are two, for they are not equally to be trusted.
    pub(crate) fn problem(
        &self,
        matrix: &ResponseMatrix,
        entrants: &[CandidateIndex],
        reads_texts: bool,
    ) -> SelectionProblem {
        let mut members: BTreeMap<(bool, usize), Vec<u32>> = BTreeMap::new();
        for (example, &input) in self.inputs.iter().enumerate() {
            let key = (matrix.is_voted(input), matrix.group_of(input));
            members.entry(key).or_default().push(example as u32);
        }
        let voted_weight = self.voted_weight(&members);
        let groups = members
            .into_iter()
            .map(|((voted, group), examples)| {
                let group = &matrix.groups[group];
                let role = match (voted, group.role) {
                    (true, _) => LabelRole::PseudoTarget,
                    (false, GroupRole::Target) => LabelRole::LabelledTarget,
                    (false, GroupRole::Source) => LabelRole::Source,
                };
                let weight = if voted { voted_weight } else { 1.0 };
                ExampleGroup {
                    name: group.name.clone(),
                    role,
                    weight,
                    examples,
                }
            })
            .collect();
        let prompts = || {
            let entrants = entrants.iter();
            entrants.map(|&candidate| &matrix.candidates[candidate].prompt)
        };
        // Prompts that differ in their demonstrations alone do not read the same.
        let texts: Vec<String> = prompts()
            .map(|prompt| render::message(prompt, "").trim_end().to_owned())
            .collect();
        SelectionProblem {
            candidates: entrants.len(),
            groups,
            kernel: reads_texts
                .then(|| TextKernel::of_texts(&texts).map(Arc::new))
                .flatten(),
            keep: entrants
                .iter()
                .position(|&c| c == self.seed)
                .into_iter()
                .collect(),
            lengths: prompts()
                .map(|prompt| PromptLength {
                    // In the races before, ties are between what is hardly
                    // measured: preferring the short there would be a bias.
                    tokens: if self.phase == Phase::Final {
                        prompt.tokens()
                    } else {
                        0
                    },
                    charge: self.spec.length_charge(prompt.tokens()),
                })
                .collect(),
            classes: self.classes.then(|| classes(matrix, self.inputs)).flatten(),
        }
    }

    /// The weight of one group of voted labels: together they never outvote the true
    /// ones.
    fn voted_weight(&self, members: &BTreeMap<(bool, usize), Vec<u32>>) -> f64 {
        let voted = members.keys().filter(|(voted, _)| *voted).count() as f64;
        let known = members.len() as f64 - voted;
        self.pseudo_label_weight.min(known / voted.max(1.0))
    }

    /// All outcomes the entrants have on the race's examples.
    pub(crate) fn scores(
        &self,
        matrix: &ResponseMatrix,
        context: EvalContext<'_>,
        entrants: &[CandidateIndex],
        problem: &SelectionProblem,
    ) -> OutcomeTable {
        let mut group_of = vec![0; self.inputs.len()];
        for (index, group) in problem.groups.iter().enumerate() {
            for &example in &group.examples {
                group_of[example as usize] = index as u32;
            }
        }
        let clusters = matrix.clusters(self.inputs);
        let mut scores =
            OutcomeTable::clustered(entrants.len(), group_of, clusters, problem.groups.len());
        for (entrant, &candidate) in entrants.iter().enumerate() {
            let answers = matrix.answers(context, candidate);
            for (example, &input) in self.inputs.iter().enumerate() {
                if let Some(value) = answers.outcome(input).as_ref().and_then(Outcome::value) {
                    let _new = scores.push(entrant, example as u32, value);
                }
            }
        }
        scores
    }
}

/// A score as it is shown: estimates are linear and may leave the scale where
/// little was seen, a score never does.
fn shown(score: f64, problem: &SelectionProblem, entrant: usize) -> f64 {
    (score - problem.charge(entrant)).clamp(0.0, 1.0)
}

/// Classes of the inputs with true labels, numbered in the order of their names;
/// `None` where no label is a class. Those that were picked say nothing of the shares
/// of classes, and count among those without.
fn classes(matrix: &ResponseMatrix, inputs: &[InputIndex]) -> Option<Arc<ExampleClasses>> {
    let name = |input: &InputIndex| match matrix.label(*input) {
        Some(Label::Class(class)) if !matrix.is_voted(*input) && !matrix.is_chosen(*input) => {
            Some(class.as_str())
        }
        _ => None,
    };
    let names: BTreeSet<&str> = inputs.iter().filter_map(name).collect();
    // Of a class that no example has nothing is known, whatever its share is.
    let stated = |class: &&str| matrix.target_shares.get(*class).copied().unwrap_or(0.0);
    let target_shares: Vec<f64> = names.iter().map(stated).collect();
    let numbers: BTreeMap<&str, u32> = names.into_iter().zip(0..).collect();
    (!numbers.is_empty()).then(|| {
        Arc::new(ExampleClasses {
            of_example: inputs
                .iter()
                .map(|input| name(input).map(|class| numbers[class]))
                .collect(),
            target_shares: Some(target_shares).filter(|shares| shares.iter().sum::<f64>() > 0.0),
        })
    })
}

/// The ids of some candidates.
pub(crate) fn ids(matrix: &ResponseMatrix, candidates: &[CandidateIndex]) -> Vec<PromptId> {
    candidates
        .iter()
        .map(|&candidate| matrix.candidates[candidate].id)
        .collect()
}

#[cfg(test)]
mod tests;
