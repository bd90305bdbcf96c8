//! Fixed prompts scored: on development examples unless told, with every answer.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::mock_server::{Act, MockServer, Seen};
use crate::support::program::{Desk, Ended, model};

/// A desk whose study names the server.
fn desk(server: &MockServer) -> Desk {
    let desk = Desk::new();
    at(&desk, server, "");
    desk
}

fn at(desk: &Desk, server: &MockServer, more: &str) {
    desk.edit_study(
        "name = \"mock\"",
        &format!(
            "name = \"mock\"\nmodel = {{ name = \"openai:mock\", base_url = \"{}\", label_scores = \
             \"off\", prefill = \"off\", thinking_tokens = 0{more} }}",
            server.base_url()
        ),
    );
}

async fn eval(desk: &Desk, args: &[&str]) -> Ended {
    let args: Vec<&str> = ["eval", "--quiet"].iter().chain(args).copied().collect();
    desk.run(&args).await
}

#[track_caller]
fn says(text: &str, pieces: &[&str]) {
    for piece in pieces {
        assert!(text.contains(piece), "{piece:?} is not in:\n{text}");
    }
}

fn read(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.out).unwrap()
}

fn ids(table: &Value) -> Vec<&str> {
    let answers = table["prompts"][0]["answers"].as_array().unwrap();
    answers
        .iter()
        .map(|row| row["id"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_stays_shut_unless_told() {
    let server = MockServer::start(model).await;
    let desk = desk(&server);
    desk.edit_study("unlabelled = 16", "unlabelled = 16\nlabelled = 8");
    let ended = eval(&desk, &[]).await;
    says(
        &ended.out,
        &[
            "development examples",
            "n   36  source",
            "n    8  target",
            "stayed shut",
        ],
    );
    let development = read(&eval(&desk, &["--json"]).await);
    assert_eq!(development["split"], "development");
    assert!(!desk.path(".shiftproof/gate.jsonl").exists());

    let audit = read(&eval(&desk, &["--json", "--audit"]).await);
    assert_eq!(audit["split"], "audit");
    assert_eq!(ids(&audit).len(), 32);
    let seen = ids(&development);
    assert!(ids(&audit).iter().all(|id| !seen.contains(id)), "{seen:?}");
    says(
        &desk.read(".shiftproof/gate.jsonl"),
        &["\"by\":\"eval\"", "\"labels\":"],
    );

    // A bar is about the audit, and says so before a call is paid for.
    let asked = server.asked();
    desk.run(&["eval", "--min-worst", "0.5"]).await.expect(
        2,
        &[
            "--min-worst holds prompts against the sealed audit",
            "add --audit",
            "gate",
        ],
    );
    assert_eq!(server.asked(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_without_labels_are_told() {
    let server = MockServer::start(model).await;
    let desk = desk(&server);
    let ended = eval(&desk, &[]).await;
    ended.expect(0, &[]);
    says(
        &ended.out,
        &["No development example is of films: give it some with groups.labelled"],
    );
    desk.run(&["eval", "--group", "films"])
        .await
        .expect(2, &["no development example is of --group films"]);
    desk.run(&["eval", "--group", "film"]).await.expect(
        2,
        &[
            "--group \"film\": the study has no such group",
            "did you mean \"films\"?",
        ],
    );
    let narrow = read(
        &eval(
            &desk,
            &["--json", "--audit", "--group", "films", "--limit", "5"],
        )
        .await,
    );
    let narrow = ids(&narrow);
    assert_eq!(narrow.len(), 5);
    assert!(narrow.iter().all(|id| id.starts_with("films")));
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_show_what_was_said() {
    // The even ones are positive; every fifth text is answered with an essay.
    let server = MockServer::start(|seen: &Seen| {
        let number: u64 = seen.prompt().rsplit(' ').next().unwrap().parse().unwrap();
        Act::text(match number {
            n if n % 5 == 0 => "It depends on whom you ask, and when.",
            n if n % 3 == 0 => "The sentiment is positive.",
            n if n % 2 == 0 => "positive",
            _ => "negative",
        })
    })
    .await;
    let desk = desk(&server);
    let out = desk.path("answers.csv").display().to_string();
    let lines = desk.path("answers.jsonl").display().to_string();
    let ended = eval(&desk, &["--failures=3", "-o", &out, "-o", &lines]).await;
    says(
        &ended.out,
        &[
            "answers are not right, weakest group first",
            "· books · ",
            "… and ",
            "-o answers.csv",
        ],
    );
    let shown = ended.out.matches("    input   books text number").count();
    assert_eq!(shown, 3, "{}", ended.out);

    let table = read(&eval(&desk, &["--json"]).await);
    let answers = table["prompts"][0]["answers"].as_array().unwrap();
    assert_eq!(answers.len(), 36);
    for row in answers {
        let number: u64 = row["id"].as_str().unwrap()["books".len()..]
            .parse()
            .unwrap();
        let truth = if number.is_multiple_of(2) {
            "positive"
        } else {
            "negative"
        };
        let expect = match number {
            n if n % 5 == 0 => ("unparseable", json!(0.0), Value::Null),
            n if n % 3 == 0 && n % 2 == 1 => ("wrong", json!(0.0), json!("positive")),
            _ => ("right", json!(1.0), json!(truth)),
        };
        assert_eq!(
            (
                row["state"].as_str().unwrap(),
                row["score"].clone(),
                row["answer"].clone()
            ),
            expect
        );
        assert_eq!(row["label"], truth);
        assert_eq!(row["input"], format!("books text number {number}"));
    }
    let mut csv = csv::Reader::from_path(&out).unwrap();
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 36);
    for (row, answer) in rows.iter().zip(answers) {
        assert_eq!(row[3], *answer["id"].as_str().unwrap());
        assert_eq!(row[6], *answer["state"].as_str().unwrap());
        assert_eq!(row[10], *answer["reply"].as_str().unwrap());
    }
    let first: Value = serde_json::from_str(desk.read(&lines).lines().next().unwrap()).unwrap();
    assert_eq!(first["id"], answers[0]["id"]);

    // What cannot be written is told before a call is paid for.
    let asked = server.asked();
    for (path, told) in [
        ("answers.xls", ".csv, .jsonl or .json"),
        ("none/answers.csv", "write"),
    ] {
        desk.run(&["eval", "-p", "Well?", "-o", path])
            .await
            .expect(2, &[told]);
    }
    assert_eq!(server.asked(), asked);
    assert!(!desk.path("answers.xls").exists());
}

/// A server that answers each call anew: a sample in turn is right or wrong.
#[tokio::test(flavor = "multi_thread")]
async fn samples_are_calls_of_their_own() {
    let server = MockServer::start(|seen: &Seen| {
        let even = seen.prompt().ends_with(['0', '2', '4', '6', '8']);
        let seed = seen.body["seed"].as_u64().unwrap_or_default();
        let right = !seed.is_multiple_of(3);
        Act::text(if even == right {
            "positive"
        } else {
            "negative"
        })
    })
    .await;
    let desk = Desk::new();
    at(&desk, &server, ", temperature = 0.8");
    let table = read(&eval(&desk, &["--json", "--repeat", "4", "--limit", "6"]).await);
    assert_eq!(server.asked(), 24);
    assert_eq!(table["spent"]["calls"], 24);
    let answers = table["prompts"][0]["answers"].as_array().unwrap();
    assert_eq!(answers.len(), 24);
    let spread = &table["prompts"][0]["repeated"][0];
    assert_eq!(
        (&spread["group"], &spread["samples"]),
        (&json!("books"), &json!(4))
    );
    let by_sample = |sample: u64| {
        let own = answers.iter().filter(|row| row["sample"] == sample);
        let scores: Vec<f64> = own.map(|row| row["score"].as_f64().unwrap()).collect();
        scores.iter().sum::<f64>() / scores.len() as f64
    };
    let means: Vec<f64> = (1..=4).map(by_sample).collect();
    let mean = means.iter().sum::<f64>() / 4.0;
    assert!((spread["mean"].as_f64().unwrap() - mean).abs() < 1e-12);
    let seeds: std::collections::BTreeSet<u64> = server
        .requests()
        .iter()
        .filter_map(|seen| seen.body["seed"].as_u64())
        .collect();
    assert_eq!(seeds.len(), 4, "each sample has a seed of its own");
    // Asked again, all of them are in the store; one more is one more call each.
    let again = read(&eval(&desk, &["--json", "--repeat", "4", "--limit", "6"]).await);
    assert_eq!(again["prompts"], table["prompts"]);
    assert_eq!(server.asked(), 24);
    read(&eval(&desk, &["--json", "--repeat", "5", "--limit", "6"]).await);
    assert_eq!(server.asked(), 30);
    let text = eval(&desk, &["--repeat", "4", "--limit", "6"]).await.out;
    says(&text, &["books over 4 samples: ", " of 6 answers differ"]);
    assert!(!text.contains("temperature 0"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn prompts_and_models_share_one_table() {
    // One model is always right, the other says one thing.
    let server = MockServer::start(|seen: &Seen| {
        let even = seen.prompt().ends_with(['0', '2', '4', '6', '8']);
        Act::text(if even || seen.body["model"] == "dull" {
            "positive"
        } else {
            "negative"
        })
    })
    .await;
    let desk = Desk::new();
    let url = server.base_url();
    let mut command = desk.command(&[
        "eval",
        "--quiet",
        "--json",
        "--limit",
        "8",
        "-p",
        "Judge it.",
        "--model",
        "openai:bright",
        "--model",
        "openai:dull",
        "--base-url",
        &url,
        "--max-calls",
        "60",
    ]);
    command.env("OPENAI_API_KEY", "k");
    let ended: Ended = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
        .into();
    let table = read(&ended);
    let rows: Vec<(String, f64)> = table["prompts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let model = row["model"].as_str().unwrap().split(' ').next().unwrap();
            (
                model.to_owned(),
                row["groups"][0]["value"].as_f64().unwrap(),
            )
        })
        .collect();
    assert_eq!(rows.len(), 4);
    assert!(
        rows[..2]
            .iter()
            .all(|row| *row == ("bright".to_owned(), 1.0)),
        "{rows:?}"
    );
    assert!(
        rows[2..].iter().all(|row| row.0 == "dull" && row.1 < 1.0),
        "{rows:?}"
    );
    assert_eq!(table["spent"]["calls"], 32);

    // The limits are those of all models together, questions on what they can do
    // included.
    let before = server.calls();
    let mut command = desk.command(&[
        "eval",
        "--quiet",
        "--limit",
        "8",
        "-p",
        "Say it.",
        "--model",
        "openai:bright",
        "--model",
        "openai:dull",
        "--base-url",
        &url,
        "--max-calls",
        "30",
        "--store",
        "fresh",
    ]);
    command.env("OPENAI_API_KEY", "k");
    let ended: Ended = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
        .into();
    ended.expect(3, &["the budget ran out before every prompt was scored"]);
    says(&ended.out, &["all prompts", "bright", "dull", "Spent "]);
    assert_eq!(server.calls() - before, 30);
}

/// Bills by number, the truth beside.
fn bills() -> String {
    let mut csv = String::from("id,shop,text,vendor,total,currency,codes\n");
    for (shop, from) in [("paper", 0), ("mail", 60)] {
        for number in from..from + 60 {
            let total = f64::from(number) / 4.0;
            let currency = if number % 2 == 0 { "EUR" } else { "USD" };
            let next = number + 1;
            writeln!(
                csv,
                "{shop}{number},{shop},bill {number},Acme {number},{total},{currency},{number}; \
                 {next}"
            )
            .unwrap();
        }
    }
    csv
}

const BILLS: &str = r#"
name = "bills"
[task]
kind = "extract"
prompt = "Read the bill."
input = "{text}"
schema = "bill.json"
[data]
files = ["bills.csv"]
id = "id"
group = "shop"
[groups]
source = ["paper"]
target = ["mail"]
train = 10
validation = 10
labelled = 10
unlabelled = 10
audit = 10
"#;

const SCHEMA: &str = r#"{"type": "object", "required": ["vendor", "total", "currency", "codes"],
 "properties": {"vendor": {"type": "string", "description": "Who sends it."},
  "total": {"type": "number"}, "currency": {"enum": ["EUR", "USD"]},
  "codes": {"type": "array", "items": {"type": "integer"}}}}"#;

/// Reads bills: every fourth currency is wrong, every fifth list lacks one code, every
/// seventh bill is refused; with lead-ins, fences, thoughts and commas too many.
fn clerk(seen: &Seen) -> Act {
    let text = seen.prompt();
    let number: i64 = text
        .split("bill ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{text}"));
    if number % 7 == 0 {
        return Act::text("I'm sorry, but I can't read this bill.");
    }
    let odd = (number % 2 == 1) != (number % 4 == 0);
    let mut codes = vec![number, number + 1];
    if number % 5 == 0 {
        codes.pop();
    }
    let answer = json!({"vendor": format!("Acme {number}"), "total": number as f64 / 4.0,
                        "currency": if odd { "USD" } else { "EUR" }, "codes": codes});
    let answer = answer.to_string();
    Act::text(&match number % 4 {
        0 => format!("Here is the JSON:\n```json\n{answer}\n```\nAnything else?"),
        1 => format!("<think>Is it {{\"total\": 1}}?</think>{answer}"),
        2 => format!("{},\n}}", &answer[..answer.len() - 1]),
        _ => answer,
    })
}

fn check_bills(table: &Value) {
    let answers = table["prompts"][0]["answers"].as_array().unwrap();
    assert_eq!(answers.len(), 30);
    for row in answers {
        let id = row["id"].as_str().unwrap();
        let number: i64 = id.trim_start_matches(char::is_alphabetic).parse().unwrap();
        if number % 7 == 0 {
            assert_eq!(
                (&row["state"], &row["score"]),
                (&json!("unparseable"), &json!(0.0))
            );
            continue;
        }
        let currency = f64::from(number % 4 != 0);
        let codes = if number % 5 == 0 { 2.0 / 3.0 } else { 1.0 };
        assert_eq!(row["parts"]["currency"], currency, "{row}");
        assert_eq!(row["parts"]["codes"], codes, "{row}");
        let share = (2.0 + currency + codes) / 4.0;
        assert!(
            (row["score"].as_f64().unwrap() - share).abs() < 1e-12,
            "{row}"
        );
    }
    let parts = table["prompts"][0]["parts"].as_array().unwrap();
    assert_eq!(parts[0]["name"], "currency");
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_are_extracted_and_graded() {
    let server = MockServer::start(clerk).await;
    let desk = desk(&server);
    let head = desk.read("study.toml");
    let model = head.lines().find(|line| line.starts_with("model")).unwrap();
    desk.write("bills.toml", format!("{model}\n{BILLS}"));
    desk.write("bills.csv", bills());
    desk.run(&["eval", "bills.toml"]).await.expect(
        2,
        &[
            "bills.toml:",
            "task.schema names a file that cannot be read",
            "bill.json",
        ],
    );
    desk.write("bill.json", SCHEMA);
    let table = read(&eval(&desk, &["bills.toml", "--json"]).await);
    check_bills(&table);
    let asked = server.requests();
    let format = &asked.last().unwrap().body["response_format"];
    assert_eq!(format["type"], "json_schema");
    assert_eq!(format["json_schema"]["strict"], true);
    assert_eq!(
        format["json_schema"]["schema"]["additionalProperties"],
        false
    );
    says(
        asked.last().unwrap().prompt(),
        &["Answer with one JSON object", "(Who sends it)"],
    );
    let text = eval(&desk, &["bills.toml", "--failures"]).await.out;
    says(
        &text,
        &[
            "by field: currency ",
            "wrong   currency",
            "I'm sorry, but I can't read",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_schema_is_asked_in_words() {
    let server = MockServer::start(|seen: &Seen| {
        if seen.body["response_format"].is_object() {
            let told = "Invalid parameter: 'response_format' of type 'json_schema' is not supported \
                        with this model.";
            return Act::error(400, "invalid_request_error", told);
        }
        clerk(seen)
    })
    .await;
    let desk = Desk::new();
    at(&desk, &server, ", concurrency = 1");
    let head = desk.read("study.toml");
    let model = head.lines().find(|line| line.starts_with("model")).unwrap();
    desk.write("bills.toml", format!("{model}\n{BILLS}"));
    desk.write("bills.csv", bills());
    desk.write("bill.json", SCHEMA);
    let table = read(&eval(&desk, &["bills.toml", "--json"]).await);
    check_bills(&table);
    // It is refused once, and known from then on.
    let refused = |seen: &&Seen| seen.body["response_format"].is_object();
    assert_eq!(server.requests().iter().filter(refused).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn extraction_is_optimised() {
    // The word "carefully" mends the currency.
    let server = MockServer::start(|seen: &Seen| {
        if seen.asks_for_prompt() {
            return Act::text("Read the bill carefully, and write down what it says.");
        }
        if !seen.prompt().contains("carefully") {
            return clerk(seen);
        }
        let text = seen.prompt();
        let number: i64 = text
            .split("bill ")
            .find_map(|rest| rest.split_whitespace().next()?.parse().ok())
            .unwrap();
        let currency = if number % 2 == 0 { "EUR" } else { "USD" };
        Act::text(
            &json!({"vendor": format!("Acme {number}"), "total": number as f64 / 4.0,
            "currency": currency, "codes": [number, number + 1]})
            .to_string(),
        )
    })
    .await;
    let desk = desk(&server);
    let head = desk.read("study.toml");
    let model = head.lines().find(|line| line.starts_with("model")).unwrap();
    let search =
        "[search]\nmethod = \"ape\"\nshots = 4\nchunks = 2\nproposals = 4\nevaluations = 200\n";
    desk.write("bills.toml", format!("{model}\n{BILLS}{search}"));
    desk.write("bills.csv", bills());
    desk.write("bill.json", SCHEMA);
    let ended = desk
        .run(&["optimize", "bills.toml", "--quiet", "--headless", "--json"])
        .await;
    let report = read(&ended);
    let selected = report["selected"].as_str().unwrap();
    let prompt = &report["candidates"][selected]["prompt"]["instruction"];
    says(prompt.as_str().unwrap(), &["carefully"]);
}

const QUESTIONS: &str = r#"
name = "questions"
[task]
kind = "generate"
prompt = "Answer the question."
input = "{question}"
metric = "contains"
[data]
files = ["questions.jsonl"]
id = "id"
group = "kind"
label = "answers"
[groups]
source = ["old"]
target = ["new"]
train = 6
validation = 6
labelled = 6
unlabelled = 6
audit = 6
"#;

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_held_against_references() {
    let server = MockServer::start(|seen: &Seen| {
        let number: u64 = seen.prompt().rsplit(' ').next().unwrap().parse().unwrap();
        Act::text(match number % 3 {
            0 => "It is PARIS, of course.",
            1 => "<think>Rome?</think>The City of Light",
            _ => "Rome",
        })
    })
    .await;
    let desk = desk(&server);
    let head = desk.read("study.toml");
    let model = head.lines().find(|line| line.starts_with("model")).unwrap();
    desk.write("questions.toml", format!("{model}\n{QUESTIONS}"));
    let lines: Vec<String> = (0..60)
        .map(|number| {
            let kind = if number < 30 { "old" } else { "new" };
            json!({"id": format!("q{number}"), "kind": kind, "question": format!("Capital, number {number}"),
                   "answers": ["Paris", "City of Light"]}).to_string()
        })
        .collect();
    desk.write("questions.jsonl", lines.join("\n"));
    let score = async |metric: Option<&str>| {
        let mut args = vec!["questions.toml", "--json"];
        args.extend(metric.iter().flat_map(|metric| ["--metric", metric]));
        let table = read(&eval(&desk, &args).await);
        for row in table["prompts"][0]["answers"].as_array().unwrap() {
            let number: u64 = row["id"].as_str().unwrap()[1..].parse().unwrap();
            let expect = match (metric, number % 3) {
                (_, 2) | (Some("exact"), 0) => 0.0,
                (Some("token-f1"), 0) => 2.0 / 6.0,
                _ => 1.0,
            };
            assert!(
                (row["score"].as_f64().unwrap() - expect).abs() < 1e-12,
                "{metric:?} {row}"
            );
        }
    };
    score(None).await;
    let asked = server.asked();
    // By other metrics without a call.
    score(Some("exact")).await;
    score(Some("token-f1")).await;
    assert_eq!(server.asked(), asked);
    desk.run(&["eval", "questions.toml", "--metric", "auc"])
        .await
        .expect(2, &["task.metric: auc does not fit a text"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn random_seeds_share_one_table() {
    let server = MockServer::start(model).await;
    let desk = desk(&server);
    let optimize = async |args: &[&str]| {
        let args: Vec<&str> = ["optimize", "--quiet"]
            .iter()
            .chain(args)
            .copied()
            .collect();
        desk.run(&args).await
    };
    let ended = optimize(&["--seeds", "2,1,3", "-o", "all.json", "-o", "all.html"]).await;
    ended.expect(0, &[]);
    says(
        &ended.out,
        &[
            "3 random seeds, worst target",
            "mock-s2-1",
            "mock-s1-1",
            "mock-s3-1",
            "Agreement: 3 ",
        ],
    );
    let all: Value = serde_json::from_str(&desk.read("all.json")).unwrap();
    let runs: Vec<&str> = all["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["run"].as_str().unwrap())
        .collect();
    assert_eq!(runs, ["mock-s2-1", "mock-s1-1", "mock-s3-1"]);
    assert!(desk.read("all.html").contains("mock-s3-1"));
    // What is finished is not run again, and says the same.
    let asked = server.asked();
    let again = optimize(&["--seeds", "2,1,3"]).await;
    assert_eq!((again.code, &again.out), (Some(0), &ended.out));
    assert_eq!(server.asked(), asked);
    // One by one they are runs like any other.
    assert_eq!(desk.run(&["runs", "show", "mock-s3-1"]).await.code, Some(0));
    // A bar is one for every run.
    optimize(&["--seeds", "1..3", "--min-worst", "1.0"])
        .await
        .expect(100, &["random seed 1: the worst target group has"]);
    for (flag, told) in [("--resume", "--resume"), ("--dry-run", "--dry-run")] {
        optimize(&["--seeds", "1,2", flag]).await.expect(2, &[told]);
    }
}
