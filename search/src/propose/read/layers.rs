//! What a prompt is wrapped in: tags, fences, headings, quotation marks.

use super::chat::{bared, is_label, promises};
use super::quotes::{block_quote, bold, quoted};
use super::{find, starts_with};

/// Whether a line is a horizontal rule.
pub(super) fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.len() >= 3
        && ["-", "*", "_", "="]
            .iter()
            .any(|mark| line.replace(mark, "").is_empty())
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// What stands in the tags that were asked for. A tag that was only mentioned
/// ("in <prompt> tags") opens nothing; the last may be unclosed, or the first
/// unopened.
pub(super) fn tagged(text: &str) -> Vec<&str> {
    const CLOSE: &str = "</prompt>";
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(close) = find(rest, CLOSE) {
        let before = &rest[..close];
        found.push(after_last_open(before).unwrap_or(before));
        rest = &rest[close + CLOSE.len()..];
    }
    if let Some(inner) = after_last_open(rest)
        && words(inner) > 2
    {
        found.push(inner);
    }
    let long: Vec<&str> = found
        .iter()
        .copied()
        .filter(|inner| words(inner) > 2 || inner.len() > 20)
        .collect();
    if long.is_empty() {
        found.retain(|inner| !inner.trim().is_empty());
        return found;
    }
    long
}

fn after_last_open(text: &str) -> Option<&str> {
    let lower = text.to_ascii_lowercase();
    let open = lower
        .rmatch_indices("<prompt")
        .find(|(at, name)| lower[at + name.len()..].starts_with(['>', ' ', '\n']))?
        .0;
    let end = text[open..].find('>')?;
    Some(&text[open + end + 1..])
}

/// The text without its outermost wrapping, if it has one.
pub(super) fn unwrapped(text: &str, bare: bool) -> Option<String> {
    let own = |inner: &str| inner.to_owned();
    fenced(text)
        .map(own)
        .or_else(|| element(text).map(own))
        .or_else(|| bare.then(|| named_element(text)).flatten().map(own))
        .or_else(|| labelled(text).map(own))
        .or_else(|| bare.then(|| below_heading(text)).flatten().map(own))
        .or_else(|| unruled(text).map(own))
        .or_else(|| block_quote(text))
        .or_else(|| quoted(text).map(own))
        .or_else(|| bold(text).map(own))
}

/// A fence's mark at the head of a line, and what stands after it.
fn fence(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = line.len() - line.trim_start_matches(mark).len();
    (length >= 3).then(|| line.split_at(length))
}

/// Languages of a fence that holds prose.
fn holds_prose(language: &str) -> bool {
    let language = language.trim().to_lowercase();
    [
        "",
        "text",
        "txt",
        "markdown",
        "md",
        "plaintext",
        "plain",
        "prompt",
        "xml",
        "html",
    ]
    .contains(&language.as_str())
}

/// Where the fence or element ends that a text begins with; 0 without one.
pub(super) fn wrapped(text: &str) -> usize {
    if let Some((name, length)) = tag(text) {
        let close = end_tag(text, name).to_ascii_lowercase();
        let lower = text.to_ascii_lowercase();
        return lower[length..]
            .rfind(&close)
            .map_or(0, |at| length + at + close.len());
    }
    let Some((mark, _)) = fence(text.lines().next().unwrap_or_default()) else {
        return 0;
    };
    let (mut at, mut end) = (0, 0);
    for line in text.split_inclusive('\n') {
        at += line.len();
        if fence(line) == Some((mark, "")) {
            end = at;
        }
    }
    end
}

/// The inside of a fence around the whole text, or of the one fence after a short
/// text that ends in a colon. A fence may hold fences.
fn fenced(text: &str) -> Option<&str> {
    let lines: Vec<&str> = text.split('\n').collect();
    let fences: Vec<(usize, &str, &str)> = lines
        .iter()
        .enumerate()
        .filter_map(|(at, line)| fence(line).map(|(mark, language)| (at, mark, language)))
        .collect();
    let &(first, mark, language) = fences.first()?;
    let &(last, closing, after) = fences.last()?;
    let offset = |line: usize| lines[..line].iter().map(|l| l.len() + 1).sum::<usize>();
    if first == last {
        // A fence that was never closed.
        let inner = text.get(offset(first + 1)..)?;
        return (first == 0 && !inner.trim().is_empty()).then_some(inner);
    }
    if last + 1 != lines.len() || !after.is_empty() || closing != mark {
        return None;
    }
    let inner = &text[offset(first + 1)..offset(last).saturating_sub(1).max(offset(first + 1))];
    let nested = fences.len() > 2;
    if nested && fences[1].2.trim().is_empty() && fences[1].1 == mark {
        // The second closes the first: two blocks, and text between them.
        return None;
    }
    if first == 0 {
        return Some(inner);
    }
    let before = text[..offset(first)].trim();
    let leads = before.ends_with([':', '：']) && words(before) <= 30;
    (leads && !nested && holds_prose(language) && words(inner) >= 2 * words(before))
        .then_some(inner)
}

/// The insides of several fences with prose, where the text is little else.
pub(super) fn blocks(text: &str) -> Option<Vec<String>> {
    let mut blocks: Vec<String> = Vec::new();
    let mut open: Option<&str> = None;
    let mut outside = 0;
    for line in text.lines() {
        match (fence(line), open) {
            (Some((mark, language)), None) if holds_prose(language) => {
                open = Some(mark);
                blocks.push(String::new());
            }
            (Some(_), None) => return None,
            (Some((mark, "")), Some(opened)) if mark == opened => open = None,
            (_, Some(_)) => {
                let block = blocks.last_mut()?;
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => outside += words(line),
        }
    }
    let inside: usize = blocks.iter().map(|block| words(block)).sum();
    (open.is_none() && outside < inside && blocks.iter().all(|block| words(block) > 4))
        .then_some(blocks)
}

/// The name of the tag at the head of a text, with its length.
fn tag(text: &str) -> Option<(&str, usize)> {
    let close = match text.as_bytes().first()? {
        b'<' => '>',
        b'[' => ']',
        _ => return None,
    };
    let end = text.find(close)?;
    let name = text[1..end].split_whitespace().next()?;
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':');
    (name.chars().all(valid) && name.starts_with(|c: char| c.is_ascii_alphabetic()) && end < 80)
        .then_some((name, end + 1))
}

/// The end tag that belongs to a tag.
fn end_tag(text: &str, name: &str) -> String {
    if text.starts_with('<') {
        format!("</{name}>")
    } else {
        format!("[/{name}]")
    }
}

/// The inside of one element that is the whole text, whatever its name.
fn element(text: &str) -> Option<&str> {
    let (name, start) = tag(text)?;
    let close = end_tag(text, name);
    let end = text
        .len()
        .checked_sub(close.len())
        .filter(|end| *end >= start)?;
    let inner = text.get(start..end)?;
    let whole = starts_with(text.get(end..)?, &close) && find(inner, &close).is_none();
    whole.then_some(inner)
}

/// The inside of the one element whose name says prompt or instruction, where
/// what is around it is less, and no element of the same prompt.
fn named_element(text: &str) -> Option<&str> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at + (line.len() - line.trim_start().len());
        at += line.len();
        let here = &text[start..];
        let Some((name, length)) = tag(here) else {
            continue;
        };
        let said = name.to_lowercase();
        if !said.contains("prompt") && !said.contains("instruction") {
            return None;
        }
        let close = end_tag(here, name);
        let inner = &here[length..length + find(&here[length..], &close)?];
        let after = &here[length + inner.len() + close.len()..];
        let other = |text: &str| text.lines().any(|line| tag(line.trim()).is_some());
        let around = words(&text[..start]) + words(after);
        return (!other(after) && words(inner) > 2 && around < words(inner)).then_some(inner);
    }
    None
}

/// A heading's text, from Markdown's marks or bold type.
fn heading(line: &str) -> Option<&str> {
    let line = line.trim();
    if let Some(rest) = line.strip_prefix('#') {
        return Some(rest.trim_matches(['#', '*', ' ']));
    }
    ["**", "__"].iter().find_map(|mark| {
        let rest = line.strip_prefix(mark)?;
        let inner = rest.strip_suffix(mark).or_else(|| {
            rest.strip_suffix(':')
                .and_then(|rest| rest.strip_suffix(mark))
        })?;
        (!inner.contains(mark)).then_some(inner)
    })
}

/// What follows a label of the prompt at its head: `## Improved prompt`,
/// `**Prompt:** …`, `Instruction: …`. "Instructions" above other headings is a
/// part of the prompt.
fn labelled(text: &str) -> Option<&str> {
    let (line, below) = text.split_once('\n').unwrap_or((text, ""));
    if let Some(name) = heading(line)
        && is_label(name)
        && !below.trim().is_empty()
    {
        let section = name.to_lowercase().contains("instructions")
            && below.lines().any(|line| heading(line).is_some());
        return (!section).then_some(below);
    }
    // Bare titles: alone on the first line, or underlined.
    let alone = bared(line);
    let answer = [
        "output",
        "answer",
        "response",
        "result",
        "final answer",
        "the answer is",
        "the final answer is",
    ];
    let underline = below.split_once('\n').filter(|(rule, _)| is_rule(rule));
    if let Some((_, rest)) = underline
        && is_label(line)
    {
        return Some(rest);
    }
    let titled = promises(line) && below.starts_with('\n');
    let answers = alone
        .strip_suffix(':')
        .is_some_and(|label| answer.contains(&label));
    if (titled || answers) && !below.trim().is_empty() {
        return Some(below);
    }
    let colon = line.find([':', '：'])?;
    let width = line[colon..].chars().next()?.len_utf8();
    let rest = text[colon + width..].trim_start_matches(['*', '_']);
    // A label of more words, or one with sisters, is a section.
    let name = line[..colon].trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ');
    let section = name.to_lowercase().contains("instructions") && below.contains(':');
    (is_label(name) && !section && !rest.trim().is_empty()).then_some(rest)
}

/// What stands below a heading that promises a better prompt, wherever it is, or
/// after the label of a prompt that follows a labelled analysis.
fn below_heading(text: &str) -> Option<&str> {
    const THOUGHTS: [&str; 9] = [
        "reasoning",
        "analysis",
        "thought",
        "thinking",
        "observation",
        "explanation",
        "rationale",
        "pattern",
        "diagnosis",
    ];
    let first = bared(text.lines().next().unwrap_or_default());
    let analysis = THOUGHTS.iter().any(|word| first.starts_with(word));
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let below = &text[at..];
        if heading(line).is_some_and(promises) && words(below) > 2 {
            return Some(below);
        }
        let label = line
            .split([':', '：'])
            .next()
            .filter(|_| analysis && start > 0);
        if label.is_some_and(|label| label.len() < line.trim_end().len() && is_label(label)) {
            return Some(&text[start..]);
        }
    }
    None
}

/// The text without horizontal rules at its ends, and what follows the second of
/// a pair.
fn unruled(text: &str) -> Option<&str> {
    if let Some((first, rest)) = text.split_once('\n')
        && is_rule(first)
    {
        let mut at = 0;
        for line in rest.split_inclusive('\n') {
            if line.trim() == first.trim() && words(&rest[at..]) <= 60 {
                return Some(&rest[..at]);
            }
            at += line.len();
        }
        return Some(rest);
    }
    let (rest, last) = text.rsplit_once('\n')?;
    is_rule(last).then_some(rest)
}
