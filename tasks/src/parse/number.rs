//! A number within a range.

use serde_json::Value;

use super::marker::{self, HeadingWeight};
use super::numbers::{FoundNumber, NumberForm, NumberText};
use super::sentence::{self, is_decor, sentences};
use super::structured::{self, AnswerSlot};
use super::words::words;

/// The one number of `min..=max` that `text` gives as its answer; of two
/// different ones neither.
pub(super) fn from_text(min: f64, max: f64, text: &str, cut_off: bool) -> Option<f64> {
    let within = |number: &f64| (min..=max).contains(number);
    if let Ok(number) = text.trim().trim_end_matches('.').parse::<f64>() {
        return Some(number).filter(|number| within(number) && !cut_off);
    }
    let slots = structured::slots(text);
    if let Some(found) = in_slots(min, max, &slots) {
        return found.one().filter(within);
    }
    let numbers = NumberText::scan(text, min, max, cut_off)?;
    numbers.answer(cut_off).one().filter(within)
}

/// What some text says of the number.
#[derive(Debug, Clone, Copy, PartialEq)]
enum NumberFinding {
    None,
    One(f64),
    Several,
}

impl NumberFinding {
    fn add(self, number: f64) -> Self {
        match self {
            Self::None => Self::One(number),
            Self::One(known) if known == number => self,
            _ => Self::Several,
        }
    }

    fn and(self, other: Self) -> Self {
        match other {
            Self::None => self,
            Self::One(number) => self.add(number),
            Self::Several => other,
        }
    }

    fn one(self) -> Option<f64> {
        match self {
            Self::One(number) => Some(number),
            _ => None,
        }
    }
}

/// The number that a structure gives; `None` where there is no structure that
/// holds answers.
fn in_slots(min: f64, max: f64, slots: &[AnswerSlot]) -> Option<NumberFinding> {
    let mut found = NumberFinding::None;
    let mut answers = false;
    for slot in slots {
        let value = match slot {
            AnswerSlot::Text(text) => from_text(min, max, text, false),
            AnswerSlot::Keyed(_, value) => from_value(min, max, value),
            AnswerSlot::Whole(Value::Object(map)) => {
                let mut numbers =
                    structured::entries(map, false).filter_map(|(_, value)| value.as_f64());
                match (numbers.next(), numbers.next()) {
                    (Some(number), None) => Some(number),
                    _ => None,
                }
            }
            AnswerSlot::Whole(Value::Array(items)) => match items.as_slice() {
                [one] => from_value(min, max, one),
                _ => None,
            },
            AnswerSlot::Whole(_) => None,
        };
        answers |= !matches!(slot, AnswerSlot::Whole(_));
        if let Some(value) = value {
            found = found.add(value);
        }
    }
    (answers || found != NumberFinding::None).then_some(found)
}

fn from_value(min: f64, max: f64, value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => from_text(min, max, text, false),
        _ => None,
    }
}

impl NumberText {
    /// What the text gives as its answer: after a final heading, else after any
    /// heading of an answer or in its lead, else on its scale ("4/5", "4 stars",
    /// "★★★★☆"), else said so ("I give it a 4"), else the one number there is.
    fn answer(&self, cut_off: bool) -> NumberFinding {
        let (mut answers, mut finals) = (NumberFinding::None, NumberFinding::None);
        for sentence in sentences(&self.text) {
            let Some(marker) = marker::of(&self.text, sentence.start, sentence.end) else {
                continue;
            };
            if marker.weight == HeadingWeight::Any {
                continue;
            }
            let blank = self.text[marker.value..sentence.end].chars().all(is_decor);
            let end = if blank {
                let rest = &self.text[sentence.end..];
                let lead = rest.len() - rest.trim_start_matches(is_decor).len();
                rest[lead..]
                    .find('\n')
                    .map_or(self.text.len(), |at| sentence.end + lead + at)
            } else {
                sentence.end
            };
            let value = self.value(marker.value, end);
            if marker.weight == HeadingWeight::Final {
                finals = finals.and(value);
            } else {
                answers = answers.and(value);
            }
        }
        if finals != NumberFinding::None {
            return finals;
        }
        let stated = answers.and(self.leading());
        if stated != NumberFinding::None {
            return stated;
        }
        let of = |keep: &dyn Fn(&FoundNumber) -> bool| {
            self.found
                .iter()
                .filter(|number| keep(number))
                .fold(NumberFinding::None, |found, number| found.add(number.value))
        };
        let scaled = of(&|number| number.kind == NumberForm::Scaled);
        if scaled != NumberFinding::None {
            return scaled;
        }
        let starred = of(&|number| number.kind == NumberForm::Starred);
        if starred != NumberFinding::None {
            return starred.and(self.beside_stars());
        }
        let said = of(&|number| !number.spelled && self.is_said(number));
        if said != NumberFinding::None || cut_off {
            return said;
        }
        of(&|number| !number.spelled)
    }

    /// Other numbers in a sentence that counts stars: "3 stars for sound, 5 for
    /// the battery".
    fn beside_stars(&self) -> NumberFinding {
        sentences(&self.text)
            .iter()
            .map(|sentence| {
                let inside = || {
                    self.found
                        .iter()
                        .filter(|n| n.start >= sentence.start && n.end <= sentence.end)
                };
                inside()
                    .filter(|number| number.kind == NumberForm::Plain && !number.spelled)
                    .filter(|_| inside().any(|number| number.kind == NumberForm::Starred))
                    .fold(NumberFinding::None, |found, number| found.add(number.value))
            })
            .fold(NumberFinding::None, NumberFinding::and)
    }

    /// The number in a heading's value: the one on its scale, else the first.
    fn value(&self, start: usize, end: usize) -> NumberFinding {
        let inside = || {
            self.found
                .iter()
                .filter(|n| n.start >= start && n.end <= end)
        };
        // "4 (confidence 0.8)", not "4 or 5"
        let first = inside()
            .next()
            .filter(|number| self.text[start..number.start].chars().all(is_decor))
            .filter(|number| {
                is_apart(self.text[number.end..end].trim_start_matches(sentence::is_closer))
            })
            .map_or(NumberFinding::None, |number| {
                NumberFinding::One(number.value)
            });
        let scaled = inside()
            .filter(|number| number.kind != NumberForm::Plain)
            .fold(first, |found, number| found.add(number.value));
        if scaled != NumberFinding::None {
            return scaled;
        }
        inside().fold(NumberFinding::None, |found, number| found.add(number.value))
    }

    /// The number that the text opens with, or a line that is one.
    fn leading(&self) -> NumberFinding {
        let mut found = NumberFinding::None;
        for (index, number) in self.found.iter().enumerate() {
            let line = self.text[..number.start]
                .rsplit('\n')
                .next()
                .unwrap_or_default();
            let rest = self.text[number.end..]
                .split('\n')
                .next()
                .unwrap_or_default();
            let opens = line.chars().all(is_decor);
            let alone = opens && rest.chars().all(is_decor);
            let apart = is_apart(rest.trim_start_matches(sentence::is_closer));
            let first = index == 0 && self.text[..number.start].chars().all(is_decor);
            if alone || (first && opens && apart) {
                found = found.add(number.value);
            }
        }
        found
    }

    /// Whether a verb of rating stands shortly before the number.
    fn is_said(&self, number: &FoundNumber) -> bool {
        const SAID: [&str; 36] = [
            "prediction",
            "estimate",
            "give",
            "gave",
            "giving",
            "rate",
            "rated",
            "rating",
            "score",
            "scored",
            "scores",
            "assign",
            "deserves",
            "predict",
            "predicted",
            "answer",
            "gebe",
            "bewerte",
            "bewertung",
            "vergebe",
            "note",
            "donne",
            "donnerais",
            "doy",
            "daría",
            "calificación",
            "puntuación",
            "voto",
            "valutazione",
            "nota",
            "daria",
            "оценка",
            "оцениваю",
            "ocena",
            "betyg",
            "cijfer",
        ];
        let start = sentence::clause_start(&self.text, 0, number.start);
        words(&self.text[start..number.start])
            .rev()
            .take(6)
            .any(|word| SAID.contains(&word))
    }
}

/// Whether what follows a number sets it apart: no word, no sum, no span.
fn is_apart(rest: &str) -> bool {
    let rest = rest.trim_start_matches(' ');
    let Some(next) = rest.chars().next() else {
        return true;
    };
    let beyond = rest[next.len_utf8()..].trim_start();
    let spans = matches!(next, '-' | '–' | '—' | '~' | ',' | '→' | '>' | '<')
        && beyond.starts_with(|c: char| c.is_ascii_digit());
    !spans && !next.is_alphanumeric() && !matches!(next, '?' | '/' | '=' | '+' | '*' | '%')
}

/// Labels that are numbers, or numbers of stars.
pub(super) struct RatingScale {
    values: Vec<f64>,
}

impl RatingScale {
    pub fn of(names: &[String]) -> Option<Self> {
        let value = |name: &String| -> Option<f64> {
            let name = name.trim().to_lowercase();
            let number = ["stars", "star", "points", "point"]
                .iter()
                .find_map(|unit| name.strip_suffix(unit))
                .map_or(name.as_str(), str::trim);
            number
                .parse::<f64>()
                .ok()
                .filter(|number| number.is_finite())
        };
        let values: Option<Vec<f64>> = names.iter().map(value).collect();
        let values = values.filter(|values| values.len() > 1)?;
        let distinct = |(index, value): (usize, &f64)| !values[..index].contains(value);
        values
            .iter()
            .enumerate()
            .all(distinct)
            .then_some(Self { values })
    }

    /// The label of the number that the text gives.
    pub fn read(&self, text: &str, cut_off: bool) -> Option<usize> {
        let min = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let max = self
            .values
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        let number = from_text(min, max, text, cut_off)?;
        self.values.iter().position(|value| *value == number)
    }
}
