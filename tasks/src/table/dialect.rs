//! How a delimited file is written: what separates its values, and whether
//! quotation marks quote.

use std::io::{self, BufRead, Cursor, Read};

use csv::{ByteRecord, ReaderBuilder};

use super::FileFormat;
use crate::diagnostic::DataProblem;

/// Bytes of a file's beginning that tell how it is written.
const SAMPLE: u64 = 1 << 16;

/// Rows of it that are looked at.
const ROWS: usize = 200;

/// What is tried, the usual one first.
const DELIMITERS: [u8; 4] = *b",;\t|";

/// How values are separated and quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DelimiterDialect {
    pub delimiter: u8,
    /// Whether a quotation mark at a value's beginning quotes it (RFC 4180). In
    /// a `.tsv` it is text: a value there can hold neither tab nor line end.
    pub quoting: bool,
}

impl DelimiterDialect {
    pub const CSV: Self = Self {
        delimiter: b',',
        quoting: true,
    };
    pub const TSV: Self = Self {
        delimiter: b'\t',
        quoting: false,
    };

    /// The dialect of a file, by its beginning; and the whole file again.
    pub fn of<'a>(
        file: &str,
        format: FileFormat,
        mut reader: impl BufRead + 'a,
    ) -> io::Result<(Result<Self, DataProblem>, Box<dyn BufRead + 'a>)> {
        let mut sample = Vec::new();
        reader.by_ref().take(SAMPLE).read_to_end(&mut sample)?;
        let whole = (sample.len() as u64) < SAMPLE;
        let text = sample.strip_prefix(super::MARK).unwrap_or(&sample);
        let dialect = match format {
            FileFormat::Tsv => tabs(file, text, whole),
            _ => detect(file, text, whole),
        };
        Ok((dialect, Box::new(Cursor::new(sample).chain(reader))))
    }
}

/// What one delimiter makes of the sample.
struct DialectSample {
    delimiter: u8,
    /// Values of the header.
    columns: usize,
    /// Rows below it.
    rows: usize,
    /// Of those, rows with as many values as the header.
    even: usize,
    /// Whether a column's name has a quotation mark in it: it was cut within
    /// quotes.
    within: bool,
}

impl DialectSample {
    fn of(delimiter: u8, sample: &[u8], whole: bool) -> Self {
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(sample);
        let mut widths = Vec::new();
        let mut record = ByteRecord::new();
        let mut within = false;
        // A slice cannot fail to be read.
        while widths.len() <= ROWS && reader.read_byte_record(&mut record).unwrap_or(false) {
            within |= widths.is_empty() && record.as_slice().contains(&b'"');
            widths.push(record.len());
        }
        // The sample may end within a row.
        if !whole && widths.len() > 1 && widths.len() <= ROWS {
            widths.pop();
        }
        let columns = widths.first().copied().unwrap_or(0);
        let rows = widths.len().saturating_sub(1);
        let even = widths.iter().skip(1).filter(|n| **n == columns).count();
        Self {
            delimiter,
            columns,
            rows,
            even,
            within,
        }
    }
}

fn detect(file: &str, sample: &[u8], whole: bool) -> Result<DelimiterDialect, DataProblem> {
    let csv = |delimiter| DelimiterDialect {
        delimiter,
        quoting: true,
    };
    let mut cuts: Vec<DialectSample> = DELIMITERS
        .iter()
        .map(|delimiter| DialectSample::of(*delimiter, sample, whole))
        .filter(|cut| cut.columns > 1)
        .collect();
    if cuts.iter().any(|cut| !cut.within) {
        cuts.retain(|cut| !cut.within);
    }
    if cuts.len() > 1 {
        // Where none fits all rows, some rows are broken: the one that fits most.
        let most = cuts.iter().map(|cut| cut.even).max().unwrap_or(0);
        let all = cuts.iter().any(|cut| cut.even == cut.rows);
        cuts.retain(|cut| {
            if all {
                cut.even == cut.rows
            } else {
                cut.even == most
            }
        });
        // A comma in a text column's name is no column of its own.
        if !all {
            cuts.truncate(1);
        }
    }
    match cuts.as_slice() {
        [] => Ok(DelimiterDialect::CSV),
        [cut] => Ok(csv(cut.delimiter)),
        [a, b, ..] => Err(DataProblem::new(
            file,
            format!(
                "the header can be cut at {} ({} columns) and at {} ({} columns), and so can all \
                 rows",
                name(a.delimiter),
                a.columns,
                name(b.delimiter),
                b.columns
            ),
        )
        .help("save the file with one of them only, for example as .tsv")),
    }
}

/// A `.tsv` without a tab is another file under this name.
fn tabs(file: &str, sample: &[u8], whole: bool) -> Result<DelimiterDialect, DataProblem> {
    let header = sample.split(|byte| matches!(byte, b'\n' | b'\r')).next();
    if header.is_none_or(|line| line.is_empty() || line.contains(&b'\t')) {
        return Ok(DelimiterDialect::TSV);
    }
    let other = DELIMITERS
        .iter()
        .map(|delimiter| DialectSample::of(*delimiter, sample, whole))
        .find(|cut| cut.columns > 1 && cut.even == cut.rows);
    match other {
        None => Ok(DelimiterDialect::TSV),
        Some(cut) => Err(DataProblem::new(
            file,
            format!(
                "the header has no tab; it looks separated by {}",
                name(cut.delimiter)
            ),
        )
        .help("give the file the ending .csv")),
    }
}

/// A delimiter in a sentence.
fn name(delimiter: u8) -> String {
    match delimiter {
        b'\t' => "tabs".to_owned(),
        other => format!("'{}'", char::from(other)),
    }
}
