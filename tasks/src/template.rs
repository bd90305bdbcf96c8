use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Input;
use crate::problem::Problem;
use crate::suggest;

/// Text with `{field}` places; `{{` and `}}` stand for literal braces.
///
/// Values are inserted once and never scanned again, so braces in the data mean
/// nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Field(String),
}

impl Template {
    /// Reads a template. Errors name the character at fault, from 1.
    pub fn new(source: impl Into<String>) -> Result<Self, Problem> {
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
                        parts.push(Part::Literal(std::mem::take(&mut literal)));
                    }
                    parts.push(Part::Field(name.to_owned()));
                }
                '}' if !doubled => return Err(fault("`}` closes nothing", position)),
                _ => literal.push(c),
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self { source, parts })
    }

    /// The fields named, sorted, each once.
    pub fn fields(&self) -> BTreeSet<&str> {
        self.parts
            .iter()
            .filter_map(|part| match part {
                Part::Field(name) => Some(name.as_str()),
                Part::Literal(_) => None,
            })
            .collect()
    }

    /// Fails on the first field that is not among `known`.
    pub fn check_fields<'a>(
        &self,
        known: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Result<(), Problem> {
        for field in self.fields() {
            if !known.clone().into_iter().any(|name| name == field) {
                let mend = suggest::instead(field, "the data has the fields", known);
                return Err(Problem::new("", format!("unknown field {{{field}}}")).mend(mend));
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
                Part::Literal(text) => text.as_str(),
                Part::Field(name) => input.field(name),
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
                Part::Literal(text) => literal(text),
                Part::Field(name) => field(name),
            })
            .collect()
    }
}

fn fault(what: &str, position: usize) -> Problem {
    Problem::new("", format!("{what} (character {position} of the template)"))
        .mend("write `{field}` for a value, `{{` and `}}` for literal braces")
}

impl TryFrom<String> for Template {
    type Error = Problem;

    fn try_from(source: String) -> Result<Self, Problem> {
        Self::new(source)
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.source
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(template: &str, expect: Result<&str, &str>) {
        let input = Input::new("1", "g")
            .with_field("text", "a {star} }")
            .with_field("b", "{text}");
        let got = Template::new(template).map(|template| template.render(&input));
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
    fn a_template_can_be_written_in_another_syntax() {
        let template = Template::new("{{json}}: {text}").unwrap();
        let other = template.translate(str::to_uppercase, |field| format!("<{field}>"));
        assert_eq!(other, "{JSON}: <text>");
    }

    #[test]
    fn unknown_fields_are_named() {
        let template = Template::new("{txet}").unwrap();
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
            let template = Template::new(format!("{escaped}{{x}}")).unwrap();
            let input = Input::new("1", "g").with_field("x", &value);
            prop_assert_eq!(template.render(&input), text + &value);
        }

        #[test]
        fn reading_never_panics(text in "[{}a ]*") {
            let _ = Template::new(text);
        }
    }
}
