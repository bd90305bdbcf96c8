//! What a text names as titles, so that it can be held to what was shown.

/// Longest title looked for, in bytes.
const LONGEST: usize = 120;

/// Texts in double quotation marks or, unquoted, capitalised words before a year in
/// brackets, in the order of the text.
pub(super) fn named_titles(text: &str) -> Vec<String> {
    let mut found = quoted(text);
    for (at, _) in text.match_indices('(') {
        let year: String = text[at..].chars().take(6).collect();
        if has_year(&year)
            && let Some(title) = before(&text[..at])
            && !found.iter().any(|known| known.contains(&title))
        {
            found.push(format!("{title} {year}"));
        }
    }
    found
}

/// Whether a text ends in a year in brackets.
pub(super) fn has_year(text: &str) -> bool {
    let digits = text
        .trim_end()
        .strip_suffix(')')
        .and_then(|text| text.rsplit_once('('));
    digits.is_some_and(|(_, year)| year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()))
}

fn quoted(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (open, close) in [('"', '"'), ('“', '”'), ('«', '»')] {
        let mut rest = text;
        while let Some((_, after)) = rest.split_once(open)
            && let Some((inner, behind)) = after.split_once(close)
        {
            let inner = inner.trim().trim_end_matches([',', '.']);
            if !inner.is_empty() && inner.len() <= LONGEST {
                found.push(inner.to_owned());
            }
            rest = behind;
        }
    }
    found
}

/// The capitalised words that a text ends in, with small words between them.
fn before(text: &str) -> Option<String> {
    const BETWEEN: [&str; 10] = ["of", "the", "and", "a", "in", "to", "for", "on", "at", "&"];
    let capital = |word: &&str| {
        word.chars()
            .next()
            .is_some_and(|c| c.is_uppercase() || c.is_ascii_digit())
    };
    let mut words: Vec<&str> = Vec::new();
    for word in text.split_whitespace().rev() {
        let ends = word.ends_with(['.', '!', '?', ';']) && !words.is_empty();
        if ends || !(capital(&word) || BETWEEN.contains(&word)) {
            break;
        }
        words.push(word);
    }
    while words.last().is_some_and(|word| !capital(word)) {
        words.pop();
    }
    words.reverse();
    (!words.is_empty()).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_found_where_prose_names_them() {
        let text = "You liked Heat (1995) and “Up”, so The Silence of the Lambs (1991) or \
                    \"Toy Story (1995)\" fits; it is a thriller (with a twist).";
        assert_eq!(
            named_titles(text),
            [
                "Toy Story (1995)",
                "Up",
                "Heat (1995)",
                "The Silence of the Lambs (1991)"
            ]
        );
        assert_eq!(
            named_titles("A warm comedy for you (really)."),
            Vec::<String>::new()
        );
        assert_eq!(
            named_titles("It was made then (1995)."),
            Vec::<String>::new()
        );
        assert!(has_year("Big (1988)") && !has_year("Big (19888)") && !has_year("1988"));
    }
}
