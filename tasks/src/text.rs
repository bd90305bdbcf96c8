//! Texts as they come out of editors, and how long they are.

use std::borrow::Cow;

/// The text without a byte order mark, its line ends as `\n`: what makes a
/// prompt the same prompt whichever editor or checkout wrote its file. A lone
/// carriage return is a line end too.
///
/// ```
/// use shiftproof_tasks::text::plain;
///
/// assert_eq!(plain("\u{feff}a\r\nb\rc"), "a\nb\nc");
/// ```
pub fn plain(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Tokens of a text, estimated as one per four bytes of UTF-8, rounded up:
/// about three quarters of an English word. Every limit and price on a prompt's
/// length counts in this unit, whatever model is asked.
pub const fn tokens(text: &str) -> usize {
    text.len().div_ceil(4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn line_ends_are_no_content() {
        assert_eq!(plain("a\nb"), "a\nb");
        assert_eq!(plain("a\r\r\nb"), "a\n\nb");
        assert_eq!(plain("a\u{feff}b"), "a\u{feff}b");
        assert!(matches!(plain("a\nb"), Cow::Borrowed(_)));
        assert_eq!((tokens(""), tokens("word"), tokens("words")), (0, 1, 2));
    }

    proptest! {
        #[test]
        fn every_editor_saves_same_text(text in "[^\r\u{feff}]{0,60}") {
            let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
            prop_assert_eq!(plain(&windows).into_owned(), text.clone());
            prop_assert_eq!(plain(&text.replace('\n', "\r")).into_owned(), text);
        }
    }
}
