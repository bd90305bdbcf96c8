//! Templates as groups.

use std::collections::{BTreeMap, BTreeSet};

use shiftproof_tasks::lint::drop_leaks;
use shiftproof_tasks::{
    Data, LabelReads, LabelledTarget, Outcome, SealedAudit, Source, UnlabelledTarget,
};

use super::*;

const TEMPLATES: [&str; 6] = [
    "seen-1",
    "seen-2",
    "seen-3",
    "seen-4",
    "held-out-1",
    "held-out-2",
];

fn options(family: &str) -> serde_json::Value {
    match family {
        "explanation" => serde_json::json!({ "family": family, "input": "{item}: {text}" }),
        "review" => serde_json::json!({ "family": family, "input": "{text}" }),
        _ => serde_json::json!({ "family": family }),
    }
}

fn declared(options: serde_json::Value) -> TaskDeclaration {
    let spec: P5Spec = serde_json::from_value(options).unwrap();
    spec.declare("study", Some(&catalogue())).unwrap()
}

fn wrapped(mut example: Example, template: &str) -> Example {
    let fields = &mut example.input.fields;
    fields.insert(field::TEMPLATE.to_owned(), template.to_owned());
    example
}

/// An example that every family can show.
fn any(id: u32) -> Example {
    let Example { input, label } = listwise(id, 4);
    input
        .with_field(field::LIKED, "Heat (1995)")
        .with_field(field::DISLIKED, "Big (1988)")
        .with_field(field::ITEM, "Up (2009)")
        .with_field("text", "I loved it, all of it.")
        .with_label(label)
}

#[test]
fn family_templates_share_one_input() {
    for (family, shown) in [
        (
            "rating",
            vec!["Heat (1995)", "Big (1988)", "Up (2009)", "1", "5"],
        ),
        ("sequential", vec!["Heat (1995)", "Big (1988)"]),
        (
            "direct",
            vec!["Heat (1995)", "Big (1988)", "Film 15 (1990)"],
        ),
        ("explanation", vec!["Up (2009): I loved it, all of it."]),
        ("review", vec!["I loved it, all of it."]),
    ] {
        let declaration = declared(options(family));
        assert_eq!(declaration.templates.unwrap().names, TEMPLATES);
        let task = declaration.task;
        let described = any(3).input.with_field(field::USER, "age: 24");
        let mut texts = BTreeSet::new();
        let mut describe = 0;
        for template in TEMPLATES {
            let example = wrapped(any(3), template);
            let text = task.render(&example.input);
            for piece in &shown {
                assert!(text.contains(piece), "{family} {template}: {text}");
            }
            assert!(!text.contains(['{', '}']), "{family} {template}: {text}");
            // Of a user of whom nothing is known, nothing is said.
            assert!(!text.contains("User:") && !text.contains("()"), "{text}");
            let request = task.request(&task.seed(), &example.input);
            let content = &request.messages[0].content;
            assert_eq!(content, &format!("{}\n\n{text}", task.seed().instruction));
            let named = wrapped(described.clone().with_label(any(3).label), template);
            describe += usize::from(task.render(&named.input).contains("age: 24"));
            texts.insert(text);
        }
        assert_eq!(texts.len(), TEMPLATES.len(), "{family}");
        // The user is described in some templates, held-out ones among them.
        assert_eq!(describe, 2, "{family}");
    }
}

#[test]
fn families_grade_in_own_form() {
    let score = |family: &str, label: Label, reply: &str| {
        let task = declared(options(family)).task;
        let example = wrapped(Example { label, ..any(3) }, "held-out-1");
        let outcome = task.score(&example, &Reply::text(reply));
        (task.metric(), outcome.value().unwrap())
    };
    let four = Label::Number(4.0);
    assert_eq!(score("rating", four, "4 out of 5"), (Metric::Rmse, 1.0));
    let right = any(3).label;
    let listed = format!("1. Film 3\n2. {}", right.to_answer());
    let (metric, grade) = score("direct", right.clone(), &listed);
    assert_eq!(metric, Metric::Ndcg(10));
    assert!((grade - 1.0 / 3.0_f64.log2()).abs() < 1e-12, "{grade}");
    let (metric, grade) = score("sequential", right, "Film 15 (1990)");
    assert_eq!((metric, grade), (Metric::Ndcg(10), 1.0));
    for family in ["explanation", "review"] {
        let text = Label::Text("Loved it".into());
        assert_eq!(score(family, text, "loved it"), (Metric::RougeL, 1.0));
    }
    // Without candidates of its own an example is ranked over the catalogue.
    let task = declared(options("sequential")).task;
    let mut next = wrapped(any(3), "seen-1").input;
    next.fields.remove(field::CANDIDATES);
    assert!(!task.render(&next).contains("Candidates"));
    let reply = Reply::text("1. Film 8\n2. A Film Nobody Made");
    assert_eq!(
        task.parse(&next, &reply),
        Answer::Ranking(vec!["Film 8 (1990)".into()])
    );
}

/// The prior asks in the same template, so that a title gains nothing by
/// following its last words well.
#[test]
fn likelihood_corrects_within_template() {
    let task = declared(serde_json::json!({
        "family": "sequential", "answer": "likelihood", "scoring": "corrected", "lead": "It is",
    }))
    .task;
    let input = wrapped(any(3), "held-out-2").input;
    let request = task.request(&task.seed(), &input);
    let AnswerForm::Likelihood { candidates, prior } = &request.answer else {
        panic!("{request:?}")
    };
    assert_eq!(candidates.len(), 20);
    assert!(!request.messages[0].content.contains("Candidates"));
    let without = request.messages[0]
        .content
        .replace("Heat (1995)\nBig (1988)", "none");
    assert_eq!(prior[0].content, without);
    assert_eq!(prior[1], request.messages[1]);
}

/// Group scores of a model that is asked, with every example in one template.
fn spread(model: impl Fn(&str, &Example) -> Reply) -> (BTreeMap<String, f64>, f64) {
    let TaskDeclaration {
        task, templates, ..
    } = declared(serde_json::json!({ "family": "direct", "metric": "ndcg@10" }));
    let mut examples: Vec<Example> = (0..60).map(|id| listwise(id, id as usize % 20)).collect();
    templates.unwrap().deal(&mut examples).unwrap();
    let mut groups: BTreeMap<String, Vec<Example>> = BTreeMap::new();
    for example in examples {
        let group = example.input.group.clone();
        groups.entry(group).or_default().push(example);
    }
    let scores: BTreeMap<String, f64> = groups
        .into_iter()
        .map(|(group, examples)| {
            let replies: Vec<Reply> = examples
                .iter()
                .map(|example| {
                    let request = task.request(&task.seed(), &example.input);
                    model(&request.messages[0].content, example)
                })
                .collect();
            (group, reduce(task.as_ref(), &examples, &replies))
        })
        .collect();
    let most = scores.values().copied().fold(f64::MIN, f64::max);
    let least = scores.values().copied().fold(f64::MAX, f64::min);
    (scores, most - least)
}

#[test]
fn template_overfit_shows_spread() {
    let knows = |example: &Example| Reply::text(example.label.to_answer());
    let (scores, even) = spread(|_, example| knows(example));
    assert_eq!(scores.len(), TEMPLATES.len());
    assert_eq!(even, 0.0, "{scores:?}");
    let seen = [
        "Those that suit the user are wanted.",
        "Which of these suit the user?",
        "Recommend from this list",
        "What should be offered now",
    ];
    let (scores, uneven) = spread(|text, example| {
        if seen.iter().any(|piece| text.contains(piece)) {
            knows(example)
        } else {
            Reply::text("I do not understand.")
        }
    });
    assert_eq!(uneven, 1.0, "{scores:?}");
    for (group, score) in scores {
        assert_eq!(score, if group.starts_with("seen") { 1.0 } else { 0.0 });
    }
}

#[test]
fn p5_groups_are_its_templates() {
    let group = |groups: &str| {
        let declaration = declared(serde_json::json!({ "family": "direct", "groups": groups }));
        let mut examples = vec![any(1)];
        declaration.templates.unwrap().deal(&mut examples).unwrap();
        // Dealt examples can be asked about.
        assert!(!declaration.task.render(&examples[0].input).is_empty());
        examples.remove(0).input.group
    };
    assert_eq!(
        [group("template"), group("data"), group("both")],
        ["seen-1", "g", "g/seen-1"]
    );
}

#[test]
fn example_without_template_fails() {
    let task = declared(options("direct")).task;
    let reason = |example: &Example| match task.score(example, &Reply::text("Film 15 (1990)")) {
        Outcome::Failed { reason } => reason,
        other => panic!("{other:?}"),
    };
    assert!(reason(&any(3)).contains("\"u3\" has no field \"template\""));
    let other = wrapped(any(3), "seen-9");
    assert!(reason(&other).contains("the template \"seen-9\"; there is seen-1, seen-2"));
    assert_eq!(task.parse(&any(3).input, &Reply::text("1")).vote(), None);
}

/// One text in two templates is still one text.
#[test]
fn leaks_are_found_behind_rewording() {
    let task = declared(options("direct")).task;
    let twin = |id: &str, template| {
        let mut example = wrapped(any(3), template);
        example.input.id = id.to_owned();
        example
    };
    let (search, sealed) = (twin("a", "seen-1"), twin("b", "held-out-1"));
    assert_ne!(task.render(&search.input), task.render(&sealed.input));
    let reads = LabelReads::default();
    let mut data = Data {
        source: Source {
            train: vec![search, wrapped(any(4), "seen-1")],
            validation: Vec::new(),
        },
        target: UnlabelledTarget::default(),
        labelled_target: LabelledTarget::new(Vec::new(), reads.clone()),
        audit: SealedAudit::new(vec![sealed], reads.clone()),
        reads,
    };
    assert_eq!(drop_leaks(task.as_ref(), &mut data), 1);
    assert_eq!(data.source.train[0].input.id, "u4");
    // Without a wording a demonstration fits to none.
    let shown = task.demonstration(&data.source.train[0]).input;
    assert_eq!(
        shown,
        "The user watched before, oldest first:\n1. Heat (1995)\n2. Big (1988)"
    );
}

#[test]
fn wrong_options_are_named() {
    for (options, catalogue, piece) in [
        (serde_json::json!({}), None, "missing field `family`"),
        (
            serde_json::json!({ "family": "summary" }),
            None,
            "unknown variant `summary`",
        ),
        (
            serde_json::json!({ "family": "direct", "groups": "user" }),
            None,
            "unknown variant `user`",
        ),
        (
            serde_json::json!({ "family": "direct", "templates": "all" }),
            None,
            "unknown field `templates`",
        ),
        (
            serde_json::json!({ "family": "direct", "window": 0 }),
            None,
            "task.window: shows nothing",
        ),
        (
            serde_json::json!({ "family": "direct", "metric": "rmse" }),
            None,
            "task.metric: rmse does not suit rankings",
        ),
        (
            serde_json::json!({ "family": "sequential" }),
            None,
            "task.family: sequential grounds titles in the catalogue",
        ),
        (
            serde_json::json!({ "family": "rating", "input": "{item}" }),
            Some(catalogue()),
            "task.input: this family's templates show the input themselves",
        ),
        (
            serde_json::json!({ "family": "rating", "scale": [5, 1] }),
            None,
            "[5, 1] is no scale",
        ),
        (
            serde_json::json!({ "family": "review" }),
            None,
            "task.input: says not how an input is shown",
        ),
        (
            serde_json::json!({ "family": "explanation", "input": "{text" }),
            None,
            "task.input: `{` is never closed",
        ),
        (
            serde_json::json!({ "family": "review", "input": "{text}", "metric": "auc" }),
            None,
            "auc does not suit",
        ),
    ] {
        let error = refused::<P5Spec>(options, catalogue.as_ref());
        assert!(error.contains(piece), "{error}");
    }
}

/// A method without a model is graded as the model is, by metrics of lists too.
#[test]
fn lists_grade_by_items() {
    let options = serde_json::json!({ "family": "sequential", "metric": "diversity@2" });
    let task = declared(options).task;
    let label = Label::Relevant(vec!["Film 0 (1990)".into()]);
    let grade = |titles: [&str; 2]| {
        let answer = Answer::Ranking(titles.map(str::to_owned).to_vec());
        task.grade(&answer, &label).value()
    };
    // Even films are crime, odd ones comedy.
    assert_eq!(grade(["Film 0 (1990)", "Film 2 (1990)"]), Some(0.0));
    assert_eq!(grade(["Film 0 (1990)", "Film 3 (1990)"]), Some(1.0));
}
