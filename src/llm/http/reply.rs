//! Reading what servers send, leniently: any field may be missing, null or of
//! another type than the documentation says.

use serde_json::Value;
use shiftproof_tasks::{Finish, Usage};

/// A chat completion, as far as we use it.
#[derive(Debug, PartialEq)]
pub(super) struct Completion {
    /// The visible answer; reasoning is left out.
    pub(super) text: String,
    pub(super) finish: Finish,
    /// `None` where the server reports none.
    pub(super) usage: Option<Usage>,
    /// Prompt tokens served from a cache, which some servers leave out of the
    /// prompt's.
    pub(super) cached_tokens: u64,
    /// Generated tokens with their alternatives; empty where not reported.
    pub(super) positions: Vec<Position>,
    /// The server also sent reasoning.
    pub(super) reasoned: bool,
}

/// One generated token and the likeliest tokens in its place.
#[derive(Debug, PartialEq)]
pub(super) struct Position {
    pub(super) token: Vec<u8>,
    /// With natural-log probabilities; contains `token`.
    pub(super) top: Vec<(Vec<u8>, f64)>,
}

/// What a body of a successful status holds.
#[derive(Debug, PartialEq)]
pub(super) enum Parsed {
    Completion(Completion),
    /// `error` in place of, or inside, an answer.
    Error(Value),
    /// A completion without choices.
    Empty,
    /// JSON, but no chat completion.
    Foreign,
    Html,
    /// The JSON stops early.
    Truncated,
    NotJson,
}

pub(super) fn parse(body: &[u8]) -> Parsed {
    let value = match json(body) {
        Ok(value) => value,
        Err(failure) => return failure,
    };
    if let Some(error) = present(&value, "error") {
        return Parsed::Error(error.clone());
    }
    let Some(choices) = value.get("choices") else {
        return Parsed::Foreign;
    };
    let Some(choice) = choices.as_array().and_then(|choices| choices.first()) else {
        return Parsed::Empty;
    };
    if let Some(error) = present(choice, "error") {
        return Parsed::Error(error.clone());
    }
    let message = choice.get("message").unwrap_or(&Value::Null);
    let finish_reason = choice
        .get("finish_reason")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if finish_reason == "error" {
        return Parsed::Error(Value::String("the model stopped with an error".to_owned()));
    }
    let text = [
        message.get("content"),
        message.get("refusal"),
        choice.get("text"),
    ]
    .into_iter()
    .flatten()
    .find_map(content)
    .unwrap_or_default();
    let reasoning = ["reasoning_content", "reasoning"]
        .iter()
        .any(|key| present(message, key).is_some());
    let visible = without_thoughts(&text);
    let reasoned = reasoning || visible.len() != text.len();
    Parsed::Completion(Completion {
        text: visible.to_owned(),
        finish: finish(finish_reason),
        usage: value.get("usage").and_then(usage),
        cached_tokens: value
            .pointer("/usage/prompt_tokens_details/cached_tokens")
            .and_then(count)
            .unwrap_or(0),
        positions: choice.get("logprobs").map(positions).unwrap_or_default(),
        reasoned,
    })
}

fn json(body: &[u8]) -> Result<Value, Parsed> {
    let error = match serde_json::from_slice(body) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    if body.trim_ascii_start().starts_with(b"<") {
        return Err(Parsed::Html);
    }
    if error.is_eof() {
        return Err(Parsed::Truncated);
    }
    serde_json::from_slice(&with_nulls(body)).map_err(|error| {
        if error.is_eof() {
            Parsed::Truncated
        } else {
            Parsed::NotJson
        }
    })
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

fn present<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.get(key).filter(|value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    })
}

/// Text, or the text parts of a list of parts.
fn content(value: &Value) -> Option<String> {
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
fn without_thoughts(text: &str) -> &str {
    match text.trim_start().strip_prefix("<think>") {
        None => text,
        Some(thoughts) => thoughts
            .split_once("</think>")
            .map_or("", |(_, answer)| answer.trim_start()),
    }
}

fn finish(reason: &str) -> Finish {
    match reason.to_ascii_lowercase().as_str() {
        "length" | "max_tokens" | "max_output_tokens" | "model_length" => Finish::Length,
        "content_filter" | "content-filter" | "safety" | "recitation" | "prohibited_content" => {
            Finish::Filtered
        }
        _ => Finish::Stop,
    }
}

/// A count, also if written as a float or in quotes.
fn count(value: &Value) -> Option<u64> {
    let number = number(value)?;
    (number >= 0.0).then_some(number as u64)
}

/// A number, also if written in quotes; never NaN.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (!number.is_nan()).then_some(number)
}

fn usage(value: &Value) -> Option<Usage> {
    let field = |names: [&str; 2]| {
        names
            .iter()
            .find_map(|name| value.get(name).and_then(count))
    };
    // A prompt of no tokens is a figure not filled in.
    let prompt_tokens = field(["prompt_tokens", "input_tokens"]).filter(|count| *count > 0)?;
    let completion_tokens = field(["completion_tokens", "output_tokens"])?;
    Some(Usage {
        prompt_tokens,
        completion_tokens,
        estimated: false,
    })
}

/// Positions of `choices[].logprobs` up to the first that cannot be read.
fn positions(logprobs: &Value) -> Vec<Position> {
    if let Some(content) = logprobs.get("content").and_then(Value::as_array) {
        return content.iter().map_while(chat_position).collect();
    }
    legacy_positions(logprobs).unwrap_or_default()
}

fn chat_position(value: &Value) -> Option<Position> {
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
fn legacy_positions(logprobs: &Value) -> Option<Vec<Position>> {
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
fn complete(token: Vec<u8>, own: Option<&Value>, mut top: Vec<(Vec<u8>, f64)>) -> Option<Position> {
    if top.is_empty() {
        return None;
    }
    if !top.iter().any(|(other, _)| *other == token) {
        top.push((token.clone(), own.and_then(logprob)?));
    }
    Some(Position { token, top })
}

fn scored(value: &Value) -> Option<(Vec<u8>, f64)> {
    Some((token(value)?, value.get("logprob").and_then(logprob)?))
}

/// A natural-log probability: NaN is dropped, -inf kept, rounding above 0 cut.
fn logprob(value: &Value) -> Option<f64> {
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
