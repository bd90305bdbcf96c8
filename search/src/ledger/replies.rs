//! Where each stored answer is in the journal.
//!
//! The journal is read through whenever it is opened, so the places of its answers need
//! not be stored a second time: 24 bytes of memory an answer stand for an entry in the
//! index that took more room on disk than the answer itself.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use shiftproof_store::JournalPosition;
use shiftproof_store::journal::RecordReader;

use super::indexing::{cut, split};
use super::{LedgerError, REPLY};

/// Half of a key's hash. That two keys share it is no likelier than a collision of a hash
/// of 128 bits, and what is read is held against the whole key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ShortKey(u64, u64);

impl ShortKey {
    /// Of a reply's key in the store; `None` for any other key.
    fn of(key: &[u8]) -> Option<Self> {
        let (&REPLY, hash) = key.split_first()? else {
            return None;
        };
        let (first, rest) = hash.split_first_chunk()?;
        let second = rest.first_chunk()?;
        (key.len() == 33).then(|| Self(u64::from_le_bytes(*first), u64::from_le_bytes(*second)))
    }
}

impl Hash for ShortKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// The key's own bits: they are those of a hash.
#[derive(Debug, Default)]
struct OwnBits(u64);

impl Hasher for OwnBits {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, bits: u64) {
        self.0 = bits;
    }
}

/// Every answer that the journal holds and that was not forgotten.
#[derive(Debug, Default)]
pub(super) struct ReplyPlaces(RwLock<HashMap<ShortKey, u64, BuildHasherDefault<OwnBits>>>);

impl ReplyPlaces {
    /// Takes note of a record of the journal; a record of another kind changes nothing.
    pub(super) fn note(&self, record: &[u8], position: JournalPosition) {
        if let Some((key, value)) = split(record) {
            self.set(key, value, position);
        }
    }

    /// Takes note of what was written under `key`; an empty value is a removal.
    pub(super) fn set(&self, key: &[u8], value: &[u8], position: JournalPosition) {
        let Some(key) = ShortKey::of(key) else {
            return;
        };
        let mut places = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if value.is_empty() {
            places.remove(&key);
        } else {
            places.insert(key, position.offset());
        }
    }

    fn get(&self, key: &[u8]) -> Option<JournalPosition> {
        let places = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let place = places.get(&ShortKey::of(key)?)?;
        Some(JournalPosition::from_offset(*place))
    }
}

/// The answers of a journal, read from it one by one.
#[derive(Debug)]
pub(super) struct JournalReplies {
    places: ReplyPlaces,
    records: RecordReader,
}

impl JournalReplies {
    pub(super) fn open(journal: &Path, places: ReplyPlaces) -> Result<Self, LedgerError> {
        let records = RecordReader::open(journal)?;
        Ok(Self { places, records })
    }

    pub(super) const fn places(&self) -> &ReplyPlaces {
        &self.places
    }

    /// Whether there is an answer under `key`.
    pub(super) fn has(&self, key: &[u8]) -> bool {
        self.places.get(key).is_some()
    }

    /// The answer under `key` as it was written.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        let Some(position) = self.places.get(key) else {
            return Ok(None);
        };
        let mut record = self.records.read(position)?;
        let value = match split(&record) {
            Some((own, _)) if own == key => 2 + own.len(),
            Some(_) => {
                return Err(LedgerError::Record {
                    what: format!("the journal entry at byte {}", position.offset()),
                    reason: "it answers another call than is looked up".into(),
                });
            }
            None => return Err(cut(position)),
        };
        record.drain(..value);
        Ok(Some(record))
    }

    /// The value of the record at `position`, whatever its key.
    pub(super) fn value_at(&self, position: JournalPosition) -> Result<Vec<u8>, LedgerError> {
        let record = self.records.read(position)?;
        let (_, value) = split(&record).ok_or_else(|| cut(position))?;
        Ok(value.to_vec())
    }
}

#[cfg(test)]
mod tests;
