//! Reading what servers send, leniently: any field may be missing, null or of
//! another type than the documentation says.

use serde_json::Value;
use shiftproof_tasks::{Finish, Usage};

use crate::counts::{count, number};

/// An answer, as far as we use it.
#[derive(Debug, PartialEq)]
pub(super) struct ChatCompletion {
    /// The visible answer; reasoning is left out. Where a filter withheld it, the
    /// provider's reason if it gives one.
    pub(super) text: String,
    pub(super) finish: Finish,
    /// `None` where the server reports none that can be.
    pub(super) usage: Option<Usage>,
    /// Generated tokens with their alternatives; empty where not reported.
    pub(super) positions: Vec<TokenPosition>,
    /// The server also sent reasoning, or counted it.
    pub(super) reasoned: bool,
    /// Tokens of reasoning, where they are counted apart.
    pub(super) reasoning_tokens: u64,
}

impl Default for ChatCompletion {
    fn default() -> Self {
        Self {
            text: String::new(),
            finish: Finish::Stop,
            usage: None,
            positions: Vec::new(),
            reasoned: false,
            reasoning_tokens: 0,
        }
    }
}

/// One generated token and the likeliest tokens in its place.
#[derive(Debug, PartialEq)]
pub(super) struct TokenPosition {
    pub(super) token: Vec<u8>,
    /// With natural-log probabilities; contains `token`.
    pub(super) top: Vec<(Vec<u8>, f64)>,
}

/// What a body of a successful status holds.
#[derive(Debug, PartialEq)]
pub(super) enum ParsedBody {
    Completion(ChatCompletion),
    /// `error` in place of, or inside, an answer.
    Error(Value),
    /// A completion without choices.
    Empty,
    /// JSON, but no answer of this protocol.
    Foreign,
    /// Nearly JSON, beyond repair.
    Broken,
    Html,
    /// The JSON stops early.
    Truncated,
    NotJson,
}

/// `body` as JSON, mended where servers are known to break it: bytes that are no
/// UTF-8, halves of a surrogate pair, bare `NaN`.
pub(super) fn json(body: &[u8]) -> Result<Value, ParsedBody> {
    let error = match serde_json::from_slice(body) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    if body.trim_ascii_start().starts_with(b"<") {
        return Err(ParsedBody::Html);
    }
    if error.is_eof() {
        return Err(ParsedBody::Truncated);
    }
    let text = String::from_utf8_lossy(body);
    serde_json::from_slice(&with_nulls(&without_halves(text.as_bytes()))).map_err(|error| {
        if error.is_eof() {
            ParsedBody::Truncated
        } else if matches!(body.trim_ascii_start().first(), Some(b'{' | b'[')) {
            ParsedBody::Broken
        } else {
            ParsedBody::NotJson
        }
    })
}

/// `body` with every escaped half of a surrogate pair that stands alone, which is
/// no character, replaced by the sign for an unknown one.
fn without_halves(body: &[u8]) -> Vec<u8> {
    let unit = |at: usize| {
        let digits = body.get(at..at + 6)?.strip_prefix(br"\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let high = |unit: u16| (0xd800..0xdc00).contains(&unit);
    let low = |unit: u16| (0xdc00..0xe000).contains(&unit);
    let mut out = Vec::with_capacity(body.len());
    let mut at = 0;
    while at < body.len() {
        let length = match unit(at) {
            Some(first) if high(first) && unit(at + 6).is_some_and(low) => 12,
            Some(half) if high(half) || low(half) => {
                out.extend_from_slice(br"\ufffd");
                at += 6;
                continue;
            }
            Some(_) => 6,
            None if body[at] == b'\\' => 2,
            None => 1,
        };
        let end = (at + length).min(body.len());
        out.extend_from_slice(&body[at..end]);
        at = end;
    }
    out
}

/// `body` with the bare words `NaN`, `Infinity` and `-Infinity`, which Python
/// servers write and JSON forbids, replaced by `null`.
fn with_nulls(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let (mut quoted, mut at) = (false, 0);
    'outer: while at < body.len() {
        if !quoted {
            for word in [b"NaN".as_slice(), b"-Infinity", b"Infinity"] {
                if body[at..].starts_with(word) {
                    out.extend_from_slice(b"null");
                    at += word.len();
                    continue 'outer;
                }
            }
        }
        match body[at] {
            b'\\' if quoted => {
                out.push(b'\\');
                at += 1;
                if let Some(escaped) = body.get(at) {
                    out.push(*escaped);
                }
            }
            byte => {
                quoted ^= byte == b'"';
                out.push(byte);
            }
        }
        at += 1;
    }
    out
}

pub(super) fn present<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.get(key).filter(|value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    })
}

/// Text, or the text parts of a list of parts.
pub(super) fn content(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => Some(
            parts
                .iter()
                .filter_map(|part| part.as_str().or_else(|| part.get("text")?.as_str()))
                .collect(),
        ),
        _ => None,
    }
}

/// `text` after a leading `<think>…</think>`; nothing if the block never ends.
pub(super) fn without_thoughts(text: &str) -> &str {
    match text.trim_start().strip_prefix("<think>") {
        None => text,
        Some(thoughts) => thoughts
            .split_once("</think>")
            .map_or("", |(_, answer)| answer.trim_start()),
    }
}

pub(super) fn finish(reason: &str) -> Finish {
    match reason.to_ascii_lowercase().as_str() {
        "length" | "max_tokens" | "max_output_tokens" | "model_length" => Finish::Length,
        "content_filter" | "content-filter" | "safety" | "recitation" | "prohibited_content" => {
            Finish::Filtered
        }
        _ => Finish::Stop,
    }
}

/// The usage of a chat completion.
pub(super) fn usage(value: &Value) -> Option<Usage> {
    let field = |names: [&str; 2]| {
        names
            .iter()
            .find_map(|name| value.get(name).and_then(count))
    };
    let cached = value
        .pointer("/prompt_tokens_details/cached_tokens")
        .and_then(count)
        .unwrap_or(0);
    // A prompt of no tokens is a figure not filled in.
    let mut prompt = field(["prompt_tokens", "input_tokens"]).filter(|count| *count > 0)?;
    if cached > prompt {
        // Some servers count cached tokens apart.
        prompt += cached;
    }
    checked(Usage {
        prompt_tokens: prompt,
        completion_tokens: field(["completion_tokens", "output_tokens"])?,
        cached_prompt_tokens: cached,
        ..Usage::default()
    })
}

/// `usage` where its parts fit together.
pub(super) fn checked(usage: Usage) -> Option<Usage> {
    let parts = usage.cached_prompt_tokens + usage.cache_write_tokens;
    (usage.prompt_tokens > 0 && parts <= usage.prompt_tokens).then_some(usage)
}

/// Positions of `choices[].logprobs` up to the first that cannot be read.
pub(super) fn positions(logprobs: &Value) -> Vec<TokenPosition> {
    if let Some(content) = logprobs.get("content").and_then(Value::as_array) {
        return content.iter().map_while(chat_position).collect();
    }
    legacy_positions(logprobs).unwrap_or_default()
}

fn chat_position(value: &Value) -> Option<TokenPosition> {
    let token = token(value)?;
    let alternatives = value.get("top_logprobs").and_then(Value::as_array);
    let top = alternatives
        .into_iter()
        .flatten()
        .filter_map(scored)
        .collect();
    complete(token, value.get("logprob"), top)
}

/// The older form: parallel lists, alternatives as a map from token to value.
fn legacy_positions(logprobs: &Value) -> Option<Vec<TokenPosition>> {
    let tokens = logprobs.get("tokens")?.as_array()?;
    let own = logprobs.get("token_logprobs")?.as_array()?;
    let top = logprobs.get("top_logprobs")?.as_array()?;
    let read = |((token, own), top): ((&Value, &Value), &Value)| {
        let top = top.as_object()?.iter();
        let top =
            top.filter_map(|(token, value)| Some((token.clone().into_bytes(), logprob(value)?)));
        complete(
            token.as_str()?.as_bytes().to_vec(),
            Some(own),
            top.collect(),
        )
    };
    Some(tokens.iter().zip(own).zip(top).map_while(read).collect())
}

/// A position whose generated token is among its alternatives; `None` if no
/// alternative was reported, for a token alone scores nothing.
fn complete(
    token: Vec<u8>,
    own: Option<&Value>,
    mut top: Vec<(Vec<u8>, f64)>,
) -> Option<TokenPosition> {
    if top.is_empty() {
        return None;
    }
    if !top.iter().any(|(other, _)| *other == token) {
        top.push((token.clone(), own.and_then(logprob)?));
    }
    Some(TokenPosition { token, top })
}

fn scored(value: &Value) -> Option<(Vec<u8>, f64)> {
    Some((token(value)?, value.get("logprob").and_then(logprob)?))
}

/// A natural-log probability: NaN is dropped, -inf kept, rounding above 0 cut.
pub(super) fn logprob(value: &Value) -> Option<f64> {
    number(value).map(|number| number.min(0.0))
}

/// The bytes of a token; the text where the server gives no bytes.
fn token(value: &Value) -> Option<Vec<u8>> {
    let bytes = value
        .get("bytes")
        .and_then(Value::as_array)
        .and_then(|bytes| {
            bytes
                .iter()
                .map(|byte| u8::try_from(byte.as_u64()?).ok())
                .collect::<Option<Vec<u8>>>()
        });
    let text = || Some(value.get("token")?.as_str()?.as_bytes().to_vec());
    bytes.filter(|bytes| !bytes.is_empty()).or_else(text)
}

#[cfg(test)]
#[path = "reply_tests.rs"]
mod tests;
