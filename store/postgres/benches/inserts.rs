//! Values that are durable, a second: claimed and settled in groups, beside the same rows in a
//! plain table by `INSERT` of as many rows a statement and by `COPY`.
//!
//! `cargo bench -p shiftproof-postgres --bench inserts`. All sides run in turns against one
//! server, which waits for the disk; the figure is the median of the rounds.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use shiftproof_postgres::PostgresStore;
use shiftproof_postgres::server::{Durability, TestServer};
use shiftproof_store::shared::{
    Amount, AmountLimits, Claim, ClaimRequest, ClaimResult, SharedStore as _,
};
use tokio::runtime::Runtime;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls};

/// Rows of one statement.
const GROUP: usize = 64;
/// Statements of each worker in a round.
const GROUPS: usize = 60;
const ROUNDS: usize = 5;
/// Bytes of a value: an answer with what is known of it.
const VALUE: usize = 700;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// Only `settle`, of claims that were made before.
    Settle,
    /// `claim` under a budget, and `settle`.
    ClaimAndSettle,
    Insert,
    Copy,
}

const SIDES: [Side; 4] = [Side::Settle, Side::ClaimAndSettle, Side::Insert, Side::Copy];

/// The rows of a group: keys and values that no other group has.
fn rows(round: usize, worker: usize, group: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let row = |row: usize| {
        let key = format!("{round:04}/{worker:02}/{group:06}/{row:04} a fingerprint of a call");
        // Text that compresses about as answers do.
        let value = format!("{{\"answer\": {row}, \"of\": \"{key}\"}}, ").repeat(20);
        (key.into_bytes(), value.as_bytes()[..VALUE].to_vec())
    };
    (0..GROUP).map(row).collect()
}

fn amount() -> Amount {
    Amount {
        calls: 1,
        tokens: 300,
        picodollars: 90_000_000,
    }
}

fn claim(store: &PostgresStore, rows: &[(Vec<u8>, Vec<u8>)]) {
    let request = |(key, _): &(Vec<u8>, Vec<u8>)| ClaimRequest {
        key: key.clone(),
        worst: amount(),
        replaces: false,
    };
    let requests: Vec<_> = rows.iter().map(request).collect();
    let claims = store.claim(Some("b"), &requests).unwrap();
    assert!(claims.iter().all(|claim| *claim == Claim::Granted));
}

fn settle(store: &PostgresStore, rows: Vec<(Vec<u8>, Vec<u8>)>) {
    let result = |(key, value)| ClaimResult {
        key,
        value: Some(value),
        used: amount(),
        replaces: false,
    };
    let results: Vec<_> = rows.into_iter().map(result).collect();
    assert!(store.settle(&results).unwrap().iter().all(|stored| *stored));
}

/// One client of a side.
enum Worker {
    Store(Box<PostgresStore>),
    Plain(Runtime, Box<Client>),
}

impl Worker {
    fn new(side: Side, url: &str) -> Self {
        if matches!(side, Side::Settle | Side::ClaimAndSettle) {
            return Self::Store(Box::new(PostgresStore::open(url, "worker").unwrap()));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
            tokio::spawn(connection);
            client
        });
        Self::Plain(runtime, Box::new(client))
    }

    fn prepare(&self, side: Side, groups: &[Vec<(Vec<u8>, Vec<u8>)>]) {
        if let (Self::Store(store), Side::Settle) = (self, side) {
            for rows in groups {
                claim(store, rows);
            }
        }
    }

    fn work(&self, side: Side, groups: Vec<Vec<(Vec<u8>, Vec<u8>)>>) {
        match self {
            Self::Store(store) => {
                for rows in groups {
                    if side == Side::ClaimAndSettle {
                        claim(store, &rows);
                    }
                    settle(store, rows);
                }
            }
            Self::Plain(runtime, client) => runtime.block_on(async {
                let sql = "insert into plain select * from unnest($1::bytea[], $2::bytea[], \
                           $3::bigint[])";
                let insert = client.prepare(sql).await.unwrap();
                for rows in groups {
                    if side == Side::Insert {
                        let crcs = vec![4_711_i64; rows.len()];
                        let (keys, values): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
                        client
                            .execute(&insert, &[&keys, &values, &crcs])
                            .await
                            .unwrap();
                    } else {
                        let copy = "copy plain from stdin binary";
                        let sink = client.copy_in(copy).await.unwrap();
                        let types = [Type::BYTEA, Type::BYTEA, Type::INT8];
                        let writer = BinaryCopyInWriter::new(sink, &types);
                        let mut writer = std::pin::pin!(writer);
                        for (key, value) in &rows {
                            writer
                                .as_mut()
                                .write(&[key, value, &4_711_i64])
                                .await
                                .unwrap();
                        }
                        writer.finish().await.unwrap();
                    }
                }
            }),
        }
    }
}

/// Rows a second of so many workers.
fn measure(side: Side, url: &str, round: usize, workers: usize) -> f64 {
    let (ready, go, done) = (
        Barrier::new(workers + 1),
        Barrier::new(workers + 1),
        Barrier::new(workers + 1),
    );
    thread::scope(|scope| {
        for at in 0..workers {
            let (ready, go, done) = (&ready, &go, &done);
            scope.spawn(move || {
                let worker = Worker::new(side, url);
                let groups: Vec<_> = (0..GROUPS).map(|group| rows(round, at, group)).collect();
                worker.prepare(side, &groups);
                // What is prepared once is prepared before.
                let first = rows(round, at, GROUPS);
                worker.prepare(side, std::slice::from_ref(&first));
                worker.work(side, vec![first]);
                ready.wait();
                go.wait();
                worker.work(side, groups);
                done.wait();
            });
        }
        ready.wait();
        go.wait();
        let started = Instant::now();
        done.wait();
        (workers * GROUPS * GROUP) as f64 / started.elapsed().as_secs_f64()
    })
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn main() {
    let Some(server) = TestServer::start(Durability::Full) else {
        println!("NOT RUN: this machine has no PostgreSQL");
        return;
    };
    let url = server.url("postgres");
    let store = PostgresStore::open(&url, "bench").unwrap();
    store.set_budget("b", AmountLimits::default()).unwrap();
    server.sql(
        "postgres",
        "create table plain (key bytea primary key, value bytea not null, crc bigint not null)",
    );
    println!("{GROUP} rows of {VALUE} bytes a statement, rows a second, median of {ROUNDS}:");
    println!("workers  settle  claim+settle  INSERT    COPY  settle/INSERT  settle/COPY");
    let mut round = 0;
    for workers in [1, 2, 4, 8] {
        let mut figures = SIDES.map(|_| Vec::new());
        for _ in 0..ROUNDS {
            for (side, figures) in SIDES.iter().zip(&mut figures) {
                round += 1;
                figures.push(measure(*side, &url, round, workers));
            }
        }
        let [settle, both, insert, copy] = figures.map(median);
        println!(
            "{workers:>7} {settle:>7.0} {both:>13.0} {insert:>7.0} {copy:>7.0} {:>14.2} {:>12.2}",
            settle / insert,
            settle / copy
        );
    }
}
