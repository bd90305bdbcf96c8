use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Interaction;

/// Items by the users they share in the training part (Sarwar et al., "Item-based
/// collaborative filtering", WWW 2001).
#[derive(Debug, Default)]
pub(super) struct ItemNeighbours {
    /// Per item its users, sorted.
    users_of: Vec<Vec<u32>>,
    /// Per user the different items, sorted.
    items_of: Vec<Vec<u32>>,
    known: Mutex<BTreeMap<u32, Near>>,
}

/// Items with their cosine, sorted by item.
type Near = Arc<[(u32, f64)]>;

impl ItemNeighbours {
    /// Learns from these events, in any order.
    pub fn learn<'a>(items: usize, events: impl IntoIterator<Item = &'a Interaction>) -> Self {
        let mut users_of: Vec<Vec<u32>> = vec![Vec::new(); items];
        let mut items_of: Vec<Vec<u32>> = Vec::new();
        for event in events {
            let user = event.user as usize;
            if items_of.len() <= user {
                items_of.resize(user + 1, Vec::new());
            }
            items_of[user].push(event.item);
            users_of[event.item as usize].push(event.user);
        }
        for list in users_of.iter_mut().chain(&mut items_of) {
            list.sort_unstable();
            list.dedup();
        }
        Self {
            users_of,
            items_of,
            known: Mutex::default(),
        }
    }

    /// Cosine of two items over their users: |A ∩ B| / √(|A| |B|), for all
    /// items that share a user with `item`, sorted by item.
    fn of(&self, item: u32) -> Near {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(near) = known().get(&item) {
            return Arc::clone(near);
        }
        let users = &self.users_of[item as usize];
        let mut shared = vec![0_u32; self.users_of.len()];
        for user in users {
            for other in &self.items_of[*user as usize] {
                shared[*other as usize] += 1;
            }
        }
        let cosine = |(other, n): (usize, u32)| {
            let sizes = users.len() as f64 * self.users_of[other].len() as f64;
            (other as u32, f64::from(n) / sizes.sqrt())
        };
        let met = (0..).zip(shared).filter(|(_, n)| *n > 0);
        let near: Near = met.map(cosine).collect();
        known().insert(item, Arc::clone(&near));
        near
    }

    /// Per item of `items` the sum of its cosines with the items of `history`.
    pub fn score(&self, history: &[u32], items: &[u32]) -> Vec<f64> {
        let near: Vec<Near> = history.iter().map(|item| self.of(*item)).collect();
        let cosine = |near: &Near, item: u32| {
            let at = near.binary_search_by_key(&item, |(other, _)| *other);
            at.map_or(0.0, |at| near[at].1)
        };
        items
            .iter()
            .map(|item| near.iter().map(|near| cosine(near, *item)).sum())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines_equal_worked_example() {
        let event = |user, item| Interaction {
            user,
            item,
            rating: None,
            time: None,
        };
        // Item 0: users 0, 1; item 1: users 0, 1, 2; item 2: user 2; item 3: none.
        let events = [(0, 0), (0, 1), (1, 1), (1, 0), (2, 1), (2, 2), (0, 0)];
        let events = events.map(|(user, item)| event(user, item));
        let near = ItemNeighbours::learn(4, &events);
        let scores = near.score(&[0], &[0, 1, 2, 3]);
        let expected = [1.0, 2.0 / 6.0_f64.sqrt(), 0.0, 0.0];
        for (score, expected) in scores.iter().zip(expected) {
            assert!((score - expected).abs() < 1e-12, "{scores:?}");
        }
        let both = near.score(&[0, 2], &[1]);
        assert!((both[0] - (2.0 / 6.0_f64.sqrt() + 1.0 / 3.0_f64.sqrt())).abs() < 1e-12);
        assert_eq!(near.score(&[], &[1]), [0.0]);
    }
}
