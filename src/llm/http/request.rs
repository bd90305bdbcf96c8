//! How a call is to be answered, and the parameters a server turned out to
//! accept.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// How a call is to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerShape {
    /// In text.
    Text,
    /// In at most this many tokens, greedily, with their alternatives.
    Scored { tokens: u32 },
}

/// How a last message by the assistant is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum PrefillMode {
    /// As it stands.
    Plain,
    /// With the two fields that make vLLM continue it.
    Flagged,
}

/// A seed per sample, below 2³¹: servers keep it in anything from `i32` up.
pub(super) fn seed(seed: u64, sample: u32) -> u32 {
    // The finaliser of SplitMix64 (Steele et al. 2014), so that neighbouring
    // samples draw unrelated seeds.
    let mut z = seed.wrapping_add(u64::from(sample).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 33) as u32
}

/// A parameter that a server takes differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ParameterQuirk {
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
    /// No schema of the answer is taken.
    NoSchema = 32,
}

impl ParameterQuirk {
    pub(super) const ALL: [Self; 6] = [
        Self::MaxCompletionTokens,
        Self::NoTemperature,
        Self::NoTopP,
        Self::NoSeed,
        Self::FewLogprobs,
        Self::NoSchema,
    ];

    /// The parameter as a study spells it.
    #[cfg(test)]
    pub(super) fn parameter(self) -> &'static str {
        self.spellings()[0]
    }

    /// The parameter as providers spell it while the quirk is unknown.
    pub(super) fn spellings(self) -> &'static [&'static str] {
        match self {
            Self::MaxCompletionTokens => &["max_tokens"],
            Self::NoTemperature => &["temperature"],
            Self::NoTopP => &["top_p", "topP"],
            Self::NoSeed => &["seed"],
            Self::FewLogprobs => &["top_logprobs", "logprobs"],
            Self::NoSchema => &["response_format", "output_config", "responseSchema"],
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
            Self::NoSchema => "no schema of the answer: its form is asked for in words alone",
        }
    }
}

/// A set of quirks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ServerDialect(u8);

impl ServerDialect {
    /// No quirk known.
    pub(super) const NONE: Self = Self(0);

    pub(super) fn has(self, quirk: ParameterQuirk) -> bool {
        self.0 & quirk as u8 != 0
    }

    pub(super) fn quirks(self) -> impl Iterator<Item = ParameterQuirk> {
        ParameterQuirk::ALL
            .into_iter()
            .filter(move |quirk| self.has(*quirk))
    }
}

/// The dialect as learned so far, shared by all calls of a client.
#[derive(Debug, Default)]
pub(super) struct LearnedDialect(AtomicU8);

impl LearnedDialect {
    pub(super) fn dialect(&self) -> ServerDialect {
        ServerDialect(self.0.load(Relaxed))
    }

    pub(super) fn learn(&self, quirk: ParameterQuirk) {
        self.0.fetch_or(quirk as u8, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_draw_different_seeds() {
        let mut seeds: Vec<u32> = (0..100).map(|sample| seed(0, sample)).collect();
        seeds.push(seed(1, 0));
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 101);
    }
}
