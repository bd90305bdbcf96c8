//! Configs of promptfoo, from `init --from` to `estimate`, as a user goes.

use std::fmt::Write as _;

use crate::support::mock_server::{Act, MockServer, capable};
use crate::support::program::Desk;

/// A config's files: names and contents.
type Files = Vec<(&'static str, String)>;

const PROMPT: &str = "prompts: [\"Is it positive or negative?\\n\\nReview: {{text}}\"]\n";

/// This many tests with labels in turn, each written by `row`.
fn tests(count: usize, row: impl Fn(usize, &str) -> String) -> String {
    (0..count).fold(String::new(), |mut out, number| {
        let _ = writeln!(out, "{}", row(number, ["positive", "negative"][number % 2]));
        out
    })
}

/// Configs of every kind that should become a study.
#[allow(clippy::too_many_lines)] // A list.
fn configs() -> Vec<(&'static str, Files)> {
    let csv = tests(24, |n, label| format!("\"item {n}, fine\",{label}"));
    let with = |header: &str| format!("{header}\n{csv}");
    let plain = || format!("{PROMPT}tests: t.csv\n");
    let listed = |label: &str| {
        let texts: Vec<String> = (0..12).map(|n| format!("'{label} item {n}'")).collect();
        format!(
            "  - vars: {{ text: [{}] }}\n    assert: [{{ type: equals, value: {label} }}]\n",
            texts.join(", ")
        )
    };
    vec![
        (
            "plain table",
            vec![("c.yaml", plain()), ("t.csv", with("text,__expected"))],
        ),
        (
            "saved on Windows",
            vec![
                (
                    "c.yaml",
                    "\u{feff}prompts: [p.txt]\r\ntests: t.csv\r\n".into(),
                ),
                (
                    "p.txt",
                    "Is it?\r\n\r\nReview: {{text}}\r\n---\r\nWhich?\r\n\r\nReview: {{text}}\r\n"
                        .into(),
                ),
                (
                    "t.csv",
                    with("\u{feff}text,__expected").replace('\n', "\r\n"),
                ),
            ],
        ),
        (
            "semicolons",
            vec![
                ("c.yaml", plain()),
                (
                    "t.csv",
                    with("text,__expected")
                        .replace("\",", "\";")
                        .replace("text,", "text;"),
                ),
            ],
        ),
        (
            "prefix and suffix",
            vec![
                ("c.yaml", plain()),
                (
                    "t.csv",
                    format!(
                        "text,__prefix,__suffix,__expected\n{}",
                        tests(24, |n, label| format!(
                            "item {n},Be strict. , One word.,{label}"
                        ))
                    ),
                ),
            ],
        ),
        (
            "lists",
            vec![(
                "c.yaml",
                format!(
                    "{PROMPT}tests:\n{}{}",
                    listed("positive"),
                    listed("negative")
                ),
            )],
        ),
        (
            "JSON lines of two groups",
            vec![
                ("c.yaml", format!("{PROMPT}tests: file://t.jsonl\n")),
                (
                    "t.jsonl",
                    tests(48, |n, label| {
                        serde_json::json!({
                            "vars": { "text": format!("item {n}") },
                            "metadata": { "domain": (["shop", "film"][n / 2 % 2]) },
                            "assert": [{ "type": "icontains", "value": label }],
                        })
                        .to_string()
                    }),
                ),
            ],
        ),
        (
            "merge keys",
            vec![(
                "c.yaml",
                format!(
                    "{PROMPT}x-base: &base {{ metadata: {{ group: shop }} }}\ntests:\n{}",
                    tests(24, |n, label| format!(
                        "  - {{ <<: *base, vars: {{ text: 'item {n}' }}, assert: [{{ type: equals, value: {label} }}] }}"
                    ))
                ),
            )],
        ),
        (
            "the same text twice, and an empty one",
            vec![
                ("c.yaml", plain()),
                (
                    "t.csv",
                    format!(
                        "{}\"item 1, fine\",negative\n,positive\n\"{{{{ braces }}\",negative\n",
                        with("text,__expected")
                    ),
                ),
            ],
        ),
        (
            "uneven labels of many groups",
            vec![
                ("c.yaml", plain()),
                (
                    "t.csv",
                    format!(
                        "text,__metadata:group,__expected\n{}",
                        tests(90, |n, _| format!(
                            "item {n},group {},{}",
                            n % 3,
                            ["yes", "no", "no", "maybe so"][n % 4]
                        ))
                    ),
                ),
            ],
        ),
        (
            "labels in one another",
            vec![
                ("c.yaml", plain()),
                (
                    "t.csv",
                    format!(
                        "text,__expected\n{}",
                        tests(36, |n, _| format!(
                            "item {n},{}",
                            ["spam", "not spam", "billing:refund"][n % 3]
                        ))
                    ),
                ),
            ],
        ),
    ]
}

#[tokio::test]
async fn imported_study_can_be_estimated() {
    let server =
        MockServer::start(|seen| capable(seen).unwrap_or_else(|| Act::text("positive"))).await;
    for (name, files) in configs() {
        let desk = Desk::new();
        for (file, content) in &files {
            let provider = format!(
                "providers: [{{ id: 'openai:chat:m:1b', config: {{ apiBaseUrl: '{}' }} }}]\n",
                server.base_url()
            );
            let content = match *file {
                "c.yaml" => format!("{content}{provider}"),
                _ => content.clone(),
            };
            desk.write(file, content);
        }
        let imported = desk.run(&["init", "out", "--from", "c.yaml"]).await;
        assert_eq!(imported.code, Some(0), "{name}: {imported:?}");
        let estimated = desk.run(&["estimate", "out/study.toml"]).await;
        assert_eq!(
            estimated.code,
            Some(0),
            "{name}: {}\n{}\n{}",
            estimated.err,
            imported.err,
            desk.read("out/study.toml")
        );
        assert!(
            desk.read("out/study.toml").contains("openai:m:1b"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn failed_import_says_why() {
    let desk = Desk::new();
    desk.write("c.yaml", format!("{PROMPT}tests: t.xlsx\nscenarios: []\n"));
    let ended = desk.run(&["init", "out", "--from", "c.yaml"]).await;
    ended.expect(
        2,
        &[
            "c.yaml:2: no test has a label",
            "not carried over as it was:",
            "c.yaml:2: the tests of t.xlsx were left out",
            "save the sheet as .csv",
            "c.yaml:3: `scenarios` has no counterpart",
        ],
    );
    assert!(!desk.path("out").exists());
}
