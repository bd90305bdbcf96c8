//! Events as rows of a table, with whatever the same row tells about user and
//! item.

use std::collections::HashMap;

use shiftproof_tasks::diagnostic::{DataProblem, DataProblems};
use shiftproof_tasks::{DataTable, FileFormat, TableRow, suggest};

use super::lines::{id, rating, time};
use super::{InteractionsBuilder, NamedFile, RecSpec};
use crate::title_columns;

const ROLES: [&str; 5] = ["user", "item", "rating", "time", "title"];

pub(super) fn read(
    files: Vec<NamedFile<'_>>,
    spec: &RecSpec,
    builder: &mut InteractionsBuilder,
    problems: &mut DataProblems,
) {
    let key = "data.interactions.columns";
    for role in spec.columns.keys() {
        if !ROLES.contains(&role.as_str()) {
            problems.push(
                DataProblem::new(key, format!("{role:?} is no part of an event"))
                    .help(suggest::instead(role, "parts", ROLES)),
            );
        }
    }
    for file in files {
        let Some(format) = FileFormat::of(&file.name) else {
            problems.push(
                DataProblem::new(&file.name, "the extension tells no known format")
                    .help("use .jsonl, .csv or .tsv, or name data.interactions.format"),
            );
            continue;
        };
        let table = match DataTable::parse(&file.name, format, file.reader) {
            Ok(table) => table,
            Err(error) => {
                problems.extend(error);
                continue;
            }
        };
        let columns = table.columns();
        let mut missing = false;
        let attributes = spec.user_attributes.iter().chain(&spec.item_attributes);
        for name in ["user", "item"]
            .map(|role| column(spec, role))
            .into_iter()
            .chain(spec.columns.values().map(String::as_str))
            .chain(attributes.map(String::as_str))
        {
            if !columns.contains(name) {
                missing = true;
                problems.push(
                    DataProblem::new(&file.name, format!("there is no column {name:?}"))
                        .help(suggest::instead(name, "columns", columns.iter().copied())),
                );
            }
        }
        if missing {
            continue;
        }
        builder.columns(columns.iter().copied());
        let title = title_column(spec, &table);
        for row in &table.rows {
            if let Err(problem) = event(row, spec, title, builder) {
                problems.push(problem);
            }
        }
    }
}

fn column<'s>(spec: &'s RecSpec, role: &'s str) -> &'s str {
    spec.columns.get(role).map_or(role, String::as_str)
}

/// The column of the titles: the one that the study names or that is called
/// `title`, else one with another usual name that says the same of an item on all
/// of its rows, as the name of a user or a shop would not.
fn title_column<'t>(spec: &'t RecSpec, table: &'t DataTable) -> Option<&'t str> {
    let columns = table.columns();
    let named = column(spec, "title");
    if columns.contains(named) {
        return Some(named);
    }
    let attributes = || spec.user_attributes.iter().chain(&spec.item_attributes);
    let free = columns.into_iter().filter(|name| {
        !spec.columns.values().any(|taken| taken == name)
            && !attributes().any(|taken| taken == name)
    });
    let found = title_columns::column(free)?;
    let mut known: HashMap<&str, &str> = HashMap::new();
    let get = |row: &'t TableRow, name: &str| row.values.get(name).unwrap_or_default().trim();
    let says_the_same = table.rows.iter().all(|row| {
        let (item, title) = (get(row, column(spec, "item")), get(row, found));
        title.is_empty() || *known.entry(item).or_insert(title) == title
    });
    says_the_same.then_some(found)
}

fn event(
    row: &TableRow,
    spec: &RecSpec,
    title: Option<&str>,
    builder: &mut InteractionsBuilder,
) -> Result<(), DataProblem> {
    let place = row.place();
    let get = |role| {
        let value = row.values.get(column(spec, role));
        value.unwrap_or_default()
    };
    let user_id = id(&place, column(spec, "user"), get("user"))?;
    let item_id = id(&place, column(spec, "item"), get("item"))?;
    let stars = rating(&place, get("rating"))?;
    let at = time(&place, get("time"))?;
    let (user, item) = (builder.user(user_id), builder.item(item_id));
    let title = title.and_then(|name| row.values.get(name));
    builder.title(item, title.unwrap_or_default());
    for name in &spec.user_attributes {
        builder.user_attribute(user, name, row.values.get(name).unwrap_or_default());
    }
    for name in &spec.item_attributes {
        builder.item_attribute(item, name, row.values.get(name).unwrap_or_default());
    }
    builder.event(&place, (user, item), stars, at);
    Ok(())
}
