//! A stored run, found and read without opening the store: another process may
//! hold it.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use shiftproof_search::event::Event;
use shiftproof_search::event_log::{self, LogError, LogLine};
use shiftproof_search::ledger::{LedgerOpening, RunRecord, RunStatus};

use crate::exit::{ExitStatus, Failure};
use crate::failures::{self, AnswerDetails};
use crate::report::{NamedRun, ReportedStudy, RunSummary};
use crate::runs::durable;
use crate::runs::heartbeat;
use crate::study::ResolvedStudy;
use crate::wording::printed_commands::resume_line;
pub(crate) use crate::wording::printed_commands::store_flag;

/// Name of the log in a run's folder.
pub(crate) const LOG: &str = "events.jsonl";

/// Name of the file that says how long the log of a finished run is.
const SEAL: &str = "finished.json";

/// What the log of a finished run must hold.
#[derive(Serialize, Deserialize)]
struct LogSeal {
    events: usize,
}

/// Writes down that the log is whole with so many events.
pub(crate) fn seal(folder: &Path, events: usize) -> Result<(), LogError> {
    let path = folder.join(SEAL);
    let text = serde_json::to_vec(&LogSeal { events }).map_err(|error| LogError::Io {
        path: path.clone(),
        source: error.into(),
    })?;
    durable::write(&path, &text)
}

/// The log is about to grow, or to begin anew.
pub(crate) fn unseal(folder: &Path) -> Result<(), LogError> {
    let path = folder.join(SEAL);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(LogError::Io { path, source }),
        _ => Ok(()),
    }
}

/// How many events the log of a finished run has; `None` where nothing says so.
fn sealed(folder: &Path) -> Option<usize> {
    let text = fs::read(folder.join(SEAL)).ok()?;
    let seal: LogSeal = serde_json::from_slice(&text).ok()?;
    Some(seal.events)
}

/// What had to be mended when a store was opened, as sentences.
pub(crate) fn mended(opened: &LedgerOpening) -> Vec<String> {
    let moved = opened.quarantined.as_ref().map(|moved| {
        format!(
            "the store was damaged: its index was moved to {} and rebuilt from the journal ({} \
             records)",
            moved.display(),
            opened.reindexed
        )
    });
    let trimmed = (opened.trimmed > 0).then(|| {
        format!(
            "cut {} bytes of an unfinished write off the journal",
            opened.trimmed
        )
    });
    moved.into_iter().chain(trimmed).collect()
}

/// How a log is made again from the stored replies.
fn retold(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let store = folder.parent().and_then(Path::parent);
    let line = resume_line(store.unwrap_or(Path::new(".shiftproof")), &name, "");
    format!("its replies are stored, and it can be told anew at no cost: {line}")
}

/// Runs named in a message at most.
const SHOWN: usize = 20;

/// Refuses the folder of a finished run whose log is gone.
pub(crate) fn not_lost(folder: &Path) -> Result<(), Failure> {
    if sealed(folder).is_none() || folder.join(LOG).exists() {
        return Ok(());
    }
    Err(Failure::data(format!(
        "{} is lost, though the run is finished\n  {}",
        folder.join(LOG).display(),
        retold(folder)
    )))
}

/// The folder of a run: that of its name in the store, or the folder itself.
pub(crate) fn folder(store: &Path, run: &str) -> Result<PathBuf, Failure> {
    let places = [store.join("runs").join(run), PathBuf::from(run)];
    if !run.is_empty() {
        places.iter().try_for_each(|folder| not_lost(folder))?;
    }
    places
        .into_iter()
        .find(|folder| !run.is_empty() && folder.join(LOG).is_file())
        .ok_or_else(|| unknown(store, run))
}

/// The folder of the latest run that is running, else of the latest.
pub(crate) fn latest(store: &Path) -> Result<PathBuf, Failure> {
    let found = by_age(store)
        .into_iter()
        .map(|(changed, folder)| (heartbeat::is_running(&folder), changed, folder));
    let (_, _, folder) = found.max().ok_or_else(|| {
        Failure::usage(format!(
            "there is no run in {}; --store names another store",
            store.display()
        ))
    })?;
    Ok(folder)
}

/// The folder of the latest finished run of a study, if there is one.
pub(crate) fn latest_of(store: &Path, study: &str) -> Option<PathBuf> {
    finished_of(store, study).into_iter().next()
}

/// The folders of a study's finished runs, the latest first.
pub(crate) fn finished_of(store: &Path, study: &str) -> Vec<PathBuf> {
    let is_of = |folder: &PathBuf| {
        sealed(folder).is_some()
            && matches!(self::study(folder), Ok(Some(begun)) if begun.study.name == study)
    };
    let runs = by_age(store).into_iter().rev();
    runs.map(|(_, folder)| folder).filter(is_of).collect()
}

/// What is said of a run that is not there.
pub(crate) fn unknown(store: &Path, run: &str) -> Failure {
    let mut known: Vec<String> = by_age(store)
        .into_iter()
        .rev()
        .filter_map(|(_, folder)| Some(folder.file_name()?.to_str()?.to_owned()))
        .collect();
    let more = known.len().saturating_sub(SHOWN);
    known.truncate(SHOWN);
    let mut there = if known.is_empty() {
        "there are none; --store names another store".to_owned()
    } else {
        known.join(", ")
    };
    if more > 0 {
        let _ = write!(there, " and {more} more");
    }
    Failure::usage(format!(
        "there is no run {run} in {}\n  runs there, the latest first: {there}",
        store.display()
    ))
}

/// The names of all folders of runs, whatever is in them.
pub(crate) fn names(store: &Path) -> Vec<String> {
    let folders = fs::read_dir(store.join("runs"))
        .into_iter()
        .flatten()
        .flatten();
    let mut names: Vec<String> = folders
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// The folders of all runs with the time they last changed, oldest first. One
/// that has no log yet is found by its sign of life.
fn by_age(store: &Path) -> Vec<(SystemTime, PathBuf)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(store.join("runs"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let folder = entry.path();
        let changed = [LOG, heartbeat::FILE]
            .iter()
            .filter_map(|name| fs::metadata(folder.join(name)).ok()?.modified().ok())
            .max();
        found.extend(changed.map(|changed| (changed, folder)));
    }
    found.sort();
    found
}

/// The fold of a run's events so far.
pub(crate) fn read(folder: &Path) -> Result<NamedRun, Failure> {
    let name = folder
        .canonicalize()
        .ok()
        .and_then(|folder| Some(folder.file_name()?.to_string_lossy().into_owned()))
        .unwrap_or_else(|| folder.display().to_string());
    let events = events(folder)?;
    let summary = RunSummary::of(&events);
    let failures = failures::of_run(&events, &summary, &AnswerDetails::read(folder));
    // A report is one without it too: runs of a program's own data have no study file.
    let study = study(folder).ok().flatten();
    let study = study.as_ref().map(ReportedStudy::of).unwrap_or_default();
    Ok(NamedRun::new(name, summary)
        .with_failures(failures)
        .of_study(study))
}

/// A run's events so far.
pub(crate) fn events(folder: &Path) -> Result<Vec<Event>, Failure> {
    let lines = lines(folder)?.into_iter();
    Ok(lines.map(|line| line.event).collect())
}

/// The lines of a run's log so far; those of a finished run are all there, or it is an
/// error.
pub(crate) fn lines(folder: &Path) -> Result<Vec<LogLine>, Failure> {
    let path = folder.join(LOG);
    let lines = event_log::read(&path).map_err(|error| match error {
        LogError::Damaged { .. } => {
            Failure::data(format!("{error}\n  {}", retold(folder))).caused_by(error)
        }
        error => Failure::from_error(ExitStatus::Data)(error),
    })?;
    whole(folder, lines.len())?;
    Ok(lines)
}

/// Refuses the log of a finished run that has another number of events than it had.
fn whole(folder: &Path, events: usize) -> Result<(), Failure> {
    match sealed(folder) {
        Some(whole) if whole != events => Err(Failure::data(format!(
            "{} holds {events} of the {whole} events of a finished run\n  {}",
            folder.join(LOG).display(),
            retold(folder)
        ))),
        _ => Ok(()),
    }
}

/// The fold of a run's events without its answers, which are most of a log and
/// no part of a summary's scores.
pub(crate) fn brief(folder: &Path) -> Result<RunSummary, Failure> {
    let path = folder.join(LOG);
    let fail = Failure::from_io(ExitStatus::Data, "read", &path);
    let mut summary = RunSummary::default();
    let mut reader = BufReader::new(fs::File::open(&path).map_err(&fail)?);
    let (mut text, mut checked) = (String::new(), false);
    let mut events = 0;
    for number in 1.. {
        text.clear();
        reader.read_line(&mut text).map_err(&fail)?;
        if text.pop() != Some('\n') {
            break;
        }
        if !event_log::is_intact(text.as_bytes(), &mut checked) {
            return Err(Failure::data(format!(
                "{}:{number}: the line is damaged\n  {}",
                path.display(),
                retold(folder)
            )));
        }
        events = number;
        // A quotation mark within a text has a backslash before it, so this is
        // the event's own type.
        if ["answered", "inputs"]
            .iter()
            .any(|kind| text.contains(&format!("\"type\":\"{kind}\"")))
        {
            continue;
        }
        let line: event_log::LogLine = serde_json::from_str(&text).map_err(|error| {
            Failure::data(format!(
                "{}:{number}: not an event of this version ({error})",
                path.display()
            ))
            .caused_by(error)
        })?;
        summary.apply(&line.event);
    }
    whole(folder, events)?;
    Ok(summary)
}

/// What the record of a run says, as far as its folder tells it.
pub(crate) fn found_record(folder: &Path, name: &str, summary: &RunSummary) -> RunRecord {
    let began = study(folder).ok().flatten();
    let started = summary.started.as_ref();
    let of_study = || began.as_ref().map(|began| began.study.name.clone());
    let first = first_line(&folder.join(LOG));
    RunRecord {
        id: name.to_owned(),
        study: started
            .map(|started| started.study.clone())
            .or_else(of_study)
            .unwrap_or_default(),
        spec: String::new(),
        seed: started.map_or_else(|| began.as_ref().map_or(0, |b| b.seed), |s| s.seed),
        version: String::new(),
        started_ms: first.map_or(0, |line| line.at_ms),
        status: if sealed(folder).is_some() {
            RunStatus::Finished
        } else {
            RunStatus::Stopped("not finished".to_owned())
        },
        kills: 0,
        losses: Vec::new(),
        models: None,
        begins_anew: false,
    }
}

/// The first line of a log.
fn first_line(log: &Path) -> Option<LogLine> {
    let mut line = String::new();
    BufReader::new(fs::File::open(log).ok()?)
        .read_line(&mut line)
        .ok()?;
    serde_json::from_str(&line).ok()
}

/// The study a run began with; `None` for a run that kept none beside its log.
pub(crate) fn study(folder: &Path) -> Result<Option<ResolvedStudy>, Failure> {
    let path = folder.join("study.json");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::from_io(ExitStatus::Data, "read", &path)(error)),
    };
    let kept = serde_json::from_str::<ResolvedStudy>(&text);
    kept.map(|study| Some(study.found_again()))
        .map_err(|error| {
            Failure::data(format!(
                "{}:{}: not a study of this version ({error})",
                path.display(),
                error.line()
            ))
            .caused_by(error)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn running_run_is_default() {
        let store = tempfile::tempdir().unwrap();
        let error = latest(store.path()).unwrap_err();
        assert!(error.message.contains("--store"), "{}", error.message);
        for name in ["a", "b", "c"] {
            let folder = store.path().join("runs").join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(LOG), "").unwrap();
        }
        let running = store.path().join("runs/a");
        let live = heartbeat::LiveFile::create(&running, 1).unwrap();
        assert_eq!(latest(store.path()).unwrap(), running);
        drop(live);
        let named = folder(store.path(), "b").unwrap();
        assert_eq!(named, store.path().join("runs/b"));
        let by_path = named.display().to_string();
        assert_eq!(folder(Path::new("none"), &by_path).unwrap(), named);
        let error = folder(store.path(), "x").unwrap_err();
        assert!(
            error.message.contains("runs there, the latest first: "),
            "{}",
            error.message
        );
    }

    #[test]
    fn brief_reading_scores_alike() {
        let folder = tempfile::tempdir().unwrap();
        let events = fixture::events("gpo", 1, 0.1);
        let mut text = String::new();
        let told = "{\"type\":\"inputs\",\"inputs\":[]}";
        for (seq, event) in events.iter().enumerate() {
            let event = serde_json::to_string(event).unwrap();
            let _ = writeln!(text, "{{\"seq\":{seq},\"at_ms\":0,\"event\":{event}}}");
            let _ = writeln!(text, "{{\"seq\":{seq},\"at_ms\":0,\"event\":{told}}}");
        }
        fs::write(folder.path().join(LOG), text + "{\"seq\":").unwrap();
        let whole = serde_json::to_value(RunSummary::of(&events)).unwrap();
        let brief = serde_json::to_value(brief(folder.path()).unwrap()).unwrap();
        assert_eq!(brief, whole);
    }
}
