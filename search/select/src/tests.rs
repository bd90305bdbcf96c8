use proptest::prelude::*;

use super::*;
use crate::problem::ranked;
use crate::stats::rng::SplitMix;

fn estimate(mean: f64, weight: f64) -> GroupEstimate {
    GroupEstimate {
        mean,
        variance: 0.001,
        raw: mean,
        count: 50.0,
        level: 0.5,
        weight,
        role: LabelRole::Source,
    }
}

fn problem(candidates: usize, groups: usize, each: u32) -> (SelectionProblem, Vec<u32>) {
    let group_of: Vec<u32> = (0..groups as u32)
        .flat_map(|g| std::iter::repeat_n(g, each as usize))
        .collect();
    let groups = (0..groups as u32)
        .map(|g| ExampleGroup {
            name: format!("g{g}"),
            role: if g == 0 {
                LabelRole::Source
            } else {
                LabelRole::PseudoTarget
            },
            weight: 1.0,
            examples: (g * each..(g + 1) * each).collect(),
        })
        .collect();
    (
        SelectionProblem {
            candidates,
            groups,
            kernel: None,
            keep: vec![0],
            lengths: Vec::new(),
            classes: None,
        },
        group_of,
    )
}

/// Races a rule; outcomes come from `outcome`, None is a failed call.
fn race(
    name: &str,
    problem: &SelectionProblem,
    group_of: &[u32],
    budget: usize,
    outcome: impl Fn(EvaluationRequest) -> Option<f64>,
) -> (Selection, Vec<EvaluationRequest>, Vec<Elimination>) {
    let mut rule = rule(name, 9).unwrap();
    let mut scores = OutcomeTable::new(problem.candidates, group_of.to_vec(), problem.groups.len());
    let (mut asked, mut dropped, mut left) = (Vec::new(), Vec::new(), budget);
    for _ in 0..10_000 {
        match rule.next(problem, &scores, left, &mut dropped) {
            AllocationStep::Pick(pick) => return (pick, asked, dropped),
            AllocationStep::Evaluate(asks) => {
                assert!(!asks.is_empty() && asks.len() <= left, "{name}");
                left -= asks.len();
                for ask in asks {
                    if let Some(y) = outcome(ask) {
                        scores.push(ask.candidate, ask.example, y);
                    }
                    asked.push(ask);
                }
            }
        }
    }
    panic!("{name} never ends")
}

#[test]
fn rules_keep_their_promises() {
    for name in rule_names() {
        for (candidates, groups, each, budget) in [
            (1, 1, 5, 20),
            (2, 1, 3, 100),
            (7, 1, 40, 60),
            (20, 4, 30, 15),
            (33, 3, 30, 1_000),
            (5, 2, 10, 0),
        ] {
            let (problem, group_of) = problem(candidates, groups, each);
            // Every seventh call fails; candidate 0 is the best.
            let outcome = |ask: EvaluationRequest| {
                let noise = SplitMix::fork(ask.candidate as u64, u64::from(ask.example)).unit();
                let failed = (ask.candidate + ask.example as usize) % 7 == 3;
                (!failed).then_some(f64::from(u8::from(
                    noise < if ask.candidate == 0 { 0.95 } else { 0.3 },
                )))
            };
            let (pick, asked, dropped) = race(name, &problem, &group_of, budget, outcome);
            let mut unique = asked.clone();
            unique.sort_unstable();
            unique.dedup();
            assert_eq!(unique.len(), asked.len(), "{name} asked twice");
            let mut ranking = pick.ranking.clone();
            ranking.sort_unstable();
            assert_eq!(
                ranking,
                (0..candidates).collect::<Vec<_>>(),
                "{name}: a ranking of all"
            );
            assert_eq!(pick.ranking[0], pick.candidate);
            assert!(
                dropped
                    .iter()
                    .all(|d| d.candidate != 0 && !d.reason.is_empty()),
                "{name}: kept"
            );
            if budget >= 20 * candidates && candidates > 1 {
                assert_eq!(pick.candidate, 0, "{name} at {budget} for {candidates}");
            }
            assert_eq!(
                race(name, &problem, &group_of, budget, outcome).1,
                asked,
                "{name} repeats"
            );
        }
    }
}

/// What must stay stays where it is the worst of all, by far.
#[test]
fn kept_candidates_stay_though_worst() {
    for name in rule_names() {
        for kept in [0, 4] {
            let (mut problem, group_of) = problem(12, 2, 60);
            problem.keep = vec![kept];
            let outcome = |ask: EvaluationRequest| {
                let noise = SplitMix::fork(ask.candidate as u64, u64::from(ask.example)).unit();
                let chance = match ask.candidate {
                    candidate if candidate == kept => 0.02,
                    7 => 0.95,
                    _ => 0.6,
                };
                Some(f64::from(u8::from(noise < chance)))
            };
            let (pick, _, dropped) = race(name, &problem, &group_of, 800, outcome);
            assert_eq!(pick.candidate, 7, "{name}");
            if name != "uniform" {
                assert!(
                    !dropped.is_empty(),
                    "{name} drops nobody: this tells nothing"
                );
            }
            assert!(
                dropped.iter().all(|gone| gone.candidate != kept),
                "{name} dropped {kept}"
            );
        }
    }
}

/// Where the budget does not reach all, it reaches what must stay.
#[test]
fn kept_candidates_are_asked_first() {
    for name in rule_names() {
        for kept in 0..20 {
            let (mut problem, group_of) = problem(20, 1, 30);
            problem.keep = vec![kept];
            let outcome = |ask: EvaluationRequest| Some(f64::from(u8::from(ask.candidate != kept)));
            let (_, asked, _) = race(name, &problem, &group_of, 16, outcome);
            let reached: std::collections::BTreeSet<usize> =
                asked.iter().map(|ask| ask.candidate).collect();
            assert!(reached.len() < 20, "{name} reaches all: this tells nothing");
            assert!(reached.contains(&kept), "{name}: {kept} of {reached:?}");
        }
    }
}

#[test]
fn known_outcomes_are_not_rebought() {
    let (problem, group_of) = problem(4, 2, 20);
    for name in rule_names() {
        let mut scores = OutcomeTable::new(4, group_of.clone(), 2);
        for e in 0..40 {
            (0..4).for_each(|p| assert!(scores.push(p, e, if p == 2 { 0.9 } else { 0.2 })));
        }
        let step = rule(name, 1)
            .unwrap()
            .next(&problem, &scores, 100, &mut Vec::new());
        match step {
            AllocationStep::Pick(pick) => assert_eq!(pick.candidate, 2, "{name}"),
            AllocationStep::Evaluate(asks) => panic!("{name} buys {asks:?}"),
        }
    }
}

/// Two source groups and a labelled target group of few examples; outcomes are
/// coins of the chance given per (candidate, on the target).
fn with_target(chance: impl Fn(usize, bool) -> f64) -> (SelectionProblem, OutcomeTable) {
    let (mut problem, group_of) = problem(12, 3, 40);
    problem.groups[2].role = LabelRole::LabelledTarget;
    problem.groups[1].role = LabelRole::Source;
    let mut rng = SplitMix::new(3);
    let mut scores = OutcomeTable::new(12, group_of.clone(), 3);
    for candidate in 0..12 {
        for example in 0..120_u32 {
            let target = group_of[example as usize] == 2;
            let right = rng.unit() < chance(candidate, target);
            scores.push(candidate, example, f64::from(u8::from(right)));
        }
    }
    (problem, scores)
}

/// Few target labels count little while source and target rank prompts alike,
/// and nearly alone once they contradict each other.
#[test]
fn target_labels_outweigh_misleading_source() {
    let rising = |p: usize| 0.2 + 0.05 * p as f64;
    let (problem, scores) = with_target(|p, _| rising(p));
    let alike = GroupEstimates::fit(&problem, &scores);
    let (problem, scores) = with_target(|p, target| rising(if target { 11 - p } else { p }));
    let opposed = GroupEstimates::fit(&problem, &scores);
    assert!(
        alike.shift < 0.1 * opposed.shift,
        "{} {}",
        alike.shift,
        opposed.shift
    );
    assert!(alike.source_share(5) > 0.5, "{}", alike.source_share(5));
    assert!(opposed.source_share(5) < 0.2, "{}", opposed.source_share(5));
    let best = |e: &GroupEstimates| ranked(&(0..12).collect::<Vec<_>>(), |p| e.main_effect(p).0)[0];
    assert!(best(&alike) >= 9, "{}", best(&alike));
    assert!(best(&opposed) <= 2, "{}", best(&opposed));
}

/// Without target labels nothing of this is in the way.
#[test]
fn source_decides_without_target_labels() {
    let (mut problem, scores) = with_target(|p, _| 0.2 + 0.05 * p as f64);
    problem.groups[2].role = LabelRole::PseudoTarget;
    let estimates = GroupEstimates::fit(&problem, &scores);
    assert!(estimates.shift.is_infinite());
    assert_eq!(estimates.source_share(3), 1.0);
}

/// The default rule asks for the labelled target's examples before any other.
#[test]
fn labelled_target_examples_come_first() {
    let (mut problem, group_of) = problem(4, 3, 10);
    problem.groups[2].role = LabelRole::LabelledTarget;
    let (_, asked, _) = race("posterior", &problem, &group_of, 60, |_| Some(1.0));
    let first = asked.iter().position(|a| group_of[a.example as usize] != 2);
    let last = asked
        .iter()
        .rposition(|a| group_of[a.example as usize] == 2);
    assert!(last < first || first.is_none(), "{asked:?}");
    assert!(last.is_some());
}

#[test]
fn soft_min_ends_at_mean() {
    let groups = [estimate(0.5, 1.0), estimate(0.7, 2.0), estimate(0.9, 1.0)];
    let at = |temperature| SoftMin { temperature }.score(&groups);
    assert!((at(1e-4) - WorstObjective.score(&groups)).abs() < 1e-3);
    assert!((at(1e4) - MeanObjective.score(&groups)).abs() < 1e-4);
    // Σ q exp(−m/τ) by hand at τ = 0.05.
    let by_hand = -0.05
        * (0.25 * (-10.0_f64).exp() + 0.5 * (-14.0_f64).exp() + 0.25 * (-18.0_f64).exp()).ln();
    assert!((at(0.05) - by_hand).abs() < 1e-12);
}

#[test]
fn tails_and_balls_by_hand() {
    let groups: Vec<_> = (1..=10)
        .map(|i| estimate(f64::from(i) / 10.0, 1.0))
        .collect();
    assert!(
        (CvarObjective { share: 0.25 }.score(&groups) - (0.1 + 0.2 + 0.15) / 2.5).abs() < 1e-12
    );
    assert!((CvarObjective { share: 1.0 }.score(&groups) - 0.55).abs() < 1e-12);
    // Inside the simplex the χ² ball has a closed form.
    let variance = (1..=10)
        .map(|i| (f64::from(i) / 10.0 - 0.55).powi(2))
        .sum::<f64>()
        / 10.0;
    let ball = ChiSquareBall { radius: 0.1 }.score(&groups);
    assert!((ball - (0.55 - (0.1 * variance).sqrt())).abs() < 1e-9);
    // Two groups, KL(q‖½) = ρ: at ρ = ln 2 all weight may go to the worst.
    let two = [estimate(0.2, 1.0), estimate(0.8, 1.0)];
    assert!(
        (KlBall {
            radius: 2.0_f64.ln()
        }
        .score(&two)
            - 0.2)
            .abs()
            < 1e-3
    );
    assert!((KlBall { radius: 0.0 }.score(&two) - 0.5).abs() < 1e-3);
}

proptest! {
    #[test]
    fn objectives_are_bounded_and_monotone(
        means in prop::collection::vec(0.0_f64..1.0, 1..8), lift in 0.0_f64..0.5,
    ) {
        let groups: Vec<_> = means.iter().map(|&m| estimate(m, 1.0)).collect();
        let lifted: Vec<_> = means.iter().map(|&m| estimate(m + lift, 1.0)).collect();
        for name in objective_names() {
            let objective = by_name(name).unwrap();
            let (score, better) = (objective.score(&groups), objective.score(&lifted));
            prop_assert!((better - score - lift).abs() < 1e-3, "{} moves with its groups", name);
            if name != "interaction" {
                prop_assert!(score >= WorstObjective.score(&groups) - 1e-9, "{}", name);
                prop_assert!(score <= MeanObjective.score(&groups) + 1e-9, "{}", name);
            }
        }
    }

    #[test]
    fn estimates_shrink(seed in 0_u64..200) {
        let (problem, group_of) = problem(6, 3, 10);
        let mut scores = OutcomeTable::new(6, group_of, 3);
        let mut rng = SplitMix::new(seed);
        for p in 0..6 {
            for e in 0..30 {
                if rng.unit() < 0.7 {
                    scores.push(p, e, f64::from(u8::from(rng.unit() < 0.2 + 0.1 * p as f64)));
                }
            }
        }
        let estimates = GroupEstimates::fit(&problem, &scores);
        prop_assert!(estimates.noise > 0.0 && estimates.interaction >= 0.0 && estimates.main >= 0.0);
        // Shrunk means spread less than raw ones.
        let spread = |f: &dyn Fn(&GroupEstimate) -> f64| {
            let all: Vec<f64> = (0..6).flat_map(|p| estimates.groups(p)).map(|g| f(&g)).filter(|x| !x.is_nan()).collect();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / all.len() as f64
        };
        prop_assert!(spread(&|g| g.mean) <= spread(&|g| g.raw) + 1e-9);
    }
}

#[test]
fn length_breaks_ties_at_price() {
    let length = |tokens, charge| PromptLength { tokens, charge };
    let mut problem = SelectionProblem {
        candidates: 4,
        groups: Vec::new(),
        kernel: None,
        keep: Vec::new(),
        lengths: vec![
            length(300, 0.0),
            length(200, 0.0),
            length(100, 0.0),
            length(50, 0.0),
        ],
        classes: None,
    };
    let scores = [0.9, 0.9, 0.9, 0.8];
    let all = [0, 1, 2, 3];
    let rank = |problem: &SelectionProblem| problem.ranked(&all, |p| scores[p]);
    assert_eq!(rank(&problem), [2, 1, 0, 3]);
    // Nothing speaks against the one that is there.
    problem.keep = vec![0];
    assert_eq!(rank(&problem), [0, 2, 1, 3]);
    // 0.3, 0.2, 0.1 and 0.05 off.
    for length in &mut problem.lengths {
        length.charge = length.tokens as f64 / 1000.0;
    }
    assert_eq!(rank(&problem), [2, 3, 1, 0]);
    problem.lengths.clear();
    assert_eq!(rank(&problem), [0, 1, 2, 3]);
    assert_eq!(problem.ranked(&all, |_| f64::NAN), [0, 1, 2, 3]);
}

#[test]
fn cleared_rows_are_as_new() {
    let mut table = OutcomeTable::new(2, vec![0, 1, 1], 2);
    for example in 0..3 {
        assert!(table.push(0, example, 1.0) && table.push(1, example, 0.5));
    }
    table.clear(0);
    assert_eq!((table.seen(0), table.get(0, 1)), (&[][..], None));
    assert!(table.mean(0, 0).is_nan() && table.count(0, 1) == 0.0);
    assert_eq!((table.len(), table.mean(1, 1)), (3, 0.5));
    assert!(table.push(0, 2, 0.25));
    assert_eq!((table.mean(0, 1), table.seen(0)), (0.25, &[2][..]));
    // Of a candidate that was never seen, and of none.
    OutcomeTable::new(1, vec![0], 1).clear(0);
    table.clear(9);
}
