//! The texts that a row counts as right.

use serde_json::Value;

use crate::metric::text::matches;
use crate::{Label, Metric};

/// The references in a label's column: its text, or several as a JSON array of texts, as
/// the answers of `SQuAD` (`{"text": […]}`) or as an array of JSON Lines. Repetitions
/// are left out. `None`: nothing stands there.
///
/// # Errors
/// What is wrong with them, in words: one is blank or, for [`Metric::Regex`], no regular
/// expression.
pub(crate) fn references(written: &str, metric: Metric) -> Result<Option<Label>, String> {
    let written = written.trim();
    if written.is_empty() {
        return Ok(None);
    }
    let mut texts: Vec<String> = Vec::new();
    for text in listed(written).unwrap_or_else(|| vec![written.to_owned()]) {
        let text = text.trim();
        if text.is_empty() {
            return Err("one of its references is blank".into());
        }
        if !texts.iter().any(|known| known == text) {
            texts.push(text.to_owned());
        }
    }
    if metric == Metric::Regex {
        for pattern in &texts {
            matches("", pattern).map_err(|why| {
                format!(
                    "{pattern:?} is no regular expression: {}",
                    why.replace('\n', " ")
                )
            })?;
        }
    }
    Ok(match texts.as_slice() {
        [] => None,
        [_] => texts.pop().map(Label::Text),
        _ => Some(Label::AnyOf(texts)),
    })
}

/// Several texts, where that is what is written: a bracket alone begins many a text.
fn listed(written: &str) -> Option<Vec<String>> {
    let items = match serde_json::from_str(written).ok()? {
        Value::Array(items) => items,
        Value::Object(mut map) => match map.remove("text")? {
            Value::Array(items) => items,
            _ => return None,
        },
        _ => return None,
    };
    let texts = items.into_iter().map(|item| match item {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    });
    texts.collect()
}
