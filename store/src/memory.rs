//! A store that lives and dies with the process.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use crate::error::Result;
use crate::kv::{Kv, Page, PrefixScan, WriteBatch};

/// A [`Kv`] in memory: for tests, dry runs and caches. Durable it is not.
///
/// Clones share their content, so a clone stands for a reopened store.
#[derive(Clone, Debug, Default)]
pub struct MemoryKv {
    records: Arc<RwLock<BTreeMap<Vec<u8>, Vec<u8>>>>,
}

impl MemoryKv {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn page(&self, prefix: &[u8], after: Option<&[u8]>) -> Page {
        let records = self.records.read().unwrap_or_else(PoisonError::into_inner);
        let start = after.map_or(Bound::Included(prefix), Bound::Excluded);
        let mut bytes = 0;
        records
            .range::<[u8], _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(PrefixScan::PAGE)
            .take_while(|(_, value)| {
                let room = bytes < PrefixScan::PAGE_BYTES;
                bytes += value.len();
                room
            })
            .map(|(key, value)| (key.clone(), Ok(value.clone())))
            .collect()
    }
}

impl Kv for MemoryKv {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let records = self.records.read().unwrap_or_else(PoisonError::into_inner);
        Ok(records.get(key).cloned())
    }

    fn scan(&self, prefix: &[u8]) -> PrefixScan<'_> {
        let prefix = prefix.to_vec();
        PrefixScan::new(move |after| Ok(self.page(&prefix, after)))
    }

    fn apply(&self, batch: WriteBatch) -> Result<()> {
        let ops = batch.into_ops()?;
        // Nothing below can fail half-way, so a poisoned lock still guards whole batches.
        let mut records = self.records.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in ops {
            match value {
                Some(value) => records.insert(key, value),
                None => records.remove(&key),
            };
        }
        Ok(())
    }

    fn count(&self) -> Result<u64> {
        let records = self.records.read().unwrap_or_else(PoisonError::into_inner);
        Ok(records.len() as u64)
    }
}
