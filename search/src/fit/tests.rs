//! Plans under limits, for every method.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::calibrate::Calibration;
use crate::methods::{Ape, MethodPlan, MethodRegistry, PlannedStep};
use crate::simulate::{SimulatedTask, SimulatedWorld};
use crate::spec::RuleName;

fn methods() -> Vec<Arc<dyn SearchMethod>> {
    let registry = MethodRegistry::default();
    let names = registry.names();
    names.map(|name| registry.get(name).unwrap()).collect()
}

fn data(examples: usize) -> Data {
    SimulatedWorld::new(1, 0.0).data(examples).0
}

/// What scaling may change.
fn numbers(spec: &SearchSpec, data: &Data) -> [usize; 5] {
    [
        spec.evaluations,
        spec.proposals,
        spec.paraphrases,
        spec.edits,
        data.target.inputs.len(),
    ]
}

fn specs() -> impl Strategy<Value = SearchSpec> {
    (
        0..60_usize,
        1..900_usize,
        0..20_usize,
        0..9_usize,
        0..4_usize,
    )
        .prop_map(
            |(proposals, evaluations, edits, paraphrases, rounds)| SearchSpec {
                proposals,
                rounds,
                edits,
                paraphrases,
                evaluations,
                ..SearchSpec::default()
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn calls_keep_every_limit(spec in specs(), limit in 0..1500_u64, each in 1..4_usize) {
        let data = data(20);
        for method in methods() {
            let (mut own, mut copy) = (spec.clone(), data.clone());
            let audit = data.audit.len();
            let scaled = fit(method.as_ref(), &mut own, &mut copy, audit, each, limit);
            let left = (limit as usize).saturating_sub(2 * audit * each);
            let asks = searching(method.as_ref(), &own, &DataCounts::of(&copy), each);
            // One call finds out how the proposer answers, however little is left.
            prop_assert!(asks <= left.max(1), "{}: {asks} of {left}", method.name());
            prop_assert_eq!(scaled, numbers(&own, &copy) != numbers(&spec, &data));
        }
    }

    /// More money never buys less of anything.
    #[test]
    fn scaling_is_monotone(spec in specs(), limit in 0..1500_u64, more in 0..400_u64) {
        let data = data(20);
        for method in methods() {
            let at = |limit| {
                let (mut own, mut copy) = (spec.clone(), data.clone());
                fit(method.as_ref(), &mut own, &mut copy, data.audit.len(), 1, limit);
                numbers(&own, &copy)
            };
            let (less, more) = (at(limit), at(limit + more));
            prop_assert!(
                less.iter().zip(&more).all(|(less, more)| less <= more),
                "{}: {less:?} and {more:?}",
                method.name()
            );
        }
    }

    #[test]
    fn smallest_limit_is_least(spec in specs()) {
        let data = data(20);
        for method in methods() {
            let at = |calls| fitted(method.as_ref(), &spec, &data, &SimulatedTask, 0, calls);
            let Some(least) = at(None).smallest else {
                continue;
            };
            // Where the seed is sure of an answer at the least limit, its plan has one
            // evaluation for each race, and one call less has not.
            prop_assert!(least >= 2 * data.audit.len() as u64);
            let enough = at(Some(least));
            prop_assert!(enough.spec.evaluations >= 1);
            prop_assert_eq!(enough.smallest, Some(least));
        }
    }
}

#[test]
fn groups_keep_their_shares() {
    let mut own = data(0);
    own.target.inputs = (0..90)
        .map(|at| shiftproof_tasks::Input::new(at.to_string(), ["a", "b", "c"][at / 30]))
        .collect();
    let mut spec = SearchSpec {
        proposals: 0,
        rounds: 0,
        evaluations: 300,
        ..SearchSpec::default()
    };
    assert!(fit(&Ape, &mut spec, &mut own, 0, 1, 100));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for input in &own.target.inputs {
        *counts.entry(&input.group).or_default() += 1;
    }
    let counts: Vec<usize> = counts.into_values().collect();
    // A third of each, though they stand one after the other.
    assert_eq!((spec.evaluations, counts.len()), (100, 3));
    assert!(
        counts.iter().all(|count| (9..=10).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn impossible_numbers_have_no_least() {
    let data = data(20);
    let smallest = |evaluations, rule| {
        let spec = SearchSpec {
            evaluations,
            rule,
            ..SearchSpec::default()
        };
        fitted(&Ape, &spec, &data, &SimulatedTask, 0, None).smallest
    };
    assert_eq!(smallest(1, RuleName::Posterior), None);
    assert!(smallest(1500, RuleName::Posterior).is_some());
    // What more calls make possible, fewer did not.
    for rule in [RuleName::Uniform, RuleName::Halving, RuleName::Racing] {
        let possible: Vec<bool> = [1, 10, 100, 1000]
            .map(|evaluations| smallest(evaluations, rule).is_some())
            .into();
        assert!(possible.is_sorted(), "{rule:?}: {possible:?}");
    }
}

#[test]
fn short_audits_are_told() {
    let data = data(20);
    let spec = SearchSpec {
        ensemble: 3,
        ..SearchSpec::default()
    };
    let whole = fitted(&Ape, &spec, &data, &SimulatedTask, 0, None);
    let audit = |plan: &FittedPlan| {
        let phases = plan.phases.iter();
        let audits = phases.filter(|phase| phase.phase == Phase::Audit);
        audits
            .map(|phase| (phase.what.clone(), phase.task_calls))
            .collect::<Vec<_>>()
    };
    // 20 examples of each group, by the seed, the winner and two more voters.
    assert_eq!(audit(&whole), [("seed, selected and ensemble".into(), 160)]);
    let short = fitted(
        &Ape,
        &spec,
        &data,
        &SimulatedTask,
        0,
        Some(whole.whole - 70),
    );
    assert!(!short.scaled);
    let told = "seed and selected; the limit leaves the ensemble short";
    assert_eq!(audit(&short), [(told.into(), 90)]);
}

/// A method with a plan of its own.
struct Planned(MethodPlan);

#[async_trait::async_trait]
impl SearchMethod for Planned {
    fn name(&self) -> &'static str {
        "planned"
    }

    fn plan(&self, _: &SearchSpec, _: &DataCounts) -> MethodPlan {
        self.0.clone()
    }

    async fn search(
        &self,
        context: &mut crate::run::SearchContext<'_>,
    ) -> Result<Vec<crate::run::CandidateIndex>, crate::gateway::RunError> {
        Ok(context.candidates())
    }
}

#[test]
fn plans_multiply_times_and_calls() {
    let data = data(10);
    let method = Planned(MethodPlan {
        steps: vec![
            PlannedStep {
                times: 3,
                texts: 4,
                prompts: 5,
                extra: 6,
                ..PlannedStep::new(Phase::Refine, "three rounds")
            },
            PlannedStep::new(Phase::Vote, "nothing is asked"),
        ],
        final_share: 1.0,
    });
    let spec = SearchSpec {
        evaluations: 100,
        ensemble: 1,
        calibration: Calibration::Contextual,
        ..SearchSpec::default()
    };
    let told: Vec<_> = plan(&method, &spec, &data, 2)
        .into_iter()
        .map(|phase| (phase.phase, phase.proposer_calls, phase.task_calls))
        .collect();
    assert_eq!(
        told,
        [
            (Phase::Refine, 12, 18 * 2),
            // Each text once more, and one call to see how the proposer answers.
            (Phase::Propose, 13, 0),
            // Three neutral inputs for the seed and each of fifteen prompts.
            (Phase::Screen, 0, (100 + 3 * 16) * 2),
            (Phase::Audit, 0, 2 * 20 * 2),
        ]
    );
    assert_eq!(
        total(&plan(&method, &spec, &data, 2)),
        36 + 12 + 13 + 296 + 80
    );
}
