use proptest::prelude::*;

use super::*;

fn labels(reply: &str, labels: &[&str], expect: Option<&str>) {
    check(
        &AnswerForm::choice(labels.iter().copied()),
        &Reply::text(reply),
        expect,
    );
}

/// What an answer amounts to: its vote, a ranking's items one a line, `None` if
/// unparseable.
fn check(form: &AnswerForm, reply: &Reply, expect: Option<&str>) {
    let said = match parse(form, reply) {
        Answer::Ranking(items) => Some(items.join("\n")),
        other => other.vote(),
    };
    assert_eq!(said.as_deref(), expect, "{:?}", reply.text);
}

#[test]
fn one_of_two() {
    for (reply, expect) in [
        ("positive", "positive"),
        (" Positive.\n", "positive"),
        ("\"NEGATIVE\"", "negative"),
        ("**Negative**", "negative"),
        ("`positive`", "positive"),
        ("- positive", "positive"),
        ("(positive)", "positive"),
        ("Answer: positive", "positive"),
        ("**Answer:** *Positive*!", "positive"),
        ("The answer is negative.", "negative"),
        ("Sentiment = negative", "negative"),
        ("{\"label\": \"positive\"}", "positive"),
        ("{\"positive\": 0.2, \"negative\": 0.8}", "negative"),
        ("The review is positive", "positive"),
        (
            "I would call this a negative review, on balance",
            "negative",
        ),
        // The leading label is the answer, the rest explains it.
        ("Positive. The review is not negative", "positive"),
        ("Positive, not negative", "positive"),
        ("Negative - positive words are used with irony", "negative"),
        ("negative (a positive tone, though)", "negative"),
        ("Positive\nNegative points are few", "positive"),
        // The last marked answer is the conclusion.
        (
            "Some negative points, many positive ones. Answer: positive",
            "positive",
        ),
        (
            "Answer: negative? Let me see. Final answer: positive.",
            "positive",
        ),
        (
            "Classification: Negative\nReason: no positive word",
            "negative",
        ),
        // A negated label leaves the other one, where that is affirmed.
        ("It is not positive but negative", "negative"),
        ("This isn't negative; it is positive", "positive"),
        ("Is it positive or negative? It is negative.", "negative"),
        ("<think>negative, or is it?</think>\npositive", "positive"),
    ] {
        labels(reply, &["positive", "negative"], Some(expect));
    }
    for reply in [
        "",
        " \n",
        "neutral",
        "not positive",
        "Not positive.",
        "The review is not positive",
        "This is not a very positive review",
        "It isn\u{2019}t really positive",
        "Answer: not negative",
        "non-positive",
        "neither positive nor negative",
        "positive and negative",
        "positive or negative?",
        "positive/negative",
        "Positive, negative",
        "\"positive\", \"negative\"",
        "Positive. Negative.",
        "Positive, negative and in between",
        "positively glowing",
        "positive-ish",
        "{\"positive\": 0.5, \"negative\": 0.5}",
        "{\"positive\": \"pros\", \"negative\": \"cons\"}",
        "It has positive and negative sides",
        "Positive?",
        "it is positive, yet it is not positive",
        "<think>positive",
    ] {
        labels(reply, &["positive", "negative"], None);
    }
}

#[test]
fn awkward_sets() {
    let nested = [
        "very positive",
        "positive",
        "not recommended",
        "recommended",
    ];
    labels("It is very positive", &nested, Some("very positive"));
    labels("It is positive", &nested, Some("positive"));
    labels("not recommended", &nested, Some("not recommended"));
    labels(
        "I think it is Not Recommended.",
        &nested,
        Some("not recommended"),
    );
    labels("very positive, positive", &nested, None);

    labels("No, it is not", &["yes", "no"], Some("no"));
    labels("No because it lags", &["yes", "no"], Some("no"));
    labels("There is no doubt", &["yes", "no"], None);
    labels("Yes, no doubt", &["yes", "no"], Some("yes"));
    labels("yesterday", &["yes", "no"], None);

    labels("A", &["A", "B"], Some("A"));
    labels("a good film", &["A", "B"], None);
    labels("The answer is B) because", &["A", "B"], Some("B"));

    labels("4", &["4", "5"], Some("4"));
    labels("4.5", &["4", "5"], None);
    labels("4/5", &["4", "5"], Some("4"));
    labels("I give it 4.", &["4", "5"], Some("4"));

    labels("C++", &["C", "C++"], Some("C++"));
    labels("written in C++, I think", &["C", "C++"], Some("C++"));
    labels("ÉTÉ", &["été", "hiver"], Some("été"));
    // Letter for letter comes before any folding.
    labels("a", &["A", "a"], Some("a"));
    labels("anything", &[], None);
}

#[test]
fn truncated_reply_needs_leading_label() {
    let form = AnswerForm::choice(["positive", "negative"]);
    let cut = |text: &str| Reply {
        finish: Finish::Length,
        ..Reply::text(text)
    };
    check(&form, &cut("Positive. The review"), Some("positive"));
    check(&form, &cut("At first it seems positive, but"), None);
    let filtered = Reply {
        finish: Finish::Filtered,
        ..Reply::text("positive")
    };
    check(&form, &filtered, None);
    let range = AnswerForm::Number {
        min: 0.0,
        max: 100.0,
    };
    check(&range, &cut("I give it 4"), None);
    check(&range, &cut("I give it 4 because"), Some("4"));
}

#[test]
fn log_probabilities_come_first() {
    let scored = |logprobs: &[f64]| Reply {
        label_logprobs: Some(logprobs.to_vec()),
        ..Reply::text("a")
    };
    let two = AnswerForm::choice(["a", "b"]);
    let class = |label: &str, margin| Answer::Class {
        label: label.into(),
        margin,
    };
    assert_eq!(parse(&two, &scored(&[-3.0, -1.0])), class("b", Some(-2.0)));
    assert_eq!(parse(&two, &scored(&[-1.0, -1.0])), class("a", Some(0.0)));
    assert_eq!(
        parse(&two, &scored(&[-1.0, f64::NEG_INFINITY])),
        class("a", Some(1000.0))
    );
    for unsound in [
        &[f64::NAN, -1.0][..],
        &[-1.0],
        &[-1.0, -1.0, -1.0],
        &[],
        &[f64::NEG_INFINITY, f64::NEG_INFINITY],
        &[f64::INFINITY, 0.0],
    ] {
        check(&two, &scored(unsound), None);
    }
    let three = AnswerForm::choice(["a", "b", "c"]);
    assert_eq!(
        parse(&three, &scored(&[-2.0, -1.0, -1.0])),
        class("b", None)
    );
}

#[test]
fn numbers_are_read() {
    let stars = AnswerForm::Number { min: 1.0, max: 5.0 };
    for (reply, expect) in [
        ("4", Some("4")),
        (" 4. ", Some("4")),
        ("4.5 stars", Some("4.5")),
        ("4/5", Some("4")),
        ("4 / 5.", Some("4")),
        ("4 out of 5 stars", Some("4")),
        ("5/5", Some("5")),
        ("Rating: **3**", Some("3")),
        ("I thought of 3 at first. Rating: 4", Some("4")),
        ("4, yes, 4", Some("4")),
        ("In 2023 I would have said 2", Some("2")),
        ("+3", Some("3")),
        ("3★", Some("3")),
        ("0.5 or rather 1.5", None),
        ("GPT4 says 2", Some("2")),
        ("8/10", None),
        ("4/10", None),
        ("between 3 and 4", None),
        ("3-4", None),
        ("4,5", Some("4.5")),
        ("-4", None),
        ("−4", None),
        ("7", None),
        ("four", Some("4")),
        ("4th", None),
        ("1.2.3", None),
        ("", None),
        ("<think>3</think>4", Some("4")),
    ] {
        check(&stars, &Reply::text(reply), expect);
    }
    let wide = AnswerForm::Number {
        min: -1.0,
        max: 10_000.0,
    };
    check(&wide, &Reply::text("1,234.5"), Some("1234.5"));
    check(&wide, &Reply::text("about .5"), Some("0.5"));
    check(&wide, &Reply::text("-0.25"), Some("-0.25"));
    check(&wide, &Reply::text("9".repeat(400)), None);
}

#[test]
fn rankings_are_read() {
    let films = ["Alien", "Heat", "1984", "12 Monkeys", "Jaws"];
    let form = AnswerForm::Ranking {
        candidates: films.map(Into::into).to_vec(),
    };
    for (reply, expect) in [
        ("1. Heat\n2. Alien", "Heat\nAlien"),
        ("1) heat\n2) 1984\n3) 12 Monkeys", "Heat\n1984\n12 Monkeys"),
        ("1984\n12 Monkeys", "1984\n12 Monkeys"),
        ("- **Jaws**\n* \"Heat\"\n• Alien", "Jaws\nHeat\nAlien"),
        ("**1. Jaws**\n**2. Heat**", "Jaws\nHeat"),
        ("#1 Jaws\n#2 Heat", "Jaws\nHeat"),
        (
            "Here you go:\n\n1. Heat\n2. Up\n3. Heat\n4. Jaws",
            "Heat\nJaws",
        ),
        ("[\"Jaws\", \"heat\", \"Up\"]", "Jaws\nHeat"),
        ("```json\n[\"Jaws\",\n \"Alien\"]\n```", "Jaws\nAlien"),
        ("Jaws, Heat, alien.", "Jaws\nHeat\nAlien"),
        ("My ranking:\nJaws > Heat > 1984", "Jaws\nHeat\n1984"),
        ("Heat", "Heat"),
        // Prose counts in the order in which it names candidates.
        ("I like Heat and Alien", "Heat\nAlien"),
        ("[1, 5]", "Alien\nJaws"),
    ] {
        check(&form, &Reply::text(reply), Some(expect));
    }
    for reply in ["", "[1, 9]", "[1, 1]", "[", "1.\n2.", "][", "Aliens"] {
        check(&form, &Reply::text(reply), None);
    }
    // Case rules out a guess.
    let tricky = ["Me, Myself & Irene", "Heat", "It", "IT"]
        .map(Into::into)
        .to_vec();
    let tricky = AnswerForm::Ranking { candidates: tricky };
    check(&tricky, &Reply::text("Heat, It"), Some("Heat\nIt"));
    check(&tricky, &Reply::text("Heat, it"), Some("Heat"));
    check(
        &tricky,
        &Reply::text("Me, Myself & Irene\nHeat"),
        Some("Me, Myself & Irene\nHeat"),
    );
    check(&tricky, &Reply::text("IT\nit\nHeat"), Some("IT\nHeat"));
}

#[test]
fn free_text() {
    let form = AnswerForm::Text { max_tokens: 9 };
    assert_eq!(
        parse(&form, &Reply::text(" A film. ")),
        Answer::Text("A film.".into())
    );
    check(&form, &Reply::text(" \n"), None);
}

#[test]
fn quoted_replies_stay_short() {
    let Answer::Unparseable { text } = unparseable(&"é".repeat(300)) else {
        panic!()
    };
    assert_eq!(text.chars().count(), 201);
}

fn forms() -> impl Strategy<Value = AnswerForm> {
    prop_oneof![
        prop::collection::vec(".{0,8}", 0..5).prop_map(|labels| AnswerForm::Choice { labels }),
        Just(AnswerForm::choice(["yes", "no", "not sure", "a"])),
        (any::<f64>(), any::<f64>()).prop_map(|(min, max)| AnswerForm::Number { min, max }),
        prop::collection::vec(".{0,8}", 0..5)
            .prop_map(|candidates| AnswerForm::Ranking { candidates }),
        Just(AnswerForm::Text { max_tokens: 1 }),
    ]
}

/// Ways of writing a label alone.
const ALONE: [(&str, &str); 12] = [
    ("", ""),
    ("**", "**"),
    ("\"", "\""),
    ("- ", ""),
    ("Answer: ", ""),
    ("**Label:** ", "."),
    ("<answer>", "</answer>"),
    ("\\boxed{", "}"),
    ("{\"label\": \"", "\"}"),
    ("```\n", "\n```"),
    ("<think>hm, nothing is sure</think>\n", "\n"),
    ("The answer is \"", "\"."),
];

proptest! {
    #[test]
    fn lone_label_is_always_read(
        words in prop::collection::btree_set("[a-z]{4,9}([ _-][a-z]{4,9})?", 2..6),
        pick: prop::sample::Index,
        dress in 0..ALONE.len(),
        upper: bool,
    ) {
        let labels: Vec<_> = words.into_iter().collect();
        let label = labels[pick.index(labels.len())].clone();
        let (before, after) = ALONE[dress];
        let shown = if upper { label.to_uppercase() } else { label.clone() };
        let text = format!("{before}{shown}{after}");
        let vote = parse(&AnswerForm::Choice { labels }, &Reply::text(&text)).vote();
        prop_assert_eq!(vote, Some(label), "{}", text);
    }

    #[test]
    fn label_order_changes_nothing(
        index in 0..1000_usize,
        thought in "[a-z ,.?]{0,40}(positive|negative|yes|4)[a-z .]{0,9}",
        turn in 1..4_usize,
    ) {
        let kinds: Vec<_> = corpus::kinds().into_iter().filter(|kind| !kind.cut).collect();
        let kind = &kinds[index % kinds.len()];
        let (reply, _) = &kind.replies[index / kinds.len() % kind.replies.len()];
        let form = kind.form();
        let read = corpus::text(&parse(&form, &kind.reply(reply)));
        if let AnswerForm::Choice { labels } = &form {
            let mut labels = labels.clone();
            let turn = turn % labels.len();
            labels.rotate_left(turn);
            let turned = AnswerForm::Choice { labels };
            prop_assert_eq!(&corpus::text(&parse(&turned, &kind.reply(reply))), &read, "{}", reply);
        }
        if read.is_some() && !reply.contains("<|channel|>") {
            let thinking = format!("<think>{thought}</think>\n\n{reply}");
            prop_assert_eq!(&corpus::text(&parse(&form, &kind.reply(&thinking))), &read, "{}", thinking);
        }
    }

    #[test]
    fn unmentioned_label_is_not_read(text in "(not |is |answer: |[a-m ,.:*\n]){0,30}") {
        let form = AnswerForm::choice(["positive", "nonsense"]);
        prop_assert_eq!(parse(&form, &Reply::text(&text)).vote(), None);
    }

    #[test]
    fn never_panics(form in forms(), text in "(yes|no|not|answer|is|[:,.\\-/0-9\"'\\[\\]#*\n ]|.){0,40}", cut: bool) {
        let finish = if cut { Finish::Length } else { Finish::Stop };
        let answer = parse(&form, &Reply { finish, ..Reply::text(text) });
        match (&form, &answer) {
            (AnswerForm::Choice { labels }, Answer::Class { label, .. }) => prop_assert!(labels.contains(label)),
            (AnswerForm::Number { min, max }, Answer::Number(n)) => prop_assert!((min..=max).contains(&n)),
            (AnswerForm::Ranking { candidates }, Answer::Ranking(items)) => {
                prop_assert!(items.iter().all(|item| candidates.contains(item)));
                let distinct: std::collections::BTreeSet<_> = items.iter().collect();
                prop_assert_eq!(distinct.len(), items.len());
            }
            (AnswerForm::Text { .. }, Answer::Text(_)) | (_, Answer::Unparseable { .. }) => {}
            misfit => prop_assert!(false, "{:?}", misfit),
        }
    }

    #[test]
    fn label_reads_as_itself(set in prop::collection::btree_set("\\PC{1,12}", 1..6), pick: prop::sample::Index) {
        let labels: Vec<_> = set.into_iter().collect();
        let label = labels[pick.index(labels.len())].clone();
        let vote = parse(&AnswerForm::Choice { labels }, &Reply::text(&label)).vote();
        prop_assert_eq!(vote, Some(label));
    }

    #[test]
    fn number_reads_as_itself(number in -1e9..1e9_f64) {
        let form = AnswerForm::Number { min: -1e9, max: 1e9 };
        prop_assert_eq!(parse(&form, &Reply::text(number.to_string())), Answer::Number(number));
    }

    #[test]
    fn numbered_list_reads_back(order in Just((0..12).collect::<Vec<_>>()).prop_shuffle()) {
        let candidates: Vec<_> = order.iter().map(|n| format!("Film {n}, part {n}")).collect();
        let mut sorted = candidates.clone();
        sorted.sort();
        let list: Vec<_> = candidates.iter().zip(1..).map(|(c, n)| format!("{n}. {c}")).collect();
        let answer = parse(&AnswerForm::Ranking { candidates: sorted }, &Reply::text(list.join("\n")));
        prop_assert_eq!(answer, Answer::Ranking(candidates));
    }
}
