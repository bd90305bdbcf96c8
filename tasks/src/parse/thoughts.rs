//! What a reasoning model says to itself before it answers.

use std::borrow::Cow;

/// Tags that models write their thoughts in, most frequent first.
const TAGS: [(&str, &str); 9] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<thoughts>", "</thoughts>"),
    ("<reasoning>", "</reasoning>"),
    ("<reflection>", "</reflection>"),
    ("<scratchpad>", "</scratchpad>"),
    ("[think]", "[/think]"),
    ("◁think▷", "◁/think▷"),
];

/// Where the answer begins in replies of models with channels.
const FINAL: &str = "<|channel|>final<|message|>";
const CHANNEL: &str = "<|channel|>";

/// Tags that an answer may stand in although the thoughts never ended.
const ANSWER: &str = "<answer>";

/// The text without a model's thoughts; `None` if they never end, so that no
/// answer was given. A closing tag without an opening one counts: servers often
/// take the opening one for part of the chat template.
pub fn answer(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['<', '[', '◁']) {
        return Some(Cow::Borrowed(text));
    }
    if let Some((_, answer)) = text.rsplit_once(FINAL) {
        let end = answer.find("<|").unwrap_or(answer.len());
        return Some(Cow::Borrowed(&answer[..end]));
    }
    if text.contains(CHANNEL) {
        return None;
    }
    let mut rest = Cow::Borrowed(text);
    for (open, close) in TAGS {
        rest = match rest {
            Cow::Borrowed(text) => without(text, open, close)?,
            Cow::Owned(text) => Cow::Owned(without(&text, open, close)?.into_owned()),
        };
    }
    Some(rest)
}

fn without<'t>(text: &'t str, open: &str, close: &str) -> Option<Cow<'t, str>> {
    let rest = match rfind(text, close) {
        None => Cow::Borrowed(text),
        Some(end) => {
            let before = find(&text[..end], open).map_or("", |start| &text[..start]);
            let after = &text[end + close.len()..];
            if before.trim().is_empty() {
                Cow::Borrowed(after)
            } else {
                Cow::Owned(format!("{before}\n{after}"))
            }
        }
    };
    let Some(start) = find(&rest, open) else {
        return Some(rest);
    };
    if let Some(at) = find(&rest[start..], ANSWER) {
        return Some(Cow::Owned(rest[start + at..].to_owned()));
    }
    let before = rest[..start].trim();
    (!before.is_empty()).then(|| Cow::Owned(before.to_owned()))
}

/// The first place of `needle`, which is in lower case, in any case.
pub(super) fn find(text: &str, needle: &str) -> Option<usize> {
    places(text, needle).next()
}

fn rfind(text: &str, needle: &str) -> Option<usize> {
    places(text, needle).last()
}

/// Every place of `needle`, ASCII case aside.
pub(super) fn places<'t>(text: &'t str, needle: &'t str) -> impl Iterator<Item = usize> + 't {
    let first = needle.as_bytes().first().copied().unwrap_or(b'<');
    text.bytes()
        .enumerate()
        .filter(move |(_, byte)| byte.eq_ignore_ascii_case(&first))
        .map(|(at, _)| at)
        .filter(move |&at| {
            text.as_bytes()
                .get(at..at + needle.len())
                .is_some_and(|part| part.eq_ignore_ascii_case(needle.as_bytes()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(answer(text).as_deref().map(str::trim), expected, "{text:?}");
    }

    #[test]
    fn thoughts_are_dropped() {
        check("no tag < at all", Some("no tag < at all"));
        check("<think>a</think>b", Some("b"));
        check("a</think>\n\nb", Some("b"));
        check("<Think>a</Think>b", Some("b"));
        check("<think>a</think>b<think>c</think>d", Some("d"));
        check("b <reasoning>a</reasoning>", Some("b"));
        check("<think>a<thinking>b</thinking>c</think>d", Some("d"));
        check("<think>on and on", None);
        check("b\n<think>on and on", Some("b"));
        check(
            "<reasoning>on <answer>b</answer>",
            Some("<answer>b</answer>"),
        );
        check(
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b<|return|>",
            Some("b"),
        );
        check("<|channel|>analysis<|message|>a", None);
        check("[THINK]a[/THINK]b", Some("b"));
    }
}
