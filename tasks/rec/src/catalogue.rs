use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use shiftproof_tasks::parse::title_matcher::TitleMatcher;

use super::neighbours::ItemNeighbours;
use super::{Interaction, Item, RecommenderKind, SequenceRecommender};

/// The items there are, and how often each occurs in the training part. Tasks
/// share it behind an [`Arc`](std::sync::Arc).
#[derive(Debug, Clone, Default)]
pub struct ItemCatalogue {
    items: Vec<Item>,
    popularity: Vec<u32>,
    /// Share of items that are strictly less popular, per item.
    percentile: Vec<f64>,
    by_title: BTreeMap<String, u32>,
    /// Titles of more than one item.
    shared: BTreeSet<String>,
    genres: Vec<BTreeSet<String>>,
    neighbours: Arc<ItemNeighbours>,
    trained: BTreeMap<RecommenderKind, Arc<dyn SequenceRecommender>>,
    word: Option<String>,
    /// Built when a text is first looked up.
    matcher: OnceLock<TitleMatcher>,
}

impl ItemCatalogue {
    /// A catalogue whose popularity is counted over these events, the training
    /// part only.
    pub fn new(items: Vec<Item>, training: &[&Interaction]) -> Self {
        let mut popularity = vec![0_u32; items.len()];
        for event in training {
            popularity[event.item as usize] += 1;
        }
        let mut sorted = popularity.clone();
        sorted.sort_unstable();
        let percentile = popularity
            .iter()
            .map(|count| sorted.partition_point(|other| other < count) as f64 / sorted.len() as f64)
            .collect();
        let mut shared = BTreeSet::new();
        let mut by_title: BTreeMap<String, u32> = BTreeMap::new();
        for (index, item) in items.iter().enumerate() {
            by_title
                .entry(item.title.clone())
                .and_modify(|known| {
                    shared.insert(item.title.clone());
                    if popularity[index] > popularity[*known as usize] {
                        *known = index as u32;
                    }
                })
                .or_insert(index as u32);
        }
        let genres = items.iter().map(genres).collect();
        Self {
            neighbours: Arc::new(ItemNeighbours::learn(items.len(), training.iter().copied())),
            items,
            popularity,
            percentile,
            by_title,
            shared,
            genres,
            trained: BTreeMap::new(),
            word: None,
            matcher: OnceLock::new(),
        }
    }

    /// The same catalogue of what is called so: movie, book, …
    #[must_use]
    pub fn called(mut self, word: Option<&str>) -> Self {
        self.word = word.map(str::to_owned);
        self
    }

    /// The same catalogue with a recommender that was trained on the training part.
    #[must_use]
    pub fn with_recommender(
        mut self,
        kind: RecommenderKind,
        trained: Arc<dyn SequenceRecommender>,
    ) -> Self {
        self.trained.insert(kind, trained);
        self
    }

    /// The same catalogue with items behind its own that the training part knows nothing of.
    #[must_use]
    pub(super) fn extended(mut self, items: Vec<Item>) -> Self {
        for item in items {
            let index = self.items.len() as u32;
            if self.by_title.contains_key(&item.title) {
                self.shared.insert(item.title.clone());
            } else {
                self.by_title.insert(item.title.clone(), index);
            }
            self.genres.push(genres(&item));
            self.popularity.push(0);
            self.percentile.push(0.0);
            self.items.push(item);
        }
        self.matcher = OnceLock::new();
        self
    }

    /// Whether this recommender can be asked: it needs no training, or was trained.
    pub fn offers(&self, kind: RecommenderKind) -> bool {
        !kind.is_trained() || self.trained.contains_key(&kind)
    }

    /// What an item is called, where the data tell.
    pub fn word(&self) -> Option<&str> {
        self.word.as_deref()
    }

    /// All items; positions are those of [`Interaction::item`].
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Training events with this item.
    pub fn popularity(&self, item: u32) -> u32 {
        self.popularity[item as usize]
    }

    /// The share of items that are less popular, in `0..1`.
    pub fn percentile(&self, item: u32) -> f64 {
        self.percentile[item as usize]
    }

    /// Whether the item is of the less popular half: fewer than half of the items are less
    /// popular.
    pub fn is_tail(&self, item: u32) -> bool {
        self.percentile(item) < 0.5
    }

    /// The item with exactly this title; of several the most popular one, and
    /// among those the first.
    pub fn find(&self, title: &str) -> Option<u32> {
        self.by_title.get(title).copied()
    }

    /// Whether a text means one of the titles, as written lists are read.
    pub fn knows(&self, text: &str) -> bool {
        let matcher = self
            .matcher
            .get_or_init(|| TitleMatcher::new(self.titles()));
        matcher.find(text).is_some()
    }

    /// Whether a text is one of the titles, in whatever case and punctuation, with its year
    /// or without.
    pub fn knows_exactly(&self, text: &str) -> bool {
        let matcher = self
            .matcher
            .get_or_init(|| TitleMatcher::new(self.titles()));
        matcher.is_title(text)
    }

    /// The item's genres, or else its category.
    pub fn genres(&self, item: u32) -> &BTreeSet<String> {
        &self.genres[item as usize]
    }

    /// Item-kNN: per item of `items` the sum of its cosines, over the users of the
    /// training part, with the items of `history`.
    pub fn item_knn(&self, history: &[u32], items: &[u32]) -> Vec<f64> {
        self.neighbours.score(history, items)
    }

    /// What a recommender says of each of `items` after a history of titles, higher being
    /// better; all alike where the catalogue does not [offer](Self::offers) it.
    pub fn scores(&self, kind: RecommenderKind, history: &[&str], items: &[u32]) -> Vec<f64> {
        let history: Vec<u32> = history
            .iter()
            .filter_map(|title| self.find(title))
            .collect();
        let popularity = |item: &u32| f64::from(self.popularity(*item));
        match kind {
            RecommenderKind::Popularity => items.iter().map(popularity).collect(),
            RecommenderKind::ItemKnn => self.item_knn(&history, items),
            RecommenderKind::Gru4rec
            | RecommenderKind::Caser
            | RecommenderKind::Sasrec
            | RecommenderKind::Dros => {
                let all = self.trained.get(&kind).map(|one| one.scores(&history));
                let all = all.unwrap_or_default();
                let of = |item: &u32| all.get(*item as usize).copied().unwrap_or(0.0);
                items.iter().map(|item| f64::from(of(item))).collect()
            }
        }
    }

    /// The `n` titles of `pool` that a recommender finds best after a history of titles; the
    /// more popular of equals first, and titles of no item last.
    pub fn recommend(
        &self,
        kind: RecommenderKind,
        history: &[&str],
        pool: &[String],
        n: usize,
    ) -> Vec<String> {
        let items: Vec<Option<u32>> = pool.iter().map(|title| self.find(title)).collect();
        let known: Vec<u32> = items.iter().flatten().copied().collect();
        let mut scores = self.scores(kind, history, &known).into_iter();
        let mut scored: Vec<(Option<f64>, u32, &String)> = items
            .iter()
            .zip(pool)
            .map(|(item, title)| match item {
                Some(item) => (scores.next(), self.popularity(*item), title),
                None => (None, 0, title),
            })
            .collect();
        let score = |of: Option<f64>| of.unwrap_or(f64::NEG_INFINITY);
        scored.sort_by(|a, b| score(b.0).total_cmp(&score(a.0)).then(b.1.cmp(&a.1)));
        scored.truncate(n);
        scored
            .into_iter()
            .map(|(.., title)| title.clone())
            .collect()
    }

    /// The titles that a user with this history of titles has not had, sorted. A
    /// title that several items share may be another one, and stays.
    pub fn new_to(&self, history: &[&str]) -> impl Iterator<Item = &str> {
        self.titles().filter(|title| self.is_new(title, history))
    }

    /// Whether a user with this history of titles may not have had this one.
    pub fn is_new(&self, title: &str, history: &[&str]) -> bool {
        self.shared.contains(title) || !history.contains(&title)
    }

    /// The different titles, sorted.
    pub fn titles(&self) -> impl Iterator<Item = &str> {
        self.by_title.keys().map(String::as_str)
    }
}

/// An item's genres, or else its category.
fn genres(item: &Item) -> BTreeSet<String> {
    let kinds = item.attributes.get("genres");
    let kinds = kinds.or(item.attributes.get("category"));
    let kinds = kinds.into_iter().flat_map(|kinds| kinds.split(", "));
    kinds.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_part_finds_titles() {
        let item = |title: &str| Item {
            id: title.to_owned(),
            title: title.to_owned(),
            ..Item::default()
        };
        let event = |item| Interaction {
            user: 0,
            item,
            rating: None,
            time: None,
        };
        let items = vec![item("Alien"), item("Dune"), item("Dune")];
        let events = [2, 2, 1].map(event);
        let catalogue = ItemCatalogue::new(items, &events.iter().collect::<Vec<_>>());
        assert_eq!([0, 1, 2].map(|item| catalogue.popularity(item)), [0, 1, 2]);
        assert_eq!(catalogue.percentile(0), 0.0);
        assert!((catalogue.percentile(2) - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(catalogue.find("Dune"), Some(2));
        assert_eq!(catalogue.find("dune"), None);
        assert_eq!(catalogue.titles().collect::<Vec<_>>(), ["Alien", "Dune"]);
        let new = |history: &[&str]| catalogue.new_to(history).count();
        assert_eq!((new(&["Alien"]), new(&["Dune"]), new(&[])), (1, 2, 2));
        // All share the one user, so popularity decides.
        let pool = ["Alien", "Dune", "Heat"].map(str::to_owned);
        let knn = RecommenderKind::ItemKnn;
        assert_eq!(
            catalogue.recommend(knn, &["Dune"], &pool, 2),
            ["Dune", "Alien"]
        );
        let most = RecommenderKind::Popularity;
        assert_eq!(catalogue.recommend(most, &[], &pool, 1), ["Dune"]);
    }

    /// Scores each item by its number, whatever the history.
    #[derive(Debug)]
    struct ByNumber;

    impl SequenceRecommender for ByNumber {
        fn scores(&self, history: &[u32]) -> Vec<f32> {
            (0..3)
                .map(|item| item as f32 - history.len() as f32)
                .collect()
        }
    }

    #[test]
    fn trained_recommenders_are_asked_by_name() {
        let item = |title: &str| Item {
            id: title.to_owned(),
            title: title.to_owned(),
            ..Item::default()
        };
        let items = ["Alien", "Dune", "Heat"].map(item).to_vec();
        let plain = ItemCatalogue::new(items, &[]);
        assert!(!plain.offers(RecommenderKind::Sasrec) && plain.offers(RecommenderKind::ItemKnn));
        let trained = plain.with_recommender(RecommenderKind::Sasrec, Arc::new(ByNumber));
        assert!(trained.offers(RecommenderKind::Sasrec));
        assert!(!trained.offers(RecommenderKind::Dros));
        let scores = trained.scores(RecommenderKind::Sasrec, &["Heat"], &[2, 0]);
        assert_eq!(scores, [1.0, -1.0]);
        // A score below zero is better than no item.
        let pool = ["Nothing", "Alien", "Dune", "Heat"].map(str::to_owned);
        let best = trained.recommend(RecommenderKind::Sasrec, &["Heat", "Alien"], &pool, 4);
        assert_eq!(best, ["Heat", "Dune", "Alien", "Nothing"]);
    }
}
