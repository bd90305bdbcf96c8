use std::sync::Arc;

use async_trait::async_trait;
use shiftproof_tasks::{GradedTask, JudgeGrader, JudgeScale, Outcome, ProgramGrader};

use super::*;
use crate::gateway::AuxiliaryModels;
use crate::llm::{Capabilities, Llm, LlmError};
use crate::scripted::{self, Bench, Moods, cut_off, examples, groups, input, text};

fn judged() -> GradedTask {
    let judge = JudgeGrader::new("Is it right?", JudgeScale::PassFail, true);
    GradedTask::new(Arc::new(Moods), Arc::new(judge))
}

/// A bench whose task model says "positive", but evades the third note, with a grader
/// of its own beside it.
fn bench(calls: Option<u64>, grader: &Bench) -> Bench {
    let answers = |call: &ModelCall| {
        Ok(Reply::text(if text(call).contains("number 2") {
            "I would rather not say."
        } else {
            "positive"
        }))
    };
    let limits = crate::budget::BudgetLimits {
        calls,
        ..crate::budget::BudgetLimits::default()
    };
    let mut bench = Bench::with(scripted::server(), limits, answers);
    bench.gateway = scripted::gateway(limits).with_auxiliary_models(AuxiliaryModels {
        grader: Some(grader.model.clone()),
        ..AuxiliaryModels::default()
    });
    bench
}

fn pass_or_fail(call: &ModelCall) -> Result<Reply, LlmError> {
    let right = text(call).contains("<reference>\npositive");
    let verdict = if right { "Grade: pass" } else { "Grade: fail" };
    match text(call) {
        asked if asked.contains("number 1\n") => Err(LlmError::Request("too long".into())),
        asked if asked.contains("number 3\n") && call.sampling.max_tokens <= 512 => {
            Ok(cut_off("The note sounds as if"))
        }
        _ => Ok(Reply::text(verdict)),
    }
}

#[tokio::test]
async fn every_reply_gets_its_grade_or_a_reason() {
    let grader = Bench::new(pass_or_fail);
    let bench = bench(None, &grader);
    let task = judged();
    let context = bench.context(&task);
    let mut matrix = scripted::matrix(&["Which mood?"]);
    let inputs = matrix.add_examples(&examples("source", 5));
    assert!(matrix.ask(context, &[0], &inputs).await.unwrap());
    let view = matrix.answers(context, 0);
    let outcomes: Vec<Option<f64>> = inputs
        .iter()
        .map(|&input| view.outcome(input).and_then(|outcome| outcome.value()))
        .collect();
    // Pass, no grade, not to be read, cut off once and then a fail, pass.
    assert_eq!(outcomes, [Some(1.0), None, Some(0.0), Some(0.0), Some(1.0)]);
    let Some(Outcome::Failed { reason }) = view.outcome(inputs[1]) else {
        panic!("{:?}", view.outcome(inputs[1]));
    };
    assert_eq!(reason, "no grade: too long");
    // What cannot be read is not asked about; what was cut off twice is.
    assert_eq!(grader.asked().len(), 5);
    // Five answers, four grades and one more room: all of them count.
    assert_eq!(bench.gateway.spent().calls, 10);
    // Asked anew over the same store nothing is sent.
    let mut again = scripted::matrix(&["Which mood?"]);
    let inputs = again.add_examples(&examples("source", 5));
    assert!(again.ask(context, &[0], &inputs).await.unwrap());
    assert_eq!((grader.asked().len(), bench.asked().len()), (5, 5));
}

/// Nobody hears of a label that is not there, and no label but the data's is sent.
#[tokio::test]
async fn only_labels_of_the_data_are_sent() {
    let grader = Bench::new(pass_or_fail);
    let bench = bench(None, &grader);
    let task = judged();
    let mut matrix = scripted::matrix(&["Which mood?"]);
    let unlabelled: Vec<Input> = (4..8).map(|number| input("target", number)).collect();
    let inputs = matrix.add_inputs(unlabelled.iter());
    let context = bench.context(&task);
    assert!(matrix.ask(context, &[0], &inputs).await.unwrap());
    assert_eq!((grader.asked().len(), bench.asked().len()), (0, 4));
    assert_eq!(groups().len(), 2);
}

#[tokio::test]
async fn unaffordable_grades_end_the_list_there() {
    let grader = Bench::new(|_| Ok(Reply::text("Grade: pass")));
    // Five answers and two of the four grades.
    let bench = bench(Some(7), &grader);
    let task = judged();
    let context = bench.context(&task);
    let mut matrix = scripted::matrix(&["Which mood?"]);
    let inputs = matrix.add_examples(&examples("source", 5));
    assert!(!matrix.ask(context, &[0], &inputs).await.unwrap());
    let view = matrix.answers(context, 0);
    let known: Vec<bool> = inputs.iter().map(|&i| view.asked(i).is_some()).collect();
    // The evasion needs no grade; the fourth has none, and ends the list.
    assert_eq!(known, [true, true, true, false, false]);
    assert_eq!(bench.gateway.spent().calls, 7);
}

#[tokio::test]
async fn nobody_to_ask_is_told() {
    let bench = Bench::new(|_| Ok(Reply::text("positive")));
    let task = GradedTask::new(Arc::new(Moods), Arc::new(ProgramGrader::new(true)));
    let context = bench.context(&task);
    let mut matrix = scripted::matrix(&["Which mood?"]);
    let inputs = matrix.add_examples(&examples("source", 1));
    assert!(matrix.ask(context, &[0], &inputs).await.unwrap());
    let outcome = matrix.answers(context, 0).outcome(inputs[0]);
    assert!(
        matches!(outcome, Some(Outcome::Failed { .. })),
        "{outcome:?}"
    );
}

/// A program of the user's own: what it answers costs nothing.
struct OwnProgram(Arc<dyn Llm>);

#[async_trait]
impl Llm for OwnProgram {
    fn identity(&self) -> &'static str {
        "program"
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn is_metered(&self) -> bool {
        false
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        self.0.call(call).await
    }
}

/// Before a model is paid: a program that fails stops there, one that works is asked once,
/// and neither counts. A judge is no program, and is asked when there is something to judge.
#[tokio::test]
async fn programs_are_tried_first() {
    let example = &examples("source", 1)[0];
    let program = |answer: fn(&ModelCall) -> Result<Reply, LlmError>| {
        let mut grader = Bench::new(answer);
        grader.model.llm = Arc::new(OwnProgram(grader.model.llm.clone()));
        grader
    };
    let scored = GradedTask::new(Arc::new(Moods), Arc::new(ProgramGrader::new(true)));
    let broken = program(|_| Err(LlmError::Rejected("no table".into())));
    let bench_of_broken = bench(None, &broken);
    let gateway = &bench_of_broken.gateway;
    let stop = rehearse(&scored, gateway, &scored.seed(), example).await;
    assert!(matches!(stop, Err(RunError::Provider { .. })), "{stop:?}");

    let works = program(|_| Ok(Reply::text("{\"score\":1}")));
    let own = bench(None, &works);
    for _ in 0..2 {
        let tried = rehearse(&scored, &own.gateway, &scored.seed(), example).await;
        assert!(tried.is_ok(), "{tried:?}");
    }
    let asked = works.asked();
    assert_eq!(asked.len(), 1);
    assert!(
        text(&asked[0]).contains(r#""answer":"positive""#),
        "{}",
        text(&asked[0])
    );
    assert_eq!(own.gateway.spent(), Spend::default());
    assert_eq!((own.asked().len(), own.emitted().len()), (0, 0));

    let judge = Bench::new(pass_or_fail);
    let own = bench(None, &judge);
    let tried = rehearse(&judged(), &own.gateway, &judged().seed(), example).await;
    assert!(tried.is_ok() && judge.asked().is_empty(), "{tried:?}");
}
