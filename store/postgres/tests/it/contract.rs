//! The contracts that every backend keeps.

use std::sync::atomic::{AtomicU32, Ordering};

use shiftproof_postgres::PostgresStore;
use shiftproof_postgres::server::Durability;
use shiftproof_store::shared::contract::{self as shared, SharedWorkers};
use shiftproof_store::{Kv, contract};

use crate::server;

/// A schema with its workers.
struct Schema {
    url: String,
    joined: AtomicU32,
}

impl SharedWorkers for Schema {
    type Store = PostgresStore;

    fn join(&self) -> PostgresStore {
        let number = self.joined.fetch_add(1, Ordering::Relaxed);
        PostgresStore::open(&self.url, &format!("worker {number}")).unwrap()
    }

    fn die(&self, worker: &PostgresStore) {
        worker.die().unwrap();
    }
}

#[test]
fn postgres_keeps_shared_contract() {
    let Some(server) = server(Durability::ProcessesOnly) else {
        return;
    };
    let schemas = AtomicU32::new(0);
    shared::check(|| {
        let schema = schemas.fetch_add(1, Ordering::Relaxed);
        Schema {
            url: format!("{}?schema=s{schema}", server.url("postgres")),
            joined: AtomicU32::new(0),
        }
    });
}

#[test]
fn postgres_keeps_contract() {
    let Some(server) = server(Durability::ProcessesOnly) else {
        return;
    };
    let open = |schema: &str| -> Box<dyn Kv> {
        let url = format!("{}?schema={schema}", server.url("postgres"));
        Box::new(PostgresStore::open(&url, "worker").unwrap())
    };
    let schemas = AtomicU32::new(0);
    contract::check(|| open(&format!("s{}", schemas.fetch_add(1, Ordering::Relaxed))));
    contract::check_persistent(|| open("persistent"));
}
