//! Sending the calls that have no stored answer, and keeping what comes back.

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};

use super::account::CallAllowance;
use super::chunks::{AnsweredBatch, AuthorisedChunk};
use super::sharing::ClaimRoom;
use super::{CallWave, Gateway, PricedModel, RunError, WaveEnd};
use crate::budget::Spend;
use crate::event::{EndedBatch, ProgressTick};
use crate::ledger::{CallKey, LedgerError, StoredAnswer};
use crate::llm::{LlmError, ModelCall};

/// Signs of life while no call is answered.
const HEARTBEAT: Duration = Duration::from_secs(1);

impl Gateway {
    /// Sees to it that every call of the wave has a stored answer, as far as the
    /// limits allow for the requests it takes.
    pub(super) async fn fill(
        &self,
        model: &PricedModel,
        calls: &[ModelCall],
        keys: &[CallKey],
        wave: &CallWave,
    ) -> Result<WaveEnd, RunError> {
        let mut queued = HashSet::new();
        let mut missing: Vec<(CallKey, &ModelCall)> = Vec::new();
        for (key, call) in keys.iter().zip(calls) {
            if queued.insert(*key) && self.is_missing(key)? {
                missing.push((*key, call));
            }
        }
        self.take_over(&mut missing).await?;
        if missing.is_empty() {
            return Ok(WaveEnd::Stored);
        }
        self.begin_wave();
        // Before the kill is accounted for: calls that a provider has as a batch are not
        // lost.
        self.collect_batches(model, wave, &mut missing).await?;
        self.account_for_kill(wave, &missing);
        self.send_batches(model, wave, &mut missing).await?;
        // What failed last was sent while there was room for others behind it: those
        // that are left now go first.
        while let Some((_, first)) = missing.first() {
            if !self.has_room(model.worst_case(first)) {
                return Ok(WaveEnd::Cut);
            }
            let others_ask = self.send_each(model, &missing).await?;
            let mut left = Vec::new();
            for (key, call) in &missing {
                if !self.ledger.has_reply(key)? {
                    left.push((*key, *call));
                }
            }
            if others_ask && !left.is_empty() {
                self.wait_for_others(model, left.len()).await;
            } else if left.len() == missing.len() {
                // Room for one of a batch is no room for the batch.
                return Ok(WaveEnd::Cut);
            }
            missing = left;
        }
        Ok(WaveEnd::Answered)
    }

    /// Sends calls as the model takes them and the limits allow, and makes every
    /// answer durable. Returns whether other processes are asking some of them.
    async fn send_each(
        &self,
        model: &PricedModel,
        missing: &[(CallKey, &ModelCall)],
    ) -> Result<bool, RunError> {
        let capabilities = model.llm.capabilities();
        let total = missing.len() as u64;
        let slots = capabilities.concurrency.max(1);
        // Authorised before a slot is free, so that no slot waits for a disk, and
        // several by one write. A kill costs them, too.
        let ahead = (slots / 2).max(1);
        let mut queue = missing.chunks(capabilities.batch.max(1));
        let mut ready: VecDeque<AuthorisedChunk<'_>> = VecDeque::new();
        let mut authorising = FuturesUnordered::new();
        // A slot is free again when the reply is here; making it durable takes
        // a second set of as many slots, so that a slow disk holds back the
        // model only when it cannot keep up.
        let mut in_flight = FuturesUnordered::new();
        let mut saving = FuturesUnordered::new();
        let mut unsaved = 0;
        let mut work = WaveProgress::of(total, slots * capabilities.batch.max(1));
        // `short`: the limits have no room for a call that was sent.
        let (mut stop, mut short) = (None, false);
        let mut room = ClaimRoom::default();
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        loop {
            // After a failure or an interrupt, and in a pause, nothing new is
            // sent, but what is in flight is awaited: it is paid for.
            let unsent = queue.len() > 0 && !room.is_full || !ready.is_empty();
            let waits = stop.is_none() && !short && unsent;
            if waits && self.control.is_stopped() {
                stop = Some(RunError::Interrupted);
            }
            if waits && let Err(error) = self.ledger.check_room() {
                stop.get_or_insert(error.into());
            }
            let paused = waits && stop.is_none() && self.control.is_paused();
            let sends = waits && stop.is_none() && !paused;
            if sends && !room.is_full && authorising.is_empty() && 2 * ready.len() <= ahead {
                let most = (slots + ahead).saturating_sub(in_flight.len() + ready.len());
                let granted: Vec<_> = queue
                    .by_ref()
                    .take(most)
                    .map_while(|calls| self.authorised(model, calls, &mut room.is_full))
                    .collect();
                if !granted.is_empty() {
                    authorising.push(self.claimed(granted, self.save_tally()));
                }
            }
            while sends && in_flight.len() < slots && unsaved < slots {
                let Some(chunk) = ready.pop_front() else {
                    break;
                };
                work.in_flight += chunk.calls.len() as u64;
                in_flight.push(self.send(model, chunk));
            }
            if !saving.is_empty() && (in_flight.is_empty() || unsaved >= slots) {
                self.ledger.hurry();
            }
            let idle = in_flight.is_empty() && saving.is_empty() && authorising.is_empty();
            if !paused && idle && (ready.is_empty() || !sends) {
                let unclaimed = self.unclaim(&ready).await;
                return match stop.or(room.over_budget) {
                    Some(error) => Err(error),
                    None => Ok(unclaimed.map(|()| room.others_ask)?),
                };
            }
            tokio::select! {
                // In this order: a write that is done frees a place for the next, and a
                // heartbeat can wait.
                biased;
                Some((chunks, saved)) = saving.next() => {
                    unsaved -= chunks;
                    if let Err(error) = saved {
                        stop.get_or_insert(RunError::from(error));
                    }
                }
                Some(claimed) = authorising.next() => {
                    work.done += claimed.answered;
                    room.note(&claimed);
                    if let Some(error) = claimed.failure {
                        stop.get_or_insert(RunError::from(error));
                    }
                    ready.extend(claimed.chunks);
                }
                Some(answered) = in_flight.next() => {
                    let (mut next, mut chunks, mut durable) = (Some(answered), 0, Vec::new());
                    let mut ends = Vec::new();
                    // Those that came meanwhile are one write, and wake this task once.
                    while let Some(mut answered) = next {
                        short |= self.told(model, &mut work, &mut answered, &mut stop);
                        ends.extend(self.ends(&mut answered));
                        durable.extend(answered.durable);
                        chunks += 1;
                        next = in_flight.next().now_or_never().flatten();
                    }
                    unsaved += chunks;
                    let saved = self.kept(self.keep(model, &durable), ends);
                    saving.push(async move { (chunks, saved.await) });
                }
                () = self.control.go(), if paused => {}
                // A client that waits out a rate limit must not look stuck.
                _ = heartbeat.tick() => self.tick(model, work, None, None),
            }
        }
    }

    /// Tells of a batch that was answered, and of why the run cannot go on, if it cannot.
    /// Returns whether the limits had no room for a request that was needed again.
    fn told(
        &self,
        model: &PricedModel,
        work: &mut WaveProgress,
        answered: &mut AnsweredBatch,
        stop: &mut Option<RunError>,
    ) -> bool {
        work.done += answered.calls();
        work.in_flight -= answered.calls();
        work.used += answered.used(model);
        self.tick(model, *work, Some(answered.ended.clone()), None);
        if let Some(failure) = answered.failure.take() {
            stop.get_or_insert(failure);
        }
        let unaffordable = answered.unaffordable.take();
        if let Some(reason) = &unaffordable {
            self.remark(format!(
                "the limits left no room for a request that was needed again: {reason}"
            ));
        }
        unaffordable.is_some()
    }

    /// `calls` with their requests authorised; `None` where the limits have no room
    /// for them.
    fn authorised<'c>(
        &self,
        model: &PricedModel,
        calls: &'c [(CallKey, &'c ModelCall)],
        full: &mut bool,
    ) -> Option<AuthorisedChunk<'c>> {
        let costs: Vec<Spend> = calls
            .iter()
            .map(|(_, call)| model.worst_case(call))
            .collect();
        *full |= !self.authorise(costs.iter().copied().sum());
        let calls = Cow::Borrowed(calls);
        (!*full).then_some(AuthorisedChunk { calls, costs })
    }

    /// Stores answers, counted as kept by whatever is written after them.
    fn keep(
        &self,
        model: &PricedModel,
        durable: &[(CallKey, StoredAnswer)],
    ) -> impl Future<Output = Result<(), LedgerError>> + Send + use<> {
        let costs: Vec<(CallKey, Spend)> = durable
            .iter()
            .map(|(key, stored)| (*key, model.cost(stored)))
            .collect();
        let saved = self.ledger.record_with_others(durable);
        let mut state = self.state();
        for (key, used) in costs {
            state.account.keep(key, used);
        }
        saved
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

    /// Sends what is authorised.
    async fn send(&self, model: &PricedModel, chunk: AuthorisedChunk<'_>) -> AnsweredBatch {
        let worst = chunk.worst();
        let chunk = &chunk.calls[..];
        let started = Instant::now();
        if model.llm.is_metered() {
            self.sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        }
        let mut claims = Vec::with_capacity(chunk.len());
        let answers = if let [(key, call)] = chunk {
            let allowance = CallAllowance::new(self, *key, worst);
            let answer = model.llm.call_within(call, &allowance).await;
            let cost = allowance.conclude(match &answer {
                Ok(reply) => model.used(&reply.usage),
                Err(_) => Spend::default(),
            });
            claims.push((*key, cost));
            vec![answer]
        } else {
            let calls: Vec<ModelCall> = chunk.iter().map(|(_, call)| (*call).clone()).collect();
            let answers = model.llm.call_batch(&calls).await;
            let costs = calls
                .iter()
                .enumerate()
                .map(|(index, call)| match answers.get(index) {
                    Some(Ok(reply)) => model.used(&reply.usage),
                    Some(Err(LlmError::Request(_) | LlmError::Rejected(_))) => model.refused(),
                    _ => model.worst_case(call),
                });
            claims.extend(chunk.iter().map(|(key, _)| *key).zip(costs));
            self.conclude(worst, claims.iter().map(|(_, cost)| *cost).sum());
            answers
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
            claims,
            failure: None,
            unaffordable: None,
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
                Err(LlmError::Unaffordable(reason)) => {
                    answered.ended.failed += 1;
                    answered.ended.error.get_or_insert(reason.clone());
                    answered.unaffordable.get_or_insert(reason);
                    continue;
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

    /// Tells observers that `calls` wait for something else than the model.
    pub(super) fn tick_waiting(&self, model: &PricedModel, calls: u64, status: String) {
        self.tick(model, WaveProgress::of(calls, 0), None, Some(status));
    }

    /// Tells observers how far the wave is.
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
            spent: state.meter.spent() + work.used,
            ended,
            in_flight: work.in_flight,
            slots: work.slots,
            traffic,
            paused: self.control.is_paused(),
            status,
        };
        state.event_log.tick(&tick);
    }
}

/// How far a wave is.
#[derive(Clone, Copy)]
pub(crate) struct WaveProgress {
    pub(crate) done: u64,
    pub(crate) total: u64,
    pub(crate) in_flight: u64,
    pub(crate) slots: u64,
    /// Tokens and money of what is done; the calls are in `done`.
    pub(crate) used: Spend,
}

impl WaveProgress {
    /// A wave of `total` calls that begins, of which `slots` may be under way at once.
    fn of(total: u64, slots: usize) -> Self {
        Self {
            done: 0,
            total,
            in_flight: 0,
            slots: slots as u64,
            used: Spend::default(),
        }
    }
}
