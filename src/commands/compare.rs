mod cells;
mod studies;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use shiftproof_search::control::RunControl;
use shiftproof_search::ledger::Ledger;

use self::cells::{CellEnd, CellRunner, stored_runs, stored_state};
use self::studies::{ComparedStudy, compared_methods, compared_studies};
use super::signals::{SignalStream, pass_on};
use super::{note, open_ledger, print, write};
use crate::cli::CompareArgs;
use crate::compare::{CellState, MethodComparison, StudyComparison, render};
use crate::exit::{ExitStatus, Failure};
use crate::progress::clock;
use crate::report::ReportFormat;
use crate::task_registry::TaskRegistry;

pub(super) async fn run(
    args: &CompareArgs,
    registry: &TaskRegistry,
) -> Result<ExitStatus, Failure> {
    // A file that cannot be written in its form is told before a call is paid for.
    args.output
        .iter()
        .try_for_each(|path| ReportFormat::of(path).map(drop))?;
    let methods = compared_methods(&args.methods, registry)?;
    // Reading data and hashing cached files block.
    let mut studies = tokio::task::block_in_place(|| compared_studies(args, &methods, registry))?;
    let ledger = open_ledger(&args.store.store)?;
    let runs = stored_runs(&ledger)?;
    for study in &mut studies {
        for at in 0..study.cells.len() {
            let state = stored_state((&ledger, &runs), args, study, at)?;
            study.cells[at].state = state;
        }
    }
    introduce(args, &studies);
    let end = if args.stored {
        WholeEnd::default()
    } else {
        run_missing(args, &mut studies, registry, &ledger).await?
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

/// Runs every cell that is not finished, one after the other.
async fn run_missing(
    args: &CompareArgs,
    studies: &mut [ComparedStudy],
    registry: &TaskRegistry,
    ledger: &Arc<Ledger>,
) -> Result<WholeEnd, Failure> {
    let control = RunControl::new();
    tokio::spawn(pass_on(SignalStream::new(), control.clone(), None));
    let total = states(studies).count();
    let mut end = WholeEnd::default();
    let mut number = 0;
    for at in 0..studies.len() {
        for cell in 0..studies[at].cells.len() {
            number += 1;
            let study = &studies[at];
            if study.cells[cell].state.finished().is_some() {
                continue;
            }
            let label = format!(
                "[{number}/{total}] {} · {} · random seed {}",
                study.name, study.cells[cell].method, study.cells[cell].seed
            );
            let began = Instant::now();
            let runner = CellRunner {
                args,
                registry,
                ledger,
                control: &control,
                label: &label,
            };
            let came = Box::pin(runner.run(study, cell)).await?;
            if !args.verbosity.quiet {
                let took = clock(began.elapsed().as_secs_f64());
                note(&format!("{label}: {} ({took})", came.told()));
            }
            let state = match came {
                CellEnd::Finished(run, _) => CellState::Finished(run),
                CellEnd::Failed { run, reason, exit } => {
                    end.failure.get_or_insert(exit);
                    CellState::Failed { run, reason }
                }
                CellEnd::Interrupted(run) => {
                    end.interrupted = true;
                    run.map_or(CellState::Open, |run| CellState::Stopped { run })
                }
            };
            studies[at].cells[cell].state = state;
            if end.interrupted {
                return Ok(end);
            }
            write_outputs(args, studies)?;
        }
    }
    Ok(end)
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
