//! Tests and prompts that are rows of a table.

use std::path::Path;

use csv::{ReaderBuilder, StringRecord};

use super::files::ending;
use super::yaml::read as read_file;
use super::{ConfigLocation, ImportNotes};
use crate::exit::Failure;

/// A row: its values by column, in the order of the header.
pub(super) struct ImportedRow {
    pub place: ConfigLocation,
    pub values: Vec<(String, String)>,
}

/// Reads a file with a header line. Rows that do not fit it are left out and
/// noted.
pub(super) fn read(path: &Path, notes: &mut ImportNotes) -> Result<Vec<ImportedRow>, Failure> {
    let text = read_file(path)?;
    let place = |line: usize| ConfigLocation {
        file: path.to_owned(),
        line,
    };
    let first = text.lines().next().unwrap_or_default();
    let separator = separator(path, first);
    if separator != ',' && ending(&path.to_string_lossy()) == "csv" {
        notes.add(
            place(1),
            format!(
                "the header has one column by commas, {first:?}; \
                 the file was read as separated by {separator:?}"
            ),
        );
    }
    if text.matches('"').count() % 2 == 1 {
        notes.add(
            place(1),
            "the number of quotes is odd: one that is never closed makes one row of many",
        );
    }
    // So that every row ends in a line break, and rows are counted alike.
    let text = format!("{}\n", text.trim_end_matches('\n'));
    let mut reader = ReaderBuilder::new()
        .delimiter(separator as u8)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut record = StringRecord::new();
    let mut header: Option<Vec<String>> = None;
    let mut rows = Vec::new();
    while reader
        .read_record(&mut record)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())).caused_by(error))?
    {
        let end = usize::try_from(reader.position().line()).unwrap_or(usize::MAX);
        let breaks = record.as_slice().matches('\n').count();
        let place = place(end.saturating_sub(1 + breaks));
        let values = record.iter().map(str::to_owned);
        let Some(names) = &header else {
            header = Some(values.map(|name| name.trim().to_owned()).collect());
            continue;
        };
        if record.len() == names.len() {
            rows.push(ImportedRow {
                place,
                values: names.iter().cloned().zip(values).collect(),
            });
        } else {
            notes.add(
                place,
                format!(
                    "this row was left out: {} values for {} columns",
                    record.len(),
                    names.len()
                ),
            );
        }
    }
    Ok(rows)
}

/// What stands between the columns: a comma, unless the header has none and
/// another usual sign.
fn separator(path: &Path, header: &str) -> char {
    if ending(&path.to_string_lossy()) == "tsv" {
        return '\t';
    }
    if header.contains(',') {
        return ',';
    }
    let counted = [';', '\t', '|'].map(|sign| (header.matches(sign).count(), sign));
    match counted.into_iter().max_by_key(|(count, _)| *count) {
        Some((1.., sign)) => sign,
        _ => ',',
    }
}
