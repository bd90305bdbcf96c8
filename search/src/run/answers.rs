//! What a candidate got wrong and right, group by group: what methods that reflect
//! on failures work from.

use std::collections::BTreeMap;

use shiftproof_tasks::{Input, Label, Outcome};

use super::SearchContext;
use crate::event::GroupRole;
use crate::response_matrix::{CandidateAnswers, CandidateIndex, InputIndex, ResponseMatrix};
use crate::unusable::AnswerFault;

/// An answer worth at least this is a success: right or wrong are 1 and 0 by
/// accuracy, and of a graded metric the better half counts as right.
const SUCCESS: f64 = 0.5;

/// One candidate's answers to the examples of one group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupAnswers {
    /// The group's name.
    pub group: String,
    /// Whether the labels were won by vote, and may be wrong.
    pub pseudo_labelled: bool,
    /// Answers that are wrong, or worth less than ½ where the metric has grades;
    /// the worst first. An answer that is not of the form asked for is one of them.
    pub failures: Vec<AnsweredExample>,
    /// Answers that are right, or worth ½ and more; the best first.
    pub successes: Vec<AnsweredExample>,
    /// Examples whose call failed or was cut off: they say nothing about the
    /// prompt's judgement, and are in no score.
    pub unanswered: Vec<UnansweredExample>,
}

/// An example with a candidate's answer to it.
#[derive(Debug, Clone, PartialEq)]
pub struct AnsweredExample {
    /// The example.
    pub index: InputIndex,
    /// Its input.
    pub input: Input,
    /// What was asked for; a pseudo-label in a
    /// [pseudo-labelled](GroupAnswers::pseudo_labelled) group.
    pub label: Label,
    /// What was answered; what was said instead where that could not be read.
    pub answer: String,
    /// Whether the answer was of the form asked for.
    pub readable: bool,
    /// What it is worth, in `0..=1`.
    pub value: f64,
}

/// An example that a candidate has no answer to.
#[derive(Debug, Clone, PartialEq)]
pub struct UnansweredExample {
    /// The example.
    pub index: InputIndex,
    /// What went wrong.
    pub fault: AnswerFault,
    /// In words; of a reply that was cut off, what there is of it.
    pub text: String,
}

impl GroupAnswers {
    /// The share of its scored answers that are failures, in `0..=1`; `None`
    /// without any.
    pub fn failure_share(&self) -> Option<f64> {
        let scored = self.failures.len() + self.successes.len();
        (scored > 0).then(|| self.failures.len() as f64 / scored as f64)
    }
}

impl SearchContext<'_> {
    /// A candidate's failures and successes on those of `examples` that it was asked
    /// about, by group: source groups with their true labels, then target groups
    /// with labels won by vote, each in the study's order.
    ///
    /// Target examples whose true label the search may score on are left out. What
    /// is returned is made to be shown to a proposer, and a proposer sees no true
    /// target label.
    pub fn answers_by_group(
        &self,
        candidate: CandidateIndex,
        examples: &[InputIndex],
    ) -> Vec<GroupAnswers> {
        let answers = self.matrix.answers(self.run.context(), candidate);
        by_group(&self.matrix, &answers, examples)
    }
}

fn by_group(
    matrix: &ResponseMatrix,
    answers: &CandidateAnswers<'_>,
    examples: &[InputIndex],
) -> Vec<GroupAnswers> {
    let mut groups: BTreeMap<(bool, usize), GroupAnswers> = BTreeMap::new();
    for &index in examples {
        let (voted, group) = (matrix.is_voted(index), matrix.group_of(index));
        let is_secret = !voted && matrix.groups[group].role == GroupRole::Target;
        if is_secret || !matrix.is_trusted(index) {
            continue;
        }
        let Some((label, outcome)) = matrix.label(index).zip(answers.outcome(index)) else {
            continue;
        };
        let own = groups
            .entry((voted, group))
            .or_insert_with(|| GroupAnswers {
                group: matrix.groups[group].name.clone(),
                pseudo_labelled: voted,
                failures: Vec::new(),
                successes: Vec::new(),
                unanswered: Vec::new(),
            });
        let (answer, readable, value) = match outcome {
            Outcome::Scored(graded) => (graded.answer.to_text(), true, graded.value),
            Outcome::Unparseable { text } => (text, false, 0.0),
            Outcome::Truncated { text } => {
                own.unanswered.push(UnansweredExample {
                    index,
                    fault: AnswerFault::Truncated,
                    text,
                });
                continue;
            }
            Outcome::Failed { reason } => {
                own.unanswered.push(UnansweredExample {
                    index,
                    fault: AnswerFault::Failed,
                    text: reason,
                });
                continue;
            }
        };
        let answered = AnsweredExample {
            index,
            input: matrix.input(index).clone(),
            label: label.clone(),
            answer,
            readable,
            value,
        };
        if value >= SUCCESS {
            own.successes.push(answered);
        } else {
            own.failures.push(answered);
        }
    }
    let mut groups: Vec<GroupAnswers> = groups.into_values().collect();
    for group in &mut groups {
        // Stable: among equals the examples' own order stands, which is balanced.
        group.failures.sort_by(|a, b| a.value.total_cmp(&b.value));
        group.successes.sort_by(|a, b| b.value.total_cmp(&a.value));
    }
    groups
}
