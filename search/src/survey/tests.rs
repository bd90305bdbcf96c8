use shiftproof_tasks::{AnswerForm, Example, Input, Label, Prompt, Task};

use super::*;
use crate::event::GroupInfo;
use crate::llm::{LlmError, ModelCall};
use crate::scripted::{Bench, Moods, cut_off, examples, groups, matrix, text};

/// Answers by the number of the note.
fn manner(call: &ModelCall) -> Result<Reply, LlmError> {
    Ok(match text(call).rsplit(' ').next() {
        Some("0") => Reply::text("positive"),
        Some("1") => Reply::text("As the\n\nwriter says so: hm."),
        Some("2") => cut_off("On the one hand"),
        Some("3") => return Err(LlmError::Request("8,192 tokens at most".into())),
        Some("4") => Reply {
            finish: Finish::Filtered,
            ..Reply::text("")
        },
        _ => cut_off("negative"),
    })
}

#[tokio::test]
async fn faults_have_words() {
    let bench = Bench::new(manner);
    let mut matrix = matrix(&["a"]);
    let inputs = matrix.add_examples(&examples("source", 6));
    let context = EvalContext {
        keep_going: true,
        ..bench.context(&Moods)
    };
    matrix.ask(context, &[0], &inputs).await.unwrap();
    let view = matrix.answers(context, 0);
    let told: Vec<Option<(AnswerFault, String)>> =
        inputs.iter().map(|&input| fault(&view, input)).collect();
    let says = |fault, text: &str| Some((fault, text.to_owned()));
    assert_eq!(told[0], None);
    let unparseable = told[1].clone().unwrap();
    assert_eq!(unparseable.0, AnswerFault::Unparseable);
    assert!(unparseable.1.contains("writer says so"), "{unparseable:?}");
    let truncated = told[2].clone().unwrap();
    assert_eq!(truncated.0, AnswerFault::Truncated);
    assert_eq!(told[3], says(AnswerFault::Failed, "8,192 tokens at most"));
    assert_eq!(
        told[4],
        says(AnswerFault::Failed, "a content filter withheld the reply")
    );
    assert_eq!(told[5], None, "what was read before the cut is an answer");
    let survey = survey(&matrix, context, &view, inputs.iter().copied());
    assert_eq!((survey.answers, survey.unusable()), (6, 4));
    assert_eq!(survey.to_string(), "2 failed, 1 unparseable, 1 truncated");
    let cut = &survey.faults[2].examples[0];
    // Asked again it had four times the room.
    assert_eq!((cut.tokens, cut.input.as_str()), (Some(2048), "source-2"));
    assert_eq!(survey.faults[1].examples[0].tokens, None);
    // On one line, whatever was said.
    assert!(!survey.faults[1].examples[0].text.contains('\n'));
}

#[tokio::test]
async fn unasked_inputs_are_uncounted() {
    let bench = Bench::limited(2, manner);
    let mut matrix = matrix(&["a"]);
    let inputs = matrix.add_examples(&examples("source", 6));
    let context = bench.context(&Moods);
    assert!(!matrix.ask(context, &[0], &inputs).await.unwrap());
    let view = matrix.answers(context, 0);
    let survey = survey(&matrix, context, &view, inputs.iter().copied());
    assert_eq!((survey.answers, survey.unusable()), (2, 1));
    assert_eq!(fault(&view, inputs[5]), None);
}

/// A task of numbers whose data has a class for a label.
struct Mislabelled;

impl Task for Mislabelled {
    fn name(&self) -> &'static str {
        "mislabelled"
    }

    fn seed(&self) -> Prompt {
        Prompt::new("Count.")
    }

    fn answer_form(&self, _: &Input) -> AnswerForm {
        AnswerForm::Number { min: 0.0, max: 9.0 }
    }

    fn metric(&self) -> shiftproof_tasks::Metric {
        "mae".to_owned().try_into().unwrap()
    }
}

#[tokio::test]
async fn ungradable_labels_are_failures() {
    let bench = Bench::new(|_: &ModelCall| Ok(Reply::text("4")));
    let groups: Vec<GroupInfo> = groups();
    let mut matrix = ResponseMatrix::new(groups);
    matrix.enter(Mislabelled.seed(), Vec::new(), None).unwrap();
    let labelled = |label: Label| Example {
        input: Input::new("1", "source").with_field("text", "four"),
        label,
    };
    let inputs = matrix.add_examples(&[
        labelled(Label::Number(4.0)),
        labelled(Label::Class("four".into())),
    ]);
    let context = bench.context(&Mislabelled);
    matrix.ask(context, &[0], &inputs).await.unwrap();
    let view = matrix.answers(context, 0);
    assert_eq!(fault(&view, inputs[0]), None);
    assert_eq!(fault(&view, inputs[1]).unwrap().0, AnswerFault::Failed);
}
