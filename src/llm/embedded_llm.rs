//! The embedded model behind the search's door to models.

mod nearest;
mod rank;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use shiftproof_search::{Capabilities, Llm, LlmError, ModelCall, SamplingOptions};
use shiftproof_tasks::{AnswerForm, Finish, Message, Reply, Request, Role, Usage};

use self::nearest::EmbeddingCache;
use super::embedded::{self, ChatPrompt, Engine, EngineError, EngineOptions};

/// An embedded model. It computes on its own threads; callers only wait. Clones
/// share the weights.
#[derive(Clone)]
pub struct EmbeddedLlm {
    engine: Arc<Engine>,
    identity: String,
    embeddings: Arc<EmbeddingCache>,
    max_tokens: Option<u32>,
}

/// Calls handed to the engine at once: enough to share prefixes and fill its
/// matrices, few enough that progress shows and a stop is prompt.
const BATCH: usize = 48;

impl EmbeddedLlm {
    /// Loads the weights at `path`.
    pub fn load(path: &Path, options: EngineOptions) -> Result<Self, EngineError> {
        let engine = Engine::load(path, options)?;
        let identity = format!("embedded:{}", engine.fingerprint()?);
        Ok(Self {
            engine: Arc::new(engine),
            identity,
            embeddings: Arc::default(),
            max_tokens: None,
        })
    }

    /// Answers in text of at most this many tokens, where the user has said so.
    #[must_use]
    pub const fn with_max_tokens(mut self, max_tokens: Option<u32>) -> Self {
        self.max_tokens = max_tokens;
        self
    }

    /// The engine itself.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }
}

#[async_trait]
impl Llm for EmbeddedLlm {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            label_scores: true,
            prefill: true,
            batch: BATCH,
            concurrency: 1,
            max_tokens: self.max_tokens,
            ..Capabilities::default()
        }
    }

    /// Exact: the tokenizer is at hand.
    fn estimate_tokens(&self, request: &Request) -> u64 {
        let count = |chat: &ChatPrompt| {
            self.engine
                .prompt_tokens(chat)
                .map_or(0, |tokens| tokens.len() as u64)
        };
        let continued = |messages: &[Message], candidates: &[String]| -> u64 {
            let lead = lead(messages);
            let tokens = |text: &String| self.engine.encode(&format!("{lead}{text}"));
            candidates
                .iter()
                .map(|text| tokens(text).map_or(0, |tokens| tokens.len() as u64))
                .sum()
        };
        if let AnswerForm::Nearest { .. } = request.answer {
            return nearest::tokens(&self.engine, request);
        }
        let tokens = count(&chat(&request.messages));
        let AnswerForm::Likelihood { candidates, prior } = &request.answer else {
            return tokens;
        };
        let scored = tokens + continued(&request.messages, candidates);
        if prior.is_empty() {
            scored
        } else {
            scored + count(&chat(prior)) + continued(prior, candidates)
        }
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        let mut replies = self.call_batch(std::slice::from_ref(call)).await;
        replies
            .pop()
            .unwrap_or_else(|| Err(LlmError::Unavailable("no reply".into())))
    }

    async fn call_batch(&self, calls: &[ModelCall]) -> Vec<Result<Reply, LlmError>> {
        let engine = self.engine.clone();
        let embeddings = self.embeddings.clone();
        let owned = calls.to_vec();
        match tokio::task::spawn_blocking(move || answer(&engine, &embeddings, &owned)).await {
            Ok(replies) => replies,
            Err(error) => {
                let error = LlmError::Unavailable(format!("the embedded model panicked: {error}"));
                vec![Err(error); calls.len()]
            }
        }
    }
}

/// Answers runs of neighbouring calls of one kind together.
fn answer(
    engine: &Engine,
    embeddings: &EmbeddingCache,
    calls: &[ModelCall],
) -> Vec<Result<Reply, LlmError>> {
    calls
        .chunk_by(|a, b| kind(a) == kind(b))
        .flat_map(|run| match kind(&run[0]) {
            CallKind::Labels(labels) => score(engine, run, labels),
            CallKind::Candidates => rank::rank(engine, run),
            CallKind::Nearest => embeddings.nearest(engine, run),
            CallKind::Text(_) => generate(engine, run),
        })
        .collect()
}

/// Calls of the same kind can be computed together.
#[derive(PartialEq)]
enum CallKind<'a> {
    Labels(&'a [String]),
    Candidates,
    Nearest,
    Text(SamplingOptions),
}

fn kind(call: &ModelCall) -> CallKind<'_> {
    match &call.request.answer {
        AnswerForm::Choice { labels } | AnswerForm::MultipleChoice { labels, .. } => {
            CallKind::Labels(labels)
        }
        AnswerForm::Likelihood { .. } => CallKind::Candidates,
        AnswerForm::Nearest { .. } => CallKind::Nearest,
        // Each sequence has a seed of its own; everything else must agree.
        AnswerForm::Number { .. }
        | AnswerForm::Ranking { .. }
        | AnswerForm::Json { .. }
        | AnswerForm::Text { .. } => CallKind::Text(SamplingOptions {
            seed: 0,
            ..call.sampling
        }),
    }
}

fn score(engine: &Engine, calls: &[ModelCall], labels: &[String]) -> Vec<Result<Reply, LlmError>> {
    let chats: Vec<ChatPrompt> = calls
        .iter()
        .map(|call| chat(&call.request.messages))
        .collect();
    let scored = match engine.score(&chats, labels) {
        Ok(scored) => scored,
        Err(error) => return vec![Err(failed(&error)); calls.len()],
    };
    scored
        .into_iter()
        .map(|scored| {
            let scored = scored.map_err(|error| failed(&error))?;
            let best = scored
                .logprobs
                .iter()
                .enumerate()
                .reduce(|best, next| if next.1 > best.1 { next } else { best })
                .map_or("", |(label, _)| labels[label].as_str());
            Ok(Reply {
                text: best.to_owned(),
                label_logprobs: Some(scored.logprobs),
                candidate_scores: None,
                distances: None,
                grade: None,
                grade_reason: None,
                finish: Finish::Stop,
                usage: Usage {
                    prompt_tokens: scored.prompt_tokens as u64,
                    completion_tokens: 1,
                    ..Usage::default()
                },
            })
        })
        .collect()
}

fn generate(engine: &Engine, calls: &[ModelCall]) -> Vec<Result<Reply, LlmError>> {
    let sampling = calls[0].sampling;
    let requests: Vec<embedded::GenerationRequest> = calls
        .iter()
        .map(|call| embedded::GenerationRequest {
            chat: chat(&call.request.messages),
            seed: call.sampling.seed,
        })
        .collect();
    let sampling = embedded::TokenSampling {
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        max_tokens: sampling.max_tokens as usize,
        ..embedded::TokenSampling::default()
    };
    let generated = match engine.generate(&requests, &sampling) {
        Ok(generated) => generated,
        Err(error) => return vec![Err(failed(&error)); calls.len()],
    };
    generated
        .into_iter()
        .map(|generated| {
            let generated = generated.map_err(|error| failed(&error))?;
            Ok(Reply {
                text: generated.text,
                label_logprobs: None,
                candidate_scores: None,
                distances: None,
                grade: None,
                grade_reason: None,
                finish: match generated.finish {
                    embedded::GenerationEnd::Stop => Finish::Stop,
                    embedded::GenerationEnd::Length => Finish::Length,
                },
                usage: Usage {
                    prompt_tokens: generated.prompt_tokens as u64,
                    completion_tokens: generated.output_tokens as u64,
                    ..Usage::default()
                },
            })
        })
        .collect()
}

/// An embedded model fails for reasons that lie in the request; nothing passes
/// by waiting.
fn failed(error: &EngineError) -> LlmError {
    LlmError::Request(error.to_string())
}

fn chat(messages: &[Message]) -> ChatPrompt {
    let messages = messages.iter().map(|message| embedded::ChatTurn {
        role: match message.role {
            Role::System => embedded::ChatRole::System,
            Role::User => embedded::ChatRole::User,
            Role::Assistant => embedded::ChatRole::Assistant,
        },
        content: message.content.clone(),
    });
    ChatPrompt {
        messages: messages.collect(),
    }
}

/// What stands between a conversation and the words that continue it: a begun
/// answer that ends in a word is continued after a space.
fn lead(messages: &[Message]) -> &'static str {
    match messages.last() {
        Some(Message {
            role: Role::Assistant,
            content,
        }) if !content.is_empty() && !content.ends_with(char::is_whitespace) => " ",
        _ => "",
    }
}
