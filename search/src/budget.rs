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
pub struct Limits {
    /// Model calls.
    pub calls: Option<u64>,
    /// Tokens, prompt and completion together.
    pub tokens: Option<u64>,
    /// US dollars, by the study's price table.
    pub usd: Option<f64>,
}

/// What a model costs; zero for a local one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// US dollars per million prompt tokens.
    #[serde(default)]
    pub prompt: f64,
    /// US dollars per million completion tokens.
    #[serde(default)]
    pub completion: f64,
}

impl Price {
    /// The cost of one call.
    pub fn spend(&self, usage: &Usage) -> Spend {
        // 1 USD per million tokens is 10⁶ picodollars a token.
        let rate = |usd_per_million: f64| (usd_per_million * 1e6).round() as u64;
        Spend {
            calls: 1,
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            picodollars: usage
                .prompt_tokens
                .saturating_mul(rate(self.prompt))
                .saturating_add(
                    usage
                        .completion_tokens
                        .saturating_mul(rate(self.completion)),
                ),
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
}

impl Spend {
    /// Prompt and completion tokens together.
    pub const fn tokens(&self) -> u64 {
        self.prompt_tokens + self.completion_tokens
    }

    /// Money in US dollars.
    pub fn usd(&self) -> f64 {
        self.picodollars as f64 / 1e12
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
    limits: Limits,
    spent: Spend,
    reserved: Spend,
    lost: Spend,
}

impl Meter {
    /// An empty account with these limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Reserves `worst` if everything spent, lost and reserved so far leaves
    /// room for it; returns whether it did.
    pub fn reserve(&mut self, worst: Spend) -> bool {
        let total = self.spent + self.lost + self.reserved + worst;
        let fits = self.limits.calls.is_none_or(|limit| total.calls <= limit)
            && self
                .limits
                .tokens
                .is_none_or(|limit| total.tokens() <= limit)
            && self.limits.usd.is_none_or(|limit| total.usd() <= limit);
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
        self.reserved.calls -= worst.calls;
        self.reserved.prompt_tokens -= worst.prompt_tokens;
        self.reserved.completion_tokens -= worst.completion_tokens;
        self.reserved.picodollars -= worst.picodollars;
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
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usage(prompt_tokens: u64, completion_tokens: u64) -> Usage {
        Usage {
            prompt_tokens,
            completion_tokens,
            estimated: false,
        }
    }

    #[test]
    fn prices_are_per_million_tokens() {
        let price = Price {
            prompt: 0.15,
            completion: 0.60,
        };
        let spend = price.spend(&usage(1_000_000, 500_000));
        assert_eq!(spend.picodollars, 450_000_000_000);
        assert!((spend.usd() - 0.45).abs() < 1e-12);
    }

    #[test]
    fn each_limit_binds() {
        let worst = Price {
            prompt: 1.0,
            completion: 1.0,
        }
        .spend(&usage(80, 20));
        let refuses = |limits| {
            let mut meter = Meter::new(limits);
            assert!(meter.reserve(worst));
            !meter.reserve(worst)
        };
        assert!(refuses(Limits {
            calls: Some(1),
            ..Limits::default()
        }));
        assert!(refuses(Limits {
            tokens: Some(199),
            ..Limits::default()
        }));
        assert!(refuses(Limits {
            usd: Some(1.99e-4),
            ..Limits::default()
        }));
        assert!(!refuses(Limits::default()));
    }

    proptest! {
        /// Whatever the interleaving of reservations and settlements, spending
        /// stays within the limit as long as no call uses more than reserved.
        #[test]
        fn never_overshoots(
            limit in 0_u64..2_000,
            calls in proptest::collection::vec((1_u64..50, 0_u64..50, any::<bool>()), 0..200),
        ) {
            let mut meter = Meter::new(Limits { tokens: Some(limit), ..Limits::default() });
            let mut open = Vec::new();
            for (worst, used, settle_one) in calls {
                let worst = Price::default().spend(&usage(worst, 0));
                let used = Price::default().spend(&usage(used.min(worst.prompt_tokens), 0));
                if meter.reserve(worst) {
                    open.push((worst, used));
                }
                if settle_one && let Some((worst, used)) = open.pop() {
                    meter.settle(worst, used);
                }
                prop_assert!(meter.spent().tokens() <= limit);
            }
            for (worst, used) in open {
                meter.settle(worst, used);
            }
            prop_assert!(meter.spent().tokens() <= limit);
            prop_assert_eq!(meter.reserved, Spend::default());
        }
    }
}
