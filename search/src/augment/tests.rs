use std::collections::BTreeMap;
use std::sync::Arc;

use shiftproof_tasks::augment::TemplateAugmentation;
use shiftproof_tasks::{FieldTemplate, Reply};

use super::*;
use crate::budget::BudgetLimits;
use crate::gateway::KnowledgeSource;
use crate::llm::LlmError;
use crate::scripted::{self, Bench, cut_off, input, text};

fn about() -> Arc<dyn Augmentation> {
    let question = FieldTemplate::new("What is it about? {text}").unwrap();
    let questions = BTreeMap::from([("topic".to_owned(), question)]);
    Arc::new(TemplateAugmentation::new(questions, 32).unwrap())
}

/// A gateway whose writer is this bench's model.
fn gateway(writer: &Bench, calls: Option<u64>) -> Gateway {
    let limits = BudgetLimits {
        calls,
        ..BudgetLimits::default()
    };
    scripted::gateway(limits).with_auxiliary_models(AuxiliaryModels {
        knowledge: Some(KnowledgeSource {
            model: writer.model.clone(),
            augmentation: about(),
        }),
        ..AuxiliaryModels::default()
    })
}

fn inputs(count: usize) -> Vec<Input> {
    (0..count).map(|number| input("source", number)).collect()
}

async fn written(
    gateway: &Gateway,
    inputs: &mut [Input],
    keep_going: bool,
) -> Result<bool, RunError> {
    augment(gateway, inputs.iter_mut().collect(), keep_going).await
}

fn knows(call: &ModelCall) -> Result<Reply, LlmError> {
    let number = text(call).rsplit(' ').next().unwrap_or_default();
    match number {
        "1" => Ok(Reply::text("UNKNOWN")),
        "2" => Err(LlmError::Request("filtered".into())),
        "3" if call.sampling.max_tokens <= 32 => Ok(cut_off("topic: num")),
        "4" => Ok(cut_off("and on and on")),
        "5" => Ok(Reply::text("  ")),
        number => Ok(Reply::text(format!("topic: {number}"))),
    }
}

#[tokio::test]
async fn every_question_is_answered_or_counted() {
    let writer = Bench::new(knows);
    let gateway = gateway(&writer, None);
    let mut asked = inputs(8);
    // The same text is the same question.
    asked.push(Input {
        id: "again".into(),
        ..input("source", 7)
    });
    assert!(written(&gateway, &mut asked, false).await.unwrap());
    let topics: Vec<&str> = asked.iter().map(|input| input.field("topic")).collect();
    assert_eq!(
        topics,
        [
            "topic: 0", "", "", "topic: 3", "", "", "topic: 6", "topic: 7", "topic: 7"
        ]
    );
    let own = WrittenKnowledge {
        field: "topic".into(),
        asked: 8,
        written: 4,
        unknown: 1,
        refused: 1,
        truncated: 1,
        unreadable: 1,
        empty: 4,
        inputs: 9,
    };
    let event = Event::Augmented {
        knowledge: vec![own],
    };
    assert_eq!(gateway.emitted(), [event]);
    // Eight questions, two of which once more with more room; each counts.
    assert_eq!(writer.asked().len(), 10);
    assert_eq!(gateway.spent().calls, 10);
    let room: Vec<u32> = writer
        .asked()
        .iter()
        .map(|c| c.sampling.max_tokens)
        .collect();
    assert_eq!(room.iter().filter(|&&tokens| tokens == 128).count(), 2);
    // Whoever asks later finds it, whichever sample is drawn.
    gateway.draw_sample(3);
    let mut later = inputs(8);
    assert!(written(&gateway, &mut later, false).await.unwrap());
    assert_eq!(later[3].field("topic"), "topic: 3");
    assert_eq!(writer.asked().len(), 10);
}

#[tokio::test]
async fn limits_hold_and_leave_no_half() {
    let writer = Bench::new(|_| Ok(Reply::text("topic: notes")));
    let short = gateway(&writer, Some(29));
    let mut asked = inputs(40);
    assert!(!written(&short, &mut asked, false).await.unwrap());
    assert_eq!(writer.asked().len(), 29);
    assert_eq!(asked, inputs(40));
    assert_eq!(short.emitted(), []);
    let enough = gateway(&writer, Some(40));
    assert!(written(&enough, &mut asked, false).await.unwrap());
    assert!(
        asked
            .iter()
            .all(|input| input.field("topic") == "topic: notes")
    );
    let source = enough.auxiliary_models().knowledge.clone().unwrap();
    let planned = calls(
        source.augmentation.as_ref(),
        &scripted::server(),
        &inputs(40),
    );
    assert_eq!(enough.spent().calls, planned.len() as u64);
}

#[tokio::test]
async fn what_tells_nothing_stops_early() {
    let evades = |_: &ModelCall| Ok(Reply::text("I'm sorry, but I can't help with that."));
    let writer = Bench::new(evades);
    let first = gateway(&writer, None);
    let stop = written(&first, &mut inputs(60), false).await.unwrap_err();
    let told = stop.to_string();
    assert!(
        told.contains("20 of 20 answers, such as (refused) \"I'm sorry"),
        "{told}"
    );
    assert_eq!(writer.asked().len(), 20);
    let mut asked = inputs(60);
    let further = gateway(&writer, None);
    assert!(written(&further, &mut asked, true).await.unwrap());
    assert!(asked.iter().all(|input| input.fields["topic"].is_empty()));
    // Not to know is an answer.
    let modest = Bench::new(|_| Ok(Reply::text("UNKNOWN")));
    let gateway = gateway(&modest, None);
    assert!(written(&gateway, &mut inputs(60), false).await.unwrap());
}

#[tokio::test]
async fn nobody_writes_where_nobody_is_asked() {
    let gateway = scripted::gateway(BudgetLimits::default());
    let mut asked = inputs(3);
    assert!(written(&gateway, &mut asked, false).await.unwrap());
    assert_eq!((asked, gateway.emitted()), (inputs(3), Vec::new()));
}
