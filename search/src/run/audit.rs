//! The sealed audit of a run.

use std::collections::BTreeMap;

use shiftproof_tasks::{Answer, Example, Outcome, evaluation_calls};

use super::SearchContext;
use crate::calibrate::Calibration;
use crate::evaluate::baseline_scores;
use crate::event::{AuditedPrompt, Event, Phase};
use crate::gateway::RunError;
use crate::response_matrix::{CandidateAnswers, CandidateIndex, InputIndex, ReplyAdjustment};
use crate::score::group_scores;
use crate::{answer_feed, compare, vote};

impl SearchContext<'_> {
    /// Opens the seal: the seed, the selected prompt and the ensemble on the
    /// same examples. `judged`: a person's grades and the judge's, of a task whose answers
    /// a model judges. Returns whether the budget sufficed.
    pub(super) async fn audit(
        &mut self,
        sealed: Vec<Example>,
        selected: CandidateIndex,
        ensemble: &[CandidateIndex],
        judged: &[(f64, f64)],
    ) -> Result<bool, RunError> {
        if sealed.is_empty() {
            return Ok(true);
        }
        self.enter_phase(
            Phase::Audit,
            format!(
                "seed, selected and an ensemble of {} on {} sealed examples",
                ensemble.len(),
                sealed.len()
            ),
        )?;
        let context = self.run.context();
        // Readings are fixed before the audit: a deployed prompt cannot wait for a
        // batch, and nothing may be learnt from sealed labels.
        let fixed: BTreeMap<CandidateIndex, ReplyAdjustment> = ensemble
            .iter()
            .chain([&self.seed, &selected])
            .map(|&c| (c, self.matrix.adjustment(context, c)))
            .collect();
        if context.calibration != Calibration::None {
            let settled = |&c| self.matrix.calibration_fit(context.calibration, c);
            self.run.gateway.emit(&Event::Calibrated {
                calibration: context.calibration,
                prompts: fixed.keys().map(settled).collect(),
            })?;
        }
        let inputs = self.matrix.add_examples(&sealed);
        for baseline in &self.run.baselines {
            let groups = baseline_scores(context.task, &self.matrix, baseline, &inputs);
            // Predictions of another form than the task's say nothing here.
            if !groups.is_empty() {
                let name = baseline.name.clone();
                self.run.gateway.emit(&Event::Baseline { name, groups })?;
            }
        }
        let adjustment = |c: CandidateIndex| fixed.get(&c).cloned().unwrap_or_default();

        let mut complete = self
            .matrix
            .ask(context, &[self.seed, selected], &inputs)
            .await?;
        for (contestant, candidate) in [
            (AuditedPrompt::Seed, self.seed),
            (AuditedPrompt::Selected, selected),
        ] {
            let answers = self
                .matrix
                .answers_as(context, candidate, adjustment(candidate));
            self.run.gateway.emit(&Event::Audited {
                contestant,
                groups: answers.group_scores(&inputs),
            })?;
        }
        if complete && !ensemble.is_empty() {
            // Half an ensemble is told to nobody: no call for it then.
            complete = self.affords(ensemble, selected, inputs.len())
                && self.matrix.ask(context, ensemble, &inputs).await?;
            if complete {
                self.tell_ensemble(ensemble, &inputs, adjustment)?;
            }
        }
        for &candidate in fixed.keys() {
            answer_feed::answers(
                &mut self.matrix,
                context,
                Phase::Audit,
                candidate,
                &inputs,
                adjustment(candidate),
            )?;
        }
        self.matrix.emit_unusable(context)?;
        let answers = |c: CandidateIndex| self.matrix.answers_as(context, c, adjustment(c));
        let compared = compare::audit(
            &self.matrix,
            &answers(self.seed),
            &answers(selected),
            &inputs,
        );
        if let Some((groups, worst)) = compared {
            self.run.gateway.emit(&Event::Compared { groups, worst })?;
        }
        let contestants = [
            (AuditedPrompt::Seed, answers(self.seed)),
            (AuditedPrompt::Selected, answers(selected)),
        ];
        self.correct(&contestants, &inputs, judged)?;
        Ok(complete)
    }

    /// Tells what the members' answers come to on the audit.
    fn tell_ensemble(
        &self,
        ensemble: &[CandidateIndex],
        inputs: &[InputIndex],
        adjustment: impl Fn(CandidateIndex) -> ReplyAdjustment,
    ) -> Result<(), RunError> {
        let context = self.run.context();
        let voters: Vec<CandidateAnswers<'_>> = ensemble
            .iter()
            .map(|&c| self.matrix.answers_as(context, c, adjustment(c)))
            .collect();
        let outcomes = self.ensemble_outcomes(&voters, inputs);
        let groups = group_scores(&self.matrix, self.run.task.as_ref(), &outcomes);
        let contestant = AuditedPrompt::Ensemble;
        let told = Event::Audited { contestant, groups };
        self.run.gateway.emit(&told)
    }

    /// Whether the limit on calls has room for the ensemble's members that are not
    /// audited by themselves.
    fn affords(
        &self,
        ensemble: &[CandidateIndex],
        selected: CandidateIndex,
        inputs: usize,
    ) -> bool {
        let further = ensemble
            .iter()
            .filter(|&&member| member != self.seed && member != selected)
            .count();
        let calls = (further * inputs * evaluation_calls(self.run.task.as_ref())) as u64;
        let gateway = self.run.gateway;
        let room = |limit: u64| calls <= limit.saturating_sub(gateway.spent().calls);
        gateway.limits().calls.is_none_or(room)
    }

    /// Grades what the voters' answers come to.
    fn ensemble_outcomes(
        &self,
        voters: &[CandidateAnswers<'_>],
        inputs: &[InputIndex],
    ) -> Vec<(InputIndex, Outcome)> {
        inputs
            .iter()
            .filter_map(|&input| {
                let label = self.matrix.label(input)?;
                let answers: Vec<_> = voters.iter().map(|voter| voter.answer(input)).collect();
                let outcome = match vote::combine(&answers) {
                    Some(answer) if self.run.task.grader().is_some() => {
                        member_outcome(voters, input, &answer)?
                    }
                    Some(answer) => self.run.task.grade(&answer, label),
                    None => unanswered(voters, input)?,
                };
                Some((input, outcome))
            })
            .collect()
    }
}

/// The outcome of the first member whose answer is the ensemble's: a grader was asked
/// about it, and not about what several answers come to.
fn member_outcome(
    voters: &[CandidateAnswers<'_>],
    input: InputIndex,
    answer: &Answer,
) -> Option<Outcome> {
    let wanted = answer.vote();
    let said =
        |voter: &&CandidateAnswers<'_>| voter.answer(input).and_then(|own| own.vote()) == wanted;
    voters.iter().find(said)?.outcome(input)
}

/// What an ensemble comes to none of whose voters has a usable answer: wrong where
/// all of them evaded the question, no score where one might have answered it.
fn unanswered(voters: &[CandidateAnswers<'_>], input: InputIndex) -> Option<Outcome> {
    let outcomes: Option<Vec<Outcome>> = voters.iter().map(|v| v.outcome(input)).collect();
    let outcomes = outcomes?;
    let unscored = outcomes.iter().find(|outcome| outcome.value().is_none());
    unscored.or_else(|| outcomes.first()).cloned()
}
