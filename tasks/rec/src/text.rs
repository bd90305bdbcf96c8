//! Items and users as text.

use super::{Item, ItemCatalogue, User};

/// Values of a sentence are cut after this many words (Li et al., "Recformer",
/// KDD 2023, section 3.1, cuts attributes alike).
const WORDS: usize = 32;
/// Attributes of an item that a sentence tells beside its title.
const ATTRIBUTES: usize = 3;
/// The attributes told first; the others follow by name.
const FIRST: [&str; 4] = ["category", "genres", "brand", "year"];

/// `title: Dune (1984); genres: Sci-Fi; year: 1984`: the title and at most
/// three attributes, each of at most 32 words.
pub(super) fn sentence(item: &Item) -> String {
    let mut text = format!("title: {}", words(&item.title));
    let known = |name: &&str| item.attributes.contains_key(*name);
    let first = FIRST.into_iter().filter(known);
    let rest = item
        .attributes
        .keys()
        .map(String::as_str)
        .filter(|name| !FIRST.contains(name));
    for name in first.chain(rest).take(ATTRIBUTES) {
        text.push_str("; ");
        text.push_str(name);
        text.push_str(": ");
        text.push_str(&words(&item.attributes[name]));
    }
    text
}

fn words(text: &str) -> String {
    let kept: Vec<_> = text.split_whitespace().take(WORDS).collect();
    kept.join(" ")
}

/// `age: 24; gender: M`; none where nothing is known.
pub(super) fn profile(user: &User) -> Option<String> {
    let pairs: Vec<_> = user
        .attributes
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    (!pairs.is_empty()).then(|| pairs.join("; "))
}

/// `more popular than 93% of items`.
pub(super) fn popularity(catalogue: &ItemCatalogue, item: u32) -> String {
    let percent = (catalogue.percentile(item) * 100.0).floor();
    format!("more popular than {percent:.0}% of items")
}

/// Every run of white space and control characters as one space.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<_> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_name_three_attributes() {
        let attributes = ["year", "genres", "zeta", "actors"]
            .map(|name| (name.to_owned(), format!("{name} value")));
        let item = Item {
            id: "1".to_owned(),
            title: "word ".repeat(40),
            attributes: attributes.into(),
        };
        let expected = format!(
            "title: {}; genres: genres value; year: year value; actors: actors value",
            ["word"; 32].join(" ")
        );
        assert_eq!(sentence(&item), expected);
        assert_eq!(one_line(" a\r\n b\u{85}c\u{2028}d "), "a b c d");
    }
}
