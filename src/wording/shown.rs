//! The one way out for what a model, a server or a file said: no output of the
//! program steers a terminal, turns the order of what follows, or hides.
//!
//! Parts are made harmless where they are put in ([`visible`], [`line`]), and every
//! whole output once more where it leaves ([`text`], [`colored`], [`markdown`],
//! [`json`]): a part that was forgotten does no harm.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Text that a model or a file holds, fit for every screen and report: what would
/// steer a terminal, turn the order of what follows, or hide, is written out.
/// Line breaks and tabs stay.
pub fn visible(text: &str) -> String {
    self::text(text).into_owned()
}

/// The same on one line.
pub fn line(text: &str) -> String {
    visible(&text.replace("\r\n", " ")).replace(['\n', '\t'], " ")
}

/// An argument of a command line that is to be pasted into a shell.
pub(crate) fn argument(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,~".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// The same, in quotation marks whatever it is.
pub(crate) fn quoted(text: &str) -> String {
    if text.contains(['"', '$', '`', '\\', '!']) {
        format!("'{}'", text.replace('\'', "'\\''"))
    } else {
        format!("\"{text}\"")
    }
}

/// A whole output of plain text or markup.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    escaped(text, |c, out| out.extend(c.escape_unicode()))
}

/// A whole output that the program has coloured: its own colours stay, and can be
/// told from no others, since parts are [`visible`].
pub(crate) fn colored(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split("\x1b[");
    out.push_str(&self::text(parts.next().unwrap_or_default()));
    for part in parts {
        let digits = |c: char| c.is_ascii_digit() || c == ';';
        let rest = part.trim_start_matches(digits);
        if rest.starts_with('m') {
            out.push_str("\x1b[");
        } else {
            out.push_str("\\u{1b}[");
        }
        out.push_str(&self::text(part));
    }
    out
}

/// What breaks a mention in Markdown: a blank without width after the sign.
pub(crate) const NO_MENTION: &str = "@\u{200b}";

/// A whole output in Markdown.
pub(crate) fn markdown(text: &str) -> String {
    let parts: Vec<Cow<'_, str>> = text.split(NO_MENTION).map(self::text).collect();
    parts.join(NO_MENTION)
}

/// JSON that says the same: what would be written out elsewhere is escaped as JSON
/// does, so that it can be shown as it is and reads as it was.
pub(crate) fn json(text: &str) -> Cow<'_, str> {
    escaped(text, |c, out| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

fn escaped(text: &str, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    let deceptive = |c: char| c != '\n' && c != '\t' && deceives(c);
    let Some(first) = text.find(deceptive) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(&text[..first]);
    for c in text[first..].chars() {
        if deceptive(c) {
            escape(c, &mut out);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Whether a character does something else than to be seen: control characters,
/// separators of lines, overrides of the direction of writing (CVE-2021-42574),
/// blanks without width and tags. Joiners and selectors of variants belong to
/// emoji and to several scripts.
pub(crate) fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{2028}' | '\u{2029}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_deceives_is_written_out() {
        assert_eq!(
            visible("a\u{9b}31m\u{202e}b\n\tc\r"),
            "a\\u{9b}31m\\u{202e}b\n\tc\\u{d}"
        );
        assert_eq!(line("a\r\nb\tc\u{2028}"), "a b c\\u{2028}");
        // Joined emoji, joiners of Persian, accents and other scripts stay.
        for text in [
            "👩\u{200d}👧 ❤\u{fe0f}",
            "می\u{200c}خواهم",
            "cafe\u{301}",
            "电影 فيلم",
        ] {
            assert_eq!(visible(text), text);
        }
    }

    #[test]
    fn arguments_survive_a_shell() {
        for (given, shown) in [
            ("study.toml", "study.toml"),
            ("my study.toml", "\"my study.toml\""),
            ("", "\"\""),
            ("it's", "\"it's\""),
            ("$HOME/it's", "'$HOME/it'\\''s'"),
        ] {
            assert_eq!(argument(given), shown);
        }
        assert_eq!(quoted("chat"), "\"chat\"");
    }

    #[test]
    fn own_colors_stay() {
        assert_eq!(
            colored("\x1b[31;9mgone\x1b[0m\x1b[2J\x1b]0;title\x07"),
            "\x1b[31;9mgone\x1b[0m\\u{1b}[2J\\u{1b}]0;title\\u{7}"
        );
        assert_eq!(markdown("@\u{200b}all \u{200b}"), "@\u{200b}all \\u{200b}");
    }

    proptest! {
        #[test]
        fn nothing_deceives(given in any::<String>()) {
            for shown in [visible(&given), line(&given), json(&given).into_owned()] {
                prop_assert!(!shown.chars().any(|c| c != '\n' && c != '\t' && deceives(c)));
            }
        }

        #[test]
        fn json_says_the_same(given in any::<String>(), odd in "[\u{80}-\u{9f}\u{202a}-\u{202e}\u{e0001}\"\\\\]{0,8}") {
            let value = serde_json::json!({"a": given, "b": [odd]});
            let written = serde_json::to_string_pretty(&value).unwrap();
            let shown = json(&written);
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }
    }
}
