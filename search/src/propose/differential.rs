//! One prompt from four: the differential step of `EvoPrompt` (Guo et al., ICLR
//! 2024, arXiv 2309.08532, §3.3 and appendix), in words of our own.

use std::fmt::Write as _;

use async_trait::async_trait;
use shiftproof_tasks::{Message, Prompt};

use super::form::ProposalForm;
use super::genetic::mixed_line;
use super::wording::differential::{COMBINE, CROSS, DIFFER, FINAL, MUTATE, STEPS};
use super::written::{
    MeantPrompt, WantedPrompt, WritingManner, contract, evolved, opening, shown_prompt, write,
};
use super::{ProposalBatch, Proposer, ProposerView, meta};
use crate::event::Origin;
use crate::gateway::RunError;

/// What one new prompt is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DifferentialTrial {
    /// The prompt whose place the new one may take.
    pub current: Prompt,
    /// Two others, whose difference is mutated.
    pub donors: [Prompt; 2],
    /// The best so far.
    pub best: Prompt,
}

/// Asks for the mutated difference of two prompts in the best one, crossed with the
/// current one. The current one is the first parent of what comes of it.
#[derive(Debug, Clone)]
pub struct DifferentialProposer {
    /// One for each prompt wanted.
    pub trials: Vec<DifferentialTrial>,
}

#[async_trait]
impl Proposer for DifferentialProposer {
    fn name(&self) -> &'static str {
        "difference and crossover (EvoPrompt DE)"
    }

    async fn propose(&self, view: &ProposerView<'_>) -> Result<ProposalBatch, RunError> {
        let mut batch = ProposalBatch::default();
        let mut wanted = Vec::new();
        for (index, trial) in self.trials.iter().take(view.count).enumerate() {
            let [one, other] = &trial.donors;
            let parents = vec![&trial.current, &trial.best, one, other];
            let (messages, opening) = match view.form {
                ProposalForm::Plain => (whole(view, trial), None),
                // A model that goes on from an opening follows no four steps.
                ProposalForm::Opening => {
                    let opening = opening(view, index);
                    let shown = [&trial.current, &trial.best];
                    let Some(messages) = mixed_line(&shown, &opening, &mut batch) else {
                        continue;
                    };
                    (messages, Some(opening))
                }
            };
            wanted.push(WantedPrompt {
                messages,
                opening,
                parents,
            });
        }
        let manner = WritingManner {
            step: "differential",
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

fn whole(view: &ProposerView<'_>, trial: &DifferentialTrial) -> Vec<Message> {
    let mut text = format!("{STEPS}\n\n");
    for (name, prompt) in [
        ("Prompt A", &trial.donors[0]),
        ("Prompt B", &trial.donors[1]),
        ("Best prompt", &trial.best),
        ("Base prompt", &trial.current),
    ] {
        text.push_str(&shown_prompt(name, prompt));
    }
    let _ = write!(
        text,
        "{DIFFER}\n{MUTATE}\n{COMBINE}\n{CROSS}\n\n{FINAL} It {}. {}",
        contract(view),
        meta::TAGS
    );
    vec![
        meta::system(view, Some(&trial.current)),
        Message::user(text),
    ]
}
