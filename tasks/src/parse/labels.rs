//! A closed set of labels, and where a text mentions them.

use std::collections::{BTreeMap, BTreeSet};

use super::fold::{FoldedText, borderless, hangul, plain};
use super::number::RatingScale;
use super::words;

/// A place where a label stands in a folded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LabelMention {
    pub label: usize,
    pub start: usize,
    pub end: usize,
}

/// How alike two spellings may be and still be told apart. The first under
/// which all labels of a set differ is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LabelFolding {
    /// Case, accents' encoding, and what joins words: "Sci Fi", "sci-fi",
    /// "`sci_fi`" and "`SciFi`" are one.
    Joined,
    /// Case and accents' encoding; something must join the words.
    Spaced,
    /// Case and accents' encoding.
    Case,
    /// Letter for letter.
    Exact,
}

/// One spelling of a label: its words, and what may stand between them.
struct LabelPattern {
    label: usize,
    words: Vec<String>,
    /// Longest first where several match.
    len: usize,
}

/// Labels ready to be found in text.
pub(super) struct LabelSet {
    folding: LabelFolding,
    patterns: Vec<LabelPattern>,
    /// Patterns by their first character.
    by_first: BTreeMap<char, Vec<usize>>,
    /// Whether the label is too short or too common a word to be meant wherever
    /// it stands.
    weak: Vec<bool>,
    /// Whether the label is a single letter.
    letter: Vec<bool>,
    pub names: Vec<String>,
    /// The numbers that the labels are, if they are.
    pub scale: Option<RatingScale>,
}

impl LabelSet {
    pub fn new(names: &[String]) -> Self {
        let distinct: BTreeSet<&str> = names.iter().map(|name| name.trim()).collect();
        let folding = [
            LabelFolding::Joined,
            LabelFolding::Spaced,
            LabelFolding::Case,
        ]
        .into_iter()
        .find(|folding| {
            let keys: BTreeSet<String> = distinct
                .iter()
                .map(|name| key(&segments(name, *folding), *folding))
                .collect();
            keys.len() == distinct.len()
        })
        .unwrap_or(LabelFolding::Exact);
        let mut set = Self {
            folding,
            patterns: Vec::with_capacity(names.len()),
            by_first: BTreeMap::new(),
            weak: Vec::with_capacity(names.len()),
            letter: Vec::with_capacity(names.len()),
            names: names.to_vec(),
            scale: RatingScale::of(names),
        };
        for (label, name) in names.iter().enumerate() {
            let words = segments(name.trim(), folding);
            let joined = words.concat();
            set.weak.push(words::is_weak(&joined));
            let mut chars = joined.chars();
            set.letter
                .push(chars.next().is_some_and(char::is_alphabetic) && chars.next().is_none());
            set.add(label, words);
        }
        if folding != LabelFolding::Exact {
            set.add_inflected();
        }
        set
    }

    fn add(&mut self, label: usize, words: Vec<String>) {
        let Some(first) = words.first().and_then(|word| word.chars().next()) else {
            return;
        };
        self.by_first
            .entry(first)
            .or_default()
            .push(self.patterns.len());
        let len = words.iter().map(String::len).sum();
        self.patterns.push(LabelPattern { label, words, len });
    }

    /// Adjectives agree with nouns in many languages: "eine positive Bewertung",
    /// "la reseña es positiva". Forms that two labels share are left out.
    fn add_inflected(&mut self) {
        let mut forms: BTreeMap<String, Option<usize>> = BTreeMap::new();
        for pattern in &self.patterns {
            forms.insert(pattern.words.concat(), None);
        }
        for pattern in &self.patterns {
            let [word] = pattern.words.as_slice() else {
                continue;
            };
            for form in words::inflected(word) {
                forms
                    .entry(form)
                    .and_modify(|label| *label = label.filter(|known| *known == pattern.label))
                    .or_insert(Some(pattern.label));
            }
        }
        for (form, label) in forms {
            if let Some(label) = label {
                self.add(label, vec![form]);
            }
        }
    }

    pub fn is_weak(&self, label: usize) -> bool {
        self.weak[label]
    }

    pub fn is_letter(&self, label: usize) -> bool {
        self.letter[label]
    }

    /// The text as these labels are compared with it.
    pub fn fold(&self, text: &str) -> FoldedText {
        if self.folding == LabelFolding::Exact {
            FoldedText::exact(text)
        } else {
            FoldedText::new(text)
        }
    }

    /// Every label in `text`, the longest where one holds another.
    pub fn mentions(&self, folded: &FoldedText) -> Vec<LabelMention> {
        let text = folded.text.as_str();
        let mut found: Vec<LabelMention> = Vec::new();
        let mut free = 0;
        let mut before = None;
        for (start, c) in text.char_indices() {
            if start >= free
                && let Some(patterns) = self.by_first.get(&c)
                && !continues(c, before, || {
                    text[..start].chars().rev().nth(1)
                })
                // A Korean word may begin with what is a label elsewhere.
                && !(hangul(c) && before.is_some_and(hangul))
            {
                let longest = patterns
                    .iter()
                    .filter_map(|&index| {
                        let pattern = &self.patterns[index];
                        let end = self.ends(pattern, text, start)?;
                        self.stands(pattern.label, folded, start, end).then_some((
                            end,
                            pattern.len,
                            pattern.label,
                        ))
                    })
                    .max_by_key(|(end, len, label)| (*end, *len, std::cmp::Reverse(*label)));
                if let Some((end, _, label)) = longest {
                    found.push(LabelMention { label, start, end });
                    free = end;
                }
            }
            before = Some(c);
        }
        found
    }

    /// Where the pattern ends if it stands at `start`.
    fn ends(&self, pattern: &LabelPattern, text: &str, start: usize) -> Option<usize> {
        let mut at = start;
        for (index, word) in pattern.words.iter().enumerate() {
            if index > 0 {
                let joiners = text[at..]
                    .bytes()
                    .take_while(|b| b" -_/".contains(b))
                    .count();
                let (least, most) = match self.folding {
                    LabelFolding::Joined => (0, 3),
                    LabelFolding::Spaced => (1, 3),
                    LabelFolding::Case | LabelFolding::Exact => (0, 0),
                };
                if joiners < least || joiners > most {
                    return None;
                }
                at += joiners;
            }
            let rest = &text[at..];
            at += if rest.starts_with(word.as_str()) {
                word.len()
            } else if word == "&" && rest.starts_with("and") {
                3
            } else if word == "and" && rest.starts_with('&') && pattern.words.len() > 1 {
                1
            } else {
                return None;
            };
        }
        Some(at)
    }

    /// Whether the mention is a word of its own, and meant as the label.
    fn stands(&self, label: usize, folded: &FoldedText, start: usize, end: usize) -> bool {
        let text = folded.text.as_str();
        let last = text[start..end].chars().next_back().unwrap_or(' ');
        let after = text[end..].chars().next();
        if hangul(last) && after.is_some_and(hangul) {
            if !words::is_particle(&text[end..]) {
                return false;
            }
        } else if continues(last, after, || text[end..].chars().nth(1)) {
            return false;
        }
        if self.letter[label] && last.is_ascii() && !folded.is_capital(start) {
            // "a good film": a letter is meant where it is marked as one.
            let marked = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != ' ');
            if !(marked(text[..start].chars().next_back()) && marked(after)) {
                return false;
            }
        }
        !words::goes_on(&text[start..end], &text[end..])
    }
}

/// Looking outwards from an edge: a letter goes on with the word, and so does a
/// joiner with a letter behind it ("non-positive", "4.5", "4/5"). Scripts without
/// spaces have no such edge.
fn continues(edge: char, near: Option<char>, far: impl Fn() -> Option<char>) -> bool {
    let Some(near) = near else { return false };
    if !edge.is_alphanumeric() || borderless(edge) || borderless(near) {
        return false;
    }
    if near.is_ascii() {
        if near.is_ascii_alphanumeric() {
            return true;
        }
        if !matches!(near, '-' | '\'' | '_' | '.' | ',' | '/') {
            return false;
        }
        let far = far();
        return far.is_some_and(|far| {
            (matches!(near, '-' | '_') && far.is_alphanumeric() && !borderless(far))
                || (near == '\'' && far.is_alphabetic())
                || (matches!(near, '.' | ',' | '/') && edge.is_numeric() && far.is_numeric())
        });
    }
    // Korean particles follow Latin words and digits without space.
    near.is_alphanumeric() && (!hangul(near) || hangul(edge))
}

/// The words of a label under a folding.
fn segments(name: &str, folding: LabelFolding) -> Vec<String> {
    if folding == LabelFolding::Exact {
        let text = FoldedText::exact(name).text;
        return (!text.is_empty()).then_some(text).into_iter().collect();
    }
    let folded = FoldedText::new(name);
    let whole = folded.text.trim().to_owned();
    let letters = whole.chars().filter(|c| c.is_alphanumeric()).count();
    if folding == LabelFolding::Case || letters <= 2 {
        return (!whole.is_empty()).then_some(whole).into_iter().collect();
    }
    let mut words = vec![String::new()];
    let mut last = ' ';
    for (at, c) in folded.text.char_indices() {
        if matches!(c, ' ' | '-' | '_' | '/') {
            words.push(String::new());
        } else {
            let hump = folded.is_capital(at) && last.is_lowercase() && {
                let before = folded.text[..at].chars().next_back();
                !before.is_some_and(|_| folded.is_capital(at - last.len_utf8()))
            };
            let number = c.is_ascii_digit()
                && words
                    .last()
                    .is_some_and(|word| word.len() > 2 && word.chars().all(char::is_alphabetic));
            if hump || number {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.push(c);
            }
        }
        last = c;
    }
    words.retain(|word| !word.is_empty());
    if words.is_empty() && !whole.is_empty() {
        words.push(whole);
    }
    words
}

fn key(words: &[String], folding: LabelFolding) -> String {
    let joint = if folding == LabelFolding::Joined {
        ""
    } else {
        " "
    };
    let words: Vec<&str> = words
        .iter()
        .map(|word| if word == "&" { "and" } else { word.as_str() })
        .collect();
    words.join(joint)
}

/// The label that the whole text is, letter for letter.
pub(super) fn exact(names: &[String], text: &str) -> Option<usize> {
    names
        .iter()
        .position(|name| name == text)
        .or_else(|| names.iter().position(|name| name.trim() == text.trim()))
        .or_else(|| {
            // Cheap and most frequent: only the case differs.
            let text = text.trim().trim_end_matches('.');
            let mut same = names
                .iter()
                .enumerate()
                .filter(|(_, name)| name.trim().eq_ignore_ascii_case(text));
            let (index, _) = same.next()?;
            same.next().is_none().then_some(index)
        })
}

impl FoldedText {
    /// As [`plain`], letter for letter.
    fn exact(text: &str) -> Self {
        let mut folded = Self::new("");
        folded.text = plain(text).into_owned();
        folded
    }
}
