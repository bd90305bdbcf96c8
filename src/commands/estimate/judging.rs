//! What a judge costs, before it is asked.

use shiftproof_search::ModelCall;
use shiftproof_search::budget::Spend;
use shiftproof_tasks::{Answer, GradingCase, Input};

use super::cost;
use crate::runs::session::StudySession;

/// Tokens of a judge's reasons and verdict, about.
const VERDICT: u32 = 120;

/// What a grade of each of these inputs costs: about, and at most. Nothing where no
/// model judges. The answer is not known, and its length is small beside the rubric.
pub(super) fn grades(session: &StudySession, inputs: &[&Input]) -> Vec<(Spend, Spend)> {
    let task = session.built.task.as_ref();
    let (Some(connected), Some(grader)) = (session.auxiliary_models.judge(), task.grader()) else {
        return Vec::new();
    };
    let (model, study) = (&connected.model, &session.resolved.study);
    let own = study.judge.as_ref().and_then(|judge| judge.model.as_ref());
    let spec = own.unwrap_or(&study.model);
    let seed = task.seed();
    let grade = |input: &&Input| {
        let request = grader.request(&GradingCase {
            prompt: &seed,
            input,
            rendered: &task.render(input),
            label: None,
            answer: &Answer::Text(String::new()),
            reply: "",
        });
        let worst = ModelCall::greedy(request.clone(), grader.max_tokens());
        let about = ModelCall::greedy(request, VERDICT);
        (cost(model, spec, &about), model.worst_case(&worst))
    };
    inputs.iter().map(grade).collect()
}
