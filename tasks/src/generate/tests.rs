use super::*;
use crate::{Answer, ColumnRoles, DataTable, Label, Outcome, Reply, TableRow};

fn spec(metric: Metric) -> GenerateSpec {
    GenerateSpec {
        prompt: "Answer the question.".into(),
        input: "{question}".into(),
        metric,
        max_tokens: 512,
    }
}

fn task(metric: Metric) -> GenerateTask {
    GenerateTask::new("qa", spec(metric)).unwrap()
}

#[track_caller]
fn check(metric: Metric, said: &str, references: &[&str], expect: f64) {
    let label = match references {
        [only] => Label::Text((*only).into()),
        several => Label::AnyOf(several.iter().map(|&text| text.into()).collect()),
    };
    let example = Input::new("1", "g").with_label(label);
    let value = task(metric)
        .score(&example, &Reply::text(said))
        .value()
        .unwrap();
    assert!(
        (value - expect).abs() < 1e-12,
        "{metric} of {said:?}: {value}"
    );
}

#[test]
fn best_reference_counts() {
    check(Metric::Exact, "The Eiffel Tower.", &["eiffel tower"], 1.0);
    check(
        Metric::Exact,
        "It is the Eiffel Tower.",
        &["eiffel tower"],
        0.0,
    );
    check(Metric::Exact, "Paris", &["London", "paris"], 1.0);
    check(
        Metric::Contains,
        "It stands in  PARIS, France",
        &["London", "paris, france"],
        1.0,
    );
    check(Metric::Contains, "Rome", &["London", "Paris"], 0.0);
    check(
        Metric::Regex,
        "Call 555-0199 now",
        &[r"\b\d{3}-\d{4}\b"],
        1.0,
    );
    check(Metric::Regex, "call me", &[r"^\d+$", r"(?i)^CALL"], 1.0);
    check(Metric::Regex, "Call me", &[r"^call"], 0.0);
    check(
        Metric::TokenF1,
        "in the city of Paris",
        &["Paris", "city of Paris"],
        6.0 / 7.0,
    );
    check(
        Metric::RougeL,
        "red green blue",
        &["red", "green blue"],
        0.8,
    );
}

#[test]
fn thoughts_are_no_text() {
    check(
        Metric::Exact,
        "<think>London?</think>\nParis",
        &["paris"],
        1.0,
    );
    let empty = task(Metric::Exact).parse(&Input::new("1", "g"), &Reply::text("<think>Hm"));
    assert!(matches!(empty, Answer::Unparseable { .. }), "{empty:?}");
}

#[test]
fn votes_for_any_reference_are_right() {
    let label = Label::AnyOf(vec!["Paris".into(), "City of Light".into()]);
    let outcome = Metric::Accuracy.grade(&Answer::Text("city of light!".into()), &label);
    assert_eq!(outcome.value(), Some(1.0));
    assert!(matches!(outcome, Outcome::Scored(_)));
    assert_eq!(label.to_answer(), "Paris");
    assert_eq!(label.to_text(), "Paris | City of Light");
}

#[track_caller]
fn check_fault(change: impl FnOnce(&mut GenerateSpec), expect: &str) {
    let mut spec = spec(Metric::Exact);
    change(&mut spec);
    let error = GenerateTask::new("t", spec).unwrap_err().to_string();
    assert!(error.contains(expect), "{error}");
}

#[test]
fn mistakes_are_reported_under_their_keys() {
    check_fault(
        |s| s.prompt = " ".into(),
        "task.prompt: the prompt is empty",
    );
    check_fault(
        |s| s.input = "x".into(),
        "task.input: the template names no field",
    );
    check_fault(
        |s| s.metric = Metric::MacroF1,
        "task.metric: macro-f1 does not fit a text",
    );
    check_fault(|s| s.max_tokens = 0, "task.max_tokens: 0 leaves no room");
}

fn read(metric: Metric, label: &str) -> Result<Option<Label>, String> {
    let cells = [("question", "?"), ("answer", label)]
        .map(|(name, text)| (name.to_owned(), text.to_owned()));
    let table = DataTable {
        rows: vec![TableRow::new("qa.csv", 4, cells.into_iter().collect())],
        ..DataTable::default()
    };
    let roles = ColumnRoles {
        label: "answer".into(),
        fields: vec!["question".into()],
        ..ColumnRoles::default()
    };
    let loaded = roles
        .examples_for(&table, &task(metric))
        .map_err(|error| error.to_string())?;
    Ok(loaded
        .examples
        .into_iter()
        .next()
        .map(|example| example.label))
}

#[test]
fn references_are_read_as_written() {
    let several = |texts: &[&str]| {
        Ok(Some(Label::AnyOf(
            texts.iter().map(|&text| text.into()).collect(),
        )))
    };
    let one = |text: &str| Ok(Some(Label::Text(text.into())));
    assert_eq!(read(Metric::Exact, "Paris"), one("Paris"));
    assert_eq!(
        read(Metric::Exact, r#"["Paris", " Lutetia "]"#),
        several(&["Paris", "Lutetia"])
    );
    assert_eq!(read(Metric::Exact, r#"["Paris", "Paris"]"#), one("Paris"));
    assert_eq!(
        read(Metric::Exact, "[1889, 1890]"),
        several(&["1889", "1890"])
    );
    let squad = r#"{"text": ["Paris", "in Paris"], "answer_start": [1, 2]}"#;
    assert_eq!(read(Metric::Exact, squad), several(&["Paris", "in Paris"]));
    // Texts that begin like lists.
    assert_eq!(read(Metric::Exact, "[Chorus] La la"), one("[Chorus] La la"));
    assert_eq!(read(Metric::Exact, "[[1, 2]]"), one("[[1, 2]]"));
    assert_eq!(read(Metric::Exact, ""), Ok(None));
    assert_eq!(read(Metric::Exact, "[]"), Ok(None));
    let blank = read(Metric::Exact, r#"["Paris", ""]"#).unwrap_err();
    assert!(
        blank.contains("qa.csv:4: \"answer\": one of its references is blank"),
        "{blank}"
    );
    let pattern = read(Metric::Regex, r#"["a+", "(b"]"#).unwrap_err();
    assert!(
        pattern.contains("qa.csv:4: \"answer\": \"(b\" is no regular expression"),
        "{pattern}"
    );
    assert_eq!(read(Metric::Contains, "(b"), one("(b"));
}
