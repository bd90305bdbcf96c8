//! Whether there is anything to gain, before a search and in it.

use std::collections::HashMap;

use serde_json::Value;

use crate::support::mock_server::{Act, MockServer, Seen};
use crate::support::program::{Desk, model};

/// Right about the share of texts that `rightly` gives the prompt, the same ones each time.
fn server_of(rightly: fn(&str) -> u64) -> impl Fn(&Seen) -> Act + Send + Sync {
    move |seen: &Seen| {
        let text = seen.prompt();
        let number = text.rsplit(' ').next().and_then(|n| n.parse::<u64>().ok());
        let Some(number) = number.filter(|_| !seen.asks_for_prompt()) else {
            return model(seen);
        };
        let even = number.is_multiple_of(2);
        // Scattered over the numbers, even and odd alike.
        let right = (number / 2 * 7) % 10 < rightly(text);
        Act::text(if even == right {
            "positive"
        } else {
            "negative"
        })
    }
}

async fn desk(script: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> (MockServer, Desk) {
    let server = MockServer::start(script).await;
    let desk = Desk::new();
    let url = server.base_url();
    desk.edit_study(
        "name = \"mock\"",
        &format!(
            "name = \"mock\"\nmodel = {{ name = \"openai:mock\", base_url = \"{url}\", \
             max_retries = 1, price = {{ prompt = 1.0, completion = 2.0 }} }}"
        ),
    );
    (server, desk)
}

/// Requests about data, by their body.
fn asked(server: &MockServer) -> HashMap<String, usize> {
    let mut times = HashMap::new();
    for seen in server.requests() {
        if seen.prompt().contains(" text number ") && !seen.asks_for_prompt() {
            *times.entry(seen.text.clone()).or_default() += 1;
        }
    }
    times
}

#[tokio::test(flavor = "multi_thread")]
async fn probe_is_told_paid_once_and_reused() {
    // The generic prompts that ask for one word are right; the others as the seed.
    let (server, desk) = desk(server_of(
        |text| {
            if text.contains("one word") { 10 } else { 3 }
        },
    ))
    .await;
    let plain = desk.run(&["estimate", "study.toml"]).await;
    plain.expect(0, &[]);
    assert_eq!(server.calls(), 0);

    let probe = desk.run(&["estimate", "study.toml", "--probe=12"]).await;
    probe.expect(
        0,
        &[
            "probe: 6 prompts on 12 source examples, at most 72 calls, about",
            "$0.",
        ],
    );
    for piece in [
        "Headroom on the source, from 72 answers: the seed prompt has",
        "The best of 5 generic prompts, \"Classify the text as positive or negative.",
        "has 100% [76, 100] of 12",
        "take that first, it needs no search",
        "Not known: what holds on the targets",
        "a run of this study takes them from the store",
    ] {
        assert!(
            probe.out.contains(piece),
            "{piece:?} is not in {}",
            probe.out
        );
    }
    assert_eq!(asked(&server).len(), 72);

    // Again: everything is there.
    let again = desk
        .run(&["estimate", "study.toml", "--probe=12", "--json"])
        .await;
    again.expect(0, &[]);
    let found: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(found["probe"]["sent"], 0);
    assert_eq!(found["probe"]["verdict"], "generic");
    assert_eq!(found["probe"]["generic"]["own"]["mean"], 1.0);
    assert_eq!(asked(&server).len(), 72);

    // A run asks nothing of it a second time.
    let before = asked(&server);
    let run = desk
        .run(&["optimize", "study.toml", "--headless", "--json"])
        .await;
    run.expect(0, &["Headroom on the source"]);
    let after = asked(&server);
    assert!(after.values().all(|times| *times == 1));
    assert!(after.len() > before.len());
    let summary: Value = serde_json::from_str(&run.out).unwrap();
    assert!(summary["headroom"]["seed"]["n"].as_u64().unwrap() >= 12);
    let name = summary["name"].as_str().or(summary["run"].as_str());
    let events = name.map(|name| desk.read(format!(".shiftproof/runs/{name}/events.jsonl")));
    if let Some(events) = events {
        assert_eq!(events.matches("\"type\":\"headroom\"").count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn agreement_leaves_little() {
    let (_server, desk) = desk(server_of(|_| 10)).await;
    let probe = desk.run(&["estimate", "study.toml", "--probe"]).await;
    probe.expect(0, &["probe: 6 prompts on 12 source examples"]);
    assert!(
        probe.out.contains("There is little to gain on the source")
            || probe.out.contains("Too little to say"),
        "{}",
        probe.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_for_probes() {
    let (server, desk) = desk(server_of(|_| 5)).await;
    let probe = desk
        .run(&["estimate", "study.toml", "--probe=12", "--max-calls", "40"])
        .await;
    assert_eq!(probe.code, Some(3), "{probe:?}");
    assert!(asked(&server).len() <= 40);
    assert!(probe.out.contains("The limits ended it"), "{}", probe.out);
    let few = desk.run(&["estimate", "study.toml", "--probe=3"]).await;
    few.expect(2, &["12"]);
}
