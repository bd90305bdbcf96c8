mod files;
mod prompts;
mod providers;

use std::fmt::Write as _;

use proptest::prelude::*;

use super::nunjucks::{NunjucksPart, parse};
use super::*;
use crate::exit::ExitStatus;
use crate::interop::export::promptfoo::escaped;
use crate::runs::session;
use crate::study::task_registry::TaskRegistry;
use crate::study::{ResolvedStudy, Study};

/// A folder with a config in it.
struct Config(tempfile::TempDir);

impl Config {
    fn new(text: &str) -> Self {
        let config = Self(tempfile::tempdir().unwrap());
        config.file("promptfooconfig.yaml", text);
        config
    }

    fn file(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn import(&self, options: ImportOptions<'_>) -> Result<ImportedStudy, Failure> {
        promptfoo(&self.0.path().join("promptfooconfig.yaml"), options)
    }

    /// The study, and what its data is dealt out to; notes without the folder.
    fn study(&self, options: ImportOptions<'_>) -> (Study, crate::study::LoadedData, Vec<String>) {
        let imported = self.import(options).unwrap();
        let study = Study::parse(&imported.study, Path::new("study.toml"))
            .unwrap_or_else(|failure| panic!("{}\n{}", failure.message, imported.study));
        self.file(DATA, &imported.data);
        let resolved = ResolvedStudy::new(study, self.0.path().to_owned(), 1);
        let loaded = session::load(
            &resolved,
            Path::new("study.toml"),
            &TaskRegistry::default(),
            &mut |_| std::ops::ControlFlow::Continue(()),
        );
        let loaded = match loaded {
            Ok((_, loaded)) => loaded,
            Err(failure) => panic!("{}\n{}", failure.message, imported.study),
        };
        let folder = format!("{}/", self.0.path().display());
        let notes = imported.notes.iter().map(|note| note.replace(&folder, ""));
        (resolved.study, loaded, notes.collect())
    }
}

/// Labelled tests of some groups, evenly of both labels.
fn tests(groups: &[(&str, usize)]) -> String {
    let mut out = String::from("tests:\n");
    for (group, count) in groups {
        for number in 0..*count {
            let label = if number % 2 == 0 {
                "positive"
            } else {
                "negative"
            };
            let _ = write!(
                out,
                "  - vars: {{ text: '{group} text {number}' }}\n    metadata: {{ group: {group} }}\n    \
                 assert: [{{ type: icontains, value: {label} }}]\n"
            );
        }
    }
    out
}

const PROMPT: &str = "prompts: [\"Is it positive or negative?\\n\\nReview: {{text}}\"]\n";

#[test]
fn groups_become_fillable_roles() {
    let config = Config::new(&(PROMPT.to_owned() + &tests(&[("books", 40), ("films", 24)])));
    let (study, loaded, notes) = config.study(ImportOptions::default());
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(study.groups.source, ["books"]);
    assert_eq!(study.groups.target, ["films"]);
    assert_eq!(
        study.task["prompt"].as_str(),
        Some("Is it positive or negative?")
    );
    assert_eq!(study.task["input"].as_str(), Some("Review: {text}"));
    let data = &loaded.data;
    assert_eq!(
        (data.source.train.len(), data.source.validation.len()),
        (10, 20)
    );
    assert_eq!(data.audit.len(), 20);
    let (study, ..) = config.study(ImportOptions {
        source: &["films".into()],
        ..ImportOptions::default()
    });
    assert_eq!(study.groups.target, ["books"]);
}

#[test]
fn single_group_is_held_out() {
    let config = Config::new(&(PROMPT.to_owned() + &tests(&[("books", 36)])));
    let (study, _, notes) = config.study(ImportOptions::default());
    assert_eq!(study.groups.target, ["books-heldout"]);
    assert!(notes[0].contains("shows no shift"), "{notes:?}");
}

#[test]
fn foreign_features_name_their_line() {
    let head = r#"description: mine
prompts:
  - label: first
    raw: "Judge {{ text | trim }}"
  - "Rate it.\n\n{{ other }}"
  - "{% if text %}{{ text }}{% endif %}"
providers:
  - bedrock:large
  - id: openai:chat:small
    config: { apiBaseUrl: 'http://127.0.0.1:1/v1', apiKeyEnvar: KEY }
evaluateOptions: { maxConcurrency: 4 }
defaultTest:
  assert:
    - type: llm-rubric
      value: is polite
    - type: equals
      value: '{{expected}}'
tests:
  - vars: { text: { a: b }, expected: positive }
  - vars: { text: no label }
"#;
    let mut text = head.to_owned();
    for number in 0..40 {
        let label = ["Positive", "negative"][number % 2];
        let _ = writeln!(
            text,
            "  - vars: {{ text: 't {number}', expected: {label}, tone: {} }}",
            number % 3
        );
    }
    let config = Config::new(&text);
    let (study, _, notes) = config.study(ImportOptions {
        group: Some("tone"),
        ..ImportOptions::default()
    });
    assert_eq!(study.model.name, "openai:small");
    assert_eq!(
        study.model.base_url.as_deref(),
        Some("http://127.0.0.1:1/v1")
    );
    assert_eq!(study.model.api_key_env.as_deref(), Some("KEY"));
    assert_eq!(study.groups.source, ["0"]);
    assert_eq!(study.groups.target, ["1", "2"]);
    insta::assert_snapshot!("notes", notes.join("\n"));
}

#[test]
fn referenced_files_are_read() {
    let config =
        Config::new("prompts: [file://one.txt]\ntests: file://tests.csv\nproviders: echo\n");
    config.file(
        "one.txt",
        "Judge the text.\n{{text}}\n---\nWhat is it?\n{{text}}\n",
    );
    let mut csv = String::from("text,__expected,__metadata:domain\n");
    for number in 0..32 {
        let label = ["yes", "no"][number % 2];
        let domain = ["a", "b"][number / 16];
        let _ = writeln!(csv, "text {number},contains: {label},{domain}");
    }
    config.file("tests.csv", &csv);
    let (study, _, notes) = config.study(ImportOptions::default());
    assert_eq!(study.prompts, ["What is it?"]);
    assert_eq!(study.groups.source, ["a"]);
    assert_eq!(study.groups.target, ["b"]);
    assert_eq!(notes, Vec::<String>::new());
}

#[test]
fn errors_tell_earlier_omissions() {
    let config = Config::new(&format!(
        "{PROMPT}scenarios: []\ntests:\n  - vars: {{ text: [1] }}\n    assert: [{{ type: llm-rubric, value: nice }}]\n  - t.xlsx\n"
    ));
    let message = config.import(ImportOptions::default()).unwrap_err().message;
    let lines: Vec<&str> = message.lines().collect();
    assert!(lines[0].contains("no test has a label"), "{message}");
    assert_eq!(lines[1], "not carried over as it was:");
    for piece in [
        ":2: `scenarios` has no counterpart",
        ":4: this test was left out: it has no label",
        ":5: the assertion llm-rubric was dropped",
        ":6: the tests of t.xlsx were left out",
    ] {
        assert!(message.contains(piece), "{message}");
    }
}

#[test]
fn unimportable_configs_say_why() {
    let check = |text: &str, pieces: &[&str]| {
        let failure = Config::new(text)
            .import(ImportOptions::default())
            .unwrap_err();
        assert_eq!(failure.exit, ExitStatus::Usage);
        for piece in pieces {
            assert!(failure.message.contains(piece), "{}", failure.message);
        }
    };
    check("prompts: [a", &["promptfooconfig.yaml:", "not YAML"]);
    check(
        "- a\n",
        &["promptfooconfig.yaml:1: a promptfoo config is a mapping"],
    );
    check("prompts: [a]\n", &["the config has no `tests`"]);
    check(&tests(&[("a", 8)]), &["the config has no `prompts`"]);
    check(
        &format!("prompts: [no variable]\n{}", tests(&[("a", 40)])),
        &["promptfooconfig.yaml:1: no prompt could be carried over"],
    );
    check(
        &(PROMPT.to_owned() + &tests(&[("a", 3)])),
        &["too few labelled tests", "a-heldout"],
    );
    let mut open = PROMPT.to_owned() + "tests:\n";
    for number in 0..30 {
        let _ = writeln!(
            open,
            "  - {{ vars: {{ text: t{number} }}, assert: [{{ type: equals, value: answer {number} }}] }}"
        );
    }
    check(&open, &["30 tests want 30 different answers"]);
}

#[test]
fn templates_are_read_where_possible() {
    let shown = |text: &str| -> Result<String, String> {
        let parts = parse(text)?.parts.into_iter();
        Ok(parts
            .map(|part| match part {
                NunjucksPart::Text(text) => text,
                NunjucksPart::Var(name) => format!("<{name}>"),
            })
            .collect())
    };
    assert_eq!(shown("a {{ x }}{{y|upper}} {z}").unwrap(), "a <x><y> {z}");
    assert_eq!(
        shown("{# no #}{% raw %}{{x}}{% endraw %}{{ '{' }}").unwrap(),
        "{{x}}{"
    );
    assert_eq!(shown("{{ a.b }}").unwrap_err(), "{{ a.b }}");
    assert_eq!(shown("{% for x in y %}").unwrap_err(), "{% for x in y %}");
    assert!(shown("{{ a").unwrap_err().contains("never closed"));
}

proptest! {
    #[test]
    fn json_is_read_as_json(texts in prop::collection::vec(("[a-z]{1,4}", ".{0,12}"), 0..4)) {
        let object: serde_json::Map<_, _> = texts
            .into_iter()
            .map(|(key, text)| (key, serde_json::Value::from(text)))
            .collect();
        let value = serde_json::Value::Object(object.clone());
        let pretty = serde_json::to_string_pretty(&value).unwrap().replace("  ", "\t");
        // As writers do that keep to ASCII.
        let ascii = pretty.chars().fold(String::new(), |mut out, c| {
            if c.is_ascii() {
                out.push(c);
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            out
        });
        for text in [pretty, ascii] {
            // Two blanks within a text became a tab, which JSON refuses itself.
            let Ok(expected) = serde_json::from_str::<serde_json::Value>(&text) else { continue };
            let text = yaml::json_as_yaml(&text);
            let document = YamlDocument::parse(&text, Path::new("x.json")).unwrap();
            for (key, value) in document.root().entries().unwrap() {
                prop_assert_eq!(value.text(), expected[&key].as_str().map(str::to_owned));
            }
        }
    }

    #[test]
    fn exported_text_is_read_back(text in "[{}%#' a\n]{0,16}") {
        let parsed = parse(&escaped(&text)).unwrap();
        prop_assert_eq!(parsed.render(&BTreeMap::new()).unwrap(), text);
    }

    #[test]
    fn no_config_brings_it_down(text in "[-a: {}\\[\\]'\"\n|&*{%}]{0,60}") {
        let config = Config::new(&text);
        let _ = config.import(ImportOptions::default());
    }
}
