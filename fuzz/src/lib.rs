//! What is read of bytes that nobody can be trusted with: an error or a value, never
//! a panic, an endless loop or an allocation beyond reason. One function a format; a
//! claim that is broken panics, which every driver notices.

use std::io::Cursor;
use std::path::Path;

#[cfg(feature = "embedded")]
use shiftproof::llm::embedded::{Engine, EngineOptions};
use shiftproof::llm::http::{ApiDialect, understand};
use shiftproof::report::RunSummary;
use shiftproof::study::Study;
use shiftproof_rec::{FileLayout, RecSpec, RecommendationFiles};
use shiftproof_search::event_log::{self, LogError};
use shiftproof_store::{Journal, JournalPosition};
use shiftproof_tasks::{AnswerForm, ColumnRoles, DataTable, FileFormat};

/// A study file: an error names the file.
pub fn study(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match Study::parse(&text, Path::new("fuzzed.toml")) {
        Ok(study) => {
            // What is kept of a study is read as it was.
            let kept = serde_json::to_string(&study).expect("a study is JSON");
            let read: Study = serde_json::from_str(&kept).expect("it reads as it was written");
            let again = serde_json::to_string(&read).expect("a study is JSON");
            assert_eq!(again, kept);
        }
        Err(failure) => assert!(
            failure.message.contains("fuzzed.toml"),
            "{}",
            failure.message
        ),
    }
}

/// A data file; the first byte says in which form. Rows have places within it.
pub fn data(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else {
        return;
    };
    let formats = ["a.csv", "a.tsv", "a.jsonl", "a.json"];
    let name = formats[usize::from(*first) % formats.len()];
    let format = FileFormat::of(name).expect("a known ending");
    if let Ok(table) = DataTable::parse(name, format, Cursor::new(bytes)) {
        let lines = bytes.len() as u64 + 1;
        assert!(table.rows.iter().all(|row| (1..=lines).contains(&row.line)));
        let columns = ColumnRoles {
            label: "label".into(),
            fields: vec!["text".into()],
            ..ColumnRoles::default()
        };
        let form = AnswerForm::choice(["good", "bad"]);
        if let Ok(loaded) = columns.examples(&table, &form) {
            let all = loaded.examples.len() + loaded.unlabelled.len() + loaded.dropped;
            assert_eq!(all, table.rows.len());
        }
    }
    let layouts = [
        FileLayout::Table,
        FileLayout::Recbole,
        FileLayout::Movielens,
        FileLayout::Mind,
        FileLayout::Amazon,
        FileLayout::Tallrec,
    ];
    let spec = RecSpec {
        format: layouts[usize::from(*first / 4) % layouts.len()],
        ..RecSpec::default()
    };
    let _ = RecommendationFiles::parse(&[(name, bytes)], &spec);
}

/// A journal: an error, or a log that can be read to its end and written on.
pub fn journal(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.journal");
    std::fs::write(&path, bytes).expect("a temporary file");
    let Ok(mut journal) = Journal::open(&path) else {
        return;
    };
    let read = |journal: &Journal| -> Vec<Vec<u8>> {
        let entries = journal
            .read_from(JournalPosition::START)
            .expect("it was verified");
        entries
            .map(|entry| entry.expect("it was verified").payload)
            .collect()
    };
    let before = read(&journal);
    journal
        .append_all(&[b"one more"])
        .expect("it can be written on");
    let after = read(&journal);
    assert_eq!(after[..before.len()], before);
    assert_eq!(after.len(), before.len() + 1);
}

/// An event log: an error, or events of which a report can be made.
pub fn event_log(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("events.jsonl");
    std::fs::write(&path, bytes).expect("a temporary file");
    match event_log::read(&path) {
        Ok(lines) => {
            let events: Vec<_> = lines.into_iter().map(|line| line.event).collect();
            let _ = RunSummary::of(&events).text();
        }
        Err(LogError::Damaged { .. } | LogError::Malformed { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

/// Weights: hardly any bytes are a model, and none may be too much.
#[cfg(feature = "embedded")]
pub fn gguf(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.gguf");
    std::fs::write(&path, bytes).expect("a temporary file");
    let options = EngineOptions {
        threads: 1,
        ..EngineOptions::default()
    };
    if let Err(error) = Engine::load(&path, options) {
        assert!(!error.to_string().is_empty());
    }
}

/// What a server sends, the first two bytes being protocol and status. An answer of a
/// status that is none is no answer; no usage is beyond what a model can use.
pub fn reply(bytes: &[u8]) {
    let [api, status, body @ ..] = bytes else {
        return;
    };
    let protocols = [
        ApiDialect::OpenAi,
        ApiDialect::Azure,
        ApiDialect::Anthropic,
        ApiDialect::Gemini,
        ApiDialect::Ollama,
    ];
    let api = protocols[usize::from(*api) % protocols.len()];
    let status = if *status < 128 {
        200
    } else {
        300 + u16::from(*status - 128) * 2
    };
    match understand(api, status, body) {
        Ok(usage) => {
            assert_eq!(status, 200, "{api:?}");
            let most = 3 * 10_000_000;
            assert!(
                usage.is_none_or(|usage| usage.tokens() <= most),
                "{usage:?}"
            );
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
