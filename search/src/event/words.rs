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
    /// A model writes about the inputs, before any prompt is asked about them.
    Augment,
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
            Self::Augment => "augment",
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
    /// A candidate of the earlier run that this one goes on from.
    Carried,
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
            Self::Carried => "carried over",
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

impl AuditedPrompt {
    /// Its name, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::Selected => "selected",
            Self::Ensemble => "ensemble",
        }
    }
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

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;

    /// As logs spell it, and as screens do.
    #[track_caller]
    fn check<T>(word: &T, written: &str, shown: &str)
    where
        T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug + ToString,
    {
        let json = format!("{written:?}");
        assert_eq!(serde_json::to_string(word).unwrap(), json);
        assert_eq!(&serde_json::from_str::<T>(&json).unwrap(), word);
        assert_eq!(word.to_string(), shown);
    }

    #[test]
    fn logged_words_never_change() {
        check(&GroupRole::Source, "source", "source");
        check(&GroupRole::Target, "target", "target");
        check(&Phase::Augment, "augment", "augment");
        check(&Phase::Propose, "propose", "propose");
        check(&Phase::Repropose, "repropose", "repropose");
        check(&Phase::Audit, "audit", "audit");
        check(&Origin::Seed, "seed", "seed");
        check(&Origin::Carried, "carried", "carried over");
        check(
            &Origin::InducedFromMix,
            "induced_from_mix",
            "induced from mix",
        );
        check(&Origin::Demonstrated, "demonstrated", "demonstrations");
        check(&Origin::Paraphrase, "paraphrase", "paraphrase");
        check(&Origin::Merged, "merged", "merged");
        let ending = serde_json::to_string(&RunEnding::BudgetExhausted).unwrap();
        assert_eq!(ending, "\"budget_exhausted\"");
        let audited = serde_json::to_string(&AuditedPrompt::Selected).unwrap();
        assert_eq!(audited, "\"selected\"");
    }

    #[test]
    fn phases_are_in_order() {
        use Phase::{Audit, Augment, Final, Propose, Refine, Repropose, Screen, Vote};
        let phases = [
            Augment, Propose, Screen, Vote, Repropose, Refine, Final, Audit,
        ];
        assert!(phases.is_sorted());
        // Padding is honoured where tables ask for it.
        assert_eq!(format!("{Vote:>8}|{Final:<8}|"), "    vote|final   |");
    }
}
