//! `RecBole` atomic files: tab-separated, the header's names carry types
//! (`rating:float`, `genre:token_seq`). A sequence of items in an `.inter` file,
//! as `LLMRank` publishes them, becomes the events before the row's own item.

use shiftproof_tasks::diagnostic::{DataProblem, DataProblems, SourceLocation};
use shiftproof_tasks::suggest;

use super::lines::{each, id, rating, time, unknown_file};
use super::{InteractionsBuilder, NamedFile};
use crate::title_columns;

pub(super) fn read(
    files: Vec<NamedFile<'_>>,
    builder: &mut InteractionsBuilder,
    problems: &mut DataProblems,
) {
    for file in files {
        let kind = file.base().rsplit('.').next().unwrap_or_default();
        match kind {
            "inter" => rows(file, problems, |row| event(&row, builder)),
            "item" => rows(file, problems, |row| item(&row, builder)),
            "user" => rows(file, problems, |row| user(&row, builder)),
            _ => problems.push(unknown_file(&file.name, ".inter, .item and .user files")),
        }
    }
}

/// One column of the header.
struct HeaderColumn {
    name: String,
    kind: HeaderKind,
}

#[derive(Clone, Copy, PartialEq)]
enum HeaderKind {
    Token,
    Tokens,
    Number,
    Numbers,
}

struct AtomicRow<'a> {
    place: &'a SourceLocation,
    columns: &'a [HeaderColumn],
    values: Vec<&'a str>,
}

impl AtomicRow<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let at = self.columns.iter().position(|column| column.name == name)?;
        Some(self.values[at])
    }

    fn need(&self, name: &str) -> Result<&str, DataProblem> {
        let value = self.get(name).ok_or_else(|| {
            let names = self.columns.iter().map(|column| column.name.as_str());
            DataProblem::new(self.place, format!("the header names no {name}"))
                .help(suggest::instead(name, "columns", names))
        })?;
        id(self.place, name, value)
    }
}

fn rows(
    file: NamedFile<'_>,
    problems: &mut DataProblems,
    mut take: impl FnMut(AtomicRow<'_>) -> Result<(), DataProblem>,
) {
    let mut header: Option<Vec<HeaderColumn>> = None;
    // A wrong header would repeat itself on every line.
    let mut spoilt = false;
    each(file, problems, |place, line| {
        if spoilt {
            return Ok(());
        }
        let Some(columns) = &header else {
            spoilt = true;
            let columns: Result<Vec<HeaderColumn>, DataProblem> =
                line.split('\t').map(|text| column(place, text)).collect();
            header = Some(columns?);
            spoilt = false;
            return Ok(());
        };
        let values: Vec<_> = line.split('\t').collect();
        if values.len() != columns.len() {
            let what = format!("{} values for {} columns", values.len(), columns.len());
            return Err(DataProblem::new(place, what).help("values are separated by one tab each"));
        }
        take(AtomicRow {
            place,
            columns,
            values,
        })
    });
}

fn column(place: &SourceLocation, text: &str) -> Result<HeaderColumn, DataProblem> {
    let (name, kind) = text.rsplit_once(':').unwrap_or((text, ""));
    let kind = match kind {
        "token" => HeaderKind::Token,
        "token_seq" => HeaderKind::Tokens,
        "float" => HeaderKind::Number,
        "float_seq" => HeaderKind::Numbers,
        _ => {
            return Err(
                DataProblem::new(place, format!("the column {text:?} has no type")).help(
                    "write NAME:token, NAME:token_seq, NAME:float or NAME:float_seq in the header",
                ),
            );
        }
    };
    Ok(HeaderColumn {
        name: name.to_owned(),
        kind,
    })
}

fn event(row: &AtomicRow<'_>, builder: &mut InteractionsBuilder) -> Result<(), DataProblem> {
    let user = builder.user(row.need("user_id")?);
    let target = builder.item(row.need("item_id")?);
    let stars = row.get("rating").or_else(|| row.get("label"));
    let stars = rating(row.place, stars.unwrap_or_default())?;
    let at = time(row.place, row.get("timestamp").unwrap_or_default())?;
    if let Some(before) = row.get("item_id_list") {
        for earlier in before.split_whitespace() {
            let earlier = builder.item(earlier);
            builder.event(row.place, (user, earlier), None, None);
        }
    }
    builder.event(row.place, (user, target), stars, at);
    Ok(())
}

fn item(row: &AtomicRow<'_>, builder: &mut InteractionsBuilder) -> Result<(), DataProblem> {
    let item = builder.item(row.need("item_id")?);
    let names = || row.columns.iter().map(|column| column.name.as_str());
    let title = title_columns::column(names());
    builder.columns(names());
    for (column, value) in row.columns.iter().zip(&row.values) {
        match column.name.as_str() {
            "item_id" => {}
            name if title == Some(name) => builder.title(item, value),
            name => {
                let name = match name {
                    "release_year" => "year",
                    "class" | "genre" => "genres",
                    "categories" => "category",
                    other => other,
                };
                // A title is a sequence of words, any other one a list.
                if matches!(column.kind, HeaderKind::Tokens | HeaderKind::Numbers) {
                    let list: Vec<_> = value.split_whitespace().collect();
                    builder.item_attribute(item, name, &list.join(", "));
                } else {
                    builder.item_attribute(item, name, value);
                }
            }
        }
    }
    Ok(())
}

fn user(row: &AtomicRow<'_>, builder: &mut InteractionsBuilder) -> Result<(), DataProblem> {
    let user = builder.user(row.need("user_id")?);
    for (column, value) in row.columns.iter().zip(&row.values) {
        // A postcode tells a model little and finds a person.
        if !matches!(column.name.as_str(), "user_id" | "zip_code") {
            builder.user_attribute(user, &column.name, value);
        }
    }
    Ok(())
}
