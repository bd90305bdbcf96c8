//! From a run to its reports, its exports, and back into a study.

use crate::labels::server_in;
use crate::support::mock_server::{Act, MockServer, Seen};
use crate::support::program::{Desk, model};

async fn ran() -> (Desk, MockServer) {
    let (desk, server) = (Desk::new(), MockServer::start(model).await);
    server_in(&desk, &server);
    let ended = desk
        .run(&["optimize", "--quiet", "-o", "a.html", "-o", "a.md"])
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    (desk, server)
}

const RUN: &str = "mock-s1-1";

#[tokio::test(flavor = "multi_thread")]
async fn run_exports_to_every_tool() {
    let (desk, server) = ran().await;
    let calls = server.calls();

    // The same events, the same bytes: at the end of the run and from its log.
    let ended = desk
        .run(&[
            "report", RUN, "-o", "b.html", "-o", "b.md", "-o", "b.json", "-o", "b.txt",
        ])
        .await;
    ended.expect(0, &["wrote b.html"]);
    assert_eq!(desk.read("a.html"), desk.read("b.html"));
    assert_eq!(desk.read("a.md"), desk.read("b.md"));
    let stored = format!(".shiftproof/runs/{RUN}");
    assert_eq!(
        desk.read(format!("{stored}/report.json")),
        desk.read("b.json")
    );
    assert_eq!(
        desk.read(format!("{stored}/report.txt")),
        desk.read("b.txt")
    );
    assert!(desk.read("b.html").contains("<h1>mock-s1-1</h1>"));
    assert!(desk.read("b.md").starts_with("## shiftproof: `mock-s1-1`"));

    // By its folder, without a store.
    let printed = desk.run(&["report", &stored, "--store", "none"]).await;
    assert_eq!(printed.code, Some(0), "{printed:?}");
    assert_eq!(printed.out, desk.read("b.txt"));

    // A second seed: compared, then told one by one.
    let second = desk.run(&["optimize", "--quiet", "--seed", "2"]).await;
    assert_eq!(second.code, Some(0), "{second:?}");
    let both = desk
        .run(&[
            "report",
            RUN,
            "mock-s2-1",
            "-o",
            "both.html",
            "-o",
            "both.json",
        ])
        .await;
    both.expect(0, &[]);
    let page = desk.read("both.html");
    for piece in ["Means over seeds", "seed prompt", "mock-s2-1"] {
        assert!(page.contains(piece), "{piece}");
    }
    let json: serde_json::Value = serde_json::from_str(&desk.read("both.json")).unwrap();
    assert_eq!(json["runs"][1]["run"], "mock-s2-1");
    assert_eq!(json["comparison"]["rows"][1]["worst"]["n"], 2);

    let text = desk.run(&["export", RUN]).await;
    assert_eq!(text.code, Some(0), "{text:?}");
    let prompt = text.out.trim_end().to_owned();
    assert!(desk.read("b.txt").contains(&prompt), "{prompt}");
    for (format, file, piece) in [
        ("json", "p.json", "\"audit\": ["),
        ("dspy", "p.dspy.json", "\"one of: positive, negative\""),
        ("langchain", "p.lc.json", "{text}"),
        ("promptfoo", "promptfooconfig.yaml", "{{ text }}"),
    ] {
        let ended = desk
            .run(&["export", RUN, "--format", format, "-o", file])
            .await;
        ended.expect(0, &["wrote"]);
        let exported = desk.read(file);
        assert!(exported.contains(piece), "{exported}");
        let line = serde_json::to_string(&prompt).unwrap();
        assert!(exported.contains(line.trim_matches('"')), "{exported}");
    }
    // Labelled source examples of the search alone: no target, no audit.
    let config = desk.read("promptfooconfig.yaml");
    assert_eq!(config.matches("group: books").count(), 12 + 24);
    assert!(!config.contains("films"), "{config}");

    // And back.
    let back = desk
        .run(&["init", "--from", "promptfooconfig.yaml", "back"])
        .await;
    back.expect(
        0,
        &["promptfooconfig.yaml:1: there is no group to shift to"],
    );
    let study = desk.read("back/study.toml");
    assert!(study.contains(&format!("prompt = \"{prompt}\"")), "{study}");
    assert!(
        study.contains("labels = [\"positive\", \"negative\"]"),
        "{study}"
    );
    let estimate = desk.run(&["estimate", "back/study.toml"]).await;
    assert_eq!(estimate.code, Some(0), "{estimate:?}");
    assert_eq!(desk.read("back/data.jsonl").lines().count(), 36);

    // None of this asked a model but the second run.
    assert!(server.calls() > calls);
    let after = server.calls();
    desk.run(&["report", RUN, "-o", "c.html"])
        .await
        .expect(0, &[]);
    assert_eq!(server.calls(), after);
}

#[tokio::test(flavor = "multi_thread")]
async fn running_report_leaves_store_alone() {
    let (desk, _server) = ran().await;
    let store = shiftproof_search::ledger::Ledger::open(&desk.path(".shiftproof")).unwrap();
    let log = format!(".shiftproof/runs/{RUN}/events.jsonl");
    let whole = desk.read(&log);
    // Up to the middle of a line, as a writer may have left it.
    let cut = whole.len() * 2 / 3;
    desk.write(&log, &whole[..cut]);
    // What says that the run came to its end.
    std::fs::remove_file(desk.path(&format!(".shiftproof/runs/{RUN}/finished.json"))).unwrap();
    let ended = desk
        .run(&["report", RUN, "-o", "live.html", "-o", "live.md"])
        .await;
    ended.expect(0, &[]);
    assert!(
        desk.read("live.md")
            .contains("**The run has not finished.**")
    );
    let none = desk.run(&["export", RUN]).await;
    none.expect(2, &["has not selected a prompt yet", "--prompt ID"]);
    drop(store);
}

#[tokio::test]
async fn mistakes_are_named() {
    let desk = Desk::new();
    desk.run(&["report", "x", "-o", "x.pdf"])
        .await
        .expect(2, &["x.pdf: use the ending .html, .md, .json or .txt"]);
    desk.run(&["report", "nowhere"]).await.expect(
        2,
        &["there is no run nowhere in .shiftproof", "there are none"],
    );
    // A report that could not be written is refused before the search.
    desk.run(&["optimize", "-o", "report"])
        .await
        .expect(2, &["cannot tell the form of report"]);
    std::fs::create_dir_all(desk.path(".shiftproof/runs/old")).unwrap();
    desk.write(".shiftproof/runs/old/events.jsonl", "{}\n");
    desk.run(&["report", "old"])
        .await
        .expect(5, &["events.jsonl:1: not an event of this version"]);
    desk.run(&["init", "--from", "absent.yaml", "x"])
        .await
        .expect(2, &["cannot read absent.yaml"]);
    desk.run(&["init", "--source", "a", "x"])
        .await
        .expect(2, &["--from"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_candidate_exports_by_id() {
    let (desk, _server) = ran().await;
    let report: serde_json::Value =
        serde_json::from_str(&desk.read(format!(".shiftproof/runs/{RUN}/report.json"))).unwrap();
    let candidates = report["candidates"].as_object().unwrap();
    let (id, seed) = candidates
        .iter()
        .find(|(_, candidate)| candidate["origin"] == "seed")
        .unwrap();
    let ended = desk.run(&["export", RUN, "--prompt", &id[..12]]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        ended.out.trim_end(),
        seed["prompt"]["instruction"].as_str().unwrap()
    );
    desk.run(&["export", RUN, "--prompt", "zz"])
        .await
        .expect(2, &["has an id that begins with \"zz\""]);
    // Without its study the prompt still goes out, and it is said what is missing.
    std::fs::remove_file(desk.path(&format!(".shiftproof/runs/{RUN}/study.json"))).unwrap();
    desk.run(&["export", RUN, "-f", "promptfoo", "-o", "x.yaml"])
        .await
        .expect(0, &["no study is kept beside this run"]);
    desk.run(&[
        "export",
        RUN,
        "-f",
        "promptfoo",
        "--study",
        "study.toml",
        "-o",
        "y.yaml",
    ])
    .await
    .expect(0, &["promptfoo eval -c y.yaml"]);
    assert!(desk.read("y.yaml").contains("icontains"));
}

/// Usage that cannot be is counted by the length of the texts; whoever tells what was
/// spent tells that.
#[tokio::test(flavor = "multi_thread")]
async fn estimated_tokens_are_told_everywhere() {
    const TOLD: &str = "are estimated from their texts";
    for believable in [true, false] {
        let desk = Desk::new();
        let server = MockServer::start(move |seen: &Seen| {
            let mut act = model(seen);
            if !believable {
                let mut body = act.body();
                body["usage"]["prompt_tokens"] = u64::MAX.into();
                act = Act::json(200, &body);
            }
            act
        })
        .await;
        server_in(&desk, &server);
        let outputs = ["-o", "a.html", "-o", "a.md", "-o", "a.txt"];
        let run = ["optimize", "--quiet"].iter().chain(&outputs);
        let ended = desk.run(&run.copied().collect::<Vec<_>>()).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let gate = ["gate", "--mode", "guard", "--min-worst", "0", "--quiet"];
        let outputs = ["-o", "g.html", "-o", "g.md", "-o", "g.txt"];
        let gate = gate.iter().chain(&outputs);
        let ended = desk.run(&gate.copied().collect::<Vec<_>>()).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        for report in ["a.html", "a.md", "a.txt", "g.html", "g.md", "g.txt"] {
            let told = desk.read(report);
            assert_eq!(told.contains(TOLD), !believable, "{report}: {told}");
        }
        let eval = desk.run(&["eval", "--quiet"]).await;
        assert_eq!(eval.out.contains(TOLD), !believable, "{eval:?}");
    }
}
