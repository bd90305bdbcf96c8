//! `failing.jsonl`: what there is to see of answers that are not right and the event log
//! has no room for, beside it in a run's folder.
//!
//! No run reads it back: it is told anew whenever the run is executed. What is missing
//! in it, or cannot be read, is shown as the events tell it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use shiftproof_search::event::{AnswerDetail, Event, RunObserver};
use shiftproof_store::{create_dir_all, files};
use shiftproof_tasks::PromptId;

/// Its name in a run's folder.
const FILE: &str = "failing.jsonl";
/// Bytes that are kept of a run; later details are not.
const MOST: u64 = 16 << 20;
/// Bytes that are read at once, so that a screen can draw in between.
const BITE: u64 = 1 << 20;

/// Details by candidate and place of the input.
#[derive(Debug, Clone, Default)]
pub(crate) struct AnswerDetails(HashMap<(PromptId, u32), AnswerDetail>);

impl AnswerDetails {
    /// Those kept beside a run's log so far.
    pub fn read(folder: &Path) -> Self {
        let mut details = Self::default();
        let mut follower = DetailFollower::new(folder);
        while follower.poll(&mut details) {}
        details
    }

    pub fn add(&mut self, detail: AnswerDetail) {
        self.0.insert((detail.candidate, detail.input), detail);
    }

    pub fn of(&self, candidate: PromptId, input: u32) -> Option<&AnswerDetail> {
        self.0.get(&(candidate, input))
    }
}

/// Keeps details while a run goes on: in memory, and in the run's folder if it has one.
pub(crate) struct DetailKeeper {
    kept: Arc<Mutex<AnswerDetails>>,
    file: Option<File>,
    bytes: u64,
}

impl DetailKeeper {
    /// A keeper that begins anew, and what it keeps.
    pub fn new(folder: Option<&Path>) -> (Self, Arc<Mutex<AnswerDetails>>) {
        let kept = Arc::new(Mutex::new(AnswerDetails::default()));
        // A courtesy to who looks at the run: the run does not depend on it.
        let create = |folder: &Path| {
            create_dir_all(folder).ok()?;
            files::create(&folder.join(FILE)).ok()
        };
        let file = folder.and_then(create);
        let keeper = Self {
            kept: kept.clone(),
            file,
            bytes: 0,
        };
        (keeper, kept)
    }
}

impl RunObserver for DetailKeeper {
    fn event(&mut self, _event: &Event, _replayed: bool) {}

    fn detail(&mut self, detail: &AnswerDetail) {
        let Ok(mut line) = serde_json::to_vec(detail) else {
            return;
        };
        line.push(b'\n');
        self.bytes += line.len() as u64;
        if self.bytes > MOST {
            return;
        }
        if let Some(file) = &mut self.file
            && file.write_all(&line).is_err()
        {
            self.file = None;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.add(detail.clone());
    }
}

/// Reads the file of a run that may still be going on.
#[derive(Debug)]
pub(crate) struct DetailFollower {
    path: PathBuf,
    offset: u64,
}

impl DetailFollower {
    pub fn new(folder: &Path) -> Self {
        Self {
            path: folder.join(FILE),
            offset: 0,
        }
    }

    /// Takes in what was written since, up to a bite of it; whether there was any.
    pub fn poll(&mut self, details: &mut AnswerDetails) -> bool {
        let Ok(mut file) = File::open(&self.path) else {
            return false;
        };
        let length = file.metadata().map_or(0, |about| about.len());
        if length < self.offset {
            // A run that is executed again tells all of it anew.
            self.offset = 0;
            *details = AnswerDetails::default();
        }
        let before = self.offset;
        if length == before || file.seek(SeekFrom::Start(before)).is_err() {
            return false;
        }
        let (mut reader, mut line) = (BufReader::new(file), Vec::new());
        while self.offset < before + BITE {
            line.clear();
            let read = reader.read_until(b'\n', &mut line);
            if read.is_err() || line.last() != Some(&b'\n') {
                break;
            }
            self.offset += line.len() as u64;
            details.0.extend(
                serde_json::from_slice::<AnswerDetail>(&line)
                    .ok()
                    .map(|detail| ((detail.candidate, detail.input), detail)),
            );
        }
        self.offset > before
    }
}
