//! The fidelity gate: what a written text must keep of an item, and what it must not
//! invent (Wang et al. 2023, §3.3, "Fidelity Checks").

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use shiftproof_tasks::parse::title_matcher::fold;

use crate::tasks::grounding;
use crate::{Item, ItemCatalogue};

/// Words that ask whoever rates a text for an answer.
const ASKS: [&str; 5] = ["answer yes", "answer no", "say yes", "yes or no", "rate it"];
/// Words so short that titles write them small.
const SMALL: usize = 3;

/// Holds texts about items to what a catalogue says. Reads words, not meanings: a genre in
/// another word than the catalogue's is not seen.
#[derive(Debug)]
pub(super) struct FidelityGate {
    catalogue: Arc<ItemCatalogue>,
    /// Titles of two words and more, without their years, by their first word.
    titles: BTreeMap<String, Vec<LongTitle>>,
    /// The genres of all items: as the catalogue writes them, by their words.
    genres: BTreeMap<String, String>,
}

/// A title of several words.
#[derive(Debug)]
struct LongTitle {
    title: String,
    words: Vec<String>,
}

impl FidelityGate {
    pub fn new(catalogue: &Arc<ItemCatalogue>) -> Self {
        let mut titles: BTreeMap<String, Vec<LongTitle>> = BTreeMap::new();
        for title in catalogue.titles() {
            let key = fold(title);
            let whole = without_year(&key);
            // In a sentence an article is written small, or is another one.
            let bare = without_article(whole);
            let key = if bare.contains(' ') { bare } else { whole };
            let words: Vec<String> = key.split(' ').map(str::to_owned).collect();
            if words.len() > 1 {
                let title = title.to_owned();
                let known = titles.entry(words[0].clone()).or_default();
                known.push(LongTitle { title, words });
            }
        }
        for known in titles.values_mut() {
            // A title within a longer one is not meant where the longer one stands.
            known.sort_by_key(|title| std::cmp::Reverse(title.words.len()));
        }
        let genres = (0..catalogue.len() as u32)
            .flat_map(|item| catalogue.genres(item))
            .map(|genre| (fold(genre), genre.clone()))
            .filter(|(key, _)| !key.is_empty() && key != "unknown")
            .collect();
        Self {
            catalogue: catalogue.clone(),
            titles,
            genres,
        }
    }

    /// What is wrong with an item's text as it was edited, if something is: it has to keep
    /// the title, the years and the genres of the item, and may name no other title, year
    /// or genre.
    pub fn edited(&self, item: u32, text: &str) -> Result<(), String> {
        let known = &self.catalogue.items()[item as usize];
        let said = TextWords::of(text);
        if !said.hold(without_article(without_year(&fold(&known.title)))) {
            return Err(format!("the title {:?} is not in it", known.title));
        }
        let years = years_of(known);
        if let Some(year) = years.iter().find(|year| !said.hold(year)) {
            return Err(format!("the year {year} is not in it"));
        }
        let genres = self.catalogue.genres(item);
        if let Some(genre) = genres
            .iter()
            .find(|genre| self.genres.contains_key(&fold(genre)) && !said.name(genre))
        {
            return Err(format!("the genre {genre} is not in it"));
        }
        self.invented(text, &said, Some(known), genres)
    }

    /// What is wrong with the text of an item that there is not, if something is: it may
    /// name no title and no year that there is, and no genre but those `allowed`.
    pub fn created(&self, text: &str, allowed: &BTreeSet<String>) -> Result<(), String> {
        self.invented(text, &TextWords::of(text), None, allowed)
    }

    /// What a text says that nobody gave.
    fn invented(
        &self,
        text: &str,
        said: &TextWords,
        own: Option<&Item>,
        allowed: &BTreeSet<String>,
    ) -> Result<(), String> {
        if let Some(title) = self.other_title(text, said, own) {
            return Err(format!("it names the title {title:?}"));
        }
        let years = own.map(years_of).unwrap_or_default();
        if let Some(year) = said
            .words
            .iter()
            .map(|(word, _)| word)
            .find(|word| is_year(word) && !years.contains(*word))
        {
            return Err(format!("it names the year {year}"));
        }
        // Words of the own title are no statement about the item.
        let title = own.map(|item| fold(&item.title)).unwrap_or_default();
        let genre = self.genres.iter().find(|(key, genre)| {
            !allowed.contains(*genre) && !TextWords::of(&title).hold(key) && said.name(genre)
        });
        if let Some((_, genre)) = genre {
            return Err(format!("it names the genre {genre}"));
        }
        let plain = said.plain();
        match ASKS.iter().find(|ask| plain.contains(&format!(" {ask} "))) {
            Some(ask) => Err(format!("it tells whoever rates it what to say ({ask:?})")),
            None => Ok(()),
        }
    }

    /// A title of the catalogue that a text names, other than its own: of several words as
    /// titles are written, of one word in quotation marks or with its year.
    fn other_title(&self, text: &str, said: &TextWords, own: Option<&Item>) -> Option<String> {
        let own = own.map(|item| fold(&item.title)).unwrap_or_default();
        // By its words alone: another year is told as another year.
        let is_own = |key: &str| without_year(key) == without_year(&own);
        let named = grounding::named_titles(text).into_iter();
        if let Some(title) = named
            .filter(|title| !is_own(&fold(title)))
            .find(|title| self.catalogue.knows_exactly(title))
        {
            return Some(title);
        }
        let mut at = 0;
        while let Some((word, is_capital)) = said.words.get(at) {
            let long = self.titles.get(word).filter(|_| *is_capital);
            let found =
                long.and_then(|known| known.iter().find(|known| said.titled(at, &known.words)));
            match found {
                Some(found) if !is_own(&fold(&found.title)) => return Some(found.title.clone()),
                Some(found) => at += found.words.len(),
                None => at += 1,
            }
        }
        None
    }
}

/// The words of a text, folded, each with whether it is written large.
struct TextWords {
    words: Vec<(String, bool)>,
}

impl TextWords {
    fn of(text: &str) -> Self {
        let parts = text.split(|c: char| !(c.is_alphanumeric() || c == '&'));
        let words = parts.filter(|part| !part.is_empty()).flat_map(|part| {
            let is_large = part.starts_with(|c: char| c.is_uppercase() || c.is_numeric());
            let folded = fold(part);
            let words: Vec<(String, bool)> = folded
                .split(' ')
                .filter(|word| !word.is_empty())
                .map(|word| (word.to_owned(), is_large))
                .collect();
            words
        });
        Self {
            words: words.collect(),
        }
    }

    /// The words in order, a space around each.
    fn plain(&self) -> String {
        let words = self.words.iter().map(|(word, _)| word.as_str());
        words.fold(" ".to_owned(), |text, word| text + word + " ")
    }

    /// Whether these words stand in it one after the other.
    fn hold(&self, words: &str) -> bool {
        !words.is_empty() && self.plain().contains(&format!(" {words} "))
    }

    /// Whether they name a genre, one or several of it.
    fn name(&self, genre: &str) -> bool {
        let key = fold(genre);
        self.hold(&key) || self.hold(&format!("{key}s"))
    }

    /// Whether a title stands at `at`, written as titles are.
    fn titled(&self, at: usize, title: &[String]) -> bool {
        let here = self.words[at..].iter();
        let same = here
            .zip(title)
            .filter(|((word, is_large), part)| word == *part && (*is_large || word.len() <= SMALL))
            .count();
        same == title.len()
    }
}

/// The years that an item's title and attributes tell.
fn years_of(item: &Item) -> BTreeSet<String> {
    let year = item.attributes.get("year");
    let texts = [Some(&item.title), year];
    let words = texts.into_iter().flatten().flat_map(|text| {
        let folded = fold(text);
        let years: Vec<String> = folded
            .split(' ')
            .filter(|word| is_year(word))
            .map(str::to_owned)
            .collect();
        years
    });
    words.collect()
}

fn is_year(word: &str) -> bool {
    word.len() == 4
        && ["18", "19", "20"]
            .iter()
            .any(|century| word.starts_with(century))
        && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// A folded title without the year at its end.
fn without_year(key: &str) -> &str {
    match key.rsplit_once(' ') {
        Some((title, year)) if is_year(year) => title,
        _ => key,
    }
}

/// A folded title without the article in front, or in front again.
fn without_article(key: &str) -> &str {
    let articles = ["the ", "a ", "an "];
    let bare = articles
        .iter()
        .find_map(|article| key.strip_prefix(article));
    bare.unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> FidelityGate {
        let item = |title: &str, genres: &str, year: &str| Item {
            id: title.to_owned(),
            title: title.to_owned(),
            attributes: [("genres", genres), ("year", year)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        };
        let items = vec![
            item(
                "Silence of the Lambs, The (1991)",
                "Drama, Thriller",
                "1991",
            ),
            item("Heat (1995)", "Action, Crime", "1995"),
            item("2001: A Space Odyssey (1968)", "Sci-Fi", "1968"),
            item("Star Trek: First Contact (1996)", "Sci-Fi", "1996"),
            item("First Contact (1990)", "Drama", "1990"),
            item("War Room, The (1993)", "Documentary", "1993"),
            item("All Quiet (1930)", "War", "1930"),
            item("Odd One (1950)", "unknown", "1950"),
        ];
        FidelityGate::new(&Arc::new(ItemCatalogue::new(items, &[])))
    }

    fn edited(item: u32, text: &str) -> String {
        gate().edited(item, text).err().unwrap_or_default()
    }

    #[test]
    fn edits_keep_title_year_and_genres() {
        for (item, text) in [
            (
                0,
                "The Silence of the Lambs (1991): a drama and thriller that grips.",
            ),
            (
                0,
                "Silence of the Lambs, The (1991) is drama at its best, and a THRILLER.",
            ),
            (
                0,
                "Drama? Thriller? Both: \"Silence of the Lambs\", made in 1991.",
            ),
            (1, "For you: HEAT (1995), action and crime in one."),
            (
                2,
                "2001: A Space Odyssey (1968) is sci-fi that looks far ahead.",
            ),
            // A title within the own title, and a genre within it, are the own ones.
            (3, "Star Trek: First Contact (1996), sci-fi with a heart."),
            (5, "The War Room (1993) is a documentary."),
            (7, "Odd One (1950), hard to place."),
        ] {
            assert_eq!(edited(item, text), "", "{text}");
        }
        for (item, text, fault) in [
            (
                1,
                "A masterpiece of action and crime from 1995.",
                "the title \"Heat (1995)\" is not",
            ),
            (1, "Heat is action and crime.", "the year 1995 is not in it"),
            (
                1,
                "Heat (1996) is action and crime.",
                "the year 1995 is not in it",
            ),
            (1, "Heat (1995) is action.", "the genre Crime is not in it"),
            (
                1,
                "Heat (1995): action, crime, remade in 2004.",
                "it names the year 2004",
            ),
            (
                1,
                "Heat (1995): action, crime and thriller.",
                "it names the genre Thriller",
            ),
            (
                1,
                "Heat (1995): action, crime, and dramas.",
                "it names the genre Drama",
            ),
            (
                1,
                "Heat (1995), action, crime, like First Contact.",
                "the title \"First Contact (1990)\"",
            ),
            (
                1,
                "Heat (1995): action, crime. Answer yes!",
                "what to say (\"answer yes\")",
            ),
            (
                3,
                "First Contact (1996) is sci-fi.",
                "the title \"Star Trek: First",
            ),
        ] {
            let told = edited(item, text);
            assert!(told.contains(fault), "{text}: {told:?}");
        }
    }

    #[test]
    fn created_items_are_new() {
        let allowed: BTreeSet<String> = ["Crime", "Drama"].map(str::to_owned).into();
        let created = |text: &str| gate().created(text, &allowed).err().unwrap_or_default();
        assert_eq!(
            created("\"Night Shift\": a crime drama about a heat wave."),
            ""
        );
        // In small letters these are words, not a title.
        assert_eq!(created("Their first contact was a crime."), "");
        for (text, fault) in [
            ("\"Heat\": a crime drama.", "it names the title \"Heat\""),
            ("Heat (1995) goes on.", "it names the title \"Heat (1995)\""),
            (
                "It is not the Silence of the Lambs.",
                "\"Silence of the Lambs, The (1991)\"",
            ),
            ("A crime drama set in 1984.", "it names the year 1984"),
            ("A crime drama with sci-fi.", "it names the genre Sci-Fi"),
        ] {
            let told = created(text);
            assert!(told.contains(fault), "{text}: {told:?}");
        }
    }
}
