//! Sequences without times, as models of sequences are trained on: `SASRec`'s (Kang and
//! `McAuley`, ICDM 2018), a user and an item a line, and `OpenP5`'s (Xu et al., SIGIR 2024), a
//! user and all its items a line; oldest first. Titles are in a file of texts beside them.

use shiftproof_tasks::diagnostic::{DataProblem, DataProblems, SourceLocation};

use super::lines::each;
use super::{InteractionsBuilder, NamedFile};
use crate::FileLayout;

/// The end of the name of a file of texts: an item and its text a line.
const TEXTS: &str = "item_plain_text.txt";

pub(super) fn read(
    files: Vec<NamedFile<'_>>,
    layout: FileLayout,
    builder: &mut InteractionsBuilder,
    problems: &mut DataProblems,
) {
    for file in files {
        if file.base().ends_with(TEXTS) {
            each(file, problems, |place, line| text(place, line, builder));
        } else if layout == FileLayout::Sasrec {
            each(file, problems, |place, line| pair(place, line, builder));
        } else {
            each(file, problems, |place, line| sequence(place, line, builder));
        }
    }
}

fn pair(
    place: &SourceLocation,
    line: &str,
    builder: &mut InteractionsBuilder,
) -> Result<(), DataProblem> {
    let values: Vec<&str> = line.split_whitespace().collect();
    let &[user, item] = values.as_slice() else {
        return Err(
            DataProblem::new(place, format!("{} values, not two", values.len())).help(
                "a line is a user and an item, oldest first; a user with all its items a line is \
                 format = \"openp5\"",
            ),
        );
    };
    let pair = (builder.user(user), builder.item(item));
    builder.event(place, pair, None, None);
    Ok(())
}

fn sequence(
    place: &SourceLocation,
    line: &str,
    builder: &mut InteractionsBuilder,
) -> Result<(), DataProblem> {
    let mut values = line.split_whitespace();
    let user = values.next().map(|user| builder.user(user));
    let mut items = values.peekable();
    let (Some(user), true) = (user, items.peek().is_some()) else {
        return Err(DataProblem::new(place, "a user without an item")
            .help("a line is a user and all its items, oldest first, separated by spaces"));
    };
    for item in items {
        let item = builder.item(item);
        builder.event(place, (user, item), None, None);
    }
    Ok(())
}

/// `ID title: A toy; brand: Acme; categories: Toys, Games`, or `ID A toy`.
fn text(
    place: &SourceLocation,
    line: &str,
    builder: &mut InteractionsBuilder,
) -> Result<(), DataProblem> {
    let (id, text) = line.trim().split_once(char::is_whitespace).ok_or_else(|| {
        DataProblem::new(place, "no text after the item's id")
            .help("write: ITEM, a space, its title, or title: …; brand: …")
    })?;
    let item = builder.item(id);
    let text = text.trim();
    if !text.starts_with("title: ") && !text.contains("; title: ") {
        builder.title(item, text);
        return Ok(());
    }
    // A value may hold the separator: what has no name goes on with the value before.
    let mut values: Vec<(String, String)> = Vec::new();
    for part in text.split("; ") {
        match (part.split_once(": "), values.last_mut()) {
            (Some((name, value)), _)
                if name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_') =>
            {
                values.push((name.to_owned(), value.to_owned()));
            }
            (_, Some((_, value))) => {
                value.push_str("; ");
                value.push_str(part);
            }
            (_, None) => {}
        }
    }
    for (name, value) in values {
        match name.as_str() {
            "title" => builder.title(item, &value),
            "categories" => builder.item_attribute(item, "category", &value),
            name => builder.item_attribute(item, name, &value),
        }
    }
    Ok(())
}
