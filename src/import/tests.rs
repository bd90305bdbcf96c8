use std::fmt::Write as _;

use proptest::prelude::*;

use super::nunjucks::{Part, parse};
use super::*;
use crate::exit::Exit;
use crate::export::promptfoo::escaped;
use crate::kinds::Kinds;
use crate::session;
use crate::study::{Resolved, Study};

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

    fn import(&self, options: Options<'_>) -> Result<Imported, Failure> {
        promptfoo(&self.0.path().join("promptfooconfig.yaml"), options)
    }

    /// The study, and what its data is dealt out to; notes without the folder.
    fn study(&self, options: Options<'_>) -> (Study, crate::study::Loaded, Vec<String>) {
        let imported = self.import(options).unwrap();
        let study = Study::parse(&imported.study, Path::new("study.toml"))
            .unwrap_or_else(|failure| panic!("{}\n{}", failure.message, imported.study));
        self.file(DATA, &imported.data);
        let resolved = Resolved {
            study,
            folder: self.0.path().to_owned(),
            seed: 1,
            edition: crate::study::EDITION,
        };
        let loaded = session::load(
            &resolved,
            Path::new("study.toml"),
            &Kinds::default(),
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
fn groups_become_roles_that_can_be_filled() {
    let config = Config::new(&(PROMPT.to_owned() + &tests(&[("books", 40), ("films", 24)])));
    let (study, loaded, notes) = config.study(Options::default());
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
    let (study, ..) = config.study(Options {
        source: &["films".into()],
        ..Options::default()
    });
    assert_eq!(study.groups.target, ["books"]);
}

#[test]
fn one_group_is_held_out_in_part_and_said() {
    let config = Config::new(&(PROMPT.to_owned() + &tests(&[("books", 36)])));
    let (study, _, notes) = config.study(Options::default());
    assert_eq!(study.groups.target, ["books-heldout"]);
    assert!(notes[0].contains("shows no shift"), "{notes:?}");
}

#[test]
fn what_has_no_counterpart_is_named_with_its_line() {
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
    let (study, _, notes) = config.study(Options {
        group: Some("tone"),
        ..Options::default()
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
fn tests_and_prompts_of_other_files_are_read() {
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
    let (study, _, notes) = config.study(Options::default());
    assert_eq!(study.prompts, ["What is it?"]);
    assert_eq!(study.groups.source, ["a"]);
    assert_eq!(study.groups.target, ["b"]);
    assert_eq!(notes, Vec::<String>::new());
}

/// Rows of a table, labels in turn, with a header.
fn table(header: &str, row: impl Fn(usize, &str) -> String) -> String {
    let mut out = format!("{header}\n");
    for number in 0..32 {
        out.push_str(&row(number, ["yes", "no"][number % 2]));
        out.push('\n');
    }
    out
}

#[test]
fn line_ends_and_marks_of_other_systems_change_nothing() {
    let config = "prompts: [file://p.txt]\ntests: file://t.csv\n";
    let prompts = "Is it fine?\n\nText: {{text}}\n---\nFine or not?\n\nText: {{text}}\n";
    let tests = table("text,__expected", |number, label| {
        format!("\"text {number}\nin two lines\",{label}")
    });
    let of = |change: &dyn Fn(&str) -> String| {
        let folder = Config::new(&change(config));
        folder.file("p.txt", &change(prompts));
        folder.file("t.csv", &change(&tests));
        let imported = folder.import(Options::default()).unwrap();
        let data = imported.data;
        let (study, ..) = folder.study(Options::default());
        (study.task, study.prompts, data)
    };
    let unix = of(&|text| text.to_owned());
    assert_eq!(unix.1, ["Fine or not?"]);
    assert_eq!(unix.0["input"].as_str(), Some("Text: {text}"));
    assert_eq!(of(&|text| text.replace('\n', "\r\n")), unix);
    assert_eq!(of(&|text| text.replace('\n', "\r")), unix);
    let marked = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n"));
    assert_eq!(of(&marked), unix);
}

#[test]
fn columns_with_a_meaning_of_their_own_are_carried_over_or_noted() {
    let config = |tests: &str| {
        let config = Config::new(&(PROMPT.to_owned() + "tests: t.csv\n"));
        config.file("t.csv", tests);
        config
    };
    let same = config(&table(
        "text,__prefix,__suffix,__description,__expected",
        |number, label| format!("t {number},Be strict. , One word.,row {number},{label}"),
    ));
    let (study, _, notes) = same.study(Options::default());
    assert_eq!(
        study.task["prompt"].as_str(),
        Some("Be strict. Is it positive or negative?")
    );
    assert_eq!(
        study.task["input"].as_str(),
        Some("Review: {text} One word.")
    );
    assert_eq!(notes.len(), 1, "only that there is no shift: {notes:?}");
    let differing = config(&table(
        "text,__prefix,__threshold,_expected,__expected",
        |number, label| format!("t {number},Prefix {},0.5,x,{label}", number / 16),
    ));
    let (study, _, notes) = differing.study(Options::default());
    let notes = notes.join("\n");
    assert_eq!(
        study.task["prompt"].as_str(),
        Some("Is it positive or negative?")
    );
    for piece in [
        "t.csv:18: the prefix of this test, \"Prefix 1\", is not that of the first one",
        "t.csv:2: the column \"__threshold\" has no counterpart in a study (32 times",
        "t.csv:2: the column \"_expected\" was taken for a variable; only \"__expected\"",
    ] {
        assert!(notes.contains(piece), "{notes}");
    }
    let mut yaml = PROMPT.to_owned() + "defaultTest: { options: { suffix: ' Now.' } }\n";
    yaml.push_str(&tests(&[("a", 40)]));
    let (study, ..) = Config::new(&yaml).study(Options::default());
    assert_eq!(study.task["input"].as_str(), Some("Review: {text} Now."));
}

#[test]
fn a_cell_names_a_type_only_where_there_is_one() {
    let place = Place {
        file: "t.csv".into(),
        line: 2,
    };
    let read = |cell: &str| {
        let assertion = asserts::Assertion::from_cell(place.clone(), cell);
        (assertion.kind, assertion.value.unwrap_or_default())
    };
    let pair = |kind: &str, value: &str| (kind.to_owned(), value.to_owned());
    assert_eq!(read("contains: yes"), pair("contains", "yes"));
    assert_eq!(read("not-icontains:no"), pair("not-icontains", "no"));
    assert_eq!(read("similar(0.8): a: b"), pair("similar", "a: b"));
    assert_eq!(read("similar:cosine: a"), pair("similar:cosine", "a"));
    assert_eq!(read("is-json"), pair("is-json", ""));
    assert_eq!(read("billing:refund"), pair("equals", "billing:refund"));
    assert_eq!(read("Re: hello"), pair("equals", "Re: hello"));
}

#[test]
fn lists_and_files_of_a_variable_make_a_test_each() {
    let config = Config::new(
        r"prompts: ['Is it good? {{lang}}\n\nText: {{text}}']
defaultTest: { vars: { lang: [en, de] } }
tests:
  - vars: { text: [a, b, c, d, e, f, g, h, i, j] }
    assert: [{ type: equals, value: 'yes' }]
  - vars: { text: 'file://bad/*.txt' }
    assert: [{ type: equals, value: 'no' }]
  - vars: { text: [1, 2] }
    assert: [{ type: equals, value: 'no' }]
  - vars: { text: 'file://run.py' }
    assert: [{ type: equals, value: 'no' }]
  - vars: { text: [x, y] }
    options: { disableVarExpansion: true }
    assert: [{ type: equals, value: 'no' }]
",
    );
    std::fs::create_dir(config.0.path().join("bad")).unwrap();
    for number in 0..10 {
        config.file(&format!("bad/{number}.txt"), &format!("bad {number}\r\n"));
    }
    let imported = config.import(Options::default()).unwrap();
    let count = |piece: &str| imported.data.matches(piece).count();
    assert_eq!(
        (count(r#""label":"yes""#), count(r#""label":"no""#)),
        (20, 20)
    );
    assert_eq!(count(r#""lang":"de""#), 20);
    assert_eq!(count(r#""text":"bad 7""#), 2);
    let notes = imported.notes.join("\n");
    for piece in [
        ":8: this test was left out: its variable \"text\" is a list of other things than texts",
        ":10: this test was left out: its variable \"text\" is read from file://run.py",
        ":12: this test was left out: its variable \"lang\" is a list that is not to be",
    ] {
        assert!(notes.contains(piece), "{notes}");
    }
    config.study(Options::default());
}

#[test]
fn tests_are_read_from_every_kind_of_file() {
    let mut jsonl = String::new();
    let mut json = Vec::new();
    let mut yaml = String::new();
    for number in 0..12 {
        let label = ["yes", "no"][number % 2];
        let test = |group: &str| {
            serde_json::json!({
                "vars": { "text": format!("{group} {number} \u{1f600}\t\\ \"") },
                "metadata": { "group": group },
                "assert": [{ "type": "equals", "value": label }],
            })
        };
        // As tools in Python write it, and indented by tabs.
        let escaped = test("lines")
            .to_string()
            .replace('\u{1f600}', r"\ud83d\ude00");
        let _ = writeln!(jsonl, "{escaped}\r");
        json.push(test("list"));
        let _ = writeln!(
            yaml,
            "- vars: {{ text: 'yaml {number}' }}\n  metadata: {{ group: yaml }}\n  \
             assert: [{{ type: equals, value: '{label}' }}]"
        );
    }
    let config = Config::new(&format!(
        "{PROMPT}tests: [more/*.yaml, file://t.jsonl, {{ path: t.json }}, t.csv, t.xlsx, \
         'https://example.org/t.csv', missing*.yaml]\n"
    ));
    std::fs::create_dir(config.0.path().join("more")).unwrap();
    config.file("more/a.yaml", &yaml);
    config.file("more/b.yaml", &yaml.replace("'yaml ", "'second "));
    config.file("t.jsonl", &jsonl);
    let json = serde_json::to_string_pretty(&json).unwrap();
    config.file("t.json", &json.replace("  ", "\t"));
    config.file(
        "t.csv",
        &table("text;__expected;__metadata:group", |number, label| {
            format!("table {number};{label};table")
        })
        .replace("table 3;", "table 3;;"),
    );
    let (study, loaded, notes) = config.study(Options {
        source: &["yaml".into()],
        ..Options::default()
    });
    assert_eq!(study.groups.target, ["lines", "list", "table"]);
    let emoji = "lines 0 \u{1f600}\t\\ \"";
    let inputs = loaded.data.target.inputs.iter();
    let mut texts = inputs.map(|input| input.fields["text"].clone());
    assert!(texts.any(|text| text.starts_with("lines") && text.ends_with(&emoji[7..])));
    let notes = notes.join("\n");
    for piece in [
        "t.csv:1: the header has one column by commas, \"text;__expected;__metadata:group\"; \
         the file was read as separated by ';'",
        "t.csv:5: this row was left out: 4 values for 3 columns",
        "t.xlsx were left out: only .csv, .tsv, .yaml, .json and .jsonl are read; save the sheet",
        "https://example.org/t.csv were left out: only files of this machine are read",
        "missing*.yaml were left out: no file matches it",
    ] {
        assert!(notes.contains(piece), "{notes}");
    }
}

#[test]
fn shared_parts_are_merged_and_own_keys_win() {
    let mut text = PROMPT.to_owned()
        + "x-parts:\n  - &shop { metadata: { group: shop }, assert: [{ type: equals, value: none }] }\n  \
           - &film { metadata: { group: film }, vars: { tone: dry } }\ntests:\n";
    for number in 0..32 {
        let merged = ["*shop", "[*film, *shop]"][number / 16];
        let label = ["positive", "negative"][number % 2];
        let _ = write!(
            text,
            "  - vars: {{ text: 't {number}' }}\n    assert: [{{ type: equals, value: {label} }}]\n    \
             <<: {merged}\n"
        );
    }
    let (study, loaded, notes) = Config::new(&text).study(Options::default());
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(study.groups.source, ["film"]);
    assert_eq!(study.groups.target, ["shop"]);
    assert_eq!(loaded.groups[0].train + loaded.groups[0].validation, 12);
}

#[test]
fn prompts_are_read_from_every_kind_of_file() {
    let config = Config::new(&format!(
        "prompts: [file://a.txt, b.j2, file://c.csv, d.jsonl, e.md, f.py, {{ id: file://g.txt, \
         label: mine, function: make }}]\n{}",
        tests(&[("a", 40)])
    ));
    let prompt = |text: &str| format!("{text}\n\nReview: {{{{text}}}}\n");
    config.file("a.txt", &prompt("From txt."));
    config.file("b.j2", &prompt("From j2."));
    config.file(
        "c.csv",
        "prompt,label\n\"From csv, one.\n\nReview: {{text}}\",x\n\"From csv, two.\n\nReview: {{text}}\",y\n",
    );
    config.file(
        "d.jsonl",
        "[{\"role\": \"user\", \"content\": \"From jsonl.\\n\\nReview: {{text}}\"}]\n",
    );
    config.file("e.md", &prompt("# From md.\n---\nStill md."));
    config.file("g.txt", &prompt("From g."));
    let (study, _, notes) = config.study(Options::default());
    assert_eq!(study.task["prompt"].as_str(), Some("From txt."));
    assert_eq!(
        study.prompts,
        [
            "From j2.",
            "From csv, one.",
            "From csv, two.",
            "From jsonl.",
            "# From md.\n---\nStill md.",
            "From g."
        ]
    );
    let notes = notes.join("\n");
    assert!(
        notes.contains("f.py was left out: only files ending in .txt"),
        "{notes}"
    );
    assert!(
        notes.contains("`function` of a prompt has no counterpart"),
        "{notes}"
    );
}

/// The `[task]` that prompts make.
fn task_of(prompts: &str, file: &str, content: &str) -> Result<(String, Vec<String>), String> {
    let config = Config::new(&format!("prompts: {prompts}\n{}", tests(&[("a", 40)])));
    config.file(file, content);
    let imported = config
        .import(Options::default())
        .map_err(|failure| failure.message)?;
    let start = imported.study.find("[task]").unwrap();
    let end = imported.study.find("\n\n[data]").unwrap();
    Ok((imported.study[start..end].to_owned(), imported.notes))
}

#[test]
fn chats_become_system_and_user_text() {
    let labels = "labels = [\"positive\", \"negative\"]";
    // The instruction is the system message: it is what is searched.
    let json = r#"[{"role": "system", "content": "Is it positive or negative?"},
        {"role": "user", "content": [{"type": "text", "text": "Review: {{text}}"}]}]"#;
    let searched = format!(
        "[task]\nkind = \"classify\"\nprompt = \"Is it positive or negative?\"\n\
         prompt_role = \"system\"\ninput = \"Review: {{text}}\"\n{labels}"
    );
    assert_eq!(
        task_of("[file://p.json]", "p.json", json).unwrap().0,
        searched
    );
    let yaml = "- role: system\n  content: Is it positive or negative?\n- role: user\n  content: 'Review: {{text}}'\n";
    assert_eq!(task_of("[p.yaml]", "p.yaml", yaml).unwrap().0, searched);
    // The instruction is in the user message: the system message stays.
    let fixed = r#"[{"role": "developer", "content": "You are \"terse\"."},
        {"role": "user", "content": "Is it positive or negative?\n\nReview: {{text}}"}]"#;
    let (task, _) = task_of("[p.json]", "p.json", fixed).unwrap();
    assert_eq!(
        task,
        format!(
            "[task]\nkind = \"classify\"\nsystem = 'You are \"terse\".'\n\
             prompt = \"Is it positive or negative?\"\ninput = \"Review: {{text}}\"\n{labels}"
        )
    );
    // Without a system message nothing but the text is said.
    let user = r#"[{"role": "user", "content": "Which?\n\nReview: {{text}}"}]"#;
    let (task, _) = task_of("[p.json]", "p.json", user).unwrap();
    assert!(
        !task.contains("system") && !task.contains("prompt_role"),
        "{task}"
    );
    for (chat, why) in [
        (
            r#"[{"role": "user", "content": "a {{text}}"}, {"role": "assistant", "content": "b"}]"#,
            "a chat of several turns (a further message of the role \"assistant\")",
        ),
        (
            r#"[{"role": "system", "content": "For {{tone}}."}, {"role": "user", "content": "a {{text}}"}]"#,
            "a system message with a variable, {{tone}}",
        ),
        (
            r#"[{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]"#,
            "a message that is no text (user)",
        ),
        (
            r#"[{% for m in messages %}{"role": "user", "content": "{{text}}"}{% endfor %}]"#,
            "a chat that is built by a template",
        ),
    ] {
        let error = task_of("[p.json]", "p.json", chat).unwrap_err();
        assert!(error.contains("no prompt could be carried over"), "{error}");
        assert!(
            error.contains(&format!(
                "p.json:1: this prompt was left out: a study cannot say {why}"
            )),
            "{error}"
        );
    }
}

/// The `model` line and the notes that providers make.
fn model_of(providers: &str) -> (String, Vec<String>) {
    let config = Config::new(&format!(
        "{PROMPT}{}providers:\n{providers}",
        tests(&[("a", 24), ("b", 24)])
    ));
    let imported = config.import(Options::default()).unwrap();
    let line = imported
        .study
        .lines()
        .find(|line| line.starts_with("model"));
    let folder = format!("{}/", config.0.path().display());
    let notes = imported.notes.iter().map(|note| note.replace(&folder, ""));
    (line.unwrap().to_owned(), notes.collect())
}

#[test]
fn providers_keep_their_whole_name() {
    for (id, name) in [
        (
            "openai:chat:ft:small:acme::Ab12",
            "openai:ft:small:acme::Ab12",
        ),
        ("openai:ft:small:acme::Ab12", "openai:ft:small:acme::Ab12"),
        ("openai:chat:tiny:7b", "openai:tiny:7b"),
        ("openai:some-model", "openai:some-model"),
        ("anthropic:messages:large", "anthropic:large"),
        ("google:flash", "gemini:flash"),
        ("azure:chat:my-deployment", "azure:my-deployment"),
        ("ollama:chat:small:1b", "ollama:small:1b"),
        ("ollama:small:1b", "ollama:small:1b"),
    ] {
        let (model, notes) = model_of(&format!("  - '{id}'\n"));
        assert_eq!(model, format!("model = {{ name = \"{name}\" }}"), "{id}");
        assert_eq!(notes, Vec::<String>::new(), "{id}");
    }
    for id in [
        "openai:embedding:e",
        "google:live:x",
        "bedrock:m",
        "file://p.py",
        "ollama:embeddings:e",
    ] {
        let (model, notes) = model_of(&format!("  - '{id}'\n"));
        assert_eq!(model, "model = \"embedded\"");
        assert!(
            notes[0].contains(&format!("the provider {id} was left out")),
            "{notes:?}"
        );
    }
    let (model, notes) = model_of("  - openai:responses:m\n  - openai:chat:other\n");
    assert_eq!(model, "model = { name = \"openai:m\" }");
    assert!(notes[0].contains("through chat completions"), "{notes:?}");
    assert!(notes[1].contains("openai:chat:other was left out: a study has one task model"));
    let (model, _) = model_of("  - openai:chat:m: { config: { temperature: 0 } }\n");
    assert_eq!(model, "model = { name = \"openai:m\", temperature = 0.0 }");
}

#[test]
fn settings_of_a_provider_become_keys_or_notes() {
    let (model, notes) = model_of(
        r#"  - id: openai:chat:m
    label: mine
    prompts: [p1]
    config:
      apiBaseUrl: http://127.0.0.1:1/v1
      temperature: 0.9
      max_tokens: 400
      top_p: 1
      stop: [END, "two\nlines"]
      seed: 7
      reasoning: { effort: low }
      headers: { X-Team: search }
      passthrough: { service_tier: flex, nested: { a: [1, true] } }
      apiKey: secret-in-a-config
      response_format: { type: json_object }
      organization: '{{ env.ORG }}'
      max_retries: many
"#,
    );
    assert_eq!(
        model,
        "model = { name = \"openai:m\", base_url = \"http://127.0.0.1:1/v1\", temperature = 0.9, \
         max_tokens = 400, top_p = 1.0, stop = [\"END\", \"two\\nlines\"], seed = 7, \
         reasoning_effort = \"low\", headers = { X-Team = \"search\" }, \
         body = { nested = { a = [1, true] }, service_tier = \"flex\" } }"
    );
    assert!(model.parse::<toml::Table>().is_ok(), "{model}");
    insta::assert_snapshot!("settings", notes.join("\n"));
    let (model, notes) = model_of(
        "  - { id: 'azure:chat:d', config: { apiHost: me.example.org, apiVersion: '2024-10-21', headers: { api-key: x }, temperature: hot } }\n",
    );
    assert_eq!(
        model,
        "model = { name = \"azure:d\", base_url = \"https://me.example.org\", \
         api_version = \"2024-10-21\" }"
    );
    assert!(notes[0].contains("`headers` of the provider was left out: api-key may hold a secret"));
    assert!(notes[1].contains("`temperature` of the provider was left out: it is no number"));
}

#[test]
fn an_error_tells_what_was_left_out_before_it() {
    let config = Config::new(&format!(
        "{PROMPT}scenarios: []\ntests:\n  - vars: {{ text: [1] }}\n    assert: [{{ type: llm-rubric, value: nice }}]\n  - t.xlsx\n"
    ));
    let message = config.import(Options::default()).unwrap_err().message;
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
fn what_cannot_become_a_study_says_why() {
    let check = |text: &str, pieces: &[&str]| {
        let failure = Config::new(text).import(Options::default()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
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
fn templates_are_read_as_far_as_a_study_can_say_them() {
    let shown = |text: &str| -> Result<String, String> {
        let parts = parse(text)?.parts.into_iter();
        Ok(parts
            .map(|part| match part {
                Part::Text(text) => text,
                Part::Var(name) => format!("<{name}>"),
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
            let document = Document::parse(&text, Path::new("x.json")).unwrap();
            for (key, value) in document.root().entries().unwrap() {
                prop_assert_eq!(value.text(), expected[&key].as_str().map(str::to_owned));
            }
        }
    }

    #[test]
    fn an_exported_text_is_read_back(text in "[{}%#' a\n]{0,16}") {
        let parsed = parse(&escaped(&text)).unwrap();
        prop_assert_eq!(parsed.render(&BTreeMap::new()).unwrap(), text);
    }

    #[test]
    fn no_config_brings_it_down(text in "[-a: {}\\[\\]'\"\n|&*{%}]{0,60}") {
        let config = Config::new(&text);
        let _ = config.import(Options::default());
    }
}
