//! As much of Nunjucks, promptfoo's template language, as a study can say:
//! text, variables, string literals, `raw` and comments.

use std::collections::BTreeMap;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NunjucksPart {
    Text(String),
    Var(String),
}

/// A template and what was left out of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ParsedTemplate {
    pub parts: Vec<NunjucksPart>,
    /// Filters that were dropped, as written.
    pub filters: Vec<String>,
}

/// Reads a template; the error names what cannot be carried over.
pub(super) fn parse(mut text: &str) -> Result<ParsedTemplate, String> {
    let mut parsed = ParsedTemplate::default();
    while let Some(at) = text.find('{') {
        let (before, rest) = text.split_at(at);
        parsed.push_text(before);
        text = match rest.as_bytes().get(1) {
            Some(b'{') => {
                let (inner, after) = until(rest, "}}")?;
                parsed.push_expression(inner.trim_matches('-').trim())?;
                after
            }
            Some(b'#') => until(rest, "#}")?.1,
            Some(b'%') => {
                let (inner, after) = until(rest, "%}")?;
                let tag = inner.trim_matches('-').trim();
                if tag != "raw" {
                    return Err(format!("{{% {tag} %}}"));
                }
                let (raw, end) = after
                    .split_once("{% endraw %}")
                    .ok_or("{% raw %} without its end")?;
                parsed.push_text(raw);
                end
            }
            _ => {
                parsed.push_text("{");
                &rest[1..]
            }
        };
    }
    parsed.push_text(text);
    Ok(parsed)
}

/// What stands between a tag's two-character opening and its end, and what
/// follows.
fn until<'t>(tag: &'t str, end: &str) -> Result<(&'t str, &'t str), String> {
    tag[2..]
        .split_once(end)
        .ok_or_else(|| format!("`{}` is never closed", &tag[..2]))
}

impl ParsedTemplate {
    fn push_text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        match self.parts.last_mut() {
            Some(NunjucksPart::Text(last)) => last.push_str(text),
            _ => self.parts.push(NunjucksPart::Text(text.to_owned())),
        }
    }

    fn push_expression(&mut self, expression: &str) -> Result<(), String> {
        for quote in ['\'', '"'] {
            let inner = expression
                .strip_prefix(quote)
                .and_then(|rest| rest.strip_suffix(quote));
            if let Some(inner) = inner.filter(|inner| !inner.contains([quote, '\\'])) {
                self.push_text(inner);
                return Ok(());
            }
        }
        let (name, filter) = match expression.split_once('|') {
            Some((name, filter)) => (name.trim(), Some(filter.trim())),
            None => (expression, None),
        };
        let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if !is_name {
            return Err(format!("{{{{ {expression} }}}}"));
        }
        self.filters.extend(filter.map(str::to_owned));
        self.parts.push(NunjucksPart::Var(name.to_owned()));
        Ok(())
    }

    /// The text with the variables' values; the name of the first unknown one
    /// as the error.
    pub fn render(&self, vars: &BTreeMap<String, String>) -> Result<String, String> {
        self.parts
            .iter()
            .map(|part| match part {
                NunjucksPart::Text(text) => Ok(text.as_str()),
                NunjucksPart::Var(name) => vars.get(name).map(String::as_str).ok_or(name.clone()),
            })
            .collect()
    }
}
