//! Answers compared with the truth, field by field.

use serde_json::Value;

use super::read::FieldValues;
use super::schema::{AnswerField, AnswerSchema, FieldType, TextComparison};
use crate::grade::normalise;

impl AnswerSchema {
    /// What each field of an answer is worth, in `0..=1` and in the fields' order: 1
    /// where it is right, else 0; a list the F1 of its items.
    pub fn grades(&self, said: &FieldValues, truth: &FieldValues) -> Vec<(String, f64)> {
        let value =
            |values: &FieldValues, name: &str| values.get(name).cloned().unwrap_or_default();
        let grade = |(name, field): (&String, &AnswerField)| {
            let grade = field.grade(&value(said, name), &value(truth, name));
            (name.clone(), grade)
        };
        self.fields.iter().map(grade).collect()
    }

    /// The share of the fields that is right, in `0..=1`.
    pub fn share(&self, said: &FieldValues, truth: &FieldValues) -> f64 {
        let grades = self.grades(said, truth);
        grades.iter().map(|(_, grade)| grade).sum::<f64>() / grades.len().max(1) as f64
    }
}

impl AnswerField {
    fn grade(&self, said: &Value, truth: &Value) -> f64 {
        match (&self.kind, said, truth) {
            (FieldType::List(_), Value::Array(said), Value::Array(truth)) => self.f1(said, truth),
            _ => f64::from(self.is_same(said, truth)),
        }
    }

    /// F1 = 2TP / (2TP + FP + FN) of two lists as multisets, each item of the truth met
    /// by one item said (van Rijsbergen, 1979); two empty lists agree.
    fn f1(&self, said: &[Value], truth: &[Value]) -> f64 {
        if said.is_empty() && truth.is_empty() {
            return 1.0;
        }
        let mut open: Vec<&Value> = truth.iter().collect();
        let mut hits = 0_usize;
        for item in said {
            if let Some(at) = open.iter().position(|truth| self.is_same(item, truth)) {
                open.swap_remove(at);
                hits += 1;
            }
        }
        (2 * hits) as f64 / (said.len() + truth.len()) as f64
    }

    fn is_same(&self, said: &Value, truth: &Value) -> bool {
        match (said, truth) {
            (Value::String(said), Value::String(truth)) => match self.compare {
                TextComparison::Exact => blanks(said) == blanks(truth),
                TextComparison::Words => normalise(said) == normalise(truth),
            },
            (Value::Number(said), Value::Number(truth)) => {
                let (Some(said), Some(truth)) = (said.as_f64(), truth.as_f64()) else {
                    return false;
                };
                // 0.1 + 0.2 is 0.3 to whoever wrote a tolerance of 0.
                let rounding = 1e-9 * truth.abs().max(said.abs());
                (said - truth).abs() <= self.tolerance + rounding
            }
            (said, truth) => said == truth,
        }
    }
}

fn blanks(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
