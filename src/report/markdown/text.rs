//! Pieces of Markdown that hold text of others.

use std::fmt::Write as _;

use crate::wording::shown::{NO_MENTION, line, visible};

/// A block whose fence is longer than any in the text.
pub(super) fn fenced(out: &mut String, language: &str, text: &str) {
    let fence = "`".repeat(longest_run(text, '`').max(2) + 1);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let text = visible(text);
    let _ = writeln!(out, "{fence}{language}\n{text}{end}{fence}");
}

/// Text as a code span, fit for a table's cell.
pub(crate) fn code(text: &str) -> String {
    let text = line(text);
    if text.trim().is_empty() {
        return "–".into();
    }
    let fence = "`".repeat(longest_run(&text, '`') + 1);
    let space = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    // GitHub splits a row at every bare bar, even in code.
    let text = text.replace('|', "\\|");
    format!("{fence}{space}{text}{space}{fence}")
}

/// A sentence of the program, with whatever it quotes made harmless.
pub(crate) fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in line(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            // A mention must not reach anybody.
            '@' => out.push_str(NO_MENTION),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

fn longest_run(text: &str, of: char) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == of { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// With a capital at its start.
pub(crate) fn capital(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + chars.as_str())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn foreign_text_cannot_format() {
        assert_eq!(code("a|`b`"), "`` a\\|`b` ``");
        assert_eq!(code(" \n"), "–");
        assert_eq!(
            inline("<b> @all *x* [y](z)\n"),
            "&lt;b> @\u{200b}all \\*x\\* \\[y\\](z) "
        );
    }

    proptest! {
        #[test]
        fn code_span_ends_at_fence(text in "[`a|\n ]{1,12}") {
            let span = code(&text);
            if span != "–" {
                let fence = span.len() - span.trim_start_matches('`').len();
                let inner = &span[fence..span.len() - fence];
                prop_assert!(longest_run(inner, '`') != fence, "{}", span);
                prop_assert!(!inner.starts_with('`') && !inner.ends_with('`'));
                prop_assert!(!span.contains('\n'));
            }
        }

        #[test]
        fn fenced_block_ends_at_fence(text in "[`a\n]{0,20}") {
            let mut out = String::new();
            fenced(&mut out, "text", &text);
            let fence: String = out.chars().take_while(|c| *c == '`').collect();
            let ends: Vec<&str> = out.lines().skip(1).filter(|line| line.starts_with(&fence)).collect();
            prop_assert_eq!(ends, [fence.as_str()]);
        }
    }
}
