//! Methods over random seeds and studies: every cell a stored run, asked for once.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::support::mock_server::{Act, MockServer, Seen};
use crate::support::program::{Desk, model};

fn server_in(desk: &Desk, server: &MockServer) {
    desk.edit_study(
        "name = \"mock\"",
        &format!(
            "name = \"mock\"\nmodel = {{ name = \"openai:mock\", base_url = \"{}\", \
             concurrency = 4, label_scores = \"off\", prefill = \"off\", max_retries = 0 }}",
            server.base_url()
        ),
    );
}

async fn desk(script: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> (Desk, MockServer) {
    let (desk, server) = (Desk::new(), MockServer::start(script).await);
    server_in(&desk, &server);
    (desk, server)
}

fn json(desk: &Desk, file: &str) -> Value {
    serde_json::from_str(&desk.read(file)).unwrap()
}

fn states(comparison: &Value) -> Vec<&str> {
    let cells = comparison["studies"][0]["cells"].as_array().unwrap();
    cells
        .iter()
        .map(|cell| cell["state"].as_str().unwrap())
        .collect()
}

/// Two methods, two random seeds.
const CELLS: [&str; 8] = [
    "compare",
    "study.toml",
    "--methods",
    "ape,edits",
    "--seeds",
    "1,2",
    "--max-calls",
    "220",
];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    CELLS.iter().copied().chain(more.iter().copied()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cell_is_paid_once() {
    let (desk, server) = desk(model).await;
    let ended = desk
        .run(&with(&["-o", "a.json", "-o", "a.html", "-o", "a.md"]))
        .await;
    ended.expect(
        0,
        &[
            "4 cells: 0 finished in the store, 4 to run",
            "[1/4] mock · ape · random seed 1: at most ",
            "[4/4] mock · edits · random seed 2: worst target ",
        ],
    );
    for piece in [
        "seed prompt",
        "worst target − seed",
        "calls to the level",
        "95% intervals",
    ] {
        assert!(
            ended.out.contains(piece),
            "{piece:?} is not in\n{}",
            ended.out
        );
    }
    let comparison = json(&desk, "a.json");
    assert_eq!(states(&comparison), ["finished"; 4]);
    let rows = comparison["studies"][0]["rows"].as_array().unwrap();
    for row in rows {
        assert_eq!((&row["finished"], &row["planned"]), (&2.into(), &2.into()));
        let calls = row["calls"]["max"].as_f64().unwrap();
        assert!(calls <= 220.0, "{row}");
        let over = &row["over_seed"]["worst"];
        assert!(over["low"].as_f64() <= over["value"].as_f64());
    }
    let page = desk.read("a.html");
    assert!(
        page.contains("<svg class=\"plot\"") && page.contains("By group"),
        "{page}"
    );
    assert!(
        desk.read("a.md")
            .starts_with("## shiftproof: comparison of methods")
    );

    // The cells are runs like any other, without the generic prompts.
    let runs = desk.run(&["runs"]).await;
    for run in ["mock-s1-1", "mock-s1-2", "mock-s2-1", "mock-s2-2"] {
        assert!(runs.out.contains(run), "{}", runs.out);
        let events = desk.read(Path::new(".shiftproof/runs").join(run).join("events.jsonl"));
        assert!(!events.contains("\"origin\":\"library\""));
    }
    let opened = desk.read(".shiftproof/gate.jsonl");
    assert_eq!(opened.matches("\"by\":\"compare\"").count(), 4);

    // Again: nothing is asked, nothing run, and the same is said.
    let asked = server.calls();
    let again = desk.run(&with(&["-o", "b.json", "-o", "b.html"])).await;
    again.expect(0, &["4 cells: 4 finished in the store"]);
    assert_eq!(server.calls(), asked);
    assert_eq!(again.out, ended.out);
    assert_eq!(desk.read("a.html"), page);
    assert_eq!(desk.read("b.html"), page);
    assert_eq!(desk.read("a.json"), desk.read("b.json"));

    // One more random seed: two more runs.
    let wider = desk
        .run(&[
            "compare",
            "study.toml",
            "--methods",
            "ape,edits",
            "--seeds",
            "1..3",
            "--max-calls",
            "220",
            "--json",
        ])
        .await;
    wider.expect(0, &["6 cells: 4 finished in the store, 2 to run"]);
    let wider: Value = serde_json::from_str(&wider.out).unwrap();
    assert_eq!(states(&wider), ["finished"; 6]);
    assert_eq!(desk.run(&["runs"]).await.out.matches("mock-s3-").count(), 2);

    // Another limit is another comparison.
    let other = desk
        .run(&[
            "compare",
            "study.toml",
            "--methods",
            "ape",
            "--seeds",
            "1",
            "--max-calls",
            "210",
            "--stored",
        ])
        .await;
    other.expect(0, &["1 cell: 0 finished in the store, 1 to run"]);
    assert!(other.out.contains("not run yet"), "{}", other.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn cells_at_once_give_same_table() {
    let (desk, server) = desk(model).await;
    let ended = desk.run(&with(&["-o", "a.json"])).await;
    ended.expect(0, &["4 cells: 0 finished in the store, 4 to run"]);
    let asked = server.calls();

    let once = ["--jobs", "4", "--store", "other", "-o", "b.json"];
    desk.run(&with(&once))
        .await
        .expect(0, &["4 cells: 0 finished in the store, 4 to run"]);
    // What one cell has from another's replies, it pays for where both ask at once.
    assert!(server.calls() - asked >= asked, "{}", server.calls());
    let of = |file: &str| json(&desk, file)["studies"][0].clone();
    let (one, four) = (of("a.json"), of("b.json"));
    assert_eq!(states(&json(&desk, "b.json")), ["finished"; 4]);
    for part in ["rows", "seed_worst", "cautions"] {
        assert_eq!(one[part], four[part], "{part}");
    }
    // Each is a run of its own, listed once.
    let runs = desk.run(&["runs", "--store", "other"]).await.out;
    for run in ["mock-s1-1", "mock-s1-2", "mock-s2-1", "mock-s2-2"] {
        assert_eq!(runs.matches(run).count(), 1, "{runs}");
    }
    desk.run(&with(&["--jobs", "0"]))
        .await
        .expect(2, &["--jobs"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_optimize_are_cells() {
    let (desk, server) = desk(model).await;
    desk.edit_study("ensemble = 2", "ensemble = 2\nlibrary = false");
    let one = desk
        .run(&[
            "optimize",
            "--quiet",
            "--method",
            "ape",
            "--seed",
            "2",
            "--max-calls",
            "220",
        ])
        .await;
    one.expect(0, &[]);
    desk.run(&with(&["-o", "a.json"]))
        .await
        .expect(0, &["4 cells: 1 finished in the store, 3 to run"]);
    assert_eq!(
        json(&desk, "a.json")["studies"][0]["cells"][1]["run"],
        "mock-s2-1"
    );

    // Other data: what was measured on the old is no cell of the new.
    let data = desk
        .read("data.csv")
        .replace("text number", "text of number");
    desk.write("data.csv", data);
    let asked = server.calls();
    desk.run(&with(&["--stored"]))
        .await
        .expect(0, &["4 cells: 0 finished in the store, 4 to run"]);
    assert_eq!(server.calls(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn library_and_seed_are_rows() {
    let (desk, _server) = desk(model).await;
    let ended = desk
        .run(&[
            "compare",
            "study.toml",
            "--methods",
            "seed,library",
            "--seeds",
            "1",
            "--max-calls",
            "220",
            "-o",
            "a.json",
            "--paper",
        ])
        .await;
    ended.expect(0, &["1 cell: "]);
    for piece in ["Top 1", "Ensemble", "films", "books", "library"] {
        assert!(
            ended.out.contains(piece),
            "{piece:?} is not in\n{}",
            ended.out
        );
    }
    let comparison = json(&desk, "a.json");
    let study = &comparison["studies"][0];
    assert_eq!(study["rows"].as_array().unwrap().len(), 1);
    assert!(study["seed_worst"]["mean"].is_number());
    let told: Vec<String> = study["cautions"]
        .as_array()
        .unwrap()
        .iter()
        .map(Value::to_string)
        .collect();
    assert!(
        told.iter().any(|told| told.contains("single random seed")),
        "{told:?}"
    );
    let events = desk.read(".shiftproof/runs/mock-s1-1/events.jsonl");
    assert!(
        events.contains("\"origin\":\"library\"") && !events.contains("\"type\":\"proposals\"")
    );
}

/// A model that answers, and writes no prompt that could be used.
fn proposes_nothing(seen: &Seen) -> Act {
    if seen.asks_for_prompt() {
        return Act::text("I am sorry, I cannot help with that.");
    }
    model(seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_cells_stop_no_other() {
    let (desk, server) = desk(proposes_nothing).await;
    desk.edit_study("ensemble = 2", "ensemble = 2\nrounds = 0\nedits = 4");
    let ended = desk.run(&with(&["-o", "a.json", "-o", "a.md"])).await;
    // The edits' rounds are what they live on.
    let comparison = json(&desk, "a.json");
    let (states, study) = (states(&comparison), &comparison["studies"][0]);
    assert_eq!(states[..2], ["failed", "failed"], "{ended:?}");
    ended.expect(
        0,
        &["[1/4] mock · ape · random seed 1: failed: no proposal of "],
    );
    assert!(states[2..].contains(&"finished"), "{states:?}");
    assert!(study["rows"][0]["mean"].is_null() && study["rows"][0]["finished"] == 0);
    assert!(
        ended
            .out
            .contains("ape, random seed 2: failed: no proposal of"),
        "{}",
        ended.out
    );
    assert!(desk.read("a.md").contains("Not in the table:"));
    // As it is told without running anything.
    let asked = server.calls();
    let stored = desk.run(&with(&["--stored"])).await;
    assert_eq!(stored.out, ended.out);
    assert_eq!(server.calls(), asked);
    // Where nothing at all comes of it, the code says what of.
    let none = desk
        .run(&[
            "compare",
            "study.toml",
            "--methods",
            "ape",
            "--seeds",
            "1",
            "--max-calls",
            "220",
        ])
        .await;
    none.expect(4, &[]);
    // A budget that audits nothing is a failure, not a score.
    let small = desk
        .run(&[
            "compare",
            "study.toml",
            "--methods",
            "library",
            "--seeds",
            "1",
            "--max-calls",
            "20",
        ])
        .await;
    small.expect(3, &["failed: the budget is exhausted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_words_cost_nothing() {
    let (desk, server) = desk(model).await;
    let compare = |more: &[&'static str]| {
        let args: Vec<&str> = ["compare", "study.toml"]
            .iter()
            .chain(more)
            .copied()
            .collect();
        let desk = &desk;
        async move { desk.run(&args).await }
    };
    compare(&["--methods", "ape"]).await.expect(
        2,
        &[
            "study.toml: without a limit methods ask for different amounts",
            "--max-calls",
        ],
    );
    compare(&["--methods", "ape,edts", "--max-calls", "220"])
        .await
        .expect(
            2,
            &[
                "--methods names \"edts\"; there is ape, ",
                "did you mean \"edits\"?",
            ],
        );
    compare(&["--methods", "seed", "--max-calls", "220"])
        .await
        .expect(2, &["no method that searches"]);
    compare(&["--max-calls", "220"])
        .await
        .expect(2, &["--methods"]);
    compare(&["--methods", "ape", "--max-calls", "220", "--seeds", "3..1"])
        .await
        .expect(2, &["3..1 holds no random seed; write 1..3"]);
    compare(&["--methods", "ape", "--max-calls", "220", "-o", "a.pdf"])
        .await
        .expect(2, &["cannot tell the form of a.pdf"]);
    compare(&["study.toml", "--methods", "ape", "--max-calls", "220"])
        .await
        .expect(2, &["are both named \"mock\""]);
    desk.edit_study("audit = 16", "audit = 0");
    compare(&["--methods", "ape", "--max-calls", "220"])
        .await
        .expect(2, &["no audit examples", "groups.audit"]);
    assert_eq!(server.calls(), 0);
    // A method for which the study has nothing is told as that, not as another.
    desk.edit_study("audit = 0", "audit = 16");
    desk.edit_study("target = [\"films\"]\n", "");
    let ended = compare(&[
        "--methods",
        "gpo,edits",
        "--max-calls",
        "220",
        "--seeds",
        "1",
    ])
    .await;
    ended.expect(
        0,
        &["gpo lives on target inputs, and the study has no target group"],
    );
    assert!(ended.out.contains("worst source"), "{}", ended.out);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn interrupted_comparison_goes_on() {
    let (calm, server) = desk(model).await;
    calm.run(&with(&["-o", "a.json"])).await.expect(0, &[]);
    let needed = server.asked();

    let (desk, slow) = desk(|seen| model(seen).after(Duration::from_millis(40))).await;
    let mut stops = 0;
    for wait in [1500, 1900, 2300] {
        let mut child = desk.start(&with(&["-o", "a.json"]));
        tokio::time::sleep(Duration::from_millis(wait)).await;
        if child.try_wait().unwrap().is_some() {
            break;
        }
        let pid = child.id().to_string();
        // Orderly: what a kill loses is missing under the limit, and changes the search.
        let signal = "-INT";
        let sent = std::process::Command::new("kill")
            .args([signal, &pid])
            .status();
        assert!(sent.unwrap().success());
        let status = tokio::task::spawn_blocking(move || child.wait().unwrap())
            .await
            .unwrap();
        assert_eq!(status.code(), Some(130));
        stops += 1;
    }
    assert!(stops >= 2, "the comparison was over before it was stopped");
    desk.run(&with(&["-o", "a.json"])).await.expect(0, &[]);
    let of = |desk: &Desk| {
        let mut comparison = json(desk, "a.json");
        // The server's address is part of a model's name.
        let study = &mut comparison["studies"][0];
        for key in ["task_model", "proposer_model"] {
            study[key].take();
        }
        comparison
    };
    assert_eq!(of(&desk), of(&calm));
    let extra = slow.asked().saturating_sub(needed);
    assert!(
        extra <= 2 * 4 * 2 + stops * 4,
        "{extra} calls were made again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn help_tells_the_whole() {
    let help = Desk::new().run(&["compare", "--help"]).await;
    help.expect(0, &[]);
    insta::assert_snapshot!("compare_help", help.out);
}
