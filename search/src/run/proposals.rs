//! Asking proposers, and what is said where nothing comes of it.

use std::fmt::Write as _;

use shiftproof_tasks::Prompt;

use super::SearchContext;
use crate::event::{Event, ProposalSummary};
use crate::gateway::RunError;
use crate::propose::{self, DiscardCounts, ProposalBatch, ProposalForm, Proposer, ProposerView};
use crate::response_matrix::CandidateIndex;
use crate::seeds;

/// Proposals of models, counted over the run.
#[derive(Default)]
pub(super) struct ProposalTally {
    asked: u64,
    discards: DiscardCounts,
}

impl SearchContext<'_> {
    /// Asks a proposer for `count` prompts that start from `parents`, best first,
    /// or for as many as the phase's plan has left; what can be used enters the
    /// race. Returns the new candidates. `stream` names the draws and is to be
    /// another for each call.
    pub async fn propose(
        &mut self,
        proposer: &dyn Proposer,
        parents: &[CandidateIndex],
        count: usize,
        stream: &str,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        let asks_model = proposer.asks_model();
        let count = self.allowance.take_proposals(self.phase, count, asks_model);
        if count == 0 {
            return Ok(Vec::new());
        }
        let form = if asks_model {
            self.form().await?
        } else {
            ProposalForm::Plain
        };
        let parents: Vec<Prompt> = parents.iter().map(|&c| self.prompt(c).clone()).collect();
        let mut batch = proposer
            .propose(&ProposerView {
                task: self.run.task.as_ref(),
                gateway: self.run.gateway,
                model: &self.run.proposer_model,
                source: &self.train,
                target: &self.run.data.target.inputs,
                pseudo_labelled: &self.pseudo_labelled_train,
                seed_prompt: self.prompt(self.seed),
                parents: &parents,
                form,
                limit: self.limit,
                count,
                seed: seeds::number(self.run.seed, stream),
            })
            .await?;
        let entrants = self.enter_all(&mut batch)?;
        let used = entrants.len() as u64;
        if asks_model {
            self.proposed.add(&batch);
        }
        self.emit_batch(proposer, form, batch, used)?;
        Ok(entrants)
    }

    /// Enters what was kept; what is in the race already is thrown away like the
    /// rest.
    fn enter_all(&mut self, batch: &mut ProposalBatch) -> Result<Vec<CandidateIndex>, RunError> {
        let mut entrants = Vec::new();
        for proposal in std::mem::take(&mut batch.kept) {
            let instruction = proposal.prompt.instruction.clone();
            if proposal.prompt.tokens() > self.limit {
                let rule = format!(
                    "with its demonstrations it is longer than {} tokens \
                     (search.max_prompt_tokens)",
                    self.limit
                );
                batch.discards.add(&rule, &instruction);
                continue;
            }
            let entered = self.enter(
                proposal.prompt,
                proposal.origin,
                proposal.parents,
                proposal.chunk,
            )?;
            if entered.is_none() {
                batch
                    .discards
                    .add("it is in the race already", &instruction);
            }
            entrants.extend(entered);
        }
        Ok(entrants)
    }

    fn emit_batch(
        &self,
        proposer: &dyn Proposer,
        form: ProposalForm,
        batch: ProposalBatch,
        used: u64,
    ) -> Result<(), RunError> {
        for (reason, (count, example)) in batch.discards.0 {
            self.run.gateway.emit(&Event::Discarded {
                reason,
                count,
                example,
            })?;
        }
        if batch.asked == 0 {
            return Ok(());
        }
        let model = proposer.asks_model();
        self.run.gateway.emit(&Event::Proposals(ProposalSummary {
            proposer: match (model, form) {
                (false, _) => proposer.name().to_owned(),
                (true, ProposalForm::Plain) => format!("{}, whole prompts", proposer.name()),
                (true, ProposalForm::Opening) => format!("{}, one line each", proposer.name()),
            },
            model,
            asked: batch.asked,
            used,
            again: batch.again,
        }))
    }

    /// How the proposer is spoken to; asks it when it is first needed.
    async fn form(&mut self) -> Result<ProposalForm, RunError> {
        if let Some(form) = self.form {
            return Ok(form);
        }
        let form = propose::form::probe(self.run.gateway, &self.run.proposer_model).await?;
        self.form = Some(form);
        Ok(form)
    }

    /// Texts that the proposer's model was asked for so far and answered in some
    /// way.
    pub fn texts_answered(&self) -> u64 {
        self.proposed.asked
    }

    /// Why nothing but the seed is in the race: for a method that lives on
    /// proposals and has none.
    pub fn nothing_proposed(&self) -> RunError {
        let ProposalTally {
            asked, discards, ..
        } = &self.proposed;
        let model = self.run.proposer_model.llm.identity().to_owned();
        if *asked == 0 {
            let reason = if self.train().is_empty() {
                "no prompt was asked for: groups.train is 0, so there is no example to make one \
                 of; raise it, or set search.library or prompts"
            } else {
                "no prompt was asked for, and no edit of the seed could be made; set \
                 search.proposals, search.library or prompts"
            };
            return RunError::Proposals {
                model,
                reason: reason.into(),
            };
        }
        let mut reason = format!("{asked} texts were sent, none of them a prompt for this task");
        for (rule, (count, example)) in &discards.0 {
            let example: String = example.chars().take(160).collect();
            let _ = write!(reason, "\n  {rule} × {count}, e.g. {example:?}");
        }
        reason.push_str(
            "\n  name a model that follows instructions as `proposer`, or let the search do \
             without: search.library = true, search.edits above 0, further `prompts`",
        );
        RunError::Proposals { model, reason }
    }
}

impl ProposalTally {
    fn add(&mut self, batch: &ProposalBatch) {
        self.asked += batch.asked;
        for (rule, (count, example)) in &batch.discards.0 {
            for _ in 0..*count {
                self.discards.add(rule, example);
            }
        }
    }
}
