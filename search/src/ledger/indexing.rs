//! Records of the journal, and how the index keeps those that are no answers.

use shiftproof_store::journal::JournalEntry;
use shiftproof_store::{JournalPosition, Kv, MAX_VALUE, WriteBatch};

use super::{LedgerError, REPLY};

/// Bytes of values between two visits to the index, within a batch's limit.
pub(super) const INDEX_BYTES: usize = 4 * 1024 * 1024;
/// How far the index is complete but for answers.
const WATERMARK: &[u8] = b"journal-index-end";
/// The same with answers, as earlier versions wrote it. It stays as it is: a program of
/// such a version goes on from there, and finds everything.
const WATERMARK_WITH_REPLIES: &[u8] = b"journal-end";

/// First byte of an index value: the value follows, or its place in the journal.
pub(super) const INLINE: u8 = 0;
pub(super) const IN_JOURNAL: u8 = 1;

pub(super) fn is_reply(key: &[u8]) -> bool {
    key.first() == Some(&REPLY)
}

/// A record on its way from the journal to the index.
pub(super) struct IndexRecord {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
    pub(super) position: Option<JournalPosition>,
}

impl IndexRecord {
    pub(super) fn encode(key: &[u8], value: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(2 + key.len() + value.len());
        bytes.extend_from_slice(&(key.len() as u16).to_be_bytes());
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value);
        bytes
    }

    pub(super) fn decode(entry: &JournalEntry) -> Result<Self, LedgerError> {
        let (key, value) = split(&entry.payload).ok_or_else(|| cut(entry.position))?;
        Ok(Self {
            key: key.to_vec(),
            value: value.to_vec(),
            position: Some(entry.position),
        })
    }

    /// Whether it is an answer, which stays in the journal.
    pub(super) fn is_reply(&self) -> bool {
        is_reply(&self.key)
    }

    /// The value as the index keeps it: large ones stay in the journal.
    fn index_value(&self) -> Vec<u8> {
        match self.position {
            Some(position) if self.value.len() >= MAX_VALUE => {
                let mut value = vec![IN_JOURNAL];
                value.extend_from_slice(&position.offset().to_be_bytes());
                value
            }
            _ => {
                let mut value = Vec::with_capacity(self.value.len() + 1);
                value.push(INLINE);
                value.extend_from_slice(&self.value);
                value
            }
        }
    }
}

/// Key and value of a record of the journal; `None` where it is cut.
pub(super) fn split(record: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = record.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

pub(super) fn cut(position: JournalPosition) -> LedgerError {
    LedgerError::Record {
        what: format!("the journal entry at byte {}", position.offset()),
        reason: "it is shorter than its key".into(),
    }
}

/// Copies `records` into the index; `end` is the journal position up to which
/// the index is then complete, set only once all of them are in.
pub(super) fn index(
    kv: &dyn Kv,
    records: &[IndexRecord],
    end: Option<JournalPosition>,
) -> Result<(), LedgerError> {
    let (mut batch, mut bytes) = (WriteBatch::new(), 0);
    for record in records {
        let value = record.index_value();
        bytes += value.len();
        batch.put(record.key.clone(), value);
        if bytes >= INDEX_BYTES {
            kv.apply(std::mem::take(&mut batch))?;
            bytes = 0;
        }
    }
    if let Some(end) = end {
        batch.put(WATERMARK, end.offset().to_be_bytes());
    }
    if !batch.is_empty() {
        kv.apply(batch)?;
    }
    Ok(())
}

/// The journal position up to which the index is complete but for answers.
pub(super) fn watermark(kv: &dyn Kv) -> Result<Option<JournalPosition>, LedgerError> {
    let Some(value) = kv
        .get(WATERMARK)?
        .map_or_else(|| kv.get(WATERMARK_WITH_REPLIES), |value| Ok(Some(value)))?
    else {
        return Ok(None);
    };
    let offset = value.try_into().map_err(|_| LedgerError::Record {
        what: "the journal's end".into(),
        reason: "it is not 8 bytes".into(),
    })?;
    Ok(Some(JournalPosition::from_offset(u64::from_be_bytes(
        offset,
    ))))
}
