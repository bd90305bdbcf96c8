//! Power losses: a run is traced, and at any moment of it the store is cut to what had
//! been synced by then (and, of what had only been written, to some length of it). The
//! run that goes on from there keeps the limit as the server counts, reports its one
//! opening, and ends whole. Needs `strace`, without which nothing is tried.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Draw, RUN, amount, desk};
use crate::support::mock_server::MockServer;
use crate::support::program::{Desk, model};

const LIMIT: u64 = 300;
const CALLS: &str = "write,pwrite64,writev,sendto,sendmsg,fsync,fdatasync,rename,renameat,renameat2,\
                     unlink,unlinkat";

/// What a traced run did to the disk and the network, in order.
#[derive(Debug, Clone)]
enum Step {
    /// So many bytes more of a file.
    Wrote(PathBuf, u64),
    /// All of a file, or of a folder's entries, that was written when it began.
    SyncBegan(PathBuf, usize),
    Synced(PathBuf, usize),
    Renamed(PathBuf, PathBuf),
    Removed(PathBuf),
    /// A request went out.
    Sent,
}

/// Reads a trace of `strace -f -y`.
fn steps(trace: &str, folder: &Path) -> Vec<Step> {
    let mut steps = Vec::new();
    // What each thread has begun.
    let mut begun: HashMap<&str, String> = HashMap::new();
    let mut syncs = 0;
    let mut open_syncs: HashMap<String, usize> = HashMap::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else {
            continue;
        };
        let call = call.trim_start();
        let mut whole = call.to_owned();
        let is_sync = |call: &str| call.starts_with("fsync(") || call.starts_with("fdatasync(");
        if let Some(start) = call.strip_suffix("<unfinished ...>") {
            if start.contains("\"POST ") {
                steps.push(Step::Sent);
            }
            if is_sync(start) {
                syncs += 1;
                open_syncs.insert(thread.to_owned(), syncs);
                steps.extend(path_of(start).map(|path| Step::SyncBegan(path, syncs)));
            }
            begun.insert(thread, start.to_owned());
            continue;
        }
        let resumed = call.starts_with("<... ");
        if resumed {
            let Some(start) = begun.remove(thread) else {
                continue;
            };
            let rest = call.split_once("resumed>").map_or("", |(_, rest)| rest);
            whole = start + rest;
        }
        let Some((said, result)) = whole.rsplit_once(" = ") else {
            continue;
        };
        let Ok(result) = result.split(' ').next().unwrap_or_default().parse::<i64>() else {
            continue;
        };
        if result < 0 {
            continue;
        }
        if said.contains("\"POST ") && !resumed {
            steps.push(Step::Sent);
        }
        let names = || {
            said.split('"')
                .skip(1)
                .step_by(2)
                .map(|name| folder.join(name))
        };
        if is_sync(said) {
            let Some(path) = path_of(said) else { continue };
            let number = open_syncs.remove(thread).unwrap_or_else(|| {
                syncs += 1;
                steps.push(Step::SyncBegan(path.clone(), syncs));
                syncs
            });
            steps.push(Step::Synced(path, number));
        } else if said.starts_with("rename") {
            let names: Vec<PathBuf> = names().collect();
            if let [from, to] = &names[..] {
                steps.push(Step::Renamed(from.clone(), to.clone()));
            }
        } else if said.starts_with("unlink") {
            steps.extend(names().next().map(Step::Removed));
        } else if let Some(path) = path_of(said).filter(|path| path.starts_with(folder)) {
            steps.push(Step::Wrote(path, result as u64));
        }
    }
    steps
}

/// The file that a call names by its descriptor: `write(7</a/b>, …`.
fn path_of(call: &str) -> Option<PathBuf> {
    let (_, rest) = call.split_once('<')?;
    let (path, _) = rest.split_once('>')?;
    path.starts_with('/').then(|| PathBuf::from(path))
}

/// A file as far as it is written, synced, and known by its folder.
#[derive(Debug, Clone, Default)]
struct FileState {
    written: u64,
    synced: u64,
}

/// Where the disk stood after the first `at` steps.
#[derive(Debug, Default)]
struct DiskState {
    files: HashMap<PathBuf, FileState>,
    /// Removals that no sync of the folder has made durable need not have happened, and
    /// are not looked at.
    sent: u64,
}

fn disk(steps: &[Step]) -> DiskState {
    let mut disk = DiskState::default();
    let mut begun: HashMap<usize, u64> = HashMap::new();
    for step in steps {
        match step {
            Step::Wrote(path, bytes) => {
                disk.files.entry(path.clone()).or_default().written += bytes;
            }
            Step::SyncBegan(path, number) => {
                let written = disk.files.get(path).map_or(0, |file| file.written);
                begun.insert(*number, written);
            }
            Step::Synced(path, number) => {
                let written = begun.get(number).copied().unwrap_or(0);
                if let Some(file) = disk.files.get_mut(path) {
                    file.synced = file.synced.max(written);
                }
            }
            Step::Renamed(from, to) => {
                if let Some(file) = disk.files.remove(from) {
                    disk.files.insert(to.clone(), file);
                }
            }
            Step::Removed(path) => {
                disk.files.remove(path);
            }
            Step::Sent => disk.sent += 1,
        }
    }
    disk
}

/// What is left of the finished store `kept` in the store `left`.
fn lose_power(disk: &DiskState, kept: &Path, left: &Path, draw: &mut Draw) -> String {
    let _ = std::fs::remove_dir_all(left);
    std::fs::create_dir_all(left).unwrap();
    let mut told = Vec::new();
    let run = Path::new("runs").join(RUN);
    let named = [
        "events.jsonl",
        "study.json",
        "report.txt",
        "report.json",
        "finished.json",
    ];
    let names = [
        PathBuf::from("replies.journal"),
        PathBuf::from("gate.jsonl"),
    ]
    .into_iter()
    .chain(named.iter().map(|name| run.join(name)));
    for name in names {
        let Some(file) = disk.files.get(&left.join(&name)) else {
            continue;
        };
        let Ok(bytes) = std::fs::read(kept.join(&name)) else {
            continue;
        };
        // Of what was only written any length may be there.
        let most = file.written.max(file.synced);
        let length = file.synced + draw.below(most - file.synced + 1);
        let length = length.min(bytes.len() as u64);
        if length > 0 {
            let path = left.join(&name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, &bytes[..length as usize]).unwrap();
        }
        told.push(format!("{} {length} of {}", name.display(), bytes.len()));
    }
    told.join(", ")
}

async fn traced(desk: &Desk) -> Option<Vec<Step>> {
    let trace = desk.path("trace");
    let program = desk.command(&["optimize", "--quiet"]);
    let mut command = Command::new("strace");
    command
        .args(["-f", "-y", "-s", "40", "-e"])
        .arg(format!("trace={CALLS}"))
        .arg("-o")
        .arg(&trace)
        .arg(program.get_program())
        .args(program.get_args())
        .current_dir(desk.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let ended = tokio::task::spawn_blocking(move || command.status())
        .await
        .unwrap();
    if !ended.is_ok_and(|status| status.success()) {
        return None;
    }
    let trace = std::fs::read(trace).unwrap();
    let folder = desk.path("").canonicalize().unwrap();
    Some(steps(&String::from_utf8_lossy(&trace), &folder))
}

#[tokio::test(flavor = "multi_thread")]
async fn power_losses_break_no_promise() {
    let server = MockServer::start(model).await;
    let desk = desk(&server, 16, Some(LIMIT));
    let Some(steps) = traced(&desk).await else {
        println!("NOT RUN: strace is not installed, or may not trace");
        return;
    };
    let sent = disk(&steps).sent;
    assert_eq!(sent, server.calls() as u64, "the trace is not whole");
    let folder = desk.path("").canonicalize().unwrap();
    let (left, kept) = (folder.join(".shiftproof"), folder.join("kept"));
    std::fs::rename(&left, &kept).unwrap();

    // Nothing is called finished that is not whole.
    let finished = steps
        .iter()
        .position(|step| matches!(step, Step::Renamed(_, to) if to.ends_with("finished.json")));
    let before = disk(&steps[..finished.unwrap()]);
    for (path, file) in &before.files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if [
            "events.jsonl",
            "gate.jsonl",
            "report.txt",
            "report.json",
            "study.json",
        ]
        .contains(&name.as_str())
        {
            assert_eq!(
                file.synced, file.written,
                "{name} before it is called finished"
            );
        }
    }

    let draw = Draw::new();
    let losses = amount("SHIFTPROOF_POWER_LOSSES", 12);
    for trial in 0..losses {
        let mut draw = draw.trial(trial);
        // One in four in the last writes.
        let from = if draw.chance(25) {
            finished.unwrap().saturating_sub(40)
        } else {
            0
        };
        let at = from + draw.below((steps.len() - from) as u64) as usize;
        let disk = disk(&steps[..at]);
        let lost = lose_power(&disk, &kept, &left, &mut draw);
        let told = format!(
            "seed {}, after step {at} ({} sent): {lost}",
            draw.seed, disk.sent
        );
        let before = server.calls() as u64;
        let known = desk.run(&["runs", "--json"]).await;
        assert_eq!(known.code, Some(0), "{told} {known:?}");
        let args: &[&str] = if known.out.contains(RUN) {
            &["optimize", "--quiet", "--resume", RUN]
        } else {
            // Of a run that nothing durable is known of nothing was asked.
            assert!(disk.sent <= 1, "{told} {known:?}");
            &["optimize", "--quiet"]
        };
        let ended = desk.run(args).await;
        assert!([Some(0), Some(3)].contains(&ended.code), "{told} {ended:?}");
        let all = disk.sent + server.calls() as u64 - before;
        assert!(all <= LIMIT + 1, "the server saw {all}; {told}");
        if ended.code == Some(3) && ended.out.is_empty() {
            continue;
        }
        let openings = desk.read(".shiftproof/gate.jsonl");
        // A line that was cut short counts as an opening of an unknown audit: too many
        // rather than too few.
        let whole = |line: &&str| serde_json::from_str::<serde_json::Value>(line).is_ok();
        assert_eq!(
            openings.lines().filter(whole).count(),
            1,
            "{openings} {told}"
        );
        assert!(openings.lines().count() <= 2, "{openings} {told}");
        let shown = desk.run(&["runs", "show", RUN]).await;
        assert_eq!(shown.out, ended.out, "{told}");
    }
    println!("{losses} power losses among {} steps", steps.len());
}
