//! Asking graders: what a task's [grader](shiftproof_tasks::Grader) makes of answers
//! whose label is known, by the same way to a model as everything else.

use shiftproof_tasks::{
    Answer, Example, Finish, Grade, Grader, GradingCase, Input, Label, Prompt, Reply, Request, Task,
};

use crate::budget::Spend;
use crate::event::SHOWN_DETAIL;
use crate::gateway::{CallOutcome, Gateway, PricedModel, RunError};
use crate::llm::ModelCall;
use crate::text::cut;
use crate::turns::{self, Case};

/// How much more room a grade gets whose reason was cut off.
const MORE: u32 = 4;
/// Tokens that a reference is taken to have which nobody may look at yet.
const REFERENCE: u64 = 256;

/// Puts a grade in every reply whose example has a label, where the task asks a grader.
/// `cases` and `asked` are of one length; no label, no grade. Replies that cannot be
/// read and refusals are what they are, and nobody is asked about them.
///
/// What is not affordable ends the list there, as it does for the answers themselves:
/// were the cases behind it kept that need no grade, a choice of failures would be left.
pub(crate) async fn grade(
    task: &dyn Task,
    gateway: &Gateway,
    cases: &[(Case<'_>, Option<&Label>)],
    asked: &mut [CallOutcome],
) -> Result<(), RunError> {
    let Some(grader) = task.grader() else {
        return Ok(());
    };
    let mut places = Vec::new();
    let mut calls = Vec::new();
    for (at, (((prompt, input), label), asked)) in cases.iter().zip(asked.iter()).enumerate() {
        let (Some(label), CallOutcome::Reply(reply)) = (label, asked) else {
            continue;
        };
        if let Some(request) = request(task, grader, (prompt, input), label, reply) {
            places.push(at);
            calls.push(ModelCall::greedy(request, grader.max_tokens()));
        }
    }
    if calls.is_empty() {
        return Ok(());
    }
    let Some(model) = &gateway.auxiliary_models().grader else {
        let why = "the task is graded by somebody, and nobody was given to ask";
        for at in places {
            put(&mut asked[at], GivenGrade::failed(why));
        }
        return Ok(());
    };
    let mut kept = asked.len();
    for (at, grade) in places
        .iter()
        .zip(explained(grader, gateway, model, calls).await?)
    {
        match grade {
            Some(grade) => put(&mut asked[*at], grade),
            None => kept = kept.min(*at),
        }
    }
    asked[kept..].fill(CallOutcome::Unaffordable);
    Ok(())
}

/// Asks the user's own programs about `example` what they will be asked: to render it, and
/// to score the answer that its label is. One that fails is told so before a model is paid
/// for what nobody can score. Their answers are stored, so that a program which worked once is
/// not asked again; what it says of this one example is of no account here.
///
/// # Errors
/// What stops a run, and so does not wait until it is under way.
pub(crate) async fn rehearse(
    task: &dyn Task,
    gateway: &Gateway,
    prompt: &Prompt,
    example: &Example,
) -> Result<(), RunError> {
    let models = gateway.auxiliary_models();
    let program = |model: &Option<PricedModel>| {
        let own = model.as_ref().filter(|model| !model.llm.is_metered());
        own.cloned()
    };
    // Limits and events know nothing of it: a run goes on as it began.
    let apart = gateway.apart();
    let case = (prompt, &example.input);
    if program(&models.renderer).is_some() {
        turns::requests(task, &apart, &[case]).await?;
    }
    if let Some(grader) = task.grader()
        && let Some(model) = program(&models.grader)
    {
        let reply = Reply::text(task.demonstration(example).answer);
        if let Some(request) = request(task, grader, case, &example.label, &reply) {
            let call = ModelCall::greedy(request, grader.max_tokens());
            apart.ask(&model, &[call]).await?;
        }
    }
    Ok(())
}

/// What is asked about a reply; nothing about one that has no answer to grade.
fn request(
    task: &dyn Task,
    grader: &dyn Grader,
    (prompt, input): Case<'_>,
    label: &Label,
    reply: &Reply,
) -> Option<Request> {
    if reply.finish == Finish::Filtered {
        return None;
    }
    let answer = task.parse(input, reply);
    if matches!(answer, Answer::Unparseable { .. }) {
        return None;
    }
    Some(grader.request(&GradingCase {
        prompt,
        input,
        rendered: &task.render(input),
        label: grader.takes_label().then_some(label),
        answer: &answer,
        reply: &reply.text,
    }))
}

/// A grade, and what its grader said for it.
#[derive(Debug, Clone)]
struct GivenGrade {
    grade: Grade,
    reason: Option<String>,
}

impl GivenGrade {
    fn failed(why: impl Into<String>) -> Self {
        Self {
            grade: Grade::Failed(why.into()),
            reason: None,
        }
    }

    /// `None`: the reply was cut off before its grade.
    fn of(grader: &dyn Grader, reply: &Reply) -> Option<Self> {
        let grade = grader.read(reply)?;
        // Of an answer that is right nobody asks why, and of another grade the grade says it.
        let is_asked = matches!(grade, Grade::Score(value) if value < 1.0);
        let reason = is_asked.then(|| grader.reason(reply)).flatten();
        Some(Self {
            grade,
            reason: reason.map(|reason| cut(&reason, SHOWN_DETAIL)),
        })
    }

    fn refused(reason: &str) -> Self {
        Self::failed(format!("no grade: {reason}"))
    }
}

/// A grade a call, in their order; `None` where it is not affordable.
pub(crate) async fn grades(
    grader: &dyn Grader,
    gateway: &Gateway,
    model: &PricedModel,
    calls: Vec<ModelCall>,
) -> Result<Vec<Option<Grade>>, RunError> {
    let given = explained(grader, gateway, model, calls).await?;
    let grades = given.into_iter().map(|given| Some(given?.grade));
    Ok(grades.collect())
}

/// The same with what was said for each.
async fn explained(
    grader: &dyn Grader,
    gateway: &Gateway,
    model: &PricedModel,
    calls: Vec<ModelCall>,
) -> Result<Vec<Option<GivenGrade>>, RunError> {
    let first = gateway.ask(model, &calls).await?;
    let mut grades: Vec<Option<GivenGrade>> = vec![None; calls.len()];
    let mut again = Vec::new();
    let mut places = Vec::new();
    for (at, (outcome, mut call)) in first.into_iter().zip(calls).enumerate() {
        match outcome {
            CallOutcome::Unaffordable => {}
            CallOutcome::Refused(reason) => grades[at] = Some(GivenGrade::refused(&reason)),
            CallOutcome::Reply(reply) => {
                grades[at] = GivenGrade::of(grader, &reply);
                if grades[at].is_none() {
                    call.sampling.max_tokens = call.sampling.max_tokens.saturating_mul(MORE);
                    again.push(call);
                    places.push(at);
                }
            }
        }
    }
    if again.is_empty() {
        return Ok(grades);
    }
    let cut_twice = "the grader's reply was cut off before its grade, twice";
    for (at, outcome) in places.into_iter().zip(gateway.ask(model, &again).await?) {
        grades[at] = match outcome {
            CallOutcome::Unaffordable => None,
            CallOutcome::Refused(reason) => Some(GivenGrade::refused(&reason)),
            CallOutcome::Reply(reply) => Some(
                GivenGrade::of(grader, &reply).unwrap_or_else(|| GivenGrade::failed(cut_twice)),
            ),
        };
    }
    Ok(grades)
}

fn put(asked: &mut CallOutcome, given: GivenGrade) {
    if let CallOutcome::Reply(reply) = asked {
        reply.grade = Some(given.grade);
        reply.grade_reason = given.reason;
    }
}

/// The most that grading one answer can cost, its label and its text unknown.
pub(crate) fn worst_case(
    task: &dyn Task,
    gateway: &Gateway,
    model: &PricedModel,
    (prompt, input): (&Prompt, &Input),
) -> Spend {
    let (Some(grader), Some(own)) = (task.grader(), &gateway.auxiliary_models().grader) else {
        return Spend::default();
    };
    let asked = turns::call(task.request(prompt, input), &model.llm.capabilities());
    let request = grader.request(&GradingCase {
        prompt,
        input,
        rendered: &task.render(input),
        label: None,
        answer: &Answer::Text(String::new()),
        reply: "",
    });
    let worst = own.worst_case(&ModelCall::greedy(request, grader.max_tokens()));
    if worst.is_nothing() {
        return worst;
    }
    Spend {
        prompt_tokens: worst.prompt_tokens + u64::from(asked.sampling.max_tokens) + REFERENCE,
        ..worst
    }
}

#[cfg(test)]
mod tests;
