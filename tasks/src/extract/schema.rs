//! What an answer of several fields looks like.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use crate::diagnostic::{DataProblem, DataProblems};

/// The fields of an answer, each with its type, in the order of their names.
///
/// A study writes it as a table of fields, or takes it from a JSON Schema
/// ([`from_json_schema`](Self::from_json_schema)).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(transparent)]
pub struct AnswerSchema {
    /// The fields by name; one at least in a schema that was checked.
    pub fields: BTreeMap<String, AnswerField>,
}

/// One field of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerField {
    /// What its value is.
    pub kind: FieldType,
    /// Whether the answer may be `null` or leave it out. A label may be blank then.
    pub optional: bool,
    /// What it means, told to the model.
    pub description: Option<String>,
    /// The data's column with its label; by default the one of the field's name.
    pub column: Option<String>,
    /// How far a number may lie from the truth, in its own unit, and still be right.
    pub tolerance: f64,
    /// When two texts are the same.
    pub compare: TextComparison,
}

/// The type of a field's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldType {
    /// Any text.
    String,
    /// A finite number.
    Number,
    /// A number without a fraction.
    Integer,
    /// True or false.
    Boolean,
    /// One of these texts.
    Enum(Vec<String>),
    /// Any number of values of one of the types above, in no order.
    List(Box<FieldType>),
}

/// When two texts are the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextComparison {
    /// Every letter is, runs of white space counting as one blank.
    #[default]
    Exact,
    /// Their words are, whatever case and punctuation
    /// ([`normalise`](crate::grade::normalise)).
    Words,
}

impl AnswerField {
    /// A field that every answer has.
    pub const fn new(kind: FieldType) -> Self {
        Self {
            kind,
            optional: false,
            description: None,
            column: None,
            tolerance: 0.0,
            compare: TextComparison::Exact,
        }
    }
}

impl FieldType {
    /// Its JSON Schema.
    fn json_schema(&self) -> Map<String, Value> {
        let value = match self {
            Self::String => json!({"type": "string"}),
            Self::Number => json!({"type": "number"}),
            Self::Integer => json!({"type": "integer"}),
            Self::Boolean => json!({"type": "boolean"}),
            Self::Enum(values) => json!({"type": "string", "enum": values}),
            Self::List(items) => json!({"type": "array", "items": items.json_schema()}),
        };
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::String,
            "number" => Self::Number,
            "integer" => Self::Integer,
            "boolean" => Self::Boolean,
            _ => return None,
        })
    }
}

/// The words that a field's type may be.
const TYPES: &str = "\"string\", \"number\", \"integer\", \"boolean\", \"enum\" or \"list\"";

impl<'de> Deserialize<'de> for AnswerField {
    /// `"number"`, or a table: `{ type = "number", tolerance = 0.01 }`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldVisitor;

        impl<'de> Visitor<'de> for FieldVisitor {
            type Value = AnswerField;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a type ({TYPES}) or a table with one")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<AnswerField, E> {
                let keys = FieldKeys {
                    kind: name.to_owned(),
                    ..FieldKeys::default()
                };
                keys.field().map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AnswerField, A::Error> {
                let keys = FieldKeys::deserialize(MapAccessDeserializer::new(map))?;
                keys.field().map_err(A::Error::custom)
            }
        }

        deserializer.deserialize_any(FieldVisitor)
    }
}

/// A field as a study writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldKeys {
    #[serde(rename = "type")]
    kind: String,
    values: Option<Vec<String>>,
    items: Option<String>,
    #[serde(default)]
    optional: bool,
    description: Option<String>,
    column: Option<String>,
    tolerance: Option<f64>,
    compare: Option<TextComparison>,
}

impl FieldKeys {
    fn field(self) -> Result<AnswerField, String> {
        let values = || self.values.clone().map(FieldType::Enum);
        let kind = match self.kind.as_str() {
            "enum" => values().ok_or("an enum needs values = [\"…\", \"…\"]")?,
            "list" => {
                let items = match (self.items.as_deref(), values()) {
                    (Some(_), Some(_)) => {
                        return Err(
                            "a list has either items (their type) or values (the texts they may be)"
                                .into(),
                        );
                    }
                    (None, Some(values)) => values,
                    (None, None) => FieldType::String,
                    (Some(name), None) => FieldType::named(name).ok_or_else(|| {
                        format!(
                            "items is {name:?}; it may be \"string\", \"number\", \"integer\" or \
                             \"boolean\", or leave it out and list the values"
                        )
                    })?,
                };
                FieldType::List(Box::new(items))
            }
            name => FieldType::named(name)
                .ok_or_else(|| format!("there is no type {name:?}; a field is {TYPES}"))?,
        };
        let scalar = match &kind {
            FieldType::List(items) => items,
            kind => kind,
        };
        if self.values.is_some() && !matches!(scalar, FieldType::Enum(_)) {
            return Err("values belong to an enum or a list".into());
        }
        if self.items.is_some() && !matches!(kind, FieldType::List(_)) {
            return Err("items belong to a list".into());
        }
        if self.tolerance.is_some() && !matches!(scalar, FieldType::Number | FieldType::Integer) {
            return Err("a tolerance belongs to numbers".into());
        }
        if self.compare.is_some() && *scalar != FieldType::String {
            return Err("compare belongs to texts".into());
        }
        let tolerance = self.tolerance.unwrap_or(0.0);
        if !(tolerance.is_finite() && tolerance >= 0.0) {
            return Err(format!(
                "tolerance is {tolerance}; a number of 0 or more is needed"
            ));
        }
        Ok(AnswerField {
            optional: self.optional,
            description: self.description,
            column: self.column,
            tolerance,
            compare: self.compare.unwrap_or_default(),
            kind,
        })
    }
}

impl AnswerSchema {
    /// The JSON Schema that a server is asked to keep to: every field is required, one
    /// that is optional may be `null`, and there are no others. Servers that enforce
    /// schemas want them so.
    pub fn json_schema(&self) -> Value {
        let property = |(name, field): (&String, &AnswerField)| {
            let mut own = field.kind.json_schema();
            if field.optional {
                if let Some(kind) = own.get_mut("type") {
                    *kind = json!([kind.take(), "null"]);
                }
                if let Some(Value::Array(values)) = own.get_mut("enum") {
                    values.push(Value::Null);
                }
            }
            if let Some(text) = &field.description {
                own.insert("description".to_owned(), text.as_str().into());
            }
            (name.clone(), Value::Object(own))
        };
        let properties: Map<String, Value> = self.fields.iter().map(property).collect();
        let required: Vec<&String> = self.fields.keys().collect();
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }

    /// Tells what is wrong with the fields, each under `place`.
    pub(super) fn check(&self, place: &str, problems: &mut DataProblems) {
        if self.fields.is_empty() {
            problems.push(
                DataProblem::new(place, "it has no field")
                    .help("write a line for each, such as total = \"number\""),
            );
        }
        for (name, field) in &self.fields {
            let at = format!("{place}.{name}");
            if name.trim().is_empty() {
                problems.push(DataProblem::new(place, "a field has a blank name"));
            }
            let kind = match &field.kind {
                FieldType::List(items) => items,
                kind => kind,
            };
            let FieldType::Enum(values) = kind else {
                continue;
            };
            if values.len() < 2 {
                let what = format!("{} values leave nothing to choose", values.len());
                problems.push(DataProblem::new(&at, what).help("list at least two"));
            }
            for (index, value) in values.iter().enumerate() {
                let same = |other: &&String| other.to_lowercase() == value.to_lowercase();
                if value.trim() != value || value.is_empty() {
                    let what = format!("the value {value:?} is blank, or begins or ends so");
                    problems.push(DataProblem::new(&at, what).help("remove the blanks"));
                } else if let Some(twin) = values[..index].iter().find(same) {
                    let what = format!("the values {twin:?} and {value:?} differ at most in case");
                    problems.push(DataProblem::new(&at, what).help("remove or rename one"));
                }
            }
        }
    }
}
