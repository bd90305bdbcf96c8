//! A server that fails three times in ten, in every way, 64 calls in flight: it never
//! sees more than the limit says, and no failure is a score. Its errors and answers
//! repeat the key, and hold what steers a terminal.

use std::time::Duration;

use serde_json::Value;

use super::{Draw, RUN, SLOTS, amount, desk};
use crate::support::mock_server::{Act, MockServer, Seen};
use crate::support::program::{Desk, model};

/// The key of the study.
pub const CANARY: &str = "sk-canary-5b1e77d2";

/// A fault of one of many kinds.
fn fault(draw: &mut Draw) -> Act {
    let said = format!("{CANARY} \u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}");
    match draw.below(16) {
        0 => Act::error(503, "overloaded", &said),
        1 => Act::error(500, "server_error", &said),
        2 => Act::hang_up(),
        3 => Act::error(429, "rate_limit_exceeded", &said).header("retry-after-ms", "1"),
        4 => Act::raw(200, r#"{"choices": []}"#),
        5 => Act::error(502, "bad_gateway", &format!("{}{CANARY}", "y".repeat(290))),
        6 => Act::text("positive").cut_at(20),
        7 => Act::raw(200, format!("{{\"choices\": [oops {CANARY}")),
        8 => Act::error(408, "timeout", &said),
        9 => Act::html(200),
        10 => Act::error(400, "invalid_request_error", &said),
        11 => Act::raw(
            200,
            b"{\"choices\": [{\"message\": {\"content\": \"pos\xff\\ud800itive\"}}]}".to_vec(),
        ),
        12 => Act::raw(
            200,
            r#"{"choices": [{"message": {"content": "positive"}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 18446744073709551615, "completion_tokens": 18446744073709551615}}"#,
        ),
        13 => Act::raw(200, r#"{"choices": [{}]}"#),
        14 => Act::text(&format!("The key is {CANARY}.")),
        _ => Act::text(&said),
    }
}

fn faulty(seed: u64, seen: &Seen) -> Act {
    let mut draw = Draw::of(seed ^ (seen.nth as u64).wrapping_mul(0x9e37_79b9));
    if seen.nth > 6 && draw.chance(30) {
        fault(&mut draw)
    } else {
        model(seen)
    }
    .after(Duration::from_millis(draw.below(8)))
}

/// Every file below a folder.
pub fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// The key is in no file of the desk, nor where it was cut.
#[track_caller]
fn no_key(desk: &Desk, told: &str) {
    for path in files(&desk.path("")) {
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(9).any(|window| window == b"sk-canary");
        assert!(!found, "{}: {told}", path.display());
    }
}

async fn run_among_faults(seed: u64) {
    let mut draw = Draw::of(seed);
    let limit = 120 + draw.below(300);
    let server = MockServer::start(move |seen| faulty(seed, seen)).await;
    let desk = desk(&server, SLOTS, Some(limit));
    desk.edit_study(
        "concurrency = ",
        "api_key_env = \"CANARY_KEY\", max_retries = 3, concurrency = ",
    );
    let args: &[&str] = &["optimize", "--keep-going", "-o", "out.html", "-o", "out.md"];
    let mut command = desk.command(args);
    command.env("CANARY_KEY", CANARY);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let shown = [output.stdout, output.stderr].concat();
    let shown = String::from_utf8(shown).unwrap();
    let code = output.status.code();
    let told = format!("seed {seed}, limit {limit}, exit {code:?}: {shown}");
    let seen = server.calls() as u64;
    assert!(seen <= limit, "the server saw {seen}; {told}");
    // 0, or a reason: budget, provider, unusable answers. A run that ended without
    // measuring what it selected has a report, and its reason is no error.
    let reason = match code {
        Some(0) => "",
        Some(3) if shown.contains("Spent ") => "the budget ran out before a decision",
        Some(6) if shown.contains("Spent ") => "not one answer of the audit can be used",
        Some(3 | 4 | 6) => "error: ",
        _ => panic!("{told}"),
    };
    assert!(shown.contains(reason), "{told}");
    assert!(
        !shown.contains("sk-canary") && !shown.contains("panicked"),
        "{told}"
    );
    assert!(
        !shown
            .chars()
            .any(|c| c != '\n' && c != '\t' && c.is_control()),
        "{told}"
    );
    no_key(&desk, &told);
    let report = desk.path(".shiftproof/runs").join(RUN).join("report.json");
    if let Ok(report) = std::fs::read_to_string(report) {
        let report: Value = serde_json::from_str(&report).unwrap();
        let calls = |key: &str| report[key]["calls"].as_u64().unwrap_or(0);
        assert!(
            calls("spent") + calls("unanswered") >= seen,
            "{report:#} {told}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_exceed_leak_and_score_nothing() {
    let draw = Draw::new();
    let runs = amount("SHIFTPROOF_FAULTY_RUNS", 6);
    for trial in 0..runs {
        run_among_faults(draw.trial(trial).seed).await;
    }
    println!("{runs} runs among faults");
}
