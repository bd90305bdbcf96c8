//! A study whose data are interactions.

use std::path::{Path, PathBuf};

use shiftproof_rec::{FileLayout, PreparedExamples, RecSpec};
use shiftproof_tasks::{Answer, ColumnRoles, Example, Label, Task, field};

use super::DataSpec;
use super::dataset::prepare_dataset;
use crate::assets;
use crate::assets::datasets;
use crate::exit::Failure;

/// Reads the interactions of a study and makes its examples; none where the
/// data are a table of examples.
///
/// This comes before the task is built: some tasks need the catalogue.
pub fn load_interactions(
    spec: &DataSpec,
    folder: &Path,
    progress: assets::OnProgress<'_>,
) -> Result<Option<PreparedExamples>, Failure> {
    let Some(asked) = &spec.interactions else {
        return Ok(None);
    };
    check(spec)?;
    let prepared = match &spec.dataset {
        Some(name) => {
            let path = prepare_dataset(name, progress)?;
            let parent = path.parent().map_or_else(PathBuf::new, Path::to_owned);
            let file = path.file_name().unwrap_or_default();
            let spec = named(asked, name)?;
            spec.load(&parent, &[file.to_string_lossy().into_owned()])?
        }
        None => asked.load(folder, &spec.files)?,
    };
    Ok(Some(prepared))
}

/// Keys that describe a table of examples have no meaning here.
fn check(spec: &DataSpec) -> Result<(), Failure> {
    let plain = ColumnRoles {
        fields: spec.columns.fields.clone(),
        label_map: spec.columns.label_map.clone(),
        ..ColumnRoles::default()
    };
    if spec.columns != plain {
        return Err(Failure::usage(
            "data.interactions makes labels, groups, ids and clusters itself: remove data.label, \
             data.group, data.bands, data.id and data.cluster (the groups are cut by \
             data.interactions.shift)",
        ));
    }
    Ok(())
}

/// The spec with the columns of a named data set.
pub(super) fn named(asked: &RecSpec, name: &str) -> Result<RecSpec, Failure> {
    let set = datasets::get(name).map_err(crate::models::connect_model::fetch_failure)?;
    let Some(attributes) = set.interactions else {
        return Err(Failure::usage(format!(
            "the data set {name:?} holds examples, not interactions: remove data.interactions"
        )));
    };
    if asked.format != FileLayout::Table || !asked.columns.is_empty() {
        return Err(Failure::usage(format!(
            "the data set {name:?} comes in its own form: remove format and columns from \
             data.interactions"
        )));
    }
    let or = |given: &[String], default: &[&str]| {
        if given.is_empty() {
            default.iter().map(|name| (*name).to_owned()).collect()
        } else {
            given.to_vec()
        }
    };
    Ok(RecSpec {
        user_attributes: or(&asked.user_attributes, attributes.user),
        item_attributes: or(&asked.item_attributes, attributes.item),
        item: asked
            .item
            .clone()
            .or_else(|| attributes.word.map(str::to_owned)),
        ..asked.clone()
    })
}

/// Fits examples to the task: maps labels, keeps the fields that the study
/// names, and refuses what the task could never get right.
pub(super) fn fit(
    mut examples: Vec<Example>,
    columns: &ColumnRoles,
    fields: &[String],
    task: &dyn Task,
) -> Result<Vec<Example>, Failure> {
    for example in &mut examples {
        if let Label::Class(label) = &mut example.label
            && let Some(mapped) = columns.label_map.get(label)
        {
            label.clone_from(mapped);
        }
        if !columns.fields.is_empty() {
            let kept = &mut example.input.fields;
            kept.retain(|name, _| columns.fields.contains(name));
        }
    }
    let has = |field: &&String| {
        examples
            .iter()
            .any(|example| example.input.fields.contains_key(*field))
    };
    if let Some(field) = fields
        .iter()
        .chain(&columns.fields)
        .find(|field| !has(field))
    {
        let known: Vec<&str> = examples
            .first()
            .map(|example| example.input.fields.keys().map(String::as_str).collect())
            .unwrap_or_default();
        let other = match field.as_str() {
            field::ITEM | field::ITEM_TEXT => Some("pointwise"),
            field::CANDIDATES | field::CANDIDATES_TEXT => Some("listwise"),
            _ => None,
        };
        let mend = other
            .map(|form| format!("; set data.interactions.examples = {form:?}"))
            .unwrap_or_default();
        return Err(Failure::usage(format!(
            "no example has the field {field:?}; these examples have: {}{mend}",
            known.join(", ")
        )));
    }
    if let Some(example) = examples.first()
        && task.answer_form(&example.input).candidates().is_some()
        && !matches!(example.label, Label::Relevant(_))
    {
        return Err(Failure::usage(format!(
            "the task {:?} ranks items, and these examples ask about one item each: set \
             data.interactions.examples = \"listwise\"",
            task.name()
        )));
    }
    for label in
        ["yes", "no"].map(|label| columns.label_map.get(label).map_or(label, String::as_str))
    {
        let class = Label::Class(label.to_owned());
        if let Some(example) = examples.iter().find(|example| example.label == class)
            && !reachable(task, example)
        {
            return Err(Failure::usage(format!(
                "the task {:?} has no answer that is right for the label {label:?}; name the \
                 labels \"yes\" and \"no\" in task.labels, or map them in data.label_map",
                task.name()
            )));
        }
    }
    Ok(examples)
}

/// Whether some answer of a choice is right for this example.
fn reachable(task: &dyn Task, example: &Example) -> bool {
    let form = task.answer_form(&example.input);
    let Some(labels) = form.labels() else {
        return true;
    };
    labels.iter().any(|label| {
        let answer = Answer::Class {
            label: label.clone(),
            margin: None,
        };
        task.grade(&answer, &example.label)
            .value()
            .is_some_and(|value| value > 0.0)
    })
}
