//! The kinds of task and the search methods a study can name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use shiftproof_rec::tasks::{self, TaskDeclaration, TaskSpec, TaskVisitor};
use shiftproof_rec::{ItemCatalogue, PromptTemplates, RecommenderKind};
use shiftproof_search::methods::{MethodRegistry, SearchMethod};
use shiftproof_tasks::{Augmentation, FramedTask, PromptFrame, PromptRole, Task, closest};

use crate::exit::Failure;
use crate::study::textfile;
use crate::study::{self, Faults, Study, TomlSource};

/// A task made from a study.
pub struct TaskInstance {
    /// The task.
    pub task: Arc<dyn Task>,
    /// The columns it reads, where it knows them.
    pub fields: Vec<String>,
    /// The phrasings to be dealt to its examples, where it has several.
    pub templates: Option<PromptTemplates>,
    /// Names in braces of the study's prompts: columns by these names are read
    /// too.
    pub mentions: Vec<String>,
    /// What is written about its inputs before they are asked about.
    pub augmentation: Option<Arc<dyn Augmentation>>,
}

/// Keys of `[task]` that any kind takes: what surrounds its prompt.
pub(crate) const FRAME_KEYS: [&str; 3] = ["prompt_file", "prompt_role", "system"];

/// Takes the frame out of a `[task]` table; `path` is for messages.
pub(crate) fn frame(options: &mut toml::Table, path: &Path) -> Result<PromptFrame, Failure> {
    let mut taken = |key: &str, wanted: &str| match options.remove(key) {
        None => Ok(None),
        Some(toml::Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(misplaced(path, key, &other.to_string(), wanted)),
    };
    let system = taken("system", "a text in quotes")?;
    let role = taken("prompt_role", "\"user\" or \"system\"")?;
    let prompt_role = match role.as_deref() {
        None | Some("user") => PromptRole::User,
        Some("system") => PromptRole::System,
        Some(other) => {
            let wanted = "\"user\" or \"system\"";
            return Err(misplaced(
                path,
                "prompt_role",
                &format!("{other:?}"),
                wanted,
            ));
        }
    };
    Ok(PromptFrame {
        system: system.filter(|text| !text.trim().is_empty()),
        prompt_role,
    })
}

fn misplaced(path: &Path, key: &str, value: &str, wanted: &str) -> Failure {
    let text = textfile::read(path).unwrap_or_default();
    let place = study::place(&text, path, &["task", key]);
    Failure::usage(format!(
        "{place}: task.{key} is {value}, but {wanted} is needed"
    ))
}

/// The task in its frame, if it has any.
fn framed(task: Arc<dyn Task>, frame: PromptFrame) -> Arc<dyn Task> {
    if frame == PromptFrame::default() {
        return task;
    }
    Arc::new(FramedTask::new(task, frame))
}

/// What a study can name: the kinds of task, declared and plugged in, and the
/// search methods.
#[derive(Default)]
pub struct TaskRegistry {
    plugged: BTreeMap<String, Arc<dyn Task>>,
    methods: MethodRegistry,
}

/// The study's `[task]` table and what errors about it need.
struct TaskSource<'a> {
    options: toml::Table,
    name: &'a str,
    path: &'a Path,
    catalogue: Option<&'a Arc<ItemCatalogue>>,
}

/// What can be done with the options of one kind.
#[derive(Clone, Copy)]
struct DeclaredKind {
    /// Makes the task.
    build: fn(&TaskSource<'_>) -> Result<TaskDeclaration, Failure>,
    /// Tells the recommenders that the task asks.
    recommenders: fn(&TaskSource<'_>) -> Result<Vec<RecommenderKind>, Failure>,
    /// Tells what is wrong with the options in a study of this text.
    faults: fn(&toml::Table, &str, &Path) -> Option<Faults>,
}

/// The declared kinds by name.
#[derive(Default)]
struct DeclaredTasks(BTreeMap<&'static str, DeclaredKind>);

impl TaskVisitor for DeclaredTasks {
    fn kind<D: TaskSpec + 'static>(&mut self) {
        self.0.insert(
            D::KIND,
            DeclaredKind {
                build: declare::<D>,
                recommenders: |study| Ok(options::<D>(study)?.recommenders()),
                faults: |options, text, path| read_options::<D>(options, text, path).err(),
            },
        );
    }
}

fn options<D: TaskSpec>(study: &TaskSource<'_>) -> Result<D, Failure> {
    let text = textfile::read(study.path).unwrap_or_default();
    Ok(read_options(&study.options, &text, study.path)?)
}

/// The options of a kind; `text`: the study's, for messages.
fn read_options<D: TaskSpec>(options: &toml::Table, text: &str, path: &Path) -> Result<D, Faults> {
    // Read from text, for only so an error has a place.
    let parsed = toml::to_string(options).unwrap_or_default();
    let source = TomlSource {
        parsed: &parsed,
        under: "task",
        text,
        path,
        others: &FRAME_KEYS,
    };
    source.read()
}

/// The keys of a study's `[task]` that its kind does not have, where the kind is declared
/// here.
pub(super) fn unknown_keys(text: &str, path: &Path) -> Option<Faults> {
    let document: toml::Table = toml::from_str(text).ok()?;
    let mut options = document.get("task")?.as_table()?.clone();
    let kind = options.remove("kind")?;
    for key in FRAME_KEYS {
        options.remove(key);
    }
    let mut registry = DeclaredTasks::default();
    tasks::visit(&mut registry);
    let declared = registry.0.get(kind.as_str()?)?;
    (declared.faults)(&options, text, path).map(Faults::unknown_keys)
}

fn declare<D: TaskSpec>(study: &TaskSource<'_>) -> Result<TaskDeclaration, Failure> {
    options::<D>(study)?
        .declare(study.name, study.catalogue)
        .map_err(|error| {
            Failure::usage(format!("{}: {error}", study.path.display())).caused_by(error)
        })
}

impl TaskRegistry {
    /// Makes `task` available as `kind = "NAME"`.
    pub fn register(&mut self, task: Arc<dyn Task>) {
        self.plugged.insert(task.name().to_owned(), task);
    }

    /// Makes `method` available as `search.method = "NAME"`.
    pub fn register_method(&mut self, method: Arc<dyn SearchMethod>) {
        self.methods = std::mem::take(&mut self.methods).with(method);
    }

    /// The search methods.
    pub fn methods(&self) -> &MethodRegistry {
        &self.methods
    }

    /// The search method that a study names; `path` is for messages.
    pub fn method(&self, study: &Study, path: &Path) -> Result<Arc<dyn SearchMethod>, Failure> {
        let name = study.search.method.as_str();
        let method = self.methods.get(name).map_err(|unknown| {
            let text = textfile::read(path).unwrap_or_default();
            let place = study::place(&text, path, &["search", "method"]);
            Failure::usage(format!("{place}: search.method is {name:?}; {unknown}"))
        })?;
        let problems = method.problems(&study.search);
        if problems.is_empty() {
            return Ok(method);
        }
        let text = textfile::read(path).unwrap_or_default();
        let problems = study::located(&problems.join("\n  "), &text, path);
        Err(Failure::usage(problems))
    }

    /// Makes the task of a study's `[task]` table; `study` and `path` are for
    /// names and messages. `catalogue`: the items, where the data are
    /// interactions.
    pub fn build(
        &self,
        table: &toml::Table,
        study: &str,
        path: &Path,
        catalogue: Option<&Arc<ItemCatalogue>>,
    ) -> Result<TaskInstance, Failure> {
        let place = path.display();
        let kind = table
            .get("kind")
            .and_then(toml::Value::as_str)
            .unwrap_or_default();
        let mut options = table.clone();
        options.remove("kind");
        let frame = frame(&mut options, path)?;
        let mentions = study::places::mentioned(frame.system.as_deref());
        if let Some(task) = self.plugged.get(kind) {
            if let Some(key) = options.keys().next() {
                return Err(Failure::usage(format!(
                    "{place}: the task {kind:?} takes no options, got `task.{key}`"
                )));
            }
            return Ok(TaskInstance {
                task: framed(task.clone(), frame),
                fields: Vec::new(),
                templates: None,
                mentions,
                augmentation: None,
            });
        }
        let mut registry = DeclaredTasks::default();
        tasks::visit(&mut registry);
        let Some(declared) = registry.0.get(kind) else {
            let known: Vec<&str> = registry
                .0
                .keys()
                .copied()
                .chain(self.plugged.keys().map(String::as_str))
                .collect();
            let meant = closest(kind, known.iter().copied())
                .map(|meant| format!("; did you mean {meant:?}?"))
                .unwrap_or_default();
            return Err(Failure::usage(format!(
                "{place}: task.kind is {kind:?}; there is {}{meant}",
                known.join(", ")
            )));
        };
        let TaskDeclaration {
            task,
            fields,
            templates,
        } = (declared.build)(&TaskSource {
            options,
            name: study,
            path,
            catalogue,
        })?;
        if task.renderer().is_some() && frame != PromptFrame::default() {
            return Err(Failure::usage(format!(
                "{place}: task.system and task.prompt_role surround requests that shiftproof makes, \
                 and here the program renders them: remove these keys, or \"render\" from task.does"
            )));
        }
        Ok(TaskInstance {
            task: framed(task, frame),
            fields,
            templates,
            mentions,
            augmentation: None,
        })
    }

    /// The recommenders that a study's task asks, before it is made: those that learn have
    /// to be in the catalogue then. A kind that only another program knows asks none.
    pub fn recommenders(
        &self,
        table: &toml::Table,
        path: &Path,
    ) -> Result<Vec<RecommenderKind>, Failure> {
        let mut registry = DeclaredTasks::default();
        tasks::visit(&mut registry);
        let kind = table.get("kind").and_then(toml::Value::as_str);
        let Some(declared) = kind.and_then(|kind| registry.0.get(kind)) else {
            return Ok(Vec::new());
        };
        if kind.is_some_and(|kind| self.plugged.contains_key(kind)) {
            return Ok(Vec::new());
        }
        let mut options = table.clone();
        options.remove("kind");
        frame(&mut options, path)?;
        (declared.recommenders)(&TaskSource {
            options,
            name: "",
            path,
            catalogue: None,
        })
    }

    /// The phrasings of a study's task. A kind that only another program knows
    /// has none: plugged-in tasks never do.
    pub fn templates(
        &self,
        table: &toml::Table,
        study: &str,
        path: &Path,
        catalogue: Option<&Arc<ItemCatalogue>>,
    ) -> Result<Option<PromptTemplates>, Failure> {
        let mut registry = DeclaredTasks::default();
        tasks::visit(&mut registry);
        let kind = table.get("kind").and_then(toml::Value::as_str);
        if !kind.is_some_and(|kind| registry.0.contains_key(kind)) {
            return Ok(None);
        }
        Ok(self.build(table, study, path, catalogue)?.templates)
    }
}
