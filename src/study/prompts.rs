//! Prompts, and the schema of answers, that a study keeps in files of their own.

use std::path::Path;

use super::{Study, explain};
use crate::exit::Failure;
use crate::study::textfile;

/// Puts the texts of `task.prompt_file` and of `@FILE` entries of `prompts` in
/// their places, so that a run keeps the prompts themselves. `text`: the study's
/// own, `path`: its file.
pub(super) fn inline(study: &mut Study, text: &str, path: &Path) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    if let Some(file) = study.task.remove("prompt_file") {
        let place = explain::place(text, path, &["task", "prompt_file"]);
        let Some(file) = file.as_str() else {
            return Err(Failure::usage(format!(
                "{place}: task.prompt_file is {file}, but a text in quotes is needed: the file's \
                 path, relative to the study"
            )));
        };
        if study.task.contains_key("prompt") {
            return Err(Failure::usage(format!(
                "{place}: the study has task.prompt and task.prompt_file: keep one of them"
            )));
        }
        let prompt = read(&folder.join(file), &place, "task.prompt_file")?;
        study.task.insert("prompt".to_owned(), prompt.into());
    }
    inline_schema(study, text, path)?;
    let place = explain::place(text, path, &["prompts"]);
    for prompt in &mut study.prompts {
        if let Some(text) = prompt.strip_prefix("@@") {
            *prompt = format!("@{text}");
        } else if let Some(file) = prompt.strip_prefix('@') {
            *prompt = read(&folder.join(file), &place, "prompts")?;
        }
    }
    Ok(())
}

/// Puts the text of the JSON Schema that `task.schema` names in its place; one that
/// stands there itself begins with a brace.
fn inline_schema(study: &mut Study, text: &str, path: &Path) -> Result<(), Failure> {
    let is_extract = study.task.get("kind").and_then(toml::Value::as_str) == Some("extract");
    let named = study.task.get("schema").and_then(toml::Value::as_str);
    let Some(file) = named.filter(|named| is_extract && !named.trim_start().starts_with('{'))
    else {
        return Ok(());
    };
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let place = explain::place(text, path, &["task", "schema"]);
    let schema = read(&folder.join(file), &place, "task.schema")?;
    study.task.insert("schema".to_owned(), schema.into());
    Ok(())
}

pub(super) fn read(path: &Path, place: &str, key: &str) -> Result<String, Failure> {
    let text = textfile::read(path).map_err(|unread| {
        Failure::usage(format!(
            "{place}: {key} names a file that cannot be read: {unread}"
        ))
        .caused_by(unread)
    })?;
    let prompt = text.trim();
    if prompt.is_empty() {
        return Err(Failure::usage(format!(
            "{place}: {key} names an empty file: {}",
            path.display()
        )));
    }
    Ok(prompt.to_owned())
}
