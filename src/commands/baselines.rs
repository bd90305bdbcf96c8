use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;
use shiftproof_tasks::rec::{Baseline, Measures};

use super::{fetch_progress, print, to_json};
use crate::cli::Baselines;
use crate::exit::{Exit, Failure};
use crate::kinds::Kinds;
use crate::study::{Study, load_interactions};

/// One baseline over all examples and by group.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    all: Measures,
    groups: BTreeMap<String, Measures>,
}

/// Scores baselines on every example of a study, roles aside; no model. The task
/// is made only for the groups that its phrasings form.
pub(super) fn run(args: &Baselines, kinds: &Kinds) -> Result<Exit, Failure> {
    let study = Study::read(&args.study)?;
    let folder = args.study.parent().unwrap_or_else(|| "".as_ref());
    let mut progress = fetch_progress(false);
    let Some(mut prepared) = load_interactions(&study.data, folder, &mut progress)? else {
        return Err(Failure::usage(format!(
            "{}: baselines need interactions, see [data.interactions]",
            args.study.display()
        )));
    };
    let catalogue = prepared.catalogue.as_ref();
    if let Some(phrasings) = kinds.phrasings(&study.task, &study.name, &args.study, catalogue)? {
        phrasings.deal(&mut prepared.examples)?;
    }
    let examples = &prepared.examples;
    let row = |baseline: &Baseline| Row {
        name: baseline.name.clone(),
        all: baseline.measure(examples),
        groups: baseline.by_group(examples),
    };
    let rows: Vec<Row> = prepared.baselines.iter().map(row).collect();
    if args.json {
        print(&to_json(&rows)?)?;
    } else {
        print(&text(&rows))?;
    }
    Ok(Exit::Done)
}

fn text(rows: &[Row]) -> String {
    let groups: BTreeSet<&String> = rows.iter().flat_map(|row| row.groups.keys()).collect();
    let measure = rows.iter().find_map(|row| row.all.first());
    let width = rows
        .iter()
        .map(|row| row.name.len())
        .max()
        .unwrap_or(0)
        .max(8);
    let wide = |name: &str| name.chars().count().max(7);
    let mut out = format!(
        "{:width$}  {:>7}",
        measure.map_or("baseline", |(name, _)| name),
        "all"
    );
    for group in &groups {
        let _ = write!(out, "  {group:>wide$}", wide = wide(group));
    }
    out.push('\n');
    let mut line = |name: &str, value: &dyn Fn(&Measures) -> String, row: &Row| {
        let _ = write!(out, "{name:width$}  {:>7}", value(&row.all));
        for group in &groups {
            let value = row.groups.get(*group).map_or_else(|| "-".to_owned(), value);
            let _ = write!(out, "  {value:>wide$}", wide = wide(group));
        }
        out.push('\n');
    };
    if let Some(row) = rows.first() {
        line("examples", &|measures| measures.n.to_string(), row);
    }
    for row in rows {
        let first = |measures: &Measures| {
            let value = measures.first().map(|(_, value)| format!("{value:.3}"));
            value.unwrap_or_else(|| "-".to_owned())
        };
        line(&row.name, &first, row);
    }
    out
}
