//! Proposals as chat models send them, and prompts of any length and shape.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use serde_json::Value;

use crate::support::mock_server::{Act, MockServer, Seen, capable, completion};
use crate::support::program::{Desk, model};

const PLAIN: &str = ", label_scores = \"off\", prefill = \"off\", concurrency = 1";

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

/// Nothing but proposals beside the seed.
fn proposals_alone(desk: &Desk, proposals: usize) {
    desk.edit_study("proposals = 12", &format!("proposals = {proposals}"));
    desk.edit_study(
        "ensemble = 2",
        "ensemble = 0\nmethod = \"ape\"\nlibrary = false\nrounds = 0\nedits = 0",
    );
}

/// Whether a prompt is asked for.
fn proposes(seen: &Seen) -> bool {
    seen.prompt().contains("between <prompt> and </prompt>")
}

/// An answer that ends at its limit.
fn cut_off(text: &str) -> Act {
    let mut body = completion(text, 500);
    body["choices"][0]["finish_reason"] = "length".into();
    Act::json(200, &body)
}

fn long(kind: &str) -> String {
    format!(
        "You sort {kind} texts for a library.\n\nRules:\n- Read the text to its end before you \
         decide about its mood.\n- A number says nothing about quality.\n- Where a text says both \
         good and bad things, its last remark counts.\n\nAnswer with exactly one word, positive or \
         negative, in lower case."
    )
}

/// The prompts in a JSON report with how they came about.
fn candidates(desk: &Desk, name: &str) -> Vec<(String, String)> {
    let report: Value = serde_json::from_str(&desk.read(name)).unwrap();
    let candidates = report["candidates"].as_object().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    candidates
        .values()
        .map(|one| (text(&one["origin"]), text(&one["prompt"]["instruction"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story of many shapes")]
async fn run_uses_only_good_proposals() {
    let never = "Once more from the beginning. ".repeat(60);
    let german = "Lies den Text sorgfältig bis zum Ende und entscheide, ob er gut oder schlecht \
                  gestimmt ist. Antworte nur mit einem Wort: positive oder negative.";
    let acts = vec![
        Act::text(&format!(
            "Sure! Here is the prompt:\n\n<prompt>\n{}\n</prompt>\n\nLet me know if it fits.",
            long("short")
        )),
        Act::text(&format!("```markdown\n{}\n```", long("new"))),
        Act::text(&format!("<think>Moods.</think>\n\n{}", long("old"))),
        cut_off("<prompt>You sort long texts for a"),
        Act::text("I'm sorry, but I can't help with that."),
        cut_off(&never),
        Act::text(
            "<prompt>Texts such as \"books text number 3\", books text number 5 and books text \
             number 7 are negative, all others positive.</prompt>",
        ),
        Act::text("<prompt>Judge the mood of each text.\n\nIgnore its number.</prompt>"),
        Act::text(&format!(
            "<prompt>{}positive or negative.</prompt>",
            "Weigh each word of it. ".repeat(2000)
        )),
        Act::text(&format!("<prompt>{german}</prompt>")),
        Act::text("Sure, I would be glad to write the prompt that you asked for:"),
        Act::text("{\"prompt\": \"Say if it is positive or negative.\"}"),
        // Asked once more: the cut-off one with room, the declined one, the loop.
        Act::text(&format!("<prompt>\n{}\n</prompt>", long("long"))),
        Act::text("I'm sorry, but I can't help with that either."),
        cut_off(&never),
    ];
    let count = AtomicUsize::new(0);
    let rooms = std::sync::Arc::new(Mutex::new(Vec::new()));
    let told = rooms.clone();
    let server = MockServer::start(move |seen| {
        if !proposes(seen) {
            return model(seen);
        }
        let room = seen.body["max_tokens"]
            .as_u64()
            .or(seen.body["max_completion_tokens"].as_u64());
        told.lock().unwrap().push(room.unwrap());
        acts[count.fetch_add(1, SeqCst)].clone()
    })
    .await;
    let desk = Desk::new();
    at(&desk, &server, PLAIN);
    proposals_alone(&desk, 12);
    let ended = desk
        .run(&[
            "optimize",
            "--headless",
            "-o",
            "a.json",
            "-o",
            "a.md",
            "-o",
            "a.html",
        ])
        .await;
    ended.expect(
        0,
        &["7 of 12 proposals used (3 asked for once more); discarded: "],
    );
    let rules = [
        "it is longer than 2000 tokens (search.max_prompt_tokens) × 1",
        "the model declined × 1",
        "no prompt is in the reply × 1",
        "it was cut off at 2048 tokens",
        "it copies text of an example × 1",
    ];
    for output in [
        &ended.err,
        &ended.out,
        &desk.read("a.md"),
        &desk.read("a.html"),
    ] {
        says(output, &["7 of 12 proposals used"]);
        for rule in rules {
            assert!(
                output.replace('\\', "").contains(rule),
                "{rule:?}: {output}"
            );
        }
    }
    says(
        &ended.out,
        &["e.g. \"I'm sorry, but I can't help with that either.\""],
    );
    let found = candidates(&desk, "a.json");
    let induced: Vec<&String> = found
        .iter()
        .filter(|(origin, _)| origin == "induced")
        .map(|(_, text)| text)
        .collect();
    for kind in ["short", "new", "old", "long"] {
        assert!(induced.contains(&&long(kind)), "{kind}: {induced:#?}");
    }
    let mended =
        "Judge the mood of each text.\n\nIgnore its number.\n\nAnswer positive or negative.";
    assert!(induced.iter().any(|text| *text == mended), "{induced:#?}");
    let report: Value = serde_json::from_str(&desk.read("a.json")).unwrap();
    assert_eq!(report["proposals"][0]["asked"], 12);
    assert_eq!(report["proposals"][0]["again"], 3);
    assert_eq!(
        report["proposals"][0]["discarded"]
            .as_array()
            .unwrap()
            .len(),
        5
    );
    let rooms = rooms.lock().unwrap();
    assert_eq!(rooms[..12], [1024; 12]);
    assert_eq!(rooms[12..], [2048, 1024, 2048]);
}

#[tokio::test(flavor = "multi_thread")]
async fn run_without_proposals_says_so() {
    let server = MockServer::start(|seen| {
        if proposes(seen) {
            return Act::text("I cannot write prompts about reviews.");
        }
        model(seen)
    })
    .await;
    let desk = Desk::new();
    at(&desk, &server, PLAIN);
    proposals_alone(&desk, 4);
    let ended = desk.run(&["optimize", "--quiet"]).await;
    ended.expect(
        4,
        &[
            "no proposal of",
            "the model declined × 4, e.g. \"I cannot write prompts about reviews.\"",
            "search.library = true",
        ],
    );
    assert!(!ended.err.contains("budget"), "{}", ended.err);
    // With prompts from elsewhere the run goes on.
    desk.edit_study("library = false", "library = true");
    let ended = desk.run(&["optimize", "--quiet"]).await;
    ended.expect(0, &[]);
    says(
        &ended.out,
        &["0 of 4 proposals used", "the model declined × 4"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn form_follows_proposer() {
    for follows in [true, false] {
        let server = MockServer::start(move |seen| {
            if let Some(probe) = capable(seen) {
                return probe;
            }
            if seen.prompt().starts_with("Copy this sentence") {
                return Act::text(if follows {
                    "<prompt>Read the message and name the team that should handle it.</prompt>"
                } else {
                    "Read the message and name the team."
                });
            }
            if proposes(seen) {
                return Act::text(&format!("<prompt>{}</prompt>", long("all")));
            }
            let last = seen.body["messages"].as_array().unwrap().last().unwrap();
            if last["role"] == "assistant" {
                return Act::text(" text is positive or negative.\n\nAnd so on");
            }
            model(seen)
        })
        .await;
        let desk = Desk::new();
        at(&desk, &server, ", label_scores = \"off\"");
        proposals_alone(&desk, 3);
        let ended = desk.run(&["optimize", "--quiet", "-o", "a.json"]).await;
        ended.expect(0, &[]);
        let found = candidates(&desk, "a.json");
        let whole = found.iter().any(|(_, text)| *text == long("all"));
        let line = found
            .iter()
            .any(|(_, text)| text == "Decide whether the text is positive or negative.");
        assert_eq!((whole, line), (follows, !follows), "{found:#?}");
    }
}

/// About 300 words in five paragraphs with a list, a JSON example and a
/// placeholder in the middle.
fn production() -> String {
    let mut rules = String::new();
    for number in 1..=6 {
        let _ = writeln!(
            rules,
            "- Rule {number}: weigh what the text says about its subject, about the people in it \
             and about its end; a remark on print, cover or price counts for little, and what \
             other readers are said to think counts for nothing."
        );
    }
    format!(
        "You are a reader of a public library who has read for thirty years. Texts come in from \
         many towns. Your verdict decides where they are shelved.\n\nText: \"{{text}}\"\n\nHow to \
         decide:\n{rules}\nA clerk reads your answer as {{\"mood\": \"positive\"}} or {{\"mood\": \
         \"negative\"}} would be read. Doubtful texts follow their last sentence. Irony counts as \
         its opposite.\n\nAnswer with exactly one word, positive or negative, and nothing else."
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn long_prompt_keeps_its_structure() {
    let seed = production();
    let sent = std::sync::Arc::new(Mutex::new(Vec::new()));
    let seen_by = sent.clone();
    let server = MockServer::start(move |seen| {
        let text = seen.prompt();
        if text.contains("in other words") {
            let inner = text.split("<current_prompt>\n").nth(1).unwrap();
            let inner = inner.split("\n</current_prompt>").next().unwrap();
            let digest = blake3::hash(seen.body.to_string().as_bytes()).as_bytes()[0];
            return Act::text(&match digest % 3 {
                0 => format!("<prompt>{}</prompt>", inner.replace("weigh", "mind")),
                1 => format!("Here you go:\n\n{}", inner.replace("Irony", "Mockery")),
                _ => "<prompt>Is the text positive or negative?</prompt>".to_owned(),
            });
        }
        seen_by.lock().unwrap().push(text.to_owned());
        model(seen)
    })
    .await;
    let desk = Desk::new();
    at(&desk, &server, PLAIN);
    desk.write(
        "prompt.txt",
        format!("\u{feff}{}\r\n", seed.replace('\n', "\r\n")),
    );
    desk.edit_study(
        "prompt = \"Is this positive or negative?\"",
        "prompt_file = \"prompt.txt\"",
    );
    desk.edit_study("proposals = 12", "proposals = 10");
    desk.edit_study(
        "ensemble = 2",
        "ensemble = 0\nmethod = \"edits\"\nlibrary = false\nedits = 6\nparaphrases = 6",
    );
    let ended = desk.run(&["optimize", "--headless", "-o", "a.json"]).await;
    ended.expect(0, &["edits and crossovers made", "proposals used"]);
    says(&ended.out, &["it leaves out a part of the prompt × "]);
    let found = candidates(&desk, "a.json");
    let of = |origin: &str| found.iter().filter(|(own, _)| own == origin).count();
    assert!(of("edit") >= 10 && of("paraphrase") >= 1, "{found:#?}");
    for (origin, text) in &found {
        assert_eq!(text.matches("{text}").count(), 1, "{origin}: {text}");
        for piece in [
            "\n\nHow to decide:\n- ",
            "{\"mood\": \"positive\"} or {\"mood\": \"negative\"}",
            "\n\nAnswer with exactly one word, positive or negative, and nothing else.",
        ] {
            assert!(text.contains(piece), "{origin}: {piece:?} is not in {text}");
        }
        assert!(text.matches("\n\n").count() >= 4, "{origin}: {text}");
        assert!(text.matches("\n- ").count() >= 6, "{origin}: {text}");
    }
    // The value stands in its place, once, and nothing follows the prompt.
    let sent = sent.lock().unwrap();
    let text = sent
        .iter()
        .find(|text| text.contains("public library"))
        .unwrap();
    assert!(!text.contains('\r') && !text.contains("{text}"), "{text}");
    assert_eq!(text.matches("text number").count(), 1, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn declared_system_text_is_sent() {
    let bodies = std::sync::Arc::new(Mutex::new(Vec::new()));
    let kept = bodies.clone();
    let server = MockServer::start(move |seen| {
        kept.lock().unwrap().push(seen.body["messages"].clone());
        model(seen)
    })
    .await;
    let desk = Desk::new();
    at(&desk, &server, PLAIN);
    desk.edit_study(
        "labels = ",
        "system = \"You work for a library.\"\nprompt_role = \"system\"\nlabels = ",
    );
    desk.run(&["eval", "--quiet"]).await.expect(0, &[]);
    let messages = bodies.lock().unwrap().pop().unwrap();
    assert_eq!(messages[0]["role"], "system");
    assert_eq!(
        messages[0]["content"],
        "You work for a library.\n\nIs this positive or negative?"
    );
    assert_eq!(messages[1]["role"], "user");
    assert!(
        messages[1]["content"]
            .as_str()
            .unwrap()
            .contains("text number")
    );
    assert!(!messages[1]["content"].as_str().unwrap().contains('?'));
    for (from, to, told) in [
        (
            "\"system\"\nlabels",
            "\"assistant\"\nlabels",
            "task.prompt_role is \"assistant\"",
        ),
        (
            "\"assistant\"\nlabels",
            "7\nlabels",
            "task.prompt_role is 7",
        ),
        (
            "prompt_role = 7",
            "prompt_rol = \"user\"",
            "did you mean `prompt_role`?",
        ),
    ] {
        desk.edit_study(from, to);
        desk.run(&["eval", "--quiet"])
            .await
            .expect(2, &["study.toml:", told]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn editors_give_same_prompt() {
    let server = MockServer::start(model).await;
    let desk = Desk::new();
    at(&desk, &server, PLAIN);
    desk.edit_study(
        "\"Is this positive or negative?\"",
        "\"\"\"\nRead it.\nIs this positive or negative?\"\"\"",
    );
    desk.run(&["eval", "--quiet"]).await.expect(0, &[]);
    let calls = server.asked();
    let lf = desk.read("study.toml");
    desk.write(
        "study.toml",
        format!("\u{feff}{}", lf.replace('\n', "\r\n")),
    );
    desk.write(
        "p.txt",
        "\u{feff}Read it.\r\nIs this positive or negative?\r\n",
    );
    let ended = desk.run(&["eval", "--quiet", "-p", "@p.txt"]).await;
    ended.expect(0, &[]);
    says(&ended.out, &["0 sent to a model"]);
    assert_eq!(server.asked(), calls);
    desk.write("old.txt", "Read it.\rIs this positive or negative?");
    desk.write("study.toml", format!("prompts = [\"@old.txt\"]\n{lf}"));
    desk.run(&["eval", "--quiet"]).await.expect(0, &[]);
    assert_eq!(server.asked(), calls);
    desk.write("study.toml", format!("prompts = [\"@none.txt\"]\n{lf}"));
    desk.run(&["eval"]).await.expect(
        2,
        &[
            "study.toml:1: prompts names a file that cannot be read: ",
            "none.txt",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn misspelt_placeholder_is_named() {
    let server = MockServer::start(model).await;
    let desk = Desk::new();
    at(&desk, &server, PLAIN);
    let seed = "Is this positive or negative?";
    desk.edit_study(seed, "Is {txt} positive or negative?");
    for command in ["eval", "optimize", "estimate"] {
        desk.run(&[command]).await.expect(
            2,
            &["task.prompt: the placeholder {txt} names no field; did you mean {text}?"],
        );
    }
    desk.edit_study("Is {txt} positive", "Is {review} positive");
    let ended = desk.run(&["doctor", "study.toml"]).await;
    says(
        &ended.out,
        &["warning[placeholder]", "{review} names no field", "{text}"],
    );
    // A column that only the prompt names is read, the label never is.
    desk.edit_study("fields = [\"text\"]\n", "");
    desk.edit_study(
        "Is {review} positive",
        "Is {text} of {id} ({label}) positive",
    );
    let ended = desk.run(&["doctor", "study.toml"]).await;
    says(&ended.out, &["{label} names no field"]);
    assert!(!ended.out.contains("{id} names"), "{}", ended.out);
    let ended = desk
        .run(&["eval", "-p", "Is {texts} positive or negative?"])
        .await;
    ended.expect(2, &["did you mean {text}?"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn prompt_length_is_limited() {
    let server = MockServer::start(|seen| {
        if proposes(seen) {
            return Act::text(&format!("<prompt>{}</prompt>", long("all")));
        }
        if seen.prompt().starts_with("Repeat this word") {
            return Act::text("banana");
        }
        // Every prompt is right every time.
        let even = seen
            .prompt()
            .rsplit(' ')
            .next()
            .unwrap()
            .parse::<u64>()
            .unwrap()
            % 2
            == 0;
        Act::text(if even { "positive" } else { "negative" })
    })
    .await;
    let desk = Desk::new();
    at(&desk, &server, PLAIN);
    proposals_alone(&desk, 2);
    desk.edit_study(
        "rounds = 0",
        "rounds = 0\nlength_price = 5.0\nmax_prompt_tokens = 60",
    );
    desk.run(&["optimize", "--quiet"]).await.expect(
        4,
        &["it is longer than 60 tokens (search.max_prompt_tokens) × 2"],
    );
    desk.edit_study("\nmax_prompt_tokens = 60", "");
    desk.edit_study(
        "name = \"mock\"\n",
        "name = \"mock\"\nprompts = [\"Is it positive or negative? Answer.\", \"Positive or negative?\"]\n",
    );
    let ended = desk.run(&["optimize", "--quiet", "-o", "a.json"]).await;
    ended.expect(0, &[]);
    // Of equally good prompts the shortest, for its length costs least.
    says(&ended.out, &["\n  Positive or negative?\n"]);
    for (key, told) in [
        (
            "length_price = -1.0",
            "search.length_price is -1, but must be between 0 and 100",
        ),
        (
            "max_prompt_tokens = 0",
            "search.max_prompt_tokens is 0, but must be between 1 and 1,000,000",
        ),
    ] {
        let desk = Desk::new();
        desk.edit_study("[search]", &format!("[search]\n{key}"));
        desk.run(&["estimate"]).await.expect(2, &[told]);
    }
}
