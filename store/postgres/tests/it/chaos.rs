//! Workers that are killed and a server that crashes, at any moment: what was acknowledged is
//! there, no budget is exceeded, and no key stays with the dead.
//!
//! The workers are this same test binary, run again for the ignored test `child_works`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use shiftproof_postgres::PostgresStore;
use shiftproof_postgres::server::{Durability, Shutdown, TestServer};
use shiftproof_store::shared::{
    Amount, AmountLimits, Claim, ClaimRequest, ClaimResult, SharedStore as _,
};

use crate::server;

const URL: &str = "SHIFTPROOF_POSTGRES_TEST_URL";
const NAME: &str = "SHIFTPROOF_POSTGRES_TEST_NAME";
const WORKERS: usize = 8;
/// Keys of the budget that has room for all, and of the one that is used up.
const KEYS: u64 = 20_000;
/// A worker is taken for dead soon, or the dead would hardly be met.
const WORKER_TIMEOUT: &str = "2 seconds";
const TIGHT: u64 = 600;

fn one_call() -> Amount {
    Amount {
        calls: 1,
        tokens: 100,
        picodollars: 1_000_000,
    }
}

fn request(budget: &str, key: u64) -> ClaimRequest {
    ClaimRequest {
        key: format!("{budget} {key:06}").into_bytes(),
        worst: one_call(),
        replaces: false,
    }
}

#[test]
#[ignore = "a child process of the tests below"]
fn child_works() {
    let (Ok(url), Ok(name)) = (std::env::var(URL), std::env::var(NAME)) else {
        return;
    };
    let mut draws = StdRng::seed_from_u64(name.bytes().fold(7, |seed, byte| {
        seed.wrapping_mul(31).wrapping_add(u64::from(byte))
    }));
    // The server may be down just now.
    let store = loop {
        match PostgresStore::open(&url, &name) {
            Ok(store) => break store,
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    };
    for round in 0_u64.. {
        let budget = if draws.random_bool(0.5) {
            "ample"
        } else {
            "tight"
        };
        let first = draws.random_range(0..KEYS);
        let count = draws.random_range(1..8);
        let requests: Vec<_> = (first..first + count)
            .map(|key| request(budget, key))
            .collect();
        let claims = store.claim(Some(budget), &requests).unwrap();
        thread::sleep(Duration::from_millis(draws.random_range(0..30)));
        let granted = requests
            .into_iter()
            .zip(claims)
            .filter(|(_, claim)| *claim == Claim::Granted);
        let results: Vec<_> = granted
            .map(|(request, _)| ClaimResult {
                value: Some(format!("{name} in {round}").into_bytes()),
                key: request.key,
                used: one_call(),
                replaces: false,
            })
            .collect();
        let stored = store.settle(&results).unwrap();
        let mut out = std::io::stdout().lock();
        for (result, is_stored) in results.iter().zip(stored) {
            if is_stored {
                let key = String::from_utf8_lossy(&result.key);
                writeln!(out, "\n@{key}={name} in {round}").unwrap();
            }
        }
        out.flush().unwrap();
    }
}

/// What workers said is stored: key and value.
type Told = Arc<Mutex<BTreeMap<String, String>>>;

/// Starts a worker, and listens to it.
fn start(url: &str, name: &str, told: &Told) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "chaos::child_works"])
        .env(URL, url)
        .env(NAME, name)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let told = told.clone();
    thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            // The last line of one that was killed may be cut off.
            let Some((key, value)) = line.strip_prefix('@').and_then(|line| line.split_once('='))
            else {
                continue;
            };
            let before = told
                .lock()
                .unwrap()
                .insert(key.to_owned(), value.to_owned());
            assert!(
                before.is_none(),
                "{key} was told twice: {before:?} and {value}"
            );
        }
    });
    child
}

/// Kills workers and stops the server, `events` times in all. Returns how many of each.
fn attack(server: &TestServer, told: &Told, events: u64, draws: &mut StdRng) -> (u64, u64) {
    let url = server.url("postgres");
    let mut workers: Vec<Child> = (0..WORKERS)
        .map(|i| start(&url, &format!("first {i}"), told))
        .collect();
    let (mut kills, mut stops) = (0, 0);
    for event in 0..events {
        thread::sleep(Duration::from_millis(draws.random_range(20..400)));
        // The first of five is the server.
        if event % 5 == 2 {
            let crashes = draws.random_bool(0.7);
            let how = if crashes {
                Shutdown::Immediate
            } else {
                Shutdown::Fast
            };
            server.stop(how).unwrap();
            thread::sleep(Duration::from_millis(draws.random_range(0..300)));
            server.start_again().unwrap();
            stops += 1;
        } else {
            let at = draws.random_range(0..WORKERS);
            workers[at].kill().unwrap();
            workers[at].wait().unwrap();
            workers[at] = start(&url, &format!("worker {event}"), told);
            kills += 1;
        }
    }
    // Time for the last to open and to do something.
    thread::sleep(Duration::from_millis(500));
    for worker in &mut workers {
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
    (kills, stops)
}

/// Looks at the budgets all the time. Returns how often.
fn observe(store: &PostgresStore, over: &AtomicBool) -> u64 {
    let mut looks = 0;
    while !over.load(Ordering::Relaxed) {
        for (name, budget) in store.budgets().unwrap() {
            assert!(budget.limits.allow(budget.total()), "{name}: {budget:?}");
        }
        looks += 1;
        thread::sleep(Duration::from_millis(3));
    }
    looks
}

fn kills_and_crashes_lose_nothing(events: u64, durability: Durability, seed: u64) {
    let Some(server) = server(durability) else {
        return;
    };
    let store = PostgresStore::open(&server.url("postgres"), "observer").unwrap();
    server.sql(
        "postgres",
        &format!("update shiftproof.format set worker_timeout = '{WORKER_TIMEOUT}'"),
    );
    store.set_budget("ample", AmountLimits::default()).unwrap();
    let limits = AmountLimits {
        calls: Some(TIGHT),
        ..AmountLimits::default()
    };
    store.set_budget("tight", limits).unwrap();
    let (told, over) = (Told::default(), AtomicBool::new(false));
    let looks = AtomicU64::new(0);
    let (kills, stops) = thread::scope(|scope| {
        scope.spawn(|| looks.store(observe(&store, &over), Ordering::Relaxed));
        let attacked = attack(&server, &told, events, &mut StdRng::seed_from_u64(seed));
        over.store(true, Ordering::Relaxed);
        attacked
    });
    // What the last of them wrote into their pipes.
    thread::sleep(Duration::from_millis(300));
    let told = std::mem::take(&mut *told.lock().unwrap());
    check_told(&store, &told);
    check_free(&store, &server);
    let tight = store.budget("tight").unwrap().unwrap();
    let ample = store.budget("ample").unwrap().unwrap();
    eprintln!(
        "{kills} kills and {stops} stops of the server: {} values acknowledged, all there; \
         {looks:?} looks at the budgets, none exceeded; tight {tight:?}; ample used {}, lost {}",
        told.len(),
        ample.used,
        ample.lost
    );
}

/// What was acknowledged is there, and no other value.
fn check_told(store: &PostgresStore, told: &BTreeMap<String, String>) {
    assert!(told.len() > 50, "{} values", told.len());
    let keys: Vec<Vec<u8>> = told.keys().map(|key| key.clone().into_bytes()).collect();
    for ((key, value), stored) in told.iter().zip(store.values(&keys).unwrap()) {
        assert_eq!(stored.as_deref(), Some(value.as_bytes()), "{key}");
    }
}

/// Whatever the dead were working out falls to the living, and every call that was granted was
/// used or is lost: none twice.
fn check_free(store: &PostgresStore, server: &TestServer) {
    let held = server.sql("postgres", "select count(*) from shiftproof.claim");
    store.set_budget("rest", AmountLimits::default()).unwrap();
    let started = Instant::now();
    let mut open: Vec<_> = ["ample", "tight"]
        .iter()
        .flat_map(|budget| (0..KEYS + 8).map(move |key| request(budget, key)))
        .collect();
    let (mut worked_out, mut stored) = (0, 0);
    while !open.is_empty() {
        assert!(
            started.elapsed() < Duration::from_mins(1),
            "{} are held",
            open.len()
        );
        let mut still_open = Vec::new();
        for requests in open.chunks(1000) {
            let claims = store.claim(Some("rest"), requests).unwrap();
            let mut results = Vec::new();
            for (request, claim) in requests.iter().zip(claims) {
                match claim {
                    Claim::Granted => results.push(ClaimResult {
                        key: request.key.clone(),
                        value: Some(b"rest".to_vec()),
                        used: one_call(),
                        replaces: false,
                    }),
                    Claim::Stored(_) => stored += 1,
                    // Of a worker that was killed just now.
                    Claim::Held => still_open.push(request.clone()),
                    Claim::OverBudget => panic!("a budget without limits is full"),
                }
            }
            worked_out += results.len() as u64;
            assert!(store.settle(&results).unwrap().iter().all(|stored| *stored));
        }
        open = still_open;
        thread::sleep(Duration::from_millis(100));
    }
    let total = |name: &str| store.budget(name).unwrap().unwrap();
    assert_eq!(total("rest").used.calls, worked_out);
    let (tight, ample) = (total("tight"), total("ample"));
    let (used, lost) = (tight.used + ample.used, tight.lost + ample.lost);
    assert_eq!((tight.reserved + ample.reserved).calls, 0, "of the dead");
    assert!(lost.calls > 0, "{held} claims were of the dead");
    // A value whose worker had been taken for dead is stored though its call counts as lost.
    assert!(
        used.calls <= stored && stored <= (used + lost).calls,
        "{used}, {lost}, {stored}"
    );
}

#[test]
fn fifteen_kills_and_crashes_lose_nothing() {
    kills_and_crashes_lose_nothing(15, Durability::Full, 1);
}

/// The long form: `cargo test -p shiftproof-postgres --test it -- --ignored --nocapture two_hundred`.
#[test]
#[ignore = "takes two minutes"]
fn two_hundred_kills_and_crashes_lose_nothing() {
    let seed = std::env::var("SHIFTPROOF_CHAOS_SEED").ok();
    let seed = seed.and_then(|seed| seed.parse().ok()).unwrap_or(2);
    kills_and_crashes_lose_nothing(240, Durability::Full, seed);
}
