//! Reflection on traces, and two prompts merged into one: the steps of GEPA
//! (Agrawal et al. 2025, §3).

use async_trait::async_trait;
use shiftproof_tasks::Prompt;

use super::gradient::mixed;
use super::rewrite::{Rewrite, rewrite};
use super::trace::TracedAnswer;
use super::{ProposalBatch, Proposer, ProposerView, meta};
use crate::event::Origin;
use crate::gateway::RunError;

/// Examples shown where two prompts differ on none.
const SHOWN: usize = 4;

/// Has prompts written anew from what came of them on a minibatch.
#[derive(Debug, Clone, Default)]
pub struct ReflectionProposer {
    /// The prompts with their minibatches; they take turns.
    pub cases: Vec<ReflectionCase>,
}

/// A prompt and what it made of a minibatch.
#[derive(Debug, Clone)]
pub struct ReflectionCase {
    /// The prompt.
    pub parent: Prompt,
    /// Its answers, wrong and right ones.
    pub traces: Vec<TracedAnswer>,
}

#[async_trait]
impl Proposer for ReflectionProposer {
    fn name(&self) -> &'static str {
        "reflection on traces (GEPA)"
    }

    async fn propose(&self, view: &ProposerView<'_>) -> Result<ProposalBatch, RunError> {
        let mut batch = ProposalBatch::default();
        if self.cases.is_empty() {
            return Ok(batch);
        }
        let wanted: Vec<Rewrite<'_>> = (0..view.count)
            .map(|index| {
                let at = index % self.cases.len();
                let case = &self.cases[at];
                Rewrite {
                    parents: vec![&case.parent],
                    messages: meta::mutate(view, &case.parent, &case.traces),
                    demonstrations: mixed(&case.traces, &[]),
                    beside: Vec::new(),
                    origin: Origin::Reflected,
                    case: at,
                }
            })
            .collect();
        rewrite(view, &wanted, &|_, _| Ok(()), &mut batch).await?;
        Ok(batch)
    }
}

/// Has two prompts put together into one.
#[derive(Debug, Clone)]
pub struct MergeProposer {
    /// The pairs; they take turns.
    pub pairs: Vec<MergePair>,
}

/// Two prompts and what each alone gets right.
#[derive(Debug, Clone)]
pub struct MergePair {
    /// The prompts.
    pub prompts: [Prompt; 2],
    /// What the first alone gets right, and what the second does.
    pub right: [Vec<TracedAnswer>; 2],
}

#[async_trait]
impl Proposer for MergeProposer {
    fn name(&self) -> &'static str {
        "merge (GEPA)"
    }

    async fn propose(&self, view: &ProposerView<'_>) -> Result<ProposalBatch, RunError> {
        let mut batch = ProposalBatch::default();
        if self.pairs.is_empty() {
            return Ok(batch);
        }
        let wanted: Vec<Rewrite<'_>> = (0..view.count)
            .map(|index| {
                let at = index % self.pairs.len();
                let pair = &self.pairs[at];
                let ([first, second], [one, two]) = (&pair.prompts, &pair.right);
                let mut demonstrations = mixed(one, two);
                if demonstrations.is_empty() {
                    demonstrations.extend(view.source.iter().take(SHOWN).cloned());
                }
                Rewrite {
                    parents: vec![first, second],
                    messages: meta::merge(view, [first, second], [one, two]),
                    demonstrations,
                    beside: Vec::new(),
                    origin: Origin::Merged,
                    case: at,
                }
            })
            .collect();
        rewrite(view, &wanted, &|_, _| Ok(()), &mut batch).await?;
        Ok(batch)
    }
}
