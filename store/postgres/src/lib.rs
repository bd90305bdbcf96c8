//! A [`SharedStore`](shiftproof_store::shared::SharedStore) in a PostgreSQL database: what
//! processes on several machines have in common.
//!
//! ```no_run
//! use shiftproof_postgres::PostgresStore;
//! use shiftproof_store::shared::SharedStore as _;
//!
//! let store = PostgresStore::open("postgres://ann@db.example/runs", "host-1:4711")?;
//! println!("{} workers at {}", store.workers()?.len(), store.address());
//! # Ok::<(), shiftproof_store::StoreError>(())
//! ```
//!
//! **One statement, one transaction.** Each method is one call of a function that lives in the
//! database (`schema/*.sql`): one round trip, all or nothing, durable when it returns.
//!
//! **Done once.** When a connection is lost, nobody knows whether the last statement was
//! committed. So each connection of a worker has a slot, and each of its operations a number,
//! which is written down by the very transaction that does it. The statement is sent again until
//! the server answers, and a number that is written down already is not done again. Sent twice,
//! it waits for itself: the row of its slot is locked from its beginning to its commit.
//!
//! **Locks** are taken in one order everywhere: the slot, claims by key, values by key, budgets
//! by name. What is in the way nevertheless (a deadlock with a stranger, a serialization failure)
//! is tried again.
//!
//! **Time** is the database's. A worker is alive while the database has heard of it lately; after
//! a restart of the server everybody gets as long once more.
//!
//! **Needs** PostgreSQL 12 or newer, and a role that may make a schema, or one that was made for
//! it. A pooler in between has to pool sessions, not transactions. [`PostgresStore::open_read_only`] needs `USAGE` on the schema and `SELECT` on its tables.

mod address;
mod backend;
mod claims;
mod error;
mod format;
mod kv;
mod lane;
mod rows;
#[cfg(all(unix, feature = "test-server"))]
pub mod server;
mod store;
mod tls;
mod work;

pub use store::PostgresStore;
