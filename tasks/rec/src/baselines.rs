//! Methods without a language model, learnt from the training part alone. A
//! prompt that does not beat them is not worth its calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use shiftproof_tasks::{BaselinePredictions, Example, Input, Prediction, field};

use super::leave_one_out::{TargetEvent, history, only_shown};
use super::seeded::NumberStream;
use super::sequences::RankingQuery;
use super::{Interaction, Interactions, ItemCatalogue, PointwiseTarget, RecSpec};

/// Ratings of the global mean that a mean of few ratings is pulled by.
const PULL: f64 = 5.0;

/// What the training part tells.
pub(super) struct TrainingFacts {
    pub catalogue: Arc<ItemCatalogue>,
    /// Training events per user, impressions without a click left out.
    pub activity: Vec<u32>,
    /// Per item: what followed it, how often.
    followers: BTreeMap<u32, BTreeMap<u32, u32>>,
    /// Per item: sum and number of its ratings, and of its likes.
    ratings: Vec<(f64, f64)>,
    likes: Vec<(f64, f64)>,
}

/// One example as a baseline sees it.
pub(super) struct BaselineQuery {
    id: String,
    aim: TargetEvent,
    candidates: Vec<u32>,
}

impl BaselineQuery {
    pub fn new(id: String, aim: &TargetEvent, candidates: Vec<u32>) -> Self {
        Self {
            id,
            aim: aim.clone(),
            candidates,
        }
    }

    /// The same as a question about a list.
    pub fn ranking(self, spec: &RecSpec, data: &Interactions) -> RankingQuery {
        let met: Vec<u32> = history(spec, data, &self.aim)
            .iter()
            .map(|event| event.item)
            .collect();
        RankingQuery {
            id: self.id,
            history: met[met.len().saturating_sub(spec.history)..].to_vec(),
            // Only of the whole catalogue something has to be left out.
            met: if self.candidates.is_empty() {
                met
            } else {
                Vec::new()
            },
            candidates: self.candidates,
        }
    }
}

impl TrainingFacts {
    pub fn learn(spec: &RecSpec, data: &Interactions, training: &[bool]) -> Self {
        let kept = |(event, training): (&'_ Interaction, &bool)| training.then_some(*event);
        let all: Vec<Interaction> = data.events.iter().zip(training).filter_map(kept).collect();
        let used: Vec<&Interaction> = all.iter().filter(|event| !only_shown(event)).collect();
        let n = data.items.len();
        let mut known = Self {
            catalogue: Arc::new(
                ItemCatalogue::new(data.items.clone(), &used).called(spec.item_word()),
            ),
            activity: vec![0; data.users.len()],
            followers: BTreeMap::new(),
            ratings: vec![(0.0, 0.0); n],
            likes: vec![(0.0, 0.0); n],
        };
        let mut last: Vec<Option<u32>> = vec![None; data.users.len()];
        for event in &used {
            if let Some(last) = last[event.user as usize].replace(event.item) {
                let next = known.followers.entry(last).or_default();
                *next.entry(event.item).or_default() += 1;
            }
            known.activity[event.user as usize] += 1;
        }
        for event in &all {
            let likes = &mut known.likes[event.item as usize];
            likes.0 += f64::from(u8::from(spec.likes(event)));
            likes.1 += 1.0;
            if let Some(rating) = event.rating {
                let ratings = &mut known.ratings[event.item as usize];
                ratings.0 += f64::from(rating);
                ratings.1 += 1.0;
            }
        }
        known
    }

    /// Share of genres in common: |A ∩ B| / |A ∪ B|.
    fn genre_overlap(&self, a: u32, b: u32) -> f64 {
        let (a, b) = (self.catalogue.genres(a), self.catalogue.genres(b));
        let both = a.intersection(b).count() as f64;
        let any = a.len() as f64 + b.len() as f64 - both;
        if any > 0.0 { both / any } else { 0.0 }
    }
}

/// Every baseline of lists.
pub(super) fn lists(
    spec: &RecSpec,
    known: &TrainingFacts,
    asked: &[RankingQuery],
) -> Vec<BaselinePredictions> {
    let catalogue = &known.catalogue;
    let popularity = |item: u32| f64::from(catalogue.popularity(item));
    // Above any item's count, so that popularity only breaks ties of followers.
    let above = 1.0 + known.activity.iter().map(|n| f64::from(*n)).sum::<f64>();
    let rank =
        |name: &str, score: &dyn Fn(&RankingQuery, &[u32]) -> Vec<f64>| BaselinePredictions {
            name: name.to_owned(),
            predictions: asked
                .iter()
                .map(|one| {
                    (
                        one.id.clone(),
                        one.ranked(catalogue, &|items| score(one, items)),
                    )
                })
                .collect(),
        };
    vec![
        rank("random", &|one, items| {
            let mut stream = NumberStream::new(spec.seed, "random", &one.id);
            items.iter().map(|_| stream.next() as f64).collect()
        }),
        rank("most-pop", &|_, items| {
            items.iter().map(|item| popularity(*item)).collect()
        }),
        rank("item-knn", &|one, items| {
            catalogue.item_knn(&one.history, items)
        }),
        // Counts of what followed the last item; popularity orders the rest.
        rank("markov", &|one, items| {
            let last = one.history.last();
            let next = last.and_then(|last| known.followers.get(last));
            let follows = |item: &u32| next.and_then(|next| next.get(item)).copied().unwrap_or(0);
            let score = |item: &u32| f64::from(follows(item)) + popularity(*item) / above;
            items.iter().map(score).collect()
        }),
        rank("genre-overlap", &|one, items| {
            let score = |item: &u32| {
                (one.history.iter())
                    .map(|met| known.genre_overlap(*item, *met))
                    .sum()
            };
            items.iter().map(score).collect()
        }),
    ]
}

/// Every baseline of single items.
pub(super) fn points(
    spec: &RecSpec,
    data: &Interactions,
    known: &TrainingFacts,
    asked: &[BaselineQuery],
) -> Vec<BaselinePredictions> {
    let sum = |pairs: &[(f64, f64)]| {
        let (sum, n) = pairs.iter().fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
        if n > 0.0 { sum / n } else { 0.5 }
    };
    let (rating_mean, like_mean) = (sum(&known.ratings), sum(&known.likes));
    let pulled = |(sum, n): (f64, f64), mean: f64| (sum + PULL * mean) / (n + PULL);
    let of_user = |one: &BaselineQuery| {
        let before = history(spec, data, &one.aim);
        let ratings = before.iter().filter_map(|event| event.rating);
        ratings.fold((0.0, 0.0), |(sum, n), rating| {
            (sum + f64::from(rating), n + 1.0)
        })
    };
    let likes = |one: &BaselineQuery, last: usize| {
        let before = history(spec, data, &one.aim);
        let shown = &before[before.len().saturating_sub(last)..];
        let liked = shown.iter().filter(|event| spec.likes(event)).count();
        (liked as f64, shown.len() as f64)
    };
    let predict =
        |name: &str, predict: &dyn Fn(&BaselineQuery) -> Prediction| BaselinePredictions {
            name: name.to_owned(),
            predictions: asked
                .iter()
                .map(|one| (one.id.clone(), predict(one)))
                .collect(),
        };
    match spec.label {
        PointwiseTarget::Like => vec![
            predict("random", &|one| Prediction::Likes(chance(spec, &one.id))),
            predict("liked-fraction", &|one| {
                let (liked, shown) = likes(one, spec.history);
                Prediction::Likes(liked_fraction(liked, shown))
            }),
            predict("user-mean", &|one| {
                Prediction::Likes(pulled(likes(one, usize::MAX), like_mean))
            }),
            predict("item-mean", &|one| {
                Prediction::Likes(pulled(known.likes[one.aim.item as usize], like_mean))
            }),
        ],
        PointwiseTarget::Rating => vec![
            predict("global-mean", &|_| Prediction::Rating(rating_mean)),
            predict("user-mean", &|one| {
                Prediction::Rating(pulled(of_user(one), rating_mean))
            }),
            predict("item-mean", &|one| {
                Prediction::Rating(pulled(known.ratings[one.aim.item as usize], rating_mean))
            }),
        ],
    }
}

/// The baselines of ready rows.
pub(super) fn rows(spec: &RecSpec, examples: &[Example]) -> Vec<BaselinePredictions> {
    let predict = |name: &str, predict: &dyn Fn(&Input) -> f64| BaselinePredictions {
        name: name.to_owned(),
        predictions: examples
            .iter()
            .map(|example| {
                let prediction = Prediction::Likes(predict(&example.input));
                (example.input.id.clone(), prediction)
            })
            .collect(),
    };
    let count = |input: &Input, name| field::entries(input.field(name)).count() as f64;
    vec![
        predict("random", &|input| chance(spec, &input.id)),
        predict("liked-fraction", &|input| {
            let liked = count(input, field::LIKED);
            liked_fraction(liked, liked + count(input, field::DISLIKED))
        }),
    ]
}

/// (liked + ½) / (shown + 1): the user's taste with half a vote either way.
fn liked_fraction(liked: f64, shown: f64) -> f64 {
    (liked + 0.5) / (shown + 1.0)
}

/// A number in `0..1` that depends on the id alone.
fn chance(spec: &RecSpec, id: &str) -> f64 {
    (NumberStream::new(spec.seed, "random", id).next() >> 11) as f64 / (1_u64 << 53) as f64
}
