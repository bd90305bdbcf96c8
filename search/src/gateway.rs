//! The only way from the search to a model.
//!
//! Every call, whether it proposes or evaluates, passes here: looked up in the
//! ledger, reserved in the budget, sent with bounded concurrency, made durable,
//! settled. Nothing that happens here depends on the order in which replies
//! arrive, so a run that is executed again over the same replies takes the same
//! course.

mod account;
mod chunks;
mod outcome;
mod sending;
mod sharing;

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::account::RequestAccount;
pub use self::outcome::{
    AuxiliaryModels, CallOutcome, KnowledgeSource, LostCalls, PricedModel, RunError,
};
pub(crate) use self::sending::WaveProgress;
use crate::budget::{BudgetLimits, Meter, Spend};
use crate::control::RunControl;
use crate::event::{AnswerDetail, Event, Phase};
use crate::event_log::EventLog;
use crate::ledger::{BatchRecord, CallKey, Ledger, LedgerError, StoredAnswer};
use crate::llm::ModelCall;

/// See the [module](self).
pub struct Gateway {
    ledger: Arc<Ledger>,
    control: RunControl,
    state: Mutex<GatewayState>,
    sent: AtomicU64,
    /// Stored refusals are asked again, each once.
    retry_refused: bool,
    auxiliary_models: AuxiliaryModels,
    /// Added to the sample number of every call.
    sample: AtomicU32,
}

struct GatewayState {
    event_log: EventLog,
    meter: Meter,
    /// Calls this run has already been charged for.
    charged: HashSet<CallKey>,
    phase: Phase,
    /// The last process of this run was killed while at most this many calls
    /// were in flight; cleared once they are accounted for.
    killed_in_flight: Option<u64>,
    /// Reserved for the audit.
    held_back: Spend,
    /// Those of it that losses were the reason for.
    held_for_losses: Spend,
    account: RequestAccount,
    /// Calls that were charged for when the wave under way began.
    wave_began: u64,
    /// Refusals that were asked again by this process.
    retried: HashSet<CallKey>,
    /// What became of batches that did not go as they should.
    remarks: Vec<String>,
    /// Batches that are not collected; read from the ledger when first needed.
    open: Option<Vec<BatchRecord>>,
}

/// Settled calls from which on their mean says what a call uses.
const TELLING: u64 = 40;

impl GatewayState {
    /// Counts every loss whose place in the run has been reached.
    fn charge_losses(&mut self) {
        let lost = self.account.lost_by(self.charged.len() as u64);
        self.meter.set_lost(lost);
        // What finding out about the models took says nothing about how requests fare.
        self.hold_back_for_losses(lost.without(self.account.lost_by(0)));
    }

    /// An audit whose requests fail as often as those before needs more room than
    /// its calls. At most a quarter more: a kill is no rate. What turns out not to be
    /// needed is given back.
    fn hold_back_for_losses(&mut self, lost: Spend) {
        let audit = self.held_back.without(self.held_for_losses);
        let spent = self.meter.spent().calls;
        let wanted = audit.share(lost.calls.min(spent / 4), spent.max(1));
        let less = self.held_for_losses.without(wanted);
        self.meter.refund(less);
        self.held_back = self.held_back.without(less);
        self.held_for_losses = self.held_for_losses.without(less);
        let more = wanted.without(self.held_for_losses);
        if !more.is_nothing() && self.meter.reserve(more) {
            self.held_back += more;
            self.held_for_losses += more;
        }
    }

    /// Gives back what is held in tokens and money beyond one and a half times what as
    /// many calls have used so far; whether that was anything. Worst cases are seldom
    /// met, and a search that stops for them leaves much of its budget unused.
    fn ease_hold(&mut self) -> bool {
        let spent = self.meter.spent();
        if spent.calls < TELLING {
            return false;
        }
        let audit = self.held_back.without(self.held_for_losses);
        let likely = spent.share(audit.calls.saturating_mul(3), spent.calls.saturating_mul(2));
        let spare = Spend {
            calls: 0,
            ..audit.without(likely)
        };
        if spare.is_nothing() {
            return false;
        }
        self.held_back = self.held_back.without(spare);
        self.meter.refund(spare);
        true
    }
}

impl Gateway {
    /// A gateway that has spent nothing yet. `control`: asked before anything is
    /// sent; `killed_in_flight`: how many calls a killed predecessor of a version
    /// without an [account](Self::accounting) may have paid for without keeping the
    /// reply; `losses`: what earlier kills were found to have cost.
    pub fn new(
        ledger: Arc<Ledger>,
        event_log: EventLog,
        meter: Meter,
        control: impl Into<RunControl>,
        killed_in_flight: Option<u64>,
        losses: Vec<LostCalls>,
    ) -> Self {
        let account = RequestAccount::new(*meter.limits(), losses);
        Self {
            ledger,
            control: control.into(),
            state: Mutex::new(GatewayState {
                event_log,
                meter,
                charged: HashSet::new(),
                phase: Phase::Propose,
                killed_in_flight,
                held_back: Spend::default(),
                held_for_losses: Spend::default(),
                account,
                wave_began: 0,
                retried: HashSet::new(),
                remarks: Vec::new(),
                open: None,
            }),
            sent: AtomicU64::new(0),
            retry_refused: false,
            auxiliary_models: AuxiliaryModels::default(),
            sample: AtomicU32::new(0),
        }
    }

    /// Asks again, once, what was refused before: what is answered now takes the
    /// refusal's place in the ledger. Replies are never asked for twice.
    #[must_use]
    pub fn retrying_refused(mut self, retry: bool) -> Self {
        self.retry_refused = retry;
        self
    }

    /// With whom evaluations ask beside the task model, for tasks that ask somebody.
    #[must_use]
    pub fn with_auxiliary_models(mut self, auxiliary_models: AuxiliaryModels) -> Self {
        self.auxiliary_models = auxiliary_models;
        self
    }

    pub(crate) const fn auxiliary_models(&self) -> &AuxiliaryModels {
        &self.auxiliary_models
    }

    /// A gateway to the same store that nobody watches, and whose calls count nowhere: for
    /// what costs nothing and is no part of a run.
    pub(crate) fn apart(&self) -> Self {
        Self::new(
            self.ledger.clone(),
            EventLog::unlogged(Vec::new()),
            Meter::new(BudgetLimits::default()),
            self.control.clone(),
            None,
            Vec::new(),
        )
        .with_auxiliary_models(self.auxiliary_models.clone())
    }

    /// Tells a durable event.
    pub fn emit(&self, event: &Event) -> Result<(), RunError> {
        let mut state = self.state();
        if let Event::Phase { phase, .. } = event {
            state.phase = *phase;
        }
        Ok(state.event_log.emit(event)?)
    }

    /// Tells observers more of an answer than its event holds.
    pub(crate) fn detail(&self, detail: &AnswerDetail) {
        self.state().event_log.detail(detail);
    }

    /// Makes the event log durable.
    pub fn sync_events(&self) -> Result<(), RunError> {
        Ok(self.state().event_log.sync()?)
    }

    /// Forgets the refusals that this run met: the service refuses whatever it is
    /// asked, so once it is mended all of them are worth asking again.
    pub async fn forget_refusals(&self) -> Result<(), RunError> {
        let charged: Vec<CallKey> = self.state().charged.iter().copied().collect();
        let mut refused = Vec::new();
        for key in charged {
            if let Some(StoredAnswer::Refused(_)) = self.ledger.reply(&key)? {
                refused.push(key);
            }
        }
        refused.sort_unstable();
        Ok(self.ledger.forget(&refused).await?)
    }

    /// Everything told so far.
    pub fn emitted(&self) -> Vec<Event> {
        self.state().event_log.emitted().to_vec()
    }

    /// The phase under way.
    pub fn phase(&self) -> Phase {
        self.state().phase
    }

    /// Counts those of `calls` that are stored as paid for by another run; returns
    /// which these are.
    pub(crate) fn carry(
        &self,
        model: &PricedModel,
        calls: &[ModelCall],
    ) -> Result<Vec<bool>, LedgerError> {
        let mut state = self.state();
        calls
            .iter()
            .map(|call| {
                let key = CallKey::of(model.llm.identity(), call);
                let is_stored = self.ledger.has_reply(&key)?;
                if is_stored {
                    state.charged.insert(key);
                }
                Ok(is_stored)
            })
            .collect()
    }

    /// Settled spending so far.
    pub fn spent(&self) -> Spend {
        self.state().meter.spent()
    }

    /// What requests without an answer cost, each with its place in the run.
    #[cfg(test)]
    pub(crate) fn losses(&self) -> Vec<LostCalls> {
        self.state().account.losses().to_vec()
    }

    /// The limits on spending.
    pub fn limits(&self) -> BudgetLimits {
        *self.state().meter.limits()
    }

    /// Sets `worst` aside until [`release`](Self::release): all of it, where the limits
    /// leave a tenth as much beside it to search with. Else all of its calls, where they
    /// fit, and of tokens and money two thirds of what is left: a worst case is several
    /// times what is used, and held back in full it would leave a search nothing.
    pub fn hold_back(&self, worst: Spend) {
        const PARTS: u64 = 32;
        let mut state = self.state();
        let whole = std::iter::once((worst, worst.share(1, 10)));
        let parts = (1..PARTS).rev().map(|part| {
            let own = worst.share(part, PARTS);
            (own, own.share(1, 2))
        });
        for (own, beside) in whole.chain(parts) {
            let own = Spend {
                calls: worst.calls,
                ..own
            };
            let beside = Spend { calls: 0, ..beside };
            if state.meter.has_room(own + beside) && state.meter.reserve(own) {
                state.held_back += own;
                return;
            }
        }
    }

    /// Makes what was held back available.
    pub fn release(&self) {
        let mut state = self.state();
        let held_back = std::mem::take(&mut state.held_back);
        state.held_for_losses = Spend::default();
        state.meter.refund(held_back);
    }

    /// What became of batches that did not go as they should, for people.
    pub fn remarks(&self) -> Vec<String> {
        self.state().remarks.clone()
    }

    /// Tells people of something that went otherwise than asked for.
    pub(crate) fn remark(&self, remark: String) {
        self.state().remarks.push(remark);
    }

    /// The calls in flight when the process was killed are with the provider, or
    /// their loss is accounted for.
    pub(crate) fn kill_is_explained(&self) {
        self.state().killed_in_flight = None;
    }

    /// Counts `worst` as lost. A wave in hand is reserved already; what it lost
    /// counts from the next one on, and does so again whenever the run is executed
    /// again.
    pub(crate) fn lose(&self, worst: Spend) {
        let mut state = self.state();
        let charged = state.charged.len() as u64;
        state.account.lose(charged, worst);
    }

    /// Counts an answer of a batch.
    pub(crate) fn collected(&self, key: CallKey, used: Spend) {
        self.state().account.collect(key, used);
    }

    /// Batches that are not collected.
    pub(crate) fn open_batches(&self) -> Result<Vec<BatchRecord>, LedgerError> {
        let mut state = self.state();
        if state.open.is_none() {
            state.open = Some(self.ledger.batches()?);
        }
        Ok(state.open.clone().unwrap_or_default())
    }

    /// Keeps `batch`, durable when it returns.
    pub(crate) async fn keep_batch(&self, batch: &BatchRecord) -> Result<(), LedgerError> {
        self.state().open = None;
        self.ledger.save_batch(batch).await
    }

    /// Forgets the batch `tag`.
    pub(crate) async fn forget_batch(&self, tag: &str) -> Result<(), LedgerError> {
        self.state().open = None;
        self.ledger.remove_batch(tag).await
    }

    pub(crate) fn control(&self) -> &RunControl {
        &self.control
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(crate) fn count_sent(&self, calls: usize) {
        self.sent.fetch_add(calls as u64, Ordering::Relaxed);
    }

    /// Calls sent to a model by this process.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// From now on asks for this sample of every answer, from 0: the same requests in
    /// calls of their own, each with an answer of its own in the store. For fixed
    /// prompts that are asked again; a search says itself which samples it wants.
    pub fn draw_sample(&self, sample: u32) {
        self.sample.store(sample, Ordering::Relaxed);
    }

    /// The calls as the sample that is drawn has them.
    fn drawn<'c>(&self, calls: &'c [ModelCall]) -> Cow<'c, [ModelCall]> {
        let sample = self.sample.load(Ordering::Relaxed);
        if sample == 0 {
            return Cow::Borrowed(calls);
        }
        let drawn = calls.iter().map(|call| ModelCall {
            sample: call.sample.wrapping_add(sample),
            ..call.clone()
        });
        Cow::Owned(drawn.collect())
    }

    /// Answers `calls`, one result each, in their order.
    ///
    /// Calls are afforded from the front: when one does not fit the budget,
    /// those behind it are not sent either.
    pub async fn ask(
        &self,
        model: &PricedModel,
        calls: &[ModelCall],
    ) -> Result<Vec<CallOutcome>, RunError> {
        self.ask_undrawn(model, &self.drawn(calls)).await
    }

    /// As [`ask`](Self::ask), whichever [sample](Self::draw_sample) is drawn: for what is
    /// the same in all of them.
    pub(crate) async fn ask_undrawn(
        &self,
        model: &PricedModel,
        calls: &[ModelCall],
    ) -> Result<Vec<CallOutcome>, RunError> {
        let keys: Vec<CallKey> = calls
            .iter()
            .map(|call| CallKey::of(model.llm.identity(), call))
            .collect();
        // Reserving is done in waves: the worst case of a wave must fit, then
        // what it really used is settled and makes room for the next.
        let mut outcomes = Vec::with_capacity(calls.len());
        while outcomes.len() < calls.len() {
            let afforded = outcomes.len();
            let wave = self.reserve(model, &calls[afforded..], &keys[afforded..]);
            if wave.len == 0 {
                break;
            }
            let range = afforded..afforded + wave.len;
            let keys = &keys[range.clone()];
            let filled = self.fill(model, &calls[range], keys, &wave).await;
            let front = match filled {
                // Requests that failed have taken the room of calls behind them.
                Ok(WaveEnd::Cut) => self.answered_front(keys)?,
                _ => keys.len(),
            };
            let stored = self.stored(&keys[..front])?;
            let useful = self.settle(model, &wave, &keys[..front], &stored, filled.is_ok());
            if !matches!(filled, Ok(WaveEnd::Stored)) {
                self.end_wave(useful, keys.get(front)).await?;
            }
            let filled = filled?;
            for stored in stored {
                outcomes.push(match stored {
                    Some(StoredAnswer::Reply(reply)) => CallOutcome::Reply(reply),
                    Some(StoredAnswer::Refused(reason)) => CallOutcome::Refused(reason),
                    None => unreachable!("a filled wave leaves no call without a stored answer"),
                });
            }
            if filled == WaveEnd::Cut || wave.cut {
                break;
            }
        }
        outcomes.resize(calls.len(), CallOutcome::Unaffordable);
        Ok(outcomes)
    }

    /// The answers to these calls, as far as there are any. From the ledger, not from
    /// what was just sent: first run and resumed run read the same bytes by the same way.
    fn stored(&self, keys: &[CallKey]) -> Result<Vec<Option<StoredAnswer>>, RunError> {
        let stored = keys.iter().map(|key| self.ledger.reply(key));
        Ok(stored.collect::<Result<_, _>>()?)
    }

    /// The longest front of `calls` whose worst case fits the budget.
    fn reserve(&self, model: &PricedModel, calls: &[ModelCall], keys: &[CallKey]) -> CallWave {
        let mut state = self.state();
        state.charge_losses();
        let charged = state.charged.len() as u64;
        let mut wave = CallWave::default();
        let mut seen = HashSet::new();
        for (call, key) in calls.iter().zip(keys) {
            if state.account.is_cut(charged, key) {
                wave.cut = true;
                break;
            }
            // What this run has paid for is free for whoever asks again.
            if !state.charged.contains(key) && seen.insert(*key) {
                let worst = model.worst_case(call);
                // No smaller call behind it goes ahead: which examples a candidate is
                // scored on must not depend on how long they are.
                let fits =
                    state.meter.reserve(worst) || state.ease_hold() && state.meter.reserve(worst);
                if !fits {
                    break;
                }
                wave.reserved.push((*key, worst));
            }
            wave.len += 1;
        }
        wave
    }

    /// Charges what the wave used, as far as it is among `front`, whose answers are
    /// `stored`; an answer from the store is charged as it was when it was paid for, so
    /// that spending does not depend on the cache. Returns what those cost that are new.
    fn settle(
        &self,
        model: &PricedModel,
        wave: &CallWave,
        front: &[CallKey],
        stored: &[Option<StoredAnswer>],
        complete: bool,
    ) -> Spend {
        let mut answers = front.iter().zip(stored);
        let mut useful = Spend::default();
        let mut state = self.state();
        for (key, worst) in &wave.reserved {
            // Reserved calls are in the order of the calls, each where it comes first.
            let found = answers.find(|(own, _)| *own == key);
            let Some((_, Some(stored))) = found else {
                debug_assert!(
                    !complete || found.is_none(),
                    "a complete wave has an answer for every call"
                );
                state.meter.refund(*worst);
                continue;
            };
            let used = model.cost(stored);
            if state.account.is_fresh(key) {
                useful += used;
            }
            state.meter.settle(*worst, used);
            state.charged.insert(*key);
        }
        useful
    }

    /// Calls from the front that have an answer.
    fn answered_front(&self, keys: &[CallKey]) -> Result<usize, RunError> {
        for (index, key) in keys.iter().enumerate() {
            if !self.ledger.has_reply(key)? {
                return Ok(index);
            }
        }
        Ok(keys.len())
    }

    /// Places what the wave spent beyond `useful`, durable before anything is
    /// decided by what it brought; `cut`: the call before which it ended.
    async fn end_wave(&self, useful: Spend, cut: Option<&CallKey>) -> Result<(), RunError> {
        {
            let mut state = self.state();
            let began = state.wave_began;
            state.account.end_wave(began, useful, cut.copied());
        }
        Ok(self.save_account().await?)
    }

    /// The first calls found missing after a kill are those that were in
    /// flight: they may have been paid for, so their worst case counts against
    /// the limits. Only for runs whose requests were not counted.
    fn account_for_kill(&self, wave: &CallWave, missing: &[(CallKey, &ModelCall)]) {
        let mut state = self.state();
        let Some(in_flight) = state.killed_in_flight.take() else {
            return;
        };
        let first: HashSet<&CallKey> = missing
            .iter()
            .take(in_flight as usize)
            .map(|(key, _)| key)
            .collect();
        let worst: Spend = wave
            .reserved
            .iter()
            .filter(|(key, _)| first.contains(key))
            .map(|(_, worst)| *worst)
            .sum();
        state.account.find(worst);
    }

    /// A wave of which something is missing begins.
    fn begin_wave(&self) {
        let mut state = self.state();
        let counted = state.meter.spent();
        state.wave_began = state.charged.len() as u64;
        state.account.begin_wave(counted);
    }

    fn state(&self) -> MutexGuard<'_, GatewayState> {
        // An observer that panicked has not broken the accounts.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls reserved together.
#[derive(Default)]
pub(crate) struct CallWave {
    /// How many calls from the front it covers.
    len: usize,
    /// It ended here when the run was executed first.
    cut: bool,
    /// The calls among them that are charged for the first time.
    pub(crate) reserved: Vec<(CallKey, Spend)>,
}

/// What came of sending a wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WaveEnd {
    /// Everything was stored before.
    Stored,
    /// Everything has an answer now.
    Answered,
    /// The limits have no room for the requests that the rest would take.
    Cut,
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_account;
#[cfg(test)]
mod tests_limits;
#[cfg(test)]
mod tests_sharing;
