//! Tells what was answered, for people to read: each input once, each answer
//! when it is news, every text cut to a bounded length.
//!
//! Only observers hear of it. The true label of a target example, and a grade
//! that would give it away, are told by the audit alone.

use std::collections::HashMap;

use shiftproof_tasks::{Answer, Outcome};

use crate::emitted::EmittedAnswers;
use crate::event::{
    AnswerDetail, AnswerVerdict, Event, GroupRole, Phase, SHOWN_ANSWER, SHOWN_DETAIL, SHOWN_INPUT,
    ShownAnswer, ShownInput, UngradedReason,
};
use crate::gateway::{CallOutcome, RunError};
use crate::response_matrix::{
    CandidateAnswers, CandidateIndex, EvalContext, InputIndex, ReplyAdjustment, ResponseMatrix,
};
use crate::survey::{fault, grade_reason, reason};
use crate::text::cut;
use crate::unusable::AnswerFault;

/// Tells the answers of one candidate to `inputs`, as far as they are news, under
/// this adjustment.
pub(crate) fn answers(
    matrix: &mut ResponseMatrix,
    context: EvalContext<'_>,
    phase: Phase,
    candidate: CandidateIndex,
    inputs: &[InputIndex],
    adjustment: ReplyAdjustment,
) -> Result<(), RunError> {
    let mut emitted = std::mem::take(&mut matrix.emitted);
    let view = matrix.answers_as(context, candidate, adjustment);
    let events = news(&mut emitted, matrix, context, phase, &view, inputs);
    matrix.emitted = emitted;
    for event in &events {
        context.gateway.emit(event)?;
    }
    Ok(())
}

/// The events that bring observers up to date.
fn news(
    emitted: &mut EmittedAnswers,
    matrix: &ResponseMatrix,
    context: EvalContext<'_>,
    phase: Phase,
    view: &CandidateAnswers<'_>,
    inputs: &[InputIndex],
) -> Vec<Event> {
    let candidate = view.candidate();
    let (mut fresh, mut texts, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    let mut places: HashMap<String, u32> = HashMap::new();
    for &input in inputs {
        let Some((text, verdict)) = shown(matrix, view, phase, input) else {
            continue;
        };
        let (place, first) = emitted.place(input);
        if first {
            fresh.push(shown_input(matrix, context, phase, input));
        }
        if !emitted.is_news(candidate, place, &text, verdict) {
            continue;
        }
        if verdict.is_failure()
            && let Some(detail) = detail(matrix, context, view, phase, (input, place))
        {
            context.gateway.detail(&detail);
        }
        let text = *places.entry(text).or_insert_with_key(|text| {
            texts.push(text.clone());
            texts.len() as u32 - 1
        });
        answers.push(ShownAnswer {
            input: place,
            text,
            verdict,
        });
    }
    let mut events = Vec::new();
    if !fresh.is_empty() {
        events.push(Event::Inputs { inputs: fresh });
    }
    if !answers.is_empty() {
        events.push(Event::Answered {
            candidate: matrix.candidates[candidate].id,
            phase,
            texts,
            answers,
        });
    }
    events
}

/// An answer's text and worth; `None` where the candidate was not asked.
fn shown(
    matrix: &ResponseMatrix,
    view: &CandidateAnswers<'_>,
    phase: Phase,
    input: InputIndex,
) -> Option<(String, AnswerVerdict)> {
    let is_kept = matrix.is_voted(input) && matrix.is_trusted(input);
    let open = label_is_open(matrix, phase, input) || is_kept;
    if let Some((fault, text)) = fault(view, input) {
        let verdict = AnswerVerdict::Ungraded(fault.into());
        return Some((cut(&text, SHOWN_ANSWER), verdict));
    }
    let text = view.answer(input)?.to_text();
    let verdict = match view.outcome(input) {
        Some(Outcome::Scored(scored)) if open => AnswerVerdict::Graded(scored.value),
        Some(Outcome::Unparseable { .. }) => {
            AnswerVerdict::Ungraded(AnswerFault::Unparseable.into())
        }
        Some(Outcome::Truncated { .. }) => AnswerVerdict::Ungraded(AnswerFault::Truncated.into()),
        _ => AnswerVerdict::Ungraded(UngradedReason::Unlabelled),
    };
    Some((cut(&text, SHOWN_ANSWER), verdict))
}

/// More of an answer that is not right than its event holds. `place`: the input's among
/// those told.
fn detail(
    matrix: &ResponseMatrix,
    context: EvalContext<'_>,
    view: &CandidateAnswers<'_>,
    phase: Phase,
    (input, place): (InputIndex, u32),
) -> Option<AnswerDetail> {
    let longer =
        |text: String, told: usize| (text.chars().count() > told).then(|| cut(&text, SHOWN_DETAIL));
    let is_open = label_is_open(matrix, phase, input);
    let label = matrix
        .label(input)
        .filter(|_| is_open && !matrix.is_voted(input));
    let answer = view.answer(input);
    let said = answer.as_ref().map(Answer::to_text).unwrap_or_default();
    let said_by_grader = || grade_reason(view, input).filter(|_| is_open);
    let no_grade = reason(view, input);
    let told = match fault(view, input) {
        Some(_) if no_grade.is_some() => String::new(),
        Some((_, text)) => text,
        None => said.clone(),
    };
    let reply = match view.asked(input)? {
        CallOutcome::Reply(reply) => {
            let reply = cut(&reply.text, SHOWN_DETAIL);
            (!reply.is_empty() && reply != cut(&told, SHOWN_ANSWER)).then_some(reply)
        }
        CallOutcome::Refused(_) | CallOutcome::Unaffordable => None,
    };
    let wrong = |label| {
        let parts = answer.iter().flat_map(|own| context.task.parts(own, label));
        let wrong = parts.filter(|(_, grade)| *grade < 1.0);
        wrong.map(|(name, _)| cut(&name, SHOWN_ANSWER)).collect()
    };
    let detail = AnswerDetail {
        candidate: matrix.candidates[view.candidate()].id,
        input: place,
        text: longer(context.task.render(matrix.input(input)), SHOWN_INPUT),
        label: label.and_then(|label| longer(label.to_answer(), SHOWN_ANSWER)),
        answer: longer(said, SHOWN_ANSWER),
        reason: no_grade
            .or_else(said_by_grader)
            .map(|reason| cut(&reason, SHOWN_DETAIL)),
        reply,
        wrong: label.map(wrong).unwrap_or_default(),
    };
    (!detail.is_empty()).then_some(detail)
}

/// Whether the true label may be told: a source example's always, a target
/// example's in the audit.
fn label_is_open(matrix: &ResponseMatrix, phase: Phase, input: InputIndex) -> bool {
    phase == Phase::Audit || matrix.groups[matrix.group_of(input)].role == GroupRole::Source
}

fn shown_input(
    matrix: &ResponseMatrix,
    context: EvalContext<'_>,
    phase: Phase,
    index: InputIndex,
) -> ShownInput {
    let input = matrix.input(index);
    let label = matrix
        .label(index)
        .filter(|_| label_is_open(matrix, phase, index) && !matrix.is_voted(index));
    ShownInput {
        id: input.id.clone(),
        group: input.group.clone(),
        text: cut(&context.task.render(input), SHOWN_INPUT),
        label: label.map(|label| cut(&label.to_answer(), SHOWN_ANSWER)),
    }
}

#[cfg(test)]
mod tests;
