//! A task whose requests or scores a program of the user's makes.

use serde::{Deserialize, Serialize};

use crate::diagnostic::{DataError, DataProblem, DataProblems};
use crate::{
    AnswerForm, Grader, Input, Metric, ProgramGrader, ProgramRenderer, Prompt, Renderer, Task,
};

/// What a program does of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProgramStep {
    /// Makes the messages of a request out of prompt and input.
    Render,
    /// Scores an answer.
    Score,
}

/// A task as a study file declares it whose program does what no other kind does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramSpec {
    /// The seed prompt's instruction.
    pub prompt: String,
    /// The program and its arguments, as one text or a list of texts. Who connects the
    /// program reads it; the task does not.
    pub command: CommandLine,
    /// What the program does. Where it does not render, a request is instruction and
    /// fields; where it does not score, the answer is compared with the label.
    #[serde(default = "both")]
    pub does: Vec<ProgramStep>,
    /// The columns that the program sees of an input; `data.fields` where there are
    /// none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// The closed set of answers; none where an answer is free text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Completion tokens of an answer in free text at most.
    #[serde(default = "room")]
    pub max_tokens: u32,
    /// Whether the program is told labels when it scores.
    #[serde(default = "yes")]
    pub reference: bool,
    /// Processes side by side; read, like the keys below, by who connects the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<usize>,
    /// Lines that are sent along at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// How long it may be silent while a line is open, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u64>,
}

/// A program and its arguments: one text, in which spaces and quotation marks mean
/// what they do in a shell and nothing else does, or a list of texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CommandLine {
    /// One text.
    Text(String),
    /// The program, then its arguments.
    List(Vec<String>),
}

fn both() -> Vec<ProgramStep> {
    vec![ProgramStep::Render, ProgramStep::Score]
}

const fn room() -> u32 {
    512
}

const fn yes() -> bool {
    true
}

/// See [`ProgramSpec`].
#[derive(Debug, Clone, PartialEq)]
pub struct ProgramTask {
    name: String,
    spec: ProgramSpec,
    grader: ProgramGrader,
}

impl ProgramTask {
    /// Checks the declaration; all mistakes are reported at once, each under its key.
    ///
    /// # Errors
    /// A blank prompt, one label, a program that does nothing.
    pub fn new(name: impl Into<String>, spec: ProgramSpec) -> Result<Self, DataError> {
        let mut problems = DataProblems::default();
        let mut fault = |key: &str, what: &str, mend: &str| {
            problems.push(DataProblem::new(key, what).help(mend));
        };
        if spec.prompt.trim().is_empty() {
            fault(
                "task.prompt",
                "the prompt is empty",
                "write the instruction in use today; the search starts from it",
            );
        }
        if spec.does.is_empty() {
            fault(
                "task.does",
                "the program does nothing",
                "write \"render\", \"score\" or both",
            );
        }
        if spec.labels.len() == 1 {
            fault(
                "task.labels",
                "one label leaves nothing to choose",
                "list at least two, or none where an answer is free text",
            );
        }
        if spec.max_tokens == 0 {
            fault(
                "task.max_tokens",
                "0 leaves no room for an answer",
                "write 1 or more, or remove the key",
            );
        }
        problems.or(Self {
            name: name.into(),
            grader: ProgramGrader::of_task(spec.reference),
            spec,
        })
    }

    /// The columns that the program sees, where the task names them.
    pub fn fields(&self) -> &[String] {
        &self.spec.fields
    }

    fn does(&self, step: ProgramStep) -> bool {
        self.spec.does.contains(&step)
    }
}

impl Task for ProgramTask {
    fn name(&self) -> &str {
        &self.name
    }

    fn seed(&self) -> Prompt {
        Prompt::new(&self.spec.prompt)
    }

    fn answer_form(&self, _: &Input) -> AnswerForm {
        if self.spec.labels.is_empty() {
            AnswerForm::Text {
                max_tokens: self.spec.max_tokens,
            }
        } else {
            AnswerForm::choice(self.spec.labels.iter().cloned())
        }
    }

    fn metric(&self) -> Metric {
        if self.does(ProgramStep::Score) {
            self.grader.metric()
        } else {
            Metric::Accuracy
        }
    }

    fn grader(&self) -> Option<&dyn Grader> {
        self.does(ProgramStep::Score).then_some(&self.grader)
    }

    fn renderer(&self) -> Option<&dyn Renderer> {
        self.does(ProgramStep::Render).then_some(&ProgramRenderer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Grade, Label, Reply};

    fn spec(text: &str) -> Result<ProgramTask, String> {
        let spec: ProgramSpec = serde_json::from_str(text).map_err(|error| error.to_string())?;
        ProgramTask::new("t", spec).map_err(|error| error.to_string())
    }

    #[test]
    fn programs_do_what_they_are_to() {
        let task = spec(r#"{"prompt": "Go.", "command": "run me"}"#).unwrap();
        assert!(task.grader().is_some() && task.renderer().is_some());
        assert_eq!(task.metric(), Metric::Command);
        let task = spec(r#"{"prompt": "Go.", "command": ["run"], "does": ["render"]}"#).unwrap();
        assert!(task.grader().is_none() && task.renderer().is_some());
        let example = Input::new("1", "g").with_label(Label::Text("Paris".into()));
        let score = |reply: &Reply| task.score(&example, reply).value();
        assert_eq!(score(&Reply::text("paris")), Some(1.0));
        let graded = Reply {
            grade: Some(Grade::Score(0.25)),
            ..Reply::text("paris")
        };
        assert_eq!(score(&graded), Some(0.25));
    }

    #[test]
    fn mistakes_are_told_under_their_keys() {
        let told = spec(r#"{"prompt": " ", "command": "x", "does": [], "labels": ["a"]}"#);
        let told = told.unwrap_err();
        for key in ["task.prompt", "task.does", "task.labels"] {
            assert!(told.contains(key), "{told}");
        }
        assert!(spec(r#"{"prompt": "p", "command": "x", "does": ["answer"]}"#).is_err());
    }
}
