//! Many workers at once, some of which die.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::{SharedWorkers, amount, budget, calls_limit, claim, item, result, set_budget, settle};
use crate::shared::{Claim, ClaimRequest, MAX_ATTEMPTS, SharedStore as _, WorkState};

const WORKERS: u64 = 5;
const KEYS: u64 = 24;

/// Numbers that look random and are the same each time (Knuth, The Art of Computer Programming,
/// vol. 2, 3.3.4: the multiplier of MMIX).
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// A few different keys, in any order.
    fn requests(&mut self) -> Vec<ClaimRequest> {
        let mut seen = BTreeSet::new();
        (0..=self.below(4))
            .map(|_| self.below(KEYS))
            .filter(|key| seen.insert(*key))
            .map(|key| ClaimRequest {
                key: name(key),
                worst: amount(1),
                replaces: true,
            })
            .collect()
    }
}

fn name(key: u64) -> Vec<u8> {
    format!("key {key:02}").into_bytes()
}

fn number(key: &[u8]) -> usize {
    let digits = key
        .strip_prefix(b"key ")
        .and_then(|it| std::str::from_utf8(it).ok());
    digits
        .and_then(|it| it.parse().ok())
        .expect("a name of ours")
}

/// Each grant sets one call aside, and each is used, is lost, or still is set aside: never more
/// than the limit at any moment, and in the end exactly as many as were granted.
pub(super) fn every_grant_is_counted_once<W: SharedWorkers>(workers: &W) {
    const LIMIT: u64 = 150;
    let observer = workers.join();
    set_budget(&observer, "b", calls_limit(LIMIT));
    let (granted, over) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let work = |seed: u64| {
            let mut draws = Draws(seed);
            let mut store = workers.join();
            loop {
                let requests = draws.requests();
                let claims = claim(&store, Some("b"), &requests);
                let own: Vec<_> = requests
                    .iter()
                    .zip(&claims)
                    .filter(|(_, claim)| **claim == Claim::Granted)
                    .map(|(request, _)| {
                        let key = String::from_utf8_lossy(&request.key).into_owned();
                        result(&key, &format!("{seed}"), 1)
                    })
                    .collect();
                granted.fetch_add(own.len() as u64, Ordering::SeqCst);
                match draws.below(8) {
                    // It dies, and its answer comes late or never.
                    0 => {
                        workers.die(&store);
                        if draws.below(2) == 0 {
                            settle(&store, &own);
                        }
                        store = workers.join();
                    }
                    _ => drop(settle(&store, &own)),
                }
                if claims.contains(&Claim::OverBudget) {
                    return;
                }
            }
        };
        let threads: Vec<_> = (1..=WORKERS)
            .map(|seed| scope.spawn(move || work(seed)))
            .collect();
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                let total = budget(&observer, "b").total().calls;
                assert!(total <= LIMIT, "{total} of {LIMIT}");
            }
        });
        let ends: Vec<_> = threads
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect();
        over.store(true, Ordering::SeqCst);
        assert!(ends.iter().all(Result::is_ok), "a worker panicked");
    });
    let end = budget(&observer, "b");
    assert_eq!(end.total().calls, granted.into_inner());
    assert_eq!(end.total().calls, LIMIT);
    assert!(end.lost.calls > 0, "some died in the middle: {end:?}");
    // What the dead had set aside is lost as soon as somebody asks.
    set_budget(&observer, "rest", calls_limit(KEYS));
    let all: Vec<_> = (0..KEYS)
        .map(|key| ClaimRequest {
            key: name(key),
            worst: amount(1),
            replaces: true,
        })
        .collect();
    let last = workers.join();
    assert!(
        claim(&last, Some("rest"), &all)
            .iter()
            .all(|claim| *claim == Claim::Granted)
    );
    let end = budget(&observer, "b");
    assert_eq!(end.reserved.calls, 0);
    assert_eq!((end.used + end.lost).calls, LIMIT);
}

/// A key is granted to one living worker at a time, and what a worker was told is stored is the
/// first that came.
pub(super) fn no_two_living_workers_work_out_one_value<W: SharedWorkers>(workers: &W) {
    const ROUNDS: u64 = 40;
    let at_work: Vec<AtomicBool> = (0..KEYS).map(|_| AtomicBool::new(false)).collect();
    let firsts: Vec<Mutex<Option<Vec<u8>>>> = (0..KEYS).map(|_| Mutex::default()).collect();
    thread::scope(|scope| {
        for seed in 1..=WORKERS {
            let (at_work, firsts) = (&at_work, &firsts);
            scope.spawn(move || {
                let mut draws = Draws(seed);
                let store = workers.join();
                for round in 0..ROUNDS {
                    let mut requests = draws.requests();
                    // Half of them are worked out once, the rest again and again.
                    for request in &mut requests {
                        request.replaces = number(&request.key).is_multiple_of(2);
                    }
                    let mut results = Vec::new();
                    for (request, claim) in requests.iter().zip(claim(&store, None, &requests)) {
                        let key = number(&request.key);
                        match claim {
                            Claim::Granted => {
                                let before = at_work[key].swap(true, Ordering::SeqCst);
                                assert!(!before, "two work out key {key}");
                                let own = format!("{seed} in {round}");
                                let name = String::from_utf8_lossy(&request.key);
                                let mut own = result(&name, &own, 1);
                                own.replaces = request.replaces;
                                results.push(own);
                            }
                            Claim::Stored(value) => {
                                assert!(!request.replaces);
                                let first = firsts[key].lock().expect("nobody panicked");
                                assert_eq!(first.as_ref(), Some(&value), "the first that came");
                            }
                            Claim::Held | Claim::OverBudget => {}
                        }
                    }
                    for result in &results {
                        let key = number(&result.key);
                        at_work[key].store(false, Ordering::SeqCst);
                        if !result.replaces {
                            let mut first = firsts[key].lock().expect("nobody panicked");
                            assert_eq!(*first, None, "key {key} is worked out once");
                            first.clone_from(&result.value);
                        }
                    }
                    assert_eq!(settle(&store, &results), vec![true; results.len()]);
                }
            });
        }
    });
}

/// Each item ends once, however many take them, fail and die.
pub(super) fn items_end_once<W: SharedWorkers>(workers: &W) {
    const ITEMS: usize = 30;
    let items: Vec<_> = (0..ITEMS).map(|i| item(&i.to_string())).collect();
    let observer = workers.join();
    observer.add_work("q", &items).expect("items are added");
    let done: Vec<AtomicU64> = items.iter().map(|_| AtomicU64::new(0)).collect();
    thread::scope(|scope| {
        for seed in 1..=WORKERS {
            let done = &done;
            scope.spawn(move || {
                let mut draws = Draws(seed);
                let mut store = workers.join();
                while let Some(item) = store.take_work("q").expect("a queue is asked") {
                    let number: usize = item.id.parse().expect("a number");
                    let end = match draws.below(6) {
                        0 => Err("failed"),
                        1 => {
                            workers.die(&store);
                            // Late, it may or may not still be its own.
                            let late = store.end_work("q", &item.id, Ok(b"late"));
                            let late = late.expect("an item ends");
                            done[number].fetch_add(u64::from(late), Ordering::SeqCst);
                            store = workers.join();
                            continue;
                        }
                        _ => Ok(&b"done"[..]),
                    };
                    let ended = store.end_work("q", &item.id, end).expect("an item ends");
                    assert!(ended, "the item of a living worker is its own");
                    done[number].fetch_add(u64::from(end.is_ok()), Ordering::SeqCst);
                }
            });
        }
    });
    for (status, done) in observer
        .work("q")
        .expect("a queue is read")
        .iter()
        .zip(done)
    {
        let done = done.into_inner();
        assert!(done <= 1 && status.attempts <= MAX_ATTEMPTS, "{status:?}");
        match &status.state {
            WorkState::Done(_) => assert_eq!(done, 1, "{status:?}"),
            // One that waits failed or lost its worker when nobody else was asking any more.
            WorkState::PutAside(_) | WorkState::Waiting => assert_eq!(done, 0, "{status:?}"),
            WorkState::Taken { .. } => panic!("nobody has {status:?}"),
        }
    }
}

/// A lock is held by one.
pub(super) fn locks_exclude<W: SharedWorkers>(workers: &W) {
    let (inside, times) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let store = workers.join();
                while times.load(Ordering::SeqCst) < 40 {
                    if store.lock("name").expect("a lock is asked for").is_ok() {
                        assert!(!inside.swap(true, Ordering::SeqCst), "two are inside");
                        times.fetch_add(1, Ordering::SeqCst);
                        inside.store(false, Ordering::SeqCst);
                        store.unlock("name").expect("it is let go");
                    }
                }
            });
        }
    });
}
