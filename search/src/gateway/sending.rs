//! Sending the calls that have no stored answer, and keeping what comes back.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::{CallWave, Gateway, PricedModel, RunError};
use crate::event::{EndedBatch, ProgressTick};
use crate::ledger::{CallKey, StoredAnswer};
use crate::llm::{LlmError, ModelCall};

/// Signs of life while no call is answered.
const HEARTBEAT: Duration = Duration::from_secs(1);

impl Gateway {
    /// Makes sure that every call of the wave has a stored answer.
    pub(super) async fn fill(
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
        // Before the kill is accounted for: calls that a provider has as a batch are not
        // lost.
        self.collect_batches(model, wave, &mut missing).await?;
        self.account_for_kill(wave, &missing);
        self.send_batches(model, wave, &mut missing).await?;
        if missing.is_empty() {
            return Ok(());
        }
        self.send_each(model, &missing).await
    }

    /// Sends calls as the model takes them, and makes every answer durable.
    async fn send_each(
        &self,
        model: &PricedModel,
        missing: &[(CallKey, &ModelCall)],
    ) -> Result<(), RunError> {
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
                // In this order: a write that is done frees a place for the next, and a
                // heartbeat can wait.
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
