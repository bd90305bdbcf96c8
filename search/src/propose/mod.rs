//! Where new prompts come from.
//!
//! A proposer sees labelled source examples, target inputs without labels, and
//! target inputs with *voted* labels; no type it is handed can name a true
//! target label.

mod crossover;
mod edit;
mod induce;
pub(crate) mod library;
mod paraphrase;
mod screen;

use async_trait::async_trait;
use shiftproof_tasks::{Example, Input, Prompt, PromptId, Task};

use crate::event::Origin;
use crate::gateway::{Gateway, Model, Stop};

pub use crossover::Crossover;
pub use edit::Edit;
pub use induce::{Induce, TargetUse};
pub use paraphrase::Paraphrase;
pub use screen::Discards;

/// What a proposer may know.
pub struct View<'a> {
    /// The task.
    pub task: &'a dyn Task,
    /// The way to the proposer's model, on the run's one budget.
    pub gateway: &'a Gateway,
    /// The model that proposes.
    pub model: &'a Model,
    /// Labelled source examples, in the run's order.
    pub source: &'a [Example],
    /// Target inputs without labels.
    pub target: &'a [Input],
    /// Target inputs with labels won by vote; empty before the vote.
    pub voted: &'a [Example],
    /// Prompts to start from, best first.
    pub parents: &'a [Prompt],
    /// How many prompts are wanted.
    pub count: usize,
    /// Seed of this proposal.
    pub seed: u64,
}

/// A proposed prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The prompt.
    pub prompt: Prompt,
    /// How it came about.
    pub origin: Origin,
    /// What it was made from.
    pub parents: Vec<PromptId>,
    /// Which chunk of demonstrations induced it, where one did.
    pub chunk: Option<usize>,
}

/// What a proposer came up with.
#[derive(Debug, Default)]
pub struct Proposals {
    /// Prompts fit to be evaluated.
    pub kept: Vec<Proposal>,
    /// Texts thrown away, by rule.
    pub discards: Discards,
}

impl Proposals {
    /// Adds a proposal unless it is there already.
    fn add(&mut self, proposal: Proposal) {
        if self
            .kept
            .iter()
            .any(|other| other.prompt == proposal.prompt)
        {
            self.discards
                .add("it was proposed before", &proposal.prompt.instruction);
        } else {
            self.kept.push(proposal);
        }
    }
}

/// A source of new prompts.
#[async_trait]
pub trait Proposer: Send + Sync {
    /// A short name for screens.
    fn name(&self) -> &str;

    /// Proposes up to `view.count` prompts; fewer when the budget or the
    /// material runs out.
    async fn propose(&self, view: &View<'_>) -> Result<Proposals, Stop>;
}
