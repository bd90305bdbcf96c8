//! Tests against a real server. Where a machine has no PostgreSQL they say so and pass.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod chaos;
mod contract;
mod lost;
mod proxy;
mod refused;

use shiftproof_postgres::server::{Durability, TestServer};

/// A server of its own for a test; `None` where there is none to start.
fn server(durability: Durability) -> Option<TestServer> {
    let server = TestServer::start(durability);
    if server.is_none() {
        eprintln!(
            "NOT RUN: this machine has no PostgreSQL (initdb, pg_ctl, postgres and psql on the \
             PATH or in /usr/lib/postgresql/*/bin)"
        );
    }
    server
}
