//! Prompts that repeat their examples.

use super::padded;

/// So many words in a row shared with a data text are one copied phrase.
const PHRASE: usize = 6;
/// So many are a copy whatever the prompt's length.
const RUN: usize = 12;
/// A quotation of so many words that one example alone has is that example's:
/// often a name or a number of a customer.
const QUOTED: usize = 2;
/// So large a share of a prompt's words in copied phrases makes it a copy.
const SHARE: f64 = 0.2;

/// What is in the data, and what prompts said before they saw it.
pub(in crate::propose) struct CopyScreen {
    data: Vec<String>,
    own: Vec<String>,
}

impl CopyScreen {
    pub(super) fn new<'d, 'p>(
        data: impl Iterator<Item = &'d str>,
        own: impl Iterator<Item = &'p str>,
    ) -> Self {
        Self {
            data: data.map(padded).collect(),
            own: own.map(padded).collect(),
        }
    }

    /// Whether data or prompts hold this word.
    pub(super) fn knows(&self, word: &str) -> bool {
        let word = padded(word);
        let texts = self.own.iter().chain(&self.data);
        texts.into_iter().any(|text| text.contains(&word))
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

    /// Whether a prompt quotes what one example says and no other. A turn of phrase
    /// that several have may be worth a rule.
    pub(super) fn quotes_one(&self, text: &str) -> bool {
        quotations(text).any(|quotation| {
            let phrase = padded(quotation);
            let within = |texts: &[String]| texts.iter().filter(|t| t.contains(&phrase)).count();
            phrase.split_whitespace().count() >= QUOTED
                && within(&self.data) == 1
                && within(&self.own) == 0
        })
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

/// What stands between double quotation marks on one line.
fn quotations(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| {
        let parts: Vec<&str> = line.split(['"', '“', '”', '„', '«', '»']).collect();
        let closed = parts.len().saturating_sub(1);
        parts.into_iter().take(closed).skip(1).step_by(2)
    })
}
