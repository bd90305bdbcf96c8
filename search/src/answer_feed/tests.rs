use shiftproof_tasks::{Input, Reply};

use super::*;
use crate::llm::{LlmError, ModelCall};
use crate::scripted::{Bench, Moods, examples, matrix, text};

#[test]
fn compact_lines_read_back() {
    let event = Event::Answered {
        candidate: shiftproof_tasks::Prompt::new("x").id(),
        phase: Phase::Screen,
        texts: vec!["positive".into()],
        answers: vec![
            (0, 0, AnswerVerdict::Graded(1.0)).into(),
            (7, 0, AnswerVerdict::Ungraded(UngradedReason::Unparseable)).into(),
        ],
    };
    let text = serde_json::to_string(&event).unwrap();
    assert!(
        text.contains(r#"[[0,0,1.0],[7,0,"unparseable"]]"#),
        "{text}"
    );
    assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
}

fn manner(call: &ModelCall) -> Result<Reply, LlmError> {
    match text(call).rsplit(' ').next() {
        Some("2") => Ok(Reply::text("Hard to say, and ".repeat(40))),
        Some("3") => Err(LlmError::Request("no".into())),
        _ => Ok(Reply::text("Well: positive.")),
    }
}

struct Feed {
    bench: Bench,
    matrix: ResponseMatrix,
    told: usize,
}

impl Feed {
    fn new() -> Self {
        Self {
            bench: Bench::new(manner),
            matrix: matrix(&["a", "b"]),
            told: 0,
        }
    }

    /// What is told of a candidate's answers in a phase.
    async fn tell(&mut self, phase: Phase, candidate: usize, inputs: &[InputIndex]) -> Vec<Event> {
        let context = EvalContext {
            keep_going: true,
            ..self.bench.context(&Moods)
        };
        self.matrix
            .ask(context, &[candidate], inputs)
            .await
            .unwrap();
        let adjustment = ReplyAdjustment::default();
        answers(
            &mut self.matrix,
            context,
            phase,
            candidate,
            inputs,
            adjustment,
        )
        .unwrap();
        let all = self.bench.emitted();
        let news = all[self.told..].to_vec();
        self.told = all.len();
        news
    }
}

fn verdicts(event: &Event) -> Vec<(u32, AnswerVerdict)> {
    let Event::Answered { answers, texts, .. } = event else {
        panic!("{event:?}");
    };
    assert!(
        texts
            .iter()
            .all(|text| text.chars().count() <= SHOWN_ANSWER)
    );
    assert!(answers.iter().all(|own| (own.text as usize) < texts.len()));
    answers.iter().map(|own| (own.input, own.verdict)).collect()
}

const UNLABELLED: AnswerVerdict = AnswerVerdict::Ungraded(UngradedReason::Unlabelled);

#[tokio::test]
async fn answers_are_news_once() {
    let mut feed = Feed::new();
    let inputs = feed.matrix.add_examples(&examples("source", 4));
    let first = feed.tell(Phase::Screen, 0, &inputs).await;
    let [Event::Inputs { inputs: shown }, answered] = &first[..] else {
        panic!("{first:?}");
    };
    assert_eq!(shown.len(), 4);
    assert_eq!(shown[1].label.as_deref(), Some("negative"));
    let expected = [
        (0, AnswerVerdict::Graded(1.0)),
        (1, AnswerVerdict::Graded(0.0)),
        (2, AnswerVerdict::Ungraded(UngradedReason::Unparseable)),
        (3, AnswerVerdict::Ungraded(UngradedReason::Failed)),
    ];
    assert_eq!(verdicts(answered), expected);
    assert!(feed.tell(Phase::Screen, 0, &inputs).await.is_empty());
    // Another candidate's answers are news, the inputs are not.
    let second = feed.tell(Phase::Screen, 1, &inputs[..2]).await;
    assert_eq!(second.len(), 1);
    assert_eq!(verdicts(&second[0]), expected[..2]);
    // Equal texts are told once an event.
    let Event::Answered { texts, .. } = &second[0] else {
        panic!("{second:?}");
    };
    assert_eq!(texts, &["positive"]);
}

#[tokio::test]
async fn target_labels_open_in_audit() {
    let mut feed = Feed::new();
    let inputs = feed.matrix.add_examples(&examples("target", 3));
    let before = feed.tell(Phase::Final, 0, &inputs).await;
    let labels = |events: &[Event]| match &events[0] {
        Event::Inputs { inputs } => inputs.iter().filter(|own| own.label.is_some()).count(),
        _ => 99,
    };
    assert_eq!(labels(&before), 0);
    let evaded = AnswerVerdict::Ungraded(UngradedReason::Unparseable);
    // That an answer has no form gives no label away.
    assert_eq!(
        verdicts(&before[1]),
        [(0, UNLABELLED), (1, UNLABELLED), (2, evaded)]
    );
    let audit = feed.tell(Phase::Audit, 0, &inputs).await;
    let graded = [
        (0, AnswerVerdict::Graded(1.0)),
        (1, AnswerVerdict::Graded(0.0)),
    ];
    assert_eq!(verdicts(&audit[0]), graded);
    let sealed = feed.matrix.add_examples(&examples("target", 2));
    assert_eq!(labels(&feed.tell(Phase::Audit, 0, &sealed).await), 2);
}

#[tokio::test]
async fn shown_inputs_are_bounded() {
    let mut feed = Feed::new();
    let long = Input::new("long", "source").with_field("text", "many words ".repeat(200));
    let inputs = feed.matrix.add_inputs([long].iter());
    let events = feed.tell(Phase::Screen, 0, &inputs).await;
    let Event::Inputs { inputs: shown } = &events[0] else {
        panic!("{events:?}");
    };
    assert!(shown[0].text.chars().count() <= SHOWN_INPUT && shown[0].label.is_none());
    assert_eq!(verdicts(&events[1]), [(0, UNLABELLED)]);
}

/// More of failing answers than events hold; nothing of a label that is not to be told.
#[tokio::test]
async fn details_tell_what_events_cut() {
    let mut feed = Feed::new();
    let inputs = feed.matrix.add_examples(&examples("source", 4));
    let hidden = feed.matrix.add_examples(&examples("target", 2));
    let all: Vec<InputIndex> = inputs.iter().chain(&hidden).copied().collect();
    feed.tell(Phase::Screen, 0, &all).await;
    let context = feed.bench.context(&Moods);
    let view = feed
        .matrix
        .answers_as(context, 0, ReplyAdjustment::default());
    let of = |input, phase| detail(&feed.matrix, context, &view, phase, (input, 7));
    let wrong = of(inputs[1], Phase::Screen).unwrap();
    assert_eq!(wrong.input, 7);
    assert_eq!(wrong.reply.as_deref(), Some("Well: positive."));
    assert_eq!(
        (wrong.answer, wrong.label, wrong.reason),
        (None, None, None)
    );
    let evaded = of(inputs[2], Phase::Screen).unwrap();
    let reply = evaded.reply.unwrap();
    assert_eq!(reply.chars().count(), SHOWN_DETAIL);
    assert!(reply.starts_with("Hard to say"), "{reply}");
    let refused = of(inputs[3], Phase::Screen).unwrap();
    assert_eq!(
        (refused.reason.as_deref(), refused.reply),
        (Some("no"), None)
    );
    // Before the audit nothing says that a target's answer is wrong.
    let target = of(hidden[1], Phase::Screen).unwrap();
    assert_eq!((target.label, target.wrong), (None, Vec::new()));
}
