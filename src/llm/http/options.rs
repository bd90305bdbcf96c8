//! What a user set about requests: it decides over what a call asks for.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Parameters of every request, each absent unless the user set it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestOptions {
    /// Completion tokens of every answer in text, thoughts included.
    pub max_tokens: Option<u32>,
    /// Temperature of every answer in text, in place of the call's.
    pub temperature: Option<f64>,
    /// Nucleus mass in (0, 1].
    pub top_p: Option<f64>,
    /// Texts at which an answer ends.
    pub stop: Vec<String>,
    /// Seed of every draw.
    pub seed: Option<u64>,
    /// How hard a reasoning model thinks, in the provider's words: `low`, `high`, …
    pub reasoning_effort: Option<String>,
    /// Tokens for thoughts. Providers with such a bound are sent it; with all of
    /// them it is room on top of the answer. 0: thoughts are turned off where the
    /// provider can.
    pub thinking_tokens: Option<u32>,
    /// Context an Ollama server loads the model with, in tokens.
    pub context_tokens: Option<u32>,
    /// Merged into the body of every request, tables key by key.
    pub body: Map<String, Value>,
    /// Headers beside our own, with the name of what they hold in place of a
    /// secret. For the identity only.
    pub headers: Vec<(String, String)>,
}

impl RequestOptions {
    /// The options without those that are about a task's answers: how long they
    /// are, how they end, how they are drawn. Proposals of the same model have
    /// needs of their own; a proposer that a study names takes its own options.
    #[must_use]
    pub fn for_proposals(&self) -> Self {
        Self {
            max_tokens: None,
            temperature: None,
            top_p: None,
            stop: Vec::new(),
            ..self.clone()
        }
    }

    /// What of it can change a reply and is no part of a call, for cache keys:
    /// empty where nothing is set. `max_tokens` is part of every call.
    pub fn identity(&self) -> String {
        let mut set = Map::new();
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                set.insert(name.to_owned(), value);
            }
        };
        put("temperature", json!(self.temperature));
        put("top_p", json!(self.top_p));
        put("seed", json!(self.seed));
        put("reasoning_effort", json!(self.reasoning_effort));
        put("thinking_tokens", json!(self.thinking_tokens));
        put("context_tokens", json!(self.context_tokens));
        if !self.stop.is_empty() {
            put("stop", json!(self.stop));
        }
        if !self.body.is_empty() {
            put("body", Value::Object(self.body.clone()));
        }
        if !self.headers.is_empty() {
            put("headers", json!(self.headers));
        }
        if set.is_empty() {
            String::new()
        } else {
            format!(" {}", Value::Object(set))
        }
    }

    /// Names of the parameters that the user set, as a study spells them.
    pub(super) fn set(&self) -> impl Iterator<Item = &'static str> {
        [
            (self.max_tokens.is_some(), "max_tokens"),
            (self.temperature.is_some(), "temperature"),
            (self.top_p.is_some(), "top_p"),
            (!self.stop.is_empty(), "stop"),
            (self.seed.is_some(), "seed"),
            (self.reasoning_effort.is_some(), "reasoning_effort"),
            (self.thinking_tokens.is_some(), "thinking_tokens"),
        ]
        .into_iter()
        .filter_map(|(set, name)| set.then_some(name))
    }
}

/// Writes `extra` over `into`, tables key by key.
pub(super) fn merge(into: &mut Map<String, Value>, extra: &Map<String, Value>) {
    for (key, value) in extra {
        match (into.get_mut(key), value) {
            (Some(Value::Object(inner)), Value::Object(more)) => merge(inner, more),
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(table) => table,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn identity_holds_set_keys_only() {
        assert_eq!(RequestOptions::default().identity(), "");
        let alone = RequestOptions {
            max_tokens: Some(9),
            ..RequestOptions::default()
        };
        assert_eq!(alone.identity(), "", "a call has its own limit");
        let options = RequestOptions {
            temperature: Some(0.5),
            stop: vec!["###".into()],
            headers: vec![("x-team".into(), "env:TEAM".into())],
            ..RequestOptions::default()
        };
        assert_eq!(
            options.identity(),
            r####" {"headers":[["x-team","env:TEAM"]],"stop":["###"],"temperature":0.5}"####
        );
    }

    #[test]
    fn tables_merge_by_key() {
        let mut body = table(json!({"options": {"seed": 1, "num_predict": 2}, "model": "m"}));
        merge(
            &mut body,
            &table(json!({"options": {"num_ctx": 9, "seed": 7}, "provider": {"order": ["a"]}})),
        );
        assert_eq!(
            Value::Object(body),
            json!({"options": {"seed": 7, "num_predict": 2, "num_ctx": 9}, "model": "m", "provider": {"order": ["a"]}})
        );
    }
}
