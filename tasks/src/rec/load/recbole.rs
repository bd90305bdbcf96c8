//! `RecBole` atomic files: tab-separated, the header's names carry types
//! (`rating:float`, `genre:token_seq`). A sequence of items in an `.inter` file,
//! as `LLMRank` publishes them, becomes the events before the row's own item.

use super::lines::{each, id, rating, time, unknown_file};
use super::{Builder, Named, titles};
use crate::problem::{Place, Problem, Problems};
use crate::suggest;

pub(super) fn read(files: Vec<Named<'_>>, builder: &mut Builder, problems: &mut Problems) {
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
struct Column {
    name: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Token,
    Tokens,
    Number,
    Numbers,
}

struct Row<'a> {
    place: &'a Place,
    columns: &'a [Column],
    values: Vec<&'a str>,
}

impl Row<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let at = self.columns.iter().position(|column| column.name == name)?;
        Some(self.values[at])
    }

    fn need(&self, name: &str) -> Result<&str, Problem> {
        let value = self.get(name).ok_or_else(|| {
            let names = self.columns.iter().map(|column| column.name.as_str());
            Problem::new(self.place, format!("the header names no {name}"))
                .mend(suggest::instead(name, "columns", names))
        })?;
        id(self.place, name, value)
    }
}

fn rows(
    file: Named<'_>,
    problems: &mut Problems,
    mut take: impl FnMut(Row<'_>) -> Result<(), Problem>,
) {
    let mut header: Option<Vec<Column>> = None;
    // A wrong header would repeat itself on every line.
    let mut spoilt = false;
    each(file, problems, |place, line| {
        if spoilt {
            return Ok(());
        }
        let Some(columns) = &header else {
            spoilt = true;
            let columns: Result<Vec<Column>, Problem> =
                line.split('\t').map(|text| column(place, text)).collect();
            header = Some(columns?);
            spoilt = false;
            return Ok(());
        };
        let values: Vec<_> = line.split('\t').collect();
        if values.len() != columns.len() {
            let what = format!("{} values for {} columns", values.len(), columns.len());
            return Err(Problem::new(place, what).mend("values are separated by one tab each"));
        }
        take(Row {
            place,
            columns,
            values,
        })
    });
}

fn column(place: &Place, text: &str) -> Result<Column, Problem> {
    let (name, kind) = text.rsplit_once(':').unwrap_or((text, ""));
    let kind = match kind {
        "token" => Kind::Token,
        "token_seq" => Kind::Tokens,
        "float" => Kind::Number,
        "float_seq" => Kind::Numbers,
        _ => {
            return Err(
                Problem::new(place, format!("the column {text:?} has no type")).mend(
                    "write NAME:token, NAME:token_seq, NAME:float or NAME:float_seq in the header",
                ),
            );
        }
    };
    Ok(Column {
        name: name.to_owned(),
        kind,
    })
}

fn event(row: &Row<'_>, builder: &mut Builder) -> Result<(), Problem> {
    let user = builder.user(row.need("user_id")?);
    let target = builder.item(row.need("item_id")?);
    let stars = row.get("rating").or_else(|| row.get("label"));
    let stars = rating(row.place, stars.unwrap_or_default())?;
    let at = time(row.place, row.get("timestamp").unwrap_or_default())?;
    if let Some(before) = row.get("item_id_list") {
        for earlier in before.split_whitespace() {
            let earlier = builder.item(earlier);
            builder.event(user, earlier, None, None);
        }
    }
    builder.event(user, target, stars, at);
    Ok(())
}

fn item(row: &Row<'_>, builder: &mut Builder) -> Result<(), Problem> {
    let item = builder.item(row.need("item_id")?);
    let names = || row.columns.iter().map(|column| column.name.as_str());
    let title = titles::column(names());
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
                if matches!(column.kind, Kind::Tokens | Kind::Numbers) {
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

fn user(row: &Row<'_>, builder: &mut Builder) -> Result<(), Problem> {
    let user = builder.user(row.need("user_id")?);
    for (column, value) in row.columns.iter().zip(&row.values) {
        // A postcode tells a model little and finds a person.
        if !matches!(column.name.as_str(), "user_id" | "zip_code") {
            builder.user_attribute(user, &column.name, value);
        }
    }
    Ok(())
}
