//! The only way from the search to a model.
//!
//! Every call, whether it proposes or evaluates, passes here: looked up in the
//! ledger, reserved in the budget, sent with bounded concurrency, made durable,
//! settled. Nothing that happens here depends on the order in which replies
//! arrive, so a run that is executed again over the same replies takes the same
//! course.

mod outcome;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;

pub use self::outcome::{CallOutcome, LostCalls, PricedModel, RunError};
use crate::budget::{BudgetLimits, Meter, Spend};
use crate::control::RunControl;
use crate::event::{EndedBatch, Event, Phase, ProgressTick};
use crate::event_log::EventLog;
use crate::ledger::{BatchRecord, CallKey, Ledger, LedgerError, StoredAnswer};
use crate::llm::{LlmError, ModelCall};

/// Signs of life while no call is answered.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// See the [module](self).
pub struct Gateway {
    ledger: Arc<Ledger>,
    control: RunControl,
    state: Mutex<GatewayState>,
    sent: AtomicU64,
    /// Stored refusals are asked again, each once.
    retry_refused: bool,
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
    /// Spending lost to kills, in the order of the run.
    losses: Vec<LostCalls>,
    /// Refusals that were asked again by this process.
    retried: HashSet<CallKey>,
    /// What became of batches that did not go as they should.
    remarks: Vec<String>,
    /// Batches that are not collected; read from the ledger when first needed.
    open: Option<Vec<BatchRecord>>,
}

impl GatewayState {
    /// A wave in hand is reserved already; what it lost counts from the next one
    /// on, and does so again whenever the run is executed again.
    fn lose(&mut self, worst: Spend) {
        let after = self.charged.len() as u64 + 1;
        self.losses.push(LostCalls { after, worst });
    }

    /// Counts every loss whose place in the run has been reached.
    fn charge_losses(&mut self) {
        let reached = self.charged.len() as u64;
        let worst: Spend = self
            .losses
            .iter()
            .filter(|loss| loss.after <= reached)
            .map(|loss| loss.worst)
            .sum();
        self.meter.set_lost(worst);
    }
}

impl Gateway {
    /// A gateway that has spent nothing yet. `control`: asked before anything is
    /// sent; `killed_in_flight`: how many calls a killed predecessor may have
    /// paid for without keeping the reply; `losses`: what earlier kills were
    /// found to have cost.
    pub fn new(
        ledger: Arc<Ledger>,
        event_log: EventLog,
        meter: Meter,
        control: impl Into<RunControl>,
        killed_in_flight: Option<u64>,
        losses: Vec<LostCalls>,
    ) -> Self {
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
                losses,
                retried: HashSet::new(),
                remarks: Vec::new(),
                open: None,
            }),
            sent: AtomicU64::new(0),
            retry_refused: false,
        }
    }

    /// Asks again, once, what was refused before: what is answered now takes the
    /// refusal's place in the ledger. Replies are never asked for twice.
    #[must_use]
    pub fn retrying_refused(mut self, retry: bool) -> Self {
        self.retry_refused = retry;
        self
    }

    /// Tells a durable event.
    pub fn emit(&self, event: &Event) -> Result<(), RunError> {
        let mut state = self.state();
        if let Event::Phase { phase, .. } = event {
            state.phase = *phase;
        }
        Ok(state.event_log.emit(event)?)
    }

    /// Everything told so far.
    pub fn emitted(&self) -> Vec<Event> {
        self.state().event_log.emitted().to_vec()
    }

    /// The phase under way.
    pub fn phase(&self) -> Phase {
        self.state().phase
    }

    /// Settled spending so far.
    pub fn spent(&self) -> Spend {
        self.state().meter.spent()
    }

    /// What kills may have cost, each with its place in the run.
    pub fn losses(&self) -> Vec<LostCalls> {
        self.state().losses.clone()
    }

    /// The limits on spending.
    pub fn limits(&self) -> BudgetLimits {
        *self.state().meter.limits()
    }

    /// Sets `worst` aside until [`release`](Self::release), as far as the
    /// limits have room for it at all.
    pub fn hold_back(&self, worst: Spend) {
        let mut state = self.state();
        if state.meter.reserve(worst) {
            state.held_back += worst;
        }
    }

    /// Makes what was held back available.
    pub fn release(&self) {
        let mut state = self.state();
        let held_back = std::mem::take(&mut state.held_back);
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

    /// Counts `worst` as lost.
    pub(crate) fn lose(&self, worst: Spend) {
        self.state().lose(worst);
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

    /// Answers `calls`, one result each, in their order.
    ///
    /// Calls are afforded from the front: when one does not fit the budget,
    /// those behind it are not sent either.
    pub async fn ask(
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
        let mut afforded = 0;
        while afforded < calls.len() {
            let wave = self.reserve(model, &calls[afforded..], &keys[afforded..]);
            if wave.len == 0 {
                break;
            }
            let range = afforded..afforded + wave.len;
            let outcome = self
                .fill(model, &calls[range.clone()], &keys[range], &wave)
                .await;
            self.settle(model, &wave, outcome.is_ok())?;
            outcome?;
            afforded += wave.len;
        }
        keys.iter()
            .enumerate()
            .map(|(index, key)| {
                if index >= afforded {
                    return Ok(CallOutcome::Unaffordable);
                }
                Ok(match self.ledger.reply(key)? {
                    Some(StoredAnswer::Reply(reply)) => CallOutcome::Reply(reply),
                    Some(StoredAnswer::Refused(reason)) => CallOutcome::Refused(reason),
                    None => unreachable!("a filled wave leaves no call without a stored answer"),
                })
            })
            .collect()
    }

    /// The longest front of `calls` whose worst case fits the budget.
    fn reserve(&self, model: &PricedModel, calls: &[ModelCall], keys: &[CallKey]) -> CallWave {
        let mut state = self.state();
        state.charge_losses();
        let mut wave = CallWave::default();
        let mut seen = HashSet::new();
        for (call, key) in calls.iter().zip(keys) {
            if !state.charged.contains(key) && seen.insert(*key) {
                let worst = model.worst_case(call);
                if !state.meter.reserve(worst) {
                    break;
                }
                wave.reserved.push((*key, worst));
            }
            wave.len += 1;
        }
        wave
    }

    /// Makes sure that every call of the wave has a stored answer.
    async fn fill(
        &self,
        model: &PricedModel,
        calls: &[ModelCall],
        keys: &[CallKey],
        wave: &CallWave,
    ) -> Result<(), RunError> {
        let mut queued = HashSet::new();
        let mut missing: Vec<(CallKey, &ModelCall)> = Vec::new();
        for (key, call) in keys.iter().zip(calls) {
            if queued.insert(*key) && self.is_missing(key)? {
                missing.push((*key, call));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        self.collect_batches(model, wave, &mut missing).await?;
        self.account_for_kill(wave, &missing);
        self.send_batches(model, wave, &mut missing).await?;
        if missing.is_empty() {
            return Ok(());
        }

        let capabilities = model.llm.capabilities();
        let total = missing.len() as u64;
        let slots = capabilities.concurrency.max(1);
        let mut queue = missing.chunks(capabilities.batch.max(1));
        // A slot is free again when the reply is here; making it durable takes
        // a second set of as many slots, so that a slow disk holds back the
        // model only when it cannot keep up.
        let mut in_flight = FuturesUnordered::new();
        let mut saving = FuturesUnordered::new();
        let mut work = WaveProgress {
            done: 0,
            total,
            in_flight: 0,
            slots: (slots * capabilities.batch.max(1)) as u64,
        };
        let mut stop = None;
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        loop {
            // After a failure or an interrupt, and in a pause, nothing new is
            // sent, but what is in flight is awaited: it is paid for.
            let paused = stop.is_none() && queue.len() > 0 && self.control.is_paused();
            while !paused && stop.is_none() && in_flight.len() < slots && saving.len() < slots {
                let Some(chunk) = queue.next() else { break };
                if self.control.is_stopped() {
                    stop = Some(RunError::Interrupted);
                } else {
                    work.in_flight += chunk.len() as u64;
                    in_flight.push(self.send(model, chunk));
                }
            }
            if !paused && in_flight.is_empty() && saving.is_empty() {
                return stop.map_or(Ok(()), Err);
            }
            tokio::select! {
                biased;
                Some(saved) = saving.next() => {
                    if let Err(error) = saved {
                        stop.get_or_insert(RunError::from(error));
                    }
                }
                Some(answered) = in_flight.next() => {
                    work.done += answered.calls();
                    work.in_flight -= answered.calls();
                    self.tick(model, work, Some(answered.ended), None);
                    if let Some(failure) = answered.failure {
                        stop.get_or_insert(failure);
                    }
                    saving.push(self.ledger.record(answered.durable));
                }
                () = self.control.go(), if paused => {}
                // A client that waits out a rate limit must not look stuck.
                _ = heartbeat.tick() => self.tick(model, work, None, None),
            }
        }
    }

    /// Whether a call is still to be sent.
    fn is_missing(&self, key: &CallKey) -> Result<bool, RunError> {
        if !self.retry_refused {
            return Ok(!self.ledger.has_reply(key)?);
        }
        Ok(match self.ledger.reply(key)? {
            None => true,
            Some(StoredAnswer::Reply(_)) => false,
            Some(StoredAnswer::Refused(_)) => !self.state().retried.contains(key),
        })
    }

    /// Sends one batch.
    async fn send(&self, model: &PricedModel, chunk: &[(CallKey, &ModelCall)]) -> AnsweredBatch {
        let started = Instant::now();
        self.sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        let answers = if let [(_, call)] = chunk {
            vec![model.llm.call(call).await]
        } else {
            let calls: Vec<ModelCall> = chunk.iter().map(|(_, call)| (*call).clone()).collect();
            model.llm.call_batch(&calls).await
        };
        let mut answered = AnsweredBatch {
            ended: EndedBatch {
                calls: chunk.len() as u64,
                latency: started.elapsed(),
                tokens: 0,
                failed: 0,
                error: None,
            },
            durable: Vec::with_capacity(chunk.len()),
            failure: None,
        };
        if answers.len() < chunk.len() {
            // What has no answer is asked again when the run goes on.
            answered.failure = Some(RunError::Provider {
                model: model.llm.identity().to_owned(),
                reason: format!("{} answers to {} calls", answers.len(), chunk.len()),
            });
        }
        for ((key, _), answer) in chunk.iter().zip(answers) {
            let stored = match answer {
                Ok(reply) => {
                    answered.ended.tokens =
                        answered.ended.tokens.saturating_add(reply.usage.tokens());
                    StoredAnswer::Reply(reply)
                }
                Err(LlmError::Request(reason)) => {
                    answered.ended.failed += 1;
                    answered.ended.error.get_or_insert(reason.clone());
                    StoredAnswer::Refused(reason)
                }
                Err(LlmError::Unavailable(reason) | LlmError::Rejected(reason)) => {
                    answered.ended.failed += 1;
                    answered.ended.error.get_or_insert(reason.clone());
                    answered.failure.get_or_insert(RunError::Provider {
                        model: model.llm.identity().to_owned(),
                        reason,
                    });
                    continue;
                }
            };
            answered.durable.push((*key, stored));
        }
        if self.retry_refused {
            let keys = answered.durable.iter().map(|(key, _)| *key);
            self.state().retried.extend(keys);
        }
        answered
    }

    /// Charges what the wave used; an answer from the store is charged as it
    /// was when it was paid for, so that spending does not depend on the cache.
    fn settle(&self, model: &PricedModel, wave: &CallWave, complete: bool) -> Result<(), RunError> {
        let mut state = self.state();
        for (key, worst) in &wave.reserved {
            let Some(stored) = self.ledger.reply(key)? else {
                debug_assert!(!complete, "a complete wave has an answer for every call");
                state.meter.refund(*worst);
                continue;
            };
            let used = match &stored {
                StoredAnswer::Reply(reply) => model.price.spend(&reply.usage),
                StoredAnswer::Refused(_) => Spend {
                    calls: 1,
                    ..Spend::default()
                },
            };
            state.meter.settle(*worst, used);
            state.charged.insert(*key);
        }
        Ok(())
    }

    /// The first calls found missing after a kill are those that were in
    /// flight: they may have been paid for, so their worst case counts against
    /// the limits.
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
        state.lose(worst);
    }

    pub(crate) fn tick(
        &self,
        model: &PricedModel,
        work: WaveProgress,
        ended: Option<EndedBatch>,
        status: Option<String>,
    ) {
        let status = status.or_else(|| model.llm.status());
        let traffic = model.llm.traffic();
        let mut state = self.state();
        let tick = ProgressTick {
            phase: state.phase,
            done: work.done,
            total: work.total,
            sent: self.sent(),
            spent: state.meter.spent(),
            ended,
            in_flight: work.in_flight,
            slots: work.slots,
            traffic,
            paused: self.control.is_paused(),
            status,
        };
        state.event_log.tick(&tick);
    }

    fn state(&self) -> MutexGuard<'_, GatewayState> {
        // An observer that panicked has not broken the accounts.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A batch that was answered, in whole or in part.
struct AnsweredBatch {
    ended: EndedBatch,
    /// What is to be kept.
    durable: Vec<(CallKey, StoredAnswer)>,
    /// Why the run cannot go on.
    failure: Option<RunError>,
}

impl AnsweredBatch {
    fn calls(&self) -> u64 {
        self.ended.calls
    }
}

/// How far a wave is.
#[derive(Clone, Copy)]
pub(crate) struct WaveProgress {
    pub(crate) done: u64,
    pub(crate) total: u64,
    pub(crate) in_flight: u64,
    pub(crate) slots: u64,
}

/// Calls reserved together.
#[derive(Default)]
pub(crate) struct CallWave {
    /// How many calls from the front it covers.
    len: usize,
    /// The calls among them that are charged for the first time.
    pub(crate) reserved: Vec<(CallKey, Spend)>,
}

#[cfg(test)]
mod tests;
