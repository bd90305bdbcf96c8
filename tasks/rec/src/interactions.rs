use std::collections::BTreeMap;

/// Who uses items. Ids are those of the data, not positions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// The id in the data.
    pub id: String,
    /// What is known: `age`, `gender`, `occupation`, …
    pub attributes: BTreeMap<String, String>,
}

/// What is used: a film, an article, a product.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Item {
    /// The id in the data.
    pub id: String,
    /// What people call it; the id where the data has no title. One line.
    pub title: String,
    /// What else is known: `year`, `genres`, `category`, `brand`, … One line
    /// each; several values of one attribute are joined by `, `.
    pub attributes: BTreeMap<String, String>,
}

/// A user met an item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interaction {
    /// Position in [`Interactions::users`].
    pub user: u32,
    /// Position in [`Interactions::items`].
    pub item: u32,
    /// How the user rated it, in the data's own scale; an impression that was
    /// not clicked is 0, one that was is 1.
    pub rating: Option<f32>,
    /// When, in the data's own unit (seconds or milliseconds since 1970, or
    /// any other number that grows).
    pub time: Option<i64>,
}

/// Users, items and everything that happened between them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Interactions {
    /// The users, in the order they were first met.
    pub users: Vec<User>,
    /// The items, in the order they were first met.
    pub items: Vec<Item>,
    /// The events: by user, then time, then the order of the files. Events
    /// without a time keep the order of the files.
    pub events: Vec<Interaction>,
}

impl Interactions {
    /// Orders the events. Every event's user and item must be positions in
    /// `users` and `items`.
    pub fn new(users: Vec<User>, items: Vec<Item>, mut events: Vec<Interaction>) -> Self {
        // Stable, so that the order of the files breaks ties.
        events.sort_by_key(|event| (event.user, event.time));
        Self {
            users,
            items,
            events,
        }
    }

    /// One user's events, oldest first.
    pub fn of(&self, user: u32) -> &[Interaction] {
        let start = self.events.partition_point(|event| event.user < user);
        let end = self.events.partition_point(|event| event.user <= user);
        &self.events[start..end]
    }

    /// Every user's events, in the order of the users; users without any are
    /// left out.
    pub fn by_user(&self) -> impl Iterator<Item = &[Interaction]> {
        self.events.chunk_by(|a, b| a.user == b.user)
    }
}
