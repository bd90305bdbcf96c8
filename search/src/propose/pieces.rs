//! A prompt taken apart without losing anything: blocks (paragraphs, list items,
//! headings, fenced text), and the sentences and phrases in them.

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockKind {
    /// A paragraph of sentences.
    Prose,
    /// An item of a list.
    Item,
    /// What an edit leaves alone: headings, fenced text, tags, tables.
    Fixed,
}

/// A block: mark of a list item, text, and what separates it from the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PromptBlock {
    pub kind: BlockKind,
    pub mark: String,
    pub body: String,
    pub gap: String,
}

/// Takes a text apart; [`join`] puts it together again.
pub(super) fn blocks(text: &str) -> Vec<PromptBlock> {
    let mut blocks: Vec<PromptBlock> = Vec::new();
    let mut fence: Option<&str> = None;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end_matches('\n');
        let end = &line[bare.len()..];
        let mark = bare.trim_start();
        let fenced = ["```", "~~~"].into_iter().find(|f| mark.starts_with(f));
        if fence.is_some() || fenced.is_some() {
            let begins = fence.is_none();
            if begins {
                fence = fenced;
            } else if fenced == fence {
                fence = None;
            }
            extend(&mut blocks, BlockKind::Fixed, bare, end, begins);
            continue;
        }
        if bare.trim().is_empty() {
            match blocks.last_mut() {
                Some(last) => {
                    last.gap.push_str(line);
                }
                None => blocks.push(block(BlockKind::Fixed, "", bare, end)),
            }
            continue;
        }
        if let Some(length) = item_mark(bare) {
            let (mark, body) = bare.split_at(length);
            blocks.push(block(BlockKind::Item, mark, body, end));
            continue;
        }
        let fixed = mark.starts_with(['#', '<', '|', '{', '}', '[']) || bare.ends_with([':', '：']);
        if fixed {
            blocks.push(block(BlockKind::Fixed, "", bare, end));
            continue;
        }
        let continues = blocks.last().is_some_and(|last| {
            last.gap == "\n"
                && match last.kind {
                    BlockKind::Prose => true,
                    BlockKind::Item => bare.starts_with([' ', '\t']),
                    BlockKind::Fixed => false,
                }
        });
        if continues && let Some(last) = blocks.last_mut() {
            last.body.push_str(&last.gap);
            last.body.push_str(bare);
            end.clone_into(&mut last.gap);
        } else {
            blocks.push(block(BlockKind::Prose, "", bare, end));
        }
    }
    blocks
}

fn block(kind: BlockKind, mark: &str, body: &str, gap: &str) -> PromptBlock {
    PromptBlock {
        kind,
        mark: mark.to_owned(),
        body: body.to_owned(),
        gap: gap.to_owned(),
    }
}

fn extend(blocks: &mut Vec<PromptBlock>, kind: BlockKind, body: &str, gap: &str, begins: bool) {
    match blocks.last_mut().filter(|_| !begins) {
        Some(last) => {
            last.body.push_str(&last.gap);
            last.body.push_str(body);
            gap.clone_into(&mut last.gap);
        }
        None => blocks.push(block(kind, "", body, gap)),
    }
}

/// Length of the indentation and mark of a list item.
fn item_mark(line: &str) -> Option<usize> {
    let start = line.len() - line.trim_start().len();
    let rest = &line[start..];
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let mark = if (1..=2).contains(&digits) {
        digits + usize::from(rest[digits..].starts_with(['.', ')']))
    } else {
        usize::from(rest.starts_with(['-', '*'])) + 3 * usize::from(rest.starts_with('•'))
    };
    let space = rest[mark..].starts_with(' ');
    (mark > digits && space || (digits == 0 && mark > 0 && space)).then_some(start + mark + 1)
}

/// The text of blocks.
pub(super) fn join(blocks: &[PromptBlock]) -> String {
    let parts = blocks
        .iter()
        .flat_map(|block| [&block.mark, &block.body, &block.gap]);
    parts.map(String::as_str).collect()
}

/// The sentences of a text with the space after each; their concatenation is the
/// text. A stop before a small letter ends nothing ("e.g. this").
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((_, c)) = chars.next() {
        let wide = matches!(c, '。' | '！' | '？');
        if !wide && !matches!(c, '.' | '!' | '?') {
            continue;
        }
        let mut end = chars.peek().map_or(text.len(), |&(at, _)| at);
        let after = &text[end..];
        let rest = after.trim_start();
        let spaced = after.len() > rest.len() || rest.is_empty();
        if rest.starts_with(char::is_lowercase) || !(spaced || wide) {
            continue;
        }
        end += after.len() - rest.len();
        sentences.push(&text[start..end]);
        start = end;
        while chars.next_if(|&(at, _)| at < end).is_some() {}
    }
    if start < text.len() || sentences.is_empty() {
        sentences.push(&text[start..]);
    }
    sentences
}

/// Cuts a text into phrases at punctuation and before connecting words; their
/// concatenation is the text.
pub(super) fn phrases(text: &str) -> Vec<String> {
    const CONNECTING: [&str; 12] = [
        "and", "or", "of", "in", "with", "by", "if", "whether", "that", "for", "as", "to",
    ];
    let mut phrases = vec![String::new()];
    let mut after_stop = false;
    for word in text.split_inclusive(' ') {
        let bare = word.trim().to_lowercase();
        let starts = after_stop || CONNECTING.contains(&bare.as_str());
        if starts && phrases.last().is_some_and(|last| !last.is_empty()) {
            phrases.push(String::new());
        }
        if let Some(last) = phrases.last_mut() {
            last.push_str(word);
        }
        after_stop = bare.ends_with(['.', ',', ';', ':', '?', '!']);
    }
    phrases
}

/// Whether a sentence says what the answer looks like.
pub(super) fn is_format(sentence: &str) -> bool {
    const VERBS: [&str; 11] = [
        "answer", "respond", "reply", "output", "return", "write", "print", "give", "use", "list",
        "format",
    ];
    const SIGNS: [&str; 9] = [
        "exactly one",
        "one word",
        "one of",
        "only the",
        "nothing else",
        "json",
        "lower case",
        "lowercase",
        "alone",
    ];
    let said = super::screen::padded(sentence);
    let first = said.split_whitespace().next().unwrap_or_default();
    VERBS.contains(&first)
        || SIGNS.iter().any(|sign| said.contains(&format!(" {sign} ")))
        || sentence.contains(['`', '{', '<'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PROMPT: &str = "You are the desk of a shop. Read one note, e.g. a complaint, and decide\n\
                          about its mood.\n\n## Rules\n- Weigh use and price. Praise of one part \
                          does not count.\n  A second line of it.\n- Ignore spelling.\n1) First.\n\n\
                          ```json\n- {\"a\": 1}\n\n```\nOutput:\none word, positive or negative.\n";

    #[test]
    fn blocks_follow_paragraphs_and_items() {
        use BlockKind::{Fixed, Item, Prose};
        let blocks = blocks(PROMPT);
        let kinds: Vec<BlockKind> = blocks.iter().map(|block| block.kind).collect();
        assert_eq!(kinds, [Prose, Fixed, Item, Item, Item, Fixed, Fixed, Prose]);
        assert_eq!(blocks[2].mark, "- ");
        assert!(blocks[2].body.ends_with("A second line of it."));
        assert_eq!(
            sentences(&blocks[0].body),
            [
                "You are the desk of a shop. ",
                "Read one note, e.g. a complaint, and decide\nabout its mood."
            ]
        );
        assert_eq!(join(&blocks), PROMPT);
    }

    #[test]
    fn other_scripts_have_sentences() {
        assert_eq!(
            sentences("判断情绪。只回答一个词！"),
            ["判断情绪。", "只回答一个词！"]
        );
        assert_eq!(sentences("Rate 3.5 of 5."), ["Rate 3.5 of 5."]);
        assert_eq!(sentences(""), [""]);
    }

    #[test]
    fn phrases_break_at_connectives() {
        assert_eq!(
            phrases("Decide whether the review is positive, or negative. Answer with one word."),
            [
                "Decide ",
                "whether the review is positive, ",
                "or negative. ",
                "Answer ",
                "with one word."
            ]
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in "([a-z]{1,5}|\\.|!|。| |\n|- |1\\. |# |```|:|é|\\PC){0,40}") {
            prop_assert_eq!(join(&blocks(&text)), text.clone());
            prop_assert_eq!(sentences(&text).concat(), text.clone());
            prop_assert_eq!(phrases(&text).concat(), text);
        }
    }
}
