//! Chat completions: `OpenAI` and everything compatible with it, Azure included.

use reqwest::Url;
use serde_json::{Map, Value, json};

use super::{Protocol, WireCall, append, ends, put};
use crate::counts::count;
use crate::http::reply::without_thoughts;
use crate::http::reply::{ChatCompletion, ParsedBody, content, finish, positions, present, usage};
use crate::http::request::{ParameterQuirk, PrefillMode};

/// The version of Azure's API where a study names none.
const AZURE_VERSION: &str = "2024-10-21";

#[derive(Debug, Default)]
pub(super) struct OpenAiProtocol {
    /// Deployments in the path, an API version, a header of its own for the key.
    pub(super) azure: bool,
}

impl Protocol for OpenAiProtocol {
    fn locate(&self, base: &mut Url, model: &str, version: Option<&str>) {
        let whole = ends(base, &["chat", "completions"]);
        if !self.azure || whole || ends(base, &["openai", "v1"]) {
            if !whole {
                append(base, &["chat", "completions"]);
            }
        } else if base.path().contains("/deployments/") {
            append(base, &["chat", "completions"]);
        } else {
            if !ends(base, &["openai"]) {
                append(base, &["openai"]);
            }
            append(base, &["deployments", model, "chat", "completions"]);
        }
        // The newest form of the address, …/openai/v1, has no version.
        let versioned = self.azure && base.path().contains("/deployments/");
        let named = base.query_pairs().any(|(name, _)| name == "api-version");
        let version = version.or(versioned.then_some(AZURE_VERSION));
        if let Some(version) = version.filter(|_| !named) {
            base.query_pairs_mut().append_pair("api-version", version);
        }
    }

    fn authorization(&self) -> (&'static str, &'static str) {
        if self.azure {
            ("api-key", "")
        } else {
            ("authorization", "Bearer ")
        }
    }

    fn continuations(&self) -> &'static [PrefillMode] {
        if self.azure {
            &[PrefillMode::Plain]
        } else {
            &[PrefillMode::Plain, PrefillMode::Flagged]
        }
    }

    fn body(&self, ask: &WireCall<'_>) -> Map<String, Value> {
        let mut body = Map::new();
        put(&mut body, "model", Some(ask.model));
        put(&mut body, "messages", Some(json!(ask.messages())));
        let renamed = ask.dialect.has(ParameterQuirk::MaxCompletionTokens);
        let limit = if renamed {
            "max_completion_tokens"
        } else {
            "max_tokens"
        };
        put(&mut body, limit, Some(ask.limit()));
        put(&mut body, "temperature", ask.temperature());
        put(&mut body, "top_p", ask.top_p());
        put(&mut body, "seed", ask.seed());
        put(&mut body, "stop", ask.stop());
        let effort = ask.options.reasoning_effort.as_deref();
        put(&mut body, "reasoning_effort", effort);
        if let Some(schema) = ask.schema() {
            let named = json!({"name": "answer", "strict": true, "schema": schema});
            let format = json!({"type": "json_schema", "json_schema": named});
            put(&mut body, "response_format", Some(format));
        }
        if let Some(alternatives) = ask.alternatives() {
            put(&mut body, "logprobs", Some(true));
            put(&mut body, "top_logprobs", Some(alternatives));
        }
        if ask.continuation == PrefillMode::Flagged {
            put(&mut body, "continue_final_message", Some(true));
            put(&mut body, "add_generation_prompt", Some(false));
        }
        body
    }

    fn read(&self, value: &Value) -> ParsedBody {
        let Some(choices) = value.get("choices") else {
            return ParsedBody::Foreign;
        };
        let Some(choice) = choices.as_array().and_then(|choices| choices.first()) else {
            return ParsedBody::Empty;
        };
        if let Some(error) = present(choice, "error") {
            return ParsedBody::Error(error.clone());
        }
        let message = choice.get("message").unwrap_or(&Value::Null);
        let finish_reason = choice
            .get("finish_reason")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if finish_reason == "error" {
            return ParsedBody::Error(Value::String("the model stopped with an error".to_owned()));
        }
        let said = [
            message.get("content"),
            message.get("refusal"),
            choice.get("text"),
        ];
        let said = || said.into_iter().flatten().filter(|text| !text.is_null());
        if said().any(|text| content(text).is_none()) {
            return ParsedBody::Foreign;
        }
        let text = said()
            .filter_map(content)
            .find(|text| !text.is_empty())
            .unwrap_or_default();
        let thoughts = ["reasoning_content", "reasoning", "reasoning_details"]
            .iter()
            .any(|key| present(message, key).is_some());
        // Neither words nor thoughts nor a reason for their absence: nothing was answered.
        if text.is_empty() && !thoughts && finish_reason.is_empty() && said().count() == 0 {
            return ParsedBody::Empty;
        }
        let visible = without_thoughts(&text);
        let reasoning_tokens = value
            .pointer("/usage/completion_tokens_details/reasoning_tokens")
            .and_then(count)
            .unwrap_or(0);
        ParsedBody::Completion(ChatCompletion {
            text: visible.to_owned(),
            finish: finish(finish_reason),
            usage: value.get("usage").and_then(usage),
            positions: choice.get("logprobs").map(positions).unwrap_or_default(),
            reasoned: thoughts || reasoning_tokens > 0 || visible.len() != text.len(),
            reasoning_tokens,
        })
    }
}
