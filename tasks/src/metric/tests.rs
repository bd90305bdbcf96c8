use proptest::prelude::*;

use super::*;
use crate::{GradedAnswer, grade};

/// `truth`, `said`, margin; said "?" is unparseable, "…" truncated, "!" a failed call.
type Case<'a> = (&'a str, &'a str, Option<f64>);

fn score(metric: Metric, cases: &[Case<'_>]) -> GroupScore {
    let labels: Vec<_> = cases
        .iter()
        .map(|case| Label::Class(case.0.into()))
        .collect();
    let outcomes: Vec<_> = cases
        .iter()
        .zip(&labels)
        .map(|(&(_, said, margin), label)| match said {
            "?" => Outcome::Unparseable { text: "?".into() },
            "…" => Outcome::Truncated {
                text: String::new(),
            },
            "!" => Outcome::Failed {
                reason: "down".into(),
            },
            said => grade::grade(
                &Answer::Class {
                    label: said.into(),
                    margin,
                },
                label,
            ),
        })
        .collect();
    let observations: Vec<_> = outcomes
        .iter()
        .zip(&labels)
        .map(|(outcome, label)| GradedOutcome::new(outcome, label))
        .collect();
    metric.reduce(&observations)
}

fn check(metric: Metric, cases: &[Case<'_>], expect: Option<f64>) {
    let value = score(metric, cases).value;
    let equal = match (value, expect) {
        (Some(value), Some(expect)) => (value - expect).abs() < 1e-12,
        (value, expect) => value == expect,
    };
    assert!(
        equal,
        "{metric}: {value:?} instead of {expect:?} for {cases:?}"
    );
}

#[test]
fn failures_never_count_as_scores() {
    let cases = [
        ("a", "a", None),
        ("a", "?", None),
        ("b", "!", None),
        ("b", "…", None),
        ("a", "…", None),
        ("b", "a", None),
    ];
    assert_eq!(
        score(Metric::Accuracy, &cases),
        GroupScore {
            value: Some(1.0 / 3.0),
            n: 3,
            unparseable: 1,
            truncated: 2,
            failed: 1
        }
    );
    let outage = [("a", "!", None), ("b", "!", None), ("b", "…", None)];
    for metric in [Metric::Accuracy, Metric::MacroF1, Metric::Auc] {
        assert_eq!(
            score(metric, &outage),
            GroupScore {
                value: None,
                n: 0,
                unparseable: 0,
                truncated: 1,
                failed: 2
            }
        );
        assert_eq!(score(metric, &[]).value, None);
    }
}

#[test]
fn macro_f1_by_hand() {
    // a: TP 2, FN 1 (to b), FP 0 -> 4/5; b: TP 1, FP 1, FN 0 -> 2/3.
    let cases = [
        ("a", "a", None),
        ("a", "a", None),
        ("a", "b", None),
        ("b", "b", None),
    ];
    check(Metric::MacroF1, &cases, Some(0.5 * (4.0 / 5.0 + 2.0 / 3.0)));
    // Unparseable is a miss of its true class and no class of its own: a is 2/3.
    check(
        Metric::MacroF1,
        &[("a", "a", None), ("a", "?", None)],
        Some(2.0 / 3.0),
    );
    // c occurs only as an answer and counts, with F1 0; a is 2/3, b is 0.
    let cases = [("a", "a", None), ("a", "c", None), ("b", "c", None)];
    check(Metric::MacroF1, &cases, Some(2.0 / 9.0));
    check(Metric::MacroF1, &[("a", "a", None)], Some(1.0));
}

#[test]
fn auc_by_hand() {
    // The margin is that of the class answered: signs agree with answers.
    let graded = [
        ("yes", "yes", Some(2.0)),
        ("yes", "no", Some(-0.5)),
        ("no", "yes", Some(1.0)),
        ("no", "no", Some(-3.0)),
    ];
    // Pairs: 2>1, 2>-3, -0.5<1, -0.5>-3.
    check(Metric::Auc, &graded, Some(0.75));
    // The same with the labels' order swapped: the margins change sign.
    let swapped = graded.map(|(truth, said, margin)| (truth, said, margin.map(|m| -m)));
    check(Metric::Auc, &swapped, Some(0.75));
    // Hard answers: hit rate .5, false alarm rate .5, ties half.
    let hard = graded.map(|(truth, said, _)| (truth, said, None));
    check(Metric::Auc, &hard, Some(0.5));
    // One answer without a margin makes all of them hard.
    let mut mixed = graded;
    mixed[0].2 = None;
    check(Metric::Auc, &mixed, Some(0.5));
    // Evading the hard positive does not help: it loses against both.
    let mut evaded = graded;
    evaded[1].1 = "?";
    check(Metric::Auc, &evaded, Some(0.5));
    let tied = [("yes", "yes", Some(0.0)), ("no", "no", Some(0.0))];
    check(Metric::Auc, &tied, Some(0.5));
    check(Metric::Auc, &[("yes", "yes", Some(1.0))], None);
    let three = [("a", "a", None), ("b", "b", None), ("c", "c", None)];
    check(Metric::Auc, &three, None);
}

#[test]
fn other_answers_have_only_means() {
    let label = Label::Number(3.0);
    let outcome = Outcome::Scored(GradedAnswer {
        value: 0.5,
        answer: Answer::Number(4.0),
    });
    let observations = [GradedOutcome::new(&outcome, &label)];
    assert_eq!(Metric::Accuracy.reduce(&observations).value, Some(0.5));
    assert_eq!(Metric::MacroF1.reduce(&observations).value, None);
    assert_eq!(Metric::Auc.reduce(&observations).value, None);
}

#[test]
fn names_match_study_file() {
    for metric in [Metric::Accuracy, Metric::MacroF1, Metric::Auc] {
        assert_eq!(serde_json::to_value(metric).unwrap(), metric.to_string());
    }
}

/// Every pair compared.
fn brute_force(scores: &[(f64, bool)]) -> Option<f64> {
    let (mut wins, mut pairs) = (0.0, 0.0);
    for (high, _) in scores.iter().filter(|(_, positive)| *positive) {
        for (low, _) in scores.iter().filter(|(_, positive)| !*positive) {
            pairs += 1.0;
            wins += if high > low {
                1.0
            } else if high == low {
                0.5
            } else {
                0.0
            };
        }
    }
    (pairs > 0.0).then(|| wins / pairs)
}

proptest! {
    // Few distinct margins, so that ties are common.
    #[test]
    fn auc_equals_every_pair_compared(cases in prop::collection::vec((any::<bool>(), -3..=3_i32), 0..40)) {
        let named: Vec<_> = cases
            .iter()
            .map(|&(yes, margin)| {
                let said = if margin >= 0 { "yes" } else { "no" };
                (if yes { "yes" } else { "no" }, said, Some(f64::from(margin)))
            })
            .collect();
        let scores: Vec<_> = cases.iter().map(|&(yes, margin)| (f64::from(margin), yes)).collect();
        match (score(Metric::Auc, &named).value, brute_force(&scores)) {
            (Some(value), Some(expect)) => prop_assert!((value - expect).abs() < 1e-9),
            (value, expect) => prop_assert_eq!(value, expect),
        }
    }

    #[test]
    fn macro_f1_equals_its_parts(cases in prop::collection::vec((0..3_usize, 0..4_usize), 1..40)) {
        const CLASSES: [&str; 3] = ["a", "b", "c"];
        let named: Vec<_> = cases
            .iter()
            .map(|&(truth, said)| (CLASSES[truth], CLASSES.get(said).copied().unwrap_or("?"), None))
            .collect();
        let mut f1s = Vec::new();
        for class in CLASSES {
            let count = |keep: &dyn Fn(&Case<'_>) -> bool| named.iter().filter(|case| keep(case)).count() as f64;
            let (truths, answers) = (count(&|case| case.0 == class), count(&|case| case.1 == class));
            let hits = count(&|case| case.0 == class && case.1 == class);
            if truths + answers > 0.0 {
                let (recall, precision) = (hits / truths.max(1.0), hits / answers.max(1.0));
                f1s.push(if hits > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 });
            }
        }
        let expect = f1s.iter().sum::<f64>() / f1s.len() as f64;
        let value = score(Metric::MacroF1, &named).value.unwrap();
        prop_assert!((value - expect).abs() < 1e-9, "{} {}", value, expect);
        prop_assert!((0.0..=1.0).contains(&value));
    }
}
