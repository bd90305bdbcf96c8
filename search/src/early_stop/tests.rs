//! The first portion, and when a run stops over it.

use proptest::prelude::*;
use shiftproof_tasks::Reply;

use super::*;
use crate::budget::BudgetLimits;
use crate::llm::{Capabilities, LlmError, ModelCall};
use crate::scripted::{Bench, Moods, cut_off, examples, matrix, server, text};
use crate::unusable::AnswerFault;

fn evades(_: &ModelCall) -> Result<Reply, LlmError> {
    Ok(Reply::text("It depends on whom you ask."))
}

fn answers(_: &ModelCall) -> Result<Reply, LlmError> {
    Ok(Reply::text("positive"))
}

fn faults() -> EmittedFaults {
    EmittedFaults::default()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However many candidates and inputs: few evaluations, of different candidates
    /// and inputs, and the same ones each time.
    #[test]
    fn portion_is_small_and_spread(candidates in 1..120_usize, inputs in 1..60_usize) {
        let bench = Bench::new(answers);
        let context = bench.context(&Moods);
        let wanted: Vec<(CandidateIndex, InputIndex)> = (0..candidates)
            .flat_map(|candidate| (0..inputs).map(move |input| (candidate, input)))
            .collect();
        let first = portion(&faults(), context, &wanted);
        prop_assert_eq!(&first, &portion(&faults(), context, &wanted));
        if wanted.len() <= ENOUGH {
            prop_assert!(first.is_empty(), "there is nothing to save");
            return Ok(());
        }
        prop_assert!(first.len() <= MOST && first.iter().all(|at| *at < wanted.len()));
        let of: BTreeSet<_> = first.iter().map(|at| wanted[*at].0).collect();
        let about: BTreeSet<_> = first.iter().map(|at| wanted[*at].1).collect();
        prop_assert!(of.len() >= candidates.min(ENOUGH) / 2, "{} of {candidates}", of.len());
        prop_assert!(about.len() >= inputs.min(INPUTS), "{} of {inputs}", about.len());
        // Enough to judge by, wherever there are as many.
        prop_assert!(first.len() >= ENOUGH.min(wanted.len()) / 2);
    }
}

#[test]
fn embedded_models_have_no_portion() {
    let embedded = Capabilities {
        batch: 8,
        ..server()
    };
    let wanted: Vec<_> = (0..100).map(|input| (0, input)).collect();
    let bench = Bench::with(embedded, BudgetLimits::default(), answers);
    assert!(portion(&faults(), bench.context(&Moods), &wanted).is_empty());
    let bench = Bench::new(answers);
    let sounded = EmittedFaults {
        sounded: true,
        ..faults()
    };
    assert!(portion(&sounded, bench.context(&Moods), &wanted).is_empty());
    assert!(!portion(&faults(), bench.context(&Moods), &wanted).is_empty());
}

/// Asks `prompts` about 30 examples; what came of it, and the calls it took.
async fn asked(
    prompts: &[&str],
    keep_going: bool,
    manner: impl Fn(&ModelCall) -> Result<Reply, LlmError> + Send + Sync + 'static,
) -> (Result<bool, RunError>, usize, Vec<Event>) {
    let bench = Bench::new(manner);
    let mut matrix = matrix(prompts);
    let inputs = matrix.add_examples(&examples("source", 30));
    let mut context = bench.context(&Moods);
    context.keep_going = keep_going;
    let candidates: Vec<_> = (0..prompts.len()).collect();
    let result = matrix.ask(context, &candidates, &inputs).await;
    let again = matrix.sound(context, true);
    assert!(again.is_ok(), "it is looked at once");
    (result, bench.asked().len(), bench.emitted())
}

#[tokio::test]
async fn hopeless_answers_stop_asking() {
    let cut = |_: &ModelCall| Ok(cut_off("Well, let me"));
    let refuse = |_: &ModelCall| Err(LlmError::Request("no such region".into()));
    let check = |asked: (Result<bool, RunError>, usize, Vec<Event>), fault, most: usize| {
        let (result, calls, events) = asked;
        let Err(RunError::Unusable(hopeless)) = result else {
            panic!("{result:?}");
        };
        assert_eq!(hopeless.survey.faults[0].fault, fault);
        assert!(calls <= most, "{calls}");
        // It is told before the run stops.
        assert!(matches!(events[..], [Event::Unusable { .. }]), "{events:?}");
    };
    check(
        asked(&["a"], false, evades).await,
        AnswerFault::Unparseable,
        20,
    );
    check(
        asked(&["a", "b"], false, evades).await,
        AnswerFault::Unparseable,
        20,
    );
    // Cut-off answers are asked for once more before they count.
    check(
        asked(&["a", "b"], false, cut).await,
        AnswerFault::Truncated,
        40,
    );
    check(
        asked(&["a", "b"], false, refuse).await,
        AnswerFault::Failed,
        20,
    );
}

#[tokio::test]
async fn usable_answers_go_on() {
    let (result, calls, events) = asked(&["a", "b"], false, answers).await;
    assert!(result.unwrap() && calls == 60 && events.is_empty());
    // One prompt that nobody understands stops nothing while another is understood.
    let half = |call: &ModelCall| {
        if text(call).starts_with("bad") {
            evades(call)
        } else {
            answers(call)
        }
    };
    let (result, calls, _) = asked(&["bad", "good"], false, half).await;
    assert!(result.unwrap() && calls == 60);
    // Who wants to go on is told all the same.
    let (result, calls, events) = asked(&["a", "b"], true, evades).await;
    assert!(result.unwrap() && calls == 60);
    assert!(matches!(events[0], Event::Unusable { .. }));
}

/// A race may ask one prompt alone before the others: that says nothing of them.
#[tokio::test]
async fn lone_prompt_stops_nothing() {
    let bench = Bench::new(evades);
    let mut matrix = matrix(&["a", "b"]);
    let inputs = matrix.add_examples(&examples("source", 60));
    let context = bench.context(&Moods);
    assert!(matrix.ask(context, &[0], &inputs).await.unwrap());
    assert!(matrix.sound(context, true).is_ok());
    let stop = matrix.ask(context, &[1], &inputs).await.unwrap_err();
    assert!(matches!(stop, RunError::Unusable(_)), "{stop:?}");
    // Of the second, no more than the portion.
    assert!(bench.asked().len() <= 60 + 20);
}

#[tokio::test]
async fn faults_are_told_once() {
    let manner = |call: &ModelCall| match text(call).rsplit(' ').next() {
        Some("1") => evades(call),
        Some("4") => Err(LlmError::Request("too long".into())),
        _ => answers(call),
    };
    let bench = Bench::new(manner);
    let mut matrix = matrix(&["a"]);
    let inputs = matrix.add_examples(&examples("source", 6));
    let context = bench.context(&Moods);
    let mut told = Vec::new();
    for part in inputs.chunks(3) {
        matrix.ask(context, &[0], part).await.unwrap();
        for _ in 0..2 {
            matrix.emit_unusable(context).unwrap();
        }
        told.push(bench.emitted().len());
    }
    assert_eq!(told, [1, 2]);
    let surveys: Vec<(usize, String)> = bench
        .emitted()
        .into_iter()
        .map(|event| match event {
            Event::Unusable { survey, .. } => (survey.answers, survey.to_string()),
            other => panic!("{other:?}"),
        })
        .collect();
    // Each counts the answers since the last, good ones among them.
    let expected = [(3, "1 unparseable".to_owned()), (3, "1 failed".to_owned())];
    assert_eq!(surveys, expected);
}

#[tokio::test]
async fn nothing_usable_needs_answers() {
    let bench = Bench::new(evades);
    let mut matrix = matrix(&["a"]);
    let inputs = matrix.add_examples(&examples("source", 6));
    let context = bench.context(&Moods);
    assert!(matrix.nothing_usable(context, &inputs).is_none());
    matrix.ask(context, &[0], &inputs[..2]).await.unwrap();
    assert!(matrix.nothing_usable(context, &inputs[2..]).is_none());
    let stop = matrix.nothing_usable(context, &inputs).unwrap().to_string();
    assert_eq!(
        stop,
        "2 of the first 2 answers cannot be used: 2 unparseable"
    );
}
