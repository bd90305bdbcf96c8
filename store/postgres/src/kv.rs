//! Records under ordered keys.

use shiftproof_store::{Kv, Page, PrefixScan, Result, WriteBatch};

use crate::lane::params;
use crate::rows::{checked, checksum, column, loaded, size};
use crate::store::PostgresStore;

/// A page ends where the values before a record have this many bytes together.
const PAGE: &str = "
    select key, value, crc from (
        select key, value, crc, sum(length(value)) over (order by key) - length(value) as before
        from kv_record where key >= $1 and key < $2 order by key limit $3
    ) page where before < $4 order by key";
/// The same for prefixes that no key is behind.
const LAST_PAGE: &str = "
    select key, value, crc from (
        select key, value, crc, sum(length(value)) over (order by key) - length(value) as before
        from kv_record where key >= $1 order by key limit $2
    ) page where before < $3 order by key";

impl Kv for PostgresStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let rows = self.read(
            "select value, crc from kv_record where key = $1",
            params![key.to_vec()],
        )?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let url = self.url();
        checked(key, column(row, 0, url)?, column(row, 1, url)?, url).map(Some)
    }

    fn scan(&self, prefix: &[u8]) -> PrefixScan<'_> {
        let prefix = prefix.to_vec();
        PrefixScan::new(move |after| self.page(&prefix, after))
    }

    fn apply(&self, batch: WriteBatch) -> Result<()> {
        let operations = batch.into_ops()?;
        if operations.is_empty() {
            return Ok(());
        }
        let mut crcs = Vec::with_capacity(operations.len());
        for (key, value) in &operations {
            crcs.push(value.as_ref().map(|value| checksum(key, value)));
        }
        let (keys, values): (Vec<Vec<u8>>, Vec<Option<Vec<u8>>>) = operations.into_iter().unzip();
        self.write(
            "select apply_batch($1, $2, $3, $4, $5, $6)",
            params![keys, values, crcs],
        )?;
        Ok(())
    }

    fn count(&self) -> Result<u64> {
        let rows = self.read(
            "select coalesce(sum(count), 0)::bigint from kv_count",
            Vec::new(),
        )?;
        rows.first()
            .map_or(Ok(0), |row| column(row, 0, self.url()).map(loaded))
    }
}

impl PostgresStore {
    fn page(&self, prefix: &[u8], after: Option<&[u8]>) -> Result<Page> {
        // The first key behind another is that key and a zero.
        let from = after.map_or_else(|| prefix.to_vec(), |after| [after, &[0]].concat());
        let (most, bytes) = (size(PrefixScan::PAGE), size(PrefixScan::PAGE_BYTES));
        let rows = match behind(prefix) {
            Some(end) => self.read(PAGE, params![from, end, most, bytes]),
            None => self.read(LAST_PAGE, params![from, most, bytes]),
        }?;
        let url = self.url();
        let record = |row| {
            let key: Vec<u8> = column(row, 0, url)?;
            let value = checked(&key, column(row, 1, url)?, column(row, 2, url)?, url);
            Ok((key, value))
        };
        rows.iter().map(record).collect()
    }
}

/// The first key behind all that start with `prefix`; `None` if there is no such key.
fn behind(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}
