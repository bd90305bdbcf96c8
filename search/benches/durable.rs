//! What it costs to evaluate prompts with every reply durable, beside the model itself:
//! processor time, syncs, bytes on disk, memory, and how fast stored replies come back.
//!
//! The model answers in this process, so that nothing but the way to it is measured;
//! `overhead` of the top level measures the client and HTTP. The alternatives take turns
//! and the fastest round counts. Run with `cargo bench -p shiftproof-search --bench durable`.
//! Figures need `/proc`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::iter;
use shiftproof_search::budget::{BudgetLimits, Meter, Price};
use shiftproof_search::calibrate::{Calibration, CalibrationSet};
use shiftproof_search::evaluate::PromptEvaluator;
use shiftproof_search::event::{GroupInfo, GroupRole};
use shiftproof_search::event_log::EventLog;
use shiftproof_search::gateway::{CallOutcome, Gateway, PricedModel};
use shiftproof_search::ledger::Ledger;
use shiftproof_search::llm::LlmError;
use shiftproof_search::select::{
    AllocationRule, AllocationStep, ExampleGroup, HalvingRule, LabelRole, OutcomeTable,
    PosteriorRule, RacingRule, SelectionProblem, TextKernel, TripleCr,
};
use shiftproof_search::{Capabilities, Llm, ModelCall};
use shiftproof_tasks::{
    AnswerForm, ClassifySpec, ClassifyTask, Example, Input, Label, Message, Prompt, Reply, Request,
    Usage,
};
use tokio_util::sync::CancellationToken;

const IN_FLIGHT: usize = 64;
const CALLS: usize = 10_000;
const ROUNDS: usize = 5;
const LATENCY: Duration = Duration::from_millis(20);
const STORED: usize = 2_000;
/// The argument with which this program measures its own memory.
const MEMORY: &str = "--memory-of";

fn main() {
    let mut arguments = std::env::args().skip_while(|argument| argument != MEMORY);
    if let (Some(_), Some(count)) = (arguments.next(), arguments.next()) {
        runtime().block_on(evaluate(count.parse().unwrap()));
        println!("{}", status("VmHWM"));
        return;
    }
    runtime().block_on(async {
        at_once().await;
        at_latency().await;
        from_disk().await;
    });
    memory();
    rules();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Answers everything alike after a time.
struct Model(Duration);

#[async_trait]
impl Llm for Model {
    fn identity(&self) -> &'static str {
        "http://127.0.0.1/v1 mock"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            batch: 1,
            concurrency: IN_FLIGHT,
            ..Capabilities::default()
        }
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        if self.0.is_zero() {
            // As a socket would: other tasks go on.
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(self.0).await;
        }
        let length = call.request.messages[0].content.len() as u64;
        Ok(Reply {
            usage: Usage {
                prompt_tokens: length / 4,
                completion_tokens: 1,
                ..Usage::default()
            },
            ..Reply::text("positive")
        })
    }
}

fn model(latency: Duration) -> PricedModel {
    PricedModel {
        llm: Arc::new(Model(latency)),
        price: Price::default(),
    }
}

/// A prompt of 300 words, none like another.
fn prompt(number: usize) -> String {
    let text = "Say whether the writer of the text liked what it is about. ".repeat(25);
    format!("Prompt {number}. {text}")
}

fn calls(first: usize, count: usize) -> Vec<ModelCall> {
    let instruction = prompt(0);
    let call = |number| {
        let labels = vec!["positive".to_owned(), "negative".to_owned()];
        let request = Request {
            messages: vec![Message::user(format!("{instruction}\n\nText {number}."))],
            answer: AnswerForm::Choice { labels },
        };
        ModelCall::greedy(request, 8)
    };
    (first..first + count).map(call).collect()
}

fn gateway(ledger: Ledger) -> Gateway {
    Gateway::new(
        Arc::new(ledger),
        EventLog::unlogged(Vec::new()),
        Meter::new(BudgetLimits::default()),
        CancellationToken::new(),
        None,
        Vec::new(),
    )
}

async fn ask(gateway: &Gateway, model: &PricedModel, calls: &[ModelCall]) {
    let answers = gateway.ask(model, calls).await.unwrap();
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, CallOutcome::Reply(_)))
    );
}

async fn bare(model: &PricedModel, calls: &[ModelCall]) {
    let answered = iter(calls)
        .map(|call| async move { model.llm.call(call).await.unwrap() })
        .buffer_unordered(IN_FLIGHT)
        .count()
        .await;
    assert_eq!(answered, calls.len());
}

/// Seconds of wall time and of processor time, the least of several rounds.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
}

impl Cost {
    const WORST: Self = Self {
        wall: f64::INFINITY,
        cpu: f64::INFINITY,
    };

    async fn of(work: impl Future<Output = ()>) -> Self {
        let (start, before) = (Instant::now(), cpu());
        work.await;
        Self {
            wall: start.elapsed().as_secs_f64(),
            cpu: cpu() - before,
        }
    }

    fn least(&mut self, other: Self) {
        self.wall = self.wall.min(other.wall);
        self.cpu = self.cpu.min(other.cpu);
    }
}

/// Processor seconds of all threads of this process, in steps of 10 ms.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .map(|n| n.parse::<u64>().unwrap())
        .sum();
    ticks as f64 / 100.0
}

/// A size in the process's status, in KiB.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn at_once() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(Duration::ZERO);
    let memory = gateway(Ledger::in_memory());
    let durable = gateway(Ledger::open(folder.path()).unwrap());
    let empty = bytes(folder.path());
    let mut costs = [Cost::WORST; 3];
    for round in 0..ROUNDS {
        let calls = calls(round * CALLS, CALLS);
        costs[0].least(Cost::of(bare(&model, &calls)).await);
        costs[1].least(Cost::of(ask(&memory, &model, &calls)).await);
        costs[2].least(Cost::of(ask(&durable, &model, &calls)).await);
    }
    println!("no latency, {IN_FLIGHT} in flight, least of {ROUNDS} rounds of {CALLS}");
    for (name, cost) in ["model alone", "in memory", "durable"].iter().zip(costs) {
        println!(
            "{name:<14}{:>8.2} µs wall {:>8.2} µs processor an evaluation",
            1e6 * cost.wall / CALLS as f64,
            1e6 * cost.cpu / CALLS as f64
        );
    }
    let start = Instant::now();
    drop(durable);
    println!("closing{:>15.1} ms", start.elapsed().as_secs_f64() * 1e3);
    let evaluations = (ROUNDS * CALLS) as f64;
    let stored = bytes(folder.path()) - empty;
    println!(
        "on disk{:>15.0} bytes an evaluation",
        stored as f64 / evaluations
    );
    let (groups, records) = groups(&folder.path().join("replies.journal"));
    println!(
        "journal{:>15.4} syncs an evaluation, {:.1} records a sync",
        groups as f64 / evaluations,
        records as f64 / groups as f64
    );
}

async fn at_latency() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(LATENCY);
    let durable = gateway(Ledger::open(folder.path()).unwrap());
    let mut costs = [Cost::WORST; 2];
    for round in 0..ROUNDS {
        let calls = calls(round * STORED, STORED);
        costs[0].least(Cost::of(bare(&model, &calls)).await);
        costs[1].least(Cost::of(ask(&durable, &model, &calls)).await);
    }
    drop(durable);
    let (groups, _) = groups(&folder.path().join("replies.journal"));
    println!(
        "\n{} ms latency, rounds of {STORED}: {:.3} of the model alone, {:.2} µs processor more, \
         {:.3} syncs an evaluation",
        LATENCY.as_millis(),
        costs[1].wall / costs[0].wall,
        1e6 * (costs[1].cpu - costs[0].cpu) / STORED as f64,
        groups as f64 / (ROUNDS * STORED) as f64,
    );
}

async fn from_disk() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(Duration::ZERO);
    let many = calls(0, CALLS);
    ask(
        &gateway(Ledger::open(folder.path()).unwrap()),
        &model,
        &many[..STORED],
    )
    .await;
    let mut open = Cost::WORST;
    for _ in 0..ROUNDS {
        let work = async {
            ask(
                &gateway(Ledger::open(folder.path()).unwrap()),
                &model,
                &many[..STORED],
            )
            .await;
        };
        open.least(Cost::of(work).await);
    }
    println!(
        "\nopen, {STORED} answers from disk, close: {:.1} ms",
        open.wall * 1e3
    );
    let filled = gateway(Ledger::open(folder.path()).unwrap());
    ask(&filled, &model, &many).await;
    drop(filled);
    let filled = gateway(Ledger::open(folder.path()).unwrap());
    let mut again = Cost::WORST;
    for _ in 0..ROUNDS {
        again.least(Cost::of(ask(&filled, &model, &many)).await);
    }
    println!("stored answers{:>8.0} a second", CALLS as f64 / again.wall);
}

/// Bytes of all files of a folder but the room kept for a full disk.
fn bytes(folder: &Path) -> u64 {
    let of = |entry: fs::DirEntry| {
        let path = entry.path();
        if path.is_dir() {
            bytes(&path)
        } else if path.extension().is_some_and(|ending| ending == "reserve") {
            0
        } else {
            entry.metadata().unwrap().len()
        }
    };
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| of(entry.unwrap()))
        .sum()
}

/// Groups and records of a journal: each group is one write and one sync. The layout is
/// that of `shiftproof_store::journal`.
fn groups(journal: &Path) -> (usize, usize) {
    let bytes = fs::read(journal).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let (mut at, mut groups, mut records) = (16, 0, 0);
    while at < bytes.len() {
        records += 1;
        groups += usize::from(word(at + 12) == 0);
        at += 24 + word(at + 4) as usize;
    }
    (groups, records)
}

/// Evaluates ten prompts on so many examples in all, each with a text of its own.
async fn evaluate(evaluations: usize) {
    const PROMPTS: usize = 10;
    let folder = tempfile::tempdir().unwrap();
    let (gateway, model) = (
        gateway(Ledger::open(folder.path()).unwrap()),
        model(Duration::ZERO),
    );
    let labels = ["positive", "negative"];
    let task = ClassifyTask::new("bench", ClassifySpec::new(prompt(0), "{text}", labels)).unwrap();
    let prompts: Vec<Prompt> = (0..PROMPTS)
        .map(|number| Prompt::new(prompt(number)))
        .collect();
    let example = |number: usize| -> Example {
        let text = format!("Text {number} says what its writer thought of a film. ");
        Input::new(format!("reviews.csv:{number}"), "films")
            .with_field("text", text)
            .with_label(Label::Class(labels[number % 2].to_owned()))
    };
    let examples: Vec<Example> = (0..evaluations / PROMPTS).map(example).collect();
    let groups = [GroupInfo {
        name: "films".to_owned(),
        role: GroupRole::Source,
        train: 0,
        validation: 0,
        labelled: 0,
        unlabelled: 0,
        audit: examples.len(),
    }];
    let evaluator = PromptEvaluator {
        task: &task,
        gateway: &gateway,
        model: &model,
        calibration: Calibration::None,
        groups: &groups,
        settle_on: CalibrationSet::default(),
        keep_going: false,
    };
    let evaluation = evaluator.score(&prompts, &examples).await.unwrap();
    assert!(evaluation.complete);
    assert_eq!(
        evaluation.grades.len() * evaluation.grades[0].len(),
        evaluations
    );
}

fn memory() {
    let peak = |evaluations: usize| -> u64 {
        let program = std::env::current_exe().unwrap();
        let mut child = Command::new(program);
        let output = child
            .args([MEMORY, &evaluations.to_string()])
            .output()
            .unwrap();
        String::from_utf8(output.stdout)
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    };
    let (few, many) = (10_000, 110_000);
    let more = peak(many).saturating_sub(peak(few)) as f64 / (many - few) as f64;
    println!("\nmemory at its peak{more:>8.2} KiB an evaluation more, examples included");
}

fn rules() {
    const CANDIDATES: usize = 1_000;
    const EXAMPLES: u32 = 400;
    let texts: Vec<String> = (0..CANDIDATES)
        .map(|number| format!("{} {}", prompt(number), prompt(number / 7)))
        .collect();
    let before = cpu();
    let kernel = TextKernel::of_texts(&texts).map(Arc::new);
    println!(
        "\n{CANDIDATES} candidates: likeness of texts{:>6.2} s",
        cpu() - before
    );
    let rules: [Box<dyn AllocationRule>; 4] = [
        Box::new(HalvingRule::new(1)),
        Box::new(RacingRule::new(1)),
        Box::new(TripleCr::new(1)),
        Box::new(PosteriorRule::new(1)),
    ];
    for mut rule in rules {
        let problem = SelectionProblem {
            candidates: CANDIDATES,
            groups: vec![ExampleGroup {
                name: "films".to_owned(),
                role: LabelRole::Source,
                weight: 1.0,
                examples: (0..EXAMPLES).collect(),
            }],
            kernel: rule
                .reads_texts(CANDIDATES)
                .then(|| kernel.clone())
                .flatten(),
            keep: vec![0],
            ..SelectionProblem::default()
        };
        let mut scores = OutcomeTable::new(CANDIDATES, vec![0; EXAMPLES as usize], 1);
        let (mut remaining, mut dropped, mut steps) = (20_000, Vec::new(), 0);
        let before = cpu();
        while let AllocationStep::Evaluate(asks) =
            rule.next(&problem, &scores, remaining, &mut dropped)
        {
            steps += 1;
            remaining = remaining.saturating_sub(asks.len());
            for ask in asks {
                // Better with its number, and as good as a coin on any one example.
                let coin = (ask.candidate as u64 * 7919 + u64::from(ask.example) * 104_729)
                    .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                    >> 32;
                let right = coin % 1000 < 400 + ask.candidate as u64 / 4;
                let _new = scores.push(ask.candidate, ask.example, f64::from(u8::from(right)));
            }
        }
        println!(
            "  {:<10}{steps:>5} steps{:>8.2} s",
            rule.name(),
            cpu() - before
        );
    }
}
