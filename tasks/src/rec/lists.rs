//! Lists as language models write them.

use std::sync::LazyLock;

/// Quotes that may open an item, each with what closes it.
const QUOTES: [(char, char); 5] = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’')];

/// The items that `text` lists, in order, without numbers, bullets, quotes and
/// emphasis. Reads JSON and Python lists (quotes mixed, apostrophes inside),
/// numbered and bulleted lines with or without prose around them, plain lines,
/// and one line with separators. A text without any list is one item.
pub fn items(text: &str) -> Vec<String> {
    let text = after_thoughts(text);
    if let Some(items) = bracketed(text) {
        return items;
    }
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("```"))
        .collect();
    let marked: Vec<&str> = lines.iter().filter_map(|line| unmarked(line)).collect();
    if !marked.is_empty() && (marked.len() > 1 || lines.len() == 1) {
        if let [only] = marked.as_slice() {
            // "1. Heat 2. Big 3. Up" on one line.
            let inline = inline_numbers(only);
            if inline.len() > 1 {
                return inline;
            }
        }
        return clean(marked);
    }
    if lines.len() > 1 {
        // A line that ends in a colon introduces the list.
        return clean(lines.into_iter().filter(|line| !line.ends_with(':')));
    }
    let line = lines.first().copied().unwrap_or_default();
    if let Some(items) = quoted(line).filter(|_| line.starts_with(['"', '\'', '“'])) {
        return items;
    }
    let line = line.rsplit_once(": ").map_or(line, |(intro, rest)| {
        // "Here are ten films: …" introduces; "Alien: Covenant" is a title.
        if intro.split(' ').count() > 2 && rest.contains([',', ';', '>', '"', '\'']) {
            rest
        } else {
            line
        }
    });
    if let Some(items) = quoted(line) {
        return items;
    }
    for separator in [" > ", "; ", " | "] {
        if line.contains(separator) {
            return clean(line.split(separator));
        }
    }
    clean(commas(line))
}

/// The text after a reasoning model's thoughts.
pub(crate) fn after_thoughts(text: &str) -> &str {
    text.rsplit_once("</think>")
        .map_or(text, |(_, answer)| answer)
}

/// The items of the first `[…]` that holds any.
fn bracketed(text: &str) -> Option<Vec<String>> {
    let start = text.find('[')?;
    let end = text.rfind(']').filter(|end| *end > start);
    // A list that was cut off still begins.
    let inner = &text[start + 1..end.unwrap_or(text.len())];
    if let Some(end) = end
        && let Ok(values) = serde_json::from_str::<Vec<serde_json::Value>>(&text[start..=end])
    {
        let items: Vec<String> = values.iter().filter_map(name).collect();
        return (!items.is_empty()).then_some(items);
    }
    let items = quoted(inner).unwrap_or_else(|| clean(commas(inner)));
    // "[1]" and "[MASK]" are no lists.
    (items.len() > 1 || (items.len() == 1 && inner.contains(['"', '\'', '“']))).then_some(items)
}

/// A JSON value as an item: a text, or an object's title or name.
fn name(value: &serde_json::Value) -> Option<String> {
    let text = value.as_str().or_else(|| {
        ["title", "name", "item", "movie"]
            .iter()
            .find_map(|key| value.get(*key)?.as_str())
    })?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Quoted items. A quote closes an item only where the list goes on or ends
/// after it, so that an apostrophe inside a title closes nothing. `None` if
/// fewer than two are found, unless the text is one quoted item.
fn quoted(text: &str) -> Option<Vec<String>> {
    let chars: Vec<char> = text.chars().collect();
    let mut items = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let opens = at == 0 || chars[at - 1].is_whitespace() || "[(,;".contains(chars[at - 1]);
        let quote = QUOTES.iter().find(|(open, _)| *open == chars[at]);
        let (true, Some((open, close))) = (opens, quote) else {
            at += 1;
            continue;
        };
        let closes = |index: usize| {
            let next = chars[index + 1..].iter().find(|c| **c != ' ');
            (chars[index] == *close || chars[index] == *open)
                && matches!(next, None | Some(',' | ';' | ']' | '\n' | '.' | '>' | ')'))
        };
        let Some(end) = (at + 1..chars.len()).find(|&index| closes(index)) else {
            // Mixed quotes: "Heat' or a list that was cut off.
            at += 1;
            continue;
        };
        let item: String = chars[at + 1..end].iter().collect();
        if !item.trim().is_empty() {
            items.push(item.trim().to_owned());
        }
        at = end + 1;
    }
    let whole = items.len() == 1 && items[0].chars().count() + 2 >= chars.len();
    (items.len() > 1 || whole).then_some(items)
}

/// Splits at commas outside brackets, but not before an article that was moved
/// to the end ("Godfather, The (1972)").
fn commas(text: &str) -> Vec<&str> {
    const ARTICLES: [&str; 9] = ["the", "a", "an", "la", "le", "les", "el", "il", "der"];
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0_i32);
    for (index, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' | '\n' if depth <= 0 => {
                let next = text[index + 1..].trim_start();
                let word: String = next.chars().take_while(|c| c.is_alphabetic()).collect();
                let after = next[word.len()..].trim_start();
                let moved = ARTICLES.contains(&word.to_lowercase().as_str())
                    && (after.is_empty() || after.starts_with(['(', ',']));
                if !moved {
                    parts.push(&text[start..index]);
                    start = index + 1;
                }
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The line without its number or bullet; `None` if it has none.
pub(crate) fn unmarked(line: &str) -> Option<&str> {
    let line = line.trim_start_matches(['*', '_', '>']).trim_start();
    let rest = line.trim_start_matches(['(', '#', '[']);
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=3).contains(&digits) {
        let after = rest[digits..].strip_prefix(['.', ')', ':', ']', '-'])?;
        return Some(after.trim_start_matches(['.', ')', ':', ' ', '*', '_']));
    }
    line.strip_prefix(['-', '*', '•', '–', '·', '▪'])
        .filter(|rest| rest.starts_with([' ', '\t']))
        .or_else(|| line.strip_prefix('•'))
        .map(str::trim)
}

/// "Heat 2. Big 3. Up", the first number taken off already, as its items.
fn inline_numbers(line: &str) -> Vec<String> {
    let mut items = Vec::new();
    let (mut rest, mut next) = (line, 2_u32);
    loop {
        let marks = [format!(" {next}. "), format!(" {next}) ")];
        let found = marks
            .iter()
            .filter_map(|mark| Some((rest.find(mark.as_str())?, mark.len())))
            .min();
        let Some((at, len)) = found else { break };
        items.push(&rest[..at]);
        rest = &rest[at + len..];
        next += 1;
    }
    items.push(rest);
    clean(items)
}

fn clean<'a>(items: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    items
        .into_iter()
        .map(bare)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

/// An item without number, emphasis, quotes around it and trailing separators.
pub(crate) fn bare(item: &str) -> &str {
    static AROUND: LazyLock<Vec<char>> = LazyLock::new(|| "\"'`*_“”‘’ \t".chars().collect());
    let item = item.trim();
    let item = unmarked(item).unwrap_or(item);
    let item = item.trim_end_matches([',', ';', ' ']);
    let unpaired = |c: char| item.matches(c).count() % 2 == 1;
    // An apostrophe at the end of a word is the title's own: "The Ladies'".
    let inner = item.trim_matches(AROUND.as_slice());
    if item.ends_with('\'') && unpaired('\'') && !item.starts_with('\'') {
        return item.trim_start_matches(AROUND.as_slice());
    }
    inner.trim_end_matches([',', ';']).trim()
}

#[cfg(test)]
mod tests;
