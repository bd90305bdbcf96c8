//! The contract suite: what every [`Kv`] must do, as tests that any backend can run.
//!
//! A backend of your own passes if these return; they panic with the broken promise otherwise.
//!
//! ```
//! use shiftproof_store::{MemoryKv, contract};
//!
//! contract::check(|| Box::new(MemoryKv::new()));
//!
//! let shared = MemoryKv::new();
//! contract::check_persistent(|| Box::new(shared.clone()));
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::error::StoreError;
use crate::kv::{Kv, MAX_BATCH, MAX_KEY, MAX_VALUE, Pair, WriteBatch};

/// Checks everything but persistence. Each call of `make` must give a new, empty store.
///
/// # Panics
/// If the store breaks the contract.
pub fn check(make: impl Fn() -> Box<dyn Kv>) {
    let checks: [fn(&dyn Kv); 11] = [
        an_empty_store_is_empty,
        puts_overwrite_and_deletes_remove,
        the_last_word_on_a_key_wins,
        values_of_every_size_come_back,
        a_scan_is_ordered_by_bytes,
        a_prefix_selects_exactly_its_keys,
        a_long_scan_sees_every_record_once,
        a_scan_goes_on_when_records_are_deleted_behind_it,
        limits_are_errors_and_write_nothing,
        no_reader_sees_half_a_batch,
        concurrent_batches_all_arrive,
    ];
    for check in checks {
        check(make().as_ref());
    }
}

/// Checks that committed data outlives the handle. Each call of `open` must open the same store,
/// which is empty at first; earlier handles have been dropped by then.
///
/// # Panics
/// If the store breaks the contract.
pub fn check_persistent(open: impl Fn() -> Box<dyn Kv>) {
    let mut expected = Vec::new();
    for round in 0..4_u8 {
        let kv = open();
        assert_eq!(all(&*kv, b""), expected, "what a reopened store holds");
        assert_eq!(count(&*kv), expected.len());
        let mut batch = WriteBatch::new();
        batch
            .put([b'a', round], [round; 3])
            .put([b'b'], [round])
            .put([b'c', round], vec![round; MAX_VALUE])
            .delete([b'c', round.wrapping_sub(1)]);
        apply(&*kv, batch);
        expected = all(&*kv, b"");
        assert_eq!(expected.len(), usize::from(round) + 3);
    }
    let kv = open();
    let mut batch = WriteBatch::new();
    for (key, _) in expected {
        batch.delete(key);
    }
    apply(&*kv, batch);
    drop(kv);
    assert_eq!(all(&*open(), b""), []);
}

fn apply(kv: &dyn Kv, batch: WriteBatch) {
    kv.apply(batch).expect("a legal batch is committed");
}

fn put(kv: &dyn Kv, key: &[u8], value: &[u8]) {
    let mut batch = WriteBatch::new();
    batch.put(key, value);
    apply(kv, batch);
}

fn get(kv: &dyn Kv, key: &[u8]) -> Option<Vec<u8>> {
    kv.get(key).expect("a store in order can be read")
}

fn all(kv: &dyn Kv, prefix: &[u8]) -> Vec<Pair> {
    kv.scan(prefix)
        .collect::<Result<_, _>>()
        .expect("a store in order can be scanned")
}

fn keys(kv: &dyn Kv, prefix: &[u8]) -> Vec<Vec<u8>> {
    all(kv, prefix).into_iter().map(|(key, _)| key).collect()
}

fn count(kv: &dyn Kv) -> usize {
    let count = kv.count().expect("a store in order can be counted");
    usize::try_from(count).expect("a test store is small")
}

fn an_empty_store_is_empty(kv: &dyn Kv) {
    assert_eq!(get(kv, b"a"), None);
    assert_eq!(all(kv, b""), []);
    apply(kv, WriteBatch::new());
    let mut batch = WriteBatch::new();
    batch.delete("never there");
    apply(kv, batch);
    assert_eq!(count(kv), 0);
}

fn puts_overwrite_and_deletes_remove(kv: &dyn Kv) {
    put(kv, b"key", b"old");
    put(kv, b"key", b"new");
    put(kv, b"other", b"");
    assert_eq!(get(kv, b"key").as_deref(), Some(&b"new"[..]));
    assert_eq!(get(kv, b"other").as_deref(), Some(&b""[..]));
    assert_eq!(get(kv, b"ke"), None, "a prefix of a key is another key");
    assert_eq!(count(kv), 2);
    let mut batch = WriteBatch::new();
    batch.delete("key").put("third", "3");
    apply(kv, batch);
    assert_eq!(get(kv, b"key"), None);
    assert_eq!(keys(kv, b""), [b"other".to_vec(), b"third".to_vec()]);
    assert_eq!(count(kv), 2);
}

fn the_last_word_on_a_key_wins(kv: &dyn Kv) {
    let mut batch = WriteBatch::new();
    batch.put("a", "1").delete("a").put("b", "1").put("b", "2");
    batch.delete("c").put("c", "1");
    assert_eq!(batch.len(), 3);
    apply(kv, batch);
    assert_eq!(
        all(kv, b""),
        [
            (b"b".to_vec(), b"2".to_vec()),
            (b"c".to_vec(), b"1".to_vec())
        ]
    );
}

fn values_of_every_size_come_back(kv: &dyn Kv) {
    let value = |len: usize| (0..len).map(|i| (i * 31 + len) as u8).collect::<Vec<_>>();
    let sizes = [
        0,
        1,
        100,
        4095,
        4096,
        4097,
        8192,
        8193,
        MAX_VALUE - 1,
        MAX_VALUE,
    ];
    // Growing and shrinking one key must leave nothing of the value before.
    for &len in sizes.iter().chain(sizes.iter().rev()) {
        put(kv, b"same", &value(len));
        put(kv, format!("size {len}").as_bytes(), &value(len));
        assert_eq!(get(kv, b"same"), Some(value(len)));
        assert_eq!(count(kv), keys(kv, b"").len());
    }
    for len in sizes {
        assert_eq!(get(kv, format!("size {len}").as_bytes()), Some(value(len)));
    }
    let longest = vec![0xff; MAX_KEY];
    put(kv, &longest, &value(MAX_VALUE));
    assert_eq!(get(kv, &longest), Some(value(MAX_VALUE)));
    assert_eq!(keys(kv, &longest), [longest]);
}

/// Keys that tempt a backend to order or bound them wrongly.
const AWKWARD: [&[u8]; 13] = [
    &[0],
    &[0, 0],
    &[0, 0xff],
    &[1],
    b"a",
    b"a\x00",
    b"a\xff",
    b"a\xff\xff",
    b"b",
    &[0x80],
    &[0xff],
    &[0xff, 0],
    &[0xff, 0xff],
];

fn put_awkward(kv: &dyn Kv) {
    let mut batch = WriteBatch::new();
    for key in AWKWARD.iter().rev() {
        batch.put(*key, *key);
    }
    apply(kv, batch);
}

fn a_scan_is_ordered_by_bytes(kv: &dyn Kv) {
    put_awkward(kv);
    assert!(AWKWARD.is_sorted());
    assert_eq!(keys(kv, b""), AWKWARD);
    assert!(all(kv, b"").iter().all(|(key, value)| key == value));
    assert_eq!(count(kv), AWKWARD.len());
}

fn a_prefix_selects_exactly_its_keys(kv: &dyn Kv) {
    put_awkward(kv);
    let absent: [&[u8]; 5] = [b"c", b"a\x01", &[0xfe], &[0xff; 3], &[7; MAX_KEY + 1]];
    for prefix in AWKWARD.iter().chain(&absent) {
        let expected: Vec<_> = AWKWARD
            .iter()
            .filter(|key| key.starts_with(prefix))
            .collect();
        assert_eq!(
            keys(kv, prefix).iter().collect::<Vec<_>>(),
            expected,
            "prefix {prefix:?}"
        );
    }
    assert_eq!(get(kv, &[7; MAX_KEY + 1]), None);
}

fn a_long_scan_sees_every_record_once(kv: &dyn Kv) {
    let key = |i: u32| [b"k", &i.to_be_bytes()[..]].concat();
    for chunk in 0..3 {
        let mut batch = WriteBatch::new();
        for i in (0..700).map(|i| i * 3 + chunk) {
            batch.put(key(i), i.to_le_bytes());
        }
        apply(kv, batch);
    }
    let expected: Vec<Pair> = (0..2100)
        .map(|i: u32| (key(i), i.to_le_bytes().to_vec()))
        .collect();
    assert_eq!(all(kv, b"k"), expected);
    // Pages must also end well where values are large.
    let mut batch = WriteBatch::new();
    for i in 0..40_u8 {
        batch.put([b'l', i], vec![i; MAX_VALUE]);
    }
    apply(kv, batch);
    let large = all(kv, b"l");
    assert_eq!(large.len(), 40);
    assert!(
        (0..40)
            .zip(&large)
            .all(|(i, (_, value))| *value == vec![i; MAX_VALUE])
    );
}

fn a_scan_goes_on_when_records_are_deleted_behind_it(kv: &dyn Kv) {
    let mut batch = WriteBatch::new();
    for i in 0..1000_u32 {
        batch.put(i.to_be_bytes(), "x");
    }
    apply(kv, batch);
    let mut seen = 0;
    for (expected, pair) in (0..).zip(kv.scan(b"")) {
        let (key, _) = pair.expect("a store in order can be scanned");
        assert_eq!(key, u32::to_be_bytes(expected));
        if expected % 100 == 0 {
            let mut batch = WriteBatch::new();
            for i in 0..=expected {
                batch.delete(i.to_be_bytes());
            }
            apply(kv, batch);
        }
        seen += 1;
    }
    assert_eq!(seen, 1000);
    assert_eq!(count(kv), 99);
}

fn limits_are_errors_and_write_nothing(kv: &dyn Kv) {
    let whole = |batch: &mut WriteBatch| {
        for i in 0..=MAX_BATCH / MAX_VALUE {
            batch.put(i.to_be_bytes(), vec![0; MAX_VALUE]);
        }
    };
    let offenders: [&dyn Fn(&mut WriteBatch); 5] = [
        &|batch| {
            batch.put("", "empty key");
        },
        &|batch| {
            batch.put(vec![b'k'; MAX_KEY + 1], "long key");
        },
        &|batch| {
            batch.put("large value", vec![0; MAX_VALUE + 1]);
        },
        &|batch| {
            batch.delete(vec![b'k'; MAX_KEY + 1]);
        },
        &whole,
    ];
    for offend in offenders {
        let mut batch = WriteBatch::new();
        batch.put("innocent", "1");
        offend(&mut batch);
        let refused = kv.apply(batch);
        assert!(
            matches!(refused, Err(StoreError::Invalid(_))),
            "{refused:?}"
        );
        assert_eq!(all(kv, b""), [], "a refused batch writes nothing");
    }
    put(kv, b"innocent", b"1");
}

/// A batch moves all records at once; a reader must never see two generations in one page.
fn no_reader_sees_half_a_batch(kv: &dyn Kv) {
    let write = |generation: u8| {
        let mut batch = WriteBatch::new();
        for i in 0..20_u8 {
            batch.put([b'r', i], vec![generation; 1 + usize::from(i) * 500]);
        }
        apply(kv, batch);
    };
    write(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut newest = 0;
            while !done.load(Ordering::Relaxed) {
                let records = all(kv, b"r");
                let generation = records[0].1[0];
                let uniform = |(_, value): &Pair| value.iter().all(|&byte| byte == generation);
                assert!(records.len() == 20 && records.iter().all(uniform));
                assert!(generation >= newest, "time runs forward");
                newest = generation;
            }
        });
        for generation in 1..=30 {
            write(generation);
        }
        done.store(true, Ordering::Relaxed);
        reader.join().expect("no reader sees half a batch");
    });
}

fn concurrent_batches_all_arrive(kv: &dyn Kv) {
    const THREADS: u8 = 4;
    const BATCHES: u8 = 10;
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for i in 0..BATCHES {
                    let mut batch = WriteBatch::new();
                    batch
                        .put([thread, i, 0], [i])
                        .put([thread, i, 1], [i])
                        .put("contended", [thread]);
                    apply(kv, batch);
                }
            });
        }
    });
    for (thread, i) in (0..THREADS).flat_map(|t| (0..BATCHES).map(move |i| (t, i))) {
        assert_eq!(get(kv, &[thread, i, 0]), Some(vec![i]));
        assert_eq!(get(kv, &[thread, i, 1]), Some(vec![i]));
    }
    let records = usize::from(THREADS) * usize::from(BATCHES) * 2 + 1;
    assert_eq!(keys(kv, b"").len(), records);
    assert_eq!(count(kv), records);
}
