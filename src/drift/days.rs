//! The days one below the other: each group's score, and what a row costs.

use super::{DayRecord, DriftReport, GroupCount};
use crate::wording::shown::visible;

/// A table of the days so far, of earlier prompts too.
pub(super) struct DayTable {
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl DriftReport {
    /// Scores and costs by day; none where nobody wrote down what a day cost.
    pub(super) fn day_table(&self) -> Option<DayTable> {
        if self.days.iter().all(|day| day.cost.is_none()) {
            return None;
        }
        let mut head = vec!["day".to_owned(), "rows".to_owned()];
        head.extend(self.groups.iter().map(|group| visible(&group.group)));
        head.extend(["calls a row", "tokens a row", "USD a row"].map(str::to_owned));
        let rows = self.days.iter().map(|day| self.day_row(day)).collect();
        Some(DayTable { head, rows })
    }

    fn day_row(&self, day: &DayRecord) -> Vec<String> {
        let rows: usize = day.groups.values().map(|group| group.rows).sum();
        let mut row = vec![visible(&day.batch), rows.to_string()];
        row.extend(self.groups.iter().map(|group| {
            let score = day.groups.get(&group.group).and_then(GroupCount::score);
            score.map_or("–".to_owned(), |score| format!("{:.1}", score * 100.0))
        }));
        let unknown = || "–".to_owned();
        let cost = day.cost.filter(|cost| cost.rows > 0);
        let each =
            |total: f64, rows: usize, places: usize| format!("{:.places$}", total / rows as f64);
        row.extend(match cost {
            Some(cost) => [
                each(cost.calls as f64, cost.rows, 2),
                each(cost.tokens as f64, cost.rows, 0),
                cost.usd.map_or_else(unknown, |usd| each(usd, cost.rows, 6)),
            ],
            None => [unknown(), unknown(), unknown()],
        });
        row
    }
}
