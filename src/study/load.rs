use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shiftproof_search::event::{GroupInfo, GroupRole};
use shiftproof_tasks::lint::{Finding, Lint, Severity, drop_leaks};
use shiftproof_tasks::rec::{Baseline, Catalogue, Prepared};
use shiftproof_tasks::{Data, Example, GroupsSpec, Input, Table, Task};

use super::{DataSpec, Leaks, recommend};
use crate::exit::{Exit, Failure};
use crate::kinds::Built;
use crate::{datasets, fetch};

/// A study's data, ready to run.
pub struct Loaded {
    /// The examples by role.
    pub data: Data,
    /// The groups in the study's order, sources first.
    pub groups: Vec<GroupInfo>,
    /// What the lints found, errors excluded.
    pub findings: Vec<Finding>,
    /// Groups in the data that the study does not name, with their sizes.
    pub unused: BTreeMap<String, usize>,
    /// The items, where the data are interactions.
    pub catalogue: Option<Arc<Catalogue>>,
    /// What methods without a language model predict for the examples.
    pub baselines: Vec<Baseline>,
}

/// Reads, splits and lints a study's data. `prepared`: its examples, where the
/// data are interactions.
pub fn load_data(
    spec: &DataSpec,
    prepared: Option<Prepared>,
    folder: &Path,
    built: &Built,
    groups: &GroupsSpec,
    seed: u64,
    progress: fetch::OnProgress<'_>,
) -> Result<Loaded, Failure> {
    let (task, fields) = (built.task.as_ref(), &built.fields);
    let (catalogue, baselines, mut examples) = match prepared {
        Some(prepared) => (
            prepared.catalogue,
            prepared.baselines,
            recommend::fit(prepared.examples, &spec.columns, fields, task)?,
        ),
        None => (
            None,
            Vec::new(),
            table_examples(spec, folder, built, progress)?,
        ),
    };
    if let Some(phrasings) = &built.phrasings {
        phrasings.deal(&mut examples)?;
    }
    let split = groups.split(&examples, seed)?;
    let mut data = split.data;
    let findings = lint(task, groups, &examples, &mut data, spec.leaks)?;
    let groups = group_infos(groups, &data);
    Ok(Loaded {
        data,
        groups,
        findings,
        unused: split.unused,
        catalogue,
        baselines,
    })
}

/// The examples of a study whose data are a table of them.
fn table_examples(
    spec: &DataSpec,
    folder: &Path,
    built: &Built,
    progress: fetch::OnProgress<'_>,
) -> Result<Vec<Example>, Failure> {
    let Built {
        task,
        fields,
        mentions,
        ..
    } = built;
    let table = match &spec.dataset {
        Some(name) => {
            let (folder, file) = split_path(&prepare_dataset(name, progress)?);
            Table::read(&folder, &[file])?
        }
        None => Table::read(folder, &spec.files)?,
    };
    let mut columns = spec.columns.clone();
    if columns.fields.is_empty() {
        columns.fields = fields.to_vec();
        // Columns that only a prompt names; the label is not to be shown.
        let there = table.columns();
        for name in mentions {
            if there.contains(name.as_str())
                && *name != columns.label
                && !columns.fields.contains(name)
            {
                columns.fields.push(name.clone());
            }
        }
    } else if let Some(field) = fields.iter().find(|field| !columns.fields.contains(field)) {
        return Err(Failure::usage(format!(
            "the task reads {{{field}}}, but data.fields has only: {}",
            columns.fields.join(", ")
        )));
    }
    let form = task.answer_form(&Input::new("", ""));
    Ok(columns.examples(&table, &form)?.examples)
}

/// The prepared rows of a named data set.
pub(super) fn prepare_dataset(
    name: &str,
    progress: fetch::OnProgress<'_>,
) -> Result<PathBuf, Failure> {
    datasets::prepare(name, progress).map_err(|error| {
        Failure::new(
            class_exit(error.class()),
            format!("{error}\n  {}", error.mend()),
        )
    })
}

/// Runs the lints; an error stops the study before a call is paid for.
fn lint(
    task: &dyn Task,
    groups: &GroupsSpec,
    examples: &[Example],
    data: &mut Data,
    leaks: Leaks,
) -> Result<Vec<Finding>, Failure> {
    if leaks == Leaks::Drop {
        drop_leaks(task, data);
    }
    let allow_leakage = leaks == Leaks::Allow;
    let (errors, findings): (Vec<Finding>, Vec<Finding>) = Lint {
        task,
        groups,
        examples,
        data: Some(data),
        allow_leakage,
    }
    .run()
    .into_iter()
    .partition(|finding| finding.severity == Severity::Error);
    if errors.is_empty() {
        return Ok(findings);
    }
    let mut message = String::from("the data would mislead the search:");
    for error in &errors {
        let _ = write!(message, "\n  {error}");
    }
    if errors.iter().any(|error| error.code == "leak") {
        message.push_str(
            "\n  set data.leaks = \"drop\" to leave such examples out, or \"allow\" to go on",
        );
    }
    Err(Failure::data(message))
}

fn group_infos(spec: &GroupsSpec, data: &Data) -> Vec<GroupInfo> {
    let count = |examples: &[Example], name: &str| {
        examples
            .iter()
            .filter(|example| example.input.group == name)
            .count()
    };
    let info = |name: &String, role| GroupInfo {
        name: name.clone(),
        role,
        train: count(&data.source.train, name),
        validation: count(&data.source.validation, name),
        unlabelled: data
            .target
            .inputs
            .iter()
            .filter(|input| input.group == *name)
            .count(),
        audit: data
            .audit
            .inputs()
            .filter(|input| input.group == *name)
            .count(),
    };
    let sources = spec.source.iter().map(|name| info(name, GroupRole::Source));
    let targets = spec.target.iter().map(|name| info(name, GroupRole::Target));
    sources.chain(targets).collect()
}

fn split_path(path: &Path) -> (PathBuf, String) {
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    (
        folder,
        path.file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
    )
}

/// The exit code of a failed fetch.
pub(crate) const fn class_exit(class: fetch::Class) -> Exit {
    match class {
        fetch::Class::Usage => Exit::Usage,
        fetch::Class::Cancelled => Exit::Interrupted,
        _ => Exit::Data,
    }
}
