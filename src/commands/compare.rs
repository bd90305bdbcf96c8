mod cells;
mod sharing;
mod studies;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use shiftproof_search::control::RunControl;
use shiftproof_search::ledger::Ledger;

use self::cells::{CellEnd, stored_runs, stored_state};
pub(super) use self::cells::{CellRunner, PendingCell};
use self::sharing::SharedCells;
use self::studies::{ComparedStudy, compared_methods, compared_studies};
use super::signals::{SignalStream, pass_on};
use super::{check_writable, note, open_ledger, print, write};
use crate::cli::CompareArgs;
use crate::compare::{CellState, MethodComparison, StudyComparison, render};
use crate::exit::{ExitStatus, Failure};
use crate::report::ReportFormat;
use crate::runs::progress::clock;
use crate::study::task_registry::TaskRegistry;

pub(super) async fn run(
    args: &CompareArgs,
    registry: &TaskRegistry,
) -> Result<ExitStatus, Failure> {
    // A file that cannot be written in its form is told before a call is paid for.
    args.output
        .iter()
        .try_for_each(|path| ReportFormat::of(path).and_then(|_| check_writable(path)))?;
    let methods = compared_methods(&args.methods, registry)?;
    // Reading data and hashing cached files block.
    let mut studies = tokio::task::block_in_place(|| compared_studies(args, &methods, registry))?;
    let ledger = open_ledger(&args.store)?;
    let runs = stored_runs(&ledger)?;
    for study in &mut studies {
        for at in 0..study.cells.len() {
            let state = stored_state((&ledger, &runs), args, study, at)?;
            study.cells[at].state = state;
        }
    }
    let shared = SharedCells::of(&ledger, &studies)?;
    if let Some(shared) = &shared {
        shared.read(&ledger, &args.store.store, &mut studies)?;
    }
    introduce(args, &studies);
    let end = if args.stored {
        WholeEnd::default()
    } else {
        run_missing(args, &mut studies, registry, &ledger, shared).await?
    };
    write_outputs(args, &studies)?;
    let form = if args.json {
        ReportFormat::Json
    } else {
        ReportFormat::Text
    };
    print(&render(form, &comparison(args, &studies), args.paper)?)?;
    if end.interrupted {
        note("interrupted: the same command goes on; everything paid for is stored");
        return Ok(ExitStatus::Interrupted);
    }
    let finished = states(&studies).any(|state| state.finished().is_some());
    Ok(match end.failure {
        Some(exit) if !finished => exit,
        _ => ExitStatus::Done,
    })
}

/// How the missing cells ended.
#[derive(Default)]
struct WholeEnd {
    interrupted: bool,
    /// The code that the first failed cell would have ended `optimize` with.
    failure: Option<ExitStatus>,
}

fn states(studies: &[ComparedStudy]) -> impl Iterator<Item = &CellState> {
    let cells = studies.iter().flat_map(|study| &study.cells);
    cells.map(|cell| &cell.state)
}

/// Runs every cell that is not finished, as many at once as was asked for.
async fn run_missing(
    args: &CompareArgs,
    studies: &mut [ComparedStudy],
    registry: &TaskRegistry,
    ledger: &Arc<Ledger>,
    shared: Option<SharedCells>,
) -> Result<WholeEnd, Failure> {
    if pending_cells(studies).is_empty() {
        return Ok(WholeEnd::default());
    }
    crate::shared::check_budget(ledger)?;
    let control = RunControl::new();
    tokio::spawn(pass_on(SignalStream::new(), control.clone(), None));
    let runner = CellRunner::new(
        args.verbosity,
        args.trouble,
        &args.store.store,
        registry,
        ledger,
        &control,
    );
    let run = async |cell: PendingCell| {
        // Whoever stops begins no other cell.
        if control.is_stopped() {
            return (cell, Duration::ZERO, Ok(CellEnd::Interrupted(None)));
        }
        let began = Instant::now();
        let came = Box::pin(runner.run(&cell)).await;
        (cell, began.elapsed(), came)
    };
    let pending = pending_cells(studies);
    let mut ends = match &shared {
        None => stream::iter(pending)
            .map(run)
            .buffer_unordered(args.jobs.get())
            .boxed_local(),
        Some(shared) => {
            shared.add(&pending, args.trouble.keep_going)?;
            shared.ends(
                &runner,
                &control,
                pending,
                args.jobs.get(),
                args.verbosity.quiet,
            )
        }
    };
    let mut end = WholeEnd::default();
    while let Some((cell, took, came)) = ends.next().await {
        let came = came?;
        let begun = !matches!(came, CellEnd::Interrupted(None));
        if begun && !args.verbosity.quiet {
            let took = clock(took.as_secs_f64());
            note(&format!("{}: {} ({took})", cell.label, came.told()));
        }
        let state = &mut studies[cell.at.0].cells[cell.at.1].state;
        match came {
            CellEnd::Finished(run, _) => *state = CellState::Finished(run),
            CellEnd::Failed { run, reason, exit } => {
                end.failure.get_or_insert(exit);
                *state = CellState::Failed { run, reason };
            }
            CellEnd::Interrupted(run) => {
                end.interrupted = true;
                if let Some(run) = run {
                    *state = CellState::Stopped { run };
                }
            }
        }
        if begun {
            write_outputs(args, studies)?;
        }
    }
    drop(ends);
    if let Some(shared) = &shared {
        // What others met counts as well: where no cell came to its end, that is no success.
        let failure = shared.read(ledger, &args.store.store, studies)?;
        end.failure = end.failure.or(failure);
    }
    Ok(end)
}

/// The cells that are not finished, study by study; all methods with the first random
/// seed come first: what is stopped in between compares all methods.
fn pending_cells(studies: &[ComparedStudy]) -> Vec<PendingCell> {
    let total = states(studies).count();
    let all = studies.iter().enumerate().flat_map(|(at, study)| {
        let mut cells: Vec<usize> = (0..study.cells.len()).collect();
        let first = |cell: usize| {
            let seed = study.cells[cell].seed;
            study.cells.iter().position(|other| other.seed == seed)
        };
        cells.sort_by_key(|&cell| first(cell));
        cells.into_iter().map(move |cell| (study, (at, cell)))
    });
    let pending = all.zip(1..).filter_map(|((study, at), number)| {
        let cell = &study.cells[at.1];
        let label = format!(
            "[{number}/{total}] {} · {} · random seed {}",
            study.name, cell.method, cell.seed
        );
        PendingCell::of(study, at, label)
    });
    pending.collect()
}

/// Says what there is and what is missing.
fn introduce(args: &CompareArgs, studies: &[ComparedStudy]) {
    if args.verbosity.quiet {
        return;
    }
    let (mut finished, mut stopped, mut open) = (0, 0, 0);
    for state in states(studies) {
        match state {
            CellState::Finished(_) => finished += 1,
            CellState::Stopped { .. } => stopped += 1,
            CellState::Failed { .. } | CellState::Open => open += 1,
        }
    }
    let all = finished + stopped + open;
    let s = if all == 1 { "" } else { "s" };
    let mut line = format!("{all} cell{s}: {finished} finished in the store");
    if stopped > 0 {
        let _ = write!(line, ", {stopped} to go on with");
    }
    if open > 0 {
        let _ = write!(line, ", {open} to run");
    }
    note(&line);
}

fn comparison(args: &CompareArgs, studies: &[ComparedStudy]) -> MethodComparison {
    let of = |study: &ComparedStudy| {
        StudyComparison::of(&study.name, &study.limits, &study.cells, &study.audit)
    };
    MethodComparison {
        format: 1,
        seeds: args.seeds.0.clone(),
        library: args.library,
        studies: studies.iter().map(of).collect(),
    }
}

/// Writes the files that were asked for, as far as the cells have come.
fn write_outputs(args: &CompareArgs, studies: &[ComparedStudy]) -> Result<(), Failure> {
    if args.output.is_empty() {
        return Ok(());
    }
    let comparison = comparison(args, studies);
    for path in &args.output {
        write(
            path,
            &render(ReportFormat::of(path)?, &comparison, args.paper)?,
        )?;
    }
    Ok(())
}
