//! Connections that are lost, in the middle of commits too: everything is done once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use shiftproof_postgres::PostgresStore;
use shiftproof_postgres::server::{Durability, Shutdown, TestServer};
use shiftproof_store::shared::{
    Amount, AmountLimits, Claim, ClaimRequest, ClaimResult, SharedStore as _, WorkItem, WorkState,
};
use shiftproof_store::{Kv as _, WriteBatch};

use crate::proxy::LossyProxy;
use crate::server;

const THREADS: u64 = 4;
const CUTS: usize = 60;

fn calls(calls: u64) -> Amount {
    Amount {
        calls,
        ..Amount::default()
    }
}

/// Ends all connections of clients like ours, whatever they are doing.
fn cut(server: &TestServer) {
    server.sql(
        "postgres",
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = \
         'shiftproof'",
    );
}

/// What one thread did, which must be what the database says was done.
#[derive(Default)]
struct Done {
    used: AtomicU64,
    taken: AtomicU64,
    records: AtomicU64,
    bytes: AtomicU64,
}

/// A round of everything that would show if it were done twice.
fn round(store: &PostgresStore, thread: u64, round: u64, done: &Done) {
    let keys: Vec<Vec<u8>> = (0..3)
        .map(|i| format!("{thread} {round} {i}").into_bytes())
        .collect();
    let request = |key: &Vec<u8>| ClaimRequest {
        key: key.clone(),
        worst: calls(2),
        replaces: false,
    };
    let requests: Vec<_> = keys.iter().map(request).collect();
    let claims = store.claim(Some("b"), &requests).unwrap();
    assert_eq!(claims, vec![Claim::Granted; 3]);
    assert!(store.extend(&keys[0], calls(5)).unwrap());
    let result = |key: &Vec<u8>| ClaimResult {
        key: key.clone(),
        // The last of them fails.
        value: (*key != keys[2]).then(|| key.clone()),
        used: calls(1),
        replaces: false,
    };
    let results: Vec<_> = keys.iter().map(result).collect();
    assert_eq!(store.settle(&results).unwrap(), [true, true, false]);
    done.used.fetch_add(3, Ordering::Relaxed);

    if let Some(item) = store.take_work("q").unwrap() {
        assert!(store.end_work("q", &item.id, Ok(b"done")).unwrap());
        done.taken.fetch_add(1, Ordering::Relaxed);
    }
    let mut batch = WriteBatch::new();
    batch.put(format!("{thread} {round}"), "x").put("same", "y");
    batch.delete(format!("{thread} {}", round.wrapping_sub(2)));
    store.apply(batch).unwrap();
    if round < 2 {
        done.records.fetch_add(1, Ordering::Relaxed);
    }
    let name = thread.to_string();
    store
        .write_file("folder", &name, round * 4, &(round as u32).to_be_bytes())
        .unwrap();
    done.bytes.fetch_add(4, Ordering::Relaxed);
}

#[test]
fn lost_connections_do_nothing_twice() {
    let Some(server) = server(Durability::ProcessesOnly) else {
        return;
    };
    let proxy = LossyProxy::start(server.port(), 25);
    let own = format!(":{}/", server.port());
    let lossy = server
        .url("postgres")
        .replace(&own, &format!(":{}/", proxy.port()));
    // Opening may meet it, too.
    let store = (0..20).find_map(|_| PostgresStore::open(&lossy, "worker").ok());
    let store = store.unwrap();
    store.set_budget("b", AmountLimits::default()).unwrap();
    let item = |i: u32| WorkItem {
        id: i.to_string(),
        payload: Vec::new(),
    };
    let items: Vec<_> = (0..20_000).map(item).collect();
    store.add_work("q", &items).unwrap();

    let (done, over) = (Done::default(), AtomicBool::new(false));
    let work = |thread: u64| {
        let mut rounds = 0;
        // On a busy machine one of them may hardly come to its turn.
        while rounds < 5 || !over.load(Ordering::Relaxed) {
            round(&store, thread, rounds, &done);
            rounds += 1;
        }
        rounds
    };
    let rounds: Vec<u64> = thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..THREADS)
            .map(|at| scope.spawn(move || work(at)))
            .collect();
        for i in 0..CUTS {
            thread::sleep(Duration::from_millis(10 + (i as u64 * 37) % 60));
            if i % 20 == 19 {
                let how = if i % 40 == 19 {
                    Shutdown::Immediate
                } else {
                    Shutdown::Fast
                };
                server.stop(how).unwrap();
                server.start_again().unwrap();
            } else {
                cut(&server);
            }
        }
        over.store(true, Ordering::Relaxed);
        let ends = threads.into_iter().map(thread::ScopedJoinHandle::join);
        ends.map(Result::unwrap).collect()
    });

    assert!(rounds.iter().all(|rounds| *rounds > 4), "{rounds:?}");
    assert!(proxy.lost() > 50, "{} answers were lost", proxy.lost());
    // A long answer would never come through the proxy.
    let worker = store;
    let store = PostgresStore::open(&server.url("postgres"), "reader").unwrap();
    let budget = store.budget("b").unwrap().unwrap();
    assert_eq!(budget.used, calls(done.used.into_inner()));
    assert_eq!((budget.reserved, budget.lost), (calls(0), calls(0)));
    let mut states = BTreeMap::new();
    for status in store.work("q").unwrap() {
        let is_done = matches!(status.state, WorkState::Done(_));
        assert!(is_done || status.state == WorkState::Waiting, "{status:?}");
        assert_eq!(status.attempts, u32::from(is_done), "{status:?}");
        *states.entry(is_done).or_insert(0) += 1;
    }
    assert_eq!(states.get(&true).copied(), Some(done.taken.into_inner()));
    // Of each thread the last two records are left, and one is everybody's.
    assert_eq!(store.count().unwrap(), THREADS * 2 + 1);
    assert_eq!(store.scan(b"").count() as u64, THREADS * 2 + 1);
    assert_eq!(done.records.into_inner(), THREADS * 2);
    let files = store.files("folder").unwrap();
    let len: u64 = files.iter().map(|file| file.len).sum();
    assert_eq!(len, done.bytes.into_inner());
    for (thread, rounds) in rounds.iter().enumerate() {
        let bytes = store.read_file("folder", &thread.to_string(), 0).unwrap();
        let expected: Vec<u8> = (0..*rounds as u32).flat_map(u32::to_be_bytes).collect();
        assert_eq!(bytes, Some(expected));
    }
    drop((store, worker));
    let count = |table: &str| server.sql("postgres", &format!("select count(*) from {table}"));
    for table in ["claim", "operation", "budget_share"] {
        let left = count(&format!("shiftproof.{table}"));
        assert_eq!(left, "0", "who ends in order is forgotten: {table}");
    }
    let used = server.sql("postgres", "select used_calls from shiftproof.budget");
    assert_eq!(used, budget.used.calls.to_string(), "what was used is not");
}

/// A server that is away for a moment is waited for.
#[test]
fn workers_outlast_restarts() {
    let Some(server) = server(Durability::ProcessesOnly) else {
        return;
    };
    let store = PostgresStore::open(&server.url("postgres"), "worker").unwrap();
    server.stop(Shutdown::Fast).unwrap();
    thread::scope(|scope| {
        let offer = scope.spawn(|| store.offer_values(&[(b"k".to_vec(), b"v".to_vec())]));
        thread::sleep(Duration::from_millis(700));
        assert!(!offer.is_finished(), "it waits");
        server.start_again().unwrap();
        offer.join().unwrap().unwrap();
    });
    assert_eq!(
        store.values(&[b"k".to_vec()]).unwrap(),
        [Some(b"v".to_vec())]
    );
}

/// Dropped in order, a worker leaves nothing behind. What it had not settled may have been sent.
#[test]
fn dropped_workers_free_what_they_held() {
    let Some(server) = server(Durability::ProcessesOnly) else {
        return;
    };
    let url = server.url("postgres");
    let (one, other) = (
        PostgresStore::open(&url, "one").unwrap(),
        PostgresStore::open(&url, "other").unwrap(),
    );
    one.set_budget("b", AmountLimits::default()).unwrap();
    let request = ClaimRequest {
        key: b"k".to_vec(),
        worst: calls(3),
        replaces: false,
    };
    one.claim(Some("b"), std::slice::from_ref(&request))
        .unwrap();
    let item = WorkItem {
        id: "item".into(),
        payload: b"do".to_vec(),
    };
    one.add_work("q", &[item]).unwrap();
    assert!(one.take_work("q").unwrap().is_some());
    assert_eq!(one.lock("name").unwrap(), Ok(()));
    assert_eq!(other.lock("name").unwrap(), Err("one".into()));
    drop(one);
    let budget = other.budget("b").unwrap().unwrap();
    assert_eq!((budget.reserved, budget.lost), (calls(0), calls(3)));
    assert_eq!(other.work("q").unwrap()[0].attempts, 0);
    assert_eq!(other.lock("name").unwrap(), Ok(()));
    assert_eq!(other.claim(None, &[request]).unwrap(), [Claim::Granted]);
    let names: Vec<String> = other
        .workers()
        .unwrap()
        .into_iter()
        .map(|it| it.name)
        .collect();
    assert_eq!(names, ["other"]);
}
