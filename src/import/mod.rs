//! A promptfoo config turned into a study: prompts, labelled tests, provider.
//!
//! What has no counterpart is told with its place; nothing is guessed in
//! silence.

mod cases;
mod nunjucks;
mod prompts;
mod study;
#[cfg(test)]
mod tests;
mod yaml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::exit::Failure;
use yaml::Document;

/// What the command line adds to a config.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options<'a> {
    /// The metadata key or variable that holds the group.
    pub group: Option<&'a str>,
    /// Groups whose labels are free to use.
    pub source: &'a [String],
}

/// A study made from a config.
#[derive(Debug)]
pub(crate) struct Imported {
    /// The study file.
    pub study: String,
    /// Its data, a JSON object a line.
    pub data: String,
    /// What was not carried over or was changed, each with its place.
    pub notes: Vec<String>,
}

/// The name of the data file that the study names.
pub(crate) const DATA: &str = "data.jsonl";

/// Reads the config at `path` and what it refers to.
pub(crate) fn promptfoo(path: &Path, options: Options<'_>) -> Result<Imported, Failure> {
    let text = yaml::read(path)?;
    let document = Document::parse(&text, path)?;
    let mut notes = Notes::default();
    let root = document.root();
    if root.entries().is_none() {
        return Err(root.fault("a promptfoo config is a mapping with `prompts` and `tests`"));
    }
    let cases = cases::read(&root, options.group, &mut notes)?;
    let prompts = prompts::read(&root, &cases.labels, &mut notes)?;
    let model = prompts::model(&root, &mut notes);
    for (key, value) in root.entries().into_iter().flatten() {
        if ![
            "prompts",
            "providers",
            "targets",
            "tests",
            "defaultTest",
            "description",
            "metadata",
        ]
        .contains(&key.as_str())
        {
            notes.add(
                value.place(),
                format!("`{key}` has no counterpart in a study"),
            );
        }
    }
    let (study, data) = study::write(path, &prompts, &cases, &model, options, &mut notes)?;
    Ok(Imported {
        study,
        data,
        notes: notes.told(),
    })
}

/// Where something stands in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// What is to be told; equal notes are counted.
#[derive(Default)]
struct Notes(BTreeMap<String, (Place, usize)>);

impl Notes {
    fn add(&mut self, place: Place, what: impl Into<String>) {
        let entry = self.0.entry(what.into()).or_insert((place, 0));
        entry.1 += 1;
    }

    /// By place.
    fn told(self) -> Vec<String> {
        let mut notes: Vec<_> = self.0.into_iter().collect();
        notes.sort_by(|a, b| (&a.1.0, &a.0).cmp(&(&b.1.0, &b.0)));
        notes
            .into_iter()
            .map(|(what, (place, count))| match count {
                1 => format!("{place}: {what}"),
                n => format!("{place}: {what} ({n} times, here first)"),
            })
            .collect()
    }
}
