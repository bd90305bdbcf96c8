//! `GeneRec`: what is asked in which order, what the gate refuses, and that the text that
//! stands never gets worse.

use std::cell::RefCell;

use shiftproof_tasks::{Grade, Outcome, Request, Role};

use super::forms::{asked, last};
use super::*;
use crate::Interaction;

/// Four films; whoever watched Heat watched Fargo most often after it.
fn films() -> Arc<ItemCatalogue> {
    let item = |title: &str, genres: &str, year: &str| Item {
        id: title.to_owned(),
        title: title.to_owned(),
        attributes: [("genres", genres), ("year", year)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    };
    let items = vec![
        item("Heat (1995)", "Action, Crime", "1995"),
        item("Fargo (1996)", "Crime, Drama", "1996"),
        item("Raising Arizona (1987)", "Comedy", "1987"),
        item("Star Wars (1977)", "Sci-Fi", "1977"),
    ];
    let pairs = [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
        (2, 0),
        (2, 2),
        (3, 1),
        (3, 3),
    ];
    let events: Vec<Interaction> = pairs
        .map(|(user, item)| Interaction {
            user,
            item,
            rating: Some(4.0),
            time: None,
        })
        .into();
    let catalogue = ItemCatalogue::new(items, &events.iter().collect::<Vec<_>>());
    Arc::new(catalogue.called(Some("movie")))
}

fn generec(options: serde_json::Value) -> Arc<dyn Task> {
    let spec: GeneRecSpec = serde_json::from_value(options).unwrap();
    spec.declare("study", Some(&films())).unwrap().task
}

/// A viewer of Heat who watched Star Wars next.
fn viewer() -> Example {
    Input::new("u", "g")
        .with_field(field::USER, "age: 24")
        .with_field(field::HISTORY, "Heat (1995)")
        .with_field(field::HISTORY_RATINGS, "5")
        .with_field(field::LIKED, "Heat (1995)")
        .with_label(Label::Relevant(vec!["Star Wars (1977)".into()]))
}

fn is_rating(request: &Request) -> bool {
    last(request).contains("Would this user want it?")
}

/// Writes these texts in turn, and finds each worth what `worth` says of it.
fn play(
    task: &dyn Task,
    texts: &[&str],
    worth: &dyn Fn(&str) -> f64,
) -> (Vec<Request>, Reply, Outcome) {
    let left = RefCell::new(texts.iter());
    let example = viewer();
    let (requests, reply) = asked(task, &example.input, &|request| {
        if is_rating(request) {
            let chance: f64 = worth(last(request));
            return scored(&[chance.ln(), (1.0 - chance).ln()]);
        }
        Reply::text(*left.borrow_mut().next().unwrap())
    });
    let outcome = task.score(&example, &reply);
    (requests, reply, outcome)
}

/// Worth more the more often a text says "cold".
fn colder(question: &str) -> f64 {
    0.3 + 0.2 * question.matches("cold").count() as f64
}

const WARM: &str = "Fargo (1996), crime and drama in the snow.";
const COLD: &str = "Fargo (1996), cold crime and drama.";
const COLDER: &str = "Fargo (1996), cold, cold crime and drama.";
const WRONG: &str = "Fargo (1997), cold, cold, cold crime and drama.";

#[test]
fn rounds_ask_letter_for_letter() {
    let task = generec(serde_json::json!({ "user": true, "words": 20 }));
    assert_eq!((task.calls(), task.metric()), (5, Metric::Preference));
    let (requests, reply, outcome) = play(task.as_ref(), &[COLD, COLDER], &colder);
    let said: Vec<Vec<(Role, &str)>> = requests
        .iter()
        .map(|request| {
            let messages = request.messages.iter();
            messages.map(|m| (m.role, m.content.as_str())).collect()
        })
        .collect();
    let opening = "Put the text about this movie into words that show this user what they will \
                   like about it.\n\n\
                   User: age: 24\nRated by the user before, oldest first:\nHeat (1995): 5\n\n\
                   Retrieved:\ntitle: Fargo (1996); genres: Crime, Drama; year: 1996\n\n\
                   Write the text for this user, in at most 20 words. Name its title, its year \
                   and its genres as they are, and no other title, year or genre. Answer with \
                   the text and nothing else.";
    let rating = |text: &str| {
        format!(
            "User: age: 24\nRated by the user before, oldest first:\nHeat (1995): 5\n\nThis is \
             what the user reads about a movie:\n{text}\n\nWould this user want it? Answer yes \
             or no."
        )
    };
    let retrieved = rating("title: Fargo (1996); genres: Crime, Drama; year: 1996");
    let [first, second] = [COLD, COLDER].map(rating);
    assert_eq!(
        said,
        [
            vec![(Role::User, opening)],
            vec![(Role::User, retrieved.as_str())],
            vec![(Role::User, first.as_str())],
            vec![
                (Role::User, opening),
                (Role::Assistant, COLD),
                (
                    Role::User,
                    "That text is accepted: the preference is 50.0 of 100, before it was 30.0. \
                     Write another one."
                ),
            ],
            vec![(Role::User, second.as_str())],
        ]
    );
    assert_eq!(requests[0].answer, AnswerForm::Text { max_tokens: 92 });
    assert_eq!(requests[1].answer, AnswerForm::choice(["yes", "no"]));
    assert_eq!(reply.text, COLDER);
    assert!((outcome.value().unwrap() - 0.7).abs() < 1e-12);
    // What came after the history is in no question, and in no answer that is shown.
    let all = requests.iter().flat_map(|request| &request.messages);
    assert!(
        all.clone()
            .all(|message| !message.content.contains("Star Wars"))
    );
}

/// Whatever is written and however it is found, the preference of what stands never falls.
#[test]
fn accepted_rounds_never_lower_preference() {
    let texts = [WARM, COLD, COLDER, WRONG, "", "Just watch it."];
    let mut accepted = 0;
    for order in 0..texts.len().pow(3) {
        let chosen = [order % 6, order / 6 % 6, order / 36].map(|at| texts[at]);
        let mut before = colder("");
        for rounds in 0..=3 {
            let task = generec(serde_json::json!({ "rounds": rounds }));
            let (_, reply, outcome) = play(task.as_ref(), &chosen, &colder);
            let now = outcome.value().unwrap();
            assert!(now >= before - 1e-12, "{chosen:?}: {before} to {now}");
            // It is the worth of the text that is shown, and that one may be shown.
            assert!((now - colder(&reply.text)).abs() < 1e-12, "{chosen:?}");
            assert!(!reply.text.contains("1997") && reply.text.contains("Fargo (1996)"));
            accepted += usize::from(now > before + 1e-12);
            before = now;
        }
    }
    assert!(accepted > 100, "{accepted}");
}

#[test]
fn gate_refuses_and_says_why() {
    let told = |options: serde_json::Value, text: &str| {
        let task = generec(options);
        let (requests, reply, outcome) = play(task.as_ref(), &[text, text], &colder);
        // The preference of what was retrieved, and of no text that was refused.
        assert_eq!(
            requests.iter().filter(|r| is_rating(r)).count(),
            1,
            "{text}"
        );
        assert!((outcome.value().unwrap() - 0.3).abs() < 1e-12, "{text}");
        assert!(reply.text.starts_with("title: Fargo (1996)"), "{text}");
        let shown = requests[2].messages.last().unwrap().content.clone();
        assert!(shown.starts_with("That text is refused: "), "{shown}");
        reply.grade_reason.unwrap()
    };
    let edit = || serde_json::json!({ "words": 8 });
    for (text, why) in [
        (WRONG, "the year 1996 is not in it"),
        (
            "Cold crime and drama of 1996.",
            "the title \"Fargo (1996)\" is not in it",
        ),
        ("Fargo (1996), cold drama.", "the genre Crime is not in it"),
        (
            "Fargo (1996): crime, drama, comedy.",
            "it names the genre Comedy",
        ),
        (
            "Fargo (1996): crime, drama, 2020.",
            "it names the year 2020",
        ),
        (
            "Fargo (1996): drama, crime, no Star Wars.",
            "\"Star Wars (1977)\"",
        ),
        (
            "Fargo (1996), crime, drama, and so on, and on.",
            "9 words, and 8",
        ),
        ("", "nothing was written"),
    ] {
        let story = told(edit(), text);
        assert!(story.starts_with("round 1 refused: "), "{story}");
        assert!(story.contains(why), "{story}");
    }
    let create = || serde_json::json!({ "mode": "create" });
    for (text, why) in [
        ("\"Fargo\", once more.", "it names the title \"Fargo\""),
        ("A comedy in the snow.", "it names the genre Comedy"),
        ("A crime drama of 1950.", "it names the year 1950"),
    ] {
        assert!(told(create(), text).contains(why), "{text}");
    }
    let retrieve = || serde_json::json!({ "mode": "retrieve" });
    let story = told(retrieve(), "Something for the weekend.");
    assert!(story.contains("it chooses nothing that was retrieved"));
}

#[test]
fn new_items_and_choices_stand() {
    let create = generec(serde_json::json!({ "mode": "create", "rounds": 1 }));
    let text = "\"White Out\": a cold, cold crime drama.";
    let (requests, reply, _) = play(create.as_ref(), &[text], &colder);
    assert_eq!(reply.text, text);
    let rule = "Name no genre but Action, Crime, Drama, no year, and no title of a movie that \
                there is.";
    assert!(last(&requests[0]).contains(rule), "{}", last(&requests[0]));
    let retrieve = generec(serde_json::json!({ "mode": "retrieve", "rounds": 1 }));
    let likes = |question: &str| {
        if question.contains("Arizona") {
            0.8
        } else {
            0.3
        }
    };
    let (requests, reply, outcome) = play(retrieve.as_ref(), &["Raising Arizona"], &likes);
    assert!(last(&requests[0]).contains("1. title: Fargo (1996)"));
    assert_eq!(
        reply.text,
        "title: Raising Arizona (1987); genres: Comedy; year: 1987"
    );
    assert!((outcome.value().unwrap() - 0.8).abs() < 1e-12);
    // What stands already is not asked about again.
    let (requests, reply, _) = play(retrieve.as_ref(), &["1. Fargo (1996)"], &likes);
    assert_eq!(requests.len(), 2);
    assert!(
        reply
            .grade_reason
            .unwrap()
            .contains("the text is the one before")
    );
}

#[test]
fn preferences_are_read_or_told_apart() {
    let example = viewer();
    let run = |options: serde_json::Value, rate: &dyn Fn(usize) -> Reply| {
        let task = generec(options);
        let rated = RefCell::new(0);
        let (_, reply) = asked(task.as_ref(), &example.input, &|request| {
            if last(request).contains("Write the text") {
                return Reply::text(COLD);
            }
            *rated.borrow_mut() += 1;
            rate(*rated.borrow())
        });
        (task.score(&example, &reply), reply.grade_reason)
    };
    let one = || serde_json::json!({ "rounds": 1 });
    let stars = || serde_json::json!({ "rounds": 1, "preference": "rating" });
    let words = run(one(), &|n| Reply::text(["No.", "**Yes**"][n - 1])).0;
    assert_eq!(words.value(), Some(1.0));
    let rating = run(stars(), &|n| Reply::text(["3", "4 out of 5"][n - 1])).0;
    assert_eq!(rating.value(), Some(0.75));
    // An unreadable preference of a text: the text before stands.
    let (outcome, story) = run(stars(), &|n| Reply::text(["2", "Hard to say."][n - 1]));
    assert_eq!(outcome.value(), Some(0.25));
    assert!(story.unwrap().contains("its preference could not be read"));
    // Of what was retrieved: nothing is known of the evaluation, whatever else was said.
    let evades = run(one(), &|_| Reply::text("Hard to say.")).0;
    assert!(matches!(evades, Outcome::Unparseable { .. }), "{evades:?}");
    let finished = |finish| {
        move |_: usize| Reply {
            finish,
            ..Reply::text("Well")
        }
    };
    let cut = run(one(), &finished(Finish::Length)).0;
    assert!(matches!(cut, Outcome::Truncated { .. }), "{cut:?}");
    let withheld = run(one(), &finished(Finish::Filtered)).0;
    assert!(matches!(withheld, Outcome::Failed { .. }), "{withheld:?}");
    // What is cut off or withheld while it is written is no text.
    for (finish, why) in [
        (Finish::Length, "it was cut off before its end"),
        (Finish::Filtered, "a content filter withheld it"),
    ] {
        let task = generec(one());
        let (_, reply) = asked(task.as_ref(), &example.input, &|request| {
            if is_rating(request) {
                return scored(&[-1.0, -1.0]);
            }
            Reply {
                finish,
                ..Reply::text(COLD)
            }
        });
        assert!(reply.grade_reason.as_deref().unwrap().contains(why));
        assert_eq!(task.score(&example, &reply).value(), Some(0.5));
    }
}

#[test]
fn fidelity_counts_what_may_be_shown() {
    let task = generec(serde_json::json!({ "rounds": 4, "metric": "fidelity" }));
    let texts = [COLD, WRONG, WARM, COLDER];
    let (_, _, outcome) = play(task.as_ref(), &texts, &colder);
    assert_eq!(outcome.value(), Some(0.75));
    assert!(!task.metric().judges() && task.metric().is_mean());
}

#[test]
fn labels_and_lists_grade_no_text() {
    let task = generec(serde_json::json!({}));
    let example = viewer();
    // A method without a language model writes a list, which no user was asked about.
    let list = task.parse(&example.input, &Reply::text("Star Wars (1977)"));
    let graded = task.grade(&list, &example.label);
    assert!(matches!(graded, Outcome::Failed { .. }), "{graded:?}");
    let shown = task.demonstration(&example);
    assert!(shown.answer.starts_with("title: Star Wars"), "{shown:?}");
    let mut had_all = viewer();
    let all: Vec<String> = films().titles().map(str::to_owned).collect();
    had_all.input = had_all.input.with_field(field::HISTORY, all.join("\n"));
    let (_, reply) = asked(task.as_ref(), &had_all.input, &|_| Reply::text("yes"));
    assert!(matches!(reply.grade, Some(Grade::Failed(_))), "{reply:?}");
    assert_eq!(task.score(&had_all, &reply).value(), None);
}

#[test]
fn options_that_do_nothing_are_refused() {
    let films = films();
    let told = |options: serde_json::Value| refused::<GeneRecSpec>(options, Some(&films));
    let check = |options, expected: &str| {
        let told = told(options);
        assert!(told.contains(expected), "{told}");
    };
    check(
        serde_json::json!({ "mode": "invent" }),
        "unknown variant `invent`",
    );
    check(serde_json::json!({ "round": 1 }), "unknown field `round`");
    check(serde_json::json!({ "proposed": 0 }), "task.proposed");
    let one = serde_json::json!({ "mode": "retrieve", "proposed": 1 });
    check(one, "two or more to choose from");
    check(serde_json::json!({ "words": 0 }), "task.words");
    check(serde_json::json!({ "window": 0 }), "task.window");
    check(
        serde_json::json!({ "metric": "ndcg@10" }),
        "use preference or fidelity",
    );
    let none = serde_json::json!({ "metric": "fidelity", "rounds": 0 });
    check(none, "task.rounds is 0");
    let sasrec = serde_json::json!({ "recommender": "sasrec" });
    check(sasrec, "sasrec has not been trained");
    let told = refused::<GeneRecSpec>(serde_json::json!({}), None);
    assert!(told.contains("no interactions"), "{told}");
    let fidelity = refused::<LlmRankSpec>(serde_json::json!({ "metric": "preference" }), None);
    assert!(fidelity.contains("does not suit rankings"), "{fidelity}");
}
