//! `live.json`: how the process of a run is doing, beside the run's event log.
//!
//! The log holds what lasts; signs of life are told and forgotten. So that
//! another process can show them, the running one leaves the latest in a small
//! file that is replaced whole, twice a second at most, and removed at the end.
//! Nothing reads it back into a run.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use shiftproof_search::event::{Event, ProgressTick, RunObserver};
use shiftproof_store::{create_dir_all, files};

/// Its name in a run's folder.
pub(crate) const FILE: &str = "live.json";
/// The file is replaced no more often than this.
const EVERY: Duration = Duration::from_millis(500);
/// A process whose file is older may be gone; it is asked for by its id where
/// that can be done.
const FRESH: Duration = Duration::from_secs(10);

/// What the file says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunHeartbeat {
    /// The process.
    pub pid: u32,
    /// Calls planned for the whole run, at most.
    pub planned: u64,
    /// The latest sign of life.
    pub tick: Option<ProgressTick>,
}

/// Keeps the file while a run goes on.
pub struct LiveFile {
    path: PathBuf,
    live: RunHeartbeat,
    written: Instant,
}

impl LiveFile {
    /// Writes the first version into a run's folder, which is made where it is
    /// missing.
    pub fn create(folder: &Path, planned: u64) -> io::Result<Self> {
        create_dir_all(folder).map_err(io::Error::other)?;
        let file = Self {
            path: folder.join(FILE),
            live: RunHeartbeat {
                pid: std::process::id(),
                planned,
                tick: None,
            },
            written: Instant::now(),
        };
        file.write()?;
        Ok(file)
    }

    /// Replaces the file whole: a reader sees the old or the new one.
    fn write(&self) -> io::Result<()> {
        let fresh = self.path.with_extension("json.new");
        files::create(&fresh)?.write_all(&serde_json::to_vec(&self.live)?)?;
        fs::rename(&fresh, &self.path)
    }
}

impl RunObserver for LiveFile {
    fn event(&mut self, _event: &Event, _replayed: bool) {}

    fn tick(&mut self, tick: &ProgressTick) {
        if self.written.elapsed() < EVERY {
            return;
        }
        self.written = Instant::now();
        self.live.tick = Some(tick.clone());
        // A courtesy to onlookers: the run does not depend on it.
        let _ = self.write();
    }
}

impl Drop for LiveFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// What the process of the run in `folder` said last; `None` where none runs,
/// or none can be read.
pub fn read(folder: &Path) -> Option<RunHeartbeat> {
    let text = fs::read(folder.join(FILE)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Whether a process is at work on the run in `folder`. One that was killed
/// leaves its file behind: when that grows old and its process is gone, no.
pub fn is_running(folder: &Path) -> bool {
    let Some(live) = read(folder) else {
        return false;
    };
    age(folder).is_some_and(|age| age < FRESH) || process_exists(live.pid)
}

/// How long ago the file was written.
pub fn age(folder: &Path) -> Option<Duration> {
    let changed = fs::metadata(folder.join(FILE)).ok()?.modified().ok()?;
    // A clock that was set back makes it new, not old.
    Some(
        SystemTime::now()
            .duration_since(changed)
            .unwrap_or_default(),
    )
}

/// Whether the process exists, as far as can be told here.
fn process_exists(pid: u32) -> bool {
    let processes = Path::new("/proc");
    processes.join("self").exists() && processes.join(pid.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use shiftproof_search::budget::Spend;
    use shiftproof_search::event::Phase;

    use super::*;

    fn tick(done: u64) -> ProgressTick {
        ProgressTick {
            phase: Phase::Screen,
            done,
            total: 9,
            sent: done,
            spent: Spend::default(),
            ended: None,
            in_flight: 1,
            slots: 4,
            traffic: None,
            paused: false,
            status: None,
        }
    }

    #[test]
    fn heartbeat_lasts_while_running() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        assert!(!is_running(&run));
        let mut file = LiveFile::create(&run, 100).unwrap();
        assert!(is_running(&run));
        file.written = Instant::now().checked_sub(EVERY).unwrap();
        file.tick(&tick(1));
        // Too soon after the first.
        file.tick(&tick(2));
        let live = read(&run).unwrap();
        assert_eq!((live.planned, live.tick), (100, Some(tick(1))));
        drop(file);
        assert!(!is_running(&run) && read(&run).is_none());
        assert_eq!(fs::read_dir(&run).unwrap().count(), 0);
    }

    #[test]
    fn damaged_heartbeat_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(read(folder.path()).is_none() && !is_running(folder.path()));
    }
}
