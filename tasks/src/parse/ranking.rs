//! Candidates, best first.

use std::collections::BTreeSet;

use super::title_matcher::TitleMatcher;
use super::{lists, thoughts};

/// The candidates that `text` ranks, in its order; empty if it ranks none. Lists
/// are read as [`lists`] does and their items found as [`TitleMatcher`] does; prose
/// counts in the order in which it names candidates.
pub(super) fn from_text(candidates: &[String], text: &str, cut_off: bool) -> Vec<String> {
    if let Some(only) = candidates
        .iter()
        .find(|candidate| candidate.trim() == text.trim())
    {
        return vec![only.clone()];
    }
    let Some(text) = thoughts::answer(text) else {
        return Vec::new();
    };
    let text = if cut_off { finished(&text) } else { &text };
    if let [list] = lists::lists(text).as_slice()
        && let Some(ranked) = as_given(candidates, &list.items)
    {
        return ranked;
    }
    let titles = TitleMatcher::new(candidates.iter().map(String::as_str));
    let mut ranked = titles.list(text);
    if ranked.len() < 2 {
        let items = lists::items(text);
        if let Some(numbered) = by_number(candidates, text, &items) {
            return numbered;
        }
        if items.len() < 2 {
            let named = titles.mentions(text);
            if named.len() > ranked.len() {
                ranked = named;
            }
        }
    }
    ranked
}

/// The items if each is a candidate letter for letter, so that none has to be
/// looked for.
fn as_given(candidates: &[String], items: &[String]) -> Option<Vec<String>> {
    let known: BTreeSet<&str> = candidates.iter().map(String::as_str).collect();
    let mut ranked: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        if !known.contains(item.as_str()) {
            return None;
        }
        if !ranked.contains(item) {
            ranked.push(item.clone());
        }
    }
    (ranked.len() > 1).then_some(ranked)
}

/// The text without the item that a cut-off left unfinished: it may begin as
/// another one does.
fn finished(text: &str) -> &str {
    let end = text
        .rfind('\n')
        .or_else(|| text.rfind(['>', ',', ';', '.']))
        .unwrap_or(0);
    &text[..end]
}

/// Candidates named by their numbers in the question: "[3] > [1] > [2]", "3, 1,
/// 2". `None` if a number is no candidate's, or comes twice.
fn by_number(candidates: &[String], text: &str, items: &[String]) -> Option<Vec<String>> {
    let number = |item: &str| -> Option<usize> {
        let bare = item.trim_matches(|c: char| !c.is_alphanumeric());
        let digits = bare.trim_start_matches(|c: char| c.is_alphabetic() || c == ' ');
        // "candidate 3", but no title: "ocean's 11".
        let word = bare[..bare.len() - digits.len()].trim().to_lowercase();
        let names = [
            "",
            "candidate",
            "item",
            "option",
            "movie",
            "film",
            "book",
            "number",
            "no",
        ];
        names
            .contains(&word.as_str())
            .then(|| digits.parse().ok())
            .flatten()
    };
    let chained = text
        .lines()
        .rev()
        .find(|line| line.contains('>'))
        .map(|line| {
            line.rsplit(':')
                .next()
                .unwrap_or(line)
                .split('>')
                .collect::<Vec<_>>()
        });
    let numbers: Option<Vec<usize>> = match chained {
        Some(chain) => chain.into_iter().map(number).collect(),
        None => items.iter().map(|item| number(item)).collect(),
    };
    let numbers = numbers.filter(|numbers| numbers.len() > 1)?;
    let mut ranked = Vec::with_capacity(numbers.len());
    for number in numbers {
        let candidate = candidates.get(number.checked_sub(1)?)?;
        if ranked.contains(candidate) {
            return None;
        }
        ranked.push(candidate.clone());
    }
    Some(ranked)
}
