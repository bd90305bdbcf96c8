//! The study file: one TOML document that says what is optimised, on which
//! data, by which model and how.

#[cfg(test)]
mod absurd_tests;
pub(crate) mod augment;
mod bounds;
mod dataset;
mod day_log;
mod diff;
mod explain;
mod grading;
mod load;
mod model_spec;
mod numbers;
pub(crate) mod places;
mod prompts;
mod recommend;
pub(crate) mod recommenders;
#[doc(hidden)]
pub mod task_registry;
pub(crate) mod textfile;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shiftproof_rec::RecSpec;
use shiftproof_search::budget::BudgetLimits;
use shiftproof_search::spec::SearchSpec;
use shiftproof_tasks::text::plain;
use shiftproof_tasks::{ColumnRoles, GroupsSpec, UnlabelledDraw};

pub use augment::{AugmentKind, AugmentSpec};
pub(crate) use bounds::problems as model_problems;
pub(crate) use dataset::{class_exit, prepare_dataset};
pub(crate) use day_log::load_batch;
pub use diff::{DifferingKey, differing};
pub(crate) use explain::{Faults, TomlSource, located, place, read_toml};
pub use grading::{JudgeSpec, MetricSpec, ProgramOptions};
pub(crate) use grading::{doubts, graded};
pub use load::{LoadedData, load_data};
pub(crate) use load::{deal_examples, table_columns};
pub use model_spec::{BatchMode, EndpointSpec, ModelProvider, ModelSpec, OwnEndpoint};
pub use recommend::load_interactions;

use self::textfile::UnreadableFile;
use crate::exit::Failure;
use crate::labels::{LabelFile, PinnedLabels};

/// A study file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// A short name; runs are named after it.
    pub name: String,
    /// The model that does the task.
    #[serde(default)]
    pub model: ModelSpec,
    /// The model that proposes prompts; the task model where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposer: Option<ModelSpec>,
    /// Further human-written instructions that enter the race beside the seed; of
    /// an entry `@FILE` the file's text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prompts: Vec<String>,
    /// A program that scores answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<MetricSpec>,
    /// A model that grades answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<JudgeSpec>,
    /// What a model writes about inputs, as further fields of theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub augment: Option<AugmentSpec>,
    /// The task: `kind` and the options of that kind.
    pub task: toml::Table,
    /// Where examples come from.
    pub data: DataSpec,
    /// Which groups play which part.
    #[serde(default)]
    pub groups: GroupsSpec,
    /// How to search.
    #[serde(default)]
    pub search: SearchSpec,
    /// What may be spent.
    #[serde(default)]
    pub budget: BudgetLimits,
}

/// Where examples come from: a named data set or files, and their columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataSpec {
    /// A data set fetched by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// JSONL, CSV or TSV files, relative to the study file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// What becomes of a text that is both in what the search sees and in the
    /// audit.
    #[serde(default)]
    pub leaks: LeakPolicy,
    /// The data are interactions of users with items: how they become examples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interactions: Option<RecSpec>,
    /// Which column is what.
    #[serde(flatten)]
    pub columns: ColumnRoles,
}

/// What becomes of a text that is on both sides of the seal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeakPolicy {
    /// The study is refused.
    #[default]
    Refuse,
    /// The search's copy is left out.
    Drop,
    /// It stays, with a warning.
    Allow,
}

impl Study {
    /// A study of this task whose data a program holds itself: it names no files.
    pub(crate) fn in_memory(name: String, task: &str) -> Self {
        let kind = toml::Value::String(task.to_owned());
        Self {
            name,
            model: ModelSpec::default(),
            proposer: None,
            prompts: Vec::new(),
            task: toml::Table::from_iter([("kind".to_owned(), kind)]),
            data: DataSpec {
                dataset: None,
                files: Vec::new(),
                leaks: LeakPolicy::default(),
                interactions: None,
                columns: ColumnRoles::default(),
            },
            groups: GroupsSpec::default(),
            search: SearchSpec::default(),
            budget: BudgetLimits::default(),
            metric: None,
            judge: None,
            augment: None,
        }
    }

    /// Reads the study at `path`. Errors name file, line and, for an unknown
    /// key, the key that was probably meant.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = textfile::read(path).map_err(|unread| {
            let told = unread.to_string();
            let told = match unread {
                UnreadableFile::Missing { .. } => format!(
                    "cannot read the study {told}; `shiftproof init` writes one to start from"
                ),
                UnreadableFile::Io { .. } => format!("cannot read the study {told}"),
                UnreadableFile::NotText { .. } => told,
            };
            Failure::usage(told).caused_by(unread)
        })?;
        Self::parse(&text, path)
    }

    /// Parses the text of a study; `path` is for messages, and its folder is where
    /// prompts in files of their own are looked for.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Failure> {
        let text = &*plain(text);
        let mut faults = data_keys(text, path);
        let read = read_toml::<Self>(text, path).map_err(|other| faults.join(other));
        let Some(mut study) = read.ok().filter(|_| faults.is_empty()) else {
            // What is spelt amiss in one table may be in others.
            if let Some(unknown) = task_registry::unknown_keys(text, path) {
                faults.join(unknown);
            }
            return Err(faults.into());
        };
        numbers::check(text, path)?;
        bounds::check(&study.model, "model", text, path)?;
        if let Some(proposer) = &study.proposer {
            bounds::check(proposer, "proposer", text, path)?;
        }
        if let Some(judge) = study.judge.as_ref().and_then(|judge| judge.model.as_ref()) {
            bounds::check(judge, "judge.model", text, path)?;
        }
        if let Some(writer) = study.augment.as_ref().and_then(|own| own.model.as_ref()) {
            bounds::check(writer, "augment.model", text, path)?;
        }
        if let Some((key, problem)) = budget_problem(&study.budget) {
            let place = explain::place(text, path, &["budget", key]);
            return Err(Failure::usage(format!("{place}: budget.{problem}")));
        }
        let mut problems = study.search.problems();
        problems.extend(own_problems(&study, text));
        problems.extend(grading::problems(&study));
        problems.extend(augment::problems(&study));
        if study.name.is_empty()
            || !study
                .name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        {
            problems
                .push("name must be letters, digits, '-' and '_': runs are named after it".into());
        }
        if study.data.dataset.is_some() != study.data.files.is_empty() {
            problems.push("data needs either dataset = \"NAME\" or files = [\"…\"]".into());
        }
        if problems.is_empty() {
            prompts::inline(&mut study, text, path)?;
            grading::inline(&mut study, text, path)?;
            Ok(study)
        } else {
            Err(Failure::usage(explain::located(
                &problems.join("\n  "),
                text,
                path,
            )))
        }
    }
}

impl Study {
    /// All models that the study names: the task's, the proposer, the judge, the one that
    /// writes about inputs.
    pub fn models(&self) -> impl Iterator<Item = &ModelSpec> + Clone {
        let judge = self.judge.as_ref().and_then(|judge| judge.model.as_ref());
        let writer = self.augment.as_ref().and_then(|own| own.model.as_ref());
        std::iter::once(&self.model)
            .chain(&self.proposer)
            .chain(judge)
            .chain(writer)
    }

    /// As [`models`](Self::models).
    pub fn models_mut(&mut self) -> impl Iterator<Item = &mut ModelSpec> {
        let judge = self.judge.as_mut().and_then(|judge| judge.model.as_mut());
        let writer = self.augment.as_mut().and_then(|own| own.model.as_mut());
        std::iter::once(&mut self.model)
            .chain(&mut self.proposer)
            .chain(judge)
            .chain(writer)
    }
}

/// What contradicts itself, or means nothing.
fn own_problems(study: &Study, text: &str) -> Vec<String> {
    let document: toml::Table = toml::from_str(text).unwrap_or_default();
    let states = |table: &str, key: &str| {
        let table = document.get(table).and_then(toml::Value::as_table);
        table.is_some_and(|table| table.contains_key(key))
    };
    let mut problems = Vec::new();
    let SearchSpec {
        ensemble,
        finalists,
        ..
    } = study.search;
    if ensemble > finalists && states("search", "ensemble") {
        problems.push(format!(
            "search.ensemble is {ensemble}, but only the {finalists} finalists can vote: lower it, \
             or raise search.finalists"
        ));
    }
    for (index, prompt) in study.prompts.iter().enumerate() {
        if prompt.trim().is_empty() {
            problems.push(format!(
                "prompts holds an empty text as its entry {}: remove it",
                index + 1
            ));
        }
    }
    if study.name.len() > 100 {
        problems.push("name must be 100 letters at most: folders are named after it".into());
    }
    problems
}

/// A limit that leaves nothing to spend: its key, and what is wrong with it.
pub(crate) fn budget_problem(limits: &BudgetLimits) -> Option<(&'static str, String)> {
    let usd = limits.usd.filter(|usd| !(usd.is_finite() && *usd > 0.0));
    let (key, value) = if limits.calls == Some(0) {
        ("calls", "0".to_owned())
    } else if limits.tokens == Some(0) {
        ("tokens", "0".to_owned())
    } else {
        ("usd", usd?.to_string())
    };
    Some((
        key,
        format!(
            "{key} is {value}, which leaves nothing to spend: give a limit above 0 (`shiftproof \
             estimate` tells the smallest that works), or remove the key for no limit"
        ),
    ))
}

/// Keys of `[data]` that there are not: a flattened table accepts any.
fn data_keys(text: &str, path: &Path) -> Faults {
    const KEYS: [&str; 11] = [
        "dataset",
        "files",
        "leaks",
        "interactions",
        "id",
        "group",
        "label",
        "cluster",
        "fields",
        "label_map",
        "bands",
    ];
    explain::strangers(text, path, "data", &KEYS)
}

/// A study with everything the command line changed, as a run keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResolvedStudy {
    /// The study.
    pub study: Study,
    /// The folder that relative paths start from.
    pub folder: PathBuf,
    /// Where the process began that the folder is relative to; absent where nobody
    /// began it by a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_in: Option<PathBuf>,
    /// A hash of the study as its file had it, without what the command line changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// The study file's name in that folder; absent where there was no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The random seed.
    pub seed: u64,
    /// How the data are dealt out: 0 in runs of versions that knew no rows
    /// without labels, and drew inputs by their class; else [`EDITION`].
    #[serde(default)]
    pub edition: u32,
    /// Labels of people that are used beside the data's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<PinnedLabels>,
    /// The run that this one goes on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<String>,
}

/// The [`ResolvedStudy::edition`] of new runs.
pub const EDITION: u32 = 1;

impl ResolvedStudy {
    /// A study whose paths start from `folder`, for a new run with this random seed and
    /// no labels but the data's own.
    pub const fn new(study: Study, folder: PathBuf, seed: u64) -> Self {
        Self {
            study,
            folder,
            began_in: None,
            written: None,
            file: None,
            seed,
            edition: EDITION,
            labels: None,
            continues: None,
        }
    }

    /// A hash of all that a study says, however its file spells it.
    pub fn hash(study: &Study) -> String {
        let text = serde_json::to_vec(study).unwrap_or_default();
        blake3::hash(&text).to_hex()[..16].to_owned()
    }

    /// Whether a run of this study is one of the other too, whatever their files are
    /// called.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let unnamed = |study: &Self| Self {
            file: None,
            ..study.clone()
        };
        unnamed(self) == unnamed(other)
    }

    /// The same where relative paths lead to the files they led to when it began,
    /// whatever folder this process works in. Where they were moved as a whole, they are
    /// looked for from here.
    #[must_use]
    pub fn found_again(mut self) -> Self {
        if let Some(began) = &self.began_in
            && std::env::current_dir().is_ok_and(|here| here != *began)
            && began.join(&self.folder).is_dir()
        {
            self.folder = began.join(&self.folder);
        }
        self
    }

    /// Where labels that people give are kept.
    pub fn label_file(&self) -> LabelFile {
        LabelFile::beside(&self.folder, &self.study.name)
    }

    /// The same with the labels that there are now.
    ///
    /// # Errors
    /// As [`LabelFile::read`].
    pub fn with_labels(mut self) -> Result<Self, Failure> {
        self.labels = self.label_file().pin()?;
        Ok(self)
    }

    /// How inputs without labels are drawn.
    pub const fn draw(&self) -> UnlabelledDraw {
        if self.edition == 0 {
            UnlabelledDraw::ByClass
        } else {
            UnlabelledDraw::Blind
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of an earlier version names no edition and states all sizes.
    #[test]
    fn old_runs_keep_their_split() {
        let text = r#"{"study":{"name":"old","model":"embedded","task":{"kind":"classify"},
            "data":{"files":["a.csv"],"leaks":"refuse","id":null,"group":"domain","label":"label",
            "cluster":null,"fields":["text"],"label_map":{},"bands":null},
            "groups":{"source":["a"],"target":["b"],"train":60,"validation":120,"unlabelled":120,
            "labelled":0,"audit":100,"balance":true},
            "search":{},"budget":{"calls":null,"tokens":null,"usd":null}},"folder":"","seed":1}"#;
        let old: ResolvedStudy = serde_json::from_str(text).unwrap();
        assert_eq!(old.draw(), UnlabelledDraw::ByClass);
        assert_eq!(old.study.groups.balance, Some(true));
        assert_eq!(old.study.groups.audit, Some(100));
        let new = ResolvedStudy {
            edition: EDITION,
            ..old
        };
        let stored = serde_json::to_string(&new).unwrap();
        let read: ResolvedStudy = serde_json::from_str(&stored).unwrap();
        assert_eq!((read.draw(), &read), (UnlabelledDraw::Blind, &new));
    }
}
