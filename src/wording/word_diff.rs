//! Two prompts word by word, for every screen and report.

use serde::Serialize;
use shiftproof_tasks::Prompt;
use similar::{ChangeTag, TextDiff};

use crate::wording::shown::visible;

/// A run of words with one fate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiffPiece {
    /// What became of it.
    pub change: DiffChange,
    /// The words, white space included.
    pub text: String,
}

impl DiffPiece {
    /// The blanks before, the words, the blanks after: signs stand against the
    /// words.
    pub fn parts(&self) -> (&str, &str, &str) {
        let rest = self.text.trim_start_matches(' ');
        let words = rest.trim_end_matches(' ');
        let lead = self.text.len() - rest.len();
        (&self.text[..lead], words, &rest[words.len()..])
    }
}

/// What became of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiffChange {
    /// In both.
    Kept,
    /// Only in the first.
    Removed,
    /// Only in the second.
    Added,
}

/// The pieces that turn `a` into `b`.
pub fn pieces(a: &str, b: &str) -> Vec<DiffPiece> {
    let mut pieces: Vec<DiffPiece> = Vec::new();
    for change in TextDiff::from_words(a, b).iter_all_changes() {
        let fate = match change.tag() {
            ChangeTag::Equal => DiffChange::Kept,
            ChangeTag::Delete => DiffChange::Removed,
            ChangeTag::Insert => DiffChange::Added,
        };
        match pieces.last_mut().filter(|piece| piece.change == fate) {
            Some(piece) => piece.text.push_str(change.value()),
            None => pieces.push(DiffPiece {
                change: fate,
                text: change.value().to_owned(),
            }),
        }
    }
    tidy(pieces)
}

/// Words in a row that changed are one change: what is gone, then what is new.
/// Blanks kept between two of them belong to both.
fn tidy(pieces: Vec<DiffPiece>) -> Vec<DiffPiece> {
    let mut out: Vec<DiffPiece> = Vec::new();
    let (mut removed, mut added, mut blank) = (String::new(), String::new(), String::new());
    let mut push = |change, text: &mut String| {
        if !text.is_empty() {
            out.push(DiffPiece {
                change,
                text: std::mem::take(text),
            });
        }
    };
    for mut piece in pieces {
        let changed = !removed.is_empty() || !added.is_empty();
        if piece.change == DiffChange::Kept {
            if changed && piece.text.chars().all(|c| c == ' ') {
                blank.push_str(&piece.text);
                continue;
            }
            push(DiffChange::Removed, &mut removed);
            push(DiffChange::Added, &mut added);
            push(DiffChange::Kept, &mut blank);
            push(DiffChange::Kept, &mut piece.text);
            continue;
        }
        for side in [&mut removed, &mut added] {
            if !blank.is_empty() {
                side.push_str(&blank);
            }
        }
        blank.clear();
        match piece.change {
            DiffChange::Removed => removed.push_str(&piece.text),
            _ => added.push_str(&piece.text),
        }
    }
    push(DiffChange::Removed, &mut removed);
    push(DiffChange::Added, &mut added);
    push(DiffChange::Kept, &mut blank);
    out
}

/// A prompt as one text: the instruction, then `INPUT -> ANSWER` for each of its
/// demonstrations.
pub fn flat(prompt: &Prompt) -> String {
    let shown = prompt
        .demonstrations
        .iter()
        .map(|shown| format!("\n\n{} -> {}", shown.input, shown.answer));
    std::iter::once(prompt.instruction.clone())
        .chain(shown)
        .collect()
}

/// A prompt on one line: the instruction, and how many demonstrations follow.
pub fn one_line(prompt: &Prompt) -> String {
    let shown = match prompt.demonstrations.len() {
        0 => String::new(),
        1 => " (+ 1 demonstration)".to_owned(),
        more => format!(" (+ {more} demonstrations)"),
    };
    prompt.instruction.replace('\n', " ") + &shown
}

/// The pieces for a terminal: `[-removed-]{+added+}` as git marks words, or in
/// colour, crossed out in red and green.
pub fn marked(pieces: &[DiffPiece], colour: bool) -> String {
    let mut out = String::new();
    for piece in pieces {
        let (left, right) = match (piece.change, colour) {
            (DiffChange::Kept, _) => ("", ""),
            (DiffChange::Removed, false) => ("[-", "-]"),
            (DiffChange::Added, false) => ("{+", "+}"),
            (DiffChange::Removed, true) => ("\x1b[31;9m", "\x1b[0m"),
            (DiffChange::Added, true) => ("\x1b[32m", "\x1b[0m"),
        };
        let (lead, words, trail) = piece.parts();
        for part in [lead, left, &visible(words), right, trail] {
            out.push_str(part);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(a: &str, b: &str) -> String {
        marked(&pieces(a, b), false)
    }

    #[test]
    fn words_are_marked() {
        assert_eq!(
            shown("Is this review positive?", "Is this text positive or not?"),
            "Is this [-review positive?-]{+text positive or not?+}"
        );
        assert_eq!(shown("Same.", "Same."), "Same.");
        assert_eq!(shown("a\x1b[2Jb", "c"), "[-a\\u{1b}[2Jb-]{+c+}");
    }

    proptest! {
        #[test]
        fn both_texts_are_legible(a in "[abc ]{0,30}", b in "[abc ]{0,30}") {
            let pieces = pieces(&a, &b);
            let without = |gone: DiffChange| -> String {
                pieces.iter().filter(|p| p.change != gone).map(|p| p.text.as_str()).collect()
            };
            prop_assert_eq!(without(DiffChange::Added), a);
            prop_assert_eq!(without(DiffChange::Removed), b);
        }
    }
}
