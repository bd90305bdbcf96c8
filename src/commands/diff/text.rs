//! Two prompts side by side, for a terminal.

use std::fmt::Write as _;

use super::{AUDIT, DiffSide, ShownDiff};
use crate::report::score as interval;
use crate::study::DifferingKey;
use crate::wording::shown::visible;
use crate::wording::table::{TextColumn, TextTable};
use crate::wording::word_diff::marked;

pub(super) fn text(shown: &ShownDiff, colour: bool) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, shown, colour);
    out
}

fn write(out: &mut String, shown: &ShownDiff, colour: bool) -> std::fmt::Result {
    let (a, b) = (&shown.a, &shown.b);
    let paint = |code: &str, text: String| {
        if colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text
        }
    };
    writeln!(
        out,
        "{}",
        paint("31", format!("a {:#}  {}", a.id, visible(&a.origin)))
    )?;
    writeln!(
        out,
        "{}",
        paint("32", format!("b {:#}  {}", b.id, visible(&b.origin)))
    )?;
    if a.id == b.id {
        writeln!(out, "\nThe same prompt:")?;
    }
    writeln!(out, "\n{}", marked(&shown.pieces, colour))?;
    if a.groups.is_empty() && b.groups.is_empty() {
        return Ok(());
    }
    let mut names: Vec<&str> = Vec::new();
    for group in a.groups.iter().chain(&b.groups) {
        if !names.contains(&group.group.as_str()) {
            names.push(&group.group);
        }
    }
    let figures = [15, 15, 17].map(|least| TextColumn::right().at_least(least));
    let mut table = TextTable::new([TextColumn::left().at_least(12)].into_iter().chain(figures));
    table.row(["group", "a", "b", "b − a"]);
    for name in names {
        let of = |side: &DiffSide| {
            let found = side.groups.iter().find(|group| group.group == name);
            found.map_or_else(|| "-".into(), interval)
        };
        let difference = shown
            .differences
            .iter()
            .find(|row| row.group == name)
            .map_or_else(
                || "-".into(),
                |row| {
                    format!(
                        "{:+.1} [{:+.0}, {:+.0}]",
                        row.value * 100.0,
                        row.low * 100.0,
                        row.high * 100.0
                    )
                },
            );
        table.row([name.to_owned(), of(a), of(b), difference]);
    }
    write!(out, "\n{}", table.text())?;
    writeln!(out, "Brackets: 95% intervals.")?;
    for (name, side) in [("a", a), ("b", b)] {
        if let Some(on) = &side.scored_on {
            writeln!(out, "{name} was scored on {on}.")?;
        }
    }
    if shown.differences.is_empty() && a.scored_on != b.scored_on {
        writeln!(out, "{}", apart(shown))?;
    }
    Ok(())
}

/// Why the scores of two runs are not held against each other.
fn apart(shown: &ShownDiff) -> String {
    const ELSE: &str = "they are no comparison. Use --study for one.";
    let known = shown.a.study.is_some() && shown.b.study.is_some();
    let audited = [&shown.a, &shown.b].iter().all(|side| {
        let on = side.scored_on.as_deref();
        on.is_some_and(|on| on.starts_with(AUDIT))
    });
    if !known || !audited {
        return format!("The scores are of different examples: {ELSE}");
    }
    let list = |of: &dyn Fn(&&DifferingKey) -> bool| {
        let keys = shown.studies.iter().filter(of).map(ToString::to_string);
        keys.collect::<Vec<_>>().join(", ")
    };
    let (moving, all) = (list(&|key| key.moves_examples()), list(&|_| true));
    if moving.is_empty() {
        let differ = if all.is_empty() {
            "The studies of both runs are alike".to_owned()
        } else {
            format!("The studies of the runs differ in {all}, none of which moves an example")
        };
        return format!(
            "{differ}: unless the data changed in between, both were scored on the same sealed \
             examples. Use --study for paired differences."
        );
    }
    format!(
        "The studies of the runs differ in {all}. The scores may be of different examples, for \
         that follows from {moving}: {ELSE}"
    )
}
