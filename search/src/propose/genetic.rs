//! One prompt from two: the genetic step of `EvoPrompt` (Guo et al., ICLR 2024,
//! arXiv 2309.08532, §3.2 and appendix), in words of our own.

use std::fmt::Write as _;

use async_trait::async_trait;
use shiftproof_tasks::{Message, Prompt};

use super::form::ProposalForm;
use super::wording::genetic::{CROSS, FINAL, MUTATE, STEPS};
use super::written::{
    MeantPrompt, WantedPrompt, WritingManner, begun_line, contract, evolved, fits_a_line, opening,
    shown_prompt, write,
};
use super::{ProposalBatch, Proposer, ProposerView, meta};
use crate::event::Origin;
use crate::gateway::RunError;

/// Asks for the crossover of two prompts and its mutation, in one request.
#[derive(Debug, Clone)]
pub struct GeneticProposer {
    /// Two parents for each prompt wanted.
    pub pairs: Vec<[Prompt; 2]>,
}

#[async_trait]
impl Proposer for GeneticProposer {
    fn name(&self) -> &'static str {
        "crossover and mutation (EvoPrompt GA)"
    }

    async fn propose(&self, view: &ProposerView<'_>) -> Result<ProposalBatch, RunError> {
        let mut batch = ProposalBatch::default();
        let mut wanted = Vec::new();
        for (index, [first, second]) in self.pairs.iter().take(view.count).enumerate() {
            if let Some(one) = wanted_child(view, first, second, index, &mut batch) {
                wanted.push(one);
            }
        }
        let manner = WritingManner {
            step: "genetic",
            temperature: 0.9,
            meant: MeantPrompt::Last,
        };
        let written = write(view, &wanted, manner, &mut batch).await?;
        for (prompt, wanted) in written.into_iter().zip(&wanted) {
            if let Some(prompt) = prompt {
                batch.add_new(view, evolved(prompt, Origin::Evolved, &wanted.parents));
            }
        }
        Ok(batch)
    }
}

fn wanted_child<'v>(
    view: &ProposerView<'_>,
    first: &'v Prompt,
    second: &'v Prompt,
    index: usize,
    batch: &mut ProposalBatch,
) -> Option<WantedPrompt<'v>> {
    let parents = vec![first, second];
    match view.form {
        ProposalForm::Plain => Some(WantedPrompt {
            messages: whole(view, first, second),
            opening: None,
            parents,
        }),
        ProposalForm::Opening => {
            let opening = opening(view, index);
            Some(WantedPrompt {
                messages: mixed_line(&parents, &opening, batch)?,
                opening: Some(opening),
                parents,
            })
        }
    }
}

fn whole(view: &ProposerView<'_>, first: &Prompt, second: &Prompt) -> Vec<Message> {
    let mut text = format!("{STEPS}\n\n");
    text.push_str(&shown_prompt("Prompt 1", first));
    text.push_str(&shown_prompt("Prompt 2", second));
    let _ = write!(
        text,
        "{CROSS}\n{MUTATE}\n\n{FINAL} It {}. {}",
        contract(view),
        meta::TAGS
    );
    vec![meta::system(view, Some(first)), Message::user(text)]
}

/// A mix of prompts for a model that goes on from an opening; `None`, and counted,
/// where they are too long for it.
pub(super) fn mixed_line(
    parents: &[&Prompt],
    opening: &str,
    batch: &mut ProposalBatch,
) -> Option<Vec<Message>> {
    if let Some(long) = parents.iter().find(|parent| !fits_a_line(parent)) {
        batch.asked += 1;
        batch.discards.add(
            "it is too long for this proposer to be crossed",
            &long.instruction,
        );
        return None;
    }
    let mut text = String::from("Instructions for one task:\n\n");
    for parent in parents {
        let _ = writeln!(text, "- {}", parent.instruction);
    }
    text.push_str(
        "\nMix them into one instruction of one or two sentences that says in other words what \
         they ask for, including the output format. Write only the instruction.",
    );
    Some(begun_line(text, "The mixed instruction:", opening))
}
