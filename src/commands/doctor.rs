use std::io::IsTerminal;
use std::path::Path;

use shiftproof_search::Call;
use shiftproof_search::ledger::Ledger;

use super::{fetch_progress, print};
use crate::cli::{Doctor, StudyArgs};
use crate::exit::{Exit, Failure};
use crate::fetch;
use crate::kinds::Kinds;
use crate::session::Session;
use crate::words::visible;

pub(super) async fn run(args: &Doctor, kinds: &Kinds) -> Result<Exit, Failure> {
    let mut worst = Exit::Done;
    let mut report = |what: &str, found: Result<String, Failure>| {
        let line = match found {
            Ok(found) => format!("ok    {what:9} {found}\n"),
            Err(failure) => {
                if worst == Exit::Done {
                    worst = failure.exit;
                }
                format!("FAIL  {what:9} {}\n", failure.message)
            }
        };
        print(&visible(&line))
    };
    report("cache", cache())?;
    report("store", store(&args.store.store))?;
    report("terminal", Ok(terminal()))?;
    if let Some(path) = &args.study {
        let resolved = super::resolve(
            &StudyArgs {
                study: path.clone(),
                seed: 1,
                model: None,
                base_url: None,
                method: None,
            },
            None,
        );
        match resolved {
            Err(failure) => report("study", Err(failure))?,
            Ok(resolved) => {
                report("study", Ok(format!("{} reads well", path.display())))?;
                let mut progress = fetch_progress(false);
                match Session::prepare(resolved, path, kinds, &mut progress).await {
                    Err(failure) => report("session", Err(failure))?,
                    Ok(session) => {
                        report("data", Ok(data(&session)))?;
                        for finding in &session.loaded.findings {
                            print(&format!("      {finding}\n"))?;
                        }
                        report("model", Ok(session.task_model.report.clone()))?;
                        for note in session.foreseen() {
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
    let folder = fetch::cache_folder().map_err(|error| crate::connect::fetch_failure(&error))?;
    Ok(folder.display().to_string())
}

fn store(folder: &Path) -> Result<String, Failure> {
    if !folder.exists() {
        return Ok(format!("{} will be created", folder.display()));
    }
    let runs = Ledger::open(folder)?.runs()?.len();
    Ok(format!("{}, {runs} runs", folder.display()))
}

fn terminal() -> String {
    let yes = |is: bool| if is { "a terminal" } else { "no terminal" };
    format!(
        "standard output is {}, standard error is {}",
        yes(std::io::stdout().is_terminal()),
        yes(std::io::stderr().is_terminal())
    )
}

fn data(session: &Session) -> String {
    let groups: Vec<String> = session
        .loaded
        .groups
        .iter()
        .map(|group| format!("{} ({})", group.name, group.role))
        .collect();
    groups.join(", ")
}

/// One real evaluation: the seed prompt on the first source example.
async fn answer(session: &Session) -> Result<String, Failure> {
    let task = session.built.task.as_ref();
    let example = session
        .loaded
        .data
        .source
        .validation
        .first()
        .ok_or_else(|| Failure::data("the study has no source example"))?;
    let call = Call::greedy(task.request(&task.seed(), &example.input), 16);
    let began = std::time::Instant::now();
    let reply = session
        .task_model
        .model
        .llm
        .call(&call)
        .await
        .map_err(|error| Failure::new(Exit::Provider, error.to_string()))?;
    Ok(format!(
        "{:?} in {:.2} s to the seed prompt",
        reply.text,
        began.elapsed().as_secs_f64()
    ))
}
