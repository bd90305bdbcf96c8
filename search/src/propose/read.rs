//! Reads the prompts out of what a model sent.
//!
//! Models are asked for a prompt in `<prompt>` tags and send it with greetings,
//! thoughts, fences, headings, quotation marks, as JSON, as one of several, and
//! followed by remarks. What is around a prompt is taken off, layer by layer; the
//! prompt itself (its paragraphs, lists, examples, tags of its own) stays as it
//! is. Everything here is a function of the text alone.

mod chat;
mod json;
mod layers;
mod quotes;
mod reasons;
mod remarks;
mod several;

use shiftproof_tasks::text::plain;

pub(super) use reasons::reasons;

/// Layers at most: a fence in a quotation in tags below a heading is enough.
const DEPTH: usize = 12;

/// The prompts in a reply, in their order; none where it holds none. `labels`:
/// those of the task, which tell a list of prompts from a prompt that is a list.
pub fn read(reply: &str, labels: &[String]) -> Vec<String> {
    let reply = without_tokens(&plain(reply));
    let text = after_thoughts(&reply);
    let tagged = layers::tagged(text);
    let found: Vec<String> = if tagged.is_empty() {
        peel(text, labels, true, DEPTH)
    } else {
        tagged
            .into_iter()
            .flat_map(|inner| peel(inner, labels, false, DEPTH))
            .collect()
    };
    let mut prompts: Vec<String> = Vec::new();
    for prompt in found {
        if !prompts.contains(&prompt) {
            prompts.push(prompt);
        }
    }
    prompts
}

/// What a reply says after its thoughts, whatever it is.
pub(super) fn without_thoughts(reply: &str) -> String {
    let reply = without_tokens(&plain(reply));
    after_thoughts(&reply).trim().to_owned()
}

/// Whether a reply puts something of a few words between the tags.
pub(super) fn in_tags(reply: &str) -> bool {
    let text = after_thoughts(reply);
    let closed = find(text, "<prompt>").zip(find(text, "</prompt>"));
    closed.is_some_and(|(open, close)| {
        text.get(open + "<prompt>".len()..close)
            .is_some_and(|inner| inner.split_whitespace().count() > 2)
    })
}

/// Takes off what surrounds a prompt until nothing does. `bare`: the text is not
/// in the tags that were asked for, so what talks to the reader is not part of it.
fn peel(text: &str, labels: &[String], bare: bool, depth: usize) -> Vec<String> {
    let mut text = text.trim().to_owned();
    let (mut alternatives, mut chatty) = (false, false);
    for left in (0..depth).rev() {
        if let Some(texts) = json::texts(&text).or_else(|| {
            several::split(&text, labels, alternatives)
                .or_else(|| layers::blocks(&text).filter(|blocks| blocks.len() > 1))
        }) {
            return texts
                .iter()
                .flat_map(|text| peel(text, labels, bare, left))
                .collect();
        }
        let said = if bare {
            let rest = chat::without_lead_in(&text, &mut alternatives);
            chatty |= rest.is_some();
            rest.or_else(|| remarks::without_remarks(&text, chatty))
        } else {
            None
        };
        let shorter = said
            .map(str::to_owned)
            .or_else(|| layers::unwrapped(&text, bare))
            .map(|shorter| shorter.trim().to_owned());
        match shorter {
            Some(shorter) if shorter.len() < text.len() => text = shorter,
            _ => break,
        }
    }
    let text = quotes::unescaped(&text);
    let text: Vec<&str> = text.trim().lines().map(str::trim_end).collect();
    let text = text.join("\n");
    if text.is_empty() || (bare && (chat::is_lead_in(&text) || chat::is_label(&text))) {
        return Vec::new();
    }
    vec![text]
}

/// The text without a chat template's own tokens at its ends, and with the angle
/// brackets that a web page's habits have escaped.
fn without_tokens(text: &str) -> String {
    let mut text = text.trim();
    while let Some(end) = text.strip_prefix("<|").and_then(|rest| rest.find("|>")) {
        text = text[end + 4..].trim_start();
    }
    while let Some(start) = text.strip_suffix("|>").and_then(|rest| rest.rfind("<|")) {
        text = text[..start].trim_end();
    }
    if starts_with(text, "assistant:") {
        text = text["assistant:".len()..].trim_start();
    }
    if find(text, "&lt;prompt&gt;").is_some() {
        return text
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&amp;", "&");
    }
    text.to_owned()
}

/// Names of the tags that models think in.
const THOUGHTS: [&str; 8] = [
    "think",
    "thinking",
    "thought",
    "thoughts",
    "reasoning",
    "reflection",
    "scratchpad",
    "analysis",
];

/// What follows the thoughts at the head of a text. A text that never stops
/// thinking has nothing after them.
fn after_thoughts(text: &str) -> &str {
    let mut text = text.trim();
    'next: loop {
        for name in THOUGHTS {
            let (open, close) = (format!("<{name}>"), format!("</{name}>"));
            if starts_with(text, &open) {
                text = match find(text, &close) {
                    Some(at) => text[at + close.len()..].trim_start(),
                    None => "",
                };
                continue 'next;
            }
            // A server may have sent the opening tag apart, or not at all.
            if let Some(at) = find(text, &close)
                && find(&text[..at], &open).is_none()
            {
                text = text[at + close.len()..].trim_start();
                continue 'next;
            }
        }
        return text;
    }
}

/// Whether a text begins with an ASCII piece, in any case.
fn starts_with(text: &str, piece: &str) -> bool {
    text.get(..piece.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(piece))
}

/// Where an ASCII piece begins in a text, in any case.
fn find(text: &str, piece: &str) -> Option<usize> {
    text.to_ascii_lowercase().find(&piece.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
