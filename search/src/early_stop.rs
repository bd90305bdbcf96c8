//! The first answers, looked at before more is spent, and the telling of those that
//! cannot be used.

use std::collections::{BTreeMap, BTreeSet};

use crate::emitted::EmittedFaults;
use crate::event::Event;
use crate::gateway::RunError;
use crate::response_matrix::{
    CandidateIndex, EvalContext, InputIndex, ReplyAdjustment, ResponseMatrix,
};
use crate::survey::survey;
use crate::unusable::{AnswerSurvey, HopelessRun};

/// Answers after which it is known whether a study's answers can be used.
const ENOUGH: usize = 20;
/// Answers of the first portion at most, however many prompts there are.
const MOST: usize = 2 * ENOUGH;
/// One input that every prompt is refused for says nothing of the others, and a
/// race may ask every prompt about one before the next.
const INPUTS: usize = 3;

/// Which of these evaluations are asked before the others, so that little is
/// spent until it is known whether answers can be used: some of every
/// candidate, on different inputs. Empty where nothing is gained by it.
pub(crate) fn portion(
    emitted: &EmittedFaults,
    context: EvalContext<'_>,
    wanted: &[(CandidateIndex, InputIndex)],
) -> BTreeSet<usize> {
    // A model of this process is asked in batches of neighbours, and costs time.
    if emitted.sounded || context.model.llm.capabilities().batch > 1 || wanted.len() <= ENOUGH {
        return BTreeSet::new();
    }
    let mut of: BTreeMap<CandidateIndex, Vec<usize>> = BTreeMap::new();
    for (at, (candidate, _)) in wanted.iter().enumerate() {
        of.entry(*candidate).or_default().push(at);
    }
    let most = of.len().clamp(ENOUGH, MOST);
    let (every, each) = (of.len().div_ceil(most), most.div_ceil(of.len()));
    of.values()
        .step_by(every)
        .enumerate()
        .flat_map(|(number, own)| {
            let each = each.min(own.len());
            (0..each).map(move |turn| own[(number + turn * own.len() / each) % own.len()])
        })
        .collect()
}

impl ResponseMatrix {
    /// Looks at the first answers, once there are enough of them (or no more to
    /// come, `last`): where hardly one can be used, that is told, and unless the
    /// user wants to go on the run stops. No prompt stops it alone while others
    /// are asked too.
    pub fn sound(&mut self, context: EvalContext<'_>, last: bool) -> Result<(), RunError> {
        if self.faults.sounded {
            return Ok(());
        }
        let asked: Vec<(CandidateIndex, InputIndex)> = self.all_asked().collect();
        let candidates: BTreeSet<_> = asked.iter().map(|pair| pair.0).collect();
        let inputs: BTreeSet<_> = asked.iter().map(|pair| pair.1).collect();
        let enough = last || (asked.len() >= ENOUGH && inputs.len() >= INPUTS);
        if asked.is_empty() || !enough || candidates.len() < self.candidates.len().min(2) {
            return Ok(());
        }
        self.faults.sounded = true;
        let survey = self.survey_all(context, &asked);
        if survey.is_hopeless() {
            self.emit_unusable(context)?;
            if !context.keep_going {
                return Err(Self::hopeless(context, survey));
            }
        }
        Ok(())
    }

    /// Tells of answers that cannot be used, as far as they are news.
    pub fn emit_unusable(&mut self, context: EvalContext<'_>) -> Result<(), RunError> {
        let fresh: Vec<(CandidateIndex, InputIndex)> = self
            .all_asked()
            .filter(|pair| !self.faults.checked.contains(pair))
            .collect();
        let survey = self.survey_all(context, &fresh);
        self.faults.checked.extend(fresh);
        if survey.faults.is_empty() {
            return Ok(());
        }
        context.gateway.emit(&Event::Unusable {
            phase: context.gateway.phase(),
            survey,
        })
    }

    /// The stop of a run that has answers to these inputs, and none to choose a
    /// prompt by; `None` where nothing was asked.
    pub fn nothing_usable(
        &self,
        context: EvalContext<'_>,
        inputs: &[InputIndex],
    ) -> Option<RunError> {
        let asked = self.all_asked().filter(|pair| inputs.contains(&pair.1));
        let survey = self.survey_all(context, &asked.collect::<Vec<_>>());
        (survey.unusable() > 0).then(|| Self::hopeless(context, survey))
    }

    fn hopeless(context: EvalContext<'_>, survey: AnswerSurvey) -> RunError {
        let max_tokens = context.model.llm.capabilities().max_tokens;
        RunError::Unusable(Box::new(HopelessRun { survey, max_tokens }))
    }

    fn survey_all(
        &self,
        context: EvalContext<'_>,
        asked: &[(CandidateIndex, InputIndex)],
    ) -> AnswerSurvey {
        let mut whole = AnswerSurvey::default();
        for own in asked.chunk_by(|a, b| a.0 == b.0) {
            // Whether an answer can be used does not depend on what is learnt.
            let view = self.answers_as(context, own[0].0, ReplyAdjustment::default());
            let inputs = own.iter().map(|pair| pair.1);
            whole.add(&survey(self, context, &view, inputs));
        }
        whole
    }
}

#[cfg(test)]
mod tests;
