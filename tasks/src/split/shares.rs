//! Shares of classes: stated ones, even ones, and how a number is cut by them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::diagnostic::{DataError, DataProblem, DataProblems};
use crate::{AnswerForm, suggest};

/// One entry of `groups.class_shares`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a share from 0 to 1, or a table of shares by class"
)]
pub enum ClassShare {
    /// The share of the class of this name, 0 to 1.
    Class(f64),
    /// The shares of the classes in the group of this name.
    Group(BTreeMap<String, f64>),
}

/// How far shares may miss their sum of 1.
const ROUNDING: f64 = 1e-6;

/// Checks stated shares.
pub(super) fn check(
    stated: &BTreeMap<String, ClassShare>,
    balance: Option<bool>,
    form: &AnswerForm,
    groups: &[&str],
) -> Result<(), DataError> {
    if stated.is_empty() {
        return Ok(());
    }
    let mut problems = DataProblems::default();
    let AnswerForm::Choice { labels } = form else {
        return Err(DataProblem::new(
            "groups.class_shares",
            "the task's answers are no classes, so there are no shares to state",
        )
        .help("remove the key")
        .into());
    };
    if balance == Some(true) {
        problems.push(
            DataProblem::new(
                "groups.class_shares",
                "contradicts groups.balance = true, which makes all classes alike",
            )
            .help("remove one of the two"),
        );
    }
    let everywhere: BTreeMap<String, f64> = stated
        .iter()
        .filter_map(|(name, share)| match share {
            ClassShare::Class(share) => Some((name.clone(), *share)),
            ClassShare::Group(_) => None,
        })
        .collect();
    if !everywhere.is_empty() {
        check_one("groups.class_shares", &everywhere, labels, &mut problems);
    }
    for (name, share) in stated {
        let ClassShare::Group(shares) = share else {
            continue;
        };
        if !groups.contains(&name.as_str()) {
            let mend = suggest::instead(name, "groups", groups.iter().copied());
            problems.push(
                DataProblem::new(
                    "groups.class_shares",
                    format!("{name:?} is no group of the study"),
                )
                .help(mend),
            );
        }
        let key = format!("groups.class_shares.{name}");
        check_one(&key, shares, labels, &mut problems);
    }
    problems.or(())
}

fn check_one(
    key: &str,
    shares: &BTreeMap<String, f64>,
    labels: &[String],
    problems: &mut DataProblems,
) {
    for (name, share) in shares {
        if !labels.contains(name) {
            let mend = suggest::instead(name, "labels", labels.iter().map(String::as_str));
            problems.push(DataProblem::new(key, format!("{name:?} is no label")).help(mend));
        }
        if !(0.0..=1.0).contains(share) {
            problems.push(
                DataProblem::new(key, format!("the share of {name:?} is {share}"))
                    .help("a share is a number from 0 to 1"),
            );
        }
    }
    let sum: f64 = shares.values().sum();
    if (sum - 1.0).abs() > ROUNDING {
        problems.push(
            DataProblem::new(key, format!("the shares sum to {sum}, not to 1"))
                .help("a label that is left out has the share 0"),
        );
    }
}

/// The stated shares of a group, by class; none where nothing is stated for it.
pub(super) fn of_group(
    stated: &BTreeMap<String, ClassShare>,
    group: &str,
    classes: &[&str],
) -> Option<Vec<f64>> {
    let own = match stated.get(group) {
        Some(ClassShare::Group(shares)) => Some(shares),
        _ => None,
    };
    let share = |class: &&str| match own {
        Some(shares) => shares.get(*class).copied().unwrap_or(0.0),
        None => match stated.get(*class) {
            Some(ClassShare::Class(share)) => *share,
            _ => 0.0,
        },
    };
    let any = stated
        .values()
        .any(|share| matches!(share, ClassShare::Class(_)));
    (own.is_some() || any).then(|| classes.iter().map(share).collect())
}

/// The stated shares of the target, by class: the mean over its groups, each of which
/// counts alike. Empty where one of them has none, for what holds for some groups need
/// not hold for the others.
pub(super) fn of_targets(
    stated: &BTreeMap<String, ClassShare>,
    targets: &[String],
    classes: &[&str],
) -> BTreeMap<String, f64> {
    let of_each: Option<Vec<Vec<f64>>> = targets
        .iter()
        .map(|group| of_group(stated, group, classes))
        .collect();
    let Some(of_each) = of_each.filter(|of_each| !of_each.is_empty()) else {
        return BTreeMap::new();
    };
    let mean = |at: usize| of_each.iter().map(|own| own[at]).sum::<f64>() / of_each.len() as f64;
    let named = classes.iter().enumerate();
    named
        .map(|(at, class)| ((*class).to_owned(), mean(at)))
        .collect()
}

/// `n` in equal parts, the first ones larger by one where it cannot be.
pub(super) fn even(n: usize, parts: usize) -> Vec<usize> {
    (0..parts)
        .map(|at| n / parts + usize::from(at < n % parts))
        .collect()
}

/// `n` by stated shares, by largest remainders, earlier ones first among equals.
pub(super) fn stated(n: usize, shares: &[f64]) -> Vec<usize> {
    let sum: f64 = shares.iter().sum();
    let exact: Vec<f64> = shares
        .iter()
        .map(|share| n as f64 * share / sum.max(f64::MIN_POSITIVE))
        .collect();
    let mut parts: Vec<usize> = exact.iter().map(|part| part.floor() as usize).collect();
    let mut by_remainder: Vec<usize> = (0..exact.len()).filter(|at| shares[*at] > 0.0).collect();
    by_remainder.sort_by(|a, b| exact[*b].fract().total_cmp(&exact[*a].fract()));
    let missing = n.saturating_sub(parts.iter().sum());
    for at in by_remainder.into_iter().take(missing) {
        parts[at] += 1;
    }
    parts
}

/// `n` split in proportion to `sizes` by largest remainders, earlier ones first
/// among equals. No share exceeds its size while `n` does not exceed their sum.
pub(super) fn proportional(n: usize, sizes: &[usize]) -> Vec<usize> {
    let total: usize = sizes.iter().sum();
    if total == 0 {
        // An empty group is a shortage of its first class.
        let mut shares = vec![0; sizes.len()];
        if let Some(first) = shares.first_mut() {
            *first = n;
        }
        return shares;
    }
    // Wide enough for any two counts.
    let scaled = |index: usize| n as u128 * sizes[index] as u128;
    let total = total as u128;
    let mut shares: Vec<_> = (0..sizes.len())
        .map(|index| (scaled(index) / total) as usize)
        .collect();
    let mut by_remainder: Vec<_> = (0..sizes.len()).collect();
    by_remainder.sort_by_key(|&index| std::cmp::Reverse(scaled(index) % total));
    let missing = n - shares.iter().sum::<usize>();
    for index in by_remainder.into_iter().take(missing) {
        shares[index] += 1;
    }
    shares
}
