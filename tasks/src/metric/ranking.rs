//! Metrics of one ranking. Places are counted from the front; an item that is
//! listed twice counts at its first place, and a relevant item that a label names twice
//! counts once.

use std::collections::{BTreeMap, BTreeSet};

use super::GradedOutcome;
use super::list_similarity;
use crate::{Answer, GradedAnswer, Outcome};

/// Normalised discounted cumulative gain over the first `k` places, in `0..=1`:
/// `Σ 1/log₂(place + 1)` over relevant items, over the same sum with all of them
/// in front. 0 where nothing is relevant.
pub fn ndcg(items: &[String], relevant: &[String], k: usize) -> f64 {
    let gain = |place: usize| 1.0 / ((place + 2) as f64).log2();
    let ideal: f64 = (0..different(relevant).min(k)).map(gain).sum();
    if ideal == 0.0 {
        return 0.0;
    }
    hits(items, relevant, k).map(gain).sum::<f64>() / ideal
}

/// The share of the relevant items that stand in the first `k` places, in
/// `0..=1`; 0 where nothing is relevant.
pub fn recall(items: &[String], relevant: &[String], k: usize) -> f64 {
    if relevant.is_empty() {
        return 0.0;
    }
    hits(items, relevant, k).count() as f64 / different(relevant) as f64
}

/// The share of the first `k` places that hold a relevant item, in `0..=1`; a place left
/// empty holds none. 0 for no place.
pub fn precision(items: &[String], relevant: &[String], k: usize) -> f64 {
    hits(items, relevant, k).count() as f64 / k.max(1) as f64
}

/// Average precision of the first `k` places, in `0..=1`: the precision at each relevant
/// item's place, summed, over the number of relevant items there can be in `k` places. 0
/// where nothing is relevant.
pub fn average_precision(items: &[String], relevant: &[String], k: usize) -> f64 {
    let most = different(relevant).min(k);
    if most == 0 {
        return 0.0;
    }
    let at = |(before, place): (usize, usize)| (before + 1) as f64 / (place + 1) as f64;
    hits(items, relevant, k).enumerate().map(at).sum::<f64>() / most as f64
}

/// The Gini index of how often each of `of` items stands in the first `places` places of all
/// rankings, in `0..=1`; `None` where `of` is 0 or nothing was ranked.
pub(super) fn gini(observations: &[GradedOutcome<'_>], places: u32, of: u32) -> Option<f64> {
    let mut shown: BTreeMap<&str, u64> = BTreeMap::new();
    for observation in observations {
        if let Outcome::Scored(GradedAnswer {
            answer: Answer::Ranking(items),
            ..
        }) = observation.outcome
        {
            for item in items.iter().take(places as usize) {
                *shown.entry(item).or_default() += 1;
            }
        }
    }
    if of == 0 || shown.is_empty() {
        return None;
    }
    let mut counts: Vec<u64> = shown.into_values().collect();
    counts.sort_unstable();
    // Items never shown come first in order and add nothing to either sum.
    let n = f64::from(of).max(counts.len() as f64);
    let unseen = n - counts.len() as f64;
    let total: f64 = counts.iter().map(|count| *count as f64).sum();
    let weighed: f64 = counts
        .iter()
        .zip(1..)
        .map(|(count, rank)| (2.0 * (unseen + f64::from(rank)) - n - 1.0) * *count as f64)
        .sum();
    Some((weighed / (n * total)).clamp(0.0, 1.0))
}

/// The share of `of` items that the first `places` places of all rankings show,
/// in `0..=1`; `None` where `of` is 0 or nothing was ranked.
pub(super) fn coverage(observations: &[GradedOutcome<'_>], places: u32, of: u32) -> Option<f64> {
    let lists: Vec<&[String]> = observations
        .iter()
        .filter_map(|observation| match observation.outcome {
            Outcome::Scored(GradedAnswer {
                answer: Answer::Ranking(items),
                ..
            }) => Some(items.as_slice()),
            // An answer without a list shows nothing; a failed call, or a reply that was
            // cut off, is no answer.
            Outcome::Scored(_) | Outcome::Unparseable { .. } => Some([].as_slice()),
            Outcome::Truncated { .. } | Outcome::Failed { .. } => None,
        })
        .collect();
    (of > 0 && !lists.is_empty())
        .then(|| list_similarity::coverage(&lists, places as usize, of as usize))
}

/// How many different items these are.
fn different(items: &[String]) -> usize {
    items.iter().collect::<BTreeSet<_>>().len()
}

/// The places, from 0, of relevant items among the first `k`.
fn hits<'a>(
    items: &'a [String],
    relevant: &'a [String],
    k: usize,
) -> impl Iterator<Item = usize> + 'a {
    items
        .iter()
        .take(k)
        .enumerate()
        .filter(move |(place, item)| relevant.contains(item) && !items[..*place].contains(item))
        .map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Label, Metric};

    fn list(items: &str) -> Vec<String> {
        items.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn worked_by_hand() {
        let ranked = list("a b c d");
        // One relevant item in second place: 1 / log2(3).
        assert!((ndcg(&ranked, &list("b"), 10) - 0.630_929_753_571_457_4).abs() < 1e-12);
        assert_eq!(ndcg(&ranked, &list("d"), 3), 0.0);
        // Two relevant items, first and fourth: (1 + 1/log2 5) / (1 + 1/log2 3).
        let expected = (1.0 + 1.0 / 5_f64.log2()) / (1.0 + 1.0 / 3_f64.log2());
        assert!((ndcg(&ranked, &list("a d"), 10) - expected).abs() < 1e-12);
        assert_eq!(recall(&ranked, &list("a d"), 3), 0.5);
        assert_eq!(recall(&list("a a a"), &list("a"), 3), 1.0);
        // A relevant item that the label names twice is one item.
        assert_eq!(ndcg(&ranked, &list("a b a"), 10), 1.0);
        assert_eq!(recall(&ranked, &list("b b"), 3), 1.0);
        assert_eq!(recall(&ranked, &list("a a z"), 3), 0.5);
        assert_eq!((ndcg(&ranked, &[], 3), recall(&ranked, &[], 3)), (0.0, 0.0));
    }

    #[test]
    fn coverage_counts_shown_items() {
        let outcome = |items: &str| {
            Outcome::Scored(GradedAnswer {
                value: 0.0,
                answer: Answer::Ranking(list(items)),
            })
        };
        let outcomes = [
            outcome("a b c"),
            outcome("b a d"),
            Outcome::Unparseable { text: "?".into() },
            Outcome::Failed { reason: "x".into() },
        ];
        let label = Label::Relevant(list("a"));
        let observe = |outcomes: &[Outcome], metric: Metric| {
            let observations: Vec<GradedOutcome<'_>> = outcomes
                .iter()
                .map(|outcome| GradedOutcome::new(outcome, &label))
                .collect();
            metric.reduce(&observations)
        };
        let of = |places, of| Metric::Coverage { places, of };
        let score = observe(&outcomes, of(2, 8));
        assert_eq!((score.value, score.n, score.failed), (Some(0.25), 3, 1));
        assert_eq!(observe(&outcomes, of(3, 8)).value, Some(0.5));
        assert_eq!(observe(&outcomes, of(3, 0)).value, None);
        assert_eq!(observe(&outcomes[3..], of(3, 8)).value, None);
        assert!(!of(3, 8).judges() && !of(3, 8).resamples());
    }

    /// Relevant items at places 1 and 3 of 4: precision 2/4, average precision
    /// (1/1 + 2/3) / 2 as in Manning et al., "Introduction to Information Retrieval", §8.4.
    #[test]
    fn precision_is_worked_by_hand() {
        let ranked = list("a b c d");
        let relevant = list("a c");
        assert_eq!(precision(&ranked, &relevant, 4), 0.5);
        assert_eq!(precision(&ranked, &relevant, 8), 0.25);
        assert!((average_precision(&ranked, &relevant, 4) - 5.0 / 6.0).abs() < 1e-12);
        // In one place there can be one, and it is there.
        assert_eq!(average_precision(&ranked, &relevant, 1), 1.0);
        // An item that was not found lowers it: (1/1 + 2/3) / 3.
        let more = average_precision(&ranked, &list("a c z"), 4);
        assert!((more - 5.0 / 9.0).abs() < 1e-12);
        assert_eq!(average_precision(&ranked, &[], 4), 0.0);
    }

    /// Of four items one is shown twice, one once: counts 0 0 1 2, so
    /// (−3·0 − 1·0 + 1·1 + 3·2) / (4 · 3) = 7/12.
    #[test]
    fn gini_is_worked_by_hand() {
        let outcome = |items: &str| {
            Outcome::Scored(GradedAnswer {
                value: 0.0,
                answer: Answer::Ranking(list(items)),
            })
        };
        let label = Label::Relevant(list("a"));
        let of = |lists: &[&str], places, of| {
            let outcomes: Vec<Outcome> = lists.iter().map(|items| outcome(items)).collect();
            let observations: Vec<GradedOutcome<'_>> = outcomes
                .iter()
                .map(|outcome| GradedOutcome::new(outcome, &label))
                .collect();
            Metric::Gini { places, of }.reduce(&observations).value
        };
        let uneven = of(&["a b", "a c"], 1, 4).unwrap();
        // Both lists show "a" first: counts 0 0 0 2.
        assert!((uneven - 0.75).abs() < 1e-12, "{uneven}");
        let some = of(&["a b", "a"], 2, 4).unwrap();
        assert!((some - 7.0 / 12.0).abs() < 1e-12, "{some}");
        assert!(of(&["a b", "c d"], 2, 4).unwrap().abs() < 1e-12);
        assert_eq!(of(&["a b"], 2, 0), None);
    }

    /// The references for 20 candidates in random order: N@1 .050, N@5 .147,
    /// N@10 .227, N@20 .352.
    #[test]
    fn random_reference_is_mean_rank() {
        let titles: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        for (k, reference) in [(1, 0.050), (5, 0.147), (10, 0.227), (20, 0.352)] {
            let sum: f64 = titles
                .iter()
                .map(|title| ndcg(&titles, std::slice::from_ref(title), k))
                .sum();
            assert!((sum / 20.0 - reference).abs() < 5e-4, "{k}: {}", sum / 20.0);
        }
    }

    #[test]
    fn grades_follow_metric() {
        let answer = Answer::Ranking(list("a b c d"));
        let label = Label::Relevant(list("b"));
        let grade = |metric: &str| {
            let metric: Metric = metric.parse().unwrap();
            metric.grade(&answer, &label).value().unwrap()
        };
        assert_eq!(grade("hr@1"), 0.0);
        assert_eq!(grade("hr@2"), 1.0);
        assert_eq!(grade("mrr"), 0.5);
        assert_eq!(grade("recall@2"), 1.0);
        assert_eq!(grade("accuracy"), 0.5);
        assert!(grade("ndcg@2") > grade("ndcg@1"));
    }
}
