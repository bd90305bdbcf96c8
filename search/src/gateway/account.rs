//! What requests cost, as far as a server can have counted them.
//!
//! The [`Meter`](crate::budget::Meter) counts *calls* and decides what the search
//! may ask, in the same way whenever the run is executed again. This account counts
//! *requests* of all processes of the run: also those that failed, were repeated, or
//! were on the way when a process was killed. What it authorises is durable before
//! it is sent, so no history of kills lets a server see more than the limits say.
//!
//! Requests without an answer are placed in the run, where the wave that made them
//! ends, and count in the meter from the next wave on. Where they leave no room for
//! the rest of a wave, the place is written down too. So a run that is executed
//! again decides as it did.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::{Gateway, LostCalls};
use crate::budget::{BudgetLimits, Spend};
use crate::ledger::{CallKey, LedgerError, RequestTally, RunAccount, WaveCut};
use crate::llm::{FailedRequest, RequestAllowance};

/// See the [module](self).
pub(super) struct RequestAccount {
    /// Under which name it is durable; `None`: it dies with the process.
    run: Option<String>,
    limits: BudgetLimits,
    /// What requests have cost that are over.
    sent: Spend,
    /// The worst cases of those that are authorised.
    in_flight: Spend,
    /// What those cost whose answers are stored.
    kept: Spend,
    /// Found without an answer when the run went on, and not yet placed.
    unplaced: Spend,
    /// Requests that asked what the models can do, and are not yet placed.
    probed: Spend,
    losses: Vec<LostCalls>,
    cuts: Vec<WaveCut>,
    /// The wave under way.
    wave: WaveAccount,
    /// This process has sent something.
    is_live: bool,
}

#[derive(Default)]
struct WaveAccount {
    sent_before: Spend,
    kept_before: Spend,
    /// Calls that this process got an answer to.
    fresh: HashSet<CallKey>,
}

impl RequestAccount {
    pub(super) fn new(limits: BudgetLimits, losses: Vec<LostCalls>) -> Self {
        Self {
            run: None,
            limits,
            sent: losses.iter().map(|loss| loss.worst).sum(),
            in_flight: Spend::default(),
            kept: Spend::default(),
            unplaced: Spend::default(),
            probed: Spend::default(),
            losses,
            cuts: Vec::new(),
            wave: WaveAccount::default(),
            is_live: false,
        }
    }

    /// Goes on where earlier processes of `run` were.
    pub(super) fn resume(&mut self, run: &str, tally: RequestTally, account: RunAccount) {
        let lost: Spend = account.losses.iter().map(|loss| loss.worst).sum();
        *self = Self {
            run: Some(run.to_owned()),
            sent: tally.sent,
            kept: tally.kept,
            unplaced: tally.sent.without(tally.kept).without(lost),
            cuts: account.cuts,
            ..Self::new(self.limits, account.losses)
        };
    }

    /// Counts requests that found out what the models can do. Those of the run's
    /// first process count from its beginning.
    pub(super) fn probed(&mut self, probes: u64) {
        let cost = Spend {
            calls: probes,
            ..Spend::default()
        };
        if self.sent.is_nothing() && self.losses.is_empty() && probes > 0 {
            self.losses.push(LostCalls {
                after: 0,
                worst: cost,
            });
        } else {
            self.probed += cost;
        }
        self.sent += cost;
    }

    #[cfg(test)]
    pub(super) fn losses(&self) -> &[LostCalls] {
        &self.losses
    }

    /// Losses whose place is reached once `charged` calls are charged for.
    pub(super) fn lost_by(&self, charged: u64) -> Spend {
        let reached = self.losses.iter().filter(|loss| loss.after <= charged);
        reached.map(|loss| loss.worst).sum()
    }

    /// Whether the wave that begins after `charged` calls ended before `key`.
    pub(super) fn is_cut(&self, charged: u64, key: &CallKey) -> bool {
        self.cuts
            .iter()
            .any(|cut| cut.after == charged && cut.before == key.to_hex())
    }

    /// Whether the limits have room for requests that cost `worst` at most, `held`
    /// being set aside for later.
    fn has_room(&self, worst: Spend, held: Spend) -> bool {
        let total = self.sent + self.in_flight + held + worst;
        self.limits.allow(total)
    }

    /// Authorises requests where there is room for them.
    fn authorise(&mut self, worst: Spend, held: Spend) -> bool {
        let fits = self.has_room(worst, held);
        if fits {
            self.in_flight += worst;
        }
        fits
    }

    /// What was authorised is over and cost `cost`.
    fn conclude(&mut self, authorised: Spend, cost: Spend) {
        self.in_flight = self.in_flight.without(authorised);
        self.sent += cost;
    }

    /// An answer that cost `used` is about to be stored.
    pub(super) fn keep(&mut self, key: CallKey, used: Spend) {
        self.kept += used;
        self.wave.fresh.insert(key);
    }

    /// An answer of a batch: its requests are not counted one by one.
    pub(super) fn collect(&mut self, key: CallKey, used: Spend) {
        self.sent += used;
        self.keep(key, used);
    }

    /// Something was paid for that will never be answered.
    pub(super) fn lose(&mut self, charged: u64, worst: Spend) {
        self.sent += worst;
        self.place(charged + 1, worst);
        self.wave.sent_before += worst;
    }

    /// Something that an earlier process of this run may have paid for.
    pub(super) fn find(&mut self, worst: Spend) {
        self.sent += worst;
        self.unplaced += worst;
        self.wave.sent_before += worst;
    }

    pub(super) fn begin_wave(&mut self, counted: Spend) {
        self.is_live = true;
        // Answers that were found in the store count like those that were paid for.
        let lost: Spend = self.losses.iter().map(|loss| loss.worst).sum();
        let more = (counted + lost).without(self.sent);
        self.sent += more;
        self.kept += more;
        self.wave = WaveAccount {
            sent_before: self.sent,
            kept_before: self.kept,
            fresh: HashSet::new(),
        };
    }

    pub(super) fn is_fresh(&self, key: &CallKey) -> bool {
        self.wave.fresh.contains(key)
    }

    /// Places what the wave, or a kill before it, spent beyond `useful`, the cost of
    /// answers that the run has been charged for.
    pub(super) fn end_wave(&mut self, charged: u64, useful: Spend, cut: Option<CallKey>) {
        let paid = self.sent.without(self.wave.sent_before);
        self.kept = self.wave.kept_before + useful;
        let lost = paid.without(useful)
            + std::mem::take(&mut self.unplaced)
            + std::mem::take(&mut self.probed);
        self.place(charged + 1, lost);
        if let Some(key) = cut {
            self.cuts.push(WaveCut {
                after: charged,
                before: key.to_hex(),
            });
        }
        self.wave = WaveAccount::default();
    }

    /// Places what no wave did: what a kill cost after the last, and answers of a
    /// killed process that the limits left no room for when the run went on. `spent`:
    /// what the run has been charged for.
    fn end_run(&mut self, charged: u64, spent: Spend) {
        // A process that only told what was stored has asked for nothing that counts in
        // the run.
        let apart = if self.is_live {
            Spend::default()
        } else {
            self.probed
        };
        let placed: Spend = self.losses.iter().map(|loss| loss.worst).sum();
        self.unplaced = Spend::default();
        let rest = self.sent.without(apart).without(spent).without(placed);
        self.place(charged, rest);
    }

    fn place(&mut self, after: u64, worst: Spend) {
        if !worst.is_nothing() {
            self.losses.push(LostCalls { after, worst });
        }
    }

    fn tally(&self) -> RequestTally {
        RequestTally {
            sent: self.sent + self.in_flight,
            kept: self.kept,
        }
    }
}

impl Gateway {
    /// Goes on where earlier processes of `run` were with its requests, and makes
    /// durable what this one sends. `account`: `None` for a run that never had one;
    /// `probes`: requests that were sent to find out what the models can do.
    pub async fn accounting(
        self,
        run: &str,
        account: Option<RunAccount>,
        probes: u64,
    ) -> Result<Self, LedgerError> {
        let tally = self.ledger.tally(run)?;
        {
            let mut state = self.state();
            let account = account.unwrap_or_else(|| RunAccount {
                losses: state.account.losses.clone(),
                cuts: Vec::new(),
            });
            let lost: Spend = account.losses.iter().map(|loss| loss.worst).sum();
            // A run of a version without a tally has at least these.
            let tally = RequestTally {
                sent: tally.sent + lost.without(tally.sent),
                ..tally
            };
            state.account.resume(run, tally, account);
            state.account.probed(probes);
            state.charge_losses();
        }
        self.save_account().await?;
        self.charge_shared(run, probes).await?;
        Ok(self)
    }

    /// Requests that brought no answer, in all.
    pub fn lost(&self) -> Spend {
        let state = self.state();
        state.account.losses.iter().map(|loss| loss.worst).sum()
    }

    /// Requests that were sent before the run began to ask.
    pub(crate) fn lost_before(&self) -> Spend {
        self.state().account.lost_by(0)
    }

    /// Places what a kill cost after the last wave. To be called before the run
    /// tells what it has spent.
    pub(crate) async fn close_account(&self) -> Result<(), LedgerError> {
        {
            let mut state = self.state();
            let charged = state.charged.len() as u64;
            let spent = state.meter.spent();
            state.account.end_run(charged, spent);
        }
        self.save_account().await
    }

    /// Whether the limits have room for requests that cost `worst` at most.
    pub(super) fn has_room(&self, worst: Spend) -> bool {
        let state = self.state();
        state.account.has_room(worst, state.held_back)
    }

    /// Authorises requests that cost `worst` at most.
    pub(super) fn authorise(&self, worst: Spend) -> bool {
        let mut state = self.state();
        let held = state.held_back;
        state.account.authorise(worst, held)
    }

    /// What was authorised is over and cost `cost`.
    pub(super) fn conclude(&self, authorised: Spend, cost: Spend) {
        self.state().account.conclude(authorised, cost);
    }

    /// Makes durable what is authorised.
    pub(super) fn save_tally(
        &self,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send + use<> {
        let saved = {
            let state = self.state();
            let run = state.account.run.as_deref();
            run.map(|run| self.ledger.save_tally(run, &state.account.tally()))
        };
        async move {
            match saved {
                Some(saved) => saved.await,
                None => Ok(()),
            }
        }
    }

    /// Makes durable where requests without an answer count.
    pub(super) async fn save_account(&self) -> Result<(), LedgerError> {
        let saved = {
            let state = self.state();
            let account = RunAccount {
                losses: state.account.losses.clone(),
                cuts: state.account.cuts.clone(),
            };
            let run = state.account.run.as_deref();
            run.map(|run| {
                let tally = state.account.tally();
                self.ledger.save_account(run, &account, &tally)
            })
        };
        match saved {
            Some(saved) => saved.await,
            None => Ok(()),
        }
    }
}

/// The requests of one call.
pub(super) struct CallAllowance<'g> {
    gateway: &'g Gateway,
    key: CallKey,
    worst: Spend,
    requests: Mutex<CallRequests>,
}

#[derive(Default)]
struct CallRequests {
    authorised: Spend,
    /// What requests cost that brought no answer.
    wasted: Spend,
    /// What a further request has to be authorised for.
    owed: Spend,
}

impl<'g> CallAllowance<'g> {
    /// The first request is authorised at `worst`.
    pub(super) fn new(gateway: &'g Gateway, key: CallKey, worst: Spend) -> Self {
        Self {
            gateway,
            key,
            worst,
            requests: Mutex::new(CallRequests {
                authorised: worst,
                ..CallRequests::default()
            }),
        }
    }

    /// The call is over; an answer cost `used`. Returns what all its requests cost.
    pub(super) fn conclude(self, used: Spend) -> Spend {
        let requests = self
            .requests
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let cost = requests.wasted + used;
        self.gateway.conclude(requests.authorised, cost);
        cost
    }
}

#[async_trait]
impl RequestAllowance for CallAllowance<'_> {
    fn failed(&self, request: FailedRequest) {
        let cost = match request {
            FailedRequest::Unsent => return,
            FailedRequest::Unbilled => Spend::ONE_REQUEST,
            FailedRequest::Billed => self.worst,
        };
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.wasted += cost;
        requests.owed += cost;
    }

    async fn another(&self) -> bool {
        let owed = {
            let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
            let owed = requests.owed;
            if owed.is_nothing() {
                return true;
            }
            if !self.gateway.authorise(owed) {
                return false;
            }
            requests.owed = Spend::default();
            requests.authorised += owed;
            owed
        };
        // A store that cannot write stops the run with the next answer.
        if self.gateway.save_tally().await.is_err() {
            return false;
        }
        match self.gateway.ledger.shared() {
            Some(shared) => shared.extend(self.key, owed).await.unwrap_or(false),
            None => true,
        }
    }
}
