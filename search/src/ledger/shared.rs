//! Answers in common with processes on other machines: see
//! [`SharedStore`](shiftproof_store::shared::SharedStore). The ledger of a process stays whole
//! in itself: what others were answered is copied into it, and what it is answered goes to both.

use std::fmt;
use std::sync::Arc;

use shiftproof_store::shared::{Amount, Claim, ClaimRequest, ClaimResult, SharedStore};

use super::{CallKey, LedgerError, StoredAnswer, decode, encode, reply_key};
use crate::budget::Spend;

/// Most keys in one question to the store.
const KEYS_AT_ONCE: usize = 1024;

/// The answers of a [`SharedStore`], and the budget that asking for others draws on.
#[derive(Clone)]
pub struct SharedAnswers {
    store: Arc<dyn SharedStore>,
    budget: Option<Arc<str>>,
}

impl fmt::Debug for SharedAnswers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedAnswers")
            .field("store", &self.store.address())
            .field("budget", &self.budget)
            .finish()
    }
}

/// What became of a claim to ask a model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CallClaim {
    /// Nobody else asks.
    Granted,
    /// Another process was answered meanwhile.
    Answered(StoredAnswer),
    /// Another process is asking.
    Held,
    /// The shared budget has no room for it.
    OverBudget,
}

/// How asking a model ended.
#[derive(Debug, Clone)]
pub(crate) struct ClaimEnd {
    pub(crate) key: CallKey,
    /// `None`: there is no answer, and others may ask.
    pub(crate) answer: Option<StoredAnswer>,
    /// What its requests cost.
    pub(crate) used: Spend,
    /// The answer takes the place of a refusal.
    pub(crate) replaces: bool,
}

impl SharedAnswers {
    /// Answers of `store`; asking for others draws on its budget of this name, if one is
    /// given.
    pub fn new(store: Arc<dyn SharedStore>, budget: Option<&str>) -> Self {
        Self {
            store,
            budget: budget.map(Into::into),
        }
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn SharedStore> {
        &self.store
    }

    /// The shared budget's name.
    pub fn budget(&self) -> Option<&str> {
        self.budget.as_deref()
    }

    /// What others were answered, in the order of `keys`.
    pub(crate) async fn find(
        &self,
        keys: &[CallKey],
    ) -> Result<Vec<Option<StoredAnswer>>, LedgerError> {
        let mut found = Vec::with_capacity(keys.len());
        for some in keys.chunks(KEYS_AT_ONCE) {
            let wanted: Vec<Vec<u8>> = some.iter().map(reply_key).collect();
            let values = self.blocking(move |store, _| store.values(&wanted)).await?;
            for (key, value) in some.iter().zip(values) {
                found.push(value.map(|value| answer(key, &value)).transpose()?);
            }
        }
        Ok(found)
    }

    /// Claims calls, each with what it costs at most; `replaces`: though there may be
    /// refusals, which the answers will replace.
    pub(crate) async fn claim(
        &self,
        calls: &[(CallKey, Spend)],
        replaces: bool,
    ) -> Result<Vec<CallClaim>, LedgerError> {
        let request = |(key, worst): &(CallKey, Spend)| ClaimRequest {
            key: reply_key(key),
            worst: amount(*worst),
            replaces,
        };
        let requests: Vec<ClaimRequest> = calls.iter().map(request).collect();
        let claims = self
            .blocking(move |store, budget| store.claim(budget, &requests))
            .await?;
        let claim = |((key, _), claim): (&(CallKey, Spend), Claim)| {
            Ok(match claim {
                Claim::Granted => CallClaim::Granted,
                Claim::Stored(value) => CallClaim::Answered(answer(key, &value)?),
                Claim::Held => CallClaim::Held,
                Claim::OverBudget => CallClaim::OverBudget,
            })
        };
        calls.iter().zip(claims).map(claim).collect()
    }

    /// Sets more aside for a claimed call that is to be sent again; whether there was room.
    pub(crate) async fn extend(&self, key: CallKey, more: Spend) -> Result<bool, LedgerError> {
        self.blocking(move |store, _| store.extend(&reply_key(&key), amount(more)))
            .await
    }

    /// Ends claims; returns those whose answer is not the one that all others see, for
    /// another process was faster.
    pub(crate) async fn settle(&self, ends: &[ClaimEnd]) -> Result<Vec<CallKey>, LedgerError> {
        let result = |end: &ClaimEnd| {
            Ok(ClaimResult {
                key: reply_key(&end.key),
                value: end.answer.as_ref().map(encode).transpose()?,
                used: amount(end.used),
                replaces: end.replaces,
            })
        };
        let results: Vec<ClaimResult> = ends
            .iter()
            .map(result)
            .collect::<Result<_, LedgerError>>()?;
        let stands = self
            .blocking(move |store, _| store.settle(&results))
            .await?;
        let ends = ends.iter().zip(stands);
        let others = ends.filter(|(end, stands)| end.answer.is_some() && !stands);
        Ok(others.map(|(end, _)| end.key).collect())
    }

    /// Counts requests that were sent before anything was claimed: those that found out what
    /// the models can do. `name`: what they were for, other than any other.
    pub(crate) async fn charge(&self, name: String, used: Spend) -> Result<(), LedgerError> {
        let key = [b"p".as_slice(), name.as_bytes()].concat();
        let request = ClaimRequest {
            key: key.clone(),
            worst: amount(used),
            replaces: false,
        };
        let end = ClaimResult {
            key,
            value: None,
            used: amount(used),
            replaces: false,
        };
        let claims = self
            .blocking(move |store, budget| {
                let claims = store.claim(budget, &[request])?;
                if claims == [Claim::Granted] {
                    store.settle(&[end])?;
                }
                Ok(claims)
            })
            .await?;
        if claims == [Claim::OverBudget] {
            return Err(self.used_up());
        }
        Ok(())
    }

    /// Offers answers that this process had before; those that others have stay.
    pub async fn offer(&self, answers: &[(CallKey, StoredAnswer)]) -> Result<(), LedgerError> {
        let values = super::reply_pairs(answers)?;
        self.blocking(move |store, _| store.offer_values(&values))
            .await
    }

    /// The error of a budget without room.
    pub(crate) fn used_up(&self) -> LedgerError {
        LedgerError::SharedBudget {
            budget: self.budget().unwrap_or_default().to_owned(),
            store: self.store.address(),
        }
    }

    /// Asks the store on a thread that may wait for it.
    async fn blocking<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn SharedStore, Option<&str>) -> shiftproof_store::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let Self { store, budget } = self.clone();
        let asked = tokio::task::spawn_blocking(move || ask(&*store, budget.as_deref()));
        match asked.await {
            Ok(answer) => Ok(answer?),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is being shut down.
                Err(_) => Err(LedgerError::Stopped),
            },
        }
    }
}

fn answer(key: &CallKey, value: &[u8]) -> Result<StoredAnswer, LedgerError> {
    decode(value, || format!("the reply {key} of the shared store"))
}

fn amount(spend: Spend) -> Amount {
    Amount {
        calls: spend.calls,
        tokens: spend.tokens(),
        picodollars: spend.picodollars,
    }
}
