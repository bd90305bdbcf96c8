use proptest::prelude::*;

use super::*;

/// Titles with everything that has broken list parsers.
const TITLES: [&str; 10] = [
    "Schindler's List (1993)",
    "Godfather, The (1972)",
    "Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb (1963)",
    "12 Angry Men (1957)",
    "Ma vie en rose (My Life in Pink) (1997)",
    "101 Dalmatians (1996)",
    "Monty Python's Life of Brian (1979)",
    "Alien: Resurrection (1997)",
    "Boys' Night Out",
    "Se7en",
];

/// Twenty ways of writing the same list.
fn written(titles: &[&str]) -> Vec<String> {
    let lines = |format: &dyn Fn(usize, &str) -> String| -> String {
        let lines: Vec<String> = titles
            .iter()
            .enumerate()
            .map(|(index, title)| format(index + 1, title))
            .collect();
        lines.join("\n")
    };
    let joined = |open: &str, quote: &dyn Fn(usize, &str) -> String, close: &str| -> String {
        let items: Vec<String> = titles
            .iter()
            .enumerate()
            .map(|(index, title)| quote(index, title))
            .collect();
        format!("{open}{}{close}", items.join(", "))
    };
    let double = |_: usize, title: &str| format!("\"{title}\"");
    let single = |_: usize, title: &str| format!("'{title}'");
    let mixed = |index: usize, title: &str| {
        if index.is_multiple_of(2) {
            format!("'{title}'")
        } else {
            format!("\"{title}\"")
        }
    };
    let curly = |_: usize, title: &str| format!("“{title}”");
    let numbered = |n: usize, title: &str| format!("{n}. {title}");
    vec![
        joined("[", &double, "]"),
        joined("[", &single, "]"),
        joined("[", &mixed, "]"),
        joined("[", &curly, "]"),
        joined("Here is the list:\n[", &mixed, "]\nEnjoy!"),
        joined("```python\n[", &single, "]\n```"),
        joined("", &double, ""),
        lines(&numbered),
        lines(&|n, title| format!("{n}) {title}")),
        lines(&|n, title| format!("({n}) \"{title}\"")),
        lines(&|n, title| format!("{n}: {title}")),
        lines(&|n, title| format!("{n}. **{title}**")),
        lines(&|n, title| format!("**{n}. {title}**")),
        lines(&|_, title| format!("- {title}")),
        lines(&|_, title| format!("* \"{title}\"")),
        lines(&|_, title| format!("• {title}")),
        format!(
            "Based on the history, I would rank them so:\n\n{}\n\nLet me know if you need more.",
            lines(&numbered)
        ),
        format!(
            "<think>A thriller first, then…</think>\n{}",
            lines(&numbered)
        ),
        lines(&|_, title| title.to_owned()),
        lines(&|n, title| format!("{n}. {title},")),
    ]
}

/// 200 strings: twenty ways of writing ten lists.
#[test]
fn written_lists_are_read() {
    let (mut right, mut all) = (0, 0);
    let mut wrong = Vec::new();
    for turn in 0..TITLES.len() {
        let titles: Vec<&str> = (0..5).map(|n| TITLES[(turn + n) % TITLES.len()]).collect();
        for text in written(&titles) {
            all += 1;
            if items(&text) == titles {
                right += 1;
            } else {
                wrong.push((text.clone(), items(&text)));
            }
        }
    }
    assert_eq!(all, 200);
    assert!(right * 100 >= all * 99, "{right} of {all}; {wrong:#?}");
}

#[test]
fn other_shapes() {
    let list = |text: &str, expected: &[&str]| assert_eq!(items(text), expected, "{text}");
    list("1. Heat 2. Big 3. Up", &["Heat", "Big", "Up"]);
    list("Heat > Big > Up", &["Heat", "Big", "Up"]);
    list(
        "Heat, Godfather, The (1972), Big",
        &["Heat", "Godfather, The (1972)", "Big"],
    );
    list(
        "I recommend these films: \"Heat\", \"Big\"",
        &["Heat", "Big"],
    );
    list(
        "[{\"title\": \"Heat\"}, {\"title\": \"Big\"}]",
        &["Heat", "Big"],
    );
    list("['Heat', 'Big', 'Schind", &["Heat", "Big"]);
    list("Alien: Covenant", &["Alien: Covenant"]);
    list("12 Angry Men (1957)", &["12 Angry Men (1957)"]);
    list("", &[]);
}

proptest! {
    #[test]
    fn no_text_breaks_it(text in "[\\PC\n\\['\",0-9.]{0,120}") {
        for item in items(&text) {
            prop_assert!(!item.is_empty());
        }
    }
}
