//! What is learnt from and asked about as numbers of items: for recommenders that are
//! trained elsewhere.

use std::collections::BTreeSet;

use shiftproof_tasks::{BaselinePredictions, Prediction};

use super::leave_one_out::only_shown;
use super::{Interactions, ItemCatalogue};

/// Titles predicted where the whole catalogue is ranked.
const LONGEST: usize = 100;

/// What a recommender of items in sequence is trained on, and what listwise examples ask it.
/// Items are positions in [`ItemCatalogue::items`].
#[derive(Debug, Clone, Default)]
pub struct SequencePart {
    /// The items that each user of the training part took, oldest first; what was only
    /// shown is left out, and so are users with none. Nothing of a target is in it, nor what
    /// follows one of its user's.
    pub training: Vec<Vec<u32>>,
    /// Items of a history at most: what a recommender has to read.
    pub window: usize,
    /// The data's seed.
    pub seed: u64,
    pub(super) queries: Vec<RankingQuery>,
}

/// One listwise example as a method without a language model sees it.
#[derive(Debug, Clone)]
pub(super) struct RankingQuery {
    pub id: String,
    /// The items shown of the history, oldest first.
    pub history: Vec<u32>,
    /// The items to be ranked; none for the whole catalogue.
    pub candidates: Vec<u32>,
    /// What is left out of the whole catalogue.
    pub met: Vec<u32>,
}

impl SequencePart {
    /// The training part of events that are sorted by user and time.
    pub(super) fn learn(data: &Interactions, training: &[bool]) -> Vec<Vec<u32>> {
        let mut start = 0;
        let mut sequences = Vec::new();
        for events in data.by_user() {
            let sequence: Vec<u32> = events
                .iter()
                .zip(&training[start..])
                .filter(|(event, training)| **training && !only_shown(event))
                .map(|(event, _)| event.item)
                .collect();
            start += events.len();
            if !sequence.is_empty() {
                sequences.push(sequence);
            }
        }
        sequences
    }

    /// Whether there are lists to be ranked.
    pub fn asks_lists(&self) -> bool {
        !self.queries.is_empty()
    }

    /// What a method predicts that gives every item of the catalogue a score after a
    /// history, higher being better; among equals the order shown.
    pub fn ranked_by(
        &self,
        name: &str,
        catalogue: &ItemCatalogue,
        scores: &dyn Fn(&[u32]) -> Vec<f32>,
    ) -> BaselinePredictions {
        let rank = |one: &RankingQuery| {
            let all = scores(&one.history);
            let of = |items: &[u32]| -> Vec<f64> {
                let score = |item: &u32| all.get(*item as usize).copied().unwrap_or(f32::MIN);
                items.iter().map(|item| f64::from(score(item))).collect()
            };
            (one.id.clone(), one.ranked(catalogue, &of))
        };
        BaselinePredictions {
            name: name.to_owned(),
            predictions: self.queries.iter().map(rank).collect(),
        }
    }
}

impl RankingQuery {
    /// The titles of the candidates, or of the best items of the catalogue that the user has
    /// not met; among equals the order shown.
    pub fn ranked(
        &self,
        catalogue: &ItemCatalogue,
        score: &dyn Fn(&[u32]) -> Vec<f64>,
    ) -> Prediction {
        let open = self.candidates.is_empty();
        let pool: Vec<u32> = if open {
            let met: BTreeSet<u32> = self.met.iter().copied().collect();
            (0..catalogue.len() as u32)
                .filter(|item| !met.contains(item))
                .collect()
        } else {
            self.candidates.clone()
        };
        let scores = score(&pool);
        let mut order: Vec<usize> = (0..pool.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        if open {
            order.truncate(LONGEST);
        }
        let title = |at: usize| catalogue.items()[pool[at] as usize].title.clone();
        Prediction::Ranking(order.into_iter().map(title).collect())
    }
}
