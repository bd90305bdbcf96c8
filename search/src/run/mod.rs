//! One run, told from top to bottom in [`Run::execute`].

mod allowance;
mod answers;
mod audit;
mod balance;
mod carry;
mod context;
mod cross_fit;
mod demonstrations;
mod headroom;
mod judge;
mod proposals;
mod races;
mod standings;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_begin;
#[cfg(test)]
mod tests_ending;
mod voting;

use std::sync::Arc;

use shiftproof_tasks::{
    BaselinePredictions, Data, Input, Prompt, SealedAudit, Task, evaluation_calls,
};

use crate::augment::{self, augment};
use crate::budget::Spend;
use crate::earlier::EarlierRun;
use crate::event::{Event, GroupInfo, Phase, RunEnding, RunStarted};
use crate::fit::fit;
use crate::gateway::{Gateway, PricedModel, RunError};
use crate::judging::StudyJudge;
use crate::methods::SearchMethod;
use crate::response_matrix::EvalContext;
use crate::spec::SearchSpec;
use crate::{grading, turns};

pub use self::answers::{AnsweredExample, GroupAnswers, UnansweredExample};
pub(crate) use self::balance::in_turn;
pub use self::context::SearchContext;
pub use self::headroom::probe_examples;
pub use self::standings::GroupStanding;
pub(crate) use self::voting::{shift_check_count, voter_check_count};
pub use crate::response_matrix::{CandidateIndex, InputIndex};
pub use crate::target_vote::VoteCounting;

/// Everything a run needs.
pub struct Run<'g> {
    /// The study's name.
    pub study: String,
    /// The task.
    pub task: Arc<dyn Task>,
    /// The data, by role.
    pub data: Data,
    /// The groups in the study's order, sources first.
    pub groups: Vec<GroupInfo>,
    /// Methods without a language model, scored beside the prompts.
    pub baselines: Vec<BaselinePredictions>,
    /// How prompts are searched for.
    pub method: Arc<dyn SearchMethod>,
    /// The numbers of the search. The method is the one above, whatever name is here.
    pub spec: SearchSpec,
    /// Further human-written prompts that enter the race beside the seed.
    pub human: Vec<Prompt>,
    /// The random seed.
    pub seed: u64,
    /// The model that does the task.
    pub task_model: PricedModel,
    /// The model that proposes.
    pub proposer_model: PricedModel,
    /// The way to both.
    pub gateway: &'g Gateway,
    /// The run that this one goes on from.
    pub earlier: Option<EarlierRun>,
    /// The judge of its answers, where a model judges them.
    pub judge: Option<StudyJudge>,
    /// Whether the plan was scaled down to the budget; `false` to begin with.
    pub fitted: bool,
    /// Whether to go on where hardly an answer can be used.
    pub keep_going: bool,
}

/// What a run came to; everything else is in its events.
#[derive(Debug, Clone, PartialEq)]
pub struct RunResult {
    /// The chosen prompt.
    pub selected: Prompt,
    /// How it ended.
    pub ending: RunEnding,
    /// Everything spent.
    pub spent: Spend,
}

impl Run<'_> {
    /// Searches, selects and audits.
    ///
    /// Executing the same run again over the same stored replies takes the same
    /// course and tells the same events.
    pub async fn execute(mut self) -> Result<RunResult, RunError> {
        // Out of reach before a method runs: what is not there cannot be learnt from.
        let mut audit = std::mem::replace(
            &mut self.data.audit,
            SealedAudit::new(Vec::new(), self.data.reads.clone()),
        );
        self.gateway.emit(&Event::Started(self.started()))?;
        let source = &self.data.source;
        if let Some(example) = source.train.first().or(source.validation.first()) {
            let task = self.task.as_ref();
            grading::rehearse(task, self.gateway, &task.seed(), example).await?;
        }
        let inputs = self.data.inputs().chain(audit.inputs());
        let written = augment::count(self.gateway.auxiliary_models(), inputs);
        self.fit_to_budget(audit.len(), written);
        // What is written becomes part of every request, those of the audit too.
        self.augment(&mut audit).await?;
        self.hold_back_audit(&audit);
        let mut context = SearchContext::begin(&self)?;
        context.keep_out(audit.inputs());
        if let Some(earlier) = &self.earlier {
            context.carry_over(earlier).await?;
        }
        // First: a judge that is no bar costs no more than this.
        let judged = context.judge().await?;
        let finalists = self.method.search(&mut context).await?;
        let (selected, ensemble) = context.select(finalists).await?;
        let target_labels_read = self.data.reads.count();
        // Only now: a search that could spend the audit's money would.
        self.gateway.release();
        let audited = context
            .audit(audit.open(), selected, &ensemble, &judged)
            .await?;
        let ending = if context.affordable && audited && !self.fitted {
            RunEnding::Completed
        } else {
            RunEnding::BudgetExhausted
        };
        let spent = self.gateway.spent();
        self.gateway.close_account().await?;
        self.gateway.emit(&Event::Finished {
            ending,
            spent,
            unanswered: self.gateway.lost(),
            target_labels_read,
            audit_labels_read: self.data.reads.count() - target_labels_read,
        })?;
        Ok(RunResult {
            selected: context.matrix.candidates[selected].prompt.clone(),
            ending,
            spent,
        })
    }

    fn started(&self) -> RunStarted {
        RunStarted {
            study: self.study.clone(),
            task: self.task.name().to_owned(),
            metric: self.task.metric().name(),
            method: self.method.name().to_owned(),
            objective: self.spec.objective.to_string(),
            task_model: self.task_model.llm.identity().to_owned(),
            proposer_model: self.proposer_model.llm.identity().to_owned(),
            seed: self.seed,
            limits: self.gateway.limits(),
            groups: self.groups.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Sets aside what auditing the seed and the selected prompt will cost, so
    /// that a search cannot spend the money that measures it.
    fn hold_back_audit(&self, audit: &SealedAudit) {
        let seed = self.task.seed();
        let worst: Spend = audit
            .inputs()
            .map(|input| {
                let (task, case) = (self.task.as_ref(), (&seed, input));
                turns::worst_case(task, &self.task_model, case)
                    + grading::worst_case(task, self.gateway, &self.task_model, case)
            })
            .sum();
        // Twice, though the seed's audit may turn out to be the winner's: who wins is
        // not known, and what is left over pays for the ensemble.
        self.gateway.hold_back(worst + worst);
    }

    /// Has knowledge written into the inputs of all roles, where the study has it written.
    async fn augment(&mut self, audit: &mut SealedAudit) -> Result<(), RunError> {
        let gateway = self.gateway;
        let Some(source) = &gateway.auxiliary_models().knowledge else {
            return Ok(());
        };
        let inputs: Vec<&mut Input> = self.data.inputs_mut().chain(audit.inputs_mut()).collect();
        let fields = source.augmentation.fields().iter();
        let names: Vec<&str> = fields.map(|field| field.name.as_str()).collect();
        gateway.emit(&Event::Phase {
            phase: Phase::Augment,
            plan: format!("{} of {} inputs", names.join(" and "), inputs.len()),
        })?;
        if augment(gateway, inputs, self.keep_going).await? {
            return Ok(());
        }
        Err(RunError::Budget(format!(
            "not even all questions for {} can be asked",
            names.join(" and ")
        )))
    }

    /// Scales the plan down to a call limit that it exceeds; `written`: calls that write about
    /// the inputs.
    fn fit_to_budget(&mut self, audit: usize, written: usize) {
        if let Some(calls) = self.gateway.limits().calls {
            // What finding out about the models took is gone.
            let graded = self.judge.as_ref().map_or(0, |judge| judge.graded.len());
            let calls = calls
                .saturating_sub(self.gateway.lost_before().calls)
                .saturating_sub((graded + written) as u64);
            self.fitted = fit(
                self.method.as_ref(),
                &mut self.spec,
                &mut self.data,
                audit,
                evaluation_calls(self.task.as_ref()),
                calls,
            );
        }
    }

    /// The method does what it did not plan.
    fn departed(&self, reason: String) -> RunError {
        RunError::Method {
            method: self.method.name().to_owned(),
            reason,
        }
    }

    fn context(&self) -> EvalContext<'_> {
        EvalContext {
            task: self.task.as_ref(),
            gateway: self.gateway,
            model: &self.task_model,
            calibration: self.spec.calibration,
            keep_going: self.keep_going,
        }
    }
}
