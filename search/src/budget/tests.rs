use proptest::prelude::*;

use super::*;

fn usage(prompt_tokens: u64, completion_tokens: u64) -> Usage {
    Usage {
        prompt_tokens,
        completion_tokens,
        ..Usage::default()
    }
}

#[test]
fn prices_are_per_million_tokens() {
    let price = Price::per_million(0.15, 0.60);
    let spend = price.spend(&usage(1_000_000, 500_000));
    assert_eq!(spend.picodollars, 450_000_000_000);
    assert!((spend.usd() - 0.45).abs() < 1e-12);
}

#[test]
fn token_kinds_have_own_prices() {
    let price = Price {
        cached_prompt: Some(0.3),
        cache_write: Some(3.75),
        batch_prompt: Some(1.5),
        batch_completion: Some(7.5),
        ..Price::per_million(3.0, 15.0)
    };
    let mut used = Usage {
        cached_prompt_tokens: 600,
        cache_write_tokens: 300,
        ..usage(1000, 10)
    };
    // 100 × 3 + 600 × 0.3 + 300 × 3.75 + 10 × 15, in millionths of a dollar.
    assert_eq!(price.spend(&used).picodollars, 1_755_000_000);
    used.batched = true;
    assert_eq!(price.spend(&used).picodollars, 1_755_000_000 / 2);
    // Without prices of their own they cost what all others do.
    let plain = Price::per_million(3.0, 15.0);
    assert_eq!(plain.spend(&used), plain.spend(&usage(1000, 10)));
    // A server that says more came from its cache than was sent.
    used.cached_prompt_tokens = u64::MAX;
    assert_eq!(price.spend(&used).picodollars, 225_000_000);
}

#[test]
fn unknown_prices_are_counted() {
    let spend = Price::UNKNOWN.spend(&usage(5, 5));
    assert_eq!((spend.picodollars, spend.unpriced), (0, 1));
    let json = serde_json::to_string(&Price::default().spend(&usage(5, 5))).unwrap();
    assert!(!json.contains("unpriced"), "{json}");
}

#[test]
fn absurd_counts_stay_numbers() {
    let spend = Price::per_million(1.0, 1.0).spend(&usage(u64::MAX, u64::MAX));
    assert_eq!(spend.tokens(), u64::MAX);
    assert_eq!((spend + spend).picodollars, u64::MAX);
}

#[test]
fn each_limit_binds() {
    let worst = Price::per_million(1.0, 1.0).spend(&usage(80, 20));
    let refuses = |limits| {
        let mut meter = Meter::new(limits);
        assert!(meter.reserve(worst));
        !meter.reserve(worst)
    };
    assert!(refuses(BudgetLimits {
        calls: Some(1),
        ..BudgetLimits::default()
    }));
    assert!(refuses(BudgetLimits {
        tokens: Some(199),
        ..BudgetLimits::default()
    }));
    assert!(refuses(BudgetLimits {
        usd: Some(1.99e-4),
        ..BudgetLimits::default()
    }));
    assert!(!refuses(BudgetLimits::default()));
}

#[test]
fn batches_save_by_either_price() {
    let check = |price: Price, expected: bool| assert_eq!(price.batches_save(), expected);
    let plain = Price::per_million(2.0, 10.0);
    check(plain, false);
    check(
        Price {
            batch_prompt: Some(1.0),
            ..plain
        },
        true,
    );
    check(
        Price {
            batch_completion: Some(5.0),
            ..plain
        },
        true,
    );
    check(
        Price {
            batch_prompt: Some(2.0),
            batch_completion: Some(10.0),
            ..plain
        },
        false,
    );
}

#[test]
fn free_prompts_stay_free() {
    // A share of nothing is not a number: prompts that cost nothing in one form.
    let price = Price {
        batch_prompt: Some(1.0),
        ..Price::per_million(0.0, 10.0)
    };
    let used = Usage {
        batched: true,
        ..usage(1000, 10)
    };
    assert_eq!(price.spend(&used).picodollars, 100_000_000);
    // Nor is a negative price money back.
    let absurd = Price::per_million(-3.0, f64::NAN);
    assert_eq!(absurd.spend(&usage(1000, 1000)).picodollars, 0);
}

#[test]
fn losses_take_room() {
    let one = Price::per_million(1.0, 1.0).spend(&usage(10, 0));
    let mut meter = Meter::new(BudgetLimits {
        calls: Some(3),
        ..BudgetLimits::default()
    });
    meter.set_lost(one + one);
    assert!(meter.reserve(one) && !meter.reserve(one));
    meter.settle(one, one);
    // What was lost is no spending of the run's own.
    assert_eq!(meter.spent(), one);
    meter.set_lost(one);
    assert!(meter.reserve(one));
}

#[test]
fn estimated_calls_are_counted() {
    let own = Usage {
        estimated: true,
        ..usage(5, 5)
    };
    let both = Price::default().spend(&own) + Price::default().spend(&usage(5, 5));
    assert_eq!((both.calls, both.estimated), (2, 1));
    assert_eq!(both.without(both).estimated, 0);
    assert_eq!(both.share(1, 2).estimated, 1);
}

#[test]
fn spends_add_up() {
    let spends = [1_u64, 20, 300].map(|tokens| Price::UNKNOWN.spend(&usage(tokens, 2 * tokens)));
    let sum: Spend = spends.into_iter().sum();
    assert_eq!((sum.calls, sum.unpriced, sum.estimated), (3, 3, 0));
    assert_eq!((sum.prompt_tokens, sum.completion_tokens), (321, 642));
    assert_eq!(sum.tokens(), 963);
    assert_eq!(spends.into_iter().rev().sum::<Spend>(), sum);
}

#[test]
fn limits_read_strictly() {
    let read: BudgetLimits = serde_json::from_str(r#"{"calls": 5}"#).unwrap();
    assert_eq!((read.calls, read.tokens, read.usd), (Some(5), None, None));
    let wrong = serde_json::from_str::<BudgetLimits>(r#"{"call": 5}"#);
    assert!(
        wrong
            .unwrap_err()
            .to_string()
            .contains("unknown field `call`")
    );
    let old: Spend = serde_json::from_str(
        r#"{"calls":1,"prompt_tokens":2,"completion_tokens":3,"picodollars":4}"#,
    )
    .unwrap();
    assert_eq!(old.unpriced, 0);
}

proptest! {
    /// Whatever the interleaving of reservations and settlements, spending
    /// stays within the limit as long as no call uses more than reserved.
    #[test]
    fn never_overshoots(
        limit in 0_u64..2_000,
        calls in proptest::collection::vec((1_u64..50, 0_u64..50, any::<bool>()), 0..200),
    ) {
        let mut meter = Meter::new(BudgetLimits { tokens: Some(limit), ..BudgetLimits::default() });
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

    /// The same of every limit at once, calls that fail and are refunded among them,
    /// settled in any order; what is asked of is what was used, call by call.
    #[test]
    fn no_limit_is_overshot(
        limits in (0_u64..120, 0_u64..4_000, 0.0..0.01_f64),
        calls in proptest::collection::vec(
            (1_u64..60, 0_u64..60, 0_u64..60, any::<proptest::sample::Index>(), 0_u8..4),
            1..200,
        ),
    ) {
        let limits = BudgetLimits { calls: Some(limits.0), tokens: Some(limits.1), usd: Some(limits.2) };
        let price = Price::per_million(1.0, 3.0);
        let mut meter = Meter::new(limits);
        let mut open: Vec<(Spend, Spend)> = Vec::new();
        let (mut sent, mut tokens, mut picodollars) = (0_u64, 0_u64, 0_u64);
        for (prompt, completion, used, index, what) in calls {
            let worst = price.spend(&usage(prompt, completion));
            if meter.reserve(worst) {
                open.push((worst, price.spend(&usage(prompt.min(used), completion.min(used)))));
            }
            if open.is_empty() || what == 0 {
                continue;
            }
            let (worst, used) = open.swap_remove(index.index(open.len()));
            if what == 1 {
                meter.refund(worst);
                continue;
            }
            meter.settle(worst, used);
            sent += 1;
            tokens += used.tokens();
            picodollars += used.picodollars;
        }
        for (worst, used) in open {
            meter.settle(worst, used);
            sent += 1;
            tokens += used.tokens();
            picodollars += used.picodollars;
        }
        prop_assert_eq!(
            (meter.spent().calls, meter.spent().tokens(), meter.spent().picodollars),
            (sent, tokens, picodollars)
        );
        prop_assert!(sent <= limits.calls.unwrap());
        prop_assert!(tokens <= limits.tokens.unwrap());
        prop_assert!(picodollars as f64 <= limits.usd.unwrap() * 1e12 + 1.0);
    }

    /// A token more never costs less, and what a refund gives back is what was taken.
    #[test]
    fn costs_grow_and_refund(
        tokens in prop::collection::vec((0_u64..1 << 40, 0_u64..1 << 40), 1..8),
        prompt in 0.0..1e4_f64,
        completion in 0.0..1e4_f64,
    ) {
        let price = Price::per_million(prompt, completion);
        let mut meter = Meter::new(BudgetLimits::default());
        for &(sent, written) in &tokens {
            let (less, more) = (price.spend(&usage(sent, written)), price.spend(&usage(sent + 1, written)));
            prop_assert!(less.picodollars <= more.picodollars);
            meter.reserve(less);
        }
        prop_assert_eq!(meter.spent(), Spend::default());
        for &(sent, written) in &tokens {
            meter.refund(price.spend(&usage(sent, written)));
        }
        prop_assert_eq!(meter.reserved, Spend::default());
    }
}
