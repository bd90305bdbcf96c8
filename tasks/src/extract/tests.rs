use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{ColumnRoles, DataTable, Finish, PromptFrame, PromptRole, TableRow};

/// An invoice: vendor, total, currency, items, due.
fn invoice() -> AnswerSchema {
    serde_json::from_value(json!({
        "vendor": {"type": "string", "compare": "words", "description": "Who sends the bill."},
        "total": {"type": "number", "tolerance": 0.01},
        "currency": {"type": "enum", "values": ["EUR", "USD"]},
        "items": "list",
        "due": {"type": "string", "optional": true},
    }))
    .unwrap()
}

fn spec() -> ExtractSpec {
    ExtractSpec {
        prompt: "Read the bill.".into(),
        input: "Bill: {text}".into(),
        fields: invoice(),
        schema: None,
        metric: Metric::Accuracy,
        max_tokens: None,
    }
}

fn task() -> ExtractTask {
    ExtractTask::new("bills", spec()).unwrap()
}

fn values(value: &Value) -> FieldValues {
    invoice().values(value).unwrap()
}

#[track_caller]
fn check_read(reply: &str, expect: Option<&Value>) {
    let answer = task().parse(&Input::new("1", "g"), &Reply::text(reply));
    match (answer, expect) {
        (Answer::Fields(read), Some(expect)) => assert_eq!(json!(read), *expect, "{reply}"),
        (Answer::Unparseable { .. }, None) => {}
        (read, expect) => panic!("{reply}\nis {read:?} instead of {expect:?}"),
    }
}

const BILL: &str = r#"{"vendor": "Acme", "total": 12.5, "currency": "EUR", "items": ["nut", "bolt"], "due": null}"#;

#[test]
fn replies_are_read_however_they_come() {
    let bill: Value = serde_json::from_str(BILL).unwrap();
    let read = |reply: &str| check_read(reply, Some(&bill));
    read(BILL);
    read(&format!(
        "Here is the JSON you asked for:\n\n```json\n{BILL}\n```\nLet me know!"
    ));
    read(&format!("<think>Maybe {{\"total\": 3}}?</think>\n{BILL}"));
    read(&format!("[{BILL}]"));
    read(&format!("{{\"invoice\": {BILL}}}"));
    read(&format!("<answer>{BILL}</answer>"));
    read(&format!("{BILL}\n\nAgain, as one line:\n{BILL}"));
    // As models write it that know Python, or forget that a comma ends a list.
    read(
        "{'vendor': 'Acme', 'total': 12.5, 'currency': 'EUR', 'items': [], 'due': None}"
            .replace("[]", "['nut', 'bolt']")
            .replace('\'', "\"")
            .replace("None", "null")
            .as_str(),
    );
    read(
        "{\n  // the bill\n  \"vendor\": \"Acme\",\n  \"total\": 12.50,\n  \"currency\": \"EUR\",\n  \
         \"items\": [\"nut\", \"bolt\",],\n  \"due\": null,\n}",
    );
    // Types in the wrong clothes, other fields beside, an optional one left out.
    read(
        r#"{"Vendor": " Acme ", "total": "12.5", "currency": "eur", "items": ["nut", "bolt"], "confidence": 0.9}"#,
    );
    read(
        r#"{"vendor": "Acme", "total": 12.5, "currency": "EUR", "items": ["nut", "bolt"], "due": ""}"#,
    );
    // A draft, and what is meant to stand.
    let draft = BILL.replace("12.5", "1.25");
    read(&format!(
        "Draft:\n```json\n{draft}\n```\nThe total is wrong. Final answer:\n```json\n{BILL}\n```"
    ));
}

#[test]
fn replies_of_another_form_are_unreadable() {
    let unread = |reply: &str| check_read(reply, None);
    unread("");
    unread("The vendor is Acme and the total is 12.50 EUR.");
    unread("I'm sorry, but I cannot read this bill.");
    unread(r#"{"error": "no bill"}"#);
    // A field is missing, or of another type.
    unread(r#"{"vendor": "Acme", "total": 12.5, "items": []}"#);
    unread(r#"{"vendor": "Acme", "total": "twelve", "currency": "EUR", "items": []}"#);
    unread(r#"{"vendor": "Acme", "total": 12.5, "currency": "GBP", "items": []}"#);
    unread(r#"{"vendor": null, "total": 12.5, "currency": "EUR", "items": []}"#);
    unread(r#"{"vendor": "Acme", "total": 12.5, "currency": "EUR", "items": "nut, bolt"}"#);
    // Two that differ, and none is said to stand.
    let other = BILL.replace("Acme", "Bolt & Co");
    unread(&format!("{BILL}\nor\n{other}"));
    unread(&format!("<think>{BILL}"));
    unread(&BILL[..BILL.len() - 10]);
}

#[test]
fn cut_and_withheld_replies_are_no_answers() {
    let example = Input::new("1", "g")
        .with_label(Label::Fields(values(&serde_json::from_str(BILL).unwrap())));
    let outcome = |text: &str, finish| {
        let reply = Reply {
            finish,
            ..Reply::text(text)
        };
        task().score(&example, &reply)
    };
    let cut = outcome(&BILL[..40], Finish::Length);
    assert!(matches!(cut, Outcome::Truncated { .. }), "{cut:?}");
    assert!(matches!(
        outcome(&BILL[..40], Finish::Stop),
        Outcome::Unparseable { .. }
    ));
    // What is whole was answered, whatever is cut off behind it.
    assert_eq!(
        outcome(&format!("{BILL}\nThe"), Finish::Length).value(),
        Some(1.0)
    );
    assert!(matches!(
        outcome(BILL, Finish::Filtered),
        Outcome::Failed { .. }
    ));
}

#[test]
fn grades_are_by_field() {
    let truth = values(&serde_json::from_str(BILL).unwrap());
    let said = |change: &dyn Fn(&mut BTreeMap<String, Value>)| {
        let mut said = truth.clone();
        change(&mut said);
        invoice().grades(&said, &truth)
    };
    let all: Vec<f64> = said(&|_| ()).into_iter().map(|(_, grade)| grade).collect();
    assert_eq!(all, [1.0; 5]);
    let field = |name: &str, value: Value| {
        let grades = said(&|said| {
            said.insert(name.to_owned(), value.clone());
        });
        let own = grades.iter().find(|(own, _)| own == name).unwrap();
        own.1
    };
    assert_eq!(field("total", json!(12.51)), 1.0);
    assert_eq!(field("total", json!(12.52)), 0.0);
    assert_eq!(field("vendor", json!("ACME.")), 1.0);
    assert_eq!(field("vendor", json!("Acme Inc")), 0.0);
    assert_eq!(field("currency", json!("USD")), 0.0);
    assert_eq!(field("due", json!("soon")), 0.0);
    // Half of what is said and all of the truth: 2·1 / (2 + 1).
    assert!((field("items", json!(["nut"])) - 2.0 / 3.0).abs() < 1e-12);
    assert_eq!(field("items", json!(["bolt", "nut"])), 1.0);
    // An item said twice is right once.
    assert!((field("items", json!(["nut", "nut"])) - 0.5).abs() < 1e-12);
    assert_eq!(field("items", json!([])), 0.0);
}

#[test]
fn metrics_are_share_or_all() {
    let truth = values(&serde_json::from_str(BILL).unwrap());
    let mut said = truth.clone();
    said.insert("currency".into(), json!("USD"));
    let grade = |metric, said: &FieldValues| {
        let task = ExtractTask::new("t", ExtractSpec { metric, ..spec() }).unwrap();
        task.grade(&Answer::Fields(said.clone()), &Label::Fields(truth.clone()))
            .value()
    };
    assert_eq!(grade(Metric::Accuracy, &said), Some(0.8));
    assert_eq!(grade(Metric::Exact, &said), Some(0.0));
    assert_eq!(grade(Metric::Exact, &truth), Some(1.0));
    // A label of another kind is a mistake in the study, not a wrong answer.
    let odd = task().grade(&Answer::Fields(said), &Label::Text("Acme".into()));
    assert!(matches!(odd, Outcome::Failed { .. }), "{odd:?}");
}

#[test]
fn form_is_told_where_prompt_does_not() {
    let input = Input::new("1", "g").with_field("text", "Pay {total} to Acme");
    let ask = |instruction: &str| {
        let request = task().request(&Prompt::new(instruction), &input);
        request.messages[0].content.clone()
    };
    let told = ask("Read the bill.");
    assert!(
        told.starts_with(
            "Read the bill.\n\nBill: Pay {total} to Acme\n\nAnswer with one JSON object"
        ),
        "{told}"
    );
    assert!(
        told.contains("\"currency\": \"EUR\" or \"USD\"\n"),
        "{told}"
    );
    assert!(
        told.contains("\"vendor\": a text (Who sends the bill)"),
        "{told}"
    );
    assert!(
        told.contains("\"due\": a text, or null where the text does not say"),
        "{told}"
    );
    // "totals" names no field, and names alone tell no type.
    for own in [
        "vendor, totals, currency, items, due",
        r#"Give {"vendor": …, "total": …, "currency": …, "items": […], "due": …}"#,
    ] {
        assert!(ask(own).contains("Answer with one JSON"), "{own}");
    }
    // A prompt in production that says it all is sent as it is.
    for own in [
        "Give JSON: vendor (who sends the bill), total (a number), currency (EUR or USD), items \
         (a list) and due (null where unknown).",
        "vendor: who sends the bill\ncurrency:\n- EUR\n- USD\ntotal: decimal\ndue: or null\n\
         items: array of names",
        "Who sends the bill is the vendor; the currency is EUR or USD. Like this: {\"vendor\": \
         \"Acme\", \"total\": 3.5, \"currency\": \"USD\", \"items\": [\"nut\"], \"due\": null}",
    ] {
        let own = own.replace("who sends", "Who sends");
        assert_eq!(ask(&own), format!("{own}\n\nBill: Pay {{total}} to Acme"));
    }
}

/// Of a prompt that says the whole form, every part is needed.
#[test]
fn form_is_told_where_a_part_is_missing() {
    let schema = invoice();
    let whole = "vendor: Who sends the bill\ncurrency: EUR or USD\ntotal: the number at the \
                 end\nitems: a list\ndue: the date or null";
    assert!(schema.is_told_in(whole));
    for (part, without) in [
        ("Who sends the bill", "the name"),
        ("EUR or USD", "the code, such as EUR"),
        ("the number at the end", "what stands at the end"),
        ("a list", "all of them"),
        ("or null", "if any"),
        ("total: ", ""),
        // Said of another field.
        (
            "total: the number at the end",
            "total: the end\nnumbers: a number",
        ),
        ("EUR or USD", "the code\nvendor in EUR or USD"),
    ] {
        assert!(whole.contains(part));
        let left = whole.replace(part, without);
        assert!(!schema.is_told_in(&left), "{left}");
    }
    // What is sent otherwise says it all: nothing is told twice.
    assert!(schema.is_told_in(&schema.words()));
}

#[test]
fn frames_tell_the_form_once() {
    let frame = PromptFrame {
        system: Some("Be exact.".into()),
        prompt_role: PromptRole::System,
    };
    let framed = crate::FramedTask::new(std::sync::Arc::new(task()), frame);
    let input = Input::new("1", "g").with_field("text", "x");
    let request = framed.request(&framed.seed(), &input);
    assert!(
        request.messages[0]
            .content
            .starts_with("Be exact.\n\nRead the bill.\n\nAnswer with one JSON")
    );
    assert_eq!(request.messages[1].content, "Bill: x");
    assert_eq!(framed.schema(), task().schema());
}

#[test]
fn schemas_suit_servers() {
    let AnswerForm::Json { schema, max_tokens } = task().answer_form(&Input::new("", "")) else {
        panic!("no JSON");
    };
    assert_eq!(max_tokens, 512 + 4 * 64 + 256);
    assert_eq!(
        schema,
        json!({
            "type": "object",
            "properties": {
                "vendor": {"type": "string", "description": "Who sends the bill."},
                "total": {"type": "number"},
                "currency": {"type": "string", "enum": ["EUR", "USD"]},
                "items": {"type": "array", "items": {"type": "string"}},
                "due": {"type": ["string", "null"]},
            },
            "required": ["currency", "due", "items", "total", "vendor"],
            "additionalProperties": false,
        })
    );
    // What is sent is read back as the same fields.
    let again = AnswerSchema::from_json_schema(&schema).unwrap();
    for (name, field) in &invoice().fields {
        let read = &again.fields[name];
        assert_eq!(
            (&read.kind, read.optional),
            (&field.kind, field.optional),
            "{name}"
        );
    }
}

#[test]
fn json_schemas_of_libraries_are_read() {
    // As pydantic prints it.
    let schema = json!({
        "$defs": {"Currency": {"enum": ["EUR", "USD"], "title": "Currency", "type": "string"}},
        "properties": {
            "vendor": {"title": "Vendor", "type": "string", "description": "Who?"},
            "total": {"type": "number", "minimum": 0},
            "count": {"type": "integer"},
            "paid": {"default": false, "type": "boolean"},
            "currency": {"$ref": "#/$defs/Currency"},
            "due": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "codes": {"items": {"type": "integer"}, "type": "array"},
        },
        "required": ["vendor", "total", "count", "currency", "due", "codes"],
        "title": "Bill",
        "type": "object",
    });
    let read = AnswerSchema::from_json_schema(&schema).unwrap();
    let kinds: Vec<(&str, &FieldType, bool)> = read
        .fields
        .iter()
        .map(|(name, field)| (name.as_str(), &field.kind, field.optional))
        .collect();
    let currency = FieldType::Enum(vec!["EUR".into(), "USD".into()]);
    let codes = FieldType::List(Box::new(FieldType::Integer));
    assert_eq!(
        kinds,
        [
            ("codes", &codes, false),
            ("count", &FieldType::Integer, false),
            ("currency", &currency, false),
            ("due", &FieldType::String, true),
            ("paid", &FieldType::Boolean, true),
            ("total", &FieldType::Number, false),
            ("vendor", &FieldType::String, false),
        ]
    );
    assert_eq!(read.fields["vendor"].description.as_deref(), Some("Who?"));
    // As it is wrapped for a server.
    let wrapped = json!({"name": "bill", "strict": true, "schema": schema});
    assert_eq!(AnswerSchema::from_json_schema(&wrapped), Ok(read));
}

#[test]
fn json_schemas_at_fault_are_refused() {
    let fault = |schema: Value| AnswerSchema::from_json_schema(&schema).unwrap_err();
    let property = |value: Value| fault(json!({"type": "object", "properties": {"a": value}}));
    assert!(fault(json!({"type": "string"})).contains("no object with properties"));
    assert!(fault(json!([])).contains("no schema"));
    assert!(
        property(json!({"type": "object"}))
            .starts_with("the property \"a\": it is an object itself")
    );
    assert!(property(json!({})).contains("it has no type"));
    assert!(property(json!({"type": "date"})).contains("there is no type \"date\""));
    assert!(property(json!({"type": ["string", "number"]})).contains("several things"));
    assert!(property(json!({"enum": [1, 2]})).contains("something other than texts"));
    assert!(property(json!({"$ref": "#/$defs/B"})).contains("leads nowhere"));
    assert!(property(json!({"$ref": "#/properties/a"})).contains("in a circle"));
    let lists = json!({"type": "array", "items": {"type": "array"}});
    assert!(property(lists).contains("lists themselves"));
    let required = json!({"properties": {"a": {"type": "string"}}, "required": ["b"]});
    assert!(fault(required).contains("\"b\" is required, and there is no such property"));
}

#[track_caller]
fn check_fault(change: impl FnOnce(&mut ExtractSpec), expect: &str) {
    let mut spec = spec();
    change(&mut spec);
    let error = ExtractTask::new("t", spec).unwrap_err().to_string();
    assert!(error.contains(expect), "{error}");
}

#[test]
fn mistakes_are_reported_under_their_keys() {
    check_fault(|s| s.prompt.clear(), "task.prompt: the prompt is empty");
    check_fault(
        |s| s.input = "all alike".into(),
        "task.input: the template names no field",
    );
    check_fault(
        |s| s.fields = AnswerSchema::default(),
        "task.fields: it has no field",
    );
    check_fault(|s| s.metric = Metric::Auc, "task.metric: auc does not fit");
    check_fault(
        |s| s.schema = Some("{}".into()),
        "task.schema: task.fields already names",
    );
    let of = |schema: &str| {
        let schema = Some(schema.to_owned());
        move |s: &mut ExtractSpec| {
            s.fields = AnswerSchema::default();
            s.schema = schema;
        }
    };
    check_fault(of("{\"type\": "), "task.schema: it is no JSON");
    check_fault(
        of("{\"type\": \"object\"}"),
        "task.schema: it describes no object",
    );
    let parse = |value: Value| serde_json::from_value::<AnswerSchema>(value);
    let enumerated = |values: Value| {
        move |s: &mut ExtractSpec| {
            let field = json!({"kind": {"type": "enum", "values": values}});
            s.fields = serde_json::from_value(field).unwrap();
        }
    };
    check_fault(
        enumerated(json!(["a"])),
        "task.fields.kind: 1 values leave nothing to choose",
    );
    check_fault(enumerated(json!(["a", "A"])), "differ at most in case");
    check_fault(enumerated(json!(["a", " b"])), "begins or ends so");
    let fault = |field: Value| parse(json!({"f": field})).unwrap_err().to_string();
    assert!(fault(json!("text")).contains("there is no type \"text\"; a field is \"string\""));
    assert!(fault(json!(3)).contains("a type (\"string\""));
    assert!(fault(json!({"type": "enum"})).contains("an enum needs values"));
    assert!(fault(json!({"type": "string", "tolerance": 1.0})).contains("belongs to numbers"));
    assert!(fault(json!({"type": "number", "compare": "words"})).contains("belongs to texts"));
    assert!(fault(json!({"type": "number", "tolerance": -1.0})).contains("0 or more"));
    assert!(fault(json!({"type": "string", "items": "number"})).contains("belong to a list"));
    assert!(fault(json!({"type": "list", "items": "date"})).contains("items is \"date\""));
    assert!(fault(json!({"type": "string", "optinal": true})).contains("optinal"));
}

fn row(line: u64, cells: &[(&str, &str)]) -> TableRow {
    let cells = cells
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    TableRow::new("bills.csv", line, cells.collect())
}

fn roles(label: &str) -> ColumnRoles {
    ColumnRoles {
        label: label.into(),
        fields: vec!["text".into()],
        ..ColumnRoles::default()
    }
}

#[test]
fn labels_come_from_columns() {
    let whole = [
        ("text", "…"),
        ("vendor", "Acme"),
        ("total", "12.50"),
        ("currency", "eur"),
        ("items", "nut; bolt"),
        ("due", ""),
    ];
    let mut blank = whole;
    for cell in &mut blank[1..] {
        cell.1 = " ";
    }
    let table = DataTable {
        rows: vec![row(2, &whole), row(3, &blank)],
        ..DataTable::default()
    };
    let loaded = roles("").examples_for(&table, &task()).unwrap();
    let bill: Value = serde_json::from_str(BILL).unwrap();
    assert_eq!(loaded.examples[0].label, Label::Fields(values(&bill)));
    assert_eq!(loaded.unlabelled.len(), 1);

    let fault = |column: usize, text: &'static str| {
        let mut cells = whole;
        cells[column].1 = text;
        let table = DataTable {
            rows: vec![row(7, &cells)],
            ..DataTable::default()
        };
        roles("")
            .examples_for(&table, &task())
            .unwrap_err()
            .to_string()
    };
    let total = fault(2, "12,50 EUR");
    assert!(
        total.contains("bills.csv:7: \"total\" is \"12,50 EUR\", which is not a number"),
        "{total}"
    );
    assert!(fault(3, "GBP").contains("which is not one of EUR, USD"));
    assert!(fault(1, "").contains("\"vendor\" is empty beside other fields"));
}

/// A column of another form is one problem, a value that no enum has one of its own.
#[test]
fn faults_of_many_rows_are_said_once() {
    let price = |line: u64| format!("{line},50 EUR");
    let rows = |label: &str, currency: [&str; 2]| -> String {
        let rows = (2..210).map(|line| {
            let (total, currency) = (price(line), currency[usize::from(line % 2 == 0)]);
            if label.is_empty() {
                let cells = [
                    ("text", "…"),
                    ("vendor", "Acme"),
                    ("total", &total),
                    ("currency", currency),
                    ("items", ""),
                    ("due", ""),
                ];
                return row(line, &cells);
            }
            let json = json!({
                "vendor": "Acme", "total": if line == 3 { json!([1]) } else { json!(total) },
                "currency": currency, "items": [],
            });
            row(line, &[("text", "…"), (label, &json.to_string())])
        });
        let table = DataTable {
            rows: rows.collect(),
            ..DataTable::default()
        };
        roles(label)
            .examples_for(&table, &task())
            .unwrap_err()
            .to_string()
    };
    let by_column = rows("", ["EUR", "EUR"]);
    assert!(
        by_column.starts_with(
            "bills.csv:2: \"total\" is \"2,50 EUR\", which is not a number (in 208 rows: also \
             bills.csv:3, bills.csv:4, …); fill it in"
        ) && by_column.lines().count() == 1,
        "{by_column}"
    );
    let by_json = rows("expected", ["EUR", "EUR"]);
    assert!(
        by_json.contains("(in 208 rows: also bills.csv:3, bills.csv:4, …)"),
        "{by_json}"
    );
    let by_value = rows("", ["GBP", "Pound"]);
    assert_eq!(by_value.lines().count(), 3, "{by_value}");
    for told in [
        "bills.csv:2: \"currency\" is \"Pound\", which is not one of EUR, USD (in 104 rows: also",
        "bills.csv:3: \"currency\" is \"GBP\"",
        "add it to the field's values in the study (task.fields.currency, or the enum",
    ] {
        assert!(by_value.contains(told), "{by_value}");
    }
}

#[test]
fn labels_come_from_one_column_of_json() {
    let read = |text: &str| {
        let table = DataTable {
            rows: vec![row(2, &[("text", "…"), ("expected", text)])],
            ..DataTable::default()
        };
        roles("expected").examples_for(&table, &task())
    };
    let bill: Value = serde_json::from_str(BILL).unwrap();
    assert_eq!(
        read(BILL).unwrap().examples[0].label,
        Label::Fields(values(&bill))
    );
    assert_eq!(read("").unwrap().unlabelled.len(), 1);
    let fault = |text: &str| read(text).unwrap_err().to_string();
    assert!(fault("{\"vendor\": ").contains("bills.csv:2: the label is no JSON"));
    assert!(fault("[1]").contains("the label is no JSON object: \"[1]\""));
    assert!(fault("{\"vendor\": \"Acme\"}").contains("the label has no \"currency\""));
    let total = BILL.replace("12.5", "\"much\"");
    assert!(fault(&total).contains("\"total\" of the label is \"much\", which is not a number"));
}

#[test]
fn columns_are_checked() {
    let table = DataTable {
        rows: vec![row(2, &[("text", "…"), ("vendr", "Acme")])],
        ..DataTable::default()
    };
    let error = roles("")
        .examples_for(&table, &task())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("there is no column \"vendor\" with the label of a field"),
        "{error}"
    );
    assert!(error.contains("did you mean \"vendr\"?"), "{error}");
    let cells = [
        ("text", "…"),
        ("vendor", "Acme"),
        ("total", "1"),
        ("currency", "EUR"),
        ("items", ""),
        ("due", ""),
    ];
    let table = DataTable {
        rows: vec![row(2, &cells)],
        ..DataTable::default()
    };
    let mut shown = roles("");
    shown.fields.push("total".into());
    let error = shown.examples_for(&table, &task()).unwrap_err().to_string();
    assert!(
        error.contains("the label's column \"total\" is among the fields"),
        "{error}"
    );
    let mut mapped = roles("");
    mapped.label_map.insert("a".into(), "b".into());
    let error = mapped
        .examples_for(&table, &task())
        .unwrap_err()
        .to_string();
    assert!(error.contains("data.label_map"), "{error}");
}

fn any_value(kind: &FieldType) -> BoxedStrategy<Value> {
    match kind {
        FieldType::String => "[a-z{}\"\\\\,\n ]{0,12}[a-z]".prop_map(Value::from).boxed(),
        FieldType::Number => (-1e6..1e6_f64).prop_map(Value::from).boxed(),
        FieldType::Integer => any::<i32>().prop_map(Value::from).boxed(),
        FieldType::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        FieldType::Enum(values) => prop::sample::select(values.clone())
            .prop_map(Value::from)
            .boxed(),
        FieldType::List(items) => prop::collection::vec(any_value(items), 0..4)
            .prop_map(Value::from)
            .boxed(),
    }
}

fn any_answer() -> impl Strategy<Value = FieldValues> {
    let fields: Vec<_> = invoice()
        .fields
        .into_iter()
        .map(|(name, field)| {
            let value = any_value(&field.kind);
            let value = if field.optional {
                prop_oneof![value, Just(Value::Null)].boxed()
            } else {
                value
            };
            value.prop_map(move |value| (name.clone(), value))
        })
        .collect();
    fields.prop_map(|fields| values(&fields.into_iter().collect::<serde_json::Map<_, _>>().into()))
}

proptest! {
    #[test]
    fn answers_survive_their_writing(answer in any_answer(), pretty in any::<bool>()) {
        let text = if pretty {
            serde_json::to_string_pretty(&answer).unwrap()
        } else {
            serde_json::to_string(&answer).unwrap()
        };
        let reply = Reply::text(format!("Here it is:\n```json\n{text}\n```"));
        let read = task().parse(&Input::new("1", "g"), &reply);
        prop_assert_eq!(&read, &Answer::Fields(answer.clone()));
        // A vote for it stands for it.
        let again: FieldValues = serde_json::from_str(&read.vote().unwrap()).unwrap();
        prop_assert_eq!(&again, &answer);
    }

    /// Whatever the fields are, a prompt that holds the form's own words is not told it again.
    #[test]
    fn own_words_tell_the_form(kinds in prop::collection::vec((0..6_usize, any::<bool>()), 1..6)) {
        let fields = kinds.into_iter().enumerate().map(|(at, (kind, optional))| {
            let kind = match kind {
                0 => FieldType::String,
                1 => FieldType::Number,
                2 => FieldType::Integer,
                3 => FieldType::Boolean,
                4 => FieldType::Enum(vec!["low".into(), "very high".into()]),
                _ => FieldType::List(Box::new(FieldType::Integer)),
            };
            (format!("field_{at}"), AnswerField { optional, ..AnswerField::new(kind) })
        });
        let schema = AnswerSchema { fields: fields.collect() };
        prop_assert!(schema.is_told_in(&schema.words()));
    }

    #[test]
    fn grades_are_bounded_and_agree_with_themselves(a in any_answer(), b in any_answer()) {
        let schema = invoice();
        prop_assert!((schema.share(&a, &a) - 1.0).abs() < 1e-12);
        let share = schema.share(&a, &b);
        prop_assert!((0.0..=1.0).contains(&share));
        for (name, grade) in schema.grades(&a, &b) {
            prop_assert!((0.0..=1.0).contains(&grade), "{} {}", name, grade);
        }
    }

    #[test]
    fn no_text_breaks_the_reader(text in "[\\[\\]{}\":,a-z0-9 \n`]{0,80}") {
        let _ = task().parse(&Input::new("1", "g"), &Reply::text(text));
    }
}
