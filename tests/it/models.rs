//! Keys of a model, prices and batches as a user meets them.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::mock_server::{Act, MockServer, Seen};
use crate::support::program::{Desk, model};

/// A study whose `[model]` is this.
fn desk(table: &str) -> Desk {
    let desk = Desk::new();
    desk.edit_study("[task]", &format!("[model]\n{table}\n[task]"));
    desk
}

fn openai(server: &MockServer, more: &str) -> Desk {
    desk(&format!(
        "name = \"openai:mock\"\nbase_url = \"{}\"\nmax_retries = 1\n{more}",
        server.base_url()
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_key_names_its_line() {
    for (line, pieces) in [
        (
            "temperature = 3.0",
            &["study.toml:5", "model.temperature", "between 0 and 2"][..],
        ),
        ("top_p = 0.0", &["study.toml:5", "top_p"]),
        ("max_tokens = 0", &["study.toml:5", "max_tokens"]),
        ("stop = [\"\"]", &["study.toml:5", "stop"]),
        ("price = { prompt = -1.0 }", &["study.toml:5", "price"]),
        ("context_tokens = 4096", &["study.toml:5", "is for ollama"]),
        ("api_version = \"1\"", &["study.toml:5", "is for azure"]),
        (
            "max_token = 5",
            &["study.toml:5", "did you mean `max_tokens`?"],
        ),
        (
            "max_tokens = 9\nthinking_tokens = 2000",
            &["must exceed thinking_tokens = 2000"],
        ),
        (
            "body = { temperature = 1 }",
            &["has a key of its own: set temperature"],
        ),
        ("body = { messages = [] }", &["shiftproof writes itself"]),
        (
            "body = { extra = { api_key = \"canary\" } }",
            &["api_key looks like a secret"],
        ),
        (
            "headers = { x-api-key = \"canary\" }",
            &["study.toml:5", "env:NAME"],
        ),
        (
            "headers = { X-Note = \"Bearer canary\" }",
            &["looks like a secret"],
        ),
        (
            "base_url = \"https://me:canary@h/v1\"",
            &["study.toml:5", "user or password"],
        ),
        (
            "base_url = \"https://h/v1?key=canary\"",
            &["study.toml:5", "the value of key"],
        ),
        ("batch = \"maybe\"", &["study.toml:5"]),
    ] {
        let desk = desk(&format!("name = \"openai:m\"\n{line}"));
        let ended = desk.run(&["estimate"]).await;
        ended.expect(2, pieces);
        assert!(!format!("{ended:?}").contains("canary"), "{ended:?}");
    }
    for (name, pieces) in [
        (
            "antropic:m",
            &[
                "study.toml:4",
                "did you mean \"anthropic\"?",
                "gemini:MODEL",
            ][..],
        ),
        ("anthropic", &["name the model after the colon"]),
        ("gpt-4o", &["no model is called \"gpt-4o\""]),
    ] {
        let desk = desk(&format!("name = \"{name}\""));
        desk.run(&["estimate"]).await.expect(2, pieces);
    }
    let embedded = desk("name = \"embedded\"\ntemperature = 0.5");
    let ended = embedded.run(&["estimate"]).await;
    ended.expect(2, &["is for models behind a server"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_needed_before_sending() {
    for (name, variable) in [
        ("anthropic:m", "ANTHROPIC_API_KEY"),
        ("gemini:m", "GEMINI_API_KEY"),
    ] {
        let desk = desk(&format!("name = \"{name}\""));
        let mut command = desk.command(&["eval"]);
        command.env_remove(variable);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        crate::support::program::Ended::from(output).expect(2, &["needs a key", variable]);
    }
    let azure = desk("name = \"azure:d\"");
    azure
        .run(&["eval"])
        .await
        .expect(2, &["needs base_url", "openai.azure.com"]);
    let header = desk("name = \"openai:m\"\nheaders = { X-Team = \"env:NO_SUCH_THING\" }");
    header
        .run(&["eval"])
        .await
        .expect(2, &["NO_SUCH_THING", "not set"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn estimate_asks_nobody() {
    let server = MockServer::start(|_| Act::error(500, "", "nobody should ask")).await;
    let desk = openai(&server, "");
    let ended = desk.run(&["estimate"]).await;
    assert_eq!((ended.code, server.calls()), (Some(0), 0), "{ended:?}");
    // A server of one's own costs nothing, and that is said.
    for piece in [
        "$0.0000",
        "costs nothing (it runs on a machine of yours)",
        "Time: assumed are",
        "not asked; assumed are labels",
    ] {
        assert!(ended.out.contains(piece), "{piece}: {}", ended.out);
    }
    // Nor are weights fetched.
    let embedded = Desk::new();
    let ended = embedded.run(&["estimate"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!embedded.path("cache").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn money_is_known_or_unknown() {
    let known = desk("name = \"openai:gpt-4o-mini\"\nrequests_per_minute = 10");
    let ended = known.run(&["estimate"]).await;
    assert!(
        ended.out.contains("(list price of 2025-08)"),
        "{}",
        ended.out
    );
    assert!(!ended.out.contains("$0.0000"), "{}", ended.out);
    // Ten a minute take longer than eight at once.
    assert!(
        ended.out.contains("at most 10 requests a minute"),
        "{}",
        ended.out
    );
    let plan = known.run(&["estimate", "--json"]).await;
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    let calls = plan["calls"].as_f64().unwrap();
    assert!(
        plan["seconds"].as_f64().unwrap() >= 6.0 * calls - 1.0,
        "{plan}"
    );
    assert!(plan["usd"].as_f64().unwrap() > 0.0);

    let unknown = desk("name = \"openai:brand-new\"");
    let ended = unknown.run(&["estimate"]).await;
    assert!(ended.out.contains("price unknown"), "{}", ended.out);
    assert!(
        ended
            .out
            .contains("the price of openai:brand-new is unknown"),
        "{}",
        ended.out
    );
    assert!(
        !ended.out.contains('$') || !ended.out.contains("$0"),
        "{}",
        ended.out
    );
    let plan = unknown.run(&["estimate", "--json"]).await;
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    assert_eq!(plan["usd"], Value::Null);
    for command in ["estimate", "optimize", "eval"] {
        let ended = unknown.run(&[command, "--max-usd", "1"]).await;
        ended.expect(2, &["cannot be kept", "price = {", "--prices"]);
    }

    unknown.write(
        "prices.toml",
        "[[model]]\nname = \"openai:brand-new\"\nprompt = 1000\ncompletion = 1000\n",
    );
    let ended = unknown.run(&["estimate", "--prices", "prices.toml"]).await;
    assert!(
        ended.out.contains("$1000 a million prompt"),
        "{}",
        ended.out
    );
    assert!(ended.out.contains("(prices.toml)"), "{}", ended.out);
    unknown.write(
        "prices.toml",
        "[[model]]\nname = \"a\"\nprompt = 1\ncompletion = 1\nbach = 1\n",
    );
    let ended = unknown.run(&["estimate", "--prices", "prices.toml"]).await;
    ended.expect(2, &["prices.toml:5", "did you mean `batch`?"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn own_server_costs_nothing() {
    let server = MockServer::start(model).await;
    let desk = openai(&server, "");
    let ended = desk.run(&["optimize", "--headless"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.out.contains("price unknown"), "{}", ended.out);
    assert!(!ended.out.contains('$'), "{}", ended.out);
}

/// What bounds the task's answers would cut proposals, or make them all alike.
#[tokio::test(flavor = "multi_thread")]
async fn proposals_ignore_answer_settings() {
    let run = async |more: &str, proposer: &str| {
        let server = MockServer::start(model).await;
        let desk = openai(&server, more);
        if !proposer.is_empty() {
            let table = format!(
                "[proposer]\nname = \"openai:other\"\nbase_url = \"{}\"\n{proposer}\n[task]",
                server.base_url()
            );
            desk.edit_study("[task]", &table);
        }
        let ended = desk.run(&["optimize", "--headless"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let mine = |seen: &Seen| seen.prompt().contains(" text number ");
        let (proposals, others): (Vec<Seen>, Vec<Seen>) = server
            .requests()
            .into_iter()
            .partition(Seen::asks_for_prompt);
        let answers: Vec<Seen> = others.into_iter().filter(mine).collect();
        assert!(!proposals.is_empty() && !answers.is_empty());
        (proposals, answers)
    };
    let task = "temperature = 0.0\nmax_tokens = 5\nstop = [\"!\"]";
    let (proposals, answers) = run(task, "").await;
    for seen in &answers {
        assert_eq!(seen.body["max_tokens"], 5, "{}", seen.body);
        assert_eq!(seen.body["stop"], json!(["!"]));
    }
    for seen in &proposals {
        assert!(seen.body["max_tokens"].as_u64() > Some(50), "{}", seen.body);
        assert_eq!(seen.body.get("stop"), None);
    }
    assert!(
        proposals
            .iter()
            .any(|seen| seen.body["temperature"].as_f64() > Some(0.0))
    );

    let (proposals, answers) = run(task, "temperature = 0.4\nseed = 3").await;
    assert!(answers.iter().all(|seen| seen.body["model"] == "mock"));
    for seen in &proposals {
        assert_eq!(
            (&seen.body["model"], &seen.body["temperature"]),
            (&json!("other"), &json!(0.4))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_batches_are_refused() {
    let desk = Desk::new();
    let ended = desk.run(&["optimize", "--batch"]).await;
    ended.expect(2, &["no model of the study is behind a server"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn estimate_fetches_no_data() {
    let desk = Desk::new();
    desk.edit_study("files = [\"data.csv\"]\nid = \"id\"\ngroup = \"domain\"\nlabel = \"label\"\nfields = [\"text\"]", "dataset = \"vader\"");
    let ended = desk.run(&["estimate"]).await;
    ended.expect(
        5,
        &[
            "is not in the cache, and an estimate fetches nothing",
            "shiftproof data fetch vader",
        ],
    );
}

/// A provider of batches that answers as [`model`] does.
#[derive(Default)]
struct Provider {
    /// The requests of every file that was uploaded.
    files: Mutex<Vec<Vec<Value>>>,
    /// Tag and file of every batch.
    batches: Mutex<Vec<(String, usize)>>,
    /// Calls that came one by one.
    direct: AtomicUsize,
    /// How batches end.
    ends: Mutex<&'static str>,
    /// Answers every n-th call of a batch only.
    every: AtomicUsize,
    /// The next submission arrives, and its answer is lost.
    hangs_up: AtomicUsize,
}

impl Provider {
    fn new(ends: &'static str, every: usize) -> Arc<Self> {
        let provider = Self::default();
        *provider.ends.lock().unwrap() = ends;
        provider.every.store(every, SeqCst);
        Arc::new(provider)
    }

    async fn serve(self: &Arc<Self>) -> MockServer {
        let provider = self.clone();
        MockServer::start(move |seen| provider.act(seen)).await
    }

    fn act(&self, seen: &Seen) -> Act {
        let (method, path) = seen.line.split_once(' ').unwrap();
        let parts: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
        match (method, &parts[..]) {
            ("POST", ["files"]) => {
                let lines = seen.text.lines().filter(|line| line.starts_with('{'));
                let requests = lines.map(|line| serde_json::from_str(line).unwrap());
                let mut files = self.files.lock().unwrap();
                files.push(requests.collect());
                Act::json(200, &json!({"id": format!("file{}", files.len() - 1)}))
            }
            ("POST", ["batches"]) => {
                let file = seen.body["input_file_id"].as_str().unwrap()[4..]
                    .parse()
                    .unwrap();
                let tag = seen.body["metadata"]["shiftproof"].as_str().unwrap();
                let mut batches = self.batches.lock().unwrap();
                batches.push((tag.to_owned(), file));
                if self.hangs_up.swap(0, SeqCst) > 0 {
                    return Act::hang_up();
                }
                Act::json(200, &json!({"id": format!("batch{}", batches.len() - 1)}))
            }
            ("GET", ["batches?limit=100"]) => {
                let batches = self.batches.lock().unwrap();
                let data: Vec<Value> = batches
                    .iter()
                    .enumerate()
                    .map(|(n, (tag, _))| json!({"id": format!("batch{n}"), "status": "in_progress", "metadata": {"shiftproof": tag}}))
                    .collect();
                Act::json(200, &json!({ "data": data }))
            }
            ("GET", ["batches", id]) => {
                let n: usize = id[5..].parse().unwrap();
                let (_, file) = self.batches.lock().unwrap()[n].clone();
                let total = self.files.lock().unwrap()[file].len();
                let status = *self.ends.lock().unwrap();
                Act::json(
                    200,
                    &json!({"id": id, "status": status, "output_file_id": format!("out{n}"),
                            "errors": {"data": [{"message": "no such model"}]},
                            "request_counts": {"total": total, "completed": total, "failed": 0}}),
                )
            }
            ("GET", ["files", out, "content"]) => {
                let n: usize = out[3..].parse().unwrap();
                let (_, file) = self.batches.lock().unwrap()[n].clone();
                let requests = self.files.lock().unwrap()[file].clone();
                let every = self.every.load(SeqCst);
                let mut lines: Vec<String> = requests
                    .iter()
                    .step_by(every)
                    .map(|request| {
                        let seen = Seen {
                            body: request["body"].clone(),
                            ..seen.clone()
                        };
                        let body = model(&seen).having_read(&seen).body();
                        json!({"custom_id": request["custom_id"], "response": {"status_code": 200, "body": body}}).to_string()
                    })
                    .collect();
                lines.reverse();
                Act::raw(200, lines.join("\n"))
            }
            ("POST", ["chat", "completions"]) => {
                self.direct.fetch_add(1, SeqCst);
                model(seen)
            }
            other => Act::error(404, "", &format!("{other:?}")),
        }
    }

    fn submitted(&self) -> usize {
        self.batches.lock().unwrap().len()
    }

    /// How often the call that was sent most often was sent in batches.
    fn most_often(&self) -> usize {
        let mut counts = std::collections::HashMap::new();
        for request in self.files.lock().unwrap().iter().flatten() {
            *counts.entry(request["custom_id"].to_string()).or_insert(0) += 1;
        }
        counts.into_values().max().unwrap_or(0)
    }
}

const PRICED: &str = "price = { prompt = 2.0, completion = 10.0, batch_prompt = 1.0, batch_completion = 5.0 }\nthinking_tokens = 0\nprefill = \"off\"";

/// A run in batches comes to what a run without them does, for half the money.
#[tokio::test(flavor = "multi_thread")]
async fn batched_run_costs_half() {
    let provider = Provider::new("completed", 1);
    let server = provider.serve().await;
    let desk = openai(&server, &format!("batch = true\n{PRICED}"));
    let batched = desk.run(&["optimize", "--headless", "--json"]).await;
    assert_eq!(batched.code, Some(0), "{batched:?}");
    assert!(provider.submitted() > 2);
    assert_eq!(provider.most_often(), 1, "nothing is asked twice");
    let direct = provider.direct.load(SeqCst);

    let plain = openai(&server, PRICED);
    let whole = plain.run(&["optimize", "--headless", "--json"]).await;
    assert_eq!(whole.code, Some(0), "{whole:?}");
    let report = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
    let (batched, whole) = (report(&batched.out), report(&whole.out));
    let found =
        |report: &Value, key: &str| find(report, key).unwrap_or_else(|| panic!("{key}: {report}"));
    assert_eq!(found(&batched, "calls"), found(&whole, "calls"));
    let money = |report: &Value| found(report, "picodollars").as_u64().unwrap();
    // All but the few calls that went out alone.
    assert!(direct < 10, "{direct}");
    assert!(
        money(&batched) < money(&whole) * 6 / 10,
        "{} {}",
        money(&batched),
        money(&whole)
    );
}

/// The first value under `key`, at any depth.
fn find(value: &Value, key: &str) -> Option<Value> {
    match value {
        Value::Object(fields) => fields
            .get(key)
            .filter(|value| !value.is_object() && !value.is_array())
            .cloned()
            .or_else(|| fields.values().find_map(|value| find(value, key))),
        Value::Array(items) => items.iter().find_map(|value| find(value, key)),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn detached_run_goes_on() {
    let provider = Provider::new("in_progress", 1);
    let server = provider.serve().await;
    let desk = openai(&server, PRICED);
    let args = ["optimize", "--headless", "--batch", "--batch-exit"];
    let ended = desk.run(&args).await;
    ended.expect(75, &["as the batch batch0", "--resume"]);
    assert_eq!(provider.submitted(), 1);
    let resume = ["optimize", "--headless", "--batch-exit", "--resume"];
    // Not yet done: nothing is submitted again.
    desk.run(&resume).await.expect(75, &["as the batch batch0"]);
    assert_eq!(provider.submitted(), 1);
    *provider.ends.lock().unwrap() = "completed";
    let mut rounds = 0;
    let last = loop {
        let ended = desk.run(&resume).await;
        rounds += 1;
        assert!(rounds < 40, "{ended:?}");
        if ended.code != Some(75) {
            break ended;
        }
    };
    assert_eq!(last.code, Some(0), "{last:?}");
    assert!(last.out.contains("audit"), "{}", last.out);
    assert_eq!(provider.most_often(), 1, "nothing is paid twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_batch_is_repeated() {
    let provider = Provider::new("expired", 2);
    let server = provider.serve().await;
    let desk = openai(&server, &format!("batch = true\n{PRICED}"));
    let ended = desk.run(&["optimize", "--headless"]).await;
    ended.expect(0, &["ended as expired", "asked again one by one"]);
    assert!(provider.direct.load(SeqCst) > 20);
    assert_eq!(provider.most_often(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn run_reports_refused_batch() {
    let provider = Provider::new("failed", 1);
    let server = MockServer::start({
        let provider = provider.clone();
        move |seen| {
            let act = provider.act(seen);
            let mut body = act.body();
            if body["status"] == "failed" {
                body.as_object_mut().unwrap().remove("output_file_id");
                return Act::json(200, &body);
            }
            act
        }
    })
    .await;
    let desk = openai(&server, &format!("batch = true\n{PRICED}"));
    let ended = desk.run(&["optimize", "--headless"]).await;
    ended.expect(4, &["refused as a whole (no such model)", "Without batch"]);
}

/// The process ends between submission and record.
#[tokio::test(flavor = "multi_thread")]
async fn orphaned_batch_is_found() {
    let provider = Provider::new("completed", 1);
    let server = provider.serve().await;
    let desk = openai(&server, &format!("batch = true\n{PRICED}"));
    desk.edit_study("max_retries = 1", "max_retries = 0");
    provider.hangs_up.store(1, SeqCst);
    let ended = desk.run(&["optimize", "--headless"]).await;
    ended.expect(4, &["--resume"]);
    assert_eq!(provider.submitted(), 1);
    let ended = desk.run(&["optimize", "--headless", "--resume"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(provider.most_often(), 1, "nothing is paid twice");
    assert!(!ended.err.contains("paid for twice"), "{}", ended.err);
}
