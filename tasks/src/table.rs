//! Rows of text read from JSON Lines, CSV and TSV files, each with its place.

mod clean;
mod delimited;
mod dialect;
mod encoding;
mod jsonl;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use dialect::DelimiterDialect;
pub use values::RowValues;

use crate::diagnostic::{DataError, DataProblem, DataProblems, SourceLocation};
use crate::files;

/// The longest line or record read, in bytes. Longer ones are a broken file far
/// more often than data.
pub const MAX_RECORD: usize = 8 << 20;

/// UTF-8's byte-order mark.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// One row: named texts. JSON numbers and booleans are kept as their text, null
/// as the empty text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRow {
    /// The values by column.
    pub values: RowValues,
    /// The file as the study names it.
    pub file: Arc<str>,
    /// The line the row starts on, from 1.
    pub line: u64,
    /// Columns that hold a JSON array or object, with its text: an error only where a
    /// text is wanted.
    pub(crate) nested: BTreeMap<String, String>,
}

impl TableRow {
    /// A row of these values.
    pub fn new(file: impl Into<Arc<str>>, line: u64, values: BTreeMap<String, String>) -> Self {
        Self {
            values: values.into(),
            file: file.into(),
            line,
            nested: BTreeMap::new(),
        }
    }

    /// What the row holds in a column: its text, or its JSON where that is an array or an
    /// object.
    pub fn cell(&self, column: &str) -> Option<&str> {
        let nested = || self.nested.get(column).map(String::as_str);
        self.values.get(column).or_else(nested)
    }

    /// Where the row stands.
    pub fn place(&self) -> SourceLocation {
        SourceLocation {
            file: self.file.to_string(),
            line: self.line,
        }
    }
}

/// How a file is written, told by its extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// `.jsonl`, `.json-lines`, `.ndjson`, `.json`: one JSON object per line, or
    /// one array of objects.
    JsonLines,
    /// `.csv`: values separated by comma, semicolon, tab or bar, whichever the
    /// header and the rows show, with a header line, quoted as in RFC 4180.
    Csv,
    /// `.tsv`: a row a line, values separated by tabs, a header line; a quotation
    /// mark is text.
    Tsv,
}

impl FileFormat {
    /// The format of a file name, by its extension in any case.
    pub fn of(file: &str) -> Option<Self> {
        let extension = Path::new(file).extension()?.to_str()?.to_lowercase();
        match extension.as_str() {
            "jsonl" | "json-lines" | "ndjson" | "json" => Some(Self::JsonLines),
            "csv" => Some(Self::Csv),
            "tsv" => Some(Self::Tsv),
            _ => None,
        }
    }
}

/// The rows of all of a study's data files, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataTable {
    /// The rows.
    pub rows: Vec<TableRow>,
    /// How each file is written, in order.
    pub files: Vec<DetectedFormat>,
}

/// How a file turned out to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectedFormat {
    /// The file as the study names it.
    pub file: Arc<str>,
    /// Its format.
    pub format: FileFormat,
    /// What separates its values; none in JSON.
    pub delimiter: Option<char>,
    /// Whether it is UTF-16 instead of UTF-8.
    pub utf16: bool,
    /// Its rows.
    pub rows: usize,
    /// Values of a `.tsv` that begin and end with a quotation mark, which there
    /// is part of the text.
    pub quoted: usize,
}

impl DataTable {
    /// Reads these files one after the other. Relative names are looked up
    /// below `root`, usually the study file's folder; rows and errors carry the
    /// names as given.
    ///
    /// Problems are collected over all files before the first one is reported.
    /// UTF-8 and UTF-16 are read, with or without a byte-order mark, and LF,
    /// CRLF and lone CR as line ends, mixed or not; blank lines are skipped.
    pub fn read<S: AsRef<str>>(root: &Path, files: &[S]) -> Result<Self, DataError> {
        let mut problems = DataProblems::default();
        let mut table = Self::default();
        if files.is_empty() {
            problems.push(DataProblem::new("data.files", "names no file"));
        }
        for file in files.iter().map(AsRef::as_ref) {
            let Some(format) = FileFormat::of(file) else {
                problems.push(
                    DataProblem::new(file, "the extension tells no known format").help(
                        "use .jsonl, .json, .csv or .tsv (Excel's \"Unicode text\" is a .tsv)",
                    ),
                );
                continue;
            };
            match files::open(&root.join(file)) {
                Ok(opened) => {
                    table.extend(file, format, BufReader::new(opened), &mut problems);
                }
                Err(error) => problems.push(unreadable(file, &error)),
            }
        }
        problems.or(table)
    }

    /// Reads one source that is no file of its own, such as a member of an
    /// archive; `name` stands for it in places and errors.
    pub fn parse(name: &str, format: FileFormat, reader: impl BufRead) -> Result<Self, DataError> {
        let mut problems = DataProblems::default();
        let mut table = Self::default();
        table.extend(name, format, reader, &mut problems);
        problems.or(table)
    }

    fn extend(
        &mut self,
        file: &str,
        format: FileFormat,
        reader: impl BufRead,
        problems: &mut DataProblems,
    ) {
        let before = self.rows.len();
        let found = problems.len();
        match self.read_as(file, format, reader, problems) {
            Err(error) => problems.push(unreadable(file, &error)),
            Ok(()) if self.rows.len() == before && problems.len() == found => {
                problems.push(DataProblem::new(file, "the file holds no rows"));
            }
            Ok(()) => {}
        }
    }

    fn read_as(
        &mut self,
        file: &str,
        format: FileFormat,
        reader: impl BufRead,
        problems: &mut DataProblems,
    ) -> io::Result<()> {
        let before = self.rows.len();
        let name: Arc<str> = file.into();
        let (reader, utf16) = encoding::decoded(reader)?;
        let mut written = DetectedFormat {
            file: Arc::clone(&name),
            format,
            delimiter: None,
            utf16,
            rows: 0,
            quoted: 0,
        };
        if format == FileFormat::JsonLines {
            jsonl::read(&name, reader, &mut self.rows, problems)?;
        } else {
            let (dialect, reader) = DelimiterDialect::of(file, format, reader)?;
            match dialect {
                Ok(dialect) => {
                    let seen = delimited::read(&name, dialect, reader, &mut self.rows, problems)?;
                    written.delimiter = Some(char::from(dialect.delimiter));
                    written.quoted = seen.quoted;
                }
                Err(problem) => problems.push(problem),
            }
        }
        written.rows = self.rows.len() - before;
        self.files.push(written);
        Ok(())
    }

    /// The columns that occur in any row.
    pub fn columns(&self) -> BTreeSet<&str> {
        let mut columns = BTreeSet::new();
        let mut last = None;
        for row in &self.rows {
            let names = Arc::as_ptr(row.values.names());
            if last != Some(names) {
                columns.extend(row.values.keys());
                last = Some(names);
            }
            columns.extend(row.nested.keys().map(String::as_str));
        }
        columns
    }
}

fn unreadable(file: &str, error: &io::Error) -> DataProblem {
    let problem = DataProblem::new(file, format!("cannot be read: {error}"));
    match error.kind() {
        io::ErrorKind::NotFound => {
            problem.help("file names are relative to the study file's folder")
        }
        _ => problem,
    }
}

#[cfg(test)]
mod tests;
