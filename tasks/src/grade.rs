//! How an answer is compared with the truth by default.

use crate::{Answer, GradedAnswer, Label, Outcome};

/// Grades by the kind of label; every grade lies in `0..=1`.
///
/// | label | answer | grade |
/// | --- | --- | --- |
/// | class | class | 1 if equal, else 0 |
/// | number | number | 1 / (1 + \|error\|) |
/// | relevant items | ranking | reciprocal rank of the first relevant item, else 0 (Voorhees, TREC-8, 1999) |
/// | text | text or class | 1 if equal after [`normalise`], else 0 |
/// | any of several | class or text | 1 if equal to one of them, texts after [`normalise`], else 0 |
/// | fields | fields | the share of the label's fields with an equal value |
///
/// A label that does not fit the answer's form is a mistake in the study, not a
/// wrong answer: the outcome is [`Outcome::Failed`], which counts in no score.
pub fn grade(answer: &Answer, label: &Label) -> Outcome {
    let value = match (answer, label) {
        (Answer::Unparseable { text }, _) => return Outcome::Unparseable { text: text.clone() },
        (Answer::Class { label: said, .. }, Label::Class(truth)) => f64::from(said == truth),
        (Answer::Number(said), Label::Number(truth)) => 1.0 / (1.0 + (said - truth).abs()),
        (Answer::Ranking(items), Label::Relevant(relevant)) => items
            .iter()
            .position(|item| relevant.contains(item))
            .map_or(0.0, |index| 1.0 / (index + 1) as f64),
        (Answer::Text(said) | Answer::Class { label: said, .. }, Label::Text(truth)) => {
            f64::from(normalise(said) == normalise(truth))
        }
        (Answer::Class { label: said, .. }, Label::AnyOf(truths)) => {
            f64::from(truths.iter().any(|truth| said == truth))
        }
        (Answer::Text(said), Label::AnyOf(truths)) => {
            let said = normalise(said);
            f64::from(truths.iter().any(|truth| said == normalise(truth)))
        }
        (Answer::Fields(said), Label::Fields(truth)) => {
            let right = truth
                .iter()
                .filter(|(name, value)| said.get(*name) == Some(value));
            right.count() as f64 / truth.len().max(1) as f64
        }
        _ => {
            let reason = format!(
                "{} cannot be graded against {}",
                match answer {
                    Answer::Class { .. } => "a class",
                    Answer::Number(_) => "a number",
                    Answer::Ranking(_) => "a ranking",
                    Answer::Fields(_) => "an object",
                    Answer::Text(_) | Answer::Unparseable { .. } => "a text",
                },
                match label {
                    Label::Class(_) => "a class label",
                    Label::Number(_) => "a numeric label",
                    Label::Relevant(_) => "a list of relevant items",
                    Label::Text(_) => "a text label",
                    Label::AnyOf(_) => "a label of several answers",
                    Label::Fields(_) => "a label of fields",
                }
            );
            return Outcome::Failed { reason };
        }
    };
    // A NaN label cannot be loaded, but a plug-in may build one.
    if value.is_nan() {
        return Outcome::Failed {
            reason: "the label or the answer is not a number".into(),
        };
    }
    Outcome::Scored(GradedAnswer {
        value,
        answer: answer.clone(),
    })
}

/// Lower case, single spaces, and no punctuation around words; a text of
/// punctuation alone is kept as it is.
pub fn normalise(text: &str) -> String {
    let lower = text.to_lowercase();
    let mut words = String::with_capacity(lower.len());
    for word in lower.split_whitespace() {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        if !word.is_empty() && !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    if words.is_empty() {
        lower.trim().to_owned()
    } else {
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answer: &Answer, label: &Label, expect: Option<f64>) {
        assert_eq!(
            grade(answer, label).value(),
            expect,
            "{answer:?} against {label:?}"
        );
    }

    fn class(label: &str) -> Answer {
        Answer::Class {
            label: label.into(),
            margin: None,
        }
    }

    #[test]
    fn spellings_are_graded_alike() {
        let relevant = Label::Relevant(vec!["x".into(), "y".into()]);
        let ranking = |items: &[&str]| Answer::Ranking(items.iter().map(|&i| i.into()).collect());
        let text = |text: &str| (Answer::Text(text.into()), Label::Text(text.into()));
        check(&class("a"), &Label::Class("a".into()), Some(1.0));
        check(&class("a"), &Label::Class("b".into()), Some(0.0));
        check(&Answer::Number(4.0), &Label::Number(3.0), Some(0.5));
        check(&Answer::Number(3.0), &Label::Number(3.0), Some(1.0));
        check(&ranking(&["a", "b", "y", "x"]), &relevant, Some(1.0 / 3.0));
        check(&ranking(&["a"]), &relevant, Some(0.0));
        check(&text(" The  Matrix. ").0, &text("the matrix").1, Some(1.0));
        check(&text("+").0, &text("-").1, Some(0.0));
        check(&class("The Matrix"), &text("the matrix").1, Some(1.0));
        let unparseable = Answer::Unparseable { text: "?".into() };
        check(&unparseable, &Label::Number(1.0), Some(0.0));
        // A misfit is no score at all.
        check(&class("a"), &Label::Number(1.0), None);
        check(&Answer::Number(1.0), &Label::Number(f64::NAN), None);
    }
}
