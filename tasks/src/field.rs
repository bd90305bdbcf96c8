//! The names of the fields that recommendation examples carry.
//!
//! | field | pointwise | listwise | holds |
//! | --- | --- | --- | --- |
//! | [`USER`] | yes | yes | `age: 24; gender: M; occupation: writer`; absent where nothing is known |
//! | [`HISTORY`] | yes | yes | titles before the target, oldest first, one per line |
//! | [`HISTORY_TEXT`] | yes | yes | the same items as key-value sentences, one per line |
//! | [`LIKED`], [`DISLIKED`] | yes | yes | the titles of `history` rated above `like_above`, and the rest |
//! | [`ITEM`], [`ITEM_TEXT`] | yes | no | the target's title, and its key-value sentence |
//! | [`POPULARITY`] | yes | no | how popular the target is: `more popular than 93% of items` |
//! | [`HISTORY_RATINGS`] | yes | yes | what `history` was rated, a number a line; absent where an event has no rating |
//! | [`HISTORY_AGO`] | yes | yes | how long before the target each of `history` was: `5 minutes ago`; absent where a time is not known |
//! | [`TIME`] | yes | yes | the target's moment, `Saturday, 21:40` in UTC; absent where it is not known |
//! | [`CATEGORY_CLICKS`] | yes | no | of each of the target's categories, how many of the user's events before were of it: `Comedy: 3`; absent where there is none |
//! | [`KIND`] | yes | yes | what an item is called, `movie`; absent where the data do not tell |
//! | [`CANDIDATES`] | no | yes | titles, one per line, in a seeded order; absent where the whole catalogue is ranked |
//! | [`CANDIDATES_TEXT`] | no | yes | the same items as key-value sentences, one per line |
//!
//! [`TEMPLATE`] and [`INTENTION`] are in no data: `PromptTemplates` of `shiftproof-rec`
//! deal them to the examples of a task that has several.
//!
//! A field with no entry is the empty text. Lists of one example have no title
//! twice: of two items with one title the later one in the list is left out of
//! `candidates`. No line is empty and no entry holds a line break.

/// What is known of the user: `name: value` pairs joined by `; `.
pub const USER: &str = "user";
/// Titles of the events before the target, oldest first.
pub const HISTORY: &str = "history";
/// The items of [`HISTORY`] as key-value sentences, in the same order.
pub const HISTORY_TEXT: &str = "history_text";
/// Titles of [`HISTORY`] that the user liked.
pub const LIKED: &str = "liked";
/// Titles of [`HISTORY`] that the user did not like.
pub const DISLIKED: &str = "disliked";
/// The target's title.
pub const ITEM: &str = "item";
/// The target as a key-value sentence.
pub const ITEM_TEXT: &str = "item_text";
/// How popular the target is in the training part, in words.
pub const POPULARITY: &str = "popularity";
/// What the items of [`HISTORY`] were rated, in the same order.
pub const HISTORY_RATINGS: &str = "history_ratings";
/// How long before the target each of [`HISTORY`] was, in the same order.
pub const HISTORY_AGO: &str = "history_ago";
/// The moment of the target.
pub const TIME: &str = "time";
/// How many of the user's events before were of each of the target's categories.
pub const CATEGORY_CLICKS: &str = "category_clicks";
/// What an item is called: movie, book, …
pub const KIND: &str = "kind";
/// The titles to be ranked.
pub const CANDIDATES: &str = "candidates";
/// The items of [`CANDIDATES`] as key-value sentences, in the same order.
pub const CANDIDATES_TEXT: &str = "candidates_text";
/// What the user says to be looking for, where the phrasing shows it.
pub const INTENTION: &str = "intention";
/// The name of the phrasing that the task wraps this input in.
pub const TEMPLATE: &str = "template";

/// The entries of a list-valued field.
pub fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty())
}
