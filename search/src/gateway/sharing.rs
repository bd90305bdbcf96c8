//! Asking with others: what they were answered is taken over, and what this process asks is
//! claimed before it is sent, so that nobody pays for it a second time.

use std::time::Duration;

use super::chunks::{AnsweredBatch, AuthorisedChunk};
use super::{Gateway, PricedModel, RunError};
use crate::budget::Spend;
use crate::ledger::{CallClaim, CallKey, ClaimEnd, LedgerError, StoredAnswer};
use crate::llm::ModelCall;

/// How often it is looked whether others have been answered.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// What became of chunks that were to be claimed.
pub(super) struct ClaimedChunks<'c> {
    /// What is left of them, to be sent.
    pub(super) chunks: Vec<AuthorisedChunk<'c>>,
    /// Calls that others were answered meanwhile.
    pub(super) answered: u64,
    /// Others are asking some of the calls.
    pub(super) others_ask: bool,
    /// The shared budget has no room for the rest: nothing more is to be claimed.
    pub(super) over_budget: Option<LedgerError>,
    /// Why the run cannot go on.
    pub(super) failure: Option<LedgerError>,
}

/// Whether the rest of a wave can be sent, as far as is known.
#[derive(Default)]
pub(super) struct ClaimRoom {
    /// There is no room for the rest.
    pub(super) is_full: bool,
    /// Others are asking some of the calls.
    pub(super) others_ask: bool,
    /// It is the shared budget that has no room.
    pub(super) over_budget: Option<RunError>,
}

impl ClaimRoom {
    /// Takes note of what became of claims.
    pub(super) fn note(&mut self, claimed: &ClaimedChunks<'_>) {
        self.others_ask |= claimed.others_ask;
        if let Some(error) = &claimed.over_budget {
            self.is_full = true;
            self.over_budget.get_or_insert(error.clone().into());
        }
    }
}

impl Gateway {
    /// Copies what others were answered, and leaves in `missing` what they were not.
    pub(super) async fn take_over(
        &self,
        missing: &mut Vec<(CallKey, &ModelCall)>,
    ) -> Result<(), RunError> {
        let Some(shared) = self.ledger.shared().filter(|_| !missing.is_empty()) else {
            return Ok(());
        };
        let keys: Vec<CallKey> = missing.iter().map(|(key, _)| *key).collect();
        let found = shared.find(&keys).await?;
        let is_useful =
            |stored: &StoredAnswer| !self.retry_refused || matches!(stored, StoredAnswer::Reply(_));
        let found: Vec<(CallKey, StoredAnswer)> = keys
            .iter()
            .zip(found)
            .filter_map(|(key, stored)| Some((*key, stored.filter(is_useful)?)))
            .collect();
        self.ledger.record(&found).await?;
        let mut taken = found.iter().map(|(key, _)| key).peekable();
        // Both are in the order of the calls.
        missing.retain(|(key, _)| taken.next_if_eq(&key).is_none());
        Ok(())
    }

    /// Claims calls that the run's own limits have room for.
    pub(super) async fn claimed<'c>(
        &self,
        chunks: Vec<AuthorisedChunk<'c>>,
        saved: impl Future<Output = Result<(), LedgerError>>,
    ) -> ClaimedChunks<'c> {
        let mut claimed = ClaimedChunks {
            chunks,
            answered: 0,
            others_ask: false,
            over_budget: None,
            failure: saved.await.err(),
        };
        if claimed.failure.is_none()
            && self.ledger.shared().is_some()
            && let Err(error) = self.claim(&mut claimed).await
        {
            claimed.failure = Some(error);
            // Nothing of it will be sent.
            for chunk in std::mem::take(&mut claimed.chunks) {
                self.conclude(chunk.worst(), Spend::default());
            }
        }
        claimed
    }

    async fn claim(&self, claimed: &mut ClaimedChunks<'_>) -> Result<(), LedgerError> {
        let Some(shared) = self.ledger.shared() else {
            return Ok(());
        };
        let costs: Vec<(CallKey, Spend)> = claimed
            .chunks
            .iter()
            .flat_map(|chunk| chunk.calls.iter().zip(&chunk.costs))
            .map(|((key, _), worst)| (*key, *worst))
            .collect();
        let claims = shared.claim(&costs, self.retry_refused).await?;
        let mut answers = Vec::new();
        for ((key, _), claim) in costs.iter().zip(&claims) {
            match claim {
                CallClaim::Granted => {}
                CallClaim::Answered(stored) => answers.push((*key, stored.clone())),
                CallClaim::Held => claimed.others_ask = true,
                CallClaim::OverBudget => claimed.over_budget = Some(shared.used_up()),
            }
        }
        claimed.answered = answers.len() as u64;
        let mut claims = claims.into_iter();
        for chunk in &mut claimed.chunks {
            let own = claims.by_ref().take(chunk.calls.len());
            let is_granted: Vec<bool> = own.map(|claim| claim == CallClaim::Granted).collect();
            let before = chunk.worst();
            chunk.keep(&is_granted);
            self.conclude(before.without(chunk.worst()), Spend::default());
        }
        claimed.chunks.retain(|chunk| !chunk.calls.is_empty());
        self.ledger.record(&answers).await
    }

    /// Lets go of what was authorised and will not be sent.
    pub(super) async fn unclaim<'c>(
        &self,
        unsent: impl IntoIterator<Item = &'c AuthorisedChunk<'c>>,
    ) -> Result<(), LedgerError> {
        let mut ends = Vec::new();
        for chunk in unsent {
            self.conclude(chunk.worst(), Spend::default());
            ends.extend(chunk.calls.iter().map(|(key, _)| ClaimEnd {
                key: *key,
                answer: None,
                used: Spend::default(),
                replaces: self.retry_refused,
            }));
        }
        if let Some(shared) = self.ledger.shared().filter(|_| !ends.is_empty()) {
            shared.settle(&ends).await?;
        }
        Ok(())
    }

    /// Waits until answers are durable, here and with the others. Where another process was
    /// faster, its answer is taken, so that all go on with the same.
    pub(super) async fn kept(
        &self,
        saved: impl Future<Output = Result<(), LedgerError>>,
        ends: Vec<ClaimEnd>,
    ) -> Result<(), LedgerError> {
        saved.await?;
        let Some(shared) = self.ledger.shared() else {
            return Ok(());
        };
        let slower = shared.settle(&ends).await?;
        if slower.is_empty() {
            return Ok(());
        }
        let found = shared.find(&slower).await?;
        let answers = slower.into_iter().zip(found);
        let answers: Vec<_> = answers
            .filter_map(|(key, found)| Some((key, found?)))
            .collect();
        self.ledger.record(&answers).await
    }

    /// How the claims of a batch end.
    pub(super) fn ends(&self, answered: &mut AnsweredBatch) -> Vec<ClaimEnd> {
        if self.ledger.shared().is_none() {
            return Vec::new();
        }
        let claims = std::mem::take(&mut answered.claims);
        let mut answers = answered.durable.iter().peekable();
        // Answers are in the order of the calls, some of which may have none.
        let end = |(key, used)| ClaimEnd {
            key,
            answer: answers
                .next_if(|(own, _)| *own == key)
                .map(|(_, stored)| stored.clone()),
            used,
            replaces: self.retry_refused,
        };
        claims.into_iter().map(end).collect()
    }

    /// Others are asking what this run needs: waits a moment.
    pub(super) async fn wait_for_others(&self, model: &PricedModel, calls: usize) {
        let s = if calls == 1 { "" } else { "s" };
        let status = format!("other processes are getting {calls} answer{s}");
        self.tick_waiting(model, calls as u64, status);
        tokio::time::sleep(LOOK_AGAIN).await;
    }

    /// Requests beside the calls, of `run`, count in the shared budget.
    pub(super) async fn charge_shared(&self, run: &str, probes: u64) -> Result<(), LedgerError> {
        let Some(shared) = self.ledger.shared().filter(|_| probes > 0) else {
            return Ok(());
        };
        let used = Spend {
            calls: probes,
            ..Spend::default()
        };
        // Every process of a run asks for itself what the models can do.
        let name = format!(
            "{run} {} {:?}",
            std::process::id(),
            std::time::SystemTime::now()
        );
        shared.charge(name, used).await
    }
}
