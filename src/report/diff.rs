//! A prompt against the one it replaces, word by word.

use shiftproof_tasks::Prompt;
use similar::{ChangeTag, TextDiff};

/// A run of words that both texts have, or one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Where it occurs.
    pub kind: PieceKind,
    /// The words with their white space.
    pub text: String,
}

/// Where a piece occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PieceKind {
    Both,
    Old,
    New,
}

/// The words of `old` and `new` in one reading order.
pub(crate) fn words(old: &str, new: &str) -> Vec<Piece> {
    let diff = TextDiff::from_words(old, new);
    let mut pieces: Vec<Piece> = Vec::new();
    for change in diff.iter_all_changes() {
        let kind = match change.tag() {
            ChangeTag::Equal => PieceKind::Both,
            ChangeTag::Delete => PieceKind::Old,
            ChangeTag::Insert => PieceKind::New,
        };
        match pieces.last_mut() {
            Some(last) if last.kind == kind => last.text.push_str(change.value()),
            _ => pieces.push(Piece {
                kind,
                text: change.value().to_owned(),
            }),
        }
    }
    pieces
}

/// A prompt as one text: the instruction, then `INPUT -> ANSWER` a line.
pub(crate) fn prompt_text(prompt: &Prompt) -> String {
    let mut text = prompt.instruction.clone();
    for shown in &prompt.demonstrations {
        text.push_str("\n\n");
        text.push_str(&shown.input);
        text.push_str(" -> ");
        text.push_str(&shown.answer);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn changed_words_stand_between_shared_ones() {
        let shown: String = words("Is the review good?", "Is this short review good?")
            .into_iter()
            .map(|piece| match piece.kind {
                PieceKind::Both => piece.text,
                PieceKind::Old => format!("[-{}-]", piece.text),
                PieceKind::New => format!("[+{}+]", piece.text),
            })
            .collect();
        assert_eq!(shown, "Is [-the-][+this short+] review good?");
    }

    proptest! {
        #[test]
        fn both_texts_can_be_read_back(old in "[ab \n]{0,30}", new in "[ab \n]{0,30}") {
            let pieces = words(&old, &new);
            let read = |skip: PieceKind| -> String {
                let kept = pieces.iter().filter(|piece| piece.kind != skip);
                kept.map(|piece| piece.text.as_str()).collect()
            };
            prop_assert_eq!(read(PieceKind::New), old);
            prop_assert_eq!(read(PieceKind::Old), new);
        }
    }
}
