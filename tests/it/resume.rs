//! Killed anywhere, a run goes on as if nothing had happened.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use crate::support::mock_server::{Act, MockServer};
use crate::support::program::{Desk, model};

const CONCURRENCY: usize = 4;

fn server_in(desk: &Desk, server: &MockServer) {
    desk.edit_study(
        "name = \"mock\"",
        &format!(
            "name = \"mock\"\nmodel = {{ name = \"openai:mock\", base_url = \"{}\", \
             concurrency = {CONCURRENCY}, label_scores = \"off\", prefill = \"off\" }}",
            server.base_url()
        ),
    );
}

/// Everything of a run that must not depend on kills: all but what they cost.
fn results(desk: &Desk) -> (String, serde_json::Value, Vec<serde_json::Value>) {
    let folder = ".shiftproof/runs/mock-s1-1";
    let without_cost = |mut value: serde_json::Value| {
        value
            .as_object_mut()
            .expect("an object")
            .remove("unanswered");
        value
    };
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let log = desk.read(format!("{folder}/events.jsonl"));
    let events = log
        .lines()
        .map(|line| without_cost(parsed(line)["event"].clone()))
        .collect();
    let report = desk.read(format!("{folder}/report.txt"));
    let lines = report
        .lines()
        .filter(|line| !line.starts_with("Beside these"));
    (
        lines.collect::<Vec<_>>().join("\n"),
        without_cost(parsed(&desk.read(format!("{folder}/report.json")))),
        events,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_change_nothing() {
    // Slow enough that kills fall everywhere in the run.
    let server = MockServer::start(|seen| model(seen).after(Duration::from_millis(25))).await;
    let calm = Desk::new();
    server_in(&calm, &server);
    let ended = calm.run(&["optimize", "--quiet"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let needed = server.asked();

    let desk = Desk::new();
    server_in(&desk, &server);
    let mut kills = 0;
    let mut wait = 40;
    while kills < 24 {
        let known = desk.path(".shiftproof/runs/mock-s1-1").exists();
        let args: &[&str] = if known {
            &["optimize", "--quiet", "--resume"]
        } else {
            &["optimize", "--quiet"]
        };
        let mut child = desk.start(args);
        // A run that was killed before it has a folder is begun anew, as another run.
        while !desk.path(".shiftproof/runs/mock-s1-1").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Uneven waits, so that kills do not fall into step with the run.
        tokio::time::sleep(Duration::from_millis(wait)).await;
        wait = 40 + (wait * 7 + 13) % 160;
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    assert!(
        kills >= 20,
        "the run ended after {kills} kills: slow the server down"
    );
    let ended = desk.run(&["optimize", "--quiet", "--resume"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");

    assert_eq!(results(&desk), results(&calm));
    let extra = server.asked() - 2 * needed;
    assert!(
        extra <= kills * 2 * CONCURRENCY,
        "{extra} calls were made again after {kills} kills with {CONCURRENCY} in flight and as \
         many being written"
    );
    // A finished run is not run again.
    let before = server.asked();
    let ended = desk.run(&["optimize", "--resume", "mock-s1-1"]).await;
    ended.expect(0, &["is finished"]);
    assert_eq!(server.asked(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn second_run_pays_nothing() {
    let (desk, server) = (Desk::new(), MockServer::start(model).await);
    server_in(&desk, &server);
    let first = desk.run(&["optimize", "--quiet"]).await;
    let calls = server.asked();
    let second = desk.run(&["optimize", "--quiet"]).await;
    assert_eq!((first.code, second.code), (Some(0), Some(0)), "{second:?}");
    assert_eq!(first.out, second.out);
    assert_eq!(server.asked(), calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn outage_loses_nothing() {
    let outage = Arc::new(AtomicBool::new(false));
    let server = {
        let outage = outage.clone();
        MockServer::start(move |seen| {
            if outage.load(SeqCst) {
                Act::error(503, "overloaded", "try later")
            } else {
                model(seen)
            }
        })
        .await
    };
    let calm = Desk::new();
    server_in(&calm, &server);
    assert_eq!(calm.run(&["optimize", "--quiet"]).await.code, Some(0));
    let needed = server.asked();

    let desk = Desk::new();
    server_in(&desk, &server);
    desk.edit_study("concurrency", "max_retries = 0, concurrency");
    let watch = {
        let (outage, server_calls) = (outage.clone(), server.counter());
        tokio::spawn(async move {
            while server_calls() < needed + 100 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            outage.store(true, SeqCst);
        })
    };
    let ended = desk.run(&["optimize", "--quiet"]).await;
    watch.await.unwrap();
    ended.expect(4, &["did not answer", "--resume mock-s1-1"]);
    let failed = server.asked();
    outage.store(false, SeqCst);
    let ended = desk.run(&["optimize", "--quiet", "--resume"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(results(&desk), results(&calm));
    // What the outage refused is asked again, nothing else.
    assert!(
        server.asked() - failed < needed,
        "the run was paid for again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn named_resume_needs_no_study() {
    let count = Arc::new(AtomicUsize::new(0));
    let server = {
        let count = count.clone();
        MockServer::start(move |seen| {
            if count.fetch_add(1, SeqCst) == 60 {
                Act::error(503, "overloaded", "try later")
            } else {
                model(seen)
            }
        })
        .await
    };
    let desk = Desk::new();
    server_in(&desk, &server);
    desk.edit_study("concurrency", "max_retries = 0, concurrency");
    let ended = desk.run(&["optimize", "--quiet"]).await;
    ended.expect(4, &["shiftproof optimize --resume mock-s1-1"]);
    let listed = desk.run(&["runs"]).await;
    listed.expect(0, &[]);
    let hint = "shiftproof optimize --resume mock-s1-1";
    assert!(listed.out.contains(hint), "{listed:?}");
    // What was printed is all that is needed.
    std::fs::rename(desk.path("study.toml"), desk.path("moved.toml")).unwrap();
    let ended = desk
        .run(&["optimize", "--quiet", "--resume", "mock-s1-1"])
        .await;
    ended.expect(0, &[]);
    assert!(ended.out.contains("Selected prompt"), "{ended:?}");
}
