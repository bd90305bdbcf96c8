//! What the client costs on top of HTTP itself.
//!
//! An in-process server answers at once; a loop on bare reqwest is the measure for
//! the client alone and for the gateway of a run over it, in memory and with
//! every reply durable. Then the server takes 20 ms, and the wall time is held
//! against the ideal.
//! Run with `cargo bench --bench overhead`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::iter;
use shiftproof::llm::http::{AbilityMode, HttpConfig, HttpLlm};
use shiftproof_search::budget::{BudgetLimits, Meter, Price};
use shiftproof_search::event_log::EventLog;
use shiftproof_search::gateway::{CallOutcome, Gateway, PricedModel};
use shiftproof_search::ledger::Ledger;
use shiftproof_search::{Llm, ModelCall};
use shiftproof_tasks::{AnswerForm, Message, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const IN_FLIGHT: usize = 64;
const CALLS: usize = 10_000;
const ROUNDS: usize = 5;
const LATENCY: Duration = Duration::from_millis(20);

fn main() {
    // The server has a thread of its own, as a server elsewhere would.
    let fast = serve(Duration::ZERO);
    let slow = serve(LATENCY);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let bare = reqwest::Client::builder()
            .no_proxy()
            .tls_backend_preconfigured(tls())
            .build()
            .unwrap();
        let llm = client(fast).await;
        let folder = tempfile::tempdir().unwrap();
        let memory = gateway(Ledger::in_memory());
        let durable = gateway(Ledger::open(folder.path()).unwrap());
        let model = PricedModel {
            llm: Arc::new(llm.clone()),
            price: Price::default(),
        };
        let mut rates = [const { Vec::new() }; 4];
        // In turns, so that noise from outside hits all alike. The first round
        // opens the connections and does not count.
        for round in 0..=ROUNDS {
            let calls = calls(round * CALLS, CALLS);
            let took = [
                bare_loop(&bare, fast, &calls).await,
                our_loop(&llm, &calls).await,
                gateway_loop(&memory, &model, &calls).await,
                gateway_loop(&durable, &model, &calls).await,
            ];
            if round > 0 {
                for (rates, took) in rates.iter_mut().zip(took) {
                    rates.push(CALLS as f64 / took.as_secs_f64());
                }
            }
        }
        let names = [
            "bare reqwest",
            "HttpLlm",
            "gateway, in memory",
            "gateway, durable",
        ];
        let rates = rates.map(median);
        println!("{IN_FLIGHT} in flight, median of {ROUNDS} rounds of {CALLS} calls");
        for (name, rate) in names.iter().zip(rates) {
            let added = 1e6 / rate - 1e6 / rates[0];
            println!(
                "{name:<20}{rate:>8.0} calls/s, {:.3} of bare, {added:+.1} µs a call",
                rate / rates[0]
            );
        }

        let llm = client(slow).await;
        let model = PricedModel {
            llm: Arc::new(llm.clone()),
            price: Price::default(),
        };
        our_loop(&llm, &calls(0, IN_FLIGHT)).await;
        let waves = 100;
        let calls = calls(0, IN_FLIGHT * waves);
        let ideal = LATENCY.as_secs_f64() * waves as f64;
        println!(
            "{} calls at {} ms latency, ideal {ideal:.3} s",
            calls.len(),
            LATENCY.as_millis()
        );
        let folder = tempfile::tempdir().unwrap();
        let durable = gateway(Ledger::open(folder.path()).unwrap());
        let took = [
            our_loop(&llm, &calls).await,
            gateway_loop(&durable, &model, &calls).await,
        ];
        for (name, took) in ["HttpLlm", "gateway, durable"].iter().zip(took) {
            let took = took.as_secs_f64();
            println!("{name:<20}{took:>8.3} s, {:.3} of ideal", took / ideal);
        }
    });
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn client(address: SocketAddr) -> HttpLlm {
    let config = HttpConfig {
        concurrency: IN_FLIGHT,
        label_scores: AbilityMode::Off,
        prefill: AbilityMode::Off,
        ..HttpConfig::new(format!("http://{address}/v1"), "mock")
    };
    HttpLlm::connect(config).await.unwrap()
}

/// Calls that no two rounds share, of about 100 words each.
fn calls(first: usize, count: usize) -> Vec<ModelCall> {
    let call = |i| {
        let text = "The film was long. ".repeat(24);
        let text = format!("Classify the sentiment as positive or negative. {text} Text {i}.");
        let labels = vec!["positive".to_owned(), "negative".to_owned()];
        let request = Request {
            messages: vec![Message::user(text)],
            answer: AnswerForm::Choice { labels },
        };
        ModelCall::greedy(request, 8)
    };
    (first..first + count).map(call).collect()
}

async fn our_loop(llm: &HttpLlm, calls: &[ModelCall]) -> Duration {
    let start = Instant::now();
    let answered = iter(calls)
        .map(|call| async move { llm.call(call).await.unwrap() })
        .buffer_unordered(IN_FLIGHT)
        .count()
        .await;
    assert_eq!(answered, calls.len());
    start.elapsed()
}

fn gateway(ledger: Ledger) -> Gateway {
    let bus = EventLog::unlogged(Vec::new());
    Gateway::new(
        Arc::new(ledger),
        bus,
        Meter::new(BudgetLimits::default()),
        CancellationToken::new(),
        None,
        Vec::new(),
    )
}

async fn gateway_loop(gateway: &Gateway, model: &PricedModel, calls: &[ModelCall]) -> Duration {
    let start = Instant::now();
    let answers = gateway.ask(model, calls).await.unwrap();
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, CallOutcome::Reply(_)))
    );
    start.elapsed()
}

async fn bare_loop(client: &reqwest::Client, address: SocketAddr, calls: &[ModelCall]) -> Duration {
    let url: reqwest::Url = format!("http://{address}/v1/chat/completions")
        .parse()
        .unwrap();
    let start = Instant::now();
    let answered = iter(calls)
        .map(|call| {
            let (client, url) = (client.clone(), url.clone());
            async move {
                let body = format!(
                    r#"{{"model":"mock","messages":[{{"role":"user","content":"{}"}}],"max_tokens":8,"temperature":0.0}}"#,
                    call.request.messages[0].content
                );
                client.post(url).body(body).send().await.unwrap().bytes().await.unwrap()
            }
        })
        .buffer_unordered(IN_FLIGHT)
        .count()
        .await;
    assert_eq!(answered, calls.len());
    start.elapsed()
}

fn tls() -> rustls::ClientConfig {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

/// A server on a thread of its own that answers everything alike after `latency`.
fn serve(latency: Duration) -> SocketAddr {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                sender.send(listener.local_addr().unwrap()).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    tokio::spawn(answer(stream, latency));
                }
            });
    });
    receiver.recv().unwrap()
}

/// Answers requests until the client leaves. A client without pipelining sends
/// nothing after a body, so the length of the head and body is all there is.
async fn answer(mut stream: TcpStream, latency: Duration) -> Option<()> {
    let body = r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"positive"},"finish_reason":"stop"}],"usage":{"prompt_tokens":130,"completion_tokens":1,"total_tokens":131}}"#;
    let reply = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.set_nodelay(true).ok()?;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let mut filled = 0;
        let mut whole = None;
        while whole.is_none_or(|whole| filled < whole) {
            let read = stream
                .read(&mut buffer[filled..])
                .await
                .ok()
                .filter(|read| *read > 0)?;
            filled += read;
            whole = whole.or_else(|| length(&buffer[..filled]));
        }
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        stream.write_all(reply.as_bytes()).await.ok()?;
    }
}

/// Bytes of head and body, once the head is there.
fn length(received: &[u8]) -> Option<usize> {
    let end = received
        .windows(4)
        .position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&received[..end])
        .ok()?
        .to_ascii_lowercase();
    let (_, value) = head.split_once("content-length:")?;
    Some(end + 4 + value.lines().next()?.trim().parse::<usize>().ok()?)
}
