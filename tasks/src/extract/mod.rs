//! Fields read from a text, as a study file declares them.

mod grades;
mod json_schema;
mod labels;
mod read;
mod schema;
mod words;

use serde::Deserialize;

pub(crate) use labels::{FieldFault, LabelledFields};
pub use read::FieldValues;
pub use schema::{AnswerField, AnswerSchema, FieldType, TextComparison};

use crate::diagnostic::{DataError, DataProblem, DataProblems};
use crate::{
    Answer, AnswerForm, FieldTemplate, GradedAnswer, Input, Label, Message, Metric, Outcome,
    Prompt, Reply, Request, Task, parse, render,
};

/// An extraction task as a study file declares it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtractSpec {
    /// The seed prompt's instruction; see [`places`](crate::places) for values in
    /// it.
    pub prompt: String,
    /// How an input is rendered; see [`FieldTemplate`].
    pub input: String,
    /// The answer's fields.
    #[serde(default)]
    pub fields: AnswerSchema,
    /// Instead of the fields: a JSON Schema, as text.
    #[serde(default)]
    pub schema: Option<String>,
    /// `accuracy`, the share of the fields that is right, or `exact`, whether all are.
    #[serde(default)]
    pub metric: Metric,
    /// Tokens that an answer may take; by default what its fields need.
    #[serde(default)]
    pub max_tokens: Option<u32>,
}

/// Extraction declared in a study file: an answer of JSON, graded field by field.
#[derive(Debug, Clone, PartialEq)]
pub struct ExtractTask {
    name: String,
    seed: Prompt,
    template: FieldTemplate,
    schema: AnswerSchema,
    form: AnswerForm,
    metric: Metric,
}

impl ExtractTask {
    /// Checks the declaration; all mistakes are reported at once, each under
    /// its key.
    pub fn new(name: impl Into<String>, spec: ExtractSpec) -> Result<Self, DataError> {
        let mut problems = DataProblems::default();
        if spec.prompt.trim().is_empty() {
            problems.push(
                DataProblem::new("task.prompt", "the prompt is empty")
                    .help("write the instruction in use today; the search starts from it"),
            );
        }
        let schema = declared(&spec, &mut problems);
        if !matches!(spec.metric, Metric::Accuracy | Metric::Exact) {
            let what = format!("{} does not fit an answer of several fields", spec.metric);
            problems.push(
                DataProblem::new("task.metric", what).help(
                    "use accuracy (the share of the fields that is right) or exact (all are)",
                ),
            );
        }
        let template = crate::template::input(spec.input, &mut problems);
        let own = |field: &AnswerField| match field.kind {
            FieldType::List(_) => LIST_TOKENS,
            _ => FIELD_TOKENS,
        };
        let needed = REASONS + schema.fields.values().map(own).sum::<u32>();
        let form = AnswerForm::Json {
            schema: schema.json_schema(),
            max_tokens: spec.max_tokens.unwrap_or(needed),
        };
        problems.or(Self {
            name: name.into(),
            seed: Prompt::new(spec.prompt),
            template,
            schema,
            form,
            metric: spec.metric,
        })
    }

    /// The columns that inputs are rendered from, sorted.
    pub fn fields(&self) -> Vec<String> {
        let fields = self.template.fields();
        fields.into_iter().map(str::to_owned).collect()
    }
}

/// Room for what a model writes before its answer.
const REASONS: u32 = 512;
/// Room for a field's name and value.
const FIELD_TOKENS: u32 = 64;
/// The same of a list.
const LIST_TOKENS: u32 = 256;

/// The schema that a study declares, however it does.
fn declared(spec: &ExtractSpec, problems: &mut DataProblems) -> AnswerSchema {
    let Some(text) = &spec.schema else {
        spec.fields.check("task.fields", problems);
        return spec.fields.clone();
    };
    if !spec.fields.fields.is_empty() {
        problems.push(
            DataProblem::new("task.schema", "task.fields already names the fields")
                .help("keep one of task.fields and task.schema"),
        );
    }
    let read = serde_json::from_str(text)
        .map_err(|error| format!("it is no JSON: {error}"))
        .and_then(|schema| AnswerSchema::from_json_schema(&schema));
    match read {
        Ok(schema) => {
            schema.check("task.schema", problems);
            schema
        }
        Err(why) => {
            problems.push(DataProblem::new("task.schema", why).help(
                "give a JSON Schema of an object of texts, numbers, booleans, enums and lists, or \
                 list the fields in [task.fields]",
            ));
            AnswerSchema::default()
        }
    }
}

impl Task for ExtractTask {
    fn name(&self) -> &str {
        &self.name
    }

    fn seed(&self) -> Prompt {
        self.seed.clone()
    }

    fn answer_form(&self, _: &Input) -> AnswerForm {
        self.form.clone()
    }

    fn schema(&self) -> Option<&AnswerSchema> {
        Some(&self.schema)
    }

    fn metric(&self) -> Metric {
        self.metric
    }

    fn render(&self, input: &Input) -> String {
        self.template.render(input)
    }

    /// Told where the prompt does not say all of it itself
    /// ([`AnswerSchema::is_told_in`]).
    fn form_in_words(&self, prompt: &Prompt) -> Option<String> {
        let text = &prompt.instruction;
        // Where there is none, a frame holds it.
        (!text.is_empty() && !self.schema.is_told_in(text)).then(|| self.schema.words())
    }

    fn request(&self, prompt: &Prompt, input: &Input) -> Request {
        let mut text = render::filled(prompt, input, || self.render(input));
        if let Some(words) = self.form_in_words(prompt) {
            text.push_str("\n\n");
            text.push_str(&words);
        }
        Request {
            messages: vec![Message::user(text)],
            answer: self.form.clone(),
        }
    }

    fn fills_fields(&self) -> bool {
        true
    }

    fn parse(&self, _: &Input, reply: &Reply) -> Answer {
        parse::fields(&self.schema, reply)
    }

    fn grade(&self, answer: &Answer, label: &Label) -> Outcome {
        let (Answer::Fields(said), Label::Fields(truth)) = (answer, label) else {
            return self.metric.grade(answer, label);
        };
        let share = self.schema.share(said, truth);
        Outcome::Scored(GradedAnswer {
            value: match self.metric {
                Metric::Exact => f64::from(share >= 1.0),
                _ => share,
            },
            answer: answer.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
