//! Choosing a prompt: what to evaluate next, and which candidate holds.
//!
//! [`OutcomeTable`] holds the outcomes seen so far, [`GroupEstimates`] turns them into
//! group estimates with the noise taken out, an [`Objective`] makes one number
//! of a candidate's groups, and an [`AllocationRule`] decides which evaluations
//! to buy next and when to stop. [`mod@stats`] says how sure a comparison is, and
//! [`mod@bench`] replays rules over recorded or planted outcomes.
//!
//! All of it is pure and deterministic: the same problem, seed and outcomes give
//! the same questions and the same pick. The crate knows no model, no task, no
//! store and no async; only [`mod@bench`] reads and writes files.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod bench;
mod blocks;
mod class_tilt;
mod empirical_bayes;
mod gaussian_process;
mod halving;
mod labelling;
mod objective;
mod posterior;
mod problem;
mod racing;
mod scores;
pub mod stats;
mod text_kernel;
mod triple;
mod unevenness;
pub mod votes;

pub use class_tilt::{ClassOutcome, class_tilt};
pub use empirical_bayes::{GroupEstimate, GroupEstimates};
pub use halving::{HalvingRule, UniformRule};
pub use labelling::{GroupKnowledge, LabelReason, LabelRequest, OpenInput, choose_inputs};
pub use objective::{
    ChiSquareBall, CvarObjective, InteractionPenalty, KlBall, MeanObjective, Objective, SoftMin,
    WorstObjective, by_name, mean_names, objective_names, of_means,
};
pub use posterior::{PosteriorConstants, PosteriorRule, chance_to_beat};
pub use problem::{
    AllocationRule, AllocationStep, Elimination, EvaluationRequest, ExampleClasses, ExampleGroup,
    LabelRole, PromptLength, Selection, SelectionProblem,
};
pub use racing::RacingRule;
pub use scores::OutcomeTable;
pub use text_kernel::TextKernel;
pub use triple::TripleCr;

/// Makes a rule by its name, `None` for an unknown one. Names: [`rule_names`].
pub fn rule(name: &str, seed: u64) -> Option<Box<dyn AllocationRule>> {
    Some(match name {
        "uniform" => Box::new(UniformRule::new(seed)),
        "halving" => Box::new(HalvingRule::new(seed)),
        "triple-cr" => Box::new(TripleCr::new(seed)),
        "racing" => Box::new(RacingRule::new(seed)),
        "posterior" => Box::new(PosteriorRule::new(seed)),
        _ => return None,
    })
}

/// Names [`rule`] knows; the last is the default.
pub const fn rule_names() -> [&'static str; 5] {
    ["uniform", "halving", "triple-cr", "racing", "posterior"]
}

#[cfg(test)]
mod estimates_tests;
#[cfg(test)]
mod rules_tests;
#[cfg(test)]
mod tests;
