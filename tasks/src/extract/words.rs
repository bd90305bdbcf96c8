//! The form of an answer in words, and whether a prompt says it itself.

use std::fmt::Write as _;
use std::ops::Range;

use super::schema::{AnswerField, AnswerSchema, FieldType};
use crate::parse;

impl AnswerSchema {
    /// The form in words, for models whose server is told no schema.
    pub fn words(&self) -> String {
        let mut text = "Answer with one JSON object and nothing else. Its fields:".to_owned();
        for field in self.fields_in_words() {
            let _ = write!(text, "\n- {field}");
        }
        text
    }

    /// Each field in words: its name in quotes, its type with the values of an enum, and
    /// what it means. In the order of the names.
    pub fn fields_in_words(&self) -> Vec<String> {
        let words = |(name, field): (&String, &AnswerField)| {
            let mut text = format!("{name:?}: {}", field.kind.words());
            if field.optional {
                text.push_str(", or null where the text does not say");
            }
            if let Some(about) = &field.description {
                let _ = write!(text, " ({})", about.trim().trim_end_matches('.'));
            }
            text
        };
        self.fields.iter().map(words).collect()
    }

    /// Whether a prompt says all that [`words`](Self::words) says, so that it need not be
    /// told the form: it names every field, behind a field's name its type (for an enum
    /// all values), `null` where a field may be left out, and each description as the
    /// schema has it. An object with a value for every field shows their types too. What
    /// is said in other words than these counts as not said: a form that is told twice
    /// does no harm, one that nobody tells does.
    pub fn is_told_in(&self, prompt: &str) -> bool {
        let mut mentions: Vec<(usize, usize, &str)> = Vec::new();
        for name in self.fields.keys() {
            let found = words_in(prompt, name);
            mentions.extend(found.map(|at| (at.start, at.end, name.as_str())));
        }
        mentions.sort_unstable();
        let shown = parse::json_spans(prompt);
        let shown = shown.iter().any(|(value, _)| self.values(value).is_some());
        self.fields.iter().all(|(name, field)| {
            let kind = || {
                let own = mentions.iter().enumerate();
                own.filter(|(_, (.., mentioned))| mentioned == name)
                    .any(|(at, (_, end, _))| {
                        // What is said of it stands before another field's name.
                        let next = mentions[at..]
                            .iter()
                            .find(|(start, _, other)| other != name && start >= end);
                        let until = next.map_or(prompt.len(), |(start, ..)| *start);
                        field.kind.is_told_in(&prompt[*end..until], shown)
                    })
            };
            let meant = field.description.as_deref().is_none_or(|about| {
                let about = about.trim().trim_end_matches('.');
                blanks(prompt).contains(&blanks(about))
            });
            let blank = !field.optional || words_in(prompt, "null").next().is_some();
            meant && blank && kind()
        })
    }
}

impl FieldType {
    /// What it is, in words for a model: "a number".
    fn words(&self) -> String {
        match self {
            Self::String => "a text".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Integer => "a whole number".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::Enum(values) => {
                let quoted: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
                match quoted.as_slice() {
                    [front @ .., last] if !front.is_empty() => {
                        format!("{} or {last}", front.join(", "))
                    }
                    _ => quoted.concat(),
                }
            }
            Self::List(items) => match &**items {
                Self::String => "a list of texts".to_owned(),
                Self::Number => "a list of numbers".to_owned(),
                Self::Integer => "a list of whole numbers".to_owned(),
                Self::Enum(_) => format!("a list, each {}", items.words()),
                Self::Boolean | Self::List(_) => format!("a list of {}", items.words()),
            },
        }
    }

    /// Whether the text behind a field's name says this type; `shown`: an object with
    /// values of all types stands in the prompt.
    fn is_told_in(&self, behind: &str, shown: bool) -> bool {
        let line = behind.lines().next().unwrap_or_default().to_lowercase();
        let any = |words: &[&str]| {
            words
                .iter()
                .any(|word| words_in(&line, word).next().is_some())
        };
        match self {
            Self::String => true,
            Self::Number => {
                shown || any(&["number", "numeric", "decimal", "float", "integer", "digits"])
            }
            Self::Integer => shown || any(&["integer", "int", "whole number", "number"]),
            Self::Boolean => {
                shown || any(&["boolean", "bool"]) || (any(&["true"]) && any(&["false"]))
            }
            Self::Enum(values) => {
                let mut values = values.iter();
                values.all(|value| words_in(behind, value).next().is_some())
            }
            Self::List(items) => {
                let listed = shown || any(&["list", "array", "lists", "arrays"]);
                let each = match &**items {
                    Self::Enum(_) => items.is_told_in(behind, shown),
                    _ => true,
                };
                listed && each
            }
        }
    }
}

/// Where a word stands in a text, no part of a longer one.
fn words_in<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let own = text.match_indices(word).map(|(at, _)| at..at + word.len());
    own.filter(move |at| !text[..at.start].ends_with(part) && !text[at.end..].starts_with(part))
}

fn blanks(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
