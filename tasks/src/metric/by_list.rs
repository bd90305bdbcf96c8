//! Answers about single items, put together again to the lists that the items were shown
//! in: an impression, or all that one user was asked about.

use std::collections::BTreeMap;

use super::GradedOutcome;
use super::classes::{rank_auc, signed};

/// The affirmative class of answers about an item, last in the order of the alphabet as in
/// [`Metric::Auc`](super::Metric::Auc): `yes` of `no` and `yes`.
fn affirmative<'a>(observations: &[GradedOutcome<'a>]) -> Option<&'a str> {
    let mut classes: Vec<&str> = observations
        .iter()
        .map(|observation| observation.label.class())
        .collect::<Option<_>>()?;
    classes.sort_unstable();
    classes.dedup();
    match classes.as_slice() {
        &[_, affirmative] => Some(affirmative),
        _ => None,
    }
}

/// By list, each item's score and whether it is right. What stands in no list counts with
/// its user's other items, and alone where there is no user.
fn lists(observations: &[GradedOutcome<'_>], by_user: bool) -> Option<Vec<Vec<(f64, bool)>>> {
    let affirmative = affirmative(observations)?;
    let scores = signed(observations, affirmative)?;
    let mut lists: BTreeMap<(u8, String), Vec<(f64, bool)>> = BTreeMap::new();
    for (place, (observation, score)) in observations.iter().zip(scores).enumerate() {
        let Some(score) = score else { continue };
        let list = observation.list.filter(|_| !by_user);
        let key = match (list, observation.cluster) {
            (Some(list), _) => (0, list.to_owned()),
            (None, Some(user)) => (1, user.to_owned()),
            (None, None) => (2, place.to_string()),
        };
        let right = observation.label.class() == Some(affirmative);
        lists.entry(key).or_default().push((score, right));
    }
    Some(lists.into_values().collect())
}

/// Whether a list has items of either kind: the others say nothing.
fn is_mixed(list: &[(f64, bool)]) -> bool {
    list.iter().any(|(_, right)| *right) && list.iter().any(|(_, right)| !*right)
}

/// Mean AUC of the users' items, each user weighing as many as there are items.
pub(super) fn grouped_auc(observations: &[GradedOutcome<'_>]) -> Option<f64> {
    let (mut sum, mut weight) = (0.0, 0.0);
    for mut list in lists(observations, true)? {
        let size = list.len() as f64;
        if let Some(auc) = rank_auc(&mut list) {
            sum += auc * size;
            weight += size;
        }
    }
    (weight > 0.0).then(|| sum / weight)
}

/// The mean over lists with items of either kind.
fn mean(
    observations: &[GradedOutcome<'_>],
    measure: impl Fn(&mut [(f64, bool)]) -> f64,
) -> Option<f64> {
    let mut lists = lists(observations, false)?;
    lists.retain(|list| is_mixed(list));
    let sum: f64 = lists.iter_mut().map(|list| measure(list)).sum();
    (!lists.is_empty()).then(|| sum / lists.len() as f64)
}

pub(super) fn auc(observations: &[GradedOutcome<'_>]) -> Option<f64> {
    mean(observations, |list| rank_auc(list).unwrap_or(0.5))
}

/// Best first. Of equals half would stand before and half behind the right ones: what is
/// wrong stands first, so that equal scores for all are worth nothing.
fn ranked(list: &mut [(f64, bool)]) {
    list.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
}

pub(super) fn mrr(observations: &[GradedOutcome<'_>]) -> Option<f64> {
    mean(observations, |list| {
        ranked(list);
        let places = list.iter().enumerate().filter(|(_, (_, right))| *right);
        let (sum, n) = places.fold((0.0, 0), |(sum, n), (place, _)| {
            (sum + 1.0 / (place + 1) as f64, n + 1)
        });
        sum / f64::from(n.max(1))
    })
}

pub(super) fn ndcg(observations: &[GradedOutcome<'_>], k: usize) -> Option<f64> {
    mean(observations, |list| {
        ranked(list);
        let gain = |place: usize| 1.0 / ((place + 2) as f64).log2();
        let right = list.iter().filter(|(_, right)| *right).count();
        let ideal: f64 = (0..right.min(k)).map(gain).sum();
        let places = list.iter().take(k).enumerate();
        let found: f64 = places
            .filter(|(_, (_, right))| *right)
            .map(|(place, _)| gain(place))
            .sum();
        if ideal > 0.0 { found / ideal } else { 0.0 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, GradedAnswer, Label, Metric, Outcome};

    /// Items as (list, user, margin of yes, whether right); without a margin evaded.
    fn measured(items: &[(Option<&str>, &str, Option<f64>, bool)], metric: Metric) -> Option<f64> {
        let outcomes: Vec<Outcome> = items
            .iter()
            .map(|(.., margin, _)| match margin {
                None => Outcome::Unparseable { text: "?".into() },
                Some(margin) => Outcome::Scored(GradedAnswer {
                    value: 0.0,
                    answer: Answer::Class {
                        label: if *margin >= 0.0 { "yes" } else { "no" }.into(),
                        margin: Some(*margin),
                    },
                }),
            })
            .collect();
        let labels: Vec<Label> = items
            .iter()
            .map(|(.., right)| Label::Class(if *right { "yes" } else { "no" }.into()))
            .collect();
        let observations: Vec<GradedOutcome<'_>> = items
            .iter()
            .zip(outcomes.iter().zip(&labels))
            .map(|((list, user, ..), (outcome, label))| GradedOutcome {
                list: *list,
                cluster: Some(user),
                ..GradedOutcome::new(outcome, label)
            })
            .collect();
        metric.reduce(&observations).value
    }

    /// Two impressions of one user and one of another, worked by hand: the right items
    /// stand first of three, second of two, and first and third of four.
    #[test]
    fn impressions_are_worked_by_hand() {
        let items = [
            (Some("a"), "u", Some(3.0), true),
            (Some("a"), "u", Some(1.0), false),
            (Some("a"), "u", Some(-1.0), false),
            (Some("b"), "u", Some(-5.0), true),
            (Some("b"), "u", Some(-4.0), false),
            (Some("c"), "v", Some(0.4), true),
            (Some("c"), "v", Some(0.3), false),
            (Some("c"), "v", Some(0.2), true),
            (Some("c"), "v", Some(0.1), false),
        ];
        let is = |metric: Metric, expected: f64| {
            let value = measured(&items, metric).unwrap();
            assert!((value - expected).abs() < 1e-12, "{metric}: {value}");
        };
        is(Metric::ListAuc, (1.0 + 0.0 + 0.75) / 3.0);
        is(
            Metric::ListMrr,
            (1.0 + 0.5 + f64::midpoint(1.0, 1.0 / 3.0)) / 3.0,
        );
        let third = (1.0 + 0.5) / (1.0 + 1.0 / 3_f64.log2());
        is(
            Metric::ListNdcg(5),
            (1.0 + 1.0 / 3_f64.log2() + third) / 3.0,
        );
        is(Metric::ListNdcg(1), (1.0 + 0.0 + 1.0) / 3.0);
        // The first user's five items: right at 3 and -5, wrong at 1, -1 and -4: 3 of 6.
        is(Metric::Gauc, (0.5 * 5.0 + 0.75 * 4.0) / 9.0);
    }

    #[test]
    fn lists_of_one_kind_evasions_and_ties_say_nothing() {
        let one_kind = [
            (Some("a"), "u", Some(1.0), true),
            (Some("b"), "v", Some(1.0), false),
        ];
        for metric in [Metric::ListAuc, Metric::ListMrr, Metric::Gauc] {
            assert_eq!(measured(&one_kind, metric), None);
        }
        // Evading stands on the wrong side of everything.
        let evaded = [(None, "u", None, true), (None, "u", Some(-9.0), false)];
        assert_eq!(measured(&evaded, Metric::ListAuc), Some(0.0));
        assert_eq!(measured(&evaded, Metric::ListMrr), Some(0.5));
        let flat = [
            (None, "u", Some(1.0), true),
            (None, "u", Some(1.0), false),
            (None, "u", Some(1.0), false),
        ];
        assert_eq!(measured(&flat, Metric::ListAuc), Some(0.5));
        assert_eq!(measured(&flat, Metric::ListMrr), Some(1.0 / 3.0));
    }
}
