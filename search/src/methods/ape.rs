//! APE: automatic prompt engineer.

use async_trait::async_trait;

use super::{DataCounts, MethodPlan, SearchMethod, steps};
use crate::gateway::RunError;
use crate::propose::TargetUse;
use crate::run::{CandidateIndex, SearchContext};
use crate::spec::SearchSpec;

/// Prompts induced from source demonstrations, screened, and resampled around the
/// best (Zhou et al. 2023, "Large Language Models Are Human-Level Prompt Engineers").
#[derive(Debug, Clone, Copy)]
pub struct Ape;

#[async_trait]
impl SearchMethod for Ape {
    fn name(&self) -> &'static str {
        "ape"
    }

    fn plan(&self, spec: &SearchSpec, _: &DataCounts) -> MethodPlan {
        steps::source_plan(spec, steps::induced(spec))
    }

    async fn search(
        &self,
        context: &mut SearchContext<'_>,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        let proposer = steps::induction(context.spec(), TargetUse::Nothing);
        steps::search_source(context, &proposer).await
    }
}
