//! What the program tells beside a result: what a score rests on, what a budget
//! is good for, where answers came from, and what became of each run.

use crate::support::mock_server::{Act, MockServer, Seen, capable};
use crate::support::program::{Desk, model};

#[track_caller]
fn says(text: &str, pieces: &[&str]) {
    for piece in pieces {
        assert!(text.contains(piece), "{piece:?} is not in: {text}");
    }
}

fn at(desk: &Desk, server: &MockServer, options: &str) {
    desk.edit_study(
        "name = \"mock\"",
        &format!(
            "name = \"mock\"\nmodel = {{ name = \"openai:mock\", base_url = \"{}\"{options} }}",
            server.base_url()
        ),
    );
}

const PLAIN: &str = ", label_scores = \"off\", prefill = \"off\"";

/// A model that scores labels and leans to the first.
fn scoring(seen: &Seen) -> Act {
    if let Some(probe) = capable(seen) {
        return probe;
    }
    if !seen.wants_logprobs() {
        return model(seen);
    }
    let draw = blake3::hash(seen.body.to_string().as_bytes()).as_bytes()[0];
    if draw < 160 {
        Act::scored(&[&[("positive", 0.7), ("negative", 0.2)]])
    } else {
        Act::scored(&[&[("negative", 0.5), ("positive", 0.4)]])
    }
}

async fn json(desk: &Desk, args: &[&str]) -> serde_json::Value {
    let ended = desk.run(args).await;
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_calibration_is_always_reported() {
    let server = MockServer::start(scoring).await;
    let desk = Desk::new();
    at(&desk, &server, ", prefill = \"off\"");
    desk.edit_study(
        "ensemble = 2",
        "ensemble = 2\nmethod = \"ape\"\ncalibration = \"batch\"",
    );
    desk.edit_study("evaluations = 240", "evaluations = 36");
    let foreseen = "a finalist of this search will have about";
    let ended = desk.run(&["estimate"]).await;
    ended.expect(0, &[]);
    says(
        &ended.out,
        &["Note: search.calibration = \"batch\"", foreseen],
    );
    says(&desk.run(&["doctor", "study.toml"]).await.out, &[foreseen]);

    let ended = desk
        .run(&[
            "optimize", "--quiet", "-o", "a.md", "-o", "a.html", "-o", "a.json",
        ])
        .await;
    ended.expect(0, &[]);
    let told = "did nothing for";
    says(
        &ended.out,
        &[
            "Note: search.calibration = \"batch\"",
            told,
            "`eval` and `gate`",
        ],
    );
    says(&desk.read("a.md"), &["> **Note:**", told]);
    says(&desk.read("a.html"), &["<strong>Note: </strong>", told]);
    let report: serde_json::Value = serde_json::from_str(&desk.read("a.json")).unwrap();
    says(report["notes"][0].as_str().unwrap(), &[told]);

    let learnt = "was learnt outside the audit, from 40 replies a prompt. `optimize`";
    says(
        &desk.run(&["eval", "--audit", "--quiet"]).await.out,
        &["Note: ", learnt],
    );
    let gate = json(&desk, &["gate", "--quiet", "-c", "Which is it?", "--json"]).await;
    let notes = gate["notes"].to_string();
    says(&notes, &[learnt]);

    // Too few inputs outside the audit for eval and gate as well.
    desk.edit_study("validation = 24", "validation = 8");
    desk.edit_study("unlabelled = 16", "unlabelled = 4");
    let ended = desk.run(&["estimate"]).await;
    says(
        &ended.out,
        &["`eval` and `gate` have 12 inputs outside the audit"],
    );
    let ended = desk.run(&["eval", "--audit", "--quiet"]).await;
    says(
        &ended.out,
        &[
            "did nothing for",
            "(12 replies): it needs 16 a prompt",
            "`optimize`",
        ],
    );

    // And a model that scores no label.
    desk.edit_study(", prefill", ", label_scores = \"off\", prefill");
    says(
        &desk.run(&["estimate"]).await.out,
        &["this model gives none"],
    );
    says(
        &desk.run(&["eval", "--audit", "--quiet"]).await.out,
        &["no reply carries label scores"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn estimate_shows_scaled_plan() {
    let server = MockServer::start(model).await;
    let desk = Desk::new();
    at(&desk, &server, PLAIN);
    // Without votes, which can stand in for a final that nothing is left for.
    desk.edit_study("ensemble = 2", "ensemble = 2\nmethod = \"ape\"");
    let whole = json(&desk, &["estimate", "--json"]).await;
    assert_eq!(whole["scaled"], false);
    let smallest = whole["smallest"]["calls"].as_u64().unwrap();
    assert!(smallest > 64 && smallest < 150, "{whole}");

    let ended = desk.run(&["estimate", "--max-calls", "150"]).await;
    ended.expect(0, &[]);
    says(
        &ended.out,
        &[
            "budget.calls = 150 scales it down",
            &format!("The whole plan needs {} calls", whole["calls"]),
            &format!("Smallest workable budget: {smallest} calls"),
        ],
    );
    let scaled = json(&desk, &["estimate", "--json", "--max-calls", "150"]).await;
    assert!(scaled["calls"].as_u64().unwrap() <= 150, "{scaled}");
    assert_eq!(scaled["whole_calls"], whole["calls"]);

    // What is foretold comes true.
    let (least, less) = (smallest.to_string(), (smallest - 1).to_string());
    let short = desk.run(&["estimate", "--max-calls", &less]).await;
    assert_eq!(short.code, Some(3), "{short:?}");
    says(
        &short.out,
        &["is too low to be sure that even the seed prompt is evaluated"],
    );
    // That is said first; which tokens are likely and which the worst case as well.
    assert!(short.out.starts_with("budget.calls = "), "{}", short.out);
    let (first, plan) = short.out.split_once("A run would not begin.").unwrap();
    says(
        first,
        &[&format!(
            "Smallest workable budget: {smallest} calls (at worst"
        )],
    );
    says(plan, &["phase", "At most"]);
    assert!(!plan.contains("Smallest workable budget"), "{plan}");
    // One is for a model that turns out to reason first, which this one does not.
    let less = (smallest - 2).to_string();
    desk.run(&["optimize", "--quiet", "--max-calls", &less])
        .await
        .expect(3, &["nothing was asked", "shiftproof estimate"]);
    let ended = desk
        .run(&["optimize", "--quiet", "--max-calls", &least])
        .await;
    ended.expect(0, &[]);
    says(
        &ended.out,
        &["worst target", "The budget did not allow the whole plan"],
    );

    // And in the list of runs.
    let list = desk.run(&["runs"]).await;
    says(&list.out, &["mock-s1-1", "budget ran out"]);
    // What was refused is no run.
    assert!(!list.out.contains("mock-s1-2"), "{}", list.out);
    assert!(!list.out.contains("finished"), "{}", list.out);
}

#[tokio::test]
async fn zero_budget_is_refused() {
    for (key, value) in [("calls", "0"), ("tokens", "0"), ("usd", "0.0")] {
        let desk = Desk::new();
        desk.edit_study("[search]", &format!("[budget]\n{key} = {value}\n[search]"));
        for command in ["optimize", "estimate"] {
            desk.run(&[command]).await.expect(
                2,
                &[
                    &format!("study.toml:22: budget.{key} is 0"),
                    "give a limit above 0",
                ],
            );
        }
    }
    Desk::new()
        .run(&["gate", "-c", "x", "--max-calls", "0"])
        .await
        .expect(2, &["--max-calls is 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fixed_prompts_show_true_progress() {
    let server = MockServer::start(scoring).await;
    let desk = Desk::new();
    at(&desk, &server, ", prefill = \"off\"");
    desk.edit_study("ensemble = 2", "ensemble = 2\ncalibration = \"batch\"");
    // One prompt: 40 inputs to settle on, the first 20 of them before the others, and
    // 32 to score.
    let ended = desk.run(&["eval", "--audit"]).await;
    let told = &[
        "evaluate  ",
        "/20 calls, ",
        " of ≤ 72 in all, ",
        "ETA measuring…",
    ];
    ended.expect(0, told);
    assert!(!ended.err.contains("propose"), "{}", ended.err);
    let mut progress = ended.err.lines().filter(|line| line.contains("calls"));
    assert!(progress.all(|line| !line.contains(';')), "{}", ended.err);
    says(&ended.out, &["Spent 72 calls, "]);
    let again = desk.run(&["eval", "--audit"]).await;
    again.expect(0, &[]);
    says(
        &again.out,
        &["0 sent to a model, 72 answered from the store"],
    );
    let gate = desk.run(&["gate", "-c", "Which is it?"]).await;
    gate.expect(101, &["evaluate  ", "/10 calls", " of ≤ 144 in all"]);
    says(
        &gate.out,
        &["72 sent to a model, 72 answered from the store"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_show_their_verdict() {
    let server = MockServer::start(model).await;
    let desk = Desk::new();
    at(&desk, &server, PLAIN);
    for seed in ["1", "2"] {
        let ended = desk.run(&["optimize", "--quiet", "--seed", seed]).await;
        ended.expect(0, &[]);
        says(&ended.out, &["task model mock (127.0.0.1:"]);
    }
    let list = desk.run(&["runs"]).await;
    says(
        &list.out,
        &[
            "run ",
            "started",
            "mock-s2-1",
            "gpo",
            "  mock  ",
            " → ",
            "finished",
        ],
    );
    let rows = json(&desk, &["runs", "--json"]).await;
    assert_eq!(rows[0]["run"], "mock-s1-1");
    assert_eq!(rows[1]["status"], "finished");
    assert!(rows[1]["calls"].as_u64().unwrap() > 100, "{rows}");
    assert_eq!(json(&desk, &["runs", "list", "--json"]).await, rows);

    // One message for a run that is not there, wherever it is asked for.
    for args in [
        &["report", "nix"][..],
        &["export", "nix"],
        &["watch", "nix", "--headless"],
        &["runs", "show", "nix"],
        &["runs", "rm", "nix"],
        &["gate", "--run", "nix"],
        &["optimize", "--resume", "nix"],
        &["diff", "seed", "selected", "--run", "nix"],
    ] {
        desk.run(args).await.expect(
            2,
            &[
                "there is no run nix in .shiftproof",
                "runs there, the latest first: mock-s2-1, mock-s1-1",
            ],
        );
    }

    let seed = desk.run(&["export", "mock-s1-1", "--prompt", "seed"]).await;
    seed.expect(0, &[]);
    assert_eq!(seed.out, "Is this positive or negative?\n");
    // The model answers at random: nothing is proven.
    let ended = desk.run(&["export", "mock-s1-1", "--format", "json"]).await;
    let exported: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    if exported["proven"] == false && exported["origin"] != "seed" {
        ended.expect(
            0,
            &["is not proven: ", exported["verdict"].as_str().unwrap()],
        );
    }
    let first = ended.out;

    // The same study but for the seed: the audit is the same.
    let alike = desk.run(&["diff", "mock-s1-1", "mock-s2-1"]).await;
    says(&alike.out, &["The studies of both runs are alike"]);
    desk.edit_study("audit = 16", "audit = 12");
    desk.edit_study("finalists = 3", "finalists = 2");
    desk.run(&["optimize", "--quiet", "--seed", "3"])
        .await
        .expect(0, &[]);
    let ended = desk.run(&["diff", "mock-s1-1", "mock-s3-1"]).await;
    says(
        &ended.out,
        &[
            "differ in groups.audit (16 | 12), search.finalists (3 | 2)",
            "that follows from groups.audit (16 | 12): they are no comparison",
        ],
    );
    let again = desk.run(&["export", "mock-s1-1", "--format", "json"]).await;
    assert_eq!(again.out, first, "a run keeps what it came to");
}

#[tokio::test]
async fn wrong_values_list_alternatives() {
    for (from, to, told) in [
        (
            "ensemble = 2",
            "method = \"gpoo\"",
            "study.toml:27: search.method is \"gpoo\"; there is ape, ape-ut, gpo, gpo-paper, edits, protegi, gepa, group-reflective, opro, evoprompt-ga, evoprompt-de, capo, mipro, library; did you mean \"gpo\"?",
        ),
        (
            "ensemble = 2",
            "objective = 3",
            "study.toml:27: search.objective is 3; there is robust, mean, worst",
        ),
        (
            "ensemble = 2",
            "rule = \"posterio\"",
            "search.rule is \"posterio\"; there is uniform, halving",
        ),
        (
            "ensemble = 2",
            "calibration = true",
            "search.calibration is true; there is none, contextual, batch",
        ),
        (
            "chunks = 3",
            "chunks = \"3\"",
            "study.toml:23: search.chunks is \"3\", but a whole number, 0 or more, is needed",
        ),
        (
            "label = \"label\"",
            "label = \"label\"\nleaks = \"droop\"",
            "study.toml:13: data.leaks is \"droop\"; there is refuse, drop, allow; did you mean \
             \"drop\"?",
        ),
        (
            "label = \"label\"",
            "label = 3",
            "study.toml:12: data.label is 3, but a text in quotes is needed",
        ),
        (
            "label = \"label\"",
            "interactions = { shift = \"popularty\" }",
            "data.interactions.shift is \"popularty\"; there is none, popularity",
        ),
        (
            "input = ",
            "metric = \"acuracy\"\ninput = ",
            "study.toml:6: task.metric is \"acuracy\"",
        ),
        (
            "name = \"mock\"",
            "name = \"mock\"\nmodel = { name = \"openai:x\", label_scores = \"yes\" }",
            "study.toml:3: model.label_scores is \"yes\"; there is auto, on, off",
        ),
        (
            "labels = [\"positive\", \"negative\"]",
            "",
            "study.toml:3: the key task.labels is missing",
        ),
    ] {
        let desk = Desk::new();
        desk.edit_study(from, to);
        desk.run(&["estimate"]).await.expect(2, &[told]);
    }
}

/// Fields that only the task names are none of `data.fields`.
#[tokio::test]
async fn placeholders_without_a_column_are_the_inputs() {
    for (input, told) in [
        (
            "Note: {txet}",
            "there is no column \"txet\"; did you mean \"text\"?",
        ),
        ("Note: {text} {\\\"a\\\": 1}", "{{ and }} stand for braces"),
        (
            "{text} is {label}",
            "the label \"label\" is among the fields",
        ),
    ] {
        let desk = Desk::new();
        let study = desk.read("study.toml");
        let line = |key: &str| study.lines().find(|line| line.starts_with(key)).unwrap();
        desk.edit_study(line("input = "), &format!("input = \"{input}\""));
        // Fields that are stated leave no doubt which key is meant.
        let stated = desk.run(&["optimize"]).await;
        stated.expect(2, &["study.toml:"]);
        desk.edit_study(line("fields = "), "");
        let ended = desk.run(&["optimize"]).await;
        ended.expect(2, &["study.toml:6: task.input: ", told]);
        assert!(!ended.err.contains("data.fields"), "{}", ended.err);
    }
}

/// Of a label that the study lacks, both ways to mend it are told.
#[tokio::test]
async fn unknown_labels_name_their_keys() {
    let desk = Desk::new();
    let data = desk.read("data.csv").replace(",positive,", ",mixed,");
    desk.write("data.csv", data);
    let told = [
        "\"mixed\" is no label",
        "add it to task.labels",
        "data.label_map",
    ];
    desk.run(&["estimate"]).await.expect(5, &told);
}

#[tokio::test]
async fn repeated_problem_is_said_once() {
    let desk = Desk::new();
    let data = desk.read("data.csv").replace(",positive,", ",postive,");
    desk.write("data.csv", data);
    let ended = desk.run(&["optimize"]).await;
    ended.expect(
        5,
        &[
            "data.csv:2: ",
            "\"postive\"",
            "(in 60 rows: also data.csv:4, data.csv:6, …)",
        ],
    );
    assert_eq!(ended.err.matches("postive").count(), 1, "{}", ended.err);
}
