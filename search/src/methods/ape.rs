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

const SCREEN: f64 = 0.55;
const REFINE: f64 = 0.2;
const FINAL: f64 = 0.25;

#[async_trait]
impl SearchMethod for Ape {
    fn name(&self) -> &'static str {
        "ape"
    }

    fn plan(&self, spec: &SearchSpec, _: &DataCounts) -> MethodPlan {
        MethodPlan {
            steps: vec![
                steps::induced(spec),
                steps::screened(SCREEN),
                steps::refined(spec, REFINE),
            ],
            final_share: FINAL,
        }
    }

    async fn search(
        &self,
        context: &mut SearchContext<'_>,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        let proposer = steps::induction(context.spec(), TargetUse::Nothing);
        let best = steps::propose_and_screen(context, &proposer).await?;
        steps::refine(context, best).await
    }
}
