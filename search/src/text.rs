//! Texts as observers are shown them.

/// A text on one line, with an ellipsis where more than `most` characters are
/// cut off.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let mut line = String::new();
    for (count, word) in text.split_whitespace().enumerate() {
        if count > 0 {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > 4 * most {
            break;
        }
    }
    match line.char_indices().nth(most) {
        Some(_) => {
            let end = line.char_indices().nth(most - 1).map_or(0, |(at, _)| at);
            format!("{}…", line[..end].trim_end())
        }
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_texts_are_bounded_lines() {
        assert_eq!(cut(" a\n\nb\tc ", 9), "a b c");
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        let long = "ü".repeat(10_000);
        assert_eq!(cut(&long, 80).chars().count(), 80);
    }
}
