//! The labels of a column.

use std::collections::BTreeMap;

use shiftproof_tasks::{
    ClassifySpec, ClassifyTask, DataError, DataTable, ExtractSpec, ExtractTask, Task,
};

use super::objects::DraftFields;

use crate::exit::Failure;

/// More labels than this are no closed set to choose from.
const MOST: usize = 100;

/// What programs write where there is no label.
const NOTHING: [&str; 8] = ["nan", "null", "none", "<na>", "n/a", "#n/a", "na", "nil"];

/// The labels a task chooses from.
#[derive(Debug)]
pub(super) struct DraftLabels {
    /// The labels, the most frequent first, numbers in their order.
    pub names: Vec<String>,
    /// Rows of each.
    pub counts: BTreeMap<String, usize>,
    /// Spellings that mean a label of another spelling.
    pub map: BTreeMap<String, String>,
    /// Whether they are three or more whole numbers.
    pub numbers: bool,
}

/// A task as a study will declare it.
pub(super) enum DraftSpec {
    Classify(ClassifySpec),
    Extract(ExtractSpec),
}

impl DraftSpec {
    /// The seed prompt, and how a row is shown.
    pub fn texts(&self) -> (&str, &str) {
        match self {
            Self::Classify(spec) => (&spec.prompt, &spec.input),
            Self::Extract(spec) => (&spec.prompt, &spec.input),
        }
    }
}

/// What rows are answered with.
#[derive(Debug)]
pub(super) enum DraftAnswers {
    /// One of a set for all.
    Labels(DraftLabels),
    /// One of the row's own, in this column.
    Options(String),
    /// A JSON object of these fields.
    Fields(DraftFields),
}

impl DraftAnswers {
    /// Spellings that mean a label of another spelling.
    pub const fn map(&self) -> Option<&BTreeMap<String, String>> {
        match self {
            Self::Labels(labels) => Some(&labels.map),
            Self::Options(_) | Self::Fields(_) => None,
        }
    }

    /// The columns that the task reads, of which a model sees these.
    pub fn fields(&self, seen: &[String]) -> Vec<String> {
        let own = match self {
            Self::Labels(_) | Self::Fields(_) => None,
            Self::Options(column) => Some(column),
        };
        seen.iter().chain(own).cloned().collect()
    }

    /// The task of the study; `fields`: what a model sees of a row.
    pub fn task(&self, fields: &[String]) -> Result<Box<dyn Task>, DataError> {
        Ok(match self.spec(fields) {
            DraftSpec::Classify(spec) => Box::new(ClassifyTask::new("draft", spec)?),
            DraftSpec::Extract(spec) => Box::new(ExtractTask::new("draft", spec)?),
        })
    }

    /// The task as the study will declare it; `fields`: what a model sees of a row.
    pub fn spec(&self, fields: &[String]) -> DraftSpec {
        let input = match fields {
            [only] => format!("{{{only}}}"),
            several => {
                let lines = several.iter().map(|name| format!("{name}: {{{name}}}"));
                lines.collect::<Vec<_>>().join("\n")
            }
        };
        DraftSpec::Classify(match self {
            Self::Fields(own) => return DraftSpec::Extract(own.spec(input)),
            Self::Labels(labels) => {
                let (last, first) = labels
                    .names
                    .split_last()
                    .map_or(("", labels.names.as_slice()), |(last, first)| {
                        (last.as_str(), first)
                    });
                let prompt = format!(
                    "Which label fits this text: {} or {last}? Answer with the label alone.",
                    first.join(", ")
                );
                ClassifySpec::new(prompt, input, &labels.names)
            }
            Self::Options(column) => ClassifySpec {
                options: Some(column.clone()),
                ..ClassifySpec::new(
                    "Which answer is right? Answer with its letter alone.",
                    input,
                    Vec::<String>::new(),
                )
            },
        })
    }
}

impl DraftLabels {
    pub fn of(table: &DataTable, column: &str) -> Result<Self, Failure> {
        let mut raw: BTreeMap<&str, usize> = BTreeMap::new();
        for value in table.rows.iter().filter_map(|row| row.values.get(column)) {
            let value = value.trim();
            let value = value
                .strip_suffix(".0")
                .filter(|n| is_number(n))
                .unwrap_or(value);
            if !value.is_empty() && !NOTHING.contains(&value.to_lowercase().as_str()) {
                *raw.entry(value).or_default() += 1;
            }
        }
        if raw.len() > MOST {
            return Err(Failure::usage(format!(
                "{column:?} has {} different values: too many for labels to choose from; name \
                 another column with --label",
                raw.len()
            )));
        }
        // Of spellings that differ in case the most frequent stands for all.
        let mut alike: BTreeMap<String, Vec<(&str, usize)>> = BTreeMap::new();
        for (value, count) in raw {
            alike
                .entry(value.to_lowercase())
                .or_default()
                .push((value, count));
        }
        let mut counts = BTreeMap::new();
        let mut map = BTreeMap::new();
        for spellings in alike.values_mut() {
            spellings.sort_by_key(|(value, count)| (std::cmp::Reverse(*count), *value));
            let (name, _) = spellings[0];
            let all: usize = spellings.iter().map(|(_, count)| count).sum();
            counts.insert(name.to_owned(), all);
            let others = spellings.iter().skip(1);
            map.extend(others.map(|(value, _)| ((*value).to_owned(), name.to_owned())));
        }
        if counts.len() < 2 {
            return Err(Failure::usage(format!(
                "{column:?} holds {} label; a task needs two or more: name another column with \
                 --label",
                if counts.is_empty() { "no" } else { "one" }
            )));
        }
        let mut names: Vec<String> = counts.keys().cloned().collect();
        let whole = names.iter().all(|name| is_number(name));
        if whole {
            names.sort_by_key(|name| name.parse::<i64>().unwrap_or(i64::MAX));
        } else {
            names.sort_by_key(|name| std::cmp::Reverse(counts[name]));
        }
        Ok(Self {
            numbers: whole && names.len() > 2,
            names,
            counts,
            map,
        })
    }

    /// The share of the most frequent label.
    pub fn largest_share(&self) -> f64 {
        let all: usize = self.counts.values().sum();
        let most = self.counts.values().max().copied().unwrap_or(0);
        most as f64 / all.max(1) as f64
    }

    pub fn notes(&self) -> Vec<String> {
        let shown: Vec<String> = self
            .names
            .iter()
            .map(|name| format!("{name} ({})", self.counts[name]))
            .collect();
        let mut told = vec![format!("labels: {}", shown.join(", "))];
        for (from, to) in &self.map {
            told.push(format!(
                "labels: {from:?} is taken for {to:?} (data.label_map)"
            ));
        }
        if self.numbers {
            told.push(
                "labels: they are numbers, and are taken as classes, of which a near miss is as \
                 wrong as a far one; for a number as the answer plug in a task of your own \
                 (docs/plug-in.md), for fewer classes map them in data.label_map"
                    .to_owned(),
            );
        }
        told
    }
}

fn is_number(text: &str) -> bool {
    text.parse::<i64>().is_ok()
}
