//! What a client is told: address, model, key, limits.

use std::fmt;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use super::abilities::ServerAbilities;
use super::address::shown;
use super::options::RequestOptions;
use super::protocol::{ApiDialect, Protocol};

/// Whether an optional ability of a server is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AbilityMode {
    /// Asked of the server at start-up; used where it works.
    #[default]
    Auto,
    /// Required. Label scores: connecting fails where the server reports none,
    /// and scores that look wrong are used. Prefill: used whatever was found.
    On,
    /// Never used; nothing is asked.
    Off,
}

/// How calls are sent as batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchConfig {
    /// Fewest calls that are worth a batch; fewer are sent one by one.
    pub least: usize,
    /// Whether the process waits for its batches.
    pub waits: bool,
    /// Time between two looks at a batch.
    pub interval: Duration,
}

impl Default for BatchConfig {
    /// From two calls on, waiting, with a look every 30 seconds.
    fn default() -> Self {
        Self {
            least: 2,
            waits: true,
            interval: Duration::from_secs(30),
        }
    }
}

/// How to reach one model of a server.
#[derive(Clone)]
pub struct HttpConfig {
    /// The protocol it speaks.
    pub api: ApiDialect,
    /// Address up to and including the version, such as
    /// `https://api.openai.com/v1` or `http://127.0.0.1:8080/v1`. A query
    /// (`?api-version=…`) is kept on every call.
    pub base_url: String,
    /// The version of Azure's API; a recent one where absent.
    pub api_version: Option<String>,
    /// The model's name on that server; on Azure, the deployment's.
    pub model: String,
    /// The key; local servers need none.
    pub api_key: Option<SecretString>,
    /// The environment variable the key comes from, for messages.
    pub api_key_env: String,
    /// Headers of every request beside our own; their values may be secret.
    pub headers: Vec<(String, SecretString)>,
    /// Parameters of every request.
    pub options: RequestOptions,
    /// Longest time of one attempt, body included.
    pub timeout: Duration,
    /// Calls in flight at most, at least 1. Adapts downwards under rate limits.
    pub concurrency: usize,
    /// Requests per minute at most.
    pub requests_per_minute: Option<u32>,
    /// Tokens per minute at most, prompt and completion together.
    pub tokens_per_minute: Option<u32>,
    /// Attempts after the first.
    pub max_retries: u32,
    /// Wait before the first retry; doubles with each, jittered, up to
    /// [`max_wait`](Self::max_wait).
    pub retry_wait: Duration,
    /// Longest wait between two attempts. A server that asks for longer is
    /// reported as unavailable at once.
    pub max_wait: Duration,
    /// Label scoring by log-probabilities.
    pub label_scores: AbilityMode,
    /// Continuing an assistant message.
    pub prefill: AbilityMode,
    /// Whether the model thinks before it answers: [`AbilityMode::Auto`] finds out,
    /// [`AbilityMode::Off`] takes it for one that does not. What the options say of
    /// thoughts decides over both.
    pub thoughts: AbilityMode,
    /// Sending many calls at once as a batch; `None`: each by itself.
    pub batch: Option<BatchConfig>,
    /// Whether what may pass elsewhere is an error at once, for another server to be
    /// asked: no answer, overload, a failure of the server's.
    pub hands_over: bool,
    /// What an earlier process found out about the server; `None`: it is asked.
    pub known: Option<ServerAbilities>,
}

impl HttpConfig {
    /// A configuration without a key: 120 s per attempt, 8 calls in flight,
    /// 8 retries over one to two minutes, abilities found at start-up.
    pub fn new(base_url: impl Into<String>, model: impl Into<String>) -> Self {
        let api = ApiDialect::default();
        Self {
            api,
            base_url: base_url.into(),
            api_version: None,
            model: model.into(),
            api_key: None,
            api_key_env: api.default_key_env().to_owned(),
            headers: Vec::new(),
            options: RequestOptions::default(),
            timeout: Duration::from_mins(2),
            concurrency: 8,
            requests_per_minute: None,
            tokens_per_minute: None,
            max_retries: 8,
            retry_wait: Duration::from_millis(500),
            max_wait: Duration::from_mins(1),
            label_scores: AbilityMode::Auto,
            prefill: AbilityMode::Auto,
            thoughts: AbilityMode::Auto,
            batch: None,
            hands_over: false,
            known: None,
        }
    }

    /// Everything that must never be shown.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.api_key
            .iter()
            .chain(self.headers.iter().map(|(_, value)| value))
            .map(|secret| secret.expose_secret().trim())
            .filter(|secret| secret.len() > 3)
    }

    /// Reads the key from the environment variable `name`. An unset or blank
    /// variable means no key: whether one is needed only the server knows.
    #[must_use]
    pub fn key_from_env(mut self, name: &str) -> Self {
        name.clone_into(&mut self.api_key_env);
        self.api_key = std::env::var(name)
            .ok()
            .map(|key| key.trim().to_owned())
            .filter(|key| !key.is_empty())
            .map(SecretString::from);
        self
    }
}

/// Shows neither the key nor what an address may hide in its user and query.
impl fmt::Debug for HttpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = Url::parse(&self.base_url).map(|url| shown(&url));
        f.debug_struct("HttpConfig")
            .field("api", &self.api)
            .field("base_url", &address.as_deref().unwrap_or("no URL"))
            .field("model", &self.model)
            .field("api_key_env", &self.api_key_env)
            .field("has_key", &self.api_key.is_some())
            .field("concurrency", &self.concurrency)
            .field("max_retries", &self.max_retries)
            .finish_non_exhaustive()
    }
}

/// Why no client came to be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConnectError {
    /// The configuration cannot be used.
    #[error("{0}")]
    Config(String),
    /// Nobody answers at that address, or only with passing failures.
    #[error("{0}")]
    Unreachable(String),
    /// The server refuses us: wrong key, unknown model, wrong address.
    #[error("{0}")]
    Rejected(String),
    /// The server lacks an ability that the configuration requires.
    #[error("{0}")]
    Unsupported(String),
}

/// A checked address: where calls go, and the form of it that may be shown.
#[derive(Clone)]
pub(super) struct CheckedEndpoint {
    pub(super) url: Url,
    /// Without user, password, query and fragment.
    pub(super) shown: String,
    /// `shown` and the API version, which can change a reply.
    pub(super) identity: String,
    pub(super) loopback: bool,
}

impl fmt::Debug for CheckedEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.identity)
    }
}

impl CheckedEndpoint {
    pub(super) fn of(config: &HttpConfig, protocol: &dyn Protocol) -> Result<Self, ConnectError> {
        let base = base(&config.base_url, config.api)?;
        let shown = shown(&base);
        let loopback = is_loopback(&base);
        let mut url = base;
        url.set_fragment(None);
        protocol.locate(&mut url, &config.model, config.api_version.as_deref());
        let version = url
            .query_pairs()
            .find(|(name, _)| name == "api-version")
            .map(|(_, version)| version.into_owned());
        let identity = match version {
            Some(version) => format!("{shown}?api-version={version}"),
            None => shown.clone(),
        };
        Ok(Self {
            url,
            shown,
            identity,
            loopback,
        })
    }
}

/// The address as it was written, if it is one.
pub(super) fn base(base_url: &str, api: ApiDialect) -> Result<Url, ConnectError> {
    let base: Url = base_url.trim().parse().map_err(|error| {
        ConnectError::Config(format!(
            "base_url is no URL ({error}); expected one such as {}",
            api.example()
        ))
    })?;
    if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
        return Err(ConnectError::Config(format!(
            "base_url must start with http:// or https://, got {}://",
            base.scheme()
        )));
    }
    Ok(base)
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str().unwrap_or_default() {
        "localhost" => true,
        host => host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
    }
}

/// The headers of every request: those of the protocol, the key's, and what the
/// user added. Secrets are marked so that they are never printed.
pub(super) fn headers(
    config: &HttpConfig,
    protocol: &dyn Protocol,
) -> Result<HeaderMap, ConnectError> {
    let mut headers = HeaderMap::new();
    for (name, value) in protocol.headers() {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    if let Some(key) = &config.api_key {
        let (name, before) = protocol.authorization();
        let value = format!("{before}{}", key.expose_secret().trim());
        let mut value = HeaderValue::from_str(&value).map_err(|_| {
            ConnectError::Config(format!(
                "the key in {} holds characters that no HTTP header can carry; copy it again",
                config.api_key_env
            ))
        })?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), value);
    }
    for (name, value) in &config.headers {
        let unusable = |what: &str| {
            ConnectError::Config(format!(
                "headers: {name:?} {what}, which HTTP does not allow"
            ))
        };
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| unusable("is no name of a header"))?;
        let mut value = HeaderValue::from_str(value.expose_secret().trim())
            .map_err(|_| unusable("has a value with control characters"))?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(base_url: &str) -> Result<CheckedEndpoint, ConnectError> {
        let config = HttpConfig::new(base_url, "m");
        CheckedEndpoint::of(&config, &*config.api.protocol())
    }

    #[test]
    fn shown_address_holds_no_secret() {
        let endpoint =
            endpoint("https://me:pw@host.example/openai/v1/?key=canary&api-version=7#x").unwrap();
        let config = HttpConfig::new("https://me:pw@host/v1?key=canary", "m");
        for debug in [format!("{endpoint:?}"), format!("{config:?}")] {
            assert!(
                !debug.contains("canary") && !debug.contains("pw"),
                "{debug}"
            );
        }
        assert_eq!(endpoint.shown, "https://host.example/openai/v1");
        assert_eq!(
            endpoint.identity,
            "https://host.example/openai/v1?api-version=7"
        );
        assert_eq!(endpoint.url.path(), "/openai/v1/chat/completions");
        assert_eq!(endpoint.url.query(), Some("key=canary&api-version=7"));
    }

    #[test]
    fn loopback_is_recognised() {
        for (url, loopback) in [
            ("http://127.0.0.1:8080/v1", true),
            ("http://[::1]:8080/v1", true),
            ("http://localhost/v1", true),
            ("http://10.0.0.1/v1", false),
            ("https://api.openai.com/v1", false),
        ] {
            assert_eq!(endpoint(url).unwrap().loopback, loopback, "{url}");
        }
    }

    #[test]
    fn malformed_addresses_are_refused() {
        for url in ["", "api.openai.com/v1", "ftp://h/v1", "file:///etc"] {
            assert!(
                matches!(endpoint(url), Err(ConnectError::Config(_))),
                "{url}"
            );
        }
    }
}
