//! Users and items with few events, left out.

use std::collections::BTreeMap;

use super::leave_one_out::only_shown;
use super::{Interaction, Interactions};

/// The events of users and items that have at least `least` of them in what is left: the
/// k-core of the graph of users and items. What was only shown counts for nobody. Users and
/// items that lose all their events are gone.
pub(super) fn core(data: Interactions, least: usize) -> Interactions {
    if least < 2 {
        return data;
    }
    let Interactions {
        users,
        items,
        mut events,
    } = data;
    loop {
        let mut of_user = vec![0_usize; users.len()];
        let mut of_item = vec![0_usize; items.len()];
        for event in events.iter().filter(|event| !only_shown(event)) {
            of_user[event.user as usize] += 1;
            of_item[event.item as usize] += 1;
        }
        let before = events.len();
        events.retain(|event| {
            let item = only_shown(event) || of_item[event.item as usize] >= least;
            of_user[event.user as usize] >= least && item
        });
        if events.len() == before {
            break;
        }
    }
    let users = kept(users, &mut events, |event| &mut event.user);
    let items = kept(items, &mut events, |event| &mut event.item);
    Interactions::new(users, items, events)
}

/// Those that an event is left of, and the events by their new places.
fn kept<T>(
    all: Vec<T>,
    events: &mut [Interaction],
    place: impl Fn(&mut Interaction) -> &mut u32,
) -> Vec<T> {
    let mut new: BTreeMap<u32, u32> = BTreeMap::new();
    for event in events.iter_mut() {
        new.insert(*place(event), 0);
    }
    for (at, to) in new.values_mut().zip(0..) {
        *at = to;
    }
    for event in events {
        let at = place(event);
        *at = new[at];
    }
    let is_kept = |(at, one): (u32, T)| new.contains_key(&at).then_some(one);
    (0..).zip(all).filter_map(is_kept).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Item, User};
    use super::*;

    fn data(pairs: &[(u32, u32)]) -> Interactions {
        let user = |n: u32| User {
            id: format!("u{n}"),
            ..User::default()
        };
        let item = |n: u32| Item {
            id: format!("i{n}"),
            ..Item::default()
        };
        let event = |&(user, item): &(u32, u32)| Interaction {
            user,
            item,
            rating: None,
            time: None,
        };
        Interactions::new(
            (0..8).map(user).collect(),
            (0..8).map(item).collect(),
            pairs.iter().map(event).collect(),
        )
    }

    /// Item 2 has one event; without it user 1 has one, and without that item 1 has one.
    #[test]
    fn leaving_out_goes_on_until_all_have_enough() {
        let pairs = [
            (0, 0),
            (0, 1),
            (3, 0),
            (3, 5),
            (4, 5),
            (4, 0),
            (1, 1),
            (1, 2),
        ];
        let left = core(data(&pairs), 2);
        let named: Vec<(&str, &str)> = left
            .events
            .iter()
            .map(|event| {
                let user = left.users[event.user as usize].id.as_str();
                (user, left.items[event.item as usize].id.as_str())
            })
            .collect();
        assert_eq!(
            named,
            [("u3", "i0"), ("u3", "i5"), ("u4", "i5"), ("u4", "i0")]
        );
        assert_eq!((left.users.len(), left.items.len()), (2, 2));
        assert!(core(data(&pairs), 3).events.is_empty());
        assert_eq!(core(data(&pairs), 1), data(&pairs));
    }

    proptest! {
        #[test]
        fn what_is_left_has_enough(
            pairs in prop::collection::vec((0..8_u32, 0..8_u32), 0..40),
            least in 1..5_usize,
        ) {
            let left = core(data(&pairs), least);
            for (at, _) in left.users.iter().enumerate().filter(|_| least > 1) {
                prop_assert!(left.events.iter().filter(|event| event.user as usize == at).count() >= least);
            }
            for (at, _) in left.items.iter().enumerate().filter(|_| least > 1) {
                prop_assert!(left.events.iter().filter(|event| event.item as usize == at).count() >= least);
            }
            let again = core(left.clone(), least);
            prop_assert_eq!(again, left);
        }
    }
}
