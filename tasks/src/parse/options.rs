//! One of the options that stand in the request, by its letter or its text.

use std::collections::BTreeSet;

use super::{choice, thoughts};
use crate::Answer;
use crate::options::folded;

/// The option that `text` gives as its answer: `labels` are the letters, `options` what
/// stands under them.
pub(super) fn from_text(
    labels: &[String],
    options: &[String],
    text: &str,
    cut_off: bool,
) -> Option<Answer> {
    let text = thoughts::answer(text)?;
    let text = without_echo(labels, options, &text);
    let options: Vec<String> = options
        .iter()
        .map(|option| option.trim_end_matches('.').to_owned())
        .collect();
    let named = choice::read(labels, &unbracketed(labels, &text), cut_off);
    let found = match named {
        // "A. The blue one", where blue is under C, says two things.
        Some(letter) => match choice::read(&options, after_letter(&text), cut_off) {
            Some(other) if other != letter && is_short(&text) => return None,
            _ => letter,
        },
        None => choice::read(&options, after_letter(&text), cut_off)?,
    };
    Some(Answer::Class {
        label: labels.get(found)?.clone(),
        margin: None,
    })
}

/// One line: a letter and a text, not reasons that name several options.
fn is_short(text: &str) -> bool {
    text.trim().lines().count() == 1 && text.split_whitespace().count() <= 24
}

/// The text with "(B) The blue one" as "B. The blue one", where it begins a line or says
/// what the answer is: nothing else sets a letter in brackets apart from what follows.
fn unbracketed(labels: &[String], text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('(') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let named = labels.iter().find_map(|label| {
            let head = from.get(1..=label.len())?;
            let after = from[1 + label.len()..].strip_prefix(')')?;
            head.eq_ignore_ascii_case(label).then_some((label, after))
        });
        let line = out.trim_end_matches(['*', ' ']);
        let told = line.is_empty() || line.ends_with(['\n', ':']) || line.ends_with(" is");
        match named {
            Some((label, after)) if told && after.starts_with(' ') => {
                out.push_str(label);
                out.push('.');
                rest = after;
            }
            _ => {
                out.push('(');
                rest = &from[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// What follows the letter that the text begins with, if it does.
fn after_letter(text: &str) -> &str {
    let text = text.trim_start();
    let bare = text.trim_start_matches(['(', '[', '*', '"']);
    let mut chars = bare.chars();
    match (chars.next(), chars.next()) {
        (Some(letter), Some(next)) if letter.is_ascii_uppercase() && ").:]*\"".contains(next) => {
            chars
                .as_str()
                .trim_start_matches([')', '.', ':', ']', '*', '"', ' '])
        }
        _ => text,
    }
}

/// The text without the options as they were asked, which many models repeat before they
/// answer: two lines or more, one after the other, each a letter with its own text.
fn without_echo(labels: &[String], options: &[String], text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let own: Vec<Option<usize>> = lines
        .iter()
        .map(|line| {
            let bare = line.trim_start_matches(['-', '*', ' ', '(']);
            let letter = labels
                .iter()
                .position(|label| bare.strip_prefix(label.as_str()).is_some_and(opens_option))?;
            let told = folded(after_letter(bare).trim_end_matches('*'));
            (told == folded(&options[letter])).then_some(letter)
        })
        .collect();
    let mut dropped = BTreeSet::new();
    let mut run = Vec::new();
    for (at, letter) in own.iter().enumerate() {
        match letter {
            Some(_) => run.push(at),
            None if lines[at].trim().is_empty() => {}
            None => end_run(&mut run, &mut dropped),
        }
    }
    end_run(&mut run, &mut dropped);
    let kept = lines
        .iter()
        .enumerate()
        .filter(|(at, _)| !dropped.contains(at));
    kept.map(|(_, line)| *line).collect::<Vec<_>>().join("\n")
}

fn end_run(run: &mut Vec<usize>, dropped: &mut BTreeSet<usize>) {
    if run.len() > 1 {
        dropped.extend(run.iter());
    }
    run.clear();
}

fn opens_option(rest: &str) -> bool {
    rest.starts_with(['.', ')', ':', ']', '*'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::options::letter;
    use crate::parse::{self, parse};
    use crate::{AnswerForm, Finish, Reply};

    fn form(options: &[&str]) -> AnswerForm {
        AnswerForm::MultipleChoice {
            labels: (0..options.len()).map(letter).collect(),
            options: options.iter().map(|text| (*text).into()).collect(),
        }
    }

    #[track_caller]
    fn check(options: &[&str], text: &str, expect: Option<&str>) {
        let read = parse(&form(options), &Reply::text(text)).vote();
        assert_eq!(read.as_deref(), expect, "{text}");
    }

    const BOOKS: [&str; 3] = [
        "The black book is the leftmost.",
        "The orange book is the leftmost.",
        "The blue book is the leftmost.",
    ];

    #[test]
    fn letters_are_read() {
        for text in [
            "B",
            "b",
            "(B)",
            "B.",
            "**B**",
            "B) The orange book is the leftmost.",
            "(B) The orange book is the leftmost",
            "B. The orange book is the leftmost.",
            "**B.** The orange book is the leftmost.",
            "Answer: B",
            "Answer: (B) The orange book is the leftmost.",
            "The correct answer is (B).",
            "The correct answer is B. The orange book is the leftmost.",
            "Option B is correct.",
            "I would choose option B because the orange book is to the left of all others.",
            "The black book is to the right of the orange book, so the answer is B.",
            "The blue book is third and the black book second.\n\nTherefore, the answer is (B).",
            "<think>A? No: A black book cannot be.</think>B",
            "{\"answer\": \"B\"}",
            "\\boxed{B}",
        ] {
            check(&BOOKS, text, Some("B"));
        }
    }

    #[test]
    fn texts_are_read() {
        for text in [
            "The orange book is the leftmost.",
            "the orange book is the leftmost",
            "Answer: The orange book is the leftmost.",
            "**The orange book is the leftmost.**",
            "{\"answer\": \"The orange book is the leftmost.\"}",
        ] {
            check(&BOOKS, text, Some("B"));
        }
        let feelings = ["Sympathetic", "Like a person who failed", "A fool"];
        check(&feelings, "Sympathetic", Some("A"));
        check(&feelings, "The answer is sympathetic.", Some("A"));
        check(&feelings, "A fool", Some("C"));
        check(
            &["red ball.", "white ball.", "blue ball."],
            "Alice has the white ball.",
            Some("B"),
        );
        check(&["3", "5", "8"], "5", Some("B"));
        check(&["3", "5", "8"], "The answer is 8.", Some("C"));
    }

    #[test]
    fn repeated_options_answer_nothing() {
        let echo = "A. The black book is the leftmost.\nB. The orange book is the leftmost.\n\
                    C. The blue book is the leftmost.";
        check(&BOOKS, echo, None);
        check(&BOOKS, &format!("{echo}\n\nAnswer: C"), Some("C"));
        check(
            &BOOKS,
            &format!("Options:\n{echo}\n\nThe answer is (A)."),
            Some("A"),
        );
        check(&BOOKS, &format!("{echo}\n\nB"), Some("B"));
    }

    #[test]
    fn what_is_unclear_is_no_answer() {
        for text in [
            "",
            "A or B",
            "Neither of them.",
            "A. The blue book is the leftmost.",
            "E",
            "I cannot tell which.",
            "A black book stands between an orange book and a blue one.",
        ] {
            check(&BOOKS, text, None);
        }
    }

    #[test]
    fn cut_off_text_is_read_with_care() {
        let read = |text: &str| {
            let reply = Reply {
                finish: Finish::Length,
                ..Reply::text(text)
            };
            parse(&form(&BOOKS), &reply).vote()
        };
        assert_eq!(read("B. The orange book is").as_deref(), Some("B"));
        assert_eq!(read("Let us see. The black book"), None);
        assert_eq!(read("The orange book is the left"), None);
    }

    #[test]
    fn scores_pick_a_letter() {
        let scored = Reply {
            label_logprobs: Some(vec![-3.0, -2.0, -0.5]),
            ..Reply::text("C")
        };
        assert_eq!(parse(&form(&BOOKS), &scored).vote().as_deref(), Some("C"));
        // Scores of other options than this input has.
        let odd = Reply {
            label_logprobs: Some(vec![-3.0, -2.0]),
            ..Reply::text("C")
        };
        assert_eq!(parse(&form(&BOOKS), &odd).vote(), None);
    }

    proptest! {
        #[test]
        fn each_option_is_read_alone(at in 0_usize..7, count in 2_usize..8) {
            let texts: Vec<String> = (0..count).map(|n| format!("the {n}th thing")).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let at = at % count;
            let name = letter(at);
            for text in [
                name.clone(),
                format!("({name})"),
                format!("{name}. {}", texts[at]),
                texts[at].to_owned(),
                format!("The answer is {name}."),
            ] {
                let read = parse::parse(&form(&texts), &Reply::text(&text)).vote();
                prop_assert_eq!(read, Some(name.clone()), "{}", text);
            }
        }
    }
}
