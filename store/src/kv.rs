//! The key-value contract: what every backend promises.

use std::collections::BTreeMap;
use std::collections::vec_deque::{self, VecDeque};
use std::fmt;

use crate::error::{Result, StoreError, readable};

/// Longest key, in bytes. The shortest has 1.
pub const MAX_KEY: usize = 256;
/// Longest value, in bytes (64 KiB). Larger ones belong into [`BlobFolder`](crate::BlobFolder).
pub const MAX_VALUE: usize = 64 * 1024;
/// Most bytes of keys and values in one batch (16 MiB), so that a commit's memory is bounded.
pub const MAX_BATCH: usize = 16 * 1024 * 1024;

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// An ordered map of small records with atomic, durable batches.
///
/// Keys order as byte strings. An implementation is shared between threads; all its methods block,
/// so an async caller runs them on a blocking thread.
pub trait Kv: fmt::Debug + Send + Sync {
    /// The value under `key`, or `None` if there is none.
    ///
    /// # Errors
    /// A damaged record is [`StoreError::CorruptRecord`], never `None`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// All records whose key starts with `prefix`, in ascending key order; the empty prefix means
    /// all records.
    ///
    /// Memory stays bounded: records are fetched in pages. Each page is one consistent view of the
    /// store; between two pages a concurrent [`apply`](Self::apply) may come, so a batch can be
    /// seen in part by a scan that spans several pages. A damaged record is one `Err` item and the
    /// scan goes on; any other error ends it.
    fn scan(&self, prefix: &[u8]) -> PrefixScan<'_>;

    /// Commits `batch`: all of it or, on error, none of it. Durable when it returns, for the
    /// backends that are durable at all. Another thread may see the batch shortly before that.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if a key, a value or the batch is too large; nothing is written then.
    /// After an I/O error the handle may refuse further work with [`StoreError::Closed`], for it can no
    /// longer tell what the disk holds; opening the store anew finds out.
    fn apply(&self, batch: WriteBatch) -> Result<()>;

    /// How many records there are. Takes constant time.
    fn count(&self) -> Result<u64>;
}

/// Puts and deletes that are committed together. The last word on a key wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteBatch {
    ops: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl WriteBatch {
    /// A batch without effect.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` to `value`. Limits are checked by [`Kv::apply`].
    pub fn put(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> &mut Self {
        self.ops.insert(key.into(), Some(value.into()));
        self
    }

    /// Removes `key`, if it is there.
    pub fn delete(&mut self, key: impl Into<Vec<u8>>) -> &mut Self {
        self.ops.insert(key.into(), None);
        self
    }

    /// How many keys it touches.
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether it touches none.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// The checked operations, in key order: `Some(value)` to put, `None` to delete.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] naming the first key at fault. Backends call this before they write.
    pub fn into_ops(self) -> Result<BTreeMap<Vec<u8>, Option<Vec<u8>>>> {
        let mut total = 0;
        for (key, value) in &self.ops {
            check_key(key)?;
            let len = value.as_ref().map_or(0, Vec::len);
            if len > MAX_VALUE {
                return Err(StoreError::Invalid(format!(
                    "the value of {} has {len} bytes, the limit is {MAX_VALUE}; keep it as a blob",
                    readable(key)
                )));
            }
            total += key.len() + len;
        }
        if total > MAX_BATCH {
            return Err(StoreError::Invalid(format!(
                "the batch has {total} bytes, the limit is {MAX_BATCH}; split it"
            )));
        }
        Ok(self.ops)
    }
}

/// Refuses keys that no backend takes.
///
/// # Errors
/// [`StoreError::Invalid`] if `key` is empty or longer than [`MAX_KEY`].
pub fn check_key(key: &[u8]) -> Result<()> {
    if key.is_empty() {
        return Err(StoreError::Invalid(
            "the empty key is not allowed".to_owned(),
        ));
    }
    if key.len() > MAX_KEY {
        return Err(StoreError::Invalid(format!(
            "key {}… has {} bytes, the limit is {MAX_KEY}; hash the long part",
            readable(&key[..32]),
            key.len()
        )));
    }
    Ok(())
}

/// One page of a scan: records in key order, a damaged one as its error together with its key.
pub type Page = VecDeque<(Vec<u8>, Result<Vec<u8>>)>;

type Fetch<'a> = dyn FnMut(Option<&[u8]>) -> Result<Page> + Send + 'a;

/// An iterator over the records of a prefix. See [`Kv::scan`].
pub struct PrefixScan<'a> {
    /// Fetches the page after the given key, empty at the end.
    fetch: Box<Fetch<'a>>,
    page: vec_deque::IntoIter<(Vec<u8>, Result<Vec<u8>>)>,
    last: Option<Vec<u8>>,
    done: bool,
}

impl<'a> PrefixScan<'a> {
    /// Most records a page should hold.
    pub const PAGE: usize = 256;
    /// Bytes of values after which a page should end.
    pub const PAGE_BYTES: usize = 1024 * 1024;

    /// A scan whose pages `fetch` gets: each the records after the given key, or the first ones,
    /// and an empty page at the end.
    pub fn new(fetch: impl FnMut(Option<&[u8]>) -> Result<Page> + Send + 'a) -> Self {
        Self {
            fetch: Box::new(fetch),
            page: VecDeque::new().into_iter(),
            last: None,
            done: false,
        }
    }
}

impl Iterator for PrefixScan<'_> {
    type Item = Result<Pair>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.page.next() {
                if self.page.len() == 0 {
                    self.last = Some(key.clone());
                }
                return Some(value.map(|value| (key, value)));
            }
            if self.done {
                return None;
            }
            match (self.fetch)(self.last.as_deref()) {
                Ok(page) if page.is_empty() => self.done = true,
                Ok(page) => self.page = page.into_iter(),
                Err(error) => {
                    self.done = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl fmt::Debug for PrefixScan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan")
            .field("last", &self.last)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}
