//! Scores and failures on the terminal.

use std::fmt::Write as _;

use shiftproof_search::event::GroupOutcome;

use super::answers::{AnswerRow, SampleSpread, failures};
use super::{EvalTable, PromptScores, fair, places};
use crate::commands::score;
use crate::report::{estimated, grouped, score_as, spread_as, worst, write_baselines};
use crate::wording::shown::{line, visible};
use crate::wording::table::{TextColumn, TextTable};
use crate::wording::unusable;
use crate::wording::word_diff::flat;

/// Groups that the table of all prompts has columns for.
const COLUMNS: usize = 5;

/// Everything; `most`: failures of each prompt that are shown.
pub(super) fn text(table: &EvalTable, most: Option<u32>) -> String {
    let mut out = format!("{} · {}", table.study, table.metric);
    if !table.has_several_models() {
        let _ = write!(out, " · {}", table.model);
    }
    let _ = writeln!(out, " · {}", table.split.name());
    for (index, row) in table.prompts.iter().enumerate() {
        let name = table.heading(index);
        let _ = writeln!(out, "{name}: {}", visible(&flat(&row.prompt)));
        write_groups(table, row, &mut out);
        for told in unusable::examples(&row.unusable) {
            let _ = writeln!(out, "    {told}");
        }
        write_parts(row, &mut out);
        if let Some(spread) = spread_as(&table.metric, &row.groups) {
            let _ = writeln!(out, "  spread over groups {spread}");
        }
        for spread in &row.repeated {
            let _ = writeln!(out, "  {}", repeated(&table.metric, spread));
        }
    }
    write_comparison(table, &mut out);
    let _ = write_baselines(&table.metric, &table.baselines, &mut out);
    places::write(table, &mut out);
    fair::write(table, &mut out);
    if let Some(most) = most {
        for index in 0..table.prompts.len() {
            write_failures(table, index, most as usize, &mut out);
        }
    }
    for note in &table.notes {
        let _ = writeln!(out, "Note: {}", visible(note));
    }
    let _ = writeln!(
        out,
        "Spent {} calls, {} tokens: {}. Brackets: 95% intervals.",
        grouped(table.spent.calls),
        grouped(table.spent.tokens()),
        score::origin(table.spent, table.sent)
    );
    if let Some(told) = estimated(&table.spent) {
        let _ = writeln!(out, "{told}");
    }
    out
}

fn write_groups(table: &EvalTable, row: &PromptScores, out: &mut String) {
    let worst = worst(&row.groups).map(|group| group.group.clone());
    let mut groups = TextTable::new([
        TextColumn::left().at_least(12),
        TextColumn::right().at_least(15).after(1),
        TextColumn::left(),
        TextColumn::left(),
    ])
    .indented(2);
    for group in &row.groups {
        let mut remark = group.role.to_string();
        if Some(&group.group) == worst.as_ref() {
            remark.push_str(", worst");
        }
        remark.push_str(&unusable::counts(group));
        groups.row([
            group.group.clone(),
            score_as(&table.metric, group),
            format!("n {:>4}", group.n),
            remark,
        ]);
    }
    out.push_str(&groups.text());
}

/// The fields' scores, the lowest first.
fn write_parts(row: &PromptScores, out: &mut String) {
    if row.parts.is_empty() {
        return;
    }
    let told: Vec<String> = row
        .parts
        .iter()
        .map(|part| format!("{} {:.1}", line(&part.name), part.score * 100.0))
        .collect();
    let _ = writeln!(out, "  by field: {}", told.join(" · "));
}

/// "films over 3 samples: 80.1 ± 1.2 (78.9 to 81.5), 4 of 60 answers differ"; errors in the
/// unit of the labels.
fn repeated(metric: &str, spread: &SampleSpread) -> String {
    let error = |value: f64| {
        metric
            .parse::<shiftproof_tasks::Metric>()
            .ok()?
            .error(value)
    };
    let shown = |value: f64| match error(value) {
        Some(error) => format!("{error:.3}"),
        None => format!("{:.1}", value * 100.0),
    };
    let (low, high) = match error(spread.mean) {
        Some(_) => (spread.highest, spread.lowest),
        None => (spread.lowest, spread.highest),
    };
    let deviation = match error(spread.mean) {
        // Of the error e = 1/s − 1 by its slope, 1/s².
        Some(_) => format!("{:.3}", spread.deviation / spread.mean.powi(2)),
        None => format!("{:.1}", spread.deviation * 100.0),
    };
    format!(
        "{} over {} samples: {} ± {deviation} ({} to {}), {} of {} answers differ",
        line(&spread.group),
        spread.samples,
        shown(spread.mean),
        shown(low),
        shown(high),
        spread.differing,
        spread.examples
    )
}

/// All prompts and models in one table, where there are several.
fn write_comparison(table: &EvalTable, out: &mut String) {
    if table.prompts.len() < 2 {
        return;
    }
    let mut names: Vec<&str> = Vec::new();
    for group in table.prompts.iter().flat_map(|row| &row.groups) {
        if !names.contains(&group.group.as_str()) {
            names.push(&group.group);
        }
    }
    if names.len() > COLUMNS {
        names.clear();
    }
    let value = |group: &GroupOutcome| score_as(&table.metric, group);
    let mut columns = vec![TextColumn::left(), TextColumn::left()];
    columns.extend(names.iter().map(|_| TextColumn::right().at_most(24)));
    columns.push(TextColumn::left());
    let mut grid = TextTable::new(columns).indented(2);
    let head = ["prompt".to_owned(), "model".to_owned()].into_iter();
    let head = head.chain(names.iter().map(|name| (*name).to_owned()));
    grid.row(head.chain(["worst".to_owned()]));
    for row in &table.prompts {
        let name = if row.is_seed { "seed " } else { "" };
        let variant = row.variant.iter().map(|told| format!(" · {told}"));
        let name = format!("{name}{:#}{}", row.prompt.id(), variant.collect::<String>());
        let mut cells = vec![name, row.model.clone()];
        cells.extend(names.iter().map(|name| {
            let own = row.groups.iter().find(|group| group.group == *name);
            own.map_or_else(|| "–".to_owned(), value)
        }));
        cells.push(worst(&row.groups).map_or_else(
            || "–".to_owned(),
            |group| format!("{} {}", value(group), group.group),
        ));
        grid.row(cells);
    }
    out.push_str("all prompts\n");
    out.push_str(&grid.text());
}

/// Examples that are not right, of the weakest group first.
fn write_failures(table: &EvalTable, index: usize, most: usize, out: &mut String) {
    let row = &table.prompts[index];
    let failing = failures(&row.answers, &row.groups);
    let asked = row.answers.iter().filter(|row| row.score.is_some()).count();
    if failing.is_empty() {
        let _ = writeln!(
            out,
            "\n{}: no failure in {asked} answers",
            table.heading(index)
        );
        return;
    }
    let _ = writeln!(
        out,
        "\n{}: {} of {} answers are not right, weakest group first",
        table.heading(index),
        failing.len(),
        row.answers.len()
    );
    let several = row.answers.iter().any(|row| row.sample > 1);
    for failure in failing.iter().take(most) {
        write_failure(failure, several, out);
    }
    if failing.len() > most {
        let _ = writeln!(
            out,
            "  … and {} more: --failures={}, or all of them with -o answers.csv",
            failing.len() - most,
            failing.len()
        );
    }
}

fn write_failure(row: &AnswerRow, several: bool, out: &mut String) {
    let failing = row.failing(false);
    let _ = write!(
        out,
        "  {} · {} · {}",
        line(&row.example.id),
        line(&row.example.group),
        failing.state_told()
    );
    if several {
        let _ = write!(out, " · sample {}", row.sample);
    }
    out.push('\n');
    for (name, text) in failing.told() {
        let _ = writeln!(out, "    {name:<7} {}", line(&text));
    }
}
