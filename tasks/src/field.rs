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
//! | [`CANDIDATES`] | no | yes | titles, one per line, in a seeded order; absent where the whole catalogue is ranked |
//! | [`CANDIDATES_TEXT`] | no | yes | the same items as key-value sentences, one per line |
//!
//! [`TEMPLATE`] is in no data: `PromptTemplates` of `shiftproof-rec` deal it to the
//! examples of a task that has several.
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
/// The titles to be ranked.
pub const CANDIDATES: &str = "candidates";
/// The items of [`CANDIDATES`] as key-value sentences, in the same order.
pub const CANDIDATES_TEXT: &str = "candidates_text";
/// The name of the phrasing that the task wraps this input in.
pub const TEMPLATE: &str = "template";

/// The entries of a list-valued field.
pub fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty())
}
