//! Checks of what things are called: groups that are nearly one, and labels that
//! stand in a field.

use std::collections::{BTreeMap, BTreeSet};

use super::LintSeverity::Warning;
use super::UsedRows;
use super::finding::LintFindings;
use crate::split::GroupRows;
use crate::{Input, Label};

/// Fewer labelled examples than this prove no field to be the label.
const ENOUGH: usize = 10;

/// Groups whose names differ in case, spaces or punctuation alone.
pub(super) fn group_names(rows: &GroupRows<'_>, found: &mut LintFindings) {
    let mut alike: BTreeMap<String, Vec<(&str, usize)>> = BTreeMap::new();
    for (name, size) in rows.sizes() {
        alike.entry(bare(name)).or_default().push((name, size));
    }
    for names in alike.values().filter(|names| names.len() > 1) {
        let shown: Vec<String> = names
            .iter()
            .map(|(name, size)| format!("{name:?} ({size})"))
            .collect();
        found.note(
            Warning,
            "near-equal-groups",
            format!(
                "groups whose names differ only in case, spaces or punctuation: {}; give \
                 them one name in the data if they are one group",
                shown.join(", ")
            ),
        );
    }
}

/// Fields that are the label, under its own name or another.
pub(super) fn label_in_field(used: &UsedRows<'_>, found: &mut LintFindings) {
    let labelled: Vec<(&Input, &str)> = used
        .examples
        .iter()
        .filter_map(|example| match &example.label {
            Label::Class(label) => Some((&example.input, label.as_str())),
            _ => None,
        })
        .collect();
    let labels: BTreeSet<&str> = labelled.iter().map(|(_, label)| *label).collect();
    let Some((first, _)) = labelled.first() else {
        return;
    };
    if labelled.len() < ENOUGH || labels.len() < 2 {
        return;
    }
    for field in first.fields.keys() {
        let is_code = is_code(&labelled, field, labels.len());
        let same = labelled
            .iter()
            .filter(|(input, label)| {
                let text = input.field(field);
                // Long texts are no label, and are not looked through.
                text.len() <= 2 * label.len() + 8 && bare(text) == bare(label)
            })
            .count();
        if is_code || 2 * same > labelled.len() {
            found.note(
                Warning,
                "label-in-field",
                format!(
                    "the field {field:?} tells the label (in {} of {} labelled rows): the \
                     model is shown the answer; remove it from task.input and data.fields",
                    if is_code { labelled.len() } else { same },
                    labelled.len()
                ),
            );
        }
    }
}

/// Whether each value of the field goes with one label, and there are no more
/// values than labels: a code for the label.
fn is_code(labelled: &[(&Input, &str)], field: &str, labels: usize) -> bool {
    let mut told: BTreeMap<&str, &str> = BTreeMap::new();
    labelled.iter().all(|(input, label)| {
        let known = *told.entry(input.field(field).trim()).or_insert(label);
        known == *label && told.len() <= labels
    })
}

/// A name in small letters, without what is no letter or digit.
fn bare(name: &str) -> String {
    let kept: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
    // A name of signs alone is like no other.
    if kept.is_empty() {
        name.to_owned()
    } else {
        kept.to_lowercase()
    }
}
