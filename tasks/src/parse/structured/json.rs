//! JSON inside text.

use std::ops::Range;

use serde_json::Value;

/// Every object and array of JSON in `text` with the bytes it takes; Python's
/// spelling of them too.
pub(in crate::parse) fn values(text: &str) -> Vec<(Value, Range<usize>)> {
    found(text, &lenient)
}

/// As [`values`], with commas too many, comments and line breaks within texts at any
/// depth.
pub(in crate::parse) fn tolerant_values(text: &str) -> Vec<(Value, Range<usize>)> {
    found(text, &|text| tolerant(text).or_else(|| lenient(text)))
}

/// Every value at the beginning of what is left; `otherwise` reads what is no JSON.
fn found(
    text: &str,
    otherwise: &dyn Fn(&str) -> Option<(Value, usize)>,
) -> Vec<(Value, Range<usize>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find(['{', '[']).map(|start| at + start) {
        let rest = &text[start..];
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        if let Some(Ok(value)) = stream.next() {
            let end = start + stream.byte_offset();
            found.push((value, start..end));
            at = end;
            continue;
        }
        if let Some((value, len)) = otherwise(rest) {
            found.push((value, start..start + len));
            at = start + len;
            continue;
        }
        at = start + 1;
    }
    found
}

fn tolerant(text: &str) -> Option<(Value, usize)> {
    let mut stream = serde_json_lenient::Deserializer::from_slice_with_options(
        text.as_bytes(),
        false,
        true,
        true,
        false,
        false,
    )
    .into_iter::<Value>();
    let value = stream.next()?.ok()?;
    Some((value, stream.byte_offset()))
}

/// An object as Python prints it, or with a comma too many.
fn lenient(text: &str) -> Option<(Value, usize)> {
    let close = if text.starts_with('{') { '}' } else { ']' };
    let end = text.find(close)? + close.len_utf8();
    let inner = &text[..end];
    if inner[1..].contains(['{', '[']) {
        return None;
    }
    let mut spelled = String::with_capacity(inner.len());
    let mut quote = None;
    let chars: Vec<char> = inner.chars().collect();
    for (index, &c) in chars.iter().enumerate() {
        match (quote, c) {
            (None, '\'' | '"') => {
                quote = Some(c);
                spelled.push('"');
            }
            // An apostrophe inside a word closes nothing.
            (Some('\''), '\'') if chars.get(index + 1).is_some_and(|c| c.is_alphanumeric()) => {
                spelled.push('\'');
            }
            (Some(open), c) if open == c => {
                quote = None;
                spelled.push('"');
            }
            (Some('\''), '"') => spelled.push_str("\\\""),
            (None, '}' | ']') => {
                let len = spelled.trim_end().trim_end_matches(',').len();
                spelled.truncate(len);
                spelled.push(c);
            }
            (_, c) => spelled.push(c),
        }
    }
    let spelled =
        if spelled.contains("True") || spelled.contains("False") || spelled.contains("None") {
            spelled
                .replace(": True", ": true")
                .replace(": False", ": false")
                .replace(": None", ": null")
        } else {
            spelled
        };
    Some((serde_json::from_str(&spelled).ok()?, end))
}
