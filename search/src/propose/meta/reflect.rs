//! What a proposer is asked that is shown what prompts got wrong and right.

use std::fmt::Write as _;

use shiftproof_tasks::{Example, Message, Prompt};

use super::{IN_OWN_WORDS, LIKE_THIS, TAGS, asks, pattern, system};
use crate::propose::ProposerView;
use crate::propose::trace::TracedAnswer;

const CRITIC: &str = "You find out why a prompt for a language model leads to wrong outputs.";
const CURRENT: &str = "A language model does a task by this prompt:";
const WRONG: &str = "By this prompt the model gets these inputs wrong:";
const REASONS: &str = "Each reason says in one or two sentences what the prompt leaves open or \
                       puts badly, for all inputs of the kind, without naming one of them. Write \
                       each between <reason> and </reason>, and nothing else.";
const TRACES: &str = "These inputs were given to it, with what came of each:";
const LEARN: &str = "Find out from them what has to be known to do this task well: what the inputs \
                     are, what tells one output from another, and which mistakes to avoid.";
const ANEW: &str = "Then write that prompt anew, with all of this in it as general rules.";
const MENDED: &str = "Write that prompt anew so that this no longer happens. Keep what is right \
                      in it.";
const MERGE: &str = "Write that prompt anew as one that is right wherever one of the two is: take \
                     the rules of both, say what both say only once, and where they disagree go by \
                     the inputs above.";
const KEEP_RIGHT: &str = "It gets these right, and has to go on doing so:";
const OTHER: &str = "Another prompt gets some of those wrong ones right. It says:";
const SHIFTED: &str = "Soon it has to work on inputs like these, whose right outputs nobody knows \
                       yet:";
const COMMON: &str = "Look for what the wrong ones have in common that the prompt does not settle, \
                      and settle it by general rules, never by one rule for each input.";
const SHORT: &str = "Say nothing twice: every sentence has its price.";

/// Sentences of these requests that say nothing about any task.
pub(in crate::propose) const OWN_WORDS: [&str; 14] = [
    CRITIC, CURRENT, WRONG, REASONS, TRACES, LEARN, ANEW, MENDED, MERGE, KEEP_RIGHT, OTHER,
    SHIFTED, COMMON, SHORT,
];

fn quoted(text: &mut String, tag: &str, prompt: &Prompt) {
    let _ = write!(text, "<{tag}>\n{}\n</{tag}>\n\n", prompt.instruction);
}

fn about(parent: &Prompt) -> String {
    let mut text = format!("{CURRENT}\n\n");
    quoted(&mut text, "current_prompt", parent);
    text
}

fn write_all(view: &ProposerView<'_>, head: &str, traces: &[TracedAnswer], text: &mut String) {
    if traces.is_empty() {
        return;
    }
    let _ = write!(text, "{head}\n\n");
    for trace in traces {
        trace.write(view, text);
    }
}

/// What the new prompt has to say, what a good one looks like, and how the reply is to
/// look: a small model that is told in words alone sends the request back.
fn wanted(view: &ProposerView<'_>, example: Option<&Example>) -> String {
    let form = example.map(|example| view.task.answer_form(&example.input));
    let asks = asks(form.as_ref());
    let pattern = pattern(form.as_ref());
    format!(
        "It says what these inputs are and, {}, {IN_OWN_WORDS} {}. {LIKE_THIS} which \
         {}:\n\n<prompt>\n{}\n</prompt>\n\nNow write the new prompt for the task {}. {TAGS}",
        asks.rules, asks.answer, pattern.about, pattern.text, asks.task
    )
}

fn request(view: &ProposerView<'_>, parent: &Prompt, text: String) -> Vec<Message> {
    vec![system(view, Some(parent)), Message::user(text)]
}

/// Asks what is wrong with a prompt: the textual gradient of `ProTeGi`.
pub(in crate::propose) fn reasons(
    view: &ProposerView<'_>,
    parent: &Prompt,
    errors: &[TracedAnswer],
    count: usize,
) -> Vec<Message> {
    let mut text = about(parent);
    write_all(view, WRONG, errors, &mut text);
    let _ = write!(
        text,
        "Give {count} different reasons why the prompt may have led it astray. {REASONS}"
    );
    vec![Message::system(CRITIC), Message::user(text)]
}

/// Asks for the prompt without a fault; without a `reason` the errors speak for
/// themselves.
pub(in crate::propose) fn mend(
    view: &ProposerView<'_>,
    parent: &Prompt,
    errors: &[TracedAnswer],
    reason: Option<&str>,
) -> Vec<Message> {
    let mut text = about(parent);
    write_all(view, WRONG, errors, &mut text);
    if let Some(reason) = reason {
        let _ = write!(text, "What is wrong with the prompt: {reason}\n\n");
    }
    let example = errors.first().map(|trace| &trace.example);
    let _ = write!(text, "{MENDED} {}", wanted(view, example));
    request(view, parent, text)
}

/// Asks for a prompt from traces: the reflective mutation of GEPA.
pub(in crate::propose) fn mutate(
    view: &ProposerView<'_>,
    parent: &Prompt,
    traces: &[TracedAnswer],
) -> Vec<Message> {
    let mut text = about(parent);
    write_all(view, TRACES, traces, &mut text);
    let example = traces.first().map(|trace| &trace.example);
    let _ = write!(text, "{LEARN} {ANEW} {}", wanted(view, example));
    request(view, parent, text)
}

/// Asks for one prompt out of two, with inputs that each alone gets right.
pub(in crate::propose) fn merge(
    view: &ProposerView<'_>,
    [first, second]: [&Prompt; 2],
    [by_first, by_second]: [&[TracedAnswer]; 2],
) -> Vec<Message> {
    let mut text = about(first);
    let _ = write!(text, "And this is another prompt for the same task:\n\n");
    quoted(&mut text, "other_prompt", second);
    for (traces, which) in [(by_first, "first"), (by_second, "second")] {
        if traces.is_empty() {
            continue;
        }
        let _ = write!(text, "Only the {which} prompt gets these inputs right:\n\n");
        for trace in traces {
            trace.write_right(view, &mut text);
        }
    }
    let example = by_first.iter().chain(by_second).next();
    let example = example.map(|trace| &trace.example).or(view.source.first());
    let _ = write!(text, "{MERGE} {}", wanted(view, example));
    request(view, first, text)
}

/// What a group's failures are shown with.
pub(in crate::propose) struct GroupRequest<'r> {
    pub group: &'r str,
    pub failures: &'r [TracedAnswer],
    pub successes: &'r [TracedAnswer],
    pub other: Option<(&'r Prompt, &'r [TracedAnswer])>,
    pub target: &'r [String],
}

/// Asks for the prompt anew from what it gets wrong in its weakest group.
pub(in crate::propose) fn lift(
    view: &ProposerView<'_>,
    parent: &Prompt,
    shown: &GroupRequest<'_>,
) -> Vec<Message> {
    let mut text = about(parent);
    let head = format!(
        "Its inputs come from several groups, and it is weakest in the group {:?}. {WRONG}",
        shown.group
    );
    write_all(view, &head, shown.failures, &mut text);
    if let Some((other, contrast)) = shown.other {
        let _ = write!(text, "{OTHER}\n\n");
        quoted(&mut text, "other_prompt", other);
        let _ = write!(text, "These are right by it:\n\n");
        for trace in contrast {
            trace.write_right(view, &mut text);
        }
    }
    if !shown.successes.is_empty() {
        let _ = write!(text, "{KEEP_RIGHT}\n\n");
        for trace in shown.successes {
            trace.write_right(view, &mut text);
        }
    }
    if !shown.target.is_empty() {
        let _ = write!(text, "{SHIFTED}\n\n");
        for input in shown.target {
            let _ = write!(text, "Input: {input}\n\n");
        }
    }
    let example = shown.failures.first().map(|trace| &trace.example);
    let _ = write!(text, "{COMMON} {MENDED} {SHORT} {}", wanted(view, example));
    request(view, parent, text)
}
