//! The kinds of task a study can name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use shiftproof_tasks::rec::Catalogue;
use shiftproof_tasks::{Classify, ClassifySpec, Task};

use crate::exit::Failure;
use crate::study::explain;

/// A task made from a study.
pub struct Built {
    /// The task.
    pub task: Arc<dyn Task>,
    /// The columns it reads, where it knows them.
    pub fields: Vec<String>,
}

/// All kinds: the declared ones and those plugged in.
#[derive(Default)]
pub struct Kinds {
    plugged: BTreeMap<String, Arc<dyn Task>>,
}

/// Kinds that are declared in the study alone.
const DECLARED: [&str; 1] = ["classify"];

impl Kinds {
    /// Makes `task` available as `kind = "NAME"`.
    pub fn plug(&mut self, task: Arc<dyn Task>) {
        self.plugged.insert(task.name().to_owned(), task);
    }

    /// Makes the task of a study's `[task]` table; `study` and `path` are for
    /// names and messages. `catalogue`: the items, where the data are
    /// interactions.
    pub fn build(
        &self,
        table: &toml::Table,
        study: &str,
        path: &Path,
        _catalogue: Option<&Arc<Catalogue>>,
    ) -> Result<Built, Failure> {
        let place = path.display();
        let kind = table
            .get("kind")
            .and_then(toml::Value::as_str)
            .unwrap_or_default();
        if let Some(task) = self.plugged.get(kind) {
            if let Some(key) = table.keys().find(|key| *key != "kind") {
                return Err(Failure::usage(format!(
                    "{place}: the task {kind:?} takes no options, got `task.{key}`"
                )));
            }
            return Ok(Built {
                task: task.clone(),
                fields: Vec::new(),
            });
        }
        if kind != "classify" {
            let known: Vec<&str> = DECLARED
                .into_iter()
                .chain(self.plugged.keys().map(String::as_str))
                .collect();
            return Err(Failure::usage(format!(
                "{place}: task.kind is {kind:?}; there is {}",
                known.join(", ")
            )));
        }
        let mut options = table.clone();
        options.remove("kind");
        let spec: ClassifySpec = options.try_into().map_err(|error| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            explain(&error, &text, path)
        })?;
        let task = Classify::new(study, spec)
            .map_err(|error| Failure::usage(format!("{place}: {error}")))?;
        Ok(Built {
            fields: task.fields(),
            task: Arc::new(task),
        })
    }
}
