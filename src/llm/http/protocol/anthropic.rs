//! Anthropic's Messages.

use reqwest::Url;
use serde_json::{Map, Value, json};
use shiftproof_tasks::{Finish, Message, Role, Usage};

use super::prefix::SharedPrefix;
use super::{Protocol, WireCall, append, ends, put};
use crate::counts::count;
use crate::http::reply::{ChatCompletion, ParsedBody, checked, without_thoughts};

/// The least bound on thoughts that the API takes.
const LEAST_THOUGHTS: u32 = 1024;

#[derive(Debug, Default)]
pub(super) struct AnthropicProtocol {
    system: SharedPrefix,
    prompt: SharedPrefix,
}

impl Protocol for AnthropicProtocol {
    fn locate(&self, base: &mut Url, _: &str, _: Option<&str>) {
        if ends(base, &["messages"]) {
            return;
        }
        if base.path() == "/" {
            append(base, &["v1"]);
        }
        append(base, &["messages"]);
    }

    fn authorization(&self) -> (&'static str, &'static str) {
        ("x-api-key", "")
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[("anthropic-version", "2023-06-01")]
    }

    fn scores(&self) -> bool {
        false
    }

    fn body(&self, ask: &WireCall<'_>) -> Map<String, Value> {
        let (system, turns) = ask.apart();
        let thoughts = ask
            .options
            .thinking_tokens
            .filter(|tokens| *tokens > 0)
            .map(|tokens| tokens.max(LEAST_THOUGHTS));
        let mut limit = ask.limit();
        if let Some(thoughts) = thoughts
            && limit <= thoughts
        {
            // The bound on thoughts must lie below that on the whole.
            limit = limit.saturating_add(thoughts);
        }
        let mut body = Map::new();
        put(&mut body, "model", Some(ask.model));
        put(&mut body, "max_tokens", Some(limit));
        if !system.is_empty() {
            let shared = self.system.with_last(&system);
            put(&mut body, "system", Some(marked(&system, shared)));
        }
        let last = turns.len().saturating_sub(1);
        let first_user = turns.iter().position(|turn| turn.role == Role::User);
        let messages: Vec<Value> = turns
            .iter()
            .enumerate()
            .map(|(at, turn)| {
                let shared = match first_user {
                    Some(first) if first == at => self.prompt.with_last(&turn.content),
                    _ => 0,
                };
                message(turn, at == last, shared)
            })
            .collect();
        put(&mut body, "messages", Some(messages));
        if let Some(thoughts) = thoughts {
            // Thoughts take no temperature but their own.
            let thinking = json!({"type": "enabled", "budget_tokens": thoughts});
            put(&mut body, "thinking", Some(thinking));
            put(&mut body, "temperature", ask.options.temperature);
            put(&mut body, "top_p", ask.options.top_p);
        } else {
            put(&mut body, "temperature", ask.temperature());
            put(&mut body, "top_p", ask.top_p());
        }
        put(&mut body, "stop_sequences", ask.stop());
        let mut output = Map::new();
        let effort = ask.options.reasoning_effort.as_deref();
        put(&mut output, "effort", effort);
        let format = ask
            .schema()
            .map(|schema| json!({"type": "json_schema", "schema": schema}));
        put(&mut output, "format", format);
        if !output.is_empty() {
            put(&mut body, "output_config", Some(Value::Object(output)));
        }
        body
    }

    fn read(&self, value: &Value) -> ParsedBody {
        let Some(blocks) = value.get("content").and_then(Value::as_array) else {
            return ParsedBody::Foreign;
        };
        let reason = value
            .get("stop_reason")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let kind = |block: &Value| block.get("type").and_then(Value::as_str).map(str::to_owned);
        let reasoned = blocks
            .iter()
            .filter_map(kind)
            .any(|kind| kind.ends_with("thinking"));
        let mut texts = blocks.iter().filter_map(|block| block.get("text"));
        if texts.any(|text| !text.is_string()) || !blocks.iter().all(Value::is_object) {
            return ParsedBody::Foreign;
        }
        // Neither words nor a reason for their absence: nothing was answered.
        if blocks.is_empty() && reason.is_empty() {
            return ParsedBody::Empty;
        }
        let text: String = blocks
            .iter()
            .filter_map(|block| block.get("text")?.as_str())
            .collect();
        let visible = without_thoughts(&text);
        ParsedBody::Completion(ChatCompletion {
            text: visible.to_owned(),
            finish: match reason {
                "max_tokens" | "model_context_window_exceeded" => Finish::Length,
                "refusal" => Finish::Filtered,
                _ => Finish::Stop,
            },
            usage: value.get("usage").and_then(usage),
            positions: Vec::new(),
            reasoned: reasoned || visible.len() != text.len(),
            reasoning_tokens: 0,
        })
    }
}

/// A turn of the conversation; the last one by the assistant may not end in
/// blanks.
fn message(turn: &Message, last: bool, shared: usize) -> Value {
    let role = turn.role;
    if role == Role::Assistant && last {
        return json!({"role": role, "content": turn.content.trim_end()});
    }
    if shared == 0 {
        return json!({"role": role, "content": turn.content});
    }
    json!({"role": role, "content": marked(&turn.content, shared)})
}

/// `text` as blocks; the first `shared` bytes are marked to be cached.
fn marked(text: &str, shared: usize) -> Vec<Value> {
    let (head, tail) = text.split_at_checked(shared).unwrap_or(("", text));
    let mut blocks = Vec::new();
    if !head.is_empty() {
        blocks.push(json!({"type": "text", "text": head, "cache_control": {"type": "ephemeral"}}));
    }
    if !tail.is_empty() {
        blocks.push(json!({"type": "text", "text": tail}));
    }
    blocks
}

/// Tokens from and to the cache are reported beside those of the prompt.
fn usage(value: &Value) -> Option<Usage> {
    let field = |name: &str| value.get(name).and_then(count);
    let cached = field("cache_read_input_tokens").unwrap_or(0);
    let written = field("cache_creation_input_tokens").unwrap_or(0);
    checked(Usage {
        prompt_tokens: field("input_tokens")? + cached + written,
        completion_tokens: field("output_tokens")?,
        cached_prompt_tokens: cached,
        cache_write_tokens: written,
        ..Usage::default()
    })
}
