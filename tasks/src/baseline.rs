use std::collections::BTreeMap;

use crate::{AnswerForm, Reply};

/// What a method without a language model predicts, example by example. It
/// answers as a model would, so that the task parses and grades it like any
/// other reply.
#[derive(Debug, Clone, PartialEq)]
pub struct BaselinePredictions {
    /// As reports show it: `most-pop`, `item-knn`, …
    pub name: String,
    /// The predictions by example id.
    pub predictions: BTreeMap<String, Prediction>,
}

/// One prediction, before the task's answer form is known.
#[derive(Debug, Clone, PartialEq)]
pub enum Prediction {
    /// The chance, in `0..=1`, that the user likes the item.
    Likes(f64),
    /// The rating the user will give.
    Rating(f64),
    /// The candidates' titles, best first.
    Ranking(Vec<String>),
}

impl BaselinePredictions {
    /// The reply to the example of this id in this form; `None` where there is
    /// no prediction, or none of this form can be made of it.
    pub fn reply(&self, example: &str, form: &AnswerForm) -> Option<Reply> {
        self.predictions.get(example)?.reply(form)
    }
}

impl Prediction {
    /// The prediction as a reply in this form. Of a choice between two, `yes`
    /// or else the first label means that the user likes the item; a ranking
    /// orders a choice among titles, or is written one title per line.
    pub fn reply(&self, form: &AnswerForm) -> Option<Reply> {
        match (self, form) {
            (Self::Likes(chance), AnswerForm::Choice { labels }) if labels.len() == 2 => {
                let yes = labels
                    .iter()
                    .position(|label| label.eq_ignore_ascii_case("yes"))
                    .unwrap_or(0);
                // Finite at the ends, as a model's would be.
                let chance = chance.clamp(1e-9, 1.0 - 1e-9);
                let mut scores = vec![(1.0 - chance).ln(); 2];
                scores[yes] = chance.ln();
                Some(scored(labels, scores))
            }
            (Self::Rating(rating), AnswerForm::Number { min, max }) => {
                Some(Reply::text(rating.clamp(*min, *max).to_string()))
            }
            (Self::Ranking(titles), AnswerForm::Choice { labels }) => {
                let last = titles.len();
                let place = |label: &String| titles.iter().position(|title| title == label);
                let scores = labels
                    .iter()
                    .map(|label| -(place(label).unwrap_or(last) as f64))
                    .collect();
                Some(scored(labels, scores))
            }
            (
                Self::Ranking(titles),
                AnswerForm::Ranking { .. }
                | AnswerForm::Likelihood { .. }
                | AnswerForm::Nearest { .. }
                | AnswerForm::Text { .. },
            ) => Some(Reply::text(titles.join("\n"))),
            _ => None,
        }
    }
}

/// A reply that scored the labels; its text is the likeliest, the first of
/// equals.
fn scored(labels: &[String], scores: Vec<f64>) -> Reply {
    let mut best = 0;
    for (index, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = index;
        }
    }
    Reply {
        label_logprobs: Some(scores),
        ..Reply::text(labels.get(best).cloned().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, parse};

    #[test]
    fn prediction_answers_in_form() {
        let answer = |prediction: &Prediction, form: &AnswerForm| {
            parse::parse(form, &prediction.reply(form).unwrap())
        };
        for labels in [["yes", "no"], ["no", "yes"]] {
            let said = answer(&Prediction::Likes(0.75), &AnswerForm::choice(labels));
            assert_eq!(said.vote().as_deref(), Some("yes"));
        }
        assert_eq!(
            answer(
                &Prediction::Rating(7.5),
                &AnswerForm::Number { min: 1.0, max: 5.0 }
            ),
            Answer::Number(5.0)
        );
        let titles = ["Dune", "Alien"].map(str::to_owned).to_vec();
        let candidates = ["Alien", "Dune"].map(str::to_owned).to_vec();
        let ranking = Prediction::Ranking(titles.clone());
        assert_eq!(
            answer(&ranking, &AnswerForm::Ranking { candidates }),
            Answer::Ranking(titles)
        );
        let said = answer(&ranking, &AnswerForm::choice(["Alien", "Dune"]));
        assert_eq!(said.vote().as_deref(), Some("Dune"));
        let form = AnswerForm::choice(["yes", "no"]);
        assert!(Prediction::Rating(3.0).reply(&form).is_none());
    }
}
