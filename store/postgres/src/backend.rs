//! The thread that owns a worker's connections. Callers hand it statements and wait, on whatever
//! thread they are, inside a runtime or not.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use shiftproof_store::shared::HEARTBEAT;
use shiftproof_store::{Result, StoreError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Semaphore, watch};
use tokio::time;
use tokio_postgres::Row;

use crate::error::Failure;
use crate::format;
use crate::lane::{Endpoint, Lane, Request, params};

/// How often at most a worker shows that it is there, for each [timeout](format::Opened).
const BEATS_PER_TIMEOUT: u32 = 6;
/// How long a worker that ends in order tries to say so.
const LEAVE_PATIENCE: Duration = Duration::from_secs(5);
/// How long opening waits for a server that is about to be ready.
const OPEN_PATIENCE: Duration = Duration::from_secs(10);

struct Job {
    request: Request,
    reply: mpsc::SyncSender<Result<Vec<Row>, Failure>>,
}

/// A worker's connections. Dropped, it waits until the statements under way are done.
pub(crate) struct Backend {
    jobs: Option<UnboundedSender<Job>>,
    thread: Option<thread::JoinHandle<()>>,
    heartbeat: Mutex<Option<Heartbeat>>,
    worker: i64,
}

/// Stops the signs of life of a worker.
struct Heartbeat {
    stop: watch::Sender<bool>,
    stopped: mpsc::Receiver<()>,
}

impl Backend {
    /// Opens the store, for reading only if there is no worker's name.
    pub fn open(endpoint: Endpoint, worker_name: Option<String>) -> Result<Self> {
        let (opened, wait) = mpsc::sync_channel(1);
        let (jobs, queue) = unbounded_channel();
        let (stop, stopping) = watch::channel(false);
        let (stopped, has_stopped) = mpsc::sync_channel(1);
        let run = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
            {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = opened.send(Err(no_thread(&endpoint, &error)));
                    return;
                }
            };
            runtime.block_on(async move {
                let opened_store = open(&endpoint, worker_name.as_deref()).await;
                let (lane, pulse, worker, timeout) = match opened_store {
                    Ok(ready) => ready,
                    Err(failure) => {
                        let _ = opened.send(Err(failure.explain(&endpoint.url)));
                        return;
                    }
                };
                if let Some(name) = worker_name {
                    let interval = HEARTBEAT.min(timeout / BEATS_PER_TIMEOUT);
                    let endpoint = endpoint.clone();
                    tokio::spawn(async move {
                        beat(endpoint, worker, name, interval, stopping, pulse).await;
                        let _ = stopped.send(());
                    });
                }
                let _ = opened.send(Ok(worker));
                serve(endpoint, worker, lane, queue).await;
            });
        };
        let thread = thread::Builder::new()
            .name("shared store".into())
            .spawn(run)
            .map_err(|error| StoreError::Invalid(format!("no thread for the database: {error}")))?;
        let worker = wait.recv().map_err(|_| ended())??;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
            heartbeat: Mutex::new((worker != 0).then_some(Heartbeat {
                stop,
                stopped: has_stopped,
            })),
            worker,
        })
    }

    /// The rows of a statement; waits for them.
    pub fn run(&self, request: Request) -> Result<Vec<Row>, Failure> {
        let (reply, answer) = mpsc::sync_channel(1);
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        jobs.send(Job { request, reply }).map_err(|_| ended())?;
        answer.recv().map_err(|_| ended())?
    }

    /// Shows no sign of life from now on. Whether it did before.
    pub fn stop_heartbeat(&self) -> bool {
        let mut heartbeat = self
            .heartbeat
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(heartbeat) = heartbeat.take() else {
            return false;
        };
        let _ = heartbeat.stop.send(true);
        // Not for ever: the server may be away.
        let _ = heartbeat.stopped.recv_timeout(LEAVE_PATIENCE);
        true
    }

    pub fn worker(&self) -> i64 {
        self.worker
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        if self.stop_heartbeat() {
            // Should it fail, the worker is taken for dead a little later.
            let _ = self.run(Request {
                sql: "select leave($1)",
                params: params![self.worker],
                is_operation: false,
                patience: LEAVE_PATIENCE,
            });
        }
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The first connection, that of the heartbeat, the worker's number (0 for none), and after how
/// long without a sign of life it is taken for dead.
type OpenedStore = (Lane, Lane, i64, Duration);

async fn open(endpoint: &Endpoint, worker_name: Option<&str>) -> Result<OpenedStore, Failure> {
    let started = time::Instant::now();
    loop {
        let failure = match open_once(endpoint, worker_name).await {
            Ok(opened) => return Ok(opened),
            Err(failure) => failure,
        };
        // Starting up, or another process makes the schema. Where no server answers at all, the
        // address may be wrong: that is told at once.
        let is_passing = failure.code().is_some() && failure.is_transient();
        if !is_passing || started.elapsed() > OPEN_PATIENCE {
            return Err(failure);
        }
        time::sleep(Duration::from_millis(200)).await;
    }
}

async fn open_once(endpoint: &Endpoint, worker_name: Option<&str>) -> Result<OpenedStore, Failure> {
    let mut connection = endpoint.connect().await?;
    let timeout =
        format::prepare(&mut connection.client, &endpoint.url, endpoint.read_only).await?;
    let (mut worker, mut pulse) = (0, None);
    if let Some(name) = worker_name {
        // At once: where it finds no room, nothing is begun by somebody who seems dead later.
        pulse = Some(endpoint.connect().await?);
        connection
            .client
            .execute("select forget_workers()", &[])
            .await?;
        let row = connection
            .client
            .query_one(
                "insert into worker (name) values ($1) returning id",
                &[&name],
            )
            .await?;
        worker = row.try_get(0)?;
    }
    let (first, pulse) = (Lane::new(0, Some(connection)), Lane::new(-1, pulse));
    Ok((first, pulse, worker, timeout))
}

/// Runs statements until nobody can send any, as many at a time as there may be connections. The
/// lane that was free last is taken first, so that no more connect than are needed.
async fn serve(endpoint: Endpoint, worker: i64, first: Lane, mut queue: UnboundedReceiver<Job>) {
    let count = endpoint.url.connections;
    let slots = (1..).take(count.saturating_sub(1));
    let mut lanes: Vec<_> = slots.map(|slot| Lane::new(slot, None)).collect();
    lanes.reverse();
    lanes.push(first);
    let (endpoint, idle) = (Arc::new(endpoint), Arc::new(Mutex::new(lanes)));
    let free = Arc::new(Semaphore::new(count));
    while let Some(Job { request, reply }) = queue.recv().await {
        let Ok(permit) = free.clone().acquire_owned().await else {
            break;
        };
        let lane = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // There are as many permits as lanes.
        let Some(mut lane) = lane else { break };
        let (endpoint, idle) = (endpoint.clone(), idle.clone());
        tokio::spawn(async move {
            let rows = lane.run(&endpoint, worker, &request).await;
            idle.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(lane);
            drop(permit);
            // Whoever waited may be gone.
            let _ = reply.send(rows);
        });
    }
    let _ = free.acquire_many(count as u32).await;
}

/// Shows that the worker is there, over a connection of its own, so that no long statement
/// delays it.
async fn beat(
    endpoint: Endpoint,
    worker: i64,
    name: String,
    interval: Duration,
    mut stopping: watch::Receiver<bool>,
    mut lane: Lane,
) {
    let request = Request {
        sql: "select show_life($1, $2)",
        params: params![worker, name],
        is_operation: false,
        // The next beat is a new attempt.
        patience: Duration::ZERO,
    };
    let mut pause = interval;
    while !*stopping.borrow() {
        tokio::select! {
            () = time::sleep(pause) => {}
            _ = stopping.changed() => return,
        }
        pause = match lane.run(&endpoint, worker, &request).await {
            Ok(_) => interval,
            // Back as soon as the server is.
            Err(_) => interval.min(Duration::from_secs(1)),
        };
    }
}

fn ended() -> StoreError {
    StoreError::Closed {
        path: "the shared store".into(),
        reason: "its thread has ended".into(),
    }
}

fn no_thread(endpoint: &Endpoint, error: &std::io::Error) -> StoreError {
    StoreError::Database {
        address: endpoint.url.to_string(),
        detail: format!("no runtime for its connections: {error}"),
    }
}
