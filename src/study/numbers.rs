//! What the numbers of a study may be. One table: what is beyond it would be a slip
//! of the keyboard, and cost the memory or the patience of whoever made it.

use std::path::Path;

use toml::Value;

use super::explain::place;
use crate::exit::Failure;

/// What a number may be, both ends included.
#[derive(Debug, Clone, Copy)]
pub(super) struct NumberRange {
    /// The key from the top of the study; `*` stands for any name.
    pub key: &'static str,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

const fn range(key: &'static str, least: f64, most: f64) -> NumberRange {
    NumberRange { key, least, most }
}

/// Every numeric key, but those whose own rules are stricter and told better there
/// (`budget`, prices, what providers take).
pub(super) const RANGES: &[NumberRange] = &[
    range("search.shots", 1.0, 10_000.0),
    range("search.chunks", 1.0, 1_000.0),
    range("search.threshold", 0.0, 1.0),
    range("search.proposals", 0.0, 10_000.0),
    range("search.rounds", 0.0, 100.0),
    range("search.edits", 0.0, 1_000.0),
    range("search.paraphrases", 0.0, 1_000.0),
    range("search.evaluations", 1.0, 1e8),
    range("search.finalists", 1.0, 1_000.0),
    range("search.ensemble", 0.0, 1_000.0),
    range("search.max_prompt_tokens", 1.0, 1e6),
    range("search.length_price", 0.0, 100.0),
    range("groups.train", 0.0, 1e7),
    range("groups.validation", 0.0, 1e7),
    range("groups.unlabelled", 0.0, 1e7),
    range("groups.labelled", 0.0, 1e7),
    range("groups.audit", 0.0, 1e7),
    range("groups.class_shares.*", 0.0, 1.0),
    range("groups.class_shares.*.*", 0.0, 1.0),
    range("budget.calls", 0.0, 1e12),
    range("budget.tokens", 0.0, 1e15),
    range("budget.usd", 0.0, 1e9),
    range("model.concurrency", 1.0, 10_000.0),
    range("model.timeout_s", 1.0, 86_400.0),
    range("model.max_retries", 0.0, 100.0),
    range("model.threads", 1.0, 1_024.0),
    range("proposer.concurrency", 1.0, 10_000.0),
    range("proposer.timeout_s", 1.0, 86_400.0),
    range("proposer.max_retries", 0.0, 100.0),
    range("proposer.threads", 1.0, 1_024.0),
    range("judge.model.concurrency", 1.0, 10_000.0),
    range("judge.model.timeout_s", 1.0, 86_400.0),
    range("judge.model.max_retries", 0.0, 100.0),
    range("judge.model.threads", 1.0, 1_024.0),
    range("judge.points", 2.0, 100.0),
    range("judge.min_agreement", 0.0, 1.0),
    range("augment.max_tokens", 1.0, 1e6),
    range("augment.model.concurrency", 1.0, 10_000.0),
    range("augment.model.timeout_s", 1.0, 86_400.0),
    range("augment.model.max_retries", 0.0, 100.0),
    range("augment.model.threads", 1.0, 1_024.0),
    range("metric.processes", 1.0, 1_000.0),
    range("metric.batch", 1.0, 10_000.0),
    range("metric.timeout_s", 1.0, 86_400.0),
    range("task.max_tokens", 1.0, 1e6),
    range("task.processes", 1.0, 1_000.0),
    range("task.batch", 1.0, 10_000.0),
    range("task.timeout_s", 1.0, 86_400.0),
    range("data.bands.edges", -1e15, 1e15),
    range("data.interactions.per_user", 1.0, 1e6),
    range("data.interactions.core", 0.0, 10_000.0),
    range("data.interactions.history", 0.0, 10_000.0),
    range("data.interactions.min_history", 0.0, 10_000.0),
    range("data.interactions.like_above", -1e9, 1e9),
    range("data.interactions.users", 1.0, 1e9),
    range("data.interactions.candidates.count", 2.0, 100_000.0),
    range("task.window", 1.0, 10_000.0),
    range("task.proposed", 1.0, 10_000.0),
    range("task.places", 1.0, 10_000.0),
    range("task.queries", 1.0, 1_000.0),
    range("task.shuffles", 1.0, 1_000.0),
    range("task.words", 1.0, 10_000.0),
    range("task.scale", -1e6, 1e6),
];

/// Tables, which a parser would take as lists of their values too.
const TABLES: [&str; 18] = [
    "search",
    "groups",
    "groups.class_shares",
    "budget",
    "task",
    "data",
    "data.bands",
    "data.label_map",
    "data.interactions",
    "data.interactions.candidates",
    "model.price",
    "proposer.price",
    "judge",
    "judge.model.price",
    "augment",
    "augment.questions",
    "augment.model.price",
    "metric",
];

/// Refuses the first number of the study `text` that cannot be meant.
pub(super) fn check(text: &str, path: &Path) -> Result<(), Failure> {
    // It was read before.
    let document: toml::Table = toml::from_str(text).unwrap_or_default();
    let mut keys = Vec::new();
    let Some(problem) = of_table(&document, &mut keys) else {
        return Ok(());
    };
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    Err(Failure::usage(format!(
        "{}: {} {problem}",
        place(text, path, &keys),
        keys.join(".")
    )))
}

/// What is wrong with the first number that is; `keys` says where it is.
fn of_table(table: &toml::Table, keys: &mut Vec<String>) -> Option<String> {
    for (key, value) in table {
        keys.push(key.clone());
        let problem = match value {
            Value::Table(inner) => of_table(inner, keys),
            Value::Array(_) if TABLES.contains(&keys.join(".").as_str()) => {
                Some("is a list, but a table is needed".to_owned())
            }
            Value::Array(values) => values.iter().find_map(|value| of_value(value, keys)),
            value => of_value(value, keys),
        };
        if problem.is_some() {
            return problem;
        }
        keys.pop();
    }
    None
}

fn of_value(value: &Value, keys: &[String]) -> Option<String> {
    let (number, shown) = match value {
        Value::Integer(number) => (*number as f64, number.to_string()),
        Value::Float(number) => (*number, number.to_string()),
        _ => return None,
    };
    if !number.is_finite() {
        return Some(format!("is {shown}, which is no number"));
    }
    let range = RANGES.iter().find(|range| matches(range.key, keys))?;
    let fine = (range.least..=range.most).contains(&number);
    (!fine).then(|| {
        format!(
            "is {shown}, but must be between {} and {}",
            grouped(range.least),
            grouped(range.most)
        )
    })
}

fn matches(pattern: &str, keys: &[String]) -> bool {
    let mut pattern = pattern.split('.');
    keys.iter().all(|key| {
        pattern
            .next()
            .is_some_and(|part| part == "*" || part == key)
    }) && pattern.next().is_none()
}

/// A whole number with commas.
fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if number < 0.0 { format!("-{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        check(text, Path::new("study.toml"))
            .err()
            .map(|failure| failure.message)
            .unwrap_or_default()
    }

    #[test]
    fn numbers_have_ends() {
        assert_eq!(
            problem("[search]\nshots = 3\nfinalists = 4_000_000_000"),
            "study.toml:3: search.finalists is 4000000000, but must be between 1 and 1,000"
        );
        assert_eq!(
            problem("name = \"x\"\ngroups = { source = [\"a\"], train = -1 }"),
            "study.toml:2: groups.train is -1, but must be between 0 and 10,000,000"
        );
        assert_eq!(
            problem("[data]\nbands = { column = \"age\", edges = [1.0, nan] }"),
            "study.toml:2: data.bands.edges is NaN, which is no number"
        );
        assert_eq!(
            problem("[groups.class_shares.chat]\ngood = 1.5"),
            "study.toml:2: groups.class_shares.chat.good is 1.5, but must be between 0 and 1"
        );
        assert!(problem("[model.body]\nx = inf").contains("model.body.x is inf"));
        assert_eq!(problem("[search]\nshots = 36\n[model.body]\nx = 1e300"), "");
    }
}
