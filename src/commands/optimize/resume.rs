//! Going on with a run: what it began with, what is said of one that stopped or is
//! finished.

use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};

use shiftproof_search::event::RunObserver as _;
use shiftproof_search::gateway::RunError;
use shiftproof_search::ledger::RunRecord;

use super::events::EventLines;
use crate::cli::OptimizeArgs;
use crate::commands::{note, resolve};
use crate::exit::{ExitStatus, Failure};
use crate::report::NamedRun;
use crate::runs::stored;
use crate::study::task_registry::TaskRegistry;
use crate::study::{ResolvedStudy, differing};
use crate::wording::printed_commands::resume_line;
use crate::wording::unusable;

/// The random seed where none is named.
pub(super) const FIRST_SEED: u64 = 1;

/// Says which study and seed a resumed run goes on with, and what of the command line or
/// the study file is otherwise by now.
pub(super) fn as_it_began(
    args: &OptimizeArgs,
    record: &RunRecord,
    begun: &ResolvedStudy,
    registry: &TaskRegistry,
) -> Result<(), Failure> {
    let flags = &args.study;
    let study = &begun.study;
    let other = |flag: &str, own: &str, given: &str| {
        Failure::usage(format!(
            "the run {} began with {flag} {own}, and a resumed run goes on as it began; for {flag} \
             {given} start a new run: answers that are stored cost nothing",
            record.id
        ))
    };
    if flags.seed != FIRST_SEED && flags.seed != record.seed {
        let (own, given) = (record.seed.to_string(), flags.seed.to_string());
        return Err(other("--seed", &own, &given));
    }
    if let Some(given) = flags.model.as_ref().filter(|it| **it != study.model.name) {
        return Err(other("--model", &study.model.name, given));
    }
    let own = study.search.method.as_str();
    if let Some(given) = flags.method.as_ref().filter(|it| *it != own) {
        return Err(other("--method", own, given));
    }
    if args.verbosity.quiet {
        return Ok(());
    }
    note(&format!(
        "Goes on with the run {} as it began: study {}, random seed {}.",
        record.id, record.study, record.seed
    ));
    // Of a run that is named, the study file may be anywhere, or gone.
    let Ok(now) = resolve(flags, Some(&args.budget), registry) else {
        return Ok(());
    };
    if now.study.name == study.name && begun.written.is_some() && now.written != begun.written {
        let differing = differing(study, &now.study);
        let keys: Vec<String> = differing
            .iter()
            .take(CHANGES)
            .map(ToString::to_string)
            .collect();
        let more = differing.len().saturating_sub(keys.len());
        let more = match more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        note(&format!(
            "Note: {} has changed since (then | now): {}{more}. This run keeps the study it began \
             with; for the changed one start a new run.",
            flags.study.display(),
            keys.join(", ")
        ));
    }
    Ok(())
}

/// Changed keys that are named at most.
const CHANGES: usize = 6;

/// A finished run as its log tells it; `None` where the log is lost or damaged.
pub(super) fn as_told(
    args: &OptimizeArgs,
    record: &RunRecord,
) -> Result<Option<NamedRun>, Failure> {
    let folder = stored::folder(&args.store.store, &record.id);
    let told = folder.and_then(|folder| Ok((stored::read(&folder)?, stored::events(&folder)?)));
    let Some((run, events)) = told.ok().filter(|(run, _)| run.summary.ending.is_some()) else {
        // Its replies are all stored.
        note(&format!(
            "run {} is finished, and its event log is lost or damaged: it is told anew from the \
             stored replies",
            record.id
        ));
        return Ok(None);
    };
    if !args.verbosity.quiet {
        note(&format!(
            "run {} is finished; this is its report",
            record.id
        ));
    }
    if let Some(path) = &args.events {
        let unwritten = Arc::new(Mutex::new(None));
        let mut lines = EventLines::create(path, unwritten.clone())?;
        for event in &events {
            lines.event(event, true);
        }
        let unwritten = take(&mut *unwritten.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(problem) = unwritten {
            return Err(Failure::data(problem));
        }
    }
    Ok(Some(run))
}

/// Turns a stop into what the user reads, with the way to go on.
pub(super) fn stopped(stop: &RunError, record: &RunRecord, args: &OptimizeArgs) -> Failure {
    let exit = ExitStatus::of(stop);
    let told = unusable::stopped(stop);
    if exit == ExitStatus::Usage {
        return Failure::new(exit, told);
    }
    // A run keeps its own limits; a budget that it shares may get others.
    if matches!(stop, RunError::Budget(_)) {
        return Failure::new(
            exit,
            format!(
                "{stop}\n  everything paid for is stored; a new run with larger limits asks only what is \
                 missing (`shiftproof estimate` tells the smallest budget that works)"
            ),
        );
    }
    if matches!(stop, RunError::Proposals { .. }) {
        return Failure::new(
            exit,
            format!("{stop}\n  everything paid for is stored; a new run asks only what is missing"),
        );
    }
    let (on, flags) = match stop {
        RunError::Unusable(hopeless) if hopeless.is_refused() => {
            ("once the cause is mended go on with", " --retry-failed")
        }
        // What the study says decides; this run keeps the study it began with.
        RunError::Unusable(_) => (
            "mend the study and run it anew, or go on all the same with",
            " --keep-going",
        ),
        _ => ("go on with", ""),
    };
    let line = resume_line(&args.store.store, &record.id, flags);
    Failure::new(
        exit,
        format!("{told}\n  everything paid for is stored; {on}: {line}"),
    )
}
