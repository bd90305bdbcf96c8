//! Reads the reasons out of a reply that says what is wrong with a prompt.

use super::{after_thoughts, find, without_tokens};

/// A text of fewer words is no reason.
const LEAST_WORDS: usize = 4;
/// Characters of a reason that are used: a model that goes on for pages has lost its
/// thread.
const MOST_CHARS: usize = 600;

/// Up to `most` reasons: what is in the tags that were asked for, else the items of a
/// list, else the paragraphs.
pub fn reasons(reply: &str, most: usize) -> Vec<String> {
    let reply = without_tokens(reply);
    let text = after_thoughts(&reply);
    let mut found = tagged(text);
    if found.is_empty() {
        found = items(text);
    }
    if found.is_empty() {
        found = text.split("\n\n").map(str::to_owned).collect();
    }
    let mut reasons: Vec<String> = Vec::new();
    for reason in found {
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        let reason = cut(reason.trim_matches(['*', '"', ' ']));
        let is_lead_in = reason.ends_with(':');
        if !is_lead_in
            && reason.split(' ').count() >= LEAST_WORDS
            && !reasons.contains(&reason)
            && reasons.len() < most
        {
            reasons.push(reason);
        }
    }
    reasons
}

/// What stands between tags; the last may lack its end.
fn tagged(text: &str) -> Vec<String> {
    const OPEN: &str = "<reason>";
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = find(rest, OPEN) {
        rest = &rest[at + OPEN.len()..];
        let end = [find(rest, "</reason>"), find(rest, OPEN)];
        let end = end.into_iter().flatten().min().unwrap_or(rest.len());
        found.push(rest[..end].to_owned());
        rest = &rest[end..];
    }
    found
}

/// The items of a list, each with the lines that go on below it.
fn items(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in text.lines() {
        let start = line.trim_start();
        let digits = start.bytes().take_while(u8::is_ascii_digit).count();
        let rest = if (1..=2).contains(&digits) {
            start[digits..].strip_prefix(['.', ')'])
        } else {
            start.strip_prefix("- ").or(start.strip_prefix("* "))
        };
        match (rest, found.last_mut()) {
            (Some(rest), _) => found.push(rest.trim().to_owned()),
            (None, Some(last)) if !line.trim().is_empty() && line.starts_with([' ', '\t']) => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => {}
        }
    }
    found
}

fn cut(reason: &str) -> String {
    match reason.char_indices().nth(MOST_CHARS) {
        Some((end, _)) => reason[..end].to_owned(),
        None => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reasons_are_read_in_every_dress() {
        let two = [
            "It does not say what a mixed review is.",
            "It leaves the output format open.",
        ];
        let dressed = [
            format!("<reason>{}</reason>\n<reason>{}</reason>", two[0], two[1]),
            format!("Sure!\n<REASON>\n{}\n</REASON>\n<reason>{}", two[0], two[1]),
            format!(
                "<think>Hm.</think>Here are the reasons:\n\n1. {}\n2) {}",
                two[0], two[1]
            ),
            format!("- {}\n- **{}**\n\nLet me know!", two[0], two[1]),
            format!("{}\n\n{}\n\n{}", two[0], two[1], two[0]),
        ];
        for reply in dressed {
            assert_eq!(reasons(&reply, 4), two, "{reply}");
        }
        assert_eq!(reasons("positive", 4), [""; 0]);
        assert_eq!(
            reasons("Here is what I think is wrong with it:", 4),
            [""; 0]
        );
        let long = format!("<reason>{}</reason>", "again and again ".repeat(3000));
        assert_eq!(reasons(&long, 4)[0].chars().count(), MOST_CHARS);
    }

    proptest! {
        #[test]
        fn any_text_reads(text in "(<reason>|</reason>|\\PC|\n|1\\. |- |word ){0,60}", most in 0usize..5) {
            let found = reasons(&text, most);
            prop_assert!(found.len() <= most);
        }
    }
}
