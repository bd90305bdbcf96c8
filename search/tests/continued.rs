//! A run that goes on from an earlier one with labels that came since: what it takes
//! over, what it pays, and what it is worth beside doing nothing and starting over.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::sync::Arc;

use shiftproof_search::budget::{BudgetLimits, Meter, Price};
use shiftproof_search::earlier::EarlierRun;
use shiftproof_search::event::{Event, Origin};
use shiftproof_search::event_log::EventLog;
use shiftproof_search::gateway::{Gateway, PricedModel};
use shiftproof_search::ledger::Ledger;
use shiftproof_search::methods::MethodRegistry;
use shiftproof_search::run::Run;
use shiftproof_search::simulate::{SimulatedTask, SimulatedWorld, TARGET};
use shiftproof_search::spec::{MethodName, SearchSpec};
use shiftproof_tasks::{Example, Prompt};
use tokio_util::sync::CancellationToken;

/// What a run came to.
struct Ran {
    selected: Prompt,
    events: Vec<Event>,
    /// Calls that were paid for.
    paid: u64,
    /// Calls that count against a limit.
    counted: u64,
}

struct Setting<'a> {
    world: &'a SimulatedWorld,
    ledger: Arc<Ledger>,
    seed: u64,
    labels: usize,
    evaluations: usize,
    earlier: Option<EarlierRun>,
}

impl Setting<'_> {
    async fn run(self) -> Ran {
        let (mut data, groups) = self.world.data(120);
        for example in labels(self.world, self.labels) {
            data.labelled_target.add(example, false);
        }
        let gateway = Gateway::new(
            self.ledger,
            EventLog::unlogged(vec![]),
            Meter::new(BudgetLimits::default()),
            CancellationToken::new(),
            None,
            Vec::new(),
        );
        let model = PricedModel {
            llm: Arc::new(self.world.clone()),
            price: Price::default(),
        };
        let spec = SearchSpec {
            method: MethodName::new("ape"),
            ensemble: 0,
            library: false,
            evaluations: self.evaluations,
            ..SearchSpec::default()
        };
        let ended = Run {
            study: "planted".into(),
            task: Arc::new(SimulatedTask),
            data,
            groups,
            baselines: vec![],
            method: MethodRegistry::default().get(spec.method.as_str()).unwrap(),
            spec,
            human: vec![],
            seed: self.seed,
            task_model: model.clone(),
            proposer_model: model,
            gateway: &gateway,
            earlier: self.earlier,
            judge: None,
            fitted: false,
            keep_going: false,
        }
        .execute()
        .await
        .unwrap();
        Ran {
            selected: ended.selected,
            events: gateway.emitted(),
            paid: gateway.sent(),
            counted: ended.spent.calls,
        }
    }
}

/// Labelled target examples that no run of 120 examples a role has otherwise.
fn labels(world: &SimulatedWorld, count: usize) -> Vec<Example> {
    let (data, _) = world.data(120 + count);
    let audit = data.audit.open().into_iter();
    let target = audit.filter(|example| example.input.group == TARGET);
    target.skip(120).collect()
}

#[tokio::test]
async fn known_answers_are_taken_over() {
    let world = SimulatedWorld::new(3, 0.1);
    let ledger = Arc::new(Ledger::in_memory());
    let setting = |labels, earlier| Setting {
        world: &world,
        ledger: ledger.clone(),
        seed: 3,
        labels,
        evaluations: 1500,
        earlier,
    };
    let first = setting(0, None).run().await;
    let earlier = EarlierRun::of("planted-s3-1", &first.events);
    let known = earlier.candidates.len();
    assert!(known > 10, "{known}");

    let second = setting(20, Some(earlier.clone())).run().await;
    let told = second.events.iter().find_map(|event| match event {
        Event::Continued(carried) => Some(carried.clone()),
        _ => None,
    });
    let told = told.unwrap();
    assert_eq!(
        (told.run.as_str(), told.candidates),
        ("planted-s3-1", known)
    );
    assert!(told.answers > 1000, "{}", told.answers);
    assert_eq!(told.selected, Some(first.selected.id()));
    let carried = second.events.iter().filter(
        |event| matches!(event, Event::Proposed(proposed) if proposed.origin == Origin::Carried),
    );
    assert_eq!(carried.count(), known);
    // What is carried over counts against no limit, and is not paid for.
    assert!(second.counted < first.counted + 1500, "{}", second.counted);
    assert!(second.paid < first.paid, "{} {}", second.paid, first.paid);

    // Executed again it asks nothing and tells the same.
    let again = setting(20, Some(earlier)).run().await;
    assert_eq!(again.paid, 0);
    let text = |events: &[Event]| serde_json::to_string(events).unwrap();
    assert_eq!(text(&again.events), text(&second.events));
}

/// Accuracy on the target and calls paid for, of three ways to go on once there are
/// labels.
#[tokio::test]
#[ignore = "a table for docs/drift.md"]
async fn going_on_beside_starting_over() {
    const WORLDS: u64 = 60;
    for count in [20, 50] {
        let mut sums = [(0.0, 0); 4];
        let mut gains = Vec::new();
        // No constant was looked at on these.
        for seed in 9_000..9_000 + WORLDS {
            let world = SimulatedWorld::new(seed, 0.1);
            let ledger = Arc::new(Ledger::in_memory());
            let setting = |ledger: &Arc<Ledger>, labels, evaluations, earlier| Setting {
                world: &world,
                ledger: ledger.clone(),
                seed,
                labels,
                evaluations,
                earlier,
            };
            let first = setting(&ledger, 0, 1500, None).run().await;
            let earlier = EarlierRun::of("first", &first.events);
            let fresh = Arc::new(Ledger::in_memory());
            let over = setting(&fresh, count, 1500, None).run().await;
            let on = setting(&ledger, count, 1500, Some(earlier.clone()))
                .run()
                .await;
            let small = Arc::new(Ledger::in_memory());
            let cheap = setting(&small, count, 700, None).run().await;
            let rows = [
                (&first, 0),
                (&on, on.paid),
                (&over, over.paid),
                (&cheap, cheap.paid),
            ];
            for (sum, (ran, paid)) in sums.iter_mut().zip(rows) {
                sum.0 += world.target_accuracy(&ran.selected) / WORLDS as f64;
                sum.1 += paid;
            }
            gains.push(world.target_accuracy(&on.selected) - world.target_accuracy(&over.selected));
        }
        let mean = gains.iter().sum::<f64>() / WORLDS as f64;
        let variance = gains.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / (WORLDS - 1) as f64;
        let names = [
            "no update",
            "--continue",
            "starting over",
            "starting over, 700 evaluations",
        ];
        println!("{count} labels, {WORLDS} worlds:");
        for (name, (accuracy, paid)) in names.iter().zip(sums) {
            println!(
                "  {name}: target {accuracy:.3}, {} calls paid for",
                paid / WORLDS
            );
        }
        println!(
            "  --continue less starting over: {mean:+.3} ± {:.3}",
            (variance / WORLDS as f64).sqrt()
        );
        assert!(sums[1].0 > sums[0].0 && sums[1].1 < sums[2].1);
    }
}
