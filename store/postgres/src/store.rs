//! The store: opening it, and how its methods reach the database.

use std::fmt;

use shiftproof_store::{Result, StoreError};
use tokio_postgres::Row;

use crate::address::{DatabaseUrl, is_address};
use crate::backend::Backend;
use crate::error::Failure;
use crate::lane::{Endpoint, PATIENCE, Param, Request};
use crate::rows::shown_text;
use crate::tls;

/// A shared store in a PostgreSQL database: see the [crate](crate).
///
/// Dropped, it says farewell: what it had set aside is free again, for none of its callers is
/// still there to send anything.
pub struct PostgresStore {
    url: DatabaseUrl,
    backend: Backend,
    read_only: bool,
}

impl PostgresStore {
    /// Whether `text` is meant as the address of a database of this kind.
    pub fn is_address(text: &str) -> bool {
        is_address(text)
    }

    /// Opens the store at `url` as a new worker, which others see as `worker_name`; makes it if
    /// there is none.
    ///
    /// `url` is what PostgreSQL's own programs read, `postgres://user:password@host:port/database`
    /// with the parameters that `tokio_postgres` knows, and these:
    ///
    /// | parameter | what it is | without it |
    /// |---|---|---|
    /// | `schema` | the schema that holds the store | `shiftproof` |
    /// | `connections` | most connections of this worker, its heartbeat's apart; 1 to 64 | 4 |
    /// | `sslmode` | `disable`, `prefer`, `require`, `verify-ca` or `verify-full`; the last three are one, for a certificate is always verified | `prefer` |
    /// | `sslrootcert` | a PEM file with the authorities of the server's certificate | the system's |
    ///
    /// A password that it lacks is taken from `PGPASSWORD`.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for an address that cannot be read; [`StoreError::Database`] if the
    /// server is out of reach or refuses, with what to do; [`StoreError::NewerFormat`];
    /// [`StoreError::NotAStore`] if the schema holds other tables. None of them tells the password.
    pub fn open(url: &str, worker_name: &str) -> Result<Self> {
        Self::open_as(url, Some(worker_name))
    }

    /// Opens the store to look at it: nobody is told, nothing can be written. The role needs
    /// `USAGE` on the schema and `SELECT` on its tables.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`StoreError::Database`] if there is no store of this version.
    pub fn open_read_only(url: &str) -> Result<Self> {
        Self::open_as(url, None)
    }

    fn open_as(url: &str, worker_name: Option<&str>) -> Result<Self> {
        let password = std::env::var("PGPASSWORD").ok();
        let url = DatabaseUrl::parse(url, password.as_deref())?;
        let endpoint = Endpoint {
            tls: tls::connector(&url)?,
            url: url.clone(),
            read_only: worker_name.is_none(),
        };
        Ok(Self {
            url,
            backend: Backend::open(endpoint, worker_name.map(shown_text))?,
            read_only: worker_name.is_none(),
        })
    }

    /// From now on this worker is taken for dead, as if it had been killed a day ago. It can still
    /// be used, like one that was away for long.
    #[cfg(feature = "test-server")]
    pub fn die(&self) -> Result<()> {
        self.backend.stop_heartbeat();
        let sql = "update worker set seen = seen - interval '1 day' where id = $1";
        self.read(sql, crate::lane::params![self.backend.worker()])?;
        Ok(())
    }

    pub(crate) fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// The rows of a statement that may as well run twice.
    pub(crate) fn read(&self, sql: &'static str, params: Vec<Param>) -> Result<Vec<Row>> {
        let rows = self.backend.run(Request {
            sql,
            params,
            is_operation: false,
            patience: PATIENCE,
        });
        rows.map_err(|failure| failure.explain(&self.url))
    }

    /// The rows of an operation. It knows the worker, the slot and its number as `$1` to `$3`.
    pub(crate) fn write(&self, sql: &'static str, params: Vec<Param>) -> Result<Vec<Row>> {
        self.try_write(sql, params)?
            .map_err(|failure| failure.explain(&self.url))
    }

    /// The same, where the database may refuse for a reason that its caller explains.
    pub(crate) fn try_write(
        &self,
        sql: &'static str,
        params: Vec<Param>,
    ) -> Result<Result<Vec<Row>, Failure>> {
        if self.read_only {
            return Err(StoreError::Database {
                address: self.url.to_string(),
                detail: "it was opened to be read only".into(),
            });
        }
        Ok(self.backend.run(Request {
            sql,
            params,
            is_operation: true,
            patience: PATIENCE,
        }))
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("url", &self.url)
            .field("worker", &self.backend.worker())
            .finish_non_exhaustive()
    }
}
