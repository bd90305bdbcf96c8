//! What went wrong, and what to do about it.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use serde_json::Value;
use shiftproof_search::LlmError;

use super::address::shown;
use super::complaint::ServerComplaint;
pub(super) use super::complaint::quote;
use super::parameter::{has_any_word, own_parameter, rejected_parameter};
use super::request::{ParameterQuirk, ServerDialect};
use super::secrets::KnownSecrets;

/// Why an attempt has no completion.
#[derive(Debug, PartialEq)]
pub(super) enum RequestFault {
    /// May pass; `then` is the error if it never does.
    Passing {
        then: LlmError,
        /// The server's own request for patience.
        wait: Option<Duration>,
        /// Too many requests or overload, as opposed to a plain failure.
        throttled: bool,
        /// Nobody listens at the address.
        refused: bool,
    },
    /// A parameter is not accepted: ask again without it.
    Parameter(ParameterQuirk, LlmError),
    /// Will not pass.
    Final(LlmError),
}

impl RequestFault {
    pub(super) fn passing(why: String) -> Self {
        Self::Passing {
            then: LlmError::Unavailable(why),
            wait: None,
            throttled: false,
            refused: false,
        }
    }

    /// An answer that cannot be used; if it stays so, it fails this call alone.
    pub(super) fn odd(why: String) -> Self {
        Self::Passing {
            then: LlmError::Request(why),
            wait: None,
            throttled: false,
            refused: false,
        }
    }

    pub(super) fn rejected(why: String) -> Self {
        Self::Final(LlmError::Rejected(why))
    }

    pub(super) fn request(why: String) -> Self {
        Self::Final(LlmError::Request(why))
    }
}

/// What a message may tell about the client.
pub(super) struct FaultContext<'a> {
    pub(super) address: &'a str,
    pub(super) model: &'a str,
    pub(super) key_env: &'a str,
    pub(super) has_key: bool,
    /// What was sent in which dialect.
    pub(super) dialect: ServerDialect,
    /// What an address looks like, for messages.
    pub(super) example: &'a str,
    /// Parameters that the user set: they are not given up in silence.
    pub(super) set: &'a [&'static str],
    /// Whether log-probabilities were asked for.
    pub(super) scored: bool,
    /// Whether the answer was to keep to a schema.
    pub(super) schema: bool,
    /// What the server's words may repeat.
    pub(super) secrets: &'a KnownSecrets,
}

/// Judges an answer whose status is not 200.
pub(super) fn of_status(
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
    context: &FaultContext<'_>,
) -> RequestFault {
    if matches!(status, 300..=399) {
        let address = context.address;
        let target = headers
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        // Relative targets say nothing that the address does not.
        let target = target
            .parse()
            .map_or_else(|_| "elsewhere".to_owned(), |url| shown(&url));
        return RequestFault::rejected(format!(
            "{address} redirects to {target} ({status}), which is not followed; set base_url to the final address"
        ));
    }
    let complaint = ServerComplaint::read(body);
    let wait = wait_asked(headers, SystemTime::now()).or(complaint.wait);
    judge(status, wait, &complaint, context)
}

/// Judges an `error` inside an answer whose status is 200.
pub(super) fn of_error(error: &Value, context: &FaultContext<'_>) -> RequestFault {
    let complaint = ServerComplaint::of(error);
    let status = match complaint.number {
        Some(status @ 400..=599) => status,
        _ if complaint.says(&["insufficient_quota"]) => 402,
        _ if complaint.says(&["authentication", "invalid_api_key", "permission"]) => 401,
        _ if complaint.says(&["rate_limit", "rate limit", "too many requests"]) => 429,
        _ if complaint.codes.contains("overloaded") => 529,
        _ if complaint.codes.contains("invalid_request") || overflows(&complaint) => 400,
        _ => 502,
    };
    judge(status, complaint.wait, &complaint, context)
}

/// What servers say of an account that has nothing left.
const NO_QUOTA: &[&str] = &[
    "insufficient_quota",
    "billing_hard_limit",
    "insufficient_balance",
    "billing_not_active",
    "credit balance is too low",
];
/// What they say of a key that is none, with the status of a bad request.
const WRONG_KEY: &[&str] = &[
    "api key not valid",
    "api key expired",
    "incorrect api key",
    "invalid api key",
    "invalid_api_key",
];
/// What they say where the model computed no number.
const NO_NUMBER: &[&str] = &[
    "unsupported value: nan",
    "unsupported value: -inf",
    "unsupported value: +inf",
];

fn judge(
    status: u16,
    wait: Option<Duration>,
    complaint: &ServerComplaint,
    context: &FaultContext<'_>,
) -> RequestFault {
    let FaultContext {
        address,
        model,
        key_env,
        has_key,
        ..
    } = context;
    // Masked before it is cut, else a part would stay.
    let said = quote(&context.secrets.mask_text(&complaint.text));
    let said = format!("{address} answered {status}: {said}");
    let passing = |throttled| RequestFault::Passing {
        then: LlmError::Unavailable(said.clone()),
        wait,
        throttled,
        refused: false,
    };
    let key = || {
        RequestFault::rejected(if *has_key {
            format!("{said}; check the key in {key_env}")
        } else {
            format!("{said}; no key was sent: set {key_env}, or name its variable as api_key_env")
        })
    };
    if complaint.says(NO_QUOTA) {
        return RequestFault::rejected(format!(
            "{said}; the account of {key_env} has no quota left"
        ));
    }
    if matches!(status, 400 | 413 | 422 | 500) && overflows(complaint) {
        return RequestFault::request(format!(
            "{said}; the prompt is too long for {model}: shorten it or raise the server's context"
        ));
    }
    if matches!(status, 400..=499) && context.scored && refuses_scores(complaint) {
        return match rejected_parameter(complaint, context.dialect) {
            Some(quirk @ ParameterQuirk::FewLogprobs) => {
                RequestFault::Parameter(quirk, LlmError::Request(said))
            }
            _ => RequestFault::request(said),
        };
    }
    if matches!(status, 400 | 404 | 422 | 500 | 501) && context.schema && refuses_schema(complaint)
    {
        return RequestFault::Parameter(ParameterQuirk::NoSchema, LlmError::Request(said));
    }
    if matches!(status, 400 | 403) && filters(complaint) {
        return RequestFault::request(format!(
            "{said}; the provider's content filter refused the prompt"
        ));
    }
    match status {
        400 | 422 if complaint.says(WRONG_KEY) => key(),
        400 if complaint.says(&["location is not supported"]) => RequestFault::rejected(said),
        400 | 422 if complaint.says(&["model_not_found"]) => unknown_model(&said, context),
        400 | 422 => of_parameter(said, complaint, context),
        413 => RequestFault::request(said),
        402 => RequestFault::rejected(format!(
            "{said}; the account of {key_env} has no credit left"
        )),
        401 | 403 => key(),
        404 => unknown_model(&said, context),
        429 | 503 | 529 => passing(true),
        500 if complaint.says(&["overloaded"]) => passing(true),
        // Go's JSON encoder, as in Ollama: the same prompt will fail again.
        500 if complaint.says(NO_NUMBER) => RequestFault::request(format!(
            "{said}; the model computed no number for this prompt"
        )),
        501 => RequestFault::rejected(said),
        408 | 409 | 425 | 500..=599 => passing(false),
        _ => RequestFault::rejected(format!(
            "{said}; is base_url right? expected one such as {}",
            context.example
        )),
    }
}

/// A refusal that may lie in a parameter: ask again without it, or say which of
/// the user's own it is.
fn of_parameter(
    said: String,
    complaint: &ServerComplaint,
    context: &FaultContext<'_>,
) -> RequestFault {
    if let Some(name) = own_parameter(complaint, context.set) {
        return RequestFault::rejected(format!(
            "{said}; {} refuses what the study sets as {name}: change the key or remove it",
            context.model
        ));
    }
    match rejected_parameter(complaint, context.dialect) {
        Some(quirk) => RequestFault::Parameter(quirk, LlmError::Request(said)),
        None if has_any_word(
            &complaint.text,
            &["max_tokens", "max_completion_tokens", "maxOutputTokens"],
        ) =>
        {
            RequestFault::request(format!(
                "{said}; set max_tokens or thinking_tokens of the model to what it takes"
            ))
        }
        None => RequestFault::request(said),
    }
}

/// Whether log-probabilities are what is refused.
fn refuses_scores(complaint: &ServerComplaint) -> bool {
    complaint.says(&["logprob", "log prob", "log-prob"])
        || complaint
            .parameter
            .as_deref()
            .is_some_and(|parameter| parameter.contains("logprob"))
}

/// Whether the schema of the answer is what is refused: the way to ask for one, or what
/// it says. Either way the answer can be asked for in words.
fn refuses_schema(complaint: &ServerComplaint) -> bool {
    const NAMES: [&str; 9] = [
        "response_format",
        "json_schema",
        "output_config",
        "output_format",
        "responseSchema",
        "response_schema",
        "responseMimeType",
        "response_mime_type",
        // Ollama before it took schemas: a field of its request, in Go's words.
        "ChatRequest.format",
    ];
    has_any_word(&complaint.text, &NAMES)
        || complaint.says(&[
            "response format",
            "structured output",
            "json schema",
            "json mode",
            "invalid format",
            "invalid json schema in format",
            "failed to parse grammar",
            "grammar",
        ])
        || complaint
            .parameter
            .as_deref()
            .is_some_and(|parameter| NAMES.iter().any(|name| parameter.contains(name)))
}

/// Whether a filter refused what was sent.
fn filters(complaint: &ServerComplaint) -> bool {
    complaint
        .codes
        .split(' ')
        .any(|code| matches!(code, "content_filter" | "responsibleaipolicyviolation"))
        || complaint.says(&["moderation", "flagged", "content management policy"])
}

fn unknown_model(said: &str, context: &FaultContext<'_>) -> RequestFault {
    let FaultContext { address, model, .. } = context;
    RequestFault::rejected(format!(
        "{said}; check that the server has the model {model} and that base_url {address} is right (expected one such as {})",
        context.example
    ))
}

fn overflows(complaint: &ServerComplaint) -> bool {
    complaint.says(&[
        "context_length_exceeded",
        "exceed_context_size",
        "maximum context length",
        "context length",
        "context window",
        "context size",
        "prompt is too long",
        "input is too long",
        "too many tokens",
    ])
}

/// The least wait that `headers` ask for: `retry-after-ms`, or `Retry-After` in
/// seconds or as a date.
fn wait_asked(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).ok();
    if let Some(millis) = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok()) {
        return seconds(millis / 1e3);
    }
    let value = text(RETRY_AFTER.as_str())?;
    match value.parse::<f64>() {
        Ok(number) => seconds(number),
        Err(_) => httpdate::parse_http_date(value)
            .ok()?
            .duration_since(now)
            .ok(),
    }
}

/// Judges a failure to get an answer at all.
pub(super) fn of_transport(
    error: reqwest::Error,
    context: &FaultContext<'_>,
    timeout: Duration,
) -> RequestFault {
    let address = context.address;
    let error = error.without_url();
    if error.is_timeout() {
        return RequestFault::passing(format!(
            "{address} gave no full answer within {} s",
            timeout.as_secs_f64()
        ));
    }
    let cause = deepest(&error);
    if error.is_builder() {
        return RequestFault::request(format!("no request to {address} could be made: {cause}"));
    }
    if !error.is_connect() {
        return RequestFault::passing(format!("the answer of {address} broke off: {cause}"));
    }
    if cause.contains("certificate") {
        return RequestFault::rejected(format!(
            "{address} shows a certificate that cannot be trusted: {cause}; name its CA in SSL_CERT_FILE if it is your own"
        ));
    }
    RequestFault::Passing {
        then: LlmError::Unavailable(format!(
            "nobody answers at {address}: {cause}; is the server running?"
        )),
        wait: None,
        throttled: false,
        refused: true,
    }
}

/// The innermost cause: the outer ones only repeat that something failed.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    quote(&cause.to_string())
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
