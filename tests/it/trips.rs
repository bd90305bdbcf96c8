//! What trips people on the way: lines that are pasted, paths that cannot be written, a
//! server that is silent, a store that is busy, sizes that decide nothing.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::mock_server::{MockServer, Seen};
use crate::support::program::{Desk, Ended, model};

fn server_in(desk: &Desk, server: &MockServer) {
    desk.edit_study(
        "name = \"mock\"",
        &format!(
            "name = \"mock\"\nmodel = {{ name = \"openai:mock\", base_url = \"{}\", \
             concurrency = 4, label_scores = \"off\", prefill = \"off\" }}",
            server.base_url()
        ),
    );
}

async fn slow(milliseconds: u64) -> MockServer {
    MockServer::start(move |seen: &Seen| model(seen).after(Duration::from_millis(milliseconds)))
        .await
}

/// Starts the program and interrupts it after so many calls.
#[cfg(unix)]
async fn interrupted(desk: &Desk, server: &MockServer, args: &[&str], calls: usize) -> Ended {
    let child = desk.command(args).spawn().unwrap();
    while server.calls() < calls {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let status = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    Ended::from(output.await.unwrap())
}

/// A line as a shell of a user runs it, in another folder.
#[cfg(unix)]
async fn pasted(line: &str, folder: &Path) -> Ended {
    let program = Path::new(env!("CARGO_BIN_EXE_shiftproof"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let mut command = Command::new("sh");
    command
        .args(["-c", line])
        .current_dir(folder)
        .env("PATH", path)
        .env_remove("SHIFTPROOF_STORE")
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    Ended::from(output.await.unwrap())
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn printed_resume_line_works_elsewhere() {
    let server = slow(15).await;
    let elsewhere = tempfile::tempdir().unwrap();
    for store in [".shiftproof", "my store"] {
        let desk = Desk::new();
        server_in(&desk, &server);
        let calls = server.calls();
        let args = ["optimize", "--seed", "7", "--store", store];
        let stopped = interrupted(&desk, &server, &args, calls + 30).await;
        stopped.expect(130, &["go on with: shiftproof optimize --resume mock-s7-1"]);
        let (_, line) = stopped.err.rsplit_once("go on with: ").unwrap();
        let ended = pasted(line.trim(), elsewhere.path()).await;
        ended.expect(0, &["as it began: study mock, random seed 7"]);
        assert!(ended.out.contains("Verdict"), "{ended:?}");
        assert!(!elsewhere.path().join(store).exists());
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn changes_since_the_beginning_are_told() {
    let server = slow(10).await;
    let desk = Desk::new();
    server_in(&desk, &server);
    interrupted(&desk, &server, &["optimize"], 30)
        .await
        .expect(130, &[]);
    for (flags, own) in [
        (["--seed", "9"], "--seed 1"),
        (["--model", "openai:other"], "--model openai:mock"),
        (["--method", "ape"], "--method gpo"),
    ] {
        let args = ["optimize", "--resume", "mock-s1-1", flags[0], flags[1]];
        let told = format!("began with {own}");
        desk.run(&args).await.expect(2, &[&told, "start a new run"]);
    }
    desk.edit_study("evaluations = 240", "evaluations = 300");
    let ended = desk.run(&["optimize", "--resume"]).await;
    ended.expect(
        0,
        &["study.toml has changed since (then | now): search.evaluations (240 | 300)"],
    );
    // Its spelling is no change.
    let desk = Desk::new();
    server_in(&desk, &server);
    interrupted(&desk, &server, &["optimize"], server.calls() + 30)
        .await
        .expect(130, &[]);
    desk.edit_study("evaluations = 240", "evaluations = 240 # as before");
    let ended = desk.run(&["optimize", "--resume", "--seed", "1"]).await;
    ended.expect(0, &["as it began"]);
    assert!(!ended.err.contains("has changed"), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn unwritable_paths_cost_nothing() {
    let server = MockServer::start(model).await;
    let desk = Desk::new();
    server_in(&desk, &server);
    std::fs::create_dir(desk.path("folder.html")).unwrap();
    desk.write("kept.md", "mine\n");
    for (args, what) in [
        (
            vec!["-o", "nowhere/report.html"],
            "there is no folder nowhere",
        ),
        (vec!["-o", "folder.html"], "it is a folder"),
        (vec!["-o", "data.csv/report.md"], "data.csv"),
        (
            vec!["--events", "nowhere/events.jsonl"],
            "no folder nowhere",
        ),
        (vec!["-o", "kept.md", "-o", "gone/r.json"], "no folder gone"),
    ] {
        let args = [&["optimize"], args.as_slice()].concat();
        desk.run(&args).await.expect(2, &["cannot write", what]);
    }
    for command in ["gate", "report"] {
        let mut args = vec![command, "-o", "nowhere/out.md"];
        if command == "report" {
            args.insert(1, "some-run");
        }
        let ended = desk.run(&args).await;
        ended.expect(2, &["there is no folder nowhere"]);
    }
    assert_eq!(server.calls(), 0);
    assert_eq!(desk.read("kept.md"), "mine\n");
    assert!(!desk.path(".shiftproof").exists());
    let ended = desk.run(&["optimize", "-q", "-o", "kept.md"]).await;
    ended.expect(0, &[]);
    assert!(desk.read("kept.md").contains("mock"), "written at the end");
}

#[tokio::test]
async fn points_are_refused_with_the_share_meant() {
    let desk = Desk::new();
    for (args, told) in [
        (["optimize", "--min-worst", "90"], "for 90 points say 0.9"),
        (["eval", "--min-worst", "72.5%"], "say 0.725"),
        (["gate", "--tolerance", "2"], "for 2 points say 0.02"),
    ] {
        desk.run(&args).await.expect(2, &[told]);
    }
}

#[tokio::test]
async fn study_mistakes_are_usage_errors() {
    let check = async |from: &str, to: &str, piece: &str| {
        let desk = Desk::new();
        desk.edit_study(from, to);
        desk.run(&["optimize"])
            .await
            .expect(2, &["study.toml:", piece]);
    };
    check("label = \"label\"", "label = \"lable\"", "\"lable\"").await;
    check("group = \"domain\"", "group = \"dom\"", "\"dom\"").await;
    check("train = 12", "train = 1200", "groups").await;
    check(
        "source = [\"books\"]",
        "source = [\"boks\"]",
        "did you mean",
    )
    .await;
    check(
        "labels = [",
        "labels = [\"positive\", ",
        "remove or rename one",
    )
    .await;
    // A row that is wrong is no matter of the study's.
    let desk = Desk::new();
    desk.write("data.csv", desk.read("data.csv").replace("books0,", ","));
    desk.run(&["optimize"]).await.expect(5, &["data.csv:2"]);
    std::fs::remove_file(desk.path("data.csv")).unwrap();
    desk.run(&["optimize"]).await.expect(5, &["data.csv"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn scaled_plan_is_no_failure_and_a_hopeless_one_no_run() {
    let server = MockServer::start(model).await;
    let desk = Desk::new();
    server_in(&desk, &server);
    let ended = desk.run(&["optimize", "--max-calls", "300"]).await;
    ended.expect(0, &["final"]);
    let asked = server.calls();
    let estimate = desk.run(&["estimate", "--max-calls", "40"]).await;
    estimate.expect(3, &[]);
    let least = estimate.out.split("Smallest workable budget: ").nth(1);
    let least = least.and_then(|rest| rest.split(' ').next()).unwrap();
    let few = desk.run(&["optimize", "--max-calls", "40"]).await;
    let told = format!("{least} calls are the smallest workable budget");
    few.expect(3, &["nothing was asked", &told]);
    assert_eq!((few.out.as_str(), server.calls()), ("", asked));
    let enough = desk.run(&["optimize", "--max-calls", least]).await;
    enough.expect(0, &["audit"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn smoke_tests_are_called_so_before_calls() {
    let server = MockServer::start(model).await;
    let desk = Desk::new();
    server_in(&desk, &server);
    let told = "the sizes of a smoke test: 16 audited examples";
    let ended = desk.run(&["optimize"]).await;
    ended.expect(0, &[told]);
    let place = |piece: &str| ended.err.find(piece).unwrap();
    assert!(place(told) < place("Model:"), "{}", ended.err);
    // Small groups are warned of once, together.
    assert_eq!(ended.err.matches("small-group").count(), 1, "{}", ended.err);
    let estimate = desk.run(&["estimate"]).await;
    assert!(estimate.out.contains(told), "{}", estimate.out);
    assert!(estimate.out.contains("about "), "{}", estimate.out);
    desk.write("data.csv", crate::support::program::rows(120));
    desk.edit_study("audit = 16", "audit = 60");
    let larger = desk.run(&["estimate"]).await;
    larger.expect(0, &[]);
    assert!(!larger.out.contains("smoke test"), "{}", larger.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn machine_output_is_pure() {
    let server = MockServer::start(model).await;
    let desk = Desk::new();
    server_in(&desk, &server);
    let events = desk.run(&["optimize", "--events", "-"]).await;
    events.expect(0, &["Verdict: "]);
    let kinds: Vec<String> = events
        .out
        .lines()
        .map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            event["type"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(kinds.first().map(String::as_str), Some("started"));
    assert_eq!(kinds.last().map(String::as_str), Some("finished"));
    for args in [&["optimize", "--json"], &["eval", "--json"]] {
        let ended = desk.run(args).await;
        ended.expect(0, &[]);
        serde_json::from_str::<serde_json::Value>(&ended.out).unwrap();
    }
    let both = desk.run(&["optimize", "--json", "--events", "-"]).await;
    both.expect(2, &["standard output", "-o report.json"]);
    // The events of a run that is finished are told again.
    let again = [
        "optimize",
        "--resume",
        "mock-s1-1",
        "--events",
        "again.jsonl",
    ];
    desk.run(&again).await.expect(0, &["is finished"]);
    assert_eq!(desk.read("again.jsonl"), events.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_commands_are_silent() {
    let server = MockServer::start(model).await;
    let desk = Desk::new();
    server_in(&desk, &server);
    for (args, code) in [
        (vec!["optimize", "-q"], 0),
        (vec!["optimize", "-q", "--resume", "mock-s1-1"], 0),
        (vec!["eval", "-q"], 0),
        (vec!["gate", "-q", "-c", "Which is it?"], 101),
    ] {
        let ended = desk.run(&args).await;
        assert_eq!(
            (ended.code, ended.err.as_str()),
            (Some(code), ""),
            "{args:?}"
        );
        assert!(!ended.out.is_empty());
    }
}

/// When a piece first stood on standard error, since the start; the program is ended.
async fn first_told(desk: &Desk, args: &[&str], piece: &'static str) -> Duration {
    use std::io::BufRead as _;
    let mut child = desk.command(args).spawn().unwrap();
    let began = Instant::now();
    let err = std::io::BufReader::new(child.stderr.take().unwrap());
    let found = tokio::task::spawn_blocking(move || {
        let mut lines = err.lines().map_while(Result::ok);
        lines.find(|line| line.contains(piece))?;
        Some(began.elapsed())
    });
    let found = tokio::time::timeout(Duration::from_secs(30), found).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let found = found.unwrap_or_else(|_| panic!("{piece:?} is not told in 30 s"));
    found
        .unwrap()
        .unwrap_or_else(|| panic!("{piece:?} is not told"))
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_of_a_server_is_told_at_once() {
    let never = Duration::from_mins(10);
    let dead = MockServer::start(move |seen: &Seen| model(seen).after(never)).await;
    let desk = Desk::new();
    server_in(&desk, &dead);
    for args in [["optimize", "study.toml"], ["eval", "study.toml"]] {
        let told = first_told(&desk, &args, "no answer yet from openai:mock at http").await;
        // Five seconds, and what a busy machine takes to start a program.
        assert!(told < Duration::from_secs(8), "{told:?}");
    }
    let falls_silent = MockServer::start(move |seen: &Seen| {
        if seen.asks_for_prompt() {
            return model(seen);
        }
        model(seen).after(never)
    })
    .await;
    let desk = Desk::new();
    server_in(&desk, &falls_silent);
    desk.edit_study(
        "prefill = \"off\"",
        "prefill = \"off\", thinking_tokens = 0",
    );
    let told = first_told(&desk, &["optimize"], "nothing back for").await;
    assert!(told < Duration::from_secs(12), "{told:?}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn runs_are_read_beside_one_under_way() {
    let server = slow(20).await;
    let desk = Desk::new();
    server_in(&desk, &server);
    desk.run(&["optimize", "-q"]).await.expect(0, &[]);
    let calls = server.calls();
    let mut running = desk.start(&["optimize", "-q", "--seed", "2"]);
    while server.calls() < calls + 20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let busy = desk.run(&["optimize", "-q"]).await;
    let pid = running.id().to_string();
    busy.expect(5, &[&pid, "shiftproof watch", "--store DIR"]);
    let runs = desk.run(&["runs"]).await;
    runs.expect(0, &[]);
    for piece in [
        "mock-s1-1",
        "finished",
        "mock-s2-1",
        "running now: shiftproof watch mock-s2-1",
    ] {
        assert!(
            runs.out.contains(piece),
            "{piece:?} is not in: {}",
            runs.out
        );
    }
    for args in [
        vec!["runs", "show", "mock-s1-1"],
        vec!["report", "mock-s1-1"],
        vec!["report", "mock-s2-1"],
        vec!["diff", "seed", "selected", "--run", "mock-s1-1"],
        vec!["export", "mock-s1-1"],
        vec!["runs", "--json"],
    ] {
        let ended = desk.run(&args).await;
        // A prompt that is not proven is not exported without being asked for.
        assert!(matches!(ended.code, Some(0 | 101)), "{args:?}: {ended:?}");
        assert!(!ended.err.contains("in use"), "{args:?}: {ended:?}");
    }
    let doctor = desk.run(&["doctor"]).await;
    let told = format!("ok    store     .shiftproof, in use by process {pid}");
    assert!(doctor.out.contains(&told), "{}", doctor.out);
    running.kill().unwrap();
    running.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_finds_the_study_here() {
    let server = MockServer::start(model).await;
    let desk = Desk::new();
    server_in(&desk, &server);
    for args in [vec!["doctor"], vec!["doctor", "./study.toml"]] {
        let ended = desk.run(&args).await;
        ended.expect(0, &[]);
        for piece in ["study.toml reads well", "ok    answer"] {
            assert!(ended.out.contains(piece), "{}", ended.out);
        }
    }
    std::fs::remove_file(desk.path("study.toml")).unwrap();
    let ended = desk.run(&["doctor"]).await;
    ended.expect(0, &[]);
    assert!(
        ended.out.contains("there is no study.toml here"),
        "{}",
        ended.out
    );
}
