use super::{check_writable, note, print};
use crate::cli::ReportArgs;
use crate::exit::{ExitStatus, Failure};
use crate::report::{NamedRun, ReportFormat, render};
use crate::runs::stored;
use crate::shared;

pub(super) fn run(args: &ReportArgs) -> Result<ExitStatus, Failure> {
    // A wrong ending is told before anything is written.
    let forms: Vec<ReportFormat> = args
        .output
        .iter()
        .map(|path| {
            let form = ReportFormat::of(path)?;
            check_writable(path)?;
            Ok(form)
        })
        .collect::<Result<_, Failure>>()?;
    shared::fetch_runs(&args.store.store, args.runs.iter().map(String::as_str))?;
    let mut runs: Vec<NamedRun> = args
        .runs
        .iter()
        .map(|run| stored::read(&stored::folder(&args.store.store, run)?))
        .collect::<Result<_, _>>()?;
    if args.no_examples {
        for run in &mut runs {
            run.failures.clear();
        }
    }
    if forms.is_empty() {
        print(&render(ReportFormat::Text, &runs)?)?;
    }
    for (path, form) in args.output.iter().zip(forms) {
        let text = render(form, &runs)?;
        super::write(path, &text)?;
        note(&format!("wrote {}", path.display()));
    }
    Ok(ExitStatus::Done)
}
