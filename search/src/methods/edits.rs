//! Edits of the prompt in use, without a model that proposes.

use async_trait::async_trait;

use super::{DataCounts, MethodPlan, PlannedStep, SearchMethod, steps};
use crate::event::Phase;
use crate::gateway::RunError;
use crate::propose::EditProposer;
use crate::run::{CandidateIndex, SearchContext};
use crate::spec::SearchSpec;

/// Phrases of the prompts at hand deleted, swapped, repeated and moved, in the
/// manner of `GrIPS` (Prasad et al. 2023); costs no proposer call.
#[derive(Debug, Clone, Copy)]
pub struct Edits;

#[async_trait]
impl SearchMethod for Edits {
    fn name(&self) -> &'static str {
        "edits"
    }

    fn plan(&self, spec: &SearchSpec, _: &DataCounts) -> MethodPlan {
        let propose = PlannedStep {
            prompts: spec.proposals,
            ..PlannedStep::new(Phase::Propose, "edits of the prompts at hand")
        };
        steps::source_plan(spec, propose)
    }

    async fn search(
        &self,
        context: &mut SearchContext<'_>,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        steps::search_source(context, &EditProposer).await
    }
}
