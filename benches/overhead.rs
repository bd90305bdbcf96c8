//! What the client costs on top of HTTP itself.
//!
//! An in-process server answers at once; a loop on bare reqwest is the measure.
//! Then the server takes 20 ms, and the wall time is held against the ideal.
//! Run with `cargo bench --bench overhead`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::iter;
use shiftproof::llm::http::{HttpConfig, HttpLlm, Mode};
use shiftproof_search::{Call, Llm};
use shiftproof_tasks::{AnswerForm, Message, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const IN_FLIGHT: usize = 64;
const CALLS: usize = 20_000;
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
        let llm = client(fast).await;
        let (mut bare, mut ours) = (Vec::new(), Vec::new());
        // In turns, so that noise from outside hits both alike.
        for round in 0..=ROUNDS {
            let (b, o) = (
                per_second(bare_loop(fast, CALLS).await),
                per_second(our_loop(&llm, CALLS).await),
            );
            // The first round opens the connections.
            if round > 0 {
                bare.push(b);
                ours.push(o);
            }
        }
        let (bare, ours) = (median(bare), median(ours));
        println!("{IN_FLIGHT} in flight, median of {ROUNDS} rounds of {CALLS} calls");
        println!("bare reqwest      {bare:>9.0} calls/s");
        println!(
            "HttpLlm           {ours:>9.0} calls/s   {:.3} of bare",
            ours / bare
        );
        println!("added per call    {:>9.1} µs", 1e6 / ours - 1e6 / bare);

        let llm = client(slow).await;
        our_loop(&llm, IN_FLIGHT).await;
        let waves = 100;
        let took = our_loop(&llm, IN_FLIGHT * waves).await.as_secs_f64();
        let ideal = LATENCY.as_secs_f64() * waves as f64;
        println!(
            "at {} ms latency  {took:>9.3} s for {} calls, ideal {ideal:.3} s: {:.3} of ideal",
            LATENCY.as_millis(),
            IN_FLIGHT * waves,
            took / ideal
        );
    });
}

fn per_second(took: Duration) -> f64 {
    CALLS as f64 / took.as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn client(address: SocketAddr) -> HttpLlm {
    let config = HttpConfig {
        concurrency: IN_FLIGHT,
        label_scores: Mode::Off,
        prefill: Mode::Off,
        ..HttpConfig::new(format!("http://{address}/v1"), "mock")
    };
    HttpLlm::connect(config).await.unwrap()
}

/// A prompt of about 100 words.
fn prompt(i: usize) -> String {
    format!(
        "Classify the sentiment as positive or negative. {} Text {i}.",
        "The film was long. ".repeat(24)
    )
}

async fn our_loop(llm: &HttpLlm, calls: usize) -> Duration {
    let start = Instant::now();
    let answered = iter(0..calls)
        .map(|i| async move {
            let labels = vec!["positive".to_owned(), "negative".to_owned()];
            let request = Request {
                messages: vec![Message::user(prompt(i))],
                answer: AnswerForm::Choice { labels },
            };
            llm.call(&Call::greedy(request, 8)).await.unwrap()
        })
        .buffer_unordered(IN_FLIGHT)
        .count()
        .await;
    assert_eq!(answered, calls);
    start.elapsed()
}

async fn bare_loop(address: SocketAddr, calls: usize) -> Duration {
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_backend_preconfigured(tls())
        .build()
        .unwrap();
    let url: reqwest::Url = format!("http://{address}/v1/chat/completions")
        .parse()
        .unwrap();
    let start = Instant::now();
    let answered = iter(0..calls)
        .map(|i| {
            let (client, url) = (client.clone(), url.clone());
            async move {
                let body = format!(
                    r#"{{"model":"mock","messages":[{{"role":"user","content":"{}"}}],"max_tokens":8,"temperature":0.0}}"#,
                    prompt(i)
                );
                client.post(url).body(body).send().await.unwrap().bytes().await.unwrap()
            }
        })
        .buffer_unordered(IN_FLIGHT)
        .count()
        .await;
    assert_eq!(answered, calls);
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
