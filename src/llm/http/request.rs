//! What is sent: the body of a chat completion and the parameters a server
//! turned out to accept.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use serde::Serialize;
use shiftproof_search::Call;
use shiftproof_tasks::Message;

/// Alternatives asked for per token: the most that `OpenAI` and vLLM give.
const TOP_LOGPROBS: u8 = 20;
/// Alternatives asked for where a server refuses [`TOP_LOGPROBS`].
const FEW_LOGPROBS: u8 = 5;

/// How a call is to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// In text.
    Text,
    /// In at most this many tokens, greedily, with their alternatives.
    Scored { tokens: u32 },
}

/// How a last message by the assistant is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Continuation {
    /// As it stands.
    Plain,
    /// With the two fields that make vLLM continue it.
    Flagged,
}

/// The body of a chat completion.
#[derive(Debug, Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    messages: &'a [Message],
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    continue_final_message: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    add_generation_prompt: Option<bool>,
}

impl<'a> Body<'a> {
    /// The body for `call` in the server's `dialect`.
    pub(super) fn new(
        model: &'a str,
        call: &'a Call,
        shape: Shape,
        dialect: Dialect,
        continuation: Continuation,
    ) -> Self {
        let continued = continuation == Continuation::Flagged;
        let sampling = &call.sampling;
        let (limit, temperature, alternatives) = match shape {
            Shape::Text => (sampling.max_tokens, sampling.temperature, None),
            Shape::Scored { tokens } => {
                let few = dialect.has(Quirk::FewLogprobs);
                (
                    tokens,
                    0.0,
                    Some(if few { FEW_LOGPROBS } else { TOP_LOGPROBS }),
                )
            }
        };
        let renamed = dialect.has(Quirk::MaxCompletionTokens);
        let random = temperature > 0.0;
        Self {
            model,
            messages: &call.request.messages,
            max_tokens: (!renamed).then_some(limit),
            max_completion_tokens: renamed.then_some(limit),
            temperature: (!dialect.has(Quirk::NoTemperature)).then_some(temperature),
            top_p: (random && sampling.top_p < 1.0 && !dialect.has(Quirk::NoTopP))
                .then_some(sampling.top_p),
            seed: (random && !dialect.has(Quirk::NoSeed)).then(|| seed(sampling.seed, call.sample)),
            logprobs: alternatives.map(|_| true),
            top_logprobs: alternatives,
            continue_final_message: continued.then_some(true),
            add_generation_prompt: continued.then_some(false),
        }
    }
}

/// A seed per sample, below 2³¹: servers keep it in anything from `i32` up.
fn seed(seed: u64, sample: u32) -> u32 {
    // The finaliser of SplitMix64 (Steele et al. 2014), so that neighbouring
    // samples draw unrelated seeds.
    let mut z = seed.wrapping_add(u64::from(sample).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 33) as u32
}

/// A parameter that a server takes differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quirk {
    /// `max_tokens` is called `max_completion_tokens`.
    MaxCompletionTokens = 1,
    /// The temperature cannot be set.
    NoTemperature = 2,
    /// `top_p` cannot be set, at least not beside a temperature.
    NoTopP = 4,
    /// There is no `seed`.
    NoSeed = 8,
    /// Fewer alternatives per token.
    FewLogprobs = 16,
}

impl Quirk {
    pub(super) const ALL: [Self; 5] = [
        Self::MaxCompletionTokens,
        Self::NoTemperature,
        Self::NoTopP,
        Self::NoSeed,
        Self::FewLogprobs,
    ];

    /// The parameter as it is sent while the quirk is unknown.
    pub(super) fn parameter(self) -> &'static str {
        match self {
            Self::MaxCompletionTokens => "max_tokens",
            Self::NoTemperature => "temperature",
            Self::NoTopP => "top_p",
            Self::NoSeed => "seed",
            Self::FewLogprobs => "top_logprobs",
        }
    }

    /// What is done about it.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::MaxCompletionTokens => "max_completion_tokens in place of max_tokens",
            Self::NoTemperature => "no temperature: the server samples at its default",
            Self::NoTopP => "no top_p",
            Self::NoSeed => "no seed: samples cannot be repeated",
            Self::FewLogprobs => "5 alternatives per token",
        }
    }
}

/// A set of quirks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Dialect(u8);

impl Dialect {
    /// No quirk known.
    #[cfg(test)]
    pub(super) const NONE: Self = Self(0);

    pub(super) fn has(self, quirk: Quirk) -> bool {
        self.0 & quirk as u8 != 0
    }

    pub(super) fn quirks(self) -> impl Iterator<Item = Quirk> {
        Quirk::ALL.into_iter().filter(move |quirk| self.has(*quirk))
    }
}

/// The dialect as learned so far, shared by all calls of a client.
#[derive(Debug, Default)]
pub(super) struct Learned(AtomicU8);

impl Learned {
    pub(super) fn dialect(&self) -> Dialect {
        Dialect(self.0.load(Relaxed))
    }

    pub(super) fn learn(&self, quirk: Quirk) {
        self.0.fetch_or(quirk as u8, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use shiftproof_search::Sampling;
    use shiftproof_tasks::{AnswerForm, Request};

    fn body(temperature: f64, shape: Shape, quirks: &[Quirk]) -> Value {
        let learned = Learned::default();
        for quirk in quirks {
            learned.learn(*quirk);
        }
        let call = Call {
            request: Request {
                messages: vec![Message::system("s"), Message::user("u")],
                answer: AnswerForm::Text { max_tokens: 9 },
            },
            sampling: Sampling {
                temperature,
                top_p: 0.9,
                max_tokens: 9,
                seed: 1,
            },
            sample: 0,
        };
        serde_json::to_value(Body::new(
            "m",
            &call,
            shape,
            learned.dialect(),
            Continuation::Plain,
        ))
        .unwrap()
    }

    #[test]
    fn a_greedy_body_holds_only_what_is_needed() {
        let messages =
            json!([{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]);
        assert_eq!(
            body(0.0, Shape::Text, &[]),
            json!({"model": "m", "messages": messages, "max_tokens": 9, "temperature": 0.0})
        );
        assert_eq!(
            body(0.7, Shape::Scored { tokens: 3 }, &[]),
            json!({"model": "m", "messages": messages, "max_tokens": 3, "temperature": 0.0,
                   "logprobs": true, "top_logprobs": 20})
        );
    }

    #[test]
    fn quirks_change_the_body() {
        let plain = body(0.7, Shape::Text, &[]);
        assert_eq!(plain["top_p"], 0.9);
        assert!(plain["seed"].as_u64().unwrap() < 1 << 31);
        let quirky = body(0.7, Shape::Text, &Quirk::ALL);
        assert_eq!(quirky["max_completion_tokens"], 9);
        for absent in ["max_tokens", "temperature", "top_p", "seed"] {
            assert_eq!(quirky.get(absent), None, "{absent}");
        }
        assert_eq!(
            body(0.0, Shape::Scored { tokens: 3 }, &Quirk::ALL)["top_logprobs"],
            5
        );
    }

    #[test]
    fn samples_draw_different_seeds() {
        let mut seeds: Vec<u32> = (0..100).map(|sample| seed(0, sample)).collect();
        seeds.push(seed(1, 0));
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 101);
    }
}
