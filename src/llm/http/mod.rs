//! Models behind an OpenAI-compatible HTTP server: `OpenAI`, Azure, vLLM, `SGLang`,
//! llama.cpp, Ollama, LM Studio, Together, `OpenRouter` and others.
//!
//! [`HttpLlm::connect`] finds out what the server can do ([`HttpLlm::probe_report`]
//! says it in words); after that the client is a [`Llm`] like any other. It
//! retries what may pass, keeps to the server's limits, adapts to the parameters
//! a model accepts, and reads answers leniently. [`HttpLlm::stats`] shows what it
//! is doing.

mod config;
mod fault;
mod labels;
mod limit;
mod probe;
mod reply;
mod request;
mod send;
mod transport;

use std::sync::Arc;

use async_trait::async_trait;
use shiftproof_search::{Call, Capabilities, Llm, LlmError, Traffic};
use shiftproof_tasks::{AnswerForm, Finish, Message, Reply, Request, Role};

pub use config::shown_address;
pub use config::{ConnectError, DEFAULT_KEY_ENV, HttpConfig, Mode};
pub use limit::HttpStats;

use probe::Abilities;
use request::{Continuation, Shape};
use send::Sender;

/// A model behind an OpenAI-compatible server. Clones share one connection
/// pool, one set of limits and one set of counters.
#[derive(Debug, Clone)]
pub struct HttpLlm {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    sender: Sender,
    abilities: Abilities,
    identity: String,
}

impl HttpLlm {
    /// Connects and finds out, by one short call for label scores and one or two
    /// for prefill, what the server can do; an ability that is [`Mode::Off`] is
    /// not asked for. Waits for a slow or loading server within the configured
    /// retries; fails at once where nobody listens.
    pub async fn connect(config: HttpConfig) -> Result<Self, ConnectError> {
        let sender = Sender::new(config)?;
        let abilities = probe::probe(&sender).await?;
        let identity = format!(
            "openai {} {}{}{}",
            sender.identity(),
            sender.config().model,
            if abilities.label_scores {
                " scores"
            } else {
                ""
            },
            if abilities.continuation == Some(Continuation::Flagged) {
                " continued"
            } else {
                ""
            },
        );
        Ok(Self {
            shared: Arc::new(Shared {
                sender,
                abilities,
                identity,
            }),
        })
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

    fn traffic(&self) -> Option<Traffic> {
        let stats = self.stats();
        Some(Traffic {
            in_flight: stats.in_flight,
            limit: stats.limit,
            waiting: stats.waiting,
            retries: stats.retries,
            rate_limited: stats.rate_limited,
        })
    }

    fn capabilities(&self) -> Capabilities {
        let Shared {
            sender, abilities, ..
        } = &*self.shared;
        Capabilities {
            label_scores: abilities.label_scores,
            prefill: abilities.continuation.is_some(),
            batch: 1,
            concurrency: sender.config().concurrency.max(1),
            ..Capabilities::default()
        }
    }

    /// Labels are scored at temperature 0 whatever the sampling says; where the
    /// server's log-probabilities decide nothing, the reply is its text.
    async fn call(&self, call: &Call) -> Result<Reply, LlmError> {
        let Shared {
            sender, abilities, ..
        } = &*self.shared;
        if let AnswerForm::Nearest { .. } = call.request.answer {
            return Err(LlmError::Rejected(
                "a chat server has no embeddings; a task that asks for distances must say so \
                 (Task::embeds)"
                    .into(),
            ));
        }
        let begun = match call.request.messages.last() {
            Some(Message {
                role: Role::Assistant,
                content,
            }) => Some(content.as_str()),
            _ => None,
        };
        let continuation = begun
            .and(abilities.continuation)
            .unwrap_or(Continuation::Plain);
        let labels = match &call.request.answer {
            AnswerForm::Choice { labels } if abilities.label_scores => Some(labels),
            _ => None,
        };
        let shape = labels.map_or(Shape::Text, |labels| Shape::Scored {
            tokens: labels::tokens_needed(labels).min(call.sampling.max_tokens.max(1)),
        });
        let (mut completion, usage) = sender.complete(call, shape, continuation).await?;
        if let Some(begun) = begun.filter(|_| abilities.echoes)
            && completion.text.starts_with(begun)
        {
            completion.text.drain(..begun.len());
        }
        let scores =
            labels.and_then(|labels| Some((labels, labels::score(labels, &completion.positions)?)));
        Ok(match scores {
            Some((labels, scores)) if completion.finish != Finish::Filtered => Reply {
                text: likeliest(labels, &scores),
                label_logprobs: Some(scores),
                candidate_scores: None,
                distances: None,
                finish: Finish::Stop,
                usage,
            },
            _ => Reply {
                text: completion.text,
                label_logprobs: None,
                candidate_scores: None,
                distances: None,
                finish: completion.finish,
                usage,
            },
        })
    }

    fn estimate_tokens(&self, request: &Request) -> u64 {
        send::estimate(request)
    }
}

fn likeliest(labels: &[String], scores: &[f64]) -> String {
    let best = labels.iter().zip(scores).max_by(|a, b| a.1.total_cmp(b.1));
    best.map(|(label, _)| label.clone()).unwrap_or_default()
}
