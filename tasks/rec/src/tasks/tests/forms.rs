//! Forms of the papers: what is asked, letter for letter, and how answers come together.

use shiftproof_tasks::{Outcome, Request};

use super::*;

/// All calls of one evaluation.
pub(super) fn asked(
    task: &dyn Task,
    input: &Input,
    model: &dyn Fn(&Request) -> Reply,
) -> (Vec<Request>, Reply) {
    let prompt = task.seed();
    let mut requests = vec![task.request(&prompt, input)];
    let mut replies = vec![model(&requests[0])];
    while replies.len() < task.calls() {
        let Some(request) = task.next(&prompt, input, &replies) else {
            break;
        };
        replies.push(model(&request));
        requests.push(request);
    }
    (requests, task.conclude(input, replies))
}

pub(super) fn last(request: &Request) -> &str {
    &request.messages.last().unwrap().content
}

/// Table 1 of the paper: the candidate, the titles newest first, the two words.
#[test]
fn prompt4nr_asks_four_templates_apart() {
    let task = declare::<Prompt4NrSpec>(serde_json::json!({ "view": "all", "item": "article" }));
    let example = pointwise("1", "Heat (1995)", "yes");
    let (requests, _) = asked(task.as_ref(), &example.input, &|_| scored(&[-1.0, -1.0]));
    let texts: Vec<&str> = requests
        .iter()
        .map(|request| last(request).split_once("\n\n").unwrap().1)
        .collect();
    assert_eq!(
        texts,
        [
            "\"Up (2009)\" is ___ to \"Big (1988)\", \"Heat (1995)\".\nWhich word fills the gap, \
             related or unrelated?",
            "The user feels ___ about \"Up (2009)\" according to his area of interest \
             \"Big (1988)\", \"Heat (1995)\".\nWhich word fills the gap, interesting or boring?",
            "User: \"Big (1988)\", \"Heat (1995)\"\nThe article: \"Up (2009)\"\nDoes the user click \
             the article? Answer yes or no.",
            "Recommending \"Up (2009)\" to the user is a ___ choice according to \"Big (1988)\", \
             \"Heat (1995)\".\nWhich word fills the gap, good or bad?",
        ]
    );
    let words: Vec<&[String]> = requests
        .iter()
        .map(|request| request.answer.labels().unwrap())
        .collect();
    assert_eq!(words[0], ["related", "unrelated"]);
    assert_eq!(words[3], ["good", "bad"]);
}

/// A model with a strong bias to one word: the margins still order the examples, and the
/// sum over the views orders them better than views that are noise.
#[test]
fn prompt4nr_margins_survive_bias() {
    let examples: Vec<Example> = (0..8)
        .map(|n| pointwise(&n.to_string(), "Heat (1995)", ["no", "yes"][n % 2]))
        .collect();
    let score = |task: &dyn Task, noisy: bool| {
        let replies: Vec<Reply> = (0..8_usize)
            .map(|n| {
                let model = |request: &Request| {
                    let words = request.answer.labels().unwrap();
                    let bias = if words[0] == "yes" { 4.0 } else { -4.0 };
                    // All views but the last are as much noise as signal.
                    let noise = if noisy && words[0] != "good" {
                        ((n * 5 + words[0].len()) % 3) as f64 * 0.4
                    } else {
                        0.0
                    };
                    let signal = if n % 2 == 1 { 0.5 } else { 0.0 };
                    scored(&[bias + noise + signal, 0.0])
                };
                asked(task, &examples[n].input, &model).1
            })
            .collect();
        reduce(task, &examples, &replies)
    };
    let view = |view: &str| declare::<Prompt4NrSpec>(serde_json::json!({ "view": view }));
    for name in ["relevance", "emotion", "action", "utility"] {
        assert_eq!(view(name).metric(), Metric::Auc);
        assert_eq!(score(view(name).as_ref(), false), 1.0, "{name}");
    }
    let all = view("all");
    assert_eq!(all.calls(), 4);
    assert!(score(view("action").as_ref(), true) < 1.0);
    assert!(score(all.as_ref(), true) > score(view("action").as_ref(), true));
}

#[test]
fn prompt4nr_views_in_words_are_votes() {
    let all = declare::<Prompt4NrSpec>(serde_json::json!({ "view": "all" }));
    let example = pointwise("1", "Heat (1995)", "yes");
    let outcome = |words: [&str; 4]| {
        let call = std::cell::Cell::new(0);
        let model = |_: &Request| {
            let at = call.replace(call.get() + 1);
            Reply::text(words[at])
        };
        let (_, reply) = asked(all.as_ref(), &example.input, &model);
        all.score(&example, &reply)
    };
    let margin = |words| match outcome(words) {
        Outcome::Scored(scored) => match scored.answer {
            Answer::Class { label, margin } => (label, margin.unwrap()),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    assert_eq!(
        margin(["Related.", "interesting", "No", "good"]),
        ("yes".into(), 2.0)
    );
    assert_eq!(
        margin(["unrelated", "**boring**", "no", "Good"]),
        ("no".into(), -2.0)
    );
    // Who evades speaks neither for nor against; who always does says nothing.
    assert_eq!(
        margin(["unrelated", "Hard to say.", "?", "I cannot tell."]).1,
        -1.0
    );
    let evaded = outcome(["Hard to say.", "?", "I can't.", "Well."]);
    assert!(matches!(evaded, Outcome::Unparseable { .. }), "{evaded:?}");
    let withheld = |_: &Request| Reply {
        finish: Finish::Filtered,
        ..Reply::text("")
    };
    let (_, reply) = asked(all.as_ref(), &example.input, &withheld);
    assert!(matches!(
        all.score(&example, &reply),
        Outcome::Failed { .. }
    ));
}

/// Titles are cut as in the paper's code: ten words in the history, twenty of the candidate.
#[test]
fn prompt4nr_cuts_long_titles() {
    let task = declare::<Prompt4NrSpec>(serde_json::json!({ "window": 1 }));
    let long = |word: &str| vec![word; 30].join(" ");
    let input = Input::new("1", "g")
        .with_field(field::HISTORY, format!("old\n{}", long("h")))
        .with_field(field::ITEM, long("c"))
        .with_field(field::KIND, "book");
    let shown = task.render(&input);
    let quoted = |word: &str, n: usize| format!("\"{}\"", vec![word; n].join(" "));
    assert!(
        shown.contains(&format!(
            "User: {}\nThe book: {}\n",
            quoted("h", 10),
            quoted("c", 20)
        )),
        "{shown}"
    );
}

#[test]
fn m6_tells_when_and_what_before() {
    let example = pointwise("1", "Heat (1995)", "yes");
    let input = example
        .input
        .with_field(field::TIME, "Saturday, 21:40")
        .with_field(field::HISTORY_AGO, "3 days ago\n5 minutes ago")
        .with_field(field::POPULARITY, "more popular than 93% of items")
        .with_field(field::CATEGORY_CLICKS, "Comedy: 3\nDrama: 0");
    let options = serde_json::json!({ "action": "watched" });
    let task = declare::<M6Spec>(options);
    assert_eq!(
        task.render(&input),
        "A user (age: 24) on Saturday, 21:40.\n\
         The user watched title: Big, 5 minutes ago.\n\
         The user watched title: Heat; year: 1995, 3 days ago.\n\
         The candidate is title: Up; year: 2009.\n\
         It is more popular than 93% of items.\n\
         Of its category Comedy the user watched 3 before.\n\
         Of its category Drama the user watched 0 before."
    );
    // The most recent alone fits, and nothing else is told.
    let options = serde_json::json!({
        "words": 3, "action": "watched", "time": false, "category": false, "popularity": false
    });
    let short = declare::<M6Spec>(options);
    assert_eq!(
        short.render(&input),
        "A user (age: 24).\nThe user watched title: Big.\nThe candidate is title: Up; year: 2009."
    );
    let answer = short.parse(&input, &scored(&[-1.0, -2.0]));
    assert_eq!(answer.vote().as_deref(), Some("yes"));
}

/// A book is no movie: the row says what it is, the task may say otherwise.
#[test]
fn items_are_called_what_they_are() {
    let input = pointwise("1", "Heat (1995)", "yes")
        .input
        .with_field(field::KIND, "book");
    let by_data = declare::<TallrecSpec>(serde_json::json!({}));
    assert!(
        by_data
            .render(&input)
            .contains("the target book \"Up (2009)\"?")
    );
    let by_task = declare::<TallrecSpec>(serde_json::json!({ "item": "audiobook" }));
    assert!(by_task.render(&input).contains("the target audiobook"));
    let catalogue = Arc::new(catalogue().as_ref().clone().called(Some("song")));
    let spec: TallrecSpec = serde_json::from_value(serde_json::json!({})).unwrap();
    let declared = spec.declare("study", Some(&catalogue)).unwrap();
    assert!(
        declared
            .task
            .seed()
            .instruction
            .contains("the target song by answering")
    );
}

#[test]
fn liu_shows_ratings_of_the_users_own() {
    let options = serde_json::json!({ "form": "rating", "shots": 1 });
    let few = declare::<LiuSpec>(options);
    let input = pointwise("1", "Heat (1995)", "yes")
        .input
        .with_field(field::HISTORY_RATINGS, "5\n2");
    assert_eq!(
        few.render(&input),
        "Rated by the user before, oldest first:\nBig (1988): 2\nTo be rated: Up (2009)"
    );
    let options = serde_json::json!({ "form": "direct", "shots": 1 });
    let direct = declare::<LiuSpec>(options);
    let shown = direct.render(&listwise(1, 2).input);
    assert!(
        shown.contains("1. Heat (1995)\nAfter these, the right recommendation was: Big (1988)"),
        "{shown}"
    );
    for (form, shots, key) in [("direct", 2, "use 0 or 1"), ("summary", 1, "no past")] {
        let options = serde_json::json!({ "form": form, "shots": shots, "input": "{text}" });
        let error = refused::<LiuSpec>(options, Some(&catalogue()));
        assert!(
            error.contains("task.shots") && error.contains(key),
            "{error}"
        );
    }
}

#[test]
fn gpt4rec_samples_queries_one_by_one() {
    let options = serde_json::json!({ "queries": 3, "places": 10, "one_by_one": true });
    let task = declare::<Gpt4RecSpec>(options);
    let input = Input::new("u", "g").with_field(field::HISTORY, "Film 7 (1990)");
    let call = std::cell::Cell::new(0);
    let model = |_: &Request| {
        let at = call.replace(call.get() + 1);
        Reply::text(["Film 9", "1. \"film 11\"", "film 13"][at])
    };
    let (requests, reply) = asked(task.as_ref(), &input, &model);
    assert_eq!(reply.text, "Film 9\nfilm 11\nfilm 13");
    assert_eq!(requests[2].messages.len(), 5);
    assert_eq!(requests[2].messages[3].content, "film 11");
    let Answer::Ranking(titles) = task.parse(&input, &Reply::text("film 9\nfilm 11 1990\nzzz"))
    else {
        panic!("no list")
    };
    assert!(titles.contains(&"Film 11 (1990)".to_owned()));
    // A model that writes nothing is not asked for more.
    let (requests, _) = asked(task.as_ref(), &input, &|_| Reply::text(""));
    assert_eq!(requests.len(), 1);
    // Titles alone, as in the paper, know no genre.
    let titles = declare::<Gpt4RecSpec>(serde_json::json!({ "attributes": false }));
    assert!(matches!(
        titles.parse(&input, &Reply::text("comedy")),
        Answer::Unparseable { .. }
    ));
}

/// A dialogue with an explanation that says `why`.
fn explained(why: &str) -> Outcome {
    let task = declare::<ChatRecSpec>(serde_json::json!({ "proposed": 5, "places": 2 }));
    let example = listwise(0, 0);
    let model = |request: &Request| match &request.answer {
        AnswerForm::Choice { .. } if last(request).contains("Why did you") => {
            Reply::text("explanation")
        }
        AnswerForm::Choice { .. } => Reply::text("proposals"),
        AnswerForm::Ranking { candidates } => Reply::text(candidates[..2].join("\n")),
        AnswerForm::Text { .. } => {
            assert!(last(request).contains("Explain it to the user"));
            let recommended = &request.messages[3].content;
            let first = recommended
                .lines()
                .next()
                .unwrap()
                .trim_start_matches("1. ");
            Reply::text(why.replace("{item}", first))
        }
        other => panic!("{other:?}"),
    };
    let (requests, reply) = asked(task.as_ref(), &example.input, &model);
    assert_eq!((requests.len(), task.calls()), (4, 4));
    task.score(&example, &reply)
}

#[test]
fn chatrec_explains_by_what_was_shown() {
    for grounded in [
        "Because you watched Heat (1995), \"{item}\" will grip you too.",
        "{item} is a crime story much like the ones you enjoy.",
        "You seem to like crime, so this is for you.",
    ] {
        assert!(
            matches!(explained(grounded), Outcome::Scored(_)),
            "{grounded}"
        );
    }
    for (invented, why) in [
        (
            "As you loved \"Alien (1979)\", {item} fits.",
            "Alien (1979)",
        ),
        // In the catalogue, but neither proposed nor seen.
        (
            "You liked Film 58 (1990), and {item} is like it.",
            "Film 58",
        ),
        (
            "I think you will have a great evening.",
            "neither the item nor the history",
        ),
    ] {
        let Outcome::Unparseable { text } = explained(invented) else {
            panic!("{invented}")
        };
        assert!(
            text.contains("not of what was shown") && text.contains(why),
            "{text}"
        );
    }
}

#[test]
fn lists_are_described_by_their_items() {
    let items = catalogue().items().to_vec();
    // Films 0 to 4 of 60 are watched, film 4 most.
    let events: Vec<crate::Interaction> = (0..5_u32)
        .flat_map(|item| {
            (0..=item).map(move |user| crate::Interaction {
                user,
                item,
                rating: None,
                time: None,
            })
        })
        .collect();
    let known = Arc::new(ItemCatalogue::new(
        items,
        &events.iter().collect::<Vec<_>>(),
    ));
    let score = |metric: &str, text: &str| {
        let options = serde_json::json!({ "form": "sequential", "metric": metric });
        let spec: LiuSpec = serde_json::from_value(options).unwrap();
        let task = spec.declare("study", Some(&known)).unwrap().task;
        let mut example = listwise(9, 0);
        example.input.fields.remove(field::CANDIDATES);
        reduce(task.as_ref(), &[example], &[Reply::text(text)])
    };
    let list = "1. Film 4 (1990)\n2. Film 30 (1990)";
    assert!((score("popularity@2", list) - 59.0 / 120.0).abs() < 1e-12);
    assert_eq!(score("tail@2", list), 0.5);
    assert_eq!(score("tail@1", list), 0.0);
    let written = "1. Film 4 (1990)\n2. Film 30 (1990)\n3. A Story Nobody Told\n4. Zorro";
    assert_eq!(score("in-catalogue", written), 0.5);
    assert_eq!(score("in-catalogue", list), 1.0);
    let error = refused::<LiuSpec>(
        serde_json::json!({ "form": "direct", "metric": "gini@5" }),
        None,
    );
    assert!(error.contains("needs a catalogue"), "{error}");
}
