//! Methods without a language model, as rows of text.

use std::fmt::{self, Write};

use shiftproof_search::event::GroupScore;

use super::{BaselineScores, score_as, worst};

/// One line per method: its score of each group by this metric, the worst target
/// group last.
pub(crate) fn write(metric: &str, baselines: &[BaselineScores], out: &mut String) -> fmt::Result {
    let score = |group: &GroupScore| score_as(metric, group);
    let Some(first) = baselines.first() else {
        return Ok(());
    };
    let width = baselines
        .iter()
        .map(|row| row.name.chars().count())
        .max()
        .unwrap_or(0)
        .max(13);
    let wide = |name: &str| name.chars().count().max(15);
    write!(out, "\n{:width$}", "without model")?;
    for group in &first.groups {
        let name = &group.group;
        write!(out, "  {name:>wide$}", wide = wide(name))?;
    }
    writeln!(out, "  {:>15}", "worst target")?;
    for row in baselines {
        write!(out, "{:width$}", row.name)?;
        for group in &first.groups {
            let own = row.groups.iter().find(|own| own.group == group.group);
            let text = own.map_or_else(|| "-".to_owned(), &score);
            write!(out, "  {text:>wide$}", wide = wide(&group.group))?;
        }
        let worst = worst(&row.groups).map_or_else(|| "-".to_owned(), &score);
        writeln!(out, "  {worst:>15}")?;
    }
    Ok(())
}
