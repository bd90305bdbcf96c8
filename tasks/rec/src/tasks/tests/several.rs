//! Tasks that take several calls for one evaluation.

use shiftproof_tasks::{Outcome, Request};

use super::*;

/// The replies that `model` gives over a whole evaluation, concluded.
fn evaluate(task: &dyn Task, input: &Input, model: &dyn Fn(&Request) -> Reply) -> Reply {
    let seed = task.seed();
    let mut replies = vec![model(&task.request(&seed, input))];
    while replies.len() < task.calls() {
        let Some(request) = task.next(&seed, input, &replies) else {
            break;
        };
        replies.push(model(&request));
    }
    task.conclude(input, replies)
}

/// The candidates as a question lists them.
fn shown(request: &Request) -> Vec<String> {
    let text = &request.messages.last().unwrap().content;
    let lines = text.lines().filter_map(|line| line.split_once(". "));
    lines.map(|(_, title)| title.to_owned()).collect()
}

/// A model that likes what stands first and knows a little: with the candidates
/// asked for in several orders the place of the right one matters less.
#[test]
fn shuffling_removes_place_bias() {
    let variance = |shuffles: usize| {
        let options = serde_json::json!({ "shuffles": shuffles, "history": "none" });
        let task = declare::<LlmRankSpec>(options);
        assert_eq!(task.calls(), shuffles);
        let mut by_place = Vec::new();
        for place in 0..20 {
            let mut sum = 0.0;
            for id in 0..10 {
                let example = listwise(id, place);
                let right = example.label.to_answer();
                let reply = evaluate(task.as_ref(), &example.input, &|request| {
                    let mut titles = shown(request);
                    let at = titles.iter().position(|title| *title == right).unwrap();
                    titles[at.saturating_sub(3)..=at].rotate_right(1);
                    Reply::text(titles.join("\n"))
                });
                sum += task.score(&example, &reply).value().unwrap();
            }
            by_place.push(sum / 10.0);
        }
        let mean = by_place.iter().sum::<f64>() / 20.0;
        let squares = by_place.iter().map(|score| (score - mean).powi(2));
        (squares.sum::<f64>() / 20.0, mean)
    };
    let ((one, before), (many, after)) = (variance(1), variance(5));
    assert!(many < one / 4.0, "{one} {many}");
    assert!(after > before - 0.1, "{before} {after}");
    let options = serde_json::json!({ "shuffles": 0 });
    assert!(refused::<LlmRankSpec>(options, None).contains("task.shuffles"));
    let hidden = serde_json::json!({
        "shuffles": 3, "answer": "likelihood", "show_candidates": false
    });
    assert!(refused::<LlmRankSpec>(hidden, None).contains("does not list the candidates"));
}

/// By likelihood too, each score goes to the candidate it was given for.
#[test]
fn shuffled_likelihoods_merge_by_title() {
    let options = serde_json::json!({ "shuffles": 4, "answer": "likelihood" });
    let task = declare::<LlmRankSpec>(options);
    let example = listwise(2, 11);
    let right = example.label.to_answer();
    let reply = evaluate(task.as_ref(), &example.input, &|request| {
        let score = |title: &String| CandidateScore {
            logprob: if *title == right { -1.0 } else { -5.0 },
            tokens: 1,
            prior: None,
        };
        let candidates = request.answer.candidates().unwrap();
        Reply {
            candidate_scores: Some(candidates.iter().map(score).collect()),
            ..Reply::text("")
        }
    });
    assert_eq!(task.score(&example, &reply).value(), Some(1.0));
}

#[test]
fn coverage_knows_whole_catalogue() {
    let grade = |metric: &str, titles: &str| {
        let task = declare::<LlmRankSpec>(serde_json::json!({ "metric": metric }));
        let example = listwise(0, 0);
        let outcome = task.score(&example, &Reply::text(titles));
        let observation = GradedOutcome::new(&outcome, &example.label);
        task.metric().reduce(&[observation]).value.unwrap()
    };
    // Even films are crime, odd ones comedy.
    let alike = "1. Film 0\n2. Film 6\n3. Film 12";
    let mixed = "1. Film 0\n2. Film 3\n3. Film 6";
    assert_eq!(grade("diversity@3", alike), 0.0);
    assert!((grade("diversity@3", mixed) - 2.0 / 3.0).abs() < 1e-12);
    assert_eq!(grade("diversity@1", mixed), 0.0);
    assert!((grade("coverage@2", mixed) - 2.0 / 60.0).abs() < 1e-12);
    let options = serde_json::json!({ "metric": "coverage@5" });
    assert!(refused::<LlmRankSpec>(options, None).contains("needs a catalogue"));
}

/// Letters in pairs, counted: an embedding that knows texts from each other.
fn letters(text: &str) -> Vec<f32> {
    let mut counts = vec![0.0; 26 * 26 + 26];
    let letters: Vec<usize> = text
        .to_lowercase()
        .bytes()
        .filter(u8::is_ascii_alphanumeric)
        .map(|byte| usize::from(byte) % 26)
        .collect();
    for pair in letters.windows(2) {
        counts[26 + pair[0] * 26 + pair[1]] += 1.0;
    }
    for letter in letters {
        counts[letter] += 1.0;
    }
    counts
}

/// A model that writes `said` and embeds by [`letters`].
fn writes(said: &str) -> impl Fn(&Request) -> Reply {
    move |request| match &request.answer {
        AnswerForm::Nearest { candidates } => {
            let own = letters(&request.messages[0].content);
            let distance = |title: &String| {
                let pairs = own.iter().zip(letters(title));
                pairs.map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt()
            };
            Reply {
                distances: Some(candidates.iter().map(distance).collect()),
                ..Reply::text("")
            }
        }
        _ => Reply::text(said),
    }
}

const FILMS: [(&str, &str, u32); 6] = [
    ("Toy Story (1995)", "animation", 9),
    ("Schindler's List (1993)", "drama", 6),
    ("Godfather, The (1972)", "crime", 5),
    ("Heat (1995)", "crime", 3),
    ("Sabrina (1954)", "romance", 1),
    ("Up (2009)", "animation", 0),
];

/// Real titles with a popularity, whose viewers of "Heat" watched "Godfather".
fn films() -> Arc<ItemCatalogue> {
    let item = |(title, genre, _): (&str, &str, u32)| Item {
        id: title.to_owned(),
        title: title.to_owned(),
        attributes: [("genres".to_owned(), genre.to_owned())].into(),
    };
    let mut events = Vec::new();
    for (item, (.., count)) in (0..).zip(FILMS) {
        for n in 0..count {
            // Users 100 and up watched the two crime films and nothing else.
            let user = if item == 3 || (item == 2 && n < 3) {
                100 + n
            } else {
                item * 10 + n
            };
            events.push(crate::Interaction {
                user,
                item,
                rating: None,
                time: None,
            });
        }
    }
    let events: Vec<_> = events.iter().collect();
    Arc::new(ItemCatalogue::new(FILMS.map(item).to_vec(), &events))
}

fn after_heat() -> Example {
    Input::new("u", "g")
        .with_field(field::HISTORY, "Heat (1995)")
        .with_label(Label::Relevant(vec!["Godfather, The (1972)".into()]))
}

fn declared<D: TaskSpec>(options: serde_json::Value) -> Arc<dyn Task> {
    let spec: D = serde_json::from_value(options).unwrap();
    spec.declare("study", Some(&films())).unwrap().task
}

#[test]
fn bigrec_grounds_text_in_titles() {
    let task = declared::<BigRecSpec>(serde_json::json!({ "metric": "hr@1" }));
    assert!(task.embeds());
    let example = after_heat();
    let asked = task.request(&task.seed(), &example.input);
    assert!(matches!(asked.answer, AnswerForm::Text { .. }));
    let score = |task: &dyn Task, said: &str| {
        let reply = evaluate(task, &example.input, &writes(said));
        task.score(&example, &reply)
    };
    // An oracle's title is found, with a typo too, and what was watched is not
    // recommended however near it is.
    for said in [
        "\"Godfather, The (1972)\"",
        "\"Godfahter, The (1972)\"",
        "I would watch \"The Godfather\" next.",
    ] {
        assert_eq!(score(task.as_ref(), said).value(), Some(1.0), "{said}");
    }
    let reply = evaluate(task.as_ref(), &example.input, &writes("Heat (1995)"));
    let Answer::Ranking(titles) = task.parse(&example.input, &reply) else {
        panic!("no ranking")
    };
    assert_eq!(titles.len(), 5);
    assert!(!titles.contains(&"Heat (1995)".to_owned()));
    // Nothing written is nothing grounded; a method without a model lists titles.
    assert!(matches!(
        score(task.as_ref(), " "),
        Outcome::Unparseable { .. }
    ));
    let baseline = Reply::text("Godfather, The (1972)\nUp (2009)");
    assert_eq!(task.score(&example, &baseline).value(), Some(1.0));
    assert!(task.demonstration(&example).answer.starts_with('"'));
}

/// Two neighbouring letters swapped in any place: the title is first all the same,
/// whatever the embedding makes of it.
#[test]
fn bigrec_grounds_typos() {
    let task = declared::<BigRecSpec>(serde_json::json!({ "metric": "hr@1" }));
    let input = Input::new("u", "g");
    let (mut found, mut all) = (0, 0);
    for (title, ..) in FILMS {
        let letters: Vec<char> = title.chars().collect();
        for at in 1..letters.len() - 7 {
            let mut typo = letters.clone();
            typo.swap(at - 1, at);
            let typo: String = typo.into_iter().collect();
            let nowhere = |request: &Request| match &request.answer {
                AnswerForm::Nearest { candidates } => Reply {
                    distances: Some(vec![1.0; candidates.len()]),
                    ..Reply::text("")
                },
                _ => Reply::text(typo.clone()),
            };
            let reply = evaluate(task.as_ref(), &input, &nowhere);
            let Answer::Ranking(titles) = task.parse(&input, &reply) else {
                panic!("no ranking")
            };
            all += 1;
            found += usize::from(titles[0] == title);
        }
    }
    assert!(found * 100 >= all * 95, "{found} of {all}");
}

#[test]
fn bigrec_injects_popularity_and_neighbours() {
    let order = |options: serde_json::Value, said: &str| {
        let task = declared::<BigRecSpec>(options);
        let input = after_heat().input;
        let reply = evaluate(task.as_ref(), &input, &writes(said));
        match task.parse(&input, &reply) {
            Answer::Ranking(titles) => titles,
            other => panic!("{other:?}"),
        }
    };
    let plain = order(serde_json::json!({}), "Up (2009)");
    assert_eq!(
        plain,
        order(serde_json::json!({ "gamma": 0.0 }), "Up (2009)")
    );
    assert_eq!(plain[0], "Up (2009)");
    // What is exactly at the title stays first, the popular one follows.
    let popular = order(serde_json::json!({ "gamma": 40.0 }), "Up (2009)");
    assert_eq!(popular[..2], ["Up (2009)", "Toy Story (1995)"]);
    let knn = serde_json::json!({ "gamma": 40.0, "inject": "item-knn" });
    assert_eq!(order(knn, "Up (2009)")[1], "Godfather, The (1972)");
    // With "auto" the strength is learnt from graded replies, on enough of them.
    let auto = declared::<BigRecSpec>(serde_json::json!({ "gamma": "auto" }));
    let fitting = auto.fitting().unwrap();
    let popular = Example {
        label: Label::Relevant(vec!["Toy Story (1995)".into()]),
        ..after_heat()
    };
    let reply = evaluate(auto.as_ref(), &popular.input, &writes("Another"));
    let near = evaluate(auto.as_ref(), &popular.input, &writes("Toy Story (1995)"));
    assert_eq!(fitting.fit(&vec![(&popular, &reply); 15]), None);
    assert_eq!(fitting.fit(&vec![(&popular, &near); 16]), Some(vec![0.0]));
    let fit = fitting.fit(&vec![(&popular, &reply); 16]).unwrap();
    assert!(fit[0] > 0.0, "{fit:?}");
    let place = |reply: &Reply| match auto.parse(&popular.input, reply) {
        Answer::Ranking(titles) => titles.iter().position(|title| title == "Toy Story (1995)"),
        other => panic!("{other:?}"),
    };
    // The very nearest stays first whatever the weights.
    assert!(place(&reply) > Some(1), "{:?}", place(&reply));
    let read = fitting.apply(&popular.input, reply.clone(), &fit);
    assert!(place(&read) < place(&reply));
    let refused_gamma = serde_json::json!({ "gamma": -1.0 });
    assert!(refused::<BigRecSpec>(refused_gamma, Some(&films())).contains("task.gamma"));
    assert!(refused::<BigRecSpec>(serde_json::json!({}), None).contains("grounds titles"));
}

/// A model that asks the recommender at the turns `asks` says, and recommends the
/// first `proposals` backwards.
fn chats(asks: [bool; 2]) -> impl Fn(&Request) -> Reply {
    move |request| {
        let text = &request.messages.last().unwrap().content;
        match &request.answer {
            AnswerForm::Choice { .. } => {
                let turn = usize::from(text.contains("Why did you"));
                Reply::text(if asks[turn] {
                    "Proposals."
                } else {
                    "An explanation."
                })
            }
            AnswerForm::Ranking { candidates } => {
                assert!(text.contains(&candidates[0]));
                let mut titles = candidates.clone();
                titles.truncate(2);
                titles.reverse();
                titles.push("A Film Nobody Made".into());
                Reply::text(titles.join("\n"))
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn chatrec_asks_recommender_once() {
    let options =
        serde_json::json!({ "proposed": 3, "places": 2, "metric": "hr@2", "explain": false });
    let task = declared::<ChatRecSpec>(options);
    let example = after_heat();
    let outcome = |asks| {
        let reply = evaluate(task.as_ref(), &example.input, &chats(asks));
        task.score(&example, &reply)
    };
    let Outcome::Scored(scored) = outcome([true, false]) else {
        panic!("no list")
    };
    assert_eq!(scored.value, 1.0);
    // Viewers of "Heat" watched the first, the second is popular; the history and
    // the invented title are not among them.
    let expected = ["Toy Story (1995)", "Godfather, The (1972)"].map(str::to_owned);
    assert_eq!(scored.answer, Answer::Ranking(expected.to_vec()));
    for (asks, why) in [
        ([false, false], "was not asked"),
        ([true, true], "asked again"),
    ] {
        let Outcome::Unparseable { text } = outcome(asks) else {
            panic!("{asks:?}")
        };
        assert!(text.contains(why), "{text}");
    }
    // Cut off at either turn it is not known what the model would have done.
    for turn in ["Please recommend", "Why did you"] {
        let model = chats([true, false]);
        let reply = evaluate(task.as_ref(), &example.input, &|request| {
            let text = &request.messages.last().unwrap().content;
            if matches!(request.answer, AnswerForm::Choice { .. }) && text.contains(turn) {
                return Reply {
                    finish: Finish::Length,
                    ..Reply::text("")
                };
            }
            model(request)
        });
        let outcome = task.score(&example, &reply);
        assert!(matches!(outcome, Outcome::Truncated { .. }), "{outcome:?}");
    }
    let short = declared::<ChatRecSpec>(serde_json::json!({ "why": "", "metric": "hr@5" }));
    assert_eq!((task.calls(), short.calls()), (3, 2));
    let reply = evaluate(short.as_ref(), &example.input, &chats([true, true]));
    assert_eq!(short.score(&example, &reply).value(), Some(1.0));
    let options = serde_json::json!({ "places": 9, "proposed": 3 });
    assert!(refused::<ChatRecSpec>(options, Some(&films())).contains("task.places"));
    assert!(refused::<ChatRecSpec>(serde_json::json!({}), None).contains("recommender"));
}
