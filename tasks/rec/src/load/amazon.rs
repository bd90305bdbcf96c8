//! Amazon reviews in JSON Lines, with or without metadata files: 2014 (`McAuley` et
//! al., SIGIR 2015; lines may be dictionaries of Python) and 2018 (`reviewerID`,
//! `asin`, `overall`; Ni et al., EMNLP 2019), and 2023 (`user_id`, `parent_asin`,
//! `rating`; Hou et al., arXiv:2403.03952). A line that names a reviewer is a
//! review, any other one tells about a product.

use serde_json::{Map, Value};
use shiftproof_tasks::diagnostic::{DataProblem, DataProblems, SourceLocation};

use super::lines::each;
use super::{InteractionsBuilder, NamedFile, python};

pub(super) fn read(
    files: Vec<NamedFile<'_>>,
    builder: &mut InteractionsBuilder,
    problems: &mut DataProblems,
) {
    for file in files {
        each(file, problems, |place, line| {
            let object = object(place, line)?;
            let text = |names: &[&str]| {
                let found = names.iter().filter_map(|name| object.get(*name)?.as_str());
                found.map(str::trim).find(|text| !text.is_empty())
            };
            let product = text(&["parent_asin", "asin"]).ok_or_else(|| {
                DataProblem::new(place, "names no product").help("a line needs parent_asin or asin")
            })?;
            if let Some(reviewer) = text(&["reviewerID", "user_id"]) {
                return review(place, &object, reviewer, product, builder);
            }
            about(&object, product, builder);
            Ok(())
        });
    }
}

/// A line as JSON or, as the metadata of 2014 are written, in Python's way.
fn object(place: &SourceLocation, line: &str) -> Result<Map<String, Value>, DataProblem> {
    let error = match serde_json::from_str(line) {
        Ok(object) => return Ok(object),
        Err(error) => error,
    };
    python::dictionary(line.trim()).map_err(|column| {
        let is_python = line.trim_start().starts_with(['{'])
            && line.trim_start()[1..].trim_start().starts_with(['\'', 'u']);
        let what = if is_python {
            format!("a dictionary of Python that ends in something else (column {column})")
        } else {
            format!("no JSON object (column {})", error.column())
        };
        DataProblem::new(place, what).help("write one object per line; unpack .gz files first")
    })
}

fn review(
    place: &SourceLocation,
    object: &Map<String, Value>,
    reviewer: &str,
    product: &str,
    builder: &mut InteractionsBuilder,
) -> Result<(), DataProblem> {
    let number = |names: [&str; 2]| {
        let value = names.iter().find_map(|name| object.get(*name));
        value.and_then(Value::as_f64).ok_or_else(|| {
            DataProblem::new(place, format!("{} is no number", names.join(" or ")))
                .help("a review needs it")
        })
    };
    let rating = number(["overall", "rating"])?;
    let time = number(["unixReviewTime", "timestamp"])?;
    let (user, item) = (builder.user(reviewer), builder.item(product));
    builder.event(place, (user, item), Some(rating as f32), Some(time as i64));
    Ok(())
}

fn about(object: &Map<String, Value>, product: &str, builder: &mut InteractionsBuilder) {
    let item = builder.item(product);
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    builder.title(item, text("title"));
    for (name, attribute) in [
        ("brand", "brand"),
        ("store", "brand"),
        ("main_cat", "category"),
        ("main_category", "category"),
    ] {
        builder.item_attribute(item, attribute, text(name));
    }
    let list = object.get("category").or_else(|| object.get("categories"));
    let mut kinds: Vec<&str> = Vec::new();
    texts(list.unwrap_or(&Value::Null), &mut kinds);
    builder.item_attribute(item, "categories", &kinds.join(", "));
}

/// Texts of a list, or of lists in a list as in 2014, each once.
fn texts<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    for item in value.as_array().into_iter().flatten() {
        match item {
            Value::String(text) if !found.contains(&text.as_str()) => found.push(text),
            other => texts(other, found),
        }
    }
}
