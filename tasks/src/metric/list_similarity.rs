//! Whether lists change when a sensitive attribute is named (Zhang et al. 2023,
//! "Is `ChatGPT` Fair for Recommendation?", `FaiRLLM`, §3), and how varied lists
//! are.

use std::collections::BTreeSet;

/// Items that both lists hold, as a share of those that either holds, in
/// `0..=1`; 1 for two empty lists.
pub fn jaccard(a: &[String], b: &[String]) -> f64 {
    let (a, b): (BTreeSet<_>, BTreeSet<_>) = (a.iter().collect(), b.iter().collect());
    let either = a.union(&b).count();
    if either == 0 {
        return 1.0;
    }
    a.intersection(&b).count() as f64 / either as f64
}

/// SERP*: items of `neutral` that `sensitive` keeps, early places weighing more,
/// as the paper's code computes it (`calc_serp_ms`): `Σ (k − i + 1) / (2 n (n + 1))` over the
/// kept items of `sensitive` at places `i` from 0, `k` being the length of `sensitive` and
/// `n` that of `neutral`; 0 where either is empty. So a list that breaks off loses, and one
/// that outruns the neutral list gains.
///
/// For lists of one length it does not reach 1: a list against itself is
/// `(k + 3) / (4 (k + 1))`, .2738 at `k` = 20. Compare groups by it, never read it as a share.
pub fn serp(sensitive: &[String], neutral: &[String]) -> f64 {
    let (k, n) = (sensitive.len(), neutral.len());
    if n == 0 {
        return 0.0;
    }
    let kept: usize = sensitive
        .iter()
        .enumerate()
        .map(|(place, item)| {
            let times = neutral.iter().filter(|other| *other == item).count();
            times * (k - place + 1)
        })
        .sum();
    kept as f64 / (2 * n * (n + 1)) as f64
}

/// PRAG*: pairs of `sensitive` that stand in the same order in `neutral`, as a
/// share of all its pairs, in `0..=1`, as the paper's code computes it (`calc_prag`). A
/// pair agrees if its earlier item is in `neutral` and the later one is not before it there.
/// A single item has no pair: 1 if `neutral` is the same list, else 0. 0 where either is empty.
pub fn prag(sensitive: &[String], neutral: &[String]) -> f64 {
    let k = sensitive.len();
    let place = |item: &String| neutral.iter().rposition(|other| other == item);
    if k == 0 || neutral.is_empty() {
        return 0.0;
    }
    if k == 1 {
        return f64::from(sensitive == neutral);
    }
    let mut agree = 0;
    for (index, first) in sensitive.iter().enumerate() {
        let Some(before) = place(first) else { continue };
        let later = sensitive[index + 1..].iter();
        agree += later
            .filter(|second| place(second).is_none_or(|after| before < after))
            .count();
    }
    agree as f64 / (k * (k - 1) / 2) as f64
}

/// How unlike the groups are treated, from each group's mean similarity to the
/// neutral lists.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FairnessGap {
    /// SNSR, the sensitive-to-neutral similarity range: greatest less least.
    pub range: f64,
    /// SNSV, its (population) standard deviation.
    pub deviation: f64,
}

/// SNSR and SNSV of the groups' mean similarities; `None` without a group.
pub fn fairness_gap(similarities: &[f64]) -> Option<FairnessGap> {
    if similarities.is_empty() {
        return None;
    }
    let n = similarities.len() as f64;
    let mean = similarities.iter().sum::<f64>() / n;
    let least = similarities.iter().copied().fold(f64::INFINITY, f64::min);
    let most = similarities
        .iter()
        .copied()
        .fold(f64::NEG_INFINITY, f64::max);
    let squares: f64 = similarities.iter().map(|s| (s - mean).powi(2)).sum();
    Some(FairnessGap {
        range: most - least,
        deviation: (squares / n).sqrt(),
    })
}

/// Coverage@K: the share of a catalogue of `items` that the first `k` places of
/// all lists show, in `0..=1`.
pub fn coverage(lists: &[&[String]], k: usize, items: usize) -> f64 {
    let shown: BTreeSet<&String> = lists.iter().flat_map(|list| list.iter().take(k)).collect();
    (shown.len() as f64 / items.max(1) as f64).min(1.0)
}

/// Diversity@K of one list: one less the mean Jaccard similarity of the features
/// of every two items in the first `k` places, in `0..=1` (Li et al. 2023,
/// `GPT4Rec`, §3.1); `None` below two items.
pub fn diversity<'a>(
    list: &'a [String],
    k: usize,
    features: impl Fn(&'a str) -> BTreeSet<String>,
) -> Option<f64> {
    let sets: Vec<BTreeSet<String>> = list.iter().take(k).map(|item| features(item)).collect();
    let (mut sum, mut pairs) = (0.0, 0_usize);
    for (index, a) in sets.iter().enumerate() {
        for b in &sets[index + 1..] {
            let either = a.union(b).count();
            let both = a.intersection(b).count();
            sum += if either == 0 {
                1.0
            } else {
                both as f64 / either as f64
            };
            pairs += 1;
        }
    }
    (pairs > 0).then(|| 1.0 - sum / pairs as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(range: std::ops::Range<u32>) -> Vec<String> {
        range.map(|n| format!("Film {n}")).collect()
    }

    #[test]
    fn list_similarity_has_both_ends() {
        for k in [1_u32, 5, 20] {
            let same = list(0..k);
            let n = f64::from(k);
            assert_eq!(jaccard(&same, &same), 1.0);
            assert_eq!(prag(&same, &same), 1.0);
            assert!((serp(&same, &same) - (n + 3.0) / (4.0 * (n + 1.0))).abs() < 1e-12);
            let other = list(100..100 + k);
            assert_eq!(jaccard(&same, &other), 0.0);
            assert_eq!(prag(&same, &other), 0.0);
            assert_eq!(serp(&same, &other), 0.0);
        }
        let twenty = list(0..20);
        assert!((serp(&twenty, &twenty) - 0.2738).abs() < 5e-5);
        let mut reversed = twenty.clone();
        reversed.reverse();
        assert_eq!(prag(&reversed, &twenty), 0.0);
        assert_eq!(jaccard(&reversed, &twenty), 1.0);
    }

    /// Lists of different lengths, worked by hand after `calc_serp_ms` and `calc_prag` of
    /// the paper's repository, and recomputed by its formulas in Python.
    #[test]
    fn unequal_lists_are_measured_as_in_reference() {
        let of = |films: &[u32]| {
            films
                .iter()
                .map(|n| format!("Film {n}"))
                .collect::<Vec<_>>()
        };
        let neutral = of(&[1, 2, 3, 4]);
        for (sensitive, serp_is, prag_is) in [
            // (2 + 1) + (2 + 0) = 5 of 2 · 4 · 5; one pair, in order.
            (of(&[1, 2]), 5.0 / 40.0, 1.0),
            // 3 + 2 as well; the pair is turned.
            (of(&[2, 1]), 5.0 / 40.0, 0.0),
            // Places 0, 1 and 5 of 6 are kept: 7 + 6 + 2. Of 15 pairs those of film 1 all
            // agree (5), those of film 2 with all but film 1 too (4).
            (of(&[1, 2, 7, 8, 9, 3]), 15.0 / 40.0, 9.0 / 15.0),
            (of(&[1]), 2.0 / 40.0, 0.0),
            (of(&[9]), 0.0, 0.0),
            (of(&[]), 0.0, 0.0),
        ] {
            assert!(
                (serp(&sensitive, &neutral) - serp_is).abs() < 1e-12,
                "{sensitive:?}"
            );
            assert!(
                (prag(&sensitive, &neutral) - prag_is).abs() < 1e-12,
                "{sensitive:?}"
            );
        }
        assert_eq!((serp(&neutral, &[]), prag(&neutral, &[])), (0.0, 0.0));
        assert_eq!(prag(&of(&[1]), &of(&[1])), 1.0);
    }

    /// A model blind to the attribute gives every group the neutral list.
    #[test]
    fn blind_model_is_fair() {
        let neutral = list(0..10);
        let blind: Vec<f64> = (0..4).map(|_| jaccard(&neutral, &neutral)).collect();
        let none = FairnessGap {
            range: 0.0,
            deviation: 0.0,
        };
        assert_eq!(fairness_gap(&blind), Some(none));
        let partial = [1.0, jaccard(&list(5..15), &neutral)];
        let found = fairness_gap(&partial).unwrap();
        assert!((found.range - 2.0 / 3.0).abs() < 1e-12);
        assert!((found.deviation - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(fairness_gap(&[]), None);
    }

    #[test]
    fn coverage_and_diversity() {
        let (a, b) = (list(0..4), list(2..6));
        assert_eq!(coverage(&[&a, &b], 10, 12), 0.5);
        assert_eq!(coverage(&[&a, &b], 2, 8), 0.5);
        let genre = |title: &str| {
            let kind = if title == "Film 0" { "crime" } else { "comedy" };
            BTreeSet::from([kind.to_owned()])
        };
        // Of three pairs two differ wholly.
        let varied = diversity(&a, 3, genre).unwrap();
        assert!((varied - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(diversity(&a, 1, genre), None);
    }
}
