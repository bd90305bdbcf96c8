//! Files in folders.

use super::{SharedWorkers, assert_invalid};
use crate::shared::{MAX_PIECE, SharedStore};

fn write(store: &impl SharedStore, name: &str, offset: usize, bytes: &[u8]) {
    store
        .write_file("folder", name, offset as u64, bytes)
        .expect("a file is written");
}

fn read(store: &impl SharedStore, name: &str, offset: usize) -> Option<Vec<u8>> {
    let bytes = store.read_file("folder", name, offset as u64);
    bytes.expect("a file is read")
}

/// All of a file, piece by piece.
fn whole(store: &impl SharedStore, name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let piece = read(store, name, bytes.len()).expect("the file is there");
        assert!(piece.len() <= MAX_PIECE);
        if piece.is_empty() {
            return bytes;
        }
        bytes.extend(piece);
    }
}

pub(super) fn files_are_written_and_read<W: SharedWorkers>(workers: &W) {
    let (one, other) = (workers.join(), workers.join());
    assert_eq!(read(&one, "log", 0), None);
    write(&one, "log", 0, b"first,");
    write(&other, "log", 6, b"second,");
    write(&one, "log", 13, b"third");
    assert_eq!(whole(&other, "log"), b"first,second,third");
    assert_eq!(read(&other, "log", 8).as_deref(), Some(&b"cond,third"[..]));
    assert_eq!(read(&other, "log", 18).as_deref(), Some(&b""[..]));
    assert_eq!(read(&other, "log", usize::MAX).as_deref(), Some(&b""[..]));
    // Written in the middle of a piece, the file ends behind it.
    write(&one, "log", 8, b"-");
    assert_eq!(whole(&other, "log"), b"first,se-");
    write(&one, "log", 7, b"");
    assert_eq!(whole(&other, "log"), b"first,s");
    write(&one, "log", 7, b"!");
    assert_eq!(whole(&other, "log"), b"first,s!");

    let large: Vec<u8> = (0..MAX_PIECE * 2 + 5).map(|i| (i / 7) as u8).collect();
    for (i, piece) in large.chunks(MAX_PIECE / 3).enumerate() {
        write(&one, "large", i * (MAX_PIECE / 3), piece);
    }
    assert!(whole(&other, "large") == large, "a large file comes back");
    write(&one, "empty", 0, b"");
    assert_eq!(read(&other, "empty", 0).as_deref(), Some(&b""[..]));

    one.write_file("folder 2", "log", 0, b"other")
        .expect("a file is written");
    let files = |folder| -> Vec<(String, u64)> {
        let files = other.files(folder).expect("files are listed");
        files
            .into_iter()
            .map(|file| (file.name, file.len))
            .collect()
    };
    let named = |name: &str, len: usize| (name.to_owned(), len as u64);
    assert_eq!(
        files("folder"),
        [
            named("empty", 0),
            named("large", large.len()),
            named("log", 8)
        ]
    );
    one.remove_folder("folder").expect("a folder is removed");
    assert_eq!(files("folder"), []);
    assert_eq!(read(&other, "log", 0), None);
    assert_eq!(files("folder 2"), [named("log", 5)]);
    write(&one, "log", 0, b"new");
    assert_eq!(whole(&other, "log"), b"new");
}

pub(super) fn bad_writes_change_nothing<W: SharedWorkers>(workers: &W) {
    let one = workers.join();
    write(&one, "log", 0, b"abc");
    assert_invalid(&one.write_file("folder", "log", 4, b"gap"));
    assert_invalid(&one.write_file("folder", "log", 3, &vec![0; MAX_PIECE + 1]));
    assert_eq!(whole(&one, "log"), b"abc");
    assert_invalid(&one.write_file("folder", "new", 1, b"gap"));
    assert_eq!(read(&one, "new", 0), None, "a refused file is not made");
}
