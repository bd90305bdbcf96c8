use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::Study;

/// A key that two studies answer differently.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DifferingKey {
    /// As a study spells it, tables before dots.
    pub key: String,
    /// The first study's value; `null` where it has none.
    pub a: Value,
    /// The second's.
    pub b: Value,
}

impl DifferingKey {
    /// Whether other examples may follow from it.
    pub fn moves_examples(&self) -> bool {
        ["data.", "groups.", "task."]
            .iter()
            .any(|table| self.key.starts_with(table))
    }
}

impl std::fmt::Display for DifferingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = |value: &Value| match value {
            Value::Null => "none".to_owned(),
            value => shortened(&value.to_string()),
        };
        write!(f, "{} ({} | {})", self.key, value(&self.a), value(&self.b))
    }
}

/// Long values, such as prompts, are cut.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 40;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// The keys in which two studies differ, defaults included, in the order of
/// their names.
pub fn differing(a: &Study, b: &Study) -> Vec<DifferingKey> {
    let (a, b) = (flat(a), flat(b));
    let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    keys.into_iter()
        .filter(|key| a.get(*key) != b.get(*key))
        .map(|key| DifferingKey {
            key: key.clone(),
            a: a.get(key).cloned().unwrap_or_default(),
            b: b.get(key).cloned().unwrap_or_default(),
        })
        .collect()
}

fn flat(study: &Study) -> BTreeMap<String, Value> {
    fn walk(value: Value, key: String, found: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(inner) => {
                for (name, value) in inner {
                    let key = if key.is_empty() {
                        name
                    } else {
                        format!("{key}.{name}")
                    };
                    walk(value, key, found);
                }
            }
            Value::Null => {}
            value => {
                found.insert(key, value);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(
        serde_json::to_value(study).unwrap_or_default(),
        String::new(),
        &mut found,
    );
    found
}
