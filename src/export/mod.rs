//! A run's prompt in the forms that other tools read.
//!
//! What leaves here is the prompt and, in a promptfoo config, labelled *source*
//! examples of the search. No target label and no audit example does.

mod dspy;
mod langchain;
pub(crate) mod promptfoo;
#[cfg(test)]
mod tests;

pub(crate) use dspy::signature as dspy_signature;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use shiftproof_search::event::{Contestant, GroupScore};
use shiftproof_tasks::{Example, PromptId, Template, render};

use crate::cli::ExportFormat;
use crate::exit::{Exit, Failure};
use crate::report::{Standing, Summary, Tone};
use crate::study::ModelSpec;

/// A prompt on its way out.
pub(crate) struct Exported<'a> {
    /// The run's name.
    pub run: &'a str,
    /// What the run came to.
    pub summary: &'a Summary,
    /// The prompt's id.
    pub id: PromptId,
    /// The prompt.
    pub standing: &'a Standing,
    /// How inputs are shown and what may be answered.
    pub shape: Shape,
}

/// What an audit says of a prompt on its way out.
pub(crate) struct Proof {
    /// Whether it is better than the seed beyond chance.
    pub proven: bool,
    /// Whether it is the seed itself, which needs no proof.
    pub seed: bool,
    /// In words, without a full stop.
    pub sentence: String,
}

/// What a prompt is used with.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// How an input is shown.
    pub template: Template,
    /// The closed set of answers; empty for any other form.
    pub labels: Vec<String>,
    /// The model of the study.
    pub model: Option<ModelSpec>,
    /// Labelled source examples.
    pub examples: Vec<Example>,
}

impl Shape {
    /// Nothing known of the study: an input is one text called `input`.
    pub fn plain() -> Self {
        Self {
            template: Template::new("{input}").expect("a template of one field"),
            labels: Vec::new(),
            model: None,
            examples: Vec::new(),
        }
    }

    /// A variable's name for each field: a letter or `_`, then letters, digits
    /// and `_`, for other tools take no more.
    pub fn variables(&self) -> BTreeMap<&str, String> {
        let mut taken = BTreeSet::new();
        let mut names = BTreeMap::new();
        for field in self.template.fields() {
            let mut name: String = field
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
                .collect();
            if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
                name.insert(0, '_');
            }
            while !taken.insert(name.clone()) {
                name.push('_');
            }
            names.insert(field, name);
        }
        names
    }
}

impl Exported<'_> {
    /// The prompt in a form.
    pub fn write(&self, format: ExportFormat) -> Result<String, Failure> {
        match format {
            ExportFormat::Text => Ok(self.fixed() + "\n"),
            ExportFormat::Json => pretty(&self.json()),
            ExportFormat::Promptfoo => promptfoo::write(self),
            ExportFormat::Dspy => pretty(&dspy::state(self)),
            ExportFormat::Langchain => pretty(&langchain::template(self)),
        }
    }

    /// How far the prompt is proven.
    pub fn proof(&self) -> Proof {
        let verdict = self.summary.verdict();
        let seed = self.summary.seed() == Some(self.id);
        let (proven, sentence) = if seed {
            (
                false,
                "the seed prompt, in use when the run began".to_owned(),
            )
        } else if self.summary.selected == Some(self.id) {
            (
                verdict.tone == Tone::Better && self.summary.unverified.is_empty(),
                verdict.sentence,
            )
        } else {
            let sentence = "not audited: only the search has scored it".to_owned();
            (false, sentence)
        };
        Proof {
            proven,
            seed,
            sentence,
        }
    }

    /// The same for the metadata of other tools.
    fn metadata(&self) -> Value {
        let proof = self.proof();
        json!({
            "run": self.run,
            "prompt": self.id,
            "verdict": proof.sentence,
            "proven": proof.proven,
        })
    }

    /// Instruction and demonstrations as a model reads them, without an input.
    fn fixed(&self) -> String {
        render::message(&self.standing.prompt, "")
            .trim_end()
            .to_owned()
    }

    /// The whole message with places for the input, in another template syntax.
    fn message(&self, literal: impl Fn(&str) -> String, field: impl Fn(&str) -> String) -> String {
        let fixed = self.fixed();
        let gap = if fixed.is_empty() { "" } else { "\n\n" };
        let names = self.shape.variables();
        let input = self
            .shape
            .template
            .translate(&literal, |name| field(&names[name]));
        // The gap keeps a brace at the end of one apart from the other.
        literal(&fixed) + gap + &input
    }

    fn json(&self) -> Value {
        let started = self.summary.started.as_ref();
        let proof = self.proof();
        let audited = |contestant| self.summary.audited(contestant);
        let audit: Option<&[GroupScore]> = if self.summary.selected == Some(self.id) {
            audited(Contestant::Selected)
        } else if self.summary.seed() == Some(self.id) {
            audited(Contestant::Seed)
        } else {
            None
        };
        json!({
            "format": 1,
            "prompt": self.standing.prompt,
            "message": self.fixed(),
            "input": self.shape.template,
            "labels": self.shape.labels,
            "id": self.id,
            "origin": self.standing.origin,
            "parents": self.standing.parents,
            "selected": self.summary.selected == Some(self.id),
            "verdict": proof.sentence,
            "proven": proof.proven,
            "unverified": self.summary.unverified,
            "scores": {
                "objective": self.standing.score,
                "search": self.standing.groups,
                "audit": audit,
            },
            "run": self.run,
            "study": started.map(|started| &started.study),
            "task": started.map(|started| &started.task),
            "metric": started.map(|started| &started.metric),
            "method": started.map(|started| &started.method),
            "seed": started.map(|started| started.seed),
            "task_model": started.map(|started| &started.task_model),
            "proposer_model": started.map(|started| &started.proposer_model),
            "version": started.map(|started| &started.version),
        })
    }
}

fn pretty(value: &Value) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(|error| Failure::new(Exit::Internal, error.to_string()))
}
