//! A judge beside a person: what it makes of answers that a person has graded.

use shiftproof_tasks::{
    Answer, Grade, Grader, GradingCase, Input, JudgeScale, Label, Prompt, Task,
};

use crate::gateway::{Gateway, RunError};
use crate::grading;
use crate::llm::ModelCall;
use crate::stats::{Agreement, agreement};

/// Confidence of every interval.
const CONFIDENCE: f64 = 0.95;

/// The judge of a study, and what a run compares it with.
#[derive(Debug, Clone, PartialEq)]
pub struct StudyJudge {
    /// Answers that a person graded; none where nobody did.
    pub graded: Vec<GradedByPerson>,
    /// What a grade is.
    pub scale: JudgeScale,
    /// The kappa that a bar for its scores asks for, in `0..=1`.
    pub min_agreement: Option<f64>,
    /// Whether a run whose judge agrees less stops, for its scores are to be held against
    /// a bar.
    pub is_bar: bool,
}

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

impl JudgedCalibration {
    /// How far the two agree, level by level; `None` where no answer has both grades.
    pub fn agreement(&self, scale: JudgeScale) -> Option<Agreement> {
        let levels: Vec<(usize, usize)> = self
            .pairs
            .iter()
            .map(|&(person, judge)| (scale.level(person), scale.level(judge)))
            .collect();
        agreement(&levels, scale.levels(), CONFIDENCE)
    }
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
    let calls = graded.iter().map(|own| call(task, grader, own)).collect();
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

/// What is asked about an answer that a person has graded.
fn call(task: &dyn Task, grader: &dyn Grader, own: &GradedByPerson) -> ModelCall {
    let answer = Answer::Text(own.answer.clone());
    // No grader that is calibrated is told the prompt.
    let prompt = Prompt::new("");
    let case = GradingCase {
        prompt: &prompt,
        input: &own.input,
        rendered: &task.render(&own.input),
        label: own.label.as_ref().filter(|_| grader.takes_label()),
        answer: &answer,
        reply: &own.answer,
    };
    ModelCall::greedy(grader.request(&case), Grader::max_tokens(grader))
}
