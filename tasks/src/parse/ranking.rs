//! Candidates, best first.

use std::collections::{BTreeMap, BTreeSet};

/// The candidates that `text` lists, in its order; empty if it lists none.
pub(super) fn from_text(candidates: &[String], text: &str, _cut: bool) -> Vec<String> {
    let catalogue = Catalogue::new(candidates);
    if let Some(items) = json_array(text) {
        let ranked = catalogue.rank(items.iter().map(String::as_str));
        if !ranked.is_empty() {
            return ranked;
        }
    }
    let ranked = catalogue.rank(text.lines());
    // A list on one line has at most one line that is an item itself.
    if ranked.len() > 1 {
        return ranked;
    }
    [',', '>', ';']
        .into_iter()
        .filter(|separator| {
            !candidates
                .iter()
                .any(|candidate| candidate.contains(*separator))
        })
        .map(|separator| {
            let line = text
                .lines()
                .max_by_key(|line| line.matches(separator).count());
            catalogue.rank(line.unwrap_or_default().split(separator))
        })
        .fold(ranked, |best, other| {
            if other.len() > best.len() {
                other
            } else {
                best
            }
        })
}

/// The strings of the first JSON array in `text`.
fn json_array(text: &str) -> Option<Vec<String>> {
    let array = text.get(text.find('[')?..=text.rfind(']')?)?;
    let values: Vec<serde_json::Value> = serde_json::from_str(array).ok()?;
    Some(
        values
            .iter()
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect(),
    )
}

/// Candidates by their exact text and by their lower-case text where that is
/// the text of one candidate only.
struct Catalogue<'a> {
    exact: BTreeSet<&'a str>,
    folded: BTreeMap<String, Option<&'a str>>,
}

impl<'a> Catalogue<'a> {
    fn new(candidates: &'a [String]) -> Self {
        let mut folded: BTreeMap<String, Option<&str>> = BTreeMap::new();
        for candidate in candidates {
            folded
                .entry(candidate.trim().to_lowercase())
                .and_modify(|seen| *seen = seen.filter(|seen| *seen == candidate))
                .or_insert(Some(candidate));
        }
        Self {
            exact: candidates.iter().map(String::as_str).collect(),
            folded,
        }
    }

    fn rank<'t>(&self, items: impl Iterator<Item = &'t str>) -> Vec<String> {
        let mut seen = BTreeSet::new();
        items
            .filter_map(|item| self.find(item))
            .filter(|found| seen.insert(*found))
            .map(str::to_owned)
            .collect()
    }

    /// The candidate meant by one item: as it stands, then without its number
    /// or bullet ("1984" is a title, "1. Alien" an item), then without quotes
    /// and emphasis.
    fn find(&self, item: &str) -> Option<&'a str> {
        let item = item.trim();
        let unnumbered = without_number(item);
        let bare = |text: &'_ str| -> Option<&'a str> {
            self.lookup(text.trim_matches(|c: char| c.is_whitespace() || "\"'`*_“”‘’".contains(c)))
        };
        self.lookup(item)
            .or_else(|| self.lookup(unnumbered))
            .or_else(|| bare(unnumbered))
            .or_else(|| bare(without_number(unnumbered.trim_start_matches(['*', '_']))))
            .or_else(|| bare(unnumbered.trim_end_matches(['.', ',', ';'])))
    }

    fn lookup(&self, text: &str) -> Option<&'a str> {
        self.exact
            .get(text)
            .copied()
            .or_else(|| self.folded.get(&text.to_lowercase()).copied().flatten())
    }
}

/// `item` without "1.", "1)", "1:", "(1)", "#1", "-", "*" or "•" in front.
fn without_number(item: &str) -> &str {
    let rest = item.trim_start_matches(['(', '#', '[']);
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let after = &rest[digits..];
    let marked = match digits {
        0 => item
            .strip_prefix(['-', '*', '•', '–'])
            .filter(|after| after.starts_with(' ')),
        _ => after
            .strip_prefix(['.', ')', ':', ']'])
            .or_else(|| item.starts_with('#').then_some(after)),
    };
    marked.map_or(item, |text| text.trim_start_matches([' ', '.', ':', ')']))
}
