//! The proposers that reflect, against a model that answers as models do.

mod requests;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use shiftproof_tasks::{AnswerForm, Example, Finish, Input, Label, Prompt, Reply, Request, Task};

use crate::budget::{BudgetLimits, Meter, Price};
use crate::control::RunControl;
use crate::event::Origin;
use crate::event_log::EventLog;
use crate::gateway::{Gateway, PricedModel};
use crate::ledger::Ledger;
use crate::llm::{Capabilities, Llm, LlmError, ModelCall};
use crate::propose::{
    GradientCase, GradientProposer, GroupReflectionCase, GroupReflectionProposer, MergePair,
    MergeProposer, ProposalBatch, ProposalForm, Proposer, ProposerView, ReflectionCase,
    ReflectionProposer, TracedAnswer,
};

/// Complaints at a hotel's desk.
struct Desks;

impl Task for Desks {
    fn name(&self) -> &'static str {
        "desks"
    }

    fn seed(&self) -> Prompt {
        Prompt::new(SEED)
    }

    fn answer_form(&self, _: &Input) -> AnswerForm {
        AnswerForm::choice(["kitchen", "rooms"])
    }
}

const SEED: &str = "Who should hear this complaint of a guest, kitchen or rooms?";
const GOOD: &str = "You read what guests complain about. Food, drink and waiters are for the \
                    kitchen, whatever else is said. Noise, heating and linen are for rooms.\n\n\
                    Answer with one word, kitchen or rooms.";
const BETTER: &str = "Sort complaints of guests by what has to be done: where somebody must cook \
                      or serve, answer kitchen; where somebody must clean or repair, answer rooms. \
                      Give that one word alone.";

const THIRD: &str = "Kitchen hears of meals, rooms of beds. Which is it, kitchen or rooms?";

type Script = dyn Fn(usize, &Request) -> Reply + Send + Sync;

/// Answers by script, and keeps what it was asked.
struct Scripted {
    script: Box<Script>,
    asked: Mutex<Vec<Request>>,
}

#[async_trait]
impl Llm for Scripted {
    fn identity(&self) -> &'static str {
        "scripted"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            batch: 1,
            concurrency: 1,
            ..Capabilities::default()
        }
    }

    fn estimate_tokens(&self, request: &Request) -> u64 {
        let messages = request.messages.iter();
        messages
            .map(|message| message.content.len() as u64 / 4)
            .sum()
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(call.request.clone());
        Ok((self.script)(asked.len() - 1, &call.request))
    }
}

fn example(text: &str, label: &str) -> Example {
    Example {
        input: Input::new(text, "letters").with_field("text", text),
        label: Label::Class(label.into()),
    }
}

fn trace(text: &str, label: &str, answer: &str) -> TracedAnswer {
    TracedAnswer {
        example: example(text, label),
        answer: answer.into(),
        readable: ["kitchen", "rooms"].contains(&answer),
        value: f64::from(u8::from(label == answer)),
        voted: false,
    }
}

fn wrong() -> Vec<TracedAnswer> {
    vec![
        trace(
            "The soup was cold when it came up to our bed.",
            "kitchen",
            "rooms",
        ),
        trace(
            "We could not sleep above the bar.",
            "rooms",
            "That depends, dear guest!",
        ),
    ]
}

fn right() -> Vec<TracedAnswer> {
    vec![trace("The radiator never worked.", "rooms", "rooms")]
}

/// What a proposer makes of a script, and what the model was asked.
async fn propose(
    proposer: &dyn Proposer,
    form: ProposalForm,
    count: usize,
    script: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static,
) -> (ProposalBatch, Vec<Request>) {
    let gateway = Gateway::new(
        Arc::new(Ledger::in_memory()),
        EventLog::unlogged(vec![]),
        Meter::new(BudgetLimits::default()),
        RunControl::new(),
        None,
        Vec::new(),
    );
    let llm = Arc::new(Scripted {
        script: Box::new(script),
        asked: Mutex::default(),
    });
    let model = PricedModel {
        llm: llm.clone(),
        price: Price::default(),
    };
    let source: Vec<Example> = wrong()
        .into_iter()
        .chain(right())
        .map(|trace| trace.example)
        .collect();
    let target = [
        Input::new("t1", "chat").with_field("text", "omg the kettle leaks"),
        Input::new("t2", "chat").with_field("text", "no towels??"),
    ];
    let seed = Desks.seed();
    let batch = proposer
        .propose(&ProposerView {
            task: &Desks,
            gateway: &gateway,
            model: &model,
            source: &source,
            target: &target,
            pseudo_labelled: &[],
            seed_prompt: &seed,
            parents: std::slice::from_ref(&seed),
            form,
            limit: 400,
            count,
            seed: 1,
        })
        .await
        .unwrap();
    let asked = llm.asked.lock().unwrap().clone();
    (batch, asked)
}

fn text_of(request: &Request) -> String {
    let messages = request.messages.iter();
    let all: Vec<&str> = messages.map(|message| message.content.as_str()).collect();
    all.join("\n")
}

fn gradient() -> GradientProposer {
    GradientProposer {
        cases: vec![GradientCase {
            parent: Desks.seed(),
            errors: wrong(),
            successes: right(),
        }],
    }
}

fn reflection() -> ReflectionProposer {
    ReflectionProposer {
        cases: vec![ReflectionCase {
            parent: Desks.seed(),
            traces: [wrong(), right()].concat(),
        }],
    }
}

fn group_case() -> GroupReflectionCase {
    GroupReflectionCase {
        parent: Desks.seed(),
        group: "letters".into(),
        failures: wrong(),
        successes: right(),
        contrast: Some((Prompt::new(BETTER), wrong()[..1].to_vec())),
    }
}

fn group_reflection(cases: usize) -> GroupReflectionProposer {
    GroupReflectionProposer {
        cases: vec![group_case(); cases],
        target_inputs: 1,
    }
}

fn merge() -> MergeProposer {
    MergeProposer {
        pairs: vec![MergePair {
            prompts: [Desks.seed(), Prompt::new(BETTER)],
            right: [right(), wrong()],
        }],
    }
}

#[track_caller]
fn says(text: &str, pieces: &[&str]) {
    for piece in pieces {
        assert!(text.contains(piece), "{piece:?} is not in\n{text}");
    }
}

/// A weak proposer copies what it is shown: no prompt, no diagnosis, right outputs.
#[tokio::test]
async fn weak_proposers_see_demonstrations_alone() {
    let proposers: [(&dyn Proposer, usize); 4] = [
        (&gradient(), 3),
        (&reflection(), 3),
        (&group_reflection(3), 3),
        (&merge(), 3),
    ];
    for (proposer, count) in proposers {
        let (batch, asked) = propose(proposer, ProposalForm::Opening, count, |at, _| {
            Reply::text([
                " complaint is about food, then it is for the kitchen, else for rooms.\nInput: x",
                " weather is fine today.",
                " guest wants the kitchen or the rooms to act, and answer that.",
            ][at])
        })
        .await;
        assert_eq!(asked.len(), count, "{}", proposer.name());
        let mut openings = Vec::new();
        for request in &asked {
            let text = text_of(request);
            says(&text, &["Input: The soup was cold", "Output: kitchen"]);
            assert!(
                !text.contains(SEED) && !text.contains("Its output"),
                "{text}"
            );
            assert!(!text.contains(BETTER), "{text}");
            let last = &request.messages[request.messages.len() - 1];
            openings.push(last.content.clone());
        }
        openings.dedup();
        assert_eq!(openings.len(), count);
        let name = proposer.name();
        assert_eq!(batch.kept.len(), 2, "{name}: {:?}", batch.discards);
        assert!(batch.discards.0.contains_key("it names no label"), "{name}");
        assert_eq!(batch.asked, 3);
    }
}

/// Everything that is of no use is counted under a reason, and the rest is used.
#[tokio::test]
async fn replies_of_every_kind_are_counted() {
    let long = format!("{GOOD} {}", "Weigh each word of it. ".repeat(2000));
    let german = "Lies die Beschwerde des Gastes sorgfältig bis zum Ende und entscheide dann, wer \
                  sich darum kümmern soll. Antworte nur mit einem Wort: kitchen oder rooms.";
    let script = move |at: usize, request: &Request| {
        let cut = |text: &str| Reply {
            finish: Finish::Length,
            ..Reply::text(text)
        };
        match at {
            0 => Reply::text(format!(
                "Certainly! Here is it:\n\n<prompt>\n{GOOD}\n</prompt>\n\nEnjoy!"
            )),
            1 => Reply::text(format!("{{\"prompt\": \"{THIRD}\"}}")),
            2 => Reply::text(format!(
                "<prompt>{SEED}</prompt>\nBetter:\n<prompt>{BETTER}</prompt>"
            )),
            3 => Reply::text("I'm sorry, but I can't help with that."),
            4 => Reply::text(long.clone()),
            5 => Reply::text(german),
            6 => Reply::text(
                "<prompt>Answer kitchen if the soup was cold when it came up to our bed, else \
                 rooms.</prompt>",
            ),
            7 => cut("<prompt>You read what guests"),
            8 => Reply::text(
                "<prompt>Who should hear this complaint of a guest, kitchen or rooms? A radiator \
                 that never worked belongs to rooms.</prompt>",
            ),
            9 => Reply::text("Gets these right, and has to go on doing so: kitchen or rooms."),
            // Once more: declined, cut off.
            _ => {
                assert!(text_of(request).contains(SEED));
                Reply::text("I cannot do this.")
            }
        }
    };
    let (batch, _) = propose(&group_reflection(10), ProposalForm::Plain, 10, script).await;
    let kept: Vec<&str> = batch
        .kept
        .iter()
        .map(|kept| kept.prompt.instruction.as_str())
        .collect();
    // The third good one is the contrast prompt word for word.
    assert_eq!(kept, [GOOD, THIRD], "{:?}", batch.discards);
    let rules: Vec<(&str, u64)> = batch
        .discards
        .0
        .iter()
        .map(|(rule, (count, _))| (rule.as_str(), *count))
        .collect();
    assert_eq!(
        rules,
        [
            ("it changes nothing", 1),
            ("it copies text of an example", 1),
            ("it is longer than 400 tokens (search.max_prompt_tokens)", 1),
            ("it is written in another language than prompts and data", 1),
            ("it mostly adds rules about single examples", 1),
            ("it repeats the words of the request", 1),
            ("the model declined", 2),
        ]
    );
    assert_eq!(
        batch.asked,
        batch.kept.len() as u64 + batch.discards.count()
    );
    assert_eq!(batch.again, 2);
}

/// A small model sends back what it is shown: a few texts find that out.
#[tokio::test]
async fn echoing_proposers_are_asked_without_a_prompt() {
    let proposers: [(&dyn Proposer, usize); 2] = [(&reflection(), 2), (&group_reflection(8), 2)];
    for (proposer, tried) in proposers {
        let (batch, asked) = propose(proposer, ProposalForm::Plain, 8, |at, request| {
            let text = text_of(request);
            Reply::text(if text.contains("<current_prompt>") {
                text[text.find("<current_prompt>").unwrap()..].to_owned()
            } else {
                let word = [
                    "mild", "stern", "swift", "calm", "dry", "full", "warm", "kind",
                ][at];
                format!("Be {word} with a guest: food is for the kitchen, sleep for rooms.")
            })
        })
        .await;
        assert_eq!(asked.len(), 8);
        for (at, request) in asked.iter().enumerate() {
            let text = text_of(request);
            assert_eq!(text.contains(SEED), at < tried, "{at}: {text}");
            says(&text, &["The soup was cold"]);
            assert!(at < tried || text.contains("Output: kitchen"), "{text}");
        }
        assert_eq!(batch.kept.len(), 8 - tried, "{:?}", batch.discards);
        assert_eq!(batch.asked, 8);
    }
}
