//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Prompts that hold when the data shifts.
#[derive(Debug, Parser)]
#[command(name = "shiftproof", version, about, after_help = crate::exit::HELP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Search for a prompt that holds on the study's target groups.
    Optimize(Optimize),
    /// Score fixed prompts on the study's audit, group by group.
    Eval(Eval),
    /// Print what a run would ask and cost; call no model.
    Estimate(Estimate),
    /// Check that model, data, store and terminal are fit for a run.
    Doctor(Doctor),
    /// Write a commented study and a little data to start from.
    Init(Init),
    /// List, show or remove stored runs.
    Runs(Runs),
    /// Follow a run of another process, full-screen or as lines.
    Watch(Watch),
    /// Play a stored run back, full-screen or as lines.
    Replay(Replay),
    /// List, fetch or verify named data sets.
    Data(Assets),
    /// List, fetch or verify named models.
    Models(Assets),
}

/// Which study, with which changes.
#[derive(Debug, Clone, Args)]
pub struct StudyArgs {
    /// The study file.
    #[arg(value_name = "STUDY.toml", default_value = "study.toml")]
    pub study: PathBuf,
    /// Random seed: same seed, same study, same replies, same result.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Use this model instead of the study's: embedded, embedded:PATH.gguf or
    /// openai:MODEL.
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Address of an OpenAI-compatible server, version included.
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// Search by this method: gpo, ape, ape-ut or edits.
    #[arg(long, value_name = "METHOD")]
    pub method: Option<String>,
}

/// What may be spent.
#[derive(Debug, Clone, Copy, Args)]
pub struct BudgetArgs {
    /// Model calls at most, proposer and task model together.
    #[arg(long, value_name = "N")]
    pub max_calls: Option<u64>,
    /// Tokens at most, prompt and completion together.
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<u64>,
    /// US dollars at most, by the study's price table.
    #[arg(long, value_name = "USD")]
    pub max_usd: Option<f64>,
}

/// Where runs and replies are kept.
#[derive(Debug, Clone, Args)]
pub struct StoreArgs {
    /// Folder of the store.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = ".shiftproof",
        env = "SHIFTPROOF_STORE"
    )]
    pub store: PathBuf,
}

/// How much is said on standard error.
#[derive(Debug, Clone, Copy, Args)]
pub struct Talk {
    /// Say nothing but errors.
    #[arg(long, short)]
    pub quiet: bool,
    /// Tell every decision with its reason.
    #[arg(long, short, conflicts_with = "quiet")]
    pub verbose: bool,
}

/// Search for a prompt.
#[allow(clippy::struct_excessive_bools)] // Flags, not a state.
#[derive(Debug, Args)]
#[command(after_help = crate::exit::HELP)]
pub struct Optimize {
    /// Which study.
    #[command(flatten)]
    pub study: StudyArgs,
    /// What may be spent.
    #[command(flatten)]
    pub budget: BudgetArgs,
    /// Where it is kept.
    #[command(flatten)]
    pub store: StoreArgs,
    /// How much is said.
    #[command(flatten)]
    pub talk: Talk,
    /// Go on with a stopped or killed run: its name, or the study's latest.
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "")]
    pub resume: Option<String>,
    /// Show progress as lines, even on a terminal.
    #[arg(long)]
    pub headless: bool,
    /// Print the plan with its cost and stop (as `estimate`).
    #[arg(long)]
    pub dry_run: bool,
    /// Print the report as JSON instead of text.
    #[arg(long)]
    pub json: bool,
    /// Also write the report to these files; the ending says how (.txt, .json).
    #[arg(long, short, value_name = "FILE")]
    pub output: Vec<PathBuf>,
    /// Also write every event as a line of JSON to this file; - is standard
    /// output.
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Exit with 100 unless the audited worst target group reaches this score
    /// (0 to 1).
    #[arg(long, value_name = "SCORE")]
    pub min_worst: Option<f64>,
    /// Exit with 101 unless the selected prompt beats the seed on the worst
    /// target group beyond chance.
    #[arg(long)]
    pub require_gain: bool,
}

/// Score fixed prompts.
#[derive(Debug, Args)]
#[command(after_help = crate::exit::HELP)]
pub struct Eval {
    /// Which study.
    #[command(flatten)]
    pub study: StudyArgs,
    /// What may be spent.
    #[command(flatten)]
    pub budget: BudgetArgs,
    /// Where replies are kept.
    #[command(flatten)]
    pub store: StoreArgs,
    /// How much is said.
    #[command(flatten)]
    pub talk: Talk,
    /// An instruction to score beside the seed; may be repeated.
    #[arg(long, short, value_name = "TEXT")]
    pub prompt: Vec<String>,
    /// Print JSON instead of text.
    #[arg(long)]
    pub json: bool,
    /// Exit with 100 unless every prompt's worst target group reaches this
    /// score (0 to 1).
    #[arg(long, value_name = "SCORE")]
    pub min_worst: Option<f64>,
}

/// Print the plan.
#[derive(Debug, Args)]
pub struct Estimate {
    /// Which study.
    #[command(flatten)]
    pub study: StudyArgs,
    /// What may be spent.
    #[command(flatten)]
    pub budget: BudgetArgs,
    /// Print JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Check the surroundings.
#[derive(Debug, Args)]
pub struct Doctor {
    /// The study whose model and data are checked.
    #[arg(value_name = "STUDY.toml")]
    pub study: Option<PathBuf>,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Write a study.
#[derive(Debug, Args)]
pub struct Init {
    /// The folder to write to.
    #[arg(default_value = ".")]
    pub folder: PathBuf,
}

/// Look after stored runs.
#[derive(Debug, Args)]
pub struct Runs {
    /// What to do; the list where absent.
    #[command(subcommand)]
    pub action: Option<RunsAction>,
    /// Where they are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// What to do with stored runs.
#[derive(Debug, Subcommand)]
pub enum RunsAction {
    /// List them, oldest first.
    List,
    /// Print one run's report again.
    Show {
        /// Its name.
        run: String,
        /// Print JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Remove a run; its paid replies stay.
    Rm {
        /// Its name.
        run: String,
    },
}

/// Follow a run.
#[derive(Debug, Args)]
pub struct Watch {
    /// Its name; where absent, the latest that is running, else the latest.
    pub run: Option<String>,
    /// Where runs are kept; the store itself is not opened.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Print lines, even on a terminal.
    #[arg(long)]
    pub headless: bool,
}

/// Play a run back.
#[derive(Debug, Args)]
pub struct Replay {
    /// Its name; the latest where absent.
    pub run: Option<String>,
    /// Recorded seconds per second; 1 on a terminal, as lines all at once.
    #[arg(long, value_name = "X")]
    pub speed: Option<f64>,
    /// Where runs are kept; the store itself is not opened.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Print lines, even on a terminal.
    #[arg(long)]
    pub headless: bool,
}

/// Look after models or data sets.
#[derive(Debug, Args)]
pub struct Assets {
    /// What to do; the list where absent.
    #[command(subcommand)]
    pub action: Option<AssetsAction>,
}

/// What to do with models or data sets.
#[derive(Debug, Subcommand)]
pub enum AssetsAction {
    /// List them with their state, licence and source.
    List,
    /// Fetch one into the cache folder.
    Fetch {
        /// Its name.
        name: String,
    },
    /// Hash one in the cache again.
    Verify {
        /// Its name.
        name: String,
    },
}
