//! Free text, as a study file declares it.

mod references;

use serde::{Deserialize, Serialize};

pub(crate) use references::references;

use crate::diagnostic::{DataError, DataProblem, DataProblems};
use crate::{
    AnswerForm, FieldTemplate, Input, Message, Metric, Prompt, Request, Task, render, template,
};

/// A task of free text as a study file declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerateSpec {
    /// The seed prompt's instruction; see [`places`](crate::places) for values in
    /// it.
    pub prompt: String,
    /// How an input is rendered; see [`FieldTemplate`].
    pub input: String,
    /// How a text is held against its references, and how a group's outcomes become its
    /// score.
    #[serde(default = "exact")]
    pub metric: Metric,
    /// Tokens that a text may take.
    #[serde(default = "max_tokens")]
    pub max_tokens: u32,
}

const fn exact() -> Metric {
    Metric::Exact
}

const fn max_tokens() -> u32 {
    512
}

/// Free text declared in a study file, compared with one reference or several.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateTask {
    name: String,
    seed: Prompt,
    template: FieldTemplate,
    metric: Metric,
    max_tokens: u32,
}

impl GenerateTask {
    /// Checks the declaration; all mistakes are reported at once, each under
    /// its key.
    pub fn new(name: impl Into<String>, spec: GenerateSpec) -> Result<Self, DataError> {
        let mut problems = DataProblems::default();
        if spec.prompt.trim().is_empty() {
            problems.push(
                DataProblem::new("task.prompt", "the prompt is empty")
                    .help("write the instruction in use today; the search starts from it"),
            );
        }
        if !is_of_texts(spec.metric) {
            let what = format!("{} does not fit a text", spec.metric);
            problems.push(
                DataProblem::new("task.metric", what)
                    .help("use exact, contains, regex, token-f1, rouge-l or bleu"),
            );
        }
        if spec.max_tokens == 0 {
            problems.push(
                DataProblem::new("task.max_tokens", "0 leaves no room for a text")
                    .help("give the most tokens that an answer may take"),
            );
        }
        let template = template::input(spec.input, &mut problems);
        problems.or(Self {
            name: name.into(),
            seed: Prompt::new(spec.prompt),
            template,
            metric: spec.metric,
            max_tokens: spec.max_tokens,
        })
    }

    /// The columns that inputs are rendered from, sorted.
    pub fn fields(&self) -> Vec<String> {
        let fields = self.template.fields();
        fields.into_iter().map(str::to_owned).collect()
    }
}

const fn is_of_texts(metric: Metric) -> bool {
    matches!(
        metric,
        Metric::Exact
            | Metric::Contains
            | Metric::Regex
            | Metric::TokenF1
            | Metric::RougeL
            | Metric::Bleu
    )
}

impl Task for GenerateTask {
    fn name(&self) -> &str {
        &self.name
    }

    fn seed(&self) -> Prompt {
        self.seed.clone()
    }

    fn answer_form(&self, _: &Input) -> AnswerForm {
        AnswerForm::Text {
            max_tokens: self.max_tokens,
        }
    }

    fn metric(&self) -> Metric {
        self.metric
    }

    fn takes_references(&self) -> bool {
        true
    }

    fn render(&self, input: &Input) -> String {
        self.template.render(input)
    }

    fn request(&self, prompt: &Prompt, input: &Input) -> Request {
        let text = render::filled(prompt, input, || self.render(input));
        Request {
            messages: vec![Message::user(text)],
            answer: self.answer_form(input),
        }
    }

    fn fills_fields(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
