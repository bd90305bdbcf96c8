//! Multiple choice: options in a column, not as many in every group.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::mock_server::{Act, MockServer, Seen};
use crate::support::program::Desk;

const WORDS: [&str; 7] = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu"];

/// A row: the word asked for is under a letter that its number tells.
fn row(group: &str, number: usize, options: usize) -> Value {
    let right = (number / 2) % options;
    let mut words: Vec<&str> = WORDS[..options].to_vec();
    words.rotate_left(number % options);
    let label = if number.is_multiple_of(3) {
        // The text of the option instead of its letter.
        words[right].to_owned()
    } else {
        char::from(b'A' + right as u8).to_string()
    };
    json!({
        "nr": format!("{group}-{number}"), "group": group,
        "text": format!("In {group} {number} they keep one {}.", words[right]),
        "choices": words, "answer": label,
    })
}

fn data() -> String {
    let mut lines = String::new();
    for (group, options) in [("three", 3), ("five", 5), ("seven", 7)] {
        for number in 0..70 {
            writeln!(lines, "{}", row(group, number, options)).unwrap();
        }
    }
    lines
}

fn desk(server: &MockServer) -> Desk {
    let desk = Desk::new();
    desk.write("quiz.jsonl", data());
    let url = server.base_url();
    desk.write(
        "quiz.toml",
        format!(
            r#"name = "quiz"
model = {{ name = "openai:mock", base_url = "{url}", max_retries = 1 }}
[task]
kind = "classify"
prompt = "Which animal do they keep?"
input = "{{text}}"
options = "choices"
[data]
files = ["quiz.jsonl"]
id = "nr"
group = "group"
label = "answer"
[groups]
source = ["three"]
target = ["five", "seven"]
train = 12
validation = 24
unlabelled = 16
audit = 20
[search]
shots = 12
chunks = 3
proposals = 12
evaluations = 240
finalists = 3
ensemble = 0
"#
        ),
    );
    desk
}

/// Knows every answer and gives most of them, as servers do: a letter alone, in brackets with
/// the option's text, at the end of a sentence, or the text alone.
fn answers(seen: &Seen) -> Act {
    let text = seen.prompt();
    let draw = blake3::hash(seen.body.to_string().as_bytes()).as_bytes()[0];
    if seen.asks_for_prompt() {
        let word = ["kind", "sober", "plain", "exact"][usize::from(draw % 4)];
        return Act::text(&format!(
            "<prompt>In a {word} way, choose the option that names the animal in the text.</prompt>"
        ));
    }
    let Some(asked) = text.rsplit("they keep one ").next() else {
        return Act::text("?");
    };
    let word = asked.split('.').next().unwrap_or_default();
    let option = asked.lines().find(|line| {
        line.get(1..)
            .is_some_and(|rest| rest == format!(". {word}"))
    });
    let Some(letter) = option.and_then(|line| line.chars().next()) else {
        return Act::text("banana");
    };
    Act::text(&match draw % 5 {
        0 => letter.to_string(),
        1 => format!("({letter}) {word}"),
        2 => format!("They keep one animal, so the answer is {letter}."),
        3 => word.to_owned(),
        _ => format!("{letter}. {word}"),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn options_differ_in_number() {
    let server = MockServer::start(answers).await;
    let desk = desk(&server);
    let run = desk
        .run(&["optimize", "quiz.toml", "--headless", "--json"])
        .await;
    run.expect(0, &[]);
    let summary: Value = serde_json::from_str(&run.out).unwrap();
    let seed = &summary["audited"][0];
    for group in seed["groups"].as_array().unwrap() {
        assert_eq!(
            (&group["n"], &group["value"]),
            (&json!(20), &json!(1.0)),
            "{seed}"
        );
    }
    assert!(summary.get("unusable").is_none(), "{}", summary["unusable"]);
    // What is asked has the options of its own input, and proposals name no fixed letters.
    let mut most = 0;
    for seen in server.requests() {
        let text = seen.prompt();
        if text.contains("they keep one") && !seen.asks_for_prompt() {
            let letters = text
                .lines()
                .filter(|line| line.get(1..3) == Some(". "))
                .count();
            let wanted = if text.contains("In seven") {
                7
            } else if text.contains("In five") {
                5
            } else {
                3
            };
            assert_eq!(letters, wanted, "{text}");
            most = most.max(letters);
        }
        assert!(!text.contains("A, B or C"), "{text}");
    }
    assert_eq!(most, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn faulty_options_are_told_with_their_line() {
    let server = MockServer::start(answers).await;
    let desk = desk(&server);
    let good = data();
    for (key, value, told) in [
        ("choices", json!([]), "\"choices\": there are no options"),
        ("choices", json!("ant"), "\"choices\": there is one option"),
        (
            "choices",
            json!(["ant", "bee", "Ant"]),
            "\"choices\": options A and C are both \"Ant\"",
        ),
        (
            "answer",
            json!("G"),
            "the label \"G\" is no option of its row",
        ),
        (
            "answer",
            json!("yak"),
            "the label \"yak\" is no option of its row",
        ),
    ] {
        let mut row: Value = serde_json::from_str(good.lines().nth(4).unwrap()).unwrap();
        row[key] = value;
        let mut lines: Vec<String> = good.lines().map(str::to_owned).collect();
        lines[4] = row.to_string();
        desk.write("quiz.jsonl", lines.join("\n"));
        let ended = desk.run(&["estimate", "quiz.toml"]).await;
        ended.expect(5, &["quiz.jsonl:5", told]);
    }
    desk.write("quiz.jsonl", good);
    let study = desk.read("quiz.toml");
    for (from, to, told) in [
        (
            "options = \"choices\"",
            "options = \"choice\"",
            "there is no column \"choice\"",
        ),
        (
            "options = \"choices\"",
            "options = \"choices\"\nlabels = [\"A\", \"B\"]",
            "task.labels already says",
        ),
        (
            "options = \"choices\"",
            "options = \"choices\"\nmetric = \"macro-f1\"",
            "macro-f1 needs the same labels",
        ),
        (
            "[search]",
            "[search]\ncalibration = \"contextual\"",
            "quiz.toml:21: search.calibration: \"contextual\" asks about inputs that say nothing",
        ),
        (
            "[search]",
            "[groups.class_shares]\nA = 1.0\n[search]",
            "the task's answers are no classes",
        ),
    ] {
        assert!(study.contains(from));
        desk.write("quiz.toml", study.replacen(from, to, 1));
        let ended = desk.run(&["estimate", "quiz.toml"]).await;
        assert!(matches!(ended.code, Some(2 | 5)), "{ended:?}");
        assert!(ended.err.contains(told), "{told:?} is not in {}", ended.err);
    }
    assert_eq!(server.calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn days_with_options_are_labelled() {
    let server = MockServer::start(answers).await;
    let desk = desk(&server);
    let day: Vec<String> = (100..112)
        .map(|number| {
            let mut row = row("five", number, 5);
            row["answer"] = json!("");
            format!("{row}\n")
        })
        .collect();
    desk.write("day.jsonl", day.concat());
    let label = ["label", "quiz.toml", "--batch", "day.jsonl", "-n", "4"];
    let out = desk
        .run(&[&label[..], &["--export", "out.csv"]].concat())
        .await;
    out.expect(0, &["4 inputs are in out.csv", "the letter of an option"]);
    let asked = desk.read("out.csv");
    assert!(asked.contains("A. ") && !asked.contains("[\""), "{asked}");
    let filled = |letter: &str| asked.replace(",five,,", &format!(",five,{letter},"));
    let import = [&label[..4], &["--import", "back.csv"]].concat();
    desk.write("back.csv", filled("G"));
    desk.run(&import).await.expect(5, &["\"G\" is no label"]);
    desk.write("back.csv", filled("B"));
    desk.run(&import).await.expect(0, &["4 labels were added"]);
    // The study reads them.
    assert_eq!(desk.read("quiz.labels.csv").matches(",B,").count(), 4);
    desk.run(&["estimate", "quiz.toml"]).await.expect(0, &[]);
    assert_eq!(server.calls(), 0);
}
