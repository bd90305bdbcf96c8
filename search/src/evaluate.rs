//! Fixed prompts on given examples, without a search.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use shiftproof_tasks::{
    Answer, BaselinePredictions, Example, Input, Outcome, Prompt, Task, evaluation_calls,
};

use crate::augment::augment;
use crate::calibrate::{CONTENT_FREE, Calibration, CalibrationFit, CalibrationSet};
use crate::event::{GroupInfo, GroupOutcome};
use crate::gateway::{CallOutcome, Gateway, PricedModel, RunError};
use crate::grading;
use crate::response_matrix::{
    CandidateAnswers, EvalContext, InputIndex, ReplyAdjustment, ResponseMatrix,
};
use crate::score::group_scores;
use crate::stats::ClusteredSample;
use crate::survey::{fault, grade_reason, of_reply, reason, survey};
use crate::turns::{self, Case};
use crate::unusable::{AnswerFault, AnswerSurvey};

/// Scores prompts under the rules of a run's audit.
pub struct PromptEvaluator<'a> {
    /// The task.
    pub task: &'a dyn Task,
    /// The way to the model: stored answers are reused and the budget holds.
    pub gateway: &'a Gateway,
    /// The model.
    pub model: &'a PricedModel,
    /// Calibration of scored labels.
    pub calibration: Calibration,
    /// The study's groups.
    pub groups: &'a [GroupInfo],
    /// Where readings are learnt: outside the examples scored, because a deployed
    /// prompt cannot wait for a batch and sealed labels teach nothing.
    pub settle_on: CalibrationSet,
    /// Whether to go on where hardly one of the first answers can be used.
    pub keep_going: bool,
}

/// What an evaluation came to.
#[derive(Debug, Clone)]
pub struct PromptEvaluation {
    /// Per prompt: its groups' scores, in the study's order. An example that
    /// the budget left out is in no score.
    pub scores: Vec<Vec<GroupOutcome>>,
    /// Per prompt and example: the grade in `0..=1`, `None` where the call
    /// failed, the reply was cut off unread or the budget left it out.
    pub grades: Vec<Vec<Option<f64>>>,
    /// Per prompt and example: what came of asking.
    pub answers: Vec<Vec<ExampleAnswer>>,
    /// Per example: the number of its group.
    pub groups: Vec<usize>,
    /// Per example: a number shared within its cluster.
    pub clusters: Vec<u64>,
    /// What each prompt's calibration rests on; empty where none is asked for.
    pub calibration_fits: Vec<CalibrationFit>,
    /// Per prompt: what the task [learnt](shiftproof_tasks::Fitting) about reading
    /// its replies, in words; `None` where the task learns nothing.
    pub readings: Vec<Option<String>>,
    /// Per prompt: what came of asking it about the examples.
    pub surveys: Vec<AnswerSurvey>,
    /// Whether the budget sufficed.
    pub complete: bool,
}

impl PromptEvaluation {
    /// The examples for which every row of `grades` has one, and how many have
    /// not.
    pub fn paired(&self, grades: &[&[Option<f64>]], groups: usize) -> (ClusteredSample, usize) {
        let mut sample = ClusteredSample::new(grades.len(), groups);
        let mut dropped = 0;
        for (example, (&group, &cluster)) in self.groups.iter().zip(&self.clusters).enumerate() {
            let row: Option<Vec<f64>> = grades
                .iter()
                .map(|row| row.get(example).copied().flatten())
                .collect();
            if !row.is_some_and(|row| sample.push(group, cluster, &row)) {
                dropped += 1;
            }
        }
        (sample, dropped)
    }
}

/// What an evaluation asks about.
struct KnownInputs<'e> {
    settle_on: Cow<'e, CalibrationSet>,
    examples: Cow<'e, [Example]>,
    inputs: Cow<'e, [Input]>,
    /// Whether the limits sufficed for what was to be written about them.
    complete: bool,
}

/// Calls that [`PromptEvaluator::score`] asks at most, those for what is learnt
/// included; equal prompts are asked once.
pub fn calls(
    task: &dyn Task,
    model: &PricedModel,
    calibration: Calibration,
    settle_on: &CalibrationSet,
    prompts: &[Prompt],
    examples: usize,
) -> u64 {
    let neutral = match calibration {
        _ if !model.llm.capabilities().label_scores => 0,
        Calibration::None => 0,
        Calibration::Contextual => CONTENT_FREE.len(),
        Calibration::Batch => settle_on.inputs().len(),
    };
    let learnt = task.fitting().map_or(0, |_| settle_on.examples().len());
    let different: BTreeSet<_> = prompts.iter().map(Prompt::id).collect();
    (different.len() * (neutral * task.calls() + (learnt + examples) * evaluation_calls(task)))
        as u64
}

impl PromptEvaluator<'_> {
    fn context(&self) -> EvalContext<'_> {
        EvalContext {
            task: self.task,
            gateway: self.gateway,
            model: self.model,
            calibration: self.calibration,
            keep_going: self.keep_going,
        }
    }

    /// What is going to be asked about, with the knowledge that is written of it.
    async fn known<'e>(
        &'e self,
        examples: &'e [Example],
        inputs: &'e [Input],
    ) -> Result<KnownInputs<'e>, RunError> {
        let mut known = KnownInputs {
            settle_on: Cow::Borrowed(&self.settle_on),
            examples: Cow::Borrowed(examples),
            inputs: Cow::Borrowed(inputs),
            complete: true,
        };
        if self.gateway.auxiliary_models().knowledge.is_none() {
            return Ok(known);
        }
        let (batch, learns) = (self.learns_from_batch(), self.task.fitting().is_some());
        let settle_on = known.settle_on.to_mut();
        settle_on.keep(batch, learns);
        let examples = known.examples.to_mut().iter_mut();
        let all = examples
            .map(|example| &mut example.input)
            .chain(known.inputs.to_mut())
            .chain(settle_on.inputs_mut());
        known.complete = augment(self.gateway, all.collect(), self.keep_going).await?;
        Ok(known)
    }

    /// Whether scores are calibrated by what a batch of inputs is answered.
    fn learns_from_batch(&self) -> bool {
        self.calibration == Calibration::Batch && self.model.llm.capabilities().label_scores
    }

    /// Scores each prompt on `examples`.
    pub async fn score(
        &self,
        prompts: &[Prompt],
        examples: &[Example],
    ) -> Result<PromptEvaluation, RunError> {
        let mut matrix = ResponseMatrix::new(self.groups.to_vec());
        let context = self.context();
        if let (Some(prompt), Some(example)) = (prompts.first(), examples.first()) {
            grading::rehearse(self.task, self.gateway, prompt, example).await?;
        }
        let KnownInputs {
            settle_on,
            examples,
            complete: known,
            ..
        } = self.known(examples, &[]).await?;
        for prompt in prompts {
            // The same prompt twice is one candidate.
            let _ = matrix.enter(prompt.clone(), Vec::new(), None);
        }
        let candidates: Vec<usize> = (0..matrix.candidates.len()).collect();
        let batch = self.learns_from_batch();
        let mut complete = known;
        if batch {
            let settling = matrix.add_inputs(settle_on.inputs().iter());
            complete = complete && matrix.ask(context, &candidates, &settling).await?;
        }
        let learns = self.task.fitting().is_some();
        if learns {
            let settling = matrix.add_examples(settle_on.examples());
            complete = complete && matrix.ask(context, &candidates, &settling).await?;
        }
        // Fixed before an example is scored; the contextual calibration asks
        // its own content-free inputs first.
        let fixed: Vec<ReplyAdjustment> = candidates
            .iter()
            .map(|&c| matrix.adjustment(context, c))
            .collect();
        let learnt: Vec<CalibrationFit> = candidates
            .iter()
            .filter(|_| batch)
            .map(|&c| matrix.calibration_fit(self.calibration, c))
            .collect();
        let inputs = matrix.add_examples(&examples);
        complete = complete && matrix.ask(context, &candidates, &inputs).await?;
        matrix.sound(context, true)?;
        matrix.emit_unusable(context)?;
        let settled = match self.calibration {
            Calibration::None => Vec::new(),
            Calibration::Batch if batch => learnt,
            // Content-free replies, or none where no label is scored.
            calibration => candidates
                .iter()
                .map(|&c| matrix.calibration_fit(calibration, c))
                .collect(),
        };
        let place = |prompt: &Prompt| {
            let at = matrix.candidates.iter().position(|c| c.id == prompt.id());
            at.expect("every prompt was entered")
        };
        let describe = |prompt: &Prompt| {
            let fit = fixed[place(prompt)].fit.as_deref();
            Some(self.task.fitting()?.describe(fit))
        };
        let mut evaluation = PromptEvaluation {
            scores: Vec::new(),
            grades: Vec::new(),
            answers: Vec::new(),
            surveys: Vec::new(),
            groups: inputs.iter().map(|&input| matrix.group_of(input)).collect(),
            clusters: matrix.clusters(&inputs),
            calibration_fits: settled,
            readings: prompts.iter().map(describe).collect(),
            complete,
        };
        let places: Vec<usize> = prompts.iter().map(place).collect();
        for (number, &at) in places.iter().enumerate() {
            let view = if batch || learns {
                matrix.answers_as(context, at, fixed[at].clone())
            } else {
                matrix.answers(context, at)
            };
            evaluation.scores.push(view.group_scores(&inputs));
            let answers = inputs.iter().map(|&input| ExampleAnswer::of(&view, input));
            let answers: Vec<ExampleAnswer> = answers.collect();
            evaluation
                .grades
                .push(answers.iter().map(ExampleAnswer::grade).collect());
            evaluation.answers.push(answers);
            let inputs = inputs.iter().copied();
            evaluation
                .surveys
                .push(survey(&matrix, context, &view, inputs));
            // What was said is told: of hundreds of prompts the replies are held once.
            if !places[number + 1..].contains(&at) {
                matrix.candidates[at].asked.clear();
            }
        }
        Ok(evaluation)
    }
}

/// What came of asking a prompt about one example.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExampleAnswer {
    /// The reply as it came, of several turns what concludes them; of a refusal the
    /// reason. `None`: the budget left it out.
    pub reply: Option<Arc<str>>,
    /// Why there is no grade, where there is a reply that does not show it: who grades
    /// failed, or could not read it. Of a grade below 1 what the grader said for it.
    pub reason: Option<Arc<str>>,
    /// What the task reads in it and how that compares with the label; `None` where it
    /// was not asked.
    pub outcome: Option<Outcome>,
}

impl ExampleAnswer {
    fn of(view: &CandidateAnswers<'_>, input: InputIndex) -> Self {
        Self {
            reply: view.said(input),
            reason: reason(view, input)
                .or_else(|| grade_reason(view, input))
                .map(Into::into),
            outcome: view.outcome(input),
        }
    }

    /// In `0..=1`; `None` where the answer counts in no score.
    fn grade(&self) -> Option<f64> {
        self.outcome.as_ref().and_then(Outcome::value)
    }
}

/// What a prompt made of one input.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenAnswer {
    /// The class it answered; `None` where the task has none or the answer is not of the
    /// form asked for.
    pub class: Option<String>,
    /// What it is worth, in `0..=1`; `None` without a label, where the call failed and
    /// where the reply was cut off unread.
    pub grade: Option<f64>,
    /// Whether there is an answer that counts, readable or not.
    pub counts: bool,
}

impl PromptEvaluator<'_> {
    /// What `prompt` answers to labelled and unlabelled inputs, in this order, read as
    /// an audit reads it. `None`: the budget did not suffice.
    pub async fn answers(
        &self,
        prompt: &Prompt,
        labelled: &[Example],
        unlabelled: &[Input],
    ) -> Result<Option<Vec<GivenAnswer>>, RunError> {
        let mut matrix = ResponseMatrix::new(self.groups.to_vec());
        let context = self.context();
        let _first = matrix.enter(prompt.clone(), Vec::new(), None);
        let KnownInputs {
            settle_on,
            examples: labelled,
            inputs: unlabelled,
            complete,
        } = self.known(labelled, unlabelled).await?;
        if !complete {
            return Ok(None);
        }
        let mut settling = Vec::new();
        if self.learns_from_batch() {
            settling = matrix.add_inputs(settle_on.inputs().iter());
        }
        if self.task.fitting().is_some() {
            settling.extend(matrix.add_examples(settle_on.examples()));
        }
        if !matrix.ask(context, &[0], &settling).await? {
            return Ok(None);
        }
        let fixed = (!settling.is_empty()).then(|| matrix.adjustment(context, 0));
        let mut inputs = matrix.add_examples(&labelled);
        inputs.extend(matrix.add_inputs(unlabelled.iter()));
        if !matrix.ask(context, &[0], &inputs).await? {
            return Ok(None);
        }
        matrix.sound(context, true)?;
        matrix.emit_unusable(context)?;
        let view = match fixed {
            Some(fixed) => matrix.answers_as(context, 0, fixed),
            None => matrix.answers(context, 0),
        };
        let given = |&input: &InputIndex| {
            let answer = view.answer(input);
            GivenAnswer {
                grade: view.outcome(input).as_ref().and_then(Outcome::value),
                counts: fault(&view, input)
                    .is_none_or(|(fault, _)| fault == AnswerFault::Unparseable),
                class: match answer {
                    Some(Answer::Class { label, .. }) => Some(label),
                    _ => None,
                },
            }
        };
        Ok(Some(inputs.iter().map(given).collect()))
    }
}

/// One answer as the task understands it.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedReply {
    /// What was said; of a refusal the reason.
    pub said: String,
    /// What it means; `None` where nothing was said.
    pub answer: Option<Answer>,
    /// What is wrong with it, if anything.
    pub fault: Option<AnswerFault>,
}

/// What a prompt answers to these inputs and how the task reads it, asked as an
/// evaluation asks; one result each, `None` where the budget has no room for it.
pub async fn understand(
    task: &dyn Task,
    gateway: &Gateway,
    model: &PricedModel,
    prompt: &Prompt,
    inputs: &[&Input],
) -> Result<Vec<Option<ParsedReply>>, RunError> {
    let mut known: Vec<Input> = inputs.iter().map(|&input| input.clone()).collect();
    // Who looks at a few answers goes on whatever they are.
    if !augment(gateway, known.iter_mut().collect(), true).await? {
        return Ok(vec![None; inputs.len()]);
    }
    let cases: Vec<Case<'_>> = known.iter().map(|input| (prompt, input)).collect();
    let asked = turns::evaluate(task, gateway, model, &cases).await?;
    let understood = |(asked, input): (CallOutcome, &Input)| match asked {
        CallOutcome::Unaffordable => None,
        CallOutcome::Refused(reason) => Some(ParsedReply {
            said: reason,
            answer: None,
            fault: Some(AnswerFault::Failed),
        }),
        CallOutcome::Reply(reply) => {
            let answer = task.parse(input, &reply);
            Some(ParsedReply {
                fault: of_reply(&reply, &answer),
                said: reply.text,
                answer: Some(answer),
            })
        }
    };
    Ok(asked.into_iter().zip(&known).map(understood).collect())
}

/// What a baseline scores on `examples`, group by group in the order of
/// `groups`, read and graded by the task; empty where its predictions do not fit
/// the task's answer form.
pub fn baseline(
    task: &dyn Task,
    groups: &[GroupInfo],
    baseline: &BaselinePredictions,
    examples: &[Example],
) -> Vec<GroupOutcome> {
    let mut matrix = ResponseMatrix::new(groups.to_vec());
    let inputs = matrix.add_examples(examples);
    baseline_scores(task, &matrix, baseline, &inputs)
}

/// As [`baseline`], on inputs of a matrix.
pub(crate) fn baseline_scores(
    task: &dyn Task,
    matrix: &ResponseMatrix,
    baseline: &BaselinePredictions,
    inputs: &[InputIndex],
) -> Vec<GroupOutcome> {
    if task.grader().is_some() || !task.metric().compares_labels() {
        // Nobody was asked about its answers: they have no score that compares.
        return Vec::new();
    }
    let outcome = |&index: &InputIndex| -> Option<(InputIndex, Outcome)> {
        let input = matrix.input(index);
        let reply = baseline.reply(&input.id, &task.answer_form(input))?;
        let answer = task.parse(input, &reply);
        Some((index, task.grade(&answer, matrix.label(index)?)))
    };
    let outcomes: Vec<_> = inputs.iter().filter_map(outcome).collect();
    group_scores(matrix, task, &outcomes)
}

#[cfg(test)]
mod tests;
