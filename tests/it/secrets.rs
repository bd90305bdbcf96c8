//! Keys: not accepted where they would be kept, and in nothing that is kept or shown.

use crate::support::mock_server::{Act, MockServer};
use crate::support::program::{Desk, model};

const CANARY: &str = "sk-canary-90210abc";

fn desk(server: &MockServer, model: &str) -> Desk {
    let desk = Desk::new();
    desk.edit_study(
        "name = \"mock\"",
        &format!(
            "name = \"mock\"\nmodel = {{ name = \"openai:mock\", base_url = \"{}\", label_scores = \"off\", \
             prefill = \"off\"{model} }}",
            server.base_url()
        ),
    );
    desk
}

/// Everywhere in the desk but in the study itself.
#[track_caller]
fn kept_nowhere(desk: &Desk) {
    for path in crate::chaos::files(&desk.path("")) {
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(6).any(|window| window == b"canary");
        assert!(!found || path.ends_with("study.toml"), "{}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_with_secrets_are_refused() {
    let server = MockServer::start(model).await;
    let host = server.origin().replace("http://", "");
    for address in [
        format!("http://me:{CANARY}@{host}/v1"),
        format!("http://{CANARY}@{host}/v1"),
        format!("http://{host}/v1?key={CANARY}"),
        format!("http://{host}/v1?token={CANARY}"),
        format!("http://{host}/v1?x={CANARY}"),
        format!("http://{host}/{CANARY}/v1"),
        format!("http://{host}/v1#{CANARY}"),
    ] {
        let written = desk(&server, "");
        written.edit_study(&server.base_url(), &address);
        let given = desk(&server, "");
        for (desk, args) in [
            (&written, vec!["optimize"]),
            (&written, vec!["doctor", "study.toml"]),
            (&given, vec!["optimize", "--base-url", &address]),
            (&given, vec!["eval", "--base-url", &address]),
            (
                &given,
                vec![
                    "compare",
                    "study.toml",
                    "--methods",
                    "edits,gpo",
                    "--base-url",
                    &address,
                ],
            ),
        ] {
            let ended = desk.run(&args).await;
            assert_ne!(ended.code, Some(0), "{args:?} {ended:?}");
            let said = ended.out.clone() + &ended.err;
            assert!(!said.contains("canary"), "{said}");
            assert!(said.contains("environment"), "{said}");
            kept_nowhere(desk);
        }
        let line = written.run(&["optimize"]).await;
        line.expect(2, &["study.toml:3: model.base_url: it holds"]);
    }
    assert_eq!(server.calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_in_wrong_places_are_not_repeated() {
    let server = MockServer::start(model).await;
    for (model, problem) in [
        (format!(", api_key_env = \"{CANARY}\""), "must be the name"),
        (format!(", api_key = \"{CANARY}\""), "unknown key `api_key`"),
        (
            format!(", headers = {{ x-auth = \"{CANARY}\" }}"),
            "looks like a secret",
        ),
        (
            format!(", headers = {{ x-a = \"env:{CANARY}\" }}"),
            "name of a variable",
        ),
        (format!(", headers = [\"{CANARY}\"]"), "headers"),
        (
            format!(", endpoints = [\"http://h/v1?key={CANARY}\"]"),
            "environment",
        ),
        (
            format!(", endpoints = [{{ base_url = \"http://h/v1\", api_key_env = \"{CANARY}\" }}]"),
            "must be the name",
        ),
        (
            format!(", endpoints = [{{ base_url = \"http://h/v1\", api_key = \"{CANARY}\" }}]"),
            "endpoints",
        ),
        (
            format!(", body = {{ auth_token = \"{CANARY}\" }}"),
            "looks like a secret",
        ),
    ] {
        let desk = desk(&server, &model);
        let ended = desk.run(&["optimize"]).await;
        ended.expect(2, &["study.toml:3", problem]);
        assert!(!ended.err.contains("canary"), "{}", ended.err);
        kept_nowhere(&desk);
    }
}

/// A server that repeats the key in every reply: it is sent, and kept nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn repeated_keys_are_kept_nowhere() {
    let server = MockServer::start(|seen| {
        let sent = seen.headers["authorization"].clone();
        let team = seen.headers["x-team"].clone();
        if seen.asks_for_prompt() {
            let word = ["kind", "sober", "plain", "exact"][seen.nth % 4];
            return Act::text(&format!(
                "Say in a {word} way, by {sent} of {team}, if the text is positive or negative."
            ));
        }
        match seen.nth % 9 {
            3 => Act::error(
                400,
                "invalid_request_error",
                &format!("{}{sent}", "z".repeat(285)),
            ),
            5 => Act::text(&format!("{sent} {team} says it is hard to tell.")),
            _ => model(seen),
        }
    })
    .await;
    let desk = desk(
        &server,
        ", api_key_env = \"CANARY_KEY\", headers = { x-team = \"env:CANARY_TEAM\" }",
    );
    let mut command = desk.command(&[
        "optimize",
        "--verbose",
        "--keep-going",
        "--events",
        "e.jsonl",
        "-o",
        "r.html",
        "-o",
        "r.md",
        "-o",
        "r.json",
    ]);
    command
        .env("CANARY_KEY", CANARY)
        .env("CANARY_TEAM", "canary-team-4711");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        !said.contains("-canary-") && !said.contains("canary-team"),
        "{said}"
    );
    let sent = &server.requests()[5].headers["authorization"];
    assert_eq!(*sent, format!("Bearer {CANARY}"));
    assert!(desk.read("e.jsonl").contains("[key]"));
    for path in crate::chaos::files(&desk.path("")) {
        let bytes = std::fs::read(&path).unwrap();
        for secret in ["sk-canary", "canary-team"] {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} in {}", path.display());
        }
    }
}

/// What is kept is for its owner alone.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn stores_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = MockServer::start(model).await;
    let desk = desk(&server, "");
    for args in [["optimize", "--quiet"], ["eval", "--quiet"]] {
        let ended = desk.run(&args).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    let store = desk.path(".shiftproof");
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&store), 0o700);
    let files = crate::chaos::files(&store);
    assert!(files.len() > 8, "{files:?}");
    for path in files {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        assert_eq!(mode(path.parent().unwrap()), 0o700, "{}", path.display());
    }
    // A folder that was there is its owner's to open.
    assert_ne!(mode(&desk.path("")), 0o600);
}
