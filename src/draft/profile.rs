//! What each column of a table holds, as far as its meaning shows in it.

use std::collections::HashSet;

use shiftproof_tasks::DataTable;

/// One column.
#[derive(Debug, Clone)]
pub(super) struct ColumnProfile {
    /// Its name.
    pub name: String,
    /// Rows in all.
    pub rows: usize,
    /// Rows in which it is not blank.
    pub filled: usize,
    /// Different values.
    pub different: usize,
    /// Mean words of a value.
    pub words: f64,
    /// Mean characters of a value.
    pub chars: f64,
}

impl ColumnProfile {
    /// Few short values that recur.
    pub fn is_category(&self, most: usize) -> bool {
        (2..=most).contains(&self.different)
            && self.words <= 5.0
            && self.filled >= 3 * self.different
    }

    /// Texts that hardly recur.
    pub fn is_text(&self) -> bool {
        self.words >= 3.0 && 2 * self.different > self.filled && self.filled > 0
    }

    /// Filled everywhere, and nothing occurs twice.
    pub fn is_unique(&self) -> bool {
        self.filled == self.rows && self.different == self.rows
    }

    /// Rows in which it is blank.
    pub const fn blank(&self) -> usize {
        self.rows - self.filled
    }

    /// The name without case and signs.
    pub fn bare(&self) -> String {
        let letters = self.name.chars().filter(|c| c.is_alphanumeric());
        letters.collect::<String>().to_lowercase()
    }
}

/// The columns of a table, by name.
pub(super) fn of(table: &DataTable) -> Vec<ColumnProfile> {
    table
        .columns()
        .into_iter()
        .map(|name| column(table, name))
        .collect()
}

fn column(table: &DataTable, name: &str) -> ColumnProfile {
    let mut seen: HashSet<&str> = HashSet::new();
    let (mut filled, mut words, mut chars) = (0, 0, 0);
    for value in table.rows.iter().filter_map(|row| row.values.get(name)) {
        let value = value.trim();
        if value.is_empty() {
            continue;
        }
        filled += 1;
        words += value.split_whitespace().count();
        chars += value.chars().count();
        seen.insert(value);
    }
    let mean = |sum: usize| sum as f64 / filled.max(1) as f64;
    ColumnProfile {
        name: name.to_owned(),
        rows: table.rows.len(),
        filled,
        different: seen.len(),
        words: mean(words),
        chars: mean(chars),
    }
}
