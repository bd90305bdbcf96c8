//! The judge of a run beside the person who graded some of its answers.

use super::SearchContext;
use crate::event::{AuditedPrompt, Event};
use crate::event::{CorrectedScore, CorrectedScores, JudgeStanding};
use crate::gateway::RunError;
use crate::judging::judge;
use crate::response_matrix::{CandidateAnswers, InputIndex};

impl SearchContext<'_> {
    /// Compares the judge with the person, and tells what it is worth; returns the
    /// person's grade and the judge's of every answer that has both. Nothing where no
    /// model judges.
    pub(super) async fn judge(&mut self) -> Result<Vec<(f64, f64)>, RunError> {
        let Some(own) = &self.run.judge else {
            return Ok(Vec::new());
        };
        let (task, gateway) = (self.run.task.as_ref(), self.run.gateway);
        let judged = judge(task, gateway, &own.graded).await?;
        let Some(judged) = judged.filter(|_| !own.graded.is_empty()) else {
            gateway.emit(&Event::Judged(JudgeStanding {
                graded: 0,
                ungraded: 0,
                agreement: None,
                min_agreement: own.min_agreement,
            }))?;
            return Ok(Vec::new());
        };
        let standing = JudgeStanding {
            graded: own.graded.len(),
            ungraded: judged.ungraded,
            agreement: judged.agreement(own.scale),
            min_agreement: own.min_agreement,
        };
        gateway.emit(&Event::Judged(standing))?;
        if own.is_bar && !standing.is_bar() {
            return Err(RunError::NoBar(Box::new(standing)));
        }
        Ok(judged.pairs)
    }

    /// Tells these contestants' scores on the audit as the person would have given them.
    pub(super) fn correct(
        &self,
        contestants: &[(AuditedPrompt, CandidateAnswers<'_>)],
        inputs: &[InputIndex],
        pairs: &[(f64, f64)],
    ) -> Result<(), RunError> {
        let scores: Vec<CorrectedScores> = contestants
            .iter()
            .map(|(contestant, answers)| CorrectedScores {
                contestant: *contestant,
                groups: self.corrected(answers, inputs, pairs),
            })
            .filter(|own| !own.groups.is_empty())
            .collect();
        if scores.is_empty() {
            return Ok(());
        }
        self.run.gateway.emit(&Event::Corrected { scores })
    }

    fn corrected(
        &self,
        answers: &CandidateAnswers<'_>,
        inputs: &[InputIndex],
        pairs: &[(f64, f64)],
    ) -> Vec<CorrectedScore> {
        let of_group = |(at, group): (usize, &crate::event::GroupInfo)| {
            let own = inputs.iter().filter(|i| self.matrix.group_of(**i) == at);
            let grades: Vec<f64> = own
                .filter_map(|&input| answers.outcome(input)?.value())
                .collect();
            CorrectedScore::of(&group.name, &grades, pairs)
        };
        let groups = self.run.groups.iter().enumerate();
        groups.filter_map(of_group).collect()
    }
}
