//! Whether a text gives an answer: short references, as those of questions.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use regex::{Regex, RegexBuilder};

/// Words without which a text says the same (Rajpurkar et al., 2016).
const ARTICLES: [&str; 3] = ["a", "an", "the"];

/// The words of a text as `SQuAD` compares them (Rajpurkar et al., 2016): in lower case,
/// without ASCII punctuation and English articles.
fn words(text: &str) -> Vec<String> {
    let bare: String = text
        .to_lowercase()
        .chars()
        .filter(|c| !c.is_ascii_punctuation())
        .collect();
    bare.split_whitespace()
        .filter(|word| !ARTICLES.contains(word))
        .map(str::to_owned)
        .collect()
}

/// Whether two texts have the same words in the same order, case, punctuation and the
/// articles a, an, the aside: `SQuAD`'s exact match (Rajpurkar et al., 2016).
pub fn exact(said: &str, truth: &str) -> bool {
    words(said) == words(truth)
}

/// F1 in `0..=1` of the words that two texts share, each as often as both have it:
/// `SQuAD`'s F1 (Rajpurkar et al., 2016). Two texts without words agree.
pub fn token_f1(said: &str, truth: &str) -> f64 {
    let (said, truth) = (words(said), words(truth));
    if said.is_empty() && truth.is_empty() {
        return 1.0;
    }
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for word in &truth {
        *left.entry(word).or_default() += 1;
    }
    let mut shared = 0_usize;
    for word in &said {
        if let Some(count) = left.get_mut(word.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            shared += 1;
        }
    }
    (2 * shared) as f64 / (said.len() + truth.len()) as f64
}

/// Whether `truth` occurs in `said`, case aside, runs of white space counting as one
/// blank. A blank reference occurs nowhere.
pub fn contains(said: &str, truth: &str) -> bool {
    let folded = |text: &str| {
        let lower = text.to_lowercase();
        lower.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let truth = folded(truth);
    !truth.is_empty() && folded(said).contains(&truth)
}

/// Patterns that are kept compiled.
const KEPT: usize = 4096;

thread_local! {
    static COMPILED: RefCell<HashMap<String, Result<Regex, String>>> = RefCell::default();
}

/// Whether a regular expression, in the syntax of Rust's `regex`, finds a match anywhere
/// in `said`; `^` and `$` are the ends of the text, `(?i)` ignores case. Time is linear
/// in both lengths.
///
/// # Errors
/// Where the pattern is no regular expression, or compiles to more than 1 MiB.
pub fn matches(said: &str, pattern: &str) -> Result<bool, String> {
    COMPILED.with_borrow_mut(|compiled| {
        if let Some(known) = compiled.get(pattern) {
            return known
                .as_ref()
                .map(|regex| regex.is_match(said))
                .map_err(Clone::clone);
        }
        if compiled.len() >= KEPT {
            compiled.clear();
        }
        let regex = RegexBuilder::new(pattern).size_limit(1 << 20).build();
        let regex = regex.map_err(|error| error.to_string());
        let found = regex
            .as_ref()
            .map(|regex| regex.is_match(said))
            .map_err(Clone::clone);
        compiled.insert(pattern.to_owned(), regex);
        found
    })
}
