use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use shiftproof_search::budget::{BudgetLimits, Meter};
use shiftproof_search::calibrate::{Calibration, CalibrationSet};
use shiftproof_search::control::RunControl;
use shiftproof_search::evaluate::{ParsedReply, PromptEvaluator, understand};
use shiftproof_search::event_log::EventLog;
use shiftproof_search::gateway::Gateway;
use shiftproof_search::ledger::Ledger;
use shiftproof_search::unusable::AnswerFault;
use shiftproof_tasks::{Example, Input};

use super::{fetch_progress, prepared, print};
use crate::assets;
use crate::cli::{DoctorArgs, StoreArgs, StudyArgs};
use crate::exit::{ExitStatus, Failure};
use crate::gate::power;
use crate::runs::session::StudySession;
use crate::runs::stored;
use crate::shared;
use crate::study::task_registry::TaskRegistry;
use crate::wording::shown::visible;
use crate::wording::unusable;

/// The study that is checked where none is named.
const STUDY: &str = "study.toml";

/// Examples that are asked, each of another source group.
const MOST_ASKED: usize = 3;

pub(super) async fn run(args: &DoctorArgs, registry: &TaskRegistry) -> Result<ExitStatus, Failure> {
    let mut worst = ExitStatus::Done;
    let mut report = |what: &str, found: Result<String, Failure>| {
        let line = match found {
            Ok(found) => format!("ok    {what:9} {found}\n"),
            Err(failure) => {
                if worst == ExitStatus::Done {
                    worst = failure.exit;
                }
                format!("FAIL  {what:9} {}\n", failure.message)
            }
        };
        print(&visible(&line))
    };
    report("cache", cache())?;
    report("store", store(&args.store.store))?;
    if let Some(shared) = shared_store(&args.store).transpose() {
        report("shared", shared)?;
    }
    report("terminal", Ok(terminal()))?;
    let here = Path::new(STUDY);
    let study = args
        .study
        .as_deref()
        .or_else(|| here.exists().then_some(here));
    if study.is_none() {
        let told =
            format!("none: there is no {STUDY} here; name one, and its data and model are checked");
        print(&format!("      {:9} {told}\n", "study"))?;
    }
    if let Some(path) = study {
        let resolved = super::resolve(
            &StudyArgs {
                study: path.to_owned(),
                seed: 1,
                model: None,
                base_url: None,
                prices: std::env::var_os("SHIFTPROOF_PRICES").map(Into::into),
                method: None,
            },
            None,
            registry,
        );
        match resolved {
            Err(failure) => report("study", Err(failure))?,
            Ok(resolved) => {
                report("study", Ok(format!("{} reads well", path.display())))?;
                let mut progress = fetch_progress(false);
                match prepared(resolved, path, registry, false, &mut progress).await {
                    Err(failure) => report("session", Err(failure))?,
                    Ok(session) => {
                        report("data", Ok(data(&session)))?;
                        for finding in &session.loaded.findings {
                            print(&format!("      {finding}\n"))?;
                        }
                        report("model", Ok(session.task_model.report.clone()))?;
                        if let Some(proposer) = &session.proposer_model {
                            report("proposer", Ok(proposer.report.clone()))?;
                        }
                        if let Some(grader) = session.auxiliary_models.grader() {
                            report("grader", Ok(grader.report.clone()))?;
                        }
                        if let Some(renderer) = session.auxiliary_models.renderer() {
                            report("renderer", Ok(renderer.report.clone()))?;
                        }
                        if let Some(writer) = session.auxiliary_models.writer() {
                            report("augment", Ok(writer.report.clone()))?;
                        }
                        for line in super::estimate::priced(&session.resolved.study) {
                            print(&format!("      {line}\n"))?;
                        }
                        let power = power::told(&session.loaded.groups);
                        for note in session.foreseen().into_iter().chain(power) {
                            print(&format!("      {note}\n"))?;
                        }
                        report("answer", answer(&session).await)?;
                    }
                }
            }
        }
    }
    Ok(worst)
}

fn cache() -> Result<String, Failure> {
    let folder = assets::cache_folder().map_err(crate::models::connect_model::fetch_failure)?;
    Ok(folder.display().to_string())
}

fn store(folder: &Path) -> Result<String, Failure> {
    if !folder.exists() {
        return Ok(format!("{} will be created", folder.display()));
    }
    let ledger = match Ledger::open(folder) {
        Ok(ledger) => ledger,
        Err(error) => {
            let Some(holder) = error.holder() else {
                return Err(error.into());
            };
            return Ok(format!(
                "{}, in use by {holder}; `shiftproof watch{}` follows it",
                folder.display(),
                stored::store_flag(folder)
            ));
        }
    };
    let runs = ledger.runs()?.len();
    Ok(format!("{}, {runs} runs", folder.display()))
}

/// The database that the store shares, if it does.
fn shared_store(args: &StoreArgs) -> Result<Option<String>, Failure> {
    let Some(answers) = shared::connect(&args.store, args.shared_budget.as_deref())? else {
        return Ok(None);
    };
    let store = answers.store();
    let others = store
        .workers()?
        .iter()
        .filter(|worker| worker.is_alive)
        .count();
    let es = if others == 1 { "" } else { "es" };
    let budget = match answers.budget() {
        Some(name) => format!(", drawing on the budget {name:?}"),
        None => String::new(),
    };
    Ok(Some(format!(
        "{}, {others} process{es}{budget}",
        store.address()
    )))
}

fn terminal() -> String {
    let yes = |is: bool| if is { "a terminal" } else { "no terminal" };
    format!(
        "standard output is {}, standard error is {}",
        yes(std::io::stdout().is_terminal()),
        yes(std::io::stderr().is_terminal())
    )
}

fn data(session: &StudySession) -> String {
    let groups: Vec<String> = session
        .loaded
        .groups
        .iter()
        .map(|group| format!("{} ({})", group.name, group.role))
        .collect();
    groups.join(", ")
}

/// What the seed prompt answers to a few source examples, asked as evaluations ask
/// and read by the task; one a source group.
async fn answer(session: &StudySession) -> Result<String, Failure> {
    let task = session.built.task.as_ref();
    let mut seen = BTreeSet::new();
    let validation = session.loaded.data.source.validation.iter();
    let examples: Vec<&Input> = validation
        .map(|example| &example.input)
        .filter(|input| seen.insert(&input.group))
        .take(MOST_ASKED)
        .collect();
    if examples.is_empty() {
        return Err(Failure::data("the study has no source example"));
    }
    let gateway = Gateway::new(
        Arc::new(Ledger::in_memory()),
        EventLog::unlogged(Vec::new()),
        Meter::new(BudgetLimits::default()),
        RunControl::new(),
        None,
        Vec::new(),
    )
    .with_auxiliary_models(session.auxiliary_models.priced());
    let model = &session.task_model.model;
    let began = std::time::Instant::now();
    let understood = understand(task, &gateway, model, &task.seed(), &examples)
        .await
        .map_err(|stop| Failure::from_error(ExitStatus::of(&stop))(stop))?;
    let seconds = began.elapsed().as_secs_f64();
    let read = examples.iter().zip(understood);
    let read: Vec<(&Input, ParsedReply)> = read
        .filter_map(|(input, understood)| Some((*input, understood?)))
        .collect();
    let lines: Vec<String> = read.iter().map(|(input, own)| line(input, own)).collect();
    let told = lines.join("\n                ");
    let Some(fault) = read.iter().find_map(|(_, own)| own.fault) else {
        if task.grader().is_some() {
            let graded = grades(session, &gateway, &examples).await?;
            return Ok(format!(
                "{told}\n                {graded} ({seconds:.2} s, seed prompt)"
            ));
        }
        return Ok(format!("{told} ({seconds:.2} s, seed prompt)"));
    };
    let mend = unusable::help(fault, model.llm.capabilities().max_tokens);
    Err(Failure::new(
        ExitStatus::Unusable,
        format!("{told}\n                {mend}"),
    ))
}

/// What the grader makes of the answers to these inputs.
async fn grades(
    session: &StudySession,
    gateway: &Gateway,
    asked: &[&Input],
) -> Result<String, Failure> {
    let data = &session.loaded.data;
    let validation = data.source.validation.iter();
    let examples: Vec<Example> = validation
        .filter(|example| asked.iter().any(|input| input.id == example.input.id))
        .cloned()
        .collect();
    let evaluator = PromptEvaluator {
        task: session.built.task.as_ref(),
        gateway,
        model: &session.task_model.model,
        calibration: Calibration::None,
        groups: &session.loaded.groups,
        settle_on: CalibrationSet::of(data),
        keep_going: true,
    };
    let scored = evaluator
        .score(&[session.built.task.seed()], &examples)
        .await
        .map_err(|stop| Failure::from_error(ExitStatus::of(&stop))(stop))?;
    let faults = &scored.surveys[0].faults;
    if let Some(failed) = faults.iter().find_map(|fault| fault.examples.first()) {
        let told = format!(
            "graded: {}: {}",
            visible(&failed.input),
            visible(&failed.text)
        );
        return Err(Failure::new(ExitStatus::Unusable, told));
    }
    let grades: Vec<String> = examples
        .iter()
        .zip(&scored.grades[0])
        .map(|(example, grade)| {
            let grade = grade.map_or("no grade".to_owned(), |grade| format!("{grade:.2}"));
            format!("{} {grade}", visible(&example.input.id))
        })
        .collect();
    Ok(format!("graded: {}", grades.join(", ")))
}

/// What was said to one input and how it was understood.
fn line(input: &Input, own: &ParsedReply) -> String {
    let said = unusable::shown(&own.said);
    let place = format!("{} ({})", visible(&input.id), visible(&input.group));
    match (own.fault, &own.answer) {
        (Some(AnswerFault::Failed), _) => format!("{place}: failed: {}", visible(&own.said)),
        (Some(fault), _) => format!("{place}: {fault}: {said}"),
        (None, Some(answer)) => match answer.to_text() {
            meant if meant == own.said.trim() => format!("{place}: {meant:?}"),
            meant => format!("{place}: {meant:?}, read from {said}"),
        },
        (None, None) => format!("{place}: {said}"),
    }
}
