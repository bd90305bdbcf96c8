//! One call: attempts, retries, adaptation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, Url};
use serde_json::{Map, Value};
use shiftproof_search::{LlmError, ModelCall};
use shiftproof_tasks::Usage;

use super::config::{self, CheckedEndpoint, ConnectError, HttpConfig};
use super::options::{RequestOptions, merge};
use super::protocol::{Protocol, WireCall, parse};
use super::rate_limit::{HttpStats, RateLimiter};
use super::reply::{ChatCompletion, ParsedBody};
use super::request::{AnswerShape, LearnedDialect, PrefillMode, ServerDialect};
use super::retry_policy::{self, FaultContext, RequestFault};
use super::transport;
use super::usage::{guess, used};

/// Most bytes of a body that are read. The longest honest answer, 16 scored
/// tokens with 20 alternatives each, is below 100 KB; long texts stay below 1 MB.
const MOST_BYTES: usize = 8 << 20;
/// Most bytes of the file with a batch's answers.
const MOST_FILE: usize = 512 << 20;
/// Retries of an answer without choices: a server that is well but sends
/// nothing will rarely change its mind.
const EMPTY_RETRIES: u32 = 2;

/// Sends calls to one model of one server.
#[derive(Debug)]
pub(super) struct HttpSender {
    client: Client,
    endpoint: CheckedEndpoint,
    config: HttpConfig,
    protocol: Box<dyn Protocol>,
    limiter: Arc<RateLimiter>,
    learned: Arc<LearnedDialect>,
    headers: HeaderMap,
    /// Names of the parameters that the user set.
    set: Vec<&'static str>,
    /// The server has answered a call, so its address is right.
    answered: AtomicBool,
}

impl HttpSender {
    pub(super) fn new(config: HttpConfig) -> Result<Self, ConnectError> {
        let protocol = config.api.protocol();
        let endpoint = CheckedEndpoint::of(&config, &*protocol)?;
        if config.model.trim().is_empty() {
            return Err(ConnectError::Config(
                "no model is named; set model to one the server has".to_owned(),
            ));
        }
        Ok(Self {
            headers: config::headers(&config, &*protocol)?,
            set: config.options.set().collect(),
            answered: AtomicBool::new(false),
            client: transport::client(&config, &endpoint)?,
            limiter: Arc::new(RateLimiter::new(
                config.concurrency,
                config.requests_per_minute,
                config.tokens_per_minute,
            )),
            learned: Arc::default(),
            endpoint,
            config,
            protocol,
        })
    }

    /// The same connection, limits and adaptations with other parameters.
    pub(super) fn with_options(&self, options: RequestOptions) -> Self {
        Self {
            client: self.client.clone(),
            endpoint: self.endpoint.clone(),
            protocol: self.config.api.protocol(),
            limiter: self.limiter.clone(),
            learned: self.learned.clone(),
            headers: self.headers.clone(),
            set: options.set().collect(),
            answered: AtomicBool::new(self.answered.load(Relaxed)),
            config: HttpConfig {
                options,
                ..self.config.clone()
            },
        }
    }

    pub(super) fn config(&self) -> &HttpConfig {
        &self.config
    }

    /// The address of a call.
    pub(super) fn url(&self) -> &Url {
        &self.endpoint.url
    }

    pub(super) fn protocol(&self) -> &dyn Protocol {
        &*self.protocol
    }

    /// The address without secrets, with what of it can change a reply.
    pub(super) fn identity(&self) -> &str {
        &self.endpoint.identity
    }

    pub(super) fn address(&self) -> &str {
        &self.endpoint.shown
    }

    pub(super) fn stats(&self) -> HttpStats {
        self.limiter.stats()
    }

    pub(super) fn adaptations(&self) -> Vec<&'static str> {
        self.learned
            .dialect()
            .quirks()
            .map(super::request::ParameterQuirk::remedy)
            .collect()
    }

    /// Sends `call` until it is answered or will not be.
    pub(super) async fn complete(
        &self,
        call: &ModelCall,
        shape: AnswerShape,
        continuation: PrefillMode,
    ) -> Result<(ChatCompletion, Usage), LlmError> {
        self.persist(call, shape, continuation, false).await
    }

    /// The body of a request: what the protocol makes of the call, and what the
    /// user adds.
    pub(super) fn body(
        &self,
        call: &ModelCall,
        shape: AnswerShape,
        continuation: PrefillMode,
    ) -> Map<String, Value> {
        let mut body = self.protocol.body(&WireCall {
            model: &self.config.model,
            call,
            shape,
            dialect: self.learned.dialect(),
            continuation,
            options: &self.config.options,
        });
        merge(&mut body, &self.config.options.body);
        body
    }

    /// Like [`complete`](Self::complete), but gives up at once where nobody
    /// listens.
    pub(super) async fn complete_if_listening(
        &self,
        call: &ModelCall,
        shape: AnswerShape,
        continuation: PrefillMode,
    ) -> Result<(ChatCompletion, Usage), LlmError> {
        self.persist(call, shape, continuation, true).await
    }

    async fn persist(
        &self,
        call: &ModelCall,
        shape: AnswerShape,
        continuation: PrefillMode,
        must_listen: bool,
    ) -> Result<(ChatCompletion, Usage), LlmError> {
        let reserve = guess(&call.request, "").prompt_tokens + u64::from(call.sampling.max_tokens);
        let mut retries = 0;
        loop {
            let dialect = self.learned.dialect();
            let body = Value::Object(self.body(call, shape, continuation)).to_string();
            let permit = self.limiter.admit(reserve).await;
            let scored = matches!(shape, AnswerShape::Scored { .. });
            let fault = match self.attempt(body.into_bytes(), dialect, scored).await {
                Ok(completion) => {
                    self.answered.store(true, Relaxed);
                    let usage = used(call, &completion);
                    permit.succeeded(usage.tokens());
                    self.check_prompt(call, &completion)?;
                    return Ok((completion, usage));
                }
                Err(fault) => fault,
            };
            let (then, wait) = match fault {
                RequestFault::Final(error) => {
                    permit.failed();
                    return Err(self.without_key(error));
                }
                RequestFault::Parameter(quirk, error) => {
                    permit.failed();
                    if dialect.has(quirk) {
                        return Err(self.without_key(error));
                    }
                    self.learned.learn(quirk);
                    continue;
                }
                RequestFault::Passing {
                    then,
                    wait,
                    throttled,
                    refused,
                } => {
                    if throttled {
                        permit.throttled(wait.filter(|wait| *wait <= self.config.max_wait));
                    } else {
                        permit.failed();
                    }
                    if refused && must_listen {
                        return Err(self.without_key(then));
                    }
                    (then, wait)
                }
            };
            let most = match then {
                LlmError::Request(_) => self.config.max_retries.min(EMPTY_RETRIES),
                _ => self.config.max_retries,
            };
            if retries >= most {
                return Err(self.without_key(after(then, retries)));
            }
            if let Some(wait) = wait.filter(|wait| *wait > self.config.max_wait) {
                let asked = format!(
                    "and asks to wait {} s, longer than the {} s we wait at most",
                    wait.as_secs(),
                    self.config.max_wait.as_secs()
                );
                return Err(self.without_key(with_note(then, &asked)));
            }
            self.limiter.back_off(self.delay(retries, wait)).await;
            retries += 1;
        }
    }

    /// The wait before retry number `retries`: exponential with equal jitter,
    /// or what the server asked for and up to a tenth more, whichever is longer.
    pub(super) fn delay(&self, retries: u32, asked: Option<Duration>) -> Duration {
        let full = self
            .config
            .retry_wait
            .saturating_mul(1 << retries.min(20))
            .min(self.config.max_wait);
        let own = full.mul_f64(rand::random_range(0.5..=1.0));
        asked.map_or(own, |asked| {
            own.max(asked.mul_f64(rand::random_range(1.0..=1.1)))
        })
    }

    async fn attempt(
        &self,
        body: Vec<u8>,
        dialect: ServerDialect,
        scored: bool,
    ) -> Result<ChatCompletion, RequestFault> {
        let context = FaultContext {
            dialect,
            scored,
            ..self.context()
        };
        let content = Some(("application/json", body));
        let url = self.endpoint.url.clone();
        let received = self.exchange(Method::POST, url, content, &context).await?;
        self.read(&received, &context)
    }

    pub(super) fn context(&self) -> FaultContext<'_> {
        FaultContext {
            address: &self.endpoint.shown,
            model: &self.config.model,
            key_env: &self.config.api_key_env,
            has_key: self.config.api_key.is_some() || !self.config.headers.is_empty(),
            dialect: self.learned.dialect(),
            example: self.config.api.example(),
            set: &self.set,
            scored: false,
        }
    }

    /// Sends one request and receives the body of a successful answer.
    pub(super) async fn exchange(
        &self,
        method: Method,
        url: Url,
        content: Option<(&str, Vec<u8>)>,
        context: &FaultContext<'_>,
    ) -> Result<Vec<u8>, RequestFault> {
        let (status, headers, received) = self.receive(method, url, content, context).await?;
        if (200..300).contains(&status) {
            Ok(received)
        } else {
            Err(retry_policy::of_status(
                status, &headers, &received, context,
            ))
        }
    }

    /// Sends one request and receives the answer, whatever its status.
    pub(super) async fn receive(
        &self,
        method: Method,
        url: Url,
        content: Option<(&str, Vec<u8>)>,
        context: &FaultContext<'_>,
    ) -> Result<(u16, HeaderMap, Vec<u8>), RequestFault> {
        let most = if method == Method::GET {
            MOST_FILE
        } else {
            MOST_BYTES
        };
        let broken = |error| retry_policy::of_transport(error, context, self.config.timeout);
        let mut request = self.client.request(method, url);
        if let Some((kind, body)) = content {
            request = request.header("content-type", kind).body(body);
        }
        let mut response = request
            .headers(self.headers.clone())
            .send()
            .await
            .map_err(broken)?;
        let mut received = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if received.len() + chunk.len() > most {
                return Err(RequestFault::request(format!(
                    "{} answered with more than {} MiB",
                    context.address,
                    most >> 20
                )));
            }
            received.extend_from_slice(&chunk);
        }
        let status = response.status().as_u16();
        Ok((status, response.headers().clone(), received))
    }

    /// Reads an answer. One that cannot be read fails this call alone where the
    /// server has answered others; where it has not, the address is wrong.
    pub(super) fn read(
        &self,
        received: &[u8],
        context: &FaultContext<'_>,
    ) -> Result<ChatCompletion, RequestFault> {
        let address = context.address;
        let said = || retry_policy::quote(&String::from_utf8_lossy(received));
        let unread = |what: String| {
            if self.answered.load(Relaxed) {
                RequestFault::odd(what)
            } else {
                RequestFault::rejected(format!(
                    "{what}; is base_url right? expected one such as {}",
                    context.example
                ))
            }
        };
        Err(match parse(received, &*self.protocol) {
            ParsedBody::Completion(completion) => return Ok(completion),
            ParsedBody::Error(error) => retry_policy::of_error(&error, context),
            ParsedBody::Empty => RequestFault::odd(format!("{address} answered without a choice")),
            ParsedBody::Broken => RequestFault::odd(format!(
                "{address} answered with JSON that cannot be read: {}",
                said()
            )),
            ParsedBody::Truncated if self.answered.load(Relaxed) => RequestFault::odd(format!(
                "the answer of {address} broke off after {} bytes",
                received.len()
            )),
            ParsedBody::Truncated => RequestFault::passing(format!(
                "the answer of {address} broke off after {} bytes",
                received.len()
            )),
            ParsedBody::Html if self.answered.load(Relaxed) => {
                RequestFault::passing(format!("{address} answered with HTML, not JSON"))
            }
            ParsedBody::Html => unread(format!("{address} answered with HTML, not JSON")),
            ParsedBody::Foreign => unread(format!(
                "{address} answered with JSON that is no answer of a model: {}",
                said()
            )),
            ParsedBody::NotJson => unread(format!(
                "{address} answered with something other than JSON: {}",
                said()
            )),
        })
    }

    /// A server that cuts a long prompt without a word (Ollama does) answers a
    /// question nobody asked. Every word is a token at least, so fewer tokens
    /// than words means that words are missing.
    fn check_prompt(&self, call: &ModelCall, completion: &ChatCompletion) -> Result<(), LlmError> {
        const FEW: u64 = 64;
        let Some(usage) = completion.usage else {
            return Ok(());
        };
        let words: usize = call
            .request
            .messages
            .iter()
            .map(|message| message.content.split_whitespace().count())
            .sum();
        let (words, read) = (words as u64, usage.prompt_tokens);
        // A tenth less is granted: a tokenizer may join words into one token.
        if words < FEW || read * 10 >= words * 9 {
            return Ok(());
        }
        Err(LlmError::Request(format!(
            "{} read {read} tokens of a prompt of {words} words: it cut the prompt; raise the context of {} (Ollama: context_tokens in the study, or num_ctx on the server)",
            self.endpoint.shown, self.config.model,
        )))
    }

    /// Servers may repeat what they were sent.
    pub(super) fn without_key(&self, error: LlmError) -> LlmError {
        map(error, |mut text| {
            for secret in self.config.secrets() {
                if text.contains(secret) {
                    text = text.replace(secret, "[key]");
                }
            }
            text
        })
    }
}

fn map(error: LlmError, change: impl FnOnce(String) -> String) -> LlmError {
    match error {
        LlmError::Unavailable(text) => LlmError::Unavailable(change(text)),
        LlmError::Rejected(text) => LlmError::Rejected(change(text)),
        LlmError::Request(text) => LlmError::Request(change(text)),
    }
}

fn with_note(error: LlmError, note: &str) -> LlmError {
    map(error, |text| format!("{text} ({note})"))
}

fn after(error: LlmError, retries: u32) -> LlmError {
    match retries {
        0 => error,
        _ => with_note(error, &format!("after {} attempts", retries + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_within_bounds() {
        let mut config = HttpConfig::new("http://127.0.0.1/v1", "m");
        config.retry_wait = Duration::from_secs(1);
        config.max_wait = Duration::from_secs(10);
        let sender = HttpSender::new(config).unwrap();
        for (retries, most) in [
            (0, 1.0),
            (1, 2.0),
            (2, 4.0),
            (3, 8.0),
            (4, 10.0),
            (40, 10.0),
        ] {
            let wait = sender.delay(retries, None).as_secs_f64();
            assert!((most / 2.0..=most).contains(&wait), "{retries}: {wait}");
        }
        let asked = sender.delay(0, Some(Duration::from_secs(5))).as_secs_f64();
        assert!((5.0..=5.5).contains(&asked), "{asked}");
        assert!(sender.delay(3, Some(Duration::ZERO)).as_secs_f64() >= 4.0);
    }
}
