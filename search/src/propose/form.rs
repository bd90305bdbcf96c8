//! How a proposer is spoken to, and how much room it gets.

use shiftproof_tasks::{AnswerForm, Message, Request, text};

use super::{ProposerView, read};
use crate::gateway::{CallOutcome, Gateway, PricedModel, RunError};
use crate::llm::ModelCall;

/// What a proposer can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposalForm {
    /// A whole prompt in tags, of as many paragraphs as it takes: for models that
    /// follow instructions.
    Plain,
    /// One line that goes on from the opening of an instruction: for models that
    /// talk about something else when they are asked, and can be made to
    /// continue.
    Opening,
}

/// Tokens of the probe's answer.
const PROBE_TOKENS: u32 = 64;

/// Finds out by one short greedy call whether the model follows instructions: it
/// is to copy a sentence between tags. A model that cannot continue a begun
/// answer is not asked, for there is nothing to choose.
pub(crate) async fn probe(
    gateway: &Gateway,
    model: &PricedModel,
) -> Result<ProposalForm, RunError> {
    let capabilities = model.llm.capabilities();
    if !capabilities.prefill {
        return Ok(ProposalForm::Plain);
    }
    let room = capabilities
        .max_tokens
        .unwrap_or(PROBE_TOKENS + capabilities.thinking_tokens);
    let call = ModelCall::greedy(
        Request {
            messages: vec![Message::user(
                "Copy this sentence and put it between <prompt> and </prompt>. Write nothing \
                 else.\n\nSentence: Read the message and name the team that should handle it.",
            )],
            answer: AnswerForm::Text { max_tokens: room },
        },
        room,
    );
    let answers = gateway.ask(model, &[call]).await?;
    Ok(match answers.first() {
        Some(CallOutcome::Reply(reply)) if read::in_tags(&reply.text) => ProposalForm::Plain,
        _ => ProposalForm::Opening,
    })
}

/// Room for a prompt that is not long, in tokens.
const LEAST_ROOM: usize = 1024;

/// Tokens that one proposal may take: what the user has set; else three times the
/// longest prompt it starts from, at least [`LEAST_ROOM`], no more than the limit
/// on prompts makes sense, and room for thoughts on top.
pub(super) fn room(view: &ProposerView<'_>) -> u32 {
    let capabilities = view.model.llm.capabilities();
    let shown = view.parents.iter().chain([view.seed_prompt]);
    let longest = shown.map(|prompt| text::tokens(&prompt.instruction)).max();
    capabilities.max_tokens.unwrap_or_else(|| {
        room_for(longest.unwrap_or(0), view.limit) + capabilities.thinking_tokens
    })
}

/// Tokens that a proposal will come to, about: half as long again as the longest
/// prompt of the study, or a few paragraphs. A model that can continue a begun
/// answer may be asked for single lines; a capable one is not, and writes more.
pub fn expected_tokens(longest: usize) -> u32 {
    (longest + longest / 2).max(LEAST_ROOM / 4) as u32
}

/// See [`room`]: the tokens of the answer alone.
fn room_for(longest: usize, limit: usize) -> u32 {
    let most = LEAST_ROOM.max(limit + limit / 4);
    (3 * longest).clamp(LEAST_ROOM, most) as u32
}

#[cfg(test)]
mod tests;
