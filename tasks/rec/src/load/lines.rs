//! Lines with their places, and the values in them.

use std::borrow::Cow;
use std::io::{BufRead, Read};

use shiftproof_tasks::MAX_RECORD;
use shiftproof_tasks::diagnostic::{DataProblem, DataProblems, SourceLocation};

use super::NamedFile;

/// Hands every line that is not blank to `take`, streaming, and collects what it
/// finds wrong. Lines may end in CRLF. A single line that is not UTF-8, in a file
/// that is, is read as windows-1252.
pub(super) fn each(
    mut file: NamedFile<'_>,
    problems: &mut DataProblems,
    mut take: impl FnMut(&SourceLocation, &str) -> Result<(), DataProblem>,
) {
    let mut bytes = Vec::new();
    let mut place = SourceLocation {
        file: file.name.clone(),
        line: 0,
    };
    loop {
        bytes.clear();
        place.line += 1;
        // One byte more than allowed tells a full line from a cut one.
        let read = file
            .reader
            .by_ref()
            .take(MAX_RECORD as u64 + 1)
            .read_until(b'\n', &mut bytes);
        match read {
            Ok(0) => return,
            Ok(taken) if taken > MAX_RECORD => {
                problems.push(
                    DataProblem::new(
                        &place,
                        format!("the line is longer than {} MiB", MAX_RECORD >> 20),
                    )
                    .help("is this a text file?"),
                );
                return;
            }
            Ok(_) => {}
            Err(error) => {
                problems.push(DataProblem::new(&place, format!("cannot be read: {error}")));
                return;
            }
        }
        let text = decode(&bytes);
        let mut line = text.trim_end_matches(['\n', '\r']);
        if place.line == 1 {
            line = line.trim_start_matches('\u{feff}');
        }
        if line.trim().is_empty() {
            continue;
        }
        if let Err(problem) = take(&place, line) {
            problems.push(problem);
        }
    }
}

fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            encoding_rs::WINDOWS_1252
                .decode_without_bom_handling(bytes)
                .0
        }
    }
}

/// A finite number.
pub(super) fn number(place: &SourceLocation, name: &str, text: &str) -> Result<f64, DataProblem> {
    text.trim()
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
        .ok_or_else(|| {
            DataProblem::new(place, format!("{name} is {text:?}, no number"))
                .help("write it with digits and a point")
        })
}

/// A rating; none where the text is blank.
pub(super) fn rating(place: &SourceLocation, text: &str) -> Result<Option<f32>, DataProblem> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    number(place, "the rating", text).map(|number| Some(number as f32))
}

/// A time, in whole units; none where the text is blank.
pub(super) fn time(place: &SourceLocation, text: &str) -> Result<Option<i64>, DataProblem> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(time) = text.parse() {
        return Ok(Some(time));
    }
    number(place, "the time", text).map(|number| Some(number as i64))
}

/// An id that is there.
pub(super) fn id<'t>(
    place: &SourceLocation,
    name: &str,
    text: &'t str,
) -> Result<&'t str, DataProblem> {
    let text = text.trim();
    if text.is_empty() {
        return Err(DataProblem::new(place, format!("{name} is empty")).help("fill it in"));
    }
    Ok(text)
}

/// The parts of a line, of which there must be at least `n`.
pub(super) fn parts<'t>(
    place: &SourceLocation,
    line: &'t str,
    separator: &str,
    n: usize,
    what: &str,
) -> Result<Vec<&'t str>, DataProblem> {
    let parts: Vec<_> = line.split(separator).collect();
    if parts.len() < n {
        return Err(DataProblem::new(
            place,
            format!("{} values, at least {n} are needed", parts.len()),
        )
        .help(format!("a line is {what}, separated by {separator:?}")));
    }
    Ok(parts)
}

/// Files of a name that no reader of this format knows.
pub(super) fn unknown_file(name: &str, known: &str) -> DataProblem {
    DataProblem::new(name, "the name tells no file of this format").help(format!("known: {known}"))
}
