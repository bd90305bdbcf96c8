//! From a reply to the values of the fields.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Number, Value};

use super::schema::{AnswerField, AnswerSchema, FieldType};
use crate::parse;

/// The values of an answer's fields, `null` where an optional one has none.
pub type FieldValues = BTreeMap<String, Value>;

impl AnswerSchema {
    /// The values in a reply's text, without thoughts: of the one JSON object that has
    /// the fields. It may stand in a fence or behind a lead-in, in an array of one or
    /// under a key of its own, with a comma too many or as Python prints it; numbers and
    /// booleans may stand in quotes, and other fields beside. Of several objects with
    /// different values the one behind the words of a conclusion counts, else none.
    /// `None`: there is no such object, or a value is not of its field's type.
    pub fn read(&self, text: &str) -> Option<FieldValues> {
        let found = parse::json_spans(text);
        let fitting: Vec<(FieldValues, &Range<usize>)> = found
            .iter()
            .filter_map(|(value, place)| Some((self.within(value)?, place)))
            .collect();
        let (first, rest) = fitting.split_first()?;
        if rest.iter().all(|other| other.0 == first.0) {
            return Some(first.0.clone());
        }
        let (last, before) = fitting.split_last()?;
        let from = before.last()?.1.end;
        parse::concludes(&text[from..last.1.start]).then(|| last.0.clone())
    }

    /// The values of an object, or of the only one that fits directly within a value.
    fn within(&self, value: &Value) -> Option<FieldValues> {
        if let Some(values) = self.values(value) {
            return Some(values);
        }
        let parts: Vec<&Value> = match value {
            Value::Array(items) => items.iter().collect(),
            Value::Object(map) => map.values().collect(),
            _ => Vec::new(),
        };
        let mut fitting = parts.into_iter().filter_map(|part| self.values(part));
        let only = fitting.next()?;
        fitting.next().is_none().then_some(only)
    }

    /// The values of an object that has the fields.
    pub fn values(&self, value: &Value) -> Option<FieldValues> {
        let Value::Object(map) = value else {
            return None;
        };
        let given = |name: &str| {
            map.get(name).or_else(|| {
                let alike = |key: &&String| key.trim().eq_ignore_ascii_case(name);
                map.keys().find(alike).and_then(|key| map.get(key))
            })
        };
        // An object of other things altogether is not one that leaves everything out.
        if !self.fields.keys().any(|name| given(name).is_some()) {
            return None;
        }
        let value = |(name, field): (&String, &AnswerField)| {
            let value = match given(name) {
                Some(value) => field.value(value)?,
                None if field.optional => Value::Null,
                None => return None,
            };
            Some((name.clone(), value))
        };
        self.fields.iter().map(value).collect()
    }
}

impl AnswerField {
    /// A value of this field's type, in one spelling; `None` where it is none.
    pub fn value(&self, given: &Value) -> Option<Value> {
        let blank = match given {
            Value::Null => true,
            Value::String(text) => text.trim().is_empty(),
            _ => false,
        };
        if blank && self.optional {
            return Some(Value::Null);
        }
        self.kind.value(given)
    }
}

impl FieldType {
    fn value(&self, given: &Value) -> Option<Value> {
        match (self, given) {
            (Self::String, Value::String(text)) => Some(text.trim().into()),
            // An invoice's number, left without quotes.
            (Self::String, Value::Number(number)) => Some(number.to_string().into()),
            (Self::String, Value::Bool(truth)) => Some(truth.to_string().into()),
            (Self::Number, Value::Number(number)) => number.as_f64().and_then(number_of),
            (Self::Number, Value::String(text)) => text.trim().parse().ok().and_then(number_of),
            (Self::Integer, Value::Number(number)) => number.as_f64().and_then(integer_of),
            (Self::Integer, Value::String(text)) => text.trim().parse().ok().and_then(integer_of),
            (Self::Boolean, Value::Bool(_)) => Some(given.clone()),
            (Self::Boolean, Value::String(text)) => match text.trim().to_lowercase().as_str() {
                "true" => Some(true.into()),
                "false" => Some(false.into()),
                _ => None,
            },
            (Self::Enum(values), Value::String(text)) => {
                let text = text.trim();
                let same = |value: &&String| value.to_lowercase() == text.to_lowercase();
                let exact = values.iter().find(|value| *value == text);
                exact
                    .or_else(|| values.iter().find(same))
                    .map(|value| value.as_str().into())
            }
            (Self::List(items), Value::Array(given)) => {
                let given = given.iter().map(|item| items.value(item));
                given.collect::<Option<Vec<Value>>>().map(Value::Array)
            }
            _ => None,
        }
    }
}

/// One spelling for every number: whole ones without a fraction.
fn number_of(number: f64) -> Option<Value> {
    integer_of(number).or_else(|| Number::from_f64(number).map(Value::Number))
}

/// Whole numbers that a float holds exactly.
fn integer_of(number: f64) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = number.fract() == 0.0 && number.abs() <= EXACT;
    whole.then(|| Value::from(number as i64))
}
