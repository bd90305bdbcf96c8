//! Labels that people gave, put where a study's data has them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use shiftproof_tasks::{AnswerForm, Data, Example, GroupsSpec, Input};

use super::{HandLabel, LabelDraw};
use crate::exit::Failure;

/// What became of a study's labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DealtLabels {
    /// Labels that the search may use, by target group.
    pub used: BTreeMap<String, usize>,
    /// Labels of examples of the sealed audit, left to it.
    pub sealed: usize,
    /// Labels of groups that are no target of the study.
    pub elsewhere: usize,
}

impl DealtLabels {
    /// What a user has to know, as a sentence.
    pub fn note(&self, file: &str) -> Option<String> {
        let all: usize = self.used.values().sum();
        if all + self.sealed + self.elsewhere == 0 {
            return None;
        }
        let groups: Vec<String> = self.used.iter().map(|(g, n)| format!("{g} {n}")).collect();
        let mut told = format!("labels of {file} in use: {all}");
        if !groups.is_empty() {
            let _ = write!(told, " ({})", groups.join(", "));
        }
        if self.sealed > 0 {
            let _ = write!(
                told,
                "; {} are of examples of the sealed audit and are left out",
                self.sealed
            );
        }
        if self.elsewhere > 0 {
            let _ = write!(
                told,
                "; {} are of groups that are no target of the study",
                self.elsewhere
            );
        }
        Some(told)
    }
}

/// The rows that these labels are of: each label's input gets the id that its row has
/// now. A row is known by its id and its text; where rows have moved, by its text alone;
/// one that is gone keeps the label's own input under the label's place.
pub(crate) fn taken(
    labels: &mut [HandLabel],
    examples: &[Example],
    unlabelled: &[Input],
) -> BTreeSet<String> {
    let inputs: Vec<&Input> = examples
        .iter()
        .map(|example| &example.input)
        .chain(unlabelled)
        .collect();
    let by_id: BTreeMap<&str, &Input> = inputs.iter().map(|i| (i.id.as_str(), *i)).collect();
    let mut by_text: BTreeMap<(&str, Vec<&String>), Option<&Input>> = BTreeMap::new();
    for input in &inputs {
        // Texts that stand in several rows name none of them.
        by_text
            .entry((&input.group, input.fields.values().collect()))
            .and_modify(|row| *row = None)
            .or_insert(Some(*input));
    }
    for label in labels.iter_mut() {
        let known = by_id.get(label.input.id.as_str()).copied();
        let same = known.filter(|row| says_same(row, &label.input));
        let key = (
            label.input.group.as_str(),
            label.input.fields.values().collect(),
        );
        let moved = || by_text.get(&key).copied().flatten();
        match same.or_else(moved) {
            Some(row) => label.input = row.clone(),
            None if known.is_some() => label.input.id.clone_from(&label.place),
            None => {}
        }
    }
    labels.iter().map(|label| label.input.id.clone()).collect()
}

/// Whether two inputs are one: by name and text.
pub(crate) fn same_rows(labelled: &Input, row: &Input) -> bool {
    labelled.id == row.id && says_same(row, labelled)
}

/// Whether a row is the input that was labelled: the fields that both have are alike.
fn says_same(row: &Input, labelled: &Input) -> bool {
    row.group == labelled.group
        && labelled
            .fields
            .iter()
            .all(|(name, text)| row.fields.get(name).is_none_or(|own| own == text))
}

/// Gives the search these labels: as labelled target examples, beside all else.
pub(crate) fn deal(
    labels: &[HandLabel],
    form: impl Fn(&Input) -> AnswerForm,
    groups: &GroupsSpec,
    data: &mut Data,
) -> Result<DealtLabels, Failure> {
    let mut dealt = DealtLabels::default();
    let sealed: BTreeSet<&str> = data.audit.inputs().map(|i| i.id.as_str()).collect();
    let known = data.labelled_target.inputs();
    let known: BTreeSet<String> = known.map(|input| input.id.clone()).collect();
    let mut fresh = Vec::new();
    for label in labels {
        let truth = label.label(&form(&label.input))?;
        if sealed.contains(label.input.id.as_str()) {
            dealt.sealed += 1;
        } else if !groups.target.contains(&label.input.group) {
            dealt.elsewhere += 1;
        } else {
            *dealt.used.entry(label.input.group.clone()).or_default() += 1;
            if !known.contains(&label.input.id) {
                let example = label.input.clone().with_label(truth);
                fresh.push((example, label.draw == LabelDraw::Chosen));
            }
        }
    }
    for (example, chosen) in fresh {
        data.labelled_target.add(example, chosen);
    }
    Ok(dealt)
}
