use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, BufRead, Read};
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::{MAX_RECORD, Row};
use crate::problem::{Place, Problem, Problems};

pub(super) fn read(
    file: &Arc<str>,
    mut reader: impl BufRead,
    rows: &mut Vec<Row>,
    problems: &mut Problems,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    let mut offset = 0_u64;
    for line in 1.. {
        bytes.clear();
        // One byte more than allowed tells a full line from a cut one.
        let taken = reader
            .by_ref()
            .take(MAX_RECORD as u64 + 1)
            .read_until(b'\n', &mut bytes)?;
        if taken == 0 {
            break;
        }
        let place = Place {
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
                Problem::new(
                    place,
                    format!("the line is longer than {} MiB", MAX_RECORD >> 20),
                )
                .mend("write one JSON object per line"),
            );
            continue;
        }
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text,
            Err(error) => {
                let at = start + error.valid_up_to() as u64;
                problems.push(
                    Problem::new(place, format!("not UTF-8 at byte {at} of the file"))
                        .mend("convert the file to UTF-8"),
                );
                continue;
            }
        };
        let text = if line == 1 {
            text.trim_start_matches('\u{feff}')
        } else {
            text
        };
        if text.trim().is_empty() {
            continue;
        }
        match serde_json::from_str::<Record>(text) {
            Ok(Record { values, nested }) => {
                rows.push(Row {
                    values,
                    file: Arc::clone(file),
                    line,
                    nested,
                });
            }
            Err(error) => problems.push(malformed(place, text, &error)),
        }
    }
    Ok(())
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

fn malformed(place: Place, text: &str, error: &serde_json::Error) -> Problem {
    // Within one line of input the line number is ours to tell.
    let position = format!(" at line {} column {}", error.line(), error.column());
    let reason = error.to_string().replace(&position, "");
    let at = format!("(column {})", error.column());
    match text.trim_start().chars().next() {
        Some('{') => Problem::new(place, format!("{reason} {at}")),
        Some('[') => Problem::new(place, "a JSON array where an object is needed")
            .mend("write one object per line, without the surrounding array"),
        _ => Problem::new(place, format!("not a JSON object: {reason} {at}"))
            .mend("write one object per line, such as {\"text\": \"…\", \"label\": \"…\"}"),
    }
}

struct Record {
    values: BTreeMap<String, String>,
    nested: BTreeSet<String>,
}

/// Not a `Value`: that would silently keep the last of two equal keys.
impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Record;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
                let mut record = Record {
                    values: BTreeMap::new(),
                    nested: BTreeSet::new(),
                };
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if record.values.contains_key(&name) || record.nested.contains(&name) {
                        return Err(A::Error::custom(format!("the key {name:?} occurs twice")));
                    }
                    match value {
                        Value::Null => record.values.insert(name, String::new()),
                        Value::String(text) => record.values.insert(name, text),
                        Value::Bool(truth) => record.values.insert(name, truth.to_string()),
                        Value::Number(number) => record.values.insert(name, number.to_string()),
                        Value::Array(_) | Value::Object(_) => {
                            record.nested.insert(name);
                            None
                        }
                    };
                }
                Ok(record)
            }
        }

        deserializer.deserialize_map(Fields)
    }
}
