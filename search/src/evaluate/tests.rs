use std::sync::Arc;

use async_trait::async_trait;
use shiftproof_tasks::{
    Data, LabelReads, LabelledTarget, Prediction, Reply, SealedAudit, Source, UnlabelledTarget,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::budget::{BudgetLimits, Meter, Price};
use crate::event_log::EventLog;
use crate::ledger::Ledger;
use crate::llm::{Capabilities, Llm, LlmError, ModelCall};
use crate::scripted::{Bench, Moods, cut_off, examples, groups, input, mood, server, text};
use crate::simulate::{SimulatedTask, SimulatedWorld};

/// The planted model with label scores that lean to the first label.
struct Leaning(SimulatedWorld);

#[async_trait]
impl Llm for Leaning {
    fn identity(&self) -> &'static str {
        "leaning"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            label_scores: true,
            ..self.0.capabilities()
        }
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        let mut reply = self.0.call(call).await?;
        reply.label_logprobs = call.request.answer.labels().map(|labels| {
            let score = |(at, label): (usize, &String)| {
                let own = if *label == reply.text { 0.0 } else { -2.0 };
                own + if at == 0 { 3.0 } else { 0.0 }
            };
            labels.iter().enumerate().map(score).collect()
        });
        Ok(reply)
    }
}

async fn grades(calibration: Calibration, take: usize) -> Vec<Option<f64>> {
    let world = SimulatedWorld::new(4, 0.0);
    let (data, groups) = world.data(60);
    let gateway = Gateway::new(
        Arc::new(Ledger::in_memory()),
        EventLog::unlogged(vec![]),
        Meter::new(BudgetLimits::default()),
        CancellationToken::new(),
        None,
        Vec::new(),
    );
    let model = PricedModel {
        llm: Arc::new(Leaning(world)),
        price: Price::default(),
    };
    let evaluator = PromptEvaluator {
        task: &SimulatedTask,
        gateway: &gateway,
        model: &model,
        calibration,
        groups: &groups,
        settle_on: CalibrationSet::of(&data),
        keep_going: false,
    };
    let examples = &data.audit.clone().open()[..take];
    let got = evaluator
        .score(&[SimulatedTask.seed()], examples)
        .await
        .unwrap();
    assert!(got.complete);
    got.grades[0].clone()
}

/// A deployed prompt sees one input at a time: what it answers may not depend
/// on the other inputs of the audit.
#[tokio::test]
async fn batch_calibration_avoids_audit() {
    let all = grades(Calibration::Batch, 40).await;
    for take in [1, 20] {
        assert_eq!(grades(Calibration::Batch, take).await, all[..take]);
    }
    let right = |grades: &[Option<f64>]| grades.iter().flatten().sum::<f64>();
    let leaning = right(&grades(Calibration::None, 40).await);
    assert!(right(&all) > leaning, "{} against {leaning}", right(&all));
}

/// By how much the first label is ahead: of a source note 5 or 1, and of the target's
/// first so much that it is read otherwise where its neighbours are learnt from.
fn ahead(call: &ModelCall) -> Result<Reply, LlmError> {
    let number: usize = text(call).rsplit(' ').next().unwrap().parse().unwrap();
    let ahead = match (text(call).contains("target"), number) {
        (true, 1) => 1.5,
        (true, _) => 1.0,
        (false, number) => [5.0, 1.0][number % 2],
    };
    Ok(Reply {
        label_logprobs: Some(vec![ahead, 0.0]),
        ..Reply::text("positive")
    })
}

/// An audit whose answers lean as those that are learnt from do not teaches nothing.
#[tokio::test]
async fn leaning_audits_teach_nothing() {
    let scores_labels = Capabilities {
        label_scores: true,
        ..server()
    };
    let groups = groups();
    let reads = LabelReads::default();
    let data = Data {
        source: Source {
            train: Vec::new(),
            validation: examples("source", 20),
        },
        target: UnlabelledTarget::default(),
        labelled_target: LabelledTarget::new(Vec::new(), reads.clone()),
        audit: SealedAudit::new(Vec::new(), reads.clone()),
        reads,
    };
    let negative = examples("target", 80).into_iter().skip(1).step_by(2);
    let negative: Vec<Example> = negative.collect();
    for take in [1, 40] {
        let bench = Bench::with(scores_labels, BudgetLimits::default(), ahead);
        let evaluator = PromptEvaluator {
            settle_on: CalibrationSet::of(&data),
            ..evaluator(&bench, &groups, Calibration::Batch)
        };
        let prompts = [Prompt::new("Which mood?")];
        let got = evaluator.score(&prompts, &negative[..take]).await.unwrap();
        assert_eq!(got.grades[0], vec![Some(1.0); take]);
    }
}

fn evaluator<'a>(
    bench: &'a Bench,
    groups: &'a [GroupInfo],
    calibration: Calibration,
) -> PromptEvaluator<'a> {
    PromptEvaluator {
        task: &Moods,
        gateway: &bench.gateway,
        model: &bench.model,
        calibration,
        groups,
        settle_on: CalibrationSet::default(),
        keep_going: true,
    }
}

/// Right but for the notes 2 (evaded), 3 (refused) and 4 (cut off).
fn uneven(call: &ModelCall) -> Result<Reply, LlmError> {
    let number: usize = text(call).rsplit(' ').next().unwrap().parse().unwrap();
    Ok(match number {
        2 => Reply::text("Hard to say, really."),
        3 => return Err(LlmError::Request("no".into())),
        4 => cut_off("I think that"),
        _ => Reply::text(mood(number)),
    })
}

#[tokio::test]
async fn equal_prompts_are_asked_once() {
    let bench = Bench::new(uneven);
    let groups = groups();
    let prompts = ["a", "b", "a"].map(Prompt::new);
    let mut both = examples("target", 2);
    both.extend(examples("source", 6));
    let evaluator = evaluator(&bench, &groups, Calibration::None);
    let got = evaluator.score(&prompts, &both).await.unwrap();
    assert!(got.complete);
    // Each prompt about eight examples, and the cut-off one again.
    assert_eq!(bench.asked().len(), 2 * (8 + 1));
    let expected = [
        Some(1.0),
        Some(1.0),
        Some(1.0),
        Some(1.0),
        Some(0.0),
        None,
        None,
        Some(1.0),
    ];
    for grades in &got.grades {
        assert_eq!(grades[..], expected);
    }
    // By the place of the group in the study, example by example.
    assert_eq!(got.groups, [1, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(got.scores[0], got.scores[2]);
    assert_eq!(
        got.scores[0].iter().map(|own| own.n).collect::<Vec<_>>(),
        [4, 2]
    );
    assert_eq!(
        got.surveys[1].to_string(),
        "1 unparseable, 1 truncated, 1 failed"
    );
    assert_eq!(got.readings, [None, None, None]);
    assert!(got.calibration_fits.is_empty());
    // Only examples that every row has a grade for can be paired.
    let rows: Vec<&[Option<f64>]> = got.grades.iter().map(Vec::as_slice).collect();
    let (sample, dropped) = got.paired(&rows[..2], 2);
    assert_eq!((dropped, sample.examples(0), sample.examples(1)), (2, 4, 2));
    let recorded = [Some(0.0); 8];
    let (sample, dropped) = got.paired(&[&recorded, &recorded[..3]], 2);
    assert_eq!((dropped, sample.examples(0), sample.examples(1)), (5, 1, 2));
}

#[tokio::test]
async fn short_budget_scores_front() {
    let bench = Bench::limited(5, uneven);
    let groups = groups();
    let evaluator = evaluator(&bench, &groups, Calibration::None);
    let got = evaluator
        .score(&["a", "b"].map(Prompt::new), &examples("source", 2))
        .await
        .unwrap();
    assert!(got.complete);
    let got = evaluator
        .score(&["c"].map(Prompt::new), &examples("source", 2))
        .await
        .unwrap();
    assert!(!got.complete);
    assert_eq!(got.grades, [[Some(1.0), None]]);
    assert_eq!((got.scores[0][0].n, got.surveys[0].answers), (1, 1));
}

#[tokio::test]
async fn models_without_scores_calibrate_nothing() {
    for calibration in [Calibration::Contextual, Calibration::Batch] {
        let bench = Bench::new(uneven);
        let groups = groups();
        let mut evaluator = evaluator(&bench, &groups, calibration);
        evaluator.settle_on = CalibrationSet::of(&SimulatedWorld::new(1, 0.0).data(40).0);
        let got = evaluator
            .score(&[Prompt::new("a")], &examples("source", 2))
            .await
            .unwrap();
        assert_eq!(
            bench.asked().len(),
            2,
            "nothing is learnt, so nothing is asked"
        );
        // It is told all the same that nothing was applied.
        let [fit] = got.calibration_fits[..] else {
            panic!("{:?}", got.calibration_fits);
        };
        assert_eq!((fit.replies, fit.applied), (0, false));
    }
}

#[test]
fn call_counts_are_bounds() {
    let (data, _) = SimulatedWorld::new(1, 0.0).data(40);
    let settle_on = CalibrationSet::of(&data);
    let prompts = ["a", "b", "a"].map(Prompt::new);
    let count = |bench: &Bench, calibration| {
        calls(&Moods, &bench.model, calibration, &settle_on, &prompts, 10)
    };
    let scored = Capabilities {
        label_scores: true,
        ..server()
    };
    let scored = Bench::with(scored, BudgetLimits::default(), uneven);
    let plain = Bench::new(uneven);
    assert_eq!(count(&plain, Calibration::Batch), 2 * 10);
    assert_eq!(count(&scored, Calibration::None), 2 * 10);
    assert_eq!(count(&scored, Calibration::Contextual), 2 * (10 + 3));
    // 32 inputs of each of two groups.
    assert_eq!(count(&scored, Calibration::Batch), 2 * (10 + 64));
}

#[tokio::test]
async fn replies_are_understood() {
    let bench = Bench::limited(6, uneven);
    let inputs: Vec<Input> = (0..8).map(|at| input("source", at)).collect();
    let inputs: Vec<&Input> = inputs.iter().collect();
    let prompt = Moods.seed();
    let got = understand(&Moods, &bench.gateway, &bench.model, &prompt, &inputs[..4])
        .await
        .unwrap();
    let got: Vec<ParsedReply> = got.into_iter().flatten().collect();
    assert_eq!(got[1].said, "negative");
    assert_eq!(
        got[1].answer.as_ref().unwrap().vote().as_deref(),
        Some("negative")
    );
    assert_eq!(got[1].fault, None);
    assert_eq!(got[2].fault, Some(AnswerFault::Unparseable));
    let refused = ParsedReply {
        said: "no".into(),
        answer: None,
        fault: Some(AnswerFault::Failed),
    };
    assert_eq!(got[3], refused);
    // Of what is left of the budget, one answer in two asks; then nothing.
    let rest = understand(&Moods, &bench.gateway, &bench.model, &prompt, &inputs[4..])
        .await
        .unwrap();
    let faults: Vec<_> = rest
        .iter()
        .map(|own| own.as_ref().map(|own| own.fault))
        .collect();
    assert_eq!(faults.len(), 4);
    assert_eq!(faults[2..], [None, None]);
}

#[test]
fn baselines_are_graded_alike() {
    let predictions = (0..4).map(|at| (format!("source-{at}"), Prediction::Likes(0.9)));
    let mut own = BaselinePredictions {
        name: "liked-fraction".into(),
        predictions: predictions.collect(),
    };
    let score = |own: &BaselinePredictions| {
        let scores = baseline(&Moods, &groups(), own, &examples("source", 6));
        scores
            .iter()
            .map(|own| (own.value, own.n))
            .collect::<Vec<_>>()
    };
    // Always the first label, on the four examples there is a prediction for.
    assert_eq!(score(&own), [(Some(0.5), 4)]);
    for prediction in own.predictions.values_mut() {
        *prediction = Prediction::Rating(3.0);
    }
    assert_eq!(score(&own), [], "of another form");
}
