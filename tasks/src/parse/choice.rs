//! One of a closed set.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::Value;

use super::labels::{LabelSet, exact};
use super::reading::{AnswerEvidence, FoldedReply};
use super::structured::{self, AnswerSlot};
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

pub(super) fn read(names: &[String], text: &str, cut_off: bool) -> Option<usize> {
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
            AnswerEvidence::Nothing
                if slots
                    .iter()
                    .any(|slot| matches!(slot, AnswerSlot::Whole(_))) => {}
            AnswerEvidence::Label(label) => return Some(label),
            AnswerEvidence::Nothing | AnswerEvidence::Unclear => return None,
        }
    }
    let text = without_json(&text, &slots);
    if let Some(scale) = &labels.scale {
        return scale.read(&text, cut_off);
    }
    match FoldedReply::new(&labels, &text).conclude(cut_off) {
        AnswerEvidence::Label(label) => Some(label),
        AnswerEvidence::Nothing | AnswerEvidence::Unclear => None,
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
fn prepared(names: &[String]) -> Rc<LabelSet> {
    thread_local! {
        static LAST: RefCell<Option<Rc<LabelSet>>> = const { RefCell::new(None) };
    }
    LAST.with_borrow_mut(|last| match last {
        Some(labels) if labels.names == names => labels.clone(),
        _ => last.insert(Rc::new(LabelSet::new(names))).clone(),
    })
}

/// The text without the JSON that says nothing of the answer.
fn without_json<'t>(text: &'t str, slots: &[AnswerSlot]) -> std::borrow::Cow<'t, str> {
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
fn from_slots(labels: &LabelSet, slots: &[AnswerSlot]) -> AnswerEvidence {
    let together = |beside: bool| {
        slots
            .iter()
            .filter(|slot| {
                matches!(slot, AnswerSlot::Keyed(key, _) if structured::is_beside(key)) == beside
            })
            .map(|slot| match slot {
                AnswerSlot::Text(text) => slot_text(labels, text),
                AnswerSlot::Keyed(_, value) => keyed(labels, value),
                AnswerSlot::Whole(value) => whole(labels, value),
            })
            .fold(AnswerEvidence::Nothing, AnswerEvidence::and)
    };
    match together(false) {
        AnswerEvidence::Nothing => together(true),
        read => read,
    }
}

/// What a slot's text says; a slot that holds no label answers something else.
fn slot_text(labels: &LabelSet, text: &str) -> AnswerEvidence {
    if let Some(label) = exact(&labels.names, text) {
        return AnswerEvidence::Label(label);
    }
    let nested = structured::slots(text);
    if !nested.is_empty()
        && let AnswerEvidence::Label(label) = from_slots(labels, &nested)
    {
        return AnswerEvidence::Label(label);
    }
    if let Some(scale) = &labels.scale {
        return scale
            .read(text, false)
            .map_or(AnswerEvidence::Unclear, AnswerEvidence::Label);
    }
    match FoldedReply::new(labels, text).conclude(false) {
        AnswerEvidence::Label(label) => AnswerEvidence::Label(label),
        AnswerEvidence::Nothing | AnswerEvidence::Unclear => AnswerEvidence::Unclear,
    }
}

fn keyed(labels: &LabelSet, value: &Value) -> AnswerEvidence {
    match value {
        Value::String(text) => match slot_text(labels, text) {
            AnswerEvidence::Label(label) => AnswerEvidence::Label(label),
            unread => match text.trim().to_ascii_lowercase().as_str() {
                "true" => boolean(labels, true),
                "false" => boolean(labels, false),
                _ => unread,
            },
        },
        Value::Number(number) => match slot_text(labels, &number.to_string()) {
            AnswerEvidence::Label(label) => AnswerEvidence::Label(label),
            _ => AnswerEvidence::Nothing,
        },
        Value::Bool(truth) => boolean(labels, *truth),
        Value::Array(items) => match items.as_slice() {
            [one] => keyed(labels, one),
            _ => AnswerEvidence::Unclear,
        },
        Value::Object(map) => whole(labels, &Value::Object(map.clone())),
        Value::Null => AnswerEvidence::Nothing,
    }
}

/// `true` as "yes", where the labels are such words.
fn boolean(labels: &LabelSet, truth: bool) -> AnswerEvidence {
    let words: &[&str] = if truth {
        &["true", "yes"]
    } else {
        &["false", "no"]
    };
    words
        .iter()
        .find_map(|word| exact(&labels.names, word))
        .map_or(AnswerEvidence::Unclear, AnswerEvidence::Label)
}

/// JSON without a key that names an answer: verdicts by label, or one label.
fn whole(labels: &LabelSet, value: &Value) -> AnswerEvidence {
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
                    .fold(AnswerEvidence::Nothing, |found, label| {
                        found.and(AnswerEvidence::Label(label))
                    })
            };
            let found = match named(false) {
                AnswerEvidence::Nothing => named(true),
                found => found,
            };
            // Any other object that names a label says something else of it.
            if found == AnswerEvidence::Nothing
                && map.keys().any(|key| key_label(labels, key).is_some())
            {
                return AnswerEvidence::Unclear;
            }
            found
        }
        Value::Array(items) => match items.as_slice() {
            [Value::String(text)] => {
                whole_label(labels, text).map_or(AnswerEvidence::Unclear, AnswerEvidence::Label)
            }
            [Value::Number(_)] => AnswerEvidence::Nothing,
            [one @ Value::Object(_)] => whole(labels, one),
            _ if items.iter().any(|item| {
                item.as_str()
                    .is_some_and(|text| whole_label(labels, text).is_some())
            }) =>
            {
                AnswerEvidence::Unclear
            }
            _ => AnswerEvidence::Nothing,
        },
        _ => AnswerEvidence::Nothing,
    }
}

fn whole_label(labels: &LabelSet, text: &str) -> Option<usize> {
    exact(&labels.names, text).or_else(|| FoldedReply::new(labels, text).whole())
}

/// The label that a key names: "positive", "`is_positive`".
fn key_label(labels: &LabelSet, key: &str) -> Option<usize> {
    whole_label(labels, key).or_else(|| {
        let rest = key.strip_prefix("is_").or_else(|| key.strip_prefix("is"))?;
        whole_label(labels, rest)
    })
}

fn verdicts(given: &[(usize, &Value)], labels: usize) -> AnswerEvidence {
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
            (Some(((label, _), _)), None) => AnswerEvidence::Label(*label),
            _ => AnswerEvidence::Unclear,
        };
    }
    let numbers: Option<Vec<f64>> = given.iter().map(|(_, value)| value.as_f64()).collect();
    let Some(numbers) = numbers.filter(|_| given.len() == labels) else {
        return AnswerEvidence::Unclear;
    };
    let sum: f64 = numbers.iter().sum();
    let whole = if sum > 90.0 { 100.0 } else { 1.0 };
    let shares: Vec<f64> = numbers.iter().map(|number| number / whole).collect();
    verdict::largest(&shares).map_or(AnswerEvidence::Unclear, |index| {
        AnswerEvidence::Label(given[index].0)
    })
}
