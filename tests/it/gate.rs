//! `gate` and `diff` as a workflow meets them: every exit code, every form.

use crate::support::mock_server::{Act, MockServer, Seen};
use crate::support::program::{Desk, Ended, rows};

/// Audit examples per group.
const AUDIT: usize = 120;
const FAIR: &str = "Is this positive or negative?";
const GOOD: &str = "Decide with care: positive or negative?";
const BAD: &str = "Guess on films: positive or negative?";

/// How often a prompt is right in a domain.
fn chance(prompt: &str, domain: &str) -> f64 {
    match domain {
        _ if prompt.contains("with care") => 0.95,
        "films" if prompt.contains("Guess on films") => 0.3,
        _ => 0.7,
    }
}

/// Right or wrong by the example alone, so that prompts are paired.
fn answer(seen: &Seen, lowered: f64) -> Act {
    let text = seen.prompt();
    let mut words = text.split_whitespace().rev();
    let number: u64 = words.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    let domain = if text.contains("films text") {
        "films"
    } else {
        "books"
    };
    let digest = blake3::hash(format!("{domain} {number}").as_bytes());
    let draw = f64::from(digest.as_bytes()[0]) / 256.0;
    let right = draw < chance(&seen.body.to_string(), domain) - lowered;
    Act::text(if number.is_multiple_of(2) == right {
        "positive"
    } else {
        "negative"
    })
}

async fn server() -> MockServer {
    MockServer::start(|seen| answer(seen, 0.0)).await
}

fn desk(server: &MockServer) -> Desk {
    let desk = Desk::new();
    desk.write("data.csv", rows(220));
    desk.edit_study("audit = 16", &format!("audit = {AUDIT}"));
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

async fn gate(desk: &Desk, args: &[&str]) -> Ended {
    let args: Vec<&str> = ["gate", "--quiet"]
        .into_iter()
        .chain(args.iter().copied())
        .collect();
    desk.run(&args).await
}

#[track_caller]
fn says(ended: &Ended, code: i32, pieces: &[&str]) {
    ended.expect(code, &[]);
    for piece in pieces {
        assert!(
            ended.out.contains(piece),
            "{piece:?} is not in: {}",
            ended.out
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_have_exit_codes() {
    let server = server().await;
    let desk = desk(&server);
    let ended = gate(&desk, &["-c", GOOD]).await;
    says(
        &ended,
        0,
        &[
            "Decision: SHIP.",
            "120 target labels read",
            "opened 1 time for 1 question",
        ],
    );
    let calls = server.asked();
    assert_eq!(calls, 2 * 2 * AUDIT);
    let again = gate(&desk, &["-c", GOOD]).await;
    says(&again, 0, &["opened 2 times for 1 question"]);
    assert_eq!(server.asked(), calls, "stored replies answer");

    let ended = gate(&desk, &["-c", BAD]).await;
    says(
        &ended,
        100,
        &["Decision: REGRESSED.", "films -", "peeked at 1 time before"],
    );
    let ended = gate(&desk, &["-c", "Positive or negative, what is it?"]).await;
    says(
        &ended,
        101,
        &["Decision: NO SIGNIFICANT WINNER.", "The incumbent stays"],
    );
    let ended = gate(&desk, &["-c", FAIR]).await;
    ended.expect(2, &["is the same as the prompt in use"]);
    let ended = gate(&desk, &["-c", BAD, "-c", GOOD]).await;
    says(&ended, 0, &["Decision: SHIP."]);
    let ended = gate(&desk, &["-c", GOOD, "--min-group", "films=0.99"]).await;
    says(&ended, 100, &["Decision: BELOW THE BAR.", "films has"]);
    let ended = gate(
        &desk,
        &["-c", GOOD, "--objective", "worst", "--alpha", "0.01"],
    )
    .await;
    // The first question of an audit spends half of what is accepted.
    says(&ended, 0, &["objective worst", "99.5% confidence"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn meaningless_gates_are_refused() {
    let server = server().await;
    let desk = desk(&server);
    desk.write("other.json", "{\"format\": 1}\n");
    let cases: [(&[&str], &[&str]); 10] = [
        (&[], &["nothing to judge", "--candidate"]),
        (
            &["--mode", "guard"],
            &["nothing to hold the prompt against", "--min-worst"],
        ),
        (
            &[
                "--mode",
                "guard",
                "--min-worst",
                "0.1",
                "-c",
                "a",
                "-c",
                "b",
            ],
            &["judges one prompt"],
        ),
        (&["-c", " "], &["a prompt is empty"]),
        (
            &["-c", "@nowhere.txt"],
            &["cannot read the prompt nowhere.txt"],
        ),
        (
            &["-c", "x", "-o", "report.doc"],
            &["report.doc", ".xml (JUnit)"],
        ),
        (
            &["-c", "x", "--min-group", "filns=0.5"],
            &["\"filns\"", "books, films"],
        ),
        (&["-c", "x", "--min-group", "films"], &["NAME=SCORE"]),
        (&["--run", "mock-s1-9"], &["there is no run mock-s1-9"]),
        (
            &["--baseline", "other.json"],
            &["other.json:1", "not a baseline file"],
        ),
    ];
    for (args, pieces) in cases {
        gate(&desk, args).await.expect(2, pieces);
    }
    gate(&desk, &["-c", "x", "--tolerance", "2"])
        .await
        .expect(2, &["a number from 0 to 1"]);
    // A prompt against itself, however it is given.
    desk.write("same.txt", format!("{FAIR}\n"));
    for args in [&["-c", FAIR][..], &["-c", "@same.txt", "-c", BAD]] {
        let told = [
            "is the same as the prompt in use",
            "the audit was not opened",
        ];
        gate(&desk, args).await.expect(2, &told);
    }
    assert_eq!(server.asked(), 0);
    assert!(!desk.path(".shiftproof/gate.jsonl").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn partial_evidence_decides_nothing() {
    let server = server().await;
    let desk = desk(&server);
    let ended = gate(&desk, &["-c", GOOD, "--max-calls", "300"]).await;
    ended.expect(3, &["the budget ran out", "no decision"]);
    assert_eq!(ended.out, "", "no score is shown");
    assert!(
        !desk.path(".shiftproof/gate.jsonl").exists(),
        "nothing was seen"
    );
    says(&gate(&desk, &["-c", GOOD]).await, 0, &["opened 1 time"]);

    let broken = MockServer::in_turn([
        Act::text("banana"),
        Act::error(401, "invalid_api_key", "no"),
    ])
    .await;
    let desk = self::desk(&broken);
    let ended = gate(&desk, &["-c", GOOD]).await;
    ended.expect(4, &["the same command goes on"]);
    assert_eq!(ended.out, "");

    std::fs::remove_file(desk.path("data.csv")).unwrap();
    gate(&desk, &["-c", GOOD]).await.expect(5, &["data.csv"]);
}

/// What can never be answered is in no comparison, and a group of which nothing
/// is known keeps the gate shut.
#[tokio::test(flavor = "multi_thread")]
async fn refused_call_is_never_scored() {
    let server = MockServer::start(|seen| {
        if seen.prompt().contains("films") && seen.body.to_string().contains("with care") {
            return Act::error(400, "content_filter", "filtered");
        }
        answer(seen, 0.0)
    })
    .await;
    let desk = desk(&server);
    let ended = gate(&desk, &["-c", GOOD, "-o", "gate.xml"]).await;
    says(
        &ended,
        101,
        &["Nothing can be shown of films", "120 failed"],
    );
    let text = desk.read("gate.xml");
    let document = roxmltree::Document::parse(&text).unwrap();
    assert_eq!(document.root_element().attribute("errors"), Some("1"));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn interrupt_keeps_paid_replies() {
    let server =
        MockServer::start(|seen| answer(seen, 0.0).after(std::time::Duration::from_millis(20)))
            .await;
    let desk = desk(&server);
    let mut child = desk.start(&["gate", "--quiet", "-c", GOOD]);
    while server.asked() < 20 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let pid = child.id().to_string();
    assert!(
        std::process::Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap())
        .await
        .unwrap();
    assert_eq!(status.code(), Some(130));
    says(&gate(&desk, &["-c", GOOD]).await, 0, &["opened 1 time"]);
    assert_eq!(server.asked(), 2 * 2 * AUDIT, "no call was made twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn baseline_guards_committed_prompt() {
    let server = server().await;
    let desk = desk(&server);
    let ended = gate(&desk, &["--write-baseline", "baseline.json"]).await;
    says(&ended, 0, &["Decision: MEASURED."]);
    let calls = server.asked();
    let guard: &[&str] = &["--mode", "guard", "--baseline", "baseline.json"];
    says(
        &gate(&desk, guard).await,
        0,
        &["Decision: HOLDS.", "The prompt is the baseline's"],
    );
    assert_eq!(server.asked(), calls);
    let written = desk.read("baseline.json");
    let rewrite: Vec<&str> = guard
        .iter()
        .copied()
        .chain(["--write-baseline", "again.json"])
        .collect();
    gate(&desk, &rewrite).await.expect(0, &[]);
    assert_eq!(
        desk.read("again.json"),
        written,
        "the same evidence gives the same file"
    );

    // Someone edits the prompt in the study.
    desk.edit_study(FAIR, BAD);
    let args: Vec<&str> = guard
        .iter()
        .copied()
        .chain(["-o", "gate.sarif", "--write-baseline", "again.json"])
        .collect();
    let ended = gate(&desk, &args).await;
    says(&ended, 100, &["Decision: REGRESSED.", "study.toml:6"]);
    assert!(
        ended.err.contains("again.json was not written"),
        "{}",
        ended.err
    );
    let sarif: serde_json::Value = serde_json::from_str(&desk.read("gate.sarif")).unwrap();
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "study.toml");
    assert_eq!(place["region"]["startLine"], 6);
    // Ship mode against the baseline, then the better prompt is the new one.
    desk.edit_study(BAD, GOOD);
    let ended = gate(
        &desk,
        &[
            "--baseline",
            "baseline.json",
            "--write-baseline",
            "baseline.json",
        ],
    )
    .await;
    says(&ended, 0, &["Decision: SHIP."]);
    assert!(desk.read("baseline.json").contains(GOOD));
    says(
        &gate(&desk, guard).await,
        0,
        &["The prompt is the baseline's"],
    );
    desk.write(
        "baseline.json",
        desk.read("baseline.json").replace("with care", "carefully"),
    );
    gate(&desk, guard)
        .await
        .expect(2, &["was edited after it was measured"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_model_shows_against_baseline() {
    let server = MockServer::start(|seen| {
        answer(
            seen,
            if seen.body["model"] == "newer" {
                0.3
            } else {
                0.0
            },
        )
    })
    .await;
    let desk = desk(&server);
    gate(&desk, &["--write-baseline", "baseline.json"])
        .await
        .expect(0, &[]);
    desk.edit_study("openai:mock", "openai:newer");
    let guard: &[&str] = &["--mode", "guard", "--baseline", "baseline.json"];
    let ended = gate(&desk, guard).await;
    says(
        &ended,
        0,
        &["The model changed", "scored anew", "--trust-baseline"],
    );
    let trust: Vec<&str> = guard.iter().copied().chain(["--trust-baseline"]).collect();
    let calls = server.asked();
    let ended = gate(&desk, &trust).await;
    says(&ended, 100, &["Decision: REGRESSED.", "The model changed"]);
    assert_eq!(server.asked(), calls, "recorded grades cost nothing");
    desk.edit_study(&format!("audit = {AUDIT}"), "audit = 100");
    gate(&desk, &trust)
        .await
        .expect(2, &["measured on another audit"]);
    says(&gate(&desk, guard).await, 0, &["The audit changed"]);
    desk.edit_study("name = \"mock\"", "name = \"other\"");
    gate(&desk, guard)
        .await
        .expect(2, &["the baseline of the study \"mock\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_reads_back() {
    let server = server().await;
    let desk = desk(&server);
    std::fs::create_dir(desk.path("prompts")).unwrap();
    desk.write("prompts/good.txt", GOOD);
    let names = ["gate.txt", "gate.json", "gate.md", "gate.xml", "gate.sarif"];
    let mut args = vec!["-c", "@prompts/good.txt"];
    args.extend(names.iter().flat_map(|name| ["-o", name]));
    let ended = gate(&desk, &args).await;
    says(&ended, 0, &[]);
    assert_eq!(desk.read("gate.txt"), ended.out);
    let json: serde_json::Value = serde_json::from_str(&desk.read("gate.json")).unwrap();
    assert_eq!(json["decision"], "ship");
    assert_eq!(json["candidates"][0]["place"]["file"], "prompts/good.txt");
    assert!(
        desk.read("gate.md")
            .starts_with("<!-- shiftproof gate mock -->")
    );
    let xml = desk.read("gate.xml");
    let document = roxmltree::Document::parse(&xml).unwrap();
    assert_eq!(document.root_element().attribute("failures"), Some("0"));
    let printed = gate(&desk, &["-c", "@prompts/good.txt", "--json"]).await;
    let printed: serde_json::Value = serde_json::from_str(&printed.out).unwrap();
    assert_eq!(
        printed["candidates"], json["candidates"],
        "the same evidence, the same numbers"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn run_is_gated_as_diff() {
    let server = MockServer::start(|seen| {
        if seen.asks_for_prompt() {
            return Act::text(&format!("<prompt>{GOOD}</prompt>"));
        }
        answer(seen, 0.0)
    })
    .await;
    let desk = desk(&server);
    desk.edit_study("label = \"label\"", "label = \"label\"\nleaks = \"allow\"");
    let ended = desk.run(&["optimize", "--quiet"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let calls = server.asked();
    let ended = gate(&desk, &["--run", "mock-s1-1"]).await;
    assert!(matches!(ended.code, Some(0 | 101)), "{ended:?}");
    // The run's own audit was the first opening, and asked the same question.
    assert!(
        ended.out.contains("opened 2 times for 1 question"),
        "{}",
        ended.out
    );
    assert!(ended.out.contains("selected by mock-s1-1"), "{}", ended.out);
    assert_eq!(server.asked(), calls, "the run paid for all of it");

    let shown = desk
        .run(&["diff", "seed", "selected", "--run", "mock-s1-1"])
        .await;
    says(
        &shown,
        0,
        &[
            "a ",
            "b ",
            "b − a",
            "films",
            "the sealed audit of mock-s1-1",
        ],
    );
    assert!(!shown.out.contains('\x1b'), "no colour but on a terminal");
    let id = shown.out.split_whitespace().nth(1).unwrap();
    let by_id = desk
        .run(&["diff", id, "selected", "--run", "mock-s1-1"])
        .await;
    assert_eq!(by_id.out, shown.out);
    desk.run(&["diff", "ffffffff", "selected", "--run", "mock-s1-1"])
        .await
        .expect(2, &["no candidate of mock-s1-1"]);
    let coloured = desk
        .run(&[
            "diff",
            "seed",
            "selected",
            "--run",
            "mock-s1-1",
            "--color",
            "always",
        ])
        .await;
    assert!(coloured.out.contains('\x1b'));
    assert_eq!(server.asked(), calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_texts_are_compared() {
    let server = server().await;
    let desk = desk(&server);
    let plain = desk.run(&["diff", FAIR, "Is this text good or bad?"]).await;
    says(
        &plain,
        0,
        &["Is this [-positive-]{+text good+} or [-negative?-]{+bad?+}"],
    );
    assert!(!desk.path(".shiftproof").exists(), "no store is needed");
    let scored = desk
        .run(&["diff", FAIR, GOOD, "--study", "study.toml"])
        .await;
    says(&scored, 0, &["films", "the sealed audit of study.toml"]);
    let json = desk
        .run(&["diff", FAIR, GOOD, "--study", "study.toml", "--json"])
        .await;
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert!(
        json["differences"][0]["low"].as_f64().unwrap() > 0.0,
        "{json}"
    );
    desk.run(&[
        "diff",
        FAIR,
        GOOD,
        "--study",
        "study.toml",
        "--max-calls",
        "3",
    ])
    .await
    .expect(3, &["budget"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn eval_counts_as_access() {
    let server = server().await;
    let desk = desk(&server);
    desk.run(&["eval", "--audit", "--quiet", "-p", GOOD])
        .await
        .expect(0, &[]);
    desk.run(&["eval", "--audit", "--quiet", "-p", BAD])
        .await
        .expect(0, &["peeked at 1 time before"]);
    says(
        &gate(&desk, &["-c", GOOD]).await,
        0,
        &["opened 3 times for 2 questions"],
    );
    let lines = desk.read(".shiftproof/gate.jsonl");
    let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["by"], &last["decision"]),
        (&"gate".into(), &"ship".into())
    );
}

/// A search that kept its seed has found no winner: nothing is asked about that.
#[tokio::test(flavor = "multi_thread")]
async fn run_that_kept_its_seed_opens_nothing() {
    let server = MockServer::start(|seen| {
        if seen.asks_for_prompt() {
            return Act::text(&format!("<prompt>{BAD}</prompt>"));
        }
        let is_seed = seen.body.to_string().contains(FAIR);
        let lowered = if is_seed { -0.3 } else { 0.6 };
        answer(seen, lowered)
    })
    .await;
    let desk = desk(&server);
    desk.edit_study("label = \"label\"", "label = \"label\"\nleaks = \"allow\"");
    desk.run(&["optimize", "--quiet"]).await.expect(0, &[]);
    let (calls, openings) = (server.asked(), desk.read(".shiftproof/gate.jsonl"));
    let ended = gate(&desk, &["--run", "mock-s1-1"]).await;
    ended.expect(101, &["selected by mock-s1-1", "the audit was not opened"]);
    assert_eq!(
        (server.asked(), desk.read(".shiftproof/gate.jsonl")),
        (calls, openings)
    );
    // Who collects a report after every search finds one.
    let ended = gate(&desk, &["--run", "mock-s1-1", "-o", "gate.md"]).await;
    ended.expect(101, &[]);
    assert!(desk.read("gate.md").contains("the incumbent itself"));
}

/// Whichever command opens the audit, it is written down, with the prompts.
#[tokio::test]
async fn every_command_writes_its_opening() {
    let server = server().await;
    let desk = desk(&server);
    let count = || desk.read(".shiftproof/gate.jsonl").lines().count();
    let commands: [(&str, &[&str]); 4] = [
        ("diff", &["diff", GOOD, BAD, "--study", "study.toml"]),
        ("optimize", &["optimize", "--quiet", "--method", "edits"]),
        ("eval", &["eval", "--audit", "--quiet", "-p", GOOD]),
        ("gate", &["gate", "--quiet", "-c", GOOD]),
    ];
    for (number, (by, args)) in (1..).zip(commands) {
        let ended = desk.run(args).await;
        assert!(
            [Some(0), Some(100), Some(101)].contains(&ended.code),
            "{ended:?}"
        );
        assert_eq!(count(), number, "{by}");
        let lines = desk.read(".shiftproof/gate.jsonl");
        let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        assert_eq!(last["by"], by);
        assert!(!last["prompts"].as_array().unwrap().is_empty(), "{last}");
    }
    // What opens nothing is no opening: two prompts as texts, a report, an estimate.
    for args in [["diff", GOOD, BAD].as_slice(), &["runs"], &["estimate"]] {
        desk.run(args).await.expect(0, &[]);
    }
    assert_eq!(count(), 4);
}
