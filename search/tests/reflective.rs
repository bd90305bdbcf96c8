//! Methods that reflect on failures, in a planted world of groups.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support {
    pub mod group_world;
}

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use shiftproof_search::budget::{BudgetLimits, Meter, Price};
use shiftproof_search::control::RunControl;
use shiftproof_search::event::{Event, Origin};
use shiftproof_search::event_log::EventLog;
use shiftproof_search::gateway::{Gateway, PricedModel, RunError};
use shiftproof_search::ledger::Ledger;
use shiftproof_search::methods::MethodRegistry;
use shiftproof_search::run::Run;
use shiftproof_search::spec::{MethodName, SearchSpec};

use support::group_world::{self, GroupWorld, SEED, TARGET, YesNo};

const REFLECTIVE: [&str; 3] = ["protegi", "gepa", "group-reflective"];

struct Ended {
    selected: String,
    events: Vec<Event>,
    calls: u64,
}

async fn run(world: &Arc<GroupWorld>, method: &str, spec: SearchSpec) -> Ended {
    try_run(world, method, spec).await.unwrap()
}

async fn try_run(
    world: &Arc<GroupWorld>,
    method: &str,
    spec: SearchSpec,
) -> Result<Ended, RunError> {
    let (data, groups) = world.data(60);
    let gateway = Gateway::new(
        Arc::new(Ledger::in_memory()),
        EventLog::unlogged(vec![]),
        Meter::new(BudgetLimits::default()),
        RunControl::new(),
        None,
        Vec::new(),
    );
    let model = PricedModel {
        llm: world.clone(),
        price: Price::default(),
    };
    let ended = Run {
        study: "planted".into(),
        task: Arc::new(YesNo),
        data,
        groups,
        baselines: vec![],
        method: MethodRegistry::default().get(method).unwrap(),
        spec: SearchSpec {
            method: MethodName::new(method),
            ensemble: 0,
            library: false,
            ..spec
        },
        human: vec![],
        seed: world.seed,
        task_model: model.clone(),
        proposer_model: model,
        gateway: &gateway,
        earlier: None,
        judge: None,
        fitted: false,
        keep_going: false,
    }
    .execute()
    .await?;
    Ok(Ended {
        selected: ended.selected.instruction,
        events: gateway.emitted(),
        calls: ended.spent.calls,
    })
}

/// Mean true accuracy over the groups, and of the worst, over worlds.
async fn accuracy(method: &str) -> (f64, f64) {
    const WORLDS: u64 = 12;
    let (mut mean, mut worst) = (0.0, 0.0);
    for seed in 0..WORLDS {
        let world = Arc::new(GroupWorld::new(seed));
        let ended = run(&world, method, SearchSpec::default()).await;
        mean += group_world::mean(&ended.selected);
        worst += group_world::worst(&ended.selected);
    }
    (mean / WORLDS as f64, worst / WORLDS as f64)
}

#[tokio::test]
async fn reflection_improves_on_the_seed() {
    let (mean, worst) = (group_world::mean(SEED), group_world::worst(SEED));
    let ape = accuracy("ape").await;
    println!("seed {mean:.3} {worst:.3}, ape {:.3} {:.3}", ape.0, ape.1);
    let mut found = BTreeMap::new();
    for method in REFLECTIVE {
        let own = accuracy(method).await;
        println!("{method} {:.3} {:.3}", own.0, own.1);
        found.insert(method, own);
    }
    for (method, own) in &found {
        assert!(own.0 >= mean + 0.015, "{method}: {:.3} of {mean:.3}", own.0);
        assert!(own.0 > ape.0, "{method}: {:.3}, ape {:.3}", own.0, ape.0);
    }
    // The weakest group is lifted most where it is looked for.
    let own = found["group-reflective"].1;
    assert!(own >= worst + 0.08, "{own:.3} of {worst:.3}");
    for other in ["protegi", "gepa"] {
        assert!(own >= found[other].1 + 0.02, "{other}: {found:?}");
    }
}

/// What a proposer is shown is training data with source labels, and bare target
/// inputs; the texts asked for are those of the study.
#[tokio::test]
async fn proposers_see_training_examples_alone() {
    for method in REFLECTIVE {
        let world = Arc::new(GroupWorld::new(5));
        let spec = SearchSpec::default();
        let ended = run(&world, method, spec.clone()).await;
        let asked = world.asked.lock().unwrap();
        let again: u64 = ended
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Proposals(summary) => Some(summary.again),
                _ => None,
            })
            .sum();
        let most = spec.proposals as u64 + again;
        assert!(
            asked.len() as u64 <= most,
            "{method}: {} of {most}",
            asked.len()
        );
        assert!(
            asked.len() > spec.proposals / 2,
            "{method}: {}",
            asked.len()
        );
        for request in asked.iter() {
            for role in ["validation", "audit"] {
                assert!(!request.contains(role), "{method} shows {role}: {request}");
            }
            let lines: Vec<&str> = request.lines().collect();
            for (at, line) in lines.iter().enumerate() {
                if line.starts_with(&format!("Input: {TARGET}")) {
                    assert_eq!(lines.get(at + 1), Some(&""), "{method}: {request}");
                }
            }
        }
    }
}

/// Each text that was asked for is used or counted under a reason.
#[tokio::test]
async fn unruly_proposers_are_counted() {
    let mut rules = BTreeSet::new();
    for method in REFLECTIVE {
        let (mut asked, mut used, mut lost) = (0, 0, 0);
        let mut origins = BTreeSet::new();
        for seed in 20..32 {
            let world = Arc::new(GroupWorld::new(seed));
            for event in run(&world, method, SearchSpec::default()).await.events {
                match event {
                    Event::Proposals(summary) => {
                        asked += summary.asked;
                        used += summary.used;
                    }
                    Event::Discarded { reason, count, .. } => {
                        lost += count;
                        rules.insert(reason);
                    }
                    Event::Proposed(proposed) => {
                        origins.insert(proposed.origin);
                    }
                    _ => {}
                }
            }
        }
        assert_eq!(asked, used + lost, "{method}");
        assert!(used > asked / 10, "{method}: {used} of {asked}");
        assert!(
            origins.contains(&Origin::Reflected),
            "{method}: {origins:?}"
        );
        assert_eq!(origins.contains(&Origin::Merged), method == "gepa");
    }
    for rule in [
        "the model declined",
        "it is written in another language than prompts and data",
        "it copies text of an example",
        "it is longer than 2000 tokens (search.max_prompt_tokens)",
    ] {
        assert!(rules.contains(rule), "{rule} is not in {rules:?}");
    }
    let cut = |rule: &String| rule.starts_with("it was cut off at");
    assert!(rules.iter().any(cut), "{rules:?}");
}

/// The plan is a bound whatever the numbers, and a run of few calls ends well.
#[tokio::test]
async fn small_studies_keep_to_their_plan() {
    for method in REFLECTIVE {
        for (proposals, evaluations) in [(0, 60), (1, 40), (2, 200), (5, 90), (12, 400)] {
            let world = Arc::new(GroupWorld::new(7));
            let spec = SearchSpec {
                proposals,
                evaluations,
                ..SearchSpec::default()
            };
            let ended = match try_run(&world, method, spec).await {
                Ok(ended) => ended,
                // Of a handful of texts none may come to anything.
                Err(RunError::Proposals { .. }) if proposals < 6 => continue,
                Err(stop) => panic!("{method} {proposals} {evaluations}: {stop}"),
            };
            let audit = 2 * 4 * 60;
            let most = evaluations + 2 * proposals + 1 + audit + 20;
            assert!(
                ended.calls <= most as u64,
                "{method} {proposals} {evaluations}: {} of {most}",
                ended.calls
            );
        }
    }
}

/// A proposer that cannot follow instructions sees right outputs and no prompt.
#[tokio::test]
async fn weak_proposers_go_on_from_openings() {
    for method in REFLECTIVE {
        let world = Arc::new(GroupWorld {
            prefill: true,
            ..GroupWorld::new(11)
        });
        let ended = run(&world, method, SearchSpec::default()).await;
        let asked = world.asked.lock().unwrap();
        let lines = asked
            .iter()
            .filter(|text| text.contains("The instruction was:"));
        // All but the probe.
        assert_eq!(lines.count() + 1, asked.len(), "{method}");
        for text in asked.iter() {
            assert!(!text.contains("<current_prompt>") && !text.contains("Its output"));
        }
        let used = ended.events.iter().any(|event| {
            matches!(event, Event::Proposals(summary)
                if summary.used > 0 && summary.proposer.ends_with("one line each"))
        });
        assert!(used, "{method}");
    }
}
