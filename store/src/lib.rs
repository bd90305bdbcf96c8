//! The embedded store behind shiftproof.
//!
//! Three kinds of data, three file formats, one error type:
//!
//! | type | holds | unit of atomicity | durable when |
//! |---|---|---|---|
//! | [`Kv`] ([`SledKv`], [`MemoryKv`]) | records of up to 64 KiB under ordered keys | [`WriteBatch`] | [`Kv::apply`] returns |
//! | [`BlobFolder`] | larger values, named by their hash | one blob | [`BlobFolder::put`] returns |
//! | [`Journal`] | append-only log of opaque records | one group | [`Journal::append_all`] returns |
//!
//! The store knows no domain type. A typical owner appends what it paid for to a [`Journal`], and
//! keeps a [`Kv`] as an index of it, together with the journal [`JournalPosition`] up to which the index
//! is complete. On open it reads the journal from that position and applies what is missing; should
//! the index ever be corrupt, it is [quarantined](quarantine) and rebuilt from the whole journal:
//!
//! ```
//! use shiftproof_store::{WriteBatch, Journal, Kv, JournalPosition, Result, SledKv, quarantine};
//!
//! fn open_index(dir: &std::path::Path, journal: &Journal) -> Result<SledKv> {
//!     let index = match SledKv::open(dir) {
//!         Err(error) if error.is_corruption() => {
//!             quarantine(dir)?;
//!             SledKv::open(dir)?
//!         }
//!         opened => opened?,
//!     };
//!     let watermark = match index.get(b"watermark")?.as_deref().map(<[u8; 8]>::try_from) {
//!         Some(Ok(offset)) => JournalPosition::from_offset(u64::from_be_bytes(offset)),
//!         _ => JournalPosition::START,
//!     };
//!     // Refuses if the journal is shorter than what the index has seen of it.
//!     let mut missed = journal.read_from(watermark)?;
//!     while let Some(entry) = missed.next().transpose()? {
//!         let mut batch = WriteBatch::new();
//!         batch.put([b"reply/", &entry.payload[..1]].concat(), entry.position.offset().to_be_bytes());
//!         batch.put("watermark", missed.position().offset().to_be_bytes());
//!         index.apply(batch)?;
//!     }
//!     Ok(index)
//! }
//!
//! # let dir = tempfile::tempdir().expect("a temporary directory");
//! # let index_dir = dir.path().join("index");
//! let mut journal = Journal::open(dir.path().join("journal"))?;
//! let group = journal.append_all(&["a: paid for", "b: paid for, too"])?;
//! drop(open_index(&index_dir, &journal)?);
//!
//! std::fs::write(index_dir.join("sled/db"), "disaster").expect("a writable file");
//! let index = open_index(&index_dir, &journal)?;
//! let position = index.get(b"reply/b")?.expect("rebuilt from the journal");
//! assert_eq!(position, group.at[1].offset().to_be_bytes());
//! # Ok::<(), shiftproof_store::StoreError>(())
//! ```
//!
//! # What is promised
//!
//! - **Durability.** What was acknowledged survives `kill -9` and, on hardware that honours
//!   `fsync`, a power failure.
//! - **Atomicity.** A batch, a group, a blob is there in full or not at all.
//! - **Detection.** Every record carries a checksum that covers its key or file offset. [`SledKv`]
//!   moreover keeps a digest of its whole content and verifies it on open, so a record that
//!   vanished is noticed as well as one that changed. Damage is an error, never a `None`.
//! - **Nothing is deleted.** A damaged directory is renamed aside, a torn journal tail is copied
//!   aside before it is cut off.
//!
//! # What is not
//!
//! - Checksums detect accidents, not an adversary who recomputes them.
//! - One process owns a store at a time; another gets [`StoreError::Locked`]. A journal can be *read* by
//!   anyone ([`journal::JournalReader`]).
//! - A scan is consistent page by page, not as a whole ([`Kv::scan`]).
//! - A directory restored from an older backup, all files alike, looks like an older store.
//! - sled panics on some kinds of damage. Those panics are caught and become [`StoreError::Corrupt`],
//!   which needs `panic = "unwind"`. The library leaves the process-wide panic hook alone; a hook
//!   that wants to stay silent about them can ask [`panic_is_contained`].
//! - Damage that makes sled ask for absurd amounts of memory aborts the process. The data is left
//!   untouched.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod blobs;
mod contain;
pub mod contract;
mod error;
pub mod files;
mod fsync;
mod holder;
pub mod journal;
mod kv;
mod lock;
mod memory;
pub mod shared;
mod sled;

pub use blobs::{BlobFolder, BlobId};
pub use contain::panic_is_contained;
pub use error::{Result, StoreError, readable};
pub use fsync::create_dir_all;
pub use holder::LockHolder;
pub use journal::{Journal, JournalPosition};
pub use kv::{Kv, MAX_BATCH, MAX_KEY, MAX_VALUE, Page, Pair, PrefixScan, WriteBatch, check_key};
pub use memory::MemoryKv;
pub use sled::{SledKv, quarantine};
