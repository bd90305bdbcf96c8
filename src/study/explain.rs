//! What is wrong with a study's text, in the words of who wrote it: place, key,
//! what it is and what it may be.

use std::ops::Range;
use std::path::Path;

use shiftproof_tasks::closest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::exit::Failure;
use crate::llm::http::names_secret;
use crate::study::task_registry::FRAME_KEYS;

/// A text that stands for any: what a parser says of it names what it wants.
const ANY: &str = "\"\\u0001\"";

/// A key with a value that is no table.
struct LeafKey {
    /// From the top of the document.
    keys: Vec<String>,
    span: Range<usize>,
    key_at: usize,
}

/// Says where a parse error is and what may have been meant. `under`: the table
/// that `parsed` is, in the study's own `text`; empty where they are the same.
/// `parse` parses such a text again.
pub(crate) fn explain(
    error: &toml::de::Error,
    parsed: &str,
    under: &str,
    text: &str,
    path: &Path,
    parse: &dyn Fn(&str) -> Option<toml::de::Error>,
) -> Failure {
    explained(error, parsed, under, text, path, parse).caused_by(error.clone())
}

fn explained(
    error: &toml::de::Error,
    parsed: &str,
    under: &str,
    text: &str,
    path: &Path,
    parse: &dyn Fn(&str) -> Option<toml::de::Error>,
) -> Failure {
    let message = error.message();
    if let Some(rest) = message.strip_prefix("unknown field `")
        && let Some((key, rest)) = rest.split_once('`')
    {
        let mut known = quoted(rest);
        if under == "task" {
            known.extend(FRAME_KEYS.map(str::to_owned));
        }
        let at = error.span().filter(|_| under.is_empty());
        return unknown_key(key, under, at.map(|span| span.start), &known, text, path);
    }
    if let Some(leaf) = culprit(error, parsed, parse) {
        let mut keys: Vec<&str> = leaf.keys.iter().map(String::as_str).collect();
        if !under.is_empty() {
            keys.insert(0, under);
        }
        let place = place(text, path, &keys);
        let key = keys.join(".");
        let value = shown_value(&keys, parsed.get(leaf.span.clone()).unwrap_or_default());
        let wrong = wrong_value(message, &key, value, || {
            parse(&replaced(parsed, &leaf.span)).map(|error| error.message().to_owned())
        });
        return Failure::usage(format!("{place}: {wrong}"));
    }
    let line = error.span().filter(|_| under.is_empty()).map(|span| {
        text.get(..span.start)
            .map_or(1, |before| before.matches('\n').count() + 1)
    });
    let place = match line {
        Some(line) => format!("{}:{line}", path.display()),
        None => place(text, path, &[under]),
    };
    let key = message
        .strip_prefix("missing field `")
        .and_then(|rest| rest.strip_suffix('`'));
    match key {
        Some(key) => {
            let dot = if under.is_empty() { "" } else { "." };
            Failure::usage(format!("{place}: the key {under}{dot}{key} is missing"))
        }
        None => Failure::usage(format!("{place}: {message}")),
    }
}

/// A value as it may be repeated: an address or a header can hold a secret.
fn shown_value<'v>(keys: &[&str], value: &'v str) -> &'v str {
    let hidden = keys.iter().any(|key| {
        matches!(*key, "base_url" | "endpoints" | "headers" | "api_key_env") || names_secret(key)
    });
    if hidden { "a value (not shown)" } else { value }
}

/// Sentences that begin with a key of the study, each with its place.
pub(crate) fn located(sentences: &str, text: &str, path: &Path) -> String {
    let own = format!("{}: ", path.display());
    let lines: Vec<String> = sentences
        .split('\n')
        .map(|line| {
            let sentence = line.trim_start();
            let indent = &line[..line.len() - sentence.len()];
            let bare = sentence.strip_prefix(&own).unwrap_or(sentence);
            match named(bare, text) {
                Some(keys) => format!("{indent}{}: {bare}", place(text, path, &keys)),
                None => line.to_owned(),
            }
        })
        .collect();
    lines.join("\n")
}

/// The key of the study that a sentence is about: the one it begins with, or the
/// first other it names where that one is not stated.
fn named<'s>(sentence: &'s str, text: &str) -> Option<Vec<&'s str>> {
    const TABLES: [&str; 11] = [
        "name", "model", "proposer", "prompts", "metric", "judge", "augment", "task", "data",
        "groups", "search",
    ];
    let leaves = leaves(text);
    let keys = |word: &'s str| -> Option<Vec<&'s str>> {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '_');
        let keys: Vec<&str> = word.split('.').collect();
        (TABLES.contains(&keys[0]) && keys.iter().all(|key| !key.is_empty())).then_some(keys)
    };
    let stated = |keys: &Vec<&str>| {
        leaves.iter().any(|leaf| {
            leaf.keys.iter().zip(keys).all(|(a, b)| a == b) && leaf.keys.len() >= keys.len()
        })
    };
    let mut words = sentence.split_whitespace();
    let first = keys(words.next()?)?;
    if stated(&first) {
        return Some(first);
    }
    // Another key of the same sentence, or what the table begins with.
    let other = words
        .filter_map(keys)
        .find(|keys| keys.len() > 1 && stated(keys));
    Some(other.unwrap_or(first))
}

/// `study.toml:LINE` of a key, or of what is left of it.
pub(crate) fn place(text: &str, path: &Path, keys: &[&str]) -> String {
    let leaves = leaves(text);
    let at = leaves
        .iter()
        .find(|leaf| leaf.keys == keys)
        // The first key of a table that is the value.
        .or_else(|| {
            let within = |leaf: &&LeafKey| {
                keys.len() > 1
                    && leaf.keys.len() > keys.len()
                    && leaf.keys.iter().zip(keys).all(|(a, b)| a == b)
            };
            leaves.iter().find(within)
        })
        .map(|leaf| leaf.key_at)
        .or_else(|| text.find(&format!("[{}]", keys.first()?)));
    match at.and_then(|at| text.get(..at)) {
        Some(before) => format!("{}:{}", path.display(), before.matches('\n').count() + 1),
        None => path.display().to_string(),
    }
}

/// A value that cannot be meant, with what can. `of_any`: what the parser says of
/// an arbitrary text in its place.
fn wrong_value(
    message: &str,
    key: &str,
    value: &str,
    of_any: impl Fn() -> Option<String>,
) -> String {
    let names = |message: &str| {
        let rest = message.strip_prefix("unknown variant `")?;
        Some(quoted(rest.split_once("expected ")?.1))
    };
    if let Some(names) = names(message).or_else(|| names(&of_any()?)) {
        let meant = closest(value.trim_matches('"'), names.iter().map(String::as_str));
        let hint = meant.map_or_else(String::new, |name| format!("; did you mean {name:?}?"));
        return format!("{key} is {value}; there is {}{hint}", names.join(", "));
    }
    let wanted = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))
        .and_then(|rest| rest.split_once(", expected "));
    match wanted {
        Some((_, wanted)) => format!("{key} is {value}, but {} is needed", plainly(wanted)),
        None => format!("{key} is {value}: {message}"),
    }
}

/// What a parser expects, for people.
fn plainly(wanted: &str) -> &str {
    match wanted {
        "usize" | "u8" | "u16" | "u32" | "u64" => "a whole number, 0 or more,",
        "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" => "a text in quotes",
        "a sequence" => "a list in [ ]",
        "a map" => "a table",
        other => other,
    }
}

/// The key whose value the parser complains of.
fn culprit(
    error: &toml::de::Error,
    parsed: &str,
    parse: &dyn Fn(&str) -> Option<toml::de::Error>,
) -> Option<LeafKey> {
    let leaves = leaves(parsed);
    let span = error.span();
    if let Some(span) = &span
        && let Some(at) = leaves.iter().position(|leaf| leaf.span == *span)
    {
        return leaves.into_iter().nth(at);
    }
    // Where the place was lost on the way: the first value the message quotes
    // that makes another message when it is another.
    let message = error.message();
    leaves.into_iter().find(|leaf| {
        let value = parsed.get(leaf.span.clone()).unwrap_or_default();
        let bare = value.trim_matches(['"', '\'']);
        let quotes = [format!("`{bare}`"), format!("\"{bare}\"")];
        quotes.iter().any(|quoted| message.contains(quoted))
            && parse(&replaced(parsed, &leaf.span)).is_none_or(|now| now.message() != message)
    })
}

fn replaced(text: &str, span: &Range<usize>) -> String {
    let (before, after) = (text.get(..span.start), text.get(span.end..));
    [before.unwrap_or_default(), ANY, after.unwrap_or_default()].concat()
}

/// All keys of a document whose value is no table.
fn leaves(text: &str) -> Vec<LeafKey> {
    fn walk(table: &DeTable<'_>, above: &[String], found: &mut Vec<LeafKey>) {
        for (key, value) in table {
            let mut keys = above.to_vec();
            keys.push(key.get_ref().to_string());
            match value.get_ref() {
                DeValue::Table(inner) => walk(inner, &keys, found),
                other => {
                    if let DeValue::Array(values) = other {
                        for value in values {
                            if let DeValue::Table(inner) = value.get_ref() {
                                walk(inner, &keys, found);
                            }
                        }
                    }
                    found.push(LeafKey {
                        keys,
                        span: value.span(),
                        key_at: key.span().start,
                    });
                }
            }
        }
    }
    let (document, _): (Spanned<DeTable<'_>>, _) = DeTable::parse_recoverable(text);
    let mut found = Vec::new();
    walk(document.get_ref(), &[], &mut found);
    found.sort_by_key(|leaf| leaf.key_at);
    found
}

/// The names between back quotes.
fn quoted(text: &str) -> Vec<String> {
    let parts = text.split('`').skip(1).step_by(2);
    parts.map(str::to_owned).collect()
}

/// A key that does not exist, with what may have been meant. `under`: the table it is
/// in, if that is known; `at`: the byte where it stands.
pub(super) fn unknown_key(
    key: &str,
    under: &str,
    at: Option<usize>,
    known: &[String],
    text: &str,
    path: &Path,
) -> Failure {
    let leaves = leaves(text);
    let own = |leaf: &&LeafKey| leaf.keys.iter().any(|part| part == key);
    let within = |leaf: &&LeafKey| under.is_empty() || leaf.keys[0] == under;
    let leaf = leaves
        .iter()
        // The parser's place is the key's, or that of the table around it.
        .filter(own)
        .min_by_key(|leaf| at.map_or(0, |at| at.abs_diff(leaf.key_at)))
        .filter(within)
        .or_else(|| leaves.iter().filter(own).find(within));
    let line = leaf
        .and_then(|leaf| text.get(..leaf.key_at))
        .or_else(|| text.get(..text.find(&format!("[{key}"))?))
        .map_or(1, |before| before.matches('\n').count() + 1);
    let nearest = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(candidate, key), candidate))
        .min()
        .filter(|(distance, _)| *distance <= 2.max(key.len() / 3));
    let hint = match nearest {
        Some((_, candidate)) => format!("; did you mean `{candidate}`?"),
        None => String::new(),
    };
    let known = known.join(", ");
    Failure::usage(format!(
        "{}:{line}: unknown key `{key}`{hint}\n  known here: {known}",
        path.display()
    ))
}
