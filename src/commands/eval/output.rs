//! Answers as files: a row or a line an answer.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::answers::AnswerRow;
use super::{EvalTable, PromptScores, trec};
use crate::commands::{check_writable, write as write_file};
use crate::exit::{ExitStatus, Failure};
use crate::report::to_json;
use crate::wording::shown;

/// The form of a file of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AnswerFormat {
    Csv,
    JsonLines,
    Json,
    /// Rankings as TREC's tools read them, and the labels beside.
    TrecRun,
    TrecQrels,
}

impl AnswerFormat {
    fn of(path: &Path) -> Result<Self, Failure> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv") => Ok(Self::Csv),
            Some("jsonl") => Ok(Self::JsonLines),
            Some("json") => Ok(Self::Json),
            Some("run") => Ok(Self::TrecRun),
            Some("qrels") => Ok(Self::TrecQrels),
            _ => Err(Failure::usage(format!(
                "cannot tell the form of {}: use the ending .csv, .jsonl or .json, or .run and \
                 .qrels for rankings",
                path.display()
            ))),
        }
    }
}

/// Refuses what cannot be written, before a call is paid for.
pub(super) fn check(paths: &[PathBuf]) -> Result<(), Failure> {
    for path in paths {
        AnswerFormat::of(path)?;
        check_writable(path)?;
    }
    Ok(())
}

/// Writes the answers of all prompts.
pub(super) fn write(path: &Path, table: &EvalTable) -> Result<(), Failure> {
    let text = match AnswerFormat::of(path)? {
        AnswerFormat::Csv => csv(table)?,
        AnswerFormat::JsonLines => lines(table)?,
        AnswerFormat::Json => to_json(table)?,
        AnswerFormat::TrecRun => trec::run(answers(table)),
        AnswerFormat::TrecQrels => trec::qrels(answers(table)),
    };
    write_file(path, &text)
}

/// An answer with whose it is.
#[derive(Serialize)]
struct AnswerLine<'a> {
    prompt: String,
    model: &'a str,
    #[serde(flatten)]
    row: &'a AnswerRow,
}

fn lines(table: &EvalTable) -> Result<String, Failure> {
    let mut out = String::new();
    for (scores, row) in answers(table) {
        let line = AnswerLine {
            prompt: format!("{:#}", scores.prompt.id()),
            model: &scores.model,
            row,
        };
        let line =
            serde_json::to_string(&line).map_err(Failure::from_error(ExitStatus::Internal))?;
        out.push_str(&shown::json(&line));
        out.push('\n');
    }
    Ok(out)
}

fn answers(table: &EvalTable) -> impl Iterator<Item = (&PromptScores, &AnswerRow)> {
    let of = |scores| move |row| (scores, row);
    table
        .prompts
        .iter()
        .flat_map(move |scores| scores.answers.iter().map(of(scores)))
}

fn csv(table: &EvalTable) -> Result<String, Failure> {
    let mut parts: Vec<&str> = answers(table)
        .flat_map(|(_, row)| row.parts.keys().map(String::as_str))
        .collect();
    parts.sort_unstable();
    parts.dedup();
    let mut writer = csv::Writer::from_writer(Vec::new());
    let fail = Failure::from_error(ExitStatus::Data);
    let mut header: Vec<String> = [
        "prompt", "model", "sample", "id", "group", "cluster", "state", "score", "answer", "label",
        "reply", "reason", "input",
    ]
    .map(str::to_owned)
    .to_vec();
    header.extend(parts.iter().map(|part| format!("score {part}")));
    writer.write_record(&header).map_err(fail)?;
    for (scores, row) in answers(table) {
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let example = &row.example;
        let mut cells = vec![
            format!("{:#}", scores.prompt.id()),
            scores.model.clone(),
            row.sample.to_string(),
            example.id.clone(),
            example.group.clone(),
            text(example.cluster.as_deref()),
            row.state.name().to_owned(),
            number(row.score),
            text(row.answer.as_deref()),
            example.label.clone(),
            text(row.reply.as_deref()),
            text(row.reason.as_deref()),
            example.input.clone(),
        ];
        cells.extend(
            parts
                .iter()
                .map(|part| number(row.parts.get(*part).copied())),
        );
        let fail = Failure::from_error(ExitStatus::Data);
        writer.write_record(&cells).map_err(fail)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| Failure::data(error.to_string()))?;
    String::from_utf8(bytes).map_err(Failure::from_error(ExitStatus::Internal))
}
