//! What models, servers and files say, on every way out: nothing steers a terminal,
//! turns the order of writing or hides, and JSON says exactly what was said.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::Value;

use crate::support::mock_server::{Act, MockServer, Seen};
use crate::support::program::{Desk, model};

/// Characters that do something else than to be seen.
const ARMED: [&str; 14] = [
    "\u{1b}[2J",
    "\u{1b}]0;owned\u{7}",
    "\u{1b}]8;;http://evil.example\u{1b}\\",
    "\u{9b}31m",
    "\u{9d}0;owned\u{9c}",
    "\u{90}q\u{9c}",
    "\u{7f}",
    "\u{8}\u{8}",
    "\r",
    "\u{202e}",
    "\u{2066}",
    "\u{200b}",
    "\u{2028}",
    "\u{e0041}",
];

fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// A word with something armed in it, drawn anew in each process.
fn armed(runner: &mut TestRunner, word: &str) -> String {
    let pieces = proptest::collection::vec(proptest::sample::select(&ARMED[..]), 1..4);
    let pieces = pieces.new_tree(runner).unwrap().current();
    format!("{word}{}{word}", pieces.concat())
}

#[track_caller]
fn harmless(what: &str, said: &str) {
    // Markdown breaks mentions by a blank without width.
    for (number, line) in said.replace("@\u{200b}", "@").lines().enumerate() {
        let found = line.chars().find(|c| *c != '\t' && deceives(*c));
        assert!(
            found.is_none(),
            "{what}:{}: {found:?} in {line:?}",
            number + 1
        );
    }
}

/// A study whose group, label and model names are armed, whose data are, and whose
/// prompt is.
struct Armed {
    desk: Desk,
    group: String,
}

fn toml(text: &str) -> String {
    // JSON's strings are TOML's, but for the escape of this one.
    serde_json::to_string(text)
        .unwrap()
        .replace('\u{7f}', "\\u007f")
}

fn arm(server: &MockServer, runner: &mut TestRunner) -> Armed {
    let desk = Desk::new();
    let mut draw = |word: &str| armed(runner, word).replace(['\r', '\u{2028}'], "");
    let (books, films) = (draw("books"), draw("films"));
    let mut csv = String::from("id,domain,label,text\n");
    for (group, word) in [(&books, "books text"), (&films, "films text")] {
        for number in 0..60 {
            let label = ["positive", "negative"][number % 2];
            let text = draw(word);
            writeln!(
                csv,
                "\"{group}{number}\",\"{group}\",{label},\"{text} {number}\""
            )
            .unwrap();
        }
    }
    desk.write("data.csv", csv);
    desk.edit_study(
        "source = [\"books\"]",
        &format!("source = [{}]", toml(&books)),
    );
    desk.edit_study(
        "target = [\"films\"]",
        &format!("target = [{}]", toml(&films)),
    );
    let prompt = format!("{} or negative?", draw("Is this positive"));
    desk.edit_study("\"Is this positive or negative?\"", &toml(&prompt));
    desk.edit_study(
        "name = \"mock\"",
        &format!(
            "name = \"mock\"\nmodel = {{ name = {}, base_url = \"{}\", label_scores = \"off\", \
             prefill = \"off\" }}",
            toml(&format!("openai:{}", draw("mock"))),
            server.base_url()
        ),
    );
    Armed { desk, group: films }
}

/// Proposes armed prompts, answers with armed words, refuses in armed words.
fn hostile(seen: &Seen) -> Act {
    let armed = ARMED.concat();
    if seen.asks_for_prompt() {
        let word = ["kind", "sober", "plain", "exact"][seen.nth % 4];
        return Act::text(&format!(
            "Say in a {word} way {armed} if the text is positive or negative."
        ));
    }
    match seen.nth % 23 {
        7 => Act::error(400, "invalid_request_error", &format!("no {armed}")),
        11 => Act::text(&format!("I cannot say {armed}.")),
        _ => model(seen),
    }
}

/// Every command that shows what others said.
const COMMANDS: &[&[&str]] = &[
    &["runs"],
    &["runs", "--json"],
    &["runs", "show", "mock-s1-1"],
    &["report", "mock-s1-1"],
    &["diff", "seed", "selected", "--run", "mock-s1-1"],
    &["diff", "seed", "selected", "--run", "mock-s1-1", "--json"],
    &[
        "diff",
        "seed",
        "selected",
        "--run",
        "mock-s1-1",
        "--color",
        "never",
        "--study",
        "study.toml",
    ],
    &["eval", "--audit", "--keep-going", "--failures"],
    &["eval", "--audit", "--json", "--keep-going"],
    &[
        "gate",
        "--run",
        "mock-s1-1",
        "--keep-going",
        "-o",
        "g.md",
        "-o",
        "g.html",
        "-o",
        "g.xml",
        "-o",
        "g.sarif",
        "-o",
        "g.json",
        "-o",
        "g.txt",
    ],
    &["estimate"],
    &["doctor", "study.toml"],
    &["replay", "mock-s1-1", "--headless"],
    &["watch", "mock-s1-1", "--headless"],
    &["export", "mock-s1-1", "--format", "json"],
    &["export", "mock-s1-1", "--format", "dspy"],
    &["export", "mock-s1-1", "--format", "langchain"],
    &["optimize", "--resume", "no\u{1b}[2Jrun"],
    &[
        "compare",
        "study.toml",
        "--methods",
        "gpo,edits",
        "--seeds",
        "1..2",
        "--max-calls",
        "300",
        "-o",
        "c.md",
        "-o",
        "c.html",
        "-o",
        "c.json",
    ],
];

#[tokio::test(flavor = "multi_thread")]
async fn no_output_is_armed() {
    let server = MockServer::start(hostile).await;
    let mut runner = TestRunner::default();
    let Armed { desk, group } = arm(&server, &mut runner);
    let run = desk
        .run(&[
            "optimize",
            "--verbose",
            "--keep-going",
            "--events",
            "events.out",
            "-o",
            "r.html",
            "-o",
            "r.md",
            "-o",
            "r.json",
            "-o",
            "r.txt",
        ])
        .await;
    assert_eq!(run.code, Some(0), "{run:?}");
    harmless("optimize", &(run.out + &run.err));
    for args in COMMANDS {
        let ended = desk.run(args).await;
        harmless(&args.join(" "), &(ended.out.clone() + &ended.err));
        assert!(!ended.err.contains("panicked"), "{args:?} {}", ended.err);
        if args.contains(&"--json") {
            let _: Value = serde_json::from_str(&ended.out).unwrap();
        }
    }
    for name in [
        "r.html",
        "r.md",
        "r.json",
        "r.txt",
        "g.md",
        "g.html",
        "g.xml",
        "g.sarif",
        "g.json",
        "g.txt",
        "c.md",
        "c.html",
        "c.json",
        "events.out",
        ".shiftproof/runs/mock-s1-1/report.txt",
        ".shiftproof/runs/mock-s1-1/report.json",
    ] {
        harmless(name, &desk.read(name));
    }
    // JSON says what was said.
    let report: Value = serde_json::from_str(&desk.read("r.json")).unwrap();
    assert!(
        report.to_string().contains(
            &serde_json::to_string(&group)
                .unwrap()
                .trim_matches('"')
                .to_owned()
        )
    );
    // An error that quotes a file: a label that is none.
    let csv = desk
        .read("data.csv")
        .replacen(",negative,", ",\"neg\u{1b}[2J\u{202e}ative\",", 1);
    desk.write("data.csv", csv);
    let ended = desk.run(&["eval", "--audit"]).await;
    assert_eq!(ended.code, Some(5), "{ended:?}");
    harmless("a wrong label", &(ended.out + &ended.err));
}
