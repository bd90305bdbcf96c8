//! Prompts that repeat what the proposer was told.

use super::copying::CopyScreen;
use super::padded;

/// So many words of the task that a pattern is for make a prompt one for that
/// task.
const TERMS: usize = 2;

/// What a request says besides the examples.
pub(super) struct EchoScreen {
    /// Its sentences, copied like those of an example.
    request: CopyScreen,
    /// Words of the pattern's task that are in neither prompts nor data.
    terms: Vec<String>,
}

impl EchoScreen {
    /// `own`: what prompts said before the request was made; `copying`: what they
    /// and the data say.
    pub(super) fn new<'p>(
        request: &[&str],
        terms: &[&str],
        own: impl Iterator<Item = &'p str>,
        copying: &CopyScreen,
    ) -> Self {
        let strange = terms.iter().filter(|term| !copying.knows(term));
        Self {
            request: CopyScreen::new(request.iter().copied(), own),
            terms: strange.map(|term| padded(term)).collect(),
        }
    }

    /// Whether a prompt repeats a phrase of the request that is in no prompt it
    /// was made from, or is about the pattern's task. A shared phrase of fewer words
    /// may happen: requests and prompts are both about inputs, labels and answers.
    pub(super) fn repeats(&self, text: &str) -> bool {
        let words = padded(text);
        let terms = self.terms.iter().filter(|term| words.contains(*term));
        terms.count() >= TERMS || self.request.shares_a_run(text)
    }
}
