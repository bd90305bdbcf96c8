//! The texts of one row, kept in two pieces of memory however many columns there are.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Index;
use std::sync::Arc;

/// What the columns of a file are called; its rows share it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ColumnNames {
    /// Sorted, each with its place in the file's order.
    sorted: Vec<(String, usize)>,
}

impl ColumnNames {
    /// `names`: in the file's order, no two alike.
    pub fn new(names: Vec<String>) -> Self {
        let mut sorted: Vec<(String, usize)> = names.into_iter().zip(0..).collect();
        sorted.sort_unstable();
        Self { sorted }
    }

    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    fn place(&self, name: &str) -> Option<usize> {
        let found = self
            .sorted
            .binary_search_by(|(own, _)| own.as_str().cmp(name));
        found.ok().map(|at| self.sorted[at].1)
    }

    /// Whether these are the names of `values`, in alphabetical order in the file too.
    fn are_of(&self, values: &BTreeMap<String, String>) -> bool {
        self.len() == values.len()
            && (self.sorted.iter().zip(values.keys()).zip(0..))
                .all(|(((own, place), name), at)| own == name && *place == at)
    }
}

/// A row's texts by column, in the order of the columns' names.
#[derive(Clone)]
pub struct RowValues {
    names: Arc<ColumnNames>,
    /// All texts one after the other, in the file's order.
    texts: Box<str>,
    /// Where each ends, in bytes.
    ends: Box<[u32]>,
}

impl RowValues {
    /// `texts`: one for each name, in the file's order; 4 GiB in all at most.
    pub(super) fn new<'t>(
        names: Arc<ColumnNames>,
        texts: impl Iterator<Item = &'t str> + Clone,
    ) -> Self {
        let mut all = String::with_capacity(texts.clone().map(str::len).sum());
        let mut ends = Vec::with_capacity(names.len());
        for text in texts {
            all.push_str(text);
            ends.push(u32::try_from(all.len()).expect("a row of less than 4 GiB"));
        }
        debug_assert_eq!(ends.len(), names.len(), "a text for each column");
        Self {
            names,
            texts: all.into(),
            ends: ends.into(),
        }
    }

    /// As [`new`](Self::new), of a map; `known`: names of a row before, which it may have.
    pub(super) fn of_map(
        values: &BTreeMap<String, String>,
        known: Option<&Arc<ColumnNames>>,
    ) -> Self {
        let names = match known.filter(|known| known.are_of(values)) {
            Some(known) => Arc::clone(known),
            None => Arc::new(ColumnNames::new(values.keys().cloned().collect())),
        };
        Self::new(names, values.values().map(String::as_str))
    }

    pub(super) fn names(&self) -> &Arc<ColumnNames> {
        &self.names
    }

    fn at(&self, place: usize) -> &str {
        let begin = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.texts[begin as usize..self.ends[place] as usize]
    }

    /// The text of a column; `None` where the row has no such column.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.names.place(name).map(|place| self.at(place))
    }

    /// Whether the row has such a column.
    pub fn contains_key(&self, name: &str) -> bool {
        self.names.place(name).is_some()
    }

    /// The names of the columns, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.names.sorted.iter().map(|(name, _)| name.as_str())
    }

    /// Names and texts, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let names = self.names.sorted.iter();
        names.map(|(name, place)| (name.as_str(), self.at(*place)))
    }
}

impl From<BTreeMap<String, String>> for RowValues {
    fn from(values: BTreeMap<String, String>) -> Self {
        Self::of_map(&values, None)
    }
}

impl From<&RowValues> for BTreeMap<String, String> {
    fn from(values: &RowValues) -> Self {
        let pairs = values.iter();
        pairs
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect()
    }
}

impl Index<&str> for RowValues {
    type Output = str;

    /// # Panics
    /// Where the row has no such column.
    fn index(&self, name: &str) -> &str {
        self.get(name).expect("a column of the row")
    }
}

impl PartialEq for RowValues {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for RowValues {}

impl fmt::Debug for RowValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_read_as_the_map_they_are(
            values in prop::collection::btree_map("[a-dé]{0,3}", "[a-zé\\n]{0,9}", 0..8),
            asked in "[a-dé]{0,3}",
        ) {
            let row = RowValues::from(values.clone());
            prop_assert_eq!(BTreeMap::from(&row), values.clone());
            prop_assert_eq!(row.get(&asked), values.get(&asked).map(String::as_str));
            prop_assert_eq!(row.contains_key(&asked), values.contains_key(&asked));
            prop_assert!(row.keys().eq(values.keys().map(String::as_str)));
        }

        #[test]
        fn names_are_found_whatever_their_order(
            names in prop::collection::hash_set("[a-e]{1,2}", 1..8),
        ) {
            let names: Vec<String> = names.into_iter().collect();
            let texts: Vec<String> = names.iter().map(|name| format!("of {name}")).collect();
            let shared = Arc::new(ColumnNames::new(names.clone()));
            let row = RowValues::new(shared, texts.iter().map(String::as_str));
            for (name, text) in names.iter().zip(&texts) {
                prop_assert_eq!(&row[name.as_str()], text.as_str());
            }
            let map: BTreeMap<String, String> = (&row).into();
            prop_assert_eq!(RowValues::from(map), row);
        }
    }

    #[test]
    fn rows_of_one_shape_share_its_names() {
        let map = |a: &str| BTreeMap::from([("a".to_owned(), a.to_owned())]);
        let first = RowValues::from(map("1"));
        let next = RowValues::of_map(&map("2"), Some(first.names()));
        assert!(Arc::ptr_eq(first.names(), next.names()));
        let other = BTreeMap::from([("b".to_owned(), String::new())]);
        let other = RowValues::of_map(&other, Some(first.names()));
        assert_eq!((other.get("a"), other.get("b")), (None, Some("")));
    }
}
