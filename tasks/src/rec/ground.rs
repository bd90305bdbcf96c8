//! From what a model wrote to the item it meant.

use std::collections::BTreeMap;

use crate::metric::text::common_subsequence;

/// Likeness above which two texts are the same title (Hou et al. 2024 match by a
/// longest common subsequence above 0.9).
const SAME: f64 = 0.9;

/// Texts shorter than this, in bytes, are too easily another word.
const SLIP_LENGTH: usize = 6;

/// Titles to be found in text. Build it once for many look-ups.
#[derive(Debug, Clone)]
pub struct Titles {
    all: Vec<String>,
    keys: Vec<String>,
    /// The words as they stand in the title, a moved article at the end.
    plain: Vec<String>,
    /// Title by its text, folded, and folded without its year where that leaves
    /// one title only.
    exact: BTreeMap<String, usize>,
    by_key: BTreeMap<String, Option<usize>>,
}

impl Titles {
    /// The titles to be found; of two equal ones the first counts.
    pub fn new<T: Into<String>>(titles: impl IntoIterator<Item = T>) -> Self {
        let titles: Vec<String> = titles.into_iter().map(Into::into).collect();
        let keys: Vec<String> = titles.iter().map(|title| fold(title)).collect();
        let plain = titles.iter().map(|title| words(title)).collect();
        let mut exact = BTreeMap::new();
        let mut by_key: BTreeMap<String, Option<usize>> = BTreeMap::new();
        for (index, (title, key)) in titles.iter().zip(&keys).enumerate() {
            exact.entry(title.clone()).or_insert(index);
            for key in [key.as_str(), without_year(key)] {
                by_key
                    .entry(key.to_owned())
                    .and_modify(|known| *known = known.filter(|known| keys[*known] == keys[index]))
                    .or_insert(Some(index));
            }
        }
        Self {
            all: titles,
            keys,
            plain,
            exact,
            by_key,
        }
    }

    /// The titles, in the order given.
    pub fn titles(&self) -> &[String] {
        &self.all
    }

    /// The title that `text` means, by the first of these that finds one: the
    /// very text; the same words in other case or punctuation, year or none; the
    /// most similar title if it is similar enough; the longest title that stands in
    /// the text as words. `None` if there is none, or two are equally near.
    pub fn find(&self, text: &str) -> Option<&str> {
        let text = super::lists::bare(text);
        if let Some(&index) = self.exact.get(text) {
            return Some(&self.all[index]);
        }
        let key = fold(text);
        if key.is_empty() {
            return None;
        }
        let index = self
            .by_key
            .get(&key)
            .copied()
            .flatten()
            .or_else(|| self.nearest(&key))
            .or_else(|| self.within(&key))?;
        Some(&self.all[index])
    }

    /// The titles that a text lists, in its order, none twice.
    pub fn list(&self, text: &str) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for item in super::lists::items(text) {
            if let Some(title) = self.find(&item)
                && !found.iter().any(|other| other == title)
            {
                found.push(title.to_owned());
            }
        }
        found
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
                let long = words.find(&format!(" {key} "));
                let place = long.or_else(|| {
                    let short = without_year(key);
                    // A title of one short word is too easily a word.
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
                if place >= end && !found.contains(&self.all[index]) {
                    found.push(self.all[index].clone());
                    end = place + len.min(words.len() - place);
                }
            }
        }
        found
    }

    /// The longest title that stands in `key` as words, or the one title in which
    /// `key` so stands.
    fn within(&self, key: &str) -> Option<usize> {
        let text = format!(" {key} ");
        let inside = |short: &str| short.len() > 3 && text.contains(&format!(" {short} "));
        let longest = self
            .keys
            .iter()
            .enumerate()
            .filter(|(index, key)| {
                let short = without_year(key);
                inside(key) || (inside(short) && self.by_key.get(short) == Some(&Some(*index)))
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
        [key, without_year(key), &self.plain[index]]
    }

    /// The one title that a single slip of a key makes of `key`: in short titles
    /// one letter is more than a tenth.
    fn one_slip_away(&self, key: &str) -> Option<usize> {
        let slip = |title: &str| {
            title.len().min(key.len()) >= SLIP_LENGTH && strsim::osa_distance(title, key) <= 1
        };
        let mut near =
            (0..self.keys.len()).filter(|&index| self.spellings(index).into_iter().any(slip));
        let index = near.next()?;
        near.next().is_none().then_some(index)
    }
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

/// Words in lower case, one space between them, an article that was moved to the
/// end back in front: "Godfather, The (1972)" is "the godfather 1972".
pub fn fold(text: &str) -> String {
    let moved = text.find(", ").and_then(|comma| {
        let rest = &text[comma + 2..];
        let article: String = rest.chars().take_while(|c| c.is_alphabetic()).collect();
        let after = rest[article.len()..].trim_start();
        let is_article = ["the", "a", "an"].contains(&article.to_lowercase().as_str());
        (is_article && (after.is_empty() || after.starts_with('(')))
            .then(|| format!("{article} {} {after}", &text[..comma]))
    });
    words(moved.as_deref().unwrap_or(text))
}

/// Words in lower case, one space between them.
fn words(text: &str) -> String {
    let text = text.to_lowercase();
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

/// A folded title without the year at its end.
fn without_year(key: &str) -> &str {
    match key.rsplit_once(' ') {
        Some((title, year))
            if year.len() == 4
                && (year.starts_with("19") || year.starts_with("20"))
                && year.bytes().all(|b| b.is_ascii_digit()) =>
        {
            title
        }
        _ => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles() -> Titles {
        Titles::new([
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
    fn titles_are_found_as_models_write_them() {
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
    fn one_typo_still_finds_the_title() {
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
    fn prose_names_titles_in_its_order() {
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
