//! Rankings as TREC's tools read them: run files and the labels to hold them to.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::PromptScores;
use super::answers::AnswerRow;

/// A name without white space, which parts the columns.
fn word(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join("_")
}

/// `EXAMPLE Q0 TITLE RANK SCORE TAG`, a line an item; the score falls with the rank. Of
/// several samples each is a run of its own.
pub(super) fn run<'t>(answers: impl Iterator<Item = (&'t PromptScores, &'t AnswerRow)>) -> String {
    let mut out = String::new();
    for (scores, row) in answers {
        let Some(titles) = &row.ranked else {
            continue;
        };
        let mut tag = format!("{:#}", scores.prompt.id());
        if row.sample > 1 {
            let _ = write!(tag, "-{}", row.sample);
        }
        for (place, title) in titles.iter().enumerate() {
            let (id, title) = (word(&row.example.id), word(title));
            let score = titles.len() - place;
            let _ = writeln!(out, "{id} Q0 {title} {} {score} {tag}", place + 1);
        }
    }
    out
}

/// `EXAMPLE 0 TITLE 1`, a line a relevant item, each example once.
pub(super) fn qrels<'t>(
    answers: impl Iterator<Item = (&'t PromptScores, &'t AnswerRow)>,
) -> String {
    let mut out = String::new();
    let mut told = BTreeSet::new();
    for (_, row) in answers {
        if told.insert(&row.example.id) {
            for title in &row.example.relevant {
                let _ = writeln!(out, "{} 0 {} 1", word(&row.example.id), word(title));
            }
        }
    }
    out
}
