//! Labels that stand by themselves: leading, set apart, listed.

use super::super::labels::LabelMention;
use super::super::sentence::{self, Sentence, is_closer, is_decor};
use super::super::verdict::HeadedVerdicts;
use super::super::{negation, words};
use super::FoldedReply;

impl FoldedReply<'_> {
    /// The label that the text opens with, set apart by punctuation and neither
    /// the first of a list ("positive, negative") nor a heading.
    pub(super) fn leading(
        &self,
        heads: &[usize],
        verdicts: &HeadedVerdicts,
        cut_off: bool,
    ) -> Option<usize> {
        let first = self.mentions.first()?;
        let before = sentence::without_number(&self.text()[..first.start]);
        if !opens(before) {
            return None;
        }
        let sentence = self
            .sentences
            .iter()
            .find(|s| s.start <= first.start && first.end <= s.end)?;
        if sentence.asks
            && self
                .is_label(&Sentence {
                    asks: false,
                    ..*sentence
                })
                .is_some()
        {
            return None;
        }
        if heads.contains(&0) {
            let explained =
                matches!(verdicts, HeadedVerdicts::Single(_)) && !self.names_another(first);
            return (explained && !cut_off).then_some(first.label);
        }
        (self.is_set_apart(first, cut_off) && !self.is_listed(&self.mentions))
            .then_some(first.label)
    }

    /// Whether another label begins a line, as the next heading would.
    fn names_another(&self, first: &LabelMention) -> bool {
        self.mentions.iter().any(|mention| {
            let line = self.text()[..mention.start]
                .rsplit('\n')
                .next()
                .unwrap_or_default();
            mention.label != first.label && opens(line)
        })
    }

    /// Whether the first mention begins a list of several labels.
    pub(super) fn is_listed(&self, mentions: &[LabelMention]) -> bool {
        const CONNECTORS: [&str; 22] = [
            "or", "and", "not", "maybe", "perhaps", "then", "oder", "und", "ou", "et", "o", "y",
            "e", "of", "en", "или", "и", "или", "lub", "或", "和", "か",
        ];
        let connects = |text: &str| words::words(text).all(|word| CONNECTORS.contains(&word));
        let [first, next, ..] = mentions else {
            return false;
        };
        if next.label == first.label || !connects(&self.text()[first.end..next.start]) {
            return false;
        }
        let after = words::words(&self.text()[next.end..]).next();
        let goes_on = after.is_some_and(|word| CONNECTORS.contains(&word));
        // "Positive, not negative" and "Negative - positive words are few" list
        // nothing, nor do two lines.
        (goes_on || self.is_set_apart(next, false))
            && !negation::denied(&self.text()[first.end..next.start], "")
    }

    /// Whether punctuation or the end follows the mention, closing quotes,
    /// brackets and emphasis aside. Of a text that was cut off the end tells
    /// nothing, nor does what a list may follow.
    pub(super) fn is_set_apart(&self, mention: &LabelMention, cut_off: bool) -> bool {
        const MARKS: [char; 17] = [
            '\n', '.', '!', ',', ';', ':', '(', '–', '—', '。', '、', '،', '।', '→', '|', '…', '=',
        ];
        let rest = &self.text()[mention.end..];
        let rest = words::without_ending(rest.trim_start_matches(is_closer));
        let rest = rest.trim_start_matches(is_closer);
        let spaced = rest.trim_start_matches(' ');
        let Some(next) = spaced.chars().next() else {
            return !cut_off;
        };
        // "B) Sports" names the option by its letter.
        let bracket = self.text()[mention.end..].starts_with(')')
            && !self.text()[..mention.start].ends_with('(');
        if bracket && self.labels.is_letter(mention.label) {
            return true;
        }
        if cut_off {
            return matches!(next, '\n' | '!' | '。')
                || (next == '.' && spaced.len() > 1)
                || (next == ',' && words::words(spaced).count() > 3);
        }
        MARKS.contains(&next)
            // A hyphen is punctuation only when it stands alone.
            || (next == '-' && spaced.len() < rest.len())
            || words::words(spaced).next().is_some_and(|word| {
                spaced.starts_with(word)
                    && matches!(
                        word,
                        "because" | "since" | "as" | "weil" | "da" | "porque" | "car" | "parce" | "perché"
                            | "потому" | "omdat" | "based" | "due"
                    )
            })
    }
}

/// Whether nothing but decoration, or a word for what follows, stands before a
/// label.
pub(super) fn opens(before: &str) -> bool {
    const OPENERS: [&str; 16] = [
        "option",
        "choice",
        "letter",
        "answer",
        "label",
        "class",
        "category",
        "the",
        "antwort",
        "opción",
        "réponse",
        "ответ",
        "答案",
        "选项",
        "は",
        "答案是",
    ];
    before.chars().all(is_decor)
        || (before.chars().all(|c| is_decor(c) || words::is_word(c))
            && words::words(before).count() <= 2
            && words::words(before).all(|word| OPENERS.contains(&word)))
}
