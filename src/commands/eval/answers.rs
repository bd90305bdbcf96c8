//! The answer to every example, with the ids that the data have.

use std::collections::BTreeMap;

use serde::Serialize;
use shiftproof_search::evaluate::ExampleAnswer;
use shiftproof_search::event::GroupOutcome;
use shiftproof_tasks::{Example, Outcome, Task};

use crate::failures::{AnswerState, FailingAnswer, weakest_first};

/// One answer to one example.
#[derive(Debug, Clone, Serialize)]
pub(super) struct AnswerRow {
    /// The example's id, as the data have it, or `FILE:LINE`.
    pub id: String,
    pub group: String,
    /// The user, or what else is resampled as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Which of several samples, from 1.
    pub sample: u32,
    pub state: AnswerState,
    /// In `0..=1`; none for a state that counts in no score.
    pub score: Option<f64>,
    /// What the task reads in the reply; none where it can read nothing.
    pub answer: Option<String>,
    /// The items of an answer that is a ranking.
    #[serde(skip)]
    pub ranked: Option<Vec<String>>,
    /// The items of a label that names some.
    #[serde(skip)]
    pub relevant: Vec<String>,
    pub label: String,
    /// The reply as it came, or why there is none.
    pub reply: Option<String>,
    /// Why there is no grade, where there is a reply that does not show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What each part of the answer is worth, where it has parts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, f64>,
    /// The input as the model was shown it.
    pub input: String,
}

/// The answers of one prompt and sample, in the examples' order.
pub(super) fn rows(
    task: &dyn Task,
    examples: &[Example],
    answers: &[ExampleAnswer],
    sample: u32,
) -> Vec<AnswerRow> {
    let row = |(example, given): (&Example, &ExampleAnswer)| {
        let outcome = given.outcome.as_ref();
        let scored = match outcome {
            Some(Outcome::Scored(scored)) => Some(&scored.answer),
            _ => None,
        };
        AnswerRow {
            id: example.input.id.clone(),
            group: example.input.group.clone(),
            cluster: example.input.cluster.clone(),
            sample,
            state: AnswerState::of(outcome),
            score: outcome.and_then(Outcome::value),
            answer: scored.map(shiftproof_tasks::Answer::to_text),
            ranked: scored.and_then(|answer| match answer {
                shiftproof_tasks::Answer::Ranking(items) => Some(items.clone()),
                _ => None,
            }),
            relevant: match &example.label {
                shiftproof_tasks::Label::Relevant(items) => items.clone(),
                _ => Vec::new(),
            },
            label: example.label.to_text(),
            reply: given.reply.clone(),
            reason: given.reason.clone(),
            parts: scored
                .map(|answer| task.parts(answer, &example.label))
                .unwrap_or_default()
                .into_iter()
                .collect(),
            input: task.render(&example.input),
        }
    };
    examples.iter().zip(answers).map(row).collect()
}

impl AnswerRow {
    /// The same as a person looks at it who mends the prompt; `audited`: of the sealed
    /// audit.
    pub fn failing(&self, audited: bool) -> FailingAnswer {
        let wrong = self.parts.iter().filter(|(_, grade)| **grade < 1.0);
        let reply = Some(self.reply.clone().unwrap_or_default());
        // Of a refusal the reason stands where the reply would.
        let is_refused = self.state == AnswerState::Failed && self.reason.is_none();
        let (reason, reply) = if is_refused {
            (reply, None)
        } else {
            (self.reason.clone(), reply)
        };
        FailingAnswer {
            id: self.id.clone(),
            group: self.group.clone(),
            state: self.state,
            score: self.score,
            audited,
            input: self.input.clone(),
            label: Some(self.label.clone()),
            answer: self.answer.clone(),
            wrong: wrong.map(|(name, _)| name.clone()).collect(),
            reason,
            reply,
        }
    }
}

/// Answers that are not right, of the weakest group first.
pub(super) fn failures<'r>(rows: &'r [AnswerRow], groups: &[GroupOutcome]) -> Vec<&'r AnswerRow> {
    let mut failing: Vec<&AnswerRow> = rows.iter().filter(|row| row.state.is_failure()).collect();
    weakest_first(&mut failing, groups, |row| (row.group.as_str(), row.score));
    failing
}

/// What a part of the answers scores over all examples that count, an answer without
/// parts as 0.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct PartScore {
    /// The field.
    pub name: String,
    /// The mean over all examples, in `0..=1`.
    pub score: f64,
    /// The mean in each group.
    pub groups: BTreeMap<String, f64>,
}

/// The parts' scores, the lowest first; none where answers have no parts.
pub(super) fn part_scores(rows: &[AnswerRow]) -> Vec<PartScore> {
    let counted = || rows.iter().filter(|row| row.score.is_some());
    let names: std::collections::BTreeSet<&String> =
        rows.iter().flat_map(|row| row.parts.keys()).collect();
    let mean = |name: &str, group: Option<&str>| {
        let own = counted().filter(|row| group.is_none_or(|group| row.group == group));
        let grades: Vec<f64> = own
            .map(|row| row.parts.get(name).copied().unwrap_or(0.0))
            .collect();
        grades.iter().sum::<f64>() / grades.len().max(1) as f64
    };
    let groups: std::collections::BTreeSet<&str> =
        counted().map(|row| row.group.as_str()).collect();
    let mut scores: Vec<PartScore> = names
        .into_iter()
        .map(|name| PartScore {
            score: mean(name, None),
            groups: groups
                .iter()
                .map(|group| ((*group).to_owned(), mean(name, Some(group))))
                .collect(),
            name: name.clone(),
        })
        .collect();
    scores.sort_by(|a, b| a.score.total_cmp(&b.score));
    scores
}

/// How far the samples of one prompt differ in a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct SampleSpread {
    pub group: String,
    /// Samples with a score.
    pub samples: usize,
    /// The mean of the samples' scores.
    pub mean: f64,
    /// Their standard deviation, with n − 1.
    pub deviation: f64,
    pub lowest: f64,
    pub highest: f64,
    /// Examples, and those of them whose answer is not the same in every sample.
    pub examples: usize,
    pub differing: usize,
}

/// The spread in each group; `samples`: each one's scores; `rows`: the answers of all.
pub(super) fn sample_spreads(
    samples: &[Vec<GroupOutcome>],
    rows: &[AnswerRow],
) -> Vec<SampleSpread> {
    if samples.len() < 2 {
        return Vec::new();
    }
    let mut names: Vec<&str> = Vec::new();
    for outcome in samples.iter().flatten() {
        if !names.contains(&outcome.group.as_str()) {
            names.push(&outcome.group);
        }
    }
    let spread = |name: &str| {
        let own = samples.iter().flatten().filter(|group| group.group == name);
        let values: Vec<f64> = own.filter_map(|group| group.value).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let mut answers: BTreeMap<&str, Vec<(AnswerState, Option<&str>)>> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.group == name) {
            let said = (row.state, row.answer.as_deref());
            answers.entry(&row.id).or_default().push(said);
        }
        let differs = |said: &&Vec<(AnswerState, Option<&str>)>| {
            said.windows(2).any(|pair| pair[0] != pair[1])
        };
        (!values.is_empty()).then(|| SampleSpread {
            group: name.to_owned(),
            samples: values.len(),
            mean,
            deviation: (squares / (n - 1.0).max(1.0)).sqrt(),
            lowest: values.iter().copied().fold(f64::INFINITY, f64::min),
            highest: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            examples: answers.len(),
            differing: answers.values().filter(differs).count(),
        })
    };
    names.into_iter().filter_map(spread).collect()
}

#[cfg(test)]
mod tests;
