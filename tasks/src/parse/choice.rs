//! One of a closed set.

use super::after_marker;
use crate::Answer;

/// Log-odds beyond this say nothing more, and infinities do not survive JSON.
const MAX_MARGIN: f64 = 1000.0;

pub(super) fn from_logprobs(labels: &[String], logprobs: &[f64]) -> Option<Answer> {
    let sound = logprobs.len() == labels.len()
        && logprobs
            .iter()
            .all(|lp| !lp.is_nan() && *lp != f64::INFINITY)
        && logprobs.iter().any(|lp| lp.is_finite());
    if !sound {
        return None;
    }
    let mut best = 0;
    for (index, logprob) in logprobs.iter().enumerate() {
        if *logprob > logprobs[best] {
            best = index;
        }
    }
    let margin = match logprobs {
        [first, second] => Some((first - second).clamp(-MAX_MARGIN, MAX_MARGIN)),
        _ => None,
    };
    Some(Answer::Class {
        label: labels[best].clone(),
        margin,
    })
}

/// The label that the whole text is, letter for letter.
pub(super) fn exact(labels: &[String], text: &str) -> Option<Answer> {
    let found = labels
        .iter()
        .find(|label| *label == text)
        .or_else(|| labels.iter().find(|label| label.trim() == text.trim()))?;
    Some(class(found))
}

fn class(label: &str) -> Answer {
    Answer::Class {
        label: label.to_owned(),
        margin: None,
    }
}

/// The one label that `text` affirms.
pub(super) fn from_text(labels: &[String], text: &str, cut_off: bool) -> Option<Answer> {
    // A marked answer is the model's own conclusion; what comes before it may
    // weigh both sides.
    if let Some(conclusion) = after_marker(text) {
        let conclusion = Text::new(conclusion, labels);
        if let Some(index) = conclusion.leading() {
            return Some(class(&labels[index]));
        }
    }
    let text = Text::new(text, labels);
    let found = match text.leading() {
        Some(index) => Some(index),
        // The other label may have been about to follow.
        None if cut_off => None,
        None => text.affirmed(),
    };
    found.map(|index| class(&labels[index]))
}

/// A reply in lower case with every label found in it.
struct Text {
    chars: Vec<char>,
    mentions: Vec<Mention>,
}

#[derive(Clone, Copy)]
struct Mention {
    label: usize,
    start: usize,
    end: usize,
}

impl Text {
    fn new(text: &str, labels: &[String]) -> Self {
        let chars = fold(text);
        let labels: Vec<_> = labels.iter().map(|label| fold(label.trim())).collect();
        let mut mentions = Vec::new();
        let mut start = 0;
        while start < chars.len() {
            // The longest label here hides those inside it: "very positive".
            let longest = labels
                .iter()
                .enumerate()
                .filter(|(_, label)| is_whole(&chars, start, label))
                .max_by_key(|(index, label)| (label.len(), std::cmp::Reverse(*index)));
            if let Some((label, found)) = longest {
                mentions.push(Mention {
                    label,
                    start,
                    end: start + found.len(),
                });
                start += found.len();
            } else {
                start += 1;
            }
        }
        Self { chars, mentions }
    }

    /// The label that the text opens with, set apart by punctuation and not the
    /// first of a list as in "positive, negative".
    fn leading(&self) -> Option<usize> {
        const CONNECTORS: [&str; 6] = ["or", "and", "not", "maybe", "perhaps", "then"];
        let first = self.mentions.first()?;
        let opens = |c: &char| c.is_whitespace() || "\"'`*_#>~-•(“”‘’.:".contains(*c);
        if !self.chars[..first.start].iter().all(opens) || !self.is_set_apart(first) {
            return None;
        }
        let is_connector = |word: &String| CONNECTORS.contains(&word.as_str());
        let listed = self.mentions.get(1).is_some_and(|next| {
            let goes_on = words(&self.chars[next.end..])
                .first()
                .is_some_and(is_connector);
            next.label != first.label
                && words(&self.chars[first.end..next.start]).iter().all(is_connector)
                // "Negative - positive words are few" lists nothing.
                && (goes_on || self.is_set_apart(next))
                && !self.is_negated(next)
        });
        (!listed).then_some(first.label)
    }

    /// Whether punctuation or the end follows the mention, closing quotes,
    /// brackets and emphasis aside.
    fn is_set_apart(&self, mention: &Mention) -> bool {
        let rest = &self.chars[mention.end..];
        let closers = rest
            .iter()
            .take_while(|c| "\"'`*_~)]}”’".contains(**c))
            .count();
        let rest = &rest[closers..];
        let spaces = rest.iter().take_while(|c| **c == ' ').count();
        match rest.get(spaces) {
            None => true,
            // A hyphen is punctuation only when it stands alone.
            Some('-') => spaces > 0,
            Some(c) => "\n.!,;:(–—".contains(*c),
        }
    }

    /// The one label affirmed anywhere, and nowhere negated.
    fn affirmed(&self) -> Option<usize> {
        let mut found = None;
        let counted = self
            .mentions
            .iter()
            .filter(|mention| !self.is_asked(mention));
        for mention in counted.clone().filter(|mention| !self.is_negated(mention)) {
            if *found.get_or_insert(mention.label) != mention.label {
                return None;
            }
        }
        let denied = counted
            .filter(|mention| self.is_negated(mention))
            .any(|mention| Some(mention.label) == found);
        if denied { None } else { found }
    }

    /// Whether the mention's sentence is a question, such as an echo of ours.
    fn is_asked(&self, mention: &Mention) -> bool {
        self.chars[mention.end..]
            .iter()
            .find(|c| matches!(c, '.' | '!' | '?' | '\n'))
            == Some(&'?')
    }

    /// Whether a negation stands within the four words before the mention, in
    /// the same clause.
    fn is_negated(&self, mention: &Mention) -> bool {
        let before = &self.chars[..mention.start];
        let clause = before
            .iter()
            .rposition(|c| ".,;:!?()\n–—".contains(*c))
            .map_or(before, |index| &before[index + 1..]);
        words(clause)
            .iter()
            .rev()
            .take_while(|word| !["but", "rather", "instead"].contains(&word.as_str()))
            .take(4)
            .any(|word| {
                const NEGATIONS: [&str; 11] = [
                    "not", "never", "no", "neither", "nor", "non", "hardly", "without", "cannot",
                    "isnt", "wasnt",
                ];
                NEGATIONS.contains(&word.as_str()) || word.ends_with("n't")
            })
    }
}

/// Lower case, one kind of apostrophe, spaces collapsed, line ends kept.
fn fold(text: &str) -> Vec<char> {
    let mut chars: Vec<char> = Vec::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            '\n' | '\r' => chars.push('\n'),
            '’' => chars.push('\''),
            c if c.is_whitespace() => {
                if chars.last() != Some(&' ') {
                    chars.push(' ');
                }
            }
            c => chars.push(c),
        }
    }
    chars
}

fn words(chars: &[char]) -> Vec<String> {
    let text: String = chars.iter().collect();
    text.split(|c: char| !c.is_alphanumeric() && c != '\'')
        .map(|word| word.trim_matches('\'').to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

/// Whether `label` stands at `start` as words of its own.
fn is_whole(chars: &[char], start: usize, label: &[char]) -> bool {
    let end = start + label.len();
    if label.is_empty() || chars.get(start..end) != Some(label) {
        return false;
    }
    // Looking outwards from one edge: a letter goes on with the word, and so
    // does a joiner with a letter behind it ("non-positive", "4.5", "4/5").
    let continues = |edge: char, near: Option<&char>, far: Option<&char>| {
        let Some(&near) = near else { return false };
        if !edge.is_alphanumeric() {
            return false;
        }
        near.is_alphanumeric()
            || far.is_some_and(|far| {
                ("-'_".contains(near) && far.is_alphanumeric())
                    || (".,/".contains(near) && edge.is_numeric() && far.is_numeric())
            })
    };
    let before = |back: usize| start.checked_sub(back).and_then(|index| chars.get(index));
    !continues(chars[start], before(1), before(2))
        && !continues(chars[end - 1], chars.get(end), chars.get(end + 1))
        && !is_function_word(label, &chars[end..])
}

/// "a", "i" and "no" are English words before they are labels: in "a good film"
/// or "no doubt" they answer nothing. A clause may follow ("no, because",
/// "no it is").
fn is_function_word(label: &[char], after: &[char]) -> bool {
    let word: String = label.iter().collect();
    if !["a", "i", "no"].contains(&word.as_str()) {
        return false;
    }
    let [' ', next @ ..] = after else {
        return false;
    };
    let next: String = next.iter().take_while(|c| c.is_alphanumeric()).collect();
    !next.is_empty()
        && ![
            "because", "since", "as", "it", "this", "the", "they", "he", "she", "we", "is",
        ]
        .contains(&next.as_str())
}
