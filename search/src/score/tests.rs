use shiftproof_tasks::{Example, Input, Label, Prompt, Reply, Task};

use super::*;
use crate::llm::{LlmError, ModelCall};
use crate::response_matrix::EvalContext;
use crate::scripted::{Bench, Moods, cut_off, examples, input, matrix, text};

/// Moods by another metric.
struct Measured(&'static str);

impl Task for Measured {
    fn name(&self) -> &'static str {
        "measured"
    }

    fn seed(&self) -> Prompt {
        Moods.seed()
    }

    fn answer_form(&self, input: &Input) -> shiftproof_tasks::AnswerForm {
        Moods.answer_form(input)
    }

    fn metric(&self) -> Metric {
        self.0.to_owned().try_into().unwrap()
    }
}

/// Of ten notes: 0 to 6 positive, 7 evaded, 8 cut off, 9 refused.
fn manner(call: &ModelCall) -> Result<Reply, LlmError> {
    Ok(match text(call).chars().last() {
        Some('7') => Reply::text("Hard to say."),
        Some('8') => cut_off("Let me see"),
        Some('9') => return Err(LlmError::Request("no".into())),
        _ => Reply::text("positive"),
    })
}

async fn scores(task: &dyn Task, examples: &[Example]) -> Vec<GroupOutcome> {
    let bench = Bench::new(manner);
    let mut matrix = matrix(&["a"]);
    let inputs = matrix.add_examples(examples);
    let context = EvalContext {
        keep_going: true,
        ..bench.context(task)
    };
    matrix.ask(context, &[0], &inputs).await.unwrap();
    matrix.answers(context, 0).group_scores(&inputs)
}

#[tokio::test]
async fn states_are_counted_apart() {
    let both = [examples("target", 10), examples("source", 4)].concat();
    let told = scores(&Moods, &both).await;
    // In the study's order, whatever the order of the examples.
    let [source, target] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(
        (source.group.as_str(), source.n, source.value),
        ("source", 4, Some(0.5))
    );
    assert_eq!(
        (
            target.n,
            target.unparseable,
            target.truncated,
            target.failed
        ),
        (8, 1, 1, 1)
    );
    // Four of eight that count are right; a wrong form is wrong, no answer is nothing.
    assert_eq!(
        (target.value, target.asked(), target.unusable()),
        (Some(0.5), 10, 3)
    );
    assert!(target.low.unwrap() < 0.5 && 0.5 < target.high.unwrap());
    assert!(!target.voted);
}

#[tokio::test]
async fn unasked_groups_are_left_out() {
    let bench = Bench::new(manner);
    let mut matrix = matrix(&["a", "b"]);
    let inputs = matrix.add_examples(&examples("source", 4));
    let unlabelled = matrix.add_inputs([input("target", 0)].iter());
    let context = bench.context(&Moods);
    matrix.ask(context, &[0], &unlabelled).await.unwrap();
    // Without a label or a question there is no score, not even a zero.
    assert!(
        matrix
            .answers(context, 0)
            .group_scores(&[unlabelled, inputs].concat())
            .is_empty()
    );
}

#[tokio::test]
async fn refused_group_has_no_value() {
    let refused: Vec<Example> = (0..5)
        .map(|at| Example {
            input: input("source", 10 * at + 9),
            label: Label::Class("positive".into()),
        })
        .collect();
    let told = scores(&Moods, &refused).await;
    assert_eq!(
        (told[0].value, told[0].low, told[0].n, told[0].failed),
        (None, None, 0, 5)
    );
}

#[tokio::test]
async fn clusters_are_one_unit() {
    let width = async |task: &dyn Task, clusters: usize| {
        let fourteen = [examples("source", 7), examples("source", 7)].concat();
        let examples = vec![fourteen; 4].concat();
        let clustered = examples.into_iter().enumerate().map(|(at, mut own)| {
            own.input.cluster = (clusters > 0).then(|| format!("user {}", at % clusters));
            own
        });
        let told = scores(task, &clustered.collect::<Vec<_>>()).await;
        told[0].high.unwrap() - told[0].low.unwrap()
    };
    // Fourteen users, each all right or all wrong: a quarter of the evidence.
    let (alone, clustered) = (width(&Moods, 0).await, width(&Moods, 14).await);
    assert!(clustered > 1.5 * alone, "{clustered} and {alone}");
    let f1 = Measured("macro-f1");
    let (alone, clustered) = (width(&f1, 0).await, width(&f1, 14).await);
    assert!(clustered > 1.2 * alone, "{clustered} and {alone}");
}

/// What is no mean is resampled, by a stream of its own: the same each time.
#[tokio::test]
async fn bootstrap_intervals_are_steady() {
    let f1 = Measured("macro-f1");
    let (one, two) = (
        scores(&f1, &examples("source", 10)).await,
        scores(&f1, &examples("source", 10)).await,
    );
    assert_eq!(one, two);
    let (value, low, high) = (
        one[0].value.unwrap(),
        one[0].low.unwrap(),
        one[0].high.unwrap(),
    );
    assert!(0.0 <= low && low <= value && value <= high && high <= 1.0);
    assert!(low < high);
}
