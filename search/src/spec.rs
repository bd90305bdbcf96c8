//! What a study may set about the search.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::calibrate::Calibration;
use crate::select::{self, AllocationRule, Objective, PosteriorRule};

/// How prompts are searched and chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SearchSpec {
    /// Where prompts come from.
    pub method: MethodName,
    /// Labelled source examples shown to the proposer, `N` in Li et al. 2023.
    pub shots: usize,
    /// Chunks the shots are cut into, and voters, `K` in Li et al. 2023.
    pub chunks: usize,
    /// Share of the votes a target input's label must exceed to be kept, `T`.
    pub threshold: f64,
    /// Texts asked of the proposer in each proposing phase.
    pub proposals: usize,
    /// Rounds of refinement around the best prompts.
    pub rounds: usize,
    /// Phrase edits and crossovers made without a model in each round.
    pub edits: usize,
    /// Paraphrases asked of the proposer in each round.
    pub paraphrases: usize,
    /// Evaluations all races may use together; votes and the audit come on top.
    pub evaluations: usize,
    /// Prompts that reach the final.
    pub finalists: usize,
    /// Prompts that vote together in the reported ensemble; 0 for none.
    pub ensemble: usize,
    /// What a candidate's group scores are reduced to.
    pub objective: ObjectiveName,
    /// How evaluations are spent.
    pub rule: RuleName,
    /// Whether generic human-written prompts for the answer form enter the race.
    pub library: bool,
    /// Calibration of scored labels.
    pub calibration: Calibration,
    /// Longest prompt that is entered, in [tokens](shiftproof_tasks::Prompt::tokens);
    /// absent: the larger of 2,000 and four times the longest prompt of the study.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_prompt_tokens: Option<usize>,
    /// Points of the objective that a thousand tokens of a prompt cost.
    #[serde(skip_serializing_if = "is_free")]
    pub length_price: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form serde asks for")]
fn is_free(price: &f64) -> bool {
    *price == 0.0
}

impl Default for SearchSpec {
    fn default() -> Self {
        Self {
            method: MethodName::default(),
            shots: 36,
            chunks: 6,
            threshold: 0.83,
            proposals: 36,
            rounds: 1,
            edits: 12,
            paraphrases: 0,
            evaluations: 1500,
            finalists: 6,
            ensemble: 3,
            objective: ObjectiveName::Robust,
            rule: RuleName::Posterior,
            library: true,
            calibration: Calibration::None,
            max_prompt_tokens: None,
            length_price: 0.0,
        }
    }
}

/// Least default limit on a prompt, in tokens.
const LIMIT: usize = 2000;

impl SearchSpec {
    /// The limit on a prompt's tokens, where the longest prompt of the study has
    /// `longest`.
    pub fn prompt_limit(&self, longest: usize) -> usize {
        self.max_prompt_tokens
            .unwrap_or_else(|| LIMIT.max(4 * longest))
    }

    /// What a prompt of so many [tokens](shiftproof_tasks::Prompt::tokens), its
    /// demonstrations among them, pays for its length, as a share of the objective's
    /// range.
    pub fn length_charge(&self, tokens: usize) -> f64 {
        self.length_price / 100.0 * tokens as f64 / 1000.0
    }

    /// Every reason why this cannot be run, as fragments that name the key.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |ok: bool, problem: &str| {
            if !ok {
                problems.push(problem.to_owned());
            }
        };
        check(self.chunks >= 1, "search.chunks must be at least 1");
        check(
            self.shots >= self.chunks,
            "search.shots must be at least search.chunks",
        );
        check(
            (0.0..1.0).contains(&self.threshold),
            "search.threshold must be at least 0 and below 1 (it is a share of votes)",
        );
        check(self.finalists >= 1, "search.finalists must be at least 1");
        check(
            self.evaluations >= 1,
            "search.evaluations must be at least 1",
        );
        check(
            self.max_prompt_tokens != Some(0),
            "search.max_prompt_tokens must be at least 1 (absent: 2000, or four times the longest \
             prompt of the study)",
        );
        check(
            self.length_price.is_finite() && self.length_price >= 0.0,
            "search.length_price must be 0 or more (points of the objective per 1,000 tokens)",
        );
        problems
    }
}

/// The name of a [search method](crate::methods::SearchMethod), `gpo` by default. What names there are is
/// known to a [`MethodRegistry`](crate::methods::MethodRegistry) alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MethodName(String);

impl MethodName {
    /// Of this spelling.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// As studies spell it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for MethodName {
    fn default() -> Self {
        Self::new("gpo")
    }
}

impl std::fmt::Display for MethodName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// How group scores become one number, higher is better; see
/// [`select`] for formulas and sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectiveName {
    /// What the allocation rule ranks by: for the default rule the posterior mean
    /// over the groups, or over the target's where it has labels.
    Robust,
    /// The mean over groups.
    Mean,
    /// The worst group.
    Worst,
    /// Between worst and mean.
    SoftMin,
    /// The mean over the worst tenth of the groups, by weight.
    Cvar,
    /// Worst reweighting of the groups within a KL ball.
    KlBall,
    /// Worst reweighting of the groups within a χ² ball.
    Chi2Ball,
    /// The mean less a share of the prompt × group interaction.
    Interaction,
}

impl ObjectiveName {
    /// The name as studies spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Robust => "robust",
            Self::Mean => "mean",
            Self::Worst => "worst",
            Self::SoftMin => "soft-min",
            Self::Cvar => "cvar",
            Self::KlBall => "kl-ball",
            Self::Chi2Ball => "chi2-ball",
            Self::Interaction => "interaction",
        }
    }
}

impl std::fmt::Display for ObjectiveName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// How evaluations are spent; see [`select`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleName {
    /// Every candidate on every example until the budget is spent; the mean
    /// decides.
    Uniform,
    /// Sequential halving on the mean.
    Halving,
    /// Continuous rejection on the mean.
    TripleCr,
    /// Paired racing on the mean.
    Racing,
    /// Halving on the posterior of a hierarchical model.
    Posterior,
}

impl RuleName {
    /// The name as studies spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Halving => "halving",
            Self::TripleCr => "triple-cr",
            Self::Racing => "racing",
            Self::Posterior => "posterior",
        }
    }
}

impl SearchSpec {
    /// The objective, for scores that are shown.
    pub fn objective(&self) -> Box<dyn Objective> {
        let name = match self.objective {
            ObjectiveName::Robust => "mean",
            named => named.name(),
        };
        select::by_name(name).expect("every named objective exists")
    }

    /// The objective, where it is another than the default rule's own.
    pub(crate) fn own_objective(&self) -> Option<Arc<dyn Objective>> {
        (self.objective != ObjectiveName::Robust).then(|| Arc::from(self.objective()))
    }

    /// A fresh allocation rule.
    pub fn rule(&self, seed: u64) -> Box<dyn AllocationRule> {
        if self.rule == RuleName::Posterior
            && let Some(objective) = self.own_objective()
        {
            return Box::new(PosteriorRule::with_objective(seed, objective));
        }
        select::rule(self.rule.name(), seed).expect("every named rule exists")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_runnable() {
        assert_eq!(SearchSpec::default().problems(), Vec::<String>::new());
        let broken = SearchSpec {
            chunks: 0,
            threshold: 1.0,
            ..SearchSpec::default()
        };
        assert_eq!(broken.problems().len(), 2);
    }

    #[test]
    fn prompt_limit_follows_longest() {
        let spec = SearchSpec::default();
        assert_eq!(
            (spec.prompt_limit(100), spec.prompt_limit(900)),
            (2000, 3600)
        );
        let own = SearchSpec {
            max_prompt_tokens: Some(50),
            length_price: 2.0,
            ..SearchSpec::default()
        };
        assert_eq!(own.prompt_limit(900), 50);
        // 1,000 tokens cost two points.
        assert!((own.length_charge(1000) - 0.02).abs() < 1e-12);
        // Studies of before read and are written as they were.
        let json = serde_json::to_value(&spec).unwrap();
        assert!(json.get("length_price").is_none() && json.get("max_prompt_tokens").is_none());
    }

    #[test]
    fn every_name_resolves() {
        for rule in select::rule_names() {
            let rule: RuleName = serde_json::from_value(rule.into()).unwrap();
            let spec = SearchSpec {
                rule,
                ..SearchSpec::default()
            };
            assert_eq!(spec.rule(1).name(), rule.name());
        }
        for name in [
            "mean",
            "worst",
            "soft-min",
            "cvar",
            "kl-ball",
            "chi2-ball",
            "interaction",
        ] {
            let objective: ObjectiveName = serde_json::from_value(name.into()).unwrap();
            let spec = SearchSpec {
                objective,
                ..SearchSpec::default()
            };
            assert_eq!(spec.objective().name(), name);
        }
    }
}
