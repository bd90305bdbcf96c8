//! What a prompt made of an example, as proposers are shown it.

use std::fmt::Write as _;

use shiftproof_tasks::{AnswerForm, Demonstration, Example};

use super::ProposerView;
use crate::run::AnsweredExample;

/// Characters of an input that are shown: enough to see what it is about.
const INPUT_CHARS: usize = 2000;
/// Characters of an answer that are shown. One that is longer was none.
const ANSWER_CHARS: usize = 400;

/// An example with what a prompt made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct TracedAnswer {
    /// The example with its label.
    pub example: Example,
    /// What was answered; what was said instead where that could not be read.
    pub answer: String,
    /// Whether the answer was of the form asked for.
    pub readable: bool,
    /// What it was worth, in `0..=1`.
    pub value: f64,
    /// Whether the label was won by vote, and may be wrong.
    pub voted: bool,
}

impl TracedAnswer {
    /// Of an answer in a group whose labels were won by vote, or not.
    pub fn new(answered: &AnsweredExample, voted: bool) -> Self {
        Self {
            example: Example {
                input: answered.input.clone(),
                label: answered.label.clone(),
            },
            answer: answered.answer.clone(),
            readable: answered.readable,
            value: answered.value,
            voted,
        }
    }

    /// The input with the right output.
    pub(super) fn demonstration(&self, view: &ProposerView<'_>) -> Demonstration {
        let shown = view.task.demonstration(&self.example);
        Demonstration {
            input: clipped(&shown.input, INPUT_CHARS),
            answer: shown.answer,
        }
    }

    /// Writes input, output and what is to be said of it.
    pub(super) fn write(&self, view: &ProposerView<'_>, text: &mut String) {
        let Demonstration { input, answer } = self.demonstration(view);
        let said = clipped(&self.answer, ANSWER_CHARS);
        let _ = write!(text, "Input: {input}\n{ITS_OUTPUT} {said}\n");
        if !self.readable {
            let _ = writeln!(text, "It is not an answer of the form that is wanted.");
        } else if graded(view, &self.example) {
            let _ = writeln!(text, "It is worth {:.2} of 1.", self.value);
        }
        let right = if self.voted {
            VOTED_OUTPUT
        } else {
            RIGHT_OUTPUT
        };
        let _ = write!(text, "{right} {answer}\n\n");
    }

    /// Writes input and right output alone.
    pub(super) fn write_right(&self, view: &ProposerView<'_>, text: &mut String) {
        let Demonstration { input, answer } = self.demonstration(view);
        let right = if self.voted {
            VOTED_OUTPUT
        } else {
            RIGHT_OUTPUT
        };
        let _ = write!(text, "Input: {input}\n{right} {answer}\n\n");
    }
}

const ITS_OUTPUT: &str = "Its output:";
const RIGHT_OUTPUT: &str = "Right output:";
/// A label that several prompts agree on is no truth.
const VOTED_OUTPUT: &str = "Output that most prompts give:";

/// Whether an answer can be partly right.
fn graded(view: &ProposerView<'_>, example: &Example) -> bool {
    !matches!(
        view.task.answer_form(&example.input),
        AnswerForm::Choice { .. } | AnswerForm::MultipleChoice { .. }
    )
}

/// The first characters of a text, whole words where it has any.
pub(super) fn clipped(text: &str, most: usize) -> String {
    let text = text.trim();
    let Some((end, _)) = text.char_indices().nth(most) else {
        return text.to_owned();
    };
    let cut = &text[..end];
    let whole = cut.rfind(char::is_whitespace).filter(|at| at * 2 > end);
    format!("{} …", cut[..whole.unwrap_or(end)].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_clipped_at_words() {
        assert_eq!(clipped(" short text ", 400), "short text");
        assert_eq!(clipped("one two three four", 11), "one two …");
        assert_eq!(
            clipped(&"é".repeat(30), 10),
            format!("{} …", "é".repeat(10))
        );
    }
}
