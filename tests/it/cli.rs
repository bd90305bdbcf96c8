//! What a user meets when something is wrong: message, place, mend, exit code.

use std::time::Duration;

use crate::support::mock_server::{Act, MockServer, capable};
use crate::support::program::{Desk, model};

fn at(desk: &Desk, url: &str) {
    desk.edit_study(
        "name = \"mock\"",
        &format!("name = \"mock\"\nmodel = {{ name = \"openai:mock\", base_url = \"{url}\", max_retries = 1 }}"),
    );
}

#[tokio::test]
async fn wrong_key_names_its_line() {
    let desk = Desk::new();
    desk.edit_study("evaluations", "evalutions");
    desk.run(&["optimize"]).await.expect(
        2,
        &["study.toml:", "`evalutions`", "did you mean `evaluations`?"],
    );
    let desk = Desk::new();
    desk.edit_study("fields = ", "feilds = ");
    desk.run(&["estimate"]).await.expect(
        2,
        &[
            "study.toml:13: unknown key `feilds`",
            "did you mean `fields`?",
        ],
    );
    let desk = Desk::new();
    desk.edit_study("labels", "lables");
    desk.run(&["optimize"])
        .await
        .expect(2, &["did you mean `labels`?"]);
}

#[tokio::test]
async fn meaningless_studies_are_refused() {
    let check = async |from: &str, to: &str, code: i32, pieces: &[&str]| {
        let desk = Desk::new();
        desk.edit_study(from, to);
        desk.run(&["optimize"]).await.expect(code, pieces);
    };
    check(
        "kind = \"classify\"",
        "kind = \"clasify\"",
        2,
        &["\"clasify\"", "classify"],
    )
    .await;
    check(
        "chunks = 3",
        "chunks = 0",
        2,
        &["search.chunks is 0, but must be between 1 and 1,000"],
    )
    .await;
    check(
        "name = \"mock\"",
        "name = \"mo ck\"",
        2,
        &["name must be letters"],
    )
    .await;
    check(
        "name = \"mock\"",
        "name = \"mock\"\nmodel = \"gpt\"",
        2,
        &["no model is called \"gpt\"", "openai:MODEL"],
    )
    .await;
    check("{text}", "{txt}", 2, &["txt", "text"]).await;
    check(
        "target = [\"films\"]",
        "target = [\"filns\"]",
        2,
        &["filns", "films"],
    )
    .await;
    check("audit = 16", "audit = 50", 2, &["audit"]).await;
}

#[tokio::test]
async fn broken_files_are_named() {
    let desk = Desk::new();
    desk.run(&["optimize", "nowhere.toml"])
        .await
        .expect(2, &["nowhere.toml", "shiftproof init"]);
    desk.write("bad.toml", b"name = \"x\"\n\xff\n");
    desk.run(&["optimize", "bad.toml"])
        .await
        .expect(2, &["bad.toml:2: not UTF-8"]);
    std::fs::remove_file(desk.path("data.csv")).unwrap();
    desk.run(&["optimize"]).await.expect(5, &["data.csv"]);
    desk.write(
        "data.csv",
        b"id,domain,label,text\na,books,positive,caf\xe9\n",
    );
    desk.run(&["optimize"])
        .await
        .expect(5, &["data.csv:2", "UTF-8"]);
    // A row without a label is an input, and no group of the study is there.
    desk.write("data.csv", "id,domain,label,text\na,books,,hello\n");
    desk.run(&["optimize"])
        .await
        .expect(2, &["groups.target", "films"]);
    desk.write(
        "data.csv",
        "id,domain,label,text\na,books,positive,x\na,books,negative,y\n",
    );
    desk.run(&["optimize"])
        .await
        .expect(5, &["data.csv:3", "data.csv:2"]);
    let long = format!(
        "id,domain,label,text\na,books,positive,{}\n",
        "x".repeat(10 << 20)
    );
    desk.write("data.csv", long);
    desk.run(&["optimize"]).await.expect(5, &["data.csv:2"]);
}

#[tokio::test]
async fn duplicate_across_seal_is_refused() {
    let desk = Desk::new();
    let data = desk.read("data.csv");
    let leaky = data.lines().map(|line| {
        if line.starts_with("films") {
            format!(
                "{}same text {}",
                &line[..=line.rfind(',').unwrap()],
                usize::from(line.contains("positive"))
            )
        } else {
            line.to_owned()
        }
    });
    desk.write("data.csv", leaky.collect::<Vec<_>>().join("\n"));
    desk.run(&["optimize"])
        .await
        .expect(5, &["leak", "data.leaks = \"drop\""]);
}

#[tokio::test]
async fn missing_package_client_is_explained() {
    let desk = Desk::new();
    let mut command = desk.command(&["optimize"]);
    command.env("PATH", desk.path("empty"));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    crate::support::program::Ended::from(output).expect(5, &["no Python package client"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_server_is_never_scored() {
    let check = async |act: Act, pieces: &[&str]| {
        let server = MockServer::in_turn([act]).await;
        let desk = Desk::new();
        at(&desk, &server.base_url());
        let ended = desk.run(&["optimize", "--quiet"]).await;
        ended.expect(4, pieces);
        assert_eq!(ended.out, "", "a failed run prints no report");
    };
    check(
        Act::error(401, "invalid_api_key", "no"),
        &["OPENAI_API_KEY"],
    )
    .await;
    check(
        Act::error(429, "rate_limit_exceeded", "slow down"),
        &["429"],
    )
    .await;
    check(Act::html(200), &["HTML"]).await;

    let desk = Desk::new();
    at(&desk, "http://127.0.0.1:9/v1");
    desk.run(&["optimize", "--quiet"])
        .await
        .expect(4, &["127.0.0.1:9"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nan_scores_fall_back_safely() {
    let server = MockServer::start(|seen| {
        if let Some(probe) = capable(seen) {
            return probe;
        }
        if seen.wants_logprobs() {
            return Act::json(
                200,
                &serde_json::json!({
                    "choices": [{
                        "index": 0,
                        "message": {"role": "assistant", "content": "positive"},
                        "finish_reason": "stop",
                        "logprobs": {"content": [{"token": "positive", "logprob": "NaN",
                            "top_logprobs": [{"token": "positive", "logprob": "NaN"}]}]}
                    }],
                    "usage": {"prompt_tokens": 9, "completion_tokens": 1}
                }),
            );
        }
        model(seen)
    })
    .await;
    let desk = Desk::new();
    at(&desk, &server.base_url());
    let mut command = desk.command(&["optimize", "--verbose"]);
    command.env("OPENAI_API_KEY", "canary-4711");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let ended = crate::support::program::Ended::from(output);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    // Scores that are no numbers decide nothing: every answer was asked for in text,
    // and after a few of them no scores were asked for.
    let asked = server.requests();
    let scored = asked.iter().filter(|seen| seen.wants_logprobs()).count();
    assert!((2..32).contains(&scored), "{scored}");
    assert!(asked.len() > 100 + scored, "{}", asked.len());
    assert!(!ended.out.contains("NaN"));
    assert!(!format!("{ended:?}").contains("canary-4711"));
    for file in walk(&desk.path(".shiftproof")) {
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes.windows(11).any(|window| window == b"canary-4711");
        assert!(!found, "the key is in {}", file.display());
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else {
            files.push(path);
        }
    }
    files
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn locked_store_names_its_holder() {
    let server = MockServer::start(|seen| model(seen).after(Duration::from_millis(20))).await;
    let desk = Desk::new();
    at(&desk, &server.base_url());
    let mut first = desk.start(&["optimize", "--quiet"]);
    while server.calls() < 20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let pid = first.id().to_string();
    desk.run(&["optimize", "--quiet"]).await.expect(5, &[&pid]);
    let status = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status()
        .unwrap();
    assert!(status.success());
    let code = tokio::task::spawn_blocking(move || first.wait().unwrap())
        .await
        .unwrap()
        .code();
    assert_eq!(code, Some(130));
    let runs = desk.run(&["runs"]).await;
    assert!(
        runs.out.contains("stopped (interrupted), can be resumed"),
        "{runs:?}"
    );
    let ended = desk.run(&["optimize", "--quiet", "--resume"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn thresholds_decide_exit_code() {
    let server = MockServer::start(model).await;
    let desk = Desk::new();
    at(&desk, &server.base_url());
    desk.run(&["optimize", "--quiet", "--min-worst", "1.0"])
        .await
        .expect(100, &["--min-worst"]);
    desk.run(&["optimize", "--quiet", "--require-gain"])
        .await
        .expect(101, &["beyond chance"]);
    desk.run(&["eval", "--audit", "--quiet", "--min-worst", "1.0"])
        .await
        .expect(100, &[]);
    desk.run(&["eval", "--audit", "--quiet", "--min-worst", "0.1"])
        .await
        .expect(0, &[]);
    desk.run(&["optimize", "--max-calls", "3", "--quiet"])
        .await
        .expect(3, &["budget"]);
}

#[tokio::test]
async fn init_writes_readable_study() {
    let desk = Desk::new();
    desk.run(&["init", "fresh"]).await.expect(0, &[]);
    desk.run(&["init", "fresh"]).await.expect(2, &["exists"]);
    let study = desk
        .read("fresh/study.toml")
        .replace("model = \"embedded\"", "model = \"embedded:none.gguf\"");
    desk.write("fresh/study.toml", study);
    // An estimate asks no model; everything but the model is found to be in order.
    desk.run(&["estimate", "fresh/study.toml"])
        .await
        .expect(0, &[]);
    desk.run(&["doctor", "fresh/study.toml"])
        .await
        .expect(4, &[]);
}

#[tokio::test]
async fn shells_and_man_know_every_command() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = desk.run(&["completions", shell]).await;
        ended.expect(0, &[]);
        for word in ["optimize", "require-gain", "min-worst"] {
            assert!(ended.out.contains(word), "{shell} does not complete {word}");
        }
    }
    desk.run(&["completions", "tcsh"])
        .await
        .expect(2, &["possible values"]);
    let page = desk.run(&["man"]).await;
    page.expect(0, &[]);
    assert!(page.out.contains(".TH shiftproof 1"), "{}", page.out);
    assert!(page.out.contains("Exit codes"), "{}", page.out);
    desk.run(&["man", "--folder", "man"]).await.expect(0, &[]);
    assert!(desk.read("man/shiftproof-optimize.1").contains("require"));
    assert!(desk.path("man/shiftproof-data-fetch.1").exists());
}
