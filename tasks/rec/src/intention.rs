//! What a user might say to be looking for, made of what is known of the item that they
//! took, and never of its title.

use std::collections::BTreeMap;

use shiftproof_tasks::parse::title_matcher::fold;

use super::{Item, ItemCatalogue};

/// How closely an intention describes what is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum IntentionDetail {
    /// One category: `Comedy`.
    Vague,
    /// All that is known: `genres: Comedy, Drama; year: 1994`.
    Specific,
}

/// Intentions by the title of what was looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct IntentionTexts(BTreeMap<String, [String; 2]>);

impl IntentionTexts {
    pub fn of(catalogue: &ItemCatalogue) -> Self {
        let of = |title: &str| {
            let item = catalogue.find(title)?;
            let first = catalogue.genres(item).iter().next().map(String::as_str);
            let item = &catalogue.items()[item as usize];
            Some((title.to_owned(), [vague(item, first), specific(item)]))
        };
        Self(catalogue.titles().filter_map(of).collect())
    }

    /// Empty where nothing is known of the item, or nothing that its title does not say.
    pub fn text(&self, title: &str, detail: IntentionDetail) -> &str {
        self.0
            .get(title)
            .map_or("", |texts| texts[detail as usize].as_str())
    }
}

/// The words of a title without a year at its end.
fn name(title: &str) -> String {
    let title = match title.trim_end().rsplit_once(" (") {
        Some((name, year)) if year.len() == 5 && year.ends_with(')') => name,
        _ => title,
    };
    fold(title)
}

/// Whether a text gives the title away.
pub(crate) fn tells(text: &str, title: &str) -> bool {
    let said = format!(" {} ", fold(text));
    [name(title), fold(title)]
        .iter()
        .any(|title| !title.is_empty() && said.contains(&format!(" {title} ")))
}

fn vague(item: &Item, first: Option<&str>) -> String {
    match first {
        Some(kind) if !tells(kind, &item.title) => kind.to_owned(),
        _ => String::new(),
    }
}

fn specific(item: &Item) -> String {
    let mut text = String::new();
    for (key, value) in &item.attributes {
        // Values are dropped one by one, and again where two together tell the title.
        let values: Vec<&str> = value
            .split(", ")
            .filter(|value| !tells(value, &item.title))
            .collect();
        if values.is_empty() {
            continue;
        }
        let joint = if text.is_empty() { "" } else { "; " };
        let longer = format!("{text}{joint}{key}: {}", values.join(", "));
        if !tells(&longer, &item.title) {
            text = longer;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn item(title: &str, attributes: &[(&str, &str)]) -> Item {
        let attributes = attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Item {
            id: title.to_owned(),
            title: title.to_owned(),
            attributes: attributes.collect(),
        }
    }

    fn texts(item: Item) -> [String; 2] {
        let title = item.title.clone();
        let texts = IntentionTexts::of(&ItemCatalogue::new(vec![item], &[]));
        [IntentionDetail::Vague, IntentionDetail::Specific]
            .map(|detail| texts.text(&title, detail).to_owned())
    }

    #[test]
    fn intentions_say_what_is_known() {
        let film = item(
            "Heat (1995)",
            &[("genres", "Crime, Thriller"), ("year", "1995")],
        );
        assert_eq!(
            texts(film),
            ["Crime", "genres: Crime, Thriller; year: 1995"]
        );
        // The year is the title, the brand part of it, and the series says it outright.
        let book = item("1984 (1984)", &[("genres", "Novel"), ("year", "1984")]);
        assert_eq!(texts(book), ["Novel", "genres: Novel"]);
        let toy = item(
            "Acme Duck",
            &[("brand", "ACME"), ("series", "The acme-duck line")],
        );
        assert_eq!(texts(toy), ["", "brand: ACME"]);
        assert_eq!(texts(item("Up", &[])), ["", ""]);
    }

    proptest! {
        #[test]
        fn intentions_never_tell_the_title(
            title in "(The |A )?[A-Ca-c]{1,3}( [a-c0-9]{1,3}){0,2}( \\([0-9]{4}\\))?",
            attributes in prop::collection::btree_map(
                prop::sample::select(vec!["brand", "category", "genres", "series", "year"]),
                "[A-Ca-c0-9]{1,3}([ ,-]{1,2}[a-c0-9]{1,3}){0,4}",
                0..5,
            ),
        ) {
            let pairs: Vec<(&str, &str)> = attributes.iter().map(|(k, v)| (*k, v.as_str())).collect();
            for text in texts(item(&title, &pairs)) {
                prop_assert!(!tells(&text, &title), "{text:?} tells {title:?}");
            }
        }
    }
}
