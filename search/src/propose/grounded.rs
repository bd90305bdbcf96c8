//! Instructions grounded in a summary of the data: the proposals of `MIPROv2`
//! (Opsahl-Ong et al., EMNLP 2024, arXiv 2406.11695, §3.2 and appendix), in words
//! of our own.

use std::fmt::Write as _;

use async_trait::async_trait;
use shiftproof_tasks::{AnswerForm, Message, Prompt, Request};

use super::form::{ProposalForm, room};
use super::wording::grounded::{IN_USE, PROPOSE, SUMMARIZE, SUMMARY};
use super::written::{
    MeantPrompt, WantedPrompt, WritingManner, contract, evolved, shown_examples, write,
};
use super::{InductionProposer, ProposalBatch, Proposer, ProposerView, ask, meta};
use crate::event::Origin;
use crate::gateway::RunError;
use crate::llm::{ModelCall, SamplingOptions};
use crate::seeds;

/// Tips (§3.2 of the paper), which take turns.
const TIPS: [&str; 6] = [
    "",
    "Do not be afraid to be creative in the wording. ",
    "Keep it clear and short. ",
    "Make it detailed: it names what to look at and the cases that are easily got wrong. ",
    "Let it say that much depends on a right answer. ",
    "Let it begin with a role that fits the task. ",
];
/// Tokens of the summary.
const SUMMARY_TOKENS: u32 = 300;

/// One text summarises the data; the others are instructions proposed from it, from
/// a chunk of examples, the prompt in use and a tip. A model that goes on from
/// openings gets the examples alone, as in induction.
#[derive(Debug, Clone, Copy)]
pub struct GroundedProposer {
    /// How examples are shown.
    pub induction: InductionProposer,
}

#[async_trait]
impl Proposer for GroundedProposer {
    fn name(&self) -> &'static str {
        "instructions from a summary and demonstrations (MIPRO)"
    }

    async fn propose(&self, view: &ProposerView<'_>) -> Result<ProposalBatch, RunError> {
        let shots = &view.source[..self.induction.shots.min(view.source.len())];
        if view.form == ProposalForm::Opening || shots.is_empty() {
            return self.induction.propose(view).await;
        }
        let mut batch = ProposalBatch::default();
        // A summary and nothing to use it for would be a text for nothing.
        let summary = if view.count > 1 {
            summary(view, shown_examples(view, shots), &mut batch).await?
        } else {
            None
        };
        let chunk_len = shots.len().div_ceil(self.induction.chunks.max(1));
        let chunks: Vec<_> = shots.chunks(chunk_len).collect();
        let count = view.count - usize::from(view.count > 1);
        let wanted: Vec<WantedPrompt<'_>> = (0..count)
            .map(|index| WantedPrompt {
                messages: request(
                    view,
                    summary.as_deref(),
                    &shown_examples(view, chunks[index % chunks.len()]),
                    TIPS[index % TIPS.len()],
                ),
                opening: None,
                parents: vec![view.seed_prompt],
            })
            .collect();
        let manner = WritingManner {
            step: "grounded",
            temperature: 0.9,
            meant: MeantPrompt::First,
        };
        let written = write(view, &wanted, manner, &mut batch).await?;
        for (index, prompt) in written.into_iter().enumerate() {
            if let Some(prompt) = prompt {
                let mut proposal = evolved(prompt, Origin::Induced, &[view.seed_prompt]);
                proposal.chunk = Some(index % chunks.len());
                batch.add_new(view, proposal);
            }
        }
        Ok(batch)
    }
}

/// What the model says of the data; `None` where that is of no use.
async fn summary(
    view: &ProposerView<'_>,
    examples: String,
    batch: &mut ProposalBatch,
) -> Result<Option<String>, RunError> {
    let capabilities = view.model.llm.capabilities();
    let max_tokens = capabilities
        .max_tokens
        .unwrap_or_else(|| room(view).min(SUMMARY_TOKENS) + capabilities.thinking_tokens);
    let call = ModelCall {
        request: Request {
            messages: vec![Message::user(format!("{examples}{SUMMARIZE}"))],
            answer: AnswerForm::Text { max_tokens },
        },
        sampling: SamplingOptions {
            temperature: 0.0,
            top_p: 1.0,
            max_tokens,
            seed: seeds::number(view.seed, "summary"),
        },
        sample: 0,
    };
    let found = ask::ask(view, &[call], &mut batch.discards).await?;
    batch.asked += found.answered;
    batch.again += found.again;
    let text = found.read.into_iter().flatten().next();
    Ok(text
        .map(|text| super::read::without_thoughts(&text))
        .filter(|text| !text.is_empty()))
}

fn request(
    view: &ProposerView<'_>,
    summary: Option<&str>,
    examples: &str,
    tip: &str,
) -> Vec<Message> {
    let Prompt { instruction, .. } = view.seed_prompt;
    let mut text = String::new();
    if let Some(summary) = summary {
        let _ = write!(
            text,
            "{SUMMARY}\n\n<data_summary>\n{summary}\n</data_summary>\n\n"
        );
    }
    let _ = write!(
        text,
        "{examples}{IN_USE}\n\n<current_prompt>\n{instruction}\n</current_prompt>\n\n{PROPOSE} \
         {tip}It {}. {}",
        contract(view),
        meta::TAGS
    );
    vec![
        meta::system(view, Some(view.seed_prompt)),
        Message::user(text),
    ]
}
