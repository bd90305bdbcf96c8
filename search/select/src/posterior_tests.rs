use proptest::prelude::*;

use super::*;
use crate::problem::{EvaluationRequest, ExampleGroup, LabelRole};

/// One source group of `examples` examples, candidate 0 the incumbent.
fn problem(candidates: usize, examples: u32) -> SelectionProblem {
    SelectionProblem {
        candidates,
        groups: vec![ExampleGroup {
            name: "source".into(),
            role: LabelRole::Source,
            weight: 1.0,
            examples: (0..examples).collect(),
        }],
        keep: vec![0],
        ..SelectionProblem::default()
    }
}

/// What a race of the rule came to.
struct RaceRecord {
    pick: Selection,
    asked: Vec<EvaluationRequest>,
    dropped: Vec<Elimination>,
    rounds: usize,
}

impl RaceRecord {
    fn count(&self, candidate: usize) -> usize {
        let own = |ask: &&EvaluationRequest| ask.candidate == candidate;
        self.asked.iter().filter(own).count()
    }
}

/// Candidates succeed with these chances; examples are of unequal difficulty.
fn race(problem: &SelectionProblem, budget: usize, seed: u64, chances: &[f64]) -> RaceRecord {
    let all: usize = problem.groups.iter().map(|g| g.examples.len()).sum();
    let mut group_of = vec![0; all];
    for (g, group) in problem.groups.iter().enumerate() {
        for &e in &group.examples {
            group_of[e as usize] = g as u32;
        }
    }
    let mut scores = OutcomeTable::new(problem.candidates, group_of, problem.groups.len());
    let mut rule = PosteriorRule::new(seed);
    let (mut left, mut asked, mut dropped, mut rounds) = (budget, Vec::new(), Vec::new(), 0);
    loop {
        match rule.next(problem, &scores, left, &mut dropped) {
            AllocationStep::Pick(pick) => {
                return RaceRecord {
                    pick,
                    asked,
                    dropped,
                    rounds,
                };
            }
            AllocationStep::Evaluate(asks) => {
                assert!(asks.len() <= left);
                left -= asks.len();
                rounds += 1;
                for ask in asks {
                    let hard = SplitMix::fork(7, u64::from(ask.example)).unit() - 0.5;
                    let luck = SplitMix::fork(seed ^ ask.candidate as u64, ask.example.into());
                    let right = luck.clone().unit() < chances[ask.candidate] - 0.2 * hard;
                    scores.push(ask.candidate, ask.example, f64::from(u8::from(right)));
                    asked.push(ask);
                }
            }
        }
    }
}

/// An incumbent far behind costs no more than any other candidate far behind; what
/// is left goes to those who can still win.
#[test]
fn incumbent_takes_no_share_of_its_own() {
    let chances = [0.45, 0.9, 0.85, 0.5, 0.5, 0.5, 0.5];
    let (mut incumbent, mut contenders, mut right) = (0, 0, 0);
    for seed in 0..40 {
        let record = race(&problem(7, 100), 300, seed, &chances);
        incumbent += record.count(0);
        contenders += record.count(1) + record.count(2);
        right += usize::from(matches!(record.pick.candidate, 1 | 2));
        assert!(
            record.dropped.iter().all(|d| d.candidate != 0),
            "never dropped"
        );
    }
    // Its share of the first round is 14; one through every round was 60.
    assert!(incumbent <= 40 * 26, "{incumbent}");
    assert!(contenders >= 40 * 150, "{contenders}");
    assert!(right >= 39, "{right}");
}

/// Where the incumbent is the best it is asked like one that can win, and wins.
#[test]
fn incumbent_that_leads_is_asked_on() {
    let chances = [0.9, 0.6, 0.6, 0.6, 0.6];
    for seed in 0..20 {
        let record = race(&problem(5, 100), 250, seed, &chances);
        assert_eq!(record.pick.candidate, 0, "{seed}");
        assert!(record.count(0) >= 60, "{}", record.count(0));
    }
}

/// Nobody leaves on a handful of outcomes that do not tell it apart: every one that
/// is dropped was told to have a small chance, and one right on everything it was
/// asked is never dropped.
#[test]
fn no_cut_on_noise() {
    for seed in 0..60 {
        let record = race(
            &problem(7, 60),
            60,
            seed,
            &[0.7, 0.75, 0.8, 0.85, 0.8, 0.75, 0.7],
        );
        for drop in &record.dropped {
            let chance = drop.reason.split(", ").nth(1).unwrap();
            let percent: f64 = chance.split('%').next().unwrap().parse().unwrap();
            assert!(percent <= 5.0, "{}", drop.reason);
        }
    }
    // Candidate 3 is right on all; with 35 evaluations each had five.
    let record = race(&problem(7, 60), 35, 1, &[0.7, 0.7, 0.9, 2.0, 0.9, 0.7, 0.7]);
    assert!(record.dropped.iter().all(|d| d.candidate != 3));
}

/// One that rested comes back, and to the examples that the others were asked.
#[test]
fn paced_stream_goes_on_where_a_candidate_was() {
    let problem = problem(3, 10);
    let mut stream = PacedStream::target_first(&problem, &mut SplitMix::new(3));
    let mut scores = OutcomeTable::new(3, vec![0; 10], 1);
    let order = |asks: &[EvaluationRequest], p: usize| -> Vec<u32> {
        let own = asks.iter().filter(|a| a.candidate == p);
        own.map(|a| a.example).collect()
    };
    let first = stream.ask(&[0, 1, 2], 2, &scores);
    assert_eq!(first.len(), 6);
    let second = stream.ask(&[0, 1], 3, &scores);
    let third = stream.ask(&[2], 3, &scores);
    assert_eq!(order(&second, 0), order(&third, 2), "the same examples");
    // What is known already is passed over, whoever paid for it.
    let rest = stream.clone().ask(&[2], 10, &scores);
    scores.push(2, rest[0].example, 1.0);
    let fewer = stream.ask(&[2], 10, &scores);
    assert_eq!(fewer, rest[1..]);
    assert!(stream.ask(&[2], 1, &scores).is_empty());
}

/// The words on the pick name the candidate that is second by estimate, among all
/// that were asked, and an interval that holds the gap.
#[test]
fn lead_is_told_with_its_interval() {
    let standing = |score, spread| PosteriorScore { score, spread };
    let told = lead(standing(0.8, 0.03), standing(0.75, 0.04));
    // 5 ± 1.96 · 5; Φ(1) = 84%.
    assert_eq!(
        told,
        "5.0 points ahead of the runner-up (95% interval -4.8 to +14.8), 84% chance to be the \
         better one"
    );
    let far = lead(standing(1.4, 0.9), standing(0.1, 0.9));
    assert!(
        far.starts_with("100.0 points ahead") && far.contains("to +100.0"),
        "{far}"
    );

    let alone = race(&problem(1, 5), 10, 0, &[0.5]).pick;
    assert_eq!(alone.reason, "no other candidate has an answer");
    // The seed is by far the last of the two finalists' rivals: not told of it.
    let record = race(&problem(4, 200), 600, 3, &[0.2, 0.9, 0.88, 0.86]);
    let gap: f64 = record
        .pick
        .reason
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(gap < 25.0, "{}", record.pick.reason);
}

#[test]
fn tail_objectives_charge_for_unevenness() {
    let price = |name: &str| {
        let objective = crate::objective::by_name(name).unwrap();
        PosteriorRule::with_objective(0, objective.into())
            .constants
            .unevenness
    };
    assert_eq!(PosteriorRule::new(0).constants.unevenness, 0.0);
    for name in ["worst", "soft-min", "cvar"] {
        assert_eq!(price(name), PosteriorConstants::TAIL_UNEVENNESS);
    }
    for name in ["mean", "kl-ball", "chi2-ball", "interaction"] {
        assert_eq!(price(name), 0.0);
    }
}

#[test]
fn texts_are_read_where_there_are_many() {
    let rule = PosteriorRule::new(0);
    assert!(!rule.reads_texts(TEXTS - 1) && rule.reads_texts(TEXTS));
    for name in ["uniform", "halving", "triple-cr", "racing"] {
        assert!(!crate::rule(name, 0).unwrap().reads_texts(1000), "{name}");
    }
}

/// Rounds follow the number of entrants, and a budget below an entrant's least buys
/// looks at some instead of nothing of all.
#[test]
fn rounds_and_entrants_follow_the_budget() {
    let chances = vec![0.5; 16];
    assert_eq!(race(&problem(16, 500), 1600, 0, &chances).rounds, 4);
    assert_eq!(race(&problem(2, 500), 100, 0, &chances).rounds, 1);
    let record = race(&problem(16, 500), 20, 0, &chances);
    let asked: std::collections::BTreeSet<usize> =
        record.asked.iter().map(|a| a.candidate).collect();
    assert!(
        (5..=16).contains(&asked.len()) && asked.contains(&0),
        "{asked:?}"
    );
    let none = race(&problem(3, 10), 0, 0, &chances);
    assert!(none.asked.is_empty());
    assert_eq!(
        none.pick.candidate, 0,
        "the incumbent where nothing is known"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Whatever the race: within its budget, nothing twice, a ranking of all, the
    /// pick at its head and never one that was dropped.
    #[test]
    fn races_are_sound(
        candidates in 1_usize..12, examples in 1_u32..40, budget in 0_usize..400, seed in 0_u64..1000,
    ) {
        let chances: Vec<f64> = (0..candidates)
            .map(|p| SplitMix::fork(seed, p as u64).unit())
            .collect();
        let record = race(&problem(candidates, examples), budget, seed, &chances);
        prop_assert!(record.asked.len() <= budget);
        let mut unique = record.asked.clone();
        unique.sort_unstable();
        unique.dedup();
        prop_assert_eq!(unique.len(), record.asked.len());
        let mut all = record.pick.ranking.clone();
        prop_assert_eq!(all[0], record.pick.candidate);
        all.sort_unstable();
        prop_assert_eq!(all, (0..candidates).collect::<Vec<_>>());
        let gone: Vec<usize> = record.dropped.iter().map(|d| d.candidate).collect();
        prop_assert!(!gone.contains(&record.pick.candidate));
        let again = race(&problem(candidates, examples), budget, seed, &chances);
        prop_assert_eq!(again.asked, record.asked);
    }
}
