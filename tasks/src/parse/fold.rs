//! Text as it is compared: one spelling of what looks or means the same.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfkc};
use unicode_script::{Script, UnicodeScript};

/// The text with HTML entities and the backslashes of Markdown undone, in NFKC:
/// accents composed, full-width letters and punctuation as ASCII.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    if text.contains('&') && text.contains(';') {
        text = Cow::Owned(without_entities(&text));
    }
    if text.contains('\\') {
        text = Cow::Owned(without_escapes(&text));
    }
    if !text.is_ascii() && !is_nfkc(&text) {
        text = Cow::Owned(text.nfkc().collect());
    }
    text
}

fn without_entities(text: &str) -> String {
    const NAMED: [(&str, char); 10] = [
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("nbsp", ' '),
        ("rsquo", '\u{2019}'),
        ("lsquo", '\u{2018}'),
        ("ndash", '–'),
        ("mdash", '—'),
    ];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let name = rest.bytes().take(9).position(|b| b == b';');
        let known = name.and_then(|end| {
            let name = rest.get(..end)?;
            let c = match name.strip_prefix('#') {
                Some(hex) if hex.starts_with(['x', 'X']) => u32::from_str_radix(&hex[1..], 16)
                    .ok()
                    .and_then(char::from_u32),
                Some(number) => number.parse().ok().and_then(char::from_u32),
                None => NAMED.iter().find(|(n, _)| *n == name).map(|(_, c)| *c),
            }?;
            Some((c, end))
        });
        match known {
            Some((c, end)) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            None => out.push('&'),
        }
    }
    out.push_str(rest);
    out
}

/// Markdown escapes punctuation: `not\_spam`.
fn without_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let escapes = c == '\\' && chars.peek().is_some_and(char::is_ascii_punctuation);
        if !escapes {
            out.push(c);
        } else if let Some(next) = chars.next() {
            out.push(next);
        }
    }
    out
}

/// [`plain`] text in lower case, one kind of apostrophe, quote and hyphen,
/// spaces collapsed, line ends kept, invisible characters dropped.
pub(super) struct FoldedText {
    pub text: String,
    /// Places in `text` whose letter was a capital.
    capitals: Vec<usize>,
}

impl FoldedText {
    pub fn new(text: &str) -> Self {
        let text = plain(text);
        let mut folded = Self {
            text: String::with_capacity(text.len()),
            capitals: Vec::new(),
        };
        for c in text.chars() {
            folded.push(c);
        }
        folded
    }

    fn push(&mut self, c: char) {
        match c {
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => self.text.push('\n'),
            'a'..='z' => self.text.push(c),
            'A'..='Z' => {
                self.capitals.push(self.text.len());
                self.text.push(c.to_ascii_lowercase());
            }
            c if c.is_whitespace() => {
                if !self.text.ends_with(' ') {
                    self.text.push(' ');
                }
            }
            c if c.is_ascii() => self.text.push(c),
            '’' | '‘' | '`' | '´' | 'ʼ' => self.text.push('\''),
            '“' | '”' | '„' | '«' | '»' | '「' | '」' | '『' | '』' | '《' | '》' => {
                self.text.push('"');
            }
            '‐' | '‑' | '−' => self.text.push('-'),
            // Zero-width characters, direction marks, soft hyphens, the
            // selectors of emoji presentation and skin.
            '\u{ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
            | '\u{fe0e}'
            | '\u{fe0f}'
            | '\u{1f3fb}'..='\u{1f3ff}' => {}
            // Upper case first: one spelling of ß and ss, ς and σ, ı and i.
            c => {
                if c.is_uppercase() {
                    self.capitals.push(self.text.len());
                }
                for lower in c.to_uppercase().flat_map(char::to_lowercase) {
                    if lower != '\u{307}' || !self.text.ends_with('i') {
                        self.text.push(lower);
                    }
                }
            }
        }
    }

    /// Blanks what the text quotes at length: an echo of the question, in which
    /// neither labels nor negations are the model's own. A text that is one quote
    /// is kept.
    pub fn forget_quotes(&mut self) {
        const MANY: usize = 4;
        const LONG: usize = 10;
        if !self.text.contains('"') {
            return;
        }
        let quotes: Vec<usize> = self.text.match_indices('"').map(|(at, _)| at).collect();
        let mut blank: Vec<std::ops::Range<usize>> = Vec::new();
        let mut open = None;
        for at in quotes {
            let Some(start) = open.replace(at) else {
                continue;
            };
            let inside = &self.text[start + 1..at];
            if inside.contains('\n') {
                continue;
            }
            let spaceless = inside.chars().any(borderless);
            let long = inside.split_whitespace().count() >= MANY
                || (spaceless && inside.chars().count() >= LONG);
            let whole =
                self.text[..start].trim().is_empty() && self.text[at + 1..].trim().is_empty();
            if long && !whole {
                blank.push(start + 1..at);
            }
            open = None;
        }
        for range in blank {
            let spaces = " ".repeat(range.len());
            self.text.replace_range(range, &spaces);
        }
    }

    pub fn is_capital(&self, at: usize) -> bool {
        self.capitals.binary_search(&at).is_ok()
    }
}

/// Whether words of the character's script stand next to each other without
/// space.
pub(super) fn borderless(c: char) -> bool {
    c >= '\u{e00}'
        && (c == 'ー'
            || matches!(
                c.script(),
                Script::Han
                    | Script::Hiragana
                    | Script::Katakana
                    | Script::Bopomofo
                    | Script::Thai
                    | Script::Lao
                    | Script::Khmer
                    | Script::Myanmar
                    | Script::Tibetan
            ))
}

/// Whether the character is of the Korean script, whose particles are joined to
/// the word before them.
pub(super) fn hangul(c: char) -> bool {
    c >= '\u{1100}' && c.script() == Script::Hangul
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(FoldedText::new(text).text, expected, "{text:?}");
    }

    #[test]
    fn lookalike_texts_are_equal() {
        check("Ne\u{301}gatif", "négatif");
        check("ＡＢ：１", "ab:1");
        check("Food &amp; Drink", "food & drink");
        check("R&D; &unknown; &#39;a&#x27;", "r&d; &unknown; 'a'");
        check("not\\_spam", "not_spam");
        check("Straße STRASSE", "strasse strasse");
        check("ΛΌΓΟΣ λόγος", "λόγοσ λόγοσ");
        check("İYİ ILIK", "iyi ilik");
        check("a\u{a0} \tb\r\nc", "a b\n\nc");
        check("❤\u{fe0f}", "❤");
    }

    #[test]
    fn scripts_fold_alike() {
        assert!("正カひไລခក".chars().all(borderless));
        assert!(!"aяहا한".chars().any(borderless));
        assert!(hangul('한') && !hangul('漢'));
    }
}
