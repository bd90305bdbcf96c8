//! Prompts sent as JSON.

use serde_json::Value;

/// Keys that hold a prompt.
const KEYS: [&str; 14] = [
    "prompt",
    "instruction",
    "instructions",
    "prompts",
    "new_prompt",
    "improved_prompt",
    "revised_prompt",
    "optimized_prompt",
    "new_instruction",
    "improved_instruction",
    "rewritten_prompt",
    "text",
    "candidates",
    "output",
];

/// The texts of a reply that is one JSON value made to carry prompts: an object
/// with one of the usual keys, or with one text alone; a list of texts or of such
/// objects; a text. `None` for any other: JSON belongs to prompts too.
pub(super) fn texts(text: &str) -> Option<Vec<String>> {
    if !text.starts_with(['{', '[', '"']) {
        return None;
    }
    let value = parsed(text).or_else(|| parsed(&escaped(text)))?;
    let texts: Vec<String> = carried(&value, true)?
        .into_iter()
        .filter(|text| text.split_whitespace().count() > 1 || text.chars().count() > 8)
        .collect();
    (!texts.is_empty()).then_some(texts)
}

/// The JSON value at the head of a text that only a short remark follows.
fn parsed(text: &str) -> Option<Value> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let value = values.next()?.ok()?;
    let rest = text[values.byte_offset()..].trim();
    (rest.is_empty() || (!text.starts_with('"') && rest.split_whitespace().count() <= 60))
        .then_some(value)
}

fn carried(value: &Value, top: bool) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(items) if top => items
            .iter()
            .map(|item| carried(item, false))
            .collect::<Option<Vec<_>>>()
            .map(|texts| texts.concat()),
        Value::Object(fields) => {
            let known = KEYS.iter().find_map(|key| {
                let (_, value) = fields
                    .iter()
                    .find(|(name, _)| name.to_lowercase().replace([' ', '-'], "_") == *key)?;
                Some(value)
            });
            match known {
                Some(Value::Array(lines)) if lines.iter().all(Value::is_string) => {
                    carried(&Value::Array(lines.clone()), true)
                }
                Some(inner) => carried(inner, top),
                None => {
                    let mut values = fields.values();
                    let only = values.next().filter(|_| values.next().is_none())?;
                    // `{"label": "spam"}` is an example of an answer.
                    let text = only.as_str()?;
                    (text.split_whitespace().count() >= 4).then(|| vec![text.to_owned()])
                }
            }
        }
        _ => None,
    }
}

/// The text with the line breaks inside JSON strings escaped, which models
/// forget.
fn escaped(text: &str) -> String {
    let (mut out, mut inside, mut after_slash) = (String::with_capacity(text.len()), false, false);
    for c in text.chars() {
        match c {
            '"' if !after_slash => inside = !inside,
            '\n' if inside => {
                out.push_str("\\n");
                after_slash = false;
                continue;
            }
            '\t' if inside => {
                out.push_str("\\t");
                after_slash = false;
                continue;
            }
            _ => {}
        }
        after_slash = c == '\\' && !after_slash;
        out.push(c);
    }
    out
}
