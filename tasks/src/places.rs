//! Places for values in a prompt.
//!
//! A prompt is prose that may hold JSON, code or set notation, so unlike in a
//! [`FieldTemplate`](crate::FieldTemplate) a brace is text unless it makes a place:
//!
//! - `{name}`, where the input has a field of that name, is a place. Its value
//!   is put in once and never read again.
//! - `{{name}}` is the text `{name}`, whether or not there is such a field.
//! - In a prompt with a place every other `{{` that a `}}` closes is a single
//!   brace too, as in templates; in one without places it is text.
//! - All other braces are text: `{"label": "spam"}`, `{}`, `\boxed{7}`.

use std::borrow::Cow;

use crate::Input;

/// A piece of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PromptPart<'p> {
    /// Text as the model reads it.
    Text(Cow<'p, str>),
    /// The place of a field's value.
    Field(&'p str),
}

/// The pieces of a prompt, given which names are fields.
pub fn parts<'p>(prompt: &'p str, is_field: &dyn Fn(&str) -> bool) -> Vec<PromptPart<'p>> {
    let BraceScanner { places, pairs } = braces(prompt, is_field);
    // Bytes that are not sent: the outer one of each doubled brace.
    let mut skipped: Vec<usize> = pairs
        .iter()
        .filter(|&&(open, close)| !places.is_empty() || word(&prompt[open + 2..close]).is_some())
        .flat_map(|&(open, close)| [open, close])
        .collect();
    skipped.sort_unstable();
    let literal = |from: usize, to: usize| {
        let mut text = Cow::Borrowed("");
        let mut at = from;
        for &skip in skipped.iter().filter(|&&skip| (from..to).contains(&skip)) {
            text += &prompt[at..skip];
            at = skip + 1;
        }
        text += &prompt[at..to];
        text
    };
    let mut parts = Vec::new();
    let mut at = 0;
    for place in places {
        if at < place.start {
            parts.push(PromptPart::Text(literal(at, place.start)));
        }
        parts.push(PromptPart::Field(place.name));
        at = place.end;
    }
    if at < prompt.len() {
        parts.push(PromptPart::Text(literal(at, prompt.len())));
    }
    parts
}

/// Where the first place begins, in bytes.
pub(crate) fn first(prompt: &str, is_field: &dyn Fn(&str) -> bool) -> Option<usize> {
    let places = braces(prompt, is_field).places;
    places.first().map(|place| place.start)
}

/// The fields that have a place in the prompt, in the order of their first.
pub fn fields<'p>(prompt: &'p str, is_field: &dyn Fn(&str) -> bool) -> Vec<&'p str> {
    let mut names = Vec::new();
    for place in braces(prompt, is_field).places {
        if !names.contains(&place.name) {
            names.push(place.name);
        }
    }
    names
}

/// Names in single braces that read like a place and are no field: `{texte}`.
/// What is not one word, stands in quotes or follows a command (`\boxed{x}`) does
/// not.
pub fn strangers<'p>(prompt: &'p str, is_field: &dyn Fn(&str) -> bool) -> Vec<&'p str> {
    let mut names = Vec::new();
    for place in braces(prompt, &|name| word(name).is_some()).places {
        if !is_field(place.name) && !names.contains(&place.name) {
            names.push(place.name);
        }
    }
    names
}

/// Names in doubled braces, as other tools write their places: `{{text}}`.
pub fn doubled<'p>(prompt: &'p str, is_field: &dyn Fn(&str) -> bool) -> Vec<&'p str> {
    let mut names: Vec<&str> = braces(prompt, is_field)
        .pairs
        .into_iter()
        .filter_map(|(open, close)| word(&prompt[open + 2..close]))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The prompt's text for this input, and whether any of it is the input's.
pub fn fill<'p>(prompt: &'p str, input: &Input) -> (Cow<'p, str>, bool) {
    let parts = parts(prompt, &|name| input.fields.contains_key(name));
    let shows = parts
        .iter()
        .any(|part| matches!(part, PromptPart::Field(_)));
    (written(&parts, input), shows)
}

/// Pieces as one text.
pub(crate) fn written<'p>(parts: &[PromptPart<'p>], input: &Input) -> Cow<'p, str> {
    if let [PromptPart::Text(all)] = parts {
        return all.clone();
    }
    let mut text = String::new();
    for part in parts {
        text.push_str(match part {
            PromptPart::Text(piece) => piece,
            PromptPart::Field(name) => input.field(name),
        });
    }
    Cow::Owned(text)
}

struct FoundPlaceholder<'p> {
    name: &'p str,
    start: usize,
    end: usize,
}

struct BraceScanner<'p> {
    places: Vec<FoundPlaceholder<'p>>,
    /// Where `{{` and the `}}` that closes it begin.
    pairs: Vec<(usize, usize)>,
}

fn braces<'p>(prompt: &'p str, is_field: &dyn Fn(&str) -> bool) -> BraceScanner<'p> {
    let bytes = prompt.as_bytes();
    let doubled = |at: usize| bytes.get(at) == bytes.get(at + 1);
    let mut found = BraceScanner {
        places: Vec::new(),
        pairs: Vec::new(),
    };
    // Open braces: where, and whether doubled.
    let mut open: Vec<(usize, bool)> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'{' if doubled(at) => {
                open.push((at, true));
                at += 2;
            }
            b'{' => {
                if let Some(place) = place(prompt, at, is_field) {
                    at = place.end;
                    found.places.push(place);
                } else {
                    open.push((at, false));
                    at += 1;
                }
            }
            b'}' => match open.last() {
                Some(&(start, true)) if doubled(at) => {
                    open.pop();
                    found.pairs.push((start, at));
                    at += 2;
                }
                Some((_, false)) => {
                    open.pop();
                    at += 1;
                }
                _ => at += 1,
            },
            _ => at += 1,
        }
    }
    found
}

/// The place whose `{` is at `start`.
fn place<'p>(
    prompt: &'p str,
    start: usize,
    is_field: &dyn Fn(&str) -> bool,
) -> Option<FoundPlaceholder<'p>> {
    let inner = prompt[start + 1..].split(['{', '}', '\n']).next()?;
    let end = start + 1 + inner.len() + 1;
    let name = inner.trim();
    let closed = prompt.as_bytes().get(end - 1) == Some(&b'}');
    let command = prompt[..start]
        .trim_end_matches(|c: char| c.is_ascii_alphabetic())
        .ends_with('\\');
    (closed && !name.is_empty() && !command && is_field(name)).then_some(FoundPlaceholder {
        name,
        start,
        end,
    })
}

/// The one word that a text in braces is, if it is one.
fn word(text: &str) -> Option<&str> {
    let word = text.trim();
    let starts = word.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let rest = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    (starts && word.chars().count() <= 40 && word.chars().all(rest)).then_some(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn input() -> Input {
        Input::new("1", "g")
            .with_field("text", "a {title} {{b}}")
            .with_field("title", "T")
            .with_field("review text", "R")
    }

    #[track_caller]
    fn check(prompt: &str, expect: &str, shows: bool) {
        let input = input();
        let (text, shown) = fill(prompt, &input);
        assert_eq!((text.as_ref(), shown), (expect, shows), "{prompt:?}");
    }

    #[test]
    fn only_fields_are_placeholders() {
        check(
            "Review: {text} Answer:",
            "Review: a {title} {{b}} Answer:",
            true,
        );
        check("{ title }/{review text}", "T/R", true);
        check(
            "Write {\"label\": \"x\", \"of\": {\"a\": {}}}.",
            "Write {\"label\": \"x\", \"of\": {\"a\": {}}}.",
            false,
        );
        check("{\"t\": \"{title}\"}", "{\"t\": \"T\"}", true);
        check("\\boxed{title} {absent}", "\\boxed{title} {absent}", false);
        check("{title", "{title", false);
        check("}} {{ {title}", "}} {{ T", true);
        check("é{title}é", "éTé", true);
    }

    #[test]
    fn doubled_braces_are_single_ones() {
        check("Keep {{title}}.", "Keep {title}.", false);
        check("Keep {{ other }}.", "Keep { other }.", false);
        check("{{\"a\": {{\"b\": {title}}}}}", "{\"a\": {\"b\": T}}", true);
        check("{{{title}}}", "{T}", true);
        // Nothing is put in, so nothing asks for a template's rules.
        check("{{\"a\": 1}}", "{{\"a\": 1}}", false);
        check("{\"a\": {\"b\": 1}} {title}", "{\"a\": {\"b\": 1}} T", true);
    }

    #[test]
    fn misspelt_placeholders_are_found() {
        let is_field = |name: &str| name == "text";
        let prompt = "{texte} {text} {a b} {\"label\": 1} {} {0} \\boxed{x} {{jinja}} {texte}";
        assert_eq!(strangers(prompt, &is_field), ["texte"]);
        assert_eq!(doubled(prompt, &is_field), ["jinja"]);
        assert_eq!(fields("{text} {other} {text}", &is_field), ["text"]);
    }

    proptest! {
        #[test]
        fn prompt_without_placeholders_is_unchanged(prompt in "[a-z{}\" :\n]{0,60}") {
            let nothing = Input::new("1", "g");
            let (text, shows) = fill(&prompt, &nothing);
            prop_assert!(!shows);
            if doubled(&prompt, &|_| false).is_empty() {
                prop_assert_eq!(text.into_owned(), prompt);
            }
        }

        #[test]
        fn values_are_put_in_once(value in "\\PC{0,40}", before in "[a-z \n\":]{0,20}") {
            let input = Input::new("1", "g").with_field("x", &value);
            let prompt = format!("{before}{{x}}.");
            let (text, shows) = fill(&prompt, &input);
            prop_assert!(shows);
            prop_assert_eq!(text.into_owned(), format!("{before}{value}."));
        }

        #[test]
        fn any_braces_can_be_read(prompt in "[{}x\\\\é\"\n ]{0,40}") {
            let _ = fill(&prompt, &Input::new("1", "g").with_field("x", "v"));
            let _ = strangers(&prompt, &|_| false);
        }
    }
}
