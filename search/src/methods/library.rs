//! The prompts that anybody has without a search.

use async_trait::async_trait;

use super::{DataCounts, MethodPlan, SearchMethod, steps};
use crate::gateway::RunError;
use crate::run::{CandidateIndex, SearchContext};
use crate::spec::SearchSpec;

/// The generic prompts for the answer form and the study's own further prompts,
/// raced against the prompt in use: no model writes anything. What a search has to
/// beat to be worth its calls. The library enters whether `search.library` says so or
/// not; for answers in free text it is empty.
#[derive(Debug, Clone, Copy)]
pub struct Library;

#[async_trait]
impl SearchMethod for Library {
    fn name(&self) -> &'static str {
        "library"
    }

    fn needs_library(&self) -> bool {
        true
    }

    fn plan(&self, _: &SearchSpec, _: &DataCounts) -> MethodPlan {
        MethodPlan {
            steps: vec![steps::screened(0.75)],
            final_share: 0.25,
        }
    }

    async fn search(
        &self,
        context: &mut SearchContext<'_>,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        let given = context.candidates();
        if given.len() == 1 {
            return Err(RunError::Plan(
                "there is no generic prompt for this form of answer, and the study names no \
                 further `prompts`"
                    .into(),
            ));
        }
        let keep = context.spec().finalists.max(context.spec().ensemble);
        steps::screen(context, given, keep).await
    }
}
