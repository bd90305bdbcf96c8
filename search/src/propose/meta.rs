//! What a proposer that follows instructions is asked.

use std::fmt::Write as _;

use shiftproof_tasks::{AnswerForm, Demonstration, Example, Message, Prompt, places};

use super::ProposerView;
use super::library::either;

mod pattern;
mod reflect;

pub(super) use pattern::{PromptPattern, pattern};
pub(super) use reflect::{
    GroupRequest, OWN_WORDS as REFLECTIVE_WORDS, lift, mend, merge, mutate, reasons,
};

const SYSTEM: &str = "You write prompts for a language model. A prompt is sent to the model \
                      together with one input at a time, and has to work on inputs that nobody \
                      has seen yet.";
pub(super) const TAGS: &str =
    "Answer with the prompt between <prompt> and </prompt>, and with nothing else.";
pub(super) const INPUTS: &str = "These are inputs of a task, each with the right output:";
pub(super) const USERS: &str = "These are inputs of a task, one for each user, with the right output: what \
                     the user really chose next.";
const CURRENT: &str = "A language model does a task by this prompt, which is in use today:";
const BESIDE: &str = "The same prompt must also work on inputs like these:";
const WRITE: &str = "Write the prompt for this task. It says what these inputs are and,";
const REWRITE: &str = "Write that prompt anew, so that it leads to the right outputs on other \
                       inputs of the task too. Keep what is right in it, and add the rules that \
                       it leaves open:";
const IN_OWN_WORDS: &str = "in your own words and for all inputs of the kind; it mentions none of \
                            the inputs above, and";
const REPHRASE: &str = "Keep its meaning, every rule in it, its paragraphs and lists, and its \
                        output format.";
const LIKE_THIS: &str = "To show what a good prompt looks like, this is one for another task,";

/// Sentences that requests are made of and that say nothing about any task: a
/// reply that repeats them is no prompt.
pub(super) const OWN_WORDS: [&str; 10] = [
    SYSTEM,
    TAGS,
    INPUTS,
    CURRENT,
    BESIDE,
    WRITE,
    REWRITE,
    IN_OWN_WORDS,
    REPHRASE,
    LIKE_THIS,
];

/// Asks for the prompt whose outputs the demonstrations are; `current`: the one
/// in use, to be written anew. `inputs`: further inputs that it must work on.
pub(super) fn induce(
    view: &ProposerView<'_>,
    chunk: &[Example],
    inputs: &[String],
    current: Option<&Prompt>,
) -> Vec<Message> {
    let form = chunk
        .first()
        .map(|example| view.task.answer_form(&example.input));
    let mut text = String::new();
    if let Some(current) = current {
        let _ = write!(
            text,
            "{CURRENT}\n\n<current_prompt>\n{}\n</current_prompt>\n\n",
            current.instruction
        );
    }
    let is_ranking = form
        .as_ref()
        .is_some_and(|form| form.candidates().is_some());
    let _ = write!(text, "{}\n\n", if is_ranking { USERS } else { INPUTS });
    for example in chunk {
        let Demonstration { input, answer } = view.task.demonstration(example);
        let _ = write!(text, "Input: {input}\nOutput: {answer}\n\n");
    }
    if !inputs.is_empty() {
        let _ = write!(text, "{BESIDE}\n\n");
        for input in inputs {
            let _ = write!(text, "Input: {input}\n\n");
        }
    }
    let asks = asks(form.as_ref());
    let verb = if current.is_some() { REWRITE } else { WRITE };
    let _ = write!(
        text,
        "{verb} {}, {IN_OWN_WORDS} {}. ",
        asks.rules, asks.answer
    );
    if current.is_none() {
        let pattern = pattern(form.as_ref());
        // The last words say which task is meant: a small model writes the
        // pattern down otherwise.
        let _ = write!(
            text,
            "{LIKE_THIS} which {}:\n\n<prompt>\n{}\n</prompt>\n\nNow write the prompt for the \
             task {}. ",
            pattern.about, pattern.text, asks.task
        );
    }
    text.push_str(TAGS);
    vec![system(view, current), Message::user(text)]
}

/// Asks for a prompt in other words.
pub(super) fn paraphrase(view: &ProposerView<'_>, parent: &Prompt) -> Vec<Message> {
    let form = view
        .source
        .first()
        .map(|example| view.task.answer_form(&example.input));
    let text = format!(
        "Say this prompt in other words:\n\n<current_prompt>\n{}\n</current_prompt>\n\n\
         {REPHRASE} It {}. {TAGS}",
        parent.instruction,
        asks(form.as_ref()).answer
    );
    vec![system(view, Some(parent)), Message::user(text)]
}

/// What every prompt must keep to.
pub(super) fn system(view: &ProposerView<'_>, current: Option<&Prompt>) -> Message {
    let kept = current.map_or_else(Vec::new, |prompt| fields(view, &prompt.instruction));
    let places = if kept.is_empty() {
        "The input follows the prompt, which has no placeholder for it.".to_owned()
    } else {
        let names: Vec<String> = kept.iter().map(|name| format!("{{{name}}}")).collect();
        format!(
            "A prompt keeps {} exactly as written: the input's values take their place.",
            names.join(" and ")
        )
    };
    // A token is about three quarters of a word.
    let words = (view.limit * 3 / 4).max(1);
    Message::system(format!(
        "{SYSTEM} {places} A prompt may have paragraphs and lists, and at most {words} words. {TAGS}"
    ))
}

/// What a prompt for a form of answer says.
pub(super) struct RequestWords {
    /// Its rules.
    pub rules: String,
    /// What it asks for.
    pub answer: String,
    /// What tells its task from others.
    pub task: String,
}

pub(super) fn asks(form: Option<&AnswerForm>) -> RequestWords {
    let above = || "whose inputs are above".to_owned();
    match form {
        Some(AnswerForm::Choice { labels }) => {
            let labels = either(labels);
            RequestWords {
                rules: format!("for each of the labels {labels}, which inputs get it"),
                answer: "asks for the label alone, spelt as here".to_owned(),
                task: format!("with the labels {labels}"),
            }
        }
        Some(AnswerForm::MultipleChoice { .. }) => RequestWords {
            rules: "how the right one of an input's options is found, however many there are"
                .to_owned(),
            answer: "asks for the letter of one option alone".to_owned(),
            task: "whose inputs, each with options of its own, are above".to_owned(),
        },
        Some(AnswerForm::Number { min, max }) => RequestWords {
            rules: format!("for the numbers from {min} to {max}, which inputs get which"),
            answer: format!("asks for one number from {min} to {max}, and for nothing else"),
            task: format!("with the numbers from {min} to {max}"),
        },
        Some(AnswerForm::Ranking { .. }) => RequestWords {
            rules: "what in a user's history says which item comes next".to_owned(),
            answer: "asks for all candidates of the input, best first, one per line".to_owned(),
            task: above(),
        },
        Some(AnswerForm::Likelihood { .. } | AnswerForm::Nearest { .. }) => RequestWords {
            rules: "what in a user's history says which item comes next".to_owned(),
            answer: "asks for the title of one item".to_owned(),
            task: above(),
        },
        Some(form @ AnswerForm::Json { .. }) => {
            let fields = form.fields().unwrap_or_default().join(", ");
            RequestWords {
                rules: format!(
                    "for each of the fields {fields}, where an input says it and how it is written \
                     down"
                ),
                // With types and values: a server may ignore the schema it is sent.
                answer: format!(
                    "asks for one JSON object and for nothing else, and says of each field its \
                     type, values and meaning: {}",
                    form.fields_in_words().unwrap_or_default()
                ),
                task: format!("with the fields {fields}"),
            }
        }
        Some(AnswerForm::Text { .. }) | None => RequestWords {
            rules: "by which rules the output follows from an input".to_owned(),
            answer: "says what the output looks like".to_owned(),
            task: above(),
        },
    }
}

/// The fields that have a place in an instruction of this task.
pub(super) fn fields<'p>(view: &ProposerView<'_>, instruction: &'p str) -> Vec<&'p str> {
    let known = view
        .source
        .first()
        .filter(|_| view.task.fills_fields())
        .map(|example| &example.input.fields);
    places::fields(instruction, &|name| {
        known.is_some_and(|fields| fields.contains_key(name))
    })
}

#[cfg(test)]
mod tests;
