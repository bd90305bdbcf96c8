//! What proposers that make prompts of prompts ask, and what they make of replies.

mod replies;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use shiftproof_tasks::{Example, Finish, Input, Label, Reply, Role, Task};

use super::super::*;
use super::*;
use crate::budget::{BudgetLimits, Meter, Price};
use crate::control::RunControl;
use crate::event_log::EventLog;
use crate::ledger::Ledger;
use crate::llm::{Capabilities, Llm, LlmError};

/// Sorts notes; shows `{text}` in a place of its own where a prompt has one.
struct Notes;

impl Task for Notes {
    fn name(&self) -> &'static str {
        "notes"
    }

    fn seed(&self) -> Prompt {
        Prompt::new("Is this note good or bad?")
    }

    fn answer_form(&self, _: &Input) -> AnswerForm {
        AnswerForm::choice(["good", "bad"])
    }

    fn fills_fields(&self) -> bool {
        true
    }
}

/// A model that sends what it is told to, and remembers what it was asked.
struct Scripted {
    script: Box<dyn Fn(usize) -> Reply + Send + Sync>,
    asked: Mutex<Vec<ModelCall>>,
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

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(call.clone());
        Ok((self.script)(asked.len() - 1))
    }
}

fn examples() -> Vec<Example> {
    let texts = [
        ("The lamp shone for years without a fault.", "good"),
        (
            "It broke when my neighbour Mrs Ashdown looked at it.",
            "bad",
        ),
        ("Light, cheap and hard to lose.", "good"),
        ("The shop sent me a shoe in place of a lamp.", "bad"),
        ("I would buy ten of them tomorrow.", "good"),
        ("Nothing on it worked, not even the switch.", "bad"),
    ];
    let numbered = texts.iter().enumerate();
    numbered
        .map(|(index, (text, label))| Example {
            input: Input::new(index.to_string(), "shop").with_field("text", *text),
            label: Label::Class((*label).to_owned()),
        })
        .collect()
}

/// What came of a proposer's request.
struct Told {
    batch: ProposalBatch,
    asked: Vec<ModelCall>,
}

impl Told {
    fn texts(&self) -> Vec<&str> {
        let kept = self.batch.kept.iter();
        kept.map(|kept| kept.prompt.instruction.as_str()).collect()
    }

    /// The last message of a call.
    fn said(&self, call: usize) -> &str {
        let messages = &self.asked[call].request.messages;
        &messages[messages.len() - 1].content
    }

    /// All messages of a call.
    fn whole(&self, call: usize) -> String {
        let messages = &self.asked[call].request.messages;
        let said: Vec<&str> = messages.iter().map(|m| m.content.as_str()).collect();
        said.join("\n")
    }

    fn discarded(&self, rule: &str) -> u64 {
        let found = self.batch.discards.0.iter();
        let found = found.filter(|(name, _)| name.contains(rule));
        found.map(|(_, (count, _))| count).sum()
    }
}

async fn told(
    proposer: &dyn Proposer,
    form: ProposalForm,
    (parents, count): (&[Prompt], usize),
    script: impl Fn(usize) -> Reply + Send + Sync + 'static,
) -> Told {
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
    let source = examples();
    let seed = Notes.seed();
    let view = ProposerView {
        task: &Notes,
        gateway: &gateway,
        model: &model,
        source: &source,
        target: &[],
        pseudo_labelled: &[],
        seed_prompt: &seed,
        parents,
        form,
        limit: 500,
        count,
        seed: 7,
    };
    let batch = proposer.propose(&view).await.unwrap();
    let asked = llm.asked.lock().unwrap().clone();
    Told { batch, asked }
}

fn prompt(word: &str) -> Prompt {
    Prompt::new(format!(
        "Read the {word} note to its end. Say good or bad, and nothing else."
    ))
}

fn sent(word: &str) -> Reply {
    Reply::text(format!("<prompt>{}</prompt>", prompt(word).instruction))
}

/// Every place of `earlier` comes before that of `later`.
#[track_caller]
fn in_order(text: &str, pieces: &[&str]) {
    let mut from = 0;
    for piece in pieces {
        let at = text[from..].find(piece);
        let at = at.unwrap_or_else(|| panic!("{piece:?} is not next in\n{text}"));
        from += at + piece.len();
    }
}

fn tried(entries: &[(&str, u32)]) -> TrajectoryProposer {
    let entries = entries.iter();
    TrajectoryProposer {
        tried: entries
            .map(|(word, score)| TrajectoryEntry {
                prompt: prompt(word),
                score: *score,
            })
            .collect(),
        step: 0,
    }
}

#[tokio::test]
async fn trajectory_ascends() {
    let proposer = tried(&[("second", 71), ("last", 90), ("first", 12)]);
    let parents = [prompt("last"), prompt("second"), prompt("first")];
    let told = told(&proposer, ProposalForm::Plain, (&parents, 2), |nth| {
        sent(if nth == 0 { "fresh" } else { "other" })
    })
    .await;
    in_order(
        told.said(0),
        &[
            "Score 12:",
            "the first note",
            "Score 71:",
            "the second note",
            "Score 90:",
            "the last note",
            "Input: The lamp shone",
            "Output: good",
            "Output: bad",
            "higher than the best",
            "<prompt> and </prompt>",
        ],
    );
    assert_eq!(told.texts().len(), 2);
    assert!(
        told.batch
            .kept
            .iter()
            .all(|kept| kept.origin == Origin::Evolved)
    );
    // The same request twice, and two draws.
    assert_eq!(told.said(0), told.said(1));
    assert_ne!(told.asked[0].sampling.seed, told.asked[1].sampling.seed);
}

#[tokio::test]
async fn long_trajectories_are_bounded() {
    let long = |number: u32| TrajectoryEntry {
        prompt: Prompt::new(format!(
            "Number {number}. {}",
            "Mind the tone. ".repeat(400)
        )),
        score: number,
    };
    let proposer = TrajectoryProposer {
        tried: (0..30).map(long).collect(),
        step: 3,
    };
    let told = told(&proposer, ProposalForm::Plain, (&[], 1), |_| sent("fresh")).await;
    let said = told.said(0);
    assert!(text::tokens(said) < 7000, "{}", text::tokens(said));
    in_order(said, &["Number 27.", "Number 28.", "Number 29."]);
    assert!(!said.contains("Number 26."));
    let short: Vec<(String, u32)> = (0..40).map(|n| (format!("n{n}"), n)).collect();
    let short: Vec<(&str, u32)> = short.iter().map(|(w, s)| (w.as_str(), *s)).collect();
    let proposer = tried(&short);
    let told = self::told(&proposer, ProposalForm::Plain, (&[], 1), |_| sent("fresh"));
    assert_eq!(told.await.said(0).matches("\nScore ").count(), 20);
}

#[tokio::test]
async fn steps_show_other_examples() {
    let shown = |step: usize| {
        let proposer = TrajectoryProposer {
            step,
            ..tried(&[("first", 10)])
        };
        async move {
            let told = told(&proposer, ProposalForm::Plain, (&[], 1), |_| sent("x")).await;
            told.said(0).contains("The lamp shone")
        }
    };
    assert!(shown(0).await && !shown(1).await && shown(2).await);
}

#[tokio::test]
async fn last_prompt_of_steps_is_meant() {
    let pairs = vec![[prompt("red"), prompt("blue")]];
    let proposer = GeneticProposer { pairs };
    let parents = [prompt("red"), prompt("blue")];
    let told = told(&proposer, ProposalForm::Plain, (&parents, 1), |_| {
        Reply::text(
            "1. Crossed:\n<prompt>Read the red and blue note. Say good or bad.</prompt>\n2. \
             Mutated:\n<prompt>Weigh the purple note. Say good or bad.</prompt>",
        )
    })
    .await;
    in_order(
        told.said(0),
        &["the red note", "the blue note", "1. ", "2. "],
    );
    assert_eq!(told.texts(), ["Weigh the purple note. Say good or bad."]);
    let made = &told.batch.kept[0];
    assert_eq!(made.parents, [prompt("red").id(), prompt("blue").id()]);
    assert_eq!((told.batch.asked, told.batch.discards.count()), (1, 0));
}

#[tokio::test]
async fn differences_name_all_four() {
    let trial = DifferentialTrial {
        current: prompt("base"),
        donors: [prompt("one"), prompt("other")],
        best: prompt("best"),
    };
    let proposer = DifferentialProposer {
        trials: vec![trial; 3],
    };
    let parents = [prompt("best"), prompt("base")];
    // The plan has texts for two of the three.
    let told = told(&proposer, ProposalForm::Plain, (&parents, 2), |nth| {
        sent(if nth == 0 { "new" } else { "base" })
    })
    .await;
    in_order(
        told.said(0),
        &[
            "Prompt A:\n<prompt>\nRead the one",
            "Prompt B:\n<prompt>\nRead the other",
            "Best prompt:\n<prompt>\nRead the best",
            "Base prompt:\n<prompt>\nRead the base",
            "1. ",
            "4. ",
        ],
    );
    assert_eq!(told.asked.len(), 2);
    let made = &told.batch.kept[0];
    assert_eq!(made.parents[0], prompt("base").id(), "whose place it takes");
    assert_eq!(made.parents.len(), 4);
    assert_eq!(told.discarded("it changes nothing"), 1);
}

fn offspring(number: usize) -> Vec<PlannedOffspring> {
    let shown = Demonstration {
        input: "Fine.".into(),
        answer: "good".into(),
    };
    let one = PlannedOffspring {
        parents: [prompt("red"), prompt("blue")],
        demonstrations: vec![shown],
    };
    vec![one; number]
}

#[tokio::test]
async fn offspring_are_merged_then_varied() {
    let parents = [prompt("red"), prompt("blue")];
    let proposer = OffspringProposer {
        offspring: offspring(2),
    };
    // The second merger is refused twice, and the second variation is a copy of
    // the request.
    let told = told(
        &proposer,
        ProposalForm::Plain,
        (&parents, 4),
        |nth| match nth {
            0 => sent("purple"),
            1 | 2 => Reply::text("I'm sorry, but I can't help with that."),
            3 => sent("violet"),
            _ => Reply::text(
                "<prompt>The new wording asks for the label alone, spelt as here. good \
                          bad. Its core meaning stays, its style and structure become quite \
                          different ones.</prompt>",
            ),
        },
    )
    .await;
    assert!(told.said(0).contains("the red note") && told.said(0).contains("the blue note"));
    // What is varied is what was merged, or the first parent where nothing was.
    assert!(told.said(3).contains("the purple note"), "{}", told.said(3));
    assert!(told.said(4).contains("the red note"), "{}", told.said(4));
    assert_eq!(told.texts(), [prompt("violet").instruction]);
    let made = &told.batch.kept[0];
    assert_eq!(made.prompt.demonstrations.len(), 1);
    assert_eq!(made.parents.len(), 2);
    assert_eq!(told.discarded("the model declined"), 1);
    assert_eq!(told.discarded("repeats the words of the request"), 1);
    assert_eq!((told.batch.asked, told.batch.again), (4, 1));
}

#[tokio::test]
async fn useless_variation_leaves_merger() {
    let parents = [prompt("red"), prompt("blue")];
    let proposer = OffspringProposer {
        offspring: offspring(2),
    };
    // Three texts: one is merged and varied, one is varied alone.
    let told = told(
        &proposer,
        ProposalForm::Plain,
        (&parents, 3),
        |nth| match nth {
            0 => sent("purple"),
            1 => Reply::text("Sure, here is the prompt in another style:"),
            _ => sent("violet"),
        },
    )
    .await;
    assert_eq!(told.asked.len(), 3);
    assert!(told.said(2).contains("the red note"));
    assert_eq!(
        told.texts(),
        [prompt("purple").instruction, prompt("violet").instruction]
    );
    assert_eq!(told.batch.kept[1].parents, [prompt("red").id()]);
    assert_eq!(told.discarded("no prompt is in the reply"), 1);
}

#[tokio::test]
async fn summary_grounds_instructions() {
    let proposer = GroundedProposer {
        induction: InductionProposer {
            shots: 6,
            chunks: 2,
            target: TargetUse::Nothing,
        },
    };
    let script = |nth: usize| match nth {
        0 => Reply::text("<think>Lamps.</think>Short notes on lamps; the switch decides."),
        nth => sent(["", "one", "two", "three"][nth]),
    };
    let told = told(&proposer, ProposalForm::Plain, (&[], 4), script).await;
    assert_eq!((told.asked.len(), told.batch.asked), (4, 4));
    // The summary is of everything, an instruction shows a part.
    assert_eq!(told.said(0).matches("Input: ").count(), 6);
    in_order(
        told.said(1),
        &[
            "Short notes on lamps; the switch decides.",
            "Input: ",
            "Is this note good or bad?",
            "<prompt> and </prompt>",
        ],
    );
    assert_eq!(told.said(1).matches("Input: ").count(), 3);
    assert!(!told.whole(1).contains("Lamps."));
    assert_ne!(told.said(1), told.said(2));
    assert_eq!(told.texts().len(), 3);
    assert_eq!(told.batch.kept[1].chunk, Some(1));
}

#[tokio::test]
async fn summary_is_done_without() {
    let proposer = GroundedProposer {
        induction: InductionProposer {
            shots: 6,
            chunks: 2,
            target: TargetUse::Nothing,
        },
    };
    let script = |nth: usize| match nth {
        0 | 1 => Reply::text("I cannot help with that."),
        _ => sent("one"),
    };
    let told = told(&proposer, ProposalForm::Plain, (&[], 2), script).await;
    assert!(!told.said(2).contains("data_summary"), "{}", told.said(2));
    assert_eq!(told.texts().len(), 1);
    assert_eq!(told.discarded("the model declined"), 1);
}
