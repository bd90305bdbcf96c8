//! Values too large for the key-value store, as files named by their content.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Result, StoreError};
use crate::fsync;

/// The name of a blob: the BLAKE3 hash of its bytes. Written as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId([u8; 32]);

impl BlobId {
    /// The name that `bytes` would have.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The hash.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The name with this hash.
    pub fn from_bytes(hash: [u8; 32]) -> Self {
        Self(hash)
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl FromStr for BlobId {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self> {
        blake3::Hash::from_hex(text)
            .map(|hash| Self(*hash.as_bytes()))
            .map_err(|error| StoreError::Invalid(format!("blob id {text:?} is malformed: {error}")))
    }
}

/// A directory of immutable, content-addressed files.
///
/// Any number of threads and processes may use one directory at once: equal content is equal
/// files, and files appear whole. A crash can leave a `*.tmp-*` file behind, which nobody reads.
#[derive(Clone, Debug)]
pub struct BlobFolder {
    dir: PathBuf,
}

impl BlobFolder {
    /// Opens the directory, creating it if needed.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self> {
        let dir = dir.into();
        fsync::create_dir_all(&dir)?;
        Ok(Self { dir })
    }

    /// Stores `bytes` durably and returns their name. Storing them again costs a read, and mends a
    /// damaged file.
    pub fn put(&self, bytes: &[u8]) -> Result<BlobId> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);

        let id = BlobId::of(bytes);
        let path = self.path(id);
        if let Ok(Some(_)) = self.get(id) {
            // Another thread may have renamed it and not yet synced the directory.
            fsync::parent(&path)?;
            return Ok(id);
        }
        fsync::create_dir_all(path.parent().unwrap_or(&self.dir))?;
        let temporary = path.with_extension(format!(
            "tmp-{}-{}",
            std::process::id(),
            SERIAL.fetch_add(1, Ordering::Relaxed)
        ));
        fsync::write_whole(&temporary, &path, bytes)?;
        Ok(id)
    }

    /// The bytes named `id`, or `None` if they were never stored here.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the file's content does not match its name.
    pub fn get(&self, id: BlobId) -> Result<Option<Vec<u8>>> {
        let path = self.path(id);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("read blob", &path)(error)),
        };
        if BlobId::of(&bytes) == id {
            Ok(Some(bytes))
        } else {
            Err(StoreError::corrupt(
                &path,
                format!("its {} bytes do not hash to its name", bytes.len()),
            ))
        }
    }

    /// Two levels, so that no directory grows beyond what file systems and people handle well.
    fn path(&self, id: BlobId) -> PathBuf {
        let hex = id.to_string();
        let (first, rest) = hex.split_at(2);
        Path::new(&self.dir).join(first).join(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blobs() -> (tempfile::TempDir, BlobFolder) {
        let dir = tempfile::tempdir().unwrap();
        let blobs = BlobFolder::open(dir.path().join("blobs")).unwrap();
        (dir, blobs)
    }

    #[test]
    fn stored_values_come_back() {
        let (_dir, blobs) = blobs();
        for bytes in [vec![], vec![7; 3_000_000]] {
            let id = blobs.put(&bytes).unwrap();
            assert_eq!(blobs.put(&bytes).unwrap(), id);
            assert_eq!(blobs.get(id).unwrap(), Some(bytes));
            assert_eq!(id.to_string().parse::<BlobId>().unwrap(), id);
        }
        assert_eq!(blobs.get(BlobId::of(b"never stored")).unwrap(), None);
    }

    #[test]
    fn rewriting_repairs_damage() {
        let (_dir, blobs) = blobs();
        let id = blobs.put(b"precious").unwrap();
        for damaged in [&b"preciouS"[..], b"", b"precious "] {
            fs::write(blobs.path(id), damaged).unwrap();
            assert!(blobs.get(id).unwrap_err().is_corruption());
        }
        blobs.put(b"precious").unwrap();
        assert_eq!(blobs.get(id).unwrap().unwrap(), b"precious");
    }

    #[test]
    fn temporary_files_are_no_blobs() {
        let (_dir, blobs) = blobs();
        let id = BlobId::of(b"half");
        let path = blobs.path(id);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path.with_extension("tmp-1-0"), b"ha").unwrap();
        assert_eq!(blobs.get(id).unwrap(), None);
    }

    #[test]
    fn malformed_names_are_refused() {
        for text in ["", "00", &"g".repeat(64), &"0".repeat(66)] {
            assert!(text.parse::<BlobId>().is_err());
        }
    }
}
