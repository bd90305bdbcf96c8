//! A promptfoo config turned into a study: prompts, labelled tests, provider.
//!
//! What has no counterpart is told with its place; nothing is guessed in
//! silence.

mod asserts;
mod cases;
mod chat;
mod expand;
mod files;
mod groups;
mod nunjucks;
mod prompts;
mod provider;
mod raw;
mod rows;
mod sizes;
mod study;
#[cfg(test)]
mod tests;
mod yaml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::exit::Failure;
use yaml::YamlDocument;

/// What the command line adds to a config.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ImportOptions<'a> {
    /// The metadata key or variable that holds the group.
    pub group: Option<&'a str>,
    /// Groups whose labels are free to use.
    pub source: &'a [String],
}

/// A study made from a config.
#[derive(Debug)]
pub(crate) struct ImportedStudy {
    /// The study file.
    pub study: String,
    /// Its data, a JSON object a line.
    pub data: String,
    /// What was not carried over or was changed, each with its place.
    pub notes: Vec<String>,
}

/// The name of the data file that the study names.
pub(crate) const DATA: &str = "data.jsonl";

/// Keys of a config that are carried over, or that say nothing about the tests.
const KNOWN: [&str; 8] = [
    "prompts",
    "providers",
    "targets",
    "tests",
    "defaultTest",
    "description",
    "metadata",
    "$schema",
];

/// Reads the config at `path` and what it refers to. An error tells beside its
/// own reason what was left out until then, which often is the true one.
pub(crate) fn promptfoo(path: &Path, options: ImportOptions<'_>) -> Result<ImportedStudy, Failure> {
    let mut notes = ImportNotes::default();
    match read(path, options, &mut notes) {
        Ok((study, data)) => Ok(ImportedStudy {
            study,
            data,
            notes: notes.told(),
        }),
        Err(mut failure) => {
            for note in messages(&notes.told()) {
                failure.message.push('\n');
                failure.message.push_str(&note);
            }
            Err(failure)
        }
    }
}

/// Notes as lines of their own under a heading; none without notes.
pub(crate) fn messages(notes: &[String]) -> Vec<String> {
    let heading = (!notes.is_empty()).then(|| "not carried over as it was:".to_owned());
    let lines = notes.iter().map(|note| format!("  {note}"));
    heading.into_iter().chain(lines).collect()
}

/// The study and its data.
fn read(
    path: &Path,
    options: ImportOptions<'_>,
    notes: &mut ImportNotes,
) -> Result<(String, String), Failure> {
    let text = yaml::read(path)?;
    let text = match files::ending(&path.to_string_lossy()).as_str() {
        "json" => yaml::json_as_yaml(&text),
        _ => text,
    };
    let document = YamlDocument::parse(&text, path)?;
    let root = document.root();
    let Some(entries) = root.entries() else {
        return Err(root.fault("a promptfoo config is a mapping with `prompts` and `tests`"));
    };
    for (key, value) in entries {
        // Keys that begin with `x-` only hold parts that others refer to.
        if !KNOWN.contains(&key.as_str()) && !key.starts_with("x-") {
            let what = format!("`{key}` has no counterpart in a study");
            notes.add(value.place(), what);
        }
    }
    let cases = cases::read(&root, options.group, notes)?;
    let prompts = prompts::read(&root, &cases, notes)?;
    let model = provider::model(&root, notes)?;
    study::write(path, &prompts, &cases, &model, options, notes)
}

/// Where something stands in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConfigLocation {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
}

impl std::fmt::Display for ConfigLocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// What is to be told; equal notes are counted.
#[derive(Default)]
struct ImportNotes(BTreeMap<String, (ConfigLocation, usize)>);

impl ImportNotes {
    fn add(&mut self, place: ConfigLocation, what: impl Into<String>) {
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
