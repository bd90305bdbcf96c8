//! What a shell and `man` know of the command line.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// Print completions.
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS_HELP)]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: Shell,
}

const COMPLETIONS_HELP: &str = "\
Where shells look for them:
  bash   shiftproof completions bash > ~/.local/share/bash-completion/completions/shiftproof
  zsh    shiftproof completions zsh > a folder of $fpath, as _shiftproof
  fish   shiftproof completions fish > ~/.config/fish/completions/shiftproof.fish";

/// Print the manual.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write a page for the program and one for each command into this folder, in
    /// place of printing the program's.
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
}
