//! What goes wrong with a database is said so that it can be mended, and without a password.

use std::fs;
use std::path::Path;
use std::process::Command;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use shiftproof_postgres::PostgresStore;
use shiftproof_postgres::server::{Durability, PASSWORD, Shutdown, TestServer};
use shiftproof_store::shared::{AmountLimits, SharedStore as _, WorkItem};
use shiftproof_store::{Kv as _, StoreError, WriteBatch};

use crate::server;

/// The error of opening `url`, as a person reads it.
fn refusal(url: &str) -> String {
    let error = PostgresStore::open(url, "worker").unwrap_err();
    assert_told(&error, &[])
}

/// Every word is in the error, and no password.
#[track_caller]
fn assert_told(error: &StoreError, words: &[&str]) -> String {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
    for told in [text.clone(), format!("{error:?}")] {
        assert!(
            !told.contains(PASSWORD) && !told.contains("s3cret"),
            "{told}"
        );
    }
    text
}

#[track_caller]
fn assert_refused(url: &str, words: &[&str]) {
    let error = PostgresStore::open(url, "worker").unwrap_err();
    assert_told(&error, words);
}

#[test]
fn refusals_say_what_to_do() {
    let Some(server) = server(Durability::ProcessesOnly) else {
        return;
    };
    let port = server.port();
    assert_refused(
        &server.url_of("shiftproof", "s3cret", "postgres"),
        &["refuses the password", "shiftproof", "PGPASSWORD"],
    );
    assert_refused(
        &format!("postgres://shiftproof@127.0.0.1:{port}/postgres"),
        &["wants a password", "PGPASSWORD"],
    );
    assert_refused(
        &server.url("nowhere"),
        &["no database \"nowhere\"", "createdb nowhere"],
    );
    assert_refused(
        &format!("{}?sslmode=require", server.url("postgres")),
        &["no encryption", "ssl", "sslmode=disable"],
    );
    assert_refused(
        &format!("{}?sslrootcert=/no/such/file", server.url("postgres")),
        &["sslrootcert /no/such/file"],
    );
    let address = format!("127.0.0.1:{port}/postgres");
    server.sql("postgres", "create role weak login password 's3cret'");
    let weak = server.url_of("weak", "s3cret", "postgres");
    assert_refused(
        &weak,
        &[
            "weak",
            &address,
            "permission denied",
            "CREATE on the database",
        ],
    );

    server.sql(
        "postgres",
        "create schema crowded create table crowded.other (id int)",
    );
    let foreign = PostgresStore::open(&format!("{}?schema=crowded", server.url("postgres")), "w");
    let error = foreign.unwrap_err();
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error:?}");
    assert_told(&error, &["crowded", "\"other\""]);
}

#[test]
fn full_and_missing_servers_are_told() {
    let Some(mut server) = server(Durability::ProcessesOnly) else {
        return;
    };
    server.set("-c max_connections=4 -c superuser_reserved_connections=0");
    server.stop(Shutdown::Fast).unwrap();
    assert_refused(
        &server.url("postgres"),
        &["no server answers there", "is it running"],
    );
    server.start_again().unwrap();
    let url = server.url("postgres");
    // A heartbeat each, once they have shown life; the first statements need one.
    let mut stores = Vec::new();
    let error = loop {
        match PostgresStore::open(&url, "worker") {
            Ok(store) => stores.push(store),
            Err(error) => break error,
        }
        assert!(stores.len() < 5);
    };
    assert_told(
        &error,
        &["no connection left", "max_connections", "`connections`"],
    );
    drop(stores);
    let store = PostgresStore::open(&format!("{url}?connections=1"), "worker").unwrap();
    assert_eq!(store.count().unwrap(), 0);
}

#[test]
fn newer_and_older_schemas_are_told_apart() {
    let Some(server) = server(Durability::ProcessesOnly) else {
        return;
    };
    let url = server.url("postgres");
    let nothing = PostgresStore::open_read_only(&url).unwrap_err();
    assert_told(&nothing, &["\"shiftproof\"", "no store", "may write"]);
    drop(PostgresStore::open(&url, "worker").unwrap());
    server.sql("postgres", "update shiftproof.format set version = 99");
    for opened in [
        PostgresStore::open(&url, "w"),
        PostgresStore::open_read_only(&url),
    ] {
        let error = opened.unwrap_err();
        assert!(
            matches!(error, StoreError::NewerFormat { found: 99, .. }),
            "{error:?}"
        );
        assert_told(&error, &["version 99", "newer release"]);
    }
}

/// Many processes that open an empty database at once make one schema.
#[test]
fn schema_is_made_once() {
    let Some(server) = server(Durability::ProcessesOnly) else {
        return;
    };
    let url = server.url("postgres");
    std::thread::scope(|scope| {
        let open = || PostgresStore::open(&url, "worker").unwrap();
        let opened: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        let stores: Vec<_> = opened.into_iter().map(|it| it.join().unwrap()).collect();
        assert_eq!(stores[0].workers().unwrap().len(), 8);
    });
}

/// A role that may read sees everything and changes nothing.
#[test]
fn readers_need_no_more_than_select() {
    let Some(server) = server(Durability::ProcessesOnly) else {
        return;
    };
    let store = PostgresStore::open(&server.url("postgres"), "worker").unwrap();
    store.set_budget("b", AmountLimits::default()).unwrap();
    store
        .offer_values(&[(b"k".to_vec(), b"v".to_vec())])
        .unwrap();
    let item = WorkItem {
        id: "i".into(),
        payload: Vec::new(),
    };
    store.add_work("q", &[item]).unwrap();
    store.write_file("folder", "file", 0, b"bytes").unwrap();
    server.sql("postgres", "create role reader login password 's3cret'");
    let url = server.url_of("reader", "s3cret", "postgres");
    let error = PostgresStore::open_read_only(&url).unwrap_err();
    assert_told(&error, &["reader", "USAGE", "SELECT"]);
    server.sql(
        "postgres",
        "grant usage on schema shiftproof to reader; \
         grant select on all tables in schema shiftproof to reader",
    );
    let reader = PostgresStore::open_read_only(&url).unwrap();
    assert_eq!(
        reader.values(&[b"k".to_vec()]).unwrap(),
        [Some(b"v".to_vec())]
    );
    assert_eq!(reader.budgets().unwrap().len(), 1);
    assert_eq!(reader.work("q").unwrap().len(), 1);
    assert_eq!(reader.queues().unwrap(), ["q"]);
    assert_eq!(reader.files("folder").unwrap().len(), 1);
    assert!(reader.read_file("folder", "file", 0).unwrap().is_some());
    assert_eq!(reader.workers().unwrap().len(), 1, "nobody sees the reader");
    assert_eq!((reader.count().unwrap(), reader.scan(b"").count()), (0, 0));
    let mut batch = WriteBatch::new();
    batch.put("k", "v");
    for refused in [
        reader.apply(batch),
        reader.take_work("q").map(drop),
        reader.claim(None, &[]).map(drop),
        reader.write_file("folder", "file", 0, b""),
        reader.lock("name").map(drop),
    ] {
        assert_told(&refused.unwrap_err(), &["opened to be read only"]);
    }
    // Nor may a role that only reads be a worker.
    assert_refused(&url, &["reader", "permission denied"]);
}

#[test]
fn damage_is_an_error() {
    let Some(server) = server(Durability::ProcessesOnly) else {
        return;
    };
    let url = server.url("postgres");
    let store = PostgresStore::open(&url, "worker").unwrap();
    let mut batch = WriteBatch::new();
    batch.put("a", "1").put("b", "2").put("c", "3");
    store.apply(batch).unwrap();
    let (key, piece) = (b"k".to_vec(), vec![7; 1000]);
    store.offer_values(&[(key.clone(), b"v".to_vec())]).unwrap();
    store.write_file("folder", "file", 0, &piece).unwrap();
    server.sql(
        "postgres",
        "update shiftproof.kv_record set value = '\\x33' where key = 'b';
         update shiftproof.stored_value set value = '\\x33';
         update shiftproof.file_piece set bytes = set_byte(bytes, 500, 8)",
    );
    let damaged = |error: StoreError| {
        assert!(error.is_corruption(), "{error:?}");
        assert_told(&error, &["corrupt", "checksum"]);
    };
    damaged(store.get(b"b").unwrap_err());
    damaged(store.values(std::slice::from_ref(&key)).unwrap_err());
    damaged(store.read_file("folder", "file", 0).unwrap_err());
    let records: Vec<_> = store.scan(b"").collect();
    assert_eq!(records.len(), 3);
    assert!(records[0].is_ok() && records[1].is_err() && records[2].is_ok());
}

/// What a database cannot hold is refused here, and what people are told is made fit.
#[test]
fn texts_fit_the_database() {
    let Some(server) = server(Durability::ProcessesOnly) else {
        return;
    };
    let store = PostgresStore::open(&server.url("postgres"), "nul\0 worker").unwrap();
    assert_eq!(store.workers().unwrap()[0].name, "nul\u{fffd} worker");
    let long = "n".repeat(2000);
    for name in ["nul\0", &long] {
        let item = WorkItem {
            id: name.to_owned(),
            payload: Vec::new(),
        };
        for refused in [
            store.set_budget(name, AmountLimits::default()),
            store.add_work("q", &[item]),
            store.add_work(name, &[]),
            store.lock(name).map(drop),
            store.write_file(name, "file", 0, b""),
            store.files(name).map(drop),
            store.claim(Some(name), &[]).map(drop),
            store.offer_values(&[(vec![1; 300], Vec::new())]),
        ] {
            assert!(
                matches!(refused, Err(StoreError::Invalid(_))),
                "{refused:?}"
            );
        }
    }
    let item = WorkItem {
        id: "i".into(),
        payload: vec![0, 1, 2],
    };
    store.add_work("q", std::slice::from_ref(&item)).unwrap();
    assert_eq!(store.take_work("q").unwrap(), Some(item));
    assert!(
        store
            .end_work("q", "i", Err("a reason\0 of a model"))
            .unwrap()
    );
    let failure = store.work("q").unwrap().remove(0).failure;
    assert_eq!(failure.as_deref(), Some("a reason\u{fffd} of a model"));
}

/// A disk that is full is an error that says so, and nothing is lost by it.
#[test]
fn full_disks_lose_nothing() {
    let Some(server) = server(Durability::ProcessesOnly) else {
        return;
    };
    let Some(disk) = SmallDisk::mount(&server) else {
        eprintln!("NOT RUN: no small disk can be mounted here");
        return;
    };
    server.sql(
        "postgres",
        &format!("create tablespace small location '{}'", disk.path.display()),
    );
    server.sql("postgres", "create database small tablespace small");
    let store = PostgresStore::open(&server.url("small"), "worker").unwrap();
    // Nothing that could be compressed.
    let value = |n: u32| {
        let mut bytes = vec![0; 60_000];
        StdRng::seed_from_u64(u64::from(n)).fill_bytes(&mut bytes);
        (n.to_be_bytes().to_vec(), bytes)
    };
    let mut stored = Vec::new();
    let error = loop {
        let n = stored.len() as u32;
        match store.offer_values(&[value(n)]) {
            Ok(()) => stored.push(n),
            Err(error) => break error,
        }
        assert!(stored.len() < 2000, "the disk is not full");
    };
    assert!(error.is_full(), "{error:?}");
    assert_told(&error, &["disk is full", "make room"]);
    assert!(stored.len() > 10);
    let keys: Vec<_> = stored.iter().map(|n| value(*n).0).collect();
    let values = store.values(&keys).unwrap();
    assert!(
        stored
            .iter()
            .zip(values)
            .all(|(n, found)| found == Some(value(*n).1))
    );
    drop(store);
    server.sql("postgres", "drop database small");
    server.sql("postgres", "drop tablespace small");
    drop(disk);
}

/// A file system of a few megabytes.
struct SmallDisk {
    path: std::path::PathBuf,
}

impl SmallDisk {
    fn mount(server: &TestServer) -> Option<Self> {
        let path = server.data().parent()?.join("small");
        fs::create_dir(&path).ok()?;
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"])
            .arg(&path)
            .output();
        if !mount.is_ok_and(|mount| mount.status.success()) {
            return None;
        }
        let disk = Self { path };
        server.give(&disk.path).ok()?;
        Some(disk)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).output();
    }
}

/// Encryption with a certificate of an authority that the address names; another is not trusted.
#[test]
fn connections_are_encrypted_and_verified() {
    let Some(mut server) = server(Durability::ProcessesOnly) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let Some((certificate, key)) = certificate(folder.path(), "localhost") else {
        eprintln!("NOT RUN: this machine has no openssl to make a certificate with");
        return;
    };
    for (file, name) in [(&certificate, "server.crt"), (&key, "server.key")] {
        let at = server.data().join(name);
        fs::write(&at, file).unwrap();
        server.give(&at).unwrap();
    }
    server.set("-c ssl=on");
    server.stop(Shutdown::Fast).unwrap();
    server.start_again().unwrap();
    let roots = folder.path().join("roots.pem");
    fs::write(&roots, &certificate).unwrap();
    let url = server.url("postgres").replace("127.0.0.1", "localhost");
    let roots = roots.display();

    // Whoever is not known is not trusted, though encryption was not asked for.
    assert_refused(&url, &["encrypted connection failed", "sslrootcert=FILE"]);
    let other_name = url.replace("localhost", "127.0.0.1");
    let other_name = format!("{other_name}?sslmode=verify-full&sslrootcert={roots}");
    assert_refused(&other_name, &["encrypted connection failed"]);
    let encrypted = |url: &str| {
        let store = PostgresStore::open(url, "worker").unwrap();
        let sql = "select bool_and(s.ssl) from pg_stat_ssl s join pg_stat_activity a using (pid) \
                   where a.application_name = 'shiftproof'";
        let is_encrypted = server.sql("postgres", sql);
        drop(store);
        is_encrypted
    };
    assert_eq!(
        encrypted(&format!("{url}?sslmode=verify-full&sslrootcert={roots}")),
        "t"
    );
    assert_eq!(encrypted(&format!("{url}?sslrootcert={roots}")), "t");
    assert_eq!(encrypted(&format!("{url}?sslmode=disable")), "f");

    fs::write(
        server.data().join("pg_hba.conf"),
        "hostssl all all all scram-sha-256\n",
    )
    .unwrap();
    server.stop(Shutdown::Fast).unwrap();
    server.start_again().unwrap();
    assert_refused(
        &format!("{url}?sslmode=disable"),
        &["without encryption", "sslmode=require"],
    );
    let told = refusal(&format!("{}?sslrootcert={}", url, server.data().display()));
    assert!(told.contains("sslrootcert"), "{told}");
}

/// A certificate that signs itself, and its key, in PEM.
/// `None` where this machine has no openssl.
fn certificate(folder: &Path, host: &str) -> Option<(String, String)> {
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args(["-subj", &format!("/CN={host}")])
        .args(["-addext", &format!("subjectAltName=DNS:{host}")])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-out")
        .arg(&certificate)
        .arg("-keyout")
        .arg(&key)
        .output()
        .ok()?;
    assert!(made.status.success(), "{made:?}");
    Some((
        fs::read_to_string(certificate).unwrap(),
        fs::read_to_string(key).unwrap(),
    ))
}
