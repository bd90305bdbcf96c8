//! Asking a model for texts, once more where the first was cut off or declined.

use shiftproof_tasks::Finish;

use super::ProposerView;
use super::screen::{DiscardCounts, declines};
use crate::gateway::{CallOutcome, RunError};
use crate::llm::ModelCall;
use crate::seeds;

/// What came of some calls.
#[derive(Default)]
pub(super) struct ProposedTexts {
    /// One a call, in their order; `None` where there is nothing to read.
    pub read: Vec<Option<String>>,
    /// Calls that were answered in some way: the budget had room for them.
    pub answered: u64,
    /// Calls that were asked again.
    pub again: u64,
}

/// Sample numbers of second asks lie apart from those of first ones.
const AGAIN: u32 = 1 << 20;

/// Why an answer is of no use.
enum UnusableReason {
    CutOff(String),
    Declined(String),
    Refused(String),
}

/// Asks every call; those whose answer was cut off or refused once more, with
/// twice the room or another draw. What is of no use then is a discard.
pub(super) async fn ask(
    view: &ProposerView<'_>,
    calls: &[ModelCall],
    discards: &mut DiscardCounts,
) -> Result<ProposedTexts, RunError> {
    let mut found = ProposedTexts::default();
    let mut again: Vec<(usize, ModelCall)> = Vec::new();
    let mut faults = Vec::new();
    for (index, answer) in view
        .gateway
        .ask(view.model, calls)
        .await?
        .into_iter()
        .enumerate()
    {
        found.answered += u64::from(answer != CallOutcome::Unaffordable);
        let mut text = None;
        match judged(answer) {
            None => {}
            Some(Ok(good)) => text = Some(good),
            Some(Err(fault)) => {
                again.push((index, second(view, &calls[index], &fault)));
                faults.push(fault);
            }
        }
        found.read.push(text);
    }
    let seconds: Vec<ModelCall> = again.iter().map(|(_, call)| call.clone()).collect();
    let answers = view.gateway.ask(view.model, &seconds).await?;
    for (((index, call), first), answer) in again.iter().zip(faults).zip(answers) {
        found.again += u64::from(answer != CallOutcome::Unaffordable);
        match judged(answer) {
            Some(Ok(text)) => found.read[*index] = Some(text),
            Some(Err(fault)) => discard(&fault, call, discards),
            None => discard(&first, call, discards),
        }
    }
    Ok(found)
}

/// Asks every call once, whatever becomes of it: for lines, which end somewhere.
pub(super) async fn once(
    view: &ProposerView<'_>,
    calls: &[ModelCall],
    discards: &mut DiscardCounts,
) -> Result<ProposedTexts, RunError> {
    let mut found = ProposedTexts::default();
    for answer in view.gateway.ask(view.model, calls).await? {
        found.answered += u64::from(answer != CallOutcome::Unaffordable);
        found.read.push(match answer {
            CallOutcome::Reply(reply) => Some(reply.text),
            CallOutcome::Refused(reason) => {
                discards.add("the service refused the request", &reason);
                None
            }
            CallOutcome::Unaffordable => None,
        });
    }
    Ok(found)
}

/// The text of an answer, or what is wrong with it; `None` where there is none.
fn judged(answer: CallOutcome) -> Option<Result<String, UnusableReason>> {
    Some(match answer {
        CallOutcome::Unaffordable => return None,
        CallOutcome::Refused(reason) => Err(UnusableReason::Refused(reason)),
        CallOutcome::Reply(reply) => match reply.finish {
            Finish::Length => Err(UnusableReason::CutOff(reply.text)),
            Finish::Filtered => Err(UnusableReason::Declined(reply.text)),
            Finish::Stop if declines(&reply.text) => Err(UnusableReason::Declined(reply.text)),
            Finish::Stop => Ok(reply.text),
        },
    })
}

/// The call once more. Room that the user has set stays as it is.
fn second(view: &ProposerView<'_>, call: &ModelCall, fault: &UnusableReason) -> ModelCall {
    let mut call = call.clone();
    call.sample += AGAIN;
    let sampling = &mut call.sampling;
    let repeats = match fault {
        UnusableReason::CutOff(text) => loops(text),
        _ => true,
    };
    if matches!(fault, UnusableReason::CutOff(_))
        && view.model.llm.capabilities().max_tokens.is_none()
    {
        sampling.max_tokens *= 2;
    }
    if repeats && sampling.temperature == 0.0 {
        // The likeliest answer is known.
        sampling.temperature = 0.8;
        sampling.top_p = 0.9;
    }
    sampling.seed = seeds::number(sampling.seed, "again");
    call.request.answer = shiftproof_tasks::AnswerForm::Text {
        max_tokens: call.sampling.max_tokens,
    };
    call
}

/// Whether a text ends in the same words over and over.
fn loops(text: &str) -> bool {
    let end: String = text.trim_end().chars().rev().take(40).collect();
    let end: String = end.chars().rev().collect();
    text.matches(&end).count() > 3
}

fn discard(fault: &UnusableReason, call: &ModelCall, discards: &mut DiscardCounts) {
    match fault {
        UnusableReason::CutOff(text) => discards.add(
            &format!(
                "it was cut off at {} tokens (proposer.max_tokens)",
                call.sampling.max_tokens
            ),
            text,
        ),
        UnusableReason::Declined(text) => discards.add("the model declined", text),
        UnusableReason::Refused(reason) => discards.add("the service refused the request", reason),
    }
}

#[cfg(test)]
mod tests;
