//! What a model says of a prompt after it.

use super::chat::{bared, begins};
use super::layers::{self, is_rule};

/// The text before the remarks at its end, if there are any.
/// `chatty`: the reply began with words to the reader.
pub(super) fn without_remarks(text: &str, chatty: bool) -> Option<&str> {
    let mut start = 0;
    let mut after_gap = false;
    let wrapped = layers::wrapped(text);
    for line in text.split_inclusive('\n') {
        let past = start > 0 && start >= wrapped;
        let rest = &text[start..];
        let last = || !rest.trim().contains("\n\n");
        if past && after_gap && (is_remark(line, rest) || (chatty && last() && refers(line))) {
            let before = text[..start].trim_end();
            return Some(before.trim_end_matches(['-', '*', '_', '=', '\n', ' ']))
                .filter(|before| !before.is_empty());
        }
        after_gap = line.trim().is_empty() || is_rule(line);
        start += line.len();
    }
    None
}

/// Whether a paragraph that begins with `line` talks about the prompt above it;
/// `rest`: the text from there on.
fn is_remark(line: &str, rest: &str) -> bool {
    const OFFERS: [&str; 20] = [
        "let me know",
        "feel free",
        "i hope",
        "hope this",
        "hope that",
        "would you like",
        "if you'd like me",
        "if you'd like",
        "if you would like",
        "if you want me",
        "if you need",
        "do you want me",
        "please let me",
        "i can also",
        "i'm happy",
        "happy to",
        "is there anything",
        "i've ",
        "i have ",
        "i kept",
    ];
    const HEADS: [&str; 12] = [
        "why this works",
        "why it works",
        "why this prompt",
        "why this is better",
        "key changes",
        "key improvements",
        "key differences",
        "changes made",
        "what changed",
        "what i changed",
        "improvements made",
        "summary of changes",
    ];
    const PERHAPS: [&str; 11] = [
        "explanation",
        "rationale",
        "reasoning",
        "note",
        "notes",
        "justification",
        "analysis",
        "comment",
        "improvements",
        "changes",
        "p.s",
    ];
    const DONE: [&str; 9] = [
        "i kept",
        "i've",
        "i have",
        "i made",
        "i changed",
        "i added",
        "i removed",
        "i used",
        "i tried",
    ];
    let said = bared(line);
    let said = said.trim_start_matches(['(', '[', '-', ' ', '•']);
    let bare_prompt = |text: &str| {
        [
            "prompt",
            "instruction",
            "this version",
            "rewrite",
            "wording",
        ]
        .iter()
        .any(|noun| text.contains(noun))
    };
    begins(said, &OFFERS)
        || begins(said, &HEADS)
        || (begins(said, &PERHAPS) && {
            let own = own_words(rest).to_lowercase();
            bare_prompt(&own) || DONE.iter().any(|done| own.contains(done))
        })
        || describes(said)
}

/// A paragraph, with the next one where it is a heading alone.
fn own_words(text: &str) -> &str {
    let end = |from: usize| text[from..].find("\n\n").map_or(text.len(), |at| from + at);
    let first = end(0);
    if text[..first].trim().contains('\n') || first == text.len() {
        return &text[..first];
    }
    &text[..end((first + 2).min(text.len()))]
}

/// "This prompt works because …", "The above instruction is …".
fn describes(said: &str) -> bool {
    const BEINGS: [&str; 9] = [
        "is", "are", "was", "has", "have", "should", "will", "can", "would",
    ];
    const NOUNS: [&str; 12] = [
        "prompt",
        "prompts",
        "instruction",
        "instructions",
        "version",
        "versions",
        "revision",
        "rewrite",
        "paraphrase",
        "variation",
        "variations",
        "wording",
    ];
    let words: Vec<&str> = said
        .split_whitespace()
        .filter(|word| !ADVERBS.contains(word))
        .take(7)
        .collect();
    let Some(noun) = words.iter().take(4).position(|word| NOUNS.contains(word)) else {
        return false;
    };
    ["this", "the", "these", "both", "each", "all"].contains(&words[0])
        && noun > 0
        && words
            .get(noun + 1)
            .is_some_and(|word| VERBS.contains(word) || BEINGS.contains(word))
}

/// What prompts do, in the words of those who wrote them.
const VERBS: [&str; 38] = [
    "works",
    "ensures",
    "makes",
    "keeps",
    "captures",
    "covers",
    "preserves",
    "maintains",
    "retains",
    "emphasizes",
    "emphasises",
    "clarifies",
    "provides",
    "focuses",
    "aims",
    "helps",
    "adds",
    "removes",
    "includes",
    "directs",
    "guides",
    "tells",
    "asks",
    "instructs",
    "gives",
    "avoids",
    "uses",
    "improves",
    "handles",
    "addresses",
    "specifies",
    "reflects",
    "balances",
    "follows",
    "names",
    "states",
    "lists",
    "defines",
];
const ADVERBS: [&str; 8] = [
    "now",
    "also",
    "still",
    "explicitly",
    "clearly",
    "better",
    "both",
    "already",
];

/// Whether a last paragraph says what "it" or "this" does.
fn refers(line: &str) -> bool {
    let said = bared(line);
    let mut words = said
        .split_whitespace()
        .filter(|word| !ADVERBS.contains(word));
    words
        .next()
        .is_some_and(|word| ["it", "this"].contains(&word))
        && words.next().is_some_and(|word| VERBS.contains(&word))
}
