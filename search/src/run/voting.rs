//! The vote: prompts label target inputs, and the labels join the examples.

use shiftproof_tasks::{Example, PromptId};

use super::SearchContext;
use super::balance::halves;
use crate::event::Event;
use crate::gateway::RunError;
use crate::race::ids;
use crate::response_matrix::{CandidateAnswers, CandidateIndex, InputIndex};
use crate::{answer_feed, vote};

impl SearchContext<'_> {
    /// Lets `voters` label the target inputs; a label is kept where more than
    /// `search.threshold` of all votes are for it. Half the inputs that win one are
    /// [shown to proposers](Self::pseudo_labelled_train) from then on, the other
    /// half is among the examples of races, with a weight that follows from how
    /// often such votes are right on source examples.
    pub async fn vote(&mut self, voters: &[CandidateIndex]) -> Result<(), RunError> {
        let target = self.target.clone();
        // Votes that could not be paid for are missing from the counts, which are
        // shares of all voters: fewer labels are kept, and none by fewer voters.
        self.ask_planned(voters, &target).await?;
        let voter_ids = ids(&self.matrix, voters);
        let labels = self.count_votes(voters, voter_ids, &target)?;
        // Half the voted inputs induce, the other half score what was induced.
        let (train, score) = halves(&self.matrix, &labels, self.run.seed, "voted");
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
        voter_ids: Vec<PromptId>,
        target: &[InputIndex],
    ) -> Result<Vec<InputIndex>, RunError> {
        let context = self.run.context();
        let threshold = self.run.spec.threshold;
        let answers: Vec<CandidateAnswers<'_>> = voters
            .iter()
            .map(|&voter| self.matrix.answers(context, voter))
            .collect();
        let (mut voted, labels) = vote::label_by_vote(
            context.task,
            &answers,
            voter_ids,
            target,
            threshold,
            &self.matrix,
        );
        let (kept, right) = vote::accuracy(&answers, &self.screen, threshold, &self.matrix);
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
        voted.source_accuracy = (kept > 0).then(|| right as f64 / kept as f64);
        self.pseudo_label_weight = pseudo_label_weight(kept, right);
        self.run.gateway.emit(&Event::Voted(voted))?;
        for (input, label) in &labels {
            self.matrix.set_voted(*input, label.clone());
        }
        Ok(labels.into_iter().map(|(input, _)| input).collect())
    }
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
