//! Asking candidates about inputs: what is known already is not asked again.

use std::collections::BTreeMap;

use crate::calibrate::{self, Calibration};
use crate::early_stop::portion;
use crate::gateway::{CallOutcome, RunError};
use crate::grading;
use crate::response_matrix::{CandidateIndex, EvalContext, InputIndex, ResponseMatrix};
use crate::turns::{self, Case};

/// Evaluations whose requests are in memory at once. Requests hold the whole prompt, so
/// many of them are the largest thing there is; and this many keep any model busy.
const WINDOW: usize = 4096;

/// One answer per case, in their order.
async fn evaluate(
    context: EvalContext<'_>,
    cases: &[Case<'_>],
) -> Result<Vec<CallOutcome>, RunError> {
    turns::evaluate(context.task, context.gateway, context.model, cases).await
}

impl ResponseMatrix {
    /// How many of these evaluations are not there yet.
    pub fn unasked(&self, candidates: &[CandidateIndex], inputs: &[InputIndex]) -> usize {
        let of = |&candidate: &CandidateIndex| {
            let asked = &self.candidates[candidate].asked;
            let fresh = inputs.iter().filter(|input| !asked.contains_key(input));
            fresh.count()
        };
        candidates.iter().map(of).sum()
    }

    /// Asks each candidate about each input, unless it was asked before.
    /// Returns whether the budget sufficed.
    pub async fn ask(
        &mut self,
        context: EvalContext<'_>,
        candidates: &[CandidateIndex],
        inputs: &[InputIndex],
    ) -> Result<bool, RunError> {
        let wanted = candidates
            .iter()
            .map(|&candidate| (candidate, inputs.to_vec()))
            .collect();
        self.ask_each(context, &wanted).await
    }

    /// Asks each candidate about its own inputs, unless it was asked before.
    /// Returns whether the budget sufficed.
    pub async fn ask_each(
        &mut self,
        context: EvalContext<'_>,
        wanted: &BTreeMap<CandidateIndex, Vec<InputIndex>>,
    ) -> Result<bool, RunError> {
        if !self.ask_neutral(context, wanted).await? {
            return Ok(false);
        }
        // Candidate by candidate: neighbours share their prefix.
        let mut pairs = Vec::new();
        for (&candidate, inputs) in wanted {
            let asked = &self.candidates[candidate].asked;
            let fresh = inputs.iter().filter(|input| !asked.contains_key(input));
            pairs.extend(fresh.map(|&input| (candidate, input)));
        }
        let portion = portion(&self.faults, context, &pairs);
        let places = pairs.into_iter().enumerate();
        let (first, rest): (Vec<_>, Vec<_>) = places.partition(|(at, _)| portion.contains(at));
        for part in [first, rest] {
            let pairs: Vec<_> = part.into_iter().map(|(_, pair)| pair).collect();
            if !self.ask_pairs(context, &pairs).await? {
                return Ok(false);
            }
            self.sound(context, false)?;
        }
        Ok(true)
    }

    /// Asks all of these; returns whether the budget sufficed.
    async fn ask_pairs(
        &mut self,
        context: EvalContext<'_>,
        pairs: &[(CandidateIndex, InputIndex)],
    ) -> Result<bool, RunError> {
        // A provider's batch is one, however large.
        let window = match context.model.llm.batches() {
            Some(_) => pairs.len(),
            None => WINDOW,
        };
        for pairs in pairs.chunks(window.max(1)) {
            // Where the budget ends, nothing behind it is asked.
            if !self.ask_window(context, pairs).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn ask_window(
        &mut self,
        context: EvalContext<'_>,
        pairs: &[(CandidateIndex, InputIndex)],
    ) -> Result<bool, RunError> {
        let case = |&(candidate, input): &(CandidateIndex, InputIndex)| -> Case<'_> {
            (&self.candidates[candidate].prompt, self.input(input))
        };
        let cases: Vec<Case<'_>> = pairs.iter().map(case).collect();
        let mut answers = evaluate(context, &cases).await?;
        let labels = pairs.iter().map(|&(_, input)| self.given_label(input));
        let labelled: Vec<_> = cases.into_iter().zip(labels).collect();
        grading::grade(context.task, context.gateway, &labelled, &mut answers).await?;
        let mut complete = true;
        for (&(candidate, input), asked) in pairs.iter().zip(answers) {
            if asked == CallOutcome::Unaffordable {
                complete = false;
            } else {
                self.keep(candidate, input, asked);
            }
        }
        Ok(complete)
    }

    /// Content-free calls of candidates that lack them, where the calibration
    /// wants them.
    async fn ask_neutral(
        &mut self,
        context: EvalContext<'_>,
        wanted: &BTreeMap<CandidateIndex, Vec<InputIndex>>,
    ) -> Result<bool, RunError> {
        let Some(&like) = wanted.values().flatten().next() else {
            return Ok(true);
        };
        if context.calibration != Calibration::Contextual
            || !context.model.llm.capabilities().label_scores
        {
            return Ok(true);
        }
        let neutral = calibrate::content_free(self.input(like));
        let lacking: Vec<_> = wanted
            .keys()
            .copied()
            .filter(|&candidate| self.candidates[candidate].neutral.is_empty())
            .collect();
        let cases: Vec<Case<'_>> = lacking
            .iter()
            .flat_map(|&candidate| {
                let prompt = &self.candidates[candidate].prompt;
                neutral.iter().map(move |input| (prompt, input))
            })
            .collect();
        let answers = evaluate(context, &cases).await?;
        let complete = !answers.contains(&CallOutcome::Unaffordable);
        for (&candidate, answers) in lacking.iter().zip(answers.chunks(neutral.len())) {
            self.candidates[candidate].neutral = answers
                .iter()
                .filter_map(|asked| match asked {
                    CallOutcome::Reply(reply) => Some(reply.clone()),
                    _ => None,
                })
                .collect();
        }
        Ok(complete)
    }
}
