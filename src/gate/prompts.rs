//! Where prompts come from: a text, a file, a study, a stored run.

use std::path::Path;

use shiftproof_tasks::{Prompt, PromptId};

use super::{PromptLocation, ScoredPrompt};
use crate::commands;
use crate::exit::Failure;
use crate::runs::session::StudySession;
use crate::study::places::GivenPrompt;
use crate::study::textfile;

/// A prompt and where it came from.
#[derive(Debug, Clone)]
pub struct NamedPrompt {
    /// The prompt.
    pub prompt: Prompt,
    /// Where from, for people.
    pub origin: String,
    /// Where it is written, if in a file.
    pub place: Option<PromptLocation>,
}

impl NamedPrompt {
    /// The prompt given as `argument`: a text, or `@FILE`, whose whole text is
    /// the instruction (`.json`: an object with `instruction` and
    /// `demonstrations`, or one that holds such a `prompt`, as a baseline file
    /// does).
    pub fn given(argument: &str) -> Result<Self, Failure> {
        let Some(file) = argument.strip_prefix('@') else {
            if std::path::Path::new(argument).is_file() {
                return Err(Failure::usage(format!(
                    "{argument} is a file: write @{argument} for the prompt in it"
                )));
            }
            let prompt = Prompt::new(argument);
            if prompt.instruction.is_empty() {
                return Err(Failure::usage("a prompt is empty: give its text or @FILE"));
            }
            return Ok(Self {
                prompt,
                origin: "given as text".into(),
                place: None,
            });
        };
        let text = textfile::read(Path::new(file)).map_err(|unread| {
            Failure::usage(format!("cannot read the prompt {unread}")).caused_by(unread)
        })?;
        let (prompt, line) = if Path::new(file)
            .extension()
            .is_some_and(|ending| ending == "json")
        {
            (from_json(file, &text)?, 1)
        } else {
            let before = text.len() - text.trim_start().len();
            (Prompt::new(&text), 1 + text[..before].matches('\n').count())
        };
        if prompt.instruction.is_empty() {
            return Err(Failure::usage(format!("{file}:1: the prompt is empty")));
        }
        Ok(Self {
            prompt,
            origin: file.to_owned(),
            place: Some(PromptLocation {
                file: file.to_owned(),
                line,
            }),
        })
    }

    /// The seed prompt of the study at `path`.
    pub fn of_study(prompt: Prompt, path: &Path) -> Self {
        let file = path.display().to_string();
        let text = textfile::read(path).unwrap_or_default();
        if let Some(own) = prompt_file(&text) {
            let own = path.parent().unwrap_or(Path::new("")).join(own);
            let file = own.display().to_string();
            let place = PromptLocation {
                file: file.clone(),
                line: 1,
            };
            return Self {
                prompt,
                origin: file,
                place: Some(place),
            };
        }
        // A task in Rust has its prompt in the program.
        let line = line_of_prompt(&text).unwrap_or(1);
        Self {
            prompt,
            origin: format!("{file}:{line}"),
            place: Some(PromptLocation { file, line }),
        }
    }

    /// Checks its placeholders against the study's data, and tells what may be a
    /// slip.
    pub(crate) fn check(&self, session: &StudySession) -> Result<(), Failure> {
        let place = match &self.place {
            Some(place) => format!("{}:{}", place.file, place.line),
            None => self.origin.clone(),
        };
        let given = [GivenPrompt {
            place,
            text: &self.prompt.instruction,
        }];
        for finding in session.check_given(&given)? {
            commands::note(&finding.to_string());
        }
        Ok(())
    }

    /// The prompt's id.
    pub fn id(&self) -> PromptId {
        self.prompt.id()
    }

    /// The contender it becomes with its scores.
    pub fn contend(&self, groups: Vec<shiftproof_search::event::GroupOutcome>) -> ScoredPrompt {
        ScoredPrompt {
            prompt: self.prompt.clone(),
            id: self.id(),
            origin: self.origin.clone(),
            place: self.place.clone(),
            score: None,
            groups,
        }
    }
}

fn from_json(file: &str, text: &str) -> Result<Prompt, Failure> {
    let fail = |line: usize, what: String| Failure::usage(format!("{file}:{line}: {what}"));
    let value: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| fail(error.line(), format!("not JSON: {error}")).caused_by(error))?;
    let inner = value.get("prompt").unwrap_or(&value);
    let prompt: Prompt = serde_json::from_value(inner.clone()).map_err(|error| {
        fail(
            1,
            format!("no prompt: {error}; an object with `instruction` and, if any, `demonstrations` is needed"),
        )
        .caused_by(error)
    })?;
    // As a prompt that was never in a file.
    Ok(Prompt::new(prompt.instruction).with_demonstrations(prompt.demonstrations))
}

/// The file that holds a study's seed prompt, if one does.
fn prompt_file(study: &str) -> Option<String> {
    let document: toml::Table = toml::from_str(study).ok()?;
    let file = document.get("task")?.get("prompt_file")?.as_str()?;
    Some(file.to_owned())
}

/// The line on which `task.prompt` of a study begins, from 1.
fn line_of_prompt(study: &str) -> Option<usize> {
    let document = toml::de::DeTable::parse(study).ok()?;
    let prompt = document.get_ref().get("task")?.get_ref().get("prompt")?;
    let start = prompt.span().start;
    Some(study.get(..start)?.matches('\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompt_line_is_found() {
        let study = "name = \"x\"\n[task]\nkind = \"classify\"\n# prompt = 1\nprompt = \"\"\"\nDo it.\"\"\"\n";
        assert_eq!(line_of_prompt(study), Some(5));
        assert_eq!(line_of_prompt("task = { prompt = \"x\" }"), Some(1));
        assert_eq!(line_of_prompt("name = 1"), None);
    }

    #[test]
    fn both_file_forms_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("a.txt"), "\n\n  Say it.\n").unwrap();
        let named = NamedPrompt::given(&format!("@{}", path("a.txt"))).unwrap();
        assert_eq!(named.prompt, Prompt::new("Say it."));
        assert_eq!(named.place.unwrap().line, 3);
        std::fs::write(path("b.json"), r#"{"prompt": {"instruction": "Say it."}}"#).unwrap();
        let named = NamedPrompt::given(&format!("@{}", path("b.json"))).unwrap();
        assert_eq!(named.prompt, Prompt::new("Say it."));
        std::fs::write(path("b.json"), "{\n\"prompt\": {}}").unwrap();
        let failure = NamedPrompt::given(&format!("@{}", path("b.json"))).unwrap_err();
        assert!(
            failure.message.contains("instruction"),
            "{}",
            failure.message
        );
        assert!(NamedPrompt::given(" ").is_err());
        assert!(NamedPrompt::given("@nowhere").is_err());
    }
}
