use shiftproof_tasks::{Input, Reply};

use super::*;
use crate::llm::{LlmError, ModelCall};
use crate::response_matrix::ReplyAdjustment;
use crate::scripted::{Bench, Moods, examples, matrix, mood, text};

/// Prompts say how many notes of ten they get right, in each group.
fn skilled(call: &ModelCall) -> Result<Reply, LlmError> {
    let text = text(call);
    let words: Vec<&str> = text.split_whitespace().collect();
    let number: usize = words.last().unwrap().parse().unwrap();
    let skill = if text.contains("source note") {
        words[0]
    } else {
        words[1]
    };
    if skill == "no" {
        return Err(LlmError::Request("no".into()));
    }
    let is_wrong = number % 10 >= skill.parse().unwrap();
    Ok(Reply::text(mood(number + usize::from(is_wrong))))
}

type Rows = Option<(Vec<ScoreDifference>, ScoreDifference)>;

/// Seed and selected on so many examples of each group.
async fn compared(seed: &str, selected: &str, source: usize, target: usize) -> Rows {
    let bench = Bench::new(skilled);
    let mut matrix = matrix(&[seed]);
    let other = matrix.enter(shiftproof_tasks::Prompt::new(selected), Vec::new(), None);
    let other = other.unwrap_or(0);
    let mut inputs = matrix.add_examples(&examples("source", source));
    inputs.extend(matrix.add_examples(&examples("target", target)));
    let mut context = bench.context(&Moods);
    context.keep_going = true;
    matrix.ask(context, &[0, other], &inputs).await.unwrap();
    let view = |at| matrix.answers_as(context, at, ReplyAdjustment::default());
    audit(&matrix, &view(0), &view(other), &inputs)
}

fn shown(row: &ScoreDifference) -> (&str, i32, usize) {
    (&row.group, (row.value * 100.0).round() as i32, row.n)
}

#[tokio::test]
async fn groups_differ_apart() {
    let (groups, worst) = compared("6 5 in use", "7 9 or so", 40, 40).await.unwrap();
    let rows: Vec<_> = groups.iter().map(shown).collect();
    assert_eq!(rows, [("source", 10, 40), ("target", 40, 40)]);
    assert_eq!(shown(&worst), ("worst target", 40, 40));
    for row in groups.iter().chain([&worst]) {
        assert!(row.low <= row.value && row.value <= row.high, "{row:?}");
    }
    // Forty pairs tell forty points from none.
    assert!(worst.low > 0.0);
    // The other way round it is the same with another sign.
    let (back, _) = compared("7 9 in use", "6 5 or so", 40, 40).await.unwrap();
    let rows: Vec<_> = back.iter().map(shown).collect();
    assert_eq!(rows, [("source", -10, 40), ("target", -40, 40)]);
}

#[tokio::test]
async fn prompt_equals_itself() {
    let (groups, worst) = compared("6 5 in use", "6 5 in use", 10, 10).await.unwrap();
    for row in groups.iter().chain([&worst]) {
        assert_eq!((row.value, row.low, row.high), (0.0, 0.0, 0.0));
    }
}

#[tokio::test]
async fn sources_stand_in_for_targets() {
    let (groups, worst) = compared("6 5 in use", "7 9 or so", 40, 0).await.unwrap();
    assert_eq!(groups.len(), 1);
    assert_eq!(shown(&worst), ("worst source", 10, 40));
}

#[tokio::test]
async fn unpaired_examples_are_left_out() {
    // The other prompt is never answered on the target.
    let (groups, worst) = compared("6 5 in use", "7 no or so", 40, 40).await.unwrap();
    let rows: Vec<_> = groups.iter().map(shown).collect();
    assert_eq!(rows, [("source", 10, 40)]);
    assert_eq!(worst.group, "worst source");
    assert!(
        compared("6 5 in use", "no no or so", 10, 10)
            .await
            .is_none()
    );
    assert!(compared("6 5 in use", "7 9 or so", 0, 0).await.is_none());
}

/// The same outcomes of four users instead of forty strangers are less certain.
#[tokio::test]
async fn clusters_widen_intervals() {
    let width = async |clustered: bool| {
        let bench = Bench::new(skilled);
        let mut matrix = matrix(&["5 5 in use", "9 9 or so"]);
        let mut examples = examples("target", 40);
        for (at, example) in examples.iter_mut().enumerate() {
            let input: &mut Input = &mut example.input;
            // Four notes of ten are better: they belong to two of the users.
            input.cluster = clustered.then(|| format!("user {}", at % 10 / 2));
        }
        let inputs = matrix.add_examples(&examples);
        let context = bench.context(&Moods);
        matrix.ask(context, &[0, 1], &inputs).await.unwrap();
        let view = |at| matrix.answers(context, at);
        let (_, worst) = audit(&matrix, &view(0), &view(1), &inputs).unwrap();
        assert_eq!(shown(&worst), ("worst target", 40, 40));
        worst.high - worst.low
    };
    assert!(width(true).await > 1.5 * width(false).await);
}
