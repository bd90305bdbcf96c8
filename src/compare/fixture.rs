//! Runs told by hand, each with a whole audit example by example.

use shiftproof_search::budget::BudgetLimits;
use shiftproof_search::event::{
    AnswerVerdict, AuditedPrompt, Event, GroupOutcome, GroupRole, Phase, RunEnding, ShownInput,
};

use super::{AuditClusters, CellRun, CellState, ComparedCell, StudyComparison};
use crate::report::fixture::{self, NASTY_GROUP};

/// Examples of each group.
const EACH: u32 = 40;

const GROUPS: [(&str, GroupRole); 3] = [
    ("books", GroupRole::Source),
    (NASTY_GROUP, GroupRole::Target),
    ("songs", GroupRole::Target),
];

/// What the seed prompt gets right of each group's forty.
const SEED: [u32; 3] = [28, 22, 26];

pub(super) fn limits() -> BudgetLimits {
    BudgetLimits {
        calls: Some(1500),
        ..BudgetLimits::default()
    }
}

/// A run that gets `gain` more of every group right than the seed prompt.
pub(super) fn run(method: &str, seed: u64, gain: i32) -> CellRun {
    let mut events = fixture::events(method, seed, f64::from(gain) / f64::from(EACH));
    let (before, after) = (fixture::seed().id(), fixture::selected().id());
    let right = |gain: i32| SEED.map(|right| right.saturating_add_signed(gain));
    for event in &mut events {
        if let Event::Audited { contestant, groups } = event {
            let right = match contestant {
                AuditedPrompt::Seed => right(0),
                AuditedPrompt::Selected => right(gain),
                AuditedPrompt::Ensemble => right(gain + 1),
            };
            for (group, right) in groups.iter_mut().zip(right) {
                *group = GroupOutcome {
                    value: Some(f64::from(right) / f64::from(EACH)),
                    n: EACH as usize,
                    unparseable: 0,
                    failed: 0,
                    ..group.clone()
                };
            }
        }
    }
    let last = events.pop().unwrap();
    let inputs = GROUPS.iter().flat_map(|(group, _)| {
        (0..EACH).map(move |number| ShownInput {
            id: format!("{group} {number}"),
            group: (*group).to_owned(),
            text: format!("text {number}"),
            label: None,
        })
    });
    events.push(Event::Inputs {
        inputs: inputs.collect(),
    });
    for (candidate, right) in [(before, right(0)), (after, right(gain))] {
        let answers = (0..3 * EACH).map(|place| {
            let (group, number) = ((place / EACH) as usize, place % EACH);
            // Which ones are right differs from run to run.
            let turned =
                (number * 7 + u32::try_from(seed).unwrap() * u32::from(candidate == after)) % EACH;
            let grade = f64::from(u8::from(turned < right[group]));
            (place, 0, AnswerVerdict::Graded(grade)).into()
        });
        events.push(Event::Answered {
            candidate,
            phase: Phase::Audit,
            texts: vec!["positive".into()],
            answers: answers.collect(),
        });
    }
    let leaders = [(200, 0.66), (500, 0.70 + f64::from(gain) / 200.0)];
    for (at, (calls, score)) in (events.len() / 3..).zip(leaders) {
        events.insert(
            at,
            Event::Leading {
                candidate: after,
                phase: Phase::Screen,
                calls: calls + 10 * seed,
                score,
                groups: Vec::new(),
            },
        );
    }
    events.push(last);
    CellRun::of(format!("reviews-{method}-s{seed}"), &events)
}

/// A run that came to its end without an audit.
pub(super) fn unaudited() -> CellRun {
    let mut events = fixture::events("gpo", 1, 0.1);
    events.retain(|event| !matches!(event, Event::Audited { .. } | Event::Compared { .. }));
    for event in &mut events {
        if let Event::Finished { ending, .. } = event {
            *ending = RunEnding::BudgetExhausted;
        }
    }
    CellRun::of("r", &events)
}

fn cell(method: &str, seed: u64, state: CellState) -> ComparedCell {
    ComparedCell {
        method: method.to_owned(),
        seed,
        state,
    }
}

/// Two methods of two seeds, one that is below the seed prompt once, and cells of every
/// other state.
pub(super) fn cells() -> Vec<ComparedCell> {
    let done = |method: &str, seed: u64, gain: i32| {
        let run = Box::new(run(method, seed, gain));
        cell(method, seed, CellState::Finished(run))
    };
    vec![
        done("gpo", 1, 6),
        done("gpo", 2, 4),
        done("gpo", 3, 5),
        done("ape", 1, 1),
        done("ape", 2, -2),
        cell(
            "ape",
            3,
            CellState::Failed {
                run: Some("reviews-s3-2".into()),
                reason: "no proposal of large could be used: <b>none</b>\n  more".into(),
            },
        ),
        cell(
            "edits",
            1,
            CellState::Stopped {
                run: "reviews-s1-3".into(),
            },
        ),
        cell("edits", 2, CellState::Open),
    ]
}

pub(super) fn study() -> StudyComparison {
    StudyComparison::of("reviews", &limits(), &cells(), &AuditClusters::none())
}
