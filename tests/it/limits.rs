//! The limits as the server counts, and what a run leaves, whatever happens to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use serde_json::Value;

use crate::support::mock_server::{Act, MockServer, Seen};
use crate::support::program::{Desk, model};

const RUN: &str = ".shiftproof/runs/mock-s1-1";

fn desk(server: &MockServer, concurrency: usize, limit: u64) -> Desk {
    let desk = Desk::new();
    desk.edit_study(
        "name = \"mock\"",
        &format!(
            "name = \"mock\"\nmodel = {{ name = \"openai:mock\", base_url = \"{}\", \
             concurrency = {concurrency}, label_scores = \"off\", prefill = \"off\" }}\n\
             budget = {{ calls = {limit} }}",
            server.base_url()
        ),
    );
    desk
}

fn report(desk: &Desk) -> Value {
    serde_json::from_str(&desk.read(format!("{RUN}/report.json"))).unwrap()
}

/// Requests that the report admits.
fn told(report: &Value) -> u64 {
    let calls = |key: &str| report[key]["calls"].as_u64().unwrap_or(0);
    calls("spent") + calls("unanswered")
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_never_exceed_the_limit() {
    const LIMIT: u64 = 150;
    let mut draw = 7_u64;
    let mut kills = 0;
    for _ in 0..8 {
        let server = MockServer::start(|seen| model(seen).after(Duration::from_millis(30))).await;
        let desk = desk(&server, 16, LIMIT);
        for _ in 0..7 {
            let resumes = desk
                .path(".shiftproof/runs/mock-s1-1/events.jsonl")
                .exists();
            let args: &[&str] = if resumes {
                &["optimize", "--quiet", "--resume"]
            } else {
                &["optimize", "--quiet"]
            };
            let mut child = desk.start(args);
            // A run that is killed before it has begun is not the one that goes on.
            let log = desk.path(".shiftproof/runs/mock-s1-1/events.jsonl");
            while !log.exists() && child.try_wait().unwrap().is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            tokio::time::sleep(Duration::from_millis(30 + (draw >> 33) % 270)).await;
            if child.try_wait().unwrap().is_none() {
                kills += 1;
                child.kill().unwrap();
            }
            child.wait().unwrap();
        }
        let ended = desk
            .run(&["optimize", "--quiet", "--resume", "mock-s1-1"])
            .await;
        assert!([Some(0), Some(3)].contains(&ended.code), "{ended:?}");
        let seen = server.asked() as u64;
        assert!(seen <= LIMIT, "the server saw {seen} of {LIMIT}");
        if ended.code == Some(3) {
            // The kills left too little for a result; there is nothing to report.
            continue;
        }
        assert!(
            told(&report(&desk)) >= seen,
            "the report is too low for {seen}"
        );
        assert_eq!(desk.read(".shiftproof/gate.jsonl").lines().count(), 1);
    }
    assert!(kills >= 10, "{kills} kills");
}

/// A run that is killed as soon as there is anything of it goes on by its name.
#[tokio::test(flavor = "multi_thread")]
async fn earliest_kill_leaves_a_run() {
    let server = MockServer::start(|seen| model(seen).after(Duration::from_millis(30))).await;
    let desk = desk(&server, 8, 150);
    let mut child = desk.start(&["optimize", "--quiet"]);
    let folder = desk.path(".shiftproof/runs/mock-s1-1");
    while !folder.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let listed = desk.run(&["runs"]).await;
    assert!(listed.out.contains("mock-s1-1"), "{listed:?}");
    let ended = desk
        .run(&["optimize", "--quiet", "--resume", "mock-s1-1"])
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// Three answers in ten are of no use, each in another way.
fn faulty(seen: &Seen) -> Act {
    let faults = [
        Act::error(503, "overloaded", "try later"),
        Act::error(500, "server_error", "something broke"),
        Act::hang_up(),
        Act::error(429, "rate_limit_exceeded", "slow down").header("retry-after-ms", "1"),
        Act::raw(200, r#"{"choices": []}"#),
        Act::error(502, "bad_gateway", "no answer from upstream"),
        model(seen).cut_at(20),
        Act::raw(200, "{\"choices\": [oops"),
        Act::error(408, "timeout", "too slow"),
        Act::html(200),
    ];
    match seen.nth {
        nth if nth > 3 && nth % 10 < 3 => faults[(nth / 10 + nth % 10) % faults.len()].clone(),
        _ => model(seen),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_never_exceed_the_limit() {
    const LIMIT: u64 = 160;
    let server = MockServer::start(faulty).await;
    let desk = desk(&server, 32, LIMIT);
    let ended = desk.run(&["optimize", "--quiet"]).await;
    assert!([Some(0), Some(3)].contains(&ended.code), "{ended:?}");
    let seen = server.calls() as u64;
    assert!(seen <= LIMIT, "the server saw {seen} of {LIMIT}");
    let report = report(&desk);
    assert_eq!(told(&report), seen, "{report:#}");
    let lost = report["unanswered"]["calls"].as_u64().unwrap();
    assert!(lost > 20, "{lost}");
    assert!(ended.out.contains("brought no answer"), "{}", ended.out);
    // Executed again from what is stored, it takes the same course.
    let text = desk.read(format!("{RUN}/report.txt"));
    std::fs::remove_file(desk.path(RUN).join("events.jsonl")).unwrap();
    let again = desk
        .run(&["optimize", "--quiet", "--resume", "mock-s1-1"])
        .await;
    assert_eq!(again.code, ended.code, "{again:?}");
    assert_eq!(server.calls() as u64, seen);
    assert_eq!(desk.read(format!("{RUN}/report.txt")), text);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_logs_are_told_anew() {
    let server = MockServer::start(model).await;
    let desk = desk(&server, 8, 200);
    let first = desk.run(&["optimize", "--quiet"]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    let calls = server.calls();
    let path = desk.path(RUN).join("events.jsonl");
    let whole = desk.read(format!("{RUN}/events.jsonl"));
    let lines: Vec<&str> = whole.lines().collect();
    let cut = lines[..lines.len() / 2].join("\n") + "\n";
    let score = whole.rfind("\"value\":0.").unwrap() + "\"value\":0.".len();
    let mut flipped = whole.clone().into_bytes();
    flipped[score] = if flipped[score] == b'1' { b'2' } else { b'1' };
    let damages: [(Option<&[u8]>, &str); 4] = [
        (Some(cut.as_bytes()), "events of a finished run"),
        (Some(&flipped), "the line is damaged"),
        (Some(b""), "0 of the"),
        (None, "is lost"),
    ];
    for (log, problem) in damages {
        match log {
            Some(log) => std::fs::write(&path, log).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        for args in [
            ["report", "mock-s1-1"].as_slice(),
            &["runs", "show", "mock-s1-1"],
        ] {
            let ended = desk.run(args).await;
            ended.expect(5, &[problem, "optimize --resume mock-s1-1"]);
            assert_eq!(ended.out, "");
        }
        let again = desk
            .run(&["optimize", "--quiet", "--resume", "mock-s1-1"])
            .await;
        again.expect(0, &["lost or damaged"]);
        assert_eq!(again.out, first.out, "{problem}");
        assert_eq!(server.calls(), calls, "nothing is asked again");
        assert_eq!(desk.read(".shiftproof/gate.jsonl").lines().count(), 1);
        desk.run(&["report", "mock-s1-1"]).await.expect(0, &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mended_server_is_asked_again() {
    let mended = Arc::new(AtomicBool::new(false));
    let server = {
        let mended = mended.clone();
        MockServer::start(move |seen| {
            if mended.load(SeqCst) || seen.prompt().starts_with("Repeat this word") {
                model(seen)
            } else {
                Act::error(400, "invalid_request_error", "no chat template is set")
            }
        })
        .await
    };
    let desk = desk(&server, 8, 400);
    // Prompts to look at without a proposer that answers.
    desk.edit_study("[search]\n", "[search]\nmethod = \"edits\"\n");
    let ended = desk.run(&["optimize", "--quiet"]).await;
    ended.expect(6, &["no chat template is set"]);
    mended.store(true, SeqCst);
    let ended = desk.run(&["optimize", "--quiet", "--resume"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.out.contains("could not be had"), "{}", ended.out);
}
