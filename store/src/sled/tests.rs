//! Damage that sled itself takes for healthy data: entries changed behind the store's back.

use super::*;

const PATH: &str = "store";

/// A store with a small and a large record.
fn store() -> (tempfile::TempDir, SledKv) {
    let dir = tempfile::tempdir().unwrap();
    let store = SledKv::open(dir.path().join(PATH)).unwrap();
    let mut batch = WriteBatch::new();
    batch
        .put("small", "1")
        .put("large", vec![2; 10_000])
        .put("other", "3");
    store.apply(batch).unwrap();
    (dir, store)
}

fn tamper(store: &SledKv, tree_key: Vec<u8>, value: Option<Vec<u8>>) {
    store
        .with(|db| match value {
            Some(value) => db.insert(tree_key, value).map(drop),
            None => db.remove(tree_key).map(drop),
        })
        .unwrap();
}

fn reopen(dir: &tempfile::TempDir, store: SledKv) -> StoreError {
    drop(store);
    SledKv::open(dir.path().join(PATH)).unwrap_err()
}

fn assert_names(error: &StoreError, expected: &str) {
    assert!(
        matches!(error, StoreError::CorruptRecord { key, .. } if key == expected),
        "{error}"
    );
}

#[test]
fn changed_entry_names_its_key() {
    let healthy = record::encode(b"small", b"1");
    let mut damages: Vec<Vec<u8>> = (0..healthy.len())
        .filter(|&at| at != 0)
        .map(|at| {
            let mut entry = healthy.clone();
            entry[at] ^= 4;
            entry
        })
        .collect();
    damages.extend([
        vec![],
        healthy[..5].to_vec(),
        [&healthy[..], b"x"].concat(),
        [&[0], &healthy[1..]].concat(),
        // Healthy, but of another key.
        record::encode(b"other", b"1"),
    ]);
    let (dir, store) = store();
    for entry in damages {
        tamper(&store, record::head_key(b"small"), Some(entry));
        assert_names(&store.get(b"small").unwrap_err(), "small");
        let scanned: Vec<_> = store.scan(b"").collect();
        assert_eq!(scanned.len(), 3, "a scan goes on after a damaged record");
        assert_names(scanned[2].as_ref().unwrap_err(), "small");
        assert_eq!(scanned.iter().filter(|item| item.is_ok()).count(), 2);
        // Nor can it be overwritten unnoticed.
        let mut batch = WriteBatch::new();
        batch.put("small", "mended").put("innocent", "1");
        assert_names(&store.apply(batch).unwrap_err(), "small");
        assert_eq!(store.get(b"innocent").unwrap(), None);
    }
    assert_names(&reopen(&dir, store), "small");
}

#[test]
fn changed_part_is_refused() {
    for part in [None, Some(vec![2; 4095]), Some(vec![3; 4096])] {
        let (dir, store) = store();
        tamper(&store, record::part_key(b"large", 1), part);
        assert_names(&store.get(b"large").unwrap_err(), "large");
        assert_names(&reopen(&dir, store), "large");
    }
}

#[test]
fn missing_records_are_noticed() {
    let (dir, lacking) = store();
    tamper(&lacking, record::head_key(b"other"), None);
    assert!(
        reopen(&dir, lacking)
            .to_string()
            .contains("2 records are not the 3 records")
    );

    let (dir, crowded) = store();
    tamper(
        &crowded,
        record::head_key(b"new"),
        Some(record::encode(b"new", b"")),
    );
    assert!(reopen(&dir, crowded).is_corruption());

    let (dir, outdated) = store();
    tamper(
        &outdated,
        record::head_key(b"other"),
        Some(record::encode(b"other", b"2")),
    );
    assert!(reopen(&dir, outdated).is_corruption());
}

#[test]
fn malformed_schema_is_corrupt() {
    let short = record::encode(record::META, &StoreMeta::default().encode()[..20]);
    for head in [None, Some(vec![1; 40]), Some(short)] {
        let (dir, store) = store();
        tamper(&store, record::META.to_vec(), head);
        assert!(reopen(&dir, store).is_corruption());
    }
}

#[test]
fn newer_store_format_is_refused() {
    let newer = [&2_u32.to_le_bytes()[..], &[0; 50]].concat();
    let (dir, store) = store();
    tamper(
        &store,
        record::META.to_vec(),
        Some(record::encode(record::META, &newer)),
    );
    let error = reopen(&dir, store);
    assert!(
        matches!(
            error,
            StoreError::NewerFormat {
                found: 2,
                supported: 1,
                ..
            }
        ),
        "{error}"
    );

    let (_dir, store) = self::store();
    tamper(&store, record::head_key(b"small"), Some(vec![9; 30]));
    let error = store.get(b"small").unwrap_err();
    assert!(
        matches!(error, StoreError::NewerFormat { found: 9, .. }),
        "{error}"
    );
}

#[test]
fn panic_closes_handle() {
    let (dir, store) = store();
    let error = store.with(|_| -> ::sled::Result<()> { panic!("sled lost its mind") });
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("sled lost its mind")
    );
    for refused in [
        store.get(b"small").map(drop),
        store.apply(WriteBatch::new().put("a", "b").clone()),
    ] {
        assert!(matches!(refused, Err(StoreError::Closed { .. })));
    }
    assert!(store.scan(b"").next().unwrap().is_err());
    drop(store);
    let store = SledKv::open(dir.path().join(PATH)).unwrap();
    assert_eq!(store.get(b"small").unwrap().unwrap(), b"1");
}
