//! Instructions together with demonstrations, put together without a model.

use async_trait::async_trait;
use shiftproof_tasks::Prompt;

use super::written::evolved;
use super::{ProposalBatch, Proposer, ProposerView};
use crate::event::Origin;
use crate::gateway::RunError;

/// Proposes prompts that a method has put together: instructions of the race with
/// demonstrations out of its
/// [pool](crate::run::SearchContext::demonstration_pool).
#[derive(Debug, Clone)]
pub struct DemonstrationProposer {
    /// The instruction's prompt, and the same with demonstrations.
    pub pairs: Vec<(Prompt, Prompt)>,
}

#[async_trait]
impl Proposer for DemonstrationProposer {
    fn name(&self) -> &'static str {
        "demonstrations"
    }

    fn asks_model(&self) -> bool {
        false
    }

    async fn propose(&self, view: &ProposerView<'_>) -> Result<ProposalBatch, RunError> {
        let mut batch = ProposalBatch::default();
        for (bare, shown) in self.pairs.iter().take(view.count) {
            batch.asked += 1;
            batch.add(evolved(shown.clone(), Origin::Demonstrated, &[bare]));
        }
        Ok(batch)
    }
}
