//! A column with each row's own options, as sets of multiple choice have it.

use shiftproof_tasks::{DataTable, OptionList, TableRow};

use super::DraftOptions;
use super::columns::LABELS;

/// Rows with options that a guess rests on, at least.
const LEAST: usize = 12;
/// Of the rows that are looked at, those that must bear a guess out.
const SHARE: f64 = 0.9;

/// Which column holds the options, and which says the right one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OwnOptions {
    pub column: String,
    pub label: String,
}

/// The columns of a table in which rows have options of their own; `None` where they have
/// none, or all the same.
pub(super) fn of(table: &DataTable, options: DraftOptions<'_>) -> Option<OwnOptions> {
    let columns = table.columns();
    let free = |name: &&&str| {
        ![options.label, options.group, options.id].contains(&Some(**name))
            && options.fields.iter().all(|field| field != **name)
    };
    let labels: Vec<&str> = match options.label {
        Some(given) => vec![given],
        None => by_name(columns.iter().filter(free).copied().collect()),
    };
    columns.iter().filter(free).find_map(|column| {
        let lists = lists(table, column)?;
        let label = labels
            .iter()
            .find(|label| *label != column && names_one(&lists, label))?;
        Some(OwnOptions {
            column: (*column).to_owned(),
            label: (*label).to_owned(),
        })
    })
}

/// Columns with the name of a label first, the plainest of them before.
fn by_name(mut columns: Vec<&str>) -> Vec<&str> {
    let place = |name: &str| {
        let letters = name.chars().filter(|c| c.is_alphanumeric());
        let bare = letters.collect::<String>().to_lowercase();
        let place = LABELS.iter().position(|known| *known == bare);
        place.unwrap_or(LABELS.len())
    };
    columns.sort_by_key(|name| place(name));
    columns
}

/// The rows whose cell holds options, with them; `None` where too few do, or all hold the
/// same.
fn lists<'t>(table: &'t DataTable, column: &str) -> Option<Vec<(&'t TableRow, OptionList)>> {
    let cell = |row: &&TableRow| {
        let cell = row.values.get(column).map(str::trim);
        cell.is_some_and(|cell| !cell.is_empty())
    };
    let filled: Vec<&TableRow> = table.rows.iter().filter(cell).collect();
    let read = |row: &&'t TableRow| {
        let list = OptionList::read(row.values.get(column)?).ok()?;
        Some((*row, list))
    };
    let lists: Vec<(&TableRow, OptionList)> = filled.iter().filter_map(read).collect();
    let differ = lists.windows(2).any(|pair| pair[0].1 != pair[1].1);
    (lists.len() >= LEAST && most(lists.len(), filled.len()) && differ).then_some(lists)
}

/// Whether the cells of a column name an option of their rows.
fn names_one(lists: &[(&TableRow, OptionList)], label: &str) -> bool {
    let mut filled = 0;
    let mut naming = 0;
    for (row, list) in lists {
        let cell = row.values.get(label).unwrap_or_default().trim();
        if !cell.is_empty() {
            filled += 1;
            naming += usize::from(matches!(list.place(cell), Ok(Some(_))));
        }
    }
    filled >= LEAST && most(naming, filled)
}

fn most(part: usize, of: usize) -> bool {
    part as f64 >= SHARE * of as f64
}
