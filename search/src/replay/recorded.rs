//! A user's own outcomes as a matrix: from a run's events, or written down to be
//! read again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::matrix::{ColumnKind, MatrixError, OutcomeMatrix};
use crate::event::{AnswerVerdict, Event, UngradedReason};
use crate::select::TextKernel;

/// Graded answers of a prompt in a group, at least, for the group to say
/// anything of the prompt.
const LEAST: usize = 10;

impl OutcomeMatrix {
    /// A matrix of recorded grades in `0..=1`, row-major prompts × examples, NaN
    /// where there is none; `group_of` numbers `groups`.
    pub fn recorded(
        name: impl Into<String>,
        prompts: Vec<String>,
        groups: Vec<String>,
        group_of: Vec<u32>,
        outcomes: Vec<f32>,
    ) -> Self {
        debug_assert_eq!(outcomes.len(), prompts.len() * group_of.len());
        Self {
            name: name.into(),
            kind: ColumnKind::Example,
            kernel: TextKernel::of_texts(&prompts).map(Arc::new),
            prompts,
            groups,
            group_of,
            columns: BTreeMap::new(),
            outcomes,
            truth: None,
        }
    }

    /// What a run's events tell: the prompts that were graded on ten examples or
    /// more in every group that two prompts were graded in. `None` when that
    /// leaves fewer than two prompts or two groups. A voted label counts as
    /// truth, as it did in the run.
    pub fn of_run<'a>(name: &str, events: impl IntoIterator<Item = &'a Event>) -> Option<Self> {
        let mut texts = BTreeMap::new();
        let mut inputs: Vec<&str> = Vec::new();
        let mut grades: BTreeMap<_, BTreeMap<u32, f32>> = BTreeMap::new();
        for event in events {
            match event {
                Event::Proposed(proposed) => {
                    texts.insert(proposed.candidate, &proposed.prompt.instruction);
                }
                Event::Inputs { inputs: told } => {
                    inputs.extend(told.iter().map(|input| input.group.as_str()));
                }
                Event::Answered {
                    candidate, answers, ..
                } => {
                    let own = grades.entry(*candidate).or_default();
                    for answer in answers {
                        let grade = match answer.verdict {
                            AnswerVerdict::Graded(grade) => grade as f32,
                            AnswerVerdict::Ungraded(UngradedReason::Unparseable) => 0.0,
                            AnswerVerdict::Ungraded(_) => continue,
                        };
                        own.insert(answer.input, grade);
                    }
                }
                _ => {}
            }
        }
        let count = |own: &BTreeMap<u32, f32>, group: &str| {
            own.keys()
                .filter(|&&input| inputs.get(input as usize) == Some(&group))
                .count()
        };
        let mut groups: Vec<String> = Vec::new();
        for group in &inputs {
            let seen = grades.values().filter(|own| count(own, group) >= LEAST);
            if !groups.iter().any(|known| known == group) && seen.count() >= 2 {
                groups.push((*group).to_owned());
            }
        }
        grades.retain(|id, own| {
            texts.contains_key(id) && groups.iter().all(|group| count(own, group) >= LEAST)
        });
        if grades.len() < 2 || groups.len() < 2 {
            return None;
        }
        let (mut columns, mut group_of) = (Vec::new(), Vec::new());
        for (input, group) in inputs.iter().enumerate() {
            if let Some(number) = groups.iter().position(|known| known == group) {
                columns.push(input as u32);
                group_of.push(number as u32);
            }
        }
        let outcomes = grades
            .values()
            .flat_map(|own| {
                columns
                    .iter()
                    .map(|c| own.get(c).copied().unwrap_or(f32::NAN))
            })
            .collect();
        let prompts = grades.keys().map(|id| texts[id].clone()).collect();
        Some(Self::recorded(name, prompts, groups, group_of, outcomes))
    }

    /// Writes the matrix to a folder that [`load`](super::load) reads.
    pub fn write(&self, folder: &Path) -> Result<(), MatrixError> {
        let put = |file: &str, bytes: &[u8]| {
            let path = folder.join(file);
            std::fs::write(&path, bytes).map_err(|source| MatrixError::Read { path, source })
        };
        std::fs::create_dir_all(folder).map_err(|source| MatrixError::Read {
            path: folder.to_owned(),
            source,
        })?;
        let meta = json!({
            "name": self.name,
            "format_version": 1,
            "kind": "example",
            "n_prompts": self.prompts.len(),
            "n_examples": self.group_of.len(),
            "llms": [{ "id": "recorded", "file": "outcomes.bin", "dtype": "f32" }],
        });
        put("meta.json", format!("{meta:#}\n").as_bytes())?;
        let mut lines = String::new();
        for (id, text) in self.prompts.iter().enumerate() {
            lines.push_str(&json!({ "id": id, "text": text }).to_string());
            lines.push('\n');
        }
        put("prompts.jsonl", lines.as_bytes())?;
        let mut table = csv::Writer::from_writer(Vec::new());
        let rows = std::iter::once(["id".to_owned(), "group".to_owned()]).chain(
            self.group_of
                .iter()
                .enumerate()
                .map(|(id, &group)| [id.to_string(), self.groups[group as usize].clone()]),
        );
        for row in rows {
            table
                .write_record(&row)
                .expect("two fields a row, written to memory");
        }
        let table = table.into_inner().expect("memory takes every byte");
        put("examples.csv", &table)?;
        let bytes: Vec<u8> = self.outcomes.iter().flat_map(|x| x.to_le_bytes()).collect();
        put("outcomes.bin", &bytes)
    }
}
