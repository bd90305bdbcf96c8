//! The schema that the store lives in: made, brought up to date, or found to be another's.

use std::time::Duration;

use shiftproof_store::StoreError;
use shiftproof_store::shared::MAX_ATTEMPTS;
use tokio_postgres::{Client, GenericClient, Transaction};

use crate::address::DatabaseUrl;
use crate::error::Failure;
use crate::rows::size;

/// What leads from one version of the schema to the next, in order. None of them ever changes
/// once it was released: what is new comes as another.
const MIGRATIONS: [&[&str]; 1] = [&[
    include_str!("schema/tables.sql"),
    include_str!("schema/workers.sql"),
    include_str!("schema/claims.sql"),
    include_str!("schema/work.sql"),
    include_str!("schema/files.sql"),
]];

/// Checks the schema and, unless `read_only`, makes it or brings it up to date. Returns after how
/// long without a sign of life a worker is taken for dead.
pub(crate) async fn prepare(
    client: &mut Client,
    url: &DatabaseUrl,
    read_only: bool,
) -> Result<Duration, Failure> {
    if version(client, url).await? != Some(MIGRATIONS.len()) {
        if read_only {
            return Err(not_yet(url).into());
        }
        migrate(client, url, &MIGRATIONS).await?;
    }
    let sql = "select extract(epoch from worker_timeout)::double precision from format";
    let seconds: f64 = client.query_one(sql, &[]).await?.try_get(0)?;
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or(shiftproof_store::shared::WORKER_TIMEOUT))
}

/// Applies the migrations that are missing, all or none. Several processes that do so at once wait
/// for each other.
async fn migrate(
    client: &mut Client,
    url: &DatabaseUrl,
    migrations: &[&[&str]],
) -> Result<(), Failure> {
    let schema = &url.schema;
    let transaction = client.transaction().await?;
    transaction
        .execute(
            "select pg_advisory_xact_lock(hashtextextended('shiftproof ' || $1, 0))",
            &[schema],
        )
        .await?;
    let applied = version(&transaction, url).await?;
    if applied.is_none() {
        refuse_foreign(&transaction, url).await?;
    }
    let sql = "select from pg_namespace where nspname = $1";
    if transaction.query(sql, &[schema]).await?.is_empty() {
        transaction
            .batch_execute(&format!("create schema {schema}"))
            .await?;
    }
    for migration in migrations.iter().skip(applied.unwrap_or(0)) {
        for part in *migration {
            let part = part.replace("{max_attempts}", &MAX_ATTEMPTS.to_string());
            transaction.batch_execute(&part).await?;
        }
    }
    let sql = "insert into format (version) values ($1::bigint)
               on conflict (only_row) do update set version = excluded.version";
    transaction.execute(sql, &[&size(migrations.len())]).await?;
    transaction.commit().await?;
    Ok(())
}

/// The version of the schema; `None` if it holds no store.
///
/// # Errors
/// [`StoreError::NewerFormat`].
async fn version(client: &impl GenericClient, url: &DatabaseUrl) -> Result<Option<usize>, Failure> {
    // By the catalogue: a role without rights to the schema cannot look a name up in it.
    let sql = "select from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where n.nspname = $1 and c.relname in ('format', 'stored_value') having count(*) = 2";
    if client.query(sql, &[&url.schema]).await?.is_empty() {
        return Ok(None);
    }
    // With its schema: a role that may not use it is told so, and not that there is no such table.
    let sql = format!("select version from {}.format", url.schema);
    let row = client.query_opt(&sql, &[]).await?;
    let Some(row) = row else { return Ok(None) };
    let found: i32 = row.try_get(0)?;
    let supported = MIGRATIONS.len();
    match usize::try_from(found) {
        Ok(found) if found <= supported => Ok(Some(found)),
        _ => Err(StoreError::NewerFormat {
            path: url.to_string().into(),
            found: found as u32,
            supported: supported as u32,
        }
        .into()),
    }
}

/// A schema with other tables is left alone.
async fn refuse_foreign(transaction: &Transaction<'_>, url: &DatabaseUrl) -> Result<(), Failure> {
    let sql = "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where n.nspname = $1 order by 1 limit 1";
    let other = transaction.query_opt(sql, &[&url.schema]).await?;
    let Some(row) = other else { return Ok(()) };
    Err(StoreError::NotAStore {
        path: url.to_string().into(),
        found: format!("{:?}", row.try_get::<_, String>(0)?),
    }
    .into())
}

/// There is nothing to read, or it is too old.
fn not_yet(url: &DatabaseUrl) -> StoreError {
    StoreError::Database {
        address: url.to_string(),
        detail: format!(
            "its schema {:?} holds no store of this version; open it once with a role that may \
             write",
            url.schema
        ),
    }
}

#[cfg(all(test, unix, feature = "test-server"))]
mod tests {
    use shiftproof_store::shared::SharedStore as _;

    use super::*;
    use crate::PostgresStore;
    use crate::lane::Endpoint;
    use crate::server::{Durability, TestServer};

    /// A later version's migrations are applied to what an earlier one made, all or none of them.
    #[test]
    fn older_schemas_are_brought_up_to_date() {
        let Some(server) = TestServer::start(Durability::ProcessesOnly) else {
            return eprintln!("NOT RUN: this machine has no PostgreSQL");
        };
        let text = server.url("postgres");
        let store = PostgresStore::open(&text, "worker").unwrap();
        store
            .offer_values(&[(b"k".to_vec(), b"v".to_vec())])
            .unwrap();
        let url = DatabaseUrl::parse(&text, None).unwrap();
        let endpoint = Endpoint {
            tls: crate::tls::connector(&url).unwrap(),
            url: url.clone(),
            read_only: false,
        };
        let now = MIGRATIONS.len();
        let with = |next: &'static [&'static str]| {
            let mut all = MIGRATIONS.to_vec();
            all.push(next);
            all
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut connection = endpoint.connect().await.unwrap();
            let client = &mut connection.client;
            let broken = with(&["create table half (id integer)", "no statement at all"]);
            migrate(client, &url, &broken).await.unwrap_err();
            assert_eq!(version(client, &url).await.unwrap(), Some(now));
            let half = "select to_regclass('half') is null";
            assert!(client.query_one(half, &[]).await.unwrap().get::<_, bool>(0));

            let next = with(&["alter table stored_value add column new_one integer"]);
            migrate(client, &url, &next).await.unwrap();
            // Done already: nothing is done twice.
            migrate(client, &url, &next[..now]).await.unwrap_err();
            let error = version(client, &url).await.unwrap_err().explain(&url);
            let StoreError::NewerFormat { found, .. } = error else {
                panic!("{error:?}");
            };
            assert_eq!(found as usize, now + 1);
        });
        // Who was there goes on.
        let values = store.values(&[b"k".to_vec()]).unwrap();
        assert_eq!(values, [Some(b"v".to_vec())]);
    }
}
