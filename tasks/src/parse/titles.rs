//! Titles as they are compared.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::fold::plain;

/// Whether the word, in lower case, is an article that catalogues move behind a
/// title.
pub(super) fn is_article(word: &str) -> bool {
    const ARTICLES: [&str; 30] = [
        "the", "a", "an", "la", "le", "les", "l", "el", "il", "lo", "los", "las", "gli", "i",
        "der", "die", "das", "den", "ein", "eine", "un", "une", "una", "uno", "o", "os", "as",
        "um", "de", "het",
    ];
    ARTICLES.contains(&word)
}

/// Words in lower case, one space between them, an article that was moved to the
/// end back in front: "Godfather, The (1972)" is "the godfather 1972". Accents
/// are dropped and "&" is "and".
pub fn fold(text: &str) -> String {
    let moved = text.find(", ").and_then(|comma| {
        let rest = &text[comma + 2..];
        let article: String = rest.chars().take_while(|c| c.is_alphabetic()).collect();
        let after = rest[article.len()..].trim_start_matches(['\'', '’', ' ']);
        (is_article(&article.to_lowercase()) && (after.is_empty() || after.starts_with('(')))
            .then(|| format!("{article} {} {after}", &text[..comma]))
    });
    words(moved.as_deref().unwrap_or(text))
}

/// Words in lower case, one space between them.
pub(super) fn words(text: &str) -> String {
    let text = plain(text);
    let mut out = String::with_capacity(text.len());
    if text.is_ascii() {
        text.chars().for_each(|c| push(&mut out, c));
    } else {
        text.nfd().for_each(|c| push(&mut out, c));
    }
    out.truncate(out.trim_end().len());
    out
}

fn push(out: &mut String, c: char) {
    let part = |out: &mut String| {
        if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
    };
    match c {
        c if c.is_ascii_alphanumeric() => out.push(c.to_ascii_lowercase()),
        '&' => {
            part(out);
            out.push_str("and ");
        }
        // Accents, parted from their letters by the decomposition.
        '\u{300}'..='\u{36f}' => {}
        c if !c.is_ascii() && (c.is_alphanumeric() || is_combining_mark(c)) => {
            out.extend(c.to_lowercase());
        }
        _ => part(out),
    }
}

/// A folded title without the year at its end.
pub(super) fn without_year(key: &str) -> &str {
    match key.rsplit_once(' ') {
        Some((title, year)) if is_year(year) => title,
        _ => key,
    }
}

fn is_year(word: &str) -> bool {
    word.len() == 4
        && (word.starts_with("19") || word.starts_with("20"))
        && word.bytes().all(|b| b.is_ascii_digit())
}

/// Whether two folded titles may be one and the same by their numbers: "Alien 3"
/// is not "Alien 2", "Sabrina 1954" not "Sabrina 1995". A year may be missing or
/// off by one.
pub(super) fn numbers_agree(a: &str, b: &str) -> bool {
    let year = |key: &str| -> Option<i32> {
        let (_, last) = key.rsplit_once(' ')?;
        is_year(last).then(|| last.parse().ok()).flatten()
    };
    let parts = |key: &str| -> Vec<String> {
        without_year(key)
            .split(' ')
            .filter(|word| word.bytes().all(|b| b.is_ascii_digit()) || is_roman(word))
            .map(str::to_owned)
            .collect()
    };
    let years = match (year(a), year(b)) {
        (Some(a), Some(b)) => (a - b).abs() <= 1,
        _ => true,
    };
    let (numbers_a, numbers_b) = (parts(a), parts(b));
    // Letters that changed places make numbers of their own: "Par tII".
    let slipped = || {
        let sorted = |text: &str| {
            let mut chars: Vec<char> = text.chars().filter(|c| *c != ' ').collect();
            chars.sort_unstable();
            chars
        };
        (numbers_a.len() != numbers_b.len() || numbers_a.iter().any(|number| number.len() > 2))
            && sorted(a) == sorted(b)
    };
    (years && numbers_a == numbers_b) || slipped()
}

/// Whether the word counts the parts of a series.
pub(super) fn is_part(word: &str) -> bool {
    is_roman(word) || ((1..=2).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit()))
}

fn is_roman(word: &str) -> bool {
    matches!(
        word,
        "ii" | "iii" | "iv" | "v" | "vi" | "vii" | "viii" | "ix" | "x"
    )
}
