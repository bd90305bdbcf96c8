//! What baselines are worth, by the labels alone: no task is asked.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use shiftproof_tasks::metric::{list_similarity, ranking};
use shiftproof_tasks::{
    Answer, AnswerForm, BaselinePredictions, Example, GradedAnswer, GradedOutcome, Label, Metric,
    Outcome, Prediction, grade, parse,
};

use super::ItemCatalogue;

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
    /// Mean share of the first ten places that hold a relevant item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision_10: Option<f64>,
    /// Mean average precision of the first ten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub map_10: Option<f64>,
    /// Share of the catalogue that the first ten of all lists show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage_10: Option<f64>,
    /// How unevenly they show it, the Gini index: 0 all items alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gini_10: Option<f64>,
    /// Mean dissimilarity of the genres of every two of a list's first ten; none where no
    /// item has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diversity_10: Option<f64>,
    /// Mean share of the catalogue that is less popular than an item of the first ten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub popularity_10: Option<f64>,
    /// Mean share of the first ten that are of the less popular half.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tail_10: Option<f64>,
    /// Mean share of the titles of a list that are in the catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_catalogue: Option<f64>,
    /// Area under the ROC curve of yes against no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auc: Option<f64>,
    /// Mean of the users' own AUC, each weighing as many as there are examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gauc: Option<f64>,
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
    /// How good a baseline's predictions are over all these examples. What describes lists by
    /// their items is told where there is a catalogue.
    pub fn of<'e>(
        baseline: &BaselinePredictions,
        examples: impl IntoIterator<Item = &'e Example>,
        catalogue: Option<&ItemCatalogue>,
    ) -> Self {
        let mut ranks = Vec::new();
        let mut lists: Vec<&[String]> = Vec::new();
        let mut errors = Vec::new();
        let mut likes = Vec::new();
        for example in examples {
            match (baseline.predictions.get(&example.input.id), &example.label) {
                (Some(Prediction::Ranking(titles)), Label::Relevant(relevant)) => {
                    ranks.push(RelevantRanks::of(titles, relevant));
                    lists.push(titles);
                }
                (Some(Prediction::Rating(said)), Label::Number(truth)) => {
                    errors.push(said - truth);
                }
                (Some(said @ Prediction::Likes(_)), label @ Label::Class(_)) => {
                    let user = example.input.cluster.as_deref();
                    likes.push((graded(said, label), label, user));
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
            .map(|(outcome, label, user)| GradedOutcome {
                cluster: *user,
                ..GradedOutcome::new(outcome, label)
            })
            .collect();
        let shown = ListDescription::of(&lists, catalogue);
        Self {
            n: ranks.len() + errors.len() + likes.len(),
            ndcg_10: mean(&mut ranks.iter().map(|rank| rank.ndcg_10)),
            hit_10: mean(
                &mut ranks
                    .iter()
                    .map(|rank| f64::from(u8::from(rank.first <= 10.0))),
            ),
            mrr: mean(&mut ranks.iter().map(|rank| 1.0 / rank.first)),
            precision_10: mean(&mut ranks.iter().map(|rank| rank.precision_10)),
            map_10: mean(&mut ranks.iter().map(|rank| rank.map_10)),
            coverage_10: shown.coverage,
            gini_10: shown.gini,
            diversity_10: shown.diversity,
            popularity_10: shown.popularity,
            tail_10: shown.tail,
            in_catalogue: shown.in_catalogue,
            auc: Metric::Auc.reduce(&observations).value,
            gauc: Metric::Gauc.reduce(&observations).value,
            accuracy: Metric::Accuracy.reduce(&observations).value,
            rmse: mean(&mut errors.iter().map(|error| error * error)).map(f64::sqrt),
            mae: mean(&mut errors.iter().map(|error| error.abs())),
        }
    }

    /// [`BaselineMeasures::of`] each group.
    pub fn by_group(
        baseline: &BaselinePredictions,
        examples: &[Example],
        catalogue: Option<&ItemCatalogue>,
    ) -> BTreeMap<String, Self> {
        let groups: BTreeSet<&str> = examples
            .iter()
            .map(|example| example.input.group.as_str())
            .collect();
        let of = |group: &str| {
            let own = examples
                .iter()
                .filter(|example| example.input.group == group);
            (group.to_owned(), Self::of(baseline, own, catalogue))
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
    precision_10: f64,
    map_10: f64,
    /// The first relevant one, from 1; infinite where there is none.
    first: f64,
}

impl RelevantRanks {
    fn of(titles: &[String], relevant: &[String]) -> Self {
        let first = titles.iter().position(|title| relevant.contains(title));
        Self {
            ndcg_10: ranking::ndcg(titles, relevant, 10),
            precision_10: ranking::precision(titles, relevant, 10),
            map_10: ranking::average_precision(titles, relevant, 10),
            first: first.map_or(f64::INFINITY, |at| at as f64 + 1.0),
        }
    }
}

/// What lists show, right or wrong: of their first ten places.
#[derive(Default)]
struct ListDescription {
    coverage: Option<f64>,
    gini: Option<f64>,
    diversity: Option<f64>,
    popularity: Option<f64>,
    tail: Option<f64>,
    in_catalogue: Option<f64>,
}

impl ListDescription {
    fn of(lists: &[&[String]], catalogue: Option<&ItemCatalogue>) -> Self {
        let (Some(catalogue), false) = (catalogue, lists.is_empty()) else {
            return Self::default();
        };
        let nobody = Label::Relevant(Vec::new());
        let outcomes: Vec<Outcome> = lists
            .iter()
            .map(|titles| {
                Outcome::Scored(GradedAnswer {
                    value: 0.0,
                    answer: Answer::Ranking(titles.to_vec()),
                })
            })
            .collect();
        let shown: Vec<GradedOutcome<'_>> = outcomes
            .iter()
            .map(|outcome| GradedOutcome::new(outcome, &nobody))
            .collect();
        let of = catalogue.titles().count() as u32;
        let genres = |title: &str| {
            let item = catalogue.find(title);
            item.map(|item| catalogue.genres(item).clone())
                .unwrap_or_default()
        };
        let mean = |of: &dyn Fn(&[String]) -> f64| {
            Some(lists.iter().map(|titles| of(titles)).sum::<f64>() / lists.len() as f64)
        };
        let share = |titles: &[String], of: &dyn Fn(&str) -> f64| {
            titles.iter().map(|title| of(title)).sum::<f64>() / titles.len().max(1) as f64
        };
        let first = |titles: &[String], of: &dyn Fn(u32) -> f64, otherwise: f64| {
            let shown = &titles[..titles.len().min(10)];
            share(shown, &|title| catalogue.find(title).map_or(otherwise, of))
        };
        let no_genres = (0..catalogue.len() as u32).all(|item| catalogue.genres(item).is_empty());
        Self {
            coverage: Metric::Coverage { places: 10, of }.reduce(&shown).value,
            gini: Metric::Gini { places: 10, of }.reduce(&shown).value,
            diversity: mean(&|titles| {
                list_similarity::diversity(titles, 10, genres).unwrap_or(0.0)
            })
            .filter(|_| !no_genres),
            popularity: mean(&|titles| first(titles, &|item| catalogue.percentile(item), 0.0)),
            tail: mean(&|titles| first(titles, &|item| f64::from(catalogue.is_tail(item)), 1.0)),
            in_catalogue: mean(&|titles| {
                share(titles, &|title| f64::from(catalogue.find(title).is_some()))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shiftproof_tasks::Input;

    use crate::{Interaction, Item};

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
                None,
            )
        };
        let third = of(&["c"]);
        assert_eq!(third.first(), Some(("N@10", 0.5)));
        assert_eq!(
            (third.precision_10, third.map_10),
            (Some(0.1), Some(1.0 / 3.0))
        );
        assert_eq!(third.gini_10, None);
        assert_eq!((third.hit_10, third.mrr), (Some(1.0), Some(1.0 / 3.0)));
        // Two relevant: (1 + 1/log2(4)) / (1 + 1/log2(3)).
        let two = of(&["a", "c"]).ndcg_10.unwrap();
        assert!((two - 1.5 / (1.0 + 1.0 / 3.0_f64.log2())).abs() < 1e-12);
        assert_eq!(of(&["x"]).mrr, Some(0.0));
        let rated = baseline(Prediction::Rating(3.0));
        let rated = BaselineMeasures::of(
            &rated,
            &[Input::new("1", "g").with_label(Label::Number(5.0))],
            None,
        );
        assert_eq!((rated.rmse, rated.mae, rated.n), (Some(2.0), Some(2.0), 1));
    }

    #[test]
    fn lists_are_described_by_their_items() {
        let item = |title: &str, genres: &str| Item {
            id: title.to_owned(),
            title: title.to_owned(),
            attributes: [("genres".to_owned(), genres.to_owned())].into(),
        };
        let items = vec![
            item("a", "crime"),
            item("b", "crime"),
            item("c", "war"),
            item("d", "war"),
        ];
        let event = |item| Interaction {
            user: 0,
            item,
            rating: None,
            time: None,
        };
        // Popularity 3, 2, 1, 0.
        let events = [0, 0, 0, 1, 1, 2].map(event);
        let catalogue = ItemCatalogue::new(items, &events.iter().collect::<Vec<_>>());
        let titles = |titles: &[&str]| {
            Prediction::Ranking(titles.iter().map(|title| (*title).to_owned()).collect())
        };
        let shown = BaselinePredictions {
            name: "b".to_owned(),
            predictions: BTreeMap::from([
                ("1".to_owned(), titles(&["a", "c"])),
                ("2".to_owned(), titles(&["a", "x"])),
            ]),
        };
        let example = |id| Input::new(id, "g").with_label(Label::Relevant(vec!["a".into()]));
        let examples = [example("1"), example("2")];
        let told = BaselineMeasures::of(&shown, &examples, Some(&catalogue));
        // Shown are a, c and x, of four titles.
        assert_eq!(told.coverage_10, Some(0.75));
        assert_eq!(told.popularity_10, Some(f64::midpoint(0.5, 0.375)));
        assert_eq!(told.tail_10, Some(0.5));
        assert_eq!(told.in_catalogue, Some(0.75));
        assert_eq!(told.diversity_10, Some(1.0));
        assert!(told.gini_10.is_some_and(|gini| gini > 0.0 && gini < 1.0));
        assert_eq!((told.auc, told.gauc), (None, None));
    }

    #[test]
    fn likes_are_told_by_user() {
        let said = |chance| Prediction::Likes(chance);
        let liked = BaselinePredictions {
            name: "b".to_owned(),
            predictions: [("1", 0.9), ("2", 0.8), ("3", 0.3), ("4", 0.2)]
                .map(|(id, chance)| (id.to_owned(), said(chance)))
                .into(),
        };
        // Within each user the liked one is ahead; over all, the second user's is behind.
        let example = |(id, user, label): (&str, &str, &str)| {
            let input = Input {
                cluster: Some(user.to_owned()),
                ..Input::new(id, "g")
            };
            input.with_label(Label::Class(label.into()))
        };
        let examples = [
            ("1", "u", "yes"),
            ("2", "u", "no"),
            ("3", "v", "yes"),
            ("4", "v", "no"),
        ]
        .map(example);
        let told = BaselineMeasures::of(&liked, &examples, None);
        assert_eq!((told.auc, told.gauc), (Some(0.75), Some(1.0)));
    }
}
