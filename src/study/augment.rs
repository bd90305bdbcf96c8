//! Knowledge that a model writes about inputs before prompts are evaluated (`[augment]`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shiftproof_rec::kar::{KarAugmentation, KarSpec};
use shiftproof_tasks::augment::TemplateAugmentation;
use shiftproof_tasks::diagnostic::DataProblem;
use shiftproof_tasks::{Augmentation, AugmentedTask, Data, Example, FieldTemplate, Input, suggest};

use super::task_registry::TaskInstance;
use super::{ModelSpec, Study, explain};
use crate::exit::Failure;
use crate::study::textfile;

/// What is written about inputs, and by whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AugmentSpec {
    /// What is asked.
    pub kind: AugmentKind,
    /// The model that writes; the study's own where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelSpec>,
    /// `kar`: the fields that are written; both where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<String>>,
    /// `kar`: what tastes and items are described by; where absent, what suits the items.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub factors: Vec<String>,
    /// `kar`: whether the question on preferences tells what is known of the user.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub user: bool,
    /// `ask`: a field each, by its name, with the question that it answers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub questions: BTreeMap<String, String>,
    /// Tokens of an answer at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
}

/// What is asked about inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AugmentKind {
    /// What a user's history says of their preferences, and what is known of items.
    Kar,
    /// Questions of the study's own.
    Ask,
}

/// Tokens of an answer to a study's own question.
const ASKED: u32 = 256;

/// What contradicts itself in what is to be written.
pub(super) fn problems(study: &Study) -> Vec<String> {
    let Some(spec) = &study.augment else {
        return Vec::new();
    };
    let of_kar = [
        ("fields", spec.fields.is_some()),
        ("factors", !spec.factors.is_empty()),
        ("user", spec.user),
    ];
    let misplaced = match spec.kind {
        AugmentKind::Kar => vec![("questions", !spec.questions.is_empty())],
        AugmentKind::Ask => of_kar.to_vec(),
    };
    let other = match spec.kind {
        AugmentKind::Kar => "ask",
        AugmentKind::Ask => "kar",
    };
    let mut problems: Vec<String> = misplaced
        .into_iter()
        .filter(|(_, given)| *given)
        .map(|(key, _)| {
            format!("augment.{key} belongs to kind = {other:?}: remove it, or change the kind")
        })
        .collect();
    if problems.is_empty()
        && let Err(problem) = spec.build()
    {
        problems.push(problem.to_string());
    }
    problems
}

/// What is asked, with the columns that it shows.
type BuiltAugmentation = (Arc<dyn Augmentation>, Vec<String>);

impl AugmentSpec {
    /// The names of the fields that are written.
    pub(crate) fn written(&self) -> Vec<String> {
        let fields = self.build().map(|(own, _)| own.fields().to_vec());
        let fields = fields.unwrap_or_default().into_iter();
        fields.map(|field| field.name).collect()
    }

    fn build(&self) -> Result<BuiltAugmentation, DataProblem> {
        match self.kind {
            AugmentKind::Kar => {
                let default = KarSpec::new();
                let own = KarAugmentation::new(KarSpec {
                    fields: self.fields.clone().unwrap_or(default.fields),
                    factors: self.factors.clone(),
                    user: self.user,
                    max_tokens: self.max_tokens.unwrap_or(default.max_tokens),
                    item: None,
                })?;
                Ok((Arc::new(own), Vec::new()))
            }
            AugmentKind::Ask if self.questions.is_empty() => Err(DataProblem::new(
                "augment.questions",
                "there is none, and kind = \"ask\" asks what stands there",
            )
            .help("write questions = { topic = \"Name the topic in five words: {text}\" }")),
            AugmentKind::Ask => {
                let mut questions = BTreeMap::new();
                for (name, text) in &self.questions {
                    let template = FieldTemplate::new(text.as_str()).map_err(|problem| {
                        DataProblem::new(format!("augment.questions.{name}"), problem.to_string())
                    })?;
                    questions.insert(name.clone(), template);
                }
                let own = TemplateAugmentation::new(questions, self.max_tokens.unwrap_or(ASKED))?;
                let columns = own.columns();
                Ok((Arc::new(own), columns))
            }
        }
    }
}

/// Makes the task one that shows what is written. `path` is for messages.
pub(crate) fn augmented(
    study: &Study,
    built: &mut TaskInstance,
    path: &Path,
) -> Result<(), Failure> {
    let Some(spec) = &study.augment else {
        return Ok(());
    };
    let (augmentation, columns) = spec
        .build()
        .map_err(|problem| Failure::usage(problem.to_string()))?;
    let fields = augmentation.fields();
    if built.task.fills_fields() {
        let shown = |name: &String| built.fields.contains(name) || built.mentions.contains(name);
        if let Some(idle) = fields.iter().find(|field| !shown(&field.name)) {
            let text = textfile::read(path).unwrap_or_default();
            let place = explain::place(&text, path, &["augment"]);
            return Err(Failure::usage(format!(
                "{place}: augment has {{{name}}} written, and neither task.input nor a prompt shows \
                 it: put {{{name}}} where it belongs, or leave it out",
                name = idle.name
            )));
        }
    }
    let is_written = |name: &String| fields.iter().any(|field| field.name == *name);
    built.fields.retain(|name| !is_written(name));
    built.mentions.retain(|name| !is_written(name));
    for column in columns {
        if !built.fields.contains(&column) {
            built.fields.push(column);
        }
    }
    built.task = Arc::new(AugmentedTask::new(built.task.clone(), fields.to_vec()));
    built.augmentation = Some(augmentation);
    Ok(())
}

/// Fails where a question of the study's own shows a column that none of these examples of
/// interactions has.
pub(crate) fn check_columns(study: &Study, examples: &[Example]) -> Result<(), Failure> {
    let Some(spec) = &study.augment else {
        return Ok(());
    };
    let kept = &study.data.columns.fields;
    let known: BTreeSet<&str> = examples
        .iter()
        .flat_map(|example| example.input.fields.keys())
        .filter(|name| kept.is_empty() || kept.contains(name))
        .map(String::as_str)
        .collect();
    for (name, text) in &spec.questions {
        let Ok(template) = FieldTemplate::new(text.as_str()) else {
            continue;
        };
        let fields = template.fields();
        let Some(strange) = fields.iter().find(|field| !known.contains(**field)) else {
            continue;
        };
        return Err(Failure::usage(format!(
            "augment.questions.{name} shows {{{strange}}}, and no example has it; {}",
            suggest::instead(strange, "fields of these examples", known.iter().copied())
        )));
    }
    Ok(())
}

/// Fails where a field is in the data already, or nothing could ever be written in one.
pub(crate) fn check(built: &TaskInstance, data: &Data) -> Result<(), Failure> {
    let Some(augmentation) = &built.augmentation else {
        return Ok(());
    };
    for field in augmentation.fields() {
        let name = &field.name;
        if data.inputs().any(|input| input.fields.contains_key(name)) {
            return Err(Failure::usage(format!(
                "augment: the data have a column {name:?} already: rename one of the two"
            )));
        }
        let is_asked = |input: &Input| {
            let asked = augmentation.questions(input);
            asked.iter().any(|question| question.field == *name)
        };
        if !data.inputs().any(is_asked) {
            let known = data.inputs().next().map_or_else(String::new, |input| {
                let names: Vec<&str> = input.fields.keys().map(String::as_str).collect();
                names.join(", ")
            });
            return Err(Failure::usage(format!(
                "augment: no example has anything to ask about for {name:?}; examples have: \
                 {known}\n  leave it out of augment.fields, or let data.fields have what it is asked \
                 about (a history, an item or candidates)"
            )));
        }
    }
    Ok(())
}

/// An input as it will be once something is written about it.
pub(crate) fn like(built: &TaskInstance, input: &Input) -> Input {
    let mut input = input.clone();
    if let Some(augmentation) = &built.augmentation {
        for field in augmentation.fields() {
            input.fields.entry(field.name.clone()).or_default();
        }
    }
    input
}
