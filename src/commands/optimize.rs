mod events;
mod resume;

use std::io::IsTerminal;
use std::mem::take;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use shiftproof_search::control::RunControl;
use shiftproof_search::event::{AuditedPrompt, RunEnding, RunObserver};
use shiftproof_search::ledger::{Ledger, RunRecord, RunStatus};

use self::events::EventLines;
use self::resume::{FIRST_SEED, as_it_began, as_told, stopped};
use super::execute::{ExecutionError, RunExecution, write_report};
use super::signals::{SignalStream, pass_on};
use super::{
    check_writable, estimate, fetch_progress, judging, note, open_ledger, overridden, print,
    resolve, warnings, with_patience,
};
use crate::assets;
use crate::cli::OptimizeArgs;
use crate::exit::{ExitStatus, Failure};
use crate::gate::power;
use crate::judge;
use crate::report::{NamedRun, ReportFormat, RunSummary, render};
use crate::runs::progress::{ProgressVerbosity, ProgressWriter, clock};
use crate::runs::session::{FinishedRun, LoadedStudy, StudySession};
use crate::runs::stored;
use crate::shared;
use crate::study::task_registry::TaskRegistry;
use crate::study::{BatchMode, ResolvedStudy, Study, model_problems};
use crate::tui::{RunScreen, ScreenCloser};
use crate::wording::printed_commands::{self, resume_line};

pub(super) async fn run(
    args: OptimizeArgs,
    registry: &TaskRegistry,
) -> Result<ExitStatus, Failure> {
    let began = Instant::now();
    let verbosity = match (args.verbosity.quiet, args.verbosity.verbose) {
        (true, _) => ProgressVerbosity::Quiet,
        (_, true) => ProgressVerbosity::Verbose,
        _ => ProgressVerbosity::Normal,
    };
    if args.dry_run {
        let args = crate::cli::EstimateArgs {
            study: args.study,
            budget: args.budget,
            store: args.store,
            trouble: args.trouble,
            probe: None,
            json: args.json,
        };
        return Box::pin(estimate::run(&args, registry)).await;
    }
    check_outputs(&args)?;
    let (ledger, resumed, mut resolved) = begin(&args, registry)?;
    for spec in resolved.study.models_mut() {
        spec.batch_waits = !args.batch_exit;
    }
    if resumed.is_some() && args.budget.is_given() {
        return Err(Failure::usage(
            "a resumed run keeps the limits it began with; for others start a new run: answers \
             that are stored cost nothing",
        ));
    }
    if let Some(record) = &resumed {
        as_it_began(&args, record, &resolved, registry)?;
    }
    if let Some(record) = &resumed
        && record.status == RunStatus::Finished
        && !args.trouble.retry_failed
        && let Some(run) = as_told(&args, record)?
    {
        return finish(&args, &run);
    }
    let preparing = prepare(&args, resolved, resumed.as_ref(), registry);
    let mut session = Box::pin(preparing).await?;
    session.holds_bar = holds_bar(&args);
    let record = match resumed {
        Some(record) => record,
        None => session.new_run(&ledger)?,
    };
    let id = record.id.clone();
    let Some(done) = Box::pin(conduct(&args, verbosity, session, ledger, record)).await? else {
        note("aborted; everything paid for before is stored");
        return Ok(ExitStatus::Interrupted);
    };
    let ConductedRun {
        done:
            FinishedRun {
                summary,
                sent,
                lost,
                remarks,
                failures,
                study,
                ..
            },
        ended,
        unwritten,
        on_screen,
    } = done;
    let run = NamedRun::new(&id, summary)
        .with_failures(failures)
        .of_study(study);
    let exit = finish(&args, &run)?;
    if verbosity > ProgressVerbosity::Quiet {
        for remark in remarks {
            note(&format!("Note: {remark}."));
        }
        note(&format!(
            "Took {}; {sent} calls were sent to a model, the other answers came from the store.",
            clock((ended - began).as_secs_f64())
        ));
        if lost > 0 {
            note(&format!(
                "Up to {lost} requests beside these brought no answer: questions on what the models can do, retries, and what was on the way when a process was killed. They count against the limits."
            ));
        }
        where_stored(&args.store.store, &id, on_screen);
    }
    match unwritten {
        Some(problem) => Err(Failure::data(problem)),
        None => Ok(exit),
    }
}

/// Refuses what could not be written at the end, before a call is paid for.
fn check_outputs(args: &OptimizeArgs) -> Result<(), Failure> {
    if args.json && prints_events(args) {
        return Err(Failure::usage(
            "--json and --events - would both write to standard output: give one of them a file, \
             with -o report.json or --events events.jsonl",
        ));
    }
    for path in &args.output {
        ReportFormat::of(path)?;
        check_writable(path)?;
    }
    match &args.events {
        Some(path) if !prints_events(args) => check_writable(path),
        _ => Ok(()),
    }
}

/// The study with its data and models, told on the way; what can be known to fail is
/// refused before a model is asked anything.
async fn prepare(
    args: &OptimizeArgs,
    resolved: ResolvedStudy,
    resumed: Option<&RunRecord>,
    registry: &TaskRegistry,
) -> Result<StudySession, Failure> {
    let quiet = args.verbosity.quiet;
    let mut progress = fetch_progress(quiet);
    let loaded = load(args, resolved, resumed, registry, &mut progress)?;
    if !quiet {
        introduce(&loaded, &args.store.store)?;
    }
    let study = loaded.resolved.study.clone();
    let connecting = loaded.connect(resumed, &mut progress);
    let session = Box::pin(with_patience(&study, quiet, connecting)).await?;
    if !quiet {
        note(&format!("Model: {}", session.task_model.report));
        if let Some(proposer) = &session.proposer_model {
            note(&format!("Proposer: {}", proposer.report));
        }
    }
    Ok(session)
}

/// The study with its data; what can be known to fail is refused.
pub(super) fn load(
    args: &OptimizeArgs,
    resolved: ResolvedStudy,
    resumed: Option<&RunRecord>,
    registry: &TaskRegistry,
    progress: assets::OnProgress<'_>,
) -> Result<LoadedStudy, Failure> {
    let path = &args.study.study;
    let loaded = LoadedStudy::load(resolved, path, registry, progress)?;
    judging(loaded.built.task.as_ref(), path)?;
    if resumed.is_none() {
        estimate::check_budget(&loaded)?;
    }
    Ok(loaded)
}

/// Sends the calls of every model that is behind a server as batches.
fn batch(study: &mut Study) -> Result<(), Failure> {
    let mut any = false;
    for spec in study.models_mut() {
        if spec.provider().map_err(Failure::usage)?.server().is_none() {
            continue;
        }
        any = true;
        spec.batch = BatchMode::On;
        if let Some((key, problem)) = model_problems(spec).into_iter().next() {
            return Err(Failure::usage(format!("--batch: {key}: {problem}")));
        }
    }
    if any {
        return Ok(());
    }
    Err(Failure::usage(
        "--batch: no model of the study is behind a server; remove the flag",
    ))
}

/// Tells how a run that ended is seen again.
fn where_stored(store: &Path, run: &str, on_screen: bool) {
    let flag = printed_commands::whole_flag(store);
    note(&format!(
        "Stored as run {run} in {}: `shiftproof runs show {run}{flag}` prints this report again.",
        store.display()
    ));
    if on_screen {
        note(&format!(
            "`shiftproof replay {run}{flag}` shows its screens again, from the first event on."
        ));
    }
}

/// A run and the moment it ended, which may be long before its screen is closed.
struct ConductedRun {
    done: FinishedRun,
    ended: Instant,
    /// Why the file of --events is not whole.
    unwritten: Option<String>,
    /// Whether it was watched on the screen.
    on_screen: bool,
}

/// Executes the run under the eyes of its observers; whatever comes of it, the
/// terminal is given back. `None`: aborted.
async fn conduct(
    args: &OptimizeArgs,
    verbosity: ProgressVerbosity,
    session: StudySession,
    ledger: Arc<Ledger>,
    record: RunRecord,
) -> Result<Option<ConductedRun>, Failure> {
    let planned = session.plan().calls();
    let mut observers: Vec<Box<dyn RunObserver>> = Vec::new();
    let unwritten = Arc::new(Mutex::new(None));
    if let Some(path) = &args.events {
        observers.push(Box::new(EventLines::create(path, unwritten.clone())?));
    }
    let (control, closer) = (RunControl::new(), ScreenCloser::default());
    let signals = SignalStream::new();
    let mut screen = None;
    if verbosity == ProgressVerbosity::Normal && !args.headless && !shows_events(args) {
        screen = RunScreen::start(&record.id, planned, control.clone(), closer.clone());
    }
    observers.push(match screen.as_mut().and_then(RunScreen::observer) {
        Some(observer) => observer,
        None => Box::new(ProgressWriter::new(verbosity, planned)),
    });
    let on_screen = screen.is_some();
    let closer = on_screen.then_some(closer);
    tokio::spawn(pass_on(signals, control.clone(), closer));
    let execution = RunExecution {
        session,
        ledger,
        record,
        observers,
        control,
        trouble: args.trouble.into(),
        by: "optimize",
    };
    let done = Box::pin(execution.execute()).await;
    let ended = Instant::now();
    let outcome = done.map_err(|error| match error {
        ExecutionError::Stopped(stop, record) => stopped(&stop, &record, args).caused_by(stop),
        ExecutionError::Failed(failure) => failure,
    });
    let trouble = match (screen, &outcome) {
        (Some(screen), Ok(Some(_))) => screen.wait().await,
        (Some(screen), _) => screen.close().await,
        (None, _) => None,
    };
    if let Some(trouble) = trouble {
        note(&format!("the screen failed: {trouble}"));
    }
    let unwritten = take(&mut *unwritten.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(outcome?.map(|done| ConductedRun {
        done,
        ended,
        unwritten,
        on_screen,
    }))
}

/// The store, the run that is resumed if one is, and its study or the one named.
fn begin(
    args: &OptimizeArgs,
    registry: &TaskRegistry,
) -> Result<(Arc<Ledger>, Option<RunRecord>, ResolvedStudy), Failure> {
    let store = &args.store.store;
    // A resumed run keeps the study and the options it began with: where the run is
    // named, no study file is needed.
    if let Some(name) = args.resume.as_deref().filter(|name| !name.is_empty()) {
        let ledger = open_ledger(&args.store)?;
        let Some(record) = ledger.run(name)? else {
            if shared::names(&ledger)?.iter().any(|run| run == name) {
                return Err(Failure::usage(format!(
                    "the run {name} is of another process, in whose folder alone it goes on; a new \
                     run of its study takes over all its answers"
                )));
            }
            return Err(unstored(store, name));
        };
        let resolved = as_begun(&record)?;
        return Ok((ledger, Some(record), resolved));
    }
    if let Some(name) = &args.continues {
        let ledger = open_ledger(&args.store)?;
        let resolved = continued(args, name, &ledger, registry)?;
        return Ok((ledger, None, resolved));
    }
    let mut resolved = resolve(&args.study, Some(&args.budget), registry)?;
    if args.batch {
        batch(&mut resolved.study)?;
    }
    let ledger = open_ledger(&args.store)?;
    if args.resume.is_none() {
        shared::check_budget(&ledger)?;
        return Ok((ledger, None, resolved));
    }
    let record = latest(&ledger, &resolved.study.name, store)?;
    let resolved = as_begun(&record)?;
    Ok((ledger, Some(record), resolved))
}

/// The study as it is now, for a run that goes on from the finished run `name`, or
/// from the study's latest.
fn continued(
    args: &OptimizeArgs,
    name: &str,
    ledger: &Ledger,
    registry: &TaskRegistry,
) -> Result<ResolvedStudy, Failure> {
    let store = &args.store.store;
    let named = match name {
        "" => None,
        name => Some(
            ledger
                .run(name)?
                .ok_or_else(|| stored::unknown(store, name))?,
        ),
    };
    // Where the run is named, no study file is needed: then it is the run's.
    let mut resolved = match &named {
        Some(record) if !args.study.study.exists() => {
            let begun = as_begun(record)?;
            let (study, budget) = ((begun.study, begun.folder), Some(&args.budget));
            ResolvedStudy {
                file: begun.file,
                ..overridden(study, &args.study, None, budget, registry)?
            }
        }
        _ => resolve(&args.study, Some(&args.budget), registry)?,
    };
    if args.batch {
        batch(&mut resolved.study)?;
    }
    let study = &resolved.study.name;
    let record = if let Some(record) = named {
        record
    } else {
        let runs = ledger.runs()?.into_iter().rev();
        let finished = |run: &RunRecord| run.status == RunStatus::Finished;
        let mut of_study = runs.filter(|run| run.study == *study && finished(run));
        of_study.next().ok_or_else(|| {
            Failure::usage(format!(
                "there is no finished run of {study} in {} to go on from; without --continue one \
                 begins",
                store.display()
            ))
        })?
    };
    if record.study != *study {
        return Err(Failure::usage(format!(
            "{} is a run of the study {:?}, not of {study:?}",
            record.id, record.study
        )));
    }
    if record.status != RunStatus::Finished {
        return Err(Failure::usage(format!(
            "the run {} is not finished; bring it to its end first: {}",
            record.id,
            resume_line(store, &record.id, "")
        )));
    }
    if args.study.seed == FIRST_SEED {
        resolved.seed = record.seed;
    }
    resolved.continues = Some(record.id);
    Ok(resolved)
}

/// What is said of a run that the store does not know.
fn unstored(store: &Path, run: &str) -> Failure {
    if !stored::names(store).iter().any(|name| name == run) {
        return stored::unknown(store, run);
    }
    let flag = stored::store_flag(store);
    Failure::usage(format!(
        "of the run {run} there is the folder in {} alone: its process ended before anything was \
         asked, so there is nothing to go on from; remove it with `shiftproof runs rm {run}{flag}` \
         and start a new run",
        store.display()
    ))
}

/// The latest run of a study that is not finished.
fn latest(ledger: &Ledger, study: &str, store: &Path) -> Result<RunRecord, Failure> {
    let runs = ledger.runs()?.into_iter().rev();
    let mut waiting = runs.filter(|run| run.study == study && run.status != RunStatus::Finished);
    waiting.next().ok_or_else(|| {
        Failure::usage(format!(
            "no run of {study} is waiting to be resumed; `shiftproof runs{}` lists all runs",
            stored::store_flag(store)
        ))
    })
}

/// The study and options that a run began with.
fn as_begun(record: &RunRecord) -> Result<ResolvedStudy, Failure> {
    let begun = serde_json::from_str::<ResolvedStudy>(&record.spec);
    begun.map(ResolvedStudy::found_again).map_err(|error| {
        Failure::data(format!(
            "the record of run {} cannot be read: {error}",
            record.id
        ))
        .caused_by(error)
    })
}

/// What a run goes on from, and which prompt is its seed.
fn going_on(loaded: &LoadedStudy, store: &Path) -> Result<(), Failure> {
    let Some(run) = &loaded.resolved.continues else {
        return Ok(());
    };
    let earlier = stored::brief(&stored::folder(store, run)?)?;
    let seed = loaded.built.task.seed().id();
    let told = match earlier.selected {
        Some(selected) if selected == seed => format!("which is what {run} had selected"),
        Some(selected) => format!(
            "as the study has it; {selected:#}, which {run} had selected, races beside it. If that \
             one is in use by now, put it into the study first: `shiftproof diff seed selected --run \
             {run}{}` shows it",
            stored::store_flag(store)
        ),
        None => "as the study has it".to_owned(),
    };
    note(&format!(
        "Goes on from run {run}. The prompt to beat is {seed:#}, {told}."
    ));
    Ok(())
}

fn introduce(loaded: &LoadedStudy, store: &Path) -> Result<(), Failure> {
    let data = &loaded.loaded;
    let groups: Vec<String> = data
        .groups
        .iter()
        .map(|group| format!("{} ({})", group.name, group.role))
        .collect();
    note(&format!(
        "Study {}: {}",
        loaded.resolved.study.name,
        groups.join(", ")
    ));
    for text in &data.notes {
        note(&format!("Note: {text}."));
    }
    warnings(&data.findings);
    if let Some(told) = power::smoke(&data.groups) {
        note(&told);
    }
    going_on(loaded, store)
}

/// Whether events are printed to standard output, which is theirs alone then.
fn prints_events(args: &OptimizeArgs) -> bool {
    args.events.as_deref() == Some(Path::new("-"))
}

/// Whether events are printed where the screen would be.
fn shows_events(args: &OptimizeArgs) -> bool {
    prints_events(args) && std::io::stdout().is_terminal()
}

/// Prints the report and holds it against the bars that were set.
fn finish(args: &OptimizeArgs, run: &NamedRun) -> Result<ExitStatus, Failure> {
    for path in &args.output {
        write_report(path, run)?;
        if !args.verbosity.quiet {
            note(&format!("wrote {}", path.display()));
        }
    }
    let form = if args.json {
        ReportFormat::Json
    } else {
        ReportFormat::Text
    };
    let report = render(form, std::slice::from_ref(run))?;
    if !prints_events(args) {
        print(&report)?;
    } else if !args.verbosity.quiet {
        note(report.trim_end());
    }
    let (exit, told) = held(args, &run.summary);
    if let Some(told) = told {
        note(&told);
    }
    Ok(exit)
}

/// What a run comes to under the bars that were set: the exit code, and why it is not
/// that of success.
pub(super) fn held(args: &OptimizeArgs, summary: &RunSummary) -> (ExitStatus, Option<String>) {
    let audited = summary.audited(AuditedPrompt::Selected);
    if audited.is_some_and(|groups| !groups.is_empty() && groups.iter().all(|g| g.n == 0)) {
        let told = "not one answer of the audit can be used: the selected prompt was not measured";
        return (ExitStatus::Unusable, Some(told.to_owned()));
    }
    // Of a run that began without a bar.
    let no_bar = summary.judge.as_ref().and_then(judge::no_bar);
    if let Some(told) = no_bar.filter(|_| holds_bar(args)) {
        return (ExitStatus::Usage, Some(told));
    }
    let worst = summary.worst_of(AuditedPrompt::Selected);
    if let Some(bar) = args.min_worst {
        let reached = worst.and_then(|group| group.value);
        if reached.is_none() && !summary.unverified.is_empty() {
            let told = format!(
                "no target group is audited, so that --min-worst {bar} is reached is not shown"
            );
            return (ExitStatus::Below, Some(told));
        }
        if reached.is_none_or(|value| value < bar) {
            let value = reached.map_or("no score".to_owned(), |value| format!("{value:.3}"));
            let told = format!("the worst target group has {value}, below --min-worst {bar}");
            return (ExitStatus::Below, Some(told));
        }
    }
    let gain = summary.worst.as_ref().filter(|_| worst.is_some());
    if args.require_gain && gain.is_none_or(|worst| worst.low <= 0.0) {
        let told = "no prompt is better than the seed on the worst target group beyond chance";
        return (ExitStatus::NoWinner, Some(told.to_owned()));
    }
    let unmeasured = audited.is_none_or(<[_]>::is_empty);
    if summary.ending == Some(RunEnding::BudgetExhausted) && unmeasured {
        let told = "the budget ran out before a decision";
        return (ExitStatus::Budget, Some(told.to_owned()));
    }
    (ExitStatus::Done, None)
}

/// Whether the scores are held against a bar.
pub(super) const fn holds_bar(args: &OptimizeArgs) -> bool {
    args.min_worst.is_some() || args.require_gain
}
