//! The durable backend, on sled 0.34. No type of sled leaves this module.
//!
//! sled alone is not enough, so around it: every commit is followed by a sync of sled's file, for
//! sled's own flush does not reach the medium; every record has a checksum; a digest of the whole
//! content travels with every commit and is verified on open, for a truncated sled opens without
//! complaint, emptier than before; sled's panics are caught.
//!
//! What notices which damage:
//!
//! | damage | noticed by | when |
//! |---|---|---|
//! | sled's log or snapshot does not parse | sled, by error or panic | open |
//! | the log lost everything | missing schema record | open |
//! | the log lost its tail | witness file | open |
//! | a record vanished, changed or moved | checksum, content digest | open |
//! | a page goes bad while the store is open | sled's and our checksums | get, scan, apply |
//!
//! Opening therefore reads the whole store once.

mod meta;
mod open;
mod record;

use std::fmt;
use std::fs::File;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};

use self::meta::{CommitWitness, ContentSummary, StoreMeta};
use self::record::RecordFault;
use crate::contain::contain;
use crate::error::{Result, StoreError, readable};
use crate::fsync;
use crate::kv::{Kv, Page, PrefixScan, WriteBatch};
use crate::lock::FileLock;

pub use open::quarantine;

#[cfg(test)]
mod tests;

/// A [`Kv`] in a directory of its own.
///
/// Commits of several threads are made one after the other. Each costs at least one `fsync`, so
/// put what belongs together into one batch.
pub struct SledKv {
    dir: PathBuf,
    /// Taken only when dropped, to catch a panic then too.
    db: Option<::sled::Db>,
    /// Held for writing while a batch enters the tree, so that readers see all of it or nothing.
    view: RwLock<()>,
    commit: Mutex<Commit>,
    /// The failure after which the handle cannot be trusted.
    closed: OnceLock<String>,
    /// Last, so that it is released last.
    _lock: FileLock,
}

/// What only the committing thread uses.
struct Commit {
    meta: StoreMeta,
    /// A handle on sled's file, to sync it.
    file: File,
    witness: CommitWitness,
}

impl SledKv {
    /// Opens the store in `dir`, creating it if the directory is missing or empty, and verifies
    /// every record.
    ///
    /// # Errors
    /// [`StoreError::Locked`] while another handle has it; [`StoreError::Corrupt`] or
    /// [`StoreError::CorruptRecord`] if anything is damaged or missing (see [`quarantine`]);
    /// [`StoreError::NotAStore`] if the directory holds something else; [`StoreError::NewerFormat`];
    /// [`StoreError::Io`].
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self> {
        let dir = dir.into();
        fsync::create_dir_all(&dir)?;
        // Before the lock, which leaves a file behind.
        open::exists(&dir)?;
        let lock = open::lock(&dir)?;
        let (db, file) = open::open(&dir)?;
        let (witness, said) = CommitWitness::open(&open::witness_path(&dir))?;
        let mut store = Self {
            dir,
            db: Some(db),
            view: RwLock::new(()),
            commit: Mutex::new(Commit {
                meta: StoreMeta::default(),
                file,
                witness,
            }),
            closed: OnceLock::new(),
            _lock: lock,
        };
        let meta = store.verify(said)?;
        let commit = store
            .commit
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        commit.meta = meta;
        // A missing or unreadable witness is replaced; see `apply` for why errors are ignored.
        let _ = commit.witness.write(meta.commits);
        Ok(store)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Checks the schema record and then every record against it.
    fn verify(&self, witness: Option<u64>) -> Result<StoreMeta> {
        let Some(head) = self.tree_get(record::META)? else {
            return Err(StoreError::corrupt(
                &self.dir,
                "its schema record is missing, so its content was lost",
            ));
        };
        let bytes = self.decode(record::META, &head)?;
        let meta = StoreMeta::decode(&self.dir, &bytes)?;
        if let Some(commits) = witness.filter(|&commits| commits > meta.commits) {
            return Err(StoreError::corrupt(
                &self.dir,
                format!(
                    "its last {} acknowledged commits of {commits} are missing",
                    commits - meta.commits
                ),
            ));
        }
        let mut content = ContentSummary::default();
        for pair in self.scan(b"") {
            let (key, value) = pair?;
            content.add(&key, &value);
        }
        if content != meta.content {
            return Err(StoreError::corrupt(
                &self.dir,
                format!(
                    "its {} records are not the {} records that were committed",
                    content.count, meta.content.count
                ),
            ));
        }
        Ok(meta)
    }

    /// Runs `work` on the database, unless an earlier failure closed it. A panic closes it.
    fn with<T>(&self, work: impl FnOnce(&::sled::Db) -> ::sled::Result<T>) -> Result<T> {
        let (None, Some(db)) = (self.closed.get(), &self.db) else {
            return Err(StoreError::Closed {
                path: self.dir.clone(),
                reason: self.closed.get().cloned().unwrap_or_default(),
            });
        };
        contain(|| work(db))
            .map_err(|panic| {
                let error = StoreError::corrupt(&self.dir, format!("sled panicked: {panic}"));
                self.close(&error);
                error
            })?
            .map_err(|error| open::failure(&self.dir, error))
    }

    fn close(&self, error: &StoreError) {
        // The first failure is the one worth telling.
        let _ = self.closed.set(error.to_string());
    }

    fn tree_get(&self, tree_key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.with(|db| Ok(db.get(tree_key)?.map(|bytes| bytes.to_vec())))
    }

    /// The value behind the entry `head` of `key`.
    fn decode(&self, key: &[u8], head: &[u8]) -> Result<Vec<u8>> {
        let part = |index| self.tree_get(&record::part_key(key, index));
        record::decode(key, head, part)?.map_err(|fault| match fault {
            RecordFault::Version(found) => meta::newer(&self.dir, found.into()),
            RecordFault::Damage(detail) => StoreError::CorruptRecord {
                path: self.dir.clone(),
                key: readable(key),
                detail,
            },
        })
    }

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.tree_get(&record::head_key(key))? {
            Some(head) => self.decode(key, &head).map(Some),
            None => Ok(None),
        }
    }

    fn page(&self, prefix: &[u8], after: Option<&[u8]>) -> Result<Page> {
        let _view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        let first = record::head_key(after.unwrap_or(prefix));
        let start = if after.is_some() {
            Bound::Excluded(first)
        } else {
            Bound::Included(first)
        };
        let tree_prefix = record::head_key(prefix);
        let heads = self.with(|db| {
            let mut bytes = 0;
            let mut heads = Vec::new();
            for pair in db.range((start, Bound::Unbounded)).take(PrefixScan::PAGE) {
                let (tree_key, head) = pair?;
                if !tree_key.starts_with(&tree_prefix) || bytes >= PrefixScan::PAGE_BYTES {
                    break;
                }
                bytes += head.len();
                heads.push((tree_key[1..].to_vec(), head.to_vec()));
            }
            Ok(heads)
        })?;
        let mut page = Page::with_capacity(heads.len());
        let mut bytes = 0;
        for (key, head) in heads {
            let value = self.decode(&key, &head);
            bytes += value.as_ref().map_or(0, Vec::len);
            page.push_back((key, value));
            if bytes >= PrefixScan::PAGE_BYTES {
                break;
            }
        }
        Ok(page)
    }

    /// Adds the change of `key` to `writes` and `content`.
    fn stage(
        &self,
        writes: &mut ::sled::Batch,
        content: &mut ContentSummary,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<()> {
        let old = self.read(key)?;
        let old_parts = old.as_ref().map_or(0, |old| record::parts(old.len()));
        if let Some(old) = &old {
            content.remove(key, old);
        }
        let mut parts = 0;
        if let Some(value) = value {
            content.add(key, value);
            parts = record::parts(value.len());
            writes.insert(record::head_key(key), record::encode(key, value));
            if parts > 0 {
                for (index, part) in (0..).zip(value.chunks(record::PART)) {
                    writes.insert(record::part_key(key, index), part);
                }
            }
        } else if old.is_some() {
            writes.remove(record::head_key(key));
        }
        for index in parts..old_parts {
            writes.remove(record::part_key(key, index));
        }
        Ok(())
    }

    /// Enters `writes` into the tree and waits until the medium has them.
    fn write(&self, writes: ::sled::Batch, file: &File) -> Result<()> {
        {
            let _view = self.view.write().unwrap_or_else(PoisonError::into_inner);
            self.with(|db| db.apply_batch(writes))?;
        }
        self.with(|db| db.flush().map(drop))?;
        file.sync_all().map_err(StoreError::io("sync", &self.dir))
    }
}

impl Kv for SledKv {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let _view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        self.read(key)
    }

    fn scan(&self, prefix: &[u8]) -> PrefixScan<'_> {
        let prefix = prefix.to_vec();
        PrefixScan::new(move |after| self.page(&prefix, after))
    }

    fn apply(&self, batch: WriteBatch) -> Result<()> {
        let ops = batch.into_ops()?;
        if ops.is_empty() {
            return Ok(());
        }
        let mut commit = self.commit.lock().unwrap_or_else(PoisonError::into_inner);
        let mut meta = commit.meta;
        let mut writes = ::sled::Batch::default();
        for (key, value) in &ops {
            self.stage(&mut writes, &mut meta.content, key, value.as_deref())?;
        }
        meta.commits += 1;
        writes.insert(record::META, record::encode(record::META, &meta.encode()));
        // Half a write, or a sync that failed, leaves memory and medium at odds.
        self.write(writes, &commit.file)
            .inspect_err(|error| self.close(error))?;
        commit.meta = meta;
        // The commit is durable; a witness that lags only proves less.
        let _ = commit.witness.write(meta.commits);
        Ok(())
    }

    fn count(&self) -> Result<u64> {
        let commit = self.commit.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(commit.meta.content.count)
    }
}

impl Drop for SledKv {
    fn drop(&mut self) {
        // Every acknowledged commit is durable already, so nothing is lost if this fails.
        let _ = contain(|| drop(self.db.take()));
        // sled has written files of its own since.
        crate::files::restrict(&self.dir);
    }
}

impl fmt::Debug for SledKv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sled")
            .field("dir", &self.dir)
            .field("closed", &self.closed.get())
            .finish_non_exhaustive()
    }
}
