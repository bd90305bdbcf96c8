//! What is to be gained over the prompts that are there, told once it is known.

use shiftproof_tasks::{Data, Example};

use super::SearchContext;
use super::balance::{balanced, halves};
use crate::event::{Event, GroupInfo};
use crate::gateway::RunError;
use crate::headroom::{HeadroomEstimate, TriedPrompt};
use crate::response_matrix::{InputIndex, ResponseMatrix};

impl SearchContext<'_> {
    /// Tells the headroom out of what is known by now of the prompts that nobody
    /// proposed, the first time it is called. Nothing is asked for it.
    pub(super) fn tell_headroom(&mut self) -> Result<(), RunError> {
        if std::mem::replace(&mut self.headroom_told, true) {
            return Ok(());
        }
        let examples: Vec<InputIndex> = self.screen.iter().chain(&self.fresh).copied().collect();
        let tried: Vec<TriedPrompt> = (0..self.given)
            .map(|candidate| TriedPrompt {
                candidate: self.matrix.candidates[candidate].id,
                generic: self.library.contains(&candidate),
                grades: self.outcomes(candidate, &examples),
            })
            .collect();
        let clusters = self.matrix.clusters(&examples);
        let estimate = HeadroomEstimate::of(&tried, &clusters);
        self.run.gateway.emit(&Event::Headroom(estimate))
    }
}

/// The first `count` source examples that the races of a run with this seed ask about.
pub fn probe_examples(groups: &[GroupInfo], data: &Data, seed: u64, count: usize) -> Vec<Example> {
    let mut matrix = ResponseMatrix::new(groups.to_vec());
    let validation = matrix.add_examples(&data.source.validation);
    let (screen, _) = halves(&matrix, &validation, seed, "validation");
    let mut order = balanced(&matrix, &screen, seed, "race");
    order.truncate(count);
    super::context::examples(&matrix, &order)
}
