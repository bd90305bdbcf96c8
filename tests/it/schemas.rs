//! `docs/schema/` describes what the program really prints: every key, every type.
//!
//! A key that is not described is a fault, so that no schema goes stale. After a change
//! `SHIFTPROOF_SCHEMA_UPDATE=1 cargo test --test it -- schemas` adds what is new to the
//! files; describe it there. Keys are never taken out: runs of earlier programs have them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::support::mock_server::{MockServer, capable};
use crate::support::program::{Desk, model, rows};

/// Keys whose objects are maps: names of groups, ids of prompts, and the like.
const MAPS: [&str; 15] = [
    "baseline_places",
    "body",
    "by_group",
    "candidates",
    "class_shares",
    "discarded",
    "fields",
    "groups",
    "headers",
    "label_map",
    "labels",
    "methods",
    "models",
    "own",
    "shares",
];

fn file(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("docs/schema").join(format!("{name}.json"))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn types(schema: &Map<String, Value>) -> Vec<String> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(several)) => several
            .iter()
            .map(|one| one.as_str().unwrap().to_owned())
            .collect(),
        _ => Vec::new(),
    }
}

/// The word by which objects of several kinds are told apart.
fn tag(value: &Value) -> Option<&str> {
    value.get("type")?.as_str()
}

/// The rules under a key, none to begin with.
fn inner<'a>(schema: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let entry = schema.entry(key).or_insert_with(|| json!({}));
    entry.as_object_mut().unwrap()
}

/// Adds to a schema what this value has.
fn learn(schema: &mut Map<String, Value>, value: &Value, key: &str) {
    let mut known = types(schema);
    let found = type_of(value);
    if !known
        .iter()
        .any(|one| one == found || (one == "number" && found == "integer"))
    {
        known.retain(|one| !(one == "integer" && found == "number"));
        known.push(found.to_owned());
    }
    let known = if known.len() == 1 {
        json!(known[0])
    } else {
        json!(known)
    };
    schema.insert("type".into(), known);
    match value {
        Value::Array(items) => {
            for item in items {
                learn(inner(schema, "items"), item, "");
            }
        }
        Value::Object(_) if tag(value).is_some() => {
            let kinds = schema.entry("oneOf").or_insert_with(|| json!([]));
            let kinds = kinds.as_array_mut().unwrap();
            let is_own = |kind: &Value| kind["properties"]["type"]["const"] == value["type"];
            let known = kinds.iter().position(is_own);
            let at = known.unwrap_or_else(|| {
                kinds.push(json!({"properties": {"type": {"const": value["type"]}}}));
                kinds.len() - 1
            });
            learn_keys(kinds[at].as_object_mut().unwrap(), value);
        }
        Value::Object(entries) if MAPS.contains(&key) => {
            for entry in entries.values() {
                learn(inner(schema, "additionalProperties"), entry, "");
            }
        }
        Value::Object(_) => learn_keys(schema, value),
        _ => {}
    }
}

fn learn_keys(schema: &mut Map<String, Value>, value: &Value) {
    let keys = value.as_object().unwrap();
    let first = !schema.contains_key("required");
    let required = schema.entry("required").or_insert_with(|| json!([]));
    if first {
        *required = keys.keys().cloned().collect();
    } else {
        // What is once absent is not required.
        required
            .as_array_mut()
            .unwrap()
            .retain(|name| keys.contains_key(name.as_str().unwrap()));
    }
    let known = schema.entry("properties").or_insert_with(|| json!({}));
    for (name, value) in keys {
        let known = known.as_object_mut().unwrap();
        let one = known.entry(name).or_insert_with(|| json!({}));
        if one.get("const").is_none() {
            learn(one.as_object_mut().unwrap(), value, name);
        }
    }
}

/// Where a value is not what the schema says.
fn faults(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let Some(rules) = schema.as_object() else {
        return;
    };
    let own = type_of(value);
    let known = types(rules);
    if !known.is_empty()
        && !known
            .iter()
            .any(|one| one == own || (one == "number" && own == "integer"))
    {
        found.push(format!("{at} is {own}, not {known:?}"));
    }
    match value {
        Value::Array(items) => {
            for item in items {
                faults(
                    rules.get("items").unwrap_or(&Value::Null),
                    item,
                    &format!("{at}[]"),
                    found,
                );
            }
        }
        Value::Object(_) if rules.contains_key("oneOf") => {
            let kinds = rules["oneOf"].as_array().unwrap();
            match kinds
                .iter()
                .find(|kind| kind["properties"]["type"]["const"] == value["type"])
            {
                Some(kind) => key_faults(kind, value, at, found),
                None => found.push(format!("{at}: no kind {:?}", value["type"])),
            }
        }
        Value::Object(entries) if rules.contains_key("additionalProperties") => {
            for (name, entry) in entries {
                faults(
                    &rules["additionalProperties"],
                    entry,
                    &format!("{at}.{name}"),
                    found,
                );
            }
        }
        Value::Object(_) => key_faults(schema, value, at, found),
        _ => {}
    }
}

fn key_faults(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let keys = value.as_object().unwrap();
    for name in schema["required"].as_array().into_iter().flatten() {
        if !keys.contains_key(name.as_str().unwrap()) {
            found.push(format!("{at} lacks {name}"));
        }
    }
    for (name, value) in keys {
        match schema["properties"].get(name) {
            Some(rules) => faults(rules, value, &format!("{at}.{name}"), found),
            None => found.push(format!("{at}.{name} is not described")),
        }
    }
}

/// Checks samples of one output against its file, or teaches the file.
#[track_caller]
pub(crate) fn check(samples: &BTreeMap<&str, Vec<Value>>) {
    let update = std::env::var_os("SHIFTPROOF_SCHEMA_UPDATE").is_some();
    let mut found = Vec::new();
    for (name, values) in samples {
        assert!(!values.is_empty(), "{name}: nothing was printed");
        let text = std::fs::read_to_string(file(name)).unwrap_or_else(|_| "{}".to_owned());
        let mut schema: Value = serde_json::from_str(&text).unwrap();
        if update {
            let rules = schema.as_object_mut().unwrap();
            let dialect = json!("https://json-schema.org/draft/2020-12/schema");
            rules.entry("$schema").or_insert(dialect);
            for value in values {
                learn(rules, value, "");
            }
            let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
            std::fs::write(file(name), text).unwrap();
        }
        for key in ["title", "description"] {
            if !schema[key].is_string() && !update {
                found.push(format!("{name}: it has no {key}"));
            }
        }
        for value in values {
            faults(&schema, value, name, &mut found);
        }
    }
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outputs_are_as_described() {
    let server = MockServer::start(|seen| capable(seen).unwrap_or_else(|| model(seen))).await;
    let desk = Desk::new();
    let line = format!(
        "name = \"mock\"\nmodel = {{ name = \"openai:mock\", base_url = {:?} }}",
        server.base_url()
    );
    desk.edit_study("name = \"mock\"", &line);
    let fresh = rows(90);
    let later = fresh
        .lines()
        .filter(|line| line.starts_with("films"))
        .skip(60);
    let monday: Vec<&str> = std::iter::once("id,domain,label,text")
        .chain(later)
        .collect();
    desk.write("monday.csv", monday.join("\n"));
    desk.write("prompt.txt", "Say positive or negative.");
    let mut samples: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    let mut take = |name: &'static str, text: &str| {
        let value: Value =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}: {text}"));
        samples.entry(name).or_default().push(value);
    };
    let run = async |line: &str| {
        let ended = desk.run(&line.split(' ').collect::<Vec<_>>()).await;
        ended.expect(0, &[]);
        ended.out
    };
    for (name, line) in [
        ("estimate", "estimate study.toml --json"),
        (
            "report",
            "optimize study.toml -q --json --events events.jsonl",
        ),
        ("report", "optimize study.toml -q --json --method gepa"),
        ("report", "optimize study.toml -q --json --method mipro"),
        ("report", "optimize study.toml -q --json --seed 2"),
        ("estimate", "estimate study.toml --probe --json"),
        ("runs", "runs --json"),
        ("eval", "eval study.toml -q -p @prompt.txt --json"),
        ("diff", "diff seed selected --run mock-s1-1 --json"),
        ("diff", "diff @prompt.txt mock-s1-1 --json"),
        ("prompt", "export mock-s1-1 --format json"),
    ] {
        take(name, &run(line).await);
    }
    run("report mock-s1-1 mock-s2-1 -o several.json").await;
    take("reports", &desk.read("several.json"));
    run("compare study.toml -q --methods gpo,library --seeds 1..2 --max-calls 400 -o cells.json")
        .await;
    take("compare", &desk.read("cells.json"));
    let line = [
        "drift",
        "study.toml",
        "--batch",
        "monday.csv",
        "-q",
        "--json",
    ];
    let day = desk.run(&line).await;
    assert!([Some(0), Some(102)].contains(&day.code), "{day:?}");
    take("drift", &day.out);
    for log in ["mock-s1-1", "mock-s1-2", "mock-s1-3"] {
        let text = desk.read(format!(".shiftproof/runs/{log}/events.jsonl"));
        samples
            .entry("events")
            .or_default()
            .extend(json_lines(&text));
    }
    // A file of --events holds the events alone, without their place and time.
    let events = json_lines(&desk.read("events.jsonl"));
    assert!(
        events.iter().all(|event| event.get("type").is_some()),
        "{events:?}"
    );
    let several = run("optimize study.toml -q --json --seeds 1..2").await;
    samples
        .entry("reports")
        .or_default()
        .push(serde_json::from_str(&several).unwrap());
    check(&samples);
}

/// The page on them names each, and each file is on it.
#[test]
fn every_schema_is_listed() {
    let page = std::fs::read_to_string(file("../json").with_extension("md")).unwrap();
    for entry in std::fs::read_dir(file("gate").parent().unwrap()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            page.contains(&format!("(schema/{name})")),
            "docs/json.md lacks {name}"
        );
    }
}
