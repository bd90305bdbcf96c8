//! What may be spent.

use super::{
    SharedWorkers, amount, assert_invalid, budget, calls_limit, claim, claim_one, request, result,
    set_budget, settle,
};
use crate::shared::{Amount, AmountLimits, Claim, ClaimRequest, SharedBudget, SharedStore as _};

pub(super) fn budget_follows_claims<W: SharedWorkers>(workers: &W) {
    let (one, other) = (workers.join(), workers.join());
    assert_eq!(one.budget("b").expect("budgets are read"), None);
    let limits = AmountLimits {
        calls: Some(10),
        tokens: Some(1000),
        picodollars: Some(100_000),
    };
    set_budget(&one, "b", limits);
    set_budget(&one, "a", AmountLimits::default());
    claim(&one, Some("b"), &[request("j", 3), request("k", 2)]);
    claim(&other, None, &[request("unpaid", 7)]);
    let expected = |used: u64, reserved: u64| SharedBudget {
        limits,
        used: amount(used),
        reserved: amount(reserved),
        lost: amount(0),
    };
    assert_eq!(budget(&other, "b"), expected(0, 5));
    settle(&one, &[result("j", "v", 1)]);
    settle(&other, &[result("unpaid", "v", 7)]);
    assert_eq!(budget(&other, "b"), expected(1, 2));
    settle(&one, &[result("k", "v", 2)]);
    let named = |name: &str, budget| (name.to_owned(), budget);
    assert_eq!(
        one.budgets().expect("budgets are read"),
        [
            named("a", SharedBudget::default()),
            named("b", expected(3, 0))
        ]
    );
}

pub(super) fn full_budget_refuses_rest<W: SharedWorkers>(workers: &W) {
    let (one, other) = (workers.join(), workers.join());
    set_budget(&one, "b", calls_limit(5));
    one.offer_values(&[(b"z".to_vec(), b"v".to_vec())])
        .expect("values are taken");
    let requests = [
        request("z", 9),
        request("b", 2),
        request("d", 3),
        request("a", 1),
        request("c", 0),
        request("z", 1),
    ];
    let claims = claim(&one, Some("b"), &requests);
    let stored = Claim::Stored(b"v".to_vec());
    assert_eq!(claims[..3], [stored, Claim::Granted, Claim::Granted]);
    assert_eq!(claims[3..], [const { Claim::OverBudget }; 3]);
    assert_eq!(budget(&one, "b").reserved, amount(5));
    // What was refused is free.
    let free = claim(&other, None, &[request("a", 1), request("c", 1)]);
    assert_eq!(free, [Claim::Granted, Claim::Granted]);
    // What is done frees the rest.
    settle(&one, &[result("d", "v", 1)]);
    assert_eq!(
        claim_one(&one, Some("b"), request("e", 3)),
        Claim::OverBudget
    );
    assert_eq!(claim_one(&one, Some("b"), request("e", 2)), Claim::Granted);
}

pub(super) fn every_limit_counts<W: SharedWorkers>(workers: &W) {
    let one = workers.join();
    let limits = [
        ("calls", calls_limit(4)),
        (
            "tokens",
            AmountLimits {
                tokens: Some(40),
                ..AmountLimits::default()
            },
        ),
        (
            "money",
            AmountLimits {
                picodollars: Some(4000),
                ..AmountLimits::default()
            },
        ),
    ];
    for (name, limits) in limits {
        set_budget(&one, name, limits);
        let claims = [5, 4, 0, 1].map(|calls| {
            let key = format!("{name} {calls}");
            claim_one(&one, Some(name), request(&key, calls))
        });
        let expected = [
            Claim::OverBudget,
            Claim::Granted,
            Claim::Granted,
            Claim::OverBudget,
        ];
        assert_eq!(claims, expected, "{name}");
    }
}

pub(super) fn unknown_budget_is_invalid<W: SharedWorkers>(workers: &W) {
    let (one, other) = (workers.join(), workers.join());
    assert_invalid(&one.claim(Some("b"), &[request("k", 1)]));
    assert_eq!(claim_one(&other, None, request("k", 1)), Claim::Granted);
}

pub(super) fn new_limits_keep_what_was_spent<W: SharedWorkers>(workers: &W) {
    let one = workers.join();
    set_budget(&one, "b", calls_limit(4));
    claim(&one, Some("b"), &[request("j", 3), request("k", 1)]);
    settle(&one, &[result("j", "v", 3)]);
    set_budget(&one, "b", calls_limit(2));
    let lowered = budget(&one, "b");
    assert_eq!((lowered.used, lowered.reserved), (amount(3), amount(1)));
    assert_eq!(
        claim_one(&one, Some("b"), request("l", 0)),
        Claim::OverBudget
    );
    set_budget(&one, "b", AmountLimits::default());
    assert_eq!(claim_one(&one, Some("b"), request("l", 99)), Claim::Granted);
}

pub(super) fn claims_are_extended<W: SharedWorkers>(workers: &W) {
    let (one, other) = (workers.join(), workers.join());
    let extend = |key: &str, calls| one.extend(key.as_bytes(), amount(calls));
    set_budget(&one, "b", calls_limit(5));
    claim(&one, Some("b"), &[request("k", 2)]);
    claim(&one, None, &[request("unpaid", 2)]);
    assert!(extend("k", 2).expect("a claim is extended"));
    assert!(!extend("k", 2).expect("a claim is not extended"), "no room");
    assert_eq!(budget(&one, "b").reserved, amount(4));
    assert!(extend("k", 1).expect("a claim is extended"));
    assert!(extend("unpaid", 1000).expect("a claim is extended"));
    assert_invalid(&extend("never claimed", 1));
    assert_invalid(&other.extend(b"k", amount(0)));
    settle(&one, &[result("k", "v", 4)]);
    let end = budget(&one, "b");
    assert_eq!((end.used, end.reserved), (amount(4), amount(0)));
    assert_invalid(&extend("k", 0));
}

pub(super) fn dead_claims_are_lost_in_their_budget<W: SharedWorkers>(workers: &W) {
    let (dead, one) = (workers.join(), workers.join());
    set_budget(&one, "old", calls_limit(10));
    set_budget(&one, "new", calls_limit(10));
    claim(&dead, Some("old"), &[request("j", 1), request("k", 2)]);
    claim(&dead, None, &[request("unpaid", 5)]);
    dead.extend(b"k", amount(3)).expect("a claim is extended");
    workers.die(&dead);
    let requests = [request("unpaid", 1), request("k", 1)];
    assert_eq!(
        claim(&one, Some("new"), &requests),
        [Claim::Granted, Claim::Granted]
    );
    let (old, new) = (budget(&one, "old"), budget(&one, "new"));
    assert_eq!((old.reserved, old.lost), (amount(1), amount(5)));
    assert_eq!((new.reserved, new.lost), (amount(2), amount(0)));
    settle(&one, &[result("k", "v", 1), result("unpaid", "v", 1)]);
    assert_eq!(budget(&one, "old"), old);
    assert_eq!(budget(&one, "new").used, amount(2));
}

pub(super) fn lost_without_room_is_lost_once<W: SharedWorkers>(workers: &W) {
    let (dead, one) = (workers.join(), workers.join());
    set_budget(&one, "b", calls_limit(5));
    claim(&dead, Some("b"), &[request("k", 4), request("l", 1)]);
    workers.die(&dead);
    for _ in 0..3 {
        let claims = claim(&one, Some("b"), &[request("k", 1), request("l", 0)]);
        assert_eq!(claims, [Claim::OverBudget, Claim::OverBudget]);
        let full = budget(&one, "b");
        assert_eq!((full.reserved, full.lost), (amount(1), amount(4)));
    }
}

pub(super) fn huge_amounts_are_no_errors<W: SharedWorkers>(workers: &W) {
    let one = workers.join();
    let huge = |key: &str| ClaimRequest {
        worst: Amount {
            calls: u64::MAX,
            tokens: u64::MAX,
            picodollars: u64::MAX,
        },
        ..request(key, 0)
    };
    set_budget(&one, "limited", calls_limit(u64::MAX >> 2));
    set_budget(&one, "unlimited", AmountLimits::default());
    let limited = claim_one(&one, Some("limited"), huge("j"));
    assert_eq!(limited, Claim::OverBudget);
    let unlimited = claim(&one, Some("unlimited"), &[huge("j"), huge("k")]);
    assert_eq!(unlimited, [Claim::Granted, Claim::Granted]);
    let more = one.extend(b"k", huge("").worst);
    assert!(more.expect("a claim is extended"));
    settle(&one, &[result("j", "v", 1), result("k", "v", 1)]);
    let end = budget(&one, "unlimited");
    assert_eq!((end.used, end.reserved), (amount(2), amount(0)));
}
