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
    labels: Option<Vec<String>>,
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
            labels: match form {
                Some(AnswerForm::Choice { labels }) => Some(labels),
                _ => None,
            },
            data: inputs
                .map(|input| padded(&view.task.render(input)))
                .collect(),
        }
    }

    /// As [`accept`](Self::accept), but a text that names none of the labels is
    /// thrown away instead of mended: a small model that was made to go on from
    /// an opening and does not come to the labels talks about something else.
    pub(super) fn accept_on_topic(&self, text: &str) -> Result<Prompt, &'static str> {
        if self.names_labels(&tidy(text)) {
            self.accept(text)
        } else {
            Err("it names no label")
        }
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
    /// like (Li et al. 2023 ask for the instruction *and* the output format).
    fn with_output_format(&self, mut instruction: String) -> String {
        if let (Some(labels), false) = (&self.labels, self.names_labels(&instruction)) {
            if !instruction.ends_with(['.', '!', '?', ':']) {
                instruction.push('.');
            }
            instruction.push_str(" Answer ");
            instruction.push_str(&super::library::either(labels));
            instruction.push('.');
        }
        instruction
    }

    /// Whether a text names the labels (two of them, if there are as many); so
    /// does any text where the answer is not one of a closed set.
    fn names_labels(&self, text: &str) -> bool {
        let Some(labels) = &self.labels else {
            return true;
        };
        let words = padded(text);
        let named = labels
            .iter()
            .filter(|label| words.contains(&padded(label)))
            .count();
        named >= labels.len().min(2)
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
            labels: Some(vec!["positive".into(), "negative".into()]),
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
