//! Sentiment of product reviews, film reviews, newspaper editorials and tweets (Hutto & Gilbert
//! 2014): each text rated by at least 20 people from -4 to 4.
//!
//! Two things in the published files would spoil an evaluation and are mended here. Sentences of
//! one review or article are separate rows, so a `document` column says which belong together. And
//! some texts occur again, often in other punctuation or capitals (155 of the 4,200 tweets do): only
//! the first is kept, or training texts would turn up in the audit.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use serde::Serialize;

use super::{DatasetColumn, NamedDataset, fingerprint, push_row, unescape};
use crate::assets::PinnedBytes;

/// A mean rating within this distance of 0 is neutral, and its row is left out.
const NEUTRAL: f64 = 0.5;

/// Domain and the start of its file's name, in the order of the rows.
const DOMAINS: [(&str, &str); 4] = [
    ("amazon", "amazonReviewSnippets"),
    ("movies", "movieReviewSnippets"),
    ("nyt", "nytEditorialSnippets"),
    ("tweets", "tweets"),
];

pub(super) const DATASET: NamedDataset = NamedDataset {
    name: "vader",
    asset: "vader",
    rows: 18_918,
    columns: &[
        DatasetColumn {
            name: "id",
            meaning: "domain and number of the text",
        },
        DatasetColumn {
            name: "domain",
            meaning: "amazon, movies, nyt or tweets",
        },
        DatasetColumn {
            name: "document",
            meaning: "the review or article the text is part of",
        },
        DatasetColumn {
            name: "text",
            meaning: "one sentence, snippet or tweet",
        },
        DatasetColumn {
            name: "score",
            meaning: "mean human rating, -4 (negative) to 4 (positive)",
        },
        DatasetColumn {
            name: "label",
            meaning: "positive above 0.5, negative below -0.5; others are left out",
        },
    ],
    prepared: PinnedBytes {
        path: "vader-v1.jsonl",
        bytes: 3_991_222,
        sha256: "93fef21e357a2669ff8d7d4ee4981bfc0785ba03971da1eb0d3094f67590e857",
    },
    read,
    interactions: None,
};

#[derive(Serialize)]
struct VaderRow<'a> {
    id: String,
    domain: &'a str,
    document: String,
    text: &'a str,
    score: f64,
    label: &'a str,
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let mut texts = [const { String::new() }; DOMAINS.len()];
    let mut archive = tar::Archive::new(GzDecoder::new(BufReader::new(file)));
    for entry in archive.entries().map_err(|e| e.to_string())? {
        let mut entry = entry.map_err(|e| e.to_string())?;
        let member = entry.path().map_err(|e| e.to_string())?.into_owned();
        let file = member
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let wanted = file
            .strip_suffix("_GroundTruth.txt")
            .and_then(|start| DOMAINS.iter().position(|(_, known)| *known == start));
        if let Some(domain) = wanted {
            entry
                .read_to_string(&mut texts[domain])
                .map_err(|e| format!("{}: {e}", member.display()))?;
        }
    }
    let mut seen = HashSet::new();
    let mut rows = Vec::new();
    for ((domain, start), text) in DOMAINS.iter().zip(&texts) {
        if text.is_empty() {
            return Err(format!("{start}_GroundTruth.txt: not in the archive"));
        }
        add_domain(domain, text, &mut seen, &mut rows)
            .map_err(|(line, why)| format!("{start}_GroundTruth.txt:{line}: {why}"))?;
    }
    Ok(rows)
}

/// Appends the rows of one file: lines of id, mean rating and text, separated by tabs.
fn add_domain(
    domain: &str,
    lines: &str,
    seen: &mut HashSet<String>,
    rows: &mut Vec<u8>,
) -> Result<(), (usize, String)> {
    for (number, line) in lines.lines().enumerate() {
        let at = |why: String| (number + 1, why);
        let mut columns = line.split('\t');
        let (Some(id), Some(score), Some(text), None) = (
            columns.next(),
            columns.next(),
            columns.next(),
            columns.next(),
        ) else {
            return Err(at("not three columns".to_owned()));
        };
        let score: f64 = score
            .parse()
            .map_err(|_| at(format!("`{score}` is no number")))?;
        let text = unescape(text.trim());
        // A variant must go even where it would be neutral: the first decides for all.
        if !seen.insert(fingerprint(&text)) {
            continue;
        }
        let Some(label) = label(score) else { continue };
        // Reviews and articles number their sentences 12_1, 12_2, ...; the rest stand alone.
        let document = id.split_once('_').map_or(id, |(document, _)| document);
        let row = VaderRow {
            id: format!("{domain}-{id}"),
            domain,
            document: format!("{domain}-{document}"),
            text: &text,
            score,
            label,
        };
        push_row(rows, &row).map_err(at)?;
    }
    Ok(())
}

fn label(score: f64) -> Option<&'static str> {
    if score > NEUTRAL {
        Some("positive")
    } else if score < -NEUTRAL {
        Some("negative")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(lines: &str) -> Result<Vec<serde_json::Value>, (usize, String)> {
        let mut rows = Vec::new();
        add_domain("nyt", lines, &mut HashSet::new(), &mut rows)?;
        let text = String::from_utf8(rows).unwrap();
        Ok(text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect())
    }

    #[test]
    fn columns_documents_and_labels() {
        let rows =
            rows("12_1\t0.51\tA &lt;b&gt; &amp; c \r\n12_2\t-0.51\tBad\r\n13_1\t0.5\tSo so\r\n")
                .unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0]["id"], "nyt-12_1");
        assert_eq!(rows[0]["document"], rows[1]["document"]);
        assert_eq!(rows[0]["text"], "A <b> & c");
        assert_eq!(rows[0]["score"], 0.51);
        assert_eq!(
            (&rows[0]["label"], &rows[1]["label"]),
            (&"positive".into(), &"negative".into())
        );
    }

    #[test]
    fn text_variants_are_dropped() {
        assert_eq!(
            rows("1\t2.0\tGreat day!\n2\t3.0\tGREAT day\n")
                .unwrap()
                .len(),
            1
        );
        assert_eq!(
            rows("1\t0.1\tOk then\n2\t1.0\tOk then!!\n").unwrap().len(),
            0
        );
    }

    #[test]
    fn bad_lines_are_named() {
        assert_eq!(rows("1\t1\tgood\n2\t1\n").unwrap_err().0, 2);
        assert_eq!(
            rows("1\tx\tgood\n").unwrap_err(),
            (1, "`x` is no number".to_owned())
        );
        assert_eq!(rows("1\t1\tgood\tmore\n").unwrap_err().0, 1);
    }
}
