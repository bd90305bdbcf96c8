//! Texts as the rules look at them: their words, and what is said around them.

/// A reply that declines is no longer, in words; a longer one that says sorry is
/// a prompt about sorry people.
const DECLINED_WORDS: usize = 80;

/// Whether a reply is short and declines.
pub(crate) fn declines(reply: &str) -> bool {
    const PHRASES: [&str; 27] = [
        "i'm sorry",
        "i am sorry",
        "sorry, but",
        "sorry, i",
        "i apologize",
        "i apologise",
        "i cannot",
        "i can't",
        "i can not",
        "i'm unable",
        "i am unable",
        "i'm not able",
        "i am not able",
        "i won't",
        "i must decline",
        "as an ai, i",
        "as an ai model, i",
        "as an ai assistant, i",
        "as an ai language model, i",
        "unfortunately, i",
        "lo siento",
        "je suis désolé",
        "es tut mir leid",
        "tut mir leid",
        "mi dispiace",
        "抱歉",
        "对不起",
    ];
    let reply = reply.trim();
    if words(reply) > DECLINED_WORDS {
        return false;
    }
    let start = reply
        .trim_start_matches(|c: char| !c.is_alphanumeric())
        .replace('’', "'")
        .to_lowercase();
    PHRASES.iter().any(|phrase| start.starts_with(phrase))
}

/// Words of a text; a character of a script without spaces counts as one.
pub(in crate::propose) fn words(text: &str) -> usize {
    let spaced = text.split_whitespace().count();
    let unspaced = text
        .chars()
        .filter(|c| ('\u{2e80}'..='\u{d7a3}').contains(c));
    spaced + unspaced.count()
}

/// Whether a word of the text begins with one of `stems`, in lower case.
pub(super) fn mentions(text: &str, stems: &[&str]) -> bool {
    let words = padded(text);
    stems.iter().any(|stem| words.contains(&format!(" {stem}")))
}

/// Lower-case words separated and surrounded by single spaces, punctuation
/// dropped: what makes "contains this phrase" a substring test.
pub(in crate::propose) fn padded(text: &str) -> String {
    let mut words = String::from(" ");
    for word in text
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|w| !w.is_empty())
    {
        words.push_str(&word.to_lowercase());
        words.push(' ');
    }
    words
}

/// Strips what small models put around a line: fences, quotes, lead-ins,
/// everything after the first paragraph.
pub(super) fn tidy(text: &str) -> String {
    let text = text
        .trim()
        .trim_start_matches("```text")
        .trim_matches('`')
        .trim();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let mut line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    for lead_in in [
        "the instruction was:",
        "the instruction is:",
        "instruction:",
        "prompt:",
        "output:",
    ] {
        if line
            .get(..lead_in.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(lead_in))
        {
            line = line[lead_in.len()..].trim().to_owned();
        }
    }
    let unquoted = line
        .strip_prefix(['"', '“'])
        .and_then(|rest| rest.strip_suffix(['"', '”']).or(Some(rest)))
        .filter(|inner| !inner.contains(['"', '“']));
    unquoted.map_or_else(|| line.clone(), |inner| inner.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_short_and_begin() {
        let long = format!(
            "I'm sorry to hear that. {}",
            "Judge the next note. ".repeat(30)
        );
        let check = |text: &str, expected: bool| assert_eq!(declines(text), expected, "{text}");
        check("I’m sorry, but I cannot help with this.", true);
        check("**Unfortunately, I** do not do that.", true);
        check("  \"As an AI language model, I…\"", true);
        check("Lo siento, no puedo.", true);
        check("抱歉，我不能帮忙。", true);
        check(&long, false);
        check("Say sorry, but briefly.", false);
        check("As an AI assistant, judge this.", false);
        check("", false);
    }

    #[test]
    fn unspaced_scripts_have_words() {
        let check = |text: &str, expected: usize| assert_eq!(words(text), expected, "{text}");
        check("", 0);
        check("  two\n words ", 2);
        check("判断情绪", 1 + 4);
        check("감정을 판단", 2 + 5);
    }

    #[test]
    fn padding_drops_punctuation() {
        assert_eq!(padded("It's GOOD—or bad?"), " it's good or bad ");
        assert_eq!(padded("..."), " ");
        assert!(mentions("Rate these, please", &["rat"]));
        assert!(!mentions("They are operated", &["rat"]));
    }

    #[test]
    fn lines_lose_their_wrapping() {
        let check = |text: &str, expected: &str| assert_eq!(tidy(text), expected);
        check("```text\nJudge the  note.\n```", "Judge the note.");
        check("The instruction was: \"Judge it.\"", "Judge it.");
        check("Output: “Judge it.”", "Judge it.");
        check("Judge it.\n\nInput: more", "Judge it.");
        // A quotation inside is part of it.
        check("\"Good\" or \"bad\"?", "\"Good\" or \"bad\"?");
        check("Prompt writing is hard.", "Prompt writing is hard.");
    }
}
