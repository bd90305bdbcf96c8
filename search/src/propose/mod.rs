//! Where new prompts come from.
//!
//! A proposer sees labelled source examples, target inputs without labels, and
//! target inputs with *voted* labels; no type it is handed can name a true
//! target label.

mod ask;
mod crossover;
mod demonstrate;
mod differential;
mod edit;
pub(crate) mod form;
mod genetic;
mod gradient;
mod grounded;
mod group_reflect;
mod induce;
mod kept;
pub(crate) mod library;
mod meta;
mod paraphrase;
mod pieces;
mod read;
mod recombine;
mod reflect;
mod rewrite;
mod screen;
mod trace;
mod trajectory;
mod wording;
mod written;

use async_trait::async_trait;
use shiftproof_tasks::{AnswerForm, Example, Input, Prompt, PromptId, Task};

use crate::event::Origin;
use crate::gateway::{Gateway, PricedModel, RunError};

pub use crossover::CrossoverProposer;
pub use demonstrate::DemonstrationProposer;
pub use differential::{DifferentialProposer, DifferentialTrial};
pub use edit::EditProposer;
pub use form::{ProposalForm, expected_tokens};
pub use genetic::GeneticProposer;
pub use gradient::{GradientCase, GradientProposer};
pub use grounded::GroundedProposer;
pub use group_reflect::{GroupReflectionCase, GroupReflectionProposer};
pub use induce::{InductionProposer, TargetUse};
pub use paraphrase::ParaphraseProposer;
pub use read::read;
pub use recombine::{OffspringProposer, PlannedOffspring};
pub use reflect::{MergePair, MergeProposer, ReflectionCase, ReflectionProposer};
pub use screen::DiscardCounts;
pub(crate) use screen::declines;
pub use trace::TracedAnswer;
pub use trajectory::{TrajectoryEntry, TrajectoryProposer};

/// The generic prompts for a form of answer, as a run with `library` races them.
pub fn generic_prompts(form: &AnswerForm) -> Vec<Prompt> {
    library::prompts(form)
        .into_iter()
        .map(Prompt::new)
        .collect()
}

/// What a proposer may know.
#[derive(Clone, Copy)]
pub struct ProposerView<'a> {
    /// The task.
    pub task: &'a dyn Task,
    /// The way to the proposer's model, on the run's one budget.
    pub gateway: &'a Gateway,
    /// The model that proposes.
    pub model: &'a PricedModel,
    /// Labelled source examples, in the run's order.
    pub source: &'a [Example],
    /// Target inputs without labels.
    pub target: &'a [Input],
    /// Target inputs with labels won by vote; empty before the vote.
    pub pseudo_labelled: &'a [Example],
    /// The prompt in use today.
    pub seed_prompt: &'a Prompt,
    /// Prompts to start from, best first.
    pub parents: &'a [Prompt],
    /// How the proposer is spoken to.
    pub form: ProposalForm,
    /// Longest prompt, in [tokens](shiftproof_tasks::text::tokens).
    pub limit: usize,
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
    /// Which chunk of demonstrations induced it, or which of the cases that a proposer
    /// was given it was written for, where one did.
    pub chunk: Option<usize>,
}

/// What a proposer came up with.
#[derive(Debug, Default)]
pub struct ProposalBatch {
    /// Prompts fit to be evaluated.
    pub kept: Vec<Proposal>,
    /// Texts thrown away, by rule.
    pub discards: DiscardCounts,
    /// Texts that a model was asked for and answered in some way, or edits that
    /// were wanted.
    pub asked: u64,
    /// Texts that were asked for a second time, cut off or refused at first.
    pub again: u64,
}

impl ProposalBatch {
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

    /// As [`add`](Self::add), and not one of the parents either.
    fn add_new(&mut self, view: &ProposerView<'_>, proposal: Proposal) {
        if view.parents.contains(&proposal.prompt) {
            self.discards
                .add("it changes nothing", &proposal.prompt.instruction);
        } else {
            self.add(proposal);
        }
    }
}

/// A source of new prompts.
#[async_trait]
pub trait Proposer: Send + Sync {
    /// A short name for screens.
    fn name(&self) -> &str;

    /// Whether it asks the proposer's model.
    fn asks_model(&self) -> bool {
        true
    }

    /// Proposes up to `view.count` prompts; fewer when the budget or the
    /// material runs out.
    async fn propose(&self, view: &ProposerView<'_>) -> Result<ProposalBatch, RunError>;
}

#[cfg(test)]
mod tests {
    use shiftproof_tasks::{Demonstration, Reply};

    use super::*;
    use crate::scripted::{Bench, ProposerBench};

    fn proposal(prompt: Prompt) -> Proposal {
        Proposal {
            prompt,
            origin: Origin::Edit,
            parents: Vec::new(),
            chunk: None,
        }
    }

    #[test]
    fn batches_keep_new_prompts() {
        let bench = ProposerBench::new(Bench::new(|_| Ok(Reply::text(""))), 1);
        let view = bench.view();
        let mut batch = ProposalBatch::default();
        let parent = view.parents[0].clone();
        let shown = parent.clone().with_demonstrations(vec![Demonstration {
            input: "fine".into(),
            answer: "positive".into(),
        }]);
        for prompt in [
            parent,
            Prompt::new("new"),
            Prompt::new(" new "),
            shown.clone(),
        ] {
            batch.add_new(&view, proposal(prompt));
        }
        let kept: Vec<&Prompt> = batch.kept.iter().map(|own| &own.prompt).collect();
        // The parent with demonstrations is another prompt.
        assert_eq!(kept, [&Prompt::new("new"), &shown]);
        let rules: Vec<(&str, u64)> = batch
            .discards
            .0
            .iter()
            .map(|(rule, (count, _))| (rule.as_str(), *count))
            .collect();
        assert_eq!(
            rules,
            [("it changes nothing", 1), ("it was proposed before", 1)]
        );
    }

    #[test]
    fn discards_show_one_text() {
        let mut discards = DiscardCounts::default();
        discards.add("it is too long", &format!(" {} ", "ü".repeat(400)));
        discards.add("it is too long", "another");
        discards.add("it is too short", " Hm. ");
        assert_eq!(discards.count(), 3);
        let (count, shown) = &discards.0["it is too long"];
        assert_eq!((*count, shown.chars().count()), (2, 301));
        assert!(shown.ends_with("ü…"));
        assert_eq!(discards.0["it is too short"], (1, "Hm.".to_owned()));
    }
}
