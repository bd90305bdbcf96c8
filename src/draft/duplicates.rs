//! Texts that stand in more than one row.

use std::collections::BTreeMap;

use shiftproof_tasks::{ColumnRoles, DataTable, GroupsSpec, TableRow, grade};

/// Pairs that are named.
const NAMED: usize = 5;

/// Rows with a text that an earlier row has.
#[derive(Debug, Default)]
pub(super) struct DuplicateRows {
    rows: usize,
    /// Of those, rows of another group than the earlier one.
    across: usize,
    /// Of those, rows with another label.
    contradicting: usize,
    pairs: Vec<String>,
}

pub(super) fn of(table: &DataTable, columns: &ColumnRoles) -> DuplicateRows {
    let value = |row: &TableRow, name: &str| {
        let value = row.values.get(name).unwrap_or_default().trim();
        value.to_owned()
    };
    let group = |row: &TableRow| match &columns.group {
        Some(name) => value(row, name),
        None => GroupsSpec::ONLY.to_owned(),
    };
    let mut first: BTreeMap<String, &TableRow> = BTreeMap::new();
    let mut found = DuplicateRows::default();
    for row in &table.rows {
        let texts: Vec<String> = columns
            .fields
            .iter()
            .map(|name| grade::normalise(&value(row, name)))
            .collect();
        let key = texts.join("\n");
        if key.trim().is_empty() {
            continue;
        }
        let earlier = *first.entry(key).or_insert(row);
        if std::ptr::eq(earlier, row) {
            continue;
        }
        found.rows += 1;
        let (here, there) = (group(row), group(earlier));
        found.across += usize::from(here != there);
        let labels = [row, earlier].map(|row| value(row, &columns.label));
        let contradicts = labels[0] != labels[1] && labels.iter().all(|label| !label.is_empty());
        found.contradicting += usize::from(contradicts);
        let pair = format!("{} ({here}) = {} ({there})", row.place(), earlier.place());
        if found.pairs.len() < NAMED {
            found.pairs.push(pair);
        }
    }
    found
}

impl DuplicateRows {
    pub const fn any(&self) -> bool {
        self.rows > 0
    }

    pub fn notes(&self) -> Vec<String> {
        if self.rows == 0 {
            return Vec::new();
        }
        let more = if self.rows > self.pairs.len() {
            ", …"
        } else {
            ""
        };
        let mut told = vec![format!(
            "the same text in several rows: {} ({} across groups): {}{more}; data.leaks = \"drop\" \
             keeps such a text out of the search where it is in the audit",
            self.rows,
            self.across,
            self.pairs.join(", ")
        )];
        if self.contradicting > 0 {
            told.push(format!(
                "of these, {} have another label than the earlier row: mend them in the data",
                self.contradicting
            ));
        }
        told
    }
}
