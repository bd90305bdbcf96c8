use std::collections::BTreeMap;

use super::{Interaction, Item};

/// The items there are, and how often each occurs in the training part. Tasks
/// share it behind an [`Arc`](std::sync::Arc).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalogue {
    items: Vec<Item>,
    popularity: Vec<u32>,
    /// Share of items that are strictly less popular, per item.
    percentile: Vec<f64>,
    by_title: BTreeMap<String, u32>,
}

impl Catalogue {
    /// A catalogue whose popularity is counted over these events, the training
    /// part only.
    pub fn new<'a>(items: Vec<Item>, training: impl IntoIterator<Item = &'a Interaction>) -> Self {
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
        let mut by_title: BTreeMap<String, u32> = BTreeMap::new();
        for (index, item) in items.iter().enumerate() {
            by_title
                .entry(item.title.clone())
                .and_modify(|known| {
                    if popularity[index] > popularity[*known as usize] {
                        *known = index as u32;
                    }
                })
                .or_insert(index as u32);
        }
        Self {
            items,
            popularity,
            percentile,
            by_title,
        }
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

    /// The item with exactly this title; of several the most popular one, and
    /// among those the first.
    pub fn find(&self, title: &str) -> Option<u32> {
        self.by_title.get(title).copied()
    }

    /// The different titles, sorted.
    pub fn titles(&self) -> impl Iterator<Item = &str> {
        self.by_title.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_training_part_and_finds_titles() {
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
        let catalogue = Catalogue::new(items, &[event(2), event(2), event(1)]);
        assert_eq!([0, 1, 2].map(|item| catalogue.popularity(item)), [0, 1, 2]);
        assert_eq!(catalogue.percentile(0), 0.0);
        assert!((catalogue.percentile(2) - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(catalogue.find("Dune"), Some(2));
        assert_eq!(catalogue.find("dune"), None);
        assert_eq!(catalogue.titles().collect::<Vec<_>>(), ["Alien", "Dune"]);
    }
}
