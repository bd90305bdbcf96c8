//! Answers set apart by a structure: JSON, tags, `\boxed{}`, fields, `####`.

mod json;

pub(super) use json::{tolerant_values, values};
use serde_json::{Map, Value};

use super::thoughts::{find, places};

/// What stands at an answer's place.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum AnswerSlot {
    /// Text inside a tag, a box, a field.
    Text(String),
    /// A value under a key that names an answer.
    Keyed(String, Value),
    /// A JSON value without such a key.
    Whole(Value),
}

/// Tags, lower case, whose content is the answer.
const TAGS: [&str; 12] = [
    "answer",
    "final_answer",
    "final",
    "label",
    "output",
    "result",
    "category",
    "class",
    "sentiment",
    "classification",
    "rating",
    "verdict",
];

/// Keys, folded to letters, whose value is the answer.
const KEYS: [&str; 56] = [
    "answer",
    "finalanswer",
    "label",
    "labels",
    "labelname",
    "predictedlabel",
    "finallabel",
    "output",
    "result",
    "class",
    "classname",
    "predictedclass",
    "classification",
    "classifiedas",
    "category",
    "categories",
    "predictedcategory",
    "sentiment",
    "overallsentiment",
    "sentimentlabel",
    "polarity",
    "prediction",
    "predicted",
    "verdict",
    "decision",
    "judgment",
    "judgement",
    "response",
    "choice",
    "option",
    "selected",
    "selection",
    "rating",
    "score",
    "stars",
    "star",
    "starrating",
    "overallrating",
    "value",
    "intent",
    "topic",
    "tone",
    "stance",
    "emotion",
    "relation",
    "relationship",
    "genre",
    "antwort",
    "kategorie",
    "stimmung",
    "respuesta",
    "sentimiento",
    "réponse",
    "catégorie",
    "ответ",
    "тональность",
];

/// Of these keys those that often stand beside the answer's.
const BESIDE: [&str; 16] = [
    "rating",
    "score",
    "stars",
    "star",
    "starrating",
    "overallrating",
    "value",
    "intent",
    "topic",
    "tone",
    "stance",
    "emotion",
    "relation",
    "relationship",
    "genre",
    "polarity",
];

pub(super) fn is_beside(key: &str) -> bool {
    BESIDE.contains(&key)
}

/// Keys whose value is never the answer.
const ASIDE: [&str; 15] = [
    "reason",
    "reasons",
    "reasoning",
    "explanation",
    "rationale",
    "justification",
    "why",
    "thought",
    "thoughts",
    "analysis",
    "confidence",
    "evidence",
    "notes",
    "probability",
    "certainty",
];

/// Keys whose value is an echo of the question, or its answer under a name of its
/// own: `{"review": "positive"}`.
const ECHO: [&str; 12] = [
    "text",
    "review",
    "input",
    "sentence",
    "premise",
    "hypothesis",
    "comment",
    "question",
    "title",
    "message",
    "summary",
    "content",
];

/// The answers' places in `text`, whose kinds outrank one another in this order:
/// boxes, tags, fields, hashes, JSON. Empty where there is no structure. A place
/// that a cut-off left open does not count.
pub(super) fn slots(text: &str) -> Vec<AnswerSlot> {
    let texts = |found: Vec<&str>| -> Vec<AnswerSlot> {
        found
            .into_iter()
            .map(|text| AnswerSlot::Text(text.to_owned()))
            .collect()
    };
    if text.contains("boxed") {
        let found = boxed(text);
        if !found.is_empty() {
            return texts(found);
        }
    }
    if text.contains("</") || text.contains('<') {
        for tag in TAGS {
            let found = tagged(text, tag);
            if !found.is_empty() {
                return texts(found);
            }
        }
    }
    if text.contains("[[ ##") {
        let found = fields(text);
        if !found.is_empty() {
            return texts(found);
        }
    }
    if text.contains("####") {
        let found: Vec<&str> = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("####"))
            .filter(|rest| !rest.starts_with('#') && !rest.trim_end().ends_with(':'))
            .collect();
        if let [one] = found.as_slice() {
            return texts(vec![one]);
        }
    }
    json(text)
}

/// The contents of `\boxed{…}`, LaTeX's `\text{…}` inside taken off.
fn boxed(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for at in places(text, "boxed{") {
        let inner = &text[at + 6..];
        let mut depth = 1_i32;
        let end = inner.char_indices().find(|(_, c)| {
            depth += i32::from(*c == '{') - i32::from(*c == '}');
            depth == 0
        });
        let Some((end, _)) = end else { continue };
        let mut content = inner[..end].trim();
        while let Some(command) = content.strip_prefix('\\')
            && let Some(open) = command.find('{')
            && command[..open].bytes().all(|b| b.is_ascii_alphabetic())
            && let Some(inside) = command[open + 1..].strip_suffix('}')
        {
            content = inside.trim();
        }
        found.push(content);
    }
    found
}

pub(super) fn tagged<'t>(text: &'t str, tag: &str) -> Vec<&'t str> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = find(rest, &open) {
        let inner = &rest[start + open.len()..];
        let Some(end) = find(inner, &close) else {
            break;
        };
        found.push(&inner[..end]);
        rest = &inner[end + close.len()..];
    }
    found
}

/// The last field of `DSPy`'s layout that is neither thoughts nor the end.
fn fields(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for part in text.split("[[ ##").skip(1) {
        let Some((name, value)) = part.split_once("## ]]") else {
            continue;
        };
        let name = letters(name);
        if name != "completed" && !ASIDE.contains(&name.as_str()) && !value.trim().is_empty() {
            found.push(value.trim());
        }
    }
    found.into_iter().next_back().into_iter().collect()
}

fn letters(key: &str) -> String {
    key.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The answers in JSON that the text is or holds.
fn json(text: &str) -> Vec<AnswerSlot> {
    if !text.contains(['{', '[']) {
        return Vec::new();
    }
    let values = values(text);
    let mut keyed = Vec::new();
    for (value, _) in &values {
        collect(value, &mut keyed, 0);
    }
    if !keyed.is_empty() {
        return keyed;
    }
    values
        .into_iter()
        .map(|(value, _)| AnswerSlot::Whole(value))
        .collect()
}

/// Values under the keys of answers, the outermost ones.
fn collect(value: &Value, found: &mut Vec<AnswerSlot>, depth: usize) {
    const DEEPEST: usize = 4;
    match value {
        Value::Object(map) => {
            let before = found.len();
            for (key, value) in map {
                let key = letters(key);
                if KEYS.contains(&key.as_str()) && !matches!(value, Value::Object(_) | Value::Null)
                {
                    found.push(AnswerSlot::Keyed(key, value.clone()));
                }
            }
            if found.len() == before && depth < DEEPEST {
                for value in map.values().filter(|value| !value.is_array()) {
                    collect(value, found, depth + 1);
                }
            }
        }
        Value::Array(items) if depth < DEEPEST => {
            for item in items {
                collect(item, found, depth + 1);
            }
        }
        _ => {}
    }
}

/// An object's entries that are no explanation: those that may echo the
/// question, or the others.
pub(super) fn entries(
    map: &Map<String, Value>,
    echo: bool,
) -> impl Iterator<Item = (&String, &Value)> {
    map.iter().filter(move |(key, _)| {
        let key = letters(key);
        !ASIDE.contains(&key.as_str()) && ECHO.contains(&key.as_str()) == echo
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[AnswerSlot]) {
        assert_eq!(slots(text), expected, "{text}");
    }

    fn text(text: &str) -> AnswerSlot {
        AnswerSlot::Text(text.to_owned())
    }

    #[test]
    fn structures_are_found() {
        check("so $\\boxed{\\text{no}}$", &[text("no")]);
        check("\\boxed{\\frac{1}{2}", &[]);
        check("<Answer>no</Answer>", &[text("no")]);
        check("<answer>no", &[]);
        check(
            "[[ ## reasoning ## ]]\nyes?\n[[ ## sentiment ## ]]\nno\n[[ ## completed ## ]]",
            &[text("no")],
        );
        check("yes maybe\n#### no", &[text(" no")]);
        let keyed = |key: &str, value: &str| {
            AnswerSlot::Keyed(key.to_owned(), Value::String(value.to_owned()))
        };
        check(
            "{\"why\": \"a\", \"Label\": \"no\"}",
            &[keyed("label", "no")],
        );
        check(
            "```json\n{'label': 'it isn't', }\n```",
            &[keyed("label", "it isn't")],
        );
        check(
            "{\"data\": {\"final_answer\": \"no\"}}",
            &[keyed("finalanswer", "no")],
        );
        check(
            "[\"no\"]",
            &[AnswerSlot::Whole(Value::Array(vec![Value::String(
                "no".into(),
            )]))],
        );
        check("{broken", &[]);
    }
}
