//! One evaluation: one call of the model, or several in turn where the task asks
//! again after a reply; and once more with more room where a reply was cut off.

use shiftproof_tasks::{Answer, AnswerForm, Finish, Input, Prompt, Reply, Request, Task, parse};

use crate::budget::Spend;
use crate::gateway::{CallOutcome, Gateway, PricedModel, RunError};
use crate::llm::{Capabilities, ModelCall};

/// A prompt and what it is asked about.
pub(crate) type Case<'a> = (&'a Prompt, &'a Input);

/// Evaluates every case; one result each, in their order. All cases take their
/// first turn before any takes its second, so a batch stays a batch. A later
/// turn that is refused or not affordable decides the whole evaluation, and no
/// case behind one that was not affordable counts; what was paid for stays in the
/// ledger. A reply that was cut off before it could be read is asked for once more
/// with [more room](MORE).
pub(crate) async fn evaluate(
    task: &dyn Task,
    gateway: &Gateway,
    model: &PricedModel,
    cases: &[Case<'_>],
) -> Result<Vec<CallOutcome>, RunError> {
    let capabilities = model.llm.capabilities();
    let mut replies: Vec<Vec<Reply>> = cases.iter().map(|_| Vec::new()).collect();
    let mut over: Vec<CallOutcome> = vec![CallOutcome::Unaffordable; cases.len()];
    let mut open: Vec<Option<Request>> = Vec::with_capacity(cases.len());
    for (at, first) in requests(task, gateway, cases)
        .await?
        .into_iter()
        .enumerate()
    {
        open.push(match first {
            Ok(request) => Some(request),
            Err(NoRequest::Refused(reason)) => {
                over[at] = CallOutcome::Refused(reason);
                None
            }
            Err(NoRequest::Unaffordable) => None,
        });
    }
    for left in (0..task.calls().max(1)).rev() {
        let (places, calls): (Vec<usize>, Vec<ModelCall>) = open
            .iter_mut()
            .enumerate()
            .filter_map(|(at, request)| Some((at, call(request.take()?, &capabilities))))
            .unzip();
        if calls.is_empty() {
            break;
        }
        let mut answers = gateway.ask(model, &calls).await?;
        let inputs: Vec<&Input> = places.iter().map(|&at| cases[at].1).collect();
        ask_again(task, gateway, model, &inputs, calls, &mut answers).await?;
        for (at, asked) in places.into_iter().zip(answers) {
            let CallOutcome::Reply(reply) = asked else {
                over[at] = asked;
                continue;
            };
            let (prompt, input) = cases[at];
            let so_far = &mut replies[at];
            so_far.push(reply);
            if left > 0 {
                open[at] = task.next(prompt, input, so_far);
            }
            if open[at].is_none() {
                over[at] = CallOutcome::Reply(task.conclude(input, std::mem::take(so_far)));
            }
        }
    }
    // Turns that go wrong end early, so where the budget ends among later turns a
    // choice of the cases that did finish would be a choice of failures. The cases
    // before the first that was cut off are all there, whatever they came to.
    if task.calls() > 1
        && let Some(cut) = over
            .iter()
            .position(|asked| *asked == CallOutcome::Unaffordable)
    {
        over[cut..].fill(CallOutcome::Unaffordable);
    }
    Ok(over)
}

/// Why a case has no request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoRequest {
    /// Who renders it made none, and said why.
    Refused(String),
    /// The budget left nothing to ask with.
    Unaffordable,
}

/// The first request of every case: the task's own, or what its
/// [renderer](Task::renderer) makes of prompt and input. Where there is none, the
/// error says why.
pub(crate) async fn requests(
    task: &dyn Task,
    gateway: &Gateway,
    cases: &[Case<'_>],
) -> Result<Vec<Result<Request, NoRequest>>, RunError> {
    let own = |(prompt, input): &Case<'_>| task.request(prompt, input);
    let Some(renderer) = task.renderer() else {
        return Ok(cases.iter().map(|case| Ok(own(case))).collect());
    };
    let Some(model) = &gateway.auxiliary_models().renderer else {
        let why = "the task's requests are rendered by somebody, and nobody was given to ask";
        let none = || Err(NoRequest::Refused(why.to_owned()));
        return Ok(cases.iter().map(|_| none()).collect());
    };
    let calls: Vec<ModelCall> = cases
        .iter()
        .map(|(prompt, input)| ModelCall::greedy(renderer.request(prompt, input), 1))
        .collect();
    let rendered = gateway.ask(model, &calls).await?.into_iter().zip(cases);
    let first = rendered.map(|(asked, case)| match asked {
        CallOutcome::Reply(reply) => match renderer.read(&reply) {
            Ok(messages) => Ok(Request {
                messages,
                ..own(case)
            }),
            Err(reason) => Err(NoRequest::Refused(reason)),
        },
        CallOutcome::Refused(reason) => Err(NoRequest::Refused(format!("no request: {reason}"))),
        CallOutcome::Unaffordable => Err(NoRequest::Unaffordable),
    });
    Ok(first.collect())
}

/// Asks once more, with more room, for replies that were cut off before they could
/// be read. Where even the second is refused, as by a model that cannot write that
/// much, the first stands.
async fn ask_again(
    task: &dyn Task,
    gateway: &Gateway,
    model: &PricedModel,
    inputs: &[&Input],
    calls: Vec<ModelCall>,
    answers: &mut [CallOutcome],
) -> Result<(), RunError> {
    let capabilities = model.llm.capabilities();
    let (places, calls): (Vec<usize>, Vec<ModelCall>) = calls
        .into_iter()
        .enumerate()
        .filter_map(|(at, mut call)| {
            let CallOutcome::Reply(reply) = &answers[at] else {
                return None;
            };
            let form = &call.request.answer;
            let again = has_more(form, &capabilities) && is_unread(task, inputs[at], form, reply);
            call.sampling.max_tokens = call.sampling.max_tokens.saturating_mul(MORE);
            again.then_some((at, call))
        })
        .unzip();
    if calls.is_empty() {
        return Ok(());
    }
    for (at, asked) in places.into_iter().zip(gateway.ask(model, &calls).await?) {
        if !matches!(asked, CallOutcome::Refused(_)) {
            answers[at] = asked;
        }
    }
    Ok(())
}

/// Whether a reply was cut off before it could be read. A turn of several is read by
/// the form that it asks for, for the task reads the last word alone.
fn is_unread(task: &dyn Task, input: &Input, form: &AnswerForm, reply: &Reply) -> bool {
    let read = || match task.calls() {
        0 | 1 => task.parse(input, reply),
        _ => parse::parse(form, reply),
    };
    reply.finish == Finish::Length && matches!(read(), Answer::Unparseable { .. })
}

/// The most that evaluating one case can cost. Later turns are priced like the
/// first, each with the answers before it as part of the prompt: what is asked
/// there is known only when they are here. That a reply may be cut off and asked for again is
/// not reserved beforehand: that call is reserved when it is made.
pub(crate) fn worst_case(task: &dyn Task, model: &PricedModel, (prompt, input): Case<'_>) -> Spend {
    let capabilities = model.llm.capabilities();
    let first = model.worst_case(&call(task.request(prompt, input), &capabilities));
    (0..task.calls().max(1) as u64)
        .map(|turn| Spend {
            prompt_tokens: first.prompt_tokens + turn * first.completion_tokens,
            ..first
        })
        .sum()
}

/// The call that asks for this.
pub(crate) fn call(request: Request, capabilities: &Capabilities) -> ModelCall {
    let max_tokens = room(&request.answer, capabilities);
    ModelCall::greedy(request, max_tokens)
}

/// How much more room a reply gets that was cut off.
const MORE: u32 = 4;
/// Room for an answer with its reasons, which costs only what is written.
const EXPLAINED: u32 = 512;
/// Room for the bare answer.
const BARE: u32 = 16;
/// Room for one item of a list.
const ITEM: u32 = 24;

/// Completion tokens that an answer of this form gets: what the user has set, else
/// what the form needs and what the model thinks before. A model of this process
/// pays for every token in time, and a small one rambles where it may: it is given
/// room for the bare answer.
fn room(form: &AnswerForm, capabilities: &Capabilities) -> u32 {
    let reasons = if is_local(capabilities) { 0 } else { EXPLAINED };
    let list = |items: usize| {
        ITEM.saturating_mul(items as u32)
            .saturating_add(reasons / 2)
    };
    let own = match form {
        // Nothing is written.
        AnswerForm::Nearest { .. } => return 1,
        AnswerForm::Choice { .. }
        | AnswerForm::MultipleChoice { .. }
        | AnswerForm::Number { .. } => reasons.max(BARE),
        AnswerForm::Ranking { candidates } => list(candidates.len()),
        // Beyond the first places a list written out adds nothing.
        AnswerForm::Likelihood { candidates, .. } => list(candidates.len().min(20)),
        AnswerForm::Json { max_tokens, .. } | AnswerForm::Text { max_tokens } => *max_tokens,
    };
    let thoughts = capabilities.thinking_tokens;
    capabilities
        .max_tokens
        .unwrap_or(own.saturating_add(thoughts))
}

/// The most that an answer of this form gets, asked again included.
pub(crate) fn most_room(form: &AnswerForm, capabilities: &Capabilities) -> u32 {
    let more = if has_more(form, capabilities) {
        MORE
    } else {
        1
    };
    room(form, capabilities).saturating_mul(more)
}

/// Whether a reply that was cut off is asked for again: not against the user's own
/// limit, and not where a model of this process has rambled through a whole list.
fn has_more(form: &AnswerForm, capabilities: &Capabilities) -> bool {
    let short = matches!(
        form,
        AnswerForm::Choice { .. } | AnswerForm::MultipleChoice { .. } | AnswerForm::Number { .. }
    );
    capabilities.max_tokens.is_none() && (short || !is_local(capabilities))
}

/// Whether the model is computed in this process: only such a one wants batches.
const fn is_local(capabilities: &Capabilities) -> bool {
    capabilities.batch > 1
}

#[cfg(test)]
mod tests;
