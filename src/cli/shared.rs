//! Commands on a store that several processes share.

use clap::{Args, Subcommand};

use super::{BudgetArgs, StoreArgs, VerbosityArgs};

/// Show what several processes share in a database: who is at work, budgets, and how far
/// comparisons are.
#[derive(Debug, Args)]
pub struct SharedArgs {
    /// What to do; shows without it.
    #[command(subcommand)]
    pub action: Option<SharedAction>,
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// Which database.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// What to do with what is shared.
#[derive(Debug, Subcommand)]
pub enum SharedAction {
    /// Make a budget that all processes draw on together, or give it other limits; those that
    /// are not named stay. What was spent stays spent.
    Budget {
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
        /// What all of them may spend.
        #[command(flatten)]
        limits: BudgetArgs,
    },
}

/// Work through the cells of comparisons that wait in a shared store, beside whoever began
/// them. The studies' data must be reachable under the same paths.
#[derive(Debug, Args)]
#[command(after_help = crate::exit::HELP)]
pub struct WorkerArgs {
    /// Wait for further work instead of ending when none is left.
    #[arg(long)]
    pub wait: bool,
    /// Which database.
    #[command(flatten)]
    pub store: StoreArgs,
    /// How much is said.
    #[command(flatten)]
    pub verbosity: VerbosityArgs,
}
