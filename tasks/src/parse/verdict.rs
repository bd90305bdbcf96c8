//! Verdicts per label: "Positive: no / Negative: yes", "Positive: 10%, Negative:
//! 90%"; and labels that head a text, which answer nothing.

use super::labels::LabelMention;
use super::sentence::{is_closer, is_decor};
use super::words::{Words, set, words};

/// What labels that head something come to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum HeadedVerdicts {
    /// No label heads anything.
    None,
    /// The one label that the verdicts leave.
    One(usize),
    /// Verdicts that leave none or several.
    Unclear,
    /// One label heads a text that may be its explanation.
    Single(usize),
    /// Several labels head texts of their own, such as pros and cons.
    Headings,
}

static YES: Words = std::sync::LazyLock::new(|| {
    set(
        "yes true ja oui vrai si sí sì verdadero vero sim verdadeiro да tak evet ano igen kyllä 是 对 はい 네 예 \
         ✓ ✔ ✅ ☑",
    )
});
static NO: Words = std::sync::LazyLock::new(|| {
    set(
        "no false nein non faux falso não falso нет nie hayır ne nem ei nee nej nei 否 不是 いいえ 아니요 아니오 \
         ✗ ✘ ❌ ✕ ☐ ✖",
    )
});

#[derive(Debug, Clone, Copy, PartialEq)]
enum HeadedVerdict {
    Said(bool),
    /// A share of 1.
    Share(f64),
    Text,
}

/// The labels of `mentions` that head something in `text`, as places among the
/// mentions, and what they come to.
pub(super) fn read(
    text: &str,
    mentions: &[LabelMention],
    labels: usize,
) -> (Vec<usize>, HeadedVerdicts) {
    let mut heads = Vec::new();
    let mut given: Vec<(usize, HeadedVerdict)> = Vec::new();
    for (place, mention) in mentions.iter().enumerate() {
        let Some(value) = headed(text, mention) else {
            continue;
        };
        let line = text[value..]
            .find('\n')
            .map_or(text.len(), |end| value + end);
        let next = mentions
            .get(place + 1)
            .map_or(text.len(), |next| next.start);
        heads.push(place);
        given.push((mention.label, verdict(&text[value..line.min(next)])));
    }
    let mut distinct: Vec<usize> = given.iter().map(|(label, _)| *label).collect();
    distinct.sort_unstable();
    distinct.dedup();
    let come_to = match (distinct.as_slice(), given.as_slice()) {
        ([], _) => HeadedVerdicts::None,
        (_, [(label, HeadedVerdict::Said(yes))]) if *yes => HeadedVerdicts::One(*label),
        (_, [(label, HeadedVerdict::Share(share))]) if *share > 0.5 => HeadedVerdicts::One(*label),
        ([label], given) => {
            if given
                .iter()
                .all(|(_, verdict)| *verdict == HeadedVerdict::Text)
                && given.len() == 1
            {
                HeadedVerdicts::Single(*label)
            } else {
                HeadedVerdicts::Unclear
            }
        }
        (several, given) if given.len() == several.len() => together(given, labels),
        _ => HeadedVerdicts::Headings,
    };
    (heads, come_to)
}

/// Verdicts on several labels, each judged once.
fn together(given: &[(usize, HeadedVerdict)], labels: usize) -> HeadedVerdicts {
    let said: Option<Vec<bool>> = given
        .iter()
        .map(|(_, verdict)| match verdict {
            HeadedVerdict::Said(yes) => Some(*yes),
            _ => None,
        })
        .collect();
    if let Some(said) = said {
        let mut yes = given.iter().zip(said).filter(|(_, yes)| *yes);
        return match (yes.next(), yes.next()) {
            (Some((one, _)), None) => HeadedVerdicts::One(one.0),
            _ => HeadedVerdicts::Unclear,
        };
    }
    let shares: Option<Vec<f64>> = given
        .iter()
        .map(|(_, verdict)| match verdict {
            HeadedVerdict::Share(share) => Some(*share),
            _ => None,
        })
        .collect();
    match shares {
        Some(shares) => largest(&shares)
            .filter(|_| given.len() == labels || shares.iter().any(|share| *share > 0.5))
            .map_or(HeadedVerdicts::Unclear, |index| {
                HeadedVerdicts::One(given[index].0)
            }),
        None if given
            .iter()
            .all(|(_, verdict)| *verdict == HeadedVerdict::Text) =>
        {
            HeadedVerdicts::Headings
        }
        None => HeadedVerdicts::Unclear,
    }
}

/// The place of the largest of shares that are a whole together.
pub(super) fn largest(shares: &[f64]) -> Option<usize> {
    let sum: f64 = shares.iter().sum();
    if (sum - 1.0).abs() > 0.051 || shares.iter().any(|share| !(0.0..=1.0).contains(share)) {
        return None;
    }
    let most = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut best = shares
        .iter()
        .enumerate()
        .filter(|(_, share)| **share == most);
    let (index, _) = best.next()?;
    best.next().is_none().then_some(index)
}

/// Where what the mention heads begins; `None` if it heads nothing. It must
/// begin an item and be followed by a colon, a dash or the like, and a text.
fn headed(text: &str, mention: &LabelMention) -> Option<usize> {
    let before = text[..mention.start].trim_end_matches(|c: char| {
        is_decor(c) && !matches!(c, '\n' | ',' | ';' | '|' | '/' | '.' | ':')
    });
    let begins = before.is_empty()
        || before.ends_with(['\n', ',', ';', '|', '/', '.', ':'])
        || before.ends_with(" and")
        || super::sentence::without_number(before.rsplit('\n').next().unwrap_or_default())
            .trim()
            .is_empty();
    if !begins {
        return None;
    }
    // "Sentiment (positive/negative): …" names the choices.
    let line = text[..mention.start]
        .rsplit('\n')
        .next()
        .unwrap_or_default();
    let closed = text[mention.end..].starts_with(')');
    if closed && line.rfind('(') > line.rfind(')') {
        return None;
    }
    // "A) no" judges an option.
    if let Some(value) = text[mention.end..].strip_prefix(") ")
        && matches!(
            verdict(value.lines().next().unwrap_or_default()),
            HeadedVerdict::Said(_)
        )
    {
        return Some(text.len() - value.len());
    }
    let rest = text[mention.end..].trim_start_matches(is_closer);
    let spaced = rest.trim_start_matches(' ');
    let value = spaced
        .strip_prefix([':', '=', '|', '→'])
        .or_else(|| spaced.strip_prefix("->"))
        .or_else(|| {
            spaced
                .strip_prefix(['-', '–', '—'])
                .filter(|_| spaced.len() < rest.len())
        })
        .or_else(|| {
            spaced
                .strip_prefix('(')
                .filter(|inside| share(inside).is_some())
        })?;
    let value = value.trim_start_matches(|c: char| is_closer(c) || matches!(c, ' ' | '>' | '='));
    // A heading may stand on a line of its own, above a list.
    (!value.trim().is_empty()).then(|| text.len() - value.len())
}

fn verdict(text: &str) -> HeadedVerdict {
    let text = text.trim_matches(|c: char| c.is_whitespace() || "*_\"'`|,;.()[]{}/".contains(c));
    if let Some(share) = share(text) {
        return HeadedVerdict::Share(share);
    }
    let first = text
        .split(|c: char| c.is_whitespace() || ",;.(".contains(c))
        .next()
        .unwrap_or_default();
    let alone = words(text).count() <= 1
        || text[first.len()..].starts_with([',', ';', '.', '('])
        || text[first.len()..]
            .trim_start()
            .starts_with(['(', '-', '–', '—']);
    match first {
        word if alone && YES.contains(word) => HeadedVerdict::Said(true),
        word if alone && NO.contains(word) => HeadedVerdict::Said(false),
        _ => HeadedVerdict::Text,
    }
}

/// "90%", "90 %", "0.9", ".9" at the start, as a share of 1.
fn share(text: &str) -> Option<f64> {
    let text = text.trim_start_matches(['~', '≈', ' ']);
    let digits = text
        .bytes()
        .take_while(|b| b.is_ascii_digit() || *b == b'.')
        .count();
    let number: f64 = text[..digits].trim_end_matches('.').parse().ok()?;
    let rest = text[digits..].trim_start();
    if rest.starts_with('%') {
        return Some(number / 100.0);
    }
    let alone = rest.is_empty() || rest.starts_with([',', ';', ')', '\n', '|', '/', '*']);
    (alone && text[..digits].contains('.') && number <= 1.0 || alone && number == 0.0)
        .then_some(number)
}
