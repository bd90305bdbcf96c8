mod forms;
mod generec;
mod instructrec;
mod p5;
mod recommenders;
mod several;

use shiftproof_tasks::{
    Answer, AnswerForm, CandidateScore, Example, Finish, GradedOutcome, Input, Label, Metric,
    Reply, field,
};

use super::*;
use crate::Item;

fn catalogue() -> Arc<ItemCatalogue> {
    let item = |title: String, genre: &str| Item {
        id: title.clone(),
        title,
        attributes: [("genres".to_owned(), genre.to_owned())].into(),
    };
    let items = (0..60).map(|n| item(format!("Film {n} (1990)"), ["crime", "comedy"][n % 2]));
    Arc::new(ItemCatalogue::new(items.collect(), &[]))
}

fn declare<D: TaskSpec>(options: serde_json::Value) -> Arc<dyn Task> {
    let spec: D = serde_json::from_value(options).unwrap();
    spec.declare("study", Some(&catalogue())).unwrap().task
}

fn refused<D: TaskSpec>(
    options: serde_json::Value,
    catalogue: Option<&Arc<ItemCatalogue>>,
) -> String {
    match serde_json::from_value::<D>(options) {
        Ok(spec) => spec.declare("study", catalogue).unwrap_err().to_string(),
        Err(error) => error.to_string(),
    }
}

/// A list of 20 candidates of which the one at `place` is right.
fn listwise(id: u32, place: usize) -> Example {
    let candidates: Vec<String> = (0..20)
        .map(|n| format!("Film {} (1990)", (u32::try_from(n).unwrap() * 3 + id) % 60))
        .collect();
    Input::new(format!("u{id}"), "g")
        .with_field(field::HISTORY, "Heat (1995)\nBig (1988)")
        .with_field(field::CANDIDATES, candidates.join("\n"))
        .with_label(Label::Relevant(vec![candidates[place].clone()]))
}

fn pointwise(id: &str, liked: &str, label: &str) -> Example {
    Input::new(id, "g")
        .with_field(field::LIKED, liked)
        .with_field(field::DISLIKED, "Big (1988)")
        .with_field(field::HISTORY, format!("{liked}\nBig (1988)"))
        .with_field(field::HISTORY_TEXT, "title: Heat; year: 1995\ntitle: Big")
        .with_field(field::ITEM, "Up (2009)")
        .with_field(field::ITEM_TEXT, "title: Up; year: 2009")
        .with_field(field::USER, "age: 24")
        .with_label(Label::Class(label.into()))
}

fn reduce(task: &dyn Task, examples: &[Example], replies: &[Reply]) -> f64 {
    let outcomes: Vec<_> = examples
        .iter()
        .zip(replies)
        .map(|(example, reply)| task.score(example, reply))
        .collect();
    let observations: Vec<GradedOutcome<'_>> = outcomes
        .iter()
        .zip(examples)
        .map(|(outcome, example)| GradedOutcome::new(outcome, &example.label))
        .collect();
    task.metric().reduce(&observations).value.unwrap()
}

fn scored(logprobs: &[f64]) -> Reply {
    Reply {
        label_logprobs: Some(logprobs.to_vec()),
        ..Reply::text("")
    }
}

#[test]
fn tallrec_follows_its_paper() {
    let task = declare::<TallrecSpec>(serde_json::json!({ "item": "movie" }));
    let examples = [
        pointwise("1", "Heat (1995)\nAlien (1979)", "yes"),
        pointwise("2", "", "no"),
        pointwise("3", "Heat (1995)", "yes"),
        pointwise("4", "Heat (1995)", "no"),
    ];
    let request = task.request(&task.seed(), &examples[0].input);
    assert_eq!(
        request.messages[0].content,
        "Given the user's preference and unpreference, identify whether the user will like the \
         target movie by answering \"Yes.\" or \"No.\".\n\nUser Preference: \"Heat (1995)\", \
         \"Alien (1979)\"\nUser Unpreference: \"Big (1988)\"\nWhether the user will like the \
         target movie \"Up (2009)\"?"
    );
    let always = vec![scored(&[-0.1, -3.0]); 4];
    assert_eq!(reduce(task.as_ref(), &examples, &always), 0.5);
    let written = vec![Reply::text("Yes."); 4];
    assert_eq!(reduce(task.as_ref(), &examples, &written), 0.5);
    let knows: Vec<Reply> = [[-0.1, -3.0], [-2.0, -0.2], [-0.4, -1.0], [-0.4, -0.5]]
        .iter()
        .map(|scores| scored(scores))
        .collect();
    assert_eq!(reduce(task.as_ref(), &examples, &knows), 1.0);
    assert_eq!(task.demonstration(&examples[1]).answer, "No.");
    assert!(
        task.render(&examples[1].input)
            .contains("User Preference: \nUser Unpreference: \"Big (1988)\"\n")
    );
}

/// An echo of the candidates' order scores what chance does: N@10 .227.
#[test]
fn llmrank_echo_is_chance() {
    let task = declare::<LlmRankSpec>(serde_json::json!({}));
    let examples: Vec<Example> = (0..20).map(|n| listwise(n, n as usize)).collect();
    let echoes: Vec<Reply> = examples
        .iter()
        .map(|example| {
            let shown = task.render(&example.input);
            let (_, list) = shown.split_once("Candidates:\n").unwrap();
            Reply::text(list)
        })
        .collect();
    let score = reduce(task.as_ref(), &examples, &echoes);
    assert!((score - 0.227).abs() < 1e-3, "{score}");
    // A model that reads the truth is right, however it writes it.
    let oracle: Vec<Reply> = examples
        .iter()
        .map(|example| Reply::text(format!("1. **{}** - fits best", example.label.to_answer())))
        .collect();
    assert_eq!(reduce(task.as_ref(), &examples, &oracle), 1.0);
}

#[test]
fn llmrank_takes_history_controls() {
    let example = listwise(0, 0);
    for (history, piece) in [
        ("sequential", "1. Heat (1995)\n2. Big (1988)"),
        ("recency", "Most recently watched: Big (1988)"),
        ("in-context", "the right recommendation was: Big (1988)"),
    ] {
        let task = declare::<LlmRankSpec>(serde_json::json!({ "history": history }));
        assert!(task.render(&example.input).contains(piece), "{history}");
    }
    let none = declare::<LlmRankSpec>(serde_json::json!({ "history": "none" }));
    assert!(!none.render(&example.input).contains("Heat"));
    let options = serde_json::json!({ "history": "fake" });
    assert!(refused::<LlmRankSpec>(options, None).contains("task.history: a fake history"));
    let options = serde_json::json!({ "metric": "auc" });
    assert!(refused::<LlmRankSpec>(options, None).contains("task.metric: auc does not suit"));
    let options = serde_json::json!({ "metrics": "auc" });
    assert!(refused::<LlmRankSpec>(options, None).contains("unknown field `metrics`"));
}

/// A model that merely prefers short titles: corrected by what it says without a
/// history, rank and length are uncorrelated.
#[test]
fn lmrec_prior_removes_title_length() {
    let corrected = declare::<LmRecSpec>(serde_json::json!({ "scoring": "corrected" }));
    let total = declare::<LmRecSpec>(serde_json::json!({ "scoring": "total" }));
    let titles: Vec<String> = (0..20)
        .map(|n| format!("Film{}", " long".repeat(n)))
        .collect();
    let input = Input::new("u", "g")
        .with_field(field::HISTORY, "Heat (1995)")
        .with_field(field::CANDIDATES, titles.join("\n"));
    let request = corrected.request(&corrected.seed(), &input);
    let AnswerForm::Likelihood { candidates, prior } = &request.answer else {
        panic!("{request:?}")
    };
    assert_eq!(candidates, &titles);
    assert!(request.messages[0].content.contains("Heat"));
    assert!(!prior[0].content.contains("Heat"));
    assert_eq!(prior.last(), request.messages.last());
    // Three nats a word whoever asks, and a taste that has nothing to do with it.
    let scores: Vec<CandidateScore> = (0..20_u32)
        .map(|n| {
            let length = -3.0 * f64::from(n + 1);
            CandidateScore {
                logprob: length + f64::from((n * 7 + 2) % 20) * 0.1,
                tokens: n + 1,
                prior: Some(length),
            }
        })
        .collect();
    let reply = Reply {
        candidate_scores: Some(scores),
        ..Reply::text("")
    };
    let correlation = |task: &dyn Task| {
        let Answer::Ranking(ranked) = task.parse(&input, &reply) else {
            panic!("no ranking")
        };
        let pairs = ranked.iter().enumerate().map(|(place, title)| {
            let length = titles.iter().position(|other| other == title).unwrap();
            (place as f64 - 9.5) * (length as f64 - 9.5)
        });
        pairs.sum::<f64>() / (20.0 * 33.25)
    };
    let (before, after) = (correlation(total.as_ref()), correlation(corrected.as_ref()));
    assert!(before > 0.99, "{before}");
    assert!(after.abs() < 0.05, "{after}");
}

#[test]
fn lmrec_ranks_unseen_items() {
    let task = declare::<LmRecSpec>(serde_json::json!({}));
    let input = Input::new("u", "g").with_field(field::HISTORY, "Film 1 (1990)\nFilm 2 (1990)");
    let form = task.answer_form(&input);
    let candidates = form.candidates().unwrap();
    assert_eq!(candidates.len(), 58);
    assert!(!candidates.contains(&"Film 1 (1990)".to_owned()));
}

#[test]
fn liu_tasks_follow_paper() {
    let rating = declare::<LiuSpec>(serde_json::json!({ "form": "rating" }));
    let example = Example {
        label: Label::Number(4.0),
        ..pointwise("1", "Heat (1995)\nAlien (1979)", "yes")
    };
    assert_eq!(
        rating.render(&example.input),
        "Liked before: Heat (1995); Alien (1979)\nDisliked before: Big (1988)\nTo be rated: Up (2009)"
    );
    assert_eq!(rating.metric(), Metric::Rmse);
    assert_eq!(
        rating.score(&example, &Reply::text("4 out of 5")).value(),
        Some(1.0)
    );

    let sequential = declare::<LiuSpec>(serde_json::json!({ "form": "sequential" }));
    let mut next = listwise(3, 4);
    next.input.fields.remove(field::CANDIDATES);
    let reply = Reply::text("1. Film 8\n2. Film 15 (1990)\n3. A Film Nobody Made");
    let Answer::Ranking(titles) = sequential.parse(&next.input, &reply) else {
        panic!("no ranking")
    };
    assert_eq!(titles, ["Film 8 (1990)", "Film 15 (1990)"]);

    let direct = declare::<LiuSpec>(serde_json::json!({ "form": "direct" }));
    let example = listwise(3, 4);
    let reply = Reply::text(example.label.to_answer());
    assert_eq!(direct.score(&example, &reply).value(), Some(1.0));

    let options = serde_json::json!({ "form": "summary", "input": "Review: {text}" });
    let summary = declare::<LiuSpec>(options);
    let review = Input::new("1", "g")
        .with_field("text", "I loved it, all of it.")
        .with_label(Label::Text("Loved it".into()));
    let grade = summary.score(&review, &Reply::text("loved it")).value();
    assert_eq!(grade, Some(1.0));
    let options = serde_json::json!({ "form": "summary" });
    assert!(refused::<LiuSpec>(options, None).contains("task.input"));
    let options = serde_json::json!({ "form": "rating", "metric": "auc" });
    assert!(refused::<LiuSpec>(options, None).contains("auc does not suit"));
    let options = serde_json::json!({ "form": "rating", "scale": [5, 1] });
    assert!(refused::<LiuSpec>(options, None).contains("is no scale"));
    let options = serde_json::json!({ "form": "sequential" });
    assert!(refused::<LiuSpec>(options, None).contains("the data are no interactions"));
}

#[test]
fn gpt4rec_queries_find_new_titles() {
    let task = declare::<Gpt4RecSpec>(serde_json::json!({ "places": 10 }));
    let input = Input::new("u", "g").with_field(field::HISTORY, "Film 7 (1990)");
    let found = |text: &str| match task.parse(&input, &Reply::text(text)) {
        Answer::Ranking(titles) => titles,
        other => panic!("{other:?}"),
    };
    let one = found("film 7 9");
    assert_eq!(one.first().map(String::as_str), Some("Film 9 (1990)"));
    assert!(!one.contains(&"Film 7 (1990)".to_owned()));
    // The year and "film" are in every title, so a query finds ten either way;
    // five queries reach more genres than one.
    let genres = |titles: &[String]| {
        let catalogue = catalogue();
        let of = |title: &String| {
            let item = catalogue.find(title).unwrap();
            catalogue.items()[item as usize].attributes["genres"].clone()
        };
        titles
            .iter()
            .map(of)
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    };
    assert!(genres(&found("1. comedy\n2. crime")) > genres(&found("crime")));
    let nothing = Reply::text("zzz");
    assert!(matches!(
        task.parse(&input, &nothing),
        Answer::Unparseable { .. }
    ));
    assert!(refused::<Gpt4RecSpec>(serde_json::json!({}), None).contains("searches a catalogue"));
}

/// Kinds are shown to visitors by their own names, none twice.
#[test]
fn every_kind_is_registered_once() {
    #[derive(Default)]
    struct Names(Vec<&'static str>);
    impl TaskVisitor for Names {
        fn kind<D: TaskSpec + 'static>(&mut self) {
            self.0.push(D::KIND);
        }
    }
    let mut names = Names::default();
    visit(&mut names);
    let distinct: std::collections::BTreeSet<_> = names.0.iter().collect();
    assert_eq!(distinct.len(), names.0.len());
    assert_eq!(names.0[0], "classify");
}
