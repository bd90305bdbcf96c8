//! Ollama's own `/api/chat`, which sets what its OpenAI-compatible form cannot:
//! the context, and whether a model thinks.

use reqwest::Url;
use serde_json::{Map, Value, json};
use shiftproof_tasks::Usage;

use super::{Protocol, WireCall, append, ends, put};
use crate::counts::count;
use crate::http::reply::{
    ChatCompletion, ParsedBody, checked, finish, positions, present, without_thoughts,
};

#[derive(Debug)]
pub(super) struct OllamaProtocol;

impl Protocol for OllamaProtocol {
    fn locate(&self, base: &mut Url, _: &str, _: Option<&str>) {
        if ends(base, &["api", "chat"]) {
            return;
        }
        // The address of its OpenAI-compatible form names the same server.
        if ends(base, &["v1"])
            && let Ok(mut path) = base.path_segments_mut()
        {
            path.pop_if_empty().pop();
        }
        if !ends(base, &["api"]) {
            append(base, &["api"]);
        }
        append(base, &["chat"]);
    }

    fn authorization(&self) -> (&'static str, &'static str) {
        ("authorization", "Bearer ")
    }

    fn body(&self, ask: &WireCall<'_>) -> Map<String, Value> {
        let mut options = Map::new();
        put(&mut options, "num_predict", Some(ask.limit()));
        put(&mut options, "temperature", ask.temperature());
        put(&mut options, "top_p", ask.top_p());
        put(&mut options, "seed", ask.seed());
        put(&mut options, "stop", ask.stop());
        put(&mut options, "num_ctx", ask.options.context_tokens);
        let mut body = Map::new();
        put(&mut body, "model", Some(ask.model));
        put(&mut body, "messages", Some(json!(ask.messages())));
        put(&mut body, "stream", Some(false));
        put(&mut body, "options", Some(Value::Object(options)));
        let effort = ask.options.reasoning_effort.as_deref().map(Value::from);
        let thinks = ask
            .options
            .thinking_tokens
            .map(|tokens| Value::Bool(tokens > 0));
        put(&mut body, "think", effort.or(thinks));
        put(&mut body, "format", ask.schema().cloned());
        if let Some(alternatives) = ask.alternatives() {
            put(&mut body, "logprobs", Some(true));
            put(&mut body, "top_logprobs", Some(alternatives));
        }
        body
    }

    fn read(&self, value: &Value) -> ParsedBody {
        let Some(message) = value.get("message") else {
            return ParsedBody::Foreign;
        };
        let said = message.get("content").filter(|said| !said.is_null());
        if said.is_some_and(|said| !said.is_string()) || !message.is_object() {
            return ParsedBody::Foreign;
        }
        let text = said.and_then(Value::as_str).unwrap_or_default();
        let reason = value
            .get("done_reason")
            .and_then(Value::as_str)
            .unwrap_or_default();
        // A model that was only loaded has not answered.
        if reason == "load" && text.is_empty() {
            return ParsedBody::Empty;
        }
        // Neither words nor thoughts: an answer has at least the field for them.
        if said.is_none() && present(message, "thinking").is_none() {
            return ParsedBody::Empty;
        }
        let visible = without_thoughts(text);
        let scored = value.get("logprobs").cloned().unwrap_or_default();
        ParsedBody::Completion(ChatCompletion {
            text: visible.to_owned(),
            finish: finish(reason),
            usage: usage(value),
            positions: positions(&json!({"content": scored})),
            reasoned: present(message, "thinking").is_some() || visible.len() != text.len(),
            reasoning_tokens: 0,
        })
    }
}

/// A prompt that was answered before is left out of the count by some versions:
/// then there is none.
fn usage(value: &Value) -> Option<Usage> {
    let field = |name: &str| value.get(name).and_then(count);
    checked(Usage {
        prompt_tokens: field("prompt_eval_count").filter(|count| *count > 0)?,
        completion_tokens: field("eval_count")?,
        ..Usage::default()
    })
}
