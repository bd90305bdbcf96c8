//! Models as they are: one that thinks before it answers, one that explains, one
//! that refuses, one that answers in prose. No score is made of nothing, little is
//! spent on it, and the user reads what was said and what to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use serde_json::json;

use crate::support::mock_server::{Act, MockServer, Seen, completion};
use crate::support::program::{Desk, Ended};

fn desk(server: &MockServer) -> Desk {
    let desk = Desk::new();
    desk.edit_study(
        "name = \"mock\"",
        &format!(
            "name = \"mock\"\nmodel = {{ name = \"openai:mock\", base_url = \"{}\", \
             label_scores = \"off\", prefill = \"off\", max_retries = 0 }}",
            server.base_url()
        ),
    );
    desk
}

/// Completion tokens that the request allows.
fn room(seen: &Seen) -> u64 {
    let keys = ["max_tokens", "max_completion_tokens"];
    let of = |key: &str| seen.body[key].as_u64();
    keys.into_iter().find_map(of).unwrap_or(u64::MAX)
}

/// The number at the end of the text that is asked about.
fn number(seen: &Seen) -> u64 {
    let last = seen.prompt().split_whitespace().next_back();
    last.and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// The right answer but for every eighth text: 7 of 8 are right.
fn label(seen: &Seen) -> &'static str {
    let number = number(seen);
    let right = number % 8 != 3;
    if number.is_multiple_of(2) == right {
        "positive"
    } else {
        "negative"
    }
}

fn proposes(seen: &Seen) -> Option<Act> {
    let words = ["kind", "sober", "plain", "exact"];
    let draw = usize::from(blake3::hash(seen.body.to_string().as_bytes()).as_bytes()[0]);
    seen.asks_for_prompt().then(|| {
        let word = words[draw % words.len()];
        Act::text(&format!(
            "Say in a {word} way if the text is positive or negative."
        ))
    })
}

/// A text that ends for want of room.
fn cut_off(text: &str) -> Act {
    let mut body = completion(text, 10);
    body["choices"][0]["finish_reason"] = "length".into();
    Act::json(200, &body)
}

/// A model that thinks for so many tokens, apart from what it says.
fn thinks(seen: &Seen, tokens: u64) -> Act {
    if room(seen) <= tokens {
        return cut_off("");
    }
    let mut body = completion(label(seen), 10);
    body["choices"][0]["message"]["reasoning_content"] = json!("The text says that …");
    Act::json(200, &body)
}

async fn eval(desk: &Desk, args: &[&str]) -> Ended {
    let args: Vec<&str> = ["eval", "--audit", "--quiet"]
        .iter()
        .chain(args)
        .copied()
        .collect();
    desk.run(&args).await
}

#[track_caller]
fn shows(ended: &Ended, pieces: &[&str]) {
    for piece in pieces {
        assert!(
            ended.out.contains(piece),
            "{piece:?} is not in: {}",
            ended.out
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reasoning_model_keeps_its_score() {
    let server = MockServer::start(|seen| thinks(seen, 1500)).await;
    let desk = desk(&server);
    let ended = eval(&desk, &[]).await;
    ended.expect(0, &[]);
    // Of 32 sealed examples each eighth number is wrong, wherever it fell.
    shows(&ended, &["books", "films", "32 sent to a model"]);
    assert!(!ended.out.contains("truncated"), "{}", ended.out);
    let wrong = |group: &str| {
        let line = ended
            .out
            .lines()
            .find(|line| line.trim_start().starts_with(group));
        let score: f64 = line
            .unwrap()
            .split_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        score > 60.0
    };
    assert!(wrong("books") && wrong("films"), "{}", ended.out);
    // The client found at once that the model thinks first: one call an answer.
    let again = eval(&desk, &[]).await;
    shows(&again, &["0 sent to a model, 32 answered from the store"]);
    let doctor = desk.run(&["doctor", "study.toml"]).await;
    doctor.expect(0, &[]);
    shows(&doctor, &["ok    answer    books"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_reasoning_stops_early() {
    let server = MockServer::start(|seen| thinks(seen, 1_000_000)).await;
    let desk = desk(&server);
    let ended = eval(&desk, &[]).await;
    let told = [
        "20 of the first 20 answers cannot be used: 20 truncated",
        "no text within 34,816 tokens",
        "model.max_tokens",
        "--keep-going",
    ];
    ended.expect(6, &told);
    let calls = server.asked();
    assert!(calls <= 45, "{calls}");
    let on = eval(&desk, &["--keep-going"]).await;
    on.expect(6, &["not one answer can be used"]);
    shows(&on, &["undefined", "16 truncated"]);
    let doctor = desk.run(&["doctor", "study.toml"]).await;
    doctor.expect(6, &[]);
    shows(
        &doctor,
        &["FAIL  answer", "truncated: no text", "model.max_tokens"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn explained_answer_is_read() {
    let server = MockServer::start(|seen| {
        let reasons = "The writer tells of the text in a steady tone. ".repeat(8);
        let whole = format!("{reasons}Answer: {}", label(seen));
        let words: Vec<&str> = whole.split(' ').collect();
        match room(seen) {
            most if (most as usize) < words.len() => cut_off(&words[..most as usize].join(" ")),
            _ => Act::text(&whole),
        }
    })
    .await;
    let ended = eval(&desk(&server), &[]).await;
    ended.expect(0, &[]);
    // Room enough at once: every answer took one call.
    shows(&ended, &["32 sent to a model"]);
    assert!(!ended.out.contains("unparseable"), "{}", ended.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn prose_stops_early() {
    let server = MockServer::start(|seen| {
        proposes(seen).unwrap_or_else(|| Act::text("It is hard to tell what they felt."))
    })
    .await;
    let desk = desk(&server);
    let ended = eval(&desk, &[]).await;
    ended.expect(
        6,
        &[
            "20 unparseable",
            "\"It is hard to tell what they felt.\"",
            "task.labels",
        ],
    );
    assert_eq!(server.asked(), 20);
    let doctor = desk.run(&["doctor", "study.toml"]).await;
    doctor.expect(6, &[]);
    shows(&doctor, &["FAIL  answer", "unparseable: \"It is hard"]);
    let run = desk.run(&["optimize", "--quiet"]).await;
    run.expect(6, &["unparseable", "--keep-going --resume mock-s1-1"]);
    assert!(!run.err.contains("budget"), "{}", run.err);
    let runs = desk.run(&["runs"]).await;
    shows(&runs, &["cannot be used"]);
    // Whoever insists gets a run with its numbers, and is told.
    let on = desk
        .run(&["optimize", "--quiet", "--keep-going", "--resume"])
        .await;
    assert_eq!(on.code, Some(0), "{on:?}");
    shows(
        &on,
        &["could not be read and count as wrong", "It is hard to tell"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refusal_quotes_server_reason() {
    let server = MockServer::start(|_| {
        Act::error(
            400,
            "invalid_request_error",
            "system prompts of this kind are not supported",
        )
    })
    .await;
    let desk = desk(&server);
    let reason = "system prompts of this kind are not supported";
    let ended = eval(&desk, &[]).await;
    ended.expect(6, &["20 failed", reason, "--retry-failed"]);
    let gate = desk
        .run(&["gate", "--quiet", "-c", "Positive or negative?"])
        .await;
    gate.expect(6, &["failed", reason]);
    let kept = desk
        .run(&[
            "gate",
            "--quiet",
            "--keep-going",
            "-c",
            "Positive or negative?",
        ])
        .await;
    kept.expect(6, &[reason, "no decision"]);
    let doctor = desk.run(&["doctor", "study.toml"]).await;
    doctor.expect(6, &[]);
    shows(&doctor, &["FAIL  answer", reason]);
    let run = desk.run(&["optimize", "--quiet"]).await;
    assert!(!run.err.contains("budget"), "{}", run.err);
    assert!(![Some(0), Some(3)].contains(&run.code), "{run:?}");
}

/// A server whose context is too small for some inputs until it is mended.
async fn small() -> (MockServer, Arc<AtomicBool>) {
    let mended = Arc::new(AtomicBool::new(false));
    let server = {
        let mended = mended.clone();
        MockServer::start(move |seen| {
            if let Some(act) = proposes(seen) {
                return act;
            }
            if number(seen) % 10 == 7 && !mended.load(SeqCst) {
                return Act::error(400, "exceed_context_size_error", "the context is too small");
            }
            Act::text(label(seen))
        })
        .await
    };
    (server, mended)
}

fn failed(ended: &Ended) -> bool {
    ended.out.contains(" failed")
}

#[tokio::test(flavor = "multi_thread")]
async fn recovered_server_is_asked_again() {
    let (server, mended) = small().await;
    let desk = desk(&server);
    let first = eval(&desk, &[]).await;
    first.expect(
        0,
        &[
            "the context is too small",
            "--retry-failed",
            "count in no score",
        ],
    );
    assert!(failed(&first), "{}", first.out);
    shows(&first, &["failed      "]);
    mended.store(true, SeqCst);
    let calls = server.asked();
    let without = eval(&desk, &[]).await;
    assert!(failed(&without) && server.asked() == calls, "{without:?}");
    let json = eval(&desk, &["--json"]).await;
    let table: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    let refused = table["prompts"][0]["unusable"]["faults"][0]["count"]
        .as_u64()
        .unwrap();
    assert!(refused > 0);
    let again = eval(&desk, &["--retry-failed"]).await;
    again.expect(0, &[]);
    assert!(!failed(&again), "{}", again.out);
    assert_eq!((server.asked() - calls) as u64, refused);
    // What was answered is kept.
    let last = eval(&desk, &["--retry-failed"]).await;
    assert!(!failed(&last));
    assert_eq!((server.asked() - calls) as u64, refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn retried_run_starts_new_log() {
    let (server, mended) = small().await;
    let desk = desk(&server);
    let first = desk.run(&["optimize", "--quiet"]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    shows(
        &first,
        &[
            "could not be had",
            "the context is too small",
            "--retry-failed",
        ],
    );
    let folder = ".shiftproof/runs/mock-s1-1";
    let before = desk.read(format!("{folder}/events.jsonl"));
    assert!(before.contains("\"type\":\"unusable\""));
    for ending in ["md", "html", "json"] {
        let file = format!("report.{ending}");
        let args = ["report", "mock-s1-1", "-o", &file];
        desk.run(&args).await.expect(0, &[]);
        assert!(
            desk.read(&file).contains("the context is too small"),
            "{ending}"
        );
    }
    mended.store(true, SeqCst);
    let bodies = server.calls_per_body().len();
    let again = desk
        .run(&[
            "optimize",
            "--quiet",
            "--retry-failed",
            "--resume",
            "mock-s1-1",
        ])
        .await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(!again.out.contains("could not be had"), "{}", again.out);
    assert_eq!(
        desk.read(format!("{folder}/events.before-retry-1.jsonl")),
        before
    );
    // Only what was refused came twice.
    let counts = server.calls_per_body();
    let twice: Vec<usize> = counts.into_values().filter(|&times| times > 1).collect();
    assert!(twice.iter().all(|&times| times == 2), "{twice:?}");
    assert!(twice.len() <= bodies / 8, "{} of {bodies}", twice.len());
    // The run is whole: its log tells what the report shows.
    let shown = desk.run(&["runs", "show", "mock-s1-1"]).await;
    assert!(again.out.contains(&shown.out), "{}", shown.out);
}
