//! How records lie in sled's tree, format version 1. Integers are little endian.
//!
//! ```text
//! 00 "meta"                        version:u8 crc:u32 count:u16=0 meta[28]
//! 01 key                           version:u8 crc:u32 count:u16=0 value          up to 4 KiB
//! 01 key                           version:u8 crc:u32 count:u16=n                larger, with
//! 02 len(key):u16 key part:u16     value[part * 4096 ..][.. 4096]                n parts
//! ```
//!
//! Values are cut into parts because a leaf of sled's tree holds up to 16 entries and must stay
//! below 128 KiB: larger leaves go to files of their own, which sled neither syncs nor frees. For
//! the same reason keys are short, since an inner node holds up to 256 of them.

pub(super) const VERSION: u8 = 1;
/// Bytes of a value that one entry of the tree holds at most.
pub(super) const PART: usize = 4096;
pub(super) const META: &[u8] = b"\x00meta";

const HEAD: usize = 7;

/// Where the record of `key` is.
pub(super) fn head_key(key: &[u8]) -> Vec<u8> {
    [&[1], key].concat()
}

/// Where a part of a large value of `key` is.
pub(super) fn part_key(key: &[u8], part: u16) -> Vec<u8> {
    // The length keeps the parts of one key apart from those of a longer key that starts with it.
    let len = (key.len() as u16).to_be_bytes();
    [&[2], &len[..], key, &part.to_be_bytes()].concat()
}

/// How many parts a value of `len` bytes is cut into; 0 if it stays with its key.
pub(super) fn parts(len: usize) -> u16 {
    if len <= PART {
        0
    } else {
        len.div_ceil(PART) as u16
    }
}

/// The entry under [`head_key`]. The checksum covers key and value, so that a value which turns up
/// under another key is noticed too.
pub(super) fn encode(key: &[u8], value: &[u8]) -> Vec<u8> {
    let count = parts(value.len());
    let inline = if count == 0 { value } else { &[] };
    let mut bytes = Vec::with_capacity(HEAD + inline.len());
    bytes.push(VERSION);
    bytes.extend_from_slice(&crc(key, count, value).to_le_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(inline);
    bytes
}

/// Why an entry cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RecordFault {
    /// It was written by a newer format.
    Version(u8),
    /// It is damaged.
    Damage(String),
}

/// Reads the entry `head` of `key`, fetching the parts of a large value by `part`.
pub(super) fn decode<E>(
    key: &[u8],
    head: &[u8],
    mut part: impl FnMut(u16) -> Result<Option<Vec<u8>>, E>,
) -> Result<Result<Vec<u8>, RecordFault>, E> {
    let damage = |text: String| Ok(Err(RecordFault::Damage(text)));
    let Some((head, inline)) = head.split_first_chunk::<HEAD>() else {
        return damage(format!("it has only {} bytes", head.len()));
    };
    let [version, c0, c1, c2, c3, n0, n1] = *head;
    let (expected, count) = (
        u32::from_le_bytes([c0, c1, c2, c3]),
        u16::from_le_bytes([n0, n1]),
    );
    if version > VERSION {
        return Ok(Err(RecordFault::Version(version)));
    }
    let mut value = inline.to_vec();
    if count > parts(crate::MAX_VALUE) {
        return damage(format!("it claims {count} parts"));
    }
    for index in 0..count {
        match part(index)? {
            Some(bytes) => value.extend_from_slice(&bytes),
            None => return damage(format!("part {index} of {count} is missing")),
        }
    }
    if version == VERSION && crc(key, count, &value) == expected {
        Ok(Ok(value))
    } else {
        damage("its checksum does not match".to_owned())
    }
}

fn crc(key: &[u8], count: u16, value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[VERSION]);
    hasher.update(&count.to_le_bytes());
    hasher.update(&(key.len() as u32).to_le_bytes());
    hasher.update(key);
    hasher.update(value);
    hasher.finalize()
}
