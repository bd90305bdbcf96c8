//! Evaluations a second by 1, 2, 4 and 8 processes that share a PostgreSQL, beside as many that
//! share nothing.
//!
//! `cargo bench --bench scale`. Each process has a folder of its own, 32 calls in flight and a
//! model that answers after 50 ms; each is asked its own questions, and half of them all over
//! again by its neighbour, who finds them answered. One budget is drawn on. The server waits for
//! the disk and runs on this machine, whose cores it shares.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use shiftproof::Price;
use shiftproof::search::budget::{BudgetLimits, Meter};
use shiftproof::search::control::RunControl;
use shiftproof::search::event_log::EventLog;
use shiftproof::search::gateway::{CallOutcome, Gateway, PricedModel};
use shiftproof::search::ledger::{Ledger, SharedAnswers};
use shiftproof::search::{Capabilities, Llm, LlmError, ModelCall};
use shiftproof::tasks::{AnswerForm, Message, Reply, Request, Usage};
use shiftproof_postgres::PostgresStore;
use shiftproof_postgres::server::{Durability, TestServer};
use shiftproof_store::shared::{AmountLimits, SharedStore as _};

const LATENCY: Duration = Duration::from_millis(50);
const IN_FLIGHT: usize = 32;
/// Questions of one process that nobody has asked before.
const OWN: usize = 2_000;

struct Model {
    asked: AtomicU64,
}

#[async_trait]
impl Llm for Model {
    fn identity(&self) -> &'static str {
        "a model that answers after 50 ms"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            batch: 1,
            concurrency: IN_FLIGHT,
            ..Capabilities::default()
        }
    }

    fn estimate_tokens(&self, _: &Request) -> u64 {
        400
    }

    async fn call(&self, _: &ModelCall) -> Result<Reply, LlmError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(LATENCY).await;
        Ok(Reply {
            usage: Usage {
                prompt_tokens: 380,
                completion_tokens: 2,
                ..Usage::default()
            },
            ..Reply::text("positive")
        })
    }
}

fn questions(round: &str, process: usize) -> Vec<ModelCall> {
    let question = |number| {
        let text = format!("{round}: is text {number} of process {process} positive or negative?");
        let request = Request {
            messages: vec![Message::user(text)],
            answer: AnswerForm::Text { max_tokens: 5 },
        };
        ModelCall::greedy(request, 5)
    };
    (0..OWN).map(question).collect()
}

/// What a number of processes did.
struct Measured {
    /// Evaluations a second, all together.
    rate: f64,
    /// Processor time of an evaluation.
    cpu: Duration,
    asked: u64,
}

async fn measure(processes: usize, server: Option<&TestServer>, round: &str) -> Measured {
    let model = Arc::new(Model {
        asked: AtomicU64::new(0),
    });
    let priced = PricedModel {
        llm: model.clone(),
        price: Price::per_million(0.4, 1.6),
    };
    let folder = tempfile::tempdir().unwrap();
    let gateways: Vec<Gateway> = (0..processes)
        .map(|process| {
            let ledger = Ledger::open(&folder.path().join(process.to_string())).unwrap();
            let ledger = match server {
                Some(server) => {
                    let name = format!("process {process}");
                    let store = PostgresStore::open(&server.url("postgres"), &name).unwrap();
                    let limits = AmountLimits {
                        calls: Some(u64::from(u32::MAX)),
                        ..AmountLimits::default()
                    };
                    store.set_budget("team", limits).unwrap();
                    ledger.sharing(SharedAnswers::new(Arc::new(store), Some("team")))
                }
                None => ledger,
            };
            Gateway::new(
                Arc::new(ledger),
                EventLog::unlogged(vec![]),
                Meter::new(BudgetLimits::default()),
                RunControl::new(),
                None,
                Vec::new(),
            )
        })
        .collect();
    let (began, cpu) = (Instant::now(), cpu_time());
    let asking = gateways.into_iter().enumerate().map(|(process, gateway)| {
        let (priced, round) = (priced.clone(), round.to_owned());
        tokio::spawn(async move {
            let mut answered = 0;
            let neighbour = (process + 1) % processes;
            let own = questions(&round, process);
            let others = questions(&round, neighbour);
            for asked in [&own[..], &others[..OWN / 2]] {
                let came = gateway.ask(&priced, asked).await.unwrap();
                answered += came
                    .iter()
                    .filter(|it| matches!(it, CallOutcome::Reply(_)))
                    .count();
            }
            answered
        })
    });
    let answered: usize = futures::future::join_all(asking)
        .await
        .into_iter()
        .map(Result::unwrap)
        .sum();
    Measured {
        rate: answered as f64 / began.elapsed().as_secs_f64(),
        cpu: cpu_time().saturating_sub(cpu) / answered as u32,
        asked: model.asked.load(Ordering::Relaxed),
    }
}

/// What this process has used; the server's is not in it. Needs `/proc`.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

#[tokio::main]
async fn main() {
    let Some(server) = TestServer::start(Durability::Full) else {
        println!("NOT RUN: there is no PostgreSQL (initdb, pg_ctl, postgres) on this machine");
        return;
    };
    println!(
        "{IN_FLIGHT} calls in flight a process, {} ms each: {:.0} a second are possible for one",
        LATENCY.as_millis(),
        IN_FLIGHT as f64 / LATENCY.as_secs_f64()
    );
    println!(
        "processes  alone/s  shared/s  ratio  times one  µs alone  µs shared  asked alone, shared"
    );
    let mut one = None;
    for processes in [1, 2, 4, 8] {
        let alone = measure(processes, None, &format!("alone {processes}")).await;
        let shared = measure(processes, Some(&server), &format!("shared {processes}")).await;
        let first = *one.get_or_insert(shared.rate);
        println!(
            "{processes:9}  {:7.0}  {:8.0}  {:5.2}  {:9.2}  {:8}  {:9}  {}, {}",
            alone.rate,
            shared.rate,
            shared.rate / alone.rate,
            shared.rate / first,
            alone.cpu.as_micros(),
            shared.cpu.as_micros(),
            alone.asked,
            shared.asked
        );
    }
}
