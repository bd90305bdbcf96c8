//! The comparison as text for a terminal.

use std::fmt::Write as _;

use super::rows::MethodRow;
use super::study::StudyComparison;
use super::told::{AUDIT_USED, BELOW_SEED, HOW_TO_READ, MethodComparison};
use crate::report::compare::SeedSpread;
use crate::report::{difference, grouped, machine};
use crate::wording::shown::visible;
use crate::wording::table::{TextColumn, TextTable};

/// Every study's tables.
pub(super) fn report(comparison: &MethodComparison) -> String {
    let mut out = String::new();
    for study in &comparison.studies {
        write_head(&mut out, study);
        if study.has_scores() {
            out.push_str(&scores(study));
            out.push('\n');
            out.push_str(&costs(study));
            let told = study.best_others().into_iter().chain(study.level_told());
            for sentence in told {
                let _ = writeln!(out, "{sentence}");
            }
        }
        write_rest(&mut out, study);
    }
    if comparison.has_scores() {
        let _ = writeln!(out, "{HOW_TO_READ} {BELOW_SEED}\n{AUDIT_USED}");
    }
    out
}

/// The paper's table of every study: Top 1 and ensemble by group.
pub(super) fn paper(comparison: &MethodComparison) -> String {
    let mut out = String::new();
    for study in &comparison.studies {
        write_head(&mut out, study);
        let columns = std::iter::repeat_n(TextColumn::right(), 2 * study.groups.len());
        let mut table = TextTable::new(std::iter::once(TextColumn::left()).chain(columns));
        let heads = study
            .groups
            .iter()
            .flat_map(|(group, role)| [group.clone(), role.to_string()]);
        table.row(std::iter::once(String::new()).chain(heads));
        let kinds = study.groups.iter().flat_map(|_| ["Top 1", "Ensemble"]);
        table.row(std::iter::once("method").chain(kinds));
        for row in &study.by_group {
            let cells = row.top.iter().zip(&row.ensemble);
            let cells = cells.flat_map(|(top, ensemble)| [points(*top), points(*ensemble)]);
            table.row(std::iter::once(row.method.clone()).chain(cells));
        }
        out.push_str(&table.text());
        write_rest(&mut out, study);
    }
    out.push_str(
        "Points of a hundred on the sealed audit, means over random seeds ± standard deviation. \
         Top 1: the selected prompt; Ensemble: the finalists' vote.\n",
    );
    out
}

fn write_head(out: &mut String, study: &StudyComparison) {
    let mut head = vec![study.study.clone()];
    head.extend(study.metric.clone());
    head.extend(study.task_model.as_deref().map(machine));
    head.push(format!("{} a cell", study.limits));
    let _ = writeln!(out, "{}\n", visible(&head.join(" · ")));
}

/// Cautions, and the cells that are not in the table.
fn write_rest(out: &mut String, study: &StudyComparison) {
    for caution in &study.cautions {
        let _ = writeln!(out, "Caution: {}", visible(caution));
    }
    for cell in study.missing() {
        let told = format!(
            "{}, random seed {}: {}",
            cell.method,
            cell.seed,
            cell.told()
        );
        let _ = writeln!(out, "  {}", visible(&told));
    }
    out.push('\n');
}

fn scores(study: &StudyComparison) -> String {
    let figures = std::iter::repeat_n(TextColumn::right(), 6);
    let mut table = TextTable::new(std::iter::once(TextColumn::left()).chain(figures));
    let worst = study.worst_name;
    table.row([
        "method",
        "runs",
        study.mean_name(),
        worst,
        &format!("{worst} − seed"),
        "− best other",
        "below seed",
    ]);
    table.row([
        "seed prompt".to_owned(),
        "–".to_owned(),
        steady(study.seed_mean),
        steady(study.seed_worst),
    ]);
    for row in &study.rows {
        table.row(score_cells(row));
    }
    table.text()
}

/// A method's scores: name, runs, mean, worst group, differences, runs below the seed.
pub(super) fn score_cells(row: &MethodRow) -> [String; 7] {
    let worst = |scores: Option<&super::rows::PairedScores>| {
        scores.map_or_else(|| "–".to_owned(), |scores| difference(&scores.worst))
    };
    [
        row.method.clone(),
        format!("{}/{}", row.finished, row.planned),
        points(row.mean),
        points(row.worst),
        worst(row.over_seed.as_ref()),
        worst(row.over_other.as_ref().map(|other| &other.scores)),
        below(row),
    ]
}

/// Runs below the seed prompt on the mean, and on any target group.
fn below(row: &MethodRow) -> String {
    if row.finished == 0 {
        return "–".to_owned();
    }
    let below = row.below_seed;
    let finished = row.finished;
    format!("{}/{finished} ({}/{finished})", below.mean, below.any_group)
}

fn costs(study: &StudyComparison) -> String {
    let figures = std::iter::repeat_n(TextColumn::right(), 4);
    let mut table = TextTable::new(std::iter::once(TextColumn::left()).chain(figures));
    table.row(["method", "calls", "tokens", "money", "calls to the level"]);
    for row in &study.rows {
        table.row(cost_cells(row));
    }
    table.text()
}

/// A method's costs: name, calls, tokens, money, calls to the level.
pub(super) fn cost_cells(row: &MethodRow) -> [String; 5] {
    let count = |spread: Option<SeedSpread>| {
        spread.map_or_else(
            || "–".to_owned(),
            |spread| grouped(spread.mean.round() as u64),
        )
    };
    let money = match row.usd {
        Some(usd) if usd.max > 0.0 => format!("${:.4}", usd.mean),
        None if row.finished > 0 => "price unknown".to_owned(),
        _ => "–".to_owned(),
    };
    let level = row.level.as_ref().filter(|_| row.finished > 0);
    let level = level.map_or_else(
        || "–".to_owned(),
        |level| {
            let reached = format!("{}/{} runs", level.runs, row.finished);
            match level.calls {
                Some(calls) => format!("{} ({reached})", grouped(calls.mean.round() as u64)),
                None => format!("not reached ({reached})"),
            }
        },
    );
    [
        row.method.clone(),
        count(row.calls),
        count(row.tokens),
        money,
        level,
    ]
}

/// The seed prompt's mean over random seeds, which are mostly all the same.
pub(super) fn steady(spread: Option<SeedSpread>) -> String {
    match spread {
        Some(spread) if spread.max - spread.min < 1e-9 => format!("{:.1}", spread.mean * 100.0),
        _ => points(spread),
    }
}

/// A mean over seeds in points.
pub(super) fn points(spread: Option<SeedSpread>) -> String {
    spread.map_or_else(|| "–".to_owned(), |spread| spread.points(false))
}
