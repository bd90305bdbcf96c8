//! Two prompts word by word.

use serde::Serialize;
use shiftproof_tasks::Prompt;
use similar::{ChangeTag, TextDiff};

/// A run of words with one fate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// What became of it.
    pub change: Change,
    /// The words, white space included.
    pub text: String,
}

/// What became of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// In both.
    Kept,
    /// Only in the first.
    Removed,
    /// Only in the second.
    Added,
}

/// The pieces that turn `a` into `b`.
pub fn pieces(a: &Prompt, b: &Prompt) -> Vec<Piece> {
    let (a, b) = (flat(a), flat(b));
    let mut pieces: Vec<Piece> = Vec::new();
    for change in TextDiff::from_words(&a, &b).iter_all_changes() {
        let fate = match change.tag() {
            ChangeTag::Equal => Change::Kept,
            ChangeTag::Delete => Change::Removed,
            ChangeTag::Insert => Change::Added,
        };
        match pieces.last_mut().filter(|piece| piece.change == fate) {
            Some(piece) => piece.text.push_str(change.value()),
            None => pieces.push(Piece {
                change: fate,
                text: change.value().to_owned(),
            }),
        }
    }
    tidy(pieces)
}

/// A lone space kept between two changed words would cut one change into many:
/// it joins the changes beside it.
fn tidy(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::new();
    let mut removed = String::new();
    let mut added = String::new();
    let flush = |out: &mut Vec<Piece>, removed: &mut String, added: &mut String| {
        for (change, text) in [(Change::Removed, removed), (Change::Added, added)] {
            if !text.is_empty() {
                out.push(Piece {
                    change,
                    text: std::mem::take(text),
                });
            }
        }
    };
    let count = pieces.len();
    for (at, piece) in pieces.into_iter().enumerate() {
        let between = at > 0 && at + 1 < count && (!removed.is_empty() || !added.is_empty());
        match piece.change {
            Change::Removed => removed.push_str(&piece.text),
            Change::Added => added.push_str(&piece.text),
            Change::Kept
                if between && piece.text == " " && !removed.is_empty() && !added.is_empty() =>
            {
                removed.push(' ');
                added.push(' ');
            }
            Change::Kept => {
                flush(&mut out, &mut removed, &mut added);
                out.push(piece);
            }
        }
    }
    flush(&mut out, &mut removed, &mut added);
    out
}

/// A prompt as one text: the instruction, then its demonstrations.
pub fn flat(prompt: &Prompt) -> String {
    let shown = prompt
        .demonstrations
        .iter()
        .map(|shown| format!("\n{} -> {}", shown.input, shown.answer));
    std::iter::once(prompt.instruction.clone())
        .chain(shown)
        .collect()
}

/// The pieces for a terminal: `[-removed-]{+added+}` as git marks words, or in
/// colour, crossed out in red and green.
pub fn marked(pieces: &[Piece], colour: bool) -> String {
    pieces
        .iter()
        .map(|piece| {
            let text = visible(&piece.text);
            match (piece.change, colour) {
                (Change::Kept, _) => text,
                (Change::Removed, false) => format!("[-{text}-]"),
                (Change::Added, false) => format!("{{+{text}+}}"),
                (Change::Removed, true) => format!("\x1b[31;9m{text}\x1b[0m"),
                (Change::Added, true) => format!("\x1b[32m{text}\x1b[0m"),
            }
        })
        .collect()
}

/// Control characters written out: a prompt must not steer the terminal.
pub fn visible(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut out, c| {
            if c.is_control() && c != '\n' && c != '\t' {
                out.extend(c.escape_default());
            } else {
                out.push(c);
            }
            out
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(a: &str, b: &str) -> String {
        marked(&pieces(&Prompt::new(a), &Prompt::new(b)), false)
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
        fn both_texts_can_be_read_off(a in "[abc ]{0,30}", b in "[abc ]{0,30}") {
            let (a, b) = (Prompt::new(a), Prompt::new(b));
            let pieces = pieces(&a, &b);
            let without = |gone: Change| -> String {
                pieces.iter().filter(|p| p.change != gone).map(|p| p.text.as_str()).collect()
            };
            prop_assert_eq!(without(Change::Added), a.instruction);
            prop_assert_eq!(without(Change::Removed), b.instruction);
        }
    }
}
