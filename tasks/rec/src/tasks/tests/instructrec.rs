//! Every legal cell, each form, and a model that takes what it is told.

use std::collections::BTreeSet;

use shiftproof_tasks::{Outcome, Request};

use super::*;

/// Films of five genres and twelve years; what a user watched is comedy, what they look for
/// is of the target's genre and year.
fn films() -> Arc<ItemCatalogue> {
    let genres = ["Comedy", "Crime", "Drama", "Horror", "War"];
    let item = |n: usize| Item {
        id: n.to_string(),
        title: format!("Story {n} ({})", 1980 + n % 12),
        attributes: [
            ("genres".to_owned(), genres[n % 5].to_owned()),
            ("year".to_owned(), (1980 + n % 12).to_string()),
        ]
        .into(),
    };
    Arc::new(ItemCatalogue::new((0..60).map(item).collect(), &[]))
}

fn title(n: usize) -> String {
    format!("Story {n} ({})", 1980 + n % 12)
}

/// Watched: comedies; to be ranked: ten films, the one at `right` being looked for.
fn example(id: usize, right: usize) -> Example {
    let candidates: Vec<String> = (0..10).map(|n| title((n * 7 + id) % 50)).collect();
    let liked = [title(50), title(55)].join("\n");
    Input::new(format!("u{id}"), "g")
        .with_field(field::HISTORY, format!("{liked}\n{}", title(58)))
        .with_field(field::LIKED, liked)
        .with_field(field::DISLIKED, title(58))
        .with_field(field::CANDIDATES, candidates.join("\n"))
        .with_label(Label::Relevant(vec![candidates[right].clone()]))
}

fn declared(options: serde_json::Value) -> TaskDeclaration {
    let spec: InstructRecSpec = serde_json::from_value(options).unwrap();
    spec.declare("study", Some(&films())).unwrap()
}

/// One evaluation by a model.
fn evaluate(task: &dyn Task, input: &Input, model: &dyn Fn(&Request) -> Reply) -> Reply {
    let prompt = task.seed();
    let mut replies = vec![model(&task.request(&prompt, input))];
    while replies.len() < task.calls() {
        match task.next(&prompt, input, &replies) {
            Some(request) => replies.push(model(&request)),
            None => break,
        }
    }
    task.conclude(input, replies)
}

const FORMS: [&str; 4] = ["pointwise", "pairwise", "matching", "rerank"];

#[test]
fn every_legal_cell_is_dealt() {
    for form in FORMS {
        let options = serde_json::json!({ "form": form, "held_out": true });
        let TaskDeclaration {
            task, templates, ..
        } = declared(options);
        let templates = templates.unwrap();
        let cells: BTreeSet<&str> = templates.names.iter().map(String::as_str).collect();
        assert_eq!(cells.len(), 16, "{form}");
        assert!(!cells.contains("none+none") && cells.contains("explicit+specific/held-out"));
        let mut examples: Vec<Example> = (0..32).map(|id| example(id, id % 10)).collect();
        templates.deal(&mut examples).unwrap();
        let mut shown = BTreeSet::new();
        for example in &examples {
            let name = example.input.field(field::TEMPLATE);
            let request = task.request(&task.seed(), &example.input);
            let text = &request.messages[0].content;
            let Label::Relevant(right) = &example.label else {
                panic!("{:?}", example.label)
            };
            // Told is what the cell tells, and nothing else.
            assert_eq!(
                text.contains("Story 50"),
                name.starts_with("implicit"),
                "{name}: {text}"
            );
            let tastes = text.contains("like Comedy.") || text.contains("fond of Comedy.");
            assert_eq!(tastes, name.starts_with("explicit"), "{name}: {text}");
            assert_eq!(
                text.contains("year: 19"),
                name.contains("+specific"),
                "{name}: {text}"
            );
            let intention = example.input.field(field::INTENTION);
            assert_eq!(intention.is_empty(), name.contains("+none"), "{name}");
            assert!(
                !crate::intention::tells(intention, &right[0]),
                "{intention}"
            );
            shown.insert(task.render(&example.input));
        }
        // Without candidates two users of one history may be asked alike.
        let least = if form == "matching" { 16 } else { 32 };
        assert!(shown.len() >= least, "{form}: {}", shown.len());
    }
}

/// A model that goes by what is looked for, as closely as it is told: the more it is told
/// the better it ranks, in every form.
#[test]
fn closer_intentions_rank_better() {
    for form in FORMS {
        let score = |intention: &str| {
            let options = serde_json::json!({
                "form": form, "preference": ["none", "implicit"], "intention": [intention], "candidates": 10
            });
            let TaskDeclaration {
                task, templates, ..
            } = declared(options);
            let mut examples: Vec<Example> = (0..24).map(|id| example(id, id % 10)).collect();
            templates.unwrap().deal(&mut examples).unwrap();
            let replies: Vec<Reply> = examples
                .iter()
                .map(|example| evaluate(task.as_ref(), &example.input, &reads))
                .collect();
            reduce(task.as_ref(), &examples, &replies)
        };
        let (none, vague, specific) = (score("none"), score("vague"), score("specific"));
        assert!(
            specific > vague && vague > none,
            "{form}: {specific} {vague} {none}"
        );
    }
}

/// How many of the words told of what is looked for an item has.
fn fit(text: &str, title: &str) -> usize {
    let catalogue = films();
    let item = catalogue.find(title).unwrap();
    let told: &str = text
        .lines()
        .find(|line| line.starts_with("Now the user"))
        .unwrap_or_default();
    let values = catalogue.items()[item as usize].attributes.values();
    values.filter(|value| told.contains(value.as_str())).count()
}

fn reads(request: &Request) -> Reply {
    let text = &request.messages[0].content;
    let mut all: Vec<String> = films().titles().map(str::to_owned).collect();
    match &request.answer {
        AnswerForm::Choice { .. } => {
            let (_, quoted) = text.rsplit_once("The item: \"").unwrap();
            let told = fit(text, quoted.trim_end_matches('"'));
            scored(&[told as f64, 0.5])
        }
        AnswerForm::MultipleChoice { options, .. } => {
            let better = fit(text, &options[1]) > fit(text, &options[0]);
            Reply::text(if better { "**B**" } else { "A." })
        }
        AnswerForm::Ranking { candidates } => {
            all.clone_from(candidates);
            all.sort_by_key(|title| std::cmp::Reverse(fit(text, title)));
            Reply::text(all.join("\n"))
        }
        AnswerForm::Text { .. } => {
            all.sort_by_key(|title| std::cmp::Reverse(fit(text, title)));
            all.truncate(10);
            Reply::text(all.join("\n"))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn pairs_take_turns_and_places() {
    let options = serde_json::json!({
        "form": "pairwise", "preference": ["implicit"], "intention": ["none"], "candidates": 4
    });
    let TaskDeclaration {
        task, templates, ..
    } = declared(options);
    let mut four = example(1, 2);
    let some: Vec<String> = (0..4).map(title).collect();
    four.input = four.input.with_field(field::CANDIDATES, some.join("\n"));
    let mut examples = [four];
    templates.unwrap().deal(&mut examples).unwrap();
    let [four] = examples;
    // Who says A whatever stands there is no judge of the first candidate: it loses the
    // second comparison.
    let reply = evaluate(task.as_ref(), &four.input, &|_| Reply::text("A"));
    let Answer::Ranking(order) = task.parse(&four.input, &reply) else {
        panic!("no ranking")
    };
    assert_eq!(order, [title(2), title(3), title(0), title(1)]);
    // Who evades is asked no more, and nothing was ranked.
    let asked = std::cell::Cell::new(0);
    let reply = evaluate(task.as_ref(), &four.input, &|_| {
        asked.set(asked.get() + 1);
        Reply::text("Hard to say.")
    });
    assert_eq!(asked.get(), 1);
    let outcome = task.score(&four, &reply);
    assert!(
        matches!(outcome, Outcome::Unparseable { .. }),
        "{outcome:?}"
    );
    let shown = task.demonstration(&four);
    assert!(shown.input.contains("A. ") && ["A", "B"].contains(&shown.answer.as_str()));
}

#[test]
fn wrong_options_and_examples_are_named() {
    let refused = |options| refused::<InstructRecSpec>(options, Some(&films()));
    let nothing =
        serde_json::json!({ "form": "rerank", "preference": ["none"], "intention": ["none"] });
    assert!(refused(nothing).contains("task.preference"));
    let many = serde_json::json!({ "form": "pairwise", "candidates": 1 });
    assert!(refused(many).contains("task.candidates"));
    assert!(refused(serde_json::json!({ "form": "listwise" })).contains("unknown variant"));
    let declared = declared(serde_json::json!({ "form": "pointwise", "candidates": 5 }));
    let error = declared
        .templates
        .unwrap()
        .deal(&mut [example(1, 2)])
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("has 10 candidates; this form of the task takes 2 to 5"),
        "{error}"
    );
    let outcome = declared.task.score(&example(1, 2), &Reply::text("Story 1"));
    assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
}
