//! A disk that runs full amid a run with 64 calls in flight.
//!
//! Nothing here makes a file system: `SHIFTPROOF_SMALL_DISK` names a folder on one of
//! a few megabytes that is of no other use (SECURITY.md has the commands).

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Draw, RUN, SLOTS, amount, desk};
use crate::support::mock_server::MockServer;
use crate::support::program::model;

/// Fills the disk up to so many bytes.
fn fill(folder: &Path, left: usize) -> PathBuf {
    let path = folder.join("filler");
    let mut file = File::create(&path).unwrap();
    let block = vec![0x5a; 4096];
    let mut written = 0;
    while file.write_all(&block).is_ok() {
        written += block.len();
        assert!(written < 64 << 20, "{} is no small disk", folder.display());
    }
    let kept = file.metadata().unwrap().len().saturating_sub(left as u64);
    file.set_len(kept).unwrap();
    path
}

async fn run_on_a_full_disk(small: &Path, mut draw: Draw) -> (usize, Option<usize>) {
    let seed = draw.seed;
    let latency = Duration::from_millis(2 + draw.below(20));
    let server = MockServer::start(move |seen| model(seen).after(latency)).await;
    let desk = desk(&server, SLOTS, None);
    let store = small.join(format!("store-{seed}"));
    let at = store.to_str().unwrap();
    let (at_call, left) = (draw.below(400) as usize, draw.below(20_000) as usize);
    let mut child = desk.start(&["optimize", "--quiet", "--store", at]);
    let mut code = None;
    while server.calls() < at_call && code.is_none() {
        code = child.try_wait().unwrap();
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
    let filler = fill(small, left);
    let code = child.wait().unwrap().code();
    let told = format!("seed {seed}, full at call {at_call} but for {left} bytes: {code:?}");
    let filled = (code != Some(0)).then(|| server.calls());
    assert!(matches!(code, Some(0 | 5)), "{told}");
    std::fs::remove_file(filler).unwrap();
    let mut args = vec!["optimize", "--quiet", "--store", at];
    if store.join("runs").join(RUN).exists() {
        args.extend(["--resume", RUN]);
    }
    let ended = desk.run(&args).await;
    assert_eq!(ended.code, Some(0), "{told} then {ended:?}");
    let repeats = server
        .calls_per_body()
        .values()
        .map(|asked| asked - 1)
        .sum();
    std::fs::remove_dir_all(&store).unwrap();
    (repeats, filled)
}

#[tokio::test(flavor = "multi_thread")]
async fn full_disks_lose_no_answer() {
    let Some(small) = std::env::var_os("SHIFTPROOF_SMALL_DISK").map(PathBuf::from) else {
        println!("SKIPPED: SHIFTPROOF_SMALL_DISK names no small disk");
        return;
    };
    let (draw, trials) = (Draw::new(), amount("SHIFTPROOF_FULL_DISKS", 20));
    let (mut repeats, mut full) = (0, 0);
    for trial in 0..trials {
        let (again, filled) = run_on_a_full_disk(&small, draw.trial(trial)).await;
        println!("trial {trial}: full after {filled:?} calls, asked again {again}");
        repeats += again;
        full += u64::from(filled.is_some_and(|calls| calls > 0));
    }
    println!("{full} of {trials} disks full amid a run, {repeats} answers asked for again");
    assert!(full > 0, "the disk was never full amid a run");
    assert_eq!(repeats, 0, "answers were lost");
}
