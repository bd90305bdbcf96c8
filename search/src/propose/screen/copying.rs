//! Prompts that repeat their examples.

use super::padded;

/// So many words in a row shared with a data text are one copied phrase.
const PHRASE: usize = 6;
/// So many are a copy whatever the prompt's length.
const RUN: usize = 12;
/// So large a share of a prompt's words in copied phrases makes it a copy.
const SHARE: f64 = 0.2;

/// What is in the data, and what prompts said before they saw it.
pub(in crate::propose) struct CopyScreen {
    data: Vec<String>,
    own: Vec<String>,
}

impl CopyScreen {
    pub(super) fn new<'p>(data: &[String], own: impl Iterator<Item = &'p str>) -> Self {
        Self {
            data: data.iter().map(|text| padded(text)).collect(),
            own: own.map(padded).collect(),
        }
    }

    /// Whether any phrase is shared with the data: right for a single line.
    pub(super) fn shares_a_run(&self, text: &str) -> bool {
        self.copied(text).contains(&true)
    }

    /// Whether a prompt copies its examples: twelve words in a row, or a fifth of
    /// its words in phrases of six. A long prompt about the same things shares
    /// single phrases with them; and phrases of the prompts it was made from are no
    /// copies.
    pub(super) fn copies(&self, text: &str) -> bool {
        let copied = self.copied(text);
        let longest = copied
            .split(|copied| !copied)
            .map(<[bool]>::len)
            .max()
            .unwrap_or(0);
        let words = copied.iter().filter(|&&copied| copied).count();
        longest >= RUN || words as f64 >= SHARE * copied.len() as f64 && words > 0
    }

    /// For each word of the text whether it is part of a copied phrase.
    fn copied(&self, text: &str) -> Vec<bool> {
        let text = padded(text);
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut copied = vec![false; words.len()];
        for (start, window) in words.windows(PHRASE).enumerate() {
            let phrase = format!(" {} ", window.join(" "));
            let within = |texts: &[String]| texts.iter().any(|text| text.contains(&phrase));
            if within(&self.data) && !within(&self.own) {
                copied[start..start + PHRASE].fill(true);
            }
        }
        copied
    }
}
