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
        let end = reader.position().line();
        let start = record.position().map_or(end, csv::Position::line);
        let place = Place {
            file: file.to_string(),
            line: start,
        };
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
            let mend = if end > start + 1 {
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

/// Drops a byte-order mark and turns CRLF into LF, so that lines are counted
/// alike for every file.
struct Newlines<R> {
    inner: R,
    pending_return: bool,
}

impl<R: BufRead> Newlines<R> {
    fn new(mut inner: R) -> io::Result<Self> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        if inner.fill_buf()?.starts_with(MARK) {
            inner.consume(MARK.len());
        }
        Ok(Self {
            inner,
            pending_return: false,
        })
    }
}

impl<R: BufRead> Read for Newlines<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < out.len() {
            let Some(&byte) = self.inner.fill_buf()?.first() else {
                // A return at the very end stands for itself.
                if std::mem::take(&mut self.pending_return) {
                    out[written] = b'\r';
                    written += 1;
                }
                break;
            };
            if self.pending_return && byte != b'\n' {
                self.pending_return = false;
                out[written] = b'\r';
                written += 1;
                continue;
            }
            self.inner.consume(1);
            self.pending_return = byte == b'\r';
            if !self.pending_return {
                out[written] = byte;
                written += 1;
            }
        }
        Ok(written)
    }
}
