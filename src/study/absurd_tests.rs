//! Every key that there is with every value that cannot be meant: an error that
//! names the line, and never a panic or a wait. The keys are those that the parser
//! itself tells, so that a new one is tried as soon as it is there.

use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;

use super::Study;
use crate::study::task_registry::TaskRegistry;

const BASE: &str = "\
name = \"absurd\"
[task]
kind = \"classify\"
prompt = \"Is it good?\"
input = \"{text}\"
labels = [\"good\", \"bad\"]
[data]
files = [\"a.csv\"]
label = \"label\"
fields = [\"text\"]
";

/// Tables of a study, each with what has to stand in it.
const TABLES: [(&str, &str); 16] = [
    ("search", ""),
    ("groups", ""),
    ("budget", ""),
    (
        "model",
        "name = \"openai:m\"\nbase_url = \"http://127.0.0.1:1/v1\"",
    ),
    (
        "proposer",
        "name = \"openai:m\"\nbase_url = \"http://127.0.0.1:1/v1\"",
    ),
    ("metric", "command = \"python3 score.py\""),
    ("judge", "rubric = \"Is it right?\""),
    (
        "judge.model",
        "name = \"openai:m\"\nbase_url = \"http://127.0.0.1:1/v1\"",
    ),
    ("augment", "kind = \"kar\""),
    (
        "augment.model",
        "name = \"openai:m\"\nbase_url = \"http://127.0.0.1:1/v1\"",
    ),
    ("model.price", ""),
    ("proposer.price", ""),
    ("data.bands", "column = \"age\"\nedges = [1]"),
    ("data.interactions", ""),
    ("data.interactions.candidates", ""),
    ("groups.class_shares", ""),
];

/// Any number is a seed.
const FREE: [&str; 1] = ["seed"];

const ABSURD: [&str; 12] = [
    "9223372036854775807",
    "-9223372036854775808",
    "-1",
    "4294967296000000",
    "1e308",
    "-1e308",
    "nan",
    "inf",
    "-inf",
    "[9223372036854775807]",
    "\"9223372036854775807\"",
    "{ a = { b = { c = nan } } }",
];

/// A study with one more line in one table; the line's number.
fn study(table: &str, needed: &str, line: &str) -> (String, usize) {
    let mut text = BASE.to_owned();
    let models = ["model.price", "proposer.price"];
    if models.contains(&table) {
        let (model, _) = table.split_once('.').unwrap();
        let _ = write!(
            text,
            "[{model}]\nname = \"openai:m\"\nbase_url = \"http://127.0.0.1:1/v1\"\n"
        );
    }
    if table == "judge.model" {
        text += "[judge]\nrubric = \"Is it right?\"\n";
    }
    if table == "augment.model" {
        text += "[augment]\nkind = \"kar\"\n";
    }
    let _ = write!(text, "[{table}]\n{needed}");
    if !needed.is_empty() {
        text.push('\n');
    }
    text += line;
    let number = text.lines().count();
    (text, number)
}

fn problem(text: &str) -> Option<String> {
    Study::parse(text, Path::new("study.toml"))
        .err()
        .map(|failure| failure.message)
}

/// The keys of a table, as an unknown one makes the parser tell.
fn keys(table: &str, needed: &str) -> Vec<String> {
    let (text, line) = study(table, needed, "zzz_unknown = 1");
    let told = problem(&text).unwrap_or_else(|| panic!("{table} takes any key"));
    assert!(
        told.starts_with(&format!("study.toml:{line}: unknown key")),
        "{told}"
    );
    let (_, known) = told.split_once("known here: ").unwrap();
    known.trim().split(", ").map(str::to_owned).collect()
}

#[test]
fn absurd_values_name_their_line() {
    let mut tried = 0;
    for (table, needed) in TABLES {
        let keys = match table {
            "groups.class_shares" => vec!["good".to_owned()],
            _ => keys(table, needed),
        };
        assert!(!keys.is_empty());
        for key in keys {
            let stated = needed
                .lines()
                .any(|line| line.starts_with(&format!("{key} = ")));
            if FREE.contains(&key.as_str()) || stated {
                continue;
            }
            for value in ABSURD {
                // A header or a body may hold numbers of any size, a text any digits.
                let text = value.starts_with('"');
                let free = key == "body" && !value.contains("nan");
                if text || free {
                    continue;
                }
                let (text, line) = study(table, needed, &format!("{key} = {value}"));
                // What a rating may be, and a charge.
                let fine = key == "like_above" && matches!(value, "-1");
                match problem(&text) {
                    Some(told) => {
                        assert!(
                            told.starts_with(&format!("study.toml:{line}: ")),
                            "{told}\n{text}"
                        );
                    }
                    None => assert!(fine, "accepted: {table}.{key} = {value}"),
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 500, "{tried}");
}

#[test]
fn absurd_tasks_are_refused() {
    let registry = TaskRegistry::default();
    let build = |text: &str| {
        let table: toml::Table = toml::from_str(text).unwrap();
        registry
            .build(&table, "x", Path::new("no-such-study.toml"), None)
            .err()
            .map(|failure| failure.message)
    };
    let told = build("kind = \"zzz\"").unwrap();
    let (_, kinds) = told.split_once("there is ").unwrap();
    let mut tried = 0;
    for kind in kinds.split(';').next().unwrap().split(", ") {
        let told = build(&format!("kind = \"{kind}\"\nzzz_unknown = 1")).unwrap();
        let Some((_, known)) = told.split_once("known here: ") else {
            continue;
        };
        for key in known.trim().split(", ") {
            for value in ABSURD {
                let line = format!("kind = \"{kind}\"\n{key} = {value}\n");
                let whole = BASE.replace("kind = \"classify\"\nprompt = \"Is it good?\"\ninput = \"{text}\"\nlabels = [\"good\", \"bad\"]\n", &line);
                // Either the study's numbers or the task's own rules; neither panics.
                let _ = problem(&whole);
                let _ = build(&line);
                tried += 1;
            }
        }
    }
    assert!(tried > 200, "{tried}");
}

#[test]
fn servers_of_a_model_are_checked() {
    for (table, lines, told) in [
        (
            "model",
            "name = \"openai:m\"\nbase_url = \"http://a/v1\"\nendpoints = [\"http://a/v1/\"]",
            "study.toml:14: model.endpoints: the same server",
        ),
        (
            "model",
            "name = \"openai:m\"\nendpoints = [\"\"]",
            "study.toml:13: model.endpoints: a server has no base_url",
        ),
        (
            "model",
            "name = \"openai:m\"\nendpoints = [{ base_url = \"http://a/v1\", weight = 0 }]",
            "study.toml:13: model.endpoints: weight",
        ),
        (
            "model",
            "name = \"openai:m\"\nendpoints = [{ base_url = \"http://a/v1\", concurrency = 0 }]",
            "study.toml:13: model.endpoints: concurrency",
        ),
        (
            "model",
            "name = \"openai:m\"\nbatch = true\nendpoints = [\"http://a/v1\"]",
            "study.toml:14: model.endpoints: a batch",
        ),
        (
            "model",
            "name = \"embedded\"\nendpoints = [\"http://a/v1\"]",
            "study.toml:13: model.endpoints: is for models behind a server",
        ),
    ] {
        let text = format!("{BASE}[{table}]\n{lines}\n");
        let said = problem(&text).unwrap_or_default();
        assert!(said.starts_with(told), "{said}\n{text}");
    }
}

#[test]
fn contradictions_name_their_line() {
    for (table, lines, told) in [
        (
            "search",
            "finalists = 2\nensemble = 3",
            "study.toml:13: search.ensemble is 3",
        ),
        (
            "search",
            "shots = 3\nchunks = 6",
            "study.toml:12: search.shots",
        ),
        ("search", "chunks = 40", "study.toml:12: search.shots must"),
        (
            "search",
            "threshold = 1.0",
            "study.toml:12: search.threshold",
        ),
        (
            "model",
            "name = \"openai:m\"\ntimeout_s = 0",
            "study.toml:13: model.timeout_s",
        ),
        (
            "model",
            "name = \"openai:m\"\nrequests_per_minute = 0",
            "study.toml:13: model.requests_per_minute",
        ),
        (
            "model",
            "name = \"openai:m\"\nconcurrency = 0",
            "study.toml:13: model.concurrency",
        ),
        (
            "model",
            "name = \"openai:m\"\nprice = { prompt = -1, completion = 1 }",
            "study.toml:13: model.price",
        ),
        ("budget", "calls = 0", "study.toml:12: budget.calls is 0"),
        ("budget", "usd = -0.5", "study.toml:12: budget.usd"),
        (
            "groups",
            "class_shares = { good = 1.2 }",
            "study.toml:12: groups.class_shares.good is 1.2",
        ),
        (
            "groups",
            "train = 1_000_000_000_000",
            "study.toml:12: groups.train is 1000000000000",
        ),
    ] {
        let text = format!("{BASE}[{table}]\n{lines}\n");
        let said = problem(&text).unwrap_or_default();
        assert!(said.starts_with(told), "{said}\n{text}");
    }
    let text = BASE.replacen(
        "name = \"absurd\"",
        "name = \"absurd\"\nprompts = [\"Say it.\", \" \"]",
        1,
    );
    assert!(
        problem(&text)
            .unwrap()
            .starts_with("study.toml:2: prompts holds an empty text as its entry 2")
    );
    // Inline tables, where keys of other tables are called the same.
    let text = format!("{BASE}model = {{ name = \"openai:m\" }}\n");
    assert!(problem(&text).is_some());
    let text = "name = \"x\"\nsearch = { shots = 36, labels = 3 }\n[task]\nlabels = [\"a\"]\n[data]\nfiles = [\"a\"]\n";
    assert!(
        problem(text)
            .unwrap()
            .starts_with("study.toml:2: unknown key `labels`"),
        "{:?}",
        problem(text)
    );
    let text = "name = \"x\"\ngroups = { train = 8, trian = 9 }\n[task]\nkind = \"classify\"\n[data]\nfiles = [\"a\"]\n";
    assert!(
        problem(text)
            .unwrap()
            .starts_with("study.toml:2: unknown key `trian`"),
        "{:?}",
        problem(text)
    );
}

proptest! {
    /// Whatever stands in a study, reading it ends, and an error names the file.
    #[test]
    fn studies_of_any_text_are_read(text in any::<String>()) {
        if let Some(told) = problem(&text) {
            prop_assert!(told.contains("study.toml"), "{}", told);
        }
    }

    /// The same of studies that are nearly right.
    #[test]
    fn studies_with_any_line_are_read(
        at in 0..BASE.lines().count(),
        line in "[a-z_]{1,12}( = )?[\\[\\]{}\"'0-9a-z.,=#\\u{e9}\\u{202e} -]{0,24}",
    ) {
        let mut lines: Vec<&str> = BASE.lines().collect();
        lines[at] = &line;
        let text = lines.join("\n");
        if let Some(told) = problem(&text) {
            prop_assert!(told.starts_with("study.toml"), "{}", told);
        }
    }
}
