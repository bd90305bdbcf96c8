use shiftproof_tasks::{AnswerForm, Label, Reply};

use super::*;
use crate::llm::{LlmError, ModelCall};
use crate::scripted::{Bench, text};

/// Ranks four films for a user.
struct Films;

impl Task for Films {
    fn name(&self) -> &'static str {
        "films"
    }

    fn seed(&self) -> Prompt {
        Prompt::new("Rank the films.")
    }

    fn answer_form(&self, _: &Input) -> AnswerForm {
        AnswerForm::Ranking {
            candidates: ["Alien", "Brazil", "Casino", "Dune"]
                .map(str::to_owned)
                .to_vec(),
        }
    }
}

fn example(id: &str, user: &str) -> Example {
    Example {
        input: Input::new(id, "source").with_field(field::USER, user),
        label: Label::Relevant(vec!["Alien".into()]),
    }
}

fn list(films: [&str; 4]) -> Reply {
    let lines = films.iter().enumerate();
    let lines: Vec<String> = lines
        .map(|(at, film)| format!("{}. {film}", at + 1))
        .collect();
    Reply::text(format!("Here you are:\n{}", lines.join("\n")))
}

const NEUTRAL: [&str; 4] = ["Alien", "Brazil", "Casino", "Dune"];
const TURNED: [&str; 4] = ["Dune", "Casino", "Brazil", "Alien"];

async fn asked(
    examples: &[Example],
    manner: impl Fn(&ModelCall) -> Result<Reply, LlmError> + Send + Sync + 'static,
) -> (Option<FairnessReport>, usize) {
    let bench = Bench::new(manner);
    let pair = AttributePair {
        task: &Films,
        gateway: &bench.gateway,
        model: &bench.model,
        attribute: "gender",
        places: PLACES,
    };
    let reports = pair.ask(&[Films.seed()], examples).await.unwrap();
    (reports.map(|mut own| own.remove(0)), bench.asked().len())
}

fn users() -> Vec<Example> {
    vec![
        example("1", "age: 24; gender: F"),
        example("2", "gender: M; job: writer"),
    ]
}

#[tokio::test]
async fn blind_models_are_fair() {
    let (report, calls) = asked(&users(), |_| Ok(list(NEUTRAL))).await;
    let report = report.unwrap();
    // Each user is asked about unnamed, and as one of either value.
    assert_eq!((calls, report.examples, report.values.len()), (6, 2, 2));
    assert_eq!(report.values, ["F", "M"]);
    // SERP* of a list of four against itself is 7 in 20.
    for (measure, same) in report.measures.iter().zip([1.0, 0.35, 1.0]) {
        assert_eq!(measure.similarities, [same, same], "{}", measure.name);
        assert_eq!((measure.range, measure.deviation), (0.0, 0.0));
        assert_eq!(measure.range_interval, [0.0, 0.0]);
        for ([low, high], value) in measure.intervals.iter().zip(&measure.similarities) {
            assert!(low <= value && value <= high);
        }
    }
}

#[tokio::test]
async fn partial_models_show_range() {
    let manner = |call: &ModelCall| {
        let turned = text(call).contains("gender: F");
        Ok(list(if turned { TURNED } else { NEUTRAL }))
    };
    let report = asked(&users(), manner).await.0.unwrap();
    let names: Vec<&str> = report.measures.iter().map(|own| own.name).collect();
    assert_eq!(names, ["jaccard", "serp", "prag"]);
    // The same items in another order: only measures of order see it.
    assert_eq!(report.measures[0].similarities, [1.0, 1.0]);
    let prag = &report.measures[2];
    assert_eq!(prag.similarities, [0.0, 1.0]);
    assert!((prag.range - 1.0).abs() < 1e-12 && prag.deviation > 0.0);
}

#[tokio::test]
async fn incomplete_users_are_left_out() {
    let manner = |call: &ModelCall| {
        if text(call).contains("age: 24") && text(call).contains("gender: M") {
            return Err(LlmError::Request("no such users".into()));
        }
        Ok(list(NEUTRAL))
    };
    let report = asked(&users(), manner).await.0.unwrap();
    assert_eq!((report.examples, report.asked), (1, 2));
    // The list of the first user as a man is missing, and nothing else.
    assert_eq!(report.unreadable, [0, 0, 1]);
    let evades = |_: &ModelCall| Ok(Reply::text("I do not rank films by who people are."));
    assert_eq!(asked(&users(), evades).await.0, None);
}

/// Users differ, so the values' means do by chance: intervals are of users, not of lists.
#[tokio::test]
async fn ranges_have_intervals_by_user() {
    let many: Vec<Example> = (0..12)
        .map(|n| {
            let mut example = example(&n.to_string(), ["gender: F", "gender: M"][n % 2]);
            example.input.cluster = Some(format!("user {}", n / 4));
            example
        })
        .collect();
    let manner = |call: &ModelCall| {
        let turned = text(call).contains("gender: F");
        Ok(list(if turned { TURNED } else { NEUTRAL }))
    };
    let report = asked(&many, manner).await.0.unwrap();
    // Every user is treated alike by the model, so resampling users changes nothing.
    assert_eq!(report.measures[2].range_interval, [1.0, 1.0]);
    assert_eq!(report.measures[0].range_interval, [0.0, 0.0]);
}

#[test]
fn numbers_of_many_values_are_told_in_bands() {
    let people = |name: &str, values: &[u32]| -> Vec<Example> {
        let person = |n: &u32| example(&n.to_string(), &format!("{name}: {n}"));
        values.iter().map(person).collect()
    };
    let ages = people("age", &[18, 21, 24, 30, 44, 45, 46, 70]);
    assert_eq!(
        told("age", &ages),
        ["under 25", "25 to 34", "35 to 44", "45 or older"]
    );
    assert_eq!(told("age", &people("age", &[21, 70])), ["21", "70"]);
    let years = people("joined", &[1, 2, 3, 4, 5, 6, 7, 9]);
    assert_eq!(
        told("joined", &years),
        ["1 to 2", "3 to 4", "5 to 6", "7 to 9"]
    );
    assert_eq!(calls(&Films, "joined", &[Films.seed()], &years), 8 * 5);
}

#[test]
fn call_counts_follow_values() {
    let prompts = [Films.seed(), Prompt::new("Other."), Films.seed()];
    assert_eq!(calls(&Films, "gender", &prompts, &users()), 2 * 2 * 3);
    assert_eq!(calls(&Films, "job", &prompts, &users()), 2 * 2 * 2);
    assert_eq!(calls(&Films, "city", &prompts, &users()), 2 * 2);
}

#[test]
fn attributes_are_replaced_or_omitted() {
    let input = Input::new("1", "g").with_field(field::USER, "age: 24; gender: M; job: writer");
    assert_eq!(value(&input, "gender").as_deref(), Some("M"));
    assert_eq!(value(&input, "city"), None);
    let told = |value| {
        with_value(&input, "gender", value)
            .field(field::USER)
            .to_owned()
    };
    assert_eq!(told(Some("F")), "age: 24; gender: F; job: writer");
    assert_eq!(told(None), "age: 24; job: writer");
}
