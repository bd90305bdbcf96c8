//! The one door to language models.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use shiftproof_tasks::{Reply, Request};
use thiserror::Error;

/// One call of a model: a request and how to sample the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCall {
    /// What is asked.
    pub request: Request,
    /// How the answer is drawn.
    pub sampling: SamplingOptions,
    /// Which of several samples of the same request this is. Part of the cache
    /// key, so that asking twice really asks twice.
    pub sample: u32,
}

/// How an answer is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SamplingOptions {
    /// 0 is greedy.
    pub temperature: f64,
    /// Nucleus mass in `(0, 1]`; 1 keeps everything.
    pub top_p: f64,
    /// Upper bound on generated tokens.
    pub max_tokens: u32,
    /// Seed of the draw, honoured where the model can.
    pub seed: u64,
}

impl SamplingOptions {
    /// The likeliest answer, at most `max_tokens` long.
    pub const fn greedy(max_tokens: u32) -> Self {
        Self {
            temperature: 0.0,
            top_p: 1.0,
            max_tokens,
            seed: 0,
        }
    }
}

impl ModelCall {
    /// A deterministic call: the likeliest answer, first sample.
    pub const fn greedy(request: Request, max_tokens: u32) -> Self {
        Self {
            request,
            sampling: SamplingOptions::greedy(max_tokens),
            sample: 0,
        }
    }
}

/// What a model can do, as found at start-up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Reports log-probabilities of the labels of a closed form.
    pub label_scores: bool,
    /// Continues a conversation that ends in an assistant message.
    pub prefill: bool,
    /// Calls worth handing over at once: neighbours that share a prefix are
    /// computed together by an embedded model; 1 for a server.
    pub batch: usize,
    /// Batches in flight at most.
    pub concurrency: usize,
    /// Completion tokens of every answer in text, where the user has set them:
    /// they hold as they are, whatever an answer's form would need.
    #[serde(default)]
    pub max_tokens: Option<u32>,
    /// Completion tokens to leave for thoughts, on top of what the answer itself
    /// needs; 0 for a model that answers at once.
    #[serde(default)]
    pub thinking_tokens: u32,
}

/// What a model's client is doing, a snapshot for screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientTraffic {
    /// Attempts on the wire now.
    pub in_flight: usize,
    /// Attempts allowed on the wire now; clients lower it when throttled.
    pub limit: usize,
    /// Calls that wait now: for a retry, a pause the server asked for, or a rate.
    pub waiting: usize,
    /// Attempts so far that were retries.
    pub retries: u64,
    /// Answers so far that said "too many requests" or "overloaded".
    pub rate_limited: u64,
}

/// A language model.
///
/// Implementations retry what is worth retrying; an error that reaches the
/// caller is final for this attempt.
#[async_trait]
pub trait Llm: Send + Sync {
    /// Everything outside the [`ModelCall`] that can change a reply: provider, base
    /// URL, model, revision. Part of the cache key; never holds a secret.
    fn identity(&self) -> &str;

    /// What the model can do.
    fn capabilities(&self) -> Capabilities;

    /// Tokens the request would be billed as, a safe overestimate: budgets
    /// reserve it before sending. The default counts a token per two bytes and
    /// eight per message.
    fn estimate_tokens(&self, request: &Request) -> u64 {
        request
            .messages
            .iter()
            .map(|message| message.content.len() as u64 / 2 + 8)
            .sum()
    }

    /// What the client is busy with beside answering (waiting out a rate limit,
    /// retrying), for the progress screen.
    fn status(&self) -> Option<String> {
        None
    }

    /// What the client is doing on the wire, where there is one.
    fn traffic(&self) -> Option<ClientTraffic> {
        None
    }

    /// Whether its calls count against a run's limits; not those of a program of the
    /// user's own that scores answers or renders requests.
    fn is_metered(&self) -> bool {
        true
    }

    /// Sending many calls at once as a batch, where the user asked for it.
    fn batches(&self) -> Option<&dyn BatchInterface> {
        None
    }

    /// Answers one call.
    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError>;

    /// Answers one call with as many requests as `allowance` has room for; the
    /// first is granted with the call. A client that retries, or asks twice, tells
    /// what became of each request that brought no answer, and asks before each
    /// further one. The default asks once.
    async fn call_within(
        &self,
        call: &ModelCall,
        allowance: &dyn RequestAllowance,
    ) -> Result<Reply, LlmError> {
        let answer = self.call(call).await;
        if self.is_metered() {
            match &answer {
                Err(LlmError::Unavailable(_)) => allowance.failed(FailedRequest::Billed),
                Err(_) => allowance.failed(FailedRequest::Unbilled),
                Ok(_) => {}
            }
        }
        answer
    }

    /// Requests sent so far to find out what the model can do, outside any run.
    fn probes(&self) -> u64 {
        0
    }

    /// Answers several calls, one result each in their order; one failure never
    /// discards the others. The default asks one after the other.
    async fn call_batch(&self, calls: &[ModelCall]) -> Vec<Result<Reply, LlmError>> {
        let mut replies = Vec::with_capacity(calls.len());
        for call in calls {
            replies.push(self.call(call).await);
        }
        replies
    }
}

/// What a request cost that did not bring the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedRequest {
    /// It never reached a server.
    Unsent,
    /// A server had it and will not bill its tokens, or bills them with the answer.
    Unbilled,
    /// It may have been billed.
    Billed,
}

/// The room for requests of one call, within the limits of its run.
#[async_trait]
pub trait RequestAllowance: Send + Sync {
    /// Tells of a request that did not bring the answer.
    fn failed(&self, request: FailedRequest);

    /// Whether one more request may be sent. It is counted durably before this
    /// returns.
    async fn another(&self) -> bool;
}

/// Room for any number of requests.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unlimited;

#[async_trait]
impl RequestAllowance for Unlimited {
    fn failed(&self, _: FailedRequest) {}

    async fn another(&self) -> bool {
        true
    }
}

/// A provider's way of taking many calls at once, for later and for less.
///
/// Calls of a batch are known by names of up to 64 letters and digits.
#[async_trait]
pub trait BatchInterface: Send + Sync {
    /// Fewest calls that are worth a batch.
    fn least(&self) -> usize;

    /// Most calls of one batch.
    fn most(&self) -> usize;

    /// Whether to wait for batches; else the run ends once they are submitted,
    /// and a later process collects them.
    fn waits(&self) -> bool;

    /// How long to wait between two looks at a batch.
    fn interval(&self) -> Duration;

    /// Submits a batch that is known to the provider as `tag`, where it can keep
    /// such a name; its id. A batch is submitted once even where the answer to the
    /// first attempt is lost.
    async fn submit(&self, tag: &str, calls: &[(String, &ModelCall)]) -> Result<String, LlmError>;

    /// The id of the batch that was submitted as `tag` with `calls` calls, if it
    /// was. An error where the provider cannot tell.
    async fn find(&self, tag: &str, calls: usize) -> Result<Option<String>, LlmError>;

    /// How far a batch is.
    async fn progress(&self, id: &str) -> Result<BatchProgress, LlmError>;

    /// The replies of a batch that has ended, by name. `calls`: what was asked, as
    /// far as it is known here. A call without a reply is left out.
    async fn collect(
        &self,
        id: &str,
        calls: &[(String, &ModelCall)],
    ) -> Result<Vec<(String, Reply)>, LlmError>;
}

/// How far a batch is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchProgress {
    /// Calls that have an answer.
    pub done: u64,
    /// Calls of the batch.
    pub total: u64,
    /// Its end, in the provider's word (`completed`, `expired`, …); `None` while
    /// it is worked on.
    pub ended: Option<String>,
    /// Why nothing of it was done, where it was refused as a whole.
    pub refused: Option<String>,
}

/// Why a call has no reply.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LlmError {
    /// The service could not answer now, retries included: connection refused,
    /// timeout, rate limit, 5xx. The run stops resumably; nothing is scored.
    #[error("{0}")]
    Unavailable(String),
    /// The service refuses us whatever we ask: wrong key, no quota, unknown
    /// model. The run stops resumably.
    #[error("{0}")]
    Rejected(String),
    /// This one request can never be answered: too long, filtered, malformed.
    /// Other requests go on; the outcome is [`Failed`](shiftproof_tasks::Outcome::Failed).
    #[error("{0}")]
    Request(String),
    /// An answer would have taken another request, for which the run's limits have
    /// no room.
    #[error("{0}")]
    Unaffordable(String),
}
