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
    ) -> Result<LabelledFields, String> {
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
                Some(text) => field.labelled(text).ok_or_else(|| {
                    format!("{column:?} is {text:?}, which is not {}", field.wanted())
                })?,
                None if field.optional => Value::Null,
                // An empty list is what a blank cell says of a list.
                None if matches!(field.kind, FieldType::List(_)) => Value::Array(Vec::new()),
                None => return Err(format!("{column:?} is empty beside other fields")),
            };
            values.insert(name.clone(), value);
        }
        Ok(LabelledFields::Values(values))
    }

    /// The truth in one column of JSON.
    pub(crate) fn label_in(&self, text: &str) -> Result<LabelledFields, String> {
        let text = text.trim();
        if text.is_empty() || text.eq_ignore_ascii_case("null") {
            return Ok(LabelledFields::Nothing);
        }
        let value: Value = serde_json::from_str(text)
            .map_err(|error| format!("the label is no JSON ({error}): {}", shown(text)))?;
        let Value::Object(map) = &value else {
            return Err(format!("the label is no JSON object: {}", shown(text)));
        };
        let mut values = FieldValues::new();
        for (name, field) in &self.fields {
            let own = match map.get(name) {
                Some(own) => field.value(own).ok_or_else(|| {
                    format!(
                        "{name:?} of the label is {own}, which is not {}",
                        field.wanted()
                    )
                })?,
                None if field.optional => Value::Null,
                None => return Err(format!("the label has no {name:?}")),
            };
            values.insert(name.clone(), own);
        }
        Ok(LabelledFields::Values(values))
    }
}

impl AnswerField {
    /// What its label must be, in words.
    fn wanted(&self) -> String {
        let kind = match &self.kind {
            FieldType::String => "a text".to_owned(),
            FieldType::Number => "a number".to_owned(),
            FieldType::Integer => "a whole number".to_owned(),
            FieldType::Boolean => "true or false".to_owned(),
            FieldType::Enum(values) => format!("one of {}", values.join(", ")),
            FieldType::List(_) => "a list (JSON, or items between | or ;)".to_owned(),
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

/// A text's beginning, for messages.
fn shown(text: &str) -> String {
    const SHOWN: usize = 60;
    let cut: String = text.chars().take(SHOWN).collect();
    if cut.len() < text.len() {
        format!("{cut:?}…")
    } else {
        format!("{cut:?}")
    }
}
