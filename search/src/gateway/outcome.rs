//! What comes of calls, and why a run stops.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shiftproof_tasks::{Augmentation, Reply, Usage};
use thiserror::Error;

use crate::budget::{Price, Spend};
use crate::event::JudgeStanding;
use crate::event_log::LogError;
use crate::ledger::{LedgerError, StoredAnswer};
use crate::llm::{Llm, ModelCall};
use crate::unusable::HopelessRun;

/// Why a run stops before its end. Everything paid for is stored; the run can
/// be resumed.
#[derive(Debug, Error)]
pub enum RunError {
    /// The user asked for it.
    #[error("interrupted")]
    Interrupted,
    /// The model's service cannot answer.
    #[error("{} did not answer: {reason}", called(model))]
    Provider {
        /// The model's identity.
        model: String,
        /// What it or the network said.
        reason: String,
    },
    /// Calls were submitted as batches that the process was not to wait for.
    #[error("{calls} calls are with {model} as the batch {batch} ({done} of them answered)")]
    Batch {
        /// The model's identity.
        model: String,
        /// The provider's name of the batch.
        batch: String,
        /// Its calls.
        calls: u64,
        /// Those that have an answer.
        done: u64,
    },
    /// Not even the seed prompt could be evaluated within the budget.
    #[error("the budget is exhausted before the seed prompt is evaluated: {0}")]
    Budget(String),
    /// The study's own numbers leave a race without an evaluation.
    #[error("not one evaluation is planned: {0}")]
    Plan(String),
    /// Hardly an answer can be used.
    #[error("{0}")]
    Unusable(Box<HopelessRun>),
    /// Hardly a question about the inputs was answered in a way that can be used.
    #[error(
        "{} wrote hardly any knowledge that can be used: {told}",
        called(model)
    )]
    Knowledge {
        /// The model's identity.
        model: String,
        /// What came of the questions, with one answer.
        told: String,
    },
    /// The search depends on proposals, and not one could be used.
    #[error("no proposal of {model} could be used: {reason}")]
    Proposals {
        /// The proposer's identity.
        model: String,
        /// How many were asked for, by which rules they were thrown away, with one
        /// of each.
        reason: String,
    },
    /// Scores are to be held against a bar, and their judge agrees too little with the
    /// person who graded some of its answers.
    #[error("the judge's scores hold for no bar: it agrees too little with the person")]
    NoBar(Box<JudgeStanding>),
    /// A search method does what its own plan does not have.
    #[error("the method {method} departs from its plan: {reason}")]
    Method {
        /// Its name.
        method: String,
        /// What it does.
        reason: String,
    },
    /// The store failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The event log failed or the run diverged from it.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// A model's identity, or what a program of the user's own is called.
fn called(identity: &str) -> String {
    match identity.strip_prefix("command:") {
        Some(program) => format!("the program {program}"),
        None => format!("the model {identity}"),
    }
}

/// What came of one call.
#[derive(Debug, Clone, PartialEq)]
pub enum CallOutcome {
    /// The model's reply.
    Reply(Reply),
    /// This request can never be answered; why.
    Refused(String),
    /// The budget has no room for it.
    Unaffordable,
}

/// One model with its price.
#[derive(Clone)]
pub struct PricedModel {
    /// The model.
    pub llm: Arc<dyn Llm>,
    /// What it costs.
    pub price: Price,
}

impl PricedModel {
    /// What a stored answer cost.
    pub(crate) fn cost(&self, stored: &StoredAnswer) -> Spend {
        match stored {
            StoredAnswer::Reply(reply) => self.used(&reply.usage),
            StoredAnswer::Refused(_) => self.refused(),
        }
    }

    /// What a reply with this usage cost.
    pub(crate) fn used(&self, usage: &Usage) -> Spend {
        if self.llm.is_metered() {
            self.price.spend(usage)
        } else {
            Spend::default()
        }
    }

    /// What a request cost that will never be answered.
    pub(crate) fn refused(&self) -> Spend {
        if self.llm.is_metered() {
            Spend::ONE_REQUEST
        } else {
            Spend::default()
        }
    }

    /// The most that `call` can cost.
    pub fn worst_case(&self, call: &ModelCall) -> Spend {
        if !self.llm.is_metered() {
            return Spend::default();
        }
        let prompt_tokens = self.llm.estimate_tokens(&call.request);
        let dearer = self
            .price
            .cache_write
            .is_some_and(|write| write > self.price.prompt);
        self.price.spend(&Usage {
            prompt_tokens,
            cache_write_tokens: if dearer { prompt_tokens } else { 0 },
            completion_tokens: u64::from(call.sampling.max_tokens),
            ..Usage::default()
        })
    }
}

/// Who writes about inputs, and what is asked.
#[derive(Clone)]
pub struct KnowledgeSource {
    /// The model that is asked.
    pub model: PricedModel,
    /// What it is asked, and which fields that becomes.
    pub augmentation: Arc<dyn Augmentation>,
}

/// Whom evaluations ask beside the model that does the task.
#[derive(Clone, Default)]
pub struct AuxiliaryModels {
    /// Who [grades](shiftproof_tasks::Task::grader) answers.
    pub grader: Option<PricedModel>,
    /// Who [makes](shiftproof_tasks::Task::renderer) the messages of requests.
    pub renderer: Option<PricedModel>,
    /// Who writes about inputs before they are asked about.
    pub knowledge: Option<KnowledgeSource>,
}

/// Requests that brought no answer: retries, failures, and what was on the way when
/// a process was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostCalls {
    /// Calls the run had been charged for by then: from there on it counts
    /// against the limits, so that a run executed again decides as it did.
    pub after: u64,
    /// Its worst case.
    pub worst: Spend,
}
