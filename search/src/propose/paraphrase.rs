//! Resampling around the best prompts by a model: the iterative step of APE
//! (Zhou et al. 2023, §3.3).

use async_trait::async_trait;
use shiftproof_tasks::{AnswerForm, Message, Prompt, Request, text};

use super::form::{ProposalForm, room};
use super::screen::ProposalScreen;
use super::{Proposal, ProposalBatch, Proposer, ProposerView, ask, meta, read};
use crate::event::Origin;
use crate::gateway::RunError;
use crate::llm::{ModelCall, SamplingOptions};
use crate::seeds;

/// Asks the model for variations that keep an instruction's meaning.
#[derive(Debug, Clone, Copy)]
pub struct ParaphraseProposer;

/// Tokens of a paraphrase that goes on from an opening.
const LINE_TOKENS: u32 = 60;
/// A paraphrase with a smaller share of its parent's words leaves something out.
const LEAST_SHARE: f64 = 0.4;

#[async_trait]
impl Proposer for ParaphraseProposer {
    fn name(&self) -> &'static str {
        "paraphrase (APE)"
    }

    async fn propose(&self, view: &ProposerView<'_>) -> Result<ProposalBatch, RunError> {
        let mut proposals = ProposalBatch::default();
        let mut asked: Vec<(&Prompt, ModelCall)> = Vec::with_capacity(view.count);
        let room = room(view);
        for index in 0..view.count {
            let Some(parent) = view.parents.get(index % view.parents.len().max(1)) else {
                return Ok(proposals);
            };
            let whole = view.form == ProposalForm::Plain;
            if !whole && text::tokens(&parent.instruction) > LINE_TOKENS as usize {
                proposals.asked += 1;
                proposals.discards.add(
                    "it is too long for this proposer to say in other words",
                    &parent.instruction,
                );
                continue;
            }
            let (messages, max_tokens) = if whole {
                (meta::paraphrase(view, parent), room)
            } else {
                (begun(parent), LINE_TOKENS)
            };
            let call = ModelCall {
                request: Request {
                    messages,
                    answer: AnswerForm::Text { max_tokens },
                },
                sampling: SamplingOptions {
                    temperature: 0.9,
                    top_p: 0.9,
                    max_tokens,
                    seed: seeds::number(view.seed, &format!("paraphrase {index}")),
                },
                sample: index as u32,
            };
            asked.push((parent, call));
        }
        let calls: Vec<ModelCall> = asked.iter().map(|(_, call)| call.clone()).collect();
        let found = match view.form {
            ProposalForm::Plain => ask::ask(view, &calls, &mut proposals.discards).await?,
            ProposalForm::Opening => ask::once(view, &calls, &mut proposals.discards).await?,
        };
        proposals.asked += found.answered;
        proposals.again += found.again;
        let screen = ProposalScreen::new(view);
        for ((parent, _), text) in asked.into_iter().zip(found.read) {
            let Some(text) = text else { continue };
            let accepted = match view.form {
                ProposalForm::Plain => whole(&screen, &text, parent),
                ProposalForm::Opening => screen.mended_line(&text),
            };
            match accepted {
                Ok(mut prompt) => {
                    prompt.demonstrations.clone_from(&parent.demonstrations);
                    proposals.add(Proposal {
                        prompt,
                        origin: Origin::Paraphrase,
                        parents: vec![parent.id()],
                        chunk: None,
                    });
                }
                Err(rule) => proposals.discards.add(&rule, &text),
            }
        }
        Ok(proposals)
    }
}

/// A request that a model can only go on with.
fn begun(parent: &Prompt) -> Vec<Message> {
    vec![
        Message::user(format!(
            "Say this instruction in other words. Keep its meaning and its output format. Write \
             only the instruction.\n\n{}",
            parent.instruction
        )),
        Message::assistant("The same instruction in other words:"),
    ]
}

/// The one prompt in a reply, if it says all that its parent says.
fn whole(screen: &ProposalScreen, text: &str, parent: &Prompt) -> Result<Prompt, String> {
    let mut prompts = read::read(text, screen.labels()).into_iter();
    let Some(prompt) = prompts.next() else {
        return Err("no prompt is in the reply".into());
    };
    let size = |text: &str| (text.split_whitespace().count(), paragraphs(text));
    let ((words, blocks), (all, of)) = (size(&prompt), size(&parent.instruction));
    if (words as f64) < all as f64 * LEAST_SHARE || blocks * 2 < of {
        return Err("it leaves out a part of the prompt".into());
    }
    screen.whole(&prompt, Some(parent))
}

fn paragraphs(text: &str) -> usize {
    text.split("\n\n")
        .filter(|paragraph| !paragraph.trim().is_empty())
        .count()
}

#[cfg(test)]
mod tests;
