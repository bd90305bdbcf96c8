//! Sentences and clauses of a folded text.

/// A sentence: where it stands, without what ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sentence {
    pub start: usize,
    pub end: usize,
    /// Whether a question mark ends it.
    pub asks: bool,
    /// Whether it begins a line.
    pub line: bool,
    /// Whether anything ends it; the last one of a reply may just stop.
    pub ended: bool,
}

/// The sentences of `text`; lines end them too. Blank ones are left out.
pub(super) fn sentences(text: &str) -> Vec<Sentence> {
    let mut found: Vec<Sentence> = Vec::new();
    let (mut start, mut line) = (0, true);
    let mut add = |start: usize, end: usize, line: bool, by: Option<char>| {
        let asks = matches!(by, Some('?' | '؟'));
        if text[start..end].contains(|c: char| c.is_alphanumeric() || !c.is_ascii()) {
            found.push(Sentence {
                start,
                end,
                asks,
                line,
                ended: by.is_some(),
            });
        } else if asks && let Some(last) = found.last_mut() {
            // "Positive!?"
            last.asks |= last.end + 2 > start;
        }
    };
    for (at, c) in text.char_indices() {
        let next = at + c.len_utf8();
        let ends = match c {
            '\n' | '!' | '?' | '؟' | '。' | '।' | '۔' | '｡' => true,
            '.' => {
                let after = text[next..].chars().next();
                // "4.5", "e.g." and "1. first" end nothing.
                after.is_none_or(|c| c.is_whitespace() || "\"'*_)]}<`".contains(c) || !c.is_ascii())
                    && !(line && is_number(&text[start..at]))
                    && !is_abbreviation(&text[start..at])
            }
            _ => false,
        };
        if ends {
            add(start, at, line, Some(c));
            start = next;
            line = c == '\n';
        }
    }
    add(start, text.len(), line, None);
    found
}

fn is_number(text: &str) -> bool {
    let text = text.trim_start_matches([' ', '*', '_', '#', '(', '-']);
    !text.is_empty() && text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_abbreviation(text: &str) -> bool {
    ["e.g", "i.e", "z.b", "d.h", " vs", " etc", " bzw", " ca", " no", " mr", " dr"]
        .iter()
        .any(|abbreviation| text.ends_with(abbreviation))
        // " no" is an abbreviation before a number only.
        && !text.ends_with(" no")
}

/// Whether the character ends a clause.
pub(super) fn ends_clause(c: char) -> bool {
    matches!(
        c,
        ',' | ';' | ':' | '(' | ')' | '\n' | '–' | '—' | '、' | '،' | '|' | '…' | '→'
    )
}

/// The start of the clause that `at` stands in, not before `least`.
pub(super) fn clause_start(text: &str, least: usize, at: usize) -> usize {
    let before = &text[least..at];
    let mark = before
        .char_indices()
        .rev()
        .find(|(_, c)| ends_clause(*c))
        .map_or(0, |(index, c)| index + c.len_utf8());
    let dash = before.rfind(" - ").map_or(0, |index| index + 3);
    least + mark.max(dash)
}

/// The end of the clause that `at` stands in, not behind `most`.
pub(super) fn clause_end(text: &str, at: usize, most: usize) -> usize {
    let after = &text[at..most];
    let mark = after.find(ends_clause).unwrap_or(after.len());
    let dash = after.find(" - ").unwrap_or(after.len());
    at + mark.min(dash)
}

/// Quotes, brackets, emphasis and spaces that may close a word.
pub(super) fn is_closer(c: char) -> bool {
    matches!(
        c,
        '"' | '\'' | '*' | '_' | '~' | ')' | ']' | '}' | '>' | '】' | '〉' | '$'
    )
}

/// Whether the character decorates and says nothing.
pub(super) fn is_decor(c: char) -> bool {
    !c.is_alphanumeric() && !matches!(c, '?' | '؟' | '≠' | '¬' | '❌' | '✗' | '✘' | '🚫')
}

/// The text without a list's number in front ("1. positive").
pub(super) fn without_number(text: &str) -> &str {
    let rest = text.trim_start_matches(|c: char| c.is_whitespace() || "*_#(-•>".contains(c));
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=2).contains(&digits)
        && let Some(after) = rest[digits..].strip_prefix(['.', ')', ':'])
        && after.starts_with([' ', '*'])
    {
        return after;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_readers_stop() {
        let text = "1. it is 4.5, e.g. good. is it? yes!\nその通り。はい";
        let said: Vec<_> = sentences(text)
            .iter()
            .map(|s| (&text[s.start..s.end], s.asks, s.line))
            .collect();
        assert_eq!(
            said,
            [
                ("1. it is 4.5, e.g. good", false, true),
                (" is it", true, false),
                (" yes", false, false),
                ("その通り", false, true),
                ("はい", false, false),
            ]
        );
    }

    #[test]
    fn clauses_lie_between_marks() {
        let text = "a, b c - d (e)";
        let at = text.find('c').unwrap();
        let end = clause_end(text, at, text.len());
        assert_eq!(&text[clause_start(text, 0, at)..end], " b c");
    }
}
