//! A chat-completions server on raw TCP that can misbehave.
//!
//! One closure answers every request with an [`Act`]; being called in order of
//! arrival with the [`Seen`] request, it can script storms, recoveries and lies.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Requests before this one.
    pub nth: usize,
    /// Earlier requests with the same body.
    pub repeat: usize,
    /// Method and path with query.
    pub line: String,
    /// Header names in lower case.
    pub headers: HashMap<String, String>,
    /// `null` if the body is no JSON.
    pub body: Value,
    /// The body as text.
    pub text: String,
    /// When it had arrived.
    pub at: Instant,
}

impl Seen {
    /// Whether it asks for a new prompt, in one of the forms that a proposer is
    /// spoken to.
    pub fn asks_for_prompt(&self) -> bool {
        let text = self.prompt();
        [
            "Write that instruction",
            "Write the prompt for this task",
            "Write that prompt anew",
            "Write one new prompt",
            "Make a new prompt out of",
            "Merge prompt 1 and prompt 2",
            "Say this prompt anew",
            "Propose a prompt with which",
        ]
        .iter()
        .any(|words| text.contains(words))
    }

    /// The last user message.
    pub fn prompt(&self) -> &str {
        let messages = self.body["messages"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        let user = messages
            .iter()
            .rev()
            .find(|message| message["role"] == "user");
        user.and_then(|message| message["content"].as_str())
            .unwrap_or_default()
    }

    /// Whether log-probabilities are asked for.
    pub fn wants_logprobs(&self) -> bool {
        self.body["logprobs"] == true
    }
}

/// What the server does with one request.
#[derive(Debug, Clone)]
pub struct Act {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    latency: Duration,
    manner: Manner,
    /// The usage is to tell of the prompt that was sent.
    counts: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    Whole,
    /// Announces the whole body, sends this many bytes, closes.
    CutAt(usize),
    /// One byte per interval.
    Slow(Duration),
    /// Reads, and never writes.
    Silent,
    /// Closes at once.
    HangUp,
}

impl Act {
    /// Any status with any body.
    pub fn raw(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self {
            status,
            headers: Vec::new(),
            body,
            latency: Duration::ZERO,
            manner: Manner::Whole,
            counts: false,
        }
    }

    /// Any status with a JSON body.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::raw(status, body.to_string())
    }

    /// The body that is sent.
    pub fn body(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A complete answer with this text, usage of one token per word and at least
    /// ten of the prompt.
    pub fn text(text: &str) -> Self {
        Self {
            counts: true,
            ..Self::json(200, &completion(text, 10))
        }
    }

    /// With the usage of a server that has read all of a longer prompt.
    pub fn having_read(mut self, seen: &Seen) -> Self {
        let messages = seen.body["messages"].as_array();
        let words: usize = messages
            .into_iter()
            .flatten()
            .filter_map(|message| message["content"].as_str())
            .map(|content| content.split_whitespace().count())
            .sum();
        if self.counts && words > 60 {
            let mut body = self.body();
            body["usage"]["prompt_tokens"] = words.into();
            self.body = body.to_string().into_bytes();
        }
        self
    }

    /// An answer whose tokens carry alternatives: per token `(text, probability)`
    /// pairs, the generated one first.
    pub fn scored(tokens: &[&[(&str, f64)]]) -> Self {
        let text: String = tokens.iter().map(|top| top[0].0).collect();
        let position = |top: &&[(&str, f64)]| {
            let alternatives: Vec<Value> = top
                .iter()
                .map(|(token, p)| json!({"token": token, "bytes": token.as_bytes(), "logprob": p.ln()}))
                .collect();
            let mut position = alternatives[0].clone();
            position["top_logprobs"] = alternatives.into();
            position
        };
        let mut body = completion(&text, 10);
        body["choices"][0]["logprobs"] =
            json!({"content": tokens.iter().map(position).collect::<Vec<_>>()});
        Self::json(200, &body)
    }

    /// `status` with an error body as `OpenAI` writes it.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(
            status,
            &json!({"error": {"message": message, "type": code, "code": code}}),
        )
    }

    /// A web page.
    pub fn html(status: u16) -> Self {
        Self::raw(status, "<!doctype html><html><body>Welcome</body></html>")
            .header("content-type", "text/html")
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// After a delay.
    #[must_use]
    pub fn after(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Closing in the middle of the body.
    #[must_use]
    pub fn cut_at(mut self, bytes: usize) -> Self {
        self.manner = Manner::CutAt(bytes);
        self
    }

    /// Dripping one byte per `interval`.
    #[must_use]
    pub fn slowly(mut self, interval: Duration) -> Self {
        self.manner = Manner::Slow(interval);
        self
    }

    /// Never answering.
    pub fn silence() -> Self {
        Self {
            manner: Manner::Silent,
            ..Self::raw(200, "")
        }
    }

    /// Closing the connection instead of answering.
    pub fn hang_up() -> Self {
        Self {
            manner: Manner::HangUp,
            ..Self::raw(200, "")
        }
    }
}

/// A chat completion with this text and this many prompt tokens.
pub fn completion(text: &str, prompt_tokens: u64) -> Value {
    json!({
        "id": "c", "object": "chat.completion", "model": "mock",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": text.split_whitespace().count()},
    })
}

/// Whether a client asks on its own behalf what the model is like.
fn is_probe(seen: &Seen) -> bool {
    seen.prompt().starts_with("Repeat this word") && !seen.wants_logprobs()
}

/// Answers the probes of a client as a server that can do everything.
pub fn capable(seen: &Seen) -> Option<Act> {
    if seen.prompt().starts_with("Repeat this word") {
        return Some(Act::scored(&[&[("banana", 0.95), ("lem", 0.04)]]));
    }
    seen.prompt()
        .starts_with("Count from one")
        .then(|| Act::text(" five, six"))
}

type Script = dyn Fn(&Seen) -> Act + Send + Sync;

/// The server; stops when dropped.
pub struct MockServer {
    address: std::net::SocketAddr,
    shared: Arc<Shared>,
    accepting: tokio::task::JoinHandle<()>,
}

struct Shared {
    script: Box<Script>,
    seen: Mutex<Vec<Seen>>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

impl MockServer {
    /// Starts on a free port of the loopback.
    pub async fn start(script: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            seen: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
        });
        let served = shared.clone();
        let accepting = tokio::spawn(async move {
            // Connections end with the set, and the set with this task.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let served = served.clone();
                connections.spawn(async move {
                    let _ = serve(stream, &served).await;
                });
            }
        });
        Self {
            address,
            shared,
            accepting,
        }
    }

    /// Starts a server that answers requests in turn, the last act for ever.
    pub async fn in_turn(acts: impl Into<Vec<Act>>) -> Self {
        let acts = acts.into();
        Self::start(move |seen| acts[seen.nth.min(acts.len() - 1)].clone()).await
    }

    /// `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `http://127.0.0.1:PORT/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Requests so far.
    pub fn calls(&self) -> usize {
        self.shared.seen.lock().unwrap().len()
    }

    /// Requests so far but for the question that a client asks when it connects.
    pub fn asked(&self) -> usize {
        let all = self.shared.seen.lock().unwrap();
        all.iter().filter(|seen| !is_probe(seen)).count()
    }

    /// [`calls`](Self::calls) for another task.
    pub fn counter(&self) -> impl Fn() -> usize + Send + use<> {
        let shared = self.shared.clone();
        move || shared.seen.lock().unwrap().len()
    }

    /// Requests so far, in order.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// How often each distinct body came, a client's own question aside.
    pub fn calls_per_body(&self) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for seen in self.requests().into_iter().filter(|seen| !is_probe(seen)) {
            *counts.entry(seen.body.to_string()).or_default() += 1;
        }
        counts
    }

    /// Requests that were being answered at the same time, at most.
    pub fn most_in_flight(&self) -> usize {
        self.shared.most_in_flight.load(SeqCst)
    }
}

impl Drop for MockServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    while let Some((head, body)) = read_request(&mut stream, &mut buffer).await? {
        let seen = {
            let mut all = shared.seen.lock().unwrap();
            let text = String::from_utf8_lossy(&body).into_owned();
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let mut seen = parse_head(
                &head,
                all.len(),
                all.iter().filter(|s| s.body == body).count(),
                body,
            );
            seen.text = text;
            all.push(seen.clone());
            seen
        };
        let now = shared.in_flight.fetch_add(1, SeqCst) + 1;
        shared.most_in_flight.fetch_max(now, SeqCst);
        let act = (shared.script)(&seen).having_read(&seen);
        sleep(act.latency).await;
        if act.manner == Manner::Silent {
            std::future::pending::<()>().await;
        }
        shared.in_flight.fetch_sub(1, SeqCst);
        if !write_answer(&mut stream, &act).await? {
            break;
        }
    }
    Ok(())
}

/// Whether the connection stays open.
async fn write_answer(stream: &mut TcpStream, act: &Act) -> std::io::Result<bool> {
    if act.manner == Manner::HangUp {
        return Ok(false);
    }
    let mut answer = format!(
        "HTTP/1.1 {} Mock\r\ncontent-length: {}\r\n",
        act.status,
        act.body.len()
    );
    for (name, value) in &act.headers {
        write!(answer, "{name}: {value}\r\n").unwrap();
    }
    answer.push_str("\r\n");
    let mut bytes = answer.into_bytes();
    match act.manner {
        Manner::CutAt(at) => {
            bytes.extend_from_slice(&act.body[..at.min(act.body.len())]);
            stream.write_all(&bytes).await?;
            stream.shutdown().await?;
            return Ok(false);
        }
        Manner::Slow(interval) => {
            stream.write_all(&bytes).await?;
            for byte in &act.body {
                sleep(interval).await;
                stream.write_all(&[*byte]).await?;
            }
        }
        _ => {
            bytes.extend_from_slice(&act.body);
            stream.write_all(&bytes).await?;
        }
    }
    Ok(true)
}

/// Head and body of the next request; `None` when the client has left.
async fn read_request(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
) -> std::io::Result<Option<(String, Vec<u8>)>> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, value)| value.trim().parse().ok())
                .unwrap_or(0);
            let start = end + 4;
            if buffer.len() >= start + length {
                let body = buffer[start..start + length].to_vec();
                buffer.drain(..start + length);
                return Ok(Some((head, body)));
            }
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

fn parse_head(head: &str, nth: usize, repeat: usize, body: Value) -> Seen {
    let mut lines = head.lines();
    let line = lines
        .next()
        .unwrap_or_default()
        .trim_end_matches(" HTTP/1.1")
        .to_owned();
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Seen {
        nth,
        repeat,
        line,
        headers,
        body,
        text: String::new(),
        at: Instant::now(),
    }
}
