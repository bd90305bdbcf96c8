//! Several processes and one PostgreSQL: the server is started here, from the binaries of this
//! machine.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use shiftproof_postgres::server::{Durability, PASSWORD, TestServer};

use crate::support::mock_server::{Act, MockServer, Seen};
use crate::support::program::{Desk, Ended, model};

/// A database of this name, or `None`, said loudly, where there is no PostgreSQL.
#[allow(clippy::print_stderr)] // A test that is skipped has to be loud.
fn database() -> Option<TestServer> {
    let server = TestServer::start(Durability::ProcessesOnly);
    if server.is_none() {
        eprintln!("NOT RUN: there is no PostgreSQL (initdb, pg_ctl, postgres) on this machine");
    }
    server
}

/// A desk of a process on another machine: its own folder with the same study and data.
fn desk(server: &MockServer) -> Desk {
    let desk = Desk::new();
    desk.edit_study(
        "name = \"mock\"",
        &format!(
            "name = \"mock\"\nmodel = {{ name = \"openai:mock\", base_url = \"{}\", \
             concurrency = 4, label_scores = \"off\", prefill = \"off\", max_retries = 0 }}",
            server.base_url()
        ),
    );
    desk
}

fn slowly(seen: &Seen) -> Act {
    model(seen).after(Duration::from_millis(15))
}

const CELLS: [&str; 10] = [
    "compare",
    "study.toml",
    "--methods",
    "ape,edits",
    "--seeds",
    "1,2",
    "--max-calls",
    "220",
    "-o",
    "a.json",
];

/// A comparison without what differs between runs of equal cells: their names, and the
/// server's address.
fn scores(desk: &Desk, server: &MockServer) -> Value {
    let text = desk.read("a.json").replace(&server.base_url(), "SERVER");
    let mut comparison: Value = serde_json::from_str(&text).unwrap();
    for study in comparison["studies"].as_array_mut().unwrap() {
        for cell in study["cells"].as_array_mut().unwrap() {
            cell.as_object_mut().unwrap().remove("run");
        }
    }
    comparison
}

/// Calls whose body came more than once, beside those that ask what the server can do.
fn paid_twice(server: &MockServer) -> usize {
    let bodies = server.calls_per_body();
    let calls = bodies
        .iter()
        .filter(|(body, _)| body.contains("text number"));
    calls.filter(|(_, count)| **count > 1).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn comparisons_are_worked_through_together() {
    let Some(database) = database() else { return };
    let alone = MockServer::start(slowly).await;
    let single = desk(&alone);
    single.run(&CELLS).await.expect(0, &[]);

    let server = MockServer::start(slowly).await;
    let url = database.url("postgres");
    let (first, second, third) = (desk(&server), desk(&server), desk(&server));
    let together = |desk: &Desk, args: &[&str]| {
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        let mut command = desk.command(&args.iter().map(String::as_str).collect::<Vec<_>>());
        command.args(["--store", &url]);
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let began = (together(&first, &CELLS), together(&second, &CELLS));
    // A third only helps.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let helped = together(&third, &["worker"]).await.unwrap();
    for output in [began.0.await.unwrap(), began.1.await.unwrap(), helped] {
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success() && !told.contains(PASSWORD),
            "{told}"
        );
    }
    assert_eq!(scores(&first, &server), scores(&second, &server));
    assert_eq!(
        scores(&first, &server),
        scores(&single, &alone),
        "who computed what changes nothing"
    );
    assert_eq!(paid_twice(&server), 0);
    assert_eq!(server.asked(), alone.asked());

    // What one finished the others can read, and all of it is one list.
    let runs = together(&third, &["runs", "--json"]).await.unwrap();
    let runs: Value = serde_json::from_slice(&runs.stdout).unwrap();
    let runs = runs.as_array().unwrap();
    assert_eq!(runs.len(), 4, "{runs:?}");
    let name = runs[0]["run"]
        .as_str()
        .or(runs[0]["id"].as_str())
        .unwrap()
        .to_owned();
    let report = together(&third, &["report", &name, "-o", "r.html"])
        .await
        .unwrap();
    assert!(
        report.status.success(),
        "{}",
        String::from_utf8_lossy(&report.stderr)
    );
    assert!(third.read("r.html").contains("<svg"));
    let status = together(&third, &["shared", "--json"]).await.unwrap();
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    crate::schemas::check(&BTreeMap::from([("shared", vec![status.clone()])]));
    assert_eq!(status["comparisons"][0]["finished"], 4, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_had_is_taken_over() {
    let Some(database) = database() else { return };
    let alone = MockServer::start(slowly).await;
    let single = desk(&alone);
    single.run(&CELLS).await.expect(0, &[]);

    let server = MockServer::start(slowly).await;
    let url = database.url("postgres");
    let (doomed, heir) = (desk(&server), desk(&server));
    let args: Vec<&str> = CELLS
        .iter()
        .copied()
        .chain(["--store", url.as_str()])
        .collect();
    let mut child = doomed.start(&args);
    while server.asked() < 60 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // It would be missed after half a minute.
    database.sql(
        "postgres",
        "update shiftproof.format set worker_timeout = '1 second'",
    );
    heir.run(&args)
        .await
        .expect(0, &["4 cells: 0 finished in the store, 4 to run"]);
    assert_eq!(scores(&heir, &server), scores(&single, &alone));
    // What was answered is not asked again; what was on its way is.
    assert!(
        paid_twice(&server) <= 8,
        "{} of {}",
        paid_twice(&server),
        server.asked()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_keeps_to_its_budget() {
    let Some(database) = database() else { return };
    let server = MockServer::start(slowly).await;
    let url = database.url("postgres");
    let (first, second) = (desk(&server), desk(&server));
    first
        .run(&[
            "optimize",
            "study.toml",
            "--store",
            &url,
            "--shared-budget",
            "team",
        ])
        .await
        .expect(
            2,
            &[
                "there is no shared budget \"team\"",
                "shiftproof shared budget team --max-calls N",
            ],
        );
    assert_eq!(server.calls(), 0);
    let budget = |calls: &'static str| {
        let url = url.clone();
        let desk = Desk::new();
        async move {
            desk.run(&[
                "shared",
                "budget",
                "team",
                "--max-calls",
                calls,
                "--store",
                &url,
            ])
            .await
        }
    };
    budget("120").await.expect(0, &[]);
    let run = |seed: &'static str| {
        [
            "optimize",
            "study.toml",
            "--seed",
            seed,
            "--store",
            &url,
            "--shared-budget",
            "team",
        ]
    };
    let (one, two) = (run("1"), run("2"));
    let ended = tokio::join!(first.run(&one), second.run(&two));
    assert!(server.calls() <= 120, "{}", server.calls());
    for ended in [&ended.0, &ended.1] {
        ended.expect(3, &["the shared budget \"team\"", "is used up", "--resume"]);
    }
    // With more of it both go on; the folder knows what it shares.
    budget("4000").await.expect(0, &[]);
    let asked = server.calls();
    for (desk, name) in [(&first, "mock-s1-1"), (&second, "mock-s2-1")] {
        let mut command = desk.command(&["optimize", "--resume", name]);
        let place = desk.path(".shiftproof/shared");
        let place = std::fs::read_dir(place)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        command
            .arg("--store")
            .arg(place.join("1"))
            .env("PGPASSWORD", PASSWORD);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert!(server.calls() > asked);
    let shown = first.run(&["shared", "--json", "--store", &url]).await;
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    crate::schemas::check(&BTreeMap::from([("shared", vec![shown.clone()])]));
    let team = &shown["budgets"][0];
    assert_eq!(
        team["used"]["calls"].as_u64().unwrap() as usize,
        server.calls(),
        "{team}"
    );
    assert_eq!(
        (&team["reserved"]["calls"], &team["lost"]["calls"]),
        (&0.into(), &0.into())
    );
}

/// What is wrong with who helps is no end of a cell, and what a machine has in its folder is not
/// what another has.
#[tokio::test(flavor = "multi_thread")]
async fn helpers_that_cannot_help_harm_nothing() {
    let Some(database) = database() else { return };
    let server = MockServer::start(slowly).await;
    let url = database.url("postgres");
    let (asker, helper) = (desk(&server), desk(&server));
    let budget = [
        "shared",
        "budget",
        "team",
        "--max-calls",
        "3000",
        "--store",
        &url,
    ];
    asker.run(&budget).await.expect(0, &[]);
    // Limits are set one by one.
    let more = [
        "shared",
        "budget",
        "team",
        "--max-usd",
        "5",
        "--json",
        "--store",
        &url,
    ];
    let shown: Value = serde_json::from_str(&asker.run(&more).await.out).unwrap();
    let limits = &shown["budgets"][0]["limits"];
    assert_eq!(
        (&limits["calls"], &limits["usd"]),
        (&3000.into(), &5.0.into())
    );

    let args = CELLS
        .iter()
        .copied()
        .chain(["--store", url.as_str(), "--shared-budget", "team"]);
    let args: Vec<&str> = args.collect();
    let mut command = asker.command(&args);
    let asking = tokio::task::spawn_blocking(move || command.output().unwrap());
    while server.asked() < 40 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The helper's folder has no budget, then another key, then other data under the path.
    let help = ["worker", "--store", &url, "--shared-budget", "team"];
    helper
        .run(&help[..3])
        .await
        .expect(2, &["draws on the shared budget \"team\""]);
    let away = asker.path("elsewhere.csv");
    std::fs::rename(asker.path("data.csv"), &away).unwrap();
    helper.run(&help).await.expect(5, &["data.csv"]);
    asker.write(
        "data.csv",
        std::fs::read_to_string(&away)
            .unwrap()
            .replace("text number", "line number"),
    );
    helper
        .run(&help)
        .await
        .expect(5, &["the audited examples here are not those"]);
    std::fs::rename(&away, asker.path("data.csv")).unwrap();
    let ended = asking.await.unwrap();
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    let comparison: Value = serde_json::from_str(&asker.read("a.json")).unwrap();
    for cell in comparison["studies"][0]["cells"].as_array().unwrap() {
        assert_eq!(cell["state"], "finished", "{cell}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_seeds_are_shared_out() {
    let Some(database) = database() else { return };
    let alone = MockServer::start(slowly).await;
    let args = [
        "optimize",
        "study.toml",
        "--seeds",
        "1..4",
        "--method",
        "edits",
        "--json",
    ];
    let single = desk(&alone).run(&args).await;
    single.expect(0, &[]);

    let server = MockServer::start(slowly).await;
    let url = database.url("postgres");
    let args: Vec<&str> = args.into_iter().chain(["--store", url.as_str()]).collect();
    let (first, second) = (desk(&server), desk(&server));
    let (one, two) = tokio::join!(first.run(&args), second.run(&args));
    for ended in [&one, &two] {
        ended.expect(0, &["another process finished run"]);
    }
    let scores = |ended: &Ended| {
        let reports: Value = serde_json::from_str(&ended.out).unwrap();
        let runs = reports["runs"].as_array().unwrap().iter();
        runs.map(|run| (run["worst"].clone(), run["spent"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(scores(&one), scores(&two));
    assert_eq!(scores(&one), scores(&single));
    assert_eq!(scores(&one).len(), 4);
    assert_eq!(server.asked(), alone.asked());
    let runs = first.run(&["runs", "--json", "--store", &url]).await;
    let runs: Value = serde_json::from_str(&runs.out).unwrap();
    assert_eq!(runs.as_array().unwrap().len(), 4, "each seed was run once");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_others_are_told_as_that() {
    let Some(database) = database() else { return };
    let server = MockServer::start(slowly).await;
    let url = database.url("postgres");
    let (asker, helper) = (desk(&server), desk(&server));
    for seed in ["1", "2"] {
        let args = [
            "optimize",
            "study.toml",
            "-q",
            "--method",
            "edits",
            "--seed",
            seed,
            "--store",
            &url,
        ];
        asker.run(&args).await.expect(0, &[]);
    }
    // A run of another process is told as that, and removed for all.
    let resume = ["optimize", "--resume", "mock-s1-1", "--store", &url];
    helper
        .run(&resume)
        .await
        .expect(2, &["of another process", "takes over all its answers"]);
    helper
        .run(&["runs", "rm", "mock-s1-1", "--store", &url])
        .await
        .expect(0, &["removed"]);
    let runs = asker.run(&["runs", "--store", &url]).await;
    assert!(runs.out.contains("mock-s2-1"), "{}", runs.out);
    // Who may only look can.
    database.sql(
        "postgres",
        "create role reader login password 'r'; grant usage on schema shiftproof to reader; \
         grant select on all tables in schema shiftproof to reader",
    );
    let (reader, looker) = (database.url_of("reader", "r", "postgres"), desk(&server));
    looker
        .run(&["runs", "--store", &reader])
        .await
        .expect(0, &[]);
    looker
        .run(&["shared", "--store", &reader])
        .await
        .expect(0, &[]);
    looker
        .run(&["report", "mock-s2-1", "--store", &reader, "-o", "r.md"])
        .await
        .expect(0, &[]);
    assert!(looker.read("r.md").contains("mock-s2-1"));
    looker
        .run(&["optimize", "study.toml", "--store", &reader])
        .await
        .expect(5, &["reader"]);
    // Another schema is another store, in a folder of its own.
    let apart = format!("{url}?schema=apart");
    let runs = asker.run(&["runs", "--store", &apart]).await;
    assert!(!runs.out.contains("mock-s2-1"), "{}", runs.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_that_cannot_serve_are_told() {
    let Some(database) = database() else { return };
    let server = MockServer::start(slowly).await;
    let desk = desk(&server);
    let told = |url: String| {
        let desk = &desk;
        async move { desk.run(&["optimize", "study.toml", "--store", &url]).await }
    };
    let port = database.port();
    told(format!(
        "postgres://shiftproof:wrong-secret@127.0.0.1:{port}/postgres"
    ))
    .await
    .expect(5, &["password"]);
    told(database.url("nowhere")).await.expect(5, &["nowhere"]);
    told("postgres://u:p@127.0.0.1:1/d".into())
        .await
        .expect(5, &["127.0.0.1"]);
    let mistyped = desk
        .run(&["optimize", "study.toml", "--store", "POSTGRES://u@h/d"])
        .await;
    mistyped.expect(2, &["postgres://USER@HOST/DATABASE"]);
    let unreadable = format!("{}?sslmode=maybe", database.url("postgres"));
    told(unreadable).await.expect(2, &["sslmode"]);
    let misplaced = desk
        .run(&["optimize", "study.toml", "--shared-budget", "team"])
        .await;
    misplaced.expect(2, &["--store postgres://"]);
    desk.run(&["shared"])
        .await
        .expect(2, &["nothing in it is shared"]);
    desk.run(&["worker"])
        .await
        .expect(2, &["--store postgres://"]);
    assert_eq!(server.calls(), 0);
    let batch = [
        "optimize",
        "study.toml",
        "--batch",
        "--store",
        &database.url("postgres"),
    ];
    desk.run(&batch)
        .await
        .expect(2, &["take --batch or model.batch out"]);
}
