use std::collections::BTreeMap;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use shiftproof_search::budget::Price;
use shiftproof_tasks::closest;

use crate::llm::http::{AbilityMode, ApiDialect};

/// A model as a study names it: `"embedded"`, `"embedded:PATH.gguf"`,
/// `"PROVIDER:MODEL"`, `"command:PROGRAM ARGUMENTS"`, or a table with `name` and options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct ModelSpec {
    /// The name, as above.
    pub name: String,
    /// Address of the server, version included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Further servers of the same model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<EndpointSpec>,
    /// The environment variable that holds the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<String>,
    /// The version of Azure's API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Completion tokens of every answer in text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Temperature of every answer in text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus mass in (0, 1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Texts at which an answer ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// Seed of every draw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// How hard a reasoning model thinks, in the provider's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<String>,
    /// Tokens for thoughts; found at the start where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking_tokens: Option<u32>,
    /// Context an Ollama server loads the model with, in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u32>,
    /// Headers of every request; `env:NAME` takes the value from the environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Merged into the body of every request.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    pub body: toml::Table,
    /// Sending many calls at once, for later and for less.
    #[serde(default, skip_serializing_if = "BatchMode::is_off")]
    pub batch: BatchMode,
    /// Whether the process waits for batches; `--batch-exit` says no.
    #[serde(skip, default = "yes")]
    pub batch_waits: bool,
    /// Calls in flight at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<usize>,
    /// Longest time of one attempt, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u64>,
    /// Attempts after the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
    /// Requests per minute at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// Tokens per minute at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u32>,
    /// Label scoring by log-probabilities: auto, on, off.
    #[serde(default)]
    pub label_scores: AbilityMode,
    /// Continuing an assistant message: auto, on, off.
    #[serde(default)]
    pub prefill: AbilityMode,
    /// Threads of an embedded model; physical cores where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// What it costs; looked up where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Where the price comes from, for people, if it was looked up.
    #[serde(skip)]
    pub price_from: Option<String>,
}

/// A further server of a model: its address, or a table of what it has of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a server's address, or a table with base_url and what the server has of \
                 its own: weight, api_key_env, concurrency, requests_per_minute, tokens_per_minute"
)]
pub enum EndpointSpec {
    /// The address, version included; all else as the model's.
    Address(String),
    /// The address with what differs from the model's.
    Own(OwnEndpoint),
}

/// A server with settings of its own; what is absent is the model's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnEndpoint {
    /// The address, version included.
    pub base_url: String,
    /// Share of the prompts, against 1 of the model's own `base_url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// The environment variable that holds the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<String>,
    /// Calls in flight at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<usize>,
    /// Requests per minute at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// Tokens per minute at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u32>,
}

impl EndpointSpec {
    /// The address.
    pub fn base_url(&self) -> &str {
        match self {
            Self::Address(address) => address,
            Self::Own(own) => &own.base_url,
        }
    }

    /// Share of the prompts, above 0.
    pub fn weight(&self) -> f64 {
        match self {
            Self::Address(_) => 1.0,
            Self::Own(own) => own.weight.unwrap_or(1.0),
        }
    }

    /// The model as this server has it.
    pub fn applied_to(&self, spec: &ModelSpec) -> ModelSpec {
        let mut spec = ModelSpec {
            base_url: Some(self.base_url().to_owned()),
            endpoints: Vec::new(),
            ..spec.clone()
        };
        if let Self::Own(own) = self {
            spec.api_key_env = own.api_key_env.clone().or(spec.api_key_env);
            spec.concurrency = own.concurrency.or(spec.concurrency);
            spec.requests_per_minute = own.requests_per_minute.or(spec.requests_per_minute);
            spec.tokens_per_minute = own.tokens_per_minute.or(spec.tokens_per_minute);
        }
        spec
    }
}

fn yes() -> bool {
    true
}

/// Whether calls are sent as batches: `false`, `true`, or `"auto"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BatchMode {
    /// Each by itself.
    #[default]
    Off,
    /// Wherever there are two calls or more to send at once.
    On,
    /// Where there are many: a batch takes long, however small it is.
    Auto,
}

impl BatchMode {
    #[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
    pub(crate) fn is_off(&self) -> bool {
        *self == Self::Off
    }

    /// Fewest calls of a batch; `None`: none at all.
    pub const fn least(self) -> Option<usize> {
        match self {
            Self::Off => None,
            Self::On => Some(2),
            Self::Auto => Some(100),
        }
    }
}

impl Serialize for BatchMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_bool(false),
            Self::On => serializer.serialize_bool(true),
            Self::Auto => serializer.serialize_str("auto"),
        }
    }
}

impl<'de> Deserialize<'de> for BatchMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;

        impl Visitor<'_> for Word {
            type Value = BatchMode;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("true, false or \"auto\"")
            }

            fn visit_bool<E: de::Error>(self, on: bool) -> Result<BatchMode, E> {
                Ok(if on { BatchMode::On } else { BatchMode::Off })
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<BatchMode, E> {
                match word {
                    "auto" => Ok(BatchMode::Auto),
                    "on" => Ok(BatchMode::On),
                    "off" => Ok(BatchMode::Off),
                    _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
                }
            }
        }

        deserializer.deserialize_any(Word)
    }
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelProvider {
    /// The embedded model of the catalogue.
    Embedded,
    /// Weights in a GGUF file.
    Gguf(String),
    /// A model of an OpenAI-compatible server.
    OpenAi(String),
    /// A program that answers JSON lines: its command.
    Command(String),
    /// A model of another provider's API.
    Other(ApiDialect, String),
}

impl ModelProvider {
    /// The API and the model's name on it; none for a model in this process.
    pub fn server(&self) -> Option<(ApiDialect, &str)> {
        match self {
            Self::Embedded | Self::Gguf(_) | Self::Command(_) => None,
            Self::OpenAi(model) => Some((ApiDialect::OpenAi, model)),
            Self::Other(api, model) => Some((*api, model)),
        }
    }
}

impl ModelProvider {
    /// Whether the model is computed in this process.
    pub const fn is_in_process(&self) -> bool {
        matches!(self, Self::Embedded | Self::Gguf(_))
    }
}

impl ModelSpec {
    /// The model called `name` with default options.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            base_url: None,
            endpoints: Vec::new(),
            api_key_env: None,
            api_version: None,
            max_tokens: None,
            temperature: None,
            top_p: None,
            stop: Vec::new(),
            seed: None,
            reasoning_effort: None,
            thinking_tokens: None,
            context_tokens: None,
            headers: BTreeMap::new(),
            body: toml::Table::new(),
            batch: BatchMode::Off,
            batch_waits: true,
            concurrency: None,
            timeout_s: None,
            max_retries: None,
            requests_per_minute: None,
            tokens_per_minute: None,
            label_scores: AbilityMode::default(),
            prefill: AbilityMode::default(),
            threads: None,
            price: None,
            price_from: None,
        }
    }

    /// The model as each of its servers has it, the first before the further ones.
    pub fn servers(&self) -> Vec<Self> {
        let first = Self {
            endpoints: Vec::new(),
            ..self.clone()
        };
        let others = self.endpoints.iter().map(|own| own.applied_to(self));
        std::iter::once(first).chain(others).collect()
    }

    /// Who answers; an error names the forms there are.
    pub fn provider(&self) -> Result<ModelProvider, String> {
        let (provider, model) = self.name.split_once(':').unwrap_or((&self.name, ""));
        match (provider, model.is_empty()) {
            ("embedded", true) if self.name == "embedded" => return Ok(ModelProvider::Embedded),
            ("embedded", false) => return Ok(ModelProvider::Gguf(model.to_owned())),
            ("command", false) if !model.trim().is_empty() => {
                return Ok(ModelProvider::Command(model.trim().to_owned()));
            }
            ("openai", false) => return Ok(ModelProvider::OpenAi(model.to_owned())),
            _ => {}
        }
        if let Some(api) = ApiDialect::of(provider).filter(|_| !model.is_empty()) {
            return Ok(ModelProvider::Other(api, model.to_owned()));
        }
        let known = ApiDialect::ALL.iter().map(|api| api.name());
        let hint = match closest(provider, known.chain(["embedded", "command"])) {
            Some(known) if known != provider => format!("; did you mean {known:?}?"),
            Some("command") => {
                "; write the command after the colon: \"command:python3 agent.py\"".to_owned()
            }
            Some(known) if known != "embedded" => {
                format!("; name the model after the colon: \"{known}:MODEL\"")
            }
            _ => String::new(),
        };
        Err(format!(
            "no model is called {:?}{hint}\n  there is \"embedded\", \"embedded:PATH.gguf\", \
             \"openai:MODEL\" (any OpenAI-compatible server, with base_url), \
             \"anthropic:MODEL\", \"gemini:MODEL\", \"azure:DEPLOYMENT\", \"ollama:MODEL\" and \"command:PROGRAM ARGUMENTS\"",
            self.name
        ))
    }
}

impl Default for ModelSpec {
    fn default() -> Self {
        Self::named("embedded")
    }
}

impl Serialize for ModelSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
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
                ModelSpec::deserialize(de::value::MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_any(NameOrTable)
    }
}
