//! A column with JSON objects, as sets of extraction have it: answers of several fields.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};
use shiftproof_tasks::{
    AnswerField, AnswerSchema, DataTable, ExtractSpec, FieldType, Metric, TableRow,
};

use super::DraftOptions;
use super::columns::LABELS;

/// Rows with objects that a guess rests on, at least.
const LEAST: usize = 12;
/// Of the rows that are looked at, those that must bear a guess out.
const SHARE: f64 = 0.9;
/// Different texts of a field that may be a closed set.
const MOST_VALUES: usize = 12;
/// Words of a text that may be one of a closed set.
const MOST_WORDS: usize = 3;
/// How often each of them occurs on average.
const RECURS: usize = 4;

/// The column that holds the labels, and what they hold.
#[derive(Debug)]
pub(super) struct DraftFields {
    pub column: String,
    pub schema: AnswerSchema,
    /// Keys that are no field of an answer, with why.
    left_out: Vec<(String, &'static str)>,
}

/// The column of a table whose rows hold objects with the same few keys; `None` where there
/// is none. With several, the one with the name of a label, or the first.
pub(super) fn of(table: &DataTable, options: DraftOptions<'_>) -> Option<DraftFields> {
    let mut columns: Vec<&str> = match options.label {
        Some(given) => vec![given],
        None => table.columns().into_iter().collect(),
    };
    let place = |name: &str| {
        LABELS
            .iter()
            .position(|known| *known == name.to_lowercase())
    };
    columns.sort_by_key(|name| place(name).unwrap_or(LABELS.len()));
    let free = |name: &&str| {
        ![options.group, options.id].contains(&Some(*name))
            && options.fields.iter().all(|field| field != *name)
    };
    columns.into_iter().filter(free).find_map(|column| {
        let objects = objects(table, column)?;
        let (schema, left_out) = schema(&objects);
        (!schema.fields.is_empty()).then(|| DraftFields {
            column: column.to_owned(),
            schema,
            left_out,
        })
    })
}

/// The objects of a column; `None` where too few rows hold one.
fn objects(table: &DataTable, column: &str) -> Option<Vec<Map<String, Value>>> {
    let cell = |row: &TableRow| {
        let cell = row.cell(column)?.trim().to_owned();
        (!cell.is_empty()).then_some(cell)
    };
    let filled: Vec<String> = table.rows.iter().filter_map(cell).collect();
    let read = |cell: &String| match serde_json::from_str(cell) {
        Ok(Value::Object(object)) if !object.is_empty() => Some(object),
        _ => None,
    };
    let objects: Vec<Map<String, Value>> = filled.iter().filter_map(read).collect();
    let enough = objects.len() >= LEAST && objects.len() as f64 >= SHARE * filled.len() as f64;
    enough.then_some(objects)
}

/// What all objects have in common, and the keys that do not fit.
fn schema(objects: &[Map<String, Value>]) -> (AnswerSchema, Vec<(String, &'static str)>) {
    let mut values: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for (key, value) in objects.iter().flatten() {
        values.entry(key).or_default().push(value);
    }
    let (mut fields, mut left_out) = (BTreeMap::new(), Vec::new());
    for (key, values) in values {
        let given: Vec<&Value> = values.iter().copied().filter(|v| !v.is_null()).collect();
        match kind(&given) {
            Ok(kind) => {
                let field = AnswerField {
                    optional: given.len() < objects.len(),
                    ..AnswerField::new(kind)
                };
                fields.insert(key.to_owned(), field);
            }
            Err(why) => left_out.push((key.to_owned(), why)),
        }
    }
    (AnswerSchema { fields }, left_out)
}

/// The type that all values have; an error says why there is none.
fn kind(values: &[&Value]) -> Result<FieldType, &'static str> {
    let all = |is: fn(&Value) -> bool| values.iter().all(|value| is(value));
    if values.is_empty() {
        return Err("it is empty in every row");
    }
    if all(Value::is_boolean) {
        Ok(FieldType::Boolean)
    } else if all(|value| value.is_i64() || value.is_u64()) {
        Ok(FieldType::Integer)
    } else if all(Value::is_number) {
        Ok(FieldType::Number)
    } else if all(Value::is_string) {
        let texts: Vec<&str> = values.iter().filter_map(|value| value.as_str()).collect();
        Ok(closed_set(&texts).map_or(FieldType::String, FieldType::Enum))
    } else if all(Value::is_array) {
        let items: Vec<&Value> = values
            .iter()
            .filter_map(|value| value.as_array())
            .flatten()
            .collect();
        match kind(&items) {
            Ok(FieldType::List(_)) => Err("its items are lists"),
            Ok(items) => Ok(FieldType::List(Box::new(items))),
            // Empty in every row: texts are as good as any.
            Err(_) if items.is_empty() => Ok(FieldType::List(Box::new(FieldType::String))),
            Err(why) => Err(why),
        }
    } else if all(Value::is_object) {
        Err("it is an object; give its parts keys of their own")
    } else {
        Err("its values are of several types")
    }
}

/// The texts, where they are few, short and recur.
fn closed_set(texts: &[&str]) -> Option<Vec<String>> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for text in texts {
        *counts.entry(text.trim()).or_default() += 1;
    }
    let lower: std::collections::BTreeSet<String> =
        counts.keys().map(|text| text.to_lowercase()).collect();
    let fits = (2..=MOST_VALUES).contains(&counts.len())
        && texts.len() >= RECURS * counts.len()
        && lower.len() == counts.len()
        && counts
            .keys()
            .all(|text| !text.is_empty() && text.split_whitespace().count() <= MOST_WORDS);
    fits.then(|| counts.into_keys().map(str::to_owned).collect())
}

impl DraftFields {
    /// What was found, a line each.
    pub fn notes(&self) -> Vec<String> {
        let shown: Vec<String> = self.schema.fields_in_words();
        let mut told = vec![format!(
            "fields: {:?} holds JSON objects with {}",
            self.column,
            shown.join("; ")
        )];
        let left_out = self.left_out.iter();
        told.extend(left_out.map(|(key, why)| format!("fields: {key:?} is left out: {why}")));
        told
    }

    /// The task as the study will declare it; `input`: how a row is shown.
    pub fn spec(&self, input: String) -> ExtractSpec {
        let names: Vec<&str> = self.schema.fields.keys().map(String::as_str).collect();
        ExtractSpec {
            prompt: format!(
                "Read the text and write down what it says of {}. Answer with one JSON object.",
                names.join(", ")
            ),
            input,
            fields: self.schema.clone(),
            schema: None,
            metric: Metric::Accuracy,
            max_tokens: None,
        }
    }

    /// The table of fields in a study; `quoted` writes a text, `list` several.
    pub fn text(
        &self,
        quoted: impl Fn(&str) -> String,
        list: impl Fn(&[String]) -> String,
    ) -> String {
        let mut out = String::from(
            "# The fields of an answer with their types. A description = \"…\" is told to the \
             model.\n[task.fields]\n",
        );
        for (name, field) in &self.schema.fields {
            let own = match &field.kind {
                FieldType::Enum(values) => {
                    format!("type = \"enum\", values = [{}]", list(values))
                }
                FieldType::List(items) => match &**items {
                    FieldType::Enum(values) => {
                        format!("type = \"list\", values = [{}]", list(values))
                    }
                    items => format!("type = \"list\", items = \"{}\"", plain(items)),
                },
                kind => format!("type = \"{}\"", plain(kind)),
            };
            let optional = if field.optional {
                ", optional = true"
            } else {
                ""
            };
            let _ = writeln!(out, "{} = {{ {own}{optional} }}", quoted(name));
        }
        out
    }
}

/// A type without parameters, as a study names it.
const fn plain(kind: &FieldType) -> &'static str {
    match kind {
        FieldType::Number => "number",
        FieldType::Integer => "integer",
        FieldType::Boolean => "boolean",
        FieldType::String | FieldType::Enum(_) | FieldType::List(_) => "string",
    }
}
