//! What a proposed text must pass before a single evaluation is spent on it.

use std::collections::BTreeMap;

use shiftproof_tasks::{AnswerForm, Prompt};

use super::View;

/// Longest instruction, in words; longer ones grow without getting better.
const MOST_WORDS: usize = 80;
/// An instruction of fewer words asks nothing.
const LEAST_WORDS: usize = 3;
/// So many words in a row shared with a data text are a copy, not a turn of
/// phrase.
const COPIED_WORDS: usize = 6;

/// Texts thrown away: rule → how many, and one of them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Discards(pub BTreeMap<String, (u64, String)>);

impl Discards {
    /// Counts one text thrown away by `rule`.
    pub fn add(&mut self, rule: &str, text: &str) {
        let entry = self
            .0
            .entry(rule.to_owned())
            .or_insert_with(|| (0, text.to_owned()));
        entry.0 += 1;
    }
}

/// Rules that depend on the study, prepared once per proposal.
pub(super) struct Screen {
    form: Option<AnswerForm>,
    data: Vec<String>,
}

impl Screen {
    pub(super) fn new(view: &View<'_>) -> Self {
        let form = view
            .source
            .first()
            .map(|example| view.task.answer_form(&example.input));
        let inputs = view
            .source
            .iter()
            .chain(view.voted)
            .map(|example| &example.input)
            .chain(view.target);
        Self {
            form,
            data: inputs
                .map(|input| padded(&view.task.content(input)))
                .collect(),
        }
    }

    /// As [`accept`](Self::accept), but a text that does not come to what is
    /// asked for (the labels, a number's scale, items to be put in order) is
    /// thrown away instead of mended: a small model that was made to go on from
    /// an opening and does not come there talks about something else.
    pub(super) fn accept_on_topic(&self, text: &str) -> Result<Prompt, &'static str> {
        if self.names_answer(&tidy(text)) {
            return self.accept(text);
        }
        Err(match &self.form {
            Some(AnswerForm::Choice { .. }) => "it names no label",
            Some(AnswerForm::Number { .. }) => "it asks for no number",
            _ => "it speaks of no item or user",
        })
    }

    /// Turns a model's text into a prompt, or names the rule it breaks.
    pub(super) fn accept(&self, text: &str) -> Result<Prompt, &'static str> {
        let instruction = tidy(text);
        let words = instruction.split_whitespace().count();
        if words < LEAST_WORDS {
            return Err("it is too short to be an instruction");
        }
        if words > MOST_WORDS {
            return Err("it is longer than 80 words");
        }
        if self.copies_data(&instruction) {
            return Err("it copies text of an example");
        }
        let refused = ["sorry", "as an ai", "i cannot", "i can't"];
        let lower = instruction.to_lowercase();
        if refused.iter().any(|phrase| lower.contains(phrase)) {
            return Err("the model declined");
        }
        Ok(Prompt::new(self.with_output_format(instruction)))
    }

    /// An instruction that names no label does not say what an answer looks
    /// like (Li et al. 2023 ask for the instruction *and* the output format); nor
    /// does one that names no number or no list where those are wanted.
    fn with_output_format(&self, mut instruction: String) -> String {
        let format = match &self.form {
            Some(AnswerForm::Choice { labels }) if !self.names_answer(&instruction) => {
                format!("Answer {}.", super::library::either(labels))
            }
            Some(AnswerForm::Number { min, max }) if !instruction.contains(&max.to_string()) => {
                format!("Answer with one number from {min} to {max}.")
            }
            Some(AnswerForm::Ranking { .. }) if !mentions(&instruction, &["list", "line"]) => {
                "List the candidates, best first, one per line.".to_owned()
            }
            _ => return instruction,
        };
        if !instruction.ends_with(['.', '!', '?', ':']) {
            instruction.push('.');
        }
        instruction.push(' ');
        instruction.push_str(&format);
        instruction
    }

    /// Whether a text comes to the answer: names the labels (two of them, if
    /// there are as many), asks for a number, or speaks of items and who wants
    /// them. Any text does where free text is wanted.
    fn names_answer(&self, text: &str) -> bool {
        match &self.form {
            Some(AnswerForm::Choice { labels }) => {
                let words = padded(text);
                let named = labels
                    .iter()
                    .filter(|label| words.contains(&padded(label)))
                    .count();
                named >= labels.len().min(2)
            }
            Some(AnswerForm::Number { .. }) => mentions(text, &["rat", "number", "scor", "star"]),
            Some(
                AnswerForm::Ranking { .. }
                | AnswerForm::Likelihood { .. }
                | AnswerForm::Nearest { .. },
            ) => mentions(
                text,
                &[
                    "candidate",
                    "item",
                    "title",
                    "user",
                    "viewer",
                    "reader",
                    "customer",
                    "person",
                    "people",
                    "next",
                    "history",
                    "watch",
                    "movie",
                    "film",
                    "book",
                    "product",
                    "game",
                    "song",
                    "article",
                    "story",
                    "stories",
                    "choice",
                    "chose",
                    "choose",
                ],
            ),
            Some(AnswerForm::Text { .. }) | None => true,
        }
    }

    fn copies_data(&self, instruction: &str) -> bool {
        let words: Vec<String> = padded(instruction)
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        words.windows(COPIED_WORDS).any(|window| {
            let phrase = format!(" {} ", window.join(" "));
            self.data.iter().any(|text| text.contains(&phrase))
        })
    }
}

/// Whether a word of the text begins with one of `stems`, in lower case.
fn mentions(text: &str, stems: &[&str]) -> bool {
    let words = padded(text);
    stems.iter().any(|stem| words.contains(&format!(" {stem}")))
}

/// Lower-case words separated and surrounded by single spaces, punctuation
/// dropped: what makes "contains this phrase" a substring test.
fn padded(text: &str) -> String {
    let mut words = String::from(" ");
    for word in text
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|w| !w.is_empty())
    {
        words.push_str(&word.to_lowercase());
        words.push(' ');
    }
    words
}

/// Strips what models put around an instruction: fences, quotes, lead-ins,
/// everything after the first paragraph.
fn tidy(text: &str) -> String {
    let text = text
        .trim()
        .trim_start_matches("```text")
        .trim_matches('`')
        .trim();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let mut line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    for lead_in in [
        "the instruction was:",
        "the instruction is:",
        "instruction:",
        "prompt:",
        "output:",
    ] {
        if line
            .get(..lead_in.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(lead_in))
        {
            line = line[lead_in.len()..].trim().to_owned();
        }
    }
    let unquoted = line
        .strip_prefix(['"', '“'])
        .and_then(|rest| rest.strip_suffix(['"', '”']).or(Some(rest)))
        .filter(|inner| !inner.contains(['"', '“']));
    unquoted.map_or_else(|| line.clone(), |inner| inner.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen() -> Screen {
        Screen {
            form: Some(AnswerForm::choice(["positive", "negative"])),
            data: vec![padded("This toaster burned my bread, then my house.")],
        }
    }

    #[track_caller]
    fn check(text: &str, expect: Result<&str, &str>) {
        let got = screen().accept(text).map(|prompt| prompt.instruction);
        assert_eq!(got.as_deref().map_err(|rule| *rule), expect);
    }

    #[test]
    fn texts_become_instructions() {
        check(
            "The instruction was: \"Say if it is positive or negative.\"",
            Ok("Say if it is positive or negative."),
        );
        check(
            "Judge the mood of the text",
            Ok("Judge the mood of the text. Answer positive or negative."),
        );
        check(
            "Is it positive or negative?\n\nInput: more text",
            Ok("Is it positive or negative?"),
        );
    }

    #[test]
    fn numbers_and_lists_get_their_format_and_keep_to_their_topic() {
        let screen = |form| Screen {
            form: Some(form),
            data: Vec::new(),
        };
        let text = |screen: &Screen, text: &str| screen.accept(text).unwrap().instruction;
        let stars = screen(AnswerForm::Number { min: 1.0, max: 5.0 });
        assert_eq!(
            text(&stars, "Rate how much the user would like the film"),
            "Rate how much the user would like the film. Answer with one number from 1 to 5."
        );
        assert!(stars.accept_on_topic("Rate it from 1 to 5 stars.").is_ok());
        assert_eq!(
            stars
                .accept_on_topic("Write a poem about the sea.")
                .unwrap_err(),
            "it asks for no number"
        );
        let list = screen(AnswerForm::Ranking { candidates: vec![] });
        assert_eq!(
            text(&list, "Put first what the user wants next."),
            "Put first what the user wants next. List the candidates, best first, one per line."
        );
        let scored = screen(AnswerForm::likelihood(["Heat"]));
        let instruction = "Recommend the film that the user will watch next.";
        assert_eq!(text(&scored, instruction), instruction);
        assert_eq!(
            scored
                .accept_on_topic("Recommend the weather in Paris today.")
                .unwrap_err(),
            "it speaks of no item or user"
        );
    }

    #[test]
    fn rules_are_named() {
        check("Yes.", Err("it is too short to be an instruction"));
        check(&"word ".repeat(81), Err("it is longer than 80 words"));
        check(
            "Answer negative when this TOASTER burned my bread then",
            Err("it copies text of an example"),
        );
        check(
            "I'm sorry, but I have no idea here.",
            Err("the model declined"),
        );
    }
}
