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

#[async_trait]
impl SearchMethod for ApeUt {
    fn name(&self) -> &'static str {
        "ape-ut"
    }

    fn needs_target(&self) -> bool {
        true
    }

    fn plan(&self, spec: &SearchSpec, _: &DataCounts) -> MethodPlan {
        steps::source_plan(spec, steps::induced(spec))
    }

    async fn search(
        &self,
        context: &mut SearchContext<'_>,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        let proposer = steps::induction(context.spec(), TargetUse::Inputs);
        steps::search_source(context, &proposer).await
    }
}
