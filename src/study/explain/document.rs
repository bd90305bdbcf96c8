//! The keys of a TOML document, each with where it stands, and the document without one.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A document whose keys and values know their place.
pub(super) type Document<'t> = Spanned<DeTable<'t>>;

/// A key of a document, of the tables in its lists too.
#[derive(Debug)]
pub(super) struct DocumentKey {
    /// From the top of the document; tables of one list are not told apart.
    pub keys: Vec<String>,
    /// The byte where it stands; no two keys have the same.
    pub at: usize,
    /// The bytes of its value.
    pub value: Range<usize>,
    /// The value is a table.
    pub is_table: bool,
}

/// All keys, in the order of the text.
pub(super) fn keys(document: &Document<'_>) -> Vec<DocumentKey> {
    fn walk(table: &DeTable<'_>, above: &[String], found: &mut Vec<DocumentKey>) {
        for (key, value) in table {
            let mut keys = above.to_vec();
            keys.push(key.get_ref().to_string());
            within(value.get_ref(), &keys, found);
            found.push(DocumentKey {
                keys,
                at: key.span().start,
                value: value.span(),
                is_table: value.get_ref().is_table(),
            });
        }
    }
    fn within(value: &DeValue<'_>, keys: &[String], found: &mut Vec<DocumentKey>) {
        match value {
            DeValue::Table(inner) => walk(inner, keys, found),
            DeValue::Array(values) => {
                for value in values {
                    within(value.get_ref(), keys, found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(document.get_ref(), &[], &mut found);
    found.sort_by_key(|key| key.at);
    found
}

/// All keys whose value is no table, of a text that need not be well-formed.
pub(super) fn leaves(text: &str) -> Vec<DocumentKey> {
    let (document, _) = DeTable::parse_recoverable(text);
    let mut keys = keys(&document);
    keys.retain(|key| !key.is_table);
    keys
}

/// The document without the key that stands at this byte.
pub(super) fn without<'t>(document: &Document<'t>, at: usize) -> Document<'t> {
    let mut changed = document.clone();
    edit(changed.get_mut(), &mut |table| {
        let own = table.keys().find(|key| key.span().start == at);
        if let Some(own) = own.cloned() {
            table.remove(&own);
        }
    });
    changed
}

/// The document with a text in place of the value of the key that stands at this byte.
pub(super) fn with_text<'t>(document: &Document<'t>, at: usize, text: &'t str) -> Document<'t> {
    let mut changed = document.clone();
    edit(changed.get_mut(), &mut |table| {
        for (key, value) in table.iter_mut() {
            if key.span().start == at {
                *value.get_mut() = DeValue::String(text.into());
            }
        }
    });
    changed
}

/// Changes every table of a document, the outer before the inner.
fn edit<'t>(table: &mut DeTable<'t>, change: &mut dyn FnMut(&mut DeTable<'t>)) {
    fn within<'t>(value: &mut DeValue<'t>, change: &mut dyn FnMut(&mut DeTable<'t>)) {
        match value {
            DeValue::Table(inner) => edit(inner, change),
            DeValue::Array(values) => {
                for value in values.iter_mut() {
                    within(value.get_mut(), change);
                }
            }
            _ => {}
        }
    }
    change(table);
    for (_, value) in table.iter_mut() {
        within(value.get_mut(), change);
    }
}
