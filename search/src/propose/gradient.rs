//! Textual gradients: what is wrong with a prompt, said by a model, and the prompt
//! edited against it (Pryzant et al. 2023, §2).

use async_trait::async_trait;
use shiftproof_tasks::{Example, Prompt};

use super::form::ProposalForm;
use super::rewrite::{Rewrite, calls, rewrite};
use super::trace::TracedAnswer;
use super::{ParaphraseProposer, ProposalBatch, Proposer, ProposerView, ask, meta, read};
use crate::event::Origin;
use crate::gateway::RunError;
use crate::seeds;

/// Reasons asked for in one request: four in the authors' code.
const REASONS: usize = 4;
/// Texts that a prompt takes at least for reasons to be worth one: an edit and a
/// paraphrase of it come with them.
const LEAST: usize = 3;
/// Texts of a prompt, where there are as many: the reasons cost one, and serve several
/// edits.
const EACH: usize = 6;

/// Asks what is wrong with each prompt, has it edited against each reason, and has
/// the edits said in other words. The requests for reasons are among the texts that
/// are wanted.
#[derive(Debug, Clone, Default)]
pub struct GradientProposer {
    /// The prompts with their errors, best first.
    pub cases: Vec<GradientCase>,
}

/// A prompt and some of what it gets wrong.
#[derive(Debug, Clone)]
pub struct GradientCase {
    /// The prompt.
    pub parent: Prompt,
    /// What it gets wrong; a case without is left out.
    pub errors: Vec<TracedAnswer>,
    /// What it gets right: shown with the errors to a proposer that goes on from an
    /// opening, and to no other.
    pub successes: Vec<TracedAnswer>,
}

/// A case with its share of the texts.
struct PlannedCase<'c> {
    case: &'c GradientCase,
    edits: usize,
    paraphrases: usize,
    /// Whether one more text is for reasons; with two the errors speak for themselves.
    reasoned: bool,
    reasons: Vec<String>,
}

#[async_trait]
impl Proposer for GradientProposer {
    fn name(&self) -> &'static str {
        "textual gradients (ProTeGi)"
    }

    async fn propose(&self, view: &ProposerView<'_>) -> Result<ProposalBatch, RunError> {
        let mut batch = ProposalBatch::default();
        let cases: Vec<&GradientCase> = self
            .cases
            .iter()
            .filter(|case| !case.errors.is_empty())
            .collect();
        if cases.is_empty() {
            return Ok(batch);
        }
        if view.form == ProposalForm::Opening {
            let wanted: Vec<Rewrite<'_>> = (0..view.count)
                .map(|index| {
                    let at = index % cases.len();
                    edit(view, (at, cases[at]), None)
                })
                .collect();
            rewrite(view, &wanted, &|_, _| Ok(()), &mut batch).await?;
            return Ok(batch);
        }
        let mut planned = shared_out(&cases, view.count);
        ask_reasons(view, &mut planned, &mut batch).await?;
        let wanted: Vec<Rewrite<'_>> = planned
            .iter()
            .enumerate()
            .flat_map(|(at, planned)| {
                (0..planned.edits).map(move |index| {
                    let reasons = &planned.reasons;
                    let reason = reasons.get(index % reasons.len().max(1));
                    edit(view, (at, planned.case), reason.map(String::as_str))
                })
            })
            .collect();
        rewrite(view, &wanted, &|_, _| Ok(()), &mut batch).await?;
        let wanted = planned.iter().map(|planned| planned.paraphrases).sum();
        vary(view, wanted, &mut batch).await?;
        Ok(batch)
    }
}

/// Shares `count` texts out: of each prompt one for its reasons, and of the rest as
/// many edits as paraphrases, edits first.
fn shared_out<'c>(cases: &[&'c GradientCase], count: usize) -> Vec<PlannedCase<'c>> {
    let used = cases.len().min((count / EACH).max(1));
    (0..used)
        .map(|index| {
            let own = count / used + usize::from(index < count % used);
            let reasoned = own >= LEAST;
            let rest = own - usize::from(reasoned);
            PlannedCase {
                case: cases[index],
                edits: rest.div_ceil(2),
                paraphrases: rest / 2,
                reasoned,
                reasons: Vec::new(),
            }
        })
        .collect()
}

async fn ask_reasons(
    view: &ProposerView<'_>,
    planned: &mut [PlannedCase<'_>],
    batch: &mut ProposalBatch,
) -> Result<(), RunError> {
    let mut asked: Vec<&mut PlannedCase<'_>> = planned
        .iter_mut()
        .filter(|planned| planned.reasoned)
        .collect();
    let messages = asked.iter().map(|planned| {
        let GradientCase { parent, errors, .. } = planned.case;
        meta::reasons(view, parent, errors, REASONS)
    });
    let own = ProposerView {
        seed: seeds::number(view.seed, "reasons"),
        ..*view
    };
    let calls = calls(&own, messages);
    // Reasons are no prompts; where nothing comes of a request for them, it counts as
    // a text that was asked for and thrown away.
    let before = batch.discards.count();
    let found = ask::ask(&own, &calls, &mut batch.discards).await?;
    batch.asked += batch.discards.count() - before;
    batch.again += found.again;
    for (planned, reply) in asked.iter_mut().zip(found.read) {
        let Some(reply) = reply else {
            continue;
        };
        planned.reasons = read::reasons(&reply, REASONS);
        if planned.reasons.is_empty() {
            batch.asked += 1;
            batch.discards.add("no reason is in the reply", &reply);
        }
    }
    Ok(())
}

fn edit<'c>(
    view: &ProposerView<'_>,
    (at, case): (usize, &'c GradientCase),
    reason: Option<&str>,
) -> Rewrite<'c> {
    Rewrite {
        parents: vec![&case.parent],
        messages: meta::mend(view, &case.parent, &case.errors, reason),
        demonstrations: mixed(&case.errors, &case.successes),
        beside: Vec::new(),
        origin: Origin::Reflected,
        case: at,
    }
}

/// What a proposer is shown that cannot write a prompt anew: failures and successes in
/// turn, each with its right output. Failures alone are the odd ones of their kind,
/// and make it write odd rules.
pub(super) fn mixed(failures: &[TracedAnswer], successes: &[TracedAnswer]) -> Vec<Example> {
    let mut shown = Vec::new();
    for index in 0..failures.len().max(successes.len()) {
        let both = [failures.get(index), successes.get(index)];
        shown.extend(
            both.into_iter()
                .flatten()
                .map(|trace| trace.example.clone()),
        );
    }
    shown
}

/// The edits in other words, which stand beside them.
async fn vary(
    view: &ProposerView<'_>,
    count: usize,
    batch: &mut ProposalBatch,
) -> Result<(), RunError> {
    let edits: Vec<Prompt> = batch.kept.iter().map(|kept| kept.prompt.clone()).collect();
    if edits.is_empty() || count == 0 {
        return Ok(());
    }
    let own = ProposerView {
        parents: &edits,
        count,
        seed: seeds::number(view.seed, "vary"),
        ..*view
    };
    let varied = ParaphraseProposer.propose(&own).await?;
    batch.asked += varied.asked;
    batch.again += varied.again;
    batch.discards.merge(varied.discards);
    for proposal in varied.kept {
        batch.add_new(view, proposal);
    }
    Ok(())
}
