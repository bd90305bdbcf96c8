//! What baselines are worth, by the labels alone: no task is asked.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use shiftproof_tasks::metric::ranking;
use shiftproof_tasks::{
    AnswerForm, BaselinePredictions, Example, GradedOutcome, Label, Metric, Outcome, Prediction,
    grade, parse,
};

/// One baseline on one group; measures of other labels are absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BaselineMeasures {
    /// Examples with a prediction.
    pub n: usize,
    /// Mean normalised discounted cumulative gain of the first ten (Järvelin and
    /// Kekäläinen, 2002; binary gains), in `0..=1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ndcg_10: Option<f64>,
    /// Share of examples with a relevant item among the first ten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hit_10: Option<f64>,
    /// Mean reciprocal rank of the first relevant item, over the whole list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mrr: Option<f64>,
    /// Area under the ROC curve of yes against no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auc: Option<f64>,
    /// Share of right answers, likes from a chance of ½ on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Root mean squared error, in the ratings' own scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rmse: Option<f64>,
    /// Mean absolute error, in the ratings' own scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mae: Option<f64>,
}

impl BaselineMeasures {
    /// How good a baseline's predictions are over all these examples.
    pub fn of<'e>(
        baseline: &BaselinePredictions,
        examples: impl IntoIterator<Item = &'e Example>,
    ) -> Self {
        let mut ranks = Vec::new();
        let mut errors = Vec::new();
        let mut likes = Vec::new();
        for example in examples {
            match (baseline.predictions.get(&example.input.id), &example.label) {
                (Some(Prediction::Ranking(titles)), Label::Relevant(relevant)) => {
                    ranks.push(RelevantRanks::of(titles, relevant));
                }
                (Some(Prediction::Rating(said)), Label::Number(truth)) => {
                    errors.push(said - truth);
                }
                (Some(said @ Prediction::Likes(_)), label @ Label::Class(_)) => {
                    likes.push((graded(said, label), label));
                }
                _ => {}
            }
        }
        let mean = |values: &mut dyn Iterator<Item = f64>| {
            let values: Vec<f64> = values.collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let observations: Vec<GradedOutcome<'_>> = likes
            .iter()
            .map(|(outcome, label)| GradedOutcome::new(outcome, label))
            .collect();
        Self {
            n: ranks.len() + errors.len() + likes.len(),
            ndcg_10: mean(&mut ranks.iter().map(|rank| rank.ndcg_10)),
            hit_10: mean(
                &mut ranks
                    .iter()
                    .map(|rank| f64::from(u8::from(rank.first <= 10.0))),
            ),
            mrr: mean(&mut ranks.iter().map(|rank| 1.0 / rank.first)),
            auc: Metric::Auc.reduce(&observations).value,
            accuracy: Metric::Accuracy.reduce(&observations).value,
            rmse: mean(&mut errors.iter().map(|error| error * error)).map(f64::sqrt),
            mae: mean(&mut errors.iter().map(|error| error.abs())),
        }
    }

    /// [`BaselineMeasures::of`] each group.
    pub fn by_group(
        baseline: &BaselinePredictions,
        examples: &[Example],
    ) -> BTreeMap<String, Self> {
        let groups: BTreeSet<&str> = examples
            .iter()
            .map(|example| example.input.group.as_str())
            .collect();
        let of = |group: &str| {
            let own = examples
                .iter()
                .filter(|example| example.input.group == group);
            (group.to_owned(), Self::of(baseline, own))
        };
        groups.into_iter().map(of).collect()
    }

    /// The measure shown first, with its name: `N@10`, `AUC` or `RMSE`.
    pub fn first(&self) -> Option<(&'static str, f64)> {
        self.ndcg_10
            .map(|value| ("N@10", value))
            .or(self.auc.map(|value| ("AUC", value)))
            .or(self.rmse.map(|value| ("RMSE", value)))
    }
}

fn graded(said: &Prediction, label: &Label) -> Outcome {
    let form = AnswerForm::choice(["yes", "no"]);
    match said.reply(&form) {
        Some(reply) => grade::grade(&parse::parse(&form, &reply), label),
        None => Outcome::Failed {
            reason: "no prediction of this form".into(),
        },
    }
}

/// Where the relevant titles stand.
struct RelevantRanks {
    ndcg_10: f64,
    /// The first relevant one, from 1; infinite where there is none.
    first: f64,
}

impl RelevantRanks {
    fn of(titles: &[String], relevant: &[String]) -> Self {
        let first = titles.iter().position(|title| relevant.contains(title));
        Self {
            ndcg_10: ranking::ndcg(titles, relevant, 10),
            first: first.map_or(f64::INFINITY, |at| at as f64 + 1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shiftproof_tasks::Input;

    fn baseline(prediction: Prediction) -> BaselinePredictions {
        BaselinePredictions {
            name: "b".to_owned(),
            predictions: BTreeMap::from([("1".to_owned(), prediction)]),
        }
    }

    #[test]
    fn measures_equal_their_formulas() {
        let titles = ["a", "b", "c"].map(str::to_owned).to_vec();
        let ranked = baseline(Prediction::Ranking(titles));
        let of = |relevant: &[&str]| {
            let relevant = relevant.iter().map(|title| (*title).to_owned()).collect();
            BaselineMeasures::of(
                &ranked,
                &[Input::new("1", "g").with_label(Label::Relevant(relevant))],
            )
        };
        let third = of(&["c"]);
        assert_eq!(third.first(), Some(("N@10", 0.5)));
        assert_eq!((third.hit_10, third.mrr), (Some(1.0), Some(1.0 / 3.0)));
        // Two relevant: (1 + 1/log2(4)) / (1 + 1/log2(3)).
        let two = of(&["a", "c"]).ndcg_10.unwrap();
        assert!((two - 1.5 / (1.0 + 1.0 / 3.0_f64.log2())).abs() < 1e-12);
        assert_eq!(of(&["x"]).mrr, Some(0.0));
        let rated = baseline(Prediction::Rating(3.0));
        let rated = BaselineMeasures::of(
            &rated,
            &[Input::new("1", "g").with_label(Label::Number(5.0))],
        );
        assert_eq!((rated.rmse, rated.mae, rated.n), (Some(2.0), Some(2.0), 1));
    }
}
