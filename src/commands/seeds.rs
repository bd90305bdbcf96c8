//! One study searched under several random seeds, and what they agree on.

mod sharing;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

use shiftproof_search::control::RunControl;
use shiftproof_search::event::{AuditedPrompt, RunObserver};
use shiftproof_search::event_log::LogError;
use shiftproof_search::gateway::RunError;
use shiftproof_search::ledger::{Ledger, RunRecord, RunStatus};
use shiftproof_tasks::PromptId;

use self::sharing::{LOOK_AGAIN, SeedTurn};
use super::execute::{ExecutionError, RunExecution};
use super::signals::{SignalStream, pass_on, wait_unless_stopped};
use super::{
    check_writable, fetch_progress, note, open_ledger, optimize, print, resolve, warnings,
    with_patience, write,
};
use crate::cli::OptimizeArgs;
use crate::exit::{ExitStatus, Failure};
use crate::report::{NamedRun, ReportFormat, grouped, render, score_as};
use crate::runs::progress::{ProgressVerbosity, ProgressWriter};
use crate::runs::session::StudySession;
use crate::runs::stored;
use crate::study::ResolvedStudy;
use crate::study::task_registry::TaskRegistry;
use crate::wording::shown::{line, visible};
use crate::wording::table::{TextColumn, TextTable};
use crate::wording::unusable;
use crate::wording::word_diff::flat;

/// Runs the study under each of the seeds in turn. What is finished in the store is
/// not run again, what stopped goes on.
pub(super) async fn run(
    args: &OptimizeArgs,
    seeds: &[u64],
    registry: &TaskRegistry,
) -> Result<ExitStatus, Failure> {
    // A file that cannot be written in its form is told before a call is paid for.
    args.output
        .iter()
        .try_for_each(|path| ReportFormat::of(path).and_then(|_| check_writable(path)))?;
    let control = RunControl::new();
    let seeded = SeededRuns {
        args,
        registry,
        ledger: open_ledger(&args.store)?,
        control: control.clone(),
    };
    tokio::spawn(pass_on(SignalStream::new(), control, None));
    let Some(runs) = Box::pin(seeded.all(seeds)).await? else {
        note("interrupted: the same command goes on; everything paid for is stored");
        return Ok(ExitStatus::Interrupted);
    };
    let named: Vec<NamedRun> = runs.iter().map(|(_, run)| run.clone()).collect();
    for path in &args.output {
        write(path, &render(ReportFormat::of(path)?, &named)?)?;
    }
    if args.json {
        print(&render(ReportFormat::Json, &named)?)?;
    } else {
        print(&text(&runs))?;
    }
    Ok(held(args, &runs))
}

struct SeededRuns<'a> {
    args: &'a OptimizeArgs,
    registry: &'a TaskRegistry,
    ledger: Arc<Ledger>,
    control: RunControl,
}

impl SeededRuns<'_> {
    /// The runs of all seeds, in their order; those that other processes have are waited for
    /// once nothing else is left. `None`: interrupted.
    async fn all(&self, seeds: &[u64]) -> Result<Option<Vec<(u64, NamedRun)>>, Failure> {
        let mut runs = BTreeMap::new();
        let mut open: VecDeque<(usize, u64)> = seeds.iter().copied().enumerate().collect();
        // How many in a row others have, and what was said of that.
        let (mut held, mut told) = (0, false);
        while let Some((at, seed)) = open.pop_front() {
            let label = format!("random seed {seed} ({} of {})", at + 1, seeds.len());
            let study = crate::cli::StudyArgs {
                seed,
                ..self.args.study.clone()
            };
            let resolved = resolve(&study, Some(&self.args.budget), self.registry)?;
            match Box::pin(self.take(&resolved, &label)).await? {
                SeedTurn::Ended(Some(run)) => {
                    runs.insert(at, (seed, *run));
                    held = 0;
                }
                SeedTurn::Ended(None) => return Ok(None),
                SeedTurn::Held(holder) => {
                    open.push_back((at, seed));
                    held += 1;
                    if held < open.len() {
                        continue;
                    }
                    if !told && !self.args.verbosity.quiet {
                        note(&format!("waiting for what others have: {label} ({holder})"));
                        told = true;
                    }
                    wait_unless_stopped(LOOK_AGAIN, &self.control).await;
                    if self.control.is_stopped() {
                        return Ok(None);
                    }
                    held = 0;
                }
            }
        }
        Ok(Some(runs.into_values().collect()))
    }

    /// The run of one seed, from the store or to its end; `None`: interrupted.
    async fn run(
        &self,
        resolved: &ResolvedStudy,
        label: &str,
    ) -> Result<Option<NamedRun>, Failure> {
        let args = self.args;
        let mut begun = None;
        for record in self.runs_of(resolved)? {
            if record.status != RunStatus::Finished || args.trouble.retry_failed {
                begun.get_or_insert(record);
            } else if let Some(run) = self.finished(&record) {
                if !args.verbosity.quiet {
                    note(&format!("{label}: run {} is finished", record.id));
                }
                return Ok(Some(run));
            }
        }
        if let Some(record) = begun {
            let came = Box::pin(self.execute(resolved, Some(record), label)).await?;
            if let SeedCourse::Ended(run) = came {
                return Ok(run.map(|run| *run));
            }
            if !args.verbosity.quiet {
                note(&format!(
                    "{label}: the run that stopped takes another course now; a new one begins"
                ));
            }
        }
        match Box::pin(self.execute(resolved, None, label)).await? {
            SeedCourse::Ended(run) => Ok(run.map(|run| *run)),
            SeedCourse::Diverged => Err(Failure::data(format!(
                "{label}: its run takes another course than its own log"
            ))),
        }
    }

    /// The runs of this study as it is, the latest first.
    fn runs_of(&self, resolved: &ResolvedStudy) -> Result<Vec<RunRecord>, Failure> {
        // As it is read back: what a record does not keep is no difference.
        let internal = Failure::from_error(ExitStatus::Internal);
        let kept = serde_json::to_string(resolved).map_err(&internal)?;
        let wanted: ResolvedStudy = serde_json::from_str(&kept).map_err(&internal)?;
        let same = |record: &RunRecord| {
            serde_json::from_str::<ResolvedStudy>(&record.spec)
                .is_ok_and(|own| own.is_same_as(&wanted))
        };
        Ok(self.ledger.runs()?.into_iter().rev().filter(same).collect())
    }

    /// A finished run whose log can be read.
    fn finished(&self, record: &RunRecord) -> Option<NamedRun> {
        let run = stored::read(&self.ledger.run_dir(&record.id)?).ok()?;
        run.summary.ending.is_some().then_some(run)
    }

    async fn execute(
        &self,
        resolved: &ResolvedStudy,
        record: Option<RunRecord>,
        label: &str,
    ) -> Result<SeedCourse, Failure> {
        let args = self.args;
        let mut progress = fetch_progress(args.verbosity.quiet);
        let known = record.as_ref();
        let loaded = optimize::load(args, resolved.clone(), known, self.registry, &mut progress)?;
        if !args.verbosity.quiet {
            warnings(&loaded.loaded.findings);
        }
        let connecting = loaded.connect(known, &mut progress);
        let mut session = Box::pin(with_patience(
            &resolved.study,
            args.verbosity.quiet,
            connecting,
        ))
        .await?;
        session.holds_bar = optimize::holds_bar(args);
        let record = match record {
            Some(record) => record,
            None => session.new_run(&self.ledger)?,
        };
        let id = record.id.clone();
        let execution = RunExecution {
            observers: vec![self.observer(&session, label)],
            session,
            ledger: self.ledger.clone(),
            record,
            control: self.control.clone(),
            trouble: args.trouble.into(),
            by: "optimize",
        };
        match Box::pin(execution.execute()).await {
            Ok(Some(done)) => {
                let run = NamedRun::new(&id, done.summary)
                    .with_failures(done.failures)
                    .of_study(done.study);
                if !args.verbosity.quiet {
                    note(&format!(
                        "{label}: {}; run {id}",
                        run.summary.verdict().sentence
                    ));
                }
                Ok(SeedCourse::Ended(Some(Box::new(run))))
            }
            Ok(None) | Err(ExecutionError::Stopped(RunError::Interrupted, _)) => {
                Ok(SeedCourse::Ended(None))
            }
            Err(ExecutionError::Failed(failure)) => Err(failure),
            Err(ExecutionError::Stopped(RunError::Log(LogError::Diverged { .. }), _)) => {
                Ok(SeedCourse::Diverged)
            }
            Err(ExecutionError::Stopped(stop, _)) => {
                let told = format!(
                    "{label}: {}\n  everything paid for is stored, and so are the runs before it; \
                     the same command goes on",
                    unusable::stopped(&stop)
                );
                Err(Failure::new(ExitStatus::of(&stop), told).caused_by(stop))
            }
        }
    }

    fn observer(&self, session: &StudySession, label: &str) -> Box<dyn RunObserver> {
        let verbosity = match (self.args.verbosity.quiet, self.args.verbosity.verbose) {
            (true, _) => ProgressVerbosity::Quiet,
            (_, true) => ProgressVerbosity::Verbose,
            _ => ProgressVerbosity::Normal,
        };
        let planned = session.plan().calls();
        Box::new(ProgressWriter::of_part(
            verbosity,
            planned,
            label.to_owned(),
        ))
    }
}

/// What came of a run.
enum SeedCourse {
    /// Its end; `None`: interrupted.
    Ended(Option<Box<NamedRun>>),
    /// It no longer goes the way that its log tells.
    Diverged,
}

/// A row a seed, and what they agree on.
fn text(runs: &[(u64, NamedRun)]) -> String {
    let mut table = TextTable::new([
        TextColumn::right(),
        TextColumn::left(),
        TextColumn::right(),
        TextColumn::right(),
        TextColumn::left().at_most(72),
        TextColumn::left(),
    ])
    .indented(2);
    let head = [
        "random seed",
        "selected",
        "seed prompt",
        "selected prompt",
        "verdict",
        "run",
    ];
    table.row(head.map(str::to_owned));
    let mut worst_name = "worst target";
    for (seed, run) in runs {
        let summary = &run.summary;
        worst_name = summary.worst_name();
        let metric = summary
            .started
            .as_ref()
            .map_or("accuracy", |started| &started.metric);
        let worst = |contestant| {
            summary
                .worst_of(contestant)
                .map_or_else(|| "–".to_owned(), |group| score_as(metric, group))
        };
        let selected = match (summary.selected, summary.seed()) {
            (Some(selected), Some(own)) if selected == own => "the seed prompt".to_owned(),
            (Some(selected), _) => format!("{selected:#}"),
            (None, _) => "none".to_owned(),
        };
        table.row([
            seed.to_string(),
            selected,
            worst(AuditedPrompt::Seed),
            worst(AuditedPrompt::Selected),
            summary.verdict().sentence,
            run.name.clone(),
        ]);
    }
    let mut out = format!(
        "{} random seeds, {worst_name} of each by the audit\n",
        runs.len()
    );
    out.push_str(&table.text());
    write_agreement(runs, &mut out);
    let calls: u64 = runs
        .iter()
        .map(|(_, run)| run.summary.spent.map_or(0, |spent| spent.calls))
        .sum();
    let _ = writeln!(
        out,
        "{} calls in all, answers from the store among them. Brackets: 95% intervals.",
        grouped(calls)
    );
    out
}

/// Which prompts were selected, by how many seeds each; and what that is worth.
fn write_agreement(runs: &[(u64, NamedRun)], out: &mut String) {
    let mut chosen: BTreeMap<PromptId, (usize, &NamedRun)> = BTreeMap::new();
    for (_, run) in runs {
        if let Some(selected) = run.summary.selected {
            chosen.entry(selected).or_insert((0, run)).0 += 1;
        }
    }
    let kept = runs.iter().filter(|(_, run)| {
        run.summary.selected.is_some() && run.summary.selected == run.summary.seed()
    });
    let kept = kept.count();
    let different = match chosen.len() {
        1 => "the same prompt".to_owned(),
        many => format!("{many} different prompts"),
    };
    let _ = writeln!(
        out,
        "Agreement: {} random seeds selected {different}; {kept} kept the seed prompt.",
        runs.len()
    );
    let mut chosen: Vec<(PromptId, (usize, &NamedRun))> = chosen.into_iter().collect();
    chosen.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    for (id, (count, run)) in &chosen {
        let prompt = run.summary.candidates.get(id).map(|own| flat(&own.prompt));
        let _ = writeln!(
            out,
            "  {id:#} by {count}: {}",
            visible(&line(&prompt.unwrap_or_default()))
        );
    }
    if chosen.len() > 1 {
        let _ = writeln!(
            out,
            "Note: seeds that select different prompts which score alike say that the search sees \
             no difference among them; taking the one with the best figure above tunes on the \
             audit."
        );
    }
}

/// The bars of `optimize`, which every run must reach: the first that does not.
fn held(args: &OptimizeArgs, runs: &[(u64, NamedRun)]) -> ExitStatus {
    for (seed, run) in runs {
        let (exit, told) = optimize::held(args, &run.summary);
        if let Some(told) = told {
            note(&format!("random seed {seed}: {told}"));
        }
        if exit != ExitStatus::Done {
            return exit;
        }
    }
    ExitStatus::Done
}
