use serde::{Deserialize, Serialize};

use crate::Grade;

/// What a model returned for one [`Request`](crate::Request).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The text; for label scoring the likeliest label.
    pub text: String,
    /// Natural-log probabilities of the request's labels, in their order, where
    /// the model scored a closed form. Not normalised over the set.
    #[serde(default)]
    pub label_logprobs: Option<Vec<f64>>,
    /// Scores of the request's candidates, in their order, where the model
    /// scored a [likelihood ranking](crate::AnswerForm::Likelihood).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate_scores: Option<Vec<CandidateScore>>,
    /// Euclidean distances of the request's candidates, in their order, where
    /// the model [compared embeddings](crate::AnswerForm::Nearest).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distances: Option<Vec<f32>>,
    /// Why the text ended.
    pub finish: Finish,
    /// Tokens used.
    pub usage: Usage,
    /// What the task's [grader](crate::Grader) made of it, where it has one that was
    /// asked. No part of what is stored: the grader's own reply is.
    #[serde(skip)]
    pub grade: Option<Grade>,
    /// What the grader said for a grade below 1, where it says any such thing; no part of
    /// what is stored, as the grade.
    #[serde(skip)]
    pub grade_reason: Option<String>,
}

/// How likely a model finds one candidate as its next words.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CandidateScore {
    /// Σ ln p over the candidate's tokens, in `(-∞, 0]`.
    pub logprob: f64,
    /// How many tokens that are, at least 1.
    pub tokens: u32,
    /// The same sum after the request's content-free conversation, where it has
    /// one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<f64>,
}

impl Reply {
    /// A finished text reply with no usage recorded.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            label_logprobs: None,
            candidate_scores: None,
            distances: None,
            finish: Finish::Stop,
            usage: Usage::default(),
            grade: None,
            grade_reason: None,
        }
    }

    /// The reply with `bias` (one value per label, natural log) subtracted from
    /// its label log-probabilities; text replies are unchanged.
    #[must_use]
    pub fn debiased(mut self, bias: &[f64]) -> Self {
        if let Some(scores) = &mut self.label_logprobs {
            for (score, bias) in scores.iter_mut().zip(bias) {
                *score -= bias;
            }
        }
        self
    }
}

/// Why a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model ended its turn, or the labels were scored.
    Stop,
    /// The token limit cut the text off.
    Length,
    /// A content filter withheld the text.
    Filtered,
}

/// Tokens of one reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the request as billed, a shared prefix counted in full.
    pub prompt_tokens: u64,
    /// Tokens generated, thoughts included.
    pub completion_tokens: u64,
    /// Those of the prompt's tokens that came from the provider's cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cached_prompt_tokens: u64,
    /// Those of the prompt's tokens that were written to the provider's cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_write_tokens: u64,
    /// The reply came in a batch, which has prices of its own.
    #[serde(default, skip_serializing_if = "is_false")]
    pub batched: bool,
    /// The server reported nothing that can be: the figures are our own estimate.
    #[serde(default)]
    pub estimated: bool,
}

impl Usage {
    /// Prompt and completion tokens together.
    pub const fn tokens(&self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }
}

impl std::ops::Add for Usage {
    type Output = Self;

    /// The usage of both requests of one call.
    fn add(self, other: Self) -> Self {
        Self {
            prompt_tokens: self.prompt_tokens.saturating_add(other.prompt_tokens),
            completion_tokens: self
                .completion_tokens
                .saturating_add(other.completion_tokens),
            cached_prompt_tokens: self
                .cached_prompt_tokens
                .saturating_add(other.cached_prompt_tokens),
            cache_write_tokens: self
                .cache_write_tokens
                .saturating_add(other.cache_write_tokens),
            batched: self.batched && other.batched,
            estimated: self.estimated || other.estimated,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
const fn is_false(flag: &bool) -> bool {
    !*flag
}
