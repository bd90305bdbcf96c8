use shiftproof_search::event::GroupRole;
use shiftproof_tasks::{Answer, GradedAnswer, Input, Label, Prompt};

use super::*;

/// A task whose answers have the parts `a` and `b`, each right where its letter is said.
struct Letters;

impl Task for Letters {
    fn name(&self) -> &'static str {
        "letters"
    }
    fn seed(&self) -> Prompt {
        Prompt::new("Say a and b.")
    }
    fn answer_form(&self, _: &Input) -> shiftproof_tasks::AnswerForm {
        shiftproof_tasks::AnswerForm::Text { max_tokens: 9 }
    }
    fn parts(&self, answer: &Answer, _: &Label) -> Vec<(String, f64)> {
        let said = answer.to_text();
        ["a", "b"]
            .map(|part| (part.to_owned(), f64::from(said.contains(part))))
            .to_vec()
    }
}

fn example(id: &str, group: &str) -> Example {
    Input::new(id, group)
        .with_field("text", format!("text of {id}"))
        .with_label(Label::AnyOf(vec!["a b".into(), "b a".into()]))
}

fn said(text: &str, value: f64) -> ExampleAnswer {
    let answer = Answer::Text(text.into());
    ExampleAnswer {
        reply: Some(format!("I say: {text}")),
        reason: None,
        outcome: Some(Outcome::Scored(GradedAnswer { value, answer })),
    }
}

fn ended(outcome: Outcome) -> ExampleAnswer {
    ExampleAnswer {
        reply: Some("Hm".into()),
        reason: None,
        outcome: Some(outcome),
    }
}

fn scored(group: &str, value: Option<f64>) -> GroupOutcome {
    GroupOutcome {
        group: group.into(),
        role: GroupRole::Target,
        voted: false,
        value,
        low: None,
        high: None,
        n: 1,
        unparseable: 0,
        truncated: 0,
        failed: 0,
    }
}

fn table() -> Vec<AnswerRow> {
    let examples = [
        example("1", "books"),
        example("2", "books"),
        example("3", "films"),
        example("4", "films"),
        example("5", "films"),
        example("6", "films"),
        example("7", "films"),
    ];
    let answers = [
        said("a b", 1.0),
        said("b", 0.5),
        said("x", 0.0),
        ended(Outcome::Unparseable { text: "Hm".into() }),
        ended(Outcome::Truncated { text: "Hm".into() }),
        ExampleAnswer {
            reply: Some("too long".into()),
            ..ended(Outcome::Failed {
                reason: "too long".into(),
            })
        },
        ExampleAnswer::default(),
    ];
    rows(&Letters, &examples, &answers, 1)
}

#[test]
fn every_outcome_has_its_state() {
    let rows = table();
    let states: Vec<&str> = rows.iter().map(|row| row.state.name()).collect();
    assert_eq!(
        states,
        [
            "right",
            "partly",
            "wrong",
            "unparseable",
            "truncated",
            "failed",
            "unasked"
        ]
    );
    let scores: Vec<Option<f64>> = rows.iter().map(|row| row.score).collect();
    let counted = [Some(1.0), Some(0.5), Some(0.0), Some(0.0)];
    assert_eq!(scores[..4], counted);
    // What brought no answer is no score.
    assert_eq!(scores[4..], [None; 3]);
    assert_eq!(rows[0].label, "a b | b a");
    assert_eq!(rows[0].reply.as_deref(), Some("I say: a b"));
    assert_eq!(rows[0].input, "text of 1");
    assert_eq!(
        (rows[3].answer.as_deref(), rows[3].reply.as_deref()),
        (None, Some("Hm"))
    );
    assert_eq!(rows[5].reply.as_deref(), Some("too long"));
    // Of a refusal the reason stands where the reply would; beside a reply, it is told.
    let refused = rows[5].failing(false);
    assert_eq!(
        (refused.reason.as_deref(), refused.reply),
        (Some("too long"), None)
    );
    let mut ungraded = rows[5].clone();
    (ungraded.reply, ungraded.reason) = (Some("Yes.".into()), Some("the grader died".into()));
    let told = ungraded.failing(false).told();
    assert_eq!(
        told[2..],
        [
            ("why", "the grader died".to_owned()),
            ("reply", "Yes.".to_owned())
        ]
    );
    assert_eq!(rows[6].reply, None);
    for row in &rows {
        let name = serde_json::to_value(row.state).unwrap();
        assert_eq!(name, row.state.name());
    }
}

#[test]
fn weakest_group_comes_first() {
    let rows = table();
    let order = |books: Option<f64>, films: Option<f64>| -> Vec<String> {
        let groups = [scored("books", books), scored("films", films)];
        let failing = failures(&rows, &groups);
        failing.into_iter().map(|row| row.id.clone()).collect()
    };
    // Without a score first, then the lowest one; in the examples' order.
    assert_eq!(order(Some(0.75), Some(0.0)), ["5", "6", "3", "4", "2"]);
    assert_eq!(order(Some(0.1), Some(0.2)), ["2", "5", "6", "3", "4"]);
    assert_eq!(order(Some(0.1), None), ["5", "6", "3", "4", "2"]);
}

#[test]
fn parts_are_means_over_what_counts() {
    let parts = part_scores(&table());
    let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    // a: 1 of the four that count; b: 2 of them.
    assert_eq!((parts[0].score, parts[1].score), (0.25, 0.5));
    assert_eq!(parts[1].groups["books"], 1.0);
    assert_eq!(parts[1].groups["films"], 0.0);
    assert_eq!(part_scores(&[]), []);
}

#[test]
fn samples_are_spread_by_group() {
    let examples = [example("1", "films"), example("2", "films")];
    let samples = [
        [said("a b", 1.0), said("b", 0.5)],
        [said("a b", 1.0), said("x", 0.0)],
    ];
    let answers: Vec<AnswerRow> = (1..)
        .zip(&samples)
        .flat_map(|(number, sample)| rows(&Letters, &examples, sample, number))
        .collect();
    let scores = [
        vec![scored("films", Some(0.75))],
        vec![scored("films", Some(0.5))],
    ];
    let spreads = sample_spreads(&scores, &answers);
    let [spread] = spreads.as_slice() else {
        panic!("{spreads:?}");
    };
    assert_eq!((spread.samples, spread.mean), (2, 0.625));
    // |0.75 − 0.5| / √2
    assert!((spread.deviation - 0.25 / 2.0_f64.sqrt()).abs() < 1e-12);
    assert_eq!((spread.lowest, spread.highest), (0.5, 0.75));
    assert_eq!((spread.examples, spread.differing), (2, 1));
    assert_eq!(sample_spreads(&scores[..1], &answers), []);
}
