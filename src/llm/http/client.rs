//! One call: attempts, retries, adaptation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, Url};
use serde_json::{Map, Value};
use shiftproof_search::{FailedRequest, LlmError, ModelCall, RequestAllowance};
use shiftproof_tasks::{AnswerForm, Usage};

use super::config::{self, CheckedEndpoint, ConnectError, HttpConfig};
use super::options::{RequestOptions, merge};
use super::protocol::{Protocol, WireCall};
use super::rate_limit::{HttpStats, RateLimiter};
use super::reply::ChatCompletion;
use super::request::{AnswerShape, LearnedDialect, ParameterQuirk, PrefillMode};
use super::retry_policy::{self, FaultContext, RequestFault};
use super::secrets::KnownSecrets;
use super::transport;
use super::usage::{guess, used};

/// Retries of an answer without choices: a server that is well but sends
/// nothing will rarely change its mind.
const EMPTY_RETRIES: u32 = 2;

/// Sends calls to one model of one server.
#[derive(Debug)]
pub(super) struct HttpSender {
    pub(super) client: Client,
    pub(super) endpoint: CheckedEndpoint,
    pub(super) config: HttpConfig,
    pub(super) protocol: Box<dyn Protocol>,
    limiter: Arc<RateLimiter>,
    learned: Arc<LearnedDialect>,
    pub(super) headers: HeaderMap,
    pub(super) secrets: Arc<KnownSecrets>,
    /// Names of the parameters that the user set.
    set: Vec<&'static str>,
    /// The server has answered a call, so its address is right.
    pub(super) answered: AtomicBool,
    /// Requests that found out what the server can do.
    probes: ProbeCount,
}

/// Counts requests that no run has allowed.
#[derive(Debug, Default)]
struct ProbeCount(AtomicU64);

#[async_trait]
impl RequestAllowance for ProbeCount {
    fn failed(&self, request: FailedRequest) {
        if request == FailedRequest::Unsent {
            self.0.fetch_sub(1, Relaxed);
        }
    }

    async fn another(&self) -> bool {
        self.0.fetch_add(1, Relaxed);
        true
    }
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
            secrets: Arc::new(KnownSecrets::of(&config)),
            set: config.options.set().collect(),
            answered: AtomicBool::new(false),
            probes: ProbeCount::default(),
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
            secrets: self.secrets.clone(),
            set: options.set().collect(),
            answered: AtomicBool::new(self.answered.load(Relaxed)),
            probes: ProbeCount::default(),
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

    pub(super) fn has_room(&self) -> bool {
        self.limiter.has_room()
    }

    pub(super) fn pause(&self) -> Duration {
        self.limiter.pause()
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

    /// Requests that were sent to find out what the server can do.
    pub(super) fn probes(&self) -> u64 {
        self.probes.0.load(Relaxed)
    }

    /// Sends `call` until it is answered or will not be, with requests that
    /// `allowance` has room for.
    pub(super) async fn complete(
        &self,
        call: &ModelCall,
        shape: AnswerShape,
        continuation: PrefillMode,
        allowance: &dyn RequestAllowance,
    ) -> Result<(ChatCompletion, Usage), LlmError> {
        self.persist(call, shape, continuation, allowance, false)
            .await
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

    /// Like [`complete`](Self::complete), but outside any run, and gives up at once
    /// where nobody listens.
    pub(super) async fn complete_if_listening(
        &self,
        call: &ModelCall,
        shape: AnswerShape,
        continuation: PrefillMode,
    ) -> Result<(ChatCompletion, Usage), LlmError> {
        self.probes.another().await;
        self.persist(call, shape, continuation, &self.probes, true)
            .await
    }

    /// Asks like a run, but outside one.
    pub(super) async fn rehearse(
        &self,
        call: &ModelCall,
        shape: AnswerShape,
    ) -> Result<(ChatCompletion, Usage), LlmError> {
        self.probes.another().await;
        self.persist(call, shape, PrefillMode::Plain, &self.probes, false)
            .await
    }

    async fn persist(
        &self,
        call: &ModelCall,
        shape: AnswerShape,
        continuation: PrefillMode,
        allowance: &dyn RequestAllowance,
        must_listen: bool,
    ) -> Result<(ChatCompletion, Usage), LlmError> {
        let reserve = guess(&call.request, "").prompt_tokens + u64::from(call.sampling.max_tokens);
        let mut retries = 0;
        let mut needed: Option<LlmError> = None;
        loop {
            if let Some(why) = needed.take()
                && !allowance.another().await
            {
                return Err(self.without_key(unaffordable(why)));
            }
            let dialect = self.learned.dialect();
            let body = Value::Object(self.body(call, shape, continuation)).to_string();
            let permit = self.limiter.admit(reserve).await;
            let sent = FaultContext {
                dialect,
                scored: matches!(shape, AnswerShape::Scored { .. }),
                schema: matches!(call.request.answer, AnswerForm::Json { .. })
                    && !dialect.has(ParameterQuirk::NoSchema),
                ..self.context()
            };
            let fault = match self.attempt(body.into_bytes(), &sent).await {
                Ok(completion) => {
                    self.answered.store(true, Relaxed);
                    let usage = used(call, &completion);
                    permit.succeeded(usage.tokens());
                    if let Err(error) = self.check_prompt(call, &completion) {
                        allowance.failed(FailedRequest::Billed);
                        return Err(error);
                    }
                    return Ok((completion, usage));
                }
                Err((fault, cost)) => {
                    allowance.failed(cost);
                    fault
                }
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
                    needed = Some(error);
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
            if self.config.hands_over && matches!(then, LlmError::Unavailable(_)) {
                return Err(self.without_key(then));
            }
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
            needed = Some(then);
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
        context: &FaultContext<'_>,
    ) -> Result<ChatCompletion, (RequestFault, FailedRequest)> {
        let content = Some(("application/json", body));
        let url = self.endpoint.url.clone();
        let (status, headers, received) = self
            .receive(Method::POST, url, content, context)
            .await
            .map_err(|fault| {
            let refused = matches!(fault, RequestFault::Passing { refused: true, .. });
            let cost = if refused {
                FailedRequest::Unsent
            } else {
                FailedRequest::Billed
            };
            (fault, cost)
        })?;
        if (200..300).contains(&status) {
            return self
                .read(&received, context)
                .map_err(|fault| (fault, FailedRequest::Billed));
        }
        // Behind a gateway that gave up the model may have answered.
        let cost = match status {
            500 | 502 | 504..=528 | 530..=599 => FailedRequest::Billed,
            _ => FailedRequest::Unbilled,
        };
        let fault = retry_policy::of_status(status, &headers, &received, context);
        Err((fault, cost))
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
            schema: false,
            secrets: &self.secrets,
        }
    }

    /// Whatever a server made of a key that [`receive`](Self::receive) did not
    /// recognise, and the shorter secrets, which answers may hold as words.
    pub(super) fn without_key(&self, error: LlmError) -> LlmError {
        map(error, |mut text| {
            text = self.secrets.mask_text(&text).into_owned();
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
        LlmError::Unaffordable(text) => LlmError::Unaffordable(change(text)),
    }
}

/// The limits have no room for the request that `why` makes necessary.
pub(super) fn unaffordable(why: LlmError) -> LlmError {
    let (LlmError::Unavailable(text)
    | LlmError::Rejected(text)
    | LlmError::Request(text)
    | LlmError::Unaffordable(text)) = why;
    LlmError::Unaffordable(text)
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
