//! Proposals that patch single examples instead of saying a rule.

use std::collections::BTreeMap;

use super::super::ProposerView;
use super::super::pieces::{blocks, sentences};
use super::padded;

/// Words of a sentence that must come from one example and from no other for it to be
/// about that example.
const OWN_WORDS: usize = 2;
/// So large a share of what a sentence says in new words makes it one about that
/// example: the rest are the words that any rule is made of.
const SHARE: f64 = 0.4;
/// Shorter words say little of what a text is about.
const LEAST_CHARS: usize = 4;
/// So large a share of the new sentences makes a proposal a narrow patch.
const MOSTLY: f64 = 0.5;

/// Which example a word belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WordOwner {
    One(usize),
    Several,
}

/// Knows which words stand in one example alone. After `TextReg` (arXiv 2605.21318),
/// which finds that prompts hold under shift that are kept from narrow patches.
pub(in crate::propose) struct NarrowScreen {
    owners: BTreeMap<String, WordOwner>,
}

impl NarrowScreen {
    pub(in crate::propose) fn new(view: &ProposerView<'_>) -> Self {
        let examples = view.source.iter().chain(view.pseudo_labelled);
        let inputs = examples.map(|example| &example.input).chain(view.target);
        let content: Vec<String> = inputs.map(|input| view.task.content(input)).collect();
        Self::of(content.iter().map(String::as_str))
    }

    fn of<'t>(texts: impl Iterator<Item = &'t str>) -> Self {
        let mut owners: BTreeMap<String, WordOwner> = BTreeMap::new();
        for (index, text) in texts.enumerate() {
            for word in padded(text).split_whitespace() {
                let owner = owners
                    .entry(word.to_owned())
                    .or_insert(WordOwner::One(index));
                if *owner != WordOwner::One(index) {
                    *owner = WordOwner::Several;
                }
            }
        }
        Self { owners }
    }

    /// Names the fault of a prompt of whose sentences that are in none of `known` at
    /// least half are about one example each.
    pub(in crate::propose) fn check<'p>(
        &self,
        prompt: &str,
        known: impl Iterator<Item = &'p String>,
    ) -> Result<(), String> {
        let known: Vec<String> = known.map(|prompt| padded(prompt)).collect();
        let (mut new, mut narrow) = (0_u32, 0_u32);
        for block in blocks(prompt) {
            for sentence in sentences(&block.body) {
                let said = padded(sentence);
                if said.trim().is_empty() || known.iter().any(|known| known.contains(&said)) {
                    continue;
                }
                new += 1;
                narrow += u32::from(self.is_about_one(&said, &known));
            }
        }
        if narrow > 0 && f64::from(narrow) >= MOSTLY * f64::from(new) {
            return Err("it mostly adds rules about single examples".into());
        }
        Ok(())
    }

    /// Whether much of what a sentence says in new words stands in one example, and in
    /// no other.
    fn is_about_one(&self, sentence: &str, known: &[String]) -> bool {
        let mut of: BTreeMap<usize, usize> = BTreeMap::new();
        let mut new = 0_usize;
        for word in sentence.split_whitespace() {
            if word.chars().count() < LEAST_CHARS
                || known.iter().any(|known| known.contains(&padded(word)))
            {
                continue;
            }
            new += 1;
            if let Some(WordOwner::One(example)) = self.owners.get(word) {
                *of.entry(*example).or_default() += 1;
            }
        }
        let most = of.into_values().max().unwrap_or(0);
        most >= OWN_WORDS && most as f64 >= SHARE * new as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: [&str; 4] = [
        "I ended the monthly plan and was debited all the same.",
        "How do I exchange the garden hose for the larger one?",
        "The label still shows the flat I left in June.",
        "The plan was debited again, and the hose leaks.",
    ];
    const PARENT: &str = "Which desk should answer, orders or payments? Answer with one word.";

    fn check(prompt: &str) -> bool {
        let known = [PARENT.to_owned()];
        let screen = NarrowScreen::of(DATA.into_iter());
        screen.check(prompt, known.iter()).is_ok()
    }

    #[test]
    fn patches_for_one_example_are_told_from_rules() {
        assert!(check(PARENT));
        assert!(check(&format!(
            "{PARENT} Money that was taken by mistake belongs to payments, whatever it was paid for."
        )));
        // Words that several have are worth a rule: "plan", "debited", "hose".
        assert!(check(&format!(
            "{PARENT} A plan that is debited is for payments."
        )));
        assert!(!check(&format!(
            "{PARENT} When somebody wants to exchange a garden item for a larger one, answer orders."
        )));
        assert!(!check(&format!(
            "{PARENT}\n\n- Exchange of a larger garden item: orders.\n- Label shows flat left in \
             June: orders."
        )));
        // Among rules one such sentence is an example.
        assert!(check(&format!(
            "{PARENT} Anything about money is for payments. Anything about parcels is for orders. \
             Exchange for a larger garden item: orders."
        )));
    }
}
