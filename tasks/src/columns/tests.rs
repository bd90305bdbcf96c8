use super::*;
use crate::ClassifyTask;
use crate::table::FileFormat;

fn columns() -> ColumnRoles {
    ColumnRoles {
        group: Some("domain".into()),
        label: "label".into(),
        fields: vec!["text".into()],
        ..ColumnRoles::default()
    }
}

fn load(columns: &ColumnRoles, csv: &str) -> Result<LoadedTable, DataError> {
    let table = DataTable::parse("r.csv", FileFormat::Csv, csv.as_bytes()).unwrap();
    columns.examples(&table, &AnswerForm::choice(["positive", "negative"]))
}

/// The examples as `id group label` lines, or the error.
fn check(change: impl FnOnce(&mut ColumnRoles), csv: &str, expect: &str) {
    let mut columns = columns();
    change(&mut columns);
    let shown = match load(&columns, csv) {
        Ok(loaded) => {
            let lines = loaded.examples.iter().map(|example| {
                format!(
                    "{} {} {}",
                    example.input.id,
                    example.input.group,
                    example.label.to_answer()
                )
            });
            lines.collect::<Vec<_>>().join("\n")
        }
        Err(error) => error.to_string(),
    };
    assert_eq!(shown, expect);
}

const ROWS: &str = "key,domain,label,text,user,age\n\
    a,books,1,fine,u1,29\n\
    b,books,0,bad,,30\n\
    c,films,2,so so,u2,44.5\n";

fn mapped(columns: &mut ColumnRoles) {
    columns.label_map = [("1", "positive"), ("0", "negative"), ("2", "")]
        .map(|(k, v)| (k.into(), v.into()))
        .into();
}

#[test]
fn rows_become_examples() {
    check(
        mapped,
        ROWS,
        "r.csv:2 books positive\nr.csv:3 books negative",
    );
    let mut columns = columns();
    mapped(&mut columns);
    columns.id = Some("key".into());
    columns.cluster = Some("user".into());
    let loaded = load(&columns, ROWS).unwrap();
    assert_eq!(loaded.dropped, 1);
    let [a, b] = &loaded.examples[..] else {
        panic!()
    };
    assert_eq!(
        (a.input.id.as_str(), a.input.cluster.as_deref()),
        ("a", Some("u1"))
    );
    assert_eq!(b.input.cluster, None);
    // The model may see the fields asked for and nothing else.
    assert_eq!(
        a.input.fields,
        [("text".to_owned(), "fine".to_owned())].into()
    );
}

#[test]
fn bands_cut_groups() {
    let cut = |edges: &[f64]| {
        let edges = edges.to_vec();
        move |columns: &mut ColumnRoles| {
            mapped(columns);
            columns.label_map.insert("2".into(), "positive".into());
            columns.group = None;
            columns.bands = Some(NumericBands {
                column: "age".into(),
                edges,
            });
        }
    };
    check(
        cut(&[30.0, 45.0]),
        ROWS,
        "r.csv:2 <30 positive\nr.csv:3 30-44 negative\nr.csv:4 30-44 positive",
    );
    check(
        cut(&[29.0, 30.0, 44.5]),
        ROWS,
        "r.csv:2 29 positive\nr.csv:3 30-<44.5 negative\nr.csv:4 44.5+ positive",
    );
    check(
        cut(&[45.0, 30.0]),
        ROWS,
        "data.bands.edges: [45.0, 30.0] are not one or more rising numbers",
    );
    check(
        cut(&[]),
        ROWS,
        "data.bands.edges: [] are not one or more rising numbers",
    );
    check(
        cut(&[1.0]),
        "domain,label,text,age\nx,1,t,old\n",
        "r.csv:2: \"age\" is \"old\", no number; data.bands cuts this column into groups; fill it in",
    );
    check(
        |columns| {
            cut(&[1.0])(columns);
            columns.group = Some("domain".into());
        },
        ROWS,
        "data.bands: data.group already names the group; keep one of data.group and data.bands",
    );
}

#[test]
fn wrong_study_is_reported_once() {
    check(
        |columns| columns.label = "lable".into(),
        ROWS,
        "data.label: there is no column \"lable\"; did you mean \"label\"? \
         columns: \"age\", \"domain\", \"key\", \"label\", \"text\", \"user\"",
    );
    check(
        |columns| columns.label_map.extend([("1".into(), "postive".into())]),
        ROWS,
        "data.label_map: \"1\" is mapped to \"postive\", which is no label; \
         did you mean \"positive\"? labels: \"positive\", \"negative\"",
    );
    check(
        |columns| columns.label = String::new(),
        ROWS,
        "data.label: no column names the label; set data.label: source groups need labels; \
         only rows of target groups may lack them, or the column",
    );
    check(
        |columns| columns.fields = vec!["label".into()],
        ROWS,
        "data.fields: the label \"label\" is among the fields; the model would be shown the answer; remove it",
    );
    check(
        |columns| columns.fields.clear(),
        ROWS,
        "data.fields: no column becomes a field; name the columns the model may see",
    );
}

#[test]
fn every_bad_row_is_told() {
    check(
        |columns| columns.id = Some("key".into()),
        "key,domain,label,text\n\
         a,books,positive,x\n\
         b,books,,x\n\
         c,,negative,x\n\
         a,books,negative,x\n\
         d,books,Positive,x\n\
         ,books,negative,x\n",
        "4 problems:\n  \
         r.csv:4: \"domain\" is empty\n  \
         r.csv:5: id \"a\" is already used at r.csv:2; make ids unique, or leave data.id out\n  \
         r.csv:6: \"Positive\" is no label; add it to task.labels, or map it in data.label_map (to \
         \"\" to drop such rows); \
         did you mean \"positive\"? labels: \"positive\", \"negative\"\n  \
         r.csv:7: \"key\" is empty",
    );
    check(
        |columns| columns.label_map.extend([(String::new(), String::new())]),
        "domain,label,text\nx,,t\nx,positive,t\n",
        "r.csv:3 x positive",
    );
}

#[test]
fn json_rows_may_differ() {
    let json = "{\"domain\": \"x\", \"label\": \"positive\", \"text\": [1]}\n\
                {\"domain\": \"x\", \"label\": \"positive\"}\n\
                {\"domain\": \"x\", \"label\": \"positive\", \"text\": null}\n";
    let table = DataTable::parse("r.jsonl", FileFormat::JsonLines, json.as_bytes()).unwrap();
    let error = columns()
        .examples(&table, &AnswerForm::choice(["positive"]))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "2 problems:\n  r.jsonl:1: \"text\" holds an array or object; make it a text\n  \
         r.jsonl:2: the row has no \"text\"; it has \"domain\", \"label\""
    );
}

#[test]
fn answer_forms_read_own_labels() {
    let csv = "domain,label,text\nx,4.5,t\n";
    let table = DataTable::parse("r.csv", FileFormat::Csv, csv.as_bytes()).unwrap();
    let label = |form| {
        columns()
            .examples(&table, &form)
            .map(|l| l.examples[0].label.clone())
    };
    let stars = |max| AnswerForm::Number { min: 1.0, max };
    assert_eq!(label(stars(5.0)).unwrap(), Label::Number(4.5));
    assert_eq!(
        label(stars(4.0)).unwrap_err().to_string(),
        "r.csv:2: \"4.5\" is no number in 1 to 4"
    );
    assert_eq!(
        label(AnswerForm::Text { max_tokens: 1 }).unwrap(),
        Label::Text("4.5".into())
    );
    let form = AnswerForm::Ranking { candidates: vec![] };
    assert_eq!(label(form).unwrap(), Label::Relevant(vec!["4.5".into()]));
}

#[test]
fn unlabelled_rows_are_inputs() {
    let mut columns = columns();
    columns.label_map = [("1".into(), "positive".into())].into();
    let csv = "domain,label,text\n\
               x,positive,a\nx,,b\ny, ,c\ny,NaN,d\ny,None,e\ny,1.0,f\ny,1,g\n";
    let loaded = load(&columns, csv).unwrap();
    let unlabelled: Vec<&str> = loaded.unlabelled.iter().map(|i| i.id.as_str()).collect();
    assert_eq!(unlabelled, ["r.csv:3", "r.csv:4", "r.csv:5", "r.csv:6"]);
    assert_eq!(loaded.unlabelled[0].fields["text"], "b");
    // What programs make of whole numbers is the number.
    assert_eq!(loaded.examples.len(), 3);
    // JSON rows may leave the key out, hold null, or lack it in a whole file.
    let json = "{\"domain\": \"x\", \"label\": \"positive\", \"text\": \"a\"}\n\
                {\"domain\": \"x\", \"label\": null, \"text\": \"b\"}\n\
                {\"domain\": \"x\", \"text\": \"c\"}\n\
                {\"domain\": \"x\", \"label\": NaN, \"text\": \"d\"}\n";
    let mut table = DataTable::parse("r.jsonl", FileFormat::JsonLines, json.as_bytes()).unwrap();
    let other = DataTable::parse("t.csv", FileFormat::Csv, &b"domain,text\nz,e\n"[..]).unwrap();
    table.rows.extend(other.rows);
    let form = AnswerForm::choice(["positive", "negative"]);
    let loaded = columns.examples(&table, &form).unwrap();
    assert_eq!((loaded.examples.len(), loaded.unlabelled.len()), (1, 4));
    assert_eq!(loaded.unlabelled[3].group, "z");
    // A label spelt so in another case is a slip, not nothing.
    let form = AnswerForm::choice(["positive", "none"]);
    let error = columns.examples(
        &DataTable::parse(
            "r.csv",
            FileFormat::Csv,
            &b"domain,label,text\nx,None,a\n"[..],
        )
        .unwrap(),
        &form,
    );
    let error = error.unwrap_err().to_string();
    assert!(error.contains("did you mean \"none\"?"), "{error}");
}

#[test]
fn groupless_rows_form_one_group() {
    check(
        |columns| columns.group = None,
        "label,text\npositive,a\nnegative,b\n",
        "r.csv:2 all positive\nr.csv:3 all negative",
    );
}

#[test]
fn labels_may_be_numbers() {
    let json = "{\"label\": 1, \"text\": \"a\"}\n{\"label\": true, \"text\": \"b\"}\n";
    let table = DataTable::parse("r.jsonl", FileFormat::JsonLines, json.as_bytes()).unwrap();
    let columns = ColumnRoles {
        label: "label".into(),
        fields: vec!["text".into()],
        ..ColumnRoles::default()
    };
    let loaded = columns
        .examples(&table, &AnswerForm::choice(["1", "true"]))
        .unwrap();
    let labels: Vec<String> = loaded
        .examples
        .iter()
        .map(|e| e.label.to_answer())
        .collect();
    assert_eq!(labels, ["1", "true"]);
}

fn quiz() -> ClassifyTask {
    let spec = crate::ClassifySpec {
        prompt: "Which?".into(),
        input: "{text}".into(),
        labels: Vec::new(),
        options: Some("options".into()),
        metric: crate::Metric::Accuracy,
    };
    ClassifyTask::new("quiz", spec).unwrap()
}

fn quiz_columns() -> ColumnRoles {
    ColumnRoles {
        label: "answer".into(),
        fields: vec!["options".into(), "text".into()],
        ..ColumnRoles::default()
    }
}

#[track_caller]
fn check_quiz(options: &str, answer: &str, expect: &str) {
    let mut columns = quiz_columns();
    columns.label_map = [("1", "A"), ("skip", "")]
        .map(|(raw, label)| (raw.to_owned(), label.to_owned()))
        .into();
    let values = [("options", options), ("text", "?"), ("answer", answer)];
    let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut values = BTreeMap::from(values);
    let nested = options.strip_prefix("nested ");
    if nested.is_some() {
        values.remove("options");
    }
    let mut row = TableRow::new("a.csv", 2, values);
    if let Some(nested) = nested {
        row.nested.insert("options".into(), nested.into());
    }
    let table = DataTable {
        rows: vec![row],
        files: Vec::new(),
    };
    let got = match columns.examples_for(&table, &quiz()) {
        Ok(read) => match (&read.examples[..], &read.unlabelled[..]) {
            ([one], []) => format!(
                "{} of {}",
                one.label.to_answer(),
                one.input.field("options").replace('\n', " ")
            ),
            ([], [_]) => "no label".into(),
            _ => format!("{} dropped", read.dropped),
        },
        Err(error) => error.to_string(),
    };
    assert!(got.contains(expect), "{got}");
}

#[test]
fn options_are_of_their_row() {
    check_quiz("red | blue", "B", "B of A. red B. blue");
    check_quiz(
        "red | blue | green",
        "green",
        "C of A. red B. blue C. green",
    );
    check_quiz(r#"nested ["red", "blue"]"#, "(a)", "A of A. red B. blue");
    check_quiz("red | blue", "1", "A of A. red B. blue");
    check_quiz("red | None", "None", "B of A. red B. None");
    check_quiz("red | blue", "", "no label");
    check_quiz("red | blue", "NaN", "no label");
    check_quiz("", "skip", "1 dropped");
    check_quiz(
        "red | blue",
        "C",
        "a.csv:2: the label \"C\" is no option of its row",
    );
    check_quiz(
        "red | blue",
        "C",
        "write a letter from A to B, or the text of an option: \"red\", \"blue\"",
    );
    check_quiz("", "A", "a.csv:2: \"options\": there are no options");
    check_quiz("red", "A", "a.csv:2: \"options\": there is one option");
    check_quiz(
        "red | blue | Red",
        "A",
        "a.csv:2: \"options\": options A and C are both \"Red\"",
    );
    check_quiz(
        "B | A",
        "A",
        "a.csv:2: \"A\" is the letter of one option and the text of another",
    );
    check_quiz(
        "nested {\"x\": 1}",
        "A",
        "a.csv:2: \"options\": its keys are not the letters",
    );
}

/// A task of moods with this metric.
fn moods(metric: Metric) -> ClassifyTask {
    let labels = ["joy", "anger", "fear"].map(str::to_owned).to_vec();
    let spec = crate::ClassifySpec {
        prompt: "Which mood?".into(),
        input: "{text}".into(),
        labels,
        options: None,
        metric,
    };
    ClassifyTask::new("moods", spec).unwrap()
}

#[test]
fn several_labels_are_all_right() {
    let read = |label: &str, metric| {
        let text = serde_json::json!({"domain": "d", "text": "x", "label": label}).to_string();
        let table = DataTable::parse("r.jsonl", FileFormat::JsonLines, text.as_bytes()).unwrap();
        let mut columns = columns();
        columns.label_map = [("happy".to_owned(), "joy".to_owned())].into();
        let loaded = columns.examples_for(&table, &moods(metric));
        loaded.map(|loaded| loaded.examples[0].clone())
    };
    let any = |labels: &[&str]| Label::AnyOf(labels.iter().map(|&label| label.into()).collect());
    let label = |written: &str| read(written, Metric::Accuracy).map(|example| example.label);
    assert_eq!(label("joy | fear"), Ok(any(&["joy", "fear"])));
    assert_eq!(label("fear;happy"), Ok(any(&["fear", "joy"])));
    assert_eq!(label(r#"["anger", "joy"]"#), Ok(any(&["anger", "joy"])));
    assert_eq!(label("joy|happy"), Ok(Label::Class("joy".into())));
    let unknown = label("joy | bliss").unwrap_err().to_string();
    assert!(unknown.contains("\"joy | bliss\" is no label"), "{unknown}");

    // A list of JSON Lines is one too.
    let text = r#"{"domain": "d", "text": "x", "label": ["fear", "anger"]}"#;
    let table = DataTable::parse("r.jsonl", FileFormat::JsonLines, text.as_bytes()).unwrap();
    let task = moods(Metric::Accuracy);
    let loaded = columns().examples_for(&table, &task).unwrap();
    let example = &loaded.examples[0];
    assert_eq!(example.label, any(&["fear", "anger"]));
    for (reply, expect) in [("Anger", 1.0), ("fear.", 1.0), ("joy", 0.0), ("Hm", 0.0)] {
        let outcome = task.score(example, &crate::Reply::text(reply));
        assert_eq!(outcome.value(), Some(expect), "{reply}");
    }
    let error = read("joy | fear", Metric::MacroF1).unwrap_err().to_string();
    assert!(
        error.contains("task.metric: macro-f1 needs one class an example"),
        "{error}"
    );
}
