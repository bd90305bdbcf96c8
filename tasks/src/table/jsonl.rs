use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::{MAX_RECORD, RowValues, TableRow};
use crate::diagnostic::{DataProblem, DataProblems, SourceLocation};

pub(super) fn read(
    file: &Arc<str>,
    mut reader: impl BufRead,
    rows: &mut Vec<TableRow>,
    problems: &mut DataProblems,
) -> io::Result<()> {
    if begins_array(reader.fill_buf()?) {
        return read_array(file, reader, rows, problems);
    }
    let mut bytes = Vec::new();
    let mut offset = 0_u64;
    let mut line = 0;
    loop {
        bytes.clear();
        // One byte more than allowed tells a full line from a cut one.
        let taken = reader
            .by_ref()
            .take(MAX_RECORD as u64 + 1)
            .read_until(b'\n', &mut bytes)?;
        if taken == 0 {
            break;
        }
        line += 1;
        let place = |line| SourceLocation {
            file: file.to_string(),
            line,
        };
        let start = offset;
        offset += taken as u64;
        if taken > MAX_RECORD {
            if bytes.last() != Some(&b'\n') {
                offset += skip_line(&mut reader)?;
            }
            problems.push(
                DataProblem::new(
                    place(line),
                    format!("the line is longer than {} MiB", MAX_RECORD >> 20),
                )
                .help("write one JSON object per line"),
            );
            continue;
        }
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text,
            Err(error) => {
                let at = start + error.valid_up_to() as u64;
                problems.push(
                    DataProblem::new(place(line), format!("not UTF-8 at byte {at} of the file"))
                        .help("convert the file to UTF-8"),
                );
                continue;
            }
        };
        let text = if line == 1 {
            text.trim_start_matches('\u{feff}')
        } else {
            text
        };
        // A lone return ends a line too; within a JSON text it can be nothing else.
        for (nth, text) in text.trim_end().split('\r').enumerate() {
            line += u64::from(nth > 0);
            if text.trim().is_empty() {
                continue;
            }
            match record(text) {
                Ok(found) => found.push(file, line, rows),
                Err(error) => problems.push(malformed(place(line), text, &error)),
            }
        }
    }
    Ok(())
}

/// Whether a file's first character that says something opens an array.
fn begins_array(start: &[u8]) -> bool {
    let start = start.strip_prefix(super::MARK).unwrap_or(start);
    let first = start.iter().find(|byte| !byte.is_ascii_whitespace());
    first == Some(&b'[')
}

/// A file that is one JSON array of objects.
fn read_array(
    file: &Arc<str>,
    mut reader: impl BufRead,
    rows: &mut Vec<TableRow>,
    problems: &mut DataProblems,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    let line_of = |at: usize| bytes[..at].split(|byte| *byte == b'\n').count() as u64 - 1;
    let place = |lines_before: u64| SourceLocation {
        file: file.to_string(),
        line: lines_before + 1,
    };
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text.trim_start_matches('\u{feff}'),
        Err(error) => {
            let at = error.valid_up_to();
            problems.push(
                DataProblem::new(
                    place(line_of(at)),
                    format!("not UTF-8 at byte {at} of the file"),
                )
                .help("convert the file to UTF-8"),
            );
            return Ok(());
        }
    };
    let plain = python(text);
    let mut rest = plain.trim_start().strip_prefix('[').unwrap_or_default();
    let mut line = (plain[..plain.len() - rest.len()].matches('\n').count()) as u64;
    let mut first = true;
    loop {
        let ahead = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        line += rest[..rest.len() - ahead.len()].matches('\n').count() as u64;
        let (what, mend) = match ahead.chars().next() {
            Some(']') if ahead[1..].trim().is_empty() => return Ok(()),
            Some(']') => (
                "text follows the array".to_owned(),
                "write one object per line, or one array of objects",
            ),
            Some(',') if !first => {
                rest = &ahead[1..];
                first = true;
                continue;
            }
            Some('{') if first => {
                let mut values =
                    serde_json::Deserializer::from_str(ahead).into_iter::<JsonRecord>();
                match values.next() {
                    Some(Ok(found)) => {
                        let used = values.byte_offset();
                        if used > MAX_RECORD {
                            problems.push(
                                DataProblem::new(
                                    place(line),
                                    format!("the object is longer than {} MiB", MAX_RECORD >> 20),
                                )
                                .help("write a row of data as an object of its own"),
                            );
                        } else {
                            found.push(file, line + 1, rows);
                        }
                        line += ahead[..used].matches('\n').count() as u64;
                        rest = &ahead[used..];
                        first = false;
                        continue;
                    }
                    Some(Err(error)) => {
                        line += error.line() as u64 - 1;
                        (reason(&error), "")
                    }
                    None => return Ok(()),
                }
            }
            None => (
                "the array is not closed".to_owned(),
                "the file may be cut off",
            ),
            Some(_) => (
                "the array holds something else than objects".to_owned(),
                "write objects such as {\"text\": \"…\", \"label\": \"…\"}",
            ),
        };
        let mut problem = DataProblem::new(place(line), what);
        if !mend.is_empty() {
            problem = problem.help(mend);
        }
        problems.push(problem);
        return Ok(());
    }
}

/// One object; what Python writes for numbers that are none is let pass.
fn record(text: &str) -> Result<JsonRecord, serde_json::Error> {
    serde_json::from_str(text).or_else(|error| match python(text) {
        std::borrow::Cow::Borrowed(_) => Err(error),
        std::borrow::Cow::Owned(plain) => serde_json::from_str(&plain),
    })
}

/// The text with `NaN` as null and `Infinity` as a string, outside strings:
/// Python's `json` and pandas write these, which no JSON has.
fn python(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains("NaN") && !text.contains("Infinity") {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut changed = false;
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '"' => string_end(rest),
            'N' if rest.starts_with("NaN") => {
                out.push_str("null");
                rest = &rest["NaN".len()..];
                changed = true;
                continue;
            }
            '-' | 'I' if rest.trim_start_matches('-').starts_with("Infinity") => {
                let word = &rest[..rest.find('y').map_or(rest.len(), |at| at + 1)];
                out.push('"');
                out.push_str(word);
                out.push('"');
                rest = &rest[word.len()..];
                changed = true;
                continue;
            }
            c => c.len_utf8(),
        };
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    if changed { out.into() } else { text.into() }
}

/// Where the string that the text begins with ends.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Skips to the line's end without holding it; returns the bytes skipped.
fn skip_line(reader: &mut impl BufRead) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = reader.fill_buf()?;
        let (used, done) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(index) => (index + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        reader.consume(used);
        skipped += used as u64;
        if done {
            return Ok(skipped);
        }
    }
}

fn malformed(place: SourceLocation, text: &str, error: &serde_json::Error) -> DataProblem {
    let reason = reason(error);
    match text.trim_start().chars().next() {
        Some('{') => DataProblem::new(place, reason),
        Some('[') => DataProblem::new(place, "a JSON array where an object is needed")
            .help("write one object per line, without the surrounding array"),
        _ => DataProblem::new(place, format!("not a JSON object: {reason}"))
            .help("write one object per line, such as {\"text\": \"…\", \"label\": \"…\"}"),
    }
}

/// What the parser says; the line's number is ours to tell.
fn reason(error: &serde_json::Error) -> String {
    let position = format!(" at line {} column {}", error.line(), error.column());
    let reason = error.to_string().replace(&position, "");
    format!("{reason} (column {})", error.column())
}

struct JsonRecord {
    values: BTreeMap<String, String>,
    nested: BTreeMap<String, String>,
}

impl JsonRecord {
    fn push(self, file: &Arc<str>, line: u64, rows: &mut Vec<TableRow>) {
        let known = rows.last().map(|row| row.values.names());
        let row = TableRow {
            values: RowValues::of_map(&self.values, known),
            file: Arc::clone(file),
            line,
            nested: self.nested,
        };
        rows.push(row);
    }
}

/// Not a `Value`: that would silently keep the last of two equal keys.
impl<'de> Deserialize<'de> for JsonRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct JsonFields;

        impl<'de> Visitor<'de> for JsonFields {
            type Value = JsonRecord;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonRecord, A::Error> {
                let mut record = JsonRecord {
                    values: BTreeMap::new(),
                    nested: BTreeMap::new(),
                };
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if record.values.contains_key(&name) || record.nested.contains_key(&name) {
                        return Err(A::Error::custom(format!("the key {name:?} occurs twice")));
                    }
                    match value {
                        Value::Null => record.values.insert(name, String::new()),
                        Value::String(text) => record.values.insert(name, text),
                        Value::Bool(truth) => record.values.insert(name, truth.to_string()),
                        Value::Number(number) => record.values.insert(name, number.to_string()),
                        nested @ (Value::Array(_) | Value::Object(_)) => {
                            record.nested.insert(name, nested.to_string());
                            None
                        }
                    };
                }
                Ok(record)
            }
        }

        deserializer.deserialize_map(JsonFields)
    }
}
