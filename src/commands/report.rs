use super::{note, print};
use crate::cli::Report;
use crate::exit::{Exit, Failure};
use crate::report::{Form, Named, render};
use crate::stored;

pub(super) fn run(args: &Report) -> Result<Exit, Failure> {
    // A wrong ending is told before anything is written.
    let forms: Vec<Form> = args
        .output
        .iter()
        .map(|path| Form::of(path))
        .collect::<Result<_, _>>()?;
    let runs: Vec<Named> = args
        .runs
        .iter()
        .map(|run| stored::read(&stored::folder(&args.store.store, run)?))
        .collect::<Result<_, _>>()?;
    if forms.is_empty() {
        print(&render(Form::Text, &runs)?)?;
    }
    for (path, form) in args.output.iter().zip(forms) {
        let text = render(form, &runs)?;
        super::write(path, &text)?;
        note(&format!("wrote {}", path.display()));
    }
    Ok(Exit::Done)
}
