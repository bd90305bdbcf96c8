use std::fmt::Write as _;

use super::*;

/// Drafts a study for a file of these rows, in its folder.
fn drafted(
    name: &str,
    rows: impl AsRef<[u8]>,
    options: DraftOptions<'_>,
) -> Result<DraftStudy, Failure> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, rows).unwrap();
    draft(std::slice::from_ref(&path), folder.path(), options)
}

fn told(draft: &DraftStudy) -> String {
    // Without the file's own line, which names a folder.
    draft.notes[1..].join("\n")
}

/// Rows of columns in an order and under names that tell little.
fn rows(names: [&str; 4], header: &str) -> String {
    let mut out = format!("{header}\n");
    for number in 0..160 {
        let part = ["north", "south"][number % 2];
        let kind = ["late", "broken", "fine"][number / 2 % 3];
        let values = [
            ("id", format!("k-{number}")),
            ("group", part.to_owned()),
            ("label", kind.to_owned()),
            (
                "text",
                format!("customer number {number} says something of this matter"),
            ),
        ];
        let row: Vec<&str> = names
            .iter()
            .map(|name| {
                values
                    .iter()
                    .find(|(key, _)| key == name)
                    .unwrap()
                    .1
                    .as_str()
            })
            .collect();
        writeln!(out, "{}", row.join("\t")).unwrap();
    }
    out
}

#[test]
fn columns_are_known_by_name() {
    let table = rows(
        ["text", "label", "id", "group"],
        "Body\tTopic\tTicket-ID\tRegion",
    );
    let draft = drafted("t.tsv", table, DraftOptions::default()).unwrap();
    insta::assert_snapshot!("by_name", format!("{}\n---\n{}", told(&draft), draft.study));
}

#[test]
fn columns_are_known_by_content() {
    let table = rows(["text", "label", "id", "group"], "a\tb\tc\tregion");
    let draft = drafted("t.tsv", &table, DraftOptions::default()).unwrap();
    let lines = told(&draft);
    assert!(
        lines.contains("label: \"b\" (the only column with few values"),
        "{lines}"
    );
    // Two that could be it: none is guessed.
    let table = rows(["text", "label", "id", "group"], "a\tb\tc\td");
    let failure = drafted("t.tsv", &table, DraftOptions::default()).unwrap_err();
    assert!(
        failure
            .message
            .contains("several columns could be the label"),
        "{}",
        failure.message
    );
    let given = DraftOptions {
        label: Some("d"),
        group: Some("b"),
        ..DraftOptions::default()
    };
    let draft = drafted("t.tsv", &table, given).unwrap();
    assert!(
        draft.study.contains("source = [\"broken\"]"),
        "{}",
        draft.study
    );
    let wrong = DraftOptions {
        label: Some("e"),
        ..DraftOptions::default()
    };
    let failure = drafted("t.tsv", table, wrong).unwrap_err();
    assert!(
        failure
            .message
            .contains("--label e: there is no such column"),
        "{}",
        failure.message
    );
}

#[test]
fn labels_are_listed_or_mapped() {
    let mut table = String::from("text,label\n");
    for number in 0..90 {
        let label = ["Yes", "yes", "No"][number % 3];
        writeln!(table, "somebody said a thing {number},{label}").unwrap();
    }
    table.push_str("somebody said a thing 1,No\n");
    let draft = drafted("t.csv", table, DraftOptions::default()).unwrap();
    let lines = told(&draft);
    assert!(lines.contains("labels: Yes (60), No (31)"), "{lines}");
    assert!(
        draft.study.contains("label_map = { \"yes\" = \"Yes\" }"),
        "{}",
        draft.study
    );
    // The text stands twice, under two labels.
    assert!(
        lines.contains("the same text in several rows: 1 (0 across groups): "),
        "{lines}"
    );
    assert!(lines.contains("of these, 1 have another label"), "{lines}");
    assert!(draft.study.contains("leaks = \"drop\""));

    let mut table = String::from("review,stars\n");
    for number in 0..100 {
        writeln!(
            table,
            "a garment of the season {number},{}.0",
            number % 5 + 1
        )
        .unwrap();
    }
    let draft = drafted("t.csv", table, DraftOptions::default()).unwrap();
    assert!(
        told(&draft).contains("they are numbers"),
        "{}",
        told(&draft)
    );
    assert!(
        draft
            .study
            .contains("labels = [\"1\", \"2\", \"3\", \"4\", \"5\"]")
    );
}

#[test]
fn too_little_data_is_reported() {
    let mut table = String::from("text,label,shop\n");
    for number in 0..60 {
        let label = if number < 6 {
            ["a", "b"][number % 2]
        } else {
            ""
        };
        writeln!(
            table,
            "somebody said a thing {number},{label},{}",
            number % 2
        )
        .unwrap();
    }
    let failure = drafted("t.csv", table, DraftOptions::default()).unwrap_err();
    assert!(
        failure.message.contains("no group has 12 labelled rows")
            && failure
                .message
                .contains("0 (3 labelled of 30), 1 (3 labelled of 30)"),
        "{}",
        failure.message
    );
}

#[test]
fn files_are_named_from_study() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("data")).unwrap();
    std::fs::write(at("data/a.csv"), "x").unwrap();
    assert_eq!(relative(&at("data/a.csv"), &at("data")), "a.csv");
    assert_eq!(relative(&at("data/a.csv"), folder.path()), "data/a.csv");
    assert_eq!(
        relative(&at("data/a.csv"), &at("new/study")),
        "../../data/a.csv"
    );
}

/// Questions with options of their own under letters, as lists or in one cell.
fn questions(shown: impl Fn(&[String; 3]) -> String, label: impl Fn(usize) -> String) -> String {
    let mut out = String::from("qid,exam,question,choices,answer\n");
    for number in 0..120 {
        let options = [0, 1, 2].map(|at| format!("number {}", number + at * 7));
        let question = format!("Which of these stands at place {number} of the list?");
        let exam = ["spring", "autumn"][number % 2];
        let cell = shown(&options).replace('"', "\"\"");
        writeln!(
            out,
            "q{number},{exam},{question},\"{cell}\",{}",
            label(number)
        )
        .unwrap();
    }
    out
}

#[test]
fn columns_of_options_are_seen() {
    let json = |own: &[String; 3]| serde_json::to_string(own).unwrap();
    let lines = |own: &[String; 3]| format!("A. {}\nB. {}\nC. {}", own[0], own[1], own[2]);
    let letter = |number: usize| ["A", "B", "C"][number % 3].to_owned();
    let text = |number: usize| format!("number {}", number + number % 3 * 7);
    for table in [
        questions(json, letter),
        questions(lines, letter),
        questions(json, text),
    ] {
        let draft = drafted("q.csv", table, DraftOptions::default()).unwrap();
        for piece in [
            "options = \"choices\"",
            "label = \"answer\"",
            "group = \"exam\"",
            "input = \"{question}\"",
            "fields = [\"question\", \"choices\"]",
            "label = \"answer\"   # it names one",
            "Answer with its letter",
        ] {
            assert!(draft.study.contains(piece), "{piece}:\n{}", draft.study);
        }
        assert!(!draft.study.contains("labels ="), "{}", draft.study);
        assert!(
            told(&draft).contains("options: \"choices\""),
            "{}",
            told(&draft)
        );
    }
    // The same for every row is a set of labels; a label that names none says nothing.
    let same = questions(|_| "[\"A\", \"B\", \"C\"]".to_owned(), letter);
    let other = questions(json, |number| ["x", "y"][number % 2].to_owned());
    for table in [same, other] {
        let draft = drafted("q.csv", table, DraftOptions::default()).unwrap();
        assert!(!draft.study.contains("options ="), "{}", draft.study);
    }
}

/// Bills as rows of JSON, or as cells of a table that hold JSON.
fn bills(nested: bool) -> String {
    let mut out = String::new();
    if !nested {
        out.push_str("ticket,shop,body,expected\n");
    }
    for number in 0..120 {
        let currency = ["EUR", "USD", "Swiss francs"][number as usize % 3];
        let tags = &["late", "paid"][..=(number as usize % 3 / 2)];
        let mut bill = serde_json::json!({
            "vendor": format!("Vendor number {number}"),
            "total": f64::from(number) + 0.5,
            "items": number % 7,
            "currency": currency,
            "tags": tags,
            "paid": number % 2 == 0,
            "address": {"city": "Bern"},
        });
        if number % 5 == 0 {
            bill["vendor"] = serde_json::Value::Null;
        }
        let shop = ["north", "south"][number as usize % 2];
        let body = format!("the bill with the number {number} says what is to be paid");
        if nested {
            let row = serde_json::json!({
                "ticket": format!("t{number}"), "shop": shop, "body": body, "expected": bill,
            });
            writeln!(out, "{row}").unwrap();
        } else {
            let cell = bill.to_string().replace('"', "\"\"");
            writeln!(out, "t{number},{shop},{body},\"{cell}\"").unwrap();
        }
    }
    out
}

#[test]
fn columns_of_objects_become_fields() {
    for (name, table) in [("b.csv", bills(false)), ("b.jsonl", bills(true))] {
        let draft = drafted(name, table, DraftOptions::default()).unwrap();
        for piece in [
            "kind = \"extract\"",
            "label = \"expected\"   # it holds JSON objects",
            "group = \"shop\"",
            "input = \"{body}\"",
            "fields = [\"body\"]",
            "[task.fields]\n\"currency\" = { type = \"enum\", values = [\"EUR\", \"Swiss francs\", \
             \"USD\"] }\n\"items\" = { type = \"integer\" }\n\"paid\" = { type = \"boolean\" }\n\
             \"tags\" = { type = \"list\", values = [\"late\", \"paid\"] }\n\
             \"total\" = { type = \"number\" }\n\
             \"vendor\" = { type = \"string\", optional = true }\n",
        ] {
            assert!(draft.study.contains(piece), "{piece}:\n{}", draft.study);
        }
        assert!(!draft.study.contains("labels ="), "{}", draft.study);
        let notes = told(&draft);
        assert!(
            notes.contains("fields: \"address\" is left out: it is an object"),
            "{notes}"
        );
        // What is written is a study that reads.
        let study: toml::Table = toml::from_str(&draft.study).unwrap();
        let mut task = study["task"].as_table().unwrap().clone();
        task.remove("kind");
        let spec: shiftproof_tasks::ExtractSpec = task.try_into().unwrap();
        assert_eq!(spec.fields.fields.len(), 6);
    }
    // A user's own word for the label goes before.
    let table = bills(false).replace("ticket,shop", "ticket,kind");
    let options = DraftOptions {
        label: Some("kind"),
        ..DraftOptions::default()
    };
    let draft = drafted("b.csv", table, options).unwrap();
    assert!(
        draft.study.contains("kind = \"classify\""),
        "{}",
        draft.study
    );
}
