//! Prompts that repeat what the proposer was told.

use super::copying::CopyScreen;
use super::padded;
use crate::propose::meta::PromptPattern;

/// So many words of the task that a pattern is for make a prompt one for that
/// task.
const TERMS: usize = 2;

/// What a request says besides the examples.
pub(super) struct EchoScreen {
    /// Its sentences, copied like those of an example.
    request: CopyScreen,
    /// Where the pattern's inputs come from; `None` where the study's do too.
    situation: Option<String>,
    /// Words of the pattern's task that are in neither prompts nor data.
    terms: Vec<String>,
}

impl EchoScreen {
    /// `own`: what prompts said before the request was made; `copying`: what they
    /// and the data say.
    pub(super) fn new<'p>(
        request: &[&str],
        pattern: &PromptPattern,
        own: impl Iterator<Item = &'p str>,
        copying: &CopyScreen,
    ) -> Self {
        let strange = pattern.terms.iter().filter(|term| !copying.knows(term));
        Self {
            request: CopyScreen::new(request.iter().copied(), own),
            situation: Some(pattern.situation)
                .filter(|situation| !copying.knows(situation))
                .map(padded),
            terms: strange.map(|term| padded(term)).collect(),
        }
    }

    /// Whether a prompt repeats a phrase of the request that is in no prompt it
    /// was made from, or is about the pattern's task or that task with other nouns. A shared phrase of fewer words
    /// may happen: requests and prompts are both about inputs, labels and answers.
    pub(super) fn repeats(&self, text: &str) -> bool {
        let words = padded(text);
        let terms = self.terms.iter().filter(|term| words.contains(*term));
        let situated = |situation: &String| words.contains(situation);
        terms.count() >= TERMS
            || self.situation.as_ref().is_some_and(situated)
            || self.request.shares_a_run(text)
    }
}
