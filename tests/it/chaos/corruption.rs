//! Every file of a store, damaged in every way: what is read of it is an error, or
//! what it was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::faults::files;
use super::{Draw, RUN, amount, desk, placeless};
use crate::support::mock_server::MockServer;
use crate::support::program::{Desk, Ended, model};

/// Damages the file; returns how.
fn damage(path: &Path, draw: &mut Draw) -> String {
    let mut bytes = std::fs::read(path).unwrap();
    let length = bytes.len() as u64;
    let at = draw.below(length) as usize;
    let (how, bytes) = match draw.below(9) {
        0..=2 if length > 0 => {
            let bit = draw.below(8);
            bytes[at] ^= 1 << bit;
            (format!("bit {bit} of byte {at} flipped"), Some(bytes))
        }
        3 if length > 0 => {
            // Another digit or letter: what a checksum alone can tell.
            let digits: Vec<usize> = (0..bytes.len())
                .filter(|&at| bytes[at].is_ascii_digit())
                .collect();
            let at = digits
                .get(draw.below(digits.len() as u64) as usize)
                .copied()
                .unwrap_or(at);
            bytes[at] = if bytes[at] == b'7' { b'3' } else { b'7' };
            (format!("byte {at} is another digit"), Some(bytes))
        }
        4 => {
            bytes.truncate(at);
            (format!("cut at {at}"), Some(bytes))
        }
        5 => {
            let end = bytes.len().min(at + 1 + draw.below(4096) as usize);
            bytes[at.min(end)..end].fill(0);
            (format!("zeros from {at} to {end}"), Some(bytes))
        }
        6 => {
            let end = bytes.len().min(at + 1 + draw.below(512) as usize);
            let piece = bytes[at.min(end)..end].to_vec();
            bytes.splice(end..end, piece);
            (format!("{at} to {end} is there twice"), Some(bytes))
        }
        7 => {
            bytes.extend((0..=draw.below(300)).map(|n| (n * 37) as u8));
            ("something at its end".to_owned(), Some(bytes))
        }
        _ => ("gone".to_owned(), None),
    };
    match bytes {
        Some(bytes) => std::fs::write(path, bytes).unwrap(),
        None => std::fs::remove_file(path).unwrap(),
    }
    how
}

/// Commands that read a store, and what they say of one that is whole.
const COMMANDS: [&[&str]; 8] = [
    &["report", RUN],
    &["runs", "show", RUN, "--json"],
    &["optimize", "--quiet", "--resume", RUN],
    &["export", RUN],
    &["optimize", "--quiet", "--json"],
    &["replay", RUN, "--headless"],
    &["watch", RUN, "--headless"],
    &["runs", "--json"],
];

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for path in files(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(&path, &target).unwrap();
    }
}

struct Whole {
    desk: Desk,
    said: Vec<Ended>,
}

/// A finished run with its store, and what is said of it.
async fn whole(server: &MockServer) -> Whole {
    let desk = desk(server, 8, None);
    let ended = desk.run(&["optimize", "--quiet"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let kept = desk.path(".shiftproof");
    let aside = desk.path("kept");
    copy(&kept, &aside);
    let mut said = Vec::new();
    for args in COMMANDS {
        std::fs::remove_dir_all(&kept).unwrap();
        copy(&aside, &kept);
        let ended = desk.run(args).await;
        assert_eq!(ended.code, Some(0), "{args:?} {ended:?}");
        said.push(ended);
    }
    Whole { desk, said }
}

/// What of the run's own name and time an answer tells.
fn timeless(said: &str, server: &MockServer) -> String {
    placeless(said, server)
}

async fn check(whole: &Whole, server: &MockServer, mut draw: Draw) -> (String, bool) {
    let seed = draw.seed;
    let kept = whole.desk.path(".shiftproof");
    std::fs::remove_dir_all(&kept).unwrap();
    copy(&whole.desk.path("kept"), &kept);
    let mut all: Vec<PathBuf> = files(&kept);
    all.sort();
    let path = &all[draw.below(all.len() as u64) as usize];
    let how = damage(path, &mut draw);
    let index = draw.below(COMMANDS.len() as u64) as usize;
    let ended = whole.desk.run(COMMANDS[index]).await;
    let name = path.strip_prefix(&kept).unwrap().display().to_string();
    let told = format!(
        "seed {seed}, {name}: {how}, {:?}: {ended:?}",
        COMMANDS[index]
    );
    assert!(!ended.err.contains("panicked"), "{told}");
    if ended.code == Some(0) {
        let said = &whole.said[index];
        assert_eq!(
            timeless(&ended.out, server),
            timeless(&said.out, server),
            "{told}"
        );
    } else {
        assert!([Some(2), Some(5)].contains(&ended.code), "{told}");
        assert!(ended.err.contains("error: "), "{told}");
    }
    (name, ended.code == Some(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_told_or_harmless() {
    let server = MockServer::start(model).await;
    let whole = whole(&server).await;
    let draw = Draw::new();
    let trials = amount("SHIFTPROOF_CORRUPTIONS", 60);
    let mut by_file: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for trial in 0..trials {
        let (name, harmless) = check(&whole, &server, draw.trial(trial)).await;
        let counts = by_file.entry(name).or_default();
        counts.0 += 1;
        counts.1 += u64::from(harmless);
    }
    println!("{trials} corruptions, by file (tried, harmless): {by_file:?}");
}
