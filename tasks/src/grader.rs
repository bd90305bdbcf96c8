//! Grading that takes a call of its own: by a program, or by a model that judges.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::forward::forward_to_task;
use crate::{
    Answer, Example, GradedAnswer, Input, Label, Message, Metric, Outcome, Prompt, Reply, Request,
    Task,
};

mod judge;
mod program;
#[cfg(test)]
mod tests;

pub use judge::{JudgeGrader, JudgeScale};
pub use program::{ProgramGrader, ProgramRenderer};

/// One answer that is to be graded.
#[derive(Debug, Clone, Copy)]
pub struct GradingCase<'a> {
    /// The prompt that was answered to.
    pub prompt: &'a Prompt,
    /// The example without its label.
    pub input: &'a Input,
    /// The input as the task renders it.
    pub rendered: &'a str,
    /// The truth, where the grader [takes](Grader::takes_label) it and there is one.
    pub label: Option<&'a Label>,
    /// The answer as the task reads it; never [`Answer::Unparseable`].
    pub answer: &'a Answer,
    /// The reply's text as it came.
    pub reply: &'a str,
}

/// What a grader made of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// How good the answer is, in `0..=1`.
    Score(f64),
    /// The answer is not of the form asked for; why. It counts as wrong, and is
    /// counted apart.
    Unreadable(String),
    /// There is no grade; why. It counts in no score.
    Failed(String),
}

impl Grade {
    /// What this grade makes of `answer`.
    pub fn outcome(&self, answer: Answer) -> Outcome {
        match self {
            Self::Score(value) => Outcome::Scored(GradedAnswer {
                value: *value,
                answer,
            }),
            Self::Unreadable(reason) => Outcome::Unparseable {
                text: reason.clone(),
            },
            Self::Failed(reason) => Outcome::Failed {
                reason: reason.clone(),
            },
        }
    }
}

/// Grades answers by asking somebody: a model, or a program of the user's.
///
/// It is asked after the model has answered, by whoever evaluates, with the label
/// of the example; nothing before that sees one. Like everything in a task it
/// depends on its arguments alone.
pub trait Grader: Send + Sync {
    /// The metric that group scores are named by.
    fn metric(&self) -> Metric;

    /// Whether the label is part of what is asked. Where it is not, inputs without a
    /// label are graded as well as those with one.
    fn takes_label(&self) -> bool {
        true
    }

    /// What is asked about this answer.
    fn request(&self, case: &GradingCase<'_>) -> Request;

    /// Completion tokens that a grade gets at most.
    fn max_tokens(&self) -> u32;

    /// Reads what came back. It is asked for once more, with more room, where this is
    /// `None`: the reply was cut off before the grade.
    fn read(&self, reply: &Reply) -> Option<Grade>;

    /// What came back says for the grade, for people; by default nothing.
    fn reason(&self, _reply: &Reply) -> Option<String> {
        None
    }

    /// Calls of an evaluation that count against limits on calls: 0 for a program of
    /// the user's own, 1 for a model.
    fn counted_calls(&self) -> usize;
}

/// Calls that one evaluation makes at most, as limits count them: the task's, and the
/// grader's where it has one.
pub fn evaluation_calls(task: &dyn Task) -> usize {
    task.calls().max(1) + task.grader().map_or(0, Grader::counted_calls)
}

/// A task whose answers a [`Grader`] grades; everything else is the task's own.
///
/// A label that was won by vote is compared with the answer as the task itself does:
/// a grader is asked about labels of the data alone.
pub struct GradedTask {
    task: Arc<dyn Task>,
    grader: Arc<dyn Grader>,
}

impl GradedTask {
    /// `task`, graded by `grader`.
    pub fn new(task: Arc<dyn Task>, grader: Arc<dyn Grader>) -> Self {
        Self { task, grader }
    }
}

impl Task for GradedTask {
    fn grader(&self) -> Option<&dyn Grader> {
        Some(self.grader.as_ref())
    }

    fn metric(&self) -> Metric {
        self.grader.metric()
    }

    fn score(&self, example: &Example, reply: &Reply) -> Outcome {
        match &reply.grade {
            Some(grade) => grade.outcome(self.parse(&example.input, reply)),
            None => self.task.score(example, reply),
        }
    }

    // `grade` as the task itself does: of an answer that nobody gave, such as a
    // baseline's, no grader is asked.
    forward_to_task!(
        name,
        seed,
        answer_form,
        options,
        schema,
        takes_references,
        form_in_words,
        parts,
        render,
        content,
        fills_fields,
        calls,
        conclude,
        embeds,
        renderer,
        fitting,
        demonstration,
        parse,
        grade,
        request,
        next,
    );
}

/// Makes the request of an evaluation by asking a program of the user's.
pub trait Renderer: Send + Sync {
    /// What the program is asked.
    fn request(&self, prompt: &Prompt, input: &Input) -> Request;

    /// The messages that it wants sent; an error says why there are none.
    ///
    /// # Errors
    /// What it said instead, for people.
    fn read(&self, reply: &Reply) -> Result<Vec<Message>, String>;
}
