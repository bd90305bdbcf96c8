//! What of an answer is knowledge, and what is none.

use shiftproof_tasks::parse::thoughts;
use shiftproof_tasks::{Finish, KnowledgeQuestion, Reply};

use crate::propose::declines;

/// Why a question has no answer to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KnowledgeGap {
    /// The model says that it does not know.
    Unknown,
    /// The service or the model refuses.
    Refused,
    /// The answer was cut off. Half a fact may say the opposite of the whole.
    Truncated,
    /// There is nothing in it, or the question again.
    Unreadable,
}

impl KnowledgeGap {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Refused => "refused",
            Self::Truncated => "cut off",
            Self::Unreadable => "unreadable",
        }
    }
}

/// A sentence of the question that an answer repeats has this many words or more.
const SENTENCE: usize = 8;

/// What the reply says, without thoughts, fences and what models put before an answer.
pub(super) fn read(question: &KnowledgeQuestion, reply: &Reply) -> Result<String, KnowledgeGap> {
    if reply.finish == Finish::Filtered {
        return Err(KnowledgeGap::Refused);
    }
    if reply.finish == Finish::Length {
        return Err(KnowledgeGap::Truncated);
    }
    let text = thoughts::answer(&reply.text).ok_or(KnowledgeGap::Unreadable)?;
    if declines(&text) {
        return Err(KnowledgeGap::Refused);
    }
    if repeats(question, &text) {
        return Err(KnowledgeGap::Unreadable);
    }
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("```"))
        .collect();
    let lines = match lines.split_first() {
        Some((first, rest)) if !rest.is_empty() && is_lead_in(first) => rest,
        _ => lines.as_slice(),
    };
    if lines.is_empty() {
        return Err(KnowledgeGap::Unreadable);
    }
    let told: Vec<String> = lines
        .iter()
        .filter(|line| !says_nothing(line))
        .map(|line| plain(line))
        .filter(|line| line.chars().any(char::is_alphanumeric))
        .collect();
    if told.is_empty() {
        let words = lines
            .iter()
            .any(|line| line.chars().any(char::is_alphanumeric));
        return Err(if words {
            KnowledgeGap::Unknown
        } else {
            KnowledgeGap::Unreadable
        });
    }
    Ok(told.join("\n"))
}

/// Whether an answer has a whole sentence of the question's own wording.
fn repeats(question: &KnowledgeQuestion, text: &str) -> bool {
    let sentences = question.wording.split_inclusive(['.', '\n']);
    sentences
        .map(str::trim)
        .filter(|sentence| sentence.split_whitespace().count() >= SENTENCE)
        .any(|sentence| text.contains(sentence))
}

/// "Sure! Here is what is known:", on a line of its own.
fn is_lead_in(line: &str) -> bool {
    const STARTS: [&str; 9] = [
        "sure",
        "certainly",
        "of course",
        "here ",
        "here's",
        "okay",
        "absolutely",
        "based on",
        "below ",
    ];
    let line = line.trim_matches(['*', '#', ' ']).to_lowercase();
    line.ends_with([':', '!', '.']) && STARTS.iter().any(|start| line.starts_with(start))
}

/// Whether a line, or what it says of its factor, is that nothing is known.
fn says_nothing(line: &str) -> bool {
    const NOTHING: [&str; 8] = [
        "unknown",
        "n/a",
        "none",
        "not known",
        "not available",
        "not specified",
        "not mentioned",
        "no information",
    ];
    let said = line.split_once(':').map_or(line, |(_, said)| said);
    let said = said
        .trim_matches(|c: char| !c.is_alphanumeric())
        .to_lowercase();
    NOTHING.contains(&said.as_str())
}

/// A line without bullets and emphasis.
fn plain(line: &str) -> String {
    let line = line.trim_start_matches(['-', '*', '•', '#', '>', ' ']);
    line.replace("**", "").replace("__", "").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDING: &str = "State what is known about the film below, factor by factor.\nIf you \
                           do not know the film, answer UNKNOWN.";

    fn of(reply: &Reply) -> Result<String, KnowledgeGap> {
        let question = KnowledgeQuestion {
            field: "facts".into(),
            subject: "Heat".into(),
            text: format!("{WORDING}\n\nTitle: Heat"),
            wording: WORDING.into(),
            max_tokens: 64,
        };
        read(&question, reply)
    }

    #[track_caller]
    fn check(text: &str, expected: Result<&str, KnowledgeGap>) {
        assert_eq!(
            of(&Reply::text(text)),
            expected.map(str::to_owned),
            "{text}"
        );
    }

    #[test]
    fn what_stands_around_knowledge_is_taken_off() {
        let facts = "genre: crime\ndirector: Michael Mann";
        check(facts, Ok(facts));
        check(
            "- **genre**: crime\n- **director**: Michael Mann\n",
            Ok(facts),
        );
        check(
            "Sure! Here is what I know about Heat:\n\n```\ngenre: crime\ndirector: Michael \
             Mann\n```",
            Ok(facts),
        );
        check(
            "<think>Heat, 1995, or 1986?</think>genre: crime\nsoundtrack: unknown\ndirector: \
             Michael Mann\nawards: N/A.",
            Ok(facts),
        );
        // Here the first line is all there is.
        check("Here be dragons.", Ok("Here be dragons."));
        check(
            "A heist film by Michael Mann.",
            Ok("A heist film by Michael Mann."),
        );
    }

    #[test]
    fn what_is_no_knowledge_is_named() {
        check("UNKNOWN", Err(KnowledgeGap::Unknown));
        check("**Unknown.**", Err(KnowledgeGap::Unknown));
        check("genre: unknown\ndirector: n/a", Err(KnowledgeGap::Unknown));
        check("", Err(KnowledgeGap::Unreadable));
        check("```\n```", Err(KnowledgeGap::Unreadable));
        check("…", Err(KnowledgeGap::Unreadable));
        check("<think>Well, I wonder", Err(KnowledgeGap::Unreadable));
        check(
            "I'm sorry, but I can't help with that.",
            Err(KnowledgeGap::Refused),
        );
        check(WORDING, Err(KnowledgeGap::Unreadable));
        check(
            "State what is known about the film below, factor by factor. Title: Heat",
            Err(KnowledgeGap::Unreadable),
        );
        let cut = Reply {
            finish: Finish::Length,
            ..Reply::text("genre: crime\ndirector: Mich")
        };
        assert_eq!(of(&cut), Err(KnowledgeGap::Truncated));
        let filtered = Reply {
            finish: Finish::Filtered,
            ..Reply::text("")
        };
        assert_eq!(of(&filtered), Err(KnowledgeGap::Refused));
    }
}
