//! What an allocation rule chooses among, what it may ask for, and the rule itself.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::scores::OutcomeTable;
use crate::text_kernel::TextKernel;

/// What a group's labels are, and so how far its outcomes can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelRole {
    /// Labelled source.
    Source,
    /// Target with true labels (a small audited sample).
    LabelledTarget,
    /// Target with pseudo-labels.
    PseudoTarget,
}

/// A group of examples to evaluate on.
#[derive(Debug, Clone, PartialEq)]
pub struct ExampleGroup {
    /// Name, for reasons and reports.
    pub name: String,
    /// What its labels are.
    pub role: LabelRole,
    /// Share of the objective, at least 0; groups of weight 0 are not bought.
    pub weight: f64,
    /// Numbers of its examples in [`OutcomeTable`].
    pub examples: Vec<u32>,
}

/// The classes of a problem's examples.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExampleClasses {
    /// Number of each example's class, `None` where its label is no class.
    pub of_example: Vec<Option<u32>>,
    /// The target's share of every class, where they are stated; else labelled
    /// target examples are counted, as drawn at natural shares.
    pub target_shares: Option<Vec<f64>>,
}

impl ExampleClasses {
    /// Class of an example.
    pub fn class(&self, example: u32) -> Option<u32> {
        self.of_example.get(example as usize).copied().flatten()
    }

    /// Number of classes: one more than the largest number.
    pub fn count(&self) -> usize {
        let largest = self.of_example.iter().flatten().max();
        largest.map_or(0, |&class| class as usize + 1)
    }
}

/// What an allocation rule chooses among.
#[derive(Debug, Clone, Default)]
pub struct SelectionProblem {
    /// Number of candidates.
    pub candidates: usize,
    /// Groups, in the order of [`OutcomeTable`].
    pub groups: Vec<ExampleGroup>,
    /// How alike the candidates' texts are; `None` when texts are unknown, or
    /// the rule does not read them ([`AllocationRule::reads_texts`]).
    pub kernel: Option<Arc<TextKernel>>,
    /// Candidates that stay in the race to the end (the incumbent, a human's).
    pub keep: Vec<usize>,
    /// How long each candidate is and what it pays for that; empty where length
    /// does not matter.
    pub lengths: Vec<PromptLength>,
    /// Classes of the examples, for tasks that have them: where the target's
    /// shares of classes are known, the source is read as if it had them.
    pub classes: Option<Arc<ExampleClasses>>,
}

/// A candidate's length.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PromptLength {
    /// Its tokens: of candidates with equal scores the shorter goes first.
    pub tokens: usize,
    /// What is taken off its score, 0 for nothing.
    pub charge: f64,
}

impl SelectionProblem {
    /// What a candidate pays for its length.
    pub fn charge(&self, candidate: usize) -> f64 {
        self.lengths
            .get(candidate)
            .map_or(0.0, |length| length.charge)
    }

    /// Sorts candidates best first by `score` less their charge. Of equal ones (to
    /// nine digits) those that stay come first, for nothing speaks for a change;
    /// then the shorter, then the lower number. NaN goes last.
    pub(crate) fn ranked(&self, candidates: &[usize], score: impl Fn(usize) -> f64) -> Vec<usize> {
        if self.lengths.is_empty() {
            return ranked(candidates, score);
        }
        let worth = |p: usize| {
            let score = score(p) - self.charge(p);
            if score.is_nan() {
                f64::NEG_INFINITY
            } else {
                (score * 1e9).round()
            }
        };
        let mut order: Vec<(f64, bool, usize, usize)> = candidates
            .iter()
            .map(|&p| {
                let tokens = self.lengths.get(p).map_or(0, |length| length.tokens);
                (worth(p), !self.keep.contains(&p), tokens, p)
            })
            .collect();
        order.sort_by(|a, b| {
            let place = |x: &(f64, bool, usize, usize)| (x.1, x.2, x.3);
            b.0.total_cmp(&a.0).then_with(|| place(a).cmp(&place(b)))
        });
        order.into_iter().map(|(.., p)| p).collect()
    }
}

/// One evaluation to buy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EvaluationRequest {
    /// Candidate number.
    pub candidate: usize,
    /// Example number.
    pub example: u32,
}

/// A candidate that left the race.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elimination {
    /// Candidate number.
    pub candidate: usize,
    /// Why, as a short sentence for people.
    pub reason: String,
}

/// The end of a race.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// The candidate chosen.
    pub candidate: usize,
    /// All candidates, best first by the rule's last word on them.
    pub ranking: Vec<usize>,
    /// Why, as a short sentence for people.
    pub reason: String,
}

/// What a rule wants next.
#[derive(Debug, Clone, PartialEq)]
pub enum AllocationStep {
    /// Buy these evaluations (never more than remain, none known already),
    /// enter the outcomes into [`OutcomeTable`] and ask again. A failed call is
    /// simply left out: the rule goes on without it.
    Evaluate(Vec<EvaluationRequest>),
    /// Done.
    Pick(Selection),
}

/// A rule for spending evaluations.
///
/// Rules keep where they are between calls. To resume a run, make a fresh rule
/// with the same seed and call it again with the stored outcomes: it repeats
/// its questions.
pub trait AllocationRule: fmt::Debug + Send {
    /// Name in tables and settings.
    fn name(&self) -> &'static str;

    /// Whether the rule reads [`SelectionProblem::kernel`] in a race of so many.
    fn reads_texts(&self, _candidates: usize) -> bool {
        false
    }

    /// The next block, given the outcomes so far and how many evaluations
    /// remain. Candidates dropped since the last call are appended to `dropped`.
    fn next(
        &mut self,
        problem: &SelectionProblem,
        scores: &OutcomeTable,
        remaining: usize,
        dropped: &mut Vec<Elimination>,
    ) -> AllocationStep;
}

/// Sorts candidates best first by `score`; ties keep the lower number first
/// and NaN goes last.
pub(crate) fn ranked(candidates: &[usize], score: impl Fn(usize) -> f64) -> Vec<usize> {
    let mut order: Vec<(f64, usize)> = candidates
        .iter()
        .map(|&p| {
            (
                Some(score(p))
                    .filter(|s| !s.is_nan())
                    .unwrap_or(f64::NEG_INFINITY),
                p,
            )
        })
        .collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    order.into_iter().map(|(_, p)| p).collect()
}
