//! Prompts that a model is asked to write one a reply: asked, read, screened.

use std::fmt::Write as _;

use shiftproof_tasks::{AnswerForm, Demonstration, Example, Message, Prompt, Request, text};

use super::form::{ProposalForm, room};
use super::induce::{LINE_TOKENS, complete_sentences, join};
use super::library::openings;
use super::screen::ProposalScreen;
use super::{Proposal, ProposalBatch, ProposerView, ask, meta, read};
use crate::event::Origin;
use crate::gateway::RunError;
use crate::llm::{ModelCall, SamplingOptions};
use crate::seeds;

/// Which prompt of a reply that holds several is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MeantPrompt {
    /// The first: one was asked for, and what follows it is more than that.
    First,
    /// The last: those before it are steps on the way.
    Last,
}

/// One prompt that a model is to write.
pub(super) struct WantedPrompt<'v> {
    /// What is asked.
    pub messages: Vec<Message>,
    /// How the prompt begins, where a model goes on from an opening.
    pub opening: Option<String>,
    /// What it is made of; the placeholders of the first are kept.
    pub parents: Vec<&'v Prompt>,
}

/// How prompts are asked for, and which of a reply is taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct WritingManner {
    /// Names the draws of a step among those of one proposal.
    pub step: &'static str,
    /// Spread of the draws.
    pub temperature: f64,
    /// Which prompt of a reply is meant.
    pub meant: MeantPrompt,
}

/// The longest prompt that a model which goes on from an opening can be shown.
pub(super) fn fits_a_line(prompt: &Prompt) -> bool {
    text::tokens(&prompt.instruction) <= LINE_TOKENS as usize
}

/// Asks for prompts; one for each wanted, `None` where nothing can be used, which
/// is counted. Demonstrations are not added.
pub(super) async fn write(
    view: &ProposerView<'_>,
    wanted: &[WantedPrompt<'_>],
    manner: WritingManner,
    batch: &mut ProposalBatch,
) -> Result<Vec<Option<Prompt>>, RunError> {
    let whole = view.form == ProposalForm::Plain;
    let max_tokens = if whole { room(view) } else { LINE_TOKENS };
    let calls: Vec<ModelCall> = wanted
        .iter()
        .enumerate()
        .map(|(index, wanted)| ModelCall {
            request: Request {
                messages: wanted.messages.clone(),
                answer: AnswerForm::Text { max_tokens },
            },
            sampling: SamplingOptions {
                temperature: manner.temperature,
                top_p: 0.95,
                max_tokens,
                seed: seeds::number(view.seed, &format!("{} {index}", manner.step)),
            },
            sample: index as u32,
        })
        .collect();
    let found = if whole {
        ask::ask(view, &calls, &mut batch.discards).await?
    } else {
        ask::once(view, &calls, &mut batch.discards).await?
    };
    batch.asked += found.answered;
    batch.again += found.again;
    let screen = ProposalScreen::new(view);
    let mut prompts = Vec::with_capacity(wanted.len());
    for (wanted, reply) in wanted.iter().zip(found.read) {
        let Some(reply) = reply else {
            prompts.push(None);
            continue;
        };
        let text = match &wanted.opening {
            Some(opening) => {
                // A continuation ends where the model starts a new line.
                let line = reply.lines().next().unwrap_or_default();
                Some(join(opening, complete_sentences(line)))
            }
            None => the_one(&reply, screen.labels(), manner.meant, batch),
        };
        prompts.push(text.and_then(|text| {
            let checked = match &wanted.opening {
                Some(_) => screen.line(&text),
                None => screen.whole(&text, wanted.parents.first().copied()),
            };
            checked
                .map_err(|rule| batch.discards.add(&rule, &text))
                .ok()
        }));
    }
    Ok(prompts)
}

/// The prompt that is meant among those of a reply.
fn the_one(
    reply: &str,
    labels: &[String],
    meant: MeantPrompt,
    batch: &mut ProposalBatch,
) -> Option<String> {
    let mut prompts = read::read(reply, labels).into_iter();
    let found = match meant {
        MeantPrompt::First => prompts.next(),
        MeantPrompt::Last => prompts.by_ref().last(),
    };
    if found.is_none() {
        batch.discards.add("no prompt is in the reply", reply);
    }
    for more in prompts {
        batch.asked += 1;
        batch.discards.add("more were sent than asked for", &more);
    }
    found
}

/// A proposal written from these prompts.
pub(super) fn evolved(prompt: Prompt, origin: Origin, parents: &[&Prompt]) -> Proposal {
    let mut ids = Vec::new();
    for parent in parents {
        if !ids.contains(&parent.id()) {
            ids.push(parent.id());
        }
    }
    Proposal {
        prompt,
        origin,
        parents: ids,
        chunk: None,
    }
}

/// Examples with their right outputs, as requests show them.
pub(super) fn shown_examples(view: &ProposerView<'_>, examples: &[Example]) -> String {
    let is_ranking = answer_form(view).is_some_and(|form| form.candidates().is_some());
    let mut text = format!(
        "{}\n\n",
        if is_ranking {
            meta::USERS
        } else {
            meta::INPUTS
        }
    );
    for example in examples {
        let Demonstration { input, answer } = view.task.demonstration(example);
        let _ = write!(text, "Input: {input}\nOutput: {answer}\n\n");
    }
    text
}

/// A prompt under its name, in the tags that a prompt is wanted in: a model that goes
/// on in the manner of what it read then sends what it was asked for.
pub(super) fn shown_prompt(name: &str, prompt: &Prompt) -> String {
    format!("{name}:\n<prompt>\n{}\n</prompt>\n\n", prompt.instruction)
}

/// What answers to this task look like.
pub(super) fn answer_form(view: &ProposerView<'_>) -> Option<AnswerForm> {
    let like = view.source.first();
    like.map(|example| view.task.answer_form(&example.input))
}

/// What a prompt for this task has to say of its answers. Labels are named: not all
/// requests show examples.
pub(super) fn contract(view: &ProposerView<'_>) -> String {
    let form = answer_form(view);
    match &form {
        Some(AnswerForm::Choice { labels }) => format!(
            "asks for one label alone, spelt as here: {}",
            labels.join(", ")
        ),
        _ => meta::asks(form.as_ref()).answer,
    }
}

/// Openings of lines, which take turns.
pub(super) fn opening(view: &ProposerView<'_>, turn: usize) -> String {
    let openings = answer_form(view).map_or_else(Vec::new, |form| openings(&form));
    openings
        .get(turn % openings.len().max(1))
        .cloned()
        .unwrap_or_default()
}

/// A request that a model can only go on with; `begun`: what stands before the
/// opening.
pub(super) fn begun_line(text: String, begun: &str, opening: &str) -> Vec<Message> {
    vec![
        Message::user(text),
        Message::assistant(format!("{begun} {opening}")),
    ]
}

#[cfg(test)]
mod tests;
