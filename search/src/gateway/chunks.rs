//! Parts of a wave on their way: before they are sent, and with what came back.

use std::borrow::Cow;

use super::{PricedModel, RunError};
use crate::budget::Spend;
use crate::event::EndedBatch;
use crate::ledger::{CallKey, StoredAnswer};
use crate::llm::ModelCall;

/// A part of a wave whose requests are authorised.
pub(super) struct AuthorisedChunk<'c> {
    pub(super) calls: Cow<'c, [(CallKey, &'c ModelCall)]>,
    /// What each of them costs at most.
    pub(super) costs: Vec<Spend>,
}

impl AuthorisedChunk<'_> {
    /// What its requests cost at most.
    pub(super) fn worst(&self) -> Spend {
        self.costs.iter().copied().sum()
    }

    /// Leaves the calls of which `kept` says so.
    pub(super) fn keep(&mut self, kept: &[bool]) {
        if kept.iter().all(|kept| *kept) {
            return;
        }
        let of = |at: &usize| kept[*at];
        let places = 0..self.calls.len();
        let calls = places.clone().filter(of).map(|at| self.calls[at]).collect();
        self.costs = places.filter(of).map(|at| self.costs[at]).collect();
        self.calls = Cow::Owned(calls);
    }
}

/// A batch that was answered, in whole or in part.
pub(super) struct AnsweredBatch {
    pub(super) ended: EndedBatch,
    /// What is to be kept.
    pub(super) durable: Vec<(CallKey, StoredAnswer)>,
    /// Its calls and what their requests cost, answered or not.
    pub(super) claims: Vec<(CallKey, Spend)>,
    /// Why the run cannot go on.
    pub(super) failure: Option<RunError>,
    /// Why the limits have no room for the requests that an answer would take.
    pub(super) unaffordable: Option<String>,
}

impl AnsweredBatch {
    pub(super) fn calls(&self) -> u64 {
        self.ended.calls
    }

    /// Tokens and money of its answers; its calls are counted as done.
    pub(super) fn used(&self, model: &PricedModel) -> Spend {
        let costs = self.durable.iter().map(|(_, stored)| model.cost(stored));
        Spend {
            calls: 0,
            ..costs.sum()
        }
    }
}
