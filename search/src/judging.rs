//! A judge beside a person: what it makes of answers that a person has graded.

use shiftproof_tasks::{Answer, Grade, Grader, GradingCase, Input, Label, Prompt, Task};

use crate::gateway::{Gateway, RunError};
use crate::grading;
use crate::llm::ModelCall;

/// An answer that a person has graded.
#[derive(Debug, Clone, PartialEq)]
pub struct GradedByPerson {
    /// What was answered.
    pub input: Input,
    /// The reference, where there is one.
    pub label: Option<Label>,
    /// The answer.
    pub answer: String,
    /// What the person gave it, in `0..=1`.
    pub grade: f64,
}

/// What a judge made of them.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedCalibration {
    /// The person's grade and the judge's, of every answer that both graded.
    pub pairs: Vec<(f64, f64)>,
    /// Answers that the judge gave no grade: it refused, or was cut off.
    pub ungraded: usize,
    /// Whether the budget sufficed for all of them.
    pub complete: bool,
}

/// Asks the task's grader about answers that a person has graded. `None` where the task
/// asks nobody.
///
/// # Errors
/// As every question to a model.
pub async fn judge(
    task: &dyn Task,
    gateway: &Gateway,
    graded: &[GradedByPerson],
) -> Result<Option<JudgedCalibration>, RunError> {
    let (Some(grader), Some(model)) = (task.grader(), &gateway.auxiliary_models().grader) else {
        return Ok(None);
    };
    // No grader that is calibrated is told the prompt.
    let prompt = Prompt::new("");
    let call = |own: &GradedByPerson| {
        let answer = Answer::Text(own.answer.clone());
        let case = GradingCase {
            prompt: &prompt,
            input: &own.input,
            rendered: &task.render(&own.input),
            label: own.label.as_ref().filter(|_| grader.takes_label()),
            answer: &answer,
            reply: &own.answer,
        };
        ModelCall::greedy(grader.request(&case), Grader::max_tokens(grader))
    };
    let calls = graded.iter().map(call).collect();
    let grades = grading::grades(grader, gateway, model, calls).await?;
    let mut judged = JudgedCalibration {
        pairs: Vec::new(),
        ungraded: 0,
        complete: true,
    };
    for (own, grade) in graded.iter().zip(grades) {
        match grade {
            Some(Grade::Score(score)) => judged.pairs.push((own.grade, score)),
            Some(_) => judged.ungraded += 1,
            None => judged.complete = false,
        }
    }
    Ok(Some(judged))
}
