//! BM25 over item texts (Robertson and Zaragoza 2009, "The Probabilistic
//! Relevance Framework", §3).

use std::collections::{BTreeMap, BTreeSet};

/// Saturation of a word's repetitions.
const K1: f64 = 1.2;
/// How far long texts are discounted.
const B: f64 = 0.75;

/// An index of texts.
///
/// A text `d` scores `Σ idf(w) · tf · (k₁ + 1) / (tf + k₁ · (1 − b + b · |d| / mean
/// |d|))` over the words of the query, repetitions counted, with `idf(w) = ln(1 +
/// (N − n + 0.5) / (n + 0.5))`, `k₁` = 1.2 and `b` = 0.75. Words are runs of
/// letters and digits in lower case.
#[derive(Debug, Clone)]
pub struct Bm25Index {
    /// Word → texts that hold it, with how often.
    postings: BTreeMap<String, Vec<(usize, f64)>>,
    lengths: Vec<f64>,
    mean_length: f64,
}

impl Bm25Index {
    /// Indexes the texts.
    pub fn new<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        let mut postings: BTreeMap<String, Vec<(usize, f64)>> = BTreeMap::new();
        let mut lengths = Vec::new();
        for (index, text) in texts.into_iter().enumerate() {
            let mut length = 0.0;
            for word in words(text.as_ref()) {
                length += 1.0;
                let texts = postings.entry(word).or_default();
                match texts.last_mut() {
                    Some((last, count)) if *last == index => *count += 1.0,
                    _ => texts.push((index, 1.0)),
                }
            }
            lengths.push(length);
        }
        let mean_length = lengths.iter().sum::<f64>() / (lengths.len() as f64).max(1.0);
        Self {
            postings,
            lengths,
            mean_length,
        }
    }

    /// The `most` best texts that share a word with the query: position and
    /// score, best first, ties in the order of the texts.
    pub fn search(&self, query: &str, most: usize) -> Vec<(usize, f64)> {
        let mut scores: BTreeMap<usize, f64> = BTreeMap::new();
        let all = self.lengths.len() as f64;
        for word in words(query) {
            let Some(texts) = self.postings.get(&word) else {
                continue;
            };
            let with = texts.len() as f64;
            let idf = (1.0 + (all - with + 0.5) / (with + 0.5)).ln();
            for &(index, count) in texts {
                let length = 1.0 - B + B * self.lengths[index] / self.mean_length;
                let score = idf * count * (K1 + 1.0) / (count + K1 * length);
                *scores.entry(index).or_default() += score;
            }
        }
        let mut ranked: Vec<(usize, f64)> = scores.into_iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked.truncate(most);
        ranked
    }

    /// Results of several queries as one list of `most`: an equal share from each
    /// query in turn, none twice, filled up from what is left (Li et al. 2023,
    /// `GPT4Rec`, §2.2).
    pub fn search_all<T: AsRef<str>>(&self, queries: &[T], most: usize) -> Vec<usize> {
        let results: Vec<Vec<usize>> = queries
            .iter()
            .map(|query| self.search(query.as_ref(), most))
            .map(|found| found.into_iter().map(|(index, _)| index).collect())
            .collect();
        let share = most.div_ceil(results.len().max(1));
        let mut seen = BTreeSet::new();
        let mut merged = Vec::new();
        for found in &results {
            let fresh = found.iter().filter(|index| seen.insert(**index));
            merged.extend(fresh.take(share));
        }
        // `take` stops after its last item, so nothing is marked and not taken.
        merged.truncate(most);
        for index in results.iter().flatten() {
            if merged.len() < most && !merged.contains(index) {
                merged.push(*index);
            }
        }
        merged
    }
}

fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three texts of 3, 2 and 4 words, 3 on average. For "star wars":
    /// idf(star) = ln(1 + 1.5/2.5) for two of three texts, idf(wars) = ln(1 +
    /// 2.5/1.5) for one. The first text has the mean length, so each word it
    /// holds once weighs its idf.
    #[test]
    fn scores_equal_worked_example() {
        let index = Bm25Index::new(["Star Wars 1977", "Star Trek", "The Big Big Sleep"]);
        let (star, wars) = (1.6_f64.ln(), (1.0 + 2.5 / 1.5_f64).ln());
        let found = index.search("star wars", 10);
        assert_eq!(found.len(), 2);
        assert!((found[0].1 - (star + wars)).abs() < 1e-6);
        // |d| = 2: 1 − .75 + .75 · 2/3 = .75, so 2.2 / (1 + 1.2 · .75).
        assert!((found[1].1 - star * 2.2 / 1.9).abs() < 1e-6, "{found:?}");
        // tf = 2, |d| = 4: 1 − .75 + .75 · 4/3 = 1.25, so 2 · 2.2 / (2 + 1.5).
        let big = index.search("big", 10)[0];
        assert!((big.1 - wars * 4.4 / 3.5).abs() < 1e-6, "{big:?}");
        assert!(index.search("nothing here", 10).is_empty());
    }

    #[test]
    fn queries_share_list_places() {
        let titles = ["Star Wars", "Star Trek", "Star Man", "Heat", "Body Heat"];
        let index = Bm25Index::new(titles);
        let one = index.search_all(&["star"], 4);
        let two = index.search_all(&["star", "heat"], 4);
        assert_eq!(one.len(), 3);
        assert_eq!(two, [0, 1, 3, 4]);
        assert!(two.len() >= one.len());
        assert!(index.search_all::<&str>(&[], 4).is_empty());
    }
}
