use clap::CommandFactory;

use super::{note, print_for_tools};
use crate::cli::{Cli, CompletionsArgs, ManArgs};
use crate::exit::{ExitStatus, Failure};

pub(super) fn completions(args: &CompletionsArgs) -> Result<ExitStatus, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "shiftproof", &mut script);
    print_for_tools(&String::from_utf8_lossy(&script))?;
    Ok(ExitStatus::Done)
}

pub(super) fn man(args: &ManArgs) -> Result<ExitStatus, Failure> {
    if let Some(folder) = &args.folder {
        let fail = Failure::from_io(ExitStatus::Data, "write to", folder);
        std::fs::create_dir_all(folder).map_err(&fail)?;
        clap_mangen::generate_to(Cli::command(), folder).map_err(&fail)?;
        note(&format!("wrote the pages to {}", folder.display()));
        return Ok(ExitStatus::Done);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut page)
        .map_err(Failure::from_error(ExitStatus::Internal))?;
    print_for_tools(&String::from_utf8_lossy(&page))?;
    Ok(ExitStatus::Done)
}
