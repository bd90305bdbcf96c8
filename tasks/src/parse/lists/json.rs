//! Lists in JSON: arrays, objects that hold one, a line for each item.

use serde_json::{Map, Value};

use crate::parse::json_values;

/// Keys of an item's own text.
const TITLE: [&str; 12] = [
    "title",
    "name",
    "item",
    "movie",
    "film",
    "book",
    "product",
    "song",
    "track",
    "candidate",
    "text",
    "label",
];
/// Keys of an item's place.
const PLACE: [&str; 5] = ["rank", "position", "place", "order", "ranking"];
/// Keys of lists that are no answer.
const GIVEN: [&str; 9] = [
    "candidates",
    "history",
    "watched",
    "input",
    "items_given",
    "options",
    "user_history",
    "reasons",
    "excluded",
];

/// The items that JSON in `text` lists; `None` where it lists none.
pub(super) fn items(text: &str) -> Option<Vec<String>> {
    if !text.contains(['[', '{']) {
        return None;
    }
    let values = json_values(text);
    // One object a line.
    if values.len() > 1 && values.iter().all(Value::is_object) {
        let lines: Vec<String> = ranked(&values);
        if lines.len() == values.len() {
            return Some(lines);
        }
    }
    values.iter().rev().find_map(listed)
}

fn listed(value: &Value) -> Option<Vec<String>> {
    let items = match value {
        Value::Array(items) => ranked(items),
        Value::Object(map) => in_object(map)?,
        _ => Vec::new(),
    };
    (!items.is_empty()).then_some(items)
}

fn in_object(map: &Map<String, Value>) -> Option<Vec<String>> {
    let numbered: Option<Vec<(u64, String)>> = map
        .iter()
        .map(|(key, value)| {
            let digits = key.trim_start_matches(|c: char| !c.is_ascii_digit());
            Some((digits.parse().ok()?, name(value)?))
        })
        .collect();
    if let Some(mut numbered) = numbered.filter(|numbered| !numbered.is_empty()) {
        numbered.sort_by_key(|(place, _)| *place);
        return Some(numbered.into_iter().map(|(_, name)| name).collect());
    }
    let given = |key: &String| GIVEN.contains(&key.to_lowercase().as_str());
    let mut lists = map
        .iter()
        .filter(|(key, _)| !given(key))
        .filter_map(|(key, value)| Some((key, listed(value)?)));
    let first = lists.next()?;
    let ranking = |key: &str| {
        let key = key.to_lowercase();
        key.contains("rank") || key.contains("recommend") || key.contains("order")
    };
    if ranking(first.0) {
        return Some(first.1);
    }
    Some(lists.find(|(key, _)| ranking(key)).unwrap_or(first).1)
}

/// The items' texts, by their places where every item has one.
fn ranked(items: &[Value]) -> Vec<String> {
    let place =
        |item: &Value| -> Option<f64> { PLACE.iter().find_map(|key| item.get(*key)?.as_f64()) };
    let mut order: Vec<&Value> = items.iter().collect();
    if items.iter().all(|item| place(item).is_some()) {
        let key = |item: &Value| place(item).unwrap_or_default();
        order.sort_by(|a, b| key(a).total_cmp(&key(b)));
    }
    order.into_iter().filter_map(name).collect()
}

/// A value as an item: a text, a number, or an object's title.
fn name(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Object(map) => {
            let title = TITLE.iter().find_map(|key| map.get(*key)?.as_str());
            let number = || {
                ["id", "index", "number", "candidate"]
                    .iter()
                    .find_map(|key| map.get(*key)?.as_u64())
            };
            title
                .map(str::to_owned)
                .or_else(|| number().map(|number| number.to_string()))?
        }
        Value::Array(_) | Value::Bool(_) | Value::Null => return None,
    };
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
