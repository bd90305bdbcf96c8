use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use shiftproof_search::budget::Price;

use crate::llm::http::Mode;

/// A model as a study names it: `"embedded"`, `"embedded:PATH.gguf"`,
/// `"openai:MODEL"`, or a table with `name` and options.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelSpec {
    /// The name, as above.
    pub name: String,
    /// Address of an OpenAI-compatible server, version included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The environment variable that holds the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<String>,
    /// Calls in flight at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<usize>,
    /// Longest time of one attempt, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u64>,
    /// Attempts after the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
    /// Requests per minute at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// Tokens per minute at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u32>,
    /// Label scoring by log-probabilities: auto, on, off.
    pub label_scores: Mode,
    /// Continuing an assistant message: auto, on, off.
    pub prefill: Mode,
    /// Threads of an embedded model; physical cores where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// What it costs.
    pub price: Price,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provider {
    /// The embedded model of the catalogue.
    Embedded,
    /// Weights in a GGUF file.
    Gguf(String),
    /// A model of an OpenAI-compatible server.
    OpenAi(String),
}

impl ModelSpec {
    /// The model called `name` with default options.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            base_url: None,
            api_key_env: None,
            concurrency: None,
            timeout_s: None,
            max_retries: None,
            requests_per_minute: None,
            tokens_per_minute: None,
            label_scores: Mode::default(),
            prefill: Mode::default(),
            threads: None,
            price: Price::default(),
        }
    }

    /// Who answers; an error names the forms there are.
    pub fn provider(&self) -> Result<Provider, String> {
        match self.name.split_once(':') {
            None if self.name == "embedded" => Ok(Provider::Embedded),
            Some(("embedded", path)) if !path.is_empty() => Ok(Provider::Gguf(path.to_owned())),
            Some(("openai", model)) if !model.is_empty() => Ok(Provider::OpenAi(model.to_owned())),
            _ => Err(format!(
                "no model is called {:?}; use \"embedded\", \"embedded:PATH.gguf\" or \
                 \"openai:MODEL\" (any OpenAI-compatible server, with base_url)",
                self.name
            )),
        }
    }
}

impl Default for ModelSpec {
    fn default() -> Self {
        Self::named("embedded")
    }
}

/// The table form; the other is a plain string.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    base_url: Option<String>,
    api_key_env: Option<String>,
    concurrency: Option<usize>,
    timeout_s: Option<u64>,
    max_retries: Option<u32>,
    requests_per_minute: Option<u32>,
    tokens_per_minute: Option<u32>,
    #[serde(default)]
    label_scores: Mode,
    #[serde(default)]
    prefill: Mode,
    threads: Option<usize>,
    #[serde(default)]
    price: Price,
}

impl<'de> Deserialize<'de> for ModelSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrTable;

        impl<'de> Visitor<'de> for NameOrTable {
            type Value = ModelSpec;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a model's name, or a table with `name` and options")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<ModelSpec, E> {
                Ok(ModelSpec::named(name))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ModelSpec, A::Error> {
                let table = Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(ModelSpec {
                    name: table.name,
                    base_url: table.base_url,
                    api_key_env: table.api_key_env,
                    concurrency: table.concurrency,
                    timeout_s: table.timeout_s,
                    max_retries: table.max_retries,
                    requests_per_minute: table.requests_per_minute,
                    tokens_per_minute: table.tokens_per_minute,
                    label_scores: table.label_scores,
                    prefill: table.prefill,
                    threads: table.threads,
                    price: table.price,
                })
            }
        }

        deserializer.deserialize_any(NameOrTable)
    }
}
