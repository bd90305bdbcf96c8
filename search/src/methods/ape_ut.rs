//! APE with unlabelled target inputs.

use async_trait::async_trait;

use super::{DataCounts, MethodPlan, SearchMethod, steps};
use crate::gateway::RunError;
use crate::propose::TargetUse;
use crate::run::{CandidateIndex, SearchContext};
use crate::spec::SearchSpec;

/// As [`Ape`](super::Ape), and the meta prompt also shows target inputs without
/// labels: the baseline APE-ut of Li et al. 2023, §5.1.
#[derive(Debug, Clone, Copy)]
pub struct ApeUt;

const SCREEN: f64 = 0.55;
const REFINE: f64 = 0.2;
const FINAL: f64 = 0.25;

#[async_trait]
impl SearchMethod for ApeUt {
    fn name(&self) -> &'static str {
        "ape-ut"
    }

    fn needs_target(&self) -> bool {
        true
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
        let proposer = steps::induction(context.spec(), TargetUse::Inputs);
        let best = steps::propose_and_screen(context, &proposer).await?;
        steps::refine(context, best).await
    }
}
