//! Batch interfaces of providers: many calls at once, for later and for half the
//! price.

mod anthropic;
mod openai;

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Method, Url};
use serde_json::Value;
use shiftproof_search::{BatchInterface, BatchProgress, LlmError, ModelCall};
use shiftproof_tasks::{Finish, Reply};

use super::client::HttpSender;
use super::config::{BatchConfig, ConnectError, HttpConfig};
use super::protocol::ApiDialect;
use super::request::AnswerShape;
use super::retry_policy::{self, RequestFault, quote};
use super::usage;
use super::{HttpLlm, logprobs, scored_reply, scored_shape, text_reply};

/// Most calls of one batch: with long prompts still far below the 200 MB that
/// providers take.
const MOST: usize = 2000;

/// Refuses batches of a provider that has none.
pub(super) fn check(config: &HttpConfig) -> Result<(), ConnectError> {
    if config.batch.is_none() || wire(config.api).is_some() {
        return Ok(());
    }
    Err(ConnectError::Config(format!(
        "batch: shiftproof sends batches to openai and anthropic, not to {}; remove the key",
        config.api.name()
    )))
}

/// One provider's batches over HTTP.
#[async_trait]
trait BatchWire: Send + Sync {
    /// Submits; the id. Not repeated where the answer is lost.
    async fn submit(
        &self,
        sender: &HttpSender,
        tag: &str,
        calls: Vec<(&str, Value)>,
    ) -> Result<String, RequestFault>;

    async fn find(
        &self,
        sender: &HttpSender,
        tag: &str,
        calls: usize,
    ) -> Result<Option<String>, LlmError>;

    async fn progress(&self, sender: &HttpSender, id: &str) -> Result<BatchProgress, LlmError>;

    /// Name and answer of every call that was answered.
    async fn answers(
        &self,
        sender: &HttpSender,
        id: &str,
    ) -> Result<Vec<(String, Value)>, LlmError>;
}

fn wire(api: ApiDialect) -> Option<&'static dyn BatchWire> {
    match api {
        ApiDialect::OpenAi => Some(&openai::OpenAiBatches),
        ApiDialect::Anthropic => Some(&anthropic::AnthropicBatches),
        ApiDialect::Azure | ApiDialect::Gemini | ApiDialect::Ollama => None,
    }
}

/// Whether batches of this API can be looked at.
pub(super) fn exist(api: ApiDialect) -> bool {
    wire(api).is_some()
}

impl HttpLlm {
    fn wire(&self) -> Result<(&'static dyn BatchWire, &HttpSender), LlmError> {
        let sender = &*self.shared.sender;
        let wire = wire(sender.config().api).ok_or_else(|| {
            LlmError::Rejected(format!("{} has no batches", sender.config().api.name()))
        })?;
        Ok((wire, sender))
    }

    fn batching(&self) -> Option<BatchConfig> {
        self.shared.sender.config().batch
    }

    fn shape(&self, call: &ModelCall) -> AnswerShape {
        match call.request.answer.labels() {
            Some(labels) if self.shared.abilities.label_scores => scored_shape(labels, call),
            _ => AnswerShape::Text,
        }
    }

    /// The reply that an answer of a batch holds; none where it holds an error.
    /// `call`: what was asked, where it is known.
    fn reply_of(&self, answer: &Value, call: Option<&ModelCall>) -> Option<Reply> {
        let sender = &*self.shared.sender;
        let body = answer.to_string();
        let completion = sender.read(body.as_bytes(), &sender.context()).ok()?;
        let mut used = match call {
            Some(call) => usage::used(call, &completion),
            None => completion.usage?,
        };
        used.batched = true;
        let scored = match call.and_then(|call| call.request.answer.labels()) {
            Some(labels) if self.shared.abilities.label_scores => {
                logprobs::score(labels, &completion.positions).map(|scored| (labels, scored))
            }
            _ => None,
        };
        Some(match (scored, call) {
            (Some((labels, scored)), _) if completion.finish != Finish::Filtered => {
                scored_reply(labels, scored, used)
            }
            (_, Some(call)) => text_reply(self.cut(call, completion), used),
            // Without the call nobody knows what was scored, or begun.
            (_, None) if self.shared.abilities.label_scores => return None,
            (_, None) => text_reply(completion, used),
        })
    }
}

#[async_trait]
impl BatchInterface for HttpLlm {
    fn least(&self) -> usize {
        self.batching().map_or(usize::MAX, |batch| batch.least)
    }

    fn most(&self) -> usize {
        MOST
    }

    fn waits(&self) -> bool {
        self.batching().is_none_or(|batch| batch.waits)
    }

    fn interval(&self) -> Duration {
        self.batching().unwrap_or_default().interval
    }

    async fn submit(&self, tag: &str, calls: &[(String, &ModelCall)]) -> Result<String, LlmError> {
        let (wire, sender) = self.wire()?;
        let bodies = || {
            let body = |call: &ModelCall| {
                Value::Object(sender.body(call, self.shape(call), self.continuation(call)))
            };
            calls
                .iter()
                .map(|(name, call)| (name.as_str(), body(call)))
                .collect()
        };
        let mut retries = 0;
        loop {
            let (then, wait) = match wire.submit(sender, tag, bodies()).await {
                Ok(id) => return Ok(id),
                Err(RequestFault::Passing { then, wait, .. }) => (then, wait),
                Err(RequestFault::Final(error) | RequestFault::Parameter(_, error)) => {
                    return Err(sender.without_key(error));
                }
            };
            if retries >= sender.config().max_retries {
                return Err(sender.without_key(then));
            }
            tokio::time::sleep(sender.delay(retries, wait)).await;
            retries += 1;
            // The answer was lost, or the submission: only one of them is asked again.
            if let Some(id) = wire.find(sender, tag, calls.len()).await? {
                return Ok(id);
            }
        }
    }

    async fn find(&self, tag: &str, calls: usize) -> Result<Option<String>, LlmError> {
        let (wire, sender) = self.wire()?;
        wire.find(sender, tag, calls).await
    }

    async fn progress(&self, id: &str) -> Result<BatchProgress, LlmError> {
        let (wire, sender) = self.wire()?;
        wire.progress(sender, id).await
    }

    async fn collect(
        &self,
        id: &str,
        calls: &[(String, &ModelCall)],
    ) -> Result<Vec<(String, Reply)>, LlmError> {
        let (wire, sender) = self.wire()?;
        let known: std::collections::HashMap<&str, &ModelCall> = calls
            .iter()
            .map(|(name, call)| (name.as_str(), *call))
            .collect();
        let answers = wire.answers(sender, id).await?;
        Ok(answers
            .into_iter()
            .filter_map(|(name, answer)| {
                let reply = self.reply_of(&answer, known.get(name.as_str()).copied())?;
                Some((name, reply))
            })
            .collect())
    }
}

/// The address of a call with `from`, the end of its path, replaced by `to`.
fn beside(sender: &HttpSender, from: usize, to: &[&str]) -> Url {
    let mut url = sender.url().clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty();
        for _ in 0..from {
            path.pop();
        }
        path.extend(to);
    }
    url
}

/// Sends one request that may be lost without harm, again and again.
async fn patiently(
    sender: &HttpSender,
    method: &Method,
    url: &Url,
    content: Option<(&str, &[u8])>,
) -> Result<Vec<u8>, LlmError> {
    let mut retries = 0;
    loop {
        let content = content.map(|(kind, bytes)| (kind, bytes.to_vec()));
        let fault = match once(sender, method.clone(), url.clone(), content).await {
            Ok(received) => return Ok(received),
            Err(fault) => fault,
        };
        match fault {
            RequestFault::Passing { wait, .. } if retries < sender.config().max_retries => {
                tokio::time::sleep(sender.delay(retries, wait)).await;
                retries += 1;
            }
            RequestFault::Passing { then, .. } => return Err(sender.without_key(then)),
            RequestFault::Final(error) | RequestFault::Parameter(_, error) => {
                return Err(sender.without_key(error));
            }
        }
    }
}

/// Sends one request once. A 404 concerns what is asked for, not the model.
async fn once(
    sender: &HttpSender,
    method: Method,
    url: Url,
    content: Option<(&str, Vec<u8>)>,
) -> Result<Vec<u8>, RequestFault> {
    let context = sender.context();
    let (status, headers, received) = sender.receive(method, url, content, &context).await?;
    match status {
        200..=299 => Ok(received),
        404 | 405 => Err(RequestFault::request(format!(
            "{} answered {status}: {}; it has no such batch, or no batches at all (remove batch \
             from the study)",
            context.address,
            quote(&String::from_utf8_lossy(&received)),
        ))),
        _ => Err(retry_policy::of_status(
            status, &headers, &received, &context,
        )),
    }
}

async fn get(sender: &HttpSender, url: &Url) -> Result<Value, LlmError> {
    let received = patiently(sender, &Method::GET, url, None).await?;
    json(sender, &received)
}

fn json(sender: &HttpSender, received: &[u8]) -> Result<Value, LlmError> {
    super::reply::json(received).map_err(|_| {
        LlmError::Unavailable(format!(
            "{} answered about a batch with something other than JSON: {}",
            sender.address(),
            quote(&String::from_utf8_lossy(received))
        ))
    })
}

/// The objects of a file of JSON lines; one that cannot be read is left out.
fn lines(received: &[u8]) -> impl Iterator<Item = Value> {
    received
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .filter_map(|line| super::reply::json(line).ok())
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

/// An answer without the id that everything hangs on.
fn without_id(sender: &HttpSender, received: &[u8]) -> RequestFault {
    RequestFault::odd(format!(
        "{} took a batch and named no id: {}",
        sender.address(),
        quote(&String::from_utf8_lossy(received))
    ))
}
