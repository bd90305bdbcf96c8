//! Looking answers over for those that cannot be used.

use shiftproof_tasks::{Answer, Finish, Grade, Outcome, Reply};

use crate::event::SHOWN_INPUT;
use crate::gateway::CallOutcome;
use crate::response_matrix::{CandidateAnswers, EvalContext, InputIndex, ResponseMatrix};
use crate::text::cut;
use crate::turns;
use crate::unusable::{AnswerFault, AnswerSurvey, FaultyAnswer};

/// What is wrong with the answer to an input, and what was said; label or no
/// label. `None` where it can be used or was not asked.
pub(crate) fn fault(
    view: &CandidateAnswers<'_>,
    input: InputIndex,
) -> Option<(AnswerFault, String)> {
    // A label of another form than the answer is a failure that only grading sees.
    if let Some(Outcome::Failed { reason }) = view.outcome(input) {
        return Some((AnswerFault::Failed, reason));
    }
    match view.asked(input)? {
        // Read by the task, and by the grader found to be none of the form asked for.
        CallOutcome::Reply(Reply {
            grade: Some(Grade::Unreadable(reason)),
            ..
        }) => Some((AnswerFault::Unparseable, reason)),
        CallOutcome::Unaffordable => None,
        CallOutcome::Refused(reason) => Some((AnswerFault::Failed, reason)),
        CallOutcome::Reply(reply) => {
            let answer = view.answer(input)?;
            let fault = of_reply(&reply, &answer)?;
            let text = match answer {
                _ if fault == AnswerFault::Failed => {
                    "a content filter withheld the reply".to_owned()
                }
                Answer::Unparseable { text } => text,
                _ => reply.text,
            };
            Some((fault, text))
        }
    }
}

/// Why an answer to an input has no grade, where its text alone does not show it: there is
/// none, or who graded it failed or could not read it.
pub(crate) fn reason(view: &CandidateAnswers<'_>, input: InputIndex) -> Option<String> {
    let unreadable_to_grader = matches!(
        view.asked(input),
        Some(CallOutcome::Reply(Reply {
            grade: Some(Grade::Unreadable(_)),
            ..
        }))
    );
    let (fault, text) = fault(view, input)?;
    (fault == AnswerFault::Failed || unreadable_to_grader).then_some(text)
}

/// What a grader said for a grade below 1. It may tell the label.
pub(crate) fn grade_reason(view: &CandidateAnswers<'_>, input: InputIndex) -> Option<String> {
    match view.asked(input)? {
        CallOutcome::Reply(reply) => reply.grade_reason,
        CallOutcome::Refused(_) | CallOutcome::Unaffordable => None,
    }
}

/// What is wrong with a reply that was read as `answer`.
pub(crate) fn of_reply(reply: &Reply, answer: &Answer) -> Option<AnswerFault> {
    match (reply.finish, answer) {
        (Finish::Filtered, _) => Some(AnswerFault::Failed),
        (Finish::Length, Answer::Unparseable { .. }) => Some(AnswerFault::Truncated),
        (Finish::Stop, Answer::Unparseable { .. }) => Some(AnswerFault::Unparseable),
        _ => None,
    }
}

/// What came of one candidate's answers to these inputs.
pub(crate) fn survey(
    matrix: &ResponseMatrix,
    context: EvalContext<'_>,
    view: &CandidateAnswers<'_>,
    inputs: impl IntoIterator<Item = InputIndex>,
) -> AnswerSurvey {
    let mut survey = AnswerSurvey::default();
    for input in inputs {
        if !view.was_asked(input) {
            continue;
        }
        survey.answers += 1;
        let Some((fault, text)) = fault(view, input) else {
            continue;
        };
        let faulty = survey.of(fault);
        faulty.count += 1;
        faulty.show(|| FaultyAnswer {
            candidate: matrix.candidates[view.candidate()].id,
            input: matrix.input(input).id.clone(),
            group: matrix.input(input).group.clone(),
            text: cut(&text, SHOWN_INPUT),
            tokens: (fault == AnswerFault::Truncated)
                .then(|| limit(context, matrix, view, input))
                .flatten(),
        });
    }
    survey.sort();
    survey
}

/// The tokens that the answer to this input got at most; of several turns it is not
/// told which was cut off.
fn limit(
    context: EvalContext<'_>,
    matrix: &ResponseMatrix,
    view: &CandidateAnswers<'_>,
    input: InputIndex,
) -> Option<u32> {
    let prompt = &matrix.candidates[view.candidate()].prompt;
    (context.task.calls() <= 1).then(|| {
        let form = context.task.request(prompt, matrix.input(input)).answer;
        turns::most_room(&form, &context.model.llm.capabilities())
    })
}

#[cfg(test)]
mod tests;
