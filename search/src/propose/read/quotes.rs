//! Quotation marks, block quotes, bold type and escapes around a text.

use std::borrow::Cow;

/// The text of a block quote that is all of it.
pub(super) fn block_quote(text: &str) -> Option<String> {
    let quoted = |line: &str| line.trim_start().starts_with('>');
    let all = text
        .lines()
        .all(|line| line.trim().is_empty() || quoted(line));
    (all && text.lines().any(quoted)).then(|| {
        let lines = text.lines().map(|line| {
            let line = line.trim_start();
            let line = line.strip_prefix('>').unwrap_or(line);
            line.strip_prefix(' ').unwrap_or(line)
        });
        lines.collect::<Vec<_>>().join("\n")
    })
}

const QUOTES: [(char, char); 8] = [
    ('"', '"'),
    ('“', '”'),
    ('„', '“'),
    ('«', '»'),
    ('「', '」'),
    ('『', '』'),
    ('\'', '\''),
    ('`', '`'),
];

/// The inside of quotation marks around the whole text. `"a" or "b"` begins and
/// ends with marks that are not a pair: its first inner mark closes.
pub(super) fn quoted(text: &str) -> Option<&str> {
    let tripled = ["\"\"\"", "'''"].iter().find_map(|mark| {
        let inner = text.strip_prefix(mark)?.strip_suffix(mark)?;
        (!inner.contains(mark)).then_some(inner)
    });
    tripled.or_else(|| single_quoted(text))
}

fn single_quoted(text: &str) -> Option<&str> {
    QUOTES.iter().find_map(|&(open, close)| {
        let inner = text
            .strip_prefix(open)?
            .trim_end_matches(['.', ','])
            .strip_suffix(close)?;
        if inner.starts_with(open) || inner.is_empty() {
            return None;
        }
        let first = inner.find(close);
        let opens = |at: usize| {
            inner[..at]
                .chars()
                .next_back()
                .is_none_or(|c| c.is_whitespace() || matches!(c, '(' | '[' | '{' | ':' | '/'))
        };
        let pair = match first {
            None => true,
            // An apostrophe stands within a word.
            Some(at) if open == close => opens(at) || (open == '\'' && within_word(inner, at)),
            Some(at) => inner[..at].contains(open),
        };
        pair.then_some(inner)
    })
}

fn within_word(text: &str, at: usize) -> bool {
    let after = text[at..].chars().nth(1);
    after.is_some_and(char::is_alphabetic)
}

/// The text of bold type that is all of it.
pub(super) fn bold(text: &str) -> Option<&str> {
    ["**", "__"].iter().find_map(|mark| {
        let inner = text.strip_prefix(mark)?.strip_suffix(mark)?;
        (!inner.contains(mark) && !inner.is_empty()).then_some(inner)
    })
}

/// The text with its line breaks where a model has written them as `\n`.
pub(super) fn unescaped(text: &str) -> Cow<'_, str> {
    let escapes = text.matches("\\n").count();
    if text.contains('\n') || (escapes < 2 && !text.contains("\\n\\n")) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.replace("\\n", "\n")
            .replace("\\t", "\t")
            .replace("\\\"", "\""),
    )
}
