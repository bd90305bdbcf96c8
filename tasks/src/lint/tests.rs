use super::*;
use crate::{ClassifySpec, ClassifyTask, LabelledTarget, Metric, UnlabelledDraw};

fn task() -> ClassifyTask {
    let spec = ClassifySpec {
        prompt: "Positive or negative?".into(),
        input: "Review: {text}".into(),
        labels: vec!["positive".into(), "negative".into()],
        options: None,
        metric: Metric::Accuracy,
    };
    ClassifyTask::new("reviews", spec).unwrap()
}

fn example(group: &str, index: usize, text: &str, label: &str) -> Example {
    Input::new(format!("{group}-{index}"), group)
        .with_field("text", text)
        .with_label(Label::Class(label.into()))
}

fn groups() -> GroupsSpec {
    GroupsSpec {
        source: vec!["books".into()],
        target: vec!["films".into(), "toys".into()],
        train: Some(10),
        validation: Some(30),
        unlabelled: Some(20),
        labelled: Some(4),
        audit: Some(10),
        balance: Some(false),
        ..GroupsSpec::default()
    }
}

/// Distinct texts; every `every`-th is negative.
fn clean(group: &str, n: usize, every: usize) -> Vec<Example> {
    let label = |index: usize| {
        if index.is_multiple_of(every) {
            "negative"
        } else {
            "positive"
        }
    };
    (0..n)
        .map(|index| example(group, index, &format!("{group} {index}"), label(index)))
        .collect()
}

fn lint(examples: &[Example], data: Option<&Data>, allow_leakage: bool) -> Vec<LintFinding> {
    let (task, groups) = (task(), groups());
    DataLint {
        task: &task,
        groups: &groups,
        examples,
        unlabelled: &[],
        data,
        allow_leakage,
    }
    .run()
}

fn shown(findings: &[LintFinding]) -> String {
    let lines: Vec<_> = findings.iter().map(LintFinding::to_string).collect();
    lines.join("\n")
}

fn codes(findings: &[LintFinding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn clean_data_has_only_facts() {
    let examples = [
        clean("books", 60, 2),
        clean("films", 60, 2),
        clean("toys", 60, 2),
    ]
    .concat();
    let groups = GroupsSpec {
        audit: Some(30),
        train: Some(0),
        unlabelled: Some(0),
        ..groups()
    };
    let data = groups
        .split(&examples, &[], 1, UnlabelledDraw::Blind)
        .unwrap()
        .data;
    assert_eq!(
        codes(&lint(&examples, Some(&data), false)),
        ["prevalence"; 3]
    );
    assert_eq!(data.reads.count(), 0);
}

#[test]
fn dirty_data_is_told() {
    let mut books = clean("books", 60, 2);
    books.sort_by_key(|example| example.label.to_answer());
    let mut films = clean("films", 60, 10);
    films[0]
        .input
        .fields
        .insert("text".into(), "x".repeat(LONG_INPUT));
    films[1]
        .input
        .fields
        .insert("text".into(), "fine<|im_end|>".into());
    films[2].input.fields.insert("text".into(), " ".into());
    films[3].label = Label::Class("neutral".into());
    films[4].input.id = "films-5".into();
    films[6]
        .input
        .fields
        .insert("text".into(), "Films 10!".into());
    let mut toys = clean("toys", 60, 1);
    for toy in &mut toys {
        toy.input.cluster = Some("u1".into());
    }
    let mut leaking = groups()
        .split(
            &[&books[..], &films, &toys].concat(),
            &[],
            1,
            UnlabelledDraw::Blind,
        )
        .unwrap()
        .data;
    leaking.source.train[0].input = leaking.source.validation[0].input.clone();
    leaking.target.inputs[0] = leaking.audit.inputs().next().unwrap().clone();
    leaking.target.inputs[1] = leaking.target.inputs[2].clone();
    let examples = [books, films, toys, clean("unused", 9, 1)].concat();
    let findings = lint(&examples, Some(&leaking), false);
    insta::assert_snapshot!("dirty", shown(&findings));
    assert_eq!(findings, lint(&examples, Some(&leaking), false));
}

#[test]
fn empty_group_is_refused() {
    let examples = [clean("books", 60, 2), clean("films", 60, 2)].concat();
    let findings = lint(&examples, None, false);
    assert_eq!(
        findings[0].to_string(),
        "error[empty-group]: the target group \"toys\" has no examples"
    );
}

#[test]
fn leaks_follow_policy() {
    let examples = [
        clean("books", 60, 3),
        clean("films", 60, 3),
        clean("toys", 60, 3),
    ]
    .concat();
    let mut data = groups()
        .split(&examples, &[], 1, UnlabelledDraw::Blind)
        .unwrap()
        .data;
    let mut sealed = data.audit.inputs().cloned();
    // Case and punctuation hide no leak.
    let text = sealed.next().unwrap().field("text").to_uppercase() + "!";
    data.source.train[0]
        .input
        .fields
        .insert("text".into(), text);
    data.source.validation[3].input = sealed.next().unwrap();
    data.target.inputs[5] = sealed.next().unwrap();
    let labelled = sealed
        .next()
        .unwrap()
        .with_label(Label::Class("negative".into()));
    drop(sealed);
    data.labelled_target = LabelledTarget::new(vec![labelled], data.reads.clone());
    let leaks = |data: &Data, allow| -> Vec<_> {
        let found = lint(&examples, Some(data), allow);
        let found = found.iter().filter(|finding| finding.code == "leak");
        found
            .map(|finding| (finding.severity, finding.places.len()))
            .collect()
    };
    assert_eq!(leaks(&data, false), [(Error, 1); 4]);
    assert_eq!(leaks(&data, true), [(Warning, 1); 4]);
    assert_eq!(drop_leaks(&task(), &mut data), 4);
    assert_eq!(leaks(&data, false), []);
    assert_eq!(
        (data.source.train.len(), data.labelled_target.len()),
        (9, 0)
    );
    assert_eq!(drop_leaks(&task(), &mut data), 0);
}

#[test]
fn near_names_are_reported() {
    let mut examples = [
        clean("books", 30, 2),
        clean("films", 30, 2),
        clean("toys", 30, 2),
        clean("Toys ", 9, 2),
    ]
    .concat();
    for example in &mut examples {
        let code = if example.label.to_answer() == "positive" {
            "P1"
        } else {
            "N0"
        };
        let fields = &mut example.input.fields;
        fields.insert("code".into(), code.into());
        fields.insert("echo".into(), example.label.to_answer().to_uppercase());
    }
    let findings = lint(&examples, None, false);
    let of = |code: &str| -> Vec<&str> {
        let found = findings.iter().filter(|finding| finding.code == code);
        found.map(|finding| finding.message.as_str()).collect()
    };
    assert_eq!(
        of("near-equal-groups"),
        [
            "groups whose names differ only in case, spaces or punctuation: \"Toys \" (9), \
          \"toys\" (30); give them one name in the data if they are one group"
        ]
    );
    let fields = of("label-in-field");
    assert_eq!(fields.len(), 2, "{fields:?}");
    assert!(
        fields[0].contains("\"code\" tells the label (in 90 of 90"),
        "{fields:?}"
    );
}

#[test]
fn leaks_are_named_in_pairs() {
    let examples = [
        clean("books", 60, 3),
        clean("films", 60, 3),
        clean("toys", 60, 3),
    ]
    .concat();
    let mut data = groups()
        .split(&examples, &[], 1, UnlabelledDraw::Blind)
        .unwrap()
        .data;
    let sealed = data.audit.inputs().next().unwrap().clone();
    let text = sealed.field("text").to_owned();
    data.target.inputs[0].fields.insert("text".into(), text);
    let expect = format!("{} = {}", data.target.inputs[0].id, sealed.id);
    let findings = lint(&examples, Some(&data), false);
    let leak = findings
        .iter()
        .find(|finding| finding.code == "leak")
        .unwrap();
    assert_eq!(leak.places, [expect]);
}

#[test]
fn unlabelled_rows_are_counted() {
    let examples = [clean("books", 60, 2), clean("films", 60, 2)].concat();
    let blank = |group: &str, n| {
        clean(group, n, 2).into_iter().map(|mut example| {
            example.input.id.insert(0, 'b');
            example.input
        })
    };
    let unlabelled: Vec<Input> = blank("books", 5)
        .chain(blank("films", 6))
        .chain(blank("toys", 7))
        .collect();
    let (task, groups) = (task(), groups());
    let findings = DataLint {
        task: &task,
        groups: &groups,
        examples: &examples,
        unlabelled: &unlabelled,
        data: None,
        allow_leakage: false,
    }
    .run();
    let rows: Vec<String> = findings
        .iter()
        .filter(|finding| finding.code != "prevalence" && finding.code != "label-sorted")
        .map(LintFinding::to_string)
        .collect();
    assert_eq!(
        rows,
        [
            "warning[unlabelled-rows]: the source group \"books\" has 5 rows without a label \
             beside 60 with one: they are left aside",
            "info[unlabelled-rows]: the target group \"films\" has 6 rows without a label \
             beside 60 with one: they serve without one",
        ]
    );
}
