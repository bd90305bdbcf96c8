//! What a change made without a model may not lose.

use shiftproof_tasks::text;

use super::pieces::{blocks, is_format, sentences};
use super::screen::{ProposalScreen, padded};
use super::{ProposerView, meta};

/// What a prompt has that its children must have too.
pub(super) struct RequiredPieces<'k> {
    view: &'k ProposerView<'k>,
    /// Labels it names, in the form they are looked for, and how often.
    labels: Vec<(String, usize)>,
    /// Fields it shows, one entry a place.
    fields: Vec<&'k str>,
    /// Its sentences about the output.
    formats: Vec<&'k str>,
    blocks: usize,
}

impl<'k> RequiredPieces<'k> {
    pub(super) fn of(
        view: &'k ProposerView<'k>,
        screen: &ProposalScreen<'_>,
        prompt: &'k str,
    ) -> Self {
        let words = padded(prompt);
        let labels = screen.labels().iter().map(|label| {
            let label = padded(label);
            let times = times(&words, &label);
            (label, times)
        });
        Self {
            view,
            labels: labels.collect(),
            fields: meta::fields(view, prompt),
            formats: sentences(prompt)
                .into_iter()
                .map(str::trim)
                .filter(|sentence| is_format(sentence))
                .collect(),
            blocks: blocks(prompt).len(),
        }
    }

    /// Names what a changed text lost.
    pub(super) fn check(&self, text: &str) -> Result<(), String> {
        let words = padded(text);
        let fields = meta::fields(self.view, text);
        let all = |(label, before): &(String, usize)| times(&words, label) >= *before;
        let lost = if !self.labels.iter().all(all) {
            "it would drop a label"
        } else if !self.fields.iter().all(|field| fields.contains(field)) {
            "it would drop a placeholder"
        } else if !self.formats.iter().all(|format| text.contains(format)) {
            "it would drop what the output looks like"
        } else if blocks(text).len() < self.blocks {
            "it would drop a paragraph"
        } else if text::tokens(text) > self.view.limit {
            return Err(format!(
                "it would be longer than {} tokens (search.max_prompt_tokens)",
                self.view.limit
            ));
        } else {
            return Ok(());
        };
        Err(lost.into())
    }
}

/// How often a label is named in words that are padded like it.
fn times(words: &str, label: &str) -> usize {
    let mut count = 0;
    let mut rest = words;
    // Two names share the space between them.
    while let Some(at) = rest.find(label) {
        count += 1;
        rest = &rest[at + label.len() - 1..];
    }
    count
}

#[cfg(test)]
mod tests;
