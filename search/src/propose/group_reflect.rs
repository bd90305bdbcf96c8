//! Reflection on the group that a prompt is weakest in.

use async_trait::async_trait;
use shiftproof_tasks::Prompt;

use super::gradient::mixed;
use super::rewrite::{Rewrite, rewrite};
use super::screen::NarrowScreen;
use super::trace::{TracedAnswer, clipped};
use super::{ProposalBatch, Proposer, ProposerView, meta};
use crate::event::Origin;
use crate::gateway::RunError;

/// Characters of a target input that are shown: a hint of what it is like.
const TARGET_CHARS: usize = 600;

/// Has prompts written anew from their failures in one group, with what must stay
/// right. A proposal that mostly adds rules about single examples is thrown away.
#[derive(Debug, Clone, Default)]
pub struct GroupReflectionProposer {
    /// What is asked for, in order; one text each.
    pub cases: Vec<GroupReflectionCase>,
    /// How many target inputs without labels each request shows.
    pub target_inputs: usize,
}

/// A prompt and what it makes of a group.
#[derive(Debug, Clone)]
pub struct GroupReflectionCase {
    /// The prompt.
    pub parent: Prompt,
    /// The group.
    pub group: String,
    /// What the prompt gets wrong there.
    pub failures: Vec<TracedAnswer>,
    /// What it gets right, there and in other groups.
    pub successes: Vec<TracedAnswer>,
    /// A prompt that gets some of the failures right, and which.
    pub contrast: Option<(Prompt, Vec<TracedAnswer>)>,
}

#[async_trait]
impl Proposer for GroupReflectionProposer {
    fn name(&self) -> &'static str {
        "reflection on the weakest group"
    }

    async fn propose(&self, view: &ProposerView<'_>) -> Result<ProposalBatch, RunError> {
        let mut batch = ProposalBatch::default();
        let cases = self.cases.iter().take(view.count).enumerate();
        let wanted: Vec<Rewrite<'_>> = cases.map(|case| self.request(view, case)).collect();
        let narrow = NarrowScreen::new(view);
        let rule = |prompt: &Prompt, wanted: &Rewrite<'_>| {
            let known = wanted.parents.iter().map(|parent| &parent.instruction);
            narrow.check(&prompt.instruction, known)
        };
        rewrite(view, &wanted, &rule, &mut batch).await?;
        Ok(batch)
    }
}

impl GroupReflectionProposer {
    fn request<'c>(
        &self,
        view: &ProposerView<'_>,
        (at, case): (usize, &'c GroupReflectionCase),
    ) -> Rewrite<'c> {
        let target = self.shifted(view, at);
        let other = case.contrast.as_ref();
        let messages = meta::lift(
            view,
            &case.parent,
            &meta::GroupRequest {
                group: &case.group,
                failures: &case.failures,
                successes: &case.successes,
                other: other.map(|(prompt, traces)| (prompt, traces.as_slice())),
                target: &target,
            },
        );
        Rewrite {
            parents: std::iter::once(&case.parent)
                .chain(other.map(|(prompt, _)| prompt))
                .collect(),
            messages,
            demonstrations: mixed(&case.failures, &case.successes),
            beside: target,
            origin: Origin::Reflected,
            case: at,
        }
    }

    /// Target inputs for one request; the requests take turns.
    fn shifted(&self, view: &ProposerView<'_>, at: usize) -> Vec<String> {
        let shown = self.target_inputs.min(view.target.len());
        let start = (view.seed % view.target.len().max(1) as u64) as usize + at * shown;
        (0..shown)
            .map(|offset| {
                let input = &view.target[(start + offset) % view.target.len()];
                clipped(&view.task.render(input), TARGET_CHARS)
            })
            .collect()
    }
}
