//! The only way from the search to a model.
//!
//! Every call, whether it proposes or evaluates, passes here: looked up in the
//! ledger, reserved in the budget, sent with bounded concurrency, made durable,
//! settled. Nothing that happens here depends on the order in which replies
//! arrive, so a run that is executed again over the same replies takes the same
//! course.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use shiftproof_tasks::{Reply, Usage};
use thiserror::Error;

use crate::budget::{Limits, Meter, Price, Spend};
use crate::control::Control;
use crate::event::{EndedBatch, Event, Phase, Tick};
use crate::ledger::{Key, Ledger, LedgerError, Stored};
use crate::llm::{Call, Llm, LlmError};
use crate::log::{Bus, LogError};

/// Why a run stops before its end. Everything paid for is stored; the run can
/// be resumed.
#[derive(Debug, Error)]
pub enum Stop {
    /// The user asked for it.
    #[error("interrupted")]
    Interrupted,
    /// The model's service cannot answer.
    #[error("the model {model} did not answer: {reason}")]
    Provider {
        /// The model's identity.
        model: String,
        /// What it or the network said.
        reason: String,
    },
    /// Not even the seed prompt could be evaluated within the budget.
    #[error("the budget is exhausted before the seed prompt is evaluated: {0}")]
    Budget(String),
    /// The search depends on proposals, and not one could be used.
    #[error("no proposal of {model} could be used: {reason}")]
    Proposals {
        /// The proposer's identity.
        model: String,
        /// How many were asked for, by which rules they were thrown away, with one
        /// of each.
        reason: String,
    },
    /// The store failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The event log failed or the run diverged from it.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Signs of life while no call is answered.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// What came of one call.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// The model's reply.
    Reply(Reply),
    /// This request can never be answered; why.
    Refused(String),
    /// The budget has no room for it.
    Unaffordable,
}

/// One model with its price.
#[derive(Clone)]
pub struct Model {
    /// The model.
    pub llm: Arc<dyn Llm>,
    /// What it costs.
    pub price: Price,
}

impl Model {
    /// The most that `call` can cost.
    pub fn worst_case(&self, call: &Call) -> Spend {
        self.price.spend(&Usage {
            prompt_tokens: self.llm.estimate_tokens(&call.request),
            completion_tokens: u64::from(call.sampling.max_tokens),
            estimated: true,
        })
    }
}

/// See the [module](self).
pub struct Gateway {
    ledger: Arc<Ledger>,
    control: Control,
    state: Mutex<State>,
    sent: AtomicU64,
}

struct State {
    bus: Bus,
    meter: Meter,
    /// Calls this run has already been charged for.
    charged: HashSet<Key>,
    phase: Phase,
    /// The last process of this run was killed while at most this many calls
    /// were in flight; cleared once they are accounted for.
    killed_in_flight: Option<u64>,
    /// Reserved for the audit.
    held_back: Spend,
    /// Spending lost to kills, in the order of the run.
    losses: Vec<Loss>,
}

impl State {
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

/// Spending that a kill may have cost: replies that were paid for and not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Calls the run had been charged for by then: from there on it counts
    /// against the limits, so that a run executed again decides as it did.
    pub after: u64,
    /// Its worst case.
    pub worst: Spend,
}

impl Gateway {
    /// A gateway that has spent nothing yet. `control`: asked before anything is
    /// sent; `killed_in_flight`: how many calls a killed predecessor may have
    /// paid for without keeping the reply; `losses`: what earlier kills were
    /// found to have cost.
    pub fn new(
        ledger: Arc<Ledger>,
        bus: Bus,
        meter: Meter,
        control: impl Into<Control>,
        killed_in_flight: Option<u64>,
        losses: Vec<Loss>,
    ) -> Self {
        Self {
            ledger,
            control: control.into(),
            state: Mutex::new(State {
                bus,
                meter,
                charged: HashSet::new(),
                phase: Phase::Propose,
                killed_in_flight,
                held_back: Spend::default(),
                losses,
            }),
            sent: AtomicU64::new(0),
        }
    }

    /// Tells a durable event.
    pub fn tell(&self, event: &Event) -> Result<(), Stop> {
        let mut state = self.state();
        if let Event::Phase { phase, .. } = event {
            state.phase = *phase;
        }
        Ok(state.bus.tell(event)?)
    }

    /// Everything told so far.
    pub fn told(&self) -> Vec<Event> {
        self.state().bus.told().to_vec()
    }

    /// Settled spending so far.
    pub fn spent(&self) -> Spend {
        self.state().meter.spent()
    }

    /// What kills may have cost, each with its place in the run.
    pub fn losses(&self) -> Vec<Loss> {
        self.state().losses.clone()
    }

    /// The limits on spending.
    pub fn limits(&self) -> Limits {
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

    /// Calls sent to a model by this process.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Answers `calls`, one result each, in their order.
    ///
    /// Calls are afforded from the front: when one does not fit the budget,
    /// those behind it are not sent either.
    pub async fn ask(&self, model: &Model, calls: &[Call]) -> Result<Vec<Asked>, Stop> {
        let keys: Vec<Key> = calls
            .iter()
            .map(|call| Key::of(model.llm.identity(), call))
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
                    return Ok(Asked::Unaffordable);
                }
                Ok(match self.ledger.reply(key)? {
                    Some(Stored::Reply(reply)) => Asked::Reply(reply),
                    Some(Stored::Refused(reason)) => Asked::Refused(reason),
                    None => unreachable!("a filled wave leaves no call without a stored answer"),
                })
            })
            .collect()
    }

    /// The longest front of `calls` whose worst case fits the budget.
    fn reserve(&self, model: &Model, calls: &[Call], keys: &[Key]) -> Wave {
        let mut state = self.state();
        state.charge_losses();
        let mut wave = Wave::default();
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
        model: &Model,
        calls: &[Call],
        keys: &[Key],
        wave: &Wave,
    ) -> Result<(), Stop> {
        let mut queued = HashSet::new();
        let mut missing: Vec<(Key, &Call)> = Vec::new();
        for (key, call) in keys.iter().zip(calls) {
            if queued.insert(*key) && !self.ledger.has_reply(key)? {
                missing.push((*key, call));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        self.account_for_kill(wave, &missing);

        let capabilities = model.llm.capabilities();
        let total = missing.len() as u64;
        let slots = capabilities.concurrency.max(1);
        let mut queue = missing.chunks(capabilities.batch.max(1));
        // A slot is free again when the reply is here; making it durable takes
        // a second set of as many slots, so that a slow disk holds back the
        // model only when it cannot keep up.
        let mut in_flight = FuturesUnordered::new();
        let mut saving = FuturesUnordered::new();
        let mut work = Work {
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
                    stop = Some(Stop::Interrupted);
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
                        stop.get_or_insert(Stop::from(error));
                    }
                }
                Some(answered) = in_flight.next() => {
                    work.done += answered.calls();
                    work.in_flight -= answered.calls();
                    self.tick(model, work, Some(answered.ended));
                    if let Some(failure) = answered.failure {
                        stop.get_or_insert(failure);
                    }
                    saving.push(self.ledger.record(answered.durable));
                }
                () = self.control.go(), if paused => {}
                // A client that waits out a rate limit must not look stuck.
                _ = heartbeat.tick() => self.tick(model, work, None),
            }
        }
    }

    /// Sends one batch.
    async fn send(&self, model: &Model, chunk: &[(Key, &Call)]) -> Answered {
        let started = Instant::now();
        self.sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        let answers = if let [(_, call)] = chunk {
            vec![model.llm.call(call).await]
        } else {
            let calls: Vec<Call> = chunk.iter().map(|(_, call)| (*call).clone()).collect();
            model.llm.call_batch(&calls).await
        };
        let mut answered = Answered {
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
        for ((key, _), answer) in chunk.iter().zip(answers) {
            let stored = match answer {
                Ok(reply) => {
                    answered.ended.tokens +=
                        reply.usage.prompt_tokens + reply.usage.completion_tokens;
                    Stored::Reply(reply)
                }
                Err(LlmError::Request(reason)) => {
                    answered.ended.failed += 1;
                    answered.ended.error.get_or_insert(reason.clone());
                    Stored::Refused(reason)
                }
                Err(LlmError::Unavailable(reason) | LlmError::Rejected(reason)) => {
                    answered.ended.failed += 1;
                    answered.ended.error.get_or_insert(reason.clone());
                    answered.failure.get_or_insert(Stop::Provider {
                        model: model.llm.identity().to_owned(),
                        reason,
                    });
                    continue;
                }
            };
            answered.durable.push((*key, stored));
        }
        answered
    }

    /// Charges what the wave used; an answer from the store is charged as it
    /// was when it was paid for, so that spending does not depend on the cache.
    fn settle(&self, model: &Model, wave: &Wave, complete: bool) -> Result<(), Stop> {
        let mut state = self.state();
        for (key, worst) in &wave.reserved {
            let Some(stored) = self.ledger.reply(key)? else {
                debug_assert!(!complete, "a complete wave has an answer for every call");
                state.meter.refund(*worst);
                continue;
            };
            let used = match &stored {
                Stored::Reply(reply) => model.price.spend(&reply.usage),
                Stored::Refused(_) => Spend {
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
    fn account_for_kill(&self, wave: &Wave, missing: &[(Key, &Call)]) {
        let mut state = self.state();
        let Some(in_flight) = state.killed_in_flight.take() else {
            return;
        };
        let first: HashSet<&Key> = missing
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
        // This wave is reserved already; the loss counts from the next one on,
        // and does so again whenever the run is executed again.
        let after = state.charged.len() as u64 + 1;
        state.losses.push(Loss { after, worst });
    }

    fn tick(&self, model: &Model, work: Work, ended: Option<EndedBatch>) {
        let (status, traffic) = (model.llm.status(), model.llm.traffic());
        let mut state = self.state();
        let tick = Tick {
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
        state.bus.tick(&tick);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // An observer that panicked has not broken the accounts.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A batch that was answered, in whole or in part.
struct Answered {
    ended: EndedBatch,
    /// What is to be kept.
    durable: Vec<(Key, Stored)>,
    /// Why the run cannot go on.
    failure: Option<Stop>,
}

impl Answered {
    fn calls(&self) -> u64 {
        self.ended.calls
    }
}

/// How far a wave is.
#[derive(Clone, Copy)]
struct Work {
    done: u64,
    total: u64,
    in_flight: u64,
    slots: u64,
}

/// Calls reserved together.
#[derive(Default)]
struct Wave {
    /// How many calls from the front it covers.
    len: usize,
    /// The calls among them that are charged for the first time.
    reserved: Vec<(Key, Spend)>,
}
