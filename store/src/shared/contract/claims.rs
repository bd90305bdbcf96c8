//! Who works out which value.

use super::{
    SharedWorkers, amount, budget, calls_limit, claim, claim_one, request, result, set_budget,
    settle, value,
};
use crate::kv::{Kv as _, WriteBatch};
use crate::shared::{Claim, ClaimRequest, ClaimResult, SharedStore as _};

/// A request to work a value out anew.
fn anew(key: &str) -> ClaimRequest {
    ClaimRequest {
        replaces: true,
        ..request(key, 1)
    }
}

pub(super) fn offered_values_stay<W: SharedWorkers>(workers: &W) {
    let (one, other) = (workers.join(), workers.join());
    let large = vec![0xa5; 300_000];
    let offered = [
        (b"a".to_vec(), b"1".to_vec()),
        (vec![0xff, 0], large.clone()),
        (b"empty".to_vec(), Vec::new()),
    ];
    one.offer_values(&offered).expect("values are taken");
    let again = [
        (b"a".to_vec(), b"2".to_vec()),
        (b"b".to_vec(), b"3".to_vec()),
    ];
    other.offer_values(&again).expect("values are taken");
    let keys = [&b"b"[..], b"a", b"none", &[0xff, 0], b"empty", b"a"].map(<[u8]>::to_vec);
    let values = one.values(&keys).expect("values are read");
    let expected = [
        Some(b"3".to_vec()),
        Some(b"1".to_vec()),
        None,
        Some(large),
        Some(Vec::new()),
        Some(b"1".to_vec()),
    ];
    assert_eq!(values, expected);
}

pub(super) fn value_is_worked_out_by_one<W: SharedWorkers>(workers: &W) {
    let (one, other) = (workers.join(), workers.join());
    assert_eq!(claim_one(&one, None, request("k", 1)), Claim::Granted);
    assert_eq!(claim_one(&other, None, request("k", 1)), Claim::Held);
    assert_eq!(claim_one(&one, None, request("k", 1)), Claim::Granted);
    assert_eq!(value(&other, "k"), None);
    assert_eq!(settle(&one, &[result("k", "v", 1)]), [true]);
    let stored = Claim::Stored(b"v".to_vec());
    assert_eq!(claim_one(&other, None, request("k", 1)), stored);
    assert_eq!(claim_one(&one, None, request("k", 1)), stored);
}

pub(super) fn failed_value_is_free_again<W: SharedWorkers>(workers: &W) {
    let (one, other) = (workers.join(), workers.join());
    set_budget(&one, "b", calls_limit(5));
    assert_eq!(claim_one(&one, Some("b"), request("k", 3)), Claim::Granted);
    let failed = ClaimResult {
        value: None,
        ..result("k", "", 2)
    };
    assert_eq!(settle(&one, &[failed]), [false]);
    assert_eq!(value(&one, "k"), None);
    assert_eq!(budget(&one, "b").used, amount(2), "failing costs, too");
    assert_eq!(
        claim_one(&other, Some("b"), request("k", 3)),
        Claim::Granted
    );
}

pub(super) fn value_replaces_another<W: SharedWorkers>(workers: &W) {
    let (one, other) = (workers.join(), workers.join());
    one.offer_values(&[(b"k".to_vec(), b"old".to_vec())])
        .expect("values are taken");
    assert_eq!(claim_one(&one, None, anew("k")), Claim::Granted);
    let old = Claim::Stored(b"old".to_vec());
    assert_eq!(claim_one(&other, None, request("k", 1)), old);
    assert_eq!(claim_one(&other, None, anew("k")), Claim::Held);
    let new = ClaimResult {
        replaces: true,
        ..result("k", "new", 1)
    };
    assert_eq!(settle(&one, &[new]), [true]);
    assert_eq!(value(&other, "k").as_deref(), Some(&b"new"[..]));
    // Without saying so nothing is replaced.
    assert_eq!(settle(&one, &[result("k", "newer", 1)]), [false]);
    assert_eq!(value(&other, "k").as_deref(), Some(&b"new"[..]));
}

pub(super) fn key_asked_twice_is_one_claim<W: SharedWorkers>(workers: &W) {
    let one = workers.join();
    set_budget(&one, "b", calls_limit(3));
    let twice = [request("k", 2), request("j", 1), request("k", 2)];
    assert_eq!(
        claim(&one, Some("b"), &twice),
        [const { Claim::Granted }; 3]
    );
    assert_eq!(budget(&one, "b").reserved, amount(3));
    settle(&one, &[result("k", "v", 2), result("k", "v", 2)]);
    assert_eq!(budget(&one, "b").used, amount(2));
    assert_eq!(budget(&one, "b").reserved, amount(1));
}

pub(super) fn settling_without_claim_counts_nothing<W: SharedWorkers>(workers: &W) {
    let (one, other) = (workers.join(), workers.join());
    set_budget(&one, "b", calls_limit(5));
    assert_eq!(claim_one(&one, Some("b"), request("k", 3)), Claim::Granted);
    let before = budget(&one, "b");
    assert_eq!(settle(&other, &[result("k", "brought", 3)]), [true]);
    assert_eq!(budget(&one, "b"), before, "the claim is another's");
    assert_eq!(settle(&one, &[result("k", "own", 1)]), [false]);
    assert_eq!(budget(&one, "b").used, amount(1));
    assert_eq!(budget(&one, "b").reserved, amount(0));
    assert_eq!(value(&one, "k").as_deref(), Some(&b"brought"[..]));
}

pub(super) fn results_of_one_call_are_told_apart<W: SharedWorkers>(workers: &W) {
    let (one, other) = (workers.join(), workers.join());
    let keys = ["d", "a", "c", "b"];
    let requests = keys.map(|key| request(key, 1));
    claim(&one, None, &requests);
    other
        .offer_values(&[
            (b"a".to_vec(), b"other".to_vec()),
            (b"c".to_vec(), b"c".to_vec()),
        ])
        .expect("values are taken");
    let mut results = keys.map(|key| result(key, key, 1));
    results[3].value = None;
    assert_eq!(settle(&one, &results), [true, false, true, false]);
    assert_eq!(value(&one, "d").as_deref(), Some(&b"d"[..]));
    let claims = claim(&other, None, &requests);
    let stored = |value: &str| Claim::Stored(value.into());
    let expected = [stored("d"), stored("other"), stored("c"), Claim::Granted];
    assert_eq!(claims, expected);
}

pub(super) fn claims_of_dead_fall_to_next<W: SharedWorkers>(workers: &W) {
    let (dead, one, other) = (workers.join(), workers.join(), workers.join());
    claim(&dead, None, &[request("j", 1), request("k", 1)]);
    assert_eq!(claim_one(&one, None, request("k", 1)), Claim::Held);
    workers.die(&dead);
    assert_eq!(claim_one(&one, None, request("k", 1)), Claim::Granted);
    assert_eq!(claim_one(&other, None, request("k", 1)), Claim::Held);
    assert_eq!(claim_one(&other, None, request("j", 1)), Claim::Granted);
}

pub(super) fn late_answer_is_taken_and_not_counted<W: SharedWorkers>(workers: &W) {
    let (late, one) = (workers.join(), workers.join());
    set_budget(&one, "b", calls_limit(10));
    claim(&late, Some("b"), &[request("k", 3)]);
    workers.die(&late);
    assert_eq!(claim_one(&one, Some("b"), request("k", 2)), Claim::Granted);
    let taken_over = budget(&one, "b");
    assert_eq!(taken_over.lost, amount(3));
    assert_eq!(taken_over.reserved, amount(2));
    // Before the other is done its answer is as good as any.
    assert_eq!(settle(&late, &[result("k", "late", 3)]), [true]);
    assert_eq!(budget(&one, "b"), taken_over, "lost already");
    assert_eq!(settle(&one, &[result("k", "own", 1)]), [false]);
    let end = budget(&one, "b");
    assert_eq!((end.used, end.reserved), (amount(1), amount(0)));
    assert_eq!(end.lost, amount(3));
    assert_eq!(value(&one, "k").as_deref(), Some(&b"late"[..]));
}

pub(super) fn later_answer_than_others_is_told<W: SharedWorkers>(workers: &W) {
    let (late, one) = (workers.join(), workers.join());
    set_budget(&one, "b", calls_limit(10));
    claim(&late, Some("b"), &[request("k", 3), request("free", 4)]);
    workers.die(&late);
    claim(&one, Some("b"), &[request("k", 2)]);
    settle(&one, &[result("k", "first", 2)]);
    let before = budget(&one, "b");
    assert_eq!(settle(&late, &[result("k", "second", 3)]), [false]);
    assert_eq!(settle(&late, &[result("k", "first", 3)]), [true]);
    assert_eq!(budget(&one, "b"), before);
    // What nobody asked for meanwhile still is its own.
    assert_eq!(settle(&late, &[result("free", "v", 1)]), [true]);
    let end = budget(&one, "b");
    assert_eq!((end.used, end.lost), (amount(3), amount(3)));
    assert_eq!(end.reserved, amount(0));
}

pub(super) fn records_are_no_values<W: SharedWorkers>(workers: &W) {
    let (one, other) = (workers.join(), workers.join());
    let mut batch = WriteBatch::new();
    batch.put("k", "record");
    one.apply(batch).expect("records are stored");
    assert_eq!(value(&other, "k"), None);
    assert_eq!(claim_one(&other, None, request("k", 1)), Claim::Granted);
    settle(&other, &[result("k", "value", 1)]);
    let record = one.get(b"k").expect("records are read");
    assert_eq!(record.as_deref(), Some(&b"record"[..]));
    assert_eq!(one.count().expect("records are counted"), 1);
}

pub(super) fn workers_are_seen<W: SharedWorkers>(workers: &W) {
    let (one, dead) = (workers.join(), workers.join());
    claim(&one, None, &[request("a", 1)]);
    claim(&dead, None, &[request("b", 1), request("c", 1)]);
    let claims = |of_living: bool| -> Vec<u64> {
        let seen = one.workers().expect("workers are seen").into_iter();
        let mut claims: Vec<u64> = seen
            .filter(|worker| worker.is_alive == of_living && worker.claims > 0)
            .map(|worker| worker.claims)
            .collect();
        claims.sort_unstable();
        claims
    };
    assert_eq!((claims(true), claims(false)), (vec![1, 2], vec![]));
    workers.die(&dead);
    assert_eq!((claims(true), claims(false)), (vec![1], vec![2]));
}

pub(super) fn empty_calls_do_nothing<W: SharedWorkers>(workers: &W) {
    let one = workers.join();
    assert_eq!(claim(&one, None, &[]), []);
    assert_eq!(settle(&one, &[]), [true; 0]);
    assert_eq!(one.values(&[]).expect("nothing is read"), []);
    one.offer_values(&[]).expect("nothing is taken");
    one.add_work("q", &[]).expect("nothing is added");
    assert_eq!(one.work("q").expect("a queue is read"), []);
}
