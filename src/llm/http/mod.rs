//! Models behind a server over HTTP, in the protocols of [`ApiDialect`]: chat
//! completions (`OpenAI`, Azure, vLLM, `SGLang`, llama.cpp, LM Studio, Together,
//! `OpenRouter` and others), Anthropic's Messages, Google's `generateContent`,
//! Ollama.
//!
//! [`HttpLlm::connect`] finds out what the server can do ([`HttpLlm::probe_report`]
//! says it in words); after that the client is a [`Llm`] like any other. It
//! retries what may pass, keeps to the server's limits, adapts to the parameters
//! a model accepts, and reads answers leniently. [`HttpLlm::stats`] shows what it
//! is doing.

mod abilities;
mod address;
mod affinity;
mod batch;
mod client;
mod complaint;
mod config;
mod endpoints;
mod exchange;
mod logprobs;
mod options;
mod parameter;
mod probe;
mod protocol;
mod rate_limit;
mod reply;
mod request;
mod retry_policy;
mod secrets;
mod transport;
mod usage;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use async_trait::async_trait;
use shiftproof_search::{
    BatchInterface, Capabilities, ClientTraffic, FailedRequest, Llm, LlmError, ModelCall,
    RequestAllowance, Unlimited,
};
use shiftproof_tasks::{AnswerForm, Finish, Message, Reply, Request, Role, Usage};

pub use address::{
    is_private_address, looks_secret, names_secret, secret_in_address, shown_address,
};
pub use config::{AbilityMode, BatchConfig, ConnectError, HttpConfig};
pub use options::RequestOptions;
pub use protocol::ApiDialect;
pub use rate_limit::HttpStats;

pub use abilities::ServerAbilities;
use client::HttpSender;
pub use endpoints::HttpEndpoints;
use logprobs::LabelProbabilities;
use reply::{ChatCompletion, ParsedBody};
use request::{AnswerShape, PrefillMode, ServerDialect};
use retry_policy::{FaultContext, RequestFault};
use secrets::KnownSecrets;

/// A model behind a server. Clones share one connection
/// pool, one set of limits and one set of counters.
#[derive(Debug, Clone)]
pub struct HttpLlm {
    shared: Arc<SharedClient>,
}

#[derive(Debug)]
struct SharedClient {
    sender: Arc<HttpSender>,
    abilities: ServerAbilities,
    identity: String,
    /// Answers in a row that should have had label scores and had none at all.
    unscored: AtomicU32,
}

/// So many answers without scores in a row are a server that has stopped giving any.
const UNSCORED: u32 = 8;

impl HttpLlm {
    /// Connects and finds out, by one short call for label scores, one or two for
    /// prefill and, where neither told, one for thoughts, what the server can do;
    /// an ability that is [`AbilityMode::Off`] is not asked for, nor are thoughts where
    /// the options say how many, nor anything that is [known](HttpConfig::known). Waits for a slow or loading server within the
    /// configured retries; fails at once where nobody listens.
    pub async fn connect(mut config: HttpConfig) -> Result<Self, ConnectError> {
        batch::check(&config)?;
        let known = config.known.take();
        if config.batch.is_some() && config.label_scores == AbilityMode::Auto {
            // A call whose scores fail is asked again, which a batch cannot do.
            config.label_scores = AbilityMode::Off;
        }
        let sender = Arc::new(HttpSender::new(config)?);
        let abilities = match known {
            Some(known) => {
                // It has answered before, so its address is right.
                sender.answered.store(true, Relaxed);
                known
            }
            None => probe::probe(&sender).await?,
        };
        Ok(Self::of(sender, abilities))
    }

    fn of(sender: Arc<HttpSender>, abilities: ServerAbilities) -> Self {
        let identity = format!(
            "{} {} {}{}{}{}",
            sender.config().api.name(),
            sender.identity(),
            sender.config().model,
            if abilities.label_scores {
                " scores"
            } else {
                ""
            },
            if abilities.continuation == Some(PrefillMode::Flagged) {
                " continued"
            } else {
                ""
            },
            sender.config().options.identity(),
        );
        Self {
            shared: Arc::new(SharedClient {
                sender,
                abilities,
                identity,
                unscored: AtomicU32::new(0),
            }),
        }
    }

    /// Asks `calls`, which should be like those to come, for label scores. Where
    /// most of them have none that are plausible, the client that comes back asks
    /// for none: each such call would cost two requests. Nothing is asked where
    /// labels are not scored, or where the scores were insisted on.
    pub async fn rehearse(self, calls: &[ModelCall]) -> Result<Self, LlmError> {
        let SharedClient {
            sender, abilities, ..
        } = &*self.shared;
        if !abilities.label_scores
            || sender.config().label_scores == AbilityMode::On
            || calls.is_empty()
        {
            return Ok(self);
        }
        let (mut asked, mut failed) = (0, 0);
        for call in calls {
            let Some(labels) = call.request.answer.labels() else {
                continue;
            };
            let shape = scored_shape(labels, call);
            match sender.rehearse(call, shape).await {
                Ok((completion, _)) => {
                    asked += 1;
                    let scored = logprobs::score(labels, &completion.positions);
                    failed += usize::from(!scored.is_some_and(|scored| scored.is_plausible()));
                }
                // A prompt that is refused tells nothing of scores.
                Err(LlmError::Request(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if 2 * failed <= asked {
            return Ok(self);
        }
        let report = format!(
            "{}; on this task's own inputs {failed} of {asked} answers begin with something other \
             than a label, so labels are read from text",
            abilities.report
        );
        let abilities = ServerAbilities {
            label_scores: false,
            report,
            ..*abilities
        };
        Ok(Self::of(sender.clone(), abilities))
    }

    /// The same model for proposals, where a study's parameters are about the
    /// answers of its task; `None` where there are none such. Nothing is asked.
    pub fn proposing(&self) -> Option<Self> {
        let SharedClient {
            sender, abilities, ..
        } = &*self.shared;
        let options = &sender.config().options;
        let free = options.for_proposals();
        if free == *options {
            return None;
        }
        let abilities = ServerAbilities {
            report: format!(
                "{}, without what the study sets for the task's answers (max_tokens, temperature, \
                 top_p, stop)",
                sender.config().model
            ),
            ..abilities.clone()
        };
        Some(Self::of(Arc::new(sender.with_options(free)), abilities))
    }

    /// The same client with what was found of another server that does the same.
    fn knowing(&self, abilities: ServerAbilities) -> Self {
        Self::of(self.shared.sender.clone(), abilities)
    }

    /// The server's address, without secrets.
    pub fn address(&self) -> &str {
        self.shared.sender.address()
    }

    /// Whether a call would be sent at once: no pause, no rate and no number of calls
    /// in flight holds it back.
    fn has_room(&self) -> bool {
        self.shared.sender.has_room()
    }

    /// How long the server asked to be left alone, from now on.
    fn pause(&self) -> std::time::Duration {
        self.shared.sender.pause()
    }

    /// What was found at start-up, to be known by who goes on later.
    pub fn abilities(&self) -> &ServerAbilities {
        &self.shared.abilities
    }

    /// What was found at start-up, in one sentence for a person.
    pub fn probe_report(&self) -> &str {
        &self.shared.abilities.report
    }

    /// What the client is doing now.
    pub fn stats(&self) -> HttpStats {
        self.shared.sender.stats()
    }

    /// What had to be changed in the requests for this model to accept them,
    /// in words; learned as refusals come.
    pub fn adaptations(&self) -> Vec<&'static str> {
        self.shared.sender.adaptations()
    }
}

#[async_trait]
impl Llm for HttpLlm {
    fn identity(&self) -> &str {
        &self.shared.identity
    }

    fn traffic(&self) -> Option<ClientTraffic> {
        let stats = self.stats();
        Some(ClientTraffic {
            in_flight: stats.in_flight,
            limit: stats.limit,
            waiting: stats.waiting,
            retries: stats.retries,
            rate_limited: stats.rate_limited,
        })
    }

    fn capabilities(&self) -> Capabilities {
        let SharedClient {
            sender, abilities, ..
        } = &*self.shared;
        Capabilities {
            label_scores: abilities.label_scores,
            prefill: abilities.continuation.is_some(),
            batch: 1,
            concurrency: sender.config().concurrency.max(1),
            max_tokens: sender.config().options.max_tokens,
            thinking_tokens: abilities.thinking_tokens,
        }
    }

    fn batches(&self) -> Option<&dyn BatchInterface> {
        // Those of an earlier run are collected even where no new ones are sent.
        batch::exist(self.shared.sender.config().api).then_some(self as &dyn BatchInterface)
    }

    /// Labels are scored at temperature 0 whatever the sampling says. Where what
    /// the model wants to say is no label (they hold less than half of the
    /// probability), or nothing is decided, it is asked again for text, with all
    /// the room that the call has; the usage is that of both requests. A server that
    /// has stopped scoring (another took its place, amid a run) is asked for text at
    /// once.
    async fn call_within(
        &self,
        call: &ModelCall,
        allowance: &dyn RequestAllowance,
    ) -> Result<Reply, LlmError> {
        let SharedClient {
            sender, abilities, ..
        } = &*self.shared;
        if let AnswerForm::Nearest { .. } = call.request.answer {
            return Err(LlmError::Rejected(
                "a chat server has no embeddings; a task that asks for distances must say so \
                 (Task::embeds)"
                    .into(),
            ));
        }
        let continuation = self.continuation(call);
        let labels = match call.request.answer.labels() {
            Some(labels) if abilities.label_scores && !self.scores_ceased() => labels,
            _ => {
                let (completion, usage) = sender
                    .complete(call, AnswerShape::Text, continuation, allowance)
                    .await?;
                return Ok(text_reply(self.cut(call, completion), usage));
            }
        };
        let shape = scored_shape(labels, call);
        let (completion, used) = sender
            .complete(call, shape, continuation, allowance)
            .await?;
        if completion.finish == Finish::Filtered {
            return Ok(text_reply(self.cut(call, completion), used));
        }
        self.see_scores(!completion.positions.is_empty());
        match logprobs::score(labels, &completion.positions) {
            Some(scored) if scored.is_plausible() || self.insists() => {
                Ok(scored_reply(labels, scored, used))
            }
            _ => {
                // What the scores cost is in the usage of both.
                allowance.failed(FailedRequest::Unbilled);
                if !allowance.another().await {
                    return Err(LlmError::Unaffordable(
                        "the answer is no label, and would have to be asked for in text".into(),
                    ));
                }
                let (completion, more) = sender
                    .complete(call, AnswerShape::Text, continuation, allowance)
                    .await?;
                Ok(text_reply(self.cut(call, completion), used + more))
            }
        }
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        self.call_within(call, &Unlimited).await
    }

    fn probes(&self) -> u64 {
        self.shared.sender.probes()
    }

    fn status(&self) -> Option<String> {
        self.scores_ceased()
            .then(|| "the server scores no labels any more; they are read from text".to_owned())
    }

    /// Where labels are scored, that of two requests: the scores may not do.
    fn estimate_tokens(&self, request: &Request) -> u64 {
        let once = usage::estimate(request);
        match request.answer.labels() {
            Some(labels) if self.shared.abilities.label_scores => {
                2 * once + u64::from(logprobs::tokens_needed(labels))
            }
            _ => once,
        }
    }
}

impl HttpLlm {
    fn see_scores(&self, are_there: bool) {
        let unscored = &self.shared.unscored;
        if are_there {
            unscored.store(0, Relaxed);
        } else {
            unscored.fetch_add(1, Relaxed);
        }
    }

    /// What was found when the run began holds no longer. Whether scores are asked for
    /// decides what a call costs, and nothing of how its answer is read.
    fn scores_ceased(&self) -> bool {
        !self.insists() && self.shared.unscored.load(Relaxed) >= UNSCORED
    }

    /// Scores are used whatever they are.
    fn insists(&self) -> bool {
        self.shared.sender.config().label_scores == AbilityMode::On
    }

    fn continuation(&self, call: &ModelCall) -> PrefillMode {
        begun(call)
            .and(self.shared.abilities.continuation)
            .unwrap_or(PrefillMode::Plain)
    }

    /// The answer without what it repeats of the call.
    fn cut(&self, call: &ModelCall, mut completion: ChatCompletion) -> ChatCompletion {
        if let Some(begun) = begun(call).filter(|_| self.shared.abilities.echoes)
            && completion.text.starts_with(begun)
        {
            completion.text.drain(..begun.len());
        }
        completion
    }
}

/// An overestimate of the tokens that a request is billed as, which depends on
/// nothing but the request.
pub fn estimate_tokens(request: &Request) -> u64 {
    usage::estimate(request)
}

/// What a client makes of one body that a server sends with a status: the usage it
/// tells of an answer, or the error. For tests of what no server should send.
pub fn understand(api: ApiDialect, status: u16, body: &[u8]) -> Result<Option<Usage>, LlmError> {
    let context = FaultContext {
        address: "the server",
        model: "the model",
        key_env: api.default_key_env(),
        has_key: true,
        dialect: ServerDialect::NONE,
        example: api.example(),
        set: &[],
        scored: false,
        schema: false,
        secrets: &KnownSecrets::NONE,
    };
    let fault = if (200..300).contains(&status) {
        match protocol::parse(body, &*api.protocol()) {
            ParsedBody::Completion(completion) => return Ok(completion.usage),
            ParsedBody::Error(error) => retry_policy::of_error(&error, &context),
            other => RequestFault::odd(format!("no answer: {other:?}")),
        }
    } else {
        let headers = reqwest::header::HeaderMap::new();
        retry_policy::of_status(status, &headers, body, &context)
    };
    Err(match fault {
        RequestFault::Passing { then: error, .. }
        | RequestFault::Parameter(_, error)
        | RequestFault::Final(error) => error,
    })
}

/// The answer that the call has begun.
fn begun(call: &ModelCall) -> Option<&str> {
    match call.request.messages.last() {
        Some(Message {
            role: Role::Assistant,
            content,
        }) => Some(content.as_str()),
        _ => None,
    }
}

fn scored_shape(labels: &[String], call: &ModelCall) -> AnswerShape {
    AnswerShape::Scored {
        tokens: logprobs::tokens_needed(labels).min(call.sampling.max_tokens.max(1)),
    }
}

fn text_reply(completion: ChatCompletion, usage: Usage) -> Reply {
    Reply {
        text: completion.text,
        label_logprobs: None,
        candidate_scores: None,
        distances: None,
        grade: None,
        grade_reason: None,
        finish: completion.finish,
        usage,
    }
}

fn scored_reply(labels: &[String], scored: LabelProbabilities, usage: Usage) -> Reply {
    let best = labels
        .iter()
        .zip(&scored.logprobs)
        .max_by(|a, b| a.1.total_cmp(b.1));
    Reply {
        text: best.map(|(label, _)| label.clone()).unwrap_or_default(),
        label_logprobs: Some(scored.logprobs),
        candidate_scores: None,
        distances: None,
        grade: None,
        grade_reason: None,
        finish: Finish::Stop,
        usage,
    }
}
