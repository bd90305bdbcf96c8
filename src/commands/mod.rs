//! One file a command. A command returns an exit code; only [`App`](crate::App)
//! ends the process.

mod assets;
mod baselines;
mod bench;
mod compare;
mod diff;
mod doctor;
mod drift;
mod estimate;
mod eval;
pub(crate) mod execute;
mod export;
mod gate;
mod init;
mod label;
mod optimize;
mod report;
mod runs;
pub(crate) mod score;
mod seeds;
mod shared;
mod shell;
mod signals;
mod watch;
mod worker;

use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use shiftproof_search::ledger::Ledger;
use shiftproof_search::spec::MethodName;
use shiftproof_tasks::lint::{LintFinding, LintSeverity};
use shiftproof_tasks::{Metric, Task};

use crate::assets::{AssetKind, FetchProgress, FetchStep, OnProgress};
use crate::cli::{BudgetArgs, Cli, CliCommand, DataAction, StoreArgs, StudyArgs};
use crate::exit::{ExitStatus, Failure};
use crate::llm::http::shown_address;
use crate::models::prices::{self, PriceTable};
use crate::runs::session::StudySession;
use crate::runs::stored;
use crate::study::task_registry::TaskRegistry;
use crate::study::{ModelSpec, ResolvedStudy, Study, budget_problem, model_problems};
use crate::wording::printed_commands::path_argument;
use crate::wording::shown::{self, visible};

/// Runs what the command line asks for.
pub(crate) async fn run(cli: Cli, registry: &TaskRegistry) -> Result<ExitStatus, Failure> {
    match cli.command {
        // Large enough to be worth their own place on the heap.
        CliCommand::Optimize(args) => match &args.seeds {
            Some(seeds) => Box::pin(seeds::run(&args, &seeds.0, registry)).await,
            None => Box::pin(optimize::run(args, registry)).await,
        },
        CliCommand::Eval(args) => Box::pin(eval::run(args, registry)).await,
        CliCommand::Gate(args) => Box::pin(gate::run(args, registry)).await,
        CliCommand::Drift(args) => Box::pin(drift::run(args, registry)).await,
        CliCommand::Label(args) => label::run(&args, registry),
        CliCommand::Diff(args) => Box::pin(diff::run(args, registry)).await,
        CliCommand::Compare(args) => Box::pin(compare::run(&args, registry)).await,
        CliCommand::Estimate(args) => Box::pin(estimate::run(&args, registry)).await,
        CliCommand::Doctor(args) => Box::pin(doctor::run(&args, registry)).await,
        CliCommand::Report(args) => report::run(&args),
        CliCommand::Export(args) => export::run(&args, registry),
        CliCommand::Init(args) => init::run(&args),
        CliCommand::Runs(args) => runs::run(args).await,
        CliCommand::Watch(args) => watch::run(args).await,
        CliCommand::Replay(args) => watch::replay(args).await,
        CliCommand::Data(args) => match args.action {
            Some(DataAction::Baselines(args)) => baselines::run(&args, registry),
            Some(DataAction::Assets(action)) => assets::run(Some(action), AssetKind::Data).await,
            None => assets::run(None, AssetKind::Data).await,
        },
        CliCommand::Models(args) => assets::run(args.action, AssetKind::Model).await,
        CliCommand::Shared(args) => shared::run(&args),
        CliCommand::Worker(args) => Box::pin(worker::run(&args, registry)).await,
        CliCommand::Bench(args) => bench::run(args),
        CliCommand::Completions(args) => shell::completions(&args),
        CliCommand::Man(args) => shell::man(&args),
    }
}

/// Refuses a metric by which nothing can be chosen.
fn judging(task: &dyn Task, path: &Path) -> Result<(), Failure> {
    let metric = task.metric();
    if metric.judges() {
        return Ok(());
    }
    Err(unjudged(metric, path))
}

fn unjudged(metric: Metric, path: &Path) -> Failure {
    Failure::usage(format!(
        "{}: task.metric {metric} describes lists and says not which are right, so no prompt can \
         be chosen by it: set ndcg@K, hr@K, recall@K or mrr, and see it with `shiftproof eval {} \
         --metric {metric}`",
        path.display(),
        path_argument(path)
    ))
}

fn resolve(
    args: &StudyArgs,
    budget: Option<&BudgetArgs>,
    registry: &TaskRegistry,
) -> Result<ResolvedStudy, Failure> {
    resolve_proposing(args, None, budget, registry)
}

/// The study as the command line changed it; `proposer` writes prompts instead of the
/// study's.
fn resolve_proposing(
    args: &StudyArgs,
    proposer: Option<&str>,
    budget: Option<&BudgetArgs>,
    registry: &TaskRegistry,
) -> Result<ResolvedStudy, Failure> {
    let study = Study::read(&args.study)?;
    let folder = args
        .study
        .parent()
        .map_or_else(Default::default, Path::to_owned);
    overridden((study, folder), args, proposer, budget, registry)
}

/// A study, whose paths start from a folder, as the command line changes it.
fn overridden(
    (mut study, folder): (Study, PathBuf),
    args: &StudyArgs,
    proposer: Option<&str>,
    budget: Option<&BudgetArgs>,
    registry: &TaskRegistry,
) -> Result<ResolvedStudy, Failure> {
    registry.method(&study, &args.study)?;
    let written = Some(ResolvedStudy::hash(&study));
    if let Some(model) = &args.model {
        study.model = ModelSpec::named(model);
        study.proposer = None;
    }
    if let Some(proposer) = proposer {
        study.proposer = Some(ModelSpec::named(proposer));
    }
    if let Some(url) = &args.base_url {
        study.model.base_url = Some(url.clone());
        study.model.endpoints.clear();
    }
    if let Some(name) = &args.method {
        study.search.method = MethodName::new(name);
        registry
            .methods()
            .get(name)
            .map_err(|unknown| Failure::usage(format!("--method is {name:?}; {unknown}")))?;
    }
    // Without a target there is nothing to vote on, nor inputs to show.
    if study.groups.target.is_empty() && registry.method(&study, &args.study)?.needs_target() {
        study.search.method = MethodName::new("ape");
    }
    if let Some(budget) = budget {
        study.budget.calls = budget.max_calls.or(study.budget.calls);
        study.budget.tokens = budget.max_tokens.or(study.budget.tokens);
        study.budget.usd = budget.max_usd.or(study.budget.usd);
        // The study's own limits are checked where it is read.
        if let Some((_, problem)) = budget_problem(&study.budget) {
            return Err(Failure::usage(format!("--max-{problem}")));
        }
    }
    for (table, spec) in std::iter::once(("model", &study.model))
        .chain(study.proposer.as_ref().map(|spec| ("proposer", spec)))
    {
        // What the study itself says is checked where it is read.
        if let Some((key, problem)) = model_problems(spec).into_iter().next() {
            return Err(Failure::usage(format!("{table}.{key}: {problem}")));
        }
    }
    let own = match &args.prices {
        Some(path) => Some((path.as_path(), PriceTable::read(path)?)),
        None => None,
    };
    prices::fill(&mut study, own.as_ref().map(|(path, table)| (*path, table)));
    let resolved = ResolvedStudy {
        began_in: std::env::current_dir().ok(),
        written,
        file: args
            .study
            .file_name()
            .map(|name| name.to_string_lossy().into_owned()),
        ..ResolvedStudy::new(study, folder, args.seed)
    };
    resolved.with_labels()
}

/// Opens the store and tells what had to be mended; with what it shares, if it does.
fn open_ledger(args: &StoreArgs) -> Result<Arc<Ledger>, Failure> {
    let folder: &Path = &args.store;
    let ledger = Ledger::open(folder).map_err(|error| match error.holder() {
        Some(_) => {
            let flag = stored::store_flag(folder);
            Failure::data(format!(
                "{error}\n  follow what it does with `shiftproof watch{flag}`; read finished runs beside \
                 it with runs, report, diff and export; or work beside it in a store of its own: \
                 --store DIR"
            ))
            .caused_by(error)
        }
        None => error.into(),
    })?;
    let ledger = tell_opened(ledger);
    let ledger = match crate::shared::connect(&args.store, args.shared_budget.as_deref())? {
        Some(shared) => ledger.sharing(shared),
        None => ledger,
    };
    crate::shared::exchange_openings(&ledger, folder)?;
    Ok(Arc::new(ledger))
}

/// Tells what had to be mended when the store was opened.
fn tell_opened(ledger: Ledger) -> Ledger {
    for text in stored::mended(ledger.opened()) {
        note(&text);
    }
    ledger
}

/// Refuses a file that cannot be written, before anything is paid for; what is there
/// stays as it is.
fn check_writable(path: &Path) -> Result<(), Failure> {
    let there = std::fs::metadata(path);
    match &there {
        Ok(there) if there.is_dir() => {
            return Err(Failure::usage(format!(
                "cannot write {}: it is a folder; name a file in it",
                path.display()
            )));
        }
        // A pipe waits for its reader, a device is somebody's choice.
        Ok(there) if !there.is_file() => return Ok(()),
        _ => {}
    }
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
        return Err(Failure::usage(format!(
            "cannot write {}: there is no folder {}; make it first, or name another",
            path.display(),
            parent.display()
        )));
    }
    let opened = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path);
    opened.map_err(Failure::from_io(ExitStatus::Usage, "write", path))?;
    if there.is_err() {
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

/// A server that says nothing is told after this, and again ever so often.
const SILENCE: Duration = Duration::from_secs(3);
const SILENCE_AGAIN: Duration = Duration::from_secs(10);

/// A study with its data and models at hand; `quiet`: nothing is said of a server that
/// is long about it.
async fn prepared(
    resolved: ResolvedStudy,
    path: &Path,
    registry: &TaskRegistry,
    quiet: bool,
    progress: OnProgress<'_>,
) -> Result<StudySession, Failure> {
    let study = resolved.study.clone();
    // Models take a large place, which is none on the stack.
    let preparing = Box::pin(StudySession::prepare(resolved, path, registry, progress));
    with_patience(&study, quiet, preparing).await
}

/// Waits for `future`, in which the models of a study are asked what they can do, and
/// says so where they are long about it.
async fn with_patience<T>(study: &Study, quiet: bool, future: impl Future<Output = T>) -> T {
    let (mut future, began) = (std::pin::pin!(future), Instant::now());
    let mut wait = SILENCE;
    loop {
        tokio::select! {
            done = &mut future => return done,
            () = tokio::time::sleep(wait) => wait = SILENCE_AGAIN,
        }
        if !quiet {
            note(&format!(
                "no answer yet from {} for {:.0} s: still waiting (Ctrl-C ends)",
                servers(study),
                began.elapsed().as_secs_f64()
            ));
        }
    }
}

/// The models of a study, with where they are, as far as it says.
fn servers(study: &Study) -> String {
    let mut told: Vec<String> = Vec::new();
    for spec in study.models() {
        let named = match &spec.base_url {
            Some(url) => match shown_address(url) {
                Some(address) => format!("{} at {address}", spec.name),
                None => spec.name.clone(),
            },
            None => spec.name.clone(),
        };
        if !told.contains(&named) {
            told.push(named);
        }
    }
    told.join(" or ")
}

/// Prints to standard output, whatever the text quotes made harmless; JSON has come
/// from [`to_json`](crate::report::to_json). A closed pipe is the reader's way to say
/// "enough".
fn print(text: &str) -> Result<(), Failure> {
    print_exactly(&shown::text(text))
}

/// The same for what the program has coloured.
fn print_colored(text: &str) -> Result<(), Failure> {
    print_exactly(&shown::colored(text))
}

/// The same for what another program is to read: as it is, unless a person looks.
fn print_for_tools(text: &str) -> Result<(), Failure> {
    if std::io::stdout().is_terminal() {
        return print(text);
    }
    print_exactly(text)
}

fn print_exactly(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(unprintable(error)),
        _ => Ok(()),
    }
}

fn unprintable(error: std::io::Error) -> Failure {
    Failure::data(format!("cannot write to standard output: {error}")).caused_by(error)
}

/// Writes a file that was asked for.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(Failure::from_io(ExitStatus::Data, "write", path))
}

/// Tells what the data's readers and lints warn of.
fn warnings(findings: &[LintFinding]) {
    for finding in findings {
        if finding.severity == LintSeverity::Warning {
            note(&finding.to_string());
        }
    }
}

/// Says something on standard error.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", visible(text));
}

/// Draws the progress of a download on standard error.
fn fetch_progress(quiet: bool) -> impl FnMut(FetchProgress) -> ControlFlow<()> {
    let live = std::io::stderr().is_terminal();
    let mut last: Option<(FetchStep, &str, Instant)> = None;
    move |progress: FetchProgress| {
        let every = if live { 0.2 } else { 5.0 };
        let due = last.is_none_or(|(step, name, at)| {
            step != progress.step || name != progress.name || at.elapsed().as_secs_f64() > every
        });
        if quiet || !due {
            return ControlFlow::Continue(());
        }
        last = Some((progress.step, progress.name, Instant::now()));
        let end = if live { '\r' } else { '\n' };
        let what = match progress.step {
            FetchStep::Waiting => "waiting for another process to fetch",
            FetchStep::Downloading => "fetching",
            FetchStep::Verifying => "verifying",
            FetchStep::Unpacking => "unpacking",
            FetchStep::Training => {
                let (done, most) = (progress.bytes, progress.total);
                let name = progress.name;
                let _ = write!(
                    std::io::stderr(),
                    "training {name}: pass {done} of at most {most}{end}"
                );
                return ControlFlow::Continue(());
            }
        };
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let _ = write!(
            std::io::stderr(),
            "{what} {}: {:.1} of {:.1} MiB{end}",
            progress.name,
            mib(progress.bytes),
            mib(progress.total)
        );
        ControlFlow::Continue(())
    }
}
