//! Works through cells that others' comparisons are waiting for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shiftproof_search::control::RunControl;

use super::compare::{CellRunner, PendingCell};
use super::signals::{SignalStream, pass_on, wait_unless_stopped};
use super::{note, open_ledger};
use crate::cli::{TroubleArgs, WorkerArgs};
use crate::exit::{ExitStatus, Failure};
use crate::runs::progress::clock;
use crate::shared;
use crate::shared::work::CellQueue;
use crate::study::task_registry::TaskRegistry;

/// How often it is looked for work.
const LOOK_AGAIN: Duration = Duration::from_secs(3);

pub(super) async fn run(args: &WorkerArgs, registry: &TaskRegistry) -> Result<ExitStatus, Failure> {
    let ledger = open_ledger(&args.store)?;
    let Some(store) = shared::store_of(&ledger).map(Arc::clone) else {
        return Err(Failure::usage(
            "a worker helps others through a database: name it with \
             --store postgres://USER@HOST/DATABASE",
        ));
    };
    let control = RunControl::new();
    tokio::spawn(pass_on(SignalStream::new(), control.clone(), None));
    let mut done = 0_u64;
    while !control.is_stopped() {
        shared::check_budget(&ledger)?;
        let mut taken = None;
        for name in store.queues()? {
            let queue = CellQueue::new(store.clone(), name);
            if let Some((id, work)) = queue.take()? {
                taken = Some((queue, id, work));
                break;
            }
        }
        let Some((queue, id, work)) = taken else {
            if !args.wait {
                break;
            }
            wait_unless_stopped(LOOK_AGAIN, &control).await;
            continue;
        };
        let own = ledger.shared().and_then(|shared| shared.budget());
        if let Some(budget) = work.budget.as_deref().filter(|budget| own != Some(budget)) {
            queue.give_back(&id)?;
            return Err(Failure::usage(format!(
                "{}: the comparison draws on the shared budget {budget:?}, and so does who helps \
                 with it: --shared-budget {budget}",
                work.label
            )));
        }
        let runner = CellRunner::new(
            args.verbosity,
            TroubleArgs {
                keep_going: work.keep_going,
                retry_failed: false,
            },
            &args.store.store,
            registry,
            &ledger,
            &control,
        );
        let cell = PendingCell::of_work(work, &ledger)?;
        let began = Instant::now();
        let came = runner.run_taken(&cell, &queue, &id, true).await?;
        if !args.verbosity.quiet {
            let took = clock(began.elapsed().as_secs_f64());
            note(&format!("{}: {} ({took})", cell.label, came.told()));
        }
        done += u64::from(came.is_finished());
        if came.has_failed() {
            // A service that is down is not well again at once.
            wait_unless_stopped(LOOK_AGAIN, &control).await;
        }
    }
    if control.is_stopped() {
        note("interrupted: what was not finished waits for others; everything paid for is stored");
        return Ok(ExitStatus::Interrupted);
    }
    let s = if done == 1 { "" } else { "s" };
    note(&format!(
        "nothing is left to do: {done} cell{s} finished here"
    ));
    Ok(ExitStatus::Done)
}
