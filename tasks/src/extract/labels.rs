//! The truth about a row: a column for each field, or one with JSON.

use serde_json::Value;

use super::read::FieldValues;
use super::schema::{AnswerField, AnswerSchema, FieldType};

/// What a row's columns say of its label.
#[derive(Debug, PartialEq)]
pub(crate) enum LabelledFields {
    /// The truth.
    Values(FieldValues),
    /// Nothing stands there: the row has no label.
    Nothing,
}

/// What is wrong with a row's label.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FieldFault {
    /// With the row's value.
    pub what: String,
    /// The same of any value; `None` where each value is a fault of its own.
    pub kind: Option<String>,
    /// How it is mended, beside what mends any.
    pub help: Option<String>,
}

impl From<String> for FieldFault {
    fn from(what: String) -> Self {
        Self {
            what,
            kind: None,
            help: None,
        }
    }
}

impl AnswerSchema {
    /// The column with each field's label, in the fields' order, where no column holds
    /// them all.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &AnswerField)> {
        self.fields
            .iter()
            .map(|(name, field)| (field.column.as_deref().unwrap_or(name), field))
    }

    /// The truth by columns; `cell`: a column's text, `None` where the row lacks it.
    pub(crate) fn label_of<'r>(
        &self,
        cell: impl Fn(&str) -> Option<&'r str>,
    ) -> Result<LabelledFields, FieldFault> {
        let cells: Vec<Option<&str>> = self
            .columns()
            .map(|(column, _)| cell(column).map(str::trim).filter(|text| !text.is_empty()))
            .collect();
        if cells.iter().all(Option::is_none) {
            return Ok(LabelledFields::Nothing);
        }
        let mut values = FieldValues::new();
        let named = self.columns().zip(self.fields.keys()).zip(cells);
        for (((column, field), name), cell) in named {
            let value = match cell {
                Some(text) => field
                    .labelled(text)
                    .ok_or_else(|| field.fault(name, &format!("{column:?}"), &shown(text)))?,
                None if field.optional => Value::Null,
                // An empty list is what a blank cell says of a list.
                None if matches!(field.kind, FieldType::List(_)) => Value::Array(Vec::new()),
                None => return Err(format!("{column:?} is empty beside other fields").into()),
            };
            values.insert(name.clone(), value);
        }
        Ok(LabelledFields::Values(values))
    }

    /// The truth in one column of JSON.
    pub(crate) fn label_in(&self, text: &str) -> Result<LabelledFields, FieldFault> {
        let text = text.trim();
        if text.is_empty() || text.eq_ignore_ascii_case("null") {
            return Ok(LabelledFields::Nothing);
        }
        let alike = |kind: &str, what: String| FieldFault {
            kind: Some(kind.to_owned()),
            ..FieldFault::from(what)
        };
        let value: Value = serde_json::from_str(text).map_err(|error| {
            let what = format!("the label is no JSON ({error}): {}", shown(text));
            alike("no JSON", what)
        })?;
        let Value::Object(map) = &value else {
            let what = format!("the label is no JSON object: {}", shown(text));
            return Err(alike("no JSON object", what));
        };
        let mut values = FieldValues::new();
        for (name, field) in &self.fields {
            let own = match map.get(name) {
                Some(own) => field.value(own).ok_or_else(|| {
                    let of = format!("{name:?} of the label");
                    field.fault(name, &of, &cut_short(&own.to_string()))
                })?,
                None if field.optional => Value::Null,
                None => return Err(format!("the label has no {name:?}").into()),
            };
            values.insert(name.clone(), own);
        }
        Ok(LabelledFields::Values(values))
    }
}

impl AnswerField {
    /// A label that is no value of this field; `of` says where it stands.
    fn fault(&self, name: &str, of: &str, value: &str) -> FieldFault {
        let wanted = self.wanted();
        let scalar = match &self.kind {
            FieldType::List(items) => items,
            kind => kind,
        };
        // A value that is missing in the study is a fault of its own.
        let is_closed = matches!(scalar, FieldType::Enum(_));
        FieldFault {
            what: format!("{of} is {value}, which is not {wanted}"),
            kind: (!is_closed).then(|| format!("{of} is not {wanted}")),
            help: is_closed.then(|| {
                format!(
                    "if it is a right answer, add it to the field's values in the study \
                     (task.fields.{name}, or the enum in task.schema)"
                )
            }),
        }
    }

    /// What its label must be, in words.
    fn wanted(&self) -> String {
        let kind = match &self.kind {
            FieldType::String => "a text".to_owned(),
            FieldType::Number => "a number".to_owned(),
            FieldType::Integer => "a whole number".to_owned(),
            FieldType::Boolean => "true or false".to_owned(),
            FieldType::Enum(values) => format!("one of {}", values.join(", ")),
            FieldType::List(items) => match &**items {
                FieldType::Enum(values) => format!(
                    "a list (JSON, or items between | or ;) of {}",
                    values.join(", ")
                ),
                _ => "a list (JSON, or items between | or ;)".to_owned(),
            },
        };
        if self.optional {
            format!("{kind} or empty")
        } else {
            kind
        }
    }

    /// A cell's text as a value. Tables write booleans and lists in ways of their own.
    fn labelled(&self, text: &str) -> Option<Value> {
        match &self.kind {
            FieldType::Boolean => match text.to_lowercase().as_str() {
                "true" | "yes" | "1" | "1.0" => Some(true.into()),
                "false" | "no" | "0" | "0.0" => Some(false.into()),
                _ => None,
            },
            FieldType::List(_) => {
                let json = text
                    .starts_with('[')
                    .then(|| serde_json::from_str(text).ok());
                let items = match json.flatten() {
                    Some(items) => items,
                    None => Value::Array(cut(text).into_iter().map(Value::from).collect()),
                };
                self.value(&items)
            }
            _ => self.value(&text.into()),
        }
    }
}

/// Items between lines, `|` or `;`, as they stand in one cell.
fn cut(text: &str) -> Vec<&str> {
    let separator = ['\n', '|', ';'].into_iter().find(|cut| text.contains(*cut));
    match separator {
        Some(separator) => text
            .split(separator)
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .collect(),
        None => vec![text],
    }
}

/// Characters of a value that messages show.
const SHOWN: usize = 60;

/// A text's beginning in quotes, for messages.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN).collect();
    if cut.len() < text.len() {
        format!("{cut:?}…")
    } else {
        format!("{cut:?}")
    }
}

/// The same of JSON, which has quotes of its own.
fn cut_short(json: &str) -> String {
    let mut cut: String = json.chars().take(SHOWN).collect();
    if cut.len() < json.len() {
        cut.push('…');
    }
    cut
}
