//! Commands that measure the program itself.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::StoreArgs;

/// Measure parts of the program.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// What to measure.
    #[command(subcommand)]
    pub action: BenchAction,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum BenchAction {
    /// Replay selection rules: how far is each rule's pick from the best prompt
    /// of the target groups, for how many evaluations?
    Select(BenchSelect),
}

/// Which outcomes, rules and budgets.
#[derive(Debug, Args)]
pub struct BenchSelect {
    /// Folders of recorded outcomes (docs/selection.md tells their format).
    #[arg(value_name = "DIR")]
    pub folders: Vec<PathBuf>,
    /// Also replay what this run graded; repeatable.
    #[arg(long = "run", value_name = "RUN")]
    pub runs: Vec<String>,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Also replay this many planted worlds of each family.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub planted: u64,
    /// Rules; the others are held against the first. A name that ends in +
    /// may also buy outcomes on the labelled target examples.
    #[arg(
        long,
        value_name = "RULE,…",
        value_delimiter = ',',
        default_value = "halving,uniform,racing,triple-cr,posterior,posterior+"
    )]
    pub rules: Vec<String>,
    /// Evaluations to spend; "all" for all there are.
    #[arg(
        long,
        value_name = "N,…",
        value_delimiter = ',',
        default_value = "50,200,1000,5000,all"
    )]
    pub budgets: Vec<String>,
    /// Labelled target examples, over all target groups alike.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub labelled: usize,
    /// Repeats per setting.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub repeats: usize,
    /// Seed of splits, orders and rules.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Keep settings whose name holds this text; repeatable.
    #[arg(long, value_name = "TEXT")]
    pub filter: Vec<String>,
    /// Also print every setting.
    #[arg(long)]
    pub detail: bool,
    /// Print JSON instead of tables.
    #[arg(long)]
    pub json: bool,
    /// Also write JSON to these files.
    #[arg(long, short, value_name = "FILE")]
    pub output: Vec<PathBuf>,
}
