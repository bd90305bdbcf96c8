//! Prompts that repeat what the proposer was told.

use super::padded;

/// So many words in a row shared with the request are an echo. Five may happen:
/// requests and prompts are both about inputs, labels and answers.
const PHRASE: usize = 6;
/// So many words of the task that a pattern is for make a prompt one for that
/// task.
const TERMS: usize = 2;

/// What a request says besides the examples.
pub(super) struct EchoScreen {
    /// Its sentences.
    request: Vec<String>,
    /// Words of the pattern's task that are in neither prompts nor data.
    terms: Vec<String>,
    /// What prompts said before the request was made.
    own: Vec<String>,
}

impl EchoScreen {
    pub(super) fn new<'p>(
        request: &[&str],
        terms: &[&str],
        data: &[String],
        own: impl Iterator<Item = &'p str>,
    ) -> Self {
        let own: Vec<String> = own.map(padded).collect();
        let data: Vec<String> = data.iter().map(|text| padded(text)).collect();
        let known = |term: &String| own.iter().chain(&data).any(|text| text.contains(term));
        let terms = terms.iter().map(|term| padded(term));
        Self {
            terms: terms.filter(|term| !known(term)).collect(),
            request: request.iter().map(|sentence| padded(sentence)).collect(),
            own,
        }
    }

    /// Whether a prompt repeats a phrase of the request that is in no prompt it
    /// was made from, or is about the pattern's task.
    pub(super) fn repeats(&self, text: &str) -> bool {
        let text = padded(text);
        let terms = self.terms.iter().filter(|term| text.contains(*term));
        if terms.count() >= TERMS {
            return true;
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        words.windows(PHRASE).any(|window| {
            let phrase = format!(" {} ", window.join(" "));
            let within = |texts: &[String]| texts.iter().any(|text| text.contains(&phrase));
            within(&self.request) && !within(&self.own)
        })
    }
}
