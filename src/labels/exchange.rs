//! Labelling by way of a file: inputs out, labels in.

use std::collections::BTreeMap;
use std::path::Path;

use shiftproof_tasks::{AnswerForm, Input, suggest};

use super::{FIELD, HandLabel, LabelDraw, LabelRow, check, header, record, rows};
use crate::exit::{ExitStatus, Failure};

/// The text of a file to be filled in: one line an input, the label blank.
pub(crate) fn export(wanted: &[HandLabel]) -> Result<String, Failure> {
    let header = header(wanted.iter().map(|label| &label.input));
    let mut writer = csv::Writer::from_writer(Vec::new());
    let lines = wanted.iter().map(|label| record(&header, label));
    for line in std::iter::once(header.clone()).chain(lines) {
        writer
            .write_record(&line)
            .map_err(Failure::from_error(ExitStatus::Data))?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| Failure::data(error.to_string()))?;
    String::from_utf8(bytes).map_err(Failure::from_error(ExitStatus::Internal))
}

/// What an import has to fit.
pub(crate) struct ImportGround<'a> {
    /// The form of an input's answer.
    pub form: &'a dyn Fn(&Input) -> AnswerForm,
    /// Inputs that may be labelled.
    pub open: &'a [Input],
    /// Ids of the sealed audit.
    pub sealed: &'a dyn Fn(&str) -> bool,
    /// Labels there are.
    pub known: &'a [HandLabel],
}

/// What a file that was filled in brings.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct ImportedLabels {
    /// New labels.
    pub fresh: Vec<HandLabel>,
    /// Lines without a label.
    pub blank: usize,
    /// Labels that were known, and are the same.
    pub same: usize,
}

/// Problems told at most.
const TOLD: usize = 20;

/// Reads a file that was filled in. All problems are told at once, each with
/// `FILE:LINE`; with one of them nothing is imported.
pub(crate) fn import(path: &Path, ground: &ImportGround<'_>) -> Result<ImportedLabels, Failure> {
    let mut imported = ImportedLabels::default();
    let mut problems = Vec::new();
    let known: BTreeMap<(&str, &str), &HandLabel> = ground
        .known
        .iter()
        .map(|label| ((&*label.input.group, &*label.input.id), label))
        .collect();
    let mut seen: BTreeMap<(String, String), String> = BTreeMap::new();
    for row in rows(path)? {
        if row.label.is_empty() {
            imported.blank += 1;
            continue;
        }
        let place = row.place.clone();
        let key = (row.input.group.clone(), row.input.id.clone());
        if let Some(first) = seen.insert(key.clone(), place.clone()) {
            problems.push(format!("{place}: {:?} stands at {first} too", key.1));
            continue;
        }
        let before = known.get(&(key.0.as_str(), key.1.as_str()));
        match (before, fit(row, ground)) {
            (_, Err(problem)) => problems.push(format!("{place}: {problem}")),
            (Some(before), Ok(label)) if before.label == label.label => imported.same += 1,
            (Some(before), Ok(label)) => problems.push(format!(
                "{place}: {:?} is labelled {:?} at {}, here {:?}; correct one of the two",
                key.1, before.label, before.place, label.label
            )),
            (None, Ok(label)) => imported.fresh.push(label),
        }
    }
    if problems.is_empty() {
        return Ok(imported);
    }
    let more = problems.len().saturating_sub(TOLD);
    problems.truncate(TOLD);
    if more > 0 {
        problems.push(format!("and {more} more"));
    }
    Err(Failure::data(format!(
        "no label was taken over:\n  {}",
        problems.join("\n  ")
    )))
}

/// One line, as a label of an input of the study.
fn fit(row: LabelRow, ground: &ImportGround<'_>) -> Result<HandLabel, String> {
    let open = ground
        .open
        .iter()
        .find(|input| input.id == row.input.id && input.group == row.input.group);
    let known = ground
        .known
        .iter()
        .find(|label| label.input.id == row.input.id && label.input.group == row.input.group);
    let input = open.or(known.map(|label| &label.input));
    let Some(input) = input else {
        if (ground.sealed)(&row.input.id) {
            return Err(format!(
                "{:?} is an example of the sealed audit, whose labels no search may see",
                row.input.id
            ));
        }
        let ids = ground.open.iter().map(|input| input.id.as_str());
        return Err(match suggest::closest(&row.input.id, ids) {
            Some(close) => format!(
                "there is no input {:?} in {:?} to be labelled; did you mean {close:?}?",
                row.input.id, row.input.group
            ),
            None => format!(
                "there is no input {:?} in {:?} to be labelled",
                row.input.id, row.input.group
            ),
        });
    };
    for (name, text) in &row.input.fields {
        if input.fields.get(name).is_some_and(|own| own != text) {
            return Err(format!(
                "{FIELD}{name} is not what the input says: the label may be of another one"
            ));
        }
    }
    check(&row.label, &(ground.form)(input))?;
    let draw = match row.drawn.as_str() {
        // Who picked it is not known, so it speaks for nothing but itself.
        "" => LabelDraw::Chosen,
        word => LabelDraw::of(word)
            .ok_or_else(|| format!("drawn is {word:?}; it is \"random\" or \"chosen\""))?,
    };
    Ok(HandLabel {
        input: input.clone(),
        label: row.label,
        draw,
        reason: row.reason,
        place: row.place,
    })
}
