//! Examples on which prompts fail, in the reports of a run.

use crate::support::mock_server::{Act, MockServer, Seen};
use crate::support::program::{Desk, model};

/// A model that thinks aloud, finds every text positive, declines about some and goes on
/// and on about others.
fn cheerful(seen: &Seen) -> Act {
    let text = seen.prompt();
    if seen.asks_for_prompt() {
        return model(seen);
    }
    if text.contains("text number 7") {
        return Act::text("I'm sorry, but I can't help with that. <script>alert(1)</script>");
    }
    Act::text("The writer sounds content to me.\n\nAnswer: **positive**")
}

fn desk(server: &MockServer) -> Desk {
    let desk = Desk::new();
    desk.edit_study(
        "[search]",
        &format!(
            "[model]\nname = \"openai:cheerful\"\nbase_url = \"{}\"\nlabel_scores = \"off\"\nprefill = \"off\"\n[search]",
            server.base_url()
        ),
    );
    desk
}

/// The blocks of failing answers of a Markdown report.
fn blocks(report: &str) -> Vec<&str> {
    report
        .split("<details><summary>")
        .filter(|part| part.contains(": where it fails</summary>"))
        .collect()
}

#[tokio::test]
async fn reports_show_where_prompts_fail() {
    let server = MockServer::start(cheerful).await;
    let desk = desk(&server);
    let outputs = ["-o", "end.md", "-o", "end.html"];
    let run = ["optimize", "study.toml", "--headless", "--quiet"];
    let ended = desk.run(&[&run[..], &outputs].concat()).await;
    ended.expect(0, &[]);
    // What is told at the end is what `report` tells later.
    let report = ["report", "mock-s1-1", "-o", "later.md", "-o", "later.html"];
    desk.run(&report).await.expect(0, &[]);
    for form in ["md", "html"] {
        let (end, later) = (format!("end.{form}"), format!("later.{form}"));
        assert_eq!(desk.read(end), desk.read(later), "{form}");
    }
    let markdown = desk.read("later.md");
    let shown = blocks(&markdown);
    assert!(!shown.is_empty(), "{markdown}");
    for block in &shown {
        let sealed = block.contains(" · wrong · sealed audit");
        assert!(
            sealed && block.contains("this run has opened it"),
            "{block}"
        );
        for piece in [
            "input   books text number",
            "label   negative",
            "answer  positive",
            "reply   The writer sounds content to me. Answer: **positive**",
        ] {
            assert!(block.contains(piece), "{piece}: {block}");
        }
        // Bounded, and what may be learnt from comes first.
        assert!(block.matches("    reply").count() <= 12, "{block}");
        let books = block.split("**`books`**").nth(1).unwrap();
        let first = books
            .lines()
            .find(|line| line.starts_with("books"))
            .unwrap();
        assert!(!first.contains("sealed"), "{first}");
    }
    let page = desk.read("later.html");
    assert!(page.contains("<h2>Where it fails</h2>"), "{page}");
    assert!(!page.contains("<script>"));

    // Of a run whose details are gone the events tell what they hold.
    std::fs::remove_file(desk.path(".shiftproof/runs/mock-s1-1/failing.jsonl")).unwrap();
    desk.run(&["report", "mock-s1-1", "-o", "bare.md"])
        .await
        .expect(0, &[]);
    let bare = desk.read("bare.md");
    assert_eq!(blocks(&bare).len(), shown.len());
    assert!(!bare.contains("sounds content") && bare.contains("answer  positive"));
}

#[tokio::test]
async fn failures_of_eval_are_the_same_texts() {
    let server = MockServer::start(cheerful).await;
    let desk = desk(&server);
    let ended = desk
        .run(&["eval", "study.toml", "--failures=40", "--quiet"])
        .await;
    ended.expect(0, &[]);
    for piece in [
        " · wrong\n    input ",
        "    reply   The writer sounds content to me. Answer: **positive**",
    ] {
        assert!(ended.out.contains(piece), "{piece}: {}", ended.out);
    }
}
