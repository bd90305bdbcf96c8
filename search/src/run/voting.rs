//! The vote: prompts label target inputs, and the labels join the examples.

use std::collections::BTreeSet;

use shiftproof_tasks::Example;

use super::SearchContext;
use super::balance::halves;
use crate::answer_feed;
use crate::ballots;
use crate::event::{Event, Phase, VoteSummary};
use crate::gateway::RunError;
use crate::race::ids;
use crate::response_matrix::{CandidateAnswers, CandidateIndex, InputIndex};
use crate::target_vote::{TargetVote, VoteCounting};

/// Labelled source examples that voters are checked on, for so many target inputs: few
/// beside what is voted on.
pub(crate) fn voter_check_count(target_inputs: usize) -> usize {
    target_inputs / 4
}

/// Target inputs, of so many, that prompts answer to see which of them hold there: as
/// many as the planted worlds of docs/votes.md have.
pub(crate) fn shift_check_count(target_inputs: usize) -> usize {
    target_inputs.min(120)
}

impl SearchContext<'_> {
    /// Lets `voters` label the target inputs, and answer some source examples by
    /// which it is known how far they are right; a label is kept where more than
    /// `search.threshold` of the votes are for it. Up to `search.shots` inputs with a
    /// kept label, at most half of all, are
    /// [shown to proposers](Self::pseudo_labelled_train) from then on; the others, of
    /// groups without true labels, are among the examples of races, where a candidate
    /// is judged by what the *other* voters make of them.
    ///
    /// The voters must not have been chosen by their scores in this run: what the
    /// check says of them would flatter.
    pub async fn vote(
        &mut self,
        voters: &[CandidateIndex],
        counting: VoteCounting,
    ) -> Result<(), RunError> {
        let target = self.target.clone();
        let check = self.voter_check_examples(target.len());
        // Votes that could not be paid for are missing from the counts, which are
        // shares of all voters: fewer labels are kept, and none by fewer voters.
        self.ask_planned(voters, &check).await?;
        self.ask_planned(voters, &target).await?;
        let inputs = self.count_votes(voters, counting, (&target, &check))?;
        // What is shown to proposers scores nobody. It is at most half, and no more
        // than they are shown.
        let (mut train, _) = halves(&self.matrix, &inputs, self.run.seed, "voted");
        train.retain(|&index| self.matrix.is_trusted(index));
        train.truncate(self.run.spec.shots);
        let mut score = inputs;
        score.retain(|index| !train.contains(index));
        // Where labels are, votes have nothing to say.
        let known: BTreeSet<usize> = self
            .labelled
            .iter()
            .map(|&i| self.matrix.group_of(i))
            .collect();
        score.retain(|&index| !known.contains(&self.matrix.group_of(index)));
        if counting == VoteCounting::Heads {
            score.retain(|&index| self.matrix.is_trusted(index));
        }
        self.pseudo_labelled_train = train
            .into_iter()
            .filter_map(|index| {
                Some(Example {
                    input: self.matrix.input(index).clone(),
                    label: self.matrix.label(index)?.clone(),
                })
            })
            .collect();
        self.pseudo_labelled = score;
        Ok(())
    }

    /// Counts the votes, tells of them and writes the labels won; returns the
    /// inputs that have one.
    fn count_votes(
        &mut self,
        voters: &[CandidateIndex],
        counting: VoteCounting,
        (target, check): (&[InputIndex], &[InputIndex]),
    ) -> Result<Vec<InputIndex>, RunError> {
        let context = self.run.context();
        let (task, threshold) = (context.task, self.run.spec.threshold);
        let answers: Vec<CandidateAnswers<'_>> = voters
            .iter()
            .map(|&voter| self.matrix.answers(context, voter))
            .collect();
        let matrix = &self.matrix;
        let panel = ballots::panel(task, matrix, &answers, (target, check));
        let vote = TargetVote::hold(panel, target, counting, threshold);
        let voters_told = (answers.as_slice(), ids(matrix, voters));
        let voted = ballots::summary(&vote, task, matrix, voters_told, check);
        drop(answers);
        for &voter in voters {
            let adjustment = self.matrix.adjustment(context, voter);
            answer_feed::answers(
                &mut self.matrix,
                context,
                self.phase,
                voter,
                target,
                adjustment,
            )?;
        }
        self.matrix.emit_unusable(context)?;
        self.pseudo_label_weight = weight(&vote, &voted);
        self.run.gateway.emit(&Event::Voted(voted))?;
        Ok(self.matrix.set_vote(vote))
    }

    /// The first `keep` of `ranking` that hold on the target as far as that can be
    /// known without labels: they are asked about up to 120 target inputs, and one whose
    /// answers there have left those of prompts that err apart from it, so that it
    /// would be right less often than the prompt in use, is passed over for the next.
    /// Needs a [weighted](VoteCounting::Weighted) vote; without one, where labelled
    /// target examples say it better, and where the answers are of fewer than three
    /// families, nobody is passed over.
    pub async fn drop_shifted(
        &mut self,
        ranking: &[CandidateIndex],
        keep: usize,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        let is_weighted = |vote: &TargetVote| vote.counting() == VoteCounting::Weighted;
        let (mut held, mut found) = (Vec::<CandidateIndex>::new(), false);
        let mut waiting = ranking.iter().copied();
        let is_known = !self.labelled.is_empty();
        if is_known || !self.matrix.vote().is_some_and(is_weighted) {
            return Ok(waiting.take(keep).collect());
        }
        let told = self.shift_check_inputs();
        self.enter_phase(
            Phase::Vote,
            format!(
                "the best prompts and the seed answer {} target inputs: which of them hold there?",
                told.len()
            ),
        )?;
        // How right they are where labels are is half of what is to be known.
        let check = self.voter_check_examples(told.len());
        let inputs = [told, check].concat();
        let seed = self.seed;
        self.ask_planned(&[seed], &inputs).await?;
        loop {
            let next: Vec<CandidateIndex> = waiting.by_ref().take(keep - held.len()).collect();
            if next.is_empty() || !self.ask_planned(&next, &inputs).await? {
                // Nothing speaks against what could not be asked, unless others of
                // the ranking were found out.
                if !found {
                    held.extend(next);
                }
                return Ok(held);
            }
            held.extend(next);
            ballots::refresh_panel(&mut self.matrix, self.run.context(), &self.screen);
            let (kept, left): (Vec<_>, Vec<_>) = held
                .into_iter()
                .map(|candidate| (candidate, self.shift_of(candidate)))
                .partition(|(_, reason)| reason.is_none());
            found |= !left.is_empty();
            for (candidate, reason) in left {
                self.run.gateway.emit(&Event::Decided {
                    candidate: self.matrix.candidates[candidate].id,
                    kept: false,
                    reason: reason.unwrap_or_default(),
                })?;
            }
            held = kept.into_iter().map(|(candidate, _)| candidate).collect();
            if held.len() == keep {
                return Ok(held);
            }
        }
    }

    /// Some of the target inputs, all groups alike.
    fn shift_check_inputs(&self) -> Vec<InputIndex> {
        let of = self.target.len();
        let count = shift_check_count(of);
        (0..count).map(|at| self.target[at * of / count]).collect()
    }

    /// Labelled source examples that tell how right voters on so many inputs are.
    fn voter_check_examples(&self, inputs: usize) -> Vec<InputIndex> {
        let count = voter_check_count(inputs);
        self.screen.iter().take(count).copied().collect()
    }

    /// Why a candidate is thought to be worse than the seed on the target; `None`
    /// where it is not.
    fn shift_of(&self, candidate: CandidateIndex) -> Option<String> {
        let vote = self.matrix.vote().filter(|vote| vote.families() > 2)?;
        let (source, target) = vote.accuracies(candidate)?;
        let (_, seed) = vote.accuracies(self.seed)?;
        (target < source && target < seed).then(|| {
            format!(
                "its answers to target inputs have left the other prompts': an estimated \
                 {:.0}% of them are right, of the seed's {:.0}%, and {:.0}% on the source",
                100.0 * target,
                100.0 * seed,
                100.0 * source
            )
        })
    }
}

/// The weight of a group of voted labels. Of a weighted vote by fewer than three
/// families there is none: where two differ nobody can say which of them is right.
fn weight(vote: &TargetVote, voted: &VoteSummary) -> f64 {
    if vote.counting() == VoteCounting::Weighted && vote.families() < 3 {
        return 0.0;
    }
    let checked = voted.checked.map_or((0, 0), |c| (c.kept, c.right));
    pseudo_label_weight(checked.0, checked.1)
}

/// The weight of a voted label against a true one: a label that is right with
/// probability `a` carries `(2a − 1)²` of the information of a true binary label
/// (the variance factor of the Rogan-Gladen correction, 1978). `a` is estimated
/// from votes on labelled source examples by the rule of succession; votes that
/// could not be checked carry nothing.
fn pseudo_label_weight(kept: usize, right: usize) -> f64 {
    if kept == 0 {
        return 0.0;
    }
    let accuracy = (right as f64 + 1.0) / (kept as f64 + 2.0);
    (2.0 * accuracy - 1.0).max(0.0).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weight_follows_checked_votes() {
        let near = |weight: f64, expected: f64| assert!((weight - expected).abs() < 1e-12);
        near(pseudo_label_weight(0, 0), 0.0);
        // (8 + 1) / (8 + 2) = 0.9, and 0.8² = 0.64.
        near(pseudo_label_weight(8, 8), 0.64);
        near(pseudo_label_weight(8, 4), 0.0);
        // Worse than a coin carries nothing, rather than the opposite.
        near(pseudo_label_weight(8, 1), 0.0);
    }
}
