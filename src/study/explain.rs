//! What is wrong with a study's text, in the words of who wrote it: place, key,
//! what it is and what it may be.

use std::path::Path;

use serde::de::DeserializeOwned;
use shiftproof_tasks::closest;
use toml::de::{DeTable, Deserializer, Error};

use self::document::{Document, DocumentKey, keys, leaves, with_text, without};
use self::faults::Fault;
pub(crate) use self::faults::Faults;
use crate::llm::http::names_secret;

mod document;
mod faults;
#[cfg(test)]
mod tests;

/// A text that stands for any: what a parser says of it names what it wants.
const ANY: &str = "\u{1}";

/// A TOML text that is read, and where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TomlSource<'s> {
    /// What is read.
    pub parsed: &'s str,
    /// The table of the file that `parsed` is; empty where it is the whole file.
    pub under: &'s str,
    /// The file's text.
    pub text: &'s str,
    /// The file, for messages.
    pub path: &'s Path,
    /// Keys that are read elsewhere.
    pub others: &'s [&'s str],
}

/// What a parser says of a document; nothing where it can be read.
type Attempt<'a> = &'a dyn Fn(&Document<'_>) -> Option<Error>;

/// Reads a whole file.
///
/// # Errors
/// As [`TomlSource::read`].
pub(crate) fn read_toml<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, Faults> {
    let source = TomlSource {
        parsed: text,
        under: "",
        text,
        path,
        others: &[],
    };
    source.read()
}

impl TomlSource<'_> {
    /// Reads it.
    ///
    /// # Errors
    /// All that is wrong, as far as that can be told: a parser ends at the first, and is
    /// asked again about the text without it. What is not well-formed has one fault.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Faults> {
        let document = match DeTable::parse(self.parsed) {
            Ok(document) => document,
            Err(error) => {
                let leaves = leaves(self.parsed);
                let leaf = leaves
                    .iter()
                    .find(|leaf| error.span().is_some_and(|span| leaf.value == span));
                let fault = match leaf {
                    Some(leaf) => self.wrong(&error, leaf, || None),
                    None => self.misplaced(&error),
                };
                let mut faults = Faults::new(self.path, Some(error));
                faults.push(fault);
                return Err(faults);
            }
        };
        let read = |document: &Document<'_>| T::deserialize(Deserializer::from(document.clone()));
        read(&document).map_err(|first| self.faults(document, first, &|text| read(text).err()))
    }

    fn faults(&self, mut document: Document<'_>, first: Error, attempt: Attempt<'_>) -> Faults {
        let mut cause = first.clone();
        cause.set_input(Some(self.parsed));
        let mut faults = Faults::new(self.path, Some(cause));
        let mut next = Some(first);
        while let Some(error) = next {
            let (fault, at) = self.fault(&error, &document, attempt);
            // What is missing now may be what was there and wrong.
            if at.is_some() || faults.is_empty() {
                faults.push(fault);
            }
            next = at.and_then(|at| {
                document = without(&document, at);
                attempt(&document)
            });
        }
        faults
    }

    /// What is wrong, and the key that it is, if it is one.
    fn fault(
        &self,
        error: &Error,
        document: &Document<'_>,
        attempt: Attempt<'_>,
    ) -> (Fault, Option<usize>) {
        let message = error.message();
        let keys = keys(document);
        if let Some(rest) = message.strip_prefix("unknown field `")
            && let Some((key, rest)) = rest.split_once('`')
        {
            let mut known = quoted(rest);
            known.extend(self.others.iter().map(|&key| key.to_owned()));
            let unknown = unknown(key, error, &keys, document, attempt);
            let line = unknown.and_then(|unknown| self.line_of(unknown));
            let line = line.or_else(|| line_at(self.text, self.text.find(&format!("[{key}"))?));
            let fault = unknown_key(key, line.or(Some(1)), known);
            return (fault, unknown.map(|unknown| unknown.at));
        }
        if let Some(leaf) = self.culprit(error, &keys, document, attempt) {
            let of_any = || attempt(&with_text(document, leaf.at, ANY));
            return (self.wrong(error, leaf, of_any), Some(leaf.at));
        }
        (self.misplaced(error), None)
    }

    /// A value that cannot be meant.
    fn wrong(
        &self,
        error: &Error,
        leaf: &DocumentKey,
        of_any: impl Fn() -> Option<Error>,
    ) -> Fault {
        let keys = self.keys_in_file(leaf);
        let value = self.parsed.get(leaf.value.clone()).unwrap_or_default();
        let value = shown_value(&keys, value);
        let of_any = || of_any().map(|error| error.message().to_owned());
        Fault {
            line: line(self.text, &keys),
            told: wrong_value(error.message(), &keys.join("."), value, of_any),
            known: None,
        }
    }

    /// What is the fault of no one value.
    fn misplaced(&self, error: &Error) -> Fault {
        let under = self.under;
        let span = error.span().filter(|_| under.is_empty());
        let line = match span {
            Some(span) => line_at(self.text, span.start).or(Some(1)),
            None => line(self.text, &[under]),
        };
        let message = error.message();
        let missing = message
            .strip_prefix("missing field `")
            .and_then(|rest| rest.strip_suffix('`'));
        let dot = if under.is_empty() { "" } else { "." };
        let told = match missing {
            Some(key) => format!("the key {under}{dot}{key} is missing"),
            None => message.to_owned(),
        };
        Fault {
            line,
            told,
            known: None,
        }
    }

    /// The key whose value the parser complains of.
    fn culprit<'k>(
        &self,
        error: &Error,
        keys: &'k [DocumentKey],
        document: &Document<'_>,
        attempt: Attempt<'_>,
    ) -> Option<&'k DocumentKey> {
        let mut leaves = keys.iter().filter(|key| !key.is_table);
        if let Some(span) = error.span()
            && let Some(leaf) = leaves.clone().find(|leaf| leaf.value == span)
        {
            return Some(leaf);
        }
        // Where the place was lost on the way: the first value the message quotes
        // that makes another message when it is another.
        let message = error.message();
        leaves.find(|leaf| {
            let value = self.parsed.get(leaf.value.clone()).unwrap_or_default();
            let bare = value.trim_matches(['"', '\'']);
            let quotes = [format!("`{bare}`"), format!("\"{bare}\"")];
            quotes.iter().any(|quoted| message.contains(quoted))
                && attempt(&with_text(document, leaf.at, ANY))
                    .is_none_or(|now| now.message() != message)
        })
    }

    /// The key from the top of the file.
    fn keys_in_file<'k>(&'k self, key: &'k DocumentKey) -> Vec<&'k str> {
        let under = std::iter::once(self.under).filter(|under| !under.is_empty());
        under.chain(key.keys.iter().map(String::as_str)).collect()
    }

    /// The line of a key in the file.
    fn line_of(&self, key: &DocumentKey) -> Option<usize> {
        if self.under.is_empty() {
            line_at(self.text, key.at)
        } else {
            line(self.text, &self.keys_in_file(key))
        }
    }
}

/// The key that a parser does not know. The parser's place is the key's, or that of the
/// table around it, in which others may be called the same: what is unknown is that
/// whose absence is felt.
fn unknown<'k>(
    key: &str,
    error: &Error,
    keys: &'k [DocumentKey],
    document: &Document<'_>,
    attempt: Attempt<'_>,
) -> Option<&'k DocumentKey> {
    let own = keys
        .iter()
        .filter(|own| own.keys.last().is_some_and(|last| last == key));
    let mut own: Vec<&DocumentKey> = own.collect();
    let at = error.span().map_or(0, |span| span.start);
    own.sort_by_key(|own| own.at.abs_diff(at));
    let is_felt = |own: &&&DocumentKey| attempt(&without(document, own.at)).as_ref() != Some(error);
    own.iter().find(is_felt).or_else(|| own.first()).copied()
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
    match line(text, keys) {
        Some(line) => format!("{}:{line}", path.display()),
        None => path.display().to_string(),
    }
}

/// The line of a key, or of what is left of it.
fn line(text: &str, keys: &[&str]) -> Option<usize> {
    let leaves = leaves(text);
    let at = leaves
        .iter()
        .find(|leaf| leaf.keys == keys)
        // The first key of a table that is the value.
        .or_else(|| {
            let within = |leaf: &&DocumentKey| {
                keys.len() > 1
                    && leaf.keys.len() > keys.len()
                    && leaf.keys.iter().zip(keys).all(|(a, b)| a == b)
            };
            leaves.iter().find(within)
        })
        .map(|leaf| leaf.at)
        .or_else(|| text.find(&format!("[{}]", keys.first()?)))?;
    line_at(text, at)
}

/// The line that a byte is in, from 1.
fn line_at(text: &str, at: usize) -> Option<usize> {
    Some(text.get(..at)?.matches('\n').count() + 1)
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

/// The names between back quotes.
fn quoted(text: &str) -> Vec<String> {
    let parts = text.split('`').skip(1).step_by(2);
    parts.map(str::to_owned).collect()
}

/// A key that does not exist, with what may have been meant.
fn unknown_key(key: &str, line: Option<usize>, known: Vec<String>) -> Fault {
    let nearest = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(candidate, key), candidate))
        .min()
        .filter(|(distance, _)| *distance <= 2.max(key.len() / 3));
    let hint = match nearest {
        Some((_, candidate)) => format!("; did you mean `{candidate}`?"),
        None => String::new(),
    };
    Fault {
        line,
        told: format!("unknown key `{key}`{hint}"),
        known: Some(known),
    }
}

/// The keys of a table of a file that are none of these, for a table that its type takes
/// any key in.
pub(super) fn strangers(text: &str, path: &Path, table: &str, known: &[&str]) -> Faults {
    let mut faults = Faults::new(path, None);
    // Of a text that is not well-formed that is told, and nothing else.
    let Ok(document) = DeTable::parse(text) else {
        return faults;
    };
    for own in keys(&document) {
        if let [above, key] = own.keys.as_slice()
            && above == table
            && !known.contains(&key.as_str())
        {
            let known = known.iter().map(|&key| key.to_owned()).collect();
            faults.push(unknown_key(key, line_at(text, own.at), known));
        }
    }
    faults
}
