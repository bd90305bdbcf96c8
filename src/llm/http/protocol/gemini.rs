//! Google's `generateContent`.

use reqwest::Url;
use serde_json::{Map, Value, json};
use shiftproof_tasks::{Finish, Role, Usage};

use super::{Protocol, WireCall, append, put};
use crate::counts::count;
use crate::http::reply::{
    ChatCompletion, ParsedBody, TokenPosition, checked, logprob, without_thoughts,
};

#[derive(Debug)]
pub(super) struct GeminiProtocol;

impl Protocol for GeminiProtocol {
    fn locate(&self, base: &mut Url, model: &str, _: Option<&str>) {
        if base.path().ends_with(":generateContent") {
            return;
        }
        if base.path() == "/" {
            append(base, &["v1beta"]);
        }
        // A tuned model is named with its collection.
        let (collection, model) = model.split_once('/').unwrap_or(("models", model));
        append(base, &[collection, &format!("{model}:generateContent")]);
    }

    fn authorization(&self) -> (&'static str, &'static str) {
        ("x-goog-api-key", "")
    }

    fn body(&self, ask: &WireCall<'_>) -> Map<String, Value> {
        let (system, turns) = ask.apart();
        let mut body = Map::new();
        if !system.is_empty() {
            let system = json!({"parts": [{"text": system}]});
            put(&mut body, "systemInstruction", Some(system));
        }
        let contents: Vec<Value> = turns
            .iter()
            .map(|turn| {
                let role = if turn.role == Role::Assistant {
                    "model"
                } else {
                    "user"
                };
                json!({"role": role, "parts": [{"text": turn.content}]})
            })
            .collect();
        put(&mut body, "contents", Some(contents));
        put(
            &mut body,
            "generationConfig",
            Some(Value::Object(config(ask))),
        );
        body
    }

    fn read(&self, value: &Value) -> ParsedBody {
        // The streaming form, a list of parts of an answer, is not asked for.
        let blocked = value
            .pointer("/promptFeedback/blockReason")
            .and_then(Value::as_str);
        let usage = value.get("usageMetadata").and_then(usage);
        let candidate = value
            .get("candidates")
            .and_then(Value::as_array)
            .and_then(|candidates| candidates.first());
        let Some(candidate) = candidate else {
            return match blocked {
                Some(reason) => ParsedBody::Completion(ChatCompletion {
                    text: format!("blocked: {reason}"),
                    finish: Finish::Filtered,
                    usage,
                    ..ChatCompletion::default()
                }),
                None if value.get("candidates").is_some() || usage.is_some() => ParsedBody::Empty,
                None => ParsedBody::Foreign,
            };
        };
        let parts = candidate
            .pointer("/content/parts")
            .and_then(Value::as_array);
        let thought = |part: &Value| part.get("thought") == Some(&Value::Bool(true));
        let parts = || parts.into_iter().flatten();
        let content = candidate
            .get("content")
            .filter(|content| !content.is_null());
        let odd = |part: &Value| {
            part.get("text")
                .map_or(!part.is_object(), |text| !text.is_string())
        };
        if content.is_some_and(|content| !content.is_object()) || parts().any(odd) {
            return ParsedBody::Foreign;
        }
        // Neither words nor a reason for their absence: nothing was answered.
        if parts().count() == 0
            && candidate
                .get("finishReason")
                .is_none_or(|why| !why.is_string())
        {
            return ParsedBody::Empty;
        }
        let text: String = parts()
            .filter(|part| !thought(part))
            .filter_map(|part| part.get("text")?.as_str())
            .collect();
        let reasoning_tokens = value
            .pointer("/usageMetadata/thoughtsTokenCount")
            .and_then(count)
            .unwrap_or(0);
        let reason = candidate
            .get("finishReason")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let finish = finish(reason);
        let visible = without_thoughts(&text);
        ParsedBody::Completion(ChatCompletion {
            text: if visible.is_empty() && finish == Finish::Filtered {
                format!("blocked: {reason}")
            } else {
                visible.to_owned()
            },
            finish,
            usage,
            positions: candidate
                .get("logprobsResult")
                .map(positions)
                .unwrap_or_default(),
            reasoned: reasoning_tokens > 0 || parts().any(thought) || visible.len() != text.len(),
            reasoning_tokens,
        })
    }
}

fn config(ask: &WireCall<'_>) -> Map<String, Value> {
    let mut config = Map::new();
    let options = ask.options;
    let thoughts = options.thinking_tokens;
    let mut limit = ask.limit();
    if let Some(thoughts) = thoughts
        && limit <= thoughts
    {
        // Thoughts are part of what the limit bounds.
        limit = limit.saturating_add(thoughts);
    }
    put(&mut config, "maxOutputTokens", Some(limit));
    put(&mut config, "temperature", ask.temperature());
    put(&mut config, "topP", ask.top_p());
    put(&mut config, "seed", ask.seed());
    put(&mut config, "stopSequences", ask.stop());
    if let Some(schema) = ask.schema() {
        put(&mut config, "responseMimeType", Some("application/json"));
        put(&mut config, "responseSchema", Some(open_api(schema)));
    }
    if let Some(alternatives) = ask.alternatives() {
        put(&mut config, "responseLogprobs", Some(true));
        put(&mut config, "logprobs", Some(alternatives));
    }
    let mut thinking = Map::new();
    put(&mut thinking, "thinkingBudget", thoughts);
    let effort = options.reasoning_effort.as_deref();
    put(&mut thinking, "thinkingLevel", effort);
    if !thinking.is_empty() {
        put(&mut config, "thinkingConfig", Some(Value::Object(thinking)));
    }
    config
}

/// A JSON Schema in the words of `OpenAPI` that `responseSchema` takes: one type in
/// capitals, `nullable` beside it, nothing about further properties.
fn open_api(schema: &Value) -> Value {
    let Value::Object(map) = schema else {
        return schema.clone();
    };
    let mut out = Map::new();
    for (key, value) in map {
        match (key.as_str(), value) {
            ("additionalProperties", _) => {}
            ("type", Value::String(name)) => {
                out.insert(key.clone(), name.to_uppercase().into());
            }
            ("type", Value::Array(names)) => {
                let mut names = names.iter().filter_map(Value::as_str);
                let name = names.find(|name| *name != "null").unwrap_or("string");
                out.insert(key.clone(), name.to_uppercase().into());
                out.insert("nullable".to_owned(), true.into());
            }
            ("enum", Value::Array(values)) => {
                let texts = values.iter().filter(|value| !value.is_null()).cloned();
                out.insert(key.clone(), texts.collect());
            }
            ("items", items) => {
                out.insert(key.clone(), open_api(items));
            }
            ("properties", Value::Object(properties)) => {
                let own = properties
                    .iter()
                    .map(|(name, own)| (name.clone(), open_api(own)));
                out.insert(key.clone(), Value::Object(own.collect()));
            }
            _ => {
                out.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Object(out)
}

fn finish(reason: &str) -> Finish {
    match reason {
        "MAX_TOKENS" => Finish::Length,
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "IMAGE_SAFETY"
        | "LANGUAGE" => Finish::Filtered,
        _ => Finish::Stop,
    }
}

/// Thoughts are counted beside the answer, cached tokens within the prompt.
fn usage(value: &Value) -> Option<Usage> {
    let field = |name: &str| value.get(name).map(count);
    // Absent means none; there, and no count, means that nothing can be trusted.
    let optional = |name: &str| field(name).unwrap_or(Some(0));
    checked(Usage {
        prompt_tokens: field("promptTokenCount")??,
        completion_tokens: optional("candidatesTokenCount")? + optional("thoughtsTokenCount")?,
        cached_prompt_tokens: optional("cachedContentTokenCount").unwrap_or(0),
        ..Usage::default()
    })
}

/// Generated tokens and, at the same place of a second list, their alternatives.
fn positions(result: &Value) -> Vec<TokenPosition> {
    let list = |name: &str| result.get(name).and_then(Value::as_array);
    let (Some(chosen), Some(top)) = (list("chosenCandidates"), list("topCandidates")) else {
        return Vec::new();
    };
    let scored = |value: &Value| {
        let token = value.get("token")?.as_str()?.as_bytes().to_vec();
        Some((token, value.get("logProbability").and_then(logprob)?))
    };
    chosen
        .iter()
        .zip(top)
        .map_while(|(chosen, top)| {
            let (token, own) = scored(chosen)?;
            let top = top.get("candidates").and_then(Value::as_array)?;
            let mut top: Vec<_> = top.iter().filter_map(scored).collect();
            if top.is_empty() {
                return None;
            }
            if !top.iter().any(|(other, _)| *other == token) {
                top.push((token.clone(), own));
            }
            Some(TokenPosition { token, top })
        })
        .collect()
}
