//! The protocols that providers speak: how a call is written, and how an answer
//! is read. What they share (retries, limits, transport) is no part of them.

mod anthropic;
mod gemini;
mod ollama;
mod openai;
mod prefix;

use std::fmt;

use reqwest::Url;
use serde_json::{Map, Value};
use shiftproof_search::ModelCall;
use shiftproof_tasks::{AnswerForm, Message, Role};

pub(super) use self::prefix::common_start;
use super::options::RequestOptions;
use super::reply::{ParsedBody, json, present};
use super::request::{AnswerShape, ParameterQuirk, PrefillMode, ServerDialect, seed};

/// Whose protocol a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApiDialect {
    /// Chat completions, as `OpenAI` and many others speak them.
    #[default]
    OpenAi,
    /// Chat completions of a deployment on Azure.
    Azure,
    /// Anthropic's Messages.
    Anthropic,
    /// Google's `generateContent`.
    Gemini,
    /// Ollama's own `/api/chat`.
    Ollama,
}

impl ApiDialect {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::OpenAi,
        Self::Azure,
        Self::Anthropic,
        Self::Gemini,
        Self::Ollama,
    ];

    /// The name it has in a study, before the colon.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Azure => "azure",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
        }
    }

    /// The API called `name`.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.name() == name)
    }

    /// The address where a study names none; each Azure resource has its own.
    pub const fn default_base_url(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("https://api.openai.com/v1"),
            Self::Azure => None,
            Self::Anthropic => Some("https://api.anthropic.com/v1"),
            Self::Gemini => Some("https://generativelanguage.googleapis.com/v1beta"),
            Self::Ollama => Some("http://127.0.0.1:11434"),
        }
    }

    /// The environment variable a key is read from where a study names none.
    pub const fn default_key_env(self) -> &'static str {
        match self {
            Self::OpenAi => "OPENAI_API_KEY",
            Self::Azure => "AZURE_OPENAI_API_KEY",
            Self::Anthropic => "ANTHROPIC_API_KEY",
            Self::Gemini => "GEMINI_API_KEY",
            Self::Ollama => "OLLAMA_API_KEY",
        }
    }

    /// What an address looks like, for messages.
    pub(super) const fn example(self) -> &'static str {
        match self {
            Self::OpenAi => "https://api.openai.com/v1",
            Self::Azure => "https://RESOURCE.openai.azure.com",
            Self::Anthropic => "https://api.anthropic.com/v1",
            Self::Gemini => "https://generativelanguage.googleapis.com/v1beta",
            Self::Ollama => "http://127.0.0.1:11434",
        }
    }

    pub(super) fn protocol(self) -> Box<dyn Protocol> {
        match self {
            Self::OpenAi => Box::new(openai::OpenAiProtocol::default()),
            Self::Azure => Box::new(openai::OpenAiProtocol { azure: true }),
            Self::Anthropic => Box::new(anthropic::AnthropicProtocol::default()),
            Self::Gemini => Box::new(gemini::GeminiProtocol),
            Self::Ollama => Box::new(ollama::OllamaProtocol),
        }
    }
}

/// One call as it is to be sent.
pub(super) struct WireCall<'a> {
    pub(super) model: &'a str,
    pub(super) call: &'a ModelCall,
    pub(super) shape: AnswerShape,
    pub(super) dialect: ServerDialect,
    pub(super) continuation: PrefillMode,
    pub(super) options: &'a RequestOptions,
}

impl<'a> WireCall<'a> {
    /// Tokens generated at most.
    pub(super) fn limit(&self) -> u32 {
        match self.shape {
            AnswerShape::Text => self.call.sampling.max_tokens,
            AnswerShape::Scored { tokens } => tokens,
        }
    }

    /// The temperature to send; none where the model takes none.
    pub(super) fn temperature(&self) -> Option<f64> {
        (!self.dialect.has(ParameterQuirk::NoTemperature)).then(|| self.warmth())
    }

    fn warmth(&self) -> f64 {
        match self.shape {
            AnswerShape::Text => self
                .options
                .temperature
                .unwrap_or(self.call.sampling.temperature),
            // What is scored is the distribution itself.
            AnswerShape::Scored { .. } => 0.0,
        }
    }

    pub(super) fn top_p(&self) -> Option<f64> {
        let text = self.shape == AnswerShape::Text;
        let set = self.options.top_p.filter(|_| text);
        let drawn = (self.warmth() > 0.0 && self.call.sampling.top_p < 1.0)
            .then_some(self.call.sampling.top_p);
        set.or(drawn)
            .filter(|_| !self.dialect.has(ParameterQuirk::NoTopP))
    }

    /// Below 2³¹, another for each sample of a draw.
    pub(super) fn seed(&self) -> Option<u32> {
        let sampling = &self.call.sampling;
        let random = self.warmth() > 0.0;
        let drawn = match self.options.seed {
            // What the user wrote goes out as it is, where it is one draw.
            Some(set) if !random => Some((set % (1 << 31)) as u32),
            Some(set) => Some(seed(set.wrapping_add(sampling.seed), self.call.sample)),
            None => random.then(|| seed(sampling.seed, self.call.sample)),
        };
        drawn.filter(|_| !self.dialect.has(ParameterQuirk::NoSeed))
    }

    /// Alternatives per token, where labels are scored.
    pub(super) fn alternatives(&self) -> Option<u8> {
        let few = self.dialect.has(ParameterQuirk::FewLogprobs);
        matches!(self.shape, AnswerShape::Scored { .. }).then_some(if few { 5 } else { 20 })
    }

    /// The JSON Schema that the answer is to keep to; none where the form is another, or
    /// the server takes none.
    pub(super) fn schema(&self) -> Option<&'a Value> {
        match &self.call.request.answer {
            AnswerForm::Json { schema, .. } if !self.dialect.has(ParameterQuirk::NoSchema) => {
                Some(schema)
            }
            _ => None,
        }
    }

    pub(super) fn messages(&self) -> &'a [Message] {
        &self.call.request.messages
    }

    /// Texts at which an answer ends; scored labels end by their length.
    pub(super) fn stop(&self) -> Option<&'a [String]> {
        let text = self.shape == AnswerShape::Text;
        Some(self.options.stop.as_slice()).filter(|stop| text && !stop.is_empty())
    }

    /// All instructions of the system, joined; and the turns.
    pub(super) fn apart(&self) -> (String, Vec<&'a Message>) {
        let (system, turns): (Vec<&Message>, Vec<&Message>) = self
            .messages()
            .iter()
            .partition(|message| message.role == Role::System);
        let system: Vec<&str> = system
            .iter()
            .map(|message| message.content.as_str())
            .collect();
        (system.join("\n\n"), turns)
    }
}

/// Reads a body of a successful status by `protocol`.
pub(super) fn parse(body: &[u8], protocol: &dyn Protocol) -> ParsedBody {
    let value = match json(body) {
        Ok(value) => value,
        Err(failure) => return failure,
    };
    match present(&value, "error") {
        Some(error) => ParsedBody::Error(error.clone()),
        None => protocol.read(&value),
    }
}

/// How one provider is spoken to.
pub(super) trait Protocol: fmt::Debug + Send + Sync {
    /// Makes `base` the address of a call of `model`. `version`: the API version
    /// that the user asks for.
    fn locate(&self, base: &mut Url, model: &str, version: Option<&str>);

    /// The header that carries the key, and what stands before the key in it.
    fn authorization(&self) -> (&'static str, &'static str);

    /// Headers of every request.
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Whether labels can be scored at all.
    fn scores(&self) -> bool {
        true
    }

    /// The ways in which a begun answer can be sent, best first.
    fn continuations(&self) -> &'static [PrefillMode] {
        &[PrefillMode::Plain]
    }

    /// The body of a request; what the user adds comes later.
    fn body(&self, ask: &WireCall<'_>) -> Map<String, Value>;

    /// Reads an answer of a successful status.
    fn read(&self, value: &Value) -> ParsedBody;
}

/// Puts `value` under `key` where there is one.
fn put(body: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body.insert(key.to_owned(), value.into());
    }
}

/// Appends `segments` to the path of `base`, without the empty one at its end.
fn append(base: &mut Url, segments: &[&str]) {
    if let Ok(mut path) = base.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
}

/// Whether the last segments of the path are these.
fn ends(base: &Url, segments: &[&str]) -> bool {
    let path: Vec<&str> = base
        .path_segments()
        .into_iter()
        .flatten()
        .filter(|segment| !segment.is_empty())
        .collect();
    path.ends_with(segments)
}

#[cfg(test)]
mod tests;
