//! Methods that make new prompts of prompts, on planted worlds: each must come to
//! something better than the prompt it began with, within its plan.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use shiftproof_search::budget::{BudgetLimits, Meter, Price};
use shiftproof_search::control::RunControl;
use shiftproof_search::event::{Event, Origin, Phase};
use shiftproof_search::event_log::EventLog;
use shiftproof_search::gateway::{Gateway, PricedModel};
use shiftproof_search::ledger::Ledger;
use shiftproof_search::methods::MethodRegistry;
use shiftproof_search::run::Run;
use shiftproof_search::simulate::{SOURCE, SimulatedTask, SimulatedWorld, TARGET};
use shiftproof_search::spec::SearchSpec;
use shiftproof_search::{Capabilities, Llm, LlmError, ModelCall};
use shiftproof_tasks::{Finish, Prompt, Reply, Task};

const METHODS: [&str; 5] = ["opro", "evoprompt-ga", "evoprompt-de", "capo", "mipro"];
const EXAMPLES: usize = 80;

/// What a run told, and the prompt it chose.
async fn run(world: &SimulatedWorld, method: &str, seed: u64) -> (Prompt, Vec<Event>) {
    run_with(Arc::new(world.clone()), world, method, seed).await
}

/// The same, where `llm` proposes.
async fn run_with(
    llm: Arc<dyn Llm>,
    world: &SimulatedWorld,
    method: &str,
    seed: u64,
) -> (Prompt, Vec<Event>) {
    let (data, groups) = world.data(EXAMPLES);
    let gateway = Gateway::new(
        Arc::new(Ledger::in_memory()),
        EventLog::unlogged(vec![]),
        Meter::new(BudgetLimits::default()),
        RunControl::new(),
        None,
        Vec::new(),
    );
    let model = PricedModel {
        llm: Arc::new(world.clone()),
        price: Price::default(),
    };
    let ended = Run {
        study: "planted".into(),
        task: Arc::new(SimulatedTask),
        data,
        groups,
        baselines: vec![],
        method: MethodRegistry::default().get(method).unwrap(),
        spec: SearchSpec {
            library: false,
            ensemble: 0,
            ..SearchSpec::default()
        },
        human: vec![],
        seed,
        task_model: model,
        proposer_model: PricedModel {
            llm,
            price: Price::default(),
        },
        gateway: &gateway,
        earlier: None,
        judge: None,
        fitted: false,
        keep_going: false,
    }
    .execute()
    .await
    .unwrap();
    (ended.selected, gateway.emitted())
}

fn asked(events: &[Event]) -> u64 {
    let asked = events.iter().map(|event| match event {
        Event::Proposals(told) if told.model => told.asked,
        _ => 0,
    });
    asked.sum()
}

#[tokio::test]
async fn every_method_improves_on_seed() {
    const WORLDS: u64 = 12;
    let seed_prompt = SimulatedTask.seed();
    for method in METHODS {
        let (mut gain, mut worse) = (0.0, 0);
        for seed in 0..WORLDS {
            let world = SimulatedWorld::new(seed, 0.0);
            let (selected, events) = run(&world, method, seed).await;
            let of = |prompt: &Prompt| world.accuracy(prompt, SOURCE);
            let own = of(&selected) - of(&seed_prompt);
            gain += own;
            worse += u64::from(own < 0.0);
            let Some(Event::Finished {
                target_labels_read, ..
            }) = events.last()
            else {
                panic!("{method} did not finish");
            };
            assert_eq!(*target_labels_read, 0, "{method}");
            // The texts of a run are the same for every method.
            assert!(asked(&events) <= 36, "{method} asked {}", asked(&events));
        }
        let gain = gain / WORLDS as f64;
        println!(
            "{method}: {:+.1} points on the source, {worse} worse",
            100.0 * gain
        );
        assert!(
            gain > 0.06 && worse == 0,
            "{method}: {gain:.3}, {worse} worse"
        );
    }
}

#[tokio::test]
async fn later_generations_build_on_earlier() {
    for method in ["opro", "evoprompt-ga", "evoprompt-de", "capo"] {
        let world = SimulatedWorld::new(5, 0.0);
        let (_, events) = run(&world, method, 5).await;
        let mut phase = Phase::Propose;
        let mut evolved = BTreeSet::new();
        let mut grandchildren = 0;
        for event in &events {
            match event {
                Event::Phase { phase: now, .. } => phase = *now,
                Event::Proposed(proposed) if proposed.origin == Origin::Evolved => {
                    assert_eq!(phase, Phase::Refine, "{method}");
                    assert!(!proposed.parents.is_empty(), "{method}");
                    let born = proposed
                        .parents
                        .iter()
                        .any(|parent| evolved.contains(parent));
                    grandchildren += usize::from(born);
                    evolved.insert(proposed.candidate);
                }
                _ => {}
            }
        }
        assert!(evolved.len() > 5, "{method}: {}", evolved.len());
        assert!(grandchildren > 0, "{method}");
    }
}

#[tokio::test]
async fn demonstrations_come_from_training_alone() {
    for method in ["capo", "mipro"] {
        let world = SimulatedWorld::new(2, 0.0);
        let (_, events) = run(&world, method, 2).await;
        let shown: Vec<&Prompt> = events
            .iter()
            .filter_map(|event| match event {
                Event::Proposed(proposed) => Some(&proposed.prompt),
                _ => None,
            })
            .filter(|prompt| !prompt.demonstrations.is_empty())
            .collect();
        assert!(shown.len() > 5, "{method}: {}", shown.len());
        for prompt in shown {
            for one in &prompt.demonstrations {
                assert!(one.input.starts_with("source train "), "{method}: {one:?}");
                assert!(!one.input.contains(TARGET));
            }
            let distinct: BTreeSet<_> = prompt.demonstrations.iter().collect();
            assert_eq!(distinct.len(), prompt.demonstrations.len(), "{method}");
        }
    }
}

#[tokio::test]
async fn demonstrations_stay_where_they_help() {
    const WORLDS: u64 = 12;
    for method in ["capo", "mipro"] {
        let mut shown = Vec::new();
        for worth in [0.03, -0.06] {
            let mut with = 0;
            for seed in 0..WORLDS {
                let world = SimulatedWorld::new(seed, 0.0).with_demonstrations_worth(worth);
                let (selected, _) = run(&world, method, seed).await;
                with += usize::from(!selected.demonstrations.is_empty());
            }
            shown.push(with);
        }
        println!("{method}: shown in {shown:?} of {WORLDS} worlds");
        assert!(shown[0] >= 10 && shown[1] <= 2, "{method}: {shown:?}");
    }
}

/// The planted model as real ones send prompts: seven in ten with something around
/// them, and three in ten of no use.
struct Unruly(SimulatedWorld);

#[async_trait]
impl Llm for Unruly {
    fn identity(&self) -> &'static str {
        "unruly"
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        let good = self.0.call(call).await?;
        let text = good.text.clone();
        let cut = |text: String| Reply {
            finish: Finish::Length,
            ..Reply::text(text)
        };
        Ok(match call.sampling.seed % 12 {
            0 => Reply::text(format!(
                "Certainly! Here is a better prompt:\n\n<prompt>\n{text}\n</prompt>\n\nIt is clear."
            )),
            1 => Reply::text(format!("```\n{text}\n```")),
            2 => Reply::text(format!(
                "<think>Phrases of both.</think>\n<prompt>{text}</prompt>"
            )),
            3 => Reply::text("I'm sorry, but I can't help with that request."),
            4 => cut("Once more from the very beginning. ".repeat(60)),
            5 => Reply::text(format!(
                "<prompt>{}</prompt>",
                "Say yes or no. ".repeat(3300)
            )),
            6 => Reply::text(
                "<prompt>Answer yes or no. Texts such as \"source train 3\" are yes.</prompt>",
            ),
            _ => good,
        })
    }
}

#[tokio::test]
async fn unruly_proposers_are_put_up_with() {
    let mut rules = BTreeSet::new();
    for method in METHODS {
        let (mut gain, mut again) = (0.0, 0);
        for seed in 0..4 {
            let world = SimulatedWorld::new(seed, 0.0);
            let unruly = Arc::new(Unruly(world.clone()));
            let (selected, events) = run_with(unruly, &world, method, seed).await;
            gain += world.accuracy(&selected, SOURCE);
            gain -= world.accuracy(&SimulatedTask.seed(), SOURCE);
            for event in &events {
                match event {
                    Event::Discarded { reason, .. } => {
                        rules.insert(reason.clone());
                    }
                    Event::Proposals(told) => again += told.again,
                    Event::Proposed(proposed) => {
                        let text = &proposed.prompt.instruction;
                        assert!(text.starts_with("Answer yes or no."), "{method}: {text}");
                    }
                    _ => {}
                }
            }
        }
        assert!(again > 0, "{method} asked nothing again");
        assert!(gain / 4.0 > 0.05, "{method}: {gain}");
    }
    // A refusal and a text cut off are thrown away only where they come twice.
    for rule in ["declined", "cut off", "longer than", "copies text"] {
        let told = rules.iter().any(|told: &String| told.contains(rule));
        assert!(told, "{rule} is not in {rules:#?}");
    }
}

/// A proposer that only refuses.
struct Refusing(SimulatedWorld);

#[async_trait]
impl Llm for Refusing {
    fn identity(&self) -> &'static str {
        "refusing"
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn call(&self, _: &ModelCall) -> Result<Reply, LlmError> {
        Ok(Reply::text(
            "I'm sorry, but I can't help with that request.",
        ))
    }
}

#[tokio::test]
async fn demonstrations_need_no_proposer() {
    for method in ["capo", "mipro"] {
        let world = SimulatedWorld::new(1, 0.0).with_demonstrations_worth(0.05);
        let refusing = Arc::new(Refusing(world.clone()));
        let (selected, _) = run_with(refusing, &world, method, 1).await;
        assert_eq!(selected.instruction, SimulatedTask.seed().instruction);
        assert!(!selected.demonstrations.is_empty(), "{method}");
    }
}
