//! Examples that a prompt may show: labelled ones that nothing is scored on.

use std::collections::BTreeSet;

use shiftproof_tasks::{Demonstration, Input};

use super::SearchContext;
use crate::response_matrix::{CandidateIndex, InputIndex};

impl SearchContext<'_> {
    /// The [training examples](Self::train) that prompts may show as
    /// demonstrations, in their order, balanced in every prefix. Those whose text is
    /// also that of an example of a race, of the final, of the audit, or of a target
    /// input are left out: a prompt that shows one would hold the answer.
    ///
    /// A candidate can be [asked](Self::evaluate) about them to find out which it
    /// answers right; no race has them.
    pub fn demonstration_pool(&mut self) -> Vec<InputIndex> {
        if let Some(pool) = &self.demonstration_pool {
            return pool.clone();
        }
        let task = self.run.task.as_ref();
        let scored = [&self.screen, &self.fresh, &self.labelled, &self.target];
        let mut scored: BTreeSet<String> = scored
            .into_iter()
            .flatten()
            .map(|&input| task.content(self.matrix.input(input)))
            .collect();
        scored.extend(self.sealed.iter().cloned());
        let free = self.train.iter();
        let free: Vec<_> = free
            .filter(|example| !scored.contains(&task.content(&example.input)))
            .cloned()
            .collect();
        let pool = self.matrix.add_examples(&free);
        self.demonstration_pool = Some(pool.clone());
        pool
    }

    /// An example of the [pool](Self::demonstration_pool) as a prompt shows it.
    ///
    /// # Panics
    ///
    /// For an input that is not of the pool.
    pub fn demonstration(&self, index: InputIndex) -> Demonstration {
        let pool = self.demonstration_pool.as_deref().unwrap_or_default();
        assert!(pool.contains(&index), "only training examples are shown");
        let label = self.matrix.label(index).cloned();
        let example = label.map(|label| self.matrix.input(index).clone().with_label(label));
        let example = example.expect("training examples have labels");
        self.run.task.demonstration(&example)
    }

    /// Longest prompt that can enter, its demonstrations among it, in
    /// [tokens](shiftproof_tasks::Prompt::tokens).
    pub const fn prompt_limit(&self) -> usize {
        self.limit
    }

    /// The candidate with this prompt, where there is one.
    pub fn find(&self, prompt: &shiftproof_tasks::Prompt) -> Option<CandidateIndex> {
        let mut candidates = self.matrix.candidates.iter();
        candidates.position(|candidate| &candidate.prompt == prompt)
    }

    /// Keeps texts that the audit will score out of the pool. Where a study allows
    /// leaks, training may hold some of them.
    pub(super) fn keep_out<'i>(&mut self, audited: impl Iterator<Item = &'i Input>) {
        let task = self.run.task.as_ref();
        self.sealed = audited.map(|input| task.content(input)).collect();
    }
}
