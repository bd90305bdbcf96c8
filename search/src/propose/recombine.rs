//! Prompts crossed and mutated by a model, with demonstrations: the operators of
//! CAPO (Zehle et al., `AutoML` 2025, arXiv 2504.16005, §3.1), in words of our own.

use async_trait::async_trait;
use shiftproof_tasks::{Demonstration, Message, Prompt};

use super::form::ProposalForm;
use super::genetic::mixed_line;
use super::wording::recombine::{MERGE, VARY};
use super::written::{
    MeantPrompt, WantedPrompt, WritingManner, begun_line, contract, evolved, fits_a_line, opening,
    shown_prompt, write,
};
use super::{ProposalBatch, Proposer, ProposerView, meta};
use crate::event::Origin;
use crate::gateway::RunError;

/// One prompt to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedOffspring {
    /// What is crossed.
    pub parents: [Prompt; 2],
    /// What the new prompt will show.
    pub demonstrations: Vec<Demonstration>,
}

/// Two requests for each prompt: the first merges the parents, the second varies
/// what came of it. A merger that is of no use leaves the first parent to be
/// varied; a variation that is none leaves the merger. Of an odd number of texts
/// the last is a variation alone.
#[derive(Debug, Clone)]
pub struct OffspringProposer {
    /// What is to be made: half as many as the texts wanted, rounded up.
    pub offspring: Vec<PlannedOffspring>,
}

#[async_trait]
impl Proposer for OffspringProposer {
    fn name(&self) -> &'static str {
        "crossover, then mutation (CAPO)"
    }

    async fn propose(&self, view: &ProposerView<'_>) -> Result<ProposalBatch, RunError> {
        let mut batch = ProposalBatch::default();
        let crossings = view.count / 2;
        let offspring = &self.offspring[..self.offspring.len().min(view.count - crossings)];
        let merged = merge(
            view,
            &offspring[..crossings.min(offspring.len())],
            &mut batch,
        )
        .await?;
        let mut based = Vec::new();
        let mut wanted = Vec::new();
        for (index, child) in offspring.iter().enumerate() {
            let merged = merged.get(index).cloned().flatten();
            let base = merged.as_ref().unwrap_or(&child.parents[0]);
            let Some((messages, opening)) = vary(view, base, index, &mut batch) else {
                continue;
            };
            wanted.push(WantedPrompt {
                messages,
                opening,
                parents: vec![&child.parents[0]],
            });
            based.push((child, merged));
        }
        let varied = write(view, &wanted, manner("mutation"), &mut batch).await?;
        for ((child, merged), varied) in based.into_iter().zip(varied) {
            let [first, second] = &child.parents;
            // Without a merger the second parent has no part in it.
            let parents = match &merged {
                Some(_) => vec![first, second],
                None => vec![first],
            };
            if let Some(prompt) = varied.or(merged) {
                let prompt = prompt.with_demonstrations(child.demonstrations.clone());
                batch.add_new(view, evolved(prompt, Origin::Evolved, &parents));
            }
        }
        Ok(batch)
    }
}

fn manner(step: &'static str) -> WritingManner {
    WritingManner {
        step,
        temperature: 0.9,
        meant: MeantPrompt::Last,
    }
}

async fn merge(
    view: &ProposerView<'_>,
    offspring: &[PlannedOffspring],
    batch: &mut ProposalBatch,
) -> Result<Vec<Option<Prompt>>, RunError> {
    let mut asked = Vec::new();
    let mut wanted = Vec::new();
    for (index, child) in offspring.iter().enumerate() {
        let [first, second] = &child.parents;
        let parents = vec![first, second];
        let (messages, opening) = match view.form {
            ProposalForm::Plain => (merging(view, first, second), None),
            ProposalForm::Opening => {
                let opening = opening(view, index);
                let Some(messages) = mixed_line(&parents, &opening, batch) else {
                    continue;
                };
                (messages, Some(opening))
            }
        };
        asked.push(index);
        wanted.push(WantedPrompt {
            messages,
            opening,
            parents,
        });
    }
    let mut merged = vec![None; offspring.len()];
    let written = write(view, &wanted, manner("crossover"), batch).await?;
    for (index, prompt) in asked.into_iter().zip(written) {
        merged[index] = prompt;
    }
    Ok(merged)
}

fn merging(view: &ProposerView<'_>, first: &Prompt, second: &Prompt) -> Vec<Message> {
    // What is wanted comes last: small models send back a request that begins with it.
    let text = format!(
        "Here are two prompts for one task.\n\n{}{}{MERGE} It {}. {}",
        shown_prompt("Prompt 1", first),
        shown_prompt("Prompt 2", second),
        contract(view),
        meta::TAGS
    );
    vec![meta::system(view, Some(first)), Message::user(text)]
}

/// Asks for a prompt in another style; `None`, and counted, where it is too long
/// for the proposer.
fn vary(
    view: &ProposerView<'_>,
    base: &Prompt,
    index: usize,
    batch: &mut ProposalBatch,
) -> Option<(Vec<Message>, Option<String>)> {
    if view.form == ProposalForm::Plain {
        let text = format!(
            "{VARY}\n\n<current_prompt>\n{}\n</current_prompt>\n\nThe new wording {}. {}",
            base.instruction,
            contract(view),
            meta::TAGS
        );
        let messages = vec![meta::system(view, Some(base)), Message::user(text)];
        return Some((messages, None));
    }
    if !fits_a_line(base) {
        batch.asked += 1;
        batch.discards.add(
            "it is too long for this proposer to say in other words",
            &base.instruction,
        );
        return None;
    }
    // Another opening than the merger's, so that the two differ.
    let opening = opening(view, index + 1);
    let text = format!(
        "Say this instruction in other words. Keep its meaning and its output format. Write only \
         the instruction.\n\n{}",
        base.instruction
    );
    let messages = begun_line(text, "The same instruction in other words:", &opening);
    Some((messages, Some(opening)))
}
