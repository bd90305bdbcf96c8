//! Prompts and provider of a config.

use std::fmt::Write as _;
use std::path::Path;

use super::nunjucks::{Part, parse};
use super::yaml::{Node, read as read_file};
use super::{Notes, Place};
use crate::exit::Failure;

/// The prompts as a study has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prompts {
    /// The first one's instruction: the seed.
    pub seed: String,
    /// How an input is shown, in a study's syntax.
    pub input: String,
    /// The variables it shows, each once.
    pub fields: Vec<String>,
    /// Further instructions for the same inputs.
    pub others: Vec<String>,
}

/// A prompt cut into what stays and what changes with the input.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cut {
    instruction: String,
    input: String,
    fields: Vec<String>,
}

/// Reads `prompts`. The first that can be carried over is the seed.
pub(super) fn read(
    root: &Node<'_, '_>,
    labels: &[String],
    notes: &mut Notes,
) -> Result<Prompts, Failure> {
    let node = root
        .get("prompts")
        .ok_or_else(|| root.fault("the config has no `prompts`"))?;
    let mut texts: Vec<(Place, String)> = Vec::new();
    for item in node.items().unwrap_or_else(|| vec![node]) {
        collect(item, &mut texts, notes)?;
    }
    let mut prompts: Option<Prompts> = None;
    for (place, text) in texts {
        let cut = match cut(&text, &place, labels, notes) {
            Ok(cut) => cut,
            Err(what) => {
                notes.add(
                    place,
                    format!("this prompt was left out: a study cannot say {what}"),
                );
                continue;
            }
        };
        match &mut prompts {
            None => {
                prompts = Some(Prompts {
                    seed: cut.instruction,
                    input: cut.input,
                    fields: cut.fields,
                    others: Vec::new(),
                });
            }
            Some(prompts) if prompts.input == cut.input => {
                if cut.instruction != prompts.seed && !prompts.others.contains(&cut.instruction) {
                    prompts.others.push(cut.instruction);
                }
            }
            Some(_) => notes.add(
                place,
                "this prompt was left out: it shows its input otherwise than the first one",
            ),
        }
    }
    prompts.ok_or_else(|| {
        node.fault("no prompt could be carried over; a study needs one text with a {{variable}}")
    })
}

/// The texts that an entry of `prompts` stands for.
fn collect(
    item: Node<'_, '_>,
    texts: &mut Vec<(Place, String)>,
    notes: &mut Notes,
) -> Result<(), Failure> {
    let written = item.text().or_else(|| item.get("raw")?.text());
    let written = written.or_else(|| item.get("id")?.text());
    let Some(text) = written else {
        notes.add(item.place(), "this prompt was left out: it has no text");
        return Ok(());
    };
    let named = text.strip_prefix("file://");
    let is_path = |text: &str| {
        !text.contains(['\n', '{'])
            && Path::new(text)
                .extension()
                .is_some_and(|ending| ending == "txt" || ending == "md")
    };
    let Some(path) = named.or_else(|| Some(text.as_str()).filter(|text| is_path(text))) else {
        texts.push((item.place(), text));
        return Ok(());
    };
    if !is_path(path) {
        notes.add(
            item.place(),
            format!("the prompt {path} was left out: only .txt and .md files are read"),
        );
        return Ok(());
    }
    let path = item.folder().join(path);
    let content = read_file(&path)?;
    // promptfoo takes a line of dashes for the border between two prompts.
    let mut line = 1;
    for part in content.split("\n---\n") {
        let place = Place {
            file: path.clone(),
            line,
        };
        line += part.matches('\n').count() + 2;
        if !part.trim().is_empty() {
            texts.push((place, part.trim().to_owned()));
        }
    }
    Ok(())
}

/// Cuts a prompt at the last blank line (or else line break) before its first
/// variable. The error names what a study cannot say.
fn cut(text: &str, place: &Place, labels: &[String], notes: &mut Notes) -> Result<Cut, String> {
    if text.trim_start().starts_with(['[', '{']) && text.contains("\"role\"") {
        return Err("a chat of several messages; put its text into one prompt".into());
    }
    let parsed = parse(text)?;
    for filter in &parsed.filters {
        notes.add(place.clone(), format!("the filter `{filter}` was dropped"));
    }
    let first = parsed
        .parts
        .iter()
        .position(|part| matches!(part, Part::Var(_)))
        .ok_or("a prompt without a {{variable}}")?;
    let before = match parsed.parts.first() {
        Some(Part::Text(text)) if first == 1 => text.as_str(),
        _ => "",
    };
    let at = before
        .rfind("\n\n")
        .or_else(|| before.rfind('\n'))
        .filter(|at| !before[..*at].trim().is_empty());
    let (mut instruction, shown) = match at {
        Some(at) => (before[..at].trim().to_owned(), before[at..].trim_start()),
        None => (before.trim().to_owned(), ""),
    };
    if at.is_none() && !instruction.is_empty() {
        notes.add(
            place.clone(),
            "instruction and input share a line here; in the study a blank line parts them",
        );
    }
    let mut input = braces(shown);
    let mut fields: Vec<String> = Vec::new();
    for part in &parsed.parts[first..] {
        match part {
            Part::Text(text) => input.push_str(&braces(text)),
            Part::Var(name) => {
                let _ = write!(input, "{{{name}}}");
                if !fields.contains(name) {
                    fields.push(name.clone());
                }
            }
        }
    }
    if instruction.is_empty() {
        instruction = format!("Answer with one of: {}.", labels.join(", "));
        notes.add(
            place.clone(),
            format!(
                "no text stands before the first variable; the seed prompt is now {instruction:?}"
            ),
        );
    }
    Ok(Cut {
        instruction,
        input: input.trim_end().to_owned(),
        fields,
    })
}

/// Text in a study's template.
fn braces(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

/// The `model` of the study: a line of TOML.
pub(super) fn model(root: &Node<'_, '_>, notes: &mut Notes) -> String {
    let embedded = "model = \"embedded\"".to_owned();
    let Some(node) = root.get("providers").or_else(|| root.get("targets")) else {
        return embedded;
    };
    let mut model = None;
    for item in node.items().unwrap_or_else(|| vec![node]) {
        let id = item.text().or_else(|| item.get("id")?.text());
        let name = id.as_deref().and_then(|id| {
            let name = id.strip_prefix("openai:")?;
            Some(name.strip_prefix("chat:").unwrap_or(name))
        });
        // Other endpoints of that service are written `openai:KIND:MODEL`.
        let usable = name.filter(|name| !name.is_empty() && !name.contains(':'));
        match (usable, &model) {
            (Some(name), None) => {
                let mut table = toml::Table::new();
                table.insert("name".into(), format!("openai:{name}").into());
                for (theirs, ours) in [("apiBaseUrl", "base_url"), ("apiKeyEnvar", "api_key_env")] {
                    let value = item
                        .get("config")
                        .and_then(|config| config.get(theirs)?.text());
                    if let Some(value) = value {
                        table.insert(ours.into(), value.into());
                    }
                }
                model = Some(format!("model = {}", inline(&table)));
            }
            // An export of a study whose model runs here.
            (None, _) if id.as_deref() == Some("echo") => {}
            _ => notes.add(
                item.place(),
                format!(
                    "the provider {} was left out: a study has one task model, \
                     \"embedded\" or an OpenAI-compatible server",
                    id.as_deref().unwrap_or("without an id")
                ),
            ),
        }
    }
    model.unwrap_or(embedded)
}

/// A table on one line.
fn inline(table: &toml::Table) -> String {
    let entries: Vec<String> = table
        .iter()
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    format!("{{ {} }}", entries.join(", "))
}
