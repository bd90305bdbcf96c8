//! Events as lines of JSON, for other programs.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use shiftproof_search::event::{Event, RunObserver};

use crate::commands::note;
use crate::exit::{ExitStatus, Failure};
use crate::wording::shown;

/// Writes every event as a line of JSON.
pub(super) struct EventLines {
    out: Box<dyn Write + Send>,
    path: PathBuf,
    /// Why it is not whole, for whoever conducts the run.
    unwritten: Arc<Mutex<Option<String>>>,
}

impl EventLines {
    pub fn create(path: &PathBuf, unwritten: Arc<Mutex<Option<String>>>) -> Result<Self, Failure> {
        let out: Box<dyn Write + Send> = if path == Path::new("-") {
            Box::new(std::io::stdout())
        } else {
            Box::new(File::create(path).map_err(Failure::from_io(
                ExitStatus::Usage,
                "write events to",
                path,
            ))?)
        };
        Ok(Self {
            out,
            path: path.clone(),
            unwritten,
        })
    }
}

impl RunObserver for EventLines {
    fn event(&mut self, event: &Event, _replayed: bool) {
        let mut unwritten = self
            .unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if unwritten.is_some() {
            return;
        }
        // An observer cannot fail the run, whose own log has every event; the command
        // fails when the run is done.
        let written = serde_json::to_string(event)
            .map_err(std::io::Error::from)
            .and_then(|line| writeln!(self.out, "{}", shown::json(&line)));
        match written {
            // The reader of a pipe has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => *unwritten = None,
            Err(error) => {
                let problem = format!("cannot write events to {}: {error}", self.path.display());
                note(&format!("{problem}; the run goes on"));
                *unwritten = Some(problem);
            }
            Ok(()) => {}
        }
    }
}
