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
use shiftproof_search::event::{AuditedPrompt, GroupOutcome};
use shiftproof_tasks::{
    Example, FieldTemplate, Input, Prompt, PromptFrame, PromptId, PromptRole, Role, places, render,
};

use crate::cli::ExportFormat;
use crate::exit::Failure;
use crate::report::{CandidateStanding, RunSummary, VerdictTone, to_json};
use crate::study::ModelSpec;

/// A prompt on its way out.
pub(crate) struct ExportedPrompt<'a> {
    /// The run's name.
    pub run: &'a str,
    /// What the run came to.
    pub summary: &'a RunSummary,
    /// The prompt's id.
    pub id: PromptId,
    /// The prompt.
    pub standing: &'a CandidateStanding,
    /// How inputs are shown and what may be answered.
    pub shape: PromptUsage,
}

/// What an audit says of a prompt on its way out.
pub(crate) struct AuditProof {
    /// Whether it is better than the seed beyond chance.
    pub proven: bool,
    /// Whether it is the seed itself, which needs no proof.
    pub seed: bool,
    /// In words, without a full stop.
    pub sentence: String,
}

/// What a prompt is used with.
#[derive(Debug, Clone)]
pub(crate) struct PromptUsage {
    /// How an input is shown.
    pub template: FieldTemplate,
    /// The closed set of answers; empty for any other form.
    pub labels: Vec<String>,
    /// The model of the study.
    pub model: Option<ModelSpec>,
    /// Labelled source examples.
    pub examples: Vec<Example>,
    /// Fields that a prompt can show in places of its own; empty where the task
    /// fills none.
    pub fields: Vec<String>,
    /// What surrounds the prompt in a request.
    pub frame: PromptFrame,
    /// What a request says of the answer's form beside the prompt.
    pub form: Option<String>,
    /// Fields that a model wrote about every input before the prompt was asked (`[augment]`).
    pub knowledge: Vec<String>,
}

impl PromptUsage {
    /// What whoever uses the prompt elsewhere has to know of its inputs, without a full stop;
    /// `None` where they were as the data have them.
    pub fn relies_on(&self) -> Option<String> {
        (!self.knowledge.is_empty()).then(|| {
            format!(
                "it was scored on inputs with knowledge that a model wrote ([augment]: {}), which \
                 is not in the prompt: have it written for new inputs too, or score the prompt \
                 without it",
                self.knowledge.join(", ")
            )
        })
    }

    /// Nothing known of the study: an input is one text called `input`.
    pub fn plain() -> Self {
        Self {
            template: FieldTemplate::new("{input}").expect("a template of one field"),
            labels: Vec::new(),
            model: None,
            examples: Vec::new(),
            fields: Vec::new(),
            frame: PromptFrame::default(),
            form: None,
            knowledge: Vec::new(),
        }
    }

    /// A variable's name for each field: a letter or `_`, then letters, digits
    /// and `_`, for other tools take no more.
    pub fn variables(&self) -> BTreeMap<&str, String> {
        let mut taken = BTreeSet::new();
        let mut names = BTreeMap::new();
        let more = self.fields.iter().map(String::as_str);
        for field in self.template.fields().into_iter().chain(more) {
            if names.contains_key(field) {
                continue;
            }
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

impl ExportedPrompt<'_> {
    /// The prompt in a form.
    pub fn write(&self, format: ExportFormat) -> Result<String, Failure> {
        match format {
            ExportFormat::Text => Ok(self.fixed() + "\n"),
            ExportFormat::Json => to_json(&self.json()),
            ExportFormat::Promptfoo => promptfoo::write(self),
            ExportFormat::Dspy => to_json(&dspy::state(self)),
            ExportFormat::Langchain => to_json(&langchain::template(self)),
        }
    }

    /// How far the prompt is proven.
    pub fn proof(&self) -> AuditProof {
        let verdict = self.summary.verdict();
        let seed = self.summary.seed() == Some(self.id);
        let (proven, sentence) = if seed {
            (
                false,
                "the seed prompt, in use when the run began".to_owned(),
            )
        } else if self.summary.selected == Some(self.id) {
            (
                verdict.tone == VerdictTone::Better && self.summary.unverified.is_empty(),
                verdict.sentence,
            )
        } else {
            let sentence = "not audited: only the search has scored it".to_owned();
            (false, sentence)
        };
        AuditProof {
            proven,
            seed,
            sentence,
        }
    }

    /// The same for the metadata of other tools.
    fn metadata(&self) -> Value {
        let proof = self.proof();
        let mut metadata = json!({
            "run": self.run,
            "prompt": self.id,
            "verdict": proof.sentence,
            "proven": proof.proven,
        });
        if !self.shape.knowledge.is_empty() {
            metadata["augment"] = json!(self.shape.knowledge);
        }
        metadata
    }

    /// Instruction and demonstrations as a model reads them, without an input.
    fn fixed(&self) -> String {
        let fields = &self.shape.fields;
        let is_field = |name: &str| fields.iter().any(|field| field == name);
        self.with_form(render::unfilled(&self.standing.prompt, &is_field))
    }

    /// A text with what a request says of the answer's form behind it.
    fn with_form(&self, mut text: String) -> String {
        if let Some(form) = &self.shape.form {
            text.push_str("\n\n");
            text.push_str(form);
        }
        text
    }

    /// The messages of a request with places for the input, in another template
    /// syntax.
    fn messages(
        &self,
        literal: impl Fn(&str) -> String,
        field: impl Fn(&str) -> String,
    ) -> Vec<(Role, String)> {
        let prompt = &self.standing.prompt;
        let names = self.shape.variables();
        // Fields hold their numbers between marks that stand in no text, and so can
        // be found again in what the task itself makes of them.
        let frame = &self.shape.frame;
        let texts = [
            &prompt.instruction,
            frame.system.as_ref().unwrap_or(&prompt.instruction),
        ];
        let mark = ('\u{e000}'..='\u{f8ff}')
            .find(|mark| texts.iter().all(|text| !text.contains(*mark)))
            .unwrap_or('\u{e000}');
        let filled = |known: &mut dyn Iterator<Item = &str>| {
            let mut input = Input::new("", "");
            for name in known {
                let number = names.keys().position(|key| *key == name).unwrap_or(0);
                input = input.with_field(name, format!("{mark}{number}{mark}"));
            }
            input
        };
        let shown = filled(&mut self.shape.template.fields().into_iter());
        let placed = filled(&mut self.shape.fields.iter().map(String::as_str));
        let translated = |text: &str| -> String {
            text.split(mark)
                .enumerate()
                .map(|(index, piece)| match piece.parse::<usize>() {
                    Ok(number) if index % 2 == 1 => names
                        .values()
                        .nth(number)
                        .map_or_else(String::new, |name| field(name)),
                    _ => literal(piece),
                })
                .collect()
        };
        let rendered = || self.shape.template.render(&shown);
        let (mut system, user) = match frame.prompt_role {
            PromptRole::User => {
                let text = render::filled(prompt, &placed, rendered);
                (Vec::new(), self.with_form(text))
            }
            PromptRole::System => {
                let bare = Prompt::new("").with_demonstrations(prompt.demonstrations.clone());
                let own = places::fill(&prompt.instruction, &placed).0.into_owned();
                (
                    vec![self.with_form(own)],
                    render::message(&bare, &rendered()),
                )
            }
        };
        if let Some(text) = &frame.system {
            system.insert(0, places::fill(text, &placed).0.into_owned());
        }
        let system = (!system.is_empty()).then(|| (Role::System, translated(&system.join("\n\n"))));
        system
            .into_iter()
            .chain([(Role::User, translated(&user))])
            .collect()
    }

    fn json(&self) -> Value {
        let started = self.summary.started.as_ref();
        let proof = self.proof();
        let audited = |contestant| self.summary.audited(contestant);
        let audit: Option<&[GroupOutcome]> = if self.summary.selected == Some(self.id) {
            audited(AuditedPrompt::Selected)
        } else if self.summary.seed() == Some(self.id) {
            audited(AuditedPrompt::Seed)
        } else {
            None
        };
        let mut json = json!({
            "format": 1,
            "prompt": self.standing.prompt,
            "message": self.fixed(),
            "system": self.shape.frame.system,
            "prompt_role": self.shape.frame.prompt_role,
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
        });
        if !self.shape.knowledge.is_empty() {
            json["augment"] = json!(self.shape.knowledge);
        }
        json
    }
}
