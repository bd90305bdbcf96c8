//! The numbers of a text, without those of its scale, its lists and its units.

mod scale;

use scale::{
    BEFORE, EMPTY, SCALE, SPELLED, STARS, TO, UNITS, denominator, is_limit, is_starred, leading,
};

use super::fold::{FoldedText, borderless, hangul};
use super::words::words;

/// How a number stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberForm {
    Plain,
    /// In stars or points: "4 stars", "★★★★".
    Starred,
    /// On the scale asked for: "4/5", "4 out of 5".
    Scaled,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FoundNumber {
    pub value: f64,
    pub start: usize,
    pub end: usize,
    pub kind: NumberForm,
    /// Whether it is written as a word, which may be a pronoun ("this one").
    pub spelled: bool,
}

/// A folded text and its numbers.
pub(super) struct NumberText {
    pub text: String,
    pub found: Vec<FoundNumber>,
}

impl NumberText {
    /// The numbers of `text`; `None` if one is on another scale than the one
    /// that ends at `max` ("8/10" where 1 to 5 was asked for).
    pub fn scan(text: &str, min: f64, max: f64, cut_off: bool) -> Option<Self> {
        let halves = text.replace('½', ".5").replace("　", " ");
        let text = digits(FoldedText::new(&halves).text);
        let mut scan = Self {
            found: Vec::new(),
            text,
        };
        let lists = scan.lists();
        let mut at = 0;
        while let Some(c) = scan.text[at..].chars().next() {
            let next = if STARS.contains(&c) {
                scan.stars(at, max)
            } else if c.is_ascii_digit() || c == '.' {
                scan.number(at, max, cut_off, lists)?
            } else if c.is_ascii_lowercase() {
                scan.word(at)
            } else {
                at + c.len_utf8()
            };
            at = next.max(at + c.len_utf8());
        }
        scan.without_ends(min, max)?;
        Some(scan)
    }

    /// Whether several lines begin with numbers: a list.
    fn lists(&self) -> bool {
        let numbered = |line: &&str| {
            let line = line.trim_start_matches([' ', '*', '#']);
            let digits = line.bytes().take_while(u8::is_ascii_digit).count();
            (1..=2).contains(&digits)
                && line[digits..].starts_with(['.', ')'])
                && line[digits + 1..].contains(|c: char| c.is_alphabetic())
        };
        self.text.lines().filter(numbered).count() > 1
    }

    fn before(&self, at: usize) -> Option<char> {
        self.text[..at].chars().next_back()
    }

    /// A row of stars from `at`; its end.
    fn stars(&mut self, at: usize, max: f64) -> usize {
        let row = &self.text[at..];
        let filled = row.chars().take_while(|c| STARS.contains(c)).count();
        let empty = row
            .chars()
            .skip(filled)
            .take_while(|c| EMPTY.contains(c))
            .count();
        let len: usize = row.chars().take(filled + empty).map(char::len_utf8).sum();
        let half = empty == 0 && row[len..].starts_with(".5");
        let after_number = self.text[..at]
            .trim_end()
            .ends_with(|c: char| c.is_ascii_digit());
        let whole = empty == 0 || (filled + empty) as f64 == max;
        let single =
            filled == 1 && empty == 0 && self.text[at + len..].contains(char::is_alphanumeric);
        if whole && !after_number && !single {
            self.found.push(FoundNumber {
                value: filled as f64 + if half { 0.5 } else { 0.0 },
                start: at,
                end: at + len,
                kind: NumberForm::Scaled,
                spelled: false,
            });
        }
        at + len + if half { 2 } else { 0 }
    }

    /// A number from `at`; where to go on. `None` if it is on another scale.
    fn number(&mut self, at: usize, max: f64, cut_off: bool, lists: bool) -> Option<usize> {
        let Some((value, len)) = leading(&self.text[at..]) else {
            return Some(at + 1);
        };
        let end = at + len;
        let before = self.before(at);
        let after = &self.text[end..];
        let next = after.chars().next();
        let joined = |c: char| c.is_alphabetic() && !borderless(c) && !hangul(c);
        // "GPT4" and "4th" are words; so is "gpt-4".
        let word = before.is_some_and(|c| c.is_alphanumeric() && !borderless(c) && !hangul(c))
            || next.is_some_and(joined)
            || (before == Some('-') && self.text[..at - 1].ends_with(|c: char| c.is_alphabetic()));
        // At the end of a cut-off text more digits may have been to come.
        let unfinished = cut_off && after.is_empty();
        // "1.2.3" is a version, and so is ".3".
        let version =
            after.starts_with('.') && after[1..].starts_with(|c: char| c.is_ascii_digit());
        if version {
            let rest = after
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .unwrap_or(after.len());
            return Some(end + rest);
        }
        let line = self.text[..at].rsplit('\n').next().unwrap_or_default();
        let listed =
            lists && line.trim_matches([' ', '*', '#']).is_empty() && after.starts_with(['.', ')']);
        if word || unfinished || listed || before.is_some_and(|c| "$€£#@".contains(c)) {
            return Some(end);
        }
        let year = len == 4 && max < value && (1900.0..2100.0).contains(&value);
        if year || self.is_counted(at, end) {
            return Some(end);
        }
        let negative = before == Some('-')
            && !self.text[..at - 1].ends_with(|c: char| {
                c.is_alphanumeric()
                    || c == ' ' && at > 2 && {
                        // "3 - 4" is a span, "- 4" an item.
                        self.text[..at - 1]
                            .trim_end()
                            .ends_with(|c: char| c.is_ascii_digit())
                    }
            });
        let mut number = FoundNumber {
            value: if negative { -value } else { value },
            start: at,
            end,
            kind: NumberForm::Plain,
            spelled: false,
        };
        let mut go_on = end;
        if after.trim_start().starts_with('%') {
            go_on = end + after.find('%').map_or(0, |at| at + 1);
            if max == 1.0 {
                number.value /= 100.0;
            } else if max != 100.0 {
                return Some(go_on);
            }
        } else if let Some(scale) = denominator(after) {
            if scale.of == max {
                number.kind = NumberForm::Scaled;
                go_on = end + scale.len;
            } else if scale.certain {
                return None;
            }
        } else if is_starred(after) {
            number.kind = NumberForm::Starred;
        }
        number.end = go_on;
        self.found.push(number);
        Some(go_on)
    }

    /// Whether the number counts something else than points.
    fn is_counted(&self, at: usize, end: usize) -> bool {
        let unit = self.text[end..]
            .strip_prefix([' ', '-'])
            .and_then(|rest| words(rest).next().filter(|word| rest.starts_with(word)));
        let named = self.text[..at]
            .strip_suffix([' ', '-'])
            .and_then(|rest| words(rest).next_back().filter(|word| rest.ends_with(word)));
        unit.is_some_and(|unit| UNITS.contains(&unit))
            || named.is_some_and(|name| BEFORE.contains(&name))
    }

    /// A word from `at`, taken if it is a number; its end.
    fn word(&mut self, at: usize) -> usize {
        let rest = &self.text[at..];
        let len = rest
            .find(|c: char| !c.is_alphanumeric() && c != '\'')
            .unwrap_or(rest.len());
        let word = &rest[..len];
        let after = &rest[len..];
        if let Some(value) = SPELLED.iter().position(|spelled| *spelled == word)
            && !after.starts_with('-')
        {
            let scaled = denominator(after).is_some() || is_starred(after);
            self.found.push(FoundNumber {
                value: value as f64,
                start: at,
                end: at + len,
                kind: if scaled {
                    NumberForm::Scaled
                } else {
                    NumberForm::Plain
                },
                spelled: !scaled,
            });
            if scaled && let Some(scale) = denominator(after) {
                return at + len + scale.len;
            }
        }
        at + len
    }

    /// Takes the ends of the scale out: "on a scale from 1 to 5", "(1-5)", "1
    /// being the lowest". `None` if another scale is named.
    fn without_ends(&mut self, min: f64, max: f64) -> Option<()> {
        let mut keep = vec![true; self.found.len()];
        for index in 0..self.found.len() {
            let number = self.found[index];
            let after = &self.text[number.end..];
            let before = &self.text[..number.start];
            let limit = number.value == min || number.value == max;
            if limit && is_limit(before, after) {
                keep[index] = false;
            }
            let Some(next) = self.found.get(index + 1) else {
                continue;
            };
            let between = self.text[number.end..next.start]
                .trim_start_matches(['点', '分', '점', '星'])
                .trim_matches([' ', '"', '*']);
            let value = next.value.abs();
            let joined = TO.contains(&between) || (between.is_empty() && next.value < 0.0);
            if !keep[index] || !joined {
                continue;
            }
            if next.kind == NumberForm::Starred && number.kind == NumberForm::Plain {
                // "between 4 and 5 stars"
                self.found[index].kind = NumberForm::Starred;
            }
            if number.value == min && value == max || number.value == max && value == min {
                keep[index] = false;
                keep[index + 1] = false;
            } else if words(before)
                .rev()
                .take(4)
                .any(|word| SCALE[..9].contains(&word))
            {
                return None;
            }
        }
        let mut keep = keep.into_iter();
        self.found.retain(|_| keep.next().unwrap_or(true));
        Some(())
    }
}

/// Digits of other scripts as ASCII.
fn digits(text: String) -> String {
    if text.is_ascii() {
        return text;
    }
    text.chars()
        .map(|c| {
            let zero = match c {
                '\u{660}'..='\u{669}' => 0x660,
                '\u{6f0}'..='\u{6f9}' => 0x6f0,
                '\u{966}'..='\u{96f}' => 0x966,
                '\u{e50}'..='\u{e59}' => 0xe50,
                _ => return c,
            };
            char::from_digit(u32::from(c) - zero, 10).unwrap_or(c)
        })
        .collect()
}
