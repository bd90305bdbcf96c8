//! Speed of the embedded model on this machine, alternatives side by side in one run.
//!
//! `cargo bench --bench embedded -- MODEL.gguf [--threads N] [--server http://127.0.0.1:8080]`
//!
//! With `--server`, the same chats are scored through an OpenAI-compatible llama.cpp server (one
//! request a chat, `top_logprobs`), which should serve the same weights with as many threads.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints and may fail loudly"
)]

use shiftproof::llm::embedded::{
    ChatPrompt, ChatRole, Engine, EngineOptions, GenerationRequest, TokenSampling,
};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Instant,
};

const ROUNDS: usize = 5;
const SYSTEM: &str = "You label texts.";
const INSTRUCTION: &str = "Classify the sentiment of the text as positive or negative. Think of how the author \
    feels about what is described, not of how pleasant the subject is. Answer with one word.\n\n\
    Text: the food was cold and the waiter shrugged\nLabel: negative\n\n\
    Text: we loved every minute of it\nLabel: positive\n\n\
    Text: three weeks late, and then the wrong size\nLabel: negative\n\n\
    Text: does what it says, and quietly\nLabel: positive";

fn main() {
    let mut model = None;
    let mut options = EngineOptions::default();
    let mut server = None;
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--threads" => options.threads = args.next().unwrap().parse().unwrap(),
            "--server" => server = args.next(),
            _ => model = Some(arg),
        }
    }
    let Some(model) = model else {
        println!(
            "embedded: pass a GGUF file to measure: cargo bench --bench embedded -- MODEL.gguf"
        );
        return;
    };
    let start = Instant::now();
    let engine = Engine::load(&model, options.clone()).unwrap();
    println!(
        "{}, {} threads, loaded in {:.2} s",
        engine.name(),
        engine.threads(),
        start.elapsed().as_secs_f64()
    );
    scoring(&engine, &model, &options, server.as_deref());
    prefill(&engine);
    decoding(&engine);
}

/// 64 short reviews under one prompt.
fn chats() -> Vec<ChatPrompt> {
    let things = [
        "kettle",
        "film",
        "hotel",
        "keyboard",
        "novel",
        "tram ride",
        "jacket",
        "lamp",
    ];
    let verdicts = [
        "was fine until the second week, then it gave up",
        "surprised me: I would take it again tomorrow",
        "is loud, slow and twice the price of the old one",
        "made my week",
        "I wanted to like, but no",
        "is exactly as described, thank you",
        "arrived broken and nobody answers",
        "is the best I have had in years",
    ];
    let texts = things
        .iter()
        .flat_map(|t| verdicts.iter().map(move |v| format!("The {t} {v}.")));
    texts
        .map(|t| {
            ChatPrompt::default().with(ChatRole::System, SYSTEM).with(
                ChatRole::User,
                format!("{INSTRUCTION}\n\nText: {t}\nLabel:"),
            )
        })
        .collect()
}

/// Median of wall-clock seconds.
fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn timed(f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_secs_f64()
}

fn scoring(engine: &Engine, model: &str, options: &EngineOptions, server: Option<&str>) {
    let chats = chats();
    let labels = ["positive", "negative"].map(String::from);
    // Without a memory for prefixes, a chat scored alone shares nothing.
    let plain = Engine::load(
        model,
        EngineOptions {
            prefix_bytes: 0,
            ..options.clone()
        },
    )
    .unwrap();
    let (mut shared_s, mut plain_s, mut server_s) = (Vec::new(), Vec::new(), Vec::new());
    let mut tokens = (0, 0);
    for round in 0..ROUNDS {
        // A new engine would load again; another system message makes a prefix not seen before.
        let fresh: Vec<ChatPrompt> = chats.iter().map(|c| renew(c, round)).collect();
        shared_s.push(timed(|| {
            let scored: Vec<_> = engine
                .score(&fresh, &labels)
                .unwrap()
                .into_iter()
                .map(Result::unwrap)
                .collect();
            tokens = (
                scored.iter().map(|s| s.computed_tokens).sum(),
                scored.iter().map(|s| s.prompt_tokens).sum(),
            );
        }));
        plain_s.push(timed(|| {
            for chat in &fresh[..16] {
                plain
                    .score(std::slice::from_ref(chat), &labels)
                    .unwrap()
                    .remove(0)
                    .unwrap();
            }
        }));
        if let Some(url) = server {
            server_s.push(timed(|| {
                fresh[..16].iter().for_each(|chat| server_score(url, chat));
            }));
        }
    }
    let shared = chats.len() as f64 / median(shared_s);
    let plain = 16.0 / median(plain_s);
    println!(
        "label scoring, {} chats of {} tokens on average, median of {ROUNDS} rounds",
        chats.len(),
        tokens.1 / chats.len()
    );
    println!(
        "  shared prefix, batched  {shared:8.1} evaluations/s   ({} of {} tokens computed)",
        tokens.0, tokens.1
    );
    println!(
        "  one by one, unshared    {plain:8.1} evaluations/s   ratio {:.1}",
        shared / plain
    );
    if server.is_some() {
        let served = 16.0 / median(server_s);
        println!(
            "  server, one by one      {served:8.1} evaluations/s   ratio {:.1}",
            shared / served
        );
    }
}

/// The chat under a system message nobody has sent before.
fn renew(chat: &ChatPrompt, round: usize) -> ChatPrompt {
    let mut chat = chat.clone();
    let now = std::process::id() as usize + round;
    chat.messages[0].content = format!("Batch {now}. {SYSTEM}");
    chat
}

fn prefill(engine: &Engine) {
    let text = "The quick brown fox jumps over the lazy dog near the river bank. ".repeat(18);
    let ids = engine.encode(&text).unwrap();
    let text = engine.decode(&ids[..256.min(ids.len())]);
    let tokens = engine.encode(&text).unwrap().len();
    let seconds = median(
        (0..ROUNDS)
            .map(|_| timed(|| drop(engine.embed(&text).unwrap())))
            .collect(),
    );
    println!(
        "prefill of {tokens} tokens, one sequence: {:.0} tokens/s",
        tokens as f64 / seconds
    );
}

fn decoding(engine: &Engine) {
    let sampling = TokenSampling {
        temperature: 1.0,
        max_tokens: 32,
        ..TokenSampling::default()
    };
    let mut base = 0.0;
    for batch in [1, 8, 16] {
        let rates = (0..ROUNDS).map(|round| {
            let requests: Vec<GenerationRequest> = (0..batch)
                .map(|i| GenerationRequest {
                    chat: ChatPrompt::user("Tell a long story about the sea."),
                    seed: i + 100 * round as u64,
                })
                .collect();
            let mut tokens = 0;
            let seconds = timed(|| {
                tokens = engine
                    .generate(&requests, &sampling)
                    .unwrap()
                    .iter()
                    .map(|g| g.as_ref().unwrap().output_tokens)
                    .sum();
            });
            tokens as f64 / seconds
        });
        let rate = median(rates.collect());
        if batch == 1 {
            base = rate;
        }
        println!(
            "decoding, {batch:2} at a time: {rate:6.1} tokens/s   ratio {:.1}",
            rate / base
        );
    }
    let titles: Vec<GenerationRequest> = chats()
        .iter()
        .take(32)
        .map(|c| {
            let text = c.messages[1]
                .content
                .rsplit("Text: ")
                .next()
                .unwrap_or_default()
                .replace("\nLabel:", "");
            GenerationRequest {
                chat: ChatPrompt::user(format!("Write a title for this review.\n\n{text}"))
                    .prefill("Title:"),
                seed: 1,
            }
        })
        .collect();
    let sampling = TokenSampling {
        max_tokens: 12,
        stop: vec!["\n".into()],
        ..sampling
    };
    let seconds = timed(|| drop(engine.generate(&titles, &sampling).unwrap()));
    println!(
        "titles of up to 12 tokens: {:.1} titles/s",
        titles.len() as f64 / seconds
    );
}

/// One chat's label probabilities from a server: the top 20 of the first new token.
fn server_score(url: &str, chat: &ChatPrompt) {
    let messages: Vec<_> = chat
        .messages
        .iter()
        .map(|m| {
            let role = match m.role {
                ChatRole::System => "system",
                ChatRole::User => "user",
                ChatRole::Assistant => "assistant",
            };
            serde_json::json!({ "role": role, "content": m.content })
        })
        .collect();
    let body = serde_json::json!({
        "messages": messages, "max_tokens": 1, "temperature": 0, "logprobs": true, "top_logprobs": 20,
    })
    .to_string();
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(
        reply.contains("top_logprobs"),
        "the server gave no log-probabilities: {reply}"
    );
}
