//! One meter for everything a run spends, proposer and task model alike.
//!
//! The worst case of a call is *reserved* before it is sent and *settled* to
//! what was used once it is answered, so concurrent calls cannot overshoot a
//! limit. Money is counted in whole picodollars (10⁻¹² USD): integer sums do
//! not depend on the order in which replies arrive.

use serde::{Deserialize, Serialize};
use shiftproof_tasks::Usage;

/// What a run may spend; an absent limit is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetLimits {
    /// Model calls.
    pub calls: Option<u64>,
    /// Tokens, prompt and completion together.
    pub tokens: Option<u64>,
    /// US dollars, by the study's price table.
    pub usd: Option<f64>,
}

impl BudgetLimits {
    /// Whether `total` keeps to every limit.
    pub fn allow(&self, total: Spend) -> bool {
        self.calls.is_none_or(|limit| total.calls <= limit)
            && self.tokens.is_none_or(|limit| total.tokens() <= limit)
            && self.usd.is_none_or(|limit| total.usd() <= limit)
    }
}

/// What a model costs, in US dollars per million tokens; zero for a local one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Prompt tokens.
    #[serde(default)]
    pub prompt: f64,
    /// Completion tokens, thoughts included.
    #[serde(default)]
    pub completion: f64,
    /// Prompt tokens from the provider's cache; as others where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_prompt: Option<f64>,
    /// Prompt tokens written to the provider's cache; as others where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<f64>,
    /// Prompt tokens of a batch; as others where absent. What a cache saves or
    /// costs is in proportion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_prompt: Option<f64>,
    /// Completion tokens of a batch; as others where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_completion: Option<f64>,
    /// Nobody knows it: calls count as [unpriced](Spend::unpriced).
    #[serde(skip)]
    pub unknown: bool,
}

impl Price {
    /// The price of a model whose price nobody knows.
    pub const UNKNOWN: Self = Self {
        prompt: 0.0,
        completion: 0.0,
        cached_prompt: None,
        cache_write: None,
        batch_prompt: None,
        batch_completion: None,
        unknown: true,
    };

    /// So much per million prompt and completion tokens.
    pub const fn per_million(prompt: f64, completion: f64) -> Self {
        Self {
            prompt,
            completion,
            unknown: false,
            ..Self::UNKNOWN
        }
    }

    /// Whether a batch costs less.
    pub fn batches_save(&self) -> bool {
        self.batch_prompt.is_some_and(|price| price < self.prompt)
            || self
                .batch_completion
                .is_some_and(|price| price < self.completion)
    }

    /// The cost of one call.
    pub fn spend(&self, usage: &Usage) -> Spend {
        // 1 USD per million tokens is 10⁶ picodollars a token.
        let cost =
            |tokens: u64, rate: f64| tokens.saturating_mul((rate * 1e6).round().max(0.0) as u64);
        let cached = usage.cached_prompt_tokens.min(usage.prompt_tokens);
        let written = usage.cache_write_tokens.min(usage.prompt_tokens - cached);
        let (share, completion) = if usage.batched {
            let prompt = self.batch_prompt.unwrap_or(self.prompt);
            let share = if self.prompt > 0.0 {
                prompt / self.prompt
            } else {
                1.0
            };
            (share, self.batch_completion.unwrap_or(self.completion))
        } else {
            (1.0, self.completion)
        };
        let picodollars = [
            (usage.prompt_tokens - cached - written, share * self.prompt),
            (cached, share * self.cached_prompt.unwrap_or(self.prompt)),
            (written, share * self.cache_write.unwrap_or(self.prompt)),
            (usage.completion_tokens, completion),
        ];
        Spend {
            calls: 1,
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            picodollars: picodollars.into_iter().fold(0, |sum: u64, (tokens, rate)| {
                sum.saturating_add(cost(tokens, rate))
            }),
            unpriced: u64::from(self.unknown),
            estimated: u64::from(usage.estimated),
        }
    }
}

/// An amount spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spend {
    /// Model calls.
    pub calls: u64,
    /// Tokens sent.
    pub prompt_tokens: u64,
    /// Tokens generated.
    pub completion_tokens: u64,
    /// Money, in 10⁻¹² USD.
    pub picodollars: u64,
    /// Those of the calls whose price nobody knows; they are not in the money.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unpriced: u64,
    /// Those of the calls whose tokens are an estimate, for the server told none that
    /// can be.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub estimated: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Spend {
    /// Prompt and completion tokens together.
    pub const fn tokens(&self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }

    /// Money in US dollars.
    pub fn usd(&self) -> f64 {
        self.picodollars as f64 / 1e12
    }

    /// One request that cost no tokens.
    pub const ONE_REQUEST: Self = Self {
        calls: 1,
        prompt_tokens: 0,
        completion_tokens: 0,
        picodollars: 0,
        unpriced: 0,
        estimated: 0,
    };

    /// Whether it is nothing.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// What is left of it without `other`, each number at least zero.
    #[must_use]
    pub const fn without(&self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(other.calls),
            prompt_tokens: self.prompt_tokens.saturating_sub(other.prompt_tokens),
            completion_tokens: self
                .completion_tokens
                .saturating_sub(other.completion_tokens),
            picodollars: self.picodollars.saturating_sub(other.picodollars),
            unpriced: self.unpriced.saturating_sub(other.unpriced),
            estimated: self.estimated.saturating_sub(other.estimated),
        }
    }

    /// The share `part / whole` of it, rounded up.
    #[must_use]
    pub fn share(&self, part: u64, whole: u64) -> Self {
        let whole = u128::from(whole.max(1));
        let of = |number: u64| {
            let share = (u128::from(number) * u128::from(part)).div_ceil(whole);
            u64::try_from(share).unwrap_or(u64::MAX)
        };
        Self {
            calls: of(self.calls),
            prompt_tokens: of(self.prompt_tokens),
            completion_tokens: of(self.completion_tokens),
            picodollars: of(self.picodollars),
            unpriced: of(self.unpriced),
            estimated: of(self.estimated),
        }
    }
}

impl std::ops::Add for Spend {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            prompt_tokens: self.prompt_tokens.saturating_add(other.prompt_tokens),
            completion_tokens: self
                .completion_tokens
                .saturating_add(other.completion_tokens),
            picodollars: self.picodollars.saturating_add(other.picodollars),
            unpriced: self.unpriced.saturating_add(other.unpriced),
            estimated: self.estimated.saturating_add(other.estimated),
        }
    }
}

impl std::ops::AddAssign for Spend {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Spend {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), |total, amount| total + amount)
    }
}

/// The running account of one run.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    limits: BudgetLimits,
    spent: Spend,
    reserved: Spend,
    lost: Spend,
}

impl Meter {
    /// An empty account with these limits.
    pub fn new(limits: BudgetLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Whether `more` fits beside everything spent, lost and reserved so far.
    pub fn has_room(&self, more: Spend) -> bool {
        self.limits
            .allow(self.spent + self.lost + self.reserved + more)
    }

    /// Reserves `worst` if everything spent, lost and reserved so far leaves
    /// room for it; returns whether it did.
    pub fn reserve(&mut self, worst: Spend) -> bool {
        let fits = self.has_room(worst);
        if fits {
            self.reserved += worst;
        }
        fits
    }

    /// Replaces a reservation by what was really used.
    pub fn settle(&mut self, worst: Spend, used: Spend) {
        self.refund(worst);
        self.spent += used;
    }

    /// Gives a reservation back: the call was not answered.
    pub fn refund(&mut self, worst: Spend) {
        // Sums stop at the largest number, so what comes back may be more than that.
        self.reserved = self.reserved.without(worst);
    }

    /// Sets what may have been paid for though its replies were lost when the
    /// process was killed.
    pub fn set_lost(&mut self, worst: Spend) {
        self.lost = worst;
    }

    /// Settled spending.
    pub const fn spent(&self) -> Spend {
        self.spent
    }

    /// The limits.
    pub const fn limits(&self) -> &BudgetLimits {
        &self.limits
    }
}

#[cfg(test)]
mod tests;
