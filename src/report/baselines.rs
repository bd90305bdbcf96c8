//! Methods without a language model, as rows of text.

use std::fmt::{self, Write};

use shiftproof_search::event::GroupOutcome;

use super::{BaselineScores, score_as, worst};
use crate::wording::table::{TextColumn, TextTable};

/// One line per method: its score of each group by this metric, the worst target
/// group last.
pub(crate) fn write(metric: &str, baselines: &[BaselineScores], out: &mut String) -> fmt::Result {
    let score = |group: &GroupOutcome| score_as(metric, group);
    let Some(first) = baselines.first() else {
        return Ok(());
    };
    let scores = std::iter::repeat_n(TextColumn::right().at_least(15), first.groups.len() + 1);
    let mut table = TextTable::new([TextColumn::left().at_least(13)].into_iter().chain(scores));
    let names = first.groups.iter().map(|group| group.group.as_str());
    table.row(
        ["without model"]
            .into_iter()
            .chain(names)
            .chain(["worst target"]),
    );
    for row in baselines {
        let mut cells = vec![row.name.clone()];
        cells.extend(first.groups.iter().map(|group| {
            let own = row.groups.iter().find(|own| own.group == group.group);
            own.map_or_else(|| "-".to_owned(), &score)
        }));
        cells.push(worst(&row.groups).map_or_else(|| "-".to_owned(), &score));
        table.row(cells);
    }
    write!(out, "\n{}", table.text())?;
    Ok(())
}
