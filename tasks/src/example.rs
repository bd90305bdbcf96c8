use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{FieldValues, outcome};

/// What a model may see of one example: its fields, never its label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Unique within a study.
    pub id: String,
    /// The group (domain, age band, season, …) whose score it counts towards.
    pub group: String,
    /// Named texts, rendered into the request as values, never as templates.
    pub fields: BTreeMap<String, String>,
    /// What is resampled as one by intervals: usually the user. `None`: the
    /// example stands for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// What was shown together: the impression, or the user's moment, that this input is
    /// one item of. Metrics of lists made of answers about single items group by it.
    /// `None`: the user's items together, or the input alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
}

impl Input {
    /// An input without fields and without a cluster.
    pub fn new(id: impl Into<String>, group: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            group: group.into(),
            fields: BTreeMap::new(),
            cluster: None,
            list: None,
        }
    }

    /// The same input with this field set.
    #[must_use]
    pub fn with_field(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.fields.insert(name.into(), text.into());
        self
    }

    /// The same input with this label: an example.
    pub fn with_label(self, label: Label) -> Example {
        Example { input: self, label }
    }

    /// One field's text; empty where the field is absent.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// An input with its true label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The part a model may see.
    #[serde(flatten)]
    pub input: Input,
    /// The truth.
    pub label: Label,
}

/// The truth about one example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// One of a closed set.
    Class(String),
    /// A number, such as a rating.
    Number(f64),
    /// The relevant items among a request's candidates.
    Relevant(Vec<String>),
    /// Free text to be matched.
    Text(String),
    /// Several classes or texts, each of which is right; one at least.
    AnyOf(Vec<String>),
    /// Values by field, `null` where an optional one has none.
    Fields(FieldValues),
}

impl Label {
    /// The class, where there is one alone.
    pub(crate) fn class(&self) -> Option<&str> {
        match self {
            Self::Class(class) => Some(class),
            _ => None,
        }
    }

    /// The label for people: all right answers, between bars.
    pub fn to_text(&self) -> String {
        match self {
            Self::AnyOf(answers) => answers.join(" | "),
            label => label.to_answer(),
        }
    }

    /// The texts that are right, where the label is of texts; one or several.
    pub(crate) fn references(&self) -> Option<&[String]> {
        match self {
            Self::Text(text) => Some(std::slice::from_ref(text)),
            Self::AnyOf(texts) => Some(texts),
            _ => None,
        }
    }

    /// The label as an answer would spell it, as used in demonstrations: of several
    /// right answers the first.
    pub fn to_answer(&self) -> String {
        match self {
            Self::Class(text) | Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Relevant(items) => items.join("\n"),
            Self::AnyOf(answers) => answers.first().cloned().unwrap_or_default(),
            Self::Fields(values) => outcome::json(values),
        }
    }
}
