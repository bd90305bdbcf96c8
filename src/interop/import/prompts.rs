//! Prompts of a config.

use std::fmt::Write as _;
use std::path::Path;

use super::cases::ImportedCases;
use super::chat::{self, ImportedMessage};
use super::files::{ending, matching};
use super::nunjucks::{NunjucksPart, parse};
use super::yaml::{YamlNode, read as read_file};
use super::{ConfigLocation, ImportNotes, rows};
use crate::exit::Failure;

/// The prompts as a study has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImportedPrompts {
    /// The first one's instruction: the seed.
    pub seed: String,
    /// How it is sent.
    pub sent: SharedFraming,
    /// The variables its input shows, each once.
    pub fields: Vec<String>,
    /// Further instructions sent the same way.
    pub others: Vec<String>,
}

/// What all prompts of a study have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SharedFraming {
    /// How an input is shown, in a study's syntax.
    pub input: String,
    /// A system message that stays as it is.
    pub system: Option<String>,
    /// Whether the instruction is the system message.
    pub as_system: bool,
}

/// A prompt cut into what stays and what changes with the input.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SplitPrompt {
    instruction: String,
    sent: SharedFraming,
    fields: Vec<String>,
}

/// Reads `prompts`. The first that can be carried over is the seed.
pub(super) fn read(
    root: &YamlNode<'_, '_>,
    cases: &ImportedCases,
    notes: &mut ImportNotes,
) -> Result<ImportedPrompts, Failure> {
    let node = root
        .get("prompts")
        .ok_or_else(|| root.fault("the config has no `prompts`"))?;
    let mut texts: Vec<(ConfigLocation, String)> = Vec::new();
    for item in node.items().unwrap_or_else(|| vec![node]) {
        collect(item, &mut texts, notes)?;
    }
    let mut prompts: Option<ImportedPrompts> = None;
    for (place, text) in texts {
        let cut = chat::read(text.trim(), &place).and_then(|message| {
            let [prefix, suffix] = &cases.affixes;
            let user = format!("{prefix}{}{suffix}", message.user);
            cut(
                &ImportedMessage { user, ..message },
                &place,
                &cases.labels,
                notes,
            )
        });
        let cut = match cut {
            Ok(cut) => cut,
            Err(what) => {
                let what = format!("this prompt was left out: a study cannot say {what}");
                notes.add(place, what);
                continue;
            }
        };
        match &mut prompts {
            None => {
                prompts = Some(ImportedPrompts {
                    seed: cut.instruction,
                    sent: cut.sent,
                    fields: cut.fields,
                    others: Vec::new(),
                });
            }
            Some(prompts) if prompts.sent == cut.sent => {
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

/// Files that make prompts when they are run.
const RUN: [&str; 7] = ["py", "js", "mjs", "cjs", "ts", "sh", "prompty"];
/// Files that hold one prompt, or more, and nothing to run.
const READ: [&str; 8] = ["txt", "md", "j2", "json", "jsonl", "yaml", "yml", "csv"];

/// The texts that an entry of `prompts` stands for.
fn collect(
    item: YamlNode<'_, '_>,
    texts: &mut Vec<(ConfigLocation, String)>,
    notes: &mut ImportNotes,
) -> Result<(), Failure> {
    let written = item.text().or_else(|| item.get("raw")?.text());
    let written = written.or_else(|| item.get("id")?.text());
    let Some(text) = written else {
        notes.add(item.place(), "this prompt was left out: it has no text");
        return Ok(());
    };
    for (key, value) in item.entries().into_iter().flatten() {
        if !["raw", "id", "label", "display"].contains(&key.as_str()) {
            let what = format!("`{key}` of a prompt has no counterpart in a study");
            notes.add(value.place(), what);
        }
    }
    let is_path = |text: &str| {
        let ending = ending(text);
        !text.contains(['\n', '{'])
            && (READ.contains(&ending.as_str()) || RUN.contains(&ending.as_str()))
    };
    if !text.starts_with("file://") && !is_path(&text) {
        texts.push((item.place(), text));
        return Ok(());
    }
    let paths = match matching(&item.folder(), &text) {
        Ok(paths) => paths,
        Err(why) => {
            let what = format!("the prompt {text} was left out: {why}");
            notes.add(item.place(), what);
            return Ok(());
        }
    };
    for path in paths {
        if READ.contains(&ending(&path.to_string_lossy()).as_str()) {
            from_file(&path, texts, notes)?;
        } else {
            let what = format!(
                "the prompt {} was left out: only files ending in .{} are read",
                path.display(),
                READ.join(", .")
            );
            notes.add(item.place(), what);
        }
    }
    Ok(())
}

/// The prompts of a file: in .txt files a line of dashes stands between two, in
/// .jsonl files each line is one, in .csv files each value of the column
/// `prompt`.
fn from_file(
    path: &Path,
    texts: &mut Vec<(ConfigLocation, String)>,
    notes: &mut ImportNotes,
) -> Result<(), Failure> {
    let place = |line: usize| ConfigLocation {
        file: path.to_owned(),
        line,
    };
    let mut push = |line: usize, text: &str| {
        if !text.trim().is_empty() {
            texts.push((place(line), text.trim().to_owned()));
        }
    };
    let ending = ending(&path.to_string_lossy());
    let content = read_file(path)?;
    match ending.as_str() {
        "txt" => {
            let mut first = 1;
            let mut part = String::new();
            for (line, text) in (1..).zip(content.lines()) {
                if text.trim() == "---" {
                    push(first, &part);
                    part.clear();
                    first = line + 1;
                } else {
                    part.push_str(text);
                    part.push('\n');
                }
            }
            push(first, &part);
        }
        "jsonl" => (1..)
            .zip(content.lines())
            .for_each(|(line, text)| push(line, text)),
        "csv" if content.contains([',', ';', '\t']) => {
            for row in rows::read(path, notes)? {
                let prompt = row.values.into_iter().find(|(name, _)| name == "prompt");
                match prompt {
                    Some((_, text)) => push(row.place.line, &text),
                    None => notes.add(row.place, "this row has no column `prompt`"),
                }
            }
        }
        "csv" => {
            for (line, text) in (1..).zip(content.lines()) {
                if line > 1 || !text.trim().eq_ignore_ascii_case("prompt") {
                    push(line, text);
                }
            }
        }
        _ => push(1, &content),
    }
    Ok(())
}

/// Cuts a prompt at the last blank line (or else line break) before its first
/// variable. The error names what a study cannot say.
fn cut(
    message: &ImportedMessage,
    place: &ConfigLocation,
    labels: &[String],
    notes: &mut ImportNotes,
) -> Result<SplitPrompt, String> {
    let parsed = parse(&message.user)?;
    for filter in &parsed.filters {
        notes.add(place.clone(), format!("the filter `{filter}` was dropped"));
    }
    let system = message.system.as_deref().map(constant).transpose()?;
    let first = parsed
        .parts
        .iter()
        .position(|part| matches!(part, NunjucksPart::Var(_)))
        .ok_or("a prompt without a {{variable}}")?;
    let before = match parsed.parts.first() {
        Some(NunjucksPart::Text(text)) if first == 1 => text.as_str(),
        _ => "",
    };
    let at = before
        .rfind("\n\n")
        .or_else(|| before.rfind('\n'))
        .filter(|at| !before[..*at].trim().is_empty());
    // What stands on the variable's own line is no instruction where a system
    // message gives one.
    let (mut instruction, shown) = match (at, &system) {
        (Some(at), _) => (before[..at].trim().to_owned(), before[at..].trim_start()),
        (None, Some(_)) => (String::new(), before.trim_start()),
        (None, None) => (before.trim().to_owned(), ""),
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
            NunjucksPart::Text(text) => input.push_str(&braces(text)),
            NunjucksPart::Var(name) => {
                let _ = write!(input, "{{{name}}}");
                if !fields.contains(name) {
                    fields.push(name.clone());
                }
            }
        }
    }
    let as_system = instruction.is_empty() && system.is_some();
    let system = match system {
        Some(text) if as_system => {
            instruction = text;
            None
        }
        other => other,
    };
    if instruction.is_empty() {
        instruction = format!("Answer with one of: {}.", labels.join(", "));
        notes.add(
            place.clone(),
            format!(
                "no text stands before the first variable; the seed prompt is now {instruction:?}"
            ),
        );
    }
    Ok(SplitPrompt {
        instruction,
        sent: SharedFraming {
            input: input.trim_end().to_owned(),
            system,
            as_system,
        },
        fields,
    })
}

/// A text without variables.
fn constant(text: &str) -> Result<String, String> {
    let parts = parse(text)?.parts.into_iter();
    parts
        .map(|part| match part {
            NunjucksPart::Text(text) => Ok(text),
            NunjucksPart::Var(name) => {
                Err(format!("a system message with a variable, {{{{{name}}}}}"))
            }
        })
        .collect::<Result<String, String>>()
        .map(|text| text.trim().to_owned())
}

/// Text in a study's template.
fn braces(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}
