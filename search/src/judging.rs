//! A judge beside a person: what it makes of answers that a person has graded.

use serde::{Deserialize, Serialize};
use shiftproof_tasks::{
    Answer, Grade, Grader, GradingCase, Input, JudgeScale, Label, Prompt, Task,
};

use crate::event::AuditedPrompt;
use crate::gateway::{Gateway, RunError};
use crate::grading;
use crate::llm::ModelCall;
use crate::stats::{Agreement, Interval, agreement, ppi};

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

/// A judge beside the person who graded its calibration table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct JudgeStanding {
    /// Answers that the person graded; 0 where the judge was compared with nobody.
    pub graded: usize,
    /// Of those, answers that the judge gave no grade. What is neither graded by both nor
    /// counted here the budget left out.
    pub ungraded: usize,
    /// How far the two agree; `None` where no answer has both grades.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Agreement>,
    /// The kappa that a bar for its scores asks for, in `0..=1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_agreement: Option<f64>,
}

impl JudgeStanding {
    /// Whether its scores may be held against a bar.
    pub fn is_bar(&self) -> bool {
        let kappa = self.agreement.and_then(|agreement| agreement.kappa);
        self.min_agreement
            .is_none_or(|least| kappa.is_some_and(|kappa| kappa >= least))
    }
}

/// One contestant's audited scores as the person would have given them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorrectedScores {
    /// Who.
    pub contestant: AuditedPrompt,
    /// The groups with a score.
    pub groups: Vec<CorrectedScore>,
}

/// A group's score as the person would have given it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorrectedScore {
    /// The group.
    pub group: String,
    /// What the judge gave, in `0..=1`.
    pub judged: f64,
    /// The estimate of PPI++.
    pub estimate: f64,
    /// Its 95% interval; may reach beyond 0 and 1.
    pub interval: Interval,
    /// How much weight the judge's grades have in it: 0 is the person's mean alone.
    pub weight: f64,
}

impl CorrectedScore {
    /// The score of a group whose answers the judge gave these grades; `pairs`: the
    /// person's grade and the judge's of other answers. `None` without a grade, or with
    /// fewer than two pairs.
    pub fn of(group: &str, judged: &[f64], pairs: &[(f64, f64)]) -> Option<Self> {
        let estimate = ppi(pairs, judged, CONFIDENCE).filter(|_| !judged.is_empty())?;
        Some(Self {
            group: group.to_owned(),
            judged: judged.iter().sum::<f64>() / judged.len() as f64,
            estimate: estimate.estimate,
            interval: estimate.interval,
            weight: estimate.weight,
        })
    }
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
