//! Rules on small races whose course is known.

use super::*;
use crate::racing::paired_p;

/// Candidates × examples in one source group.
fn one_group(candidates: usize, examples: u32) -> SelectionProblem {
    SelectionProblem {
        candidates,
        groups: vec![ExampleGroup {
            name: "source".into(),
            role: LabelRole::Source,
            weight: 1.0,
            examples: (0..examples).collect(),
        }],
        ..SelectionProblem::default()
    }
}

/// The blocks a rule asks for, and its end; `outcome` answers.
fn course(
    name: &str,
    problem: &SelectionProblem,
    budget: usize,
    outcome: impl Fn(EvaluationRequest) -> f64,
) -> (Vec<Vec<EvaluationRequest>>, Selection, Vec<Elimination>) {
    let mut rule = rule(name, 4).unwrap();
    let examples: usize = problem.groups.iter().map(|g| g.examples.len()).sum();
    let mut scores = OutcomeTable::new(problem.candidates, vec![0; examples], 1);
    let (mut blocks, mut dropped, mut left) = (Vec::new(), Vec::new(), budget);
    loop {
        match rule.next(problem, &scores, left, &mut dropped) {
            AllocationStep::Pick(pick) => return (blocks, pick, dropped),
            AllocationStep::Evaluate(asks) => {
                left -= asks.len();
                for ask in &asks {
                    assert!(scores.push(ask.candidate, ask.example, outcome(*ask)));
                }
                blocks.push(asks);
            }
        }
    }
}

/// How many different candidates and examples a block has.
fn shape(block: &[EvaluationRequest]) -> (usize, usize) {
    let unique = |of: fn(&EvaluationRequest) -> u32| {
        let mut all: Vec<u32> = block.iter().map(of).collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    };
    (unique(|a| a.candidate as u32), unique(|a| a.example))
}

#[test]
fn uniform_asks_all_the_same_once() {
    let problem = one_group(5, 100);
    let level = |ask: EvaluationRequest| if ask.candidate == 3 { 1.0 } else { 0.5 };
    let (blocks, pick, dropped) = course("uniform", &problem, 103, level);
    // 103 / 5 examples each; what is left over buys no whole example.
    assert_eq!(
        blocks.iter().map(|b| shape(b)).collect::<Vec<_>>(),
        [(5, 20)]
    );
    assert_eq!(blocks[0].len(), 100);
    assert_eq!((pick.candidate, dropped.len()), (3, 0));
    assert!(pick.reason.contains("1.000"), "{}", pick.reason);
}

/// Karnin, Koren and Somekh's schedule: ⌈log₂ 8⌉ rounds of an equal part of the
/// budget, the worse half leaves after each.
#[test]
fn halving_follows_its_schedule() {
    let problem = one_group(8, 400);
    let level = |ask: EvaluationRequest| ask.candidate as f64 / 10.0;
    let (blocks, pick, dropped) = course("halving", &problem, 240, level);
    let shapes: Vec<(usize, usize)> = blocks.iter().map(|b| shape(b)).collect();
    assert_eq!(shapes, [(8, 10), (4, 20), (2, 40)]);
    assert_eq!(pick.candidate, 7);
    assert_eq!(pick.ranking, [7, 6, 5, 4, 3, 2, 1, 0]);
    let gone: Vec<usize> = dropped.iter().map(|d| d.candidate).collect();
    assert_eq!(gone, [3, 2, 1, 0, 5, 4, 6]);
    assert_eq!(
        dropped[0].reason,
        "mean 0.300 is in the lower half; 0.400 was needed"
    );
}

/// Equal means: the incumbent first, for nothing speaks for a change.
#[test]
fn ties_keep_the_lower_number() {
    for name in ["uniform", "halving", "racing", "triple-cr", "posterior"] {
        let problem = SelectionProblem {
            keep: vec![0],
            ..one_group(4, 40)
        };
        let (_, pick, _) = course(name, &problem, 80, |_| 0.5);
        assert_eq!(pick.candidate, 0, "{name}");
    }
}

/// Welch's pairs: differences 1, 0, 1, 0 have mean ½ and deviation √⅓, t = √3 with
/// three degrees of freedom, p = 0.0908 (scipy 1.11: `stats.ttest_rel`).
#[test]
fn paired_test_by_hand() {
    let mut scores = OutcomeTable::new(2, vec![0; 6], 1);
    for (example, (a, b)) in (0..).zip([(0.0, 1.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0)]) {
        scores.push(0, example, a);
        scores.push(1, example, b);
    }
    // Seen by one alone: no pair.
    scores.push(0, 4, 1.0);
    scores.push(1, 5, 0.0);
    let p = paired_p(&scores, 0, 1);
    assert!((p - 0.090_845).abs() < 1e-5, "{p}");
    assert!((paired_p(&scores, 1, 0) - (1.0 - p)).abs() < 1e-12);

    let mut few = OutcomeTable::new(2, vec![0; 4], 1);
    few.push(0, 0, 0.0);
    few.push(1, 0, 1.0);
    few.push(0, 1, 0.0);
    few.push(1, 1, 1.0);
    assert_eq!(paired_p(&few, 0, 1), 1.0, "two pairs tell nothing");
    few.push(0, 2, 0.0);
    few.push(1, 2, 1.0);
    assert_eq!(paired_p(&few, 0, 1), 0.0, "always behind by the same");
    assert_eq!(paired_p(&few, 1, 0), 1.0);
}

#[test]
fn racing_drops_who_is_behind_on_the_same_examples() {
    let problem = one_group(3, 200);
    // 2 is right always, 1 on all but each tenth, 0 on every other.
    let right = |ask: EvaluationRequest| {
        let wrong = match ask.candidate {
            0 => ask.example.is_multiple_of(2),
            1 => ask.example.is_multiple_of(10),
            _ => false,
        };
        f64::from(u8::from(!wrong))
    };
    let (blocks, pick, dropped) = course("racing", &problem, 600, right);
    assert_eq!(shape(&blocks[0]), (3, 10));
    assert_eq!(pick.candidate, 2);
    assert_eq!(dropped[0].candidate, 0);
    assert!(
        dropped[0].reason.starts_with("behind the leader"),
        "{}",
        dropped[0].reason
    );
    // Once two have left, nothing more is bought.
    assert!(blocks.iter().map(Vec::len).sum::<usize>() < 300);
}

#[test]
fn continuous_rejects_spend_on_the_close_ones() {
    let problem = one_group(6, 400);
    let level = |ask: EvaluationRequest| {
        let noise = stats::rng::SplitMix::fork(ask.candidate as u64, ask.example.into()).unit();
        let chance = if ask.candidate < 2 { 0.85 } else { 0.2 };
        f64::from(u8::from(noise < chance))
    };
    let (blocks, pick, dropped) = course("triple-cr", &problem, 600, level);
    assert!(pick.candidate < 2);
    let count = |p: usize| blocks.iter().flatten().filter(|a| a.candidate == p).count();
    assert!(count(0) > 2 * count(5), "{} {}", count(0), count(5));
    assert!(dropped.len() >= 4 && dropped[..4].iter().all(|d| d.candidate >= 2));
}

/// A budget of fewer looks than candidates takes some at random, the kept ones
/// among them, and repeats with its seed.
#[test]
fn few_looks_go_to_some() {
    for name in ["uniform", "halving"] {
        let problem = SelectionProblem {
            keep: vec![17],
            ..one_group(30, 50)
        };
        let (blocks, pick, _) = course(name, &problem, 12, |_| 1.0);
        let asked: Vec<usize> = blocks.iter().flatten().map(|a| a.candidate).collect();
        assert!(asked.contains(&17), "{name}: {asked:?}");
        assert!(asked.len() <= 12);
        assert_eq!(pick.ranking.len(), 30);
        let again = course(name, &problem, 12, |_| 1.0);
        assert_eq!(again.0, blocks);
    }
}

/// Every prefix of a block is as balanced over groups as weights allow, and groups
/// of weight 0 are never bought.
#[test]
fn blocks_are_balanced_in_every_prefix() {
    let group = |name: &str, weight, examples: std::ops::Range<u32>| ExampleGroup {
        name: name.into(),
        role: LabelRole::Source,
        weight,
        examples: examples.collect(),
    };
    let problem = SelectionProblem {
        candidates: 1,
        groups: vec![
            group("a", 1.0, 0..40),
            group("b", 2.0, 40..120),
            group("off", 0.0, 120..160),
        ],
        ..SelectionProblem::default()
    };
    let mut stream = blocks::BlockStream::new(&problem, &mut stats::rng::SplitMix::new(8));
    let scores = OutcomeTable::new(1, vec![0; 160], 1);
    let asks = stream.ask(&[0], 120, &scores);
    assert_eq!(asks.len(), 120);
    let (mut a, mut b) = (0.0_f64, 0.0_f64);
    for ask in &asks {
        match ask.example {
            0..40 => a += 1.0,
            40..120 => b += 1.0,
            other => panic!("{other} has no weight"),
        }
        assert!((a - b / 2.0).abs() <= 1.0, "{a} {b}");
    }
    assert!(stream.ask(&[0], 10, &scores).is_empty(), "the end");
}

/// What is known is not asked, and a block of known outcomes is passed over.
#[test]
fn blocks_pass_over_what_is_known() {
    let problem = one_group(2, 6);
    let mut stream = blocks::BlockStream::new(&problem, &mut stats::rng::SplitMix::new(2));
    let first = stream
        .clone()
        .ask(&[0, 1], 2, &OutcomeTable::new(2, vec![0; 6], 1));
    let mut scores = OutcomeTable::new(2, vec![0; 6], 1);
    for ask in &first {
        scores.push(ask.candidate, ask.example, 1.0);
    }
    let second = stream.ask(&[0, 1], 2, &scores);
    assert_eq!(second.len(), 4);
    assert!(
        second
            .iter()
            .all(|ask| first.iter().all(|f| f.example != ask.example))
    );
}
