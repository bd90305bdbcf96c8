//! Several prompts in one reply, against one prompt that is a list.

use super::chat::bared;

/// The prompts of a text that is a list of them: under numbered headings
/// ("Prompt 1:", "Option B"), or as items of one list that covers the text.
///
/// A list's items are prompts of their own where all are in quotation marks,
/// where each names all labels, or where the words before it announced
/// alternatives; else they are the steps or rules of one prompt.
pub(super) fn split(text: &str, labels: &[String], alternatives: bool) -> Option<Vec<String>> {
    headed(text).or_else(|| {
        let items = items(text)?;
        let quoted = |item: &String| item.starts_with(['"', '“']) && item.ends_with(['"', '”']);
        let names = |item: &String| {
            let item = item.to_lowercase();
            labels.len() > 1
                && labels
                    .iter()
                    .all(|label| item.contains(&label.to_lowercase()))
        };
        let long = |item: &String| item.split_whitespace().count() >= 4;
        let prompts = items.iter().all(quoted)
            || items.iter().all(|item| names(item) && long(item))
            || (alternatives && items.iter().all(long));
        prompts.then_some(items)
    })
}

/// The number or letter of a heading such as "Prompt 2" or "**Option B:**", and
/// what stands after it on its line.
fn heading(line: &str) -> Option<(u32, &str)> {
    const NAMES: [&str; 11] = [
        "prompt",
        "instruction",
        "version",
        "option",
        "candidate",
        "variation",
        "variant",
        "alternative",
        "paraphrase",
        "proposal",
        "rewrite",
    ];
    let start = line.trim_start_matches(['#', '*', '_', ' ', '-']);
    let lower = start.to_lowercase();
    let name = NAMES.iter().find(|name| lower.starts_with(**name))?;
    let rest = start.get(name.len()..)?.trim_start_matches([' ', '#']);
    let mark: String = rest
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    let number = match mark.as_bytes() {
        [letter @ b'A'..=b'H'] => u32::from(letter - b'A') + 1,
        _ => mark.parse().ok()?,
    };
    let rest = &rest[mark.len()..];
    let after = rest.trim_start_matches(['*', '_', ' ']);
    let closed = after.is_empty() || after.starts_with([':', '.', ')', '-', '–', '—']);
    let after = after.trim_start_matches([':', '.', ')', '-', '–', '—', '*', '_', ' ']);
    // A title in brackets or bold ("Option 1 (short):") names, and is no prompt.
    let after = if bared(after).ends_with(':') {
        ""
    } else {
        after
    };
    (closed || rest.trim_start().starts_with('(')).then_some((number, after))
}

fn headed(text: &str) -> Option<Vec<String>> {
    let mut prompts: Vec<String> = Vec::new();
    for line in text.lines() {
        match heading(line) {
            Some((number, after)) if number as usize == prompts.len() + 1 => {
                prompts.push(after.to_owned());
            }
            // What stands before the first is said to the reader.
            _ => {
                if let Some(last) = prompts.last_mut() {
                    last.push('\n');
                    last.push_str(line);
                }
            }
        }
    }
    (prompts.len() > 1 && prompts.iter().all(|prompt| !prompt.trim().is_empty())).then_some(prompts)
}

/// The items of a list that covers the whole text, at least two.
fn items(text: &str) -> Option<Vec<String>> {
    let mut items: Vec<String> = Vec::new();
    for line in text.lines() {
        if let Some(rest) = item(line) {
            items.push(rest.to_owned());
        } else if line.trim().is_empty() || line.starts_with([' ', '\t']) {
            let last = items.last_mut()?;
            last.push('\n');
            last.push_str(line.trim());
        } else {
            return None;
        }
    }
    for item in &mut items {
        *item = item.trim().to_owned();
    }
    (items.len() > 1 && items.iter().all(|item| !item.is_empty())).then_some(items)
}

/// What an item at the margin says.
fn item(line: &str) -> Option<&str> {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = if (1..=2).contains(&digits) {
        line[digits..].strip_prefix(['.', ')'])?
    } else {
        line.strip_prefix(['-', '*', '•'])?
    };
    rest.strip_prefix(' ').map(str::trim_start)
}
