//! A number within a range.

use super::after_marker;

/// The one number of `min..=max` that `text` states; of two different ones
/// neither. A marked number ("Rating: 4") wins.
pub(super) fn from_text(min: f64, max: f64, text: &str, cut_off: bool) -> Option<f64> {
    let only = |text: &str| {
        let mut found = None;
        for number in numbers(text, max, cut_off)?
            .into_iter()
            .filter(|n| (min..=max).contains(n))
        {
            if *found.get_or_insert(number) != number {
                return None;
            }
        }
        found
    };
    after_marker(text).and_then(only).or_else(|| only(text))
}

/// The numbers in `text`, denominators of a scale that ends at `max` left out.
/// `None` if one is on another scale ("8/10" where 1 to 5 was asked for).
fn numbers(text: &str, max: f64, cut_off: bool) -> Option<Vec<f64>> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut previous = ' ';
    while let Some(c) = rest.chars().next() {
        let negative = matches!(c, '-' | '−') && !previous.is_alphanumeric();
        let digits = if negative {
            &rest[c.len_utf8()..]
        } else {
            rest
        };
        let Some((number, after)) = leading_number(digits) else {
            previous = c;
            rest = &rest[c.len_utf8()..];
            continue;
        };
        // "GPT4" and "4th" are words; at the end of a cut-off text more digits
        // may have been to come.
        let is_word = previous.is_alphanumeric() || after.starts_with(char::is_alphabetic);
        let unfinished = cut_off && after.is_empty();
        rest = after;
        previous = '0';
        if is_word || unfinished {
            continue;
        }
        found.push(if negative { -number } else { number });
        if let Some((scale, after)) = denominator(after) {
            if scale != max {
                return None;
            }
            rest = after;
        }
    }
    Some(found)
}

/// The number that `text` starts with, and what follows it.
fn leading_number(text: &str) -> Option<(f64, &str)> {
    let run = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let bytes = text.as_bytes();
    let mut end = run(text);
    let mut number = text[..end].to_owned();
    if end == 0 {
        // ".5" is a number, "." is not.
        if bytes.first() != Some(&b'.') || run(&text[1..]) == 0 {
            return None;
        }
        number.push('0');
    }
    // Thousands: "1,000" but not "1,2" nor "1,0000".
    while end > 0 && bytes.get(end) == Some(&b',') && run(&text[end + 1..]) == 3 {
        number.push_str(&text[end + 1..end + 4]);
        end += 4;
    }
    if bytes.get(end) == Some(&b'.') {
        let fraction = run(&text[end + 1..]);
        if fraction > 0 {
            number.push_str(&text[end..=end + fraction]);
            end += 1 + fraction;
        }
    }
    Some((number.parse().ok()?, &text[end..]))
}

/// The scale in "/5", " / 5", " out of 5", and what follows it.
fn denominator(after: &str) -> Option<(f64, &str)> {
    let after = after.trim_start_matches(' ');
    let scale = after.strip_prefix('/').or_else(|| {
        after
            .get(..6)
            .filter(|words| words.eq_ignore_ascii_case("out of"))
            .map(|_| &after[6..])
    })?;
    leading_number(scale.trim_start_matches(' '))
}
