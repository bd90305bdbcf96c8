//! What a model says to whoever asked before it comes to the prompt.

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

/// Whether a text begins with one of some words.
pub(super) fn begins(text: &str, with: &[&str]) -> bool {
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
    let plural = begins(
        last,
        &["here are", "below are", "these are", "the following are"],
    );
    let names = speaks_of(last, &PROMPT) || (plural && speaks_of(last, &ALTERNATIVES));
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
    // "I need to sort reviews: …" asks a model; "I need to find the pattern" does not.
    let own = rest.starts_with("i ") || rest.starts_with("i'");
    thinks(rest)
        || begins(rest, &MUSINGS)
            && (speaks_of(said, &PROMPT)
                || (!own && speaks_of_self(said))
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
