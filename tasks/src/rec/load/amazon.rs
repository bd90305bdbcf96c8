//! Amazon reviews in JSON Lines, with or without metadata files: 2018
//! (`reviewerID`, `asin`, `overall`; Ni et al., EMNLP 2019) and 2023 (`user_id`,
//! `parent_asin`, `rating`; Hou et al., arXiv:2403.03952). A line that names a
//! reviewer is a review, any other one tells about a product.

use serde_json::{Map, Value};

use super::lines::each;
use super::{Builder, Named};
use crate::problem::{Place, Problem, Problems};

pub(super) fn read(files: Vec<Named<'_>>, builder: &mut Builder, problems: &mut Problems) {
    for file in files {
        each(file, problems, |place, line| {
            let object: Map<String, Value> = serde_json::from_str(line).map_err(|error| {
                Problem::new(place, format!("no JSON object (column {})", error.column()))
                    .mend("write one object per line; unpack .gz files first")
            })?;
            let text = |names: &[&str]| {
                let found = names.iter().filter_map(|name| object.get(*name)?.as_str());
                found.map(str::trim).find(|text| !text.is_empty())
            };
            let product = text(&["parent_asin", "asin"]).ok_or_else(|| {
                Problem::new(place, "names no product").mend("a line needs parent_asin or asin")
            })?;
            if let Some(reviewer) = text(&["reviewerID", "user_id"]) {
                return review(place, &object, reviewer, product, builder);
            }
            about(&object, product, builder);
            Ok(())
        });
    }
}

fn review(
    place: &Place,
    object: &Map<String, Value>,
    reviewer: &str,
    product: &str,
    builder: &mut Builder,
) -> Result<(), Problem> {
    let number = |names: [&str; 2]| {
        let value = names.iter().find_map(|name| object.get(*name));
        value.and_then(Value::as_f64).ok_or_else(|| {
            Problem::new(place, format!("{} is no number", names.join(" or ")))
                .mend("a review needs it")
        })
    };
    let rating = number(["overall", "rating"])?;
    let time = number(["unixReviewTime", "timestamp"])?;
    let (user, item) = (builder.user(reviewer), builder.item(product));
    builder.event(user, item, Some(rating as f32), Some(time as i64));
    Ok(())
}

fn about(object: &Map<String, Value>, product: &str, builder: &mut Builder) {
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
    let kinds: Vec<&str> = list
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    builder.item_attribute(item, "categories", &kinds.join(", "));
}
