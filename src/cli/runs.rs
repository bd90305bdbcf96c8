//! Commands on stored runs.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::StoreArgs;

/// Write reports. A run that is still under way is read as far as it has come;
/// the store is not opened.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The runs: their names in the store, or their folders. Several are
    /// compared first, methods by groups over seeds.
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<String>,
    /// Write to this file; the ending says how (.html, .md, .json, .txt). May be
    /// repeated; without it the text is printed.
    #[arg(long, short, value_name = "FILE")]
    pub output: Vec<PathBuf>,
    /// Leave out the examples on which prompts fail: for pages that are read by people
    /// who may not see the data.
    #[arg(long)]
    pub no_examples: bool,
    /// Where they are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Write a prompt for use elsewhere.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The run: its name in the store, or its folder.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Another candidate of the run than the selected one: seed, or its id or the
    /// beginning of it.
    #[arg(long, value_name = "ID|seed|selected")]
    pub prompt: Option<String>,
    /// The form.
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    pub format: ExportFormat,
    /// Read the input template, labels and data from this study instead of the
    /// one kept beside the run's log.
    #[arg(long, value_name = "STUDY.toml")]
    pub study: Option<PathBuf>,
    /// Write to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// The forms a prompt is exported in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFormat {
    /// The prompt alone.
    Text,
    /// Prompt, id, scores per group, study and models.
    Json,
    /// A promptfoo config with the labelled source examples as tests.
    Promptfoo,
    /// The state of a `dspy.Predict`, for its `load`.
    Dspy,
    /// A `ChatPromptTemplate`, for `langchain_core.load.load`.
    Langchain,
}

/// Look after stored runs.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// What to do; the list where absent.
    #[command(subcommand)]
    pub action: Option<RunsAction>,
    /// Print the list as JSON instead of text.
    #[arg(long)]
    pub json: bool,
    /// Where they are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// What to do with stored runs.
#[derive(Debug, Subcommand)]
pub enum RunsAction {
    /// List them, oldest first: date, method, model, audited score of the worst
    /// target group of seed and selected prompt, verdict, calls, status.
    List {
        /// Print JSON instead of text.
        #[arg(long)]
        json: bool,
    },
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
pub struct WatchArgs {
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
pub struct ReplayArgs {
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
