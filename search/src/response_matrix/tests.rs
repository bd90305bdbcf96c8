//! Entering, asking, and how replies are read.

use shiftproof_tasks::{AnswerForm, Demonstration, Fitting, Outcome};

use super::*;
use crate::budget::BudgetLimits;
use crate::calibrate::LEAST_BATCH;
use crate::llm::{Capabilities, LlmError, ModelCall};
use crate::scripted::{Bench, Moods, cut_off, examples, groups, input, matrix, mood, server, text};

/// Right, with label scores that lean to the first label by `lean` nats.
fn leaning(lean: f64) -> impl Fn(&ModelCall) -> Result<Reply, LlmError> {
    move |call| {
        let number = text(call).rsplit(' ').next().unwrap().parse().unwrap_or(0);
        let mut reply = Reply::text(mood(number));
        let own = if number % 2 == 0 { 1.0 } else { -1.0 };
        reply.label_logprobs = Some(vec![own + lean, -own]);
        Ok(reply)
    }
}

fn scored() -> Capabilities {
    Capabilities {
        label_scores: true,
        ..server()
    }
}

#[test]
fn same_prompt_enters_once() {
    let mut matrix = ResponseMatrix::new(groups());
    let shown = Prompt::new("a").with_demonstrations(vec![Demonstration {
        input: "x".into(),
        answer: "positive".into(),
    }]);
    let parent = Prompt::new("a").id();
    assert_eq!(matrix.enter(Prompt::new("a"), Vec::new(), None), Some(0));
    assert_eq!(
        matrix.enter(Prompt::new("b"), vec![parent], Some(3)),
        Some(1)
    );
    assert_eq!(matrix.enter(Prompt::new("a"), Vec::new(), Some(1)), None);
    // Space at the ends is no other prompt, demonstrations are.
    assert_eq!(matrix.enter(Prompt::new(" b\n"), Vec::new(), None), None);
    assert_eq!(matrix.enter(shown, Vec::new(), None), Some(2));
    let second = &matrix.candidates[1];
    assert_eq!(
        (second.parents.as_slice(), second.chunk),
        (&[parent][..], Some(3))
    );
}

#[tokio::test]
async fn only_unasked_pairs_are_sent() {
    let bench = Bench::new(leaning(0.0));
    let mut matrix = matrix(&["a", "b"]);
    let inputs = matrix.add_examples(&examples("source", 6));
    assert_eq!(matrix.unasked(&[0, 1], &inputs), 12);
    assert!(!matrix.was_asked(&inputs));
    let context = bench.context(&Moods);
    assert!(matrix.ask(context, &[0], &inputs[..4]).await.unwrap());
    assert_eq!(matrix.unasked(&[0, 1], &inputs), 8);
    assert!(matrix.was_asked(&inputs[3..]) && !matrix.was_asked(&inputs[4..]));
    assert!(matrix.ask(context, &[0, 1], &inputs).await.unwrap());
    assert_eq!(
        (matrix.unasked(&[0, 1], &inputs), bench.asked().len()),
        (0, 12)
    );
    let pairs: Vec<_> = matrix.all_asked().collect();
    assert_eq!(pairs.len(), 12);
    assert!(pairs.is_sorted());
}

#[tokio::test]
async fn unaffordable_pairs_stay_unasked() {
    let bench = Bench::limited(5, leaning(0.0));
    let mut matrix = matrix(&["a", "b"]);
    let inputs = matrix.add_examples(&examples("source", 4));
    let context = bench.context(&Moods);
    assert!(!matrix.ask(context, &[0, 1], &inputs).await.unwrap());
    assert_eq!(matrix.unasked(&[0, 1], &inputs), 3);
    let answers = matrix.answers(context, 1);
    assert!(answers.outcome(inputs[0]).is_some() && answers.outcome(inputs[1]).is_none());
}

/// Requests are made a window at a time; the limit falls where it would without.
#[tokio::test]
async fn windows_keep_the_limit() {
    for (limit, left) in [(5_000, 1_000), (9_000, 0)] {
        let bench = Bench::limited(limit, leaning(0.0));
        let mut matrix = matrix(&["a", "b"]);
        let inputs = matrix.add_examples(&examples("source", 3_000));
        let context = bench.context(&Moods);
        let complete = matrix.ask(context, &[0, 1], &inputs).await.unwrap();
        assert_eq!(complete, left == 0);
        assert_eq!(matrix.unasked(&[0, 1], &inputs), left);
        assert_eq!(bench.asked().len(), 6_000 - left);
        let answers = matrix.answers(context, 1);
        let known = inputs.iter().filter(|&&input| answers.was_asked(input));
        assert_eq!(known.count(), 3_000 - left);
    }
}

#[tokio::test]
async fn replies_have_their_outcomes() {
    let manner = |call: &ModelCall| match text(call).rsplit(' ').next() {
        Some("0") => Ok(Reply::text("Sure! The note is **positive**.")),
        Some("1") => Ok(Reply::text("positive")),
        Some("2") => Ok(Reply::text("I cannot tell from this.")),
        Some("3") => Ok(cut_off("Let me think about what the")),
        Some("4") => Err(LlmError::Request("blocked".into())),
        _ => Ok(cut_off("negative")),
    };
    let bench = Bench::new(manner);
    let mut matrix = matrix(&["a"]);
    let inputs = matrix.add_examples(&examples("source", 6));
    let unlabelled = matrix.add_inputs([input("target", 0)].iter());
    let mut context = bench.context(&Moods);
    context.keep_going = true;
    matrix.ask(context, &[0], &inputs).await.unwrap();
    matrix.ask(context, &[0], &unlabelled).await.unwrap();
    let answers = matrix.answers(context, 0);
    let values: Vec<Option<f64>> = inputs
        .iter()
        .map(|&at| answers.outcome(at).unwrap().value())
        .collect();
    // Right, wrong, unreadable, cut off unread, refused, cut off but read.
    assert_eq!(
        values,
        [Some(1.0), Some(0.0), Some(0.0), None, None, Some(1.0)]
    );
    assert!(matches!(
        answers.outcome(inputs[3]),
        Some(Outcome::Truncated { .. })
    ));
    assert!(
        matches!(answers.outcome(inputs[4]), Some(Outcome::Failed { reason }) if reason == "blocked")
    );
    // Without a label there is an answer, and no outcome.
    assert!(answers.answer(unlabelled[0]).is_some() && answers.outcome(unlabelled[0]).is_none());
    assert_eq!(answers.answer(inputs[4]), None);
}

/// Two that contradict each other on every target input and are right as often on the
/// source: each is judged by the other alone, or it would be half right by its own word.
#[tokio::test]
async fn own_votes_say_nothing_of_their_voter() {
    let stubborn = |call: &ModelCall| {
        let text = text(call);
        let number: usize = text.rsplit(' ').next().unwrap().parse().unwrap();
        let word = if !text.contains("target note") {
            mood(number)
        } else if text.contains("first") {
            "positive"
        } else {
            "negative"
        };
        Ok(Reply::text(word))
    };
    for counting in [VoteCounting::Heads, VoteCounting::Weighted] {
        let bench = Bench::new(stubborn);
        let mut matrix = matrix(&["the first", "the other"]);
        let check = matrix.add_examples(&examples("source", 30));
        let targets: Vec<Input> = (0..20).map(|number| input("target", number)).collect();
        let inputs = matrix.add_inputs(targets.iter());
        let context = bench.context(&Moods);
        let all = [check.clone(), inputs.clone()].concat();
        matrix.ask(context, &[0, 1], &all).await.unwrap();
        let voters = [0, 1].map(|candidate| matrix.answers(context, candidate));
        let panel = crate::ballots::panel(&Moods, &matrix, &voters, (&inputs, &check));
        let vote = TargetVote::hold(panel, &inputs, counting, 0.3);
        drop(voters);
        let _won = matrix.set_vote(vote);
        for &input in &inputs {
            matrix.truths[input] = Some(KnownLabel {
                label: Label::Class("positive".into()),
                origin: LabelOrigin::Likeliest,
            });
        }
        for candidate in [0, 1] {
            let answers = matrix.answers(context, candidate);
            for &input in &inputs {
                let value = answers.outcome(input).and_then(|own| own.value());
                // By weighted votes two that contradict each other may say nothing.
                assert!(
                    value.is_none_or(|value| value < 0.4),
                    "{counting:?} {candidate}: {value:?}"
                );
                assert!(counting == VoteCounting::Weighted || value == Some(0.0));
            }
        }
    }
}

#[tokio::test]
async fn batch_bias_needs_replies() {
    let bench = Bench::with(scored(), BudgetLimits::default(), leaning(5.0));
    let mut matrix = matrix(&["a"]);
    let inputs = matrix.add_examples(&examples("source", LEAST_BATCH));
    let mut context = bench.context(&Moods);
    context.calibration = Calibration::Batch;
    let (few, all) = (&inputs[..LEAST_BATCH - 1], &inputs[..]);
    for (asked, applied) in [(few, false), (all, true)] {
        matrix.ask(context, &[0], asked).await.unwrap();
        let fit = matrix.calibration_fit(Calibration::Batch, 0);
        assert_eq!((fit.replies, fit.applied), (asked.len(), applied));
        assert_eq!(matrix.adjustment(context, 0).bias.is_some(), applied);
        let answers = matrix.answers(context, 0);
        let right = asked
            .iter()
            .filter(|&&at| answers.outcome(at).unwrap().value() == Some(1.0));
        // All notes lean to positive; freed of that, each is told apart.
        let expected = if applied {
            asked.len()
        } else {
            asked.len().div_ceil(2)
        };
        assert_eq!(right.count(), expected);
    }
    // Without a calibration nothing is learnt from the same replies.
    let fit = matrix.calibration_fit(Calibration::None, 0);
    assert_eq!((fit.replies, fit.applied), (0, false));
}

#[tokio::test]
async fn neutral_inputs_are_asked_once() {
    for (capabilities, neutral) in [(scored(), 3), (server(), 0)] {
        let bench = Bench::with(capabilities, BudgetLimits::default(), leaning(5.0));
        let mut matrix = matrix(&["a", "b"]);
        let inputs = matrix.add_examples(&examples("source", 4));
        let mut context = bench.context(&Moods);
        context.calibration = Calibration::Contextual;
        matrix.ask(context, &[0], &inputs[..2]).await.unwrap();
        assert_eq!(bench.asked().len(), neutral + 2);
        matrix.ask(context, &[0, 1], &inputs).await.unwrap();
        assert_eq!(bench.asked().len(), 2 * neutral + 8);
        let fit = matrix.calibration_fit(Calibration::Contextual, 1);
        assert_eq!((fit.replies, fit.applied), (neutral, neutral > 0));
    }
}

#[tokio::test]
async fn unaffordable_neutrals_stop_asking() {
    let limits = BudgetLimits {
        calls: Some(2),
        ..BudgetLimits::default()
    };
    let bench = Bench::with(scored(), limits, leaning(0.0));
    let mut matrix = matrix(&["a"]);
    let inputs = matrix.add_examples(&examples("source", 4));
    let mut context = bench.context(&Moods);
    context.calibration = Calibration::Contextual;
    assert!(!matrix.ask(context, &[0], &inputs).await.unwrap());
    assert_eq!((matrix.unasked(&[0], &inputs), bench.asked().len()), (4, 2));
}

/// Learns the share of right answers, and answers positive where it is low.
struct Learning;

impl Task for Learning {
    fn name(&self) -> &'static str {
        "learning"
    }

    fn seed(&self) -> Prompt {
        Moods.seed()
    }

    fn answer_form(&self, input: &Input) -> AnswerForm {
        Moods.answer_form(input)
    }

    fn fitting(&self) -> Option<&dyn Fitting> {
        Some(self)
    }
}

impl Fitting for Learning {
    fn fit(&self, graded: &[(&Example, &Reply)]) -> Option<Vec<f64>> {
        let right = graded
            .iter()
            .filter(|(example, reply)| example.label.to_answer() == reply.text);
        (!graded.is_empty()).then(|| vec![right.count() as f64, graded.len() as f64])
    }

    fn apply(&self, _: &Input, reply: Reply, fit: &[f64]) -> Reply {
        if fit[0] < fit[1] {
            Reply::text("positive")
        } else {
            reply
        }
    }

    fn describe(&self, fit: Option<&[f64]>) -> String {
        format!("{fit:?}")
    }
}

#[tokio::test]
async fn fits_learn_true_labels_only() {
    let bench = Bench::new(|_: &ModelCall| Ok(Reply::text("negative")));
    let mut matrix = matrix(&["a"]);
    let inputs = matrix.add_examples(&examples("source", 4));
    let unlabelled = matrix.add_inputs(
        (0..3)
            .map(|at| input("target", at))
            .collect::<Vec<_>>()
            .iter(),
    );
    let context = bench.context(&Learning);
    assert_eq!(matrix.adjustment(context, 0), ReplyAdjustment::default());
    matrix.ask(context, &[0], &unlabelled).await.unwrap();
    assert_eq!(matrix.adjustment(context, 0).fit, None);
    matrix.ask(context, &[0], &inputs).await.unwrap();
    let learnt = matrix.adjustment(context, 0);
    assert_eq!(learnt.fit, Some(vec![2.0, 4.0]));
    let label = |answers: &CandidateAnswers<'_>| answers.answer(unlabelled[0]).unwrap().vote();
    assert_eq!(
        label(&matrix.answers(context, 0)).as_deref(),
        Some("positive")
    );
    // Under an adjustment fixed elsewhere it is read by that one.
    let fixed = matrix.answers_as(context, 0, ReplyAdjustment::default());
    assert_eq!(label(&fixed).as_deref(), Some("negative"));
}

#[test]
fn clusters_share_one_number() {
    let mut matrix = ResponseMatrix::new(groups());
    let mut users: Vec<Input> = (0..5).map(|at| input("source", at)).collect();
    for (at, cluster) in [(1, "ann"), (3, "bob"), (4, "ann")] {
        users[at].cluster = Some(cluster.into());
    }
    let inputs = matrix.add_inputs(users.iter());
    let numbers = matrix.clusters(&inputs);
    assert_eq!(numbers[1], numbers[4]);
    let different: std::collections::BTreeSet<_> = numbers.iter().collect();
    assert_eq!(different.len(), 4);
}
