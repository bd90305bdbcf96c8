//! Tables: of text for a terminal, their columns in line whatever the cells hold,
//! and in Markdown.

use std::borrow::Borrow;
use std::ops::RangeBounds;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::wording::shown::line;

/// Columns of a terminal that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// A text cut to this many columns, with an ellipsis where something is cut off.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let (mut out, mut used) = (String::new(), 0);
    for character in text.chars() {
        let wide = character.width().unwrap_or(0);
        if used + wide + 1 > columns {
            break;
        }
        used += wide;
        out.push(character);
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// Writes a table in Markdown. The cells are Markdown already; the columns of
/// `figures` are set to the right.
pub(crate) fn write_markdown<S: Borrow<str>>(
    out: &mut String,
    head: &[S],
    figures: impl RangeBounds<usize>,
    rows: impl IntoIterator<Item = Vec<String>>,
) {
    let rule = (0..head.len()).map(|at| if figures.contains(&at) { "---:" } else { "---" });
    let rule = rule.map(str::to_owned).collect();
    let head = head.iter().map(|cell| cell.borrow().to_owned()).collect();
    for row in [head, rule].into_iter().chain(rows) {
        out.push('|');
        for cell in row {
            out.extend([" ", &cell, " |"]);
        }
        out.push('\n');
    }
}

/// How a column is set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextColumn {
    is_right: bool,
    least: usize,
    most: usize,
    gap: usize,
}

impl TextColumn {
    /// Set to the left.
    pub const fn left() -> Self {
        Self {
            is_right: false,
            least: 0,
            most: usize::MAX,
            gap: 2,
        }
    }

    /// Set to the right, as figures are.
    pub const fn right() -> Self {
        Self {
            is_right: true,
            ..Self::left()
        }
    }

    /// At least this wide.
    pub const fn at_least(self, least: usize) -> Self {
        Self { least, ..self }
    }

    /// At most this wide: longer texts are cut.
    pub const fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// This many blanks before it instead of two.
    pub const fn after(self, gap: usize) -> Self {
        Self { gap, ..self }
    }
}

/// Rows of cells. What the cells say is made fit for a terminal; a row may have
/// fewer cells than there are columns.
#[derive(Debug, Clone)]
pub(crate) struct TextTable {
    columns: Vec<TextColumn>,
    indent: usize,
    rows: Vec<Vec<String>>,
}

impl TextTable {
    /// A table without rows.
    pub fn new(columns: impl IntoIterator<Item = TextColumn>) -> Self {
        Self {
            columns: columns.into_iter().collect(),
            indent: 0,
            rows: Vec::new(),
        }
    }

    /// With this many blanks before every row.
    pub fn indented(self, indent: usize) -> Self {
        Self { indent, ..self }
    }

    /// Adds a row.
    pub fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let cells = cells.into_iter().map(|cell| line(cell.as_ref()));
        self.rows.push(cells.collect());
    }

    /// How wide each column is.
    pub fn widths(&self) -> Vec<usize> {
        let widest = |at: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(at));
            cells.map(|cell| width(cell)).max().unwrap_or(0)
        };
        let columns = self.columns.iter().enumerate();
        columns
            .map(|(at, column)| widest(at).max(column.least).min(column.most))
            .collect()
    }

    /// Sets the most that a column may be wide.
    pub fn limit(&mut self, column: usize, most: usize) {
        if let Some(column) = self.columns.get_mut(column) {
            *column = column.at_most(most);
        }
    }

    /// The rows as lines without their ends; nothing stands behind the last text
    /// of a row.
    pub fn lines(&self) -> Vec<String> {
        let widths = self.widths();
        let line = |row: &Vec<String>| {
            let mut out = " ".repeat(self.indent);
            for (at, (cell, column)) in row.iter().zip(&self.columns).enumerate() {
                if at > 0 {
                    out.push_str(&" ".repeat(column.gap));
                }
                let cell = cut(cell, widths[at]);
                let blanks = " ".repeat(widths[at] - width(&cell));
                let (before, after) = if column.is_right {
                    (blanks.as_str(), "")
                } else {
                    ("", blanks.as_str())
                };
                out.extend([before, &cell, after]);
            }
            out.truncate(out.trim_end().len());
            out
        };
        self.rows.iter().map(line).collect()
    }

    /// The rows, a line each.
    pub fn text(&self) -> String {
        self.lines().into_iter().map(|line| line + "\n").collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_align_in_cells() {
        let mut table = TextTable::new([
            TextColumn::left().at_least(8),
            TextColumn::right(),
            TextColumn::left().after(1),
        ])
        .indented(2);
        table.row(["group", "score"]);
        table.row(["电影评论", "9.5", "source"]);
        table.row(["cafe\u{301}", "87.5", "target"]);
        table.row(["👩\u{200d}👩\u{200d}👧 family", "100.0", "target"]);
        let lines = table.lines();
        assert_eq!(
            lines,
            [
                "  group      score",
                "  电影评论     9.5 source",
                "  cafe\u{301}        87.5 target",
                "  👩\u{200d}👩\u{200d}👧 family  100.0 target",
            ]
        );
        let ends: Vec<usize> = lines.iter().skip(1).map(|line| width(line)).collect();
        assert_eq!(ends, [25, 25, 25]);
    }

    #[test]
    fn cells_cannot_steer_terminals() {
        let mut table = TextTable::new([TextColumn::left(), TextColumn::left()]);
        table.row(["a\x1b[31mb\r\n", "\u{202e}evil"]);
        assert_eq!(table.text(), "a\\u{1b}[31mb   \\u{202e}evil\n");
    }

    #[test]
    fn long_texts_give_way() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("电影评论", 5), "电影…");
        assert_eq!(cut("电影评论", 4), "电…");
        assert_eq!(cut("abc", 0), "");
        let mut table = TextTable::new([TextColumn::left().at_most(4), TextColumn::left()]);
        table.row(["电影评论", "x"]);
        table.row(["ab", "y"]);
        assert_eq!(table.text(), "电…   x\nab    y\n");
    }

    proptest! {
        #[test]
        fn last_column_aligns(cells in prop::collection::vec(".{0,12}", 1..6)) {
            let mut table = TextTable::new([TextColumn::left(), TextColumn::right().at_least(3), TextColumn::left()]);
            for cell in &cells {
                table.row([cell, "1", "|"]);
            }
            let places: Vec<usize> = table.lines().iter().map(|line| {
                let (before, _) = line.rsplit_once('|').unwrap();
                width(before)
            }).collect();
            prop_assert!(places.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", table.lines());
        }
    }
}
