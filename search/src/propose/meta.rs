//! What a proposer that follows instructions is asked.

use std::fmt::Write as _;

use shiftproof_tasks::{AnswerForm, Demonstration, Example, Message, Prompt, places};

use super::ProposerView;
use super::library::either;

const SYSTEM: &str = "You write prompts for a language model. A prompt is sent to the model \
                      together with one input at a time, and has to work on inputs that nobody \
                      has seen yet. Answer with the prompt between <prompt> and </prompt>, and \
                      with nothing else.";

const TAGS: &str = "Answer with the prompt between <prompt> and </prompt>, and with nothing else.";

/// Asks for the instruction that demonstrations follow; `current`: the prompt in
/// use, to be written anew. `inputs`: further inputs that it must work on.
pub(super) fn induce(
    view: &ProposerView<'_>,
    chunk: &[Example],
    inputs: &[String],
    current: Option<&Prompt>,
) -> Vec<Message> {
    let mut text = String::new();
    if let Some(current) = current {
        let _ = write!(
            text,
            "An assistant was given one instruction, which is in use today:\n\n\
             <current_prompt>\n{}\n</current_prompt>\n\n\
             These are inputs of its task with the right outputs:\n\n",
            current.instruction
        );
    } else {
        text.push_str(
            "An assistant was given one instruction and followed it on every input below.\n\n",
        );
    }
    for example in chunk {
        let Demonstration { input, answer } = view.task.demonstration(example);
        let _ = write!(text, "Input: {input}\nOutput: {answer}\n\n");
    }
    if !inputs.is_empty() {
        text.push_str("The same instruction must also work on inputs like these:\n\n");
        for input in inputs {
            let _ = write!(text, "Input: {input}\n\n");
        }
    }
    text.push_str(if current.is_some() {
        "Write that instruction anew, so that it leads to these outputs on other inputs of the \
         task too. Keep what is right in it and say what it leaves open: how to decide doubtful \
         cases, what does not matter, what the output looks like. "
    } else {
        "Write that instruction: what is to be decided, how to decide doubtful cases, what does \
         not matter, and what the output looks like. "
    });
    rules(&mut text, view, chunk.first(), current);
    text.push_str("Quote none of the inputs. ");
    text.push_str(TAGS);
    vec![Message::system(SYSTEM), Message::user(text)]
}

/// Asks for a prompt in other words.
pub(super) fn paraphrase(view: &ProposerView<'_>, parent: &Prompt) -> Vec<Message> {
    let mut text = format!(
        "Say this instruction in other words:\n\n<instruction>\n{}\n</instruction>\n\nKeep its \
         meaning, every rule in it, its paragraphs and lists, and its output format. ",
        parent.instruction
    );
    rules(&mut text, view, view.source.first(), Some(parent));
    text.push_str(TAGS);
    vec![Message::system(SYSTEM), Message::user(text)]
}

/// What every prompt must keep to.
fn rules(
    text: &mut String,
    view: &ProposerView<'_>,
    like: Option<&Example>,
    current: Option<&Prompt>,
) {
    let _ = match like.map(|example| view.task.answer_form(&example.input)) {
        Some(AnswerForm::Choice { labels }) => write!(
            text,
            "The output is exactly one of the labels {}: the prompt must name every label, spelt \
             as here, and ask for the label alone. ",
            either(&labels)
        ),
        Some(AnswerForm::Number { min, max }) => write!(
            text,
            "The output is one number from {min} to {max}: the prompt must say so, and ask for \
             the number alone. "
        ),
        Some(AnswerForm::Ranking { .. }) => write!(
            text,
            "The output lists all candidates of the input, best first, one per line: the prompt \
             must say so, and name none of the items above. "
        ),
        Some(AnswerForm::Likelihood { .. } | AnswerForm::Nearest { .. }) => write!(
            text,
            "The output is the title of one item: the prompt must say so, and name none of the \
             items above. "
        ),
        Some(AnswerForm::Text { .. }) | None => Ok(()),
    };
    let kept = current.map_or_else(Vec::new, |prompt| fields(view, &prompt.instruction));
    let _ = if kept.is_empty() {
        write!(
            text,
            "The input is shown after the prompt: write no placeholder for it. "
        )
    } else {
        let names: Vec<String> = kept.iter().map(|name| format!("{{{name}}}")).collect();
        write!(
            text,
            "The prompt must keep {} exactly as written: the input's values take their place. ",
            names.join(" and ")
        )
    };
    // A token is about three quarters of a word.
    let _ = write!(
        text,
        "Use paragraphs or a list where they help, and at most {} words. ",
        (view.limit * 3 / 4).max(1)
    );
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
