use std::collections::{BTreeMap, HashMap};

use super::text::one_line;
use super::{Interaction, Interactions, Item, User};

/// Lists of item ids by user id, best first.
pub(super) type Lists = BTreeMap<String, Vec<String>>;

/// Collects users, items and events by their ids.
#[derive(Default)]
pub(super) struct Builder {
    users: Vec<User>,
    items: Vec<Item>,
    events: Vec<Interaction>,
    // Only looked up in; the order of everything is that of the files.
    user_at: HashMap<String, u32>,
    item_at: HashMap<String, u32>,
}

impl Builder {
    pub fn user(&mut self, id: &str) -> u32 {
        if let Some(at) = self.user_at.get(id) {
            return *at;
        }
        let at = self.users.len() as u32;
        self.users.push(User {
            id: one_line(id),
            attributes: BTreeMap::new(),
        });
        self.user_at.insert(id.to_owned(), at);
        at
    }

    pub fn item(&mut self, id: &str) -> u32 {
        if let Some(at) = self.item_at.get(id) {
            return *at;
        }
        let at = self.items.len() as u32;
        self.items.push(Item {
            id: one_line(id),
            title: one_line(id),
            attributes: BTreeMap::new(),
        });
        self.item_at.insert(id.to_owned(), at);
        at
    }

    /// Whether an item of this id was met.
    pub fn knows(&self, item: &str) -> bool {
        self.item_at.contains_key(item)
    }

    /// Sets the title unless it is blank.
    pub fn title(&mut self, item: u32, title: &str) {
        let title = one_line(title);
        if !title.is_empty() {
            self.items[item as usize].title = title;
        }
    }

    /// Sets an attribute of an item unless it is blank.
    pub fn item_attribute(&mut self, item: u32, name: &str, value: &str) {
        let value = one_line(value);
        if !value.is_empty() {
            let attributes = &mut self.items[item as usize].attributes;
            attributes.insert(one_line(name), value);
        }
    }

    /// Sets an attribute of a user unless it is blank.
    pub fn user_attribute(&mut self, user: u32, name: &str, value: &str) {
        let value = one_line(value);
        if !value.is_empty() {
            let attributes = &mut self.users[user as usize].attributes;
            attributes.insert(one_line(name), value);
        }
    }

    pub fn event(&mut self, user: u32, item: u32, rating: Option<f32>, time: Option<i64>) {
        self.events.push(Interaction {
            user,
            item,
            rating,
            time,
        });
    }

    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub fn finish(self) -> Interactions {
        Interactions::new(self.users, self.items, self.events)
    }
}
