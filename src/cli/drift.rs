//! Watching the prompt in use.

use std::path::PathBuf;

use clap::Args;

use super::{BudgetArgs, StoreArgs, StudyArgs, TroubleArgs, VerbosityArgs};

/// Watch the prompt in use.
#[derive(Debug, Args)]
#[command(after_help = DRIFT_HELP)]
pub struct DriftArgs {
    /// Which study.
    #[command(flatten)]
    pub study: StudyArgs,
    /// What may be spent.
    #[command(flatten)]
    pub budget: BudgetArgs,
    /// Where runs and replies are kept.
    #[command(flatten)]
    pub store: StoreArgs,
    /// What is done about answers that cannot be used.
    #[command(flatten)]
    pub trouble: TroubleArgs,
    /// How much is said.
    #[command(flatten)]
    pub verbosity: VerbosityArgs,
    /// The new rows: a file with the study's columns, labelled, in part or not at all; with
    /// data of interactions a day's log in the study's form.
    #[arg(long, value_name = "FILE")]
    pub batch: PathBuf,
    /// With data of interactions: a file of what users did between the study's data and the
    /// batch, such as the day before; once a file.
    #[arg(long, value_name = "FILE")]
    pub before: Vec<PathBuf>,
    /// What the batch is called in reports; its file's name where absent. The same name
    /// again is the same day, with the labels it has by now.
    #[arg(long, value_name = "NAME")]
    pub day: Option<String>,
    /// The prompt in use is the one of this committed file instead of the study's.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Chance of any false alarm, over all groups, both kinds and all days to come
    /// [default: 0.05].
    #[arg(long, value_name = "P", value_parser = super::decide::chance)]
    pub alpha: Option<f64>,
    /// How far a group's score may fall without an alarm (0.02 is 2 points)
    /// [default: 0.02].
    #[arg(long, value_name = "POINTS", value_parser = super::decide::share)]
    pub tolerance: Option<f64>,
    /// Where the days are remembered; in the store's folder where absent.
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Begin a new stream, with what the prompt scores on the audit today as its
    /// reference.
    #[arg(long)]
    pub restart: bool,
    /// Also ask the prompts that stored runs selected about the labelled rows, for so
    /// many evaluations at most.
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "500")]
    pub re_race: Option<usize>,
    /// Print JSON instead of text.
    #[arg(long)]
    pub json: bool,
    /// Also write the report to these files; the ending says how (.txt, .json, .md,
    /// .html with a chart of the days, .xml with test cases).
    #[arg(long, short, value_name = "FILE")]
    pub output: Vec<PathBuf>,
}

const DRIFT_HELP: &str = "\
The first call for a prompt asks it about the study's audit: that is the reference.
Each call adds a day. Two things are watched in each group: the score on labelled rows,
and the shares of the answers, for which no label is needed. Evidence is the capital of
a wager against \"nothing changed\"; it can be looked at after every day, and passes the
bar by chance with --alpha at most over the whole stream.

The last line says what to do: keep, re-label or re-optimise.
Exit codes: 0 no alarm; 102 an alarm; 2 command line, study or baseline; 3 budget;
4 the model's service; 5 a file or the store; 6 answers that cannot be used.";
