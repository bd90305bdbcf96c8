//! What a model says to whoever asked: lead-ins before a prompt, remarks after.

use super::layers;

/// Longest lead-in, in words.
const LEAD_IN_WORDS: usize = 60;

/// Words that begin an answer in a chat.
const GREETINGS: [&str; 26] = [
    "sure",
    "certainly",
    "of course",
    "absolutely",
    "okay",
    "ok",
    "alright",
    "all right",
    "great",
    "got it",
    "understood",
    "no problem",
    "gladly",
    "happy to help",
    "thanks",
    "thank you",
    "hello",
    "task completed",
    "bien sûr",
    "sicher",
    "natürlich",
    "gerne",
    "claro",
    "por supuesto",
    "конечно",
    "当然",
];

/// Beginnings that point at what follows, where they speak of a prompt.
const POINTERS: [&str; 44] = [
    "here is",
    "here's",
    "here are",
    "here you",
    "below is",
    "below are",
    "below you",
    "this is",
    "the following is",
    "the following are",
    "based on",
    "given ",
    "looking at",
    "after ",
    "from the",
    "from these",
    "having ",
    "i ",
    "i'd",
    "i've",
    "i'll",
    "i'm",
    "my ",
    "as requested",
    "in other words",
    "one ",
    "a ",
    "an ",
    "the ",
    "so",
    "these ",
    "therefore",
    "voici",
    "hier ist",
    "aquí",
    "aqui",
    "ecco",
    "вот",
    "以下",
    "这是",
    "下面",
    "好的",
    "当然",
    "improved",
];

/// What begins a thought aloud.
const MUSINGS: [&str; 23] = [
    "let's",
    "hmm",
    "wait",
    "i need to",
    "i should",
    "i think",
    "i will",
    "i'll",
    "i see",
    "i notice",
    "i can see",
    "i have to",
    "first, i",
    "first i",
    "we need to",
    "we have to",
    "we are given",
    "we're given",
    "the user wants",
    "the user asks",
    "the user is",
    "they all seem",
    "looking at the",
];

/// What "let me" announces to the reader, not to a model.
const THINKING: [&str; 18] = [
    "see", "look", "think", "analyze", "analyse", "examine", "try", "start", "review", "consider",
    "figure", "check", "craft", "write", "create", "draft", "rewrite", "break",
];

/// Nouns for what was asked for.
const PROMPT: [&str; 22] = [
    "prompt",
    "instruction",
    "version",
    "rewrite",
    "rewording",
    "paraphrase",
    "variation",
    "alternative",
    "candidate",
    "proposal",
    "suggestion",
    "draft",
    "rephrasing",
    "rephrased",
    "anweisung",
    "instrucci",
    "istruzion",
    "consigne",
    "инструкц",
    "промпт",
    "提示",
    "指令",
];

/// Nouns for several of it.
const ALTERNATIVES: [&str; 9] = [
    "prompts",
    "versions",
    "rewrites",
    "paraphrases",
    "variations",
    "alternatives",
    "candidates",
    "options",
    "suggestions",
];

/// A line without the marks around it, in lower case.
pub(super) fn bared(text: &str) -> String {
    let marks = |c: char| matches!(c, '*' | '_' | '#' | '>' | ' ' | '\t' | '\n');
    text.trim_matches(marks).replace('’', "'").to_lowercase()
}

fn begins(text: &str, with: &[&str]) -> bool {
    with.iter().any(|word| {
        text.strip_prefix(word).is_some_and(|rest| {
            // Scripts without spaces have no end of a word to look for.
            word.ends_with(' ')
                || !word.is_ascii()
                || !rest.starts_with(|c: char| c.is_alphanumeric())
        })
    })
}

fn speaks_of(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}

/// Whether this is nothing but words that lead to a prompt.
pub(super) fn is_lead_in(text: &str) -> bool {
    text.split("\n\n").all(leads)
}

fn leads(paragraph: &str) -> bool {
    let said = bared(paragraph);
    let words = said.split_whitespace().count();
    if words == 0 || words > LEAD_IN_WORDS {
        return words == 0;
    }
    let greets = begins(&said, &GREETINGS);
    // What it says last points at what follows.
    let last = said
        .split(['.', '!', '?', '。', '！'])
        .map(str::trim)
        .rfind(|sentence| !sentence.is_empty())
        .unwrap_or_default();
    let names = speaks_of(last, &PROMPT) || speaks_of(last, &ALTERNATIVES);
    if said.ends_with([':', '：']) {
        // A prompt may end in a colon too ("Label the text:"), so it takes more.
        return greets
            || (words <= 40 && !said.contains('\n') && begins(last, &POINTERS) && names)
            || muses(&said);
    }
    let points = ["here is", "here's", "here are", "below is"];
    (greets && words <= 30 && (words <= 4 || speaks_of_self(&said)) && !said.contains('\n'))
        || (begins(&said, &points) || begins(last, &points))
            && names
            && words <= 20
            && !said.contains('\n')
            && said.ends_with(['.', '!'])
        || muses(&said)
}

fn speaks_of_self(said: &str) -> bool {
    let padded = format!(" {said} ");
    [" i ", " i'", " me ", " my ", " help ", " you ", "here"]
        .iter()
        .any(|word| padded.contains(word))
}

/// Whether a paragraph thinks aloud. "Let's" and "wait" begin instructions too,
/// so it has to speak of itself, or of prompts.
fn muses(said: &str) -> bool {
    let rest = GREETINGS
        .iter()
        .find_map(|word| said.strip_prefix(word))
        .map_or(said, |rest| rest.trim_start_matches([',', '.', '!', ' ']));
    let thinks = |rest: &str| {
        rest.strip_prefix("let me ")
            .is_some_and(|rest| begins(rest, &THINKING))
    };
    thinks(rest)
        || begins(rest, &MUSINGS)
            && (speaks_of(said, &PROMPT)
                || speaks_of_self(said)
                || speaks_of(
                    said,
                    &["the examples", "the inputs", "the outputs", "pattern"],
                ))
}

/// Whether a heading or label names the prompt: "Improved prompt", "The
/// instruction was".
pub(super) fn is_label(label: &str) -> bool {
    const NOUNS: [&str; 13] = [
        "prompt",
        "prompts",
        "instruction",
        "instructions",
        "version",
        "rewrite",
        "rewording",
        "paraphrase",
        "variation",
        "candidate",
        "proposal",
        "suggestion",
        "draft",
    ];
    const AROUND: [&str; 38] = [
        "the",
        "a",
        "an",
        "my",
        "your",
        "new",
        "improved",
        "revised",
        "final",
        "updated",
        "optimized",
        "optimised",
        "better",
        "refined",
        "rewritten",
        "proposed",
        "suggested",
        "recommended",
        "generated",
        "reworded",
        "paraphrased",
        "rephrased",
        "enhanced",
        "concise",
        "clearer",
        "full",
        "complete",
        "system",
        "text",
        "here",
        "is",
        "was",
        "would",
        "be",
        "following",
        "one",
        "possible",
        "single",
    ];
    let label = bared(label);
    let words: Vec<&str> = label
        .split(|c: char| c.is_whitespace() || c == '_' || c == '-')
        .map(|word| word.trim_matches([':', '(', ')', '"', '\'']))
        .filter(|word| !word.is_empty())
        .collect();
    words.len() <= 6
        && words.iter().any(|word| NOUNS.contains(word))
        && words
            .iter()
            .all(|word| NOUNS.contains(word) || AROUND.contains(word))
}

/// Whether a label promises that what follows is better than what was.
pub(super) fn promises(label: &str) -> bool {
    const BETTER: [&str; 14] = [
        "improved",
        "revised",
        "final",
        "updated",
        "optimized",
        "optimised",
        "better",
        "refined",
        "rewritten",
        "proposed",
        "suggested",
        "recommended",
        "new",
        "enhanced",
    ];
    let label = bared(label);
    is_label(&label) && label.split_whitespace().any(|word| BETTER.contains(&word))
}

/// The text after the lead-in at its head, if there is one and something after
/// it. Notes whether it promises several prompts.
pub(super) fn without_lead_in<'t>(text: &'t str, alternatives: &mut bool) -> Option<&'t str> {
    if is_lead_in(text) {
        return None;
    }
    let mut led = |lead: &str, rest: &'t str| {
        let rest = rest.trim_start();
        (!rest.is_empty() && is_lead_in(lead)).then(|| {
            let lead = lead.to_lowercase();
            *alternatives |= ALTERNATIVES.iter().any(|word| lead.contains(word));
            rest
        })
    };
    // A paragraph, a line, a clause up to a colon, a greeting.
    if let Some((first, rest)) = text.split_once("\n\n")
        && let Some(rest) = led(first, rest)
    {
        return Some(rest);
    }
    let line = text.split('\n').next().unwrap_or_default();
    if line.len() < text.len()
        && let Some(rest) = led(line, &text[line.len()..])
    {
        return Some(rest);
    }
    for (at, colon) in line.match_indices([':', '：']).take(2) {
        let end = at + colon.len();
        if muses(&bared(&line[..end])) {
            continue;
        }
        let marks: &[char] = if line.starts_with("**") { &['*'] } else { &[] };
        if let Some(rest) = led(&line[..end], text[end..].trim_start_matches(marks)) {
            return Some(rest);
        }
    }
    let greeting = line.find(['!', '.']).map(|at| at + 1)?;
    led(&line[..greeting], &text[greeting..])
}

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

/// Whether a line is a horizontal rule.
pub(super) fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.len() >= 3
        && ["-", "*", "_", "="]
            .iter()
            .any(|mark| line.replace(mark, "").is_empty())
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
