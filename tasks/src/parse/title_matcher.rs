//! From what a model wrote to the item it meant.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::lists::{self, TextList};
use super::titles::{is_part, numbers_agree, without_year, words};
use crate::metric::text::common_subsequence;

pub use super::titles::fold;

/// Likeness above which two texts are the same title (Hou et al. 2024 match by a
/// longest common subsequence above 0.9).
const SAME: f64 = 0.9;

/// Texts shorter than this, in bytes, are too easily another word.
const SLIP_LENGTH: usize = 6;

/// Titles to be found in text. Build it once for many look-ups.
#[derive(Debug, Clone)]
pub struct TitleMatcher {
    items: Vec<String>,
    keys: Vec<String>,
    /// The words as they stand in the title, a moved article at the end; most
    /// look-ups need them not.
    plain: OnceLock<Vec<String>>,
    /// Title by its text, folded, and folded without its year where that leaves
    /// one title only.
    exact: BTreeMap<String, usize>,
    by_key: BTreeMap<String, Option<usize>>,
}

impl TitleMatcher {
    /// The titles to be found; of two equal ones the first counts.
    pub fn new<T: Into<String>>(titles: impl IntoIterator<Item = T>) -> Self {
        let titles: Vec<String> = titles.into_iter().map(Into::into).collect();
        let keys: Vec<String> = titles.iter().map(|title| fold(title)).collect();
        let mut exact = BTreeMap::new();
        let mut by_key: BTreeMap<String, Option<usize>> = BTreeMap::new();
        for (index, (title, key)) in titles.iter().zip(&keys).enumerate() {
            exact.entry(title.clone()).or_insert(index);
            for key in [key.as_str(), without_year(key)] {
                by_key
                    .entry(key.to_owned())
                    .and_modify(|known| {
                        *known = known.filter(|known| titles[*known] == titles[index]);
                    })
                    .or_insert(Some(index));
            }
        }
        Self {
            items: titles,
            keys,
            plain: OnceLock::new(),
            exact,
            by_key,
        }
    }

    /// The titles, in the order given.
    pub fn titles(&self) -> &[String] {
        &self.items
    }

    /// The title that `text` means, by the first of these that finds one: the
    /// very text; the same words in other case, accents or punctuation, year or
    /// none; the title that the text opens with before a remark; the most similar
    /// title if it is similar enough; the longest title that stands in
    /// the text as words. `None` if there is none, or two are equally near.
    pub fn find(&self, text: &str) -> Option<&str> {
        let text = super::lists::bare(text);
        if let Some(&index) = self.exact.get(text) {
            return Some(&self.items[index]);
        }
        let key = fold(text);
        if key.is_empty() {
            return None;
        }
        if let Some(known) = self.by_key.get(&key) {
            return known.map(|index| self.items[index].as_str());
        }
        let index = self
            .leading(text)
            .or_else(|| self.nearest(&key))
            .or_else(|| self.within(&key))?;
        Some(&self.items[index])
    }

    /// Whether `text` is one of the titles and nothing else, in whatever case and
    /// punctuation, with its year or without.
    pub fn is_title(&self, text: &str) -> bool {
        let text = super::lists::bare(text);
        self.exact.contains_key(text) || self.by_key.contains_key(&fold(text))
    }

    /// The titles that a text lists, in its order, none twice. Of several lists
    /// one is the ranking: an echo of these titles in their order, what the user
    /// has had and a list of reasons are not.
    pub fn list(&self, text: &str) -> Vec<String> {
        let lists: Vec<(TextList, Vec<usize>)> = lists::lists(text)
            .into_iter()
            .map(|list| {
                let found = self.found(&list.items);
                (list, found)
            })
            .filter(|(_, found)| !found.is_empty())
            .collect();
        let mut ranked: Vec<usize> = Vec::new();
        let chosen = choose(&lists, self.items.len());
        for index in chosen.iter().flat_map(|(_, found)| found) {
            if !ranked.contains(index) {
                ranked.push(*index);
            }
        }
        ranked
            .into_iter()
            .map(|index| self.items[index].clone())
            .collect()
    }

    fn found(&self, items: &[String]) -> Vec<usize> {
        let mut found = Vec::new();
        for item in items {
            let title = self.find(item).and_then(|title| self.exact.get(title));
            if let Some(&index) = title
                && !found.contains(&index)
            {
                found.push(index);
            }
        }
        found
    }

    /// The title that `text` opens with, before a dash, a colon, a bracket or
    /// "because": the longest one.
    fn leading(&self, text: &str) -> Option<usize> {
        const MARKS: [&str; 11] = [
            " - ", " – ", " — ", ": ", " (", "**", ", ", " because", ". ", "\" ", "” ",
        ];
        let mut ends: Vec<usize> = MARKS
            .iter()
            .flat_map(|mark| text.match_indices(mark).map(|(at, _)| at))
            .filter(|at| *at > 0)
            .collect();
        ends.sort_unstable();
        ends.dedup();
        ends.into_iter().rev().find_map(|end| {
            let head = lists::bare(&text[..end]);
            let known = self.exact.get(head).copied();
            let known = known.or_else(|| self.by_key.get(&fold(head)).copied().flatten())?;
            // "Sabrina (1954)" is not the one of 1995.
            let dated: String = text[end..].chars().take(" (1954)".len()).collect();
            let same = numbers_agree(&fold(&format!("{head}{dated}")), &self.keys[known]);
            (same || !dated.ends_with(')')).then_some(known)
        })
    }

    /// The titles that prose names, in the order of their first mention; those of
    /// sentences with a negation are left out.
    pub fn mentions(&self, text: &str) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for sentence in text.split_inclusive(['.', '!', '?', '\n']) {
            let words = format!(" {} ", fold(sentence));
            let negated = [
                " not ",
                " never ",
                " avoid ",
                " isn t ",
                " wouldn t ",
                " don t ",
            ];
            if negated.iter().any(|negation| words.contains(negation)) {
                continue;
            }
            let mut places: Vec<(usize, std::cmp::Reverse<usize>, usize)> = Vec::new();
            for (index, key) in self.keys.iter().enumerate() {
                // A title of one word or a short one is too easily a word, unless
                // it is written as a title is.
                let word = !key.contains(' ') || key.len() <= 3;
                if word && !sentence.contains(self.items[index].trim()) || key.len() < 2 {
                    continue;
                }
                let long = words.find(&format!(" {key} "));
                let place = long.or_else(|| {
                    let short = without_year(key);
                    (self.by_key.get(short) == Some(&Some(index)) && short.len() > 3)
                        .then(|| words.find(&format!(" {short} ")))
                        .flatten()
                });
                if let Some(place) = place.filter(|_| !key.is_empty()) {
                    places.push((place, std::cmp::Reverse(key.len()), index));
                }
            }
            places.sort_unstable();
            let mut end = 0;
            for (place, std::cmp::Reverse(len), index) in places {
                // A title inside a longer one is not meant.
                if place >= end && !found.contains(&self.items[index]) {
                    found.push(self.items[index].clone());
                    end = place + len.min(words.len() - place);
                }
            }
        }
        found
    }

    /// The longest title that stands in `key` as words, or the one title in which
    /// `key` so stands.
    fn within(&self, key: &str) -> Option<usize> {
        // In a sentence a title of one word is too easily a word.
        const REMARK: usize = 8;
        let text = format!(" {key} ");
        let long = key.split(' ').count() > REMARK;
        let stands = |words: &str, title: &str| {
            if words.len() <= 3 || (long && !without_year(words).contains(' ')) {
                return false;
            }
            let Some(at) = text.find(&format!(" {words} ")) else {
                return false;
            };
            // "Alien 4" is not "Alien", "Sabrina 1954" not the one of 1995.
            let next = text[at + words.len() + 2..].split(' ').next();
            !next.filter(|next| !next.is_empty()).is_some_and(|next| {
                is_part(next) || !numbers_agree(&format!("{words} {next}"), title)
            })
        };
        let longest = self
            .keys
            .iter()
            .enumerate()
            .filter(|(index, key)| {
                let short = without_year(key);
                stands(key, key)
                    || (stands(short, key) && self.by_key.get(short) == Some(&Some(*index)))
            })
            .max_by_key(|(index, key)| (key.len(), std::cmp::Reverse(*index)));
        if let Some((index, _)) = longest {
            return Some(index);
        }
        let mut around = self
            .keys
            .iter()
            .enumerate()
            .filter(|(_, title)| key.len() > 5 && format!(" {title} ").contains(&text));
        let (index, _) = around.next()?;
        around.next().is_none().then_some(index)
    }

    /// The most similar title above [`SAME`]; `None` if two are equally similar.
    fn nearest(&self, key: &str) -> Option<usize> {
        let wanted: Vec<char> = key.chars().collect();
        let mut best: Option<(f64, usize)> = None;
        let mut tied = false;
        for index in 0..self.keys.len() {
            for title in self.spellings(index) {
                if title.len().min(key.len()) < SLIP_LENGTH || !numbers_agree(key, title) {
                    continue;
                }
                let likeness = likeness(&wanted, title);
                match best {
                    Some((most, known)) if likeness == most && known != index => tied = true,
                    Some((most, _)) if likeness <= most => {}
                    _ => (best, tied) = (Some((likeness, index)), false),
                }
            }
        }
        best.filter(|(likeness, _)| *likeness > SAME && !tied)
            .map(|(_, index)| index)
            .or_else(|| self.one_slip_away(key))
    }

    fn spellings(&self, index: usize) -> [&str; 3] {
        let key = self.keys[index].as_str();
        let plain = self
            .plain
            .get_or_init(|| self.items.iter().map(|title| words(title)).collect());
        [key, without_year(key), &plain[index]]
    }

    /// The one title that a single slip of a key makes of `key`: in short titles
    /// one letter is more than a tenth.
    fn one_slip_away(&self, key: &str) -> Option<usize> {
        let slip = |title: &str| {
            title.len().min(key.len()) >= SLIP_LENGTH
                && numbers_agree(key, title)
                && strsim::osa_distance(title, key) <= 1
        };
        let mut near =
            (0..self.keys.len()).filter(|&index| self.spellings(index).into_iter().any(slip));
        let index = near.next()?;
        near.next().is_none().then_some(index)
    }
}

/// The lists that are the ranking, of those that name titles.
fn choose(lists: &[(TextList, Vec<usize>)], titles: usize) -> &[(TextList, Vec<usize>)] {
    const RANKS: [&str; 14] = [
        "rank",
        "recommend",
        "order",
        "best",
        "top",
        "final",
        "result",
        "rang",
        "empfehl",
        "classement",
        "clasific",
        "推荐",
        "排序",
        "排名",
    ];
    const ASIDE: [&str; 16] = [
        "candidate",
        "option",
        "given",
        "watched",
        "history",
        "reason",
        "because",
        "explanation",
        "available",
        "input",
        "excluded",
        "not recommend",
        "avoid",
        "kandidat",
        "候选",
        "候補",
    ];
    let holds =
        |list: &TextList, words: &[&str]| words.iter().any(|word| list.intro.contains(word));
    let echoes = |found: &[usize]| found.len() == titles && found.is_sorted();
    let [(first, found), rest @ ..] = lists else {
        return lists;
    };
    if rest.is_empty() {
        return lists;
    }
    let aside = |list: &TextList| holds(list, &ASIDE) && !holds(list, &RANKS);
    let is_final = |list: &TextList| list.intro.contains("final");
    let last = lists
        .iter()
        .rposition(|(list, found)| is_final(list) && found.len() > 1);
    if let Some(last) = last {
        return &lists[last..=last];
    }
    if aside(first) || (echoes(found) && !holds(first, &RANKS)) {
        let ranking = rest
            .iter()
            .position(|(list, found)| found.len() > 1 && !aside(list));
        return ranking.map_or(&lists[..1], |at| &rest[at..=at]);
    }
    // A list that names all of them is whole, whatever remarks follow.
    let until = if found.len() == titles {
        1
    } else {
        1 + rest.iter().take_while(|(list, _)| !aside(list)).count()
    };
    &lists[..until]
}

/// Twice the longest common subsequence over both lengths, in `0..=1`. Texts
/// whose lengths alone rule out [`SAME`] are 0.
fn likeness(wanted: &[char], title: &str) -> f64 {
    let title: Vec<char> = title.chars().collect();
    let total = wanted.len() + title.len();
    if total == 0 || 2.0 * wanted.len().min(title.len()) as f64 / total as f64 <= SAME {
        return 0.0;
    }
    2.0 * common_subsequence(wanted, &title) as f64 / total as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles() -> TitleMatcher {
        TitleMatcher::new([
            "Toy Story (1995)",
            "Godfather, The (1972)",
            "Godfather: Part II, The (1974)",
            "Heat (1995)",
            "Sabrina (1995)",
            "Sabrina (1954)",
            "101 Dalmatians (1996)",
            "Schindler's List (1993)",
        ])
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(titles().find(text), expected, "{text}");
    }

    #[test]
    fn titles_match_model_spellings() {
        check("Toy Story (1995)", Some("Toy Story (1995)"));
        check("toy story", Some("Toy Story (1995)"));
        check("The Godfather", Some("Godfather, The (1972)"));
        check("3. **The Godfather (1972)**", Some("Godfather, The (1972)"));
        check("Schindlers List", Some("Schindler's List (1993)"));
        check("Schindler’s List", Some("Schindler's List (1993)"));
        check(
            "The Godfather: Part II (1974) - a family saga",
            Some("Godfather: Part II, The (1974)"),
        );
        check("101 Dalmations", Some("101 Dalmatians (1996)"));
        check("Sabrina (1954)", Some("Sabrina (1954)"));
        check("Sabrina", None);
        check("Alien", None);
        check("", None);
    }

    #[test]
    fn typo_still_finds_title() {
        let titles = titles();
        let (mut found, mut all, mut missed) = (0, 0, Vec::new());
        for title in titles.titles() {
            let chars: Vec<char> = title.chars().collect();
            for at in 1..chars.len() - 7 {
                let mut typo = chars.clone();
                typo.swap(at - 1, at);
                let typo: String = typo.into_iter().collect();
                all += 1;
                if titles.find(&typo) == Some(title) {
                    found += 1;
                } else {
                    missed.push(typo);
                }
            }
        }
        assert!(found * 100 >= all * 95, "{found} of {all}: {missed:?}");
    }

    #[test]
    fn prose_keeps_title_order() {
        let titles = titles();
        assert_eq!(
            titles.mentions(
                "Start with The Godfather: Part II, then Toy Story. I would not show Heat (1995)."
            ),
            ["Godfather: Part II, The (1974)", "Toy Story (1995)"]
        );
        assert_eq!(
            titles.list("1. Heat\n2. Toy Story (1995)\n3. Heat\n4. Jaws"),
            ["Heat (1995)", "Toy Story (1995)"]
        );
    }
}
