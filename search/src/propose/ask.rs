//! Asking a model for texts, once more where the first was cut off or declined.

use shiftproof_tasks::Finish;

use super::View;
use super::screen::{Discards, declines};
use crate::gateway::{Asked, Stop};
use crate::llm::Call;
use crate::seeds;

/// What came of some calls.
#[derive(Default)]
pub(super) struct Texts {
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
enum Fault {
    CutOff(String),
    Declined(String),
    Refused(String),
}

/// Asks every call; those whose answer was cut off or refused once more, with
/// twice the room or another draw. What is of no use then is a discard.
pub(super) async fn ask(
    view: &View<'_>,
    calls: &[Call],
    discards: &mut Discards,
) -> Result<Texts, Stop> {
    let mut found = Texts::default();
    let mut again: Vec<(usize, Call)> = Vec::new();
    let mut faults = Vec::new();
    for (index, answer) in view
        .gateway
        .ask(view.model, calls)
        .await?
        .into_iter()
        .enumerate()
    {
        found.answered += u64::from(answer != Asked::Unaffordable);
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
    let seconds: Vec<Call> = again.iter().map(|(_, call)| call.clone()).collect();
    let answers = view.gateway.ask(view.model, &seconds).await?;
    for (((index, call), first), answer) in again.iter().zip(faults).zip(answers) {
        found.again += u64::from(answer != Asked::Unaffordable);
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
    view: &View<'_>,
    calls: &[Call],
    discards: &mut Discards,
) -> Result<Texts, Stop> {
    let mut found = Texts::default();
    for answer in view.gateway.ask(view.model, calls).await? {
        found.answered += u64::from(answer != Asked::Unaffordable);
        found.read.push(match answer {
            Asked::Reply(reply) => Some(reply.text),
            Asked::Refused(reason) => {
                discards.add("the service refused the request", &reason);
                None
            }
            Asked::Unaffordable => None,
        });
    }
    Ok(found)
}

/// The text of an answer, or what is wrong with it; `None` where there is none.
fn judged(answer: Asked) -> Option<Result<String, Fault>> {
    Some(match answer {
        Asked::Unaffordable => return None,
        Asked::Refused(reason) => Err(Fault::Refused(reason)),
        Asked::Reply(reply) => match reply.finish {
            Finish::Length => Err(Fault::CutOff(reply.text)),
            Finish::Filtered => Err(Fault::Declined(reply.text)),
            Finish::Stop if declines(&reply.text) => Err(Fault::Declined(reply.text)),
            Finish::Stop => Ok(reply.text),
        },
    })
}

/// The call once more. Room that the user has set stays as it is.
fn second(view: &View<'_>, call: &Call, fault: &Fault) -> Call {
    let mut call = call.clone();
    call.sample += AGAIN;
    let sampling = &mut call.sampling;
    let repeats = match fault {
        Fault::CutOff(text) => loops(text),
        _ => true,
    };
    if matches!(fault, Fault::CutOff(_)) && view.model.llm.capabilities().max_tokens.is_none() {
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

fn discard(fault: &Fault, call: &Call, discards: &mut Discards) {
    match fault {
        Fault::CutOff(text) => discards.add(
            &format!(
                "it was cut off at {} tokens (proposer.max_tokens)",
                call.sampling.max_tokens
            ),
            text,
        ),
        Fault::Declined(text) => discards.add("the model declined", text),
        Fault::Refused(reason) => discards.add("the service refused the request", reason),
    }
}
