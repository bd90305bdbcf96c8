use serde::{Deserialize, Serialize};

use crate::FieldValues;

/// What a reply said, before any label is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// One of the closed set.
    Class {
        /// The label chosen.
        label: String,
        /// With two labels: log-odds of the *first* label against the second,
        /// where the model reported log-probabilities. Feeds AUC.
        margin: Option<f64>,
    },
    /// A number within the form's range.
    Number(f64),
    /// Candidates, best first; only real candidates, none twice.
    Ranking(Vec<String>),
    /// Values by field, `null` where an optional one has none.
    Fields(FieldValues),
    /// Free text.
    Text(String),
    /// Nothing of the form asked for.
    Unparseable {
        /// What was said instead, cut to a readable length.
        text: String,
    },
}

impl Answer {
    /// The answer as text, for people and proposers: items of a ranking between `>`,
    /// values as JSON.
    pub fn to_text(&self) -> String {
        match self {
            Self::Class { label, .. } => label.clone(),
            Self::Number(number) => number.to_string(),
            Self::Ranking(items) => items.join(" > "),
            Self::Fields(values) => json(values),
            Self::Text(text) | Self::Unparseable { text } => text.clone(),
        }
    }

    /// A normalised key under which equal answers are equal: what votes count.
    /// A ranking votes for its first item: whole orders hardly ever agree, and
    /// the first place is what a user sees. `None` for an unparseable answer,
    /// which has no vote.
    ///
    /// Values vote as a whole.
    pub fn vote(&self) -> Option<String> {
        match self {
            Self::Class { label, .. } => Some(label.clone()),
            Self::Number(number) => Some(number.to_string()),
            Self::Ranking(items) => items.first().cloned(),
            Self::Fields(values) => Some(json(values)),
            Self::Text(text) => Some(text.trim().to_lowercase()),
            Self::Unparseable { .. } => None,
        }
    }
}

/// Values as compact JSON: equal ones are equal texts.
pub(crate) fn json(values: &FieldValues) -> String {
    serde_json::to_string(values).expect("texts and finite numbers serialise")
}

/// The result of one evaluation. A failed call and a reply that was cut off have
/// none of these scores: they are states of their own, so that neither an outage
/// nor a token limit can ever pick a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The model answered in the form asked for.
    Scored(GradedAnswer),
    /// The model answered, but not in the form asked for. It counts as wrong
    /// and is also counted apart.
    Unparseable {
        /// What was said instead.
        text: String,
    },
    /// The token limit cut the reply off before it could be read for certain: what
    /// the model would have answered is not known. It counts in no score, as a
    /// failed call does.
    Truncated {
        /// What was said up to there; often nothing, where a model thinks first.
        text: String,
    },
    /// No answer can be had for this request (refused, filtered, too long). It
    /// counts in no score.
    Failed {
        /// Why, as shown to the user.
        reason: String,
    },
}

/// A graded answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GradedAnswer {
    /// How good the answer is, in `0..=1`, higher is better; 0/1 for accuracy.
    pub value: f64,
    /// The answer.
    pub answer: Answer,
}

impl Outcome {
    /// The score in `0..=1`; an unparseable answer is 0, a truncated one and a failed
    /// call have none.
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Scored(scored) => Some(scored.value),
            Self::Unparseable { .. } => Some(0.0),
            Self::Truncated { .. } | Self::Failed { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_read_as_text() {
        let check = |answer: Answer, expected: &str| assert_eq!(answer.to_text(), expected);
        check(
            Answer::Class {
                label: "glad".into(),
                margin: None,
            },
            "glad",
        );
        check(Answer::Number(3.5), "3.5");
        check(
            Answer::Ranking(vec!["Heat".into(), "Alien".into()]),
            "Heat > Alien",
        );
        let values = [("b", 1.into()), ("a", serde_json::Value::Null)];
        let values = values.map(|(name, value)| (name.to_owned(), value));
        check(
            Answer::Fields(values.into_iter().collect()),
            r#"{"a":null,"b":1}"#,
        );
        check(Answer::Text("a".into()), "a");
        check(Answer::Unparseable { text: "b".into() }, "b");
    }
}
