//! `MovieLens` 100K (Harper and Konstan 2015): ratings of films with their titles, years and genres,
//! by users whose age, gender and occupation are known. Postcodes are left out: they tell a model
//! little and find a person.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Serialize;
use shiftproof_rec::{FileLayout, Interactions, RecSpec, RecommendationFiles};

use super::{ColumnAttributes, DatasetColumn, NamedDataset, push_row};
use crate::assets::PinnedBytes;

/// The published files inside the package.
const FILES: [&str; 3] = ["ml-100k.inter", "ml-100k.item", "ml-100k.user"];

pub(super) const DATASET: NamedDataset = NamedDataset {
    name: "ml-100k",
    asset: "ml-100k",
    rows: 100_000,
    columns: &[
        DatasetColumn {
            name: "id",
            meaning: "user, item and time, joined by colons",
        },
        DatasetColumn {
            name: "user",
            meaning: "number of the user",
        },
        DatasetColumn {
            name: "item",
            meaning: "number of the film",
        },
        DatasetColumn {
            name: "rating",
            meaning: "1 (worst) to 5 (best)",
        },
        DatasetColumn {
            name: "time",
            meaning: "seconds since 1970",
        },
        DatasetColumn {
            name: "title",
            meaning: "title of the film, with its year where known",
        },
        DatasetColumn {
            name: "year",
            meaning: "year of its release; empty where unknown",
        },
        DatasetColumn {
            name: "genres",
            meaning: "its genres by alphabet, separated by commas",
        },
        DatasetColumn {
            name: "age",
            meaning: "the user's age in years",
        },
        DatasetColumn {
            name: "gender",
            meaning: "M or F",
        },
        DatasetColumn {
            name: "occupation",
            meaning: "one of 21, such as student or writer",
        },
    ],
    prepared: PinnedBytes {
        path: "ml-100k-v1.jsonl",
        bytes: 20_637_991,
        sha256: "5c943795020f52ef8dcb783753f7a3d4f788a19673e1b94c9791f7864ac1d0e6",
    },
    read,
    interactions: Some(ColumnAttributes {
        user: &["age", "gender", "occupation"],
        item: &["year", "genres"],
        word: Some("movie"),
    }),
};

#[derive(Serialize)]
struct RatingRow<'a> {
    id: String,
    user: &'a str,
    item: &'a str,
    rating: f32,
    time: i64,
    title: String,
    year: &'a str,
    genres: &'a str,
    age: &'a str,
    gender: &'a str,
    occupation: &'a str,
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let mut zip = zip::ZipArchive::new(file).map_err(|e| e.to_string())?;
    let mut files = Vec::new();
    for name in FILES {
        let member = format!("recbole/dataset_example/ml-100k/{name}");
        let mut bytes = Vec::new();
        zip.by_name(&member)
            .map_err(|e| format!("{member}: {e}"))?
            .read_to_end(&mut bytes)
            .map_err(|e| format!("{member}: {e}"))?;
        files.push((name, bytes));
    }
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, bytes)| (*name, bytes.as_slice()))
        .collect();
    let spec = RecSpec {
        format: FileLayout::Recbole,
        ..RecSpec::default()
    };
    match RecommendationFiles::parse(&files, &spec).map_err(|e| e.to_string())? {
        RecommendationFiles::Events { interactions, .. } => rows(&interactions),
        RecommendationFiles::Rows(_) => Err("rows where events are expected".to_owned()),
    }
}

/// One row per rating, by user and time; ratings of one second keep the order of the published
/// file.
fn rows(data: &Interactions) -> Result<Vec<u8>, String> {
    let mut rows = Vec::new();
    for event in &data.events {
        let user = &data.users[event.user as usize];
        let item = &data.items[event.item as usize];
        let of_user = |name: &str| user.attributes.get(name).map_or("", String::as_str);
        let of_item = |name: &str| item.attributes.get(name).map_or("", String::as_str);
        let at = format!("user {}, item {}", user.id, item.id);
        let (Some(rating), Some(time)) = (event.rating, event.time) else {
            return Err(format!("{at}: no rating or no time"));
        };
        // One film has neither; the published file misspells that.
        let year = Some(of_item("year")).filter(|year| *year != "unkonwn");
        let title = match year {
            Some(year) => format!("{} ({year})", item.title),
            None => item.title.replace("unkonwn", "unknown"),
        };
        let year = year.unwrap_or_default();
        let row = RatingRow {
            id: format!("{}:{}:{time}", user.id, item.id),
            user: &user.id,
            item: &item.id,
            rating,
            time,
            title,
            year,
            genres: of_item("genres"),
            age: of_user("age"),
            gender: of_user("gender"),
            occupation: of_user("occupation"),
        };
        push_row(&mut rows, &row).map_err(|e| format!("{at}: {e}"))?;
    }
    Ok(rows)
}
