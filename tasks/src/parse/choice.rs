//! One of a closed set.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::Value;

use super::labels::{Labels, exact};
use super::reading::{Read, Reading};
use super::structured::{self, Slot};
use super::{thoughts, verdict};
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

/// The one label that `text` gives as its answer.
pub(super) fn from_text(names: &[String], text: &str, cut_off: bool) -> Option<Answer> {
    let found = read(names, text, cut_off)?;
    Some(Answer::Class {
        label: names[found].clone(),
        margin: None,
    })
}

fn read(names: &[String], text: &str, cut_off: bool) -> Option<usize> {
    // Labels are text of the study's own, so the whole reply is compared before
    // anything is stripped from it.
    if let Some(label) = exact(names, text) {
        return (!cut_off || !is_begun(names, label)).then_some(label);
    }
    let text = thoughts::answer(text)?;
    if let Some(label) = exact(names, &text) {
        return (!cut_off || !is_begun(names, label)).then_some(label);
    }
    let labels = prepared(names);
    let slots = structured::slots(&text);
    if !slots.is_empty() {
        match from_slots(&labels, &slots) {
            // JSON inside prose may be about anything.
            Read::Nothing if slots.iter().any(|slot| matches!(slot, Slot::Whole(_))) => {}
            Read::Label(label) => return Some(label),
            Read::Nothing | Read::Unclear => return None,
        }
    }
    let text = without_json(&text, &slots);
    if let Some(scale) = &labels.scale {
        return scale.read(&text, cut_off);
    }
    match Reading::new(&labels, &text).conclude(cut_off) {
        Read::Label(label) => Some(label),
        Read::Nothing | Read::Unclear => None,
    }
}

/// Whether another label begins as this one: a cut-off may hide which is meant.
fn is_begun(names: &[String], label: usize) -> bool {
    let begun = names[label].to_lowercase();
    names
        .iter()
        .any(|name| name.len() > begun.len() && name.to_lowercase().starts_with(&begun))
}

/// Labels are the same for all replies of a study: those of the last call are
/// kept, so that they are folded once.
fn prepared(names: &[String]) -> Rc<Labels> {
    thread_local! {
        static LAST: RefCell<Option<Rc<Labels>>> = const { RefCell::new(None) };
    }
    LAST.with_borrow_mut(|last| match last {
        Some(labels) if labels.names == names => labels.clone(),
        _ => last.insert(Rc::new(Labels::new(names))).clone(),
    })
}

/// The text without the JSON that says nothing of the answer.
fn without_json<'t>(text: &'t str, slots: &[Slot]) -> std::borrow::Cow<'t, str> {
    if slots.is_empty() {
        return text.into();
    }
    let mut rest = text.to_owned();
    for (_, range) in structured::values(text).into_iter().rev() {
        // "[2]" and "[positive]" are no JSON objects.
        if text[range.clone()].len() > 4 {
            rest.replace_range(range, "\n");
        }
    }
    rest.into()
}

/// What the slots say together. Keys that may say something beside the answer
/// ("score", "topic") count where no others are.
fn from_slots(labels: &Labels, slots: &[Slot]) -> Read {
    let together = |beside: bool| {
        slots
            .iter()
            .filter(|slot| {
                matches!(slot, Slot::Keyed(key, _) if structured::is_beside(key)) == beside
            })
            .map(|slot| match slot {
                Slot::Text(text) => slot_text(labels, text),
                Slot::Keyed(_, value) => keyed(labels, value),
                Slot::Whole(value) => whole(labels, value),
            })
            .fold(Read::Nothing, Read::and)
    };
    match together(false) {
        Read::Nothing => together(true),
        read => read,
    }
}

/// What a slot's text says; a slot that holds no label answers something else.
fn slot_text(labels: &Labels, text: &str) -> Read {
    if let Some(label) = exact(&labels.names, text) {
        return Read::Label(label);
    }
    let nested = structured::slots(text);
    if !nested.is_empty()
        && let Read::Label(label) = from_slots(labels, &nested)
    {
        return Read::Label(label);
    }
    if let Some(scale) = &labels.scale {
        return scale.read(text, false).map_or(Read::Unclear, Read::Label);
    }
    match Reading::new(labels, text).conclude(false) {
        Read::Label(label) => Read::Label(label),
        Read::Nothing | Read::Unclear => Read::Unclear,
    }
}

fn keyed(labels: &Labels, value: &Value) -> Read {
    match value {
        Value::String(text) => match slot_text(labels, text) {
            Read::Label(label) => Read::Label(label),
            unread => match text.trim().to_ascii_lowercase().as_str() {
                "true" => boolean(labels, true),
                "false" => boolean(labels, false),
                _ => unread,
            },
        },
        Value::Number(number) => match slot_text(labels, &number.to_string()) {
            Read::Label(label) => Read::Label(label),
            _ => Read::Nothing,
        },
        Value::Bool(truth) => boolean(labels, *truth),
        Value::Array(items) => match items.as_slice() {
            [one] => keyed(labels, one),
            _ => Read::Unclear,
        },
        Value::Object(map) => whole(labels, &Value::Object(map.clone())),
        Value::Null => Read::Nothing,
    }
}

/// `true` as "yes", where the labels are such words.
fn boolean(labels: &Labels, truth: bool) -> Read {
    let words: &[&str] = if truth {
        &["true", "yes"]
    } else {
        &["false", "no"]
    };
    words
        .iter()
        .find_map(|word| exact(&labels.names, word))
        .map_or(Read::Unclear, Read::Label)
}

/// JSON without a key that names an answer: verdicts by label, or one label.
fn whole(labels: &Labels, value: &Value) -> Read {
    match value {
        Value::Object(map) => {
            let by_label: Option<Vec<(usize, &Value)>> = map
                .iter()
                .map(|(key, value)| Some((key_label(labels, key)?, value)))
                .collect();
            if let Some(by_label) = by_label.filter(|by_label| !by_label.is_empty()) {
                return verdicts(&by_label, labels.names.len());
            }
            let named = |echo| {
                structured::entries(map, echo)
                    .filter_map(|(_, value)| whole_label(labels, value.as_str()?))
                    .fold(Read::Nothing, |found, label| found.and(Read::Label(label)))
            };
            let found = match named(false) {
                Read::Nothing => named(true),
                found => found,
            };
            // Any other object that names a label says something else of it.
            if found == Read::Nothing && map.keys().any(|key| key_label(labels, key).is_some()) {
                return Read::Unclear;
            }
            found
        }
        Value::Array(items) => match items.as_slice() {
            [Value::String(text)] => whole_label(labels, text).map_or(Read::Unclear, Read::Label),
            [Value::Number(_)] => Read::Nothing,
            [one @ Value::Object(_)] => whole(labels, one),
            _ if items.iter().any(|item| {
                item.as_str()
                    .is_some_and(|text| whole_label(labels, text).is_some())
            }) =>
            {
                Read::Unclear
            }
            _ => Read::Nothing,
        },
        _ => Read::Nothing,
    }
}

fn whole_label(labels: &Labels, text: &str) -> Option<usize> {
    exact(&labels.names, text).or_else(|| Reading::new(labels, text).whole())
}

/// The label that a key names: "positive", "`is_positive`".
fn key_label(labels: &Labels, key: &str) -> Option<usize> {
    whole_label(labels, key).or_else(|| {
        let rest = key.strip_prefix("is_").or_else(|| key.strip_prefix("is"))?;
        whole_label(labels, rest)
    })
}

fn verdicts(given: &[(usize, &Value)], labels: usize) -> Read {
    let truths: Option<Vec<bool>> = given
        .iter()
        .map(|(_, value)| match value {
            Value::Bool(truth) => Some(*truth),
            Value::String(text) => match text.trim().to_lowercase().as_str() {
                "yes" | "true" => Some(true),
                "no" | "false" => Some(false),
                _ => None,
            },
            _ => None,
        })
        .collect();
    if let Some(truths) = truths {
        let mut yes = given.iter().zip(truths).filter(|(_, yes)| *yes);
        return match (yes.next(), yes.next()) {
            (Some(((label, _), _)), None) => Read::Label(*label),
            _ => Read::Unclear,
        };
    }
    let numbers: Option<Vec<f64>> = given.iter().map(|(_, value)| value.as_f64()).collect();
    let Some(numbers) = numbers.filter(|_| given.len() == labels) else {
        return Read::Unclear;
    };
    let sum: f64 = numbers.iter().sum();
    let whole = if sum > 90.0 { 100.0 } else { 1.0 };
    let shares: Vec<f64> = numbers.iter().map(|number| number / whole).collect();
    verdict::largest(&shares).map_or(Read::Unclear, |index| Read::Label(given[index].0))
}
