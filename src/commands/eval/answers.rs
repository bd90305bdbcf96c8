//! The answer to every example, with the ids that the data have.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde::ser::{Serialize, SerializeStruct, Serializer};
use shiftproof_search::evaluate::ExampleAnswer;
use shiftproof_search::event::GroupOutcome;
use shiftproof_tasks::{Answer, Example, Label, Outcome, Task};

use crate::failures::{AnswerState, FailingAnswer, weakest_first};

/// An example as answers to it are told; they share it.
#[derive(Debug)]
pub(super) struct AnsweredExample {
    /// The example's id, as the data have it, or `FILE:LINE`.
    pub id: String,
    pub group: String,
    /// The user, or what else is resampled as one.
    pub cluster: Option<String>,
    pub label: String,
    /// The items of a label that names some.
    pub relevant: Vec<String>,
    /// The input as the model was shown it.
    pub input: String,
}

/// The examples as answers to them are told, in their order.
pub(super) fn answered(task: &dyn Task, examples: &[Example]) -> Vec<Arc<AnsweredExample>> {
    let answered = |example: &Example| {
        Arc::new(AnsweredExample {
            id: example.input.id.clone(),
            group: example.input.group.clone(),
            cluster: example.input.cluster.clone(),
            label: example.label.to_text(),
            relevant: match &example.label {
                Label::Relevant(items) => items.clone(),
                _ => Vec::new(),
            },
            input: task.render(&example.input),
        })
    };
    examples.iter().map(answered).collect()
}

/// One answer to one example.
#[derive(Debug, Clone)]
pub(super) struct AnswerRow {
    pub example: Arc<AnsweredExample>,
    /// Which of several samples, from 1.
    pub sample: u32,
    pub state: AnswerState,
    /// In `0..=1`; none for a state that counts in no score.
    pub score: Option<f64>,
    /// What the task reads in the reply; none where it can read nothing.
    pub answer: Option<Arc<str>>,
    /// The items of an answer that is a ranking.
    pub ranked: Option<Vec<String>>,
    /// The reply as it came, or why there is none.
    pub reply: Option<Arc<str>>,
    /// Why there is no grade, where there is a reply that does not show it; of a grade
    /// below 1 what the grader said for it.
    pub reason: Option<Arc<str>>,
    /// What each part of the answer is worth, where it has parts.
    pub parts: BTreeMap<String, f64>,
}

/// All of it in one object, example and answer.
impl Serialize for AnswerRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let example = &self.example;
        let mut row = serializer.serialize_struct("AnswerRow", 12)?;
        row.serialize_field("id", &example.id)?;
        row.serialize_field("group", &example.group)?;
        match &example.cluster {
            Some(cluster) => row.serialize_field("cluster", cluster)?,
            None => row.skip_field("cluster")?,
        }
        row.serialize_field("sample", &self.sample)?;
        row.serialize_field("state", &self.state)?;
        row.serialize_field("score", &self.score)?;
        row.serialize_field("answer", &self.answer.as_deref())?;
        row.serialize_field("label", &example.label)?;
        row.serialize_field("reply", &self.reply.as_deref())?;
        match &self.reason {
            Some(reason) => row.serialize_field("reason", &**reason)?,
            None => row.skip_field("reason")?,
        }
        if self.parts.is_empty() {
            row.skip_field("parts")?;
        } else {
            row.serialize_field("parts", &self.parts)?;
        }
        row.serialize_field("input", &example.input)?;
        row.end()
    }
}

/// The answers of one prompt and sample, in the order of `examples`; `answered` are
/// the same examples.
pub(super) fn rows(
    task: &dyn Task,
    (examples, answered): (&[Example], &[Arc<AnsweredExample>]),
    answers: Vec<ExampleAnswer>,
    sample: u32,
) -> Vec<AnswerRow> {
    // Answers are few and told often.
    let mut texts: HashSet<Arc<str>> = HashSet::new();
    let mut shared = |text: String| {
        if let Some(known) = texts.get(text.as_str()) {
            return known.clone();
        }
        let text: Arc<str> = text.into();
        texts.insert(text.clone());
        text
    };
    let row = |((example, answered), given): ((&Example, &Arc<AnsweredExample>), ExampleAnswer)| {
        let outcome = given.outcome.as_ref();
        let scored = match outcome {
            Some(Outcome::Scored(scored)) => Some(&scored.answer),
            _ => None,
        };
        AnswerRow {
            example: answered.clone(),
            sample,
            state: AnswerState::of(outcome),
            score: outcome.and_then(Outcome::value),
            answer: scored.map(|answer| shared(answer.to_text())),
            ranked: scored.and_then(|answer| match answer {
                Answer::Ranking(items) => Some(items.clone()),
                _ => None,
            }),
            parts: scored
                .map(|answer| task.parts(answer, &example.label))
                .unwrap_or_default()
                .into_iter()
                .collect(),
            reply: given.reply,
            reason: given.reason,
        }
    };
    examples
        .iter()
        .zip(answered)
        .zip(answers)
        .map(row)
        .collect()
}

impl AnswerRow {
    /// The same as a person looks at it who mends the prompt; `audited`: of the sealed
    /// audit.
    pub fn failing(&self, audited: bool) -> FailingAnswer {
        let wrong = self.parts.iter().filter(|(_, grade)| **grade < 1.0);
        let example = &self.example;
        let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
        let reply = Some(text(&self.reply).unwrap_or_default());
        // Of a refusal the reason stands where the reply would.
        let is_refused = self.state == AnswerState::Failed && self.reason.is_none();
        let (reason, reply) = if is_refused {
            (reply, None)
        } else {
            (text(&self.reason), reply)
        };
        FailingAnswer {
            id: example.id.clone(),
            group: example.group.clone(),
            state: self.state,
            score: self.score,
            audited,
            input: example.input.clone(),
            label: Some(example.label.clone()),
            answer: text(&self.answer),
            wrong: wrong.map(|(name, _)| name.clone()).collect(),
            reason,
            reply,
        }
    }
}

/// Answers that are not right, of the weakest group first.
pub(super) fn failures<'r>(rows: &'r [AnswerRow], groups: &[GroupOutcome]) -> Vec<&'r AnswerRow> {
    let mut failing: Vec<&AnswerRow> = rows.iter().filter(|row| row.state.is_failure()).collect();
    weakest_first(&mut failing, groups, |row| {
        (row.example.group.as_str(), row.score)
    });
    failing
}

/// What a part of the answers scores over all examples that count, an answer without
/// parts as 0.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
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
        let own = counted().filter(|row| group.is_none_or(|group| row.example.group == group));
        let grades: Vec<f64> = own
            .map(|row| row.parts.get(name).copied().unwrap_or(0.0))
            .collect();
        grades.iter().sum::<f64>() / grades.len().max(1) as f64
    };
    let groups: std::collections::BTreeSet<&str> =
        counted().map(|row| row.example.group.as_str()).collect();
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
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
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
        for row in rows.iter().filter(|row| row.example.group == name) {
            let said = (row.state, row.answer.as_deref());
            answers.entry(&row.example.id).or_default().push(said);
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
