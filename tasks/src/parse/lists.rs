//! Lists as language models write them.

use std::sync::LazyLock;

use super::thoughts;

mod json;
mod table;

/// Quotes that may open an item, each with what closes it.
const QUOTES: [(char, char); 5] = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’')];

/// The items that `text` lists, in order, without numbers, bullets, quotes and
/// emphasis. Reads JSON and Python lists (quotes mixed, apostrophes inside),
/// tables, numbered and bulleted lines with or without prose around them, plain
/// lines, and one line with separators. A text without any list is one item.
pub fn items(text: &str) -> Vec<String> {
    lists(text)
        .into_iter()
        .flat_map(|list| list.items)
        .collect()
}

/// One of the lists of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TextList {
    /// The line before it, in lower case.
    pub intro: String,
    pub items: Vec<String>,
}

impl TextList {
    fn plain(items: Vec<String>) -> Vec<Self> {
        vec![Self {
            intro: String::new(),
            items,
        }]
    }
}

/// The lists that `text` holds; several where one introduces another, such as
/// the candidates before the ranking.
pub(crate) fn lists(text: &str) -> Vec<TextList> {
    let Some(text) = thoughts::answer(text) else {
        return Vec::new();
    };
    let text = text.as_ref();
    if let Some(items) = json::items(text) {
        return TextList::plain(items);
    }
    if let Some(items) = table::items(text) {
        return TextList::plain(items);
    }
    if let Some(items) = bracketed(text) {
        return TextList::plain(items);
    }
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("```"))
        .collect();
    let found = marked(&lines);
    let count: usize = found.iter().map(|list| list.items.len()).sum();
    if count > 0 && (count > 1 || lines.len() == 1) {
        if count == 1 {
            // "1. Heat 2. Big 3. Up" on one line.
            let only = unmarked(lines[0]).unwrap_or_default();
            let inline = inline_numbers(only);
            if inline.len() > 1 {
                return TextList::plain(inline);
            }
        }
        return found;
    }
    TextList::plain(unmarked_items(&lines))
}

/// The items of lines without numbers and bullets.
fn unmarked_items(lines: &[&str]) -> Vec<String> {
    if lines.len() > 1 {
        // A line that ends in a colon introduces the list, which may be one line.
        let rest: Vec<&str> = lines
            .iter()
            .copied()
            .filter(|line| !line.ends_with(':'))
            .collect();
        if let [line] = rest.as_slice() {
            return one_line(line);
        }
        return clean(rest);
    }
    one_line(lines.first().copied().unwrap_or_default())
}

fn one_line(line: &str) -> Vec<String> {
    if let Some(items) = quoted(line).filter(|_| line.starts_with(['"', '\'', '“'])) {
        return items;
    }
    let line = line.rsplit_once(": ").map_or(line, |(intro, rest)| {
        // "Here are ten films: …" introduces; "Alien: Covenant" is a title.
        let introduces = intro.split(' ').count() > 2
            || ["ranking", "ranked", "order", "answer"]
                .contains(&intro.trim().to_lowercase().as_str());
        if introduces && rest.contains([',', ';', '>', '"', '\'']) {
            rest
        } else {
            line
        }
    });
    if let Some(items) = quoted(line) {
        return items;
    }
    for separator in [" > ", ">", "; ", " | "] {
        if line.contains(separator) {
            return clean(line.split(separator));
        }
    }
    clean(commas(line))
}

/// The lists of numbered or bulleted lines. Bullets below numbers are remarks on
/// them; a number that starts again and a line of prose begin another list.
fn marked(lines: &[&str]) -> Vec<TextList> {
    let numbers = lines.iter().filter(|line| number(line).is_some()).count();
    let mut lists: Vec<TextList> = Vec::new();
    let (mut intro, mut last, mut apart) = (String::new(), 0, true);
    for line in lines {
        let place = number(line);
        let item = unmarked(line).filter(|_| place.is_some() || numbers < 2);
        let Some(item) = item else {
            if unmarked(line).is_none() {
                intro = line.to_lowercase();
                // A reason under an item parts nothing.
                apart = line.ends_with(':') || line.starts_with(['#', '*']) || last == 0;
            }
            continue;
        };
        let restarts = place.is_some_and(|place| place <= last);
        if lists.is_empty() || restarts || (apart && place.is_none()) {
            lists.push(TextList {
                intro: std::mem::take(&mut intro),
                items: Vec::new(),
            });
        }
        apart = false;
        last = place.unwrap_or(0);
        if let Some(list) = lists.last_mut() {
            list.items.extend(clean([item]));
        }
    }
    lists.retain(|list| !list.items.is_empty());
    lists
}

/// The items of the first `[…]` that holds any.
fn bracketed(text: &str) -> Option<Vec<String>> {
    let start = text.find('[')?;
    let end = text.rfind(']').filter(|end| *end > start);
    // A list that was cut off still begins.
    let inner = &text[start + 1..end.unwrap_or(text.len())];
    let items = quoted(inner).unwrap_or_else(|| clean(commas(inner)));
    // "[1]" and "[MASK]" are no lists, "[1] > [2]" is one of another kind.
    let several = items.len() > 1 && !inner.contains(['[', '>']);
    (several || (!items.is_empty() && inner.contains(['"', '\'', '“']))).then_some(items)
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
                let moved = super::titles::is_article(&word.to_lowercase())
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

/// The number that the line begins with.
fn number(line: &str) -> Option<usize> {
    let rest = line.trim_start_matches(['*', '_', '>', ' ', '(', '#', '[']);
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=3).contains(&digits) || !rest[digits..].starts_with(['.', ')', ':', ']', '-']) {
        return None;
    }
    rest[..digits].parse().ok()
}

/// The line without its number or bullet; `None` if it has none.
pub(crate) fn unmarked(line: &str) -> Option<&str> {
    if let Some(item) = line.trim_start().strip_prefix("* ") {
        return Some(item.trim());
    }
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
pub fn bare(item: &str) -> &str {
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
