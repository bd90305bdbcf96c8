//! What the label column of a row says.

use std::collections::BTreeSet;

use super::{ColumnRoles, text};
use crate::diagnostic::{DataProblem, DataProblems};
use crate::extract::{FieldFault, LabelledFields};
use crate::generate::references;
use crate::table::TableRow;
use crate::{AnswerForm, AnswerSchema, Label, Metric, OptionList, suggest};

/// What labels may be.
#[derive(Clone, Copy)]
pub(super) enum LabelRule<'a> {
    /// The same in every row.
    Form(&'a AnswerForm),
    /// One of the row's own options, which this column holds.
    Options(&'a str),
    /// Values of these fields.
    Fields(&'a AnswerSchema),
    /// One text or several, as this metric takes them.
    References(Metric),
}

impl<'a> LabelRule<'a> {
    /// The labels that all rows have in common, if any.
    pub fn labels(self) -> Option<&'a [String]> {
        match self {
            Self::Form(form) => form.labels(),
            Self::Options(_) | Self::Fields(_) | Self::References(_) => None,
        }
    }
}

/// What programs write where there is no label.
const NOTHING: [&str; 8] = ["nan", "null", "none", "<na>", "n/a", "#n/a", "na", "nil"];

impl ColumnRoles {
    pub(super) fn label(&self, row: &TableRow, form: &AnswerForm) -> Result<RowLabel, DataProblem> {
        let raw = match (form, row.nested.get(&self.label)) {
            // A list of labels, each of which is right.
            (AnswerForm::Choice { .. }, Some(list)) => list,
            _ => self.raw_label(row)?,
        };
        let known = |name: &str| {
            let labels = form.labels().unwrap_or_default();
            self.label_map.contains_key(name) || labels.iter().any(|label| label == name)
        };
        // A column of whole numbers with gaps is written as 1.0 by many programs.
        let raw = match raw.strip_suffix(".0") {
            Some(whole) if !known(raw) && known(whole) => whole,
            _ => raw,
        };
        let mapped = match self.label_map.get(raw) {
            Some(label) if label.is_empty() => return Ok(RowLabel::Drop),
            Some(label) => label.as_str(),
            None if raw.is_empty() || says_nothing(raw, form) => return Ok(RowLabel::Nothing),
            None => raw,
        };
        let label = match form {
            AnswerForm::Choice { labels } | AnswerForm::MultipleChoice { labels, .. } => {
                if !labels.iter().any(|label| label == mapped) {
                    if let Some(label) = self.several(mapped, labels) {
                        return Ok(RowLabel::Label(label));
                    }
                    let known = labels.iter().map(String::as_str);
                    return Err(
                        DataProblem::new(row.place(), format!("{mapped:?} is no label")).help(
                            format!(
                                "add it to task.labels, or map it in data.label_map (to \"\" to \
                                 drop such rows); {}",
                                suggest::instead(mapped, "labels", known)
                            ),
                        ),
                    );
                }
                Label::Class(mapped.to_owned())
            }
            AnswerForm::Number { min, max } => {
                let number = mapped
                    .parse()
                    .ok()
                    .filter(|n: &f64| (*min..=*max).contains(n));
                Label::Number(number.ok_or_else(|| {
                    DataProblem::new(
                        row.place(),
                        format!("{mapped:?} is no number in {min} to {max}"),
                    )
                    .of_kind("no number of the scale")
                })?)
            }
            AnswerForm::Ranking { .. }
            | AnswerForm::Likelihood { .. }
            | AnswerForm::Nearest { .. } => Label::Relevant(
                mapped
                    .lines()
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .map(str::to_owned)
                    .collect(),
            ),
            AnswerForm::Text { .. } => Label::Text(mapped.to_owned()),
            // Its fields are read by the task's schema.
            AnswerForm::Json { .. } => {
                return Err(DataProblem::new(
                    row.place(),
                    "the task tells no schema of its labels",
                ));
            }
        };
        Ok(RowLabel::Label(label))
    }

    /// Several labels in one cell, each of which is right: a JSON array, or texts between
    /// `|` or `;`. `None` where one of them is no label.
    fn several(&self, written: &str, labels: &[String]) -> Option<Label> {
        let pieces: Vec<String> = if let Ok(pieces) = serde_json::from_str(written) {
            pieces
        } else {
            let separator = ['|', ';'].into_iter().find(|cut| written.contains(*cut))?;
            written.split(separator).map(str::to_owned).collect()
        };
        let mut several: Vec<String> = Vec::new();
        for piece in &pieces {
            let piece = piece.trim();
            let mapped = self.label_map.get(piece).map_or(piece, String::as_str);
            let label = labels.iter().find(|label| *label == mapped)?;
            if !several.contains(label) {
                several.push(label.clone());
            }
        }
        match several.len() {
            0 => None,
            1 => several.pop().map(Label::Class),
            _ => Some(Label::AnyOf(several)),
        }
    }

    /// What the label's column holds; nothing where a row lacks it.
    fn raw_label<'r>(&self, row: &'r TableRow) -> Result<&'r str, DataProblem> {
        match row.values.get(&self.label) {
            Some(raw) => Ok(raw.trim()),
            None if row.nested.contains_key(&self.label) => text(row, &self.label),
            // Another file, or a JSON row that leaves it out.
            None => Ok(""),
        }
    }

    /// What labels of fields need of the columns.
    pub(super) fn check_fields_of_label(
        &self,
        rule: LabelRule<'_>,
        columns: &BTreeSet<&str>,
        problems: &mut DataProblems,
    ) {
        let LabelRule::Fields(schema) = rule else {
            return;
        };
        if !self.label_map.is_empty() {
            problems.push(
                DataProblem::new(
                    "data.label_map",
                    "an answer of several fields has no classes",
                )
                .help("remove it"),
            );
        }
        if !self.label.is_empty() {
            return;
        }
        for (column, _) in schema.columns() {
            if !columns.contains(column) {
                let mend = suggest::instead(column, "columns", columns.iter().copied());
                let what = format!("there is no column {column:?} with the label of a field");
                problems.push(DataProblem::new("task.fields", what).help(format!(
                    "{mend}; name a field's column with column = \"…\", or in data.label one with \
                     all of them as JSON"
                )));
            }
            if self.fields.iter().any(|field| field == column) {
                let what = format!("the label's column {column:?} is among the fields");
                problems.push(
                    DataProblem::new("data.fields", what)
                        .help("the model would be shown the answer; remove it"),
                );
            }
        }
    }

    /// The values of a row's fields: a column each, or all in one.
    pub(super) fn label_of_fields(
        &self,
        row: &TableRow,
        schema: &AnswerSchema,
    ) -> Result<RowLabel, DataProblem> {
        let cell = |column: &str| -> Option<&str> {
            let nested = || row.nested.get(column).map(String::as_str);
            row.values.get(column).or_else(nested)
        };
        let read = if self.label.is_empty() {
            schema.label_of(cell)
        } else {
            schema.label_in(cell(&self.label).unwrap_or_default())
        };
        match read {
            Ok(LabelledFields::Values(values)) => Ok(RowLabel::Label(Label::Fields(values))),
            Ok(LabelledFields::Nothing) => Ok(RowLabel::Nothing),
            Err(FieldFault { what, kind, help }) => {
                let mend = "fill it in as the task's field wants it, leave all of the row's \
                            fields empty, or make the field optional";
                let help = help.map_or_else(|| mend.to_owned(), |own| format!("{own}; or {mend}"));
                Err(DataProblem {
                    kind,
                    ..DataProblem::new(row.place(), what).help(help)
                })
            }
        }
    }

    /// The texts that are right for a row.
    pub(super) fn references(
        &self,
        row: &TableRow,
        metric: Metric,
    ) -> Result<RowLabel, DataProblem> {
        if self.is_dropped(row) {
            return Ok(RowLabel::Drop);
        }
        let raw = match row.nested.get(&self.label) {
            Some(json) => json,
            None => self.raw_label(row)?,
        };
        let raw = self.label_map.get(raw).map_or(raw, String::as_str);
        match references(raw, metric) {
            Ok(Some(label)) => Ok(RowLabel::Label(label)),
            Ok(None) => Ok(RowLabel::Nothing),
            Err(why) => {
                let what = format!("{:?}: {why}", self.label);
                Err(DataProblem::new(row.place(), what)
                    .help("write one text, or several as [\"first\", \"second\"]"))
            }
        }
    }

    /// Whether the study leaves the row out.
    pub(super) fn is_dropped(&self, row: &TableRow) -> bool {
        let raw = row.values.get(&self.label).unwrap_or_default().trim();
        self.label_map.get(raw).is_some_and(String::is_empty)
    }

    /// The option that the row's label names, as its letter.
    pub(super) fn label_among(
        &self,
        row: &TableRow,
        options: &OptionList,
    ) -> Result<RowLabel, DataProblem> {
        let raw = self.raw_label(row)?;
        let mapped = self.label_map.get(raw).map_or(raw, String::as_str);
        let place = options
            .place(mapped)
            .map_err(|why| DataProblem::new(row.place(), why).help("change the options' order"))?;
        if let Some(place) = place {
            let letters = options.letters();
            return Ok(RowLabel::Label(Label::Class(letters[place].clone())));
        }
        if mapped.is_empty() || NOTHING.contains(&mapped.to_lowercase().as_str()) {
            return Ok(RowLabel::Nothing);
        }
        let shown = suggest::list(options.texts().iter().map(String::as_str));
        let last = options.letters().pop().unwrap_or_default();
        Err(DataProblem::new(
            row.place(),
            format!("the label {mapped:?} is no option of its row"),
        )
        .help(format!(
            "write a letter from A to {last}, or the text of an option: {shown}"
        )))
    }
}

/// What a row's label column says.
pub(super) enum RowLabel {
    Label(Label),
    Nothing,
    /// The study leaves such rows out.
    Drop,
}

/// Whether a raw label is what programs write where there is none. Not where a
/// label of the task is spelt alike: there it is a label in another case.
fn says_nothing(raw: &str, form: &AnswerForm) -> bool {
    let lower = raw.to_lowercase();
    let own = |labels: &[String]| labels.iter().any(|label| label.to_lowercase() == lower);
    match form {
        AnswerForm::Choice { labels } | AnswerForm::MultipleChoice { labels, .. } => {
            NOTHING.contains(&lower.as_str()) && !own(labels)
        }
        AnswerForm::Number { .. } => NOTHING.contains(&lower.as_str()),
        _ => false,
    }
}
