//! Prompts written anew from what was shown: how they are asked for, read and
//! screened, whatever the proposer can do.

use shiftproof_tasks::{AnswerForm, Example, Message, Prompt, Request};

use super::form::{ProposalForm, room};
use super::induce;
use super::library::imperatives;
use super::screen::{ProposalScreen, padded};
use super::{Proposal, ProposalBatch, ProposerView, ask, meta, read};
use crate::event::Origin;
use crate::gateway::RunError;
use crate::llm::{ModelCall, SamplingOptions};
use crate::seeds;

/// One prompt that is wanted.
pub(super) struct Rewrite<'r> {
    /// What it is made from, the prompt that is written anew first.
    pub parents: Vec<&'r Prompt>,
    /// What a model is asked that follows instructions.
    pub messages: Vec<Message>,
    /// Inputs with their right outputs, for a model that sends back what it is shown:
    /// it would copy a prompt, and cannot say what is wrong with one.
    pub demonstrations: Vec<Example>,
    /// Inputs without outputs that it must work on, for the same.
    pub beside: Vec<String>,
    /// How it comes about.
    pub origin: Origin,
    /// Which of the method's cases it is for.
    pub case: usize,
}

/// A method's own rule about proposals; `Err` names the rule that is broken.
pub(super) type OwnRule<'r> = &'r (dyn Fn(&Prompt, &Rewrite<'_>) -> Result<(), String> + Sync);

/// Asks for all of them and adds what can be used, in their order.
pub(super) async fn rewrite(
    view: &ProposerView<'_>,
    wanted: &[Rewrite<'_>],
    rule: OwnRule<'_>,
    batch: &mut ProposalBatch,
) -> Result<(), RunError> {
    match view.form {
        ProposalForm::Plain => whole(view, wanted, rule, batch).await,
        ProposalForm::Opening => lines(view, wanted, rule, batch).await,
    }
}

/// One text of so many, and two at least, tries whether the model can write a prompt
/// anew.
const TRIED: usize = 4;
const LEAST_TRIED: usize = 2;

/// Whole prompts: a few first, written anew from what went wrong. A small model sends
/// the prompt or the request back instead; where none of these can be used, the others
/// are asked for as if there were no prompt yet, from the same examples with their right
/// outputs.
async fn whole(
    view: &ProposerView<'_>,
    wanted: &[Rewrite<'_>],
    rule: OwnRule<'_>,
    batch: &mut ProposalBatch,
) -> Result<(), RunError> {
    let tried = wanted.len().div_ceil(TRIED).max(LEAST_TRIED);
    let (first, rest) = wanted.split_at(tried.min(wanted.len()));
    let messages = first.iter().map(|wanted| wanted.messages.clone());
    let used = wave(view, (first, calls(view, messages)), rule, batch).await?;
    let able = used > 0;
    let messages = rest.iter().map(|wanted| {
        if able {
            wanted.messages.clone()
        } else {
            meta::induce(view, &wanted.demonstrations, &wanted.beside, None)
        }
    });
    let own = ProposerView {
        seed: seeds::number(view.seed, "rest"),
        ..*view
    };
    wave(view, (rest, calls(&own, messages)), rule, batch).await?;
    Ok(())
}

/// Asks all of them at once; returns how many came to something.
async fn wave(
    view: &ProposerView<'_>,
    (wanted, calls): (&[Rewrite<'_>], Vec<ModelCall>),
    rule: OwnRule<'_>,
    batch: &mut ProposalBatch,
) -> Result<usize, RunError> {
    let found = ask::ask(view, &calls, &mut batch.discards).await?;
    batch.asked += found.answered;
    batch.again += found.again;
    let screen = ProposalScreen::new(view);
    let labels = screen.labels().to_vec();
    let before = batch.kept.len();
    for (wanted, text) in wanted.iter().zip(found.read) {
        let Some(text) = text else { continue };
        let mut prompts = read::read(&text, &labels);
        // Some say the present prompt once more before they write the new one.
        let said = prompts.len();
        if said > 1 {
            prompts.retain(|prompt| !wanted.repeats(prompt));
        }
        batch.asked += (prompts.len() as u64).saturating_sub(1);
        if said == 0 {
            batch.discards.add("no prompt is in the reply", &text);
        } else if prompts.is_empty() {
            batch.discards.add(UNCHANGED, &text);
        }
        for text in prompts {
            let accepted = screen.whole(&text, wanted.parents.first().copied());
            add(view, wanted, (&text, accepted), rule, batch);
        }
    }
    Ok(batch.kept.len() - before)
}

async fn lines(
    view: &ProposerView<'_>,
    wanted: &[Rewrite<'_>],
    rule: OwnRule<'_>,
    batch: &mut ProposalBatch,
) -> Result<(), RunError> {
    let Some(first) = view.source.first() else {
        return Ok(());
    };
    let form = view.task.answer_form(&first.input);
    let openings = imperatives(&form);
    let turn = (view.seed % openings.len() as u64) as usize;
    let asked: Vec<&str> = (0..wanted.len())
        .map(|index| openings[(turn + index) % openings.len()].as_str())
        .collect();
    let requests = wanted.iter().zip(&asked).map(|(wanted, opening)| {
        let shown = wanted.demonstrations.iter();
        let shown: Vec<_> = shown.map(|own| view.task.demonstration(own)).collect();
        induce::begun(Some(&form), &shown, &wanted.beside, opening)
    });
    let calls = line_calls(view, requests);
    let found = ask::once(view, &calls, &mut batch.discards).await?;
    batch.asked += found.answered;
    let screen = ProposalScreen::new(view);
    for ((wanted, opening), reply) in wanted.iter().zip(asked).zip(found.read) {
        let Some(reply) = reply else { continue };
        let text = induce::continued(opening, &reply);
        let accepted = screen.line(&text);
        add(view, wanted, (&text, accepted), rule, batch);
    }
    Ok(())
}

const UNCHANGED: &str = "it changes nothing";

fn add(
    view: &ProposerView<'_>,
    wanted: &Rewrite<'_>,
    (text, accepted): (&str, Result<Prompt, String>),
    rule: OwnRule<'_>,
    batch: &mut ProposalBatch,
) {
    let accepted = accepted.and_then(|mut prompt| {
        if wanted.repeats(&prompt.instruction) {
            return Err(UNCHANGED.into());
        }
        rule(&prompt, wanted)?;
        if batch.kept.len() >= view.count {
            return Err("more were sent than asked for".into());
        }
        if let Some(parent) = wanted.parents.first() {
            prompt.demonstrations.clone_from(&parent.demonstrations);
        }
        Ok(prompt)
    });
    match accepted {
        Ok(prompt) => batch.add_new(
            view,
            Proposal {
                prompt,
                origin: wanted.origin,
                parents: wanted.parents.iter().map(|parent| parent.id()).collect(),
                chunk: Some(wanted.case),
            },
        ),
        Err(rule) => batch.discards.add(&rule, text),
    }
}

impl Rewrite<'_> {
    /// Whether a text says what a parent says, spelling and marks apart.
    fn repeats(&self, text: &str) -> bool {
        let said = padded(text);
        let mut parents = self.parents.iter();
        parents.any(|parent| padded(&parent.instruction) == said)
    }
}

/// Calls for whole answers, each with draws of its own.
pub(super) fn calls(
    view: &ProposerView<'_>,
    messages: impl Iterator<Item = Vec<Message>>,
) -> Vec<ModelCall> {
    let max_tokens = room(view);
    let requests = messages.map(|messages| Request {
        messages,
        answer: AnswerForm::Text { max_tokens },
    });
    drawn(view, requests, max_tokens)
}

fn line_calls(view: &ProposerView<'_>, requests: impl Iterator<Item = Request>) -> Vec<ModelCall> {
    drawn(view, requests, induce::LINE_TOKENS)
}

fn drawn(
    view: &ProposerView<'_>,
    requests: impl Iterator<Item = Request>,
    max_tokens: u32,
) -> Vec<ModelCall> {
    requests
        .enumerate()
        .map(|(index, request)| ModelCall {
            request,
            sampling: SamplingOptions {
                temperature: 0.8,
                top_p: 0.9,
                max_tokens,
                seed: seeds::number(view.seed, &format!("rewrite {index}")),
            },
            sample: index as u32,
        })
        .collect()
}

#[cfg(test)]
mod tests;
