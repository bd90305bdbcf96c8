//! The words that events are told in: phases, roles, origins.

use serde::{Deserialize, Serialize};

/// Where a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupRole {
    /// Labelled, free to use.
    Source,
    /// Shifted, unlabelled for the search.
    Target,
}

impl std::fmt::Display for GroupRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

/// The phases of a run, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Prompts are proposed from source demonstrations.
    Propose,
    /// Proposals are screened on a small balanced sample.
    Screen,
    /// Target inputs are labelled by vote.
    Vote,
    /// Prompts are proposed again from the mix of source and voted target.
    Repropose,
    /// The best prompts are edited and recombined.
    Refine,
    /// The finalists are measured on everything the search may use.
    Final,
    /// The sealed audit is opened.
    Audit,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Propose => "propose",
            Self::Screen => "screen",
            Self::Vote => "vote",
            Self::Repropose => "repropose",
            Self::Refine => "refine",
            Self::Final => "final",
            Self::Audit => "audit",
        })
    }
}

/// How a candidate came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The prompt in use today.
    Seed,
    /// A further human-written prompt of the study.
    Human,
    /// A generic prompt for the answer form.
    Library,
    /// Induced by a model from demonstrations.
    Induced,
    /// Induced by a model from demonstrations that include voted target inputs.
    InducedFromMix,
    /// A model's paraphrase of another prompt.
    Paraphrase,
    /// Phrases deleted, swapped or added without a model (`GrIPS`).
    Edit,
    /// Sentences of two prompts recombined without a model.
    Crossover,
    /// The same instruction with demonstrations.
    Demonstrated,
    /// Written by a model that was shown what prompts got wrong.
    Reflected,
    /// Written by a model from prompts, and their scores where the method shows them.
    Evolved,
    /// Put together by a model from two prompts.
    Merged,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Seed => "seed",
            Self::Human => "human",
            Self::Library => "library",
            Self::Induced => "induced",
            Self::InducedFromMix => "induced from mix",
            Self::Paraphrase => "paraphrase",
            Self::Edit => "edit",
            Self::Crossover => "crossover",
            Self::Demonstrated => "demonstrations",
            Self::Reflected => "reflected",
            Self::Evolved => "evolved",
            Self::Merged => "merged",
        })
    }
}

/// Who is audited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditedPrompt {
    /// The seed prompt.
    Seed,
    /// The selected prompt.
    Selected,
    /// The vote of the ensemble, at as many calls as it has prompts.
    Ensemble,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnding {
    /// All phases were done.
    Completed,
    /// The budget ran out before the last phase: the best so far was chosen.
    BudgetExhausted,
}
