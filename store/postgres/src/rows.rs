//! Between Rust's values and the database's.

use shiftproof_store::shared::Amount;
use shiftproof_store::{Result, StoreError, check_key, readable};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::address::DatabaseUrl;
use crate::error::Failure;

/// Longest name of a budget, a queue, an item, a folder, a file or a lock, in bytes.
const MAX_NAME: usize = 1024;
/// Longest value (16 MiB).
const MAX_STORED: usize = 16 * 1024 * 1024;

/// A whole number as the database has it: 2⁶³ − 1 stands for everything above.
pub(crate) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The number of things in memory.
pub(crate) fn size(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A whole number of the database, which has none below zero here.
pub(crate) fn loaded(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A column of a row.
pub(crate) fn column<'a, T: FromSql<'a>>(
    row: &'a Row,
    index: usize,
    url: &DatabaseUrl,
) -> Result<T> {
    row.try_get(index)
        .map_err(|error| Failure::Postgres(error).explain(url))
}

/// The CRC-32 of a key and its value.
pub(crate) fn checksum(key: &[u8], value: &[u8]) -> i64 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(key);
    crc.update(value);
    i64::from(crc.finalize())
}

/// The value, if it is the one that was written under this key.
///
/// # Errors
/// [`StoreError::CorruptRecord`] if it is not.
pub(crate) fn checked(key: &[u8], value: Vec<u8>, crc: i64, url: &DatabaseUrl) -> Result<Vec<u8>> {
    let found = checksum(key, &value);
    if found == crc {
        return Ok(value);
    }
    Err(StoreError::CorruptRecord {
        path: url.to_string().into(),
        key: readable(key),
        detail: format!("its checksum is {found:08x}, it was written with {crc:08x}"),
    })
}

/// Refuses keys and values that no table takes.
pub(crate) fn check_value(key: &[u8], value: &[u8]) -> Result<()> {
    check_key(key)?;
    if value.len() > MAX_STORED {
        return Err(StoreError::Invalid(format!(
            "the value of {} has {} bytes, the limit is {MAX_STORED}",
            readable(key),
            value.len()
        )));
    }
    Ok(())
}

/// A name, if the database can have one like it.
pub(crate) fn checked_name(name: &str) -> Result<String> {
    if name.len() > MAX_NAME || name.contains('\0') {
        let shown: String = name.chars().take(40).collect();
        return Err(StoreError::Invalid(format!(
            "the name {shown:?}… has {} bytes: at most {MAX_NAME}, and no NUL among them",
            name.len()
        )));
    }
    Ok(name.to_owned())
}

/// A text for people. The database's texts have no NUL.
pub(crate) fn shown_text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Amounts as three arrays.
#[derive(Default)]
pub(crate) struct AmountColumns {
    pub calls: Vec<i64>,
    pub tokens: Vec<i64>,
    pub picodollars: Vec<i64>,
}

impl FromIterator<Amount> for AmountColumns {
    fn from_iter<I: IntoIterator<Item = Amount>>(amounts: I) -> Self {
        let mut columns = Self::default();
        for amount in amounts {
            columns.calls.push(stored(amount.calls));
            columns.tokens.push(stored(amount.tokens));
            columns.picodollars.push(stored(amount.picodollars));
        }
        columns
    }
}
