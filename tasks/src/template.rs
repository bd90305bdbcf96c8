use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Input;
use crate::diagnostic::{DataProblem, DataProblems};
use crate::suggest;

/// Text with `{field}` places; `{{` and `}}` stand for literal braces.
///
/// Values are inserted once and never scanned again, so braces in the data mean
/// nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FieldTemplate {
    source: String,
    parts: Vec<TemplatePart>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum TemplatePart {
    Literal(String),
    Field(String),
}

impl FieldTemplate {
    /// Reads a template. Errors name the character at fault, from 1.
    pub fn new(source: impl Into<String>) -> Result<Self, DataProblem> {
        let source = source.into();
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut chars = source.chars().zip(1_usize..).peekable();
        while let Some((c, position)) = chars.next() {
            let doubled = chars
                .next_if(|(next, _)| *next == c && matches!(c, '{' | '}'))
                .is_some();
            match c {
                '{' if !doubled => {
                    let mut name = String::new();
                    loop {
                        match chars.next() {
                            Some(('}', _)) => break,
                            Some((inner, _)) if inner != '{' => name.push(inner),
                            _ => {
                                return Err(fault("`{` is never closed", position));
                            }
                        }
                    }
                    let name = name.trim();
                    if name.is_empty() {
                        return Err(fault("`{}` names no field", position));
                    }
                    if !literal.is_empty() {
                        parts.push(TemplatePart::Literal(std::mem::take(&mut literal)));
                    }
                    parts.push(TemplatePart::Field(name.to_owned()));
                }
                '}' if !doubled => return Err(fault("`}` closes nothing", position)),
                _ => literal.push(c),
            }
        }
        if !literal.is_empty() {
            parts.push(TemplatePart::Literal(literal));
        }
        Ok(Self { source, parts })
    }

    /// The fields named, sorted, each once.
    pub fn fields(&self) -> BTreeSet<&str> {
        self.parts
            .iter()
            .filter_map(|part| match part {
                TemplatePart::Field(name) => Some(name.as_str()),
                TemplatePart::Literal(_) => None,
            })
            .collect()
    }

    /// Fails on the first field that is not among `known`.
    pub fn check_fields<'a>(
        &self,
        known: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Result<(), DataProblem> {
        for field in self.fields() {
            if !known.clone().into_iter().any(|name| name == field) {
                let mend = suggest::instead(field, "the data has the fields", known);
                return Err(DataProblem::new("", format!("unknown field {{{field}}}")).help(mend));
            }
        }
        Ok(())
    }

    /// The text with the input's values in their places; an absent field is
    /// empty.
    pub fn render(&self, input: &Input) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                TemplatePart::Literal(text) => text.as_str(),
                TemplatePart::Field(name) => input.field(name),
            })
            .collect()
    }

    /// The template in another syntax: `literal` writes its text, braces
    /// already single, `field` its fields.
    pub fn translate(
        &self,
        literal: impl Fn(&str) -> String,
        field: impl Fn(&str) -> String,
    ) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                TemplatePart::Literal(text) => literal(text),
                TemplatePart::Field(name) => field(name),
            })
            .collect()
    }
}

fn fault(what: &str, position: usize) -> DataProblem {
    DataProblem::new("", format!("{what} (character {position} of the template)"))
        .help("write `{field}` for a value, `{{` and `}}` for literal braces")
}

impl TryFrom<String> for FieldTemplate {
    type Error = DataProblem;

    fn try_from(source: String) -> Result<Self, DataProblem> {
        Self::new(source)
    }
}

impl From<FieldTemplate> for String {
    fn from(template: FieldTemplate) -> Self {
        template.source
    }
}

impl fmt::Display for FieldTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.source)
    }
}

/// The template of a study's `task.input`, which must name a field; a fault is told
/// among `problems`.
pub(crate) fn input(source: String, problems: &mut DataProblems) -> FieldTemplate {
    let template = FieldTemplate::new(source).and_then(|template| {
        if template.fields().is_empty() {
            return Err(DataProblem::new(
                "",
                "the template names no field, so every input is alike",
            )
            .help("write a column's name in braces, such as {text}"));
        }
        Ok(template)
    });
    template.unwrap_or_else(|problem| {
        problems.push(DataProblem {
            place: "task.input".into(),
            ..problem
        });
        FieldTemplate::default()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(template: &str, expect: Result<&str, &str>) {
        let input = Input::new("1", "g")
            .with_field("text", "a {star} }")
            .with_field("b", "{text}");
        let got = FieldTemplate::new(template).map(|template| template.render(&input));
        match (got, expect) {
            (Ok(text), Ok(expect)) => assert_eq!(text, expect),
            (Err(error), Err(expect)) => assert!(error.to_string().contains(expect), "{error}"),
            (got, expect) => panic!("{template:?}: {got:?} instead of {expect:?}"),
        }
    }

    #[test]
    fn values_are_inserted_once() {
        check("Review: {text}", Ok("Review: a {star} }"));
        check("{ b }{b}", Ok("{text}{text}"));
        check("{{text}} {{{text}}}", Ok("{text} {a {star} }}"));
        check("{absent}.", Ok("."));
        check("", Ok(""));
        check("a {text", Err("`{` is never closed (character 3"));
        check("é}", Err("`}` closes nothing (character 2"));
        check("{}", Err("names no field"));
        check("{a{b}", Err("never closed (character 1"));
    }

    #[test]
    fn templates_write_other_syntax() {
        let template = FieldTemplate::new("{{json}}: {text}").unwrap();
        let other = template.translate(str::to_uppercase, |field| format!("<{field}>"));
        assert_eq!(other, "{JSON}: <text>");
    }

    #[test]
    fn unknown_fields_are_named() {
        let template = FieldTemplate::new("{txet}").unwrap();
        let error = template
            .check_fields(["label", "text"])
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "unknown field {txet}; did you mean \"text\"? the data has the fields: \"label\", \"text\""
        );
        assert!(template.check_fields(["txet"]).is_ok());
    }

    proptest! {
        #[test]
        fn any_text_can_be_written(text in ".*", value in ".*") {
            let escaped = text.replace('{', "{{").replace('}', "}}");
            let template = FieldTemplate::new(format!("{escaped}{{x}}")).unwrap();
            let input = Input::new("1", "g").with_field("x", &value);
            prop_assert_eq!(template.render(&input), text + &value);
        }

        #[test]
        fn reading_never_panics(text in "[{}a ]*") {
            let _ = FieldTemplate::new(text);
        }
    }
}
