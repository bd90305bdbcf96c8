//! Tests in files of every kind, and what their columns and lists mean.

use super::*;

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
fn line_ends_change_nothing() {
    let config = "prompts: [file://p.txt]\ntests: file://t.csv\n";
    let prompts = "Is it fine?\n\nText: {{text}}\n---\nFine or not?\n\nText: {{text}}\n";
    let tests = table("text,__expected", |number, label| {
        format!("\"text {number}\nin two lines\",{label}")
    });
    let of = |change: &dyn Fn(&str) -> String| {
        let folder = Config::new(&change(config));
        folder.file("p.txt", &change(prompts));
        folder.file("t.csv", &change(&tests));
        let imported = folder.import(ImportOptions::default()).unwrap();
        let data = imported.data;
        let (study, ..) = folder.study(ImportOptions::default());
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
fn special_columns_are_carried_over() {
    let config = |tests: &str| {
        let config = Config::new(&(PROMPT.to_owned() + "tests: t.csv\n"));
        config.file("t.csv", tests);
        config
    };
    let same = config(&table(
        "text,__prefix,__suffix,__description,__expected",
        |number, label| format!("t {number},Be strict. , One word.,row {number},{label}"),
    ));
    let (study, _, notes) = same.study(ImportOptions::default());
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
    let (study, _, notes) = differing.study(ImportOptions::default());
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
    let (study, ..) = Config::new(&yaml).study(ImportOptions::default());
    assert_eq!(study.task["input"].as_str(), Some("Review: {text} Now."));
}

#[test]
fn cells_name_known_types() {
    let place = ConfigLocation {
        file: "t.csv".into(),
        line: 2,
    };
    let read = |cell: &str| {
        let assertion = asserts::TextAssertion::from_cell(place.clone(), cell);
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
fn variable_lists_expand_to_tests() {
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
    let imported = config.import(ImportOptions::default()).unwrap();
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
    config.study(ImportOptions::default());
}

#[test]
fn tests_of_every_file_kind() {
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
    let (study, loaded, notes) = config.study(ImportOptions {
        source: &["yaml".into()],
        ..ImportOptions::default()
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
fn own_keys_override_shared_parts() {
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
    let (study, loaded, notes) = Config::new(&text).study(ImportOptions::default());
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(study.groups.source, ["film"]);
    assert_eq!(study.groups.target, ["shop"]);
    assert_eq!(loaded.groups[0].train + loaded.groups[0].validation, 12);
}
