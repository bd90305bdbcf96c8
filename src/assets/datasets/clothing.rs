//! Reviews of women's clothing with the reviewer's age, the department, and whether the reviewer
//! recommends the item (Agarap 2018). Published texts end after about 500 characters.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row as ParquetRow};
use serde::Serialize;

use super::{DatasetColumn, NamedDataset, fingerprint, push_row, unescape};
use crate::assets::PinnedBytes;

pub(super) const DATASET: NamedDataset = NamedDataset {
    name: "clothing",
    asset: "clothing",
    rows: 22_622,
    columns: &[
        DatasetColumn {
            name: "id",
            meaning: "row number in the published file, from 0",
        },
        DatasetColumn {
            name: "text",
            meaning: "title and review; rows without a review are left out",
        },
        DatasetColumn {
            name: "age",
            meaning: "the reviewer's age in years",
        },
        DatasetColumn {
            name: "age_band",
            meaning: "<30, 30-44, 45-59 or 60+",
        },
        DatasetColumn {
            name: "department",
            meaning: "tops, dresses, bottoms, intimate, jackets or trend",
        },
        DatasetColumn {
            name: "division",
            meaning: "general, general petite or intimates",
        },
        DatasetColumn {
            name: "class",
            meaning: "kind of garment, such as knits or jeans",
        },
        DatasetColumn {
            name: "item",
            meaning: "number of the reviewed item",
        },
        DatasetColumn {
            name: "rating",
            meaning: "1 (worst) to 5 (best)",
        },
        DatasetColumn {
            name: "recommended",
            meaning: "yes or no",
        },
    ],
    prepared: PinnedBytes {
        path: "clothing-v1.jsonl",
        bytes: 10_943_791,
        sha256: "97a4e3cb405e0332553b436f15ebbaa11029dafb456ade0ec75f6f765c81bd1c",
    },
    read,
    interactions: None,
};

#[derive(Serialize)]
struct ClothingRow {
    id: String,
    text: String,
    age: i64,
    age_band: &'static str,
    department: String,
    division: String,
    class: String,
    item: i64,
    rating: i64,
    recommended: &'static str,
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let reader = SerializedFileReader::new(file).map_err(|e| e.to_string())?;
    let mut seen = HashSet::new();
    let mut rows = Vec::new();
    for (number, row) in reader
        .get_row_iter(None)
        .map_err(|e| e.to_string())?
        .enumerate()
    {
        let at = |why: String| format!("row {number}: {why}");
        let row = row.map_err(|e| at(e.to_string()))?;
        if let Some(row) = convert(&row).map_err(at)?
            && seen.insert(fingerprint(&row.text))
        {
            push_row(&mut rows, &row).map_err(at)?;
        }
    }
    Ok(rows)
}

/// The row as ours; none where there is no review or its item has no department.
fn convert(row: &ParquetRow) -> Result<Option<ClothingRow>, String> {
    let (Some(review), Some(department)) =
        (text(row, "Review Text")?, text(row, "Department Name")?)
    else {
        return Ok(None);
    };
    let age = number(row, "Age")?;
    Ok(Some(ClothingRow {
        id: number(row, "__index_level_0__")?.to_string(),
        text: text(row, "Title")?.map_or(review.clone(), |title| join(&title, &review)),
        age,
        age_band: age_band(age),
        department: department.to_lowercase(),
        // Misspelt throughout in the published file.
        division: named(row, "Division Name")?.replace("initmates", "intimates"),
        class: named(row, "Class Name")?,
        item: number(row, "Clothing ID")?,
        rating: number(row, "Rating")?,
        recommended: match number(row, "Recommended IND")? {
            0 => "no",
            1 => "yes",
            other => return Err(format!("Recommended IND is {other}, not 0 or 1")),
        },
    }))
}

fn age_band(age: i64) -> &'static str {
    match age {
        ..30 => "<30",
        30..45 => "30-44",
        45..60 => "45-59",
        60.. => "60+",
    }
}

/// Title and review as running text.
fn join(title: &str, review: &str) -> String {
    let stop = if title.ends_with(['.', '!', '?', ':', ',', ';', '-']) {
        ""
    } else {
        "."
    };
    format!("{title}{stop} {review}")
}

fn field<'a>(row: &'a ParquetRow, column: &str) -> Result<&'a Field, String> {
    row.get_column_iter()
        .find_map(|(name, field)| (name == column).then_some(field))
        .ok_or_else(|| format!("no column `{column}`"))
}

/// The column's text with every run of spaces and line breaks as one space; none if null or blank.
fn text(row: &ParquetRow, column: &str) -> Result<Option<String>, String> {
    match field(row, column)? {
        Field::Null => Ok(None),
        Field::Str(text) => {
            let text = unescape(text)
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            Ok((!text.is_empty()).then_some(text))
        }
        other => Err(format!("`{column}` holds {other}, no text")),
    }
}

fn named(row: &ParquetRow, column: &str) -> Result<String, String> {
    let name = text(row, column)?.ok_or_else(|| format!("`{column}` is empty"))?;
    Ok(name.to_lowercase())
}

fn number(row: &ParquetRow, column: &str) -> Result<i64, String> {
    match field(row, column)? {
        Field::Long(number) => Ok(*number),
        other => Err(format!("`{column}` holds {other}, no whole number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(department: Field, recommended: i64) -> ParquetRow {
        let text = |text: &str| Field::Str(text.to_owned());
        ParquetRow::new(vec![
            ("Clothing ID".to_owned(), Field::Long(767)),
            ("Age".to_owned(), Field::Long(44)),
            ("Title".to_owned(), text("So nice")),
            (
                "Review Text".to_owned(),
                text("I love it.\r\n\r\nIt&amp;#39;s  long "),
            ),
            ("Rating".to_owned(), Field::Long(4)),
            ("Recommended IND".to_owned(), Field::Long(recommended)),
            ("Division Name".to_owned(), text("Initmates")),
            ("Department Name".to_owned(), department),
            ("Class Name".to_owned(), text("Intimates")),
            ("__index_level_0__".to_owned(), Field::Long(7)),
        ])
    }

    #[test]
    fn published_rows_are_converted() {
        let row = convert(&published(Field::Str("Intimate".to_owned()), 1))
            .unwrap()
            .unwrap();
        assert_eq!(row.text, "So nice. I love it. It's long");
        assert_eq!(
            (row.age_band, row.department.as_str(), row.recommended),
            ("30-44", "intimate", "yes")
        );
        assert_eq!((row.division.as_str(), row.id.as_str()), ("intimates", "7"));
    }

    #[test]
    fn odd_rows_are_left_out() {
        assert!(convert(&published(Field::Null, 1)).unwrap().is_none());
        assert!(convert(&published(Field::Long(1), 1)).is_err());
        assert!(convert(&published(Field::Str("Tops".to_owned()), 2)).is_err());
        assert!(convert(&ParquetRow::new(Vec::new())).is_err());
    }

    #[test]
    fn bands_meet_at_their_edges() {
        let bands = [29, 30, 44, 45, 59, 60].map(age_band);
        assert_eq!(bands, ["<30", "30-44", "30-44", "45-59", "45-59", "60+"]);
    }

    #[test]
    fn titles_end_with_punctuation() {
        assert_eq!(join("Nice", "Fits."), "Nice. Fits.");
        assert_eq!(join("Nice!", "Fits."), "Nice! Fits.");
    }
}
