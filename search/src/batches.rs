//! Calls sent as a batch: submitted at once, answered within hours, for less.
//!
//! What is with a provider is written down before it is sent, so that a process
//! that goes on later collects it and pays for nothing twice. What a batch leaves
//! unanswered is asked again call by call.

use std::collections::HashSet;

use shiftproof_tasks::AnswerForm;

use crate::budget::Spend;
use crate::gateway::{CallWave, Gateway, PricedModel, RunError, WaveProgress};
use crate::ledger::{BatchRecord, CallKey, StoredAnswer};
use crate::llm::{BatchInterface, LlmError, ModelCall};

impl Gateway {
    /// Takes the replies of batches that earlier processes submitted, as far as
    /// they answer calls of `missing`, and removes those from it.
    pub(crate) async fn collect_batches(
        &self,
        model: &PricedModel,
        wave: &CallWave,
        missing: &mut Vec<(CallKey, &ModelCall)>,
    ) -> Result<(), RunError> {
        let Some(batches) = model.llm.batches() else {
            return Ok(());
        };
        for mut batch in self.open_batches()? {
            if batch.model != model.llm.identity() || !concerns(&batch, missing) {
                continue;
            }
            // What a killed process had on the way is in this batch.
            self.kill_is_explained();
            if batch.id.is_none() {
                match batches.find(&batch.tag, batch.calls.len()).await {
                    Ok(Some(id)) => {
                        batch.id = Some(id);
                        self.keep_batch(&batch).await?;
                    }
                    // It never arrived.
                    Ok(None) => self.forget_batch(&batch.tag).await?,
                    Err(LlmError::Request(reason)) => {
                        self.give_up(&batch, wave, &reason).await?;
                    }
                    Err(error) => return Err(stop(model, error)),
                }
            }
            self.finish_batch(model, batches, &batch, wave, missing)
                .await?;
        }
        Ok(())
    }

    /// Sends `missing` as batches where that is asked for and they are enough,
    /// and removes what was answered from it.
    pub(crate) async fn send_batches(
        &self,
        model: &PricedModel,
        wave: &CallWave,
        missing: &mut Vec<(CallKey, &ModelCall)>,
    ) -> Result<(), RunError> {
        let Some(batches) = model.llm.batches() else {
            return Ok(());
        };
        let fitting: Vec<(String, &ModelCall)> = missing
            .iter()
            .filter(|(_, call)| is_chat(call))
            .map(|(key, call)| (key.to_hex(), *call))
            .collect();
        if fitting.len() < batches.least().max(1) {
            return Ok(());
        }
        let mut submitted = Vec::new();
        for calls in fitting.chunks(batches.most().max(1)) {
            if self.control().is_stopped() {
                return Err(RunError::Interrupted);
            }
            submitted.push(self.submit_batch(model, batches, calls).await?);
        }
        for batch in submitted {
            self.finish_batch(model, batches, &batch, wave, missing)
                .await?;
        }
        Ok(())
    }

    /// Written down, submitted, and written down again with what the provider
    /// calls it.
    async fn submit_batch(
        &self,
        model: &PricedModel,
        batches: &dyn BatchInterface,
        calls: &[(String, &ModelCall)],
    ) -> Result<BatchRecord, RunError> {
        let names: Vec<String> = calls.iter().map(|(name, _)| name.clone()).collect();
        let mut batch = BatchRecord {
            tag: tag(model.llm.identity(), &names),
            model: model.llm.identity().to_owned(),
            calls: names,
            id: None,
        };
        self.keep_batch(&batch).await?;
        match batches.submit(&batch.tag, calls).await {
            Ok(id) => batch.id = Some(id),
            // It may have arrived: whoever goes on looks for it.
            Err(error @ LlmError::Unavailable(_)) => return Err(stop(model, error)),
            Err(error) => {
                self.forget_batch(&batch.tag).await?;
                return Err(stop(model, error));
            }
        }
        self.count_sent(calls.len());
        self.keep_batch(&batch).await?;
        Ok(batch)
    }

    /// Waits for a submitted batch and keeps its replies. Without a wait the run
    /// stops here.
    async fn finish_batch(
        &self,
        model: &PricedModel,
        batches: &dyn BatchInterface,
        batch: &BatchRecord,
        wave: &CallWave,
        missing: &mut Vec<(CallKey, &ModelCall)>,
    ) -> Result<(), RunError> {
        let Some(id) = &batch.id else { return Ok(()) };
        let ended = loop {
            let progress = match batches.progress(id).await {
                Ok(progress) => progress,
                Err(LlmError::Request(reason)) => return self.give_up(batch, wave, &reason).await,
                Err(error) => return Err(stop(model, error)),
            };
            let work = WaveProgress {
                done: progress.done,
                total: missing.len() as u64,
                in_flight: progress.total.saturating_sub(progress.done),
                slots: progress.total,
                used: Spend::default(),
            };
            let status = format!(
                "batch {id}: {} of {} answered",
                progress.done, progress.total
            );
            self.tick(model, work, None, Some(status));
            if let Some(reason) = progress.refused {
                self.forget_batch(&batch.tag).await?;
                let reason = format!(
                    "the batch {id} was refused as a whole ({reason}); nothing of it is charged. \
                     Without batch in the study, calls are sent one by one"
                );
                return Err(stop(model, LlmError::Rejected(reason)));
            }
            if let Some(ended) = progress.ended {
                break ended;
            }
            if !batches.waits() {
                return Err(RunError::Batch {
                    model: model.llm.identity().to_owned(),
                    batch: id.clone(),
                    calls: batch.calls.len() as u64,
                    done: progress.done,
                });
            }
            tokio::select! {
                () = self.control().stopped() => return Err(RunError::Interrupted),
                () = tokio::time::sleep(batches.interval()) => {}
            }
        };
        self.keep_replies(model, batches, batch, &ended, missing)
            .await
    }

    async fn keep_replies(
        &self,
        model: &PricedModel,
        batches: &dyn BatchInterface,
        batch: &BatchRecord,
        ended: &str,
        missing: &mut Vec<(CallKey, &ModelCall)>,
    ) -> Result<(), RunError> {
        let id = batch.id.as_deref().unwrap_or_default();
        let calls: Vec<(String, &ModelCall)> = missing
            .iter()
            .map(|(key, call)| (key.to_hex(), *call))
            .collect();
        let replies = batches
            .collect(id, &calls)
            .await
            .map_err(|error| stop(model, error))?;
        let ours: HashSet<&String> = batch.calls.iter().collect();
        let mut durable = Vec::new();
        for (name, reply) in replies {
            if let Some(key) = CallKey::from_hex(&name).filter(|_| ours.contains(&name)) {
                durable.push((key, StoredAnswer::Reply(reply)));
            }
        }
        let (answered, all) = (durable.len(), batch.calls.len());
        if answered < all {
            self.remark(format!(
                "the batch {id} ended as {ended}: {answered} of its {all} calls have a reply, the others are asked again one by one"
            ));
        }
        for (key, stored) in &durable {
            self.collected(*key, model.cost(stored));
        }
        // Kept first, forgotten then: a kill between the two costs nothing.
        self.ledger().record(&durable).await?;
        self.forget_batch(&batch.tag).await?;
        let mut kept = Ok(());
        missing.retain(|(key, _)| match self.ledger().has_reply(key) {
            Ok(has) => !has,
            Err(error) => {
                kept = Err(error);
                true
            }
        });
        Ok(kept?)
    }

    /// A batch that may have been submitted and that nobody can find.
    async fn give_up(
        &self,
        batch: &BatchRecord,
        wave: &CallWave,
        reason: &str,
    ) -> Result<(), RunError> {
        let names: HashSet<&String> = batch.calls.iter().collect();
        let worst: Spend = wave
            .reserved
            .iter()
            .filter(|(key, _)| names.contains(&key.to_hex()))
            .map(|(_, worst)| *worst)
            .sum();
        self.lose(worst);
        self.remark(format!(
            "a batch of {} calls that was or may have been submitted cannot be found ({reason}): its worst case counts as spent",
            batch.calls.len()
        ));
        Ok(self.forget_batch(&batch.tag).await?)
    }
}

/// Whether a batch takes it: all but what only an embedded model can answer.
fn is_chat(call: &ModelCall) -> bool {
    !matches!(
        call.request.answer,
        AnswerForm::Nearest { .. } | AnswerForm::Likelihood { .. }
    )
}

fn concerns(batch: &BatchRecord, missing: &[(CallKey, &ModelCall)]) -> bool {
    let names: HashSet<&String> = batch.calls.iter().collect();
    missing.iter().any(|(key, _)| names.contains(&key.to_hex()))
}

/// Our name for a batch of these calls.
fn tag(model: &str, calls: &[String]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(model.as_bytes());
    for name in calls {
        hasher.update(name.as_bytes());
    }
    let digest = hasher.finalize().to_hex();
    format!("shiftproof-{}", &digest.as_str()[..32])
}

fn stop(model: &PricedModel, error: LlmError) -> RunError {
    let (LlmError::Unavailable(reason)
    | LlmError::Rejected(reason)
    | LlmError::Request(reason)
    | LlmError::Unaffordable(reason)) = error;
    RunError::Provider {
        model: model.llm.identity().to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_refused;
