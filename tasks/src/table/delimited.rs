use std::io::{self, BufRead, Read};
use std::sync::Arc;

use csv::{ByteRecord, ReaderBuilder};

use super::{MAX_RECORD, Row};
use crate::problem::{Place, Problem, Problems};
use crate::suggest;

pub(super) fn read(
    file: &Arc<str>,
    delimiter: u8,
    reader: impl BufRead,
    rows: &mut Vec<Row>,
    problems: &mut Problems,
) -> io::Result<()> {
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        // Ragged rows are reported, all of them, not stopped at.
        .flexible(true)
        .from_reader(Newlines::new(reader)?);
    let mut record = ByteRecord::new();
    let mut header: Option<Vec<String>> = None;
    while reader.read_byte_record(&mut record)? {
        // The record's own position would be that of blank lines before it.
        let line_ends = record
            .as_slice()
            .split(|byte| *byte == b'\n')
            .skip(1)
            .count() as u64;
        let end = reader.position().line().saturating_sub(1);
        let start = end.saturating_sub(line_ends);
        if record.len() == 1 && record.get(0) == Some(&END[..1]) {
            break;
        }
        // Within an open quote even the end is text.
        let is_open = record
            .iter()
            .next_back()
            .is_some_and(|value| value.ends_with(END));
        let start = start + u64::from(is_open);
        let place = Place {
            file: file.to_string(),
            line: start,
        };
        if is_open {
            problems.push(
                Problem::new(place, "a quote is opened in this row and never closed")
                    .mend("close it, or double it where it is part of the text"),
            );
            break;
        }
        if record.as_slice().len() > MAX_RECORD {
            problems.push(
                Problem::new(
                    place,
                    format!("the row is longer than {} MiB", MAX_RECORD >> 20),
                )
                .mend("close the quote that opens in it"),
            );
            continue;
        }
        let Some(values) = texts(&record, &place, problems) else {
            // Without a header no row can be read.
            if header.is_none() {
                break;
            }
            continue;
        };
        let Some(names) = &header else {
            if !check_header(&values, &place, problems) {
                break;
            }
            header = Some(values);
            continue;
        };
        if values.len() != names.len() {
            let what = format!("{} values for {} columns", values.len(), names.len());
            let mend = if end > start {
                format!("is a quote opened on line {start} and closed only on line {end}?")
            } else {
                "quote values that contain the separator".to_owned()
            };
            problems.push(Problem::new(place, what).mend(mend));
            continue;
        }
        let values = names.iter().cloned().zip(values).collect();
        rows.push(Row::new(Arc::clone(file), start, values));
    }
    Ok(())
}

fn texts(record: &ByteRecord, place: &Place, problems: &mut Problems) -> Option<Vec<String>> {
    let mut texts = Vec::with_capacity(record.len());
    for (value, number) in record.iter().zip(1..) {
        match std::str::from_utf8(value) {
            Ok(text) => texts.push(text.to_owned()),
            Err(error) => {
                let what = format!(
                    "not UTF-8 at byte {} of value {number}",
                    error.valid_up_to()
                );
                problems.push(Problem::new(place, what).mend("convert the file to UTF-8"));
                return None;
            }
        }
    }
    Some(texts)
}

fn check_header(names: &[String], place: &Place, problems: &mut Problems) -> bool {
    let twice: Vec<_> = names
        .iter()
        .enumerate()
        .filter(|(index, name)| names[..*index].contains(name))
        .map(|(_, name)| name.as_str())
        .collect();
    if !twice.is_empty() {
        let what = format!(
            "the header names {} twice",
            suggest::list(twice.iter().copied())
        );
        problems.push(Problem::new(place, what).mend("rename one of the columns"));
    }
    twice.is_empty()
}

/// A last line of our own. A reader that does not see it as a row of its own is
/// still inside a quote, which it would not tell.
const END: &[u8] = b"\0\n";

/// Drops a byte-order mark, turns CRLF into LF, ends the last line, so that
/// lines are counted alike for every file, and adds [`END`].
struct Newlines<R> {
    inner: R,
    /// A return that may turn out to belong to a line end.
    held_return: bool,
    last: u8,
    /// What is still to come after the file's own bytes.
    ending: &'static [u8],
}

impl<R: BufRead> Newlines<R> {
    fn new(mut inner: R) -> io::Result<Self> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        if inner.fill_buf()?.starts_with(MARK) {
            inner.consume(MARK.len());
        }
        Ok(Self {
            inner,
            held_return: false,
            last: b'\n',
            ending: END,
        })
    }

    /// The next byte to hand on.
    fn next(&mut self) -> io::Result<Option<u8>> {
        loop {
            let next = self.inner.fill_buf()?.first().copied();
            if self.held_return && next != Some(b'\n') {
                self.held_return = false;
                return Ok(Some(b'\r'));
            }
            match next {
                None if self.last != b'\n' && self.ending == END => return Ok(Some(b'\n')),
                None => {
                    let next = self.ending.split_first();
                    self.ending = next.map_or(&[], |(_, rest)| rest);
                    return Ok(next.map(|(byte, _)| *byte));
                }
                Some(byte) => {
                    self.inner.consume(1);
                    self.held_return = byte == b'\r';
                    if !self.held_return {
                        return Ok(Some(byte));
                    }
                }
            }
        }
    }
}

impl<R: BufRead> Read for Newlines<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        for (written, slot) in out.iter_mut().enumerate() {
            let Some(byte) = self.next()? else {
                return Ok(written);
            };
            self.last = byte;
            *slot = byte;
        }
        Ok(out.len())
    }
}
