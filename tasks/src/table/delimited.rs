use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::Arc;

use csv::{ByteRecord, ReaderBuilder};

use super::clean::{CleanReader, END, QuoteFault};
use super::dialect::DelimiterDialect;
use super::values::ColumnNames;
use super::{MAX_RECORD, RowValues, TableRow};
use crate::diagnostic::{DataProblem, DataProblems, SourceLocation};
use crate::suggest;

/// What a file holds beside its rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FileSummary {
    /// Values that begin and end with a quotation mark that is text.
    pub quoted: usize,
}

pub(super) fn read(
    file: &Arc<str>,
    dialect: DelimiterDialect,
    reader: impl BufRead,
    rows: &mut Vec<TableRow>,
    problems: &mut DataProblems,
) -> io::Result<FileSummary> {
    let mut records = ReaderBuilder::new()
        .delimiter(dialect.delimiter)
        .quoting(dialect.quoting)
        .has_headers(false)
        // Ragged rows are reported, all of them, not stopped at.
        .flexible(true)
        .from_reader(CleanReader::new(reader, dialect)?);
    let mut file = DelimitedFile {
        name: file,
        dialect,
        header: None,
        rows,
        found: Vec::new(),
        seen: FileSummary::default(),
    };
    let mut record = ByteRecord::new();
    while records.read_byte_record(&mut record)? {
        let end = records.position().line().saturating_sub(1);
        if !file.take(&record, end) {
            break;
        }
    }
    let faults = records.into_inner().faults();
    let first = faults.first().map(|fault| fault.opened);
    for fault in &faults {
        problems.push(file.fault(*fault));
    }
    // What follows the first of them may be no more than its consequence.
    for (line, problem) in file.found {
        if first.is_none_or(|first| line < first) {
            problems.push(problem);
        }
    }
    Ok(file.seen)
}

/// A file being read.
struct DelimitedFile<'a> {
    name: &'a Arc<str>,
    dialect: DelimiterDialect,
    header: Option<Arc<ColumnNames>>,
    rows: &'a mut Vec<TableRow>,
    /// What is wrong, by line.
    found: Vec<(u64, DataProblem)>,
    seen: FileSummary,
}

impl DelimitedFile<'_> {
    fn place(&self, line: u64) -> SourceLocation {
        SourceLocation {
            file: self.name.to_string(),
            line,
        }
    }

    fn wrong(&mut self, line: u64, what: impl Into<String>, mend: impl Into<String>) {
        let problem = DataProblem::new(self.place(line), what).help(mend);
        self.found.push((line, problem));
    }

    fn fault(&self, fault: QuoteFault) -> DataProblem {
        let what = if fault.closed > fault.opened {
            format!(
                "text follows the quotation mark that closes a value on line {}",
                fault.closed
            )
        } else {
            "text follows the quotation mark that closes a value".to_owned()
        };
        DataProblem::new(self.place(fault.opened), what)
            .help("quote the whole value, and double quotation marks within it")
    }

    /// Takes a record that ends on line `end`; `false`: no more can be read.
    fn take(&mut self, record: &ByteRecord, end: u64) -> bool {
        // The record's own position would be that of blank lines before it.
        let line_ends = record.as_slice().iter().filter(|byte| **byte == b'\n');
        let start = end.saturating_sub(line_ends.count() as u64);
        if record.len() == 1 && record.get(0) == Some(&END[..1]) {
            return false;
        }
        // Within an open quote even the end is text.
        let last = record.iter().next_back();
        if last.is_some_and(|value| value.ends_with(END)) {
            self.wrong(
                start + 1,
                "a quote is opened in this row and never closed",
                "close it, or double it where it is part of the text",
            );
            return false;
        }
        if record.as_slice().len() > MAX_RECORD {
            self.wrong(
                start,
                format!("the row is longer than {} MiB", MAX_RECORD >> 20),
                "close the quote that opens in it",
            );
            return true;
        }
        let values = match texts(record) {
            Ok(values) => values,
            Err(what) => {
                self.wrong(
                    start,
                    what,
                    "convert the file to UTF-8 (in Excel: save as \"CSV UTF-8\")",
                );
                // Without a header no row can be read.
                return self.header.is_some();
            }
        };
        let Some(names) = &self.header else {
            return self.head(&values, start);
        };
        if values.len() != names.len() {
            let what = format!("{} values for {} columns", values.len(), names.len());
            let mend = if end > start {
                format!("is a quote opened on line {start} and closed only on line {end}?")
            } else if self.dialect.quoting {
                "quote values that contain the separator".to_owned()
            } else {
                "no value of a .tsv can hold a tab or a line end; a .csv quotes such values"
                    .to_owned()
            };
            self.wrong(start, what, mend);
            return true;
        }
        if !self.dialect.quoting {
            let quoted =
                |value: &&&str| value.len() > 1 && value.starts_with('"') && value.ends_with('"');
            self.seen.quoted += values.iter().filter(quoted).count();
        }
        let values = RowValues::new(Arc::clone(names), values.iter().copied());
        self.rows.push(TableRow {
            values,
            file: Arc::clone(self.name),
            line: start,
            nested: BTreeMap::new(),
        });
        true
    }

    fn head(&mut self, names: &[&str], line: u64) -> bool {
        let twice: Vec<_> = names
            .iter()
            .enumerate()
            .filter(|(index, name)| names[..*index].contains(name))
            .map(|(_, name)| *name)
            .collect();
        if !twice.is_empty() {
            let what = format!(
                "the header names {} twice",
                suggest::list(twice.iter().copied())
            );
            self.wrong(line, what, "rename one of the columns");
            return false;
        }
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        self.header = Some(Arc::new(ColumnNames::new(names)));
        true
    }
}

fn texts(record: &ByteRecord) -> Result<Vec<&str>, String> {
    let text = |(value, number)| match std::str::from_utf8(value) {
        Ok(text) => Ok(text),
        Err(error) => Err(format!(
            "not UTF-8 at byte {} of value {number}",
            error.valid_up_to()
        )),
    };
    record.iter().zip(1..).map(text).collect()
}
