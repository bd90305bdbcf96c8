//! The baseline file: the prompt in use with its measured scores, small enough
//! to be committed beside the study.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use shiftproof_search::event::GroupOutcome;
use shiftproof_tasks::{Example, Prompt, PromptId, files};

use super::{GateReport, ScoredPrompt};
use crate::exit::Failure;
use crate::report::{machine, to_json};

/// Version of the file's form.
const FORMAT: u32 = 1;

/// A committed baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommittedBaseline {
    /// Version of the form of this file.
    pub format: u32,
    /// The study's name.
    pub study: String,
    /// The prompt.
    pub prompt: Prompt,
    /// Its id: tells when the text was edited by hand.
    pub id: PromptId,
    /// Identity of the model it was measured with.
    pub model: String,
    /// The metric.
    pub metric: String,
    /// Names the audit it was measured on.
    pub audit: String,
    /// Name of the robust score.
    pub objective: String,
    /// Its value.
    pub score: Option<f64>,
    /// Scores with 95% intervals, per group.
    pub groups: Vec<MeasuredGroup>,
}

/// One group's score and what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredGroup {
    /// The score.
    #[serde(flatten)]
    pub score: GroupOutcome,
    /// The grade of every audit example of the group, in the order of the
    /// examples' ids: a digit 0 to 9 for a grade of 0 to 0.9 in exact tenths, `X`
    /// for 1, `-` for a call that cannot be answered. Absent where a grade is
    /// none of these; then [`MeasuredGroup::exact`] holds them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grades: Option<String>,
    /// The grades in full.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exact: Vec<Option<f64>>,
}

impl CommittedBaseline {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let place = path.display();
        let text = files::read_to_string(path).map_err(|error| {
            Failure::usage(format!(
                "cannot read the baseline {place}: {error}; `shiftproof gate STUDY.toml \
                 --write-baseline {place}` writes one"
            ))
            .caused_by(error)
        })?;
        let baseline: Self = serde_json::from_str(&text).map_err(|error| {
            Failure::usage(format!(
                "{place}:{}: not a baseline file: {error}",
                error.line()
            ))
            .caused_by(error)
        })?;
        if baseline.format != FORMAT {
            return Err(Failure::usage(format!(
                "{place}: its format is {}, this program reads {FORMAT}; write it anew with \
                 --write-baseline",
                baseline.format
            )));
        }
        if baseline.prompt.id() != baseline.id {
            return Err(Failure::usage(format!(
                "{place}: the prompt was edited after it was measured (id {:#}, its text has \
                 {:#}); give a new text with --candidate, and write the file with \
                 --write-baseline",
                baseline.id,
                baseline.prompt.id()
            )));
        }
        Ok(baseline)
    }

    /// The baseline of `contender`, a prompt of `report` with these grades on
    /// these examples.
    pub fn of(
        report: &GateReport,
        contender: &ScoredPrompt,
        grades: &[Option<f64>],
        examples: &[Example],
    ) -> Self {
        let mut by_group: BTreeMap<&str, Vec<(&str, Option<f64>)>> = BTreeMap::new();
        for (example, grade) in examples.iter().zip(grades) {
            let rows = by_group.entry(&example.input.group).or_default();
            rows.push((&example.input.id, *grade));
        }
        let groups = contender.groups.iter().map(|score| {
            let mut rows = by_group.remove(score.group.as_str()).unwrap_or_default();
            rows.sort_unstable_by(|a, b| a.0.cmp(b.0));
            let exact: Vec<Option<f64>> = rows.into_iter().map(|row| row.1).collect();
            let packed = pack(&exact);
            MeasuredGroup {
                score: score.clone(),
                exact: if packed.is_some() { Vec::new() } else { exact },
                grades: packed,
            }
        });
        Self {
            format: FORMAT,
            study: report.study.clone(),
            prompt: contender.prompt.clone(),
            id: contender.id,
            model: report.model.clone(),
            metric: report.metric.clone(),
            audit: report.audit.fingerprint.clone(),
            objective: report.demand.objective.clone(),
            score: contender.score,
            groups: groups.collect(),
        }
    }

    /// The text of the file.
    pub fn text(&self) -> Result<String, Failure> {
        to_json(self)
    }

    /// The recorded scores.
    pub fn scores(&self) -> Vec<GroupOutcome> {
        self.groups
            .iter()
            .map(|group| group.score.clone())
            .collect()
    }

    /// The recorded grades in the order of `examples`, which must be the audit
    /// it was measured on; `None` where they do not fit it.
    pub fn grades(&self, examples: &[Example]) -> Option<Vec<Option<f64>>> {
        let mut by_group: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, example) in examples.iter().enumerate() {
            by_group.entry(&example.input.group).or_default().push(at);
        }
        let mut all = vec![None; examples.len()];
        for (name, mut places) in by_group {
            places.sort_unstable_by(|&a, &b| examples[a].input.id.cmp(&examples[b].input.id));
            let group = self.groups.iter().find(|group| group.score.group == name)?;
            let grades = match &group.grades {
                Some(text) => unpack(text)?,
                None => group.exact.clone(),
            };
            let fit = grades.len() == places.len()
                && grades
                    .iter()
                    .flatten()
                    .all(|grade| (0.0..=1.0).contains(grade));
            if !fit {
                return None;
            }
            for (place, grade) in places.into_iter().zip(grades) {
                all[place] = grade;
            }
        }
        Some(all)
    }

    /// What differs between the measured and today's, as sentences.
    pub fn changes(&self, model: &str, audit: &str, metric: &str) -> Vec<String> {
        let mut changes = Vec::new();
        if self.model != model {
            let (before, now) = (machine(&self.model), machine(model));
            // Other weights under the same name differ in the whole identity.
            let (before, now) = if before == now {
                (self.model.as_str(), model)
            } else {
                (before.as_str(), now.as_str())
            };
            changes.push(format!(
                "The model changed: the baseline was measured with {before}, today's is {now}."
            ));
        }
        if self.audit != audit {
            changes.push(format!(
                "The audit changed: the baseline was measured on {}, today's is {}.",
                short(&self.audit),
                short(audit)
            ));
        }
        if self.metric != metric {
            changes.push(format!(
                "The metric changed: {} in the baseline, {metric} today.",
                self.metric
            ));
        }
        changes
    }
}

/// The first digits of a fingerprint.
pub fn short(fingerprint: &str) -> &str {
    fingerprint.get(..8).unwrap_or(fingerprint)
}

fn pack(grades: &[Option<f64>]) -> Option<String> {
    grades
        .iter()
        .map(|grade| match grade {
            None => Some('-'),
            Some(1.0) => Some('X'),
            Some(value) => (0..10_u8)
                .find(|tenth| f64::from(*tenth) / 10.0 == *value)
                .map(|tenth| char::from(b'0' + tenth)),
        })
        .collect()
}

fn unpack(text: &str) -> Option<Vec<Option<f64>>> {
    text.chars()
        .map(|c| match c {
            '-' => Some(None),
            'X' => Some(Some(1.0)),
            _ => Some(Some(f64::from(c.to_digit(10)?) / 10.0)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn packed_grades_come_back(tenths in proptest::collection::vec(proptest::option::of(0_u8..=10), 0..40)) {
            let grades: Vec<Option<f64>> =
                tenths.iter().map(|t| t.map(|t| f64::from(t) / 10.0)).collect();
            let text = pack(&grades).unwrap();
            prop_assert_eq!(text.chars().count(), grades.len());
            prop_assert_eq!(unpack(&text).unwrap(), grades);
        }
    }

    #[test]
    fn foreign_grades_are_kept() {
        assert_eq!(pack(&[Some(1.0 / 3.0)]), None);
        assert_eq!(unpack("0?"), None);
    }
}
